//! What regions cost: an evaluation with 0, 1, 2 and 4 of them, beside each other.
//!
//! ```text
//! cargo run --release -p impasto-vgg --example guide_speed -- [SIZE] [ROUNDS] [THREADS] [f32|mixed|bf16]
//! ```
//!
//! Each round makes one evaluation (forward, Gram losses, backward at the paper's taps) of each kind, in turn. Prints the median
//! of the rounds' ratios to the evaluation without regions of the same round, in seconds and in the processor's (where the
//! system tells them: on one thread they hardly depend on what else the machine does), the least seconds, and what a session
//! takes.

use std::time::Instant;

use impasto_vgg::{
    Border, CpuEngine, CpuOptions, Engine, EngineError, Guides, Layer, MomentGradients, Observation,
    ObservationGradients, Pooling, Precision, Session, SessionRequest, Weights,
};
use rayon::prelude::*;

const STYLE: [&str; 5] = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];

/// How much of a mask is at `along` of 0..1, of region `region` of `regions` that lie side by side, with edges of this width.
fn share(along: f32, region: usize, regions: usize, edge: f32) -> f32 {
    let up = |boundary: usize| match boundary {
        0 => 1.0,
        boundary if boundary == regions => 0.0,
        _ => ((along - boundary as f32 / regions as f32) / edge + 0.5).clamp(0.0, 1.0),
    };
    (up(region) - up(region + 1)).clamp(0.0, 1.0)
}

/// The kinds of masks: a name, regions, and how much position (y, x), each in 0..1, is in a region.
type Kind = (&'static str, usize, fn(f32, f32, usize) -> f32);
const KINDS: [Kind; 8] = [
    ("none", 0, |_, _, _| 1.0),
    ("one, all", 1, |_, _, _| 1.0),
    ("two, side by side", 2, |_, x, region| share(x, region, 2, 1e-6)),
    ("two, one above the other", 2, |y, _, region| share(y, region, 2, 1e-6)),
    ("two, slanted", 2, |y, x, region| share(0.3 * y + 0.7 * x, region, 2, 1e-6)),
    ("two, edge of 1/8", 2, |_, x, region| share(x, region, 2, 0.125)),
    ("two, everywhere soft", 2, |_, x, region| share(x, region, 2, 2.0)),
    ("four, side by side", 4, |_, x, region| share(x, region, 4, 1e-6)),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let size: usize = arguments.next().map_or(Ok(512), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(7), |text| text.parse())?;
    let threads = arguments.next().map(|text| text.parse()).transpose()?;
    let precision = match arguments.next().as_deref() {
        Some("mixed") => Precision::Mixed,
        Some("bf16") => Precision::Bf16,
        _ => Precision::F32,
    };
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions { threads, isa: None })?;
    println!("{:?} {precision:?} at {size}x{size}", engine.describe());
    let mut evaluations = Vec::new();
    for kind in KINDS {
        evaluations.push(Evaluation::new(&engine, kind, size, precision)?);
    }
    let (mut seconds, mut of_processor) = (vec![Vec::new(); KINDS.len()], vec![Vec::new(); KINDS.len()]);
    for _ in 0..rounds {
        for (kind, evaluation) in evaluations.iter_mut().enumerate() {
            let (start, start_of_processor) = (Instant::now(), processor_seconds());
            evaluation.run()?;
            seconds[kind].push(start.elapsed().as_secs_f64());
            of_processor[kind].push(processor_seconds() - start_of_processor);
        }
    }
    for (kind, ((name, ..), evaluation)) in KINDS.iter().zip(&evaluations).enumerate() {
        let least = seconds[kind].iter().copied().fold(f64::INFINITY, f64::min);
        println!(
            "{name:26} {:.3} times, {:.3} of the processor's, least {least:.3} s, {} MiB",
            median_ratio(&seconds[kind], &seconds[0]),
            median_ratio(&of_processor[kind], &of_processor[0]),
            evaluation.bytes >> 20
        );
    }
    Ok(())
}

fn median_ratio(ours: &[f64], plain: &[f64]) -> f64 {
    let mut ratios: Vec<f64> = ours.iter().zip(plain).map(|(ours, plain)| ours / plain).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// Seconds of the processor that this program has had, in hundredths; NaN where the system does not say.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets: the state is field 3, user and system time are 14 and 15 (proc(5)).
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (field(14) + field(15)) / 100.0
}

struct Evaluation {
    session: Box<dyn Session>,
    bytes: u64,
    image: Vec<f32>,
    target: Observation,
    pixels: Vec<f32>,
}

impl Evaluation {
    fn new(
        engine: &CpuEngine,
        (_, regions, mask): Kind,
        size: usize,
        precision: Precision,
    ) -> Result<Evaluation, EngineError> {
        let layer = |name: &str| Layer::named(name).expect("VGG-19's");
        let request = SessionRequest {
            height: size,
            width: size,
            pooling: Pooling::Average,
            border: Border::Zero,
            precision,
            style_taps: STYLE.iter().map(|name| layer(name)).collect(),
            content_taps: vec![layer("conv4_2")],
            matched_taps: Vec::new(),
            guides: Guides { regions, emphasis: false },
            way_back: true,
            memory_limit_bytes: None,
        };
        let bytes = engine.session_bytes(&request)?;
        let mut session = engine.session(&request)?;
        let image: Vec<f32> = (0..request.picture_len()).map(|place| (place * 37 % 251) as f32).collect();
        session.set_content(&image)?;
        let at = |place: usize| place as f32 / size as f32;
        let places = (0..regions).flat_map(|region| (0..size * size).map(move |place| (place, region)));
        let masks: Vec<f32> = places.map(|(place, region)| mask(at(place / size), at(place % size), region)).collect();
        if regions > 0 {
            session.set_masks(&masks)?;
        }
        let target = session.forward(&image)?;
        let image = image.iter().map(|value| 255.0 - value).collect();
        Ok(Evaluation { session, bytes, image, target, pixels: vec![0.0; request.picture_len()] })
    }

    fn run(&mut self) -> Result<(), EngineError> {
        let seen = self.session.forward(&self.image)?;
        let pairs = seen.moments.par_iter().zip(&self.target.moments).with_max_len(1);
        let moments = pairs.map(|(ours, target)| {
            let pairs = ours.second.iter().zip(&target.second);
            MomentGradients { mean: Vec::new(), second: pairs.map(|(ours, target)| ours - target).collect() }
        });
        let gradients = ObservationGradients { moments: moments.collect(), distances: vec![1.0], matched: Vec::new() };
        self.session.backward(&gradients, &mut self.pixels)
    }
}
