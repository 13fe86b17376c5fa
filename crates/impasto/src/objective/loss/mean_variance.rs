//! The loss of means and variances: Wasserstein's where channels know nothing of each other.

use impasto_vgg::{MomentGradients, Moments};

use super::covariance::{are_finite, no_numbers, ridge, to_moments, variances};

/// A style's mean and standard deviation at a layer.
#[derive(Clone, Debug)]
pub struct MeanVariance {
    /// `[channels]`.
    mean: Vec<f64>,
    /// `[channels]`, the ridge included.
    deviation: Vec<f64>,
    ridge: f64,
}

impl MeanVariance {
    /// What is kept of a style's moments.
    pub fn new(style: &Moments) -> MeanVariance {
        let ridge = ridge(style);
        let deviation = variances(style).map(|variance| (variance.max(0.0) + ridge).sqrt()).collect();
        MeanVariance { mean: style.mean.clone(), deviation, ridge }
    }

    /// The loss at the picture's moments; `weight` times its derivative by them is written into `gradients`.
    ///
    /// Moments that are no numbers give none.
    pub fn loss(&self, picture: &Moments, weight: f64, gradients: &mut MomentGradients) -> f64 {
        let channels = self.mean.len();
        if !are_finite(picture) || !self.ridge.is_finite() {
            return no_numbers(channels, gradients);
        }
        gradients.second.clear();
        gradients.second.resize(channels * channels, 0.0);
        let diagonal = gradients.second.iter_mut().step_by(channels + 1);
        let of_deviations =
            variances(picture).zip(&self.deviation).zip(diagonal).map(|((variance, style), gradient)| {
                let deviation = (variance.max(0.0) + self.ridge).sqrt();
                // The style varies in nothing, and here the picture neither.
                *gradient = if deviation > 0.0 { (1.0 - style / deviation) / channels as f64 } else { 0.0 };
                (deviation - style).powi(2)
            });
        let of_deviations: f64 = of_deviations.sum();
        to_moments(picture, &self.mean, weight, gradients);
        let of_means: f64 = picture.mean.iter().zip(&self.mean).map(|(mean, style)| (mean - style).powi(2)).sum();
        (of_means + of_deviations) / channels as f64
    }
}
