//! One engine against one golden file: features of every kind of layer, means, Gram matrices, losses and gradients.

use impasto_vgg::{Border, Engine, Layer, ObservationGradients, Precision, Session, SessionRequest};

use super::golden::Golden;
use super::{paper, relative_l2, relative_max, widen};

/// The worst relative errors of one engine on one file.
#[derive(Debug, Default)]
pub struct Errors {
    pub features: f64,
    pub losses: f64,
    pub gradient_max: f64,
    pub gradient_l2: f64,
}

impl Errors {
    /// Whether they keep the design's bounds and the file's.
    pub fn keep_bounds(&self, golden: &Golden) -> bool {
        let gradient = match (golden.gradient_bound.0.as_str(), golden.gradient_bound.1) {
            ("max", bound) => self.gradient_max <= bound,
            ("l2", bound) => self.gradient_l2 <= bound,
            (norm, _) => panic!("{}: unknown norm {norm}", golden.name),
        };
        self.features <= 2e-5 && self.losses <= 1e-5 && gradient
    }

    fn feature(&mut self, what: &str, ours: &[f64], reference: &[f64]) {
        let error = relative_max(ours, reference);
        assert!(error.is_finite(), "{what}");
        self.features = self.features.max(error);
    }
}

pub fn request(golden: &Golden, style_taps: Vec<Layer>, content_taps: Vec<Layer>) -> SessionRequest {
    SessionRequest {
        height: golden.height,
        width: golden.width,
        pooling: golden.pooling,
        border: Border::Zero,
        precision: Precision::F32,
        style_taps,
        content_taps,
        matched_taps: Vec::new(),
        guides: impasto_vgg::Guides::default(),
        way_back: true,
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

pub fn pixel_gradient(session: &mut dyn Session, gradients: &ObservationGradients) -> Vec<f64> {
    let mut pixels = vec![f32::NAN; session.request().picture_len()];
    session.backward(gradients, &mut pixels).unwrap();
    widen(&pixels)
}

pub fn errors(engine: &dyn Engine, golden: &Golden) -> Errors {
    let mut errors = Errors::default();
    check_features(engine, golden, &mut errors);
    check_losses(engine, golden, &mut errors);
    let (engine, file) = (engine.describe(), &golden.name);
    println!("{} {} on {file}: {errors:?}", engine.name, engine.isa);
    errors
}
