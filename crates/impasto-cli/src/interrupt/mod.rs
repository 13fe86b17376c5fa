//! Ctrl-C, and what ends a program like it: SIGTERM (`kill`, `docker stop`, a batch system) and SIGHUP (a terminal that is
//! closed). The first asks the run to stop after its evaluation, the next ones say that it is about to.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use impasto_job::Failure;
use impasto_vgg::cpu::memory::free;

#[cfg(not(unix))]
use elsewhere::watch;
#[cfg(unix)]
use unix::watch;

use crate::show::say;

/// SIGINT, the number of Ctrl-C; where there are no signals too.
const CTRL_C: u8 = 2;

/// What a shell adds to a signal's number for the status of what it ended.
const STATUS_OF_SIGNALS: u8 = 128;

static IS_CAUGHT: AtomicBool = AtomicBool::new(false);
/// The number of the first signal that came; 0 for none.
static FIRST: AtomicU8 = AtomicU8::new(0);

/// Catches Ctrl-C and its like from now on.
///
/// # Errors
/// Where the system does not let a program catch it.
pub fn catch() -> Result<(), Failure> {
    catch_with(|is_first| {
        say(match is_first {
            true => "stopping after the running evaluation; the picture so far will be written",
            false => "the running evaluation is being finished, then the picture so far is written; a moment more",
        });
    })
}

/// As [`catch`], for what keeps its runs: a batch, and a server, which stops what it paints and ends.
///
/// # Errors
/// Where the system does not let a program catch it.
pub fn catch_kept() -> Result<(), Failure> {
    catch_with(|is_first| {
        say(match is_first {
            true => "stopping after the running evaluation; what is painted is kept and can be gone on with",
            false => "the running evaluation is being finished, then its picture is written; a moment more",
        });
    })
}

/// As [`catch`], for work that leaves no picture.
///
/// # Errors
/// Where the system does not let a program catch it.
pub fn catch_quietly() -> Result<(), Failure> {
    catch_with(|_| {})
}

fn catch_with(tell: impl Fn(bool) + Send + 'static) -> Result<(), Failure> {
    // A command that paints several pictures asks for each.
    if IS_CAUGHT.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let caught: io::Result<()> = watch(move |signal| {
        tell(FIRST.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed).is_ok());
    });
    caught.map_err(|error| match (error.kind(), free()) {
        // A thread that cannot be begun: where memory is short, that is why.
        (io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory, Some(free)) => Failure::failed(format_args!(
            "there is no memory for the thread that catches Ctrl-C: {} MiB are free {}; allow more",
            free.bytes >> 20,
            free.bound.words()
        )),
        _ => Failure::failed(format_args!("Ctrl-C cannot be caught ({error}); try again")),
    })
}

/// Whether Ctrl-C was pressed, or its like came, since [`catch`].
pub fn requested() -> bool {
    FIRST.load(Ordering::Relaxed) != 0
}

/// The exit status of a command that was interrupted, as a shell has it: 130 by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.
pub fn status() -> u8 {
    match FIRST.load(Ordering::Relaxed) {
        0 => STATUS_OF_SIGNALS + CTRL_C,
        signal => STATUS_OF_SIGNALS.saturating_add(signal),
    }
}
