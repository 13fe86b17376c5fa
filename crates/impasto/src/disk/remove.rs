//! Folders that go for good.

use std::path::Path;
use std::{fs, io};

use super::{DiskError, Lock};

/// Removes a folder with all that is in it, where nobody works in it: first the file `mark`, without which it is no longer what
/// it was, so that what a program that is killed leaves of it is taken for nothing else. Links are removed, not followed.
///
/// # Errors
/// [`DiskError::InUse`] where the lock is held; [`DiskError::Unwritten`] where some of it is still there.
pub fn remove_folder(folder: &Path, lock: &str, mark: &str) -> Result<(), DiskError> {
    let unwritten = |source| DiskError::Unwritten { path: folder.to_owned(), source };
    if folder.is_symlink() {
        return Err(unwritten(io::ErrorKind::InvalidInput.into()));
    }
    let held = Lock::take(&folder.join(lock))?;
    match fs::remove_file(folder.join(mark)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritten(error)),
        _ => {}
    }
    // Some systems remove no file that is open.
    drop(held);
    fs::remove_dir_all(folder).map_err(unwritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_unless_somebody_works_in_it() {
        let place = tempfile::tempdir().unwrap();
        let (folder, beside) = (place.path().join("run"), place.path().join("beside"));
        fs::create_dir_all(folder.join("inputs")).unwrap();
        fs::create_dir(&beside).unwrap();
        for file in [folder.join("run.json"), folder.join("inputs/a.png"), beside.join("b.png")] {
            fs::write(file, "a").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(&beside, folder.join("link")).unwrap();
        let held = Lock::take(&folder.join(".lock")).unwrap();
        assert!(matches!(remove_folder(&folder, ".lock", "run.json"), Err(DiskError::InUse { .. })));
        assert!(folder.join("run.json").exists());
        drop(held);
        remove_folder(&folder, ".lock", "run.json").unwrap();
        assert!(!folder.exists() && beside.join("b.png").exists());
    }
}
