//! `impasto plan`: what `impasto paint` with the same options would take.

use impasto::Scale;
use impasto_job::{Failure, Job, Order};
use serde::Serialize;

use crate::args::PlanArguments;
use crate::commands::engines;
use crate::commands::piped::read_piped;
use crate::show::{Output, Voice, forecast_sentence, mib};

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

/// Says it.
///
/// # Errors
/// As `impasto paint` would say them before it begins.
pub fn plan(arguments: &PlanArguments, output: &mut Output) -> Result<(), Failure> {
    let order = Order { held: read_piped(arguments.inputs())?, ..arguments.order()? };
    let mut job = Job::new(&order, &arguments.files.plain(None), None)?;
    job.memory_limit_bytes = arguments.memory_limit;
    let voice = Voice::new(arguments.json);
    let mut engines = engines::for_one(arguments.device, &voice);
    let prepared = job.prepare(&mut engines)?;
    let forecast = prepared.forecast()?;
    let full = prepared.full();
    if arguments.json {
        output.json(&PlanLine {
            event: "plan",
            width: full.width,
            height: full.height,
            evaluations: prepared.scales().iter().map(|scale| u64::from(scale.evaluations)).sum(),
            history: prepared.recipe().history,
            memory_mib: mib(forecast.memory.bytes),
            device_mib: Some(mib(forecast.memory.device_bytes)).filter(|&mib| mib > 0.0),
            seconds: forecast.seconds,
        });
        return output.finish();
    }
    prepared.notes().iter().for_each(|note| voice.note(note));
    for scale in prepared.scales() {
        let Scale { width, height, evaluations } = scale;
        output.line(&format!("{width}x{height}: {evaluations} evaluations"));
    }
    output.line(&forecast_sentence(&forecast));
    output.finish()
}
