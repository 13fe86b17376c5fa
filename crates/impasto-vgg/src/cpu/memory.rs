//! How much memory there is to use.

/// The share of free memory that a session may take: the optimiser and the rest of the machine want some too.
const USABLE_PERCENT: u64 = 75;

/// Bytes that a session may take where no limit is given, as far as this system tells: three quarters of what is free,
/// within the process's control group where it has a limit. `None` where the system does not say.
pub fn usable_bytes() -> Option<u64> {
    let machine = read("/proc/meminfo").and_then(|text| available_of(&text));
    let group = control_group_bytes();
    let free = machine.into_iter().chain(group).min()?;
    Some(free / 100 * USABLE_PERCENT)
}

/// What the control group still allows.
fn control_group_bytes() -> Option<u64> {
    let number = |path| read(path)?.trim().parse::<u64>().ok();
    let limit = number("/sys/fs/cgroup/memory.max")?;
    let used = number("/sys/fs/cgroup/memory.current")?;
    Some(limit.saturating_sub(used))
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The line `MemAvailable:   24031234 kB` of /proc/meminfo, in bytes.
fn available_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read_in_bytes() {
        assert_eq!(available_of("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(available_of("MemTotal: 9 kB\n"), None);
        assert_eq!(available_of("MemAvailable: many kB\n"), None);
    }
}
