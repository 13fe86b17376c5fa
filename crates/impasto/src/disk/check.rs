//! What can be said of a place before anything is written there.

use std::fs::{self, File};
use std::path::Path;

use super::{Disk, DiskError, MIB, RealDisk, TEMPORARY_END, TEMPORARY_START, create_beside, folder_of};

/// Says, before hours of work, whether a file of that many bytes can be written there: the folder exists and takes
/// files, nothing but a file is in the way, the disk has room. Temporary files that a killed process left are removed.
///
/// # Errors
/// [`DiskError`] with what stands in the way.
pub fn check_writable(path: &Path, needed_bytes: u64) -> Result<(), DiskError> {
    if path.file_name().is_none() || fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(DiskError::NotAFile { path: path.to_owned() });
    }
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = folder_of(&target);
    if !folder.is_dir() {
        return Err(DiskError::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
    }
    remove_abandoned(folder);
    // Permissions say too little (a read-only disk, a quota, root): only trying tells.
    let tried = create_beside(&RealDisk, folder).and_then(|(temporary, file)| {
        drop(file);
        RealDisk.remove(&temporary)
    });
    tried.map_err(|source| DiskError::FolderUnwritable { path: path.to_owned(), folder: folder.to_owned(), source })?;
    match free_bytes(folder) {
        Some(free) if free < needed_bytes => Err(DiskError::NoSpace {
            path: path.to_owned(),
            needed_mib: needed_bytes.div_ceil(MIB),
            free_mib: free / MIB,
        }),
        _ => Ok(()),
    }
}

/// Bytes that this user may still write on the folder's disk; `None` where the system does not say.
#[must_use]
fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(folder).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
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
