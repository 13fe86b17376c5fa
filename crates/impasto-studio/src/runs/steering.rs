//! A run is steered through its job's handle: the one place that knows how. What was asked before there is a job counts from its
//! beginning.

use std::sync::Arc;

use impasto::ResolvedRecipe;
use impasto::recipe::ChangedFields;
use impasto_job::{Change, Handle};
use serde_json::{Map, Value, json};

use super::Studio;
use super::controls::values;
use crate::names::{RunId, no_run};
use crate::problem::Problem;
use crate::shown::aside;
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

/// The handle of a run's job, and the changes that can be put back.
#[derive(Debug, Default)]
pub struct Steering {
    handle: Option<Handle>,
    is_stopping: bool,
    /// What was asked before there was a job.
    is_paused: bool,
    early: Vec<Change>,
    /// What puts each change back, the last one last; in clients' words.
    undo: Vec<Map<String, Value>>,
    /// What makes each change again that was put back.
    redo: Vec<Map<String, Value>>,
}

/// Which of the two a change goes onto when it is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Forward,
    Undo,
    Redo,
}

impl Steering {
    /// The job is prepared; what was asked before counts now. Gives what of it cannot be, a sentence each.
    pub fn begin(&mut self, handle: Handle) -> Vec<String> {
        if self.is_stopping {
            handle.stop();
        }
        if self.is_paused {
            handle.pause();
        }
        let early = std::mem::take(&mut self.early);
        let refused = early.iter().filter_map(|change| handle.change(change).err()).map(|failure| failure.sentence);
        let refused = refused.collect();
        self.handle = Some(handle);
        refused
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

    /// Whether it waits, or is about to.
    pub fn is_paused(&self) -> bool {
        self.handle.as_ref().is_some_and(Handle::is_paused)
    }

    /// The recipe with every change that was taken, where there is a job.
    pub fn recipe(&self) -> Option<ResolvedRecipe> {
        self.handle.as_ref().and_then(Handle::recipe)
    }

    /// Asks for a checkpoint.
    pub fn keep(&self) {
        if let Some(handle) = &self.handle {
            handle.keep();
        }
    }

    /// Whether the last change can be undone.
    pub fn can_undo(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Whether the last change that was undone can be made again.
    pub fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    fn tell(&mut self, order: Order) {
        let Some(handle) = &self.handle else {
            // A step before the beginning is the first evaluation, and a wait.
            self.is_paused = matches!(order, Order::Pause | Order::Step);
            return;
        };
        match order {
            Order::Pause => handle.pause(),
            Order::GoOn => handle.go_on(),
            Order::Step => handle.step(),
            Order::Stop => handle.stop(),
        }
    }

    /// A change was taken: what puts it back is remembered.
    fn remember(&mut self, way: Way, back: Map<String, Value>) {
        match way {
            Way::Forward => {
                self.undo.push(back);
                self.redo.clear();
            }
            Way::Undo => self.redo.push(back),
            Way::Redo => self.undo.push(back),
        }
    }
}

impl Studio {
    /// Whether something will still happen to a run of this process by itself, or is happening.
    pub fn is_alive(&self, id: &RunId) -> bool {
        self.lock().runs.get(id).is_some_and(|live| live.stage.is_alive())
    }

    /// Tells a run of this process what to do.
    ///
    /// # Errors
    /// It is not painted now.
    pub fn steer(&self, id: &RunId, order: Order) -> Result<Stage, Problem> {
        let known = self.kept(id).is_ok();
        let mut inner = self.lock();
        let live = match inner.runs.get_mut(id) {
            Some(live) => live,
            None if known => return Err(not_painted()),
            None => return Err(no_run()),
        };
        match (order, live.stage) {
            (_, stage) if !stage.is_alive() => return Err(not_painted()),
            (Order::Stop, stage) => {
                live.stop();
                if stage == Stage::Waiting {
                    inner.line.retain(|waiting| waiting != id);
                }
            }
            (order, _) => live.steering.tell(order),
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
    pub async fn change(self: &Arc<Self>, id: &RunId, set: Map<String, Value>) -> Result<Taken, Problem> {
        self.change_so(id, set, Way::Forward).await
    }

    /// Puts back what the last change has changed.
    ///
    /// # Errors
    /// There is none.
    pub async fn undo(self: &Arc<Self>, id: &RunId) -> Result<Taken, Problem> {
        let last = self.last(id, |steering| &mut steering.undo)?;
        let set = last.ok_or_else(|| Problem::conflict("there is no change to undo"))?;
        self.change_so(id, set, Way::Undo).await
    }

    /// Makes the change again that was undone last.
    ///
    /// # Errors
    /// There is none.
    pub async fn redo(self: &Arc<Self>, id: &RunId) -> Result<Taken, Problem> {
        let last = self.last(id, |steering| &mut steering.redo)?;
        let set = last.ok_or_else(|| Problem::conflict("there is no change to make again"))?;
        self.change_so(id, set, Way::Redo).await
    }

    /// Takes the last of what can be put back, or made again.
    fn last(
        &self,
        id: &RunId,
        of: impl Fn(&mut Steering) -> &mut Vec<Map<String, Value>>,
    ) -> Result<Option<Map<String, Value>>, Problem> {
        let known = self.kept(id).is_ok();
        match self.lock().runs.get_mut(id) {
            Some(live) => Ok(of(&mut live.steering).pop()),
            None if known => Err(not_painted()),
            None => Err(no_run()),
        }
    }

    async fn change_so(self: &Arc<Self>, id: &RunId, set: Map<String, Value>, way: Way) -> Result<Taken, Problem> {
        // Masks of a change are decoded, one change at a time, and nothing else meanwhile.
        let turn = self.shelf.turn().await?;
        let (studio, id) = (Arc::clone(self), id.clone());
        aside(move || {
            let taken = studio.change_now(&id, set, way);
            drop(turn);
            taken
        })
        .await
    }

    fn change_now(&self, id: &RunId, set: Map<String, Value>, way: Way) -> Result<Taken, Problem> {
        let change = self.read_change(&set)?;
        let known = self.kept(id).is_ok();
        let (handle, before) = {
            let mut inner = self.lock();
            let live = match inner.runs.get_mut(id) {
                Some(live) if live.stage.is_alive() => live,
                None if !known => return Err(no_run()),
                _ => return Err(not_painted()),
            };
            let before = live.counts_now().ok_or_else(not_painted)?;
            let Some(handle) = live.steering.handle.clone() else {
                before.changed(&change.set).map_err(Problem::wrong)?;
                live.steering.early.push(change);
                return Ok(Taken { before_evaluation: None });
            };
            (handle, before)
        };
        // Without the lock: masks may take a moment, and the run goes on.
        let before_evaluation = handle.change(&change)?;
        let back = back(&set, &before);
        self.update(id, |live| live.steering.remember(way, back));
        Ok(Taken { before_evaluation: Some(before_evaluation) })
    }

    /// A change in a client's words, with paths in place of identifiers.
    ///
    /// # Errors
    /// What cannot change, or is not what it should be; a mask that is not here.
    pub(super) fn read_change(&self, set: &Map<String, Value>) -> Result<Change, Problem> {
        // What is null is not changed, but a mask, which goes.
        let mut fields = set.clone();
        for mask in ["region_labels", "emphasis"] {
            if fields.get(mask) == Some(&Value::Null) {
                fields.insert(mask.to_owned(), json!(""));
            }
        }
        let mut set: ChangedFields = serde_json::from_value(Value::Object(fields)).map_err(|error| {
            Problem::wrong(format_args!(
                "this cannot change while it is painted ({error}); begin or branch a run with it"
            ))
        })?;
        set.rename_masks(&mut |name| self.mask_path(name))?;
        Ok(Change::from(set))
    }
}

/// What puts a change back, in clients' words.
fn back(set: &Map<String, Value>, before: &ResolvedRecipe) -> Map<String, Value> {
    let values = values(before);
    let of = |field: &String| {
        // Dials stand for weights, which is what a recipe has.
        let field = match field.as_str() {
            "strength" => "style_weight",
            "denoise" => "tv_weight",
            "original_colors" => "colours",
            field => field,
        };
        let nothing = if matches!(field, "region_labels" | "emphasis") { json!("") } else { json!([]) };
        (field.to_owned(), values.get(field).cloned().filter(|value| !value.is_null()).unwrap_or(nothing))
    };
    set.keys().map(of).collect()
}

fn not_painted() -> Problem {
    Problem::conflict("this run is not painted here now; branch it, or go on with it first")
}
