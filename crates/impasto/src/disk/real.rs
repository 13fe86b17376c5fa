//! The machine's own disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use super::place::open_over;
use super::{Disk, OpenFile};

/// The machine's own disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let file = File::create_new(path)?;
        // The lock says that its writer lives. Where the file system has no locks, nobody can take it either.
        match file.try_lock() {
            // Another process is removing what it takes for abandoned: this name is lost.
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::AlreadyExists.into()),
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Box::new(file)),
        }
    }

    fn open_end(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn open_over(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        Ok(Box::new(open_over(path)?))
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        if let Ok(replaced) = fs::metadata(to) {
            // A read-only mark would not hold the rename up, but would stay; any failure leaves the usual permissions.
            let _ = fs::set_permissions(from, replaced.permissions());
        }
        fs::rename(from, to)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<bool> {
        match fs::create_dir(folder) {
            Ok(()) => Ok(true),
            // Asked only now, since two may make it at the same time. A link to a folder is one.
            Err(_) if folder.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if cfg!(not(unix)) {
            // Other systems have no such call for folders.
            return Ok(());
        }
        match File::open(folder)?.sync_all() {
            // Some network and user-space file systems do not know the call; they keep names as they see fit.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            done => done,
        }
    }
}

impl OpenFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn length_bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn cut(&mut self, length_bytes: u64) -> io::Result<()> {
        self.set_len(length_bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}
