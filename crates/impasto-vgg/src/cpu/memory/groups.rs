//! What the control groups leave of memory (Linux; containers and batch systems set them).

/// Reads a file of the system; `None` where it is not there.
pub type Read<'read> = &'read dyn Fn(&str) -> Option<String>;

/// What the process's control groups still allow, the least of them in bytes; `None` where none has a limit.
pub fn free_bytes(read: Read<'_>) -> Option<u64> {
    let memberships = read("/proc/self/cgroup")?;
    memberships.lines().filter_map(Membership::of_line).filter_map(|group| group.free_bytes(read)).min()
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
    /// Files with a limit: what is refused beyond, and where the group is slowed down until it gives memory back.
    limits: &'static [&'static str],
    used: &'static str,
    /// The line of memory.stat with the file pages, those of the groups below too, that are counted as used and given
    /// back as soon as anyone wants memory.
    reclaimable: &'static str,
}

static VERSION_1: Version = Version {
    root: "/sys/fs/cgroup/memory",
    limits: &["memory.limit_in_bytes"],
    used: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file ",
};

static VERSION_2: Version = Version {
    root: "/sys/fs/cgroup",
    limits: &["memory.max", "memory.high"],
    used: "memory.current",
    reclaimable: "inactive_file ",
};

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
    fn free_bytes(&self, read: Read<'_>) -> Option<u64> {
        let around = self.path.match_indices('/').map(|(end, _)| &self.path[..end]);
        let groups = around.chain([self.path]).map(|path| format!("{}{path}", self.version.root));
        groups.filter_map(|folder| self.version.free_bytes_in(&folder, read)).min()
    }
}

impl Version {
    /// What one group still allows; `None` where it has no limit.
    fn free_bytes_in(&self, folder: &str, read: Read<'_>) -> Option<u64> {
        let number = |name| read(&format!("{folder}/{name}"))?.trim().parse::<u64>().ok();
        let limit = self.limits.iter().filter_map(|&name| number(name)).min()?;
        let used = number(self.used)?;
        let stat = read(&format!("{folder}/memory.stat")).unwrap_or_default();
        let reclaimable = stat.lines().find_map(|line| line.strip_prefix(self.reclaimable)?.trim().parse().ok());
        Some(limit.saturating_sub(used.saturating_sub(reclaimable.unwrap_or(0))))
    }
}
