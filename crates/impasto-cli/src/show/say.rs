//! Sentences on standard error, beside a bar that steps aside for them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::ProgressBar;

/// Says one sentence on standard error. A reader that has gone away is no reason to stop.
pub fn say(sentence: &str) {
    // A file name may hold anything; a sentence stays on its line.
    let line: String = sentence.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
    let _ = writeln!(io::stderr().lock(), "impasto: {line}");
}

/// Says what happens at any time, beside a bar that steps aside for it. Copies are one.
#[derive(Clone)]
pub struct Voice {
    is_quiet: bool,
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

impl Voice {
    /// One that says things, or one that keeps quiet.
    pub fn new(is_quiet: bool) -> Voice {
        Voice { is_quiet, bar: Arc::default() }
    }

    /// Says one sentence on standard error.
    pub fn note(&self, sentence: &str) {
        match self.bar().as_ref() {
            _ if self.is_quiet => {}
            Some(bar) => bar.suspend(|| say(sentence)),
            None => say(sentence),
        }
    }

    /// The same voice, for whoever knows only that sentences are said.
    pub fn hearing(&self) -> impasto_job::Voice {
        let voice = self.clone();
        Arc::new(move |sentence: &str| voice.note(sentence))
    }

    /// From now on steps before this bar.
    pub fn step_before(&self, bar: &ProgressBar) {
        *self.bar() = Some(bar.clone());
    }

    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
