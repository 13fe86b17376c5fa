//! A run is steered through its job's handle: the one place that knows how.

use impasto_job::Handle;
use serde_json::{Map, Value};

use super::Studio;
use crate::names::{RunId, no_run};
use crate::problem::Problem;
use crate::wire::{Stage, Taken};

/// What a run can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Wait between two evaluations.
    Pause,
    /// Paint on.
    GoOn,
    /// Make one evaluation, and wait again.
    Step,
    /// Stop after the evaluation, with a checkpoint.
    Stop,
}

/// The handle of a run's job, and the changes that were made.
#[derive(Debug, Default)]
pub struct Steering {
    handle: Option<Handle>,
    is_stopping: bool,
    controls: Option<Map<String, Value>>,
    timeline: Vec<Value>,
}

impl Steering {
    /// The job is prepared; what was asked before counts now.
    pub fn begin(&mut self, handle: Handle) {
        if self.is_stopping {
            handle.stop();
        }
        self.handle = Some(handle);
    }

    /// Stops the job, now or as soon as there is one.
    pub fn stop(&mut self) {
        self.is_stopping = true;
        if let Some(handle) = &self.handle {
            handle.stop();
        }
    }

    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// The values of the dials, where they have been changed.
    pub fn controls(&self) -> Option<&Map<String, Value>> {
        self.controls.as_ref()
    }

    /// The changes that were made.
    pub fn timeline(&self) -> &[Value] {
        &self.timeline
    }

    /// Whether the last change can be undone.
    pub fn can_undo(&self) -> bool {
        false
    }

    /// Whether the last change that was undone can be made again.
    pub fn can_redo(&self) -> bool {
        false
    }
}

impl Studio {
    /// Tells a run of this process what to do.
    ///
    /// # Errors
    /// It is not painted now.
    pub fn steer(&self, id: &RunId, order: Order) -> Result<Stage, Problem> {
        let mut inner = self.lock();
        let live = inner.runs.get_mut(id).ok_or_else(no_run)?;
        match (order, live.stage) {
            (_, stage) if !stage.is_alive() => return Err(Problem::conflict("this run is not painted now")),
            (Order::Stop, stage) => {
                live.stop();
                if stage == Stage::Waiting {
                    inner.line.retain(|waiting| waiting != id);
                }
            }
            (_, _) => return Err(Problem::conflict("this is not connected yet")),
        }
        let info = inner.info(id).ok_or_else(no_run)?;
        drop(inner);
        self.tell_state(&info);
        Ok(info.state)
    }

    /// Changes values of a run from its next evaluation on.
    ///
    /// # Errors
    /// It is not painted now; the values cannot be.
    pub fn change(&self, id: &RunId, set: &Map<String, Value>) -> Result<Taken, Problem> {
        let _ = (self.recipe(set)?, id);
        Err(Problem::conflict("this is not connected yet"))
    }
}

impl Studio {
    /// Whether something will still happen to a run of this process by itself, or is happening.
    pub fn is_alive(&self, id: &RunId) -> bool {
        self.lock().runs.get(id).is_some_and(|live| live.stage.is_alive())
    }

    /// Puts back what the last change has changed.
    ///
    /// # Errors
    /// There is none.
    pub fn undo(&self, id: &RunId) -> Result<Taken, Problem> {
        self.lock().runs.get(id).ok_or_else(no_run)?;
        Err(Problem::conflict("there is no change to undo"))
    }

    /// Makes the change again that was undone last.
    ///
    /// # Errors
    /// There is none.
    pub fn redo(&self, id: &RunId) -> Result<Taken, Problem> {
        self.lock().runs.get(id).ok_or_else(no_run)?;
        Err(Problem::conflict("there is no change to make again"))
    }
}
