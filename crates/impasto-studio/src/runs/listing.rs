//! Runs as clients see them: those of this process, and those of the folder.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::controls::{controls, orderable, ordered};
use super::figures::{Figures, columns};
use super::kept::Kept;
use super::{Inner, Studio};
use crate::names::RunId;
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
                let recipe = live.recipe.as_ref();
                let fields = match (recipe, &live.order) {
                    (Some(recipe), _) => orderable(recipe),
                    (None, Some(order)) => ordered(&order.recipe),
                    (None, None) => Value::Null,
                };
                let controls = live.steering.controls().cloned().or_else(|| recipe.map(controls)).unwrap_or_default();
                (run, fields, controls, live.lines.clone(), live.notes.clone(), live.steering.timeline().to_vec())
            })
        };
        let kept = match (&live, self.kept(id)) {
            (None, kept) => Some(kept?),
            (Some(_), kept) => kept.ok(),
        };
        let losses = losses(kept.as_ref(), live.as_ref().map_or(&[], |live| &live.3));
        if let Some((run, recipe, controls, _, notes, timeline)) = live {
            let timeline =
                if timeline.is_empty() { kept.as_ref().map(timeline_of).unwrap_or_default() } else { timeline };
            return Ok(RunDetail { run, recipe, timeline, controls, losses, notes });
        }
        let kept = kept.ok_or_else(crate::names::no_run)?;
        Ok(RunDetail {
            run: kept.info(self),
            recipe: orderable(&kept.record.recipe),
            timeline: timeline_of(&kept),
            controls: controls(&kept.record.recipe),
            losses,
            notes: Vec::new(),
        })
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

/// The changes that stand in a run's recipe.
fn timeline_of(kept: &Kept) -> Vec<Value> {
    match serde_json::to_value(&kept.record.recipe) {
        Ok(Value::Object(mut fields)) => match fields.remove("timeline") {
            Some(Value::Array(entries)) => entries,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
