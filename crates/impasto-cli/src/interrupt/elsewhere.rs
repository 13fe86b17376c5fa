//! Systems without signals: Ctrl-C alone.

use std::io;

use super::CTRL_C;

/// Calls this with the number of each signal that comes, on a thread of its own.
///
/// # Errors
/// What the system says.
pub fn watch(mut tell: impl FnMut(u8) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || tell(CTRL_C)).map_err(io::Error::other)
}
