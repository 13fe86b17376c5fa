//! Golden files of regions, and how far an engine is from them.

use std::path::{Path, PathBuf};

use impasto_vgg::guides::{guide_sum, moments_of_region};
use impasto_vgg::{Engine, Guides, MomentGradients, Moments, ObservationGradients, SessionRequest};

use super::errors::request as golden_request;
use super::golden::Golden;
use super::{paper, relative_l2, relative_max, widen};

/// Golden files of regions beside the repository; none, and a word about it, where there are none.
pub fn files() -> Vec<PathBuf> {
    let named = std::env::var_os("IMPASTO_GOLDEN").map(PathBuf::from);
    let beside = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden"));
    let Ok(entries) = std::fs::read_dir(beside.join("losses")) else {
        println!("skipped: there is no {}", beside.join("losses").display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The worst errors on a golden file: guides, moments, losses, gradient (l2).
pub fn errors(engine: &dyn Engine, golden: &Golden) -> [f64; 4] {
    let values = |name: &str| -> Vec<f32> { golden.tensors[name].values.iter().map(|&value| value as f32).collect() };
    let guides = Guides { regions: golden.tensors["content_masks"].shape[0], emphasis: false };
    let layers = paper::style_layers();
    let guided = SessionRequest { guides, ..golden_request(golden, layers.clone(), Vec::new()) };
    let mut session = engine.session(&guided).unwrap();
    session.set_masks(&values("style_masks")).unwrap();
    let style = session.forward(&golden.picture("style_rgb")).unwrap().moments;
    let masks = values("content_masks");
    session.set_masks(&masks).unwrap();
    let seen = session.forward(&golden.picture("input_rgb")).unwrap().moments;

    let mut errors = [0.0; 4];
    for (layer, pooled) in layers.iter().zip(guided.pool_masks(&masks).unwrap()) {
        let expected = &golden.tensors[&format!("guides_{layer}")].values;
        errors[0] = relative_max(&widen(&pooled.values), expected).max(errors[0]);
    }
    for region in 0..guides.regions {
        for moments in moments_of_region(&seen, guides, region) {
            for (name, ours) in [("mean", &moments.mean), ("second", &moments.second)] {
                if let Some(expected) = golden.tensors.get(&format!("{name}_{}_{region}", moments.layer)) {
                    errors[1] = relative_max(ours, &expected.values).max(errors[1]);
                }
            }
        }
    }
    let positions = guided.height * guided.width;
    let shares: Vec<f64> = masks.chunks(positions).map(|mask| guide_sum(mask) / positions as f64).collect();
    let (mut total, mut losses, mut by_moments) = (0.0, vec![Vec::new(); guides.regions], Vec::new());
    for (place, (ours, target)) in seen.iter().zip(&style).enumerate() {
        let region = place % guides.regions;
        let weight = shares[region] / layers.len() as f64;
        let (loss, gradient) = region_loss(ours, target, weight);
        total += weight * loss;
        losses[region].push(loss);
        by_moments.push(gradient);
    }
    let ours = std::iter::once(total).chain(losses.concat());
    for (ours, expected) in ours.zip(&golden.tensors["losses_regions"].values) {
        errors[2] = ((ours - expected) / expected).abs().max(errors[2]);
    }
    let gradients = ObservationGradients { moments: by_moments, distances: Vec::new(), matched: Vec::new() };
    let mut pixels = vec![f32::NAN; guided.picture_len()];
    session.backward(&gradients, &mut pixels).unwrap();
    errors[3] = relative_l2(&widen(&pixels), &golden.tensors["grad_regions"].values);
    errors
}

/// E_l of one region, and its derivative times `weight`.
fn region_loss(ours: &Moments, target: &Moments, weight: f64) -> (f64, MomentGradients) {
    let channels = ours.mean.len() as f64;
    let difference: Vec<f64> = ours.second.iter().zip(&target.second).map(|(ours, target)| ours - target).collect();
    let loss = difference.iter().map(|value| value * value).sum::<f64>() / (4.0 * channels * channels);
    let second = difference.iter().map(|value| weight * value / (2.0 * channels * channels)).collect();
    (loss, MomentGradients { mean: Vec::new(), second })
}
