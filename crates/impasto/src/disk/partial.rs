//! A file that arrives bit by bit, perhaps over several runs of the program: `NAME.part` until it is whole, then `NAME`.
//!
//! What has arrived stays in `NAME.part` when the program ends, and the next one goes on behind it. The part is locked
//! while it is written, so that two programs never mix their bytes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Disk, DiskError, RealDisk, check_writable, folder_of};

/// The part of a file that has arrived, open for more.
#[derive(Debug)]
pub struct PartialFile {
    file: File,
    part: PathBuf,
    target: PathBuf,
    length_bytes: u64,
}

impl PartialFile {
    /// Opens `TARGET.part`, which is created where it is not there, after a look at the disk's room for the whole file.
    ///
    /// # Errors
    /// A folder that takes no files or has no room; a part that another program is writing.
    pub fn open(target: &Path, whole_bytes: u64) -> Result<PartialFile, DiskError> {
        let mut name = target.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let unwritten = |source| DiskError::Unwritten { path: part.clone(), source };
        let there = std::fs::metadata(&part).map_or(0, |part| part.len());
        check_writable(target, whole_bytes.saturating_sub(there))?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&part);
        let mut file = file.map_err(unwritten)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(unwritten(io::Error::other("another program is writing it")));
        }
        let length_bytes = file.seek(SeekFrom::End(0)).map_err(unwritten)?;
        Ok(PartialFile { file, part, target: target.to_owned(), length_bytes })
    }

    /// Bytes that have arrived.
    pub fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// Shows every byte that has arrived, in order, a piece at a time.
    ///
    /// # Errors
    /// The part cannot be read.
    pub fn read(&mut self, mut see: impl FnMut(&[u8])) -> Result<(), DiskError> {
        let unreadable = |source| DiskError::Unreadable { path: self.part.clone(), source };
        self.file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let mut piece = vec![0; 1 << 16];
        loop {
            match self.file.read(&mut piece).map_err(unreadable)? {
                0 => return Ok(()),
                count => see(&piece[..count]),
            }
        }
    }

    /// Appends.
    ///
    /// # Errors
    /// The disk took not all of it.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let written = self.file.write_all(bytes);
        written.map_err(|source| DiskError::Unwritten { path: self.part.clone(), source })?;
        self.length_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Forgets what has arrived.
    ///
    /// # Errors
    /// The part cannot be shortened.
    pub fn clear(&mut self) -> Result<(), DiskError> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        cleared.map_err(|source| DiskError::Unwritten { path: self.part.clone(), source })?;
        self.length_bytes = 0;
        Ok(())
    }

    /// The file is whole: it gets its name, once its bytes are on the disk.
    ///
    /// # Errors
    /// [`DiskError::Unwritten`] where the old file, or none, is still there; [`DiskError::Unconfirmed`] where the new
    /// one is.
    pub fn commit(self) -> Result<(), DiskError> {
        let unwritten = |source| DiskError::Unwritten { path: self.target.clone(), source };
        self.file.sync_all().map_err(unwritten)?;
        RealDisk.replace(&self.part, &self.target).map_err(unwritten)?;
        let synced = RealDisk.sync_folder(folder_of(&self.target));
        synced.map_err(|source| DiskError::Unconfirmed { path: self.target.clone(), source })
    }
}
