//! A run that this process has put in line: what clients see of it while it waits, is painted, and after.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use impasto::run_folder::Metrics;
use impasto::{Iteration, Picture, Recipe, ResolvedRecipe, Scale};
use impasto_job::machine::peak_mib;
use impasto_job::pace::{Plan, Progress, Speed};
use impasto_job::{DeviceChoice, Finished, Order, Prepared};

use super::about::About;
use super::figures::Figures;
use super::steering::Steering;
use crate::names::RunId;
use crate::wire::{Extent, ImageInfo, Losses, RunInfo, Stage};

/// Least time between two pictures that are looked at.
const BETWEEN_PICTURES: Duration = Duration::from_millis(500);

/// Least time between two events of evaluations.
const BETWEEN_TOLD: Duration = Duration::from_millis(50);

/// Lines of losses that are kept in memory.
const LINES: usize = 1 << 16;

/// A run of this process.
#[derive(Debug)]
pub struct Live {
    /// Its identifier.
    pub id: RunId,
    /// Its folder.
    pub folder: PathBuf,
    /// What people call it, and whence it comes.
    pub about: About,
    /// What it is painted on.
    pub device: DeviceChoice,
    /// What was ordered; `None` for a run that is gone on with from its folder.
    pub order: Option<Order>,
    /// What has become of it.
    pub stage: Stage,
    /// Why it failed.
    pub error: Option<String>,
    /// The photo.
    pub content: Option<ImageInfo>,
    /// The paintings.
    pub styles: Vec<ImageInfo>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Its recipe, once it is resolved.
    pub recipe: Option<ResolvedRecipe>,
    /// How it is steered.
    pub steering: Steering,
    /// The newest picture that was looked at, with its revision.
    pub newest: Option<(u32, Arc<Picture>)>,
    /// Losses since this process paints it.
    pub lines: Vec<Figures>,
    /// That of the newest picture, which may be on the disk alone.
    revision: u32,
    size: Extent,
    painted: Extent,
    evaluation: u32,
    evaluations: u64,
    seconds: f64,
    seconds_left: Option<f64>,
    loss: Option<Losses>,
    plan: Plan,
    speed: Speed,
    pictured: Option<Instant>,
    told: Option<Instant>,
}

impl Live {
    /// A run that waits.
    pub fn waiting(id: RunId, folder: PathBuf, about: About, device: DeviceChoice, order: Option<Order>) -> Live {
        Live {
            id,
            folder,
            about,
            device,
            order,
            stage: Stage::Waiting,
            error: None,
            content: None,
            styles: Vec::new(),
            notes: Vec::new(),
            recipe: None,
            steering: Steering::default(),
            newest: None,
            lines: Vec::new(),
            revision: 0,
            size: Extent::default(),
            painted: Extent::default(),
            evaluation: 0,
            evaluations: 0,
            seconds: 0.0,
            seconds_left: None,
            loss: None,
            plan: Plan(Vec::new()),
            speed: Speed::default(),
            pictured: None,
            told: None,
        }
    }

    /// As it is listed; `place` counts the runs before it in line, and itself.
    pub fn info(&self, place: Option<usize>) -> RunInfo {
        let typed = self.order.as_ref().map(|order| &order.recipe);
        let preset = match (&self.recipe, typed) {
            (Some(recipe), _) => recipe.preset.clone(),
            (None, Some(Recipe { preset: Some(preset), .. })) => preset.clone(),
            (None, _) => "default".to_owned(),
        };
        RunInfo {
            id: self.id.clone(),
            parent: self.about.parent.clone(),
            branched_at: self.about.branched_at,
            name: self.about.name.clone(),
            state: self.stage,
            error: self.error.clone(),
            preset,
            size: self.size,
            painted: self.painted,
            evaluation: self.evaluation,
            evaluations: self.evaluations,
            seconds: self.seconds,
            seconds_left: self.seconds_left.filter(|_| self.stage.is_alive()),
            memory_mib: peak_mib().map(|mib| mib.round() as u64).filter(|_| self.stage.is_alive()),
            device: self.device.to_string(),
            revision: self.newest.as_ref().map_or(self.revision, |(revision, _)| *revision),
            loss: self.loss.clone(),
            place_in_line: place,
            created_s: self.about.created_s.unwrap_or_default(),
            elsewhere: false,
            content: self.content.clone(),
            styles: self.styles.clone(),
            can_undo: self.stage.is_alive() && self.steering.can_undo(),
            can_redo: self.stage.is_alive() && self.steering.can_redo(),
        }
    }

    /// It looks as its folder tells of it until it is prepared.
    pub fn resembles(&mut self, info: &RunInfo) {
        (self.size, self.painted) = (info.size, info.painted);
        (self.evaluation, self.evaluations) = (info.evaluation, info.evaluations);
        self.revision = info.revision;
        (self.seconds, self.loss) = (info.seconds, info.loss.clone());
    }

    /// Its engine is open and its images are read.
    pub fn prepared(&mut self, prepared: &Prepared, recipe: ResolvedRecipe) {
        let Scale { width, height, .. } = prepared.full();
        self.size = Extent { width, height };
        self.plan = Plan::of(prepared.scales());
        self.evaluations = self.plan.evaluations();
        self.recipe = Some(recipe);
        self.notes.extend(prepared.notes().iter().cloned());
        let refused = self.steering.begin(prepared.handle());
        self.notes.extend(refused);
    }

    /// The recipe that counts for the next evaluation, every change that was taken included.
    pub fn counts_now(&self) -> Option<ResolvedRecipe> {
        let recipe = self.steering.recipe().or_else(|| self.recipe.clone())?;
        // One evaluation is being made; what was taken counts for the one after it.
        Some(recipe.at_evaluation(self.evaluation.saturating_add(2)))
    }

    /// It waits between two evaluations.
    pub fn paused(&mut self) {
        self.stage = Stage::Paused;
        self.seconds_left = None;
    }

    /// It paints on; how fast, is seen anew.
    pub fn went_on(&mut self) {
        if self.stage == Stage::Paused {
            self.stage = Stage::Painting;
        }
        self.speed = Speed::default();
    }

    /// It paints at this size.
    pub fn scale_started(&mut self, scale: Scale) {
        self.painted = Extent { width: scale.width, height: scale.height };
    }

    /// An evaluation was accepted. Gives its losses where it is time to tell of it.
    pub fn iterated(&mut self, progress: &Progress, iteration: &Iteration<'_>) -> Option<Figures> {
        let figures = Figures::of(&Metrics::of(iteration, progress.seconds));
        self.evaluation = iteration.evaluations;
        self.painted = Extent { width: progress.width, height: progress.height };
        self.seconds = progress.seconds;
        self.seconds_left = self.speed.measure(progress).map(|each| self.plan.seconds_left(progress, each));
        self.loss = Some(figures.losses.clone());
        if self.lines.len() >= LINES {
            // Older ones are in the folder long since.
            self.lines.drain(..LINES / 2);
        }
        self.lines.push(figures.clone());
        is_time(&mut self.told, BETWEEN_TOLD).then_some(figures)
    }

    /// An evaluation was taken back.
    pub fn rejected(&mut self, evaluations: u32) {
        self.evaluation = evaluations;
    }

    /// Whether a picture shall be taken: the first, and then no more than two a second, while somebody looks on.
    pub fn wants_picture(&mut self, is_looked_at: bool) -> bool {
        // What is looked at while it waits is the picture of then.
        let is_last = self.steering.is_paused();
        is_last || (is_looked_at || self.newest.is_none()) && is_time(&mut self.pictured, BETWEEN_PICTURES)
    }

    /// Stops it, whatever it does.
    pub fn stop(&mut self) {
        match self.stage {
            Stage::Waiting => self.stage = Stage::Stopped,
            stage if stage.is_alive() => {
                self.stage = Stage::Stopping;
                self.steering.stop();
            }
            _ => {}
        }
    }

    /// It has ended with a picture.
    pub fn ended(&mut self, finished: &Finished) {
        let outcome = &finished.outcome;
        self.stage = match finished.failure() {
            None => Stage::Finished,
            Some(failure) if failure.kind == impasto_job::FailureKind::Interrupted => Stage::Stopped,
            Some(failure) => {
                self.error = Some(failure.sentence);
                Stage::Failed
            }
        };
        self.evaluation = outcome.evaluations;
        self.revision = revision_of_result(outcome.iterations);
        self.newest = Some((revision_of_result(outcome.iterations), Arc::new(outcome.picture.clone())));
        self.at_rest();
    }

    /// It could not go on.
    pub fn failed(&mut self, sentence: String) {
        self.stage = Stage::Failed;
        self.error = Some(sentence);
        self.at_rest();
    }

    /// What its folder has need not be here as well.
    pub fn at_rest(&mut self) {
        self.seconds_left = None;
        self.lines = Vec::new();
        self.steering = Steering::default();
    }
}

/// The revision of a picture on the way.
pub fn revision_on_the_way(iteration: u32) -> u32 {
    iteration.saturating_mul(2)
}

/// The revision of the picture that a run has ended with, which need not be its last on the way.
pub fn revision_of_result(iterations: u32) -> u32 {
    iterations.saturating_mul(2).saturating_add(1)
}

/// Whether so long has gone by since the last time, which is now then.
fn is_time(last: &mut Option<Instant>, between: Duration) -> bool {
    let is_time = last.is_none_or(|last| last.elapsed() >= between);
    if is_time {
        *last = Some(Instant::now());
    }
    is_time
}
