//! What can go wrong with a file, each a sentence.

use std::io;
use std::path::PathBuf;

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// There is no such file.
    #[error("{} does not exist; check the name", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A folder or a device where a file is meant.
    #[error("{} is not a file; give the name of a file", path.display())]
    NotAFile {
        /// What is not a file.
        path: PathBuf,
    },
    /// Something else where a folder is meant.
    #[error("{} is not a folder; give the name of a folder", path.display())]
    NotAFolder {
        /// What is not a folder.
        path: PathBuf,
    },
    /// More bytes than the reader allows.
    #[error("{} is larger than the {limit_mib} MiB that are read; give a smaller file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in MiB.
        limit_mib: u64,
    },
    /// The system does not let it be read.
    #[error("{} could not be read ({}); check its permissions and the disk", path.display(), reason(source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder that a file is to be written in is not there.
    #[error("{} cannot be written, for the folder {} does not exist; create it or choose another place",
        path.display(), folder.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// The system does not let files be created there.
    #[error("{} cannot be written, for the folder {} takes no files ({}); choose another place",
        path.display(), folder.display(), reason(source))]
    FolderUnwritable {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not let the file be written: it may neither be replaced nor written over, or have no such name.
    #[error("{} cannot be written ({}); choose another name", path.display(), reason(source))]
    FileUnwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk does not set the space aside that will be needed, as by a quota.
    #[error("{} needs {needed_mib} MiB, and its disk does not give them ({}); make room or choose another place",
        path.display(), reason(source))]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// Space needed, in MiB.
        needed_mib: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Files of this process may not be so long.
    #[error("{} needs {needed_mib} MiB, and files may have {limit_kib} KiB here; raise that limit with ulimit -f",
        path.display())]
    FileSizeLimit {
        /// The file.
        path: PathBuf,
        /// Its size, in MiB.
        needed_mib: u64,
        /// The limit, in KiB.
        limit_kib: u64,
    },
    /// Less space than will be needed.
    #[error("{} needs {needed_mib} MiB but its disk has {free_mib} MiB free; make room or choose another place",
        path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// Space needed, in MiB.
        needed_mib: u64,
        /// Space free, in MiB.
        free_mib: u64,
    },
    /// Writing failed; nothing has changed.
    #[error("{} could not be written ({}) and is as it was before; make room or choose another place",
        path.display(), reason(source))]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that could only be written over was not written to its end.
    #[error("{} could not be written to its end ({}) and is half the old file and half the new; make room or choose another place",
        path.display(), reason(source))]
    HalfWritten {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A log could not be continued.
    #[error("{} could not be appended to ({}); make room or choose another place", path.display(), reason(source))]
    Unappended {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that could not be made.
    #[error("the folder {} could not be made ({}); choose another place", path.display(), reason(source))]
    FolderUnmade {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another program works in the folder.
    #[error("another program is working on {}; wait for it to end, or stop it", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The file system has no locks, so that two programs would not see each other.
    #[error("{} cannot be locked ({}), so two programs would do the same work; give each a share of its own with --shard",
        path.display(), reason(source))]
    NoLocks {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The new file is in place, but the disk did not confirm that it will stay.
    #[error("{} is written, but the disk did not confirm it ({}); check the disk before you rely on it",
        path.display(), reason(source))]
    Unconfirmed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What went wrong, without the system's number for it.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
