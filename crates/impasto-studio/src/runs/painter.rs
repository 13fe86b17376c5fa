//! The painter: takes one run after the other out of the line and paints it, on a thread of its own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use impasto::run_folder::RECORD;
use impasto::{Control, ResolvedRecipe};
use impasto_job::job::Resumed;
use impasto_job::{DeviceChoice, Failure, Finished, Job, JobEvent, KeepIn, Order, Prepared};

use super::Studio;
use super::begin::files;
use super::controls::told;
use super::live::{Live, revision_on_the_way};
use crate::names::RunId;
use crate::wire::Stage;

/// A run whose turn it is.
struct Turn {
    id: RunId,
    folder: std::path::PathBuf,
    device: DeviceChoice,
    order: Option<Order>,
}

/// Paints what stands in line until the studio is closed.
pub fn paint_all(studio: &Arc<Studio>) {
    while let Some(turn) = studio.next_turn() {
        // A run that brings the painter down is that run's end, not the painter's.
        let painted = catch_unwind(AssertUnwindSafe(|| studio.paint(&turn)));
        studio.settle(&turn.id, painted);
    }
}

impl Studio {
    /// Waits for a run whose turn it is; `None` where the studio is closed.
    fn next_turn(&self) -> Option<Turn> {
        let inner = self.lock();
        let is_idle = |inner: &mut super::Inner| inner.line.is_empty() && !inner.is_closing;
        let mut inner = self.changed.wait_while(inner, is_idle).unwrap_or_else(PoisonError::into_inner);
        if inner.is_closing {
            return None;
        }
        let id = inner.line.pop_front()?;
        // The pictures of others are on the disk.
        inner.runs.values_mut().filter(|live| live.id != id).for_each(|live| live.newest = None);
        let live = inner.runs.get_mut(&id)?;
        live.stage = Stage::Preparing;
        let (folder, device, order) = (live.folder.clone(), live.device, live.order.clone());
        // Those behind it have moved up.
        let moved: Vec<_> = [&id].into_iter().chain(&inner.line).filter_map(|id| inner.info(id)).collect();
        drop(inner);
        moved.iter().for_each(|info| self.tell_state(info));
        Some(Turn { id, folder, device, order })
    }

    /// Paints a run from its order, or from where its folder has it. `None` where it was stopped before it began.
    fn paint(&self, turn: &Turn) -> Result<Option<Finished>, Failure> {
        // A branch of the finished run begins where that ended.
        let keep = KeepIn { keeps_last_state: true, ..KeepIn::folder(&turn.folder) };
        let job = match (&turn.order, turn.folder.join(RECORD).is_file()) {
            (Some(order), false) => Job::new(order, &files(), Some(&keep))?,
            _ => match Job::resume(&turn.folder, None)? {
                Resumed::Job(job) => *job,
                Resumed::Finished(_) => {
                    return Err(Failure::usage("this run is finished; branch it, or paint it larger"));
                }
            },
        };
        let recipe = job.order().recipe.clone();
        let prepared = self.engines.with(turn.device, |engines| job.prepare(engines))?;
        if !self.begin_painting(&turn.id, &prepared, recipe) {
            return Ok(None);
        }
        prepared.perform(&mut |event| self.observe(turn, event)).map(Some)
    }

    /// Whether a run that is prepared shall be painted still.
    fn begin_painting(&self, id: &RunId, prepared: &Prepared, recipe: ResolvedRecipe) -> bool {
        let mut is_wanted = false;
        self.update(id, |live| {
            live.prepared(prepared, recipe);
            is_wanted = !live.steering.is_stopping();
        });
        is_wanted
    }

    fn observe(&self, turn: &Turn, event: JobEvent<'_>) -> Control {
        let id = &turn.id;
        match event {
            JobEvent::Note(sentence) => {
                self.update(id, |live| live.notes.push(sentence.to_owned()));
            }
            JobEvent::Started { .. } => {
                self.update(id, |live| {
                    live.about.write(&turn.folder);
                    if live.stage == Stage::Preparing {
                        live.stage = Stage::Painting;
                    }
                });
            }
            JobEvent::ScaleStarted { scale, .. } => self.update(id, |live| live.scale_started(scale)),
            JobEvent::Iteration { progress, iteration } => {
                let is_looked_at = self.is_looked_at();
                let mut inner = self.lock();
                let Some(live) = inner.runs.get_mut(id) else { return Control::Stop };
                let figures = live.iterated(&progress, iteration);
                let wants_picture = live.wants_picture(is_looked_at);
                let told = figures.map(|figures| (live.info(None), figures));
                drop(inner);
                if let Some((info, figures)) = told {
                    self.tell_iteration(&info, &figures.losses, &figures.by_layer());
                }
                if wants_picture {
                    let (revision, picture) = (revision_on_the_way(iteration.iteration), Arc::new(iteration.picture()));
                    let (width, height) = (picture.width, picture.height);
                    if let Some(live) = self.lock().runs.get_mut(id) {
                        live.newest = Some((revision, picture));
                    }
                    self.tell_preview(id, revision, width, height);
                }
            }
            JobEvent::Rejected { evaluations } => {
                if let Some(live) = self.lock().runs.get_mut(id) {
                    live.rejected(evaluations);
                }
            }
            JobEvent::Applied { before_evaluation, set } => {
                self.tell_applied(id, before_evaluation, &told(set));
            }
            JobEvent::Refused { failure, .. } => {
                self.tell_error(id, &failure.sentence);
                self.update(id, |live| live.notes.push(failure.sentence.clone()));
            }
            JobEvent::Paused { .. } => self.update(id, Live::paused),
            JobEvent::WentOn => self.update(id, Live::went_on),
            JobEvent::Kept { .. } => self.tell_kept(id),
            JobEvent::Painted => {}
        }
        Control::Continue
    }

    /// A run has ended, in whatever way.
    fn settle(&self, id: &RunId, painted: Result<Result<Option<Finished>, Failure>, Box<dyn Any + Send>>) {
        let mut error = None;
        self.update(id, |live| {
            match painted {
                Ok(Ok(Some(finished))) => live.ended(&finished),
                Ok(Ok(None)) => {
                    live.stage = Stage::Stopped;
                    live.at_rest();
                }
                Ok(Err(failure)) => live.failed(failure.sentence),
                Err(_) => live.failed(
                    "the painter failed at this run, which is an error of this program; the others go on".to_owned(),
                ),
            }
            error = live.error.clone();
        });
        if let Some(sentence) = error {
            self.engines.say(&sentence);
            self.tell_error(id, &sentence);
        }
        let newest = self.lock().runs.get(id).and_then(|live| live.newest.clone());
        if let Some((revision, picture)) = newest {
            self.tell_preview(id, revision, picture.width, picture.height);
        }
    }

    /// Changes what clients see of a run, and tells them.
    pub(super) fn update(&self, id: &RunId, change: impl FnOnce(&mut Live)) {
        let mut inner = self.lock();
        let Some(live) = inner.runs.get_mut(id) else { return };
        change(live);
        let info = inner.info(id);
        drop(inner);
        info.iter().for_each(|info| self.tell_state(info));
    }
}
