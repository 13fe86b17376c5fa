//! Engines against the golden files: features of every kind of layer, means, Gram matrices, losses and gradients.

mod support;

use impasto_vgg::{Engine, MomentGradients, Observation, ObservationGradients, ReferenceEngine, Weights};
use support::errors::{errors, pixel_gradient, request};
use support::golden::{self, Golden};
use support::paper;
use support::subjects::subjects;

#[test]
fn reference_agrees_to_the_last_digits_of_the_files() {
    let engine = ReferenceEngine::new(Weights::embedded());
    for path in golden::files() {
        let golden = Golden::read(&path);
        let errors = errors(&engine, &golden);
        // Features and gradients are stored as f32, losses as f64.
        assert!(errors.features <= 1e-7, "{} {errors:?}", golden.name);
        assert!(errors.losses <= 1e-12, "{} {errors:?}", golden.name);
        assert!(errors.gradient_max <= 1e-7, "{} {errors:?}", golden.name);
    }
}

/// Every instruction set that the processor has, within the design's bounds and those of the files.
#[test]
fn the_cpu_engine_keeps_the_bounds() {
    for subject in subjects() {
        let engine = subject.engine(2);
        for path in golden::files() {
            let golden = Golden::read(&path);
            let errors = errors(&*engine, &golden);
            assert!(errors.keep_bounds(&golden), "{} on {}: {errors:?}", subject.name, golden.name);
        }
    }
}

/// The check itself must be able to fail: a network whose first bias is off by one part in ten thousand of the largest
/// is told from the real one.
#[test]
fn a_network_that_is_slightly_off_is_found() {
    let mut convolutions = Weights::embedded().convolutions().to_vec();
    convolutions[0].bias[0] += 0.05;
    let engine = ReferenceEngine::new(Weights::from_convolutions(convolutions).unwrap().into());
    let golden = Golden::read(&golden::files()[1]);
    let errors = errors(&engine, &golden);
    assert!(errors.features > 2e-5 && errors.gradient_l2 > 1e-5, "{errors:?}");
}

/// Where no derivative is given, no gradient comes back.
#[test]
fn empty_derivatives_are_zeros() {
    let golden = Golden::read(&golden::files()[1]);
    let engine = ReferenceEngine::new(Weights::embedded());
    let mut session = engine.session(&request(&golden, paper::style_layers(), Vec::new())).unwrap();
    let Observation { moments, .. } = session.forward(&golden.picture("input_rgb")).unwrap();
    let none = MomentGradients { mean: Vec::new(), second: Vec::new() };
    let gradients =
        ObservationGradients { moments: vec![none; moments.len()], distances: Vec::new(), matched: Vec::new() };
    assert!(pixel_gradient(&mut *session, &gradients).iter().all(|&value| value == 0.0));
}
