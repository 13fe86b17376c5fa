//! A lock on a folder: one program works in it at a time. The system takes the lock back when its holder ends, however
//! it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::DiskError;

/// The lock of a folder, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _held: File,
}

impl Lock {
    /// Takes the lock that this file stands for; the file is created where it is not there, and stays.
    ///
    /// # Errors
    /// [`DiskError::InUse`] where another program holds it; [`DiskError::Unwritten`] where there can be no such file.
    pub fn take(path: &Path) -> Result<Lock, DiskError> {
        let unwritten = |source| DiskError::Unwritten { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(unwritten)?;
        for attempts_left in (0..5).rev() {
            match file.try_lock() {
                // Perhaps somebody only asks ([`Lock::is_held`]), which takes no time.
                Err(TryLockError::WouldBlock) if attempts_left > 0 => std::thread::sleep(Duration::from_millis(10)),
                Err(TryLockError::WouldBlock) => {
                    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
                    return Err(DiskError::InUse { folder });
                }
                // Where the file system has no locks, nobody else can have one either.
                Ok(()) | Err(TryLockError::Error(_)) => break,
            }
        }
        Ok(Lock { _held: file })
    }

    /// Whether some program holds it now.
    #[must_use]
    pub(crate) fn is_held(path: &Path) -> bool {
        // Shared, so that two who only ask do not see each other.
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}
