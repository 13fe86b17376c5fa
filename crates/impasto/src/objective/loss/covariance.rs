//! The covariance of a layer's features, from their moments, and the way back from it.

use impasto_vgg::{MomentGradients, Moments};

/// What is added to each variance of picture and style, as a share of the style's mean variance: channels that never speak, and
/// more channels than positions, leave a covariance singular.
pub const RIDGE: f64 = 1e-4;

/// The ridge e, from the style's moments.
pub(super) fn ridge(style: &Moments) -> f64 {
    let trace: f64 = variances(style).sum();
    // Not by `max`, which loses what is no number.
    if trace < 0.0 { 0.0 } else { RIDGE * trace / style.mean.len() as f64 }
}

/// The variance of each channel, `[channels]`, without the ridge. Rounding may take one below 0, by less than a ridge.
pub(super) fn variances(moments: &Moments) -> impl Iterator<Item = f64> {
    let channels = moments.mean.len();
    let diagonal = moments.second.iter().step_by(channels + 1);
    diagonal.zip(&moments.mean).map(|(second, mean)| second - mean * mean)
}

/// Whether all moments are numbers. A picture that an optimiser has lost has others.
pub(super) fn are_finite(moments: &Moments) -> bool {
    moments.mean.iter().chain(&moments.second).all(|value| value.is_finite())
}

/// The answer to moments that are no numbers: no numbers. The gradients are of the sizes that an engine asks for.
pub(super) fn no_numbers(channels: usize, gradients: &mut MomentGradients) -> f64 {
    for (values, count) in [(&mut gradients.mean, channels), (&mut gradients.second, channels * channels)] {
        values.clear();
        values.resize(count, f64::NAN);
    }
    f64::NAN
}

/// From the derivative H by C to that by the moments: `gradients.second` holds H and becomes `weight` times it; `gradients.mean` is
/// written. `style` is the style's mean, `[channels]`.
pub(super) fn to_moments(picture: &Moments, style: &[f64], weight: f64, gradients: &mut MomentGradients) {
    let channels = style.len();
    let rows = gradients.second.chunks_exact_mut(channels).zip(picture.mean.iter().zip(style));
    gradients.mean.clear();
    gradients.mean.extend(rows.map(|(row, (mean, style))| {
        let product: f64 = row.iter().zip(&picture.mean).map(|(value, mean)| value * mean).sum();
        row.iter_mut().for_each(|value| *value *= weight);
        2.0 * weight * ((mean - style) / channels as f64 - product)
    }));
}
