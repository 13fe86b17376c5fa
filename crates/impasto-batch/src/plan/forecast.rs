//! What each task takes: memory by its sizes, time by one picture that is timed and the work of the others beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use impasto::forecast::{MemoryNeed, memory_need, seconds};
use impasto::{ResolvedRecipe, Scale};
use impasto_job::order::ResolvedOrder;
use impasto_job::{Engines, Failure};
use impasto_vgg::{Engine, EngineDescription};

use super::look::Looked;

/// What a task takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskForecast {
    /// Memory at once, in MiB.
    pub memory_mib: f64,
    /// A GPU's own memory, in MiB.
    pub device_mib: f64,
    /// Time, in seconds.
    pub seconds: f64,
}

/// Tells what tasks take.
pub struct Forecaster {
    engine: Arc<dyn Engine>,
    memory_limit_bytes: Option<u64>,
    /// Seconds for a pixel and an evaluation, once one task was timed.
    pace_s: Option<f64>,
    /// Tasks of the same sizes take the same.
    known: BTreeMap<Vec<usize>, TaskForecast>,
}

impl Forecaster {
    /// Opens the engine, on the weights of this order, which are those of all.
    ///
    /// # Errors
    /// The engine's.
    pub fn open(
        order: &ResolvedOrder,
        engines: &mut Engines,
        memory_limit_bytes: Option<u64>,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Forecaster, Failure> {
        let (engine, notes) = engines.open(&order.weights, order.recipe.weights_input)?;
        notes.iter().for_each(|note| tell(note));
        Ok(Forecaster { engine, memory_limit_bytes, pace_s: None, known: BTreeMap::new() })
    }

    /// What the engine is.
    pub fn describe(&self) -> EngineDescription {
        self.engine.describe()
    }

    /// What the task of this recipe and order takes.
    ///
    /// # Errors
    /// A picture that takes more than the limit of memory.
    pub fn of(
        &mut self,
        recipe: &ResolvedRecipe,
        order: &ResolvedOrder,
        looked: &Looked,
    ) -> Result<TaskForecast, Failure> {
        let files = order.files();
        let sizes: Vec<(usize, usize)> =
            files.all().map(|path| looked.seen(path)).map(|it| (it.width, it.height)).collect();
        let styles = sizes[1..=files.styles.len()].to_vec();
        let image_pixels = sizes.iter().map(|(width, height)| (width * height) as u64).sum();
        let scales = impasto::scales(recipe, sizes[0].0, sizes[0].1);
        let key: Vec<usize> = sizes.iter().flat_map(|(width, height)| [*width, *height]).collect();
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let need = memory_need(recipe, &*self.engine, &scales, image_pixels, &styles, self.memory_limit_bytes);
        let MemoryNeed { bytes, device_bytes } =
            need.map_err(|error| Failure::failed(format_args!("{}: {error}", order.content.display())))?;
        let work = work(&scales);
        let pace_s = match self.pace_s {
            Some(pace_s) => pace_s,
            None => seconds(recipe, &*self.engine, &scales, &styles)? / work.max(1.0),
        };
        self.pace_s = Some(pace_s);
        let mib = |bytes: u64| (bytes as f64 / f64::from(1 << 20)).round();
        let forecast =
            TaskForecast { memory_mib: mib(bytes), device_mib: mib(device_bytes), seconds: tenths(pace_s * work) };
        self.known.insert(key, forecast);
        Ok(forecast)
    }
}

/// Pixels times evaluations.
fn work(scales: &[Scale]) -> f64 {
    scales.iter().map(|scale| (scale.width * scale.height) as f64 * f64::from(scale.evaluations)).sum()
}

fn tenths(seconds: f64) -> f64 {
    (10.0 * seconds).round() / 10.0
}
