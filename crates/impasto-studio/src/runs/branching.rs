//! Runs from runs: the finished picture painted on at twice the size, and a second run from a state of another.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use impasto::disk::read_file;
use impasto::recipe::{Recipe, Size, Start};
use impasto_job::{Branched, Order};
use serde_json::Value;
use tokio::time::timeout_at;

use super::Studio;
use super::about::{About, now_s, short};
use super::begin::Origin;
use super::controls::orderable;
use super::kept::Kept;
use super::order::Ordered;
use super::told::KEPT;
use crate::names::RunId;
use crate::problem::Problem;
use crate::shown::aside;
use crate::wire::{Branch, RunInfo, Stage};

/// How long a branch waits for its parent's state; then it begins from an earlier one.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest side of a picture, in pixels.
const SIDE_LIMIT_PX: u32 = 65_535;

impl Studio {
    /// Puts a run in line that paints a run's picture on at twice its size.
    ///
    /// # Errors
    /// It has no picture; every error of a choice; a line that is full.
    pub async fn larger(self: &Arc<Self>, id: &RunId) -> Result<RunInfo, Problem> {
        let (studio, id) = (Arc::clone(self), id.clone());
        aside(move || studio.larger_now(&id)).await
    }

    fn larger_now(&self, id: &RunId) -> Result<RunInfo, Problem> {
        let (kept, result) = self.result(id)?;
        // The picture at this size is an image like any other.
        let bytes = read_file(&result, 512).map_err(Problem::failed)?;
        let start = self.shelf.bring_image(&kept.about.name, &bytes)?;
        let Value::Object(fields) = orderable(&kept.record.recipe.at_evaluation(u32::MAX)) else {
            return Err(Problem::failed("the run has no recipe"));
        };
        let mut again = fields;
        again.remove("init");
        let base = self.recipe(&again)?;
        let (_, start_file) = self.shelf.image(&start.id)?;
        let twice = |pixels: u32| pixels.saturating_mul(2).min(SIDE_LIMIT_PX);
        let size = match kept.record.recipe.size {
            Size::LongEdge(edge) => Size::LongEdge(twice(edge)),
            Size::Exact { width, height } => Size::Exact { width: twice(width), height: twice(height) },
        };
        // The coarse sizes are behind it, and as many evaluations as each of them had are enough to find new strokes.
        let iterations = kept.record.recipe.coarse_iterations.min(kept.record.recipe.iterations);
        let recipe = Recipe {
            size: Some(size),
            init: Some(Start::File(start_file)),
            levels: Some(1),
            iterations: Some(iterations),
            ..base
        };
        let info = kept.info(self);
        let missing = || Problem::conflict("this run's images cannot be read any more; paint it anew");
        let content = info.content.ok_or_else(missing)?;
        if info.styles.len() != kept.record.inputs.styles.len() {
            return Err(missing());
        }
        let styles = info.styles.iter().map(|style| Ok(self.shelf.image(&style.id)?.1));
        let order = Order {
            content: Some(self.shelf.image(&content.id)?.1),
            styles: styles.collect::<Result<Vec<_>, Problem>>()?,
            recipe,
            ..Order::default()
        };
        let device = self.chosen(kept.about.device.as_deref())?;
        let origin =
            Origin { parent: Some(id.clone()), branched_at: None, name: Some(format!("{}, larger", info.name)) };
        self.begin_ordered(Ordered { order, device, content, styles: info.styles }, origin)
    }

    /// Puts a run in line that goes on from a state of another with other values.
    ///
    /// # Errors
    /// The run has no such state; the values cannot be; a line that is full.
    pub async fn branch(self: &Arc<Self>, id: &RunId, branch: Branch) -> Result<RunInfo, Problem> {
        if branch.from.is_none() {
            self.keep_state(id).await;
        }
        let turn = self.shelf.turn().await?;
        let (studio, id) = (Arc::clone(self), id.clone());
        aside(move || {
            let branched = studio.branch_now(&id, &branch);
            drop(turn);
            branched
        })
        .await
    }

    /// Has a run that is painted here write its state down, and waits until it is there. One that waits has done so.
    async fn keep_state(&self, id: &RunId) {
        let mut told = self.told.subscribe();
        {
            let inner = self.lock();
            match inner.runs.get(id) {
                Some(live) if live.stage == Stage::Painting => live.steering.keep(),
                _ => return,
            }
        }
        let until = Instant::now() + PATIENCE;
        while let Ok(Ok(heard)) = timeout_at(until.into(), told.recv()).await {
            let has_ended =
                heard.event == "state" && self.lock().runs.get(id).is_none_or(|live| live.stage != Stage::Painting);
            if heard.run == *id && (heard.event == KEPT || has_ended) {
                return;
            }
        }
    }

    fn branch_now(&self, id: &RunId, wanted: &Branch) -> Result<RunInfo, Problem> {
        self.check_line()?;
        let kept = match (self.kept(id), self.lock().runs.contains_key(id)) {
            (Ok(kept), _) => kept,
            (Err(_), true) => return Err(Problem::conflict("this run has not begun; begin another in its place")),
            (Err(problem), false) => return Err(problem),
        };
        let info = kept.info(self);
        let change = if wanted.set.is_empty() { None } else { Some(self.read_change(&wanted.set)?) };
        let all = u32::try_from(info.evaluations).unwrap_or(u32::MAX);
        // One that is at its end goes on for as long again at its size.
        let is_at_end = wanted.from.unwrap_or(info.evaluation) >= all;
        let more_evaluations = if is_at_end { kept.record.recipe.iterations } else { 0 };
        let folder = self.branch_folder(&kept.folder);
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let asked = impasto_job::Branch { after_evaluation: wanted.from, change, more_evaluations };
        let device = self.chosen(kept.about.device.as_deref())?;
        let Branched { after_evaluation, .. } =
            self.engines.with(device, |engines| impasto_job::branch(&kept.folder, &folder, &asked, engines))?;
        let about = About {
            name: short(&format!("{}, branched", info.name)),
            parent: Some(id.clone()),
            branched_at: Some(after_evaluation),
            device: kept.about.device,
            created_s: Some(now_s()),
        };
        about.write(&folder);
        let branched = Kept::read(folder).ok_or_else(|| Problem::failed("the branch cannot be read; try again"))?;
        self.line_up_kept(&RunId::of(&name), branched)
    }

    /// A folder for a branch, named after its parent's.
    fn branch_folder(&self, parent: &Path) -> PathBuf {
        let name = parent.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = name.split("-branch").next().unwrap_or_default();
        let mut folders = (1..).map(|number| self.folder.join(format!("{stem}-branch-{number}")));
        folders.find(|folder| folder.symlink_metadata().is_err()).unwrap_or_else(|| self.folder.join(name))
    }
}
