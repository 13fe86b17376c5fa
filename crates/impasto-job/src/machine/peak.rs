//! What the process took of the machine.

/// Most memory that this process has held at once, in MiB; `None` where the system does not say.
#[must_use]
pub fn peak_mib() -> Option<f64> {
    peak_kib(&std::fs::read_to_string("/proc/self/status").ok()?).map(|kib| kib as f64 / 1024.0)
}

/// The high-water mark of the resident set, in KiB, from the text of Linux's `/proc/PID/status`.
fn peak_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_status() {
        assert_eq!(peak_kib("Name:\timpasto\nVmPeak:\t  99 kB\nVmHWM:\t  123456 kB\nThreads:\t2\n"), Some(123_456));
        assert_eq!(peak_kib("Name:\timpasto\n"), None);
        assert_eq!(peak_kib("VmHWM:\tmuch\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_holds_what_was_touched() {
        let touched = vec![1u8; 64 << 20];
        assert!(peak_mib().unwrap() > 64.0);
        drop(touched);
        assert!(peak_mib().unwrap() > 64.0);
    }
}
