//! What can be said of a place before anything is written there.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use super::error::reason;
use super::place::{behind_links, forbids_replacing, hindrance, open_over};
use super::room::check_room;
use super::{Disk, DiskError, RealDisk, TEMPORARY_END, TEMPORARY_START, Way, create_beside, folder_of};

/// Says, before hours of work, whether a file of that many bytes can be written there, and how: the folder exists and takes
/// files, nothing but a file is in the way and that can be replaced or at least written, the name is not too long, the disk
/// has room. Of a symbolic link the file is meant that it leads to. Temporary files that a killed process left are removed.
///
/// # Errors
/// [`DiskError`] with what stands in the way.
pub fn check_writable(path: &Path, needed_bytes: u64) -> Result<Way, DiskError> {
    let target = behind_links(path);
    let path = || path.to_owned();
    let held_bytes = match fs::metadata(&target) {
        Ok(found) if !found.is_file() => return Err(DiskError::NotAFile { path: path() }),
        Ok(found) => Some(found.len()),
        // A folder that is missing, or a file in its place, is said below.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
        // A name too long, links in a circle.
        Err(source) => return Err(DiskError::FileUnwritable { path: path(), source }),
    };
    if target.file_name().is_none() {
        return Err(DiskError::NotAFile { path: path() });
    }
    let folder = folder_of(&target);
    if !folder.is_dir() {
        return Err(DiskError::NoFolder { path: path(), folder: folder.to_owned() });
    }
    remove_abandoned(folder);
    // Permissions say too little (a read-only disk, root): only trying tells.
    let tried = match create_beside(&RealDisk, folder) {
        Ok((temporary, file)) => {
            drop(file);
            let has_room = check_room(&path(), &temporary, needed_bytes, 0);
            let removed = RealDisk.remove(&temporary);
            has_room?;
            removed
        }
        Err(error) => Err(error),
    };
    let reason = match (tried, held_bytes) {
        (Ok(()), None) => return Ok(Way::Replace),
        (Ok(()), Some(_)) => match hindrance(&target) {
            Some(reason) => reason,
            None => return Ok(Way::Replace),
        },
        (Err(error), Some(_)) if forbids_replacing(&error) => reason(&error),
        (Err(source), _) => {
            return Err(DiskError::FolderUnwritable { path: path(), folder: folder.to_owned(), source });
        }
    };
    open_over(&target).map_err(|source| DiskError::FileUnwritable { path: path(), source })?;
    check_room(&path(), &target, needed_bytes, held_bytes.unwrap_or_default().max(1))?;
    Ok(Way::WriteOver { reason })
}

/// Whether a file of this name is one that is being written, or that a killed process has left.
#[must_use]
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY_START) && name.ends_with(TEMPORARY_END)
}

/// Removes the temporary files in the folder that no living process holds. What cannot be removed stays.
pub fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file
            && entry.file_name().to_str().is_some_and(is_temporary)
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}
