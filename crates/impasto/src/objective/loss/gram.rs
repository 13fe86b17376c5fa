//! The Gram loss, the paper's: how far second moments are apart, element by element.

use impasto_vgg::{MomentGradients, Moments};
use rayon::prelude::*;

use crate::recipe::StyleForm;

/// The Gram loss of one layer. `target` is the style's second moment, `[channels, channels]`; `weight` times the
/// derivative by the picture's moments is written into `gradients`.
pub fn gram(form: StyleForm, picture: &Moments, target: &[f64], weight: f64, gradients: &mut MomentGradients) -> f64 {
    let channels = picture.mean.len() as f64;
    let factor = match form {
        StyleForm::Paper => 1.0 / (4.0 * channels.powi(2)),
        StyleForm::Mean => 1.0 / channels.powi(4),
    };
    gradients.mean.clear();
    gradients.second.resize(target.len(), 0.0);
    let chunks = picture.second.par_chunks(GRAM_CHUNK).zip(target.par_chunks(GRAM_CHUNK));
    let of_chunks: Vec<f64> = gradients
        .second
        .par_chunks_mut(GRAM_CHUNK)
        .zip(chunks)
        .map(|(gradients, (picture, target))| gram_chunk(picture, target, 2.0 * factor * weight, gradients))
        .collect();
    factor * of_chunks.iter().sum::<f64>()
}

/// Elements of the second moment that [`gram`] sums in one go; fixed, so that the sum does not depend on the number of
/// threads.
const GRAM_CHUNK: usize = 1 << 13;

/// Sums of a chunk that grow side by side: one alone would wait for each addition.
const GRAM_LANES: usize = 8;

/// Some elements of [`gram`]: writes `scale` times the differences, returns the sum of their squares.
fn gram_chunk(picture: &[f64], target: &[f64], scale: f64, gradients: &mut [f64]) -> f64 {
    let mut sums = [0.0; GRAM_LANES];
    let lines = picture.chunks(GRAM_LANES).zip(target.chunks(GRAM_LANES));
    for (gradients, (picture, target)) in gradients.chunks_mut(GRAM_LANES).zip(lines) {
        for (((gradient, sum), picture), target) in gradients.iter_mut().zip(&mut sums).zip(picture).zip(target) {
            let difference = picture - target;
            *sum += difference * difference;
            *gradient = scale * difference;
        }
    }
    sums.iter().sum()
}
