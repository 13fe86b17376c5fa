//! Files that take no other's name: `painted.png`, else `painted-2.png`, and so on.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Disk, DiskError, folder_of, write_whole};

/// Bytes of a name that are kept, so that a number and an extension have room in the 255 of most file systems.
const STEM_LIMIT_BYTES: usize = 200;

/// Names that are tried before giving up.
const MOST_NAMES: usize = 1000;

/// The file in the folder of the first name that is not there; `None` where a thousand are.
#[must_use]
pub fn free_name(folder: &Path, stem: &str, extension: &str) -> Option<PathBuf> {
    names(folder, stem, extension).find(|path| path.symlink_metadata().is_err())
}

/// Writes a file of a new name in the folder, down to the disk, and gives its place. A file that is there is never touched.
///
/// # Errors
/// [`DiskError::Unwritten`] where there is none.
pub fn write_new_file(
    disk: &dyn Disk,
    folder: &Path,
    stem: &str,
    extension: &str,
    bytes: &[u8],
) -> Result<PathBuf, DiskError> {
    for path in names(folder, stem, extension) {
        let written = match disk.create_new(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => Err(error),
            Ok(mut file) => {
                let written = write_whole(file.as_mut(), &mut |target| target.write_all(bytes));
                if written.is_err() {
                    // The error that led here is the one to report.
                    let _ = disk.remove(&path);
                }
                written
            }
        };
        written.map_err(|source| DiskError::Unwritten { path: path.clone(), source })?;
        // It is there; that it will stay is all that can fail now.
        let _ = disk.sync_folder(folder_of(&path));
        return Ok(path);
    }
    let source = io::Error::from(ErrorKind::AlreadyExists);
    Err(DiskError::Unwritten { path: folder.join(format!("{stem}.{extension}")), source })
}

/// `STEM.EXTENSION`, `STEM-2.EXTENSION` and so on, in the folder.
fn names(folder: &Path, stem: &str, extension: &str) -> impl Iterator<Item = PathBuf> {
    let end = (0..=STEM_LIMIT_BYTES.min(stem.len())).rev().find(|end| stem.is_char_boundary(*end));
    let stem = &stem[..end.unwrap_or_default()];
    (1..=MOST_NAMES).map(move |number| match number {
        1 => folder.join(format!("{stem}.{extension}")),
        number => folder.join(format!("{stem}-{number}.{extension}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_and_not_too_long() {
        let names: Vec<PathBuf> = names(Path::new("a"), "b", "png").take(3).collect();
        assert_eq!(names, ["a/b.png", "a/b-2.png", "a/b-3.png"].map(PathBuf::from));
        let long = "\u{e4}".repeat(199);
        let name = super::names(Path::new(""), &format!("x{long}"), "png").next().unwrap();
        assert_eq!(name.as_os_str().len(), 1 + 2 * 99 + 4);
    }
}
