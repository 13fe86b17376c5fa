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

    /// Takes the lock that this file stands for, where nobody holds it; the file is created where it is not there. Whoever holds it may
    /// remove the file: then those who wait for it wait for a new one.
    ///
    /// # Errors
    /// [`DiskError::NoLocks`] where the file system has none, so that nobody would be kept out; [`DiskError::Unwritten`] where there can
    /// be no such file.
    pub fn claim(path: &Path) -> Result<Option<Lock>, DiskError> {
        let unwritten = |source| DiskError::Unwritten { path: path.to_owned(), source };
        loop {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            let file = file.map_err(unwritten)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => return Err(DiskError::NoLocks { path: path.to_owned(), source }),
                // Its last holder may have removed the file meanwhile, and another have made it anew.
                Ok(()) if is_at(&file, path) => return Ok(Some(Lock { _held: file })),
                Ok(()) => {}
            }
        }
    }

    /// Whether some program holds it now.
    #[must_use]
    pub fn is_held(path: &Path) -> bool {
        // Shared, so that two who only ask do not see each other.
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// Whether the file is the one of this name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |found: &std::fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata(), std::fs::metadata(path)), (Ok(held), Ok(named)) if place(&held) == place(&named))
}

/// Where an open file cannot be replaced, it is.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_one_s_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.claim");
        let held = Lock::claim(&path).unwrap();
        assert!(held.is_some() && Lock::claim(&path).unwrap().is_none() && Lock::is_held(&path));
        // A claim on a file that was removed is no claim on the new one of its name.
        std::fs::remove_file(&path).unwrap();
        let next = Lock::claim(&path).unwrap();
        assert!(next.is_some());
        drop(held);
        assert!(Lock::claim(&path).unwrap().is_none());
        drop(next);
        assert!(Lock::claim(&path).unwrap().is_some() && !Lock::is_held(&path));
    }
}
