//! The large tile of positions, which only pictures of some size are made in.

use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::{Border, CpuEngine, CpuOptions, Engine, Pooling, Strategy, Weights};

use crate::engine;
use crate::evaluation::{Answers, evaluate, evaluate_in};
use crate::support::conformance::{named, request};
use crate::support::{relative_l2, relative_max, widen};

/// Pictures large enough for conv1_1 and conv1_2 to be made in tiles of 8x4 windows, the last of which are cut both ways; all
/// other tests' pictures are made in tiles of 4x4.
const SIZES: [(usize, usize); 2] = [(203, 97), (131, 113)];

/// As the processor computes it, and the same bytes where bands end in the middle of a tile.
#[test]
fn large_tiles_whole_and_cut_by_bands() {
    let Some(gpu) = engine() else { return };
    let cpu = CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(2), isa: None }).unwrap();
    for size in SIZES {
        let taps = ["conv1_1", "conv1_2"].map(named);
        let request = request(size, (Pooling::Max, Border::Replicate), &taps[..1], &taps[1..]);
        let (whole, _) = evaluate(gpu, &request).unwrap();

        let bands = Strategy { computed_again: LAYER_COUNT, band_rows: 4, chunk_tiles: 1 };
        let (cut, _) = evaluate(&gpu.with_strategy(bands), &request).unwrap();
        assert!(cut.observation == whole.observation, "{size:?}: other moments or distances");
        assert!(cut.pixels == whole.pixels, "{size:?}: another gradient");

        let expected = evaluate_in(&mut *cpu.session(&request).unwrap()).unwrap();
        check(&whole, &expected);
    }
}

/// The bounds of two engines that each keep the design's: 2e-5 for features, 5e-3 where decisions may turn.
fn check(ours: &Answers, expected: &Answers) {
    for (ours, expected) in ours.observation.moments.iter().zip(&expected.observation.moments) {
        let error = relative_max(&ours.mean, &expected.mean).max(relative_max(&ours.second, &expected.second));
        assert!(error <= 4e-5, "moments of {} are off by {error:e}", ours.layer);
    }
    for (ours, expected) in ours.observation.distances.iter().zip(&expected.observation.distances) {
        let error = (ours.sum_of_squares / expected.sum_of_squares - 1.0).abs();
        assert!(error <= 2e-5, "the distance at {} is off by {error:e}", ours.layer);
    }
    let error = relative_l2(&widen(&ours.pixels), &widen(&expected.pixels));
    assert!(error <= 5e-3, "the gradient is off by {error:e}");
}
