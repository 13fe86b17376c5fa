//! Runs from runs: the finished picture painted on at twice the size, and a second run from a state of another.

use std::sync::Arc;

use impasto::disk::read_file;
use impasto::recipe::{Recipe, Size, Start};
use impasto_job::Order;
use serde_json::Value;

use super::Studio;
use super::begin::Origin;
use super::controls::orderable;
use super::order::Ordered;
use crate::names::RunId;
use crate::problem::Problem;
use crate::shown::aside;
use crate::wire::{Branch, RunInfo};

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
        let origin = Origin {
            parent: Some(id.clone()),
            branched_at: Some(info.evaluation),
            name: Some(format!("{}, larger", info.name)),
        };
        self.begin_ordered(Ordered { order, device, content, styles: info.styles }, origin)
    }

    /// Puts a run in line that goes on from a state of another with other values.
    ///
    /// # Errors
    /// The run has no such state; the values cannot be; a line that is full.
    pub async fn branch(self: &Arc<Self>, id: &RunId, branch: Branch) -> Result<RunInfo, Problem> {
        let _ = (self.recipe(&branch.set)?, self.kept(id)?);
        Err(Problem::conflict("this is not connected yet"))
    }
}
