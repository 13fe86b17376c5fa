//! Files that grow: lines or records, one behind the other.
//!
//! What a killed process has appended stays; a power cut may take what came after the last [`Log::sync`], or leave the
//! last record in part, so readers of a log take whole records and stop at the first that is not.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Disk, DiskError, replace_file};

/// A file that is open for appending.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// A log that begins with these bytes; a file of that name is replaced, in one step.
    ///
    /// # Errors
    /// [`DiskError::Unwritten`].
    pub fn create(disk: &dyn Disk, path: &Path, beginning: &[u8]) -> Result<Log, DiskError> {
        replace_file(disk, path, beginning)?;
        let file = OpenOptions::new().append(true).open(path);
        let file = file.map_err(|source| DiskError::Unwritten { path: path.to_owned(), source })?;
        Ok(Log { path: path.to_owned(), file })
    }

    /// Appends the bytes.
    ///
    /// # Errors
    /// [`DiskError::Unappended`]; a part of them may be there.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_all(bytes).map_err(|source| DiskError::Unappended { path: self.path.clone(), source })
    }

    /// Returns when everything is on the disk.
    ///
    /// # Errors
    /// [`DiskError::Unappended`].
    pub fn sync(&mut self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(|source| DiskError::Unappended { path: self.path.clone(), source })
    }
}
