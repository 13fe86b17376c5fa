//! Where a file is to be, and what the system lets be done there.
//!
//! A file that is there is replaced by a new one, which takes its name in one step. Some files can be written but not replaced:
//! one that is a mount of its own (`docker run -v FILE:FILE`), another's in a sticky folder, one in a folder that takes no
//! files. Those are written over where they stand.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::error::reason;
use super::folder_of;

/// Symbolic links that are followed, as the system follows them.
const MOST_LINKS: usize = 40;

/// How a file gets its new bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A new file takes its name: there is the old one or the new one at any moment.
    Replace,
    /// It is written over where it stands, since it can be written but not replaced.
    WriteOver {
        /// Why it cannot be replaced.
        reason: String,
    },
}

impl Way {
    /// What a person should know before anything is written, as a sentence.
    #[must_use]
    pub fn note(&self, path: &Path) -> Option<String> {
        match self {
            Way::Replace => None,
            Way::WriteOver { reason } => Some(format!(
                "{} can be written but not replaced ({reason}), so it will be written over where it stands, and a power cut at that moment may leave it half",
                path.display()
            )),
        }
    }
}

/// The file that all symbolic links lead to, be it there or not.
#[must_use]
pub fn behind_links(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&place) {
            Ok(next) => place = folder_of(&place).join(next),
            Err(_) => break,
        }
    }
    fs::canonicalize(&place).unwrap_or(place)
}

/// Whether a path names a pipe, as a shell's `<(...)` does: it can be read once, and a file can neither be replaced there
/// nor lie beside it.
#[must_use]
pub fn is_pipe(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Whether an error says that a name cannot be taken, or be given in a folder, while a file that has it may be writable.
pub(super) fn forbids_replacing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::ResourceBusy
            | ErrorKind::CrossesDevices
    )
}

/// Why a file that is there cannot be replaced, though its folder takes new files; `None` where it can, or where the system
/// does not say.
pub(super) fn hindrance(target: &Path) -> Option<String> {
    if is_mount(target) {
        return Some("it is a mount of its own".to_owned());
    }
    // Nobody can remove a file as a folder, and systems say first whether they would let it go at all: another's file in
    // a sticky folder, an immutable one.
    let refused = if cfg!(unix) { fs::remove_dir(target).err() } else { None };
    refused.filter(|error| error.kind() == ErrorKind::PermissionDenied).map(|error| reason(&error))
}

/// Opens a file that is there, for writing over it.
pub(super) fn open_over(target: &Path) -> io::Result<fs::File> {
    OpenOptions::new().write(true).open(target)
}

/// Whether a file is mounted by itself.
fn is_mount(target: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
        let mount = |path: &Path| {
            let found = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
            (found.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(found.stx_mnt_id)
        };
        matches!((mount(target), mount(folder_of(target))), (Some(own), Some(around)) if own != around)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = target;
        false
    }
}
