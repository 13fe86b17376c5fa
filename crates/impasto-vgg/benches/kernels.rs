//! Each kernel of the CPU engine at the shapes of a 512x512 picture, with the best instruction set or the one that
//! `IMPASTO_ISA` names, on all threads: `cargo bench -p impasto-vgg --bench kernels`.
//!
//! The example `kernel_speed` prints the same convolutions as a table, for all instruction sets.

#![expect(missing_docs, reason = "the functions that criterion's macros make have none")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use impasto_vgg::cpu::buffer::{FeatureRows, SignRows};
use impasto_vgg::cpu::direct::{FirstConvolution, Picture};
use impasto_vgg::cpu::injection::{Injection, MomentPanel, MomentPull, inject};
use impasto_vgg::cpu::isa::{InstructionSet, LANES, Lanes};
use impasto_vgg::cpu::moments::MomentSums;
use impasto_vgg::cpu::winograd::{
    BackwardOutputs, ForwardOutputs, Gradient, Scratch, TILE, WinogradWeights, convolve_backward, convolve_forward,
};
use impasto_vgg::{Border, MomentGradients, Precision, Weights};

/// Convolution (its place in VGG-19) and side of the square map.
const SHAPES: [(usize, usize); 5] = [(1, 512), (3, 256), (5, 128), (9, 64), (12, 32)];

fn instruction_set() -> InstructionSet {
    InstructionSet::from_environment().expect("IMPASTO_ISA names an instruction set of this processor")
}

fn map_of(channels: usize, side: usize) -> FeatureRows {
    let mut map = FeatureRows::new(channels, side, side, side);
    map.fill(Lanes([0.5; LANES]));
    map
}

fn convolutions(criterion: &mut Criterion) {
    let set = instruction_set();
    let scratch = Scratch::new(rayon::current_num_threads());
    let mut group = criterion.benchmark_group("winograd");
    group.sample_size(10);
    for (convolution, side) in SHAPES {
        let network = Weights::embedded();
        let weights = &network.convolutions()[convolution];
        let shape = format!("{}_to_{}_at_{side}", weights.inputs, weights.outputs);
        let mut input = map_of(weights.inputs, side);
        let mut output = map_of(weights.outputs, side);
        let mut signs = SignRows::new(weights.outputs, side, side, side);
        let rows = 0..side.div_ceil(TILE);
        group.throughput(Throughput::Elements((9 * weights.inputs * weights.outputs * side * side) as u64));
        for precision in [Precision::F32, Precision::Bf16] {
            if precision == Precision::Bf16 && !set.has_bf16() {
                continue;
            }
            let forward = WinogradWeights::forward(set, weights, precision);
            group.bench_function(BenchmarkId::new(format!("forward_{precision:?}"), &shape), |bencher| {
                bencher.iter(|| {
                    let (map, signs) = (Some(&mut output), Some(&mut signs));
                    let outputs = ForwardOutputs { bias: &weights.bias, map, signs, pooled: None };
                    convolve_forward(set, &forward, &input, rows.clone(), outputs, &scratch);
                });
            });
            let backward = WinogradWeights::backward(set, weights, precision);
            group.bench_function(BenchmarkId::new(format!("backward_{precision:?}"), &shape), |bencher| {
                bencher.iter(|| {
                    let gradient =
                        Gradient { height: side, width: side, direct: Some(&output), pooled: None, signs: None };
                    let outputs = BackwardOutputs { map: &mut input, accumulate: false, signs: None };
                    convolve_backward(set, &backward, &gradient, rows.clone(), outputs, &scratch);
                });
            });
        }
    }
    group.finish();
}

fn first_convolution(criterion: &mut Criterion) {
    let (set, side) = (instruction_set(), 512);
    let convolution = FirstConvolution::new(&Weights::embedded().convolutions()[0]);
    let mut pixels = vec![100.0; 3 * side * side];
    let mut map = map_of(64, side);
    let mut signs = SignRows::new(64, side, side, side);
    let rows = 0..side.div_ceil(TILE);
    let mut group = criterion.benchmark_group("conv1_1");
    group.sample_size(10).throughput(Throughput::Elements((27 * 64 * side * side) as u64));
    group.bench_function("forward", |bencher| {
        bencher.iter(|| {
            let picture = Picture { pixels: &pixels, height: side, width: side, border: Border::Zero };
            let outputs = ForwardOutputs { bias: &[], map: Some(&mut map), signs: Some(&mut signs), pooled: None };
            convolution.forward(set, picture, rows.clone(), outputs);
        });
    });
    let gradient = Gradient { height: side, width: side, direct: Some(&map), pooled: None, signs: None };
    group.bench_function("backward", |bencher| {
        bencher.iter(|| convolution.backward(set, &gradient, Border::Zero, rows.clone(), &mut pixels));
    });
    group.finish();
}

fn moments(criterion: &mut Criterion) {
    let set = instruction_set();
    let mut group = criterion.benchmark_group("moments");
    group.sample_size(10);
    for (channels, side) in [(64, 512), (256, 128), (512, 32)] {
        let features = map_of(channels, side);
        let shape = format!("{channels}_at_{side}");
        group.throughput(Throughput::Elements((channels * channels / 2 * side * side) as u64));
        let mut sums = MomentSums::new(channels);
        group.bench_function(BenchmarkId::new("sums", &shape), |bencher| {
            bencher.iter(|| sums.add(set, black_box(&features), None, 0..side));
        });
        group.throughput(Throughput::Elements((channels * channels * side * side) as u64));
        let mut panel = MomentPanel::new(set, channels);
        let gradients = MomentGradients { mean: vec![1.0; channels], second: vec![1.0; channels * channels] };
        panel.fill(&gradients, (side * side) as f64, Precision::F32);
        let pull = [MomentPull { panel: &panel, guide: None }];
        let mut gradient = map_of(channels, side);
        group.bench_function(BenchmarkId::new("gradient", &shape), |bencher| {
            bencher.iter(|| {
                inject(set, Injection { moments: &pull, content: None }, &features, &mut gradient, 0..side);
            });
        });
    }
    group.finish();
}

criterion_group!(kernels, convolutions, first_convolution, moments);
criterion_main!(kernels);
