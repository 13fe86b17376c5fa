//! A job's handle for other threads: it stops the job, and asks for its newest picture.
//!
//! ```text
//!   other thread   newest_picture: wanted = true, waits  .................  takes it
//!   the job        iteration --offer--> wanted? no: nothing is copied        yes: a copy of the picture, and a nudge
//! ```
//!
//! A picture is copied only when somebody waits for it, so that a large one costs nothing otherwise. A pause is a wait between two
//! evaluations, in the job's own thread. Changes are in `change.rs`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use impasto::{Iteration, Outcome, Picture, ResolvedRecipe};

use super::change::{Change, Desk};
use crate::failure::Failure;

/// Steers a job from any thread: stops it, has it wait, changes what it paints, and asks for its newest picture. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Where changes wait, from when the job is prepared.
    desk: OnceLock<Desk>,
}

#[derive(Debug, Default)]
struct State {
    is_stopping: bool,
    has_ended: bool,
    is_paused: bool,
    /// Evaluations that are made in spite of a pause.
    steps: u32,
    /// Whether a checkpoint was asked for.
    wants_checkpoint: bool,
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
        self.shared.changed.notify_all();
    }

    /// Has the job wait after the evaluation that is running, with a checkpoint where the run is kept
    /// ([`JobEvent::Paused`](super::JobEvent::Paused)). A job that has not begun waits before its first evaluation.
    pub fn pause(&self) {
        self.lock().is_paused = true;
    }

    /// Ends a pause.
    pub fn go_on(&self) {
        let mut state = self.lock();
        (state.is_paused, state.steps) = (false, 0);
        self.shared.changed.notify_all();
    }

    /// Has the job make one evaluation and wait again; a job that does not wait makes the next, and waits then.
    pub fn step(&self) {
        let mut state = self.lock();
        (state.is_paused, state.steps) = (true, state.steps.saturating_add(1));
        self.shared.changed.notify_all();
    }

    /// Whether the job waits, or will after the evaluation that is running.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        let state = self.lock();
        state.is_paused && !state.has_ended
    }

    /// Asks for a checkpoint after the evaluation that is running, where the run is kept
    /// ([`JobEvent::Kept`](super::JobEvent::Kept)): a branch begins there.
    pub fn keep(&self) {
        self.lock().wants_checkpoint = true;
    }

    /// Changes what is painted from the next evaluation on, whose number over the whole run it gives. The change is checked here and
    /// then; it counts once it is written to the run's folder, where the run is kept ([`JobEvent::Applied`](super::JobEvent::Applied)).
    ///
    /// # Errors
    /// Every error of the change, as [`Recipe::resolve`](impasto::Recipe::resolve) and the reading of masks have them; a job that
    /// has begun its last evaluation. The run goes on as it was then.
    pub fn change(&self, change: &Change) -> Result<u32, Failure> {
        self.shared
            .desk
            .get()
            .ok_or_else(|| Failure::usage("the job is not prepared yet; change its recipe"))?
            .take(change)
    }

    /// The recipe with every change that was taken; `None` before the job is prepared.
    #[must_use]
    pub fn recipe(&self) -> Option<ResolvedRecipe> {
        self.shared.desk.get().map(Desk::recipe)
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

    /// Where changes wait; the first that is set.
    pub(super) fn desk(&self) -> Option<&Desk> {
        self.shared.desk.get()
    }

    /// Takes changes from now on.
    pub(super) fn set_desk(&self, desk: Desk) {
        // There is one job for a handle.
        let _ = self.shared.desk.set(desk);
    }

    /// Whether a checkpoint was asked for, which is then no longer so.
    pub(super) fn takes_checkpoint(&self) -> bool {
        std::mem::take(&mut self.lock().wants_checkpoint)
    }

    /// Whether the job has to wait before its next evaluation.
    pub(super) fn has_to_wait(&self) -> bool {
        let mut state = self.lock();
        if state.is_paused && state.steps > 0 {
            state.steps -= 1;
            return false;
        }
        state.is_paused && !state.is_stopping
    }

    /// Waits for the end of the pause, for a step, or for a stop.
    pub(super) fn wait(&self) {
        let is_waiting = |state: &mut State| state.is_paused && state.steps == 0 && !state.is_stopping;
        let waited = self.shared.changed.wait_while(self.lock(), is_waiting);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.steps = state.steps.saturating_sub(1);
    }

    /// The job has ended; with a picture, unless it failed.
    pub(super) fn end(&self, outcome: Option<&Outcome>) {
        if let Some(desk) = self.shared.desk.get() {
            desk.close();
        }
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
