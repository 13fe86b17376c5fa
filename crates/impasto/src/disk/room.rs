//! Whether a disk has room for a file, as far as the system says before it is written.

use std::path::Path;

use super::{DiskError, MIB};

/// Says whether a file of that many bytes has room on the disk of `trial`, an empty file of ours where it will be, or in
/// place of `held_bytes` that it takes already.
///
/// # Errors
/// [`DiskError::NoSpace`], [`DiskError::NoRoom`] or [`DiskError::FileSizeLimit`], of `path`.
pub(super) fn check_room(path: &Path, trial: &Path, needed_bytes: u64, held_bytes: u64) -> Result<(), DiskError> {
    let (path, needed_mib) = (path.to_owned(), needed_bytes.div_ceil(MIB));
    if let Some(limit_bytes) = file_size_limit_bytes().filter(|limit| *limit < needed_bytes) {
        return Err(DiskError::FileSizeLimit { path, needed_mib, limit_kib: limit_bytes >> 10 });
    }
    let additional = needed_bytes.saturating_sub(held_bytes);
    match free_bytes(trial) {
        Some(free) if free < additional => Err(DiskError::NoSpace { path, needed_mib, free_mib: free / MIB }),
        // Of a file that is written over nothing can be tried.
        _ if held_bytes > 0 => Ok(()),
        _ => reserve(trial, needed_bytes).map_err(|source| DiskError::NoRoom { path, needed_mib, source }),
    }
}

/// Bytes that this user may still write on the disk of a file or folder; `None` where the system does not say.
fn free_bytes(place: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(place).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }
    #[cfg(not(unix))]
    {
        let _ = place;
        None
    }
}

/// Bytes that a file of this process may have (`ulimit -f`).
fn file_size_limit_bytes() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max file size"))?.split_whitespace().next()?.parse().ok()
}

/// Has the disk set the bytes aside for a moment: what a quota allows no call tells, only the attempt.
#[cfg(target_os = "linux")]
fn reserve(trial: &Path, bytes: u64) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate, statfs};
    use rustix::io::Errno;
    // There bytes set aside are memory taken, and what is free is known.
    const TMPFS: u64 = 0x0102_1994;
    if bytes == 0 || statfs(trial).is_ok_and(|disk| disk.f_type as u64 == TMPFS) {
        return Ok(());
    }
    let file = std::fs::OpenOptions::new().write(true).open(trial)?;
    match fallocate(&file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(error @ (Errno::NOSPC | Errno::DQUOT)) => Err(error.into()),
        // Many file systems cannot.
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_trial: &Path, _bytes: u64) -> std::io::Result<()> {
    Ok(())
}
