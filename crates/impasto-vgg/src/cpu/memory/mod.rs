//! How much memory there is to use, and who says so.
//!
//! ```text
//!   free  =  the least of   what the machine has free           /proc/meminfo
//!                           what the control groups leave       groups.rs   (containers, batch systems)
//!                           what the process's limits leave     limits.rs   (ulimit, a system that promises no more than it has)
//! ```

mod groups;
mod limits;

use crate::error::EngineError;

/// The share of free memory that a session may take: the optimiser and the rest of the machine want some too.
const USABLE_PERCENT: u64 = 75;

/// Threads beside those of the pool that ask for memory: the main one, who listens to signals, a bar, readers, writers.
const OTHER_THREADS: u64 = 5;

/// Memory that this process can still take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// In bytes.
    pub bytes: u64,
    /// What leaves no more.
    pub bound: Bound,
}

/// What bounds the memory of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// What other programs leave of the machine's memory.
    Machine,
    /// A control group, as containers and batch systems have.
    ControlGroup,
    /// A limit of the process's address space.
    AddressSpace,
    /// A limit of the process's memory that can be written to.
    Data,
    /// What a system that promises no more memory than it has still promises.
    Promises,
}

impl Bound {
    /// The end of a sentence that says how much is free.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Bound::Machine => "on this machine",
            Bound::ControlGroup => "in its control group (the limit of a container or a batch system)",
            Bound::AddressSpace => "of its address space (ulimit -v)",
            Bound::Data => "of its data segment (ulimit -d)",
            Bound::Promises => "of what this machine promises (vm.overcommit_memory is 2)",
        }
    }
}

/// What this process can still take, as far as this system tells; `None` where it does not (all but Linux).
pub fn free() -> Option<Free> {
    let processors = std::thread::available_parallelism().map_or(1, |processors| processors.get() as u64);
    free_by(&|path| std::fs::read_to_string(path).ok(), processors + OTHER_THREADS)
}

/// Bytes that a session may take where no limit is given: three quarters of what is [`free`].
pub fn usable_bytes() -> Option<u64> {
    free().map(Free::usable_bytes)
}

/// Whether the system gives so many bytes to those who ask for them now; they are given back at once. It can promise what it
/// will not have, but where it refuses, it will refuse again.
#[must_use]
pub fn can_be_had(bytes: u64) -> bool {
    usize::try_from(bytes).is_ok_and(|bytes| bytes == 0 || memmap2::MmapMut::map_anon(bytes).is_ok())
}

impl Free {
    /// Checks that a session of this width and height finds what it needs.
    ///
    /// # Errors
    /// It needs more than a session may take.
    pub fn check(self, width: usize, height: usize, needed_bytes: u64) -> Result<(), EngineError> {
        let usable = self.usable_bytes();
        if needed_bytes <= usable {
            return Ok(());
        }
        let (needed_mib, usable_mib) = (needed_bytes.div_ceil(1 << 20), usable >> 20);
        Err(EngineError::NotFree { width, height, needed_mib, usable_mib, bound: self.bound.words() })
    }

    /// What a session may take of it.
    #[must_use]
    pub fn usable_bytes(self) -> u64 {
        self.bytes / 100 * USABLE_PERCENT
    }
}

/// As [`free`], of a system whose files `read` reads, for a process that may have so many threads.
fn free_by(read: groups::Read<'_>, threads: u64) -> Option<Free> {
    let machine = read("/proc/meminfo").and_then(|text| limits::kib_of(&text, "MemAvailable:"));
    let bounds = [
        (machine, Bound::Machine),
        (groups::free_bytes(read), Bound::ControlGroup),
        (limits::address_space_bytes(read, threads), Bound::AddressSpace),
        (limits::data_bytes(read), Bound::Data),
        (limits::promised_bytes(read), Bound::Promises),
    ];
    let known = bounds.into_iter().filter_map(|(bytes, bound)| Some(Free { bytes: bytes?, bound }));
    known.min_by_key(|free| free.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is free to a process that may have four threads where the machine has 4000 KiB free and these files.
    fn free_with(files: &[(&str, &str)]) -> Option<Free> {
        let read = |path: &str| match files.iter().find(|(name, _)| *name == path) {
            Some((_, text)) => Some((*text).to_owned()),
            None => (path == "/proc/meminfo").then(|| "MemTotal: 9 kB\nMemAvailable:    4000 kB\n".to_owned()),
        };
        free_by(&read, 4)
    }

    fn usable(files: &[(&str, &str)]) -> Option<u64> {
        free_with(files).map(Free::usable_bytes)
    }

    /// Three quarters of 4000 KiB.
    const OF_THE_MACHINE: Option<u64> = Some(3_072_000);

    #[test]
    fn meminfo_is_read_in_bytes() {
        let available = |text| limits::kib_of(text, "MemAvailable:");
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        assert_eq!(available("MemAvailable: many kB\n"), None);
        assert_eq!(free_by(&|_| None, 1), None);
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

    #[test]
    fn a_group_is_slowed_down_from_its_high_mark_on() {
        let group = [
            ("/proc/self/cgroup", "0::/\n"),
            ("/sys/fs/cgroup/memory.max", "max\n"),
            ("/sys/fs/cgroup/memory.high", "100000\n"),
            ("/sys/fs/cgroup/memory.current", "20000\n"),
        ];
        assert_eq!(free_with(&group), Some(Free { bytes: 80_000, bound: Bound::ControlGroup }));
    }

    /// As Linux writes them, cut short.
    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
        Max data size             3000000              unlimited            bytes     \n\
        Max address space         72000000             unlimited            bytes     \n";

    #[test]
    fn the_process_s_own_limits_count() {
        let status = "Name:\timpasto\nVmPeak:\t 9000 kB\nVmSize:\t    1000 kB\nVmData:\t     500 kB\nThreads:\t3\n";
        let of = |limits: &str| free_with(&[("/proc/self/limits", limits), ("/proc/self/status", status)]);
        let data = Free { bytes: 3_000_000 - 500 * 1024, bound: Bound::Data };
        assert_eq!(of(LIMITS), Some(data));
        // 64 MiB will be set aside for the fourth thread.
        let address_space = Free { bytes: 72_000_000 - 1000 * 1024 - (64 << 20), bound: Bound::AddressSpace };
        assert_eq!(of(&LIMITS.replace("3000000", "unlimited")), Some(address_space));
        let machine = Free { bytes: 4000 * 1024, bound: Bound::Machine };
        assert_eq!(of(&LIMITS.replace("3000000", "unlimited").replace("72000000", "unlimited")), Some(machine));
        let used_up = LIMITS.replace("72000000", "70000");
        assert_eq!(of(&used_up), Some(Free { bytes: 0, bound: Bound::AddressSpace }));
    }

    #[test]
    fn a_system_that_promises_no_more_than_it_has_is_believed() {
        let meminfo = "MemAvailable:    4000 kB\nCommitLimit:     9000 kB\nCommitted_AS:    7000 kB\n";
        let of = |mode| free_with(&[("/proc/meminfo", meminfo), ("/proc/sys/vm/overcommit_memory", mode)]);
        assert_eq!(of("2\n"), Some(Free { bytes: 2000 * 1024, bound: Bound::Promises }));
        assert_eq!(of("0\n"), Some(Free { bytes: 4000 * 1024, bound: Bound::Machine }));
    }

    #[test]
    fn what_is_not_there_cannot_be_had() {
        assert!(can_be_had(0) && can_be_had(1 << 20));
        assert!(!can_be_had(1 << 62) && !can_be_had(u64::MAX));
    }
}
