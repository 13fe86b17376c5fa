//! What a run would take, said before it stands in line.

use std::collections::VecDeque;
use std::sync::Arc;

use impasto::forecast::{memory_need, seconds};
use impasto::{ResolvedRecipe, Scale, scales};
use impasto_job::pace::Plan;
use impasto_job::{DeviceChoice, Job};

use super::Studio;
use super::begin::files;
use super::order::Ordered;
use crate::problem::Problem;
use crate::shown::aside;
use crate::wire::{Forecast, ForecastSize, NewRun, Stage};

/// Paces that are remembered.
const REMEMBERED: usize = 32;

/// Seconds that an evaluation takes a pixel, by what it is of.
#[derive(Debug, Default)]
pub struct Paces(VecDeque<(String, f64)>);

impl Paces {
    fn find(&self, key: &str) -> Option<f64> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, pace)| *pace)
    }

    fn remember(&mut self, key: String, pace: f64) {
        self.0.retain(|(known, _)| *known != key);
        self.0.push_back((key, pace));
        if self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
    }
}

impl Studio {
    /// What a run would take.
    ///
    /// # Errors
    /// Every error of a choice; less memory than it needs.
    pub async fn forecast(self: &Arc<Self>, new: NewRun) -> Result<Forecast, Problem> {
        let studio = Arc::clone(self);
        // One at a time, so that they do not measure each other.
        let turn = self.forecasts.acquire().await.map_err(Problem::failed)?;
        let forecast = aside(move || studio.forecast_now(&studio.ordered(&new)?)).await;
        drop(turn);
        forecast
    }

    fn forecast_now(&self, ordered: &Ordered) -> Result<Forecast, Problem> {
        let Ordered { order, device, content, styles } = ordered;
        let job = Job::new(order, &files(), None)?;
        let scales = scales(&job.order().recipe, content.width, content.height);
        let full = scales[scales.len() - 1];
        let recipe = job.order().recipe_at(full.width, full.height);
        let opened = self.engines.with(*device, |engines| engines.open(&job.order().weights, recipe.weights_input));
        let (engine, _) = opened?;
        let pixels = styles.iter().chain([content]).map(|image| (image.width * image.height) as u64).sum();
        let sizes: Vec<(usize, usize)> = styles.iter().map(|style| (style.width, style.height)).collect();
        let need = memory_need(&recipe, &*engine, &scales, pixels, &sizes, None).map_err(Problem::wrong)?;
        let key = key(*device, &recipe);
        let known = self.paces.lock().unwrap_or_else(std::sync::PoisonError::into_inner).find(&key);
        let seconds = match known {
            // What is painted meanwhile would be measured as well.
            Some(pace) if self.is_painting() => pace * evaluated_pixels(&scales),
            _ => {
                let seconds = seconds(&recipe, &*engine, &scales, &sizes).map_err(Problem::failed)?;
                let pace = seconds / evaluated_pixels(&scales).max(1.0);
                self.paces.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remember(key, pace);
                seconds
            }
        };
        let sizes =
            scales.iter().map(|&Scale { width, height, evaluations }| ForecastSize { width, height, evaluations });
        let memory_mib = need.bytes.max(need.device_bytes).div_ceil(1 << 20);
        Ok(Forecast { seconds, memory_mib, width: full.width, height: full.height, sizes: sizes.collect() })
    }

    fn is_painting(&self) -> bool {
        self.lock().runs.values().any(|live| matches!(live.stage, Stage::Painting | Stage::Preparing | Stage::Stopping))
    }
}

/// What the time of an evaluation depends on, besides its pixels.
fn key(device: DeviceChoice, recipe: &ResolvedRecipe) -> String {
    let layers = recipe.counted_style_layers().len() + recipe.counted_content_layers().len();
    format!(
        "{device} {:?} {:?} {:?} {layers} {:?} {}",
        recipe.style_loss,
        recipe.optimizer,
        recipe.precision,
        recipe.counted_match_layers(),
        recipe.regions.len()
    )
}

/// Pixels of all evaluations.
fn evaluated_pixels(scales: &[Scale]) -> f64 {
    Plan::of(scales).0.iter().map(|stage| stage.pixels as f64 * stage.evaluations as f64).sum()
}
