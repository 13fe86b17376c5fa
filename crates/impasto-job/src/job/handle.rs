//! A job's handle for other threads: it stops the job, and asks for its newest picture.
//!
//! ```text
//!   other thread   newest_picture: wanted = true, waits  .................  takes it
//!   the job        iteration --offer--> wanted? no: nothing is copied        yes: a copy of the picture, and a nudge
//! ```
//!
//! A picture is copied only when somebody waits for it, so that a large one costs nothing otherwise.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use impasto::{Iteration, Outcome, Picture};

/// Stops a job and asks for its newest picture, from any thread. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_stopping: bool,
    has_ended: bool,
    /// How many wait for a picture.
    waiting: usize,
    newest: Option<NewestPicture>,
}

/// A picture on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct NewestPicture {
    /// Accepted evaluations until it.
    pub iteration: u32,
    /// It, at the size that is painted at.
    pub picture: Arc<Picture>,
}

impl Handle {
    /// Stops the job after the evaluation that is running. The picture so far is written, and a checkpoint where the run is
    /// kept.
    pub fn stop(&self) {
        self.lock().is_stopping = true;
    }

    /// Whether [`Handle::stop`] was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    /// The picture of the next accepted evaluation, or of the job's end; waits for it at most so long. `None` where none has
    /// come, and after the end of the job.
    #[must_use]
    pub fn newest_picture(&self, wait: Duration) -> Option<NewestPicture> {
        let mut state = self.lock();
        if state.has_ended {
            return None;
        }
        if state.waiting == 0 {
            state.newest = None;
        }
        state.waiting += 1;
        let is_waiting = |state: &mut State| state.newest.is_none() && !state.has_ended;
        let waited = self.shared.changed.wait_timeout_while(state, wait, is_waiting);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        if state.waiting == 0 { state.newest.take() } else { state.newest.clone() }
    }

    /// An evaluation was accepted.
    pub(super) fn offer(&self, iteration: &Iteration<'_>) {
        let mut state = self.lock();
        if state.waiting > 0 {
            let picture = Arc::new(iteration.picture());
            state.newest = Some(NewestPicture { iteration: iteration.iteration, picture });
            self.shared.changed.notify_all();
        }
    }

    /// The job has ended; with a picture, unless it failed.
    pub(super) fn end(&self, outcome: Option<&Outcome>) {
        let mut state = self.lock();
        state.has_ended = true;
        if let Some(outcome) = outcome.filter(|_| state.waiting > 0) {
            let picture = Arc::new(outcome.picture.clone());
            state.newest = Some(NewestPicture { iteration: outcome.iterations, picture });
        }
        self.shared.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
