//! The one door to files: whole files in, whole files out.
//!
//! A file on disk is always the old one or the new one, never a part of either. To replace `picture.png`:
//!
//! ```text
//! 1. write all bytes to a new file beside it       .impasto-4242-0.tmp    (same folder, so same file system)
//! 2. compare the length, fsync it                                         its bytes are on the disk now
//! 3. rename it onto picture.png                                           the switch: old before, new after
//! 4. fsync the folder                                                     the switch is on the disk now
//! ```
//!
//! A file that can be written but not replaced ([`Way`]) is written over where it stands, and then alone it may be half for
//! a moment. Where a step fails the temporary file is removed and the old file is still there. A process that is killed leaves at
//! most its temporary file, which is locked while its writer lives; [`check_writable`] removes those that nobody holds.
//!
//! The steps run on a [`Disk`], so that tests can put a disk in its place that fails, tears, drops and reorders writes.
//!
//! **Architecture Invariant:** nothing else in this crate creates, renames or removes a file.

mod check;
mod copy;
#[doc(hidden)]
pub mod crc32c;
pub mod digest;
mod error;
mod lock;
mod log;
mod new_file;
mod partial;
mod place;
mod real;
mod remove;
mod room;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use place::forbids_replacing;

pub use check::{check_writable, is_temporary, remove_abandoned};
pub use copy::copy_file;
pub use error::DiskError;
pub use lock::Lock;
pub use log::Log;
pub use new_file::{free_name, write_new_file};
pub(crate) use partial::PartialFile;
pub use place::{Way, behind_links, is_pipe};
pub use real::RealDisk;
pub use remove::{fresh_folder, remove_folder};

/// What replacing a file asks of a disk. [`RealDisk`] is the one that programs use.
pub trait Disk: Send + Sync {
    /// Creates a file that must not exist yet, and opens it for writing.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where the name is taken; any other as the system says.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn OpenFile>>;

    /// Opens a file that is there, for writing behind its end.
    ///
    /// # Errors
    /// As the system says.
    fn open_end(&self, path: &Path) -> io::Result<Box<dyn OpenFile>>;

    /// Opens a file that is there, for writing over it from its start.
    ///
    /// # Errors
    /// As the system says; a disk on which every file can be replaced need not have it.
    fn open_over(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let _ = path;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives the file `from` the name `to`, in one step; a file of that name is replaced and hands on its permissions.
    ///
    /// # Errors
    /// As the system says; then `to` is what it was.
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes a folder in one that is there; gives whether it was made now, and not there before.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where the folder above it is missing; any other as the system says.
    fn make_folder(&self, folder: &Path) -> io::Result<bool>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Returns when the folder's names are on the disk.
    ///
    /// # Errors
    /// As the system says.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is being written.
pub trait OpenFile {
    /// Appends some of the bytes, at least one, and returns how many.
    ///
    /// # Errors
    /// As the system says.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// The file's length in bytes, as the system has it.
    ///
    /// # Errors
    /// As the system says.
    fn length_bytes(&self) -> io::Result<u64>;

    /// Makes the file that much shorter; what is written next comes behind its new end.
    ///
    /// # Errors
    /// As the system says.
    fn cut(&mut self, length_bytes: u64) -> io::Result<()>;

    /// Returns when the file's bytes are on the disk.
    ///
    /// # Errors
    /// As the system says.
    fn sync(&mut self) -> io::Result<()>;
}

/// Replaces the file with these bytes, or leaves it as it was.
///
/// # Errors
/// [`DiskError::Unwritten`] where the file is as it was, [`DiskError::Unconfirmed`] where the new one is in place.
pub fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    stage_file(disk, path, bytes)?.commit()
}

/// Writes the bytes beside the file, down to the disk, without touching the file itself: all that can take long or run
/// out of space is behind when this returns.
///
/// # Errors
/// [`DiskError::Unwritten`].
pub fn stage_file<'disk>(disk: &'disk dyn Disk, path: &Path, bytes: &[u8]) -> Result<StagedFile<'disk>, DiskError> {
    stage_written(disk, path, &mut |target| target.write_all(bytes))
}

/// As [`stage_file`], for bytes that `write` makes on the way, so that a large file need not be in memory.
///
/// # Errors
/// [`DiskError::Unwritten`].
pub(crate) fn stage_written<'disk>(
    disk: &'disk dyn Disk,
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<StagedFile<'disk>, DiskError> {
    // A symbolic link stays a link: the file that it leads to is replaced, or made.
    let target = behind_links(path);
    let unwritten = |source| DiskError::Unwritten { path: path.to_owned(), source };
    let (temporary, mut file) = match create_beside(disk, folder_of(&target)) {
        Ok(created) => created,
        Err(error) if forbids_replacing(&error) && disk.open_over(&target).is_ok() => {
            let mut bytes = Vec::new();
            write(&mut bytes).map_err(unwritten)?;
            return Ok(StagedFile { disk, staged: Some(Staged::InMemory(bytes)), target, path: path.to_owned() });
        }
        Err(error) => return Err(unwritten(error)),
    };
    let written = write_whole(file.as_mut(), write).map_err(unwritten);
    // Dropped on the way out, this removes the temporary file.
    let staged = Some(Staged::Beside { temporary, _held: file });
    let staged = StagedFile { disk, staged, target, path: path.to_owned() };
    written.map(|()| staged)
}

/// Creates a folder and those above it, down to the disk: what is written in it later is not lost with it. That it is
/// there is fine.
///
/// # Errors
/// [`DiskError::FolderUnmade`], and [`DiskError::Unconfirmed`] where it is there but may not stay.
pub fn create_folder(disk: &dyn Disk, folder: &Path) -> Result<(), DiskError> {
    let unmade = |source| DiskError::FolderUnmade { path: folder.to_owned(), source };
    let is_new = match disk.make_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder_of(folder) != folder => {
            create_folder(disk, folder_of(folder))?;
            disk.make_folder(folder).map_err(unmade)?
        }
        made => made.map_err(unmade)?,
    };
    if is_new {
        let synced = disk.sync_folder(folder_of(folder));
        synced.map_err(|source| DiskError::Unconfirmed { path: folder.to_owned(), source })?;
    }
    Ok(())
}

/// Removes a file; that it is not there is fine.
///
/// # Errors
/// [`DiskError::Unwritten`] where it is still there.
pub fn remove_file_if_present(disk: &dyn Disk, path: &Path) -> Result<(), DiskError> {
    match disk.remove(path) {
        // What has a name that no file can have is not there either.
        Err(source) if !matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename) => {
            Err(DiskError::Unwritten { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// A new file, whole and on the disk, that waits beside the one that it will replace. Dropped, it is removed.
pub struct StagedFile<'disk> {
    disk: &'disk dyn Disk,
    /// `None` once it is in its place.
    staged: Option<Staged>,
    /// Where it goes, links resolved.
    target: PathBuf,
    /// Where it goes, as the caller named it.
    path: PathBuf,
}

/// Where a file waits.
enum Staged {
    /// Beside the one that it will replace.
    Beside {
        temporary: PathBuf,
        /// Open until the end, since the lock that tells others that its writer lives goes with it.
        _held: Box<dyn OpenFile>,
    },
    /// Nowhere else, for its folder takes no files; the file there is written over.
    InMemory(Vec<u8>),
}

impl StagedFile<'_> {
    /// Puts the new file in the old one's place, or writes the old one over where it cannot be replaced.
    ///
    /// # Errors
    /// [`DiskError::Unwritten`] where the old one is still there, [`DiskError::Unconfirmed`] where the new one is, and
    /// [`DiskError::HalfWritten`] where the old one was being written over.
    pub fn commit(mut self) -> Result<(), DiskError> {
        let unwritten = |source| DiskError::Unwritten { path: self.path.clone(), source };
        match &self.staged {
            Some(Staged::InMemory(bytes)) => self.write_over(self.disk.open_over(&self.target), bytes)?,
            Some(Staged::Beside { temporary, .. }) => match self.disk.replace(temporary, &self.target) {
                Ok(()) => self.staged = None,
                Err(error) if forbids_replacing(&error) => match self.disk.open_over(&self.target) {
                    Ok(over) => self.write_over(Ok(over), &fs::read(temporary).map_err(unwritten)?)?,
                    Err(_) => return Err(unwritten(error)),
                },
                Err(error) => return Err(unwritten(error)),
            },
            None => {}
        }
        self.disk
            .sync_folder(folder_of(&self.target))
            .map_err(|source| DiskError::Unconfirmed { path: self.path.clone(), source })
    }

    /// Writes these bytes over a file that was opened for it.
    fn write_over(&self, over: io::Result<Box<dyn OpenFile>>, bytes: &[u8]) -> Result<(), DiskError> {
        let mut over = over.map_err(|source| DiskError::Unwritten { path: self.path.clone(), source })?;
        // Cut last: a disk that is full may still take what replaces as many bytes.
        let written = write_whole_over(over.as_mut(), bytes);
        written.map_err(|source| DiskError::HalfWritten { path: self.path.clone(), source })
    }
}

fn write_whole_over(over: &mut dyn OpenFile, mut bytes: &[u8]) -> io::Result<()> {
    let length_bytes = bytes.len() as u64;
    while !bytes.is_empty() {
        match over.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written.min(bytes.len())..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    over.cut(length_bytes)?;
    over.sync()
}

impl Drop for StagedFile<'_> {
    fn drop(&mut self) {
        if let Some(Staged::Beside { temporary, .. }) = &self.staged {
            // The error that led here is the one to report; a temporary file that stays is removed at the next start.
            let _ = self.disk.remove(temporary);
        }
    }
}

/// Creates a file of a new name in the folder.
fn create_beside(disk: &dyn Disk, folder: &Path) -> io::Result<(PathBuf, Box<dyn OpenFile>)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut attempts_left = 100;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!("{TEMPORARY_START}{}-{number}{TEMPORARY_END}", std::process::id()));
        attempts_left -= 1;
        match disk.create_new(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            // Another machine that shares the folder may have a process of the same number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts_left > 0 => {}
            Err(error) => return Err(error),
        }
    }
}

fn write_whole(file: &mut dyn OpenFile, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut counting = Counting { file, bytes: 0 };
    write(&mut counting)?;
    let bytes = counting.bytes;
    file.sync()?;
    let length_bytes = file.length_bytes()?;
    if length_bytes == bytes {
        Ok(())
    } else {
        Err(io::Error::other(format!("{length_bytes} of {bytes} bytes arrived")))
    }
}

/// An open file as a writer that counts.
struct Counting<'a> {
    file: &'a mut dyn OpenFile,
    bytes: u64,
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?.min(bytes.len());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const TEMPORARY_START: &str = ".impasto-";
const TEMPORARY_END: &str = ".tmp";

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

const MIB: u64 = 1 << 20;

/// Opens a file for reading, and gives its length in bytes.
///
/// # Errors
/// [`DiskError`] where it is missing, not a file, or cannot be read.
pub(crate) fn open_file(path: &Path) -> Result<(File, u64), DiskError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => DiskError::Missing { path: path.to_owned() },
        _ => DiskError::Unreadable { path: path.to_owned(), source },
    };
    // Asked before the file is opened: opening a pipe would wait for somebody to write.
    let found = fs::metadata(path).map_err(unreadable)?;
    if !found.is_file() {
        return Err(DiskError::NotAFile { path: path.to_owned() });
    }
    Ok((File::open(path).map_err(unreadable)?, found.len()))
}

/// Reads a whole file of at most that many MiB.
///
/// # Errors
/// [`DiskError`] where it is missing, not a file, larger, or cannot be read.
pub fn read_file(path: &Path, limit_mib: u64) -> Result<Vec<u8>, DiskError> {
    let (file, length_bytes) = open_file(path)?;
    if length_bytes > limit_mib.saturating_mul(MIB) {
        return Err(DiskError::TooLarge { path: path.to_owned(), limit_mib });
    }
    // The file may grow while it is read, so the limit holds there too.
    read_stream(file, path, limit_mib)
}

/// Reads a stream of at most that many MiB to its end; `name` is only used to speak of it.
///
/// # Errors
/// [`DiskError::TooLarge`] where there is more, [`DiskError::Unreadable`] as the system says.
pub fn read_stream(stream: impl Read, name: &Path, limit_mib: u64) -> Result<Vec<u8>, DiskError> {
    let limit_bytes = limit_mib.saturating_mul(MIB);
    let mut bytes = Vec::new();
    let read = stream.take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| DiskError::Unreadable { path: name.to_owned(), source })?;
    match bytes.len() as u64 > limit_bytes {
        true => Err(DiskError::TooLarge { path: name.to_owned(), limit_mib }),
        false => Ok(bytes),
    }
}
