//! Signals of Unix.

use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

/// Calls this with the number of each signal that comes, on a thread of its own.
///
/// # Errors
/// What the system says.
pub fn watch(mut tell: impl FnMut(u8) + Send + 'static) -> io::Result<()> {
    let mut caught = vec![SIGINT, SIGTERM];
    // `nohup` has it ignored, so that the program outlives its terminal; asked before anything is caught.
    if !hangup_is_ignored() {
        caught.push(SIGHUP);
    }
    let mut signals = Signals::new(caught)?;
    // A file longer than `ulimit -f` shall be an error of the write, which has a way out, and not the program's end.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            tell(u8::try_from(signal).unwrap_or_default());
        }
    })?;
    Ok(())
}

/// Whether whoever started this program has it ignore SIGHUP.
fn hangup_is_ignored() -> bool {
    ignored_by_status().unwrap_or_else(ignored_by_a_child)
}

/// As Linux tells it: a line `SigIgn:` with a bit a signal, SIGHUP's the lowest.
fn ignored_by_status() -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    Some(u64::from_str_radix(mask.trim(), 16).ok()? & 1 << (SIGHUP - 1) != 0)
}

/// As any Unix tells it: what a program ignores its children ignore, and a shell that hangs up on itself lives on.
fn ignored_by_a_child() -> bool {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -HUP $$; exit 0"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_asking_agree() {
        // Run as it is, and once more under `nohup` or its like, where the answer is the other.
        if cfg!(target_os = "linux") {
            assert_eq!(ignored_by_status(), Some(ignored_by_a_child()));
        }
    }
}
