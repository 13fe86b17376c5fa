//! How fast the convolution kernels are on this machine, for each instruction set and shape.
//!
//! ```text
//! cargo run --release -p impasto-vgg --example kernel_speed -- [THREADS] [SECONDS A SHAPE] [ISA ...]
//! ```
//!
//! Prints milliseconds (the least of all rounds of a tenth of a second) and GFLOP/s of direct-equivalent work: 2 x 9 x inputs x outputs x
//! positions, whatever the algorithm does.

use std::time::{Duration, Instant};

use impasto_vgg::cpu::buffer::{FeatureRows, SignRows};
use impasto_vgg::cpu::direct::{FirstConvolution, Picture};
use impasto_vgg::cpu::isa::InstructionSet;
use impasto_vgg::cpu::winograd::{
    BackwardOutputs, ForwardOutputs, Gradient, Pooled, PooledGradient, Scratch, TILE, WinogradWeights,
    convolve_backward, convolve_forward,
};
use impasto_vgg::{Border, Pooling, Precision, Weights};

/// Convolution (its place in VGG-19) and side of the square map.
const SHAPES: [(usize, usize); 7] = [(1, 512), (2, 256), (3, 256), (5, 128), (9, 64), (12, 32), (12, 16)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let threads: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let seconds: f64 = arguments.next().map_or(Ok(1.0), |text| text.parse())?;
    let names: Vec<String> = arguments.collect();
    let sets: Vec<InstructionSet> = match names.as_slice() {
        [] => InstructionSet::available(),
        names => names.iter().map(|name| InstructionSet::named(name)).collect::<Result<_, _>>()?,
    };
    let limit = Duration::from_secs_f64(seconds);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    for set in sets {
        println!("{} with {threads} threads", set.name());
        for (convolution, side) in SHAPES {
            for precision in [Precision::F32, Precision::Mixed, Precision::Bf16] {
                if precision == Precision::F32 || set.has_bf16() {
                    pool.install(|| measure(set, convolution, side, precision, threads, limit));
                }
            }
        }
        pool.install(|| measure_first(set, 512, limit));
    }
    Ok(())
}

/// The least time of all rounds within `limit`, in milliseconds for one piece of work. With one thread, what other
/// processes take of the processor does not count; that clock ticks every few milliseconds, so rounds are long.
fn least(limit: Duration, mut work: impl FnMut()) -> f64 {
    const ROUND_S: f64 = 0.1;
    let first = Instant::now();
    work();
    let pieces = (ROUND_S / first.elapsed().as_secs_f64()).ceil().max(1.0) as u32;
    let start = Instant::now();
    let mut least = f64::INFINITY;
    while start.elapsed() < limit || least.is_infinite() {
        let (round, on_processor) = (Instant::now(), processor_time_ns());
        (0..pieces).for_each(|_| work());
        let wall_ns = round.elapsed().as_nanos() as f64;
        let ns = match (on_processor, processor_time_ns()) {
            (Some(before), Some(after)) if rayon::current_num_threads() == 1 => (after - before) as f64,
            _ => wall_ns,
        };
        least = least.min(ns / 1e6 / f64::from(pieces));
    }
    least
}

/// Time that this thread has spent on a processor, where the system tells.
fn processor_time_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

fn measure(
    set: InstructionSet,
    convolution: usize,
    side: usize,
    precision: Precision,
    threads: usize,
    limit: Duration,
) {
    let network = Weights::embedded();
    let weights = &network.convolutions()[convolution];
    let (inputs, outputs) = (weights.inputs, weights.outputs);
    let forward = WinogradWeights::forward(set, weights, precision);
    let backward = WinogradWeights::backward(set, weights, precision);
    let scratch = Scratch::new(threads);
    let half = side.div_ceil(2);
    let mut input = FeatureRows::new(inputs, side, side, side);
    input.fill(impasto_vgg::cpu::isa::Lanes([0.5; 16]));
    let mut map = FeatureRows::new(outputs, side, side, side);
    let mut signs = SignRows::new(outputs, side, side, side);
    let mut pooled = FeatureRows::new(outputs, half, half, half);
    let rows = 0..side.div_ceil(TILE);

    let plain = least(limit, || {
        let outputs =
            ForwardOutputs { bias: &weights.bias, map: Some(&mut map), signs: Some(&mut signs), pooled: None };
        convolve_forward(set, &forward, &input, rows.clone(), outputs, &scratch);
    });
    let into_pool = least(limit, || {
        let pooled = Pooled { pooling: Pooling::Average, map: &mut pooled, winners: None };
        let outputs = ForwardOutputs { bias: &weights.bias, map: None, signs: Some(&mut signs), pooled: Some(pooled) };
        convolve_forward(set, &forward, &input, rows.clone(), outputs, &scratch);
    });
    let gradient = Gradient { height: side, width: side, direct: Some(&map), pooled: None, signs: None };
    let back = least(limit, || {
        let outputs = BackwardOutputs { map: &mut input, accumulate: false, signs: None };
        convolve_backward(set, &backward, &gradient, rows.clone(), outputs, &scratch);
    });
    let pooled = PooledGradient { map: &pooled, winners: None };
    let gradient = Gradient { height: side, width: side, direct: None, pooled: Some(pooled), signs: Some(&signs) };
    let back_from_pool = least(limit, || {
        let outputs = BackwardOutputs { map: &mut input, accumulate: false, signs: None };
        convolve_backward(set, &backward, &gradient, rows.clone(), outputs, &scratch);
    });
    let work = 18.0 * inputs as f64 * outputs as f64 * (side * side) as f64 / 1e6;
    let figures = [plain, into_pool, back, back_from_pool].map(|time| format!("{time:8.2} ({:5.0})", work / time));
    println!(
        "  {precision:?} {inputs:3} to {outputs:3} at {side:3}: forward {} pooled {} back {} from pool {}",
        figures[0], figures[1], figures[2], figures[3]
    );
}

fn measure_first(set: InstructionSet, side: usize, limit: Duration) {
    let convolution = FirstConvolution::new(&Weights::embedded().convolutions()[0]);
    let mut pixels = vec![100.0; 3 * side * side];
    let mut map = FeatureRows::new(64, side, side, side);
    let mut signs = SignRows::new(64, side, side, side);
    let rows = 0..side.div_ceil(TILE);
    let forward = least(limit, || {
        let picture = Picture { pixels: &pixels, height: side, width: side, border: Border::Zero };
        let outputs = ForwardOutputs { bias: &[], map: Some(&mut map), signs: Some(&mut signs), pooled: None };
        convolution.forward(set, picture, rows.clone(), outputs);
    });
    let gradient = Gradient { height: side, width: side, direct: Some(&map), pooled: None, signs: None };
    let back = least(limit, || convolution.backward(set, &gradient, Border::Zero, rows.clone(), &mut pixels));
    println!("  F32   3 to  64 at {side:3}: forward {forward:8.2}                          back {back:8.2}");
}
