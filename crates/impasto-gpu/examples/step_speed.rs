//! What a step of L-BFGS takes beside an evaluation on a GPU, its history on the host and on the device.
//!
//! ```sh
//! cargo run --release -p impasto-gpu --example step_speed -- 512x512 1024x1024
//! ```
//!
//! A run of the default preset is made up of smooth pictures and their real evaluations, each followed by a step with a full
//! history; what the calls of the device's history take is listed apart.
#![forbid(unsafe_code)]

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use impasto::objective::{Objective, request, style_moments};
use impasto::optimiser::{Step, optimiser};
use impasto::recipe::Size;
use impasto::{Recipe, ResolvedRecipe};
use impasto_gpu::{GpuChoice, GpuEngine, adapters, choose};
use impasto_vgg::bfloat16::Bfloat16;
use impasto_vgg::{Engine, EngineError, History, Products, Vectors, Weighing, Weights};

/// Steps that are timed once the history is full.
const TIMED: usize = 21;

/// The seconds of each call of a history since it was last cleared, by its name.
type Calls = Arc<Mutex<Vec<(&'static str, f64)>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let device = choose(&adapters(), GpuChoice::Best)?.open()?;
    let engine = GpuEngine::new(device, Weights::embedded());
    println!("{}", engine.describe().isa);
    for size in std::env::args().skip(1) {
        let Size::Exact { width, height } = size.parse()? else { return Err("give sizes as WIDTHxHEIGHT".into()) };
        let recipe = Recipe::default().resolve()?.with_affordable_history(width as usize, height as usize);
        for is_on_device in [false, true, false, true] {
            time_steps(&engine, &recipe, (width as usize, height as usize), is_on_device)?;
        }
    }
    Ok(())
}

fn time_steps(
    engine: &GpuEngine,
    recipe: &ResolvedRecipe,
    (width, height): (usize, usize),
    is_on_device: bool,
) -> Result<(), Box<dyn Error>> {
    let styles = [(style_moments(recipe, engine, &waves(width, height, 0.21), width, height, None)?, 1.0)];
    let mut objective = Objective::new(recipe, &styles);
    let mut session = engine.session(&request(recipe, width, height, None))?;
    let mut picture = waves(width, height, 0.05);
    session.set_content(&picture)?;
    let mut lbfgs = optimiser(recipe, width, height);
    let calls = Calls::default();
    if is_on_device {
        let history = engine.with_any_history().history(lbfgs.remembers(), picture.len(), None);
        lbfgs.attach(Box::new(Timed {
            inner: history.ok_or("there is no room for the history")?,
            calls: calls.clone(),
        }));
    }
    let mut gradient = vec![0.0; picture.len()];
    let (mut evaluations, mut steps, mut of_calls) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..lbfgs.remembers() + TIMED {
        let started = Instant::now();
        let losses = objective.evaluate(session.as_mut(), &picture, &mut gradient)?;
        let evaluated = Instant::now();
        calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if lbfgs.advance(&mut picture, losses.total, &gradient) != Step::Accepted {
            continue;
        }
        if round >= lbfgs.remembers() {
            evaluations.push((evaluated - started).as_secs_f64());
            steps.push(evaluated.elapsed().as_secs_f64());
            of_calls.push(calls.lock().unwrap_or_else(PoisonError::into_inner).clone());
        }
    }
    let (evaluation_s, step_s) = (median(evaluations), median(steps));
    println!(
        "{width}x{height}, {} pairs, history on the {}: evaluation {:.2} ms, step {:.2} ms, {:.0}%",
        lbfgs.remembers(),
        if is_on_device { "device" } else { "host" },
        1e3 * evaluation_s,
        1e3 * step_s,
        100.0 * step_s / evaluation_s
    );
    for place in 0..of_calls.first().map_or(0, Vec::len) {
        let name = of_calls[0][place].0;
        let seconds = of_calls.iter().filter_map(|calls| calls.get(place)).map(|call| call.1).collect();
        print!("  {name} {:.2}", 1e3 * median(seconds));
    }
    println!();
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A smooth picture `[3, height, width]`.
fn waves(width: usize, height: usize, step: f32) -> Vec<f32> {
    let value = |place: usize| {
        let (plane, y, x) = (place / (width * height), place / width % height, place % width);
        127.0 + 60.0 * (step * x as f32 + plane as f32).sin() + 60.0 * (1.7 * step * y as f32).sin()
    };
    (0..3 * width * height).map(value).collect()
}

/// A history whose calls are timed.
#[derive(Debug)]
struct Timed {
    inner: Box<dyn History>,
    calls: Calls,
}

impl Timed {
    fn time<R>(&mut self, name: &'static str, call: impl FnOnce(&mut dyn History) -> R) -> R {
        let started = Instant::now();
        let result = call(&mut *self.inner);
        let seconds = started.elapsed().as_secs_f64();
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push((name, seconds));
        result
    }
}

impl History for Timed {
    fn push(&mut self, step: &[Bfloat16], change: &[Bfloat16]) -> Result<(), EngineError> {
        self.time("push", |history| history.push(step, change))
    }

    fn clear(&mut self) {
        self.inner.clear();
    }

    fn load(&mut self, vector: &[f32]) -> Result<(), EngineError> {
        self.time("load", |history| history.load(vector))
    }

    fn multiply(&mut self, vectors: Vectors) -> Result<Products, EngineError> {
        self.time("multiply", |history| history.multiply(vectors))
    }

    fn add(&mut self, vectors: Vectors, factors: &[f64], scale: f32) -> Result<(), EngineError> {
        self.time("add", |history| history.add(vectors, factors, scale))
    }

    fn weigh(&mut self, weighing: Weighing<'_>) -> Result<(), EngineError> {
        self.time("weigh", |history| history.weigh(weighing))
    }

    fn read(&mut self, vector: &mut [f32]) -> Result<(), EngineError> {
        self.time("read", |history| history.read(vector))
    }
}
