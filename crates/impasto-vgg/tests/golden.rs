//! Engines against the golden files: features of every kind of layer, means, Gram matrices, losses and gradients.

mod support;

use impasto_vgg::{
    Border, Engine, Layer, MomentGradients, Observation, ObservationGradients, Precision, ReferenceEngine, Session,
    SessionRequest, Weights,
};
use support::golden::{self, Golden};
use support::subjects::subjects;
use support::{paper, relative_l2, relative_max, widen};

/// The worst relative errors of one engine on one file.
#[derive(Debug, Default)]
struct Errors {
    features: f64,
    losses: f64,
    gradient_max: f64,
    gradient_l2: f64,
}

impl Errors {
    fn feature(&mut self, what: &str, ours: &[f64], reference: &[f64]) {
        let error = relative_max(ours, reference);
        assert!(error.is_finite(), "{what}");
        self.features = self.features.max(error);
    }
}

fn request(golden: &Golden, style_taps: Vec<Layer>, content_taps: Vec<Layer>) -> SessionRequest {
    SessionRequest {
        height: golden.height,
        width: golden.width,
        pooling: golden.pooling,
        border: Border::Zero,
        precision: Precision::F32,
        style_taps,
        content_taps,
        memory_limit_bytes: None,
    }
}

/// Features, means and Gram matrices, with every layer of the network tapped at once.
fn check_features(engine: &dyn Engine, golden: &Golden, errors: &mut Errors) {
    let picture = golden.picture("input_rgb");
    let mut session = engine.session(&request(golden, Layer::all().collect(), Vec::new())).unwrap();
    let observed = session.forward(&picture).unwrap();
    for (layer, mean) in golden.by_layer("mean_") {
        errors.feature(layer.name(), &observed.moments[layer.index()].mean, &mean.values);
    }
    for (layer, gram) in golden.by_layer("gram_") {
        let moments = &observed.moments[layer.index()];
        let ours: Vec<f64> = moments.second.iter().map(|value| value * moments.positions as f64).collect();
        errors.feature(layer.name(), &ours, &gram.values);
    }
    for (layer, feature) in golden.by_layer("feature_") {
        let map = session.feature_map(&picture, layer).unwrap();
        assert_eq!([layer.channels(), map.height, map.width], feature.shape[..]);
        errors.feature(layer.name(), &widen(&map.values), &feature.values);
    }
}

/// The paper's losses and their gradients: content alone, style alone, and 1 content + 1000 style.
fn check_losses(engine: &dyn Engine, golden: &Golden, errors: &mut Errors) {
    let conv4_2 = Layer::named("conv4_2").unwrap();
    let mut session = engine.session(&request(golden, paper::style_layers(), vec![conv4_2])).unwrap();
    session.set_content(&golden.picture("content_rgb")).unwrap();
    let style = session.forward(&golden.picture("style_rgb")).unwrap().moments;
    let observed = session.forward(&golden.picture("input_rgb")).unwrap();
    for (name, alpha, beta) in [("grad_content", 1.0, 0.0), ("grad_style", 0.0, 1.0), ("grad_total", 1.0, 1000.0)] {
        let losses = paper::losses(&observed, &style, alpha, beta);
        let ours = pixel_gradient(&mut *session, &losses.gradients);
        let reference = &golden.tensors[name].values;
        errors.gradient_max = errors.gradient_max.max(relative_max(&ours, reference));
        errors.gradient_l2 = errors.gradient_l2.max(relative_l2(&ours, reference));
    }
    let losses = paper::losses(&observed, &style, 1.0, 1000.0);
    let mut ours = vec![losses.content, losses.style, losses.content + 1000.0 * losses.style];
    ours.extend(&losses.layers);
    for (ours, reference) in ours.iter().zip(&golden.tensors["losses"].values) {
        errors.losses = errors.losses.max((ours - reference).abs() / reference.abs());
    }
}

fn pixel_gradient(session: &mut dyn Session, gradients: &ObservationGradients) -> Vec<f64> {
    let mut pixels = vec![f32::NAN; session.request().picture_len()];
    session.backward(gradients, &mut pixels).unwrap();
    widen(&pixels)
}

fn errors(engine: &dyn Engine, golden: &Golden) -> Errors {
    let mut errors = Errors::default();
    check_features(engine, golden, &mut errors);
    check_losses(engine, golden, &mut errors);
    let (engine, file) = (engine.describe(), &golden.name);
    println!("{} {} on {file}: {errors:?}", engine.name, engine.isa);
    errors
}

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
            let what = format!("{} on {}: {errors:?}", subject.name, golden.name);
            assert!(errors.features <= 2e-5 && errors.losses <= 1e-5, "{what}");
            match (golden.gradient_bound.0.as_str(), golden.gradient_bound.1) {
                ("max", bound) => assert!(errors.gradient_max <= bound, "{what}"),
                ("l2", bound) => assert!(errors.gradient_l2 <= bound, "{what}"),
                (norm, _) => panic!("{}: unknown norm {norm}", golden.name),
            }
        }
    }
}

/// The check itself must be able to fail: a network whose first bias is off by one part in ten thousand of the largest
/// is told from the real one.
#[test]
fn a_network_that_is_slightly_off_is_found() {
    let mut weights = (*Weights::embedded()).clone();
    weights.convolutions[0].bias[0] += 0.05;
    let engine = ReferenceEngine::new(weights.into());
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
    let gradients = ObservationGradients { moments: vec![none; moments.len()], distances: Vec::new() };
    assert!(pixel_gradient(&mut *session, &gradients).iter().all(|&value| value == 0.0));
}
