//! How much memory there is to use.

/// The share of free memory that a session may take: the optimiser and the rest of the machine want some too.
const USABLE_PERCENT: u64 = 75;

/// Bytes that a session may take where no limit is given, as far as this system tells: three quarters of what is free on
/// the machine, and in the process's control group and all groups around it where they have limits (Linux). `None` where
/// the system does not say.
pub fn usable_bytes() -> Option<u64> {
    usable_bytes_by(&|path| std::fs::read_to_string(path).ok())
}

/// As [`usable_bytes`], of a system whose files `read` reads.
fn usable_bytes_by(read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let machine = read("/proc/meminfo").and_then(|text| available_of(&text));
    let memberships = read("/proc/self/cgroup").unwrap_or_default();
    let groups = memberships.lines().filter_map(Membership::of_line).filter_map(|group| group.free_bytes(read));
    let free = machine.into_iter().chain(groups).min()?;
    Some(free / 100 * USABLE_PERCENT)
}

/// A control group that counts this process's memory, as a line of /proc/self/cgroup names it.
struct Membership<'text> {
    version: &'static Version,
    /// From the root of all groups, with a slash before each name.
    path: &'text str,
}

/// Where a version of control groups keeps what is asked for here.
struct Version {
    root: &'static str,
    limit: &'static str,
    used: &'static str,
    /// The line of memory.stat with the file pages, those of the groups below too, that are counted as used and given
    /// back as soon as anyone wants memory.
    reclaimable: &'static str,
}

static VERSION_1: Version = Version {
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file ",
};

static VERSION_2: Version =
    Version { root: "/sys/fs/cgroup", limit: "memory.max", used: "memory.current", reclaimable: "inactive_file " };

impl<'text> Membership<'text> {
    /// From `NUMBER:CONTROLLERS:PATH`; version 2 has no controllers there. `None` for groups that do not count memory.
    fn of_line(line: &'text str) -> Option<Membership<'text>> {
        let (_number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let version = match controllers {
            "" => &VERSION_2,
            _ if controllers.split(',').any(|controller| controller == "memory") => &VERSION_1,
            _ => return None,
        };
        Some(Membership { version, path: path.trim_end_matches('/') })
    }

    /// What the group and those around it still allow, the least; `None` where none has a limit. Groups that cannot be
    /// seen (a container's path is often that of the machine outside) are passed over.
    fn free_bytes(&self, read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
        let around = self.path.match_indices('/').map(|(end, _)| &self.path[..end]);
        let groups = around.chain([self.path]).map(|path| format!("{}{path}", self.version.root));
        groups.filter_map(|folder| self.version.free_bytes_in(&folder, read)).min()
    }
}

impl Version {
    /// What one group still allows; `None` where it has no limit.
    fn free_bytes_in(&self, folder: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
        let number = |name| read(&format!("{folder}/{name}"))?.trim().parse::<u64>().ok();
        let (limit, used) = (number(self.limit)?, number(self.used)?);
        let stat = read(&format!("{folder}/memory.stat")).unwrap_or_default();
        let reclaimable = stat.lines().find_map(|line| line.strip_prefix(self.reclaimable)?.trim().parse().ok());
        Some(limit.saturating_sub(used.saturating_sub(reclaimable.unwrap_or(0))))
    }
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

    /// What is usable where the machine has 4000 KiB free and these files.
    fn usable(files: &[(&str, &str)]) -> Option<u64> {
        usable_bytes_by(&|path| match path {
            "/proc/meminfo" => Some("MemTotal: 9 kB\nMemAvailable:    4000 kB\n".to_owned()),
            _ => files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned()),
        })
    }

    /// Three quarters of 4000 KiB.
    const OF_THE_MACHINE: Option<u64> = Some(3_072_000);

    #[test]
    fn meminfo_is_read_in_bytes() {
        assert_eq!(available_of("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(available_of("MemTotal: 9 kB\n"), None);
        assert_eq!(available_of("MemAvailable: many kB\n"), None);
        assert_eq!(usable_bytes_by(&|_| None), None);
        assert_eq!(usable(&[]), OF_THE_MACHINE);
    }

    #[test]
    fn file_pages_that_a_group_can_give_back_are_free() {
        let group = [
            ("/proc/self/cgroup", "0::/\n"),
            ("/sys/fs/cgroup/memory.max", "100000\n"),
            ("/sys/fs/cgroup/memory.current", "90000\n"),
            ("/sys/fs/cgroup/memory.stat", "anon 20000\ninactive_anon 7\ninactive_file 60000\nactive_file 9\n"),
        ];
        assert_eq!(usable(&group), Some(52_500));
        assert_eq!(usable(&group[..3]), Some(7_500));
    }

    #[test]
    fn the_tightest_group_from_the_own_one_up_counts() {
        let files = |own: &'static str, slice: &'static str| {
            [
                ("/proc/self/cgroup", "0::/user.slice/own.scope\n"),
                ("/sys/fs/cgroup/user.slice/own.scope/memory.max", own),
                ("/sys/fs/cgroup/user.slice/own.scope/memory.current", "1000"),
                ("/sys/fs/cgroup/user.slice/memory.max", slice),
                ("/sys/fs/cgroup/user.slice/memory.current", "5000"),
            ]
        };
        assert_eq!(usable(&files("9000\n", "max\n")), Some(6_000));
        assert_eq!(usable(&files("max\n", "9000\n")), Some(3_000));
        assert_eq!(usable(&files("9000\n", "9000\n")), Some(3_000));
        assert_eq!(usable(&files("max\n", "max\n")), OF_THE_MACHINE);
        assert_eq!(usable(&files("900\n", "max\n")), Some(0), "more is used than is allowed");
    }

    #[test]
    fn version_1_has_other_names() {
        let group = [
            ("/proc/self/cgroup", "5:cpu,cpuacct:/elsewhere\n4:hugetlb,memory:/jobs/7\n1:name=systemd:/\n0::/\n"),
            ("/sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes", "50000\n"),
            ("/sys/fs/cgroup/memory/jobs/7/memory.usage_in_bytes", "40000\n"),
            ("/sys/fs/cgroup/memory/jobs/7/memory.stat", "inactive_file 1\ntotal_inactive_file 30000\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "40000\n"),
        ];
        assert_eq!(usable(&group), Some(30_000));
    }

    #[test]
    fn a_containers_own_root_counts_where_its_path_cannot_be_seen() {
        let group = [
            ("/proc/self/cgroup", "0::/system.slice/container-1.scope\n"),
            ("/sys/fs/cgroup/memory.max", "10000\n"),
            ("/sys/fs/cgroup/memory.current", "2000\n"),
        ];
        assert_eq!(usable(&group), Some(6_000));
    }
}
