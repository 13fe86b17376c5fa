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

/// Times that a folder is tried to be emptied which somebody still writes into.
const TRIES: u32 = 100;

/// A new, empty folder in the place of whatever folder is there. A program that still works in the old one, as one does that outlived
/// who started it, writes into the old one, and ends when that is gone.
///
/// # Errors
/// [`DiskError::Unwritten`] where the old one cannot go or the new one cannot be made.
pub fn fresh_folder(folder: &Path) -> Result<(), DiskError> {
    let unwritten = |source| DiskError::Unwritten { path: folder.to_owned(), source };
    let mut name = std::ffi::OsString::from(".");
    name.push(folder.file_name().unwrap_or_default());
    name.push("-old");
    let old = folder.with_file_name(name);
    // One of an earlier try first: its name is needed.
    for goes in [&old, folder] {
        if !goes.exists() {
            continue;
        }
        if goes == folder {
            fs::rename(folder, &old).map_err(unwritten)?;
        }
        let mut tries = 0;
        // Each time there may be one file more.
        while let Err(error) = fs::remove_dir_all(&old) {
            tries += 1;
            if tries == TRIES {
                return Err(unwritten(error));
            }
        }
    }
    fs::create_dir_all(folder).map_err(unwritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_folder_is_another() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("frames");
        fresh_folder(&folder).unwrap();
        fs::write(folder.join("1.png"), "a").unwrap();
        fs::create_dir(place.path().join(".frames-old")).unwrap();
        fresh_folder(&folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside it");
    }

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
