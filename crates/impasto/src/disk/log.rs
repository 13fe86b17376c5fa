//! Files that grow: lines or records, one behind the other.
//!
//! What a killed process has appended stays; a power cut may take what came after the last [`Log::sync`], or leave the
//! last record in part, so readers of a log take whole records and stop at the first that is not.

use std::io;
use std::path::{Path, PathBuf};

use super::{Disk, DiskError, OpenFile, replace_file};

/// A file that is open for appending.
pub struct Log {
    path: PathBuf,
    file: Box<dyn OpenFile>,
    /// Up to here its records are whole.
    length_bytes: u64,
}

impl Log {
    /// A log that begins with these bytes; a file of that name is replaced, in one step.
    ///
    /// # Errors
    /// [`DiskError::Unwritten`].
    pub fn create(disk: &dyn Disk, path: &Path, beginning: &[u8]) -> Result<Log, DiskError> {
        replace_file(disk, path, beginning)?;
        let file = disk.open_end(path).map_err(|source| DiskError::Unwritten { path: path.to_owned(), source })?;
        Ok(Log { path: path.to_owned(), file, length_bytes: beginning.len() as u64 })
    }

    /// Appends whole records.
    ///
    /// # Errors
    /// [`DiskError::Unappended`]; what was written of them is taken back, so that they can be appended again.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.append_all(bytes).map_err(|source| DiskError::Unappended { path: self.path.clone(), source })
    }

    fn append_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        // What an earlier failure left and could not take back, as on a full disk that lets nothing be cut.
        if self.file.length_bytes()? != self.length_bytes {
            self.file.cut(self.length_bytes)?;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written.min(rest.len())..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // If this fails too, it is done before the next record.
                    let _ = self.file.cut(self.length_bytes);
                    return Err(error);
                }
            }
        }
        self.length_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Returns when everything is on the disk.
    ///
    /// # Errors
    /// [`DiskError::Unappended`].
    pub fn sync(&mut self) -> Result<(), DiskError> {
        self.file.sync().map_err(|source| DiskError::Unappended { path: self.path.clone(), source })
    }
}
