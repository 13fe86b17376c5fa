//! Ctrl-C: the first asks the run to stop after its evaluation, the next ones say that it is about to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use impasto_job::Failure;

use crate::show::say;

static IS_CAUGHT: AtomicBool = AtomicBool::new(false);
static REQUESTS: AtomicUsize = AtomicUsize::new(0);

/// Catches Ctrl-C from now on.
///
/// # Errors
/// Where the system does not let a program catch it.
pub fn catch() -> Result<(), Failure> {
    // A command that paints several pictures asks for each.
    if IS_CAUGHT.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let caught = ctrlc::set_handler(|| match REQUESTS.fetch_add(1, Ordering::Relaxed) {
        0 => say("stopping after the running evaluation; the picture so far will be written"),
        _ => say("the running evaluation is being finished, then the picture so far is written; a moment more"),
    });
    caught.map_err(|error| Failure::failed(format_args!("Ctrl-C cannot be caught ({error}); try again")))
}

/// As [`catch`], for work that leaves no picture.
///
/// # Errors
/// Where the system does not let a program catch it.
pub fn catch_quietly() -> Result<(), Failure> {
    let caught = ctrlc::set_handler(|| {
        REQUESTS.fetch_add(1, Ordering::Relaxed);
    });
    caught.map_err(|error| Failure::failed(format_args!("Ctrl-C cannot be caught ({error}); try again")))
}

/// Whether Ctrl-C was pressed since [`catch`].
pub fn requested() -> bool {
    REQUESTS.load(Ordering::Relaxed) > 0
}
