//! What a run will take, told before it: for `impasto plan`, and at the start of `impasto paint`.

use impasto::forecast::{Forecast, MemoryNeed, memory_need, seconds};
use impasto::objective::request;
use impasto::{Picture, ResolvedRecipe, Scale};
use impasto_vgg::cpu::memory::usable_bytes;
use impasto_vgg::{Engine, EngineError};
use serde::Serialize;

use crate::args::{PaintArguments, PlanArguments, RunningArguments};
use crate::failure::Failure;
use crate::job::Job;
use crate::prepared::Prepared;
use crate::show::{Output, Voice};

/// A run that has not begun: what it would do, on which images.
pub struct Intended<'run> {
    /// The recipe, for the size at hand.
    pub recipe: &'run ResolvedRecipe,
    /// What would paint.
    pub engine: &'run dyn Engine,
    /// The sizes, coarse to fine.
    pub scales: &'run [Scale],
    /// All images that were read.
    pub images: Vec<&'run Picture>,
    /// The style images among them.
    pub styles: &'run [Picture],
}

impl Intended<'_> {
    /// The memory that the network may take: what was asked for, or where nothing was and the whole would not fit, what
    /// the images and the optimiser leave. `None` where there is enough of it.
    pub fn network_limit(&self, asked: Option<u64>) -> Result<Option<u64>, EngineError> {
        let (None, Some(usable)) = (asked, usable_bytes()) else { return Ok(asked) };
        if self.engine.describe().has_own_memory {
            // What is free there, the engine finds out for itself.
            return Ok(None);
        }
        let whole = self.memory_need(None)?.bytes;
        if whole <= usable {
            return Ok(None);
        }
        let full = self.scales[self.scales.len() - 1];
        let network = self.engine.session_bytes(&request(self.recipe, full.width, full.height, None))?;
        Ok(Some(usable.saturating_sub(whole.saturating_sub(network))))
    }

    /// The most memory at once.
    pub fn memory_need(&self, network_limit: Option<u64>) -> Result<MemoryNeed, EngineError> {
        let pixels = self.images.iter().map(|image| (image.width * image.height) as u64).sum();
        memory_need(self.recipe, self.engine, self.scales, pixels, &self.style_sizes(), network_limit)
    }

    /// Memory and time; evaluates a small picture.
    pub fn forecast(&self, network_limit: Option<u64>) -> Result<Forecast, EngineError> {
        let memory = self.memory_need(network_limit)?;
        let seconds = seconds(self.recipe, self.engine, self.scales, &self.style_sizes())?;
        Ok(Forecast { memory, seconds })
    }

    fn style_sizes(&self) -> Vec<(usize, usize)> {
        self.styles.iter().map(|style| (style.width, style.height)).collect()
    }
}

/// `about 1.9 GiB, about 9 minutes`, and what of a GPU's own memory where it has any.
pub fn sentence(forecast: &Forecast) -> String {
    let on_device = match forecast.memory.device_bytes {
        0 => String::new(),
        bytes => format!(" and {} on the GPU", memory(bytes)),
    };
    format!("about {}{on_device}, about {}", memory(forecast.memory.bytes), time(forecast.seconds))
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn memory(bytes: u64) -> String {
    match mib(bytes) {
        mib if mib < 1000.0 => format!("{:.0} MiB", (mib / 10.0).round() * 10.0),
        mib => format!("{:.1} GiB", mib / 1024.0),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1.5 => "a second".to_owned(),
        seconds if seconds < 90.0 => format!("{seconds:.0} seconds"),
        seconds if seconds < 5400.0 => format!("{:.0} minutes", seconds / 60.0),
        seconds => format!("{:.1} hours", seconds / 3600.0),
    }
}

/// What `plan --json` prints.
#[derive(Serialize)]
struct PlanLine {
    event: &'static str,
    width: usize,
    height: usize,
    evaluations: u64,
    history: u32,
    memory_mib: f64,
    /// Of a GPU with memory of its own; null where there is none.
    device_mib: Option<f64>,
    seconds: f64,
}

/// `impasto plan`: what `impasto paint` with the same options would take.
///
/// # Errors
/// As `impasto paint` would say them before it begins.
pub fn plan(arguments: &PlanArguments, output: &mut Output) -> Result<(), Failure> {
    let PlanArguments { content, styles, recipe, files, device, memory_limit, json } = arguments.clone();
    let running = RunningArguments { device, memory_limit, json, ..RunningArguments::default() };
    let paint = PaintArguments { content, styles, recipe, files, running, ..PaintArguments::default() };
    let prepared = Prepared::new(Job::of_options(&paint)?, &Voice::new(arguments.json))?;
    let forecast = prepared.forecast()?;
    let Prepared { scales, recipe, .. } = &prepared;
    let full = scales[scales.len() - 1];
    if arguments.json {
        output.json(&PlanLine {
            event: "plan",
            width: full.width,
            height: full.height,
            evaluations: scales.iter().map(|scale| u64::from(scale.evaluations)).sum(),
            history: recipe.history,
            memory_mib: mib(forecast.memory.bytes),
            device_mib: Some(mib(forecast.memory.device_bytes)).filter(|&mib| mib > 0.0),
            seconds: forecast.seconds,
        });
        return output.finish();
    }
    for scale in scales {
        let Scale { width, height, evaluations } = scale;
        output.line(&format!("{width}x{height}: {evaluations} evaluations"));
    }
    output.line(&sentence(&forecast));
    output.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_reads_as_people_say_it() {
        let on =
            |bytes, device_bytes, seconds| sentence(&Forecast { memory: MemoryNeed { bytes, device_bytes }, seconds });
        let said = |bytes, seconds| on(bytes, 0, seconds);
        assert_eq!(on(200 << 20, 3 << 30, 9.0), "about 200 MiB and 3.0 GiB on the GPU, about 9 seconds");
        assert_eq!(said(636 << 20, 64.2), "about 640 MiB, about 64 seconds");
        assert_eq!(said(1946 << 20, 540.0), "about 1.9 GiB, about 9 minutes");
        assert_eq!(said(9 << 30, 9000.0), "about 9.0 GiB, about 2.5 hours");
        assert_eq!(said(0, 0.1), "about 0 MiB, about a second");
    }
}
