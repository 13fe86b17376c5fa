//! What a process says of its own memory.

use impasto_vgg::Weights;

/// A line of /proc/self/status in bytes; `None` where the system has no such file.
pub fn status_bytes(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Brings the pages of the program's file that hold the embedded weights into memory: they count as the process's from the
/// first look at them on, and are no session's.
pub fn touch_embedded_weights() {
    for convolution in Weights::embedded().convolutions() {
        assert!(convolution.kernel().iter().all(|value| value.is_finite()));
    }
}
