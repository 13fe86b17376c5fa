//! `impasto bench`: time and memory of one evaluation, that is forward, losses and gradient.
//!
//! The work is that of the authors' own notebook on random images: Gram matrices of conv1_1 to conv5_1, mean squared
//! difference at conv4_2, average pooling, a square picture. After the evaluations that warm up, each is timed by itself.
//! The sum over the gradient's bytes tells whether two runs did the same: with other threads, or another memory limit.

use std::time::Instant;

use impasto::Picture;
use impasto::crc32c::Crc32c;
use impasto::objective::{Objective, request, style_moments};
use impasto::recipe::{Recipe, Start};
use impasto::resolve::ResolvedRecipe;
use impasto::start::{StartImages, start_picture};
use impasto_job::Failure;
use impasto_job::engine::{load_weights, open_engine};
use impasto_job::machine::peak_mib;
use impasto_vgg::profile::LayerTime;
use impasto_vgg::{Engine, EngineError, Pooling, Precision, Session, SessionRequest};
use serde::Serialize;

use crate::args::BenchArguments;
use crate::show::{Output, Voice, say};

/// Standard deviation of the random images, in units of 0..255.
const IMAGE_DEVIATION: f64 = 60.0;

/// What `--json` prints.
#[derive(Serialize)]
struct Figures {
    /// `cpu` or `gpu`.
    engine: String,
    size: u32,
    threads: usize,
    median_s: f64,
    min_s: f64,
    /// Of the whole process; null where the system does not say.
    peak_mib: Option<f64>,
    /// Of the GPU's own memory, as planned; null where it has none.
    device_mib: Option<f64>,
    /// The instruction set, or the GPU's name.
    isa: String,
    precision: Precision,
    /// CRC-32C of the gradient's bytes, in hexadecimal.
    gradient_crc32c: String,
}

/// Measures and prints.
///
/// # Errors
/// A wrong instruction set, products that the processor does not have, too little memory.
pub fn bench(arguments: &BenchArguments, output: &mut Output) -> Result<(), Failure> {
    let (weights, notes) = load_weights(&arguments.weights, None)?;
    notes.iter().for_each(|note| say(note));
    let engine =
        open_engine(&weights, arguments.device.threads, arguments.device.device, &Voice::new(false).hearing(), false)?;
    let description = engine.describe();
    let missing = match arguments.precision {
        Precision::Bf16 | Precision::Mixed if !description.has_bf16 => Some("has no bfloat16 products"),
        Precision::F16 if !description.has_f16 => Some("keeps everything in f32"),
        _ => None,
    };
    if let Some(missing) = missing {
        return Err(Failure::failed(format_args!(
            "--precision {} cannot be measured with {}, which {missing}; leave it out",
            format!("{:?}", arguments.precision).to_lowercase(),
            description.isa
        )));
    }
    let mut work = Work::new(arguments, &*engine)?;
    for _ in 0..arguments.warm_up {
        work.evaluate()?;
    }
    work.session.clear_times();
    let mut seconds = Vec::new();
    for _ in 0..arguments.iterations {
        let started = Instant::now();
        work.evaluate()?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    let total = seconds.iter().sum();
    seconds.sort_by(f64::total_cmp);
    // With `auto`, another engine may have ended what one began.
    let description = engine.describe();
    let figures = Figures {
        engine: description.name,
        size: arguments.size,
        threads: description.threads,
        median_s: seconds[seconds.len() / 2],
        min_s: seconds[0],
        peak_mib: peak_mib(),
        device_mib: work.device_mib(&*engine)?,
        isa: description.isa,
        precision: arguments.precision,
        gradient_crc32c: work.gradient_crc32c(),
    };
    if arguments.json {
        output.json(&figures);
    } else {
        output.line(&figures.sentence());
    }
    if arguments.layers {
        print_layers(&work.session.times(), f64::from(arguments.iterations), total, output);
    }
    output.finish()
}

impl Figures {
    fn sentence(&self) -> String {
        let Figures { size, threads, median_s, min_s, isa, .. } = self;
        let peak = self.peak_mib.map_or("unknown".to_owned(), |mib| format!("{mib:.0} MiB"));
        let each = format!("median {median_s:.3} s, least {min_s:.3} s an evaluation");
        let sum = &self.gradient_crc32c;
        format!(
            "{size}x{size}, {isa}, {:?}, {threads} threads: {each}, peak memory {peak}, gradient {sum}",
            self.precision
        )
    }
}

/// Everything that an evaluation needs.
struct Work {
    objective: Objective,
    session: Box<dyn Session>,
    picture: Picture,
    gradient: Vec<f32>,
}

impl Work {
    fn new(arguments: &BenchArguments, engine: &dyn Engine) -> Result<Work, Failure> {
        let preset = Some("authors".to_owned());
        let recipe = Recipe { preset, pool: Some(Pooling::Average), ..Recipe::default() }.resolve()?;
        let (side, limit) = (arguments.size as usize, arguments.memory_limit);
        let request = SessionRequest { precision: arguments.precision, ..request(&recipe, side, side, limit) };
        // A limit that is too low is said now, and not after the style's share of the work.
        engine.session_bytes(&request)?;
        let style = random_image(&recipe, side, 1)?;
        let moments = style_moments(&recipe, engine, &style.values, side, side, limit)?;
        drop(style);
        let objective = Objective::new(&recipe, &[(moments, 1.0)]);
        let mut session = engine.session(&request)?;
        session.set_content(&random_image(&recipe, side, 2)?.values)?;
        let picture = random_image(&recipe, side, 3)?;
        let gradient = vec![0.0; picture.values.len()];
        Ok(Work { objective, session, picture, gradient })
    }

    /// What the session takes of a GPU's own memory.
    fn device_mib(&self, engine: &dyn Engine) -> Result<Option<f64>, EngineError> {
        if !engine.describe().has_own_memory {
            return Ok(None);
        }
        Ok(Some(engine.session_bytes(self.session.request())? as f64 / f64::from(1 << 20)))
    }

    fn evaluate(&mut self) -> Result<(), EngineError> {
        self.objective.evaluate(self.session.as_mut(), &self.picture.values, &mut self.gradient).map(drop)
    }

    fn gradient_crc32c(&self) -> String {
        let mut sum = Crc32c::default();
        self.gradient.iter().for_each(|value| sum.update(&value.to_le_bytes()));
        format!("{:08x}", sum.value())
    }
}

/// One line for each layer and kind of operation, in the order of an evaluation, then what lies between them.
fn print_layers(times: &[LayerTime], evaluations: f64, total_s: f64, output: &mut Output) {
    output.line(&format!("{:<9} {:<8} {:>8} {:>6} {:>9}", "step", "layer", "ms", "share", "GFLOP/s"));
    for time in times {
        let (step, layer) = (format!("{:?}", time.step).to_lowercase(), time.layer.name());
        let (milliseconds, share) = (1e3 * time.seconds / evaluations, 100.0 * time.seconds / total_s);
        let speed = time.direct_flop / time.seconds / 1e9;
        output.line(&format!("{step:<9} {layer:<8} {milliseconds:>8.2} {share:>5.1}% {speed:>9.0}"));
    }
    let rest = total_s - times.iter().map(|time| time.seconds).sum::<f64>();
    let (milliseconds, share) = (1e3 * rest / evaluations, 100.0 * rest / total_s);
    output.line(&format!("{:<18} {milliseconds:>8.2} {share:>5.1}%", "everything else"));
}

/// White noise around the mean colour.
fn random_image(recipe: &ResolvedRecipe, side: usize, seed: u64) -> Result<Picture, Failure> {
    let recipe = ResolvedRecipe { init: Start::Noise, seed, noise_deviation: IMAGE_DEVIATION, ..recipe.clone() };
    let size = Picture::filled(side, side, [0.0; 3]).map_err(Failure::failed)?;
    let drawn = start_picture(&recipe, StartImages { content: &size, style: None, file: None });
    drawn.map_err(Failure::failed)?.ok_or_else(|| Failure::failed("noise needs no image, yet one is missing"))
}
