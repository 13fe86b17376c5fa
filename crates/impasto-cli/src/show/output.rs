//! Standard output: for what was asked for, a recipe, JSON lines, a report.

use std::io::{self, ErrorKind, Write};

use impasto_job::Failure;
use serde::Serialize;

/// Standard output, a line at a time. The first error is kept and said at the end; a reader that has gone away
/// (`| head`) is none.
#[derive(Default)]
pub struct Output {
    error: Option<io::Error>,
}

impl Output {
    /// One JSON object on a line.
    pub fn json(&mut self, object: &impl Serialize) {
        // Numbers and texts: this cannot fail.
        self.line(&serde_json::to_string(object).unwrap_or_default());
    }

    /// One line of text.
    pub fn line(&mut self, text: &str) {
        self.bytes(format!("{text}\n").as_bytes());
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            let mut stdout = io::stdout().lock();
            self.error = stdout.write_all(bytes).and_then(|()| stdout.flush()).err();
        }
    }

    /// Whether all of it arrived.
    ///
    /// # Errors
    /// Standard output could not be written, as on a full disk.
    pub fn finish(&mut self) -> Result<(), Failure> {
        match self.error.take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::failed(format_args!(
                "standard output could not be written ({error}); check where it goes"
            ))),
            _ => Ok(()),
        }
    }
}
