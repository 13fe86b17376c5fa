//! What the process's own limits leave of memory (Linux: `ulimit -v`, `ulimit -d`), and what a system that promises no more
//! than it has still promises.

use super::groups::Read;

/// Address space that an allocator sets aside for each thread, whatever the thread asks for (glibc's arenas).
const ARENA_BYTES: u64 = 64 << 20;

/// What is left of the address space, in bytes; `None` where it has no limit. Of `threads` that the process may have,
/// those that it has count with what it takes already.
pub fn address_space_bytes(read: Read<'_>, threads: u64) -> Option<u64> {
    let limit = limit_of(&read("/proc/self/limits")?, "Max address space")?;
    let status = read("/proc/self/status")?;
    let running = status.lines().find_map(|line| line.strip_prefix("Threads:"))?.trim().parse().ok()?;
    let to_come = threads.saturating_sub(running) * ARENA_BYTES;
    Some(limit.saturating_sub(kib_of(&status, "VmSize:")?).saturating_sub(to_come))
}

/// What is left of memory that can be written to, in bytes; `None` where it has no limit.
pub fn data_bytes(read: Read<'_>) -> Option<u64> {
    let limit = limit_of(&read("/proc/self/limits")?, "Max data size")?;
    Some(limit.saturating_sub(kib_of(&read("/proc/self/status")?, "VmData:")?))
}

/// What a system that promises no more than it has (`vm.overcommit_memory` is 2) still promises, in bytes; `None` on others.
pub fn promised_bytes(read: Read<'_>) -> Option<u64> {
    if read("/proc/sys/vm/overcommit_memory")?.trim() != "2" {
        return None;
    }
    let meminfo = read("/proc/meminfo")?;
    Some(kib_of(&meminfo, "CommitLimit:")?.saturating_sub(kib_of(&meminfo, "Committed_AS:")?))
}

/// The soft limit of a line of `/proc/self/limits`, in bytes; `None` where it is `unlimited`.
fn limit_of(limits: &str, name: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// A line `NAME   24031234 kB`, in bytes.
pub fn kib_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
