//! Copies of files.

use std::io;
use std::path::Path;

use super::{Disk, DiskError, open_file, stage_written};

/// Writes the bytes of the file `from` to `to`, which is the old one or the new one at any moment. They are never in memory as a whole.
///
/// # Errors
/// What cannot be read; what cannot be written, as [`replace_file`](super::replace_file) has it.
pub fn copy_file(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), DiskError> {
    let (mut read, _) = open_file(from)?;
    stage_written(disk, to, &mut |target| io::copy(&mut read, target).map(drop))?.commit()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_copy_has_the_bytes_and_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let bytes: Vec<u8> = (0..100_000_u32).map(|place| (place % 251) as u8).collect();
        fs::write(at("a"), &bytes).unwrap();
        fs::write(at("b"), "old").unwrap();
        copy_file(&RealDisk, &at("a"), &at("b")).unwrap();
        assert!(fs::read(at("b")).unwrap() == bytes);
        assert!(matches!(copy_file(&RealDisk, &at("none"), &at("b")), Err(DiskError::Missing { .. })));
        assert!(fs::read(at("b")).unwrap() == bytes && fs::read_dir(folder.path()).unwrap().count() == 2);
    }
}
