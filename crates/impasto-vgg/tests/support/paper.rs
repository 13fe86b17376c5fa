//! The paper's losses above the engine boundary (Gatys, Ecker and Bethge, CVPR 2016, equations 1, 4, 5 and 7), written
//! out here once more so that the engine's tests lean on nothing above the engine.

use impasto_vgg::{Layer, MomentGradients, Moments, Observation, ObservationGradients};

/// The style layers of the paper.
pub const STYLE_LAYERS: [&str; 5] = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];

pub fn style_layers() -> Vec<Layer> {
    STYLE_LAYERS.iter().map(|name| Layer::named(name).unwrap()).collect()
}

/// alpha * content + beta * style with its parts.
pub struct Losses {
    pub content: f64,
    pub style: f64,
    /// E_l of each style layer.
    pub layers: Vec<f64>,
    pub gradients: ObservationGradients,
}

/// Losses of what was observed against the style image's moments of the same positions, and their derivative for
/// `alpha` and `beta`.
pub fn losses(observed: &Observation, style: &[Moments], alpha: f64, beta: f64) -> Losses {
    let content = observed.distances.iter().map(|distance| 0.5 * distance.sum_of_squares).sum();
    let weight = 1.0 / style.len() as f64;
    let mut layers = Vec::new();
    let mut moments = Vec::new();
    for (ours, target) in observed.moments.iter().zip(style) {
        let (channels, positions) = (ours.mean.len() as f64, ours.positions as f64);
        assert_eq!(ours.positions, target.positions, "equation 4 is for images of one size");
        // G = positions * second; E = sum (G - A)^2 / (4 N^2 M^2), so the positions cancel.
        let difference: Vec<f64> = ours.second.iter().zip(&target.second).map(|(g, a)| g - a).collect();
        assert!(positions > 0.0);
        layers.push(difference.iter().map(|d| d * d).sum::<f64>() / (4.0 * channels * channels));
        let factor = beta * weight / (2.0 * channels * channels);
        let second = difference.iter().map(|d| factor * d).collect();
        moments.push(MomentGradients { mean: Vec::new(), second });
    }
    let style = layers.iter().map(|loss| weight * loss).sum();
    let distances = vec![0.5 * alpha; observed.distances.len()];
    Losses { content, style, layers, gradients: ObservationGradients { moments, distances, matched: Vec::new() } }
}
