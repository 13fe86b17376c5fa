//! Runs as clients see them: those of this process, and those of the folder.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::controls::{controls, orderable};
use super::figures::{Figures, columns};
use super::kept::Kept;
use super::{Inner, Studio};
use crate::names::{RunId, no_run};
use crate::problem::Problem;
use crate::shown::aside;
use crate::wire::{LossColumns, RunDetail, RunInfo};

impl Inner {
    /// A run of this process, as it is listed.
    pub fn info(&self, id: &RunId) -> Option<RunInfo> {
        let place = self.line.iter().position(|waiting| waiting == id);
        Some(self.runs.get(id)?.info(place.map(|place| place + 1)))
    }
}

impl Studio {
    /// All runs, newest first.
    ///
    /// # Errors
    /// The thread that looks at the folders failed.
    pub async fn list(self: &Arc<Self>) -> Result<Vec<RunInfo>, Problem> {
        let studio = Arc::clone(self);
        aside(move || {
            let mut runs: Vec<RunInfo> = {
                let inner = studio.lock();
                inner.runs.keys().filter_map(|id| inner.info(id)).collect()
            };
            let folders = studio.folders();
            // One of this process whose folder has gone is no more, unless it never had one.
            let is_known = |id: &RunId| runs.iter().any(|run| run.id == *id);
            let others: Vec<RunInfo> = folders
                .into_iter()
                .filter(|(id, _)| !is_known(id))
                .filter_map(|(_, folder)| Some(Kept::read(folder)?.info(&studio)))
                .collect();
            runs.extend(others);
            runs.sort_by(|one, other| (other.created_s, &other.id).cmp(&(one.created_s, &one.id)));
            Ok(runs)
        })
        .await
    }

    /// A run and all that is known of it.
    ///
    /// # Errors
    /// There is none.
    pub async fn detail(self: &Arc<Self>, id: &RunId) -> Result<RunDetail, Problem> {
        let (studio, id) = (Arc::clone(self), id.clone());
        aside(move || studio.detail_now(&id)).await
    }

    fn detail_now(&self, id: &RunId) -> Result<RunDetail, Problem> {
        let live = {
            let inner = self.lock();
            inner.runs.get(id).zip(inner.info(id)).map(|(live, run)| {
                let recipe = live.steering.recipe().or_else(|| live.recipe.clone());
                (run, recipe, live.counts_now(), live.lines.clone(), live.notes.clone())
            })
        };
        let kept = match (&live, self.kept(id)) {
            (None, kept) => Some(kept?),
            (Some(_), kept) => kept.ok(),
        };
        let losses = losses(kept.as_ref(), live.as_ref().map_or(&[], |live| &live.3));
        let of_folder = |kept: Kept| {
            let now = kept.record.recipe.at_evaluation(u32::MAX);
            (Some(kept.record.recipe), Some(now))
        };
        let (run, (recipe, counts), notes) = match (live, kept) {
            // What its folder has is the whole of it.
            (Some((run, _, _, _, notes)), Some(kept)) if !run.state.is_alive() => (run, of_folder(kept), notes),
            (Some((run, recipe, counts, _, notes)), _) => (run, (recipe, counts), notes),
            (None, Some(kept)) => (kept.info(self), of_folder(kept), Vec::new()),
            (None, None) => return Err(no_run()),
        };
        let recipe = recipe.as_ref().map_or(Value::Null, orderable);
        let timeline = recipe.get("timeline").and_then(Value::as_array).cloned().unwrap_or_default();
        let controls = counts.as_ref().map(controls).unwrap_or_default();
        Ok(RunDetail { run, recipe, timeline, controls, losses, notes })
    }

    /// What the dials of each preset are, for those who choose one.
    pub fn preset_values(name: &str) -> Map<String, Value> {
        let recipe = impasto::Recipe { preset: Some(name.to_owned()), ..impasto::Recipe::default() };
        let Ok(recipe) = recipe.resolve() else { return Map::new() };
        let mut values = controls(&recipe);
        values.insert("size".to_owned(), json!(recipe.size));
        values.insert("iterations".to_owned(), json!(recipe.iterations));
        values
    }
}

/// The lines of the folder, and those that are newer.
fn losses(kept: Option<&Kept>, newer: &[Figures]) -> LossColumns {
    let mut lines = kept.map(Kept::lines).unwrap_or_default();
    let last = lines.last().map_or(0, |line| line.evaluation);
    lines.extend(newer.iter().filter(|line| line.evaluation > last).cloned());
    columns(&lines)
}
