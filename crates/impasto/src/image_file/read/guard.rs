//! A place where a decoder may panic.
//!
//! Image decoders panic on some malicious files. Each runs on a thread of its own, with a stack of a known size, and a
//! panic ends that thread alone. The standard library would print the panic's message, which a library must not: the
//! panic hook is wrapped, once, so that it stays silent on these threads and is what it was on all others.

use std::cell::Cell;
use std::sync::Once;

/// The guarded thread's stack in bytes, whatever thread the caller is on.
const STACK_BYTES: usize = 8 << 20;

/// Why there is no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The work panicked.
    Panicked,
    /// The system gave no thread for it.
    NoThread,
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs the work; a panic in it becomes [`Stopped::Panicked`], silently.
pub(super) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Stopped> {
    run_on(STACK_BYTES, work)
}

fn run_on<T: Send>(stack_bytes: usize, work: impl FnOnce() -> T + Send) -> Result<T, Stopped> {
    silence_guarded_threads();
    std::thread::scope(|scope| {
        let guarded = std::thread::Builder::new().name("image decoder".into()).stack_size(stack_bytes).spawn_scoped(
            scope,
            || {
                GUARDED.set(true);
                work()
            },
        );
        guarded.map_err(|_| Stopped::NoThread)?.join().map_err(|_| Stopped::Panicked)
    })
}

fn silence_guarded_threads() {
    static WRAPPED: Once = Once::new();
    WRAPPED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                previous(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_and_panics_are_caught() {
        let text = String::from("borrowed");
        assert_eq!(run(|| text.len()), Ok(8));
        assert_eq!(run(|| -> usize { panic!("planted") }), Err(Stopped::Panicked));
        assert_eq!(run(|| text.len()), Ok(8));
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_thread_that_cannot_be_had_is_no_panic() {
        // No machine has room for such a stack, so that the system refuses the thread.
        assert_eq!(run_on(1 << 56, || 1), Err(Stopped::NoThread));
    }

    /// Runs the test below in a process of its own and reads what it printed.
    #[test]
    fn a_guarded_panic_prints_nothing_and_others_print() {
        let printed = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "image_file::read::guard::tests::panics_on_purpose",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&printed.stderr);
        assert!(printed.status.success(), "{errors}");
        assert!(!errors.contains("planted in a decoder"), "{errors}");
        assert!(errors.contains("planted elsewhere"), "{errors}");
    }

    #[test]
    #[ignore = "run by the test above, in a process of its own"]
    fn panics_on_purpose() {
        assert_eq!(run(|| -> usize { panic!("planted in a decoder") }), Err(Stopped::Panicked));
        let elsewhere = std::thread::spawn(|| panic!("planted elsewhere"));
        assert!(elsewhere.join().is_err());
    }
}
