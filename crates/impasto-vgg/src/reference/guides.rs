//! Guides, as [`crate::guides`] defines them: loops only.

use super::{Map, pool};
use crate::engine::{MomentGradients, Moments, Pooling};
use crate::layers::Layer;

/// A map `[height, width]` over the picture, brought to a layer.
pub fn brought_to(map: &[f32], height: usize, width: usize, layer: Layer) -> Vec<f64> {
    let mut map = Map { channels: 1, height, width, values: map.iter().copied().map(f64::from).collect() };
    for _ in 0..layer.info().halvings {
        map = pool(&map, Pooling::Average);
    }
    map.values
}

/// The moments of a map by a guide t: sum of t F, and of t F F^T, by the sum of t.
pub fn moments(layer: Layer, map: &Map, guide: &[f64]) -> Moments {
    let sum = guide.iter().sum::<f64>();
    let mean = |channel| guide.iter().zip(map.channel(channel)).map(|(t, x)| t * x).sum::<f64>() / sum;
    let mean = (0..map.channels).map(mean).collect();
    let mut second = vec![0.0; map.channels * map.channels];
    for a in 0..map.channels {
        for b in 0..=a {
            let pairs = map.channel(a).iter().zip(map.channel(b));
            let moment = guide.iter().zip(pairs).map(|(t, (x, y))| t * x * y).sum::<f64>() / sum;
            second[a * map.channels + b] = moment;
            second[b * map.channels + a] = moment;
        }
    }
    Moments { layer, positions: map.positions() as u64, mean, second }
}

/// Adds to `out` the derivative by the features F of a loss known by its derivative by their guided moments: with T the sum
/// of t, m = d loss / d mean and S = d loss / d second, t (m + (S + S^T) F) / T.
pub fn add_moment_gradient(map: &Map, guide: &[f64], gradients: &MomentGradients, out: &mut Map) {
    let (sum, positions) = (guide.iter().sum::<f64>(), map.positions());
    for channel in 0..map.channels {
        let row = &mut out.values[channel * positions..][..positions];
        if !gradients.mean.is_empty() {
            row.iter_mut().zip(guide).for_each(|(element, t)| *element += gradients.mean[channel] / sum * t);
        }
        if !gradients.second.is_empty() {
            for other in 0..map.channels {
                let both =
                    gradients.second[channel * map.channels + other] + gradients.second[other * map.channels + channel];
                for ((element, t), feature) in row.iter_mut().zip(guide).zip(map.channel(other)) {
                    *element += both / sum * t * feature;
                }
            }
        }
    }
}

/// Sum of e (F - P)^2, e the emphasis of each position.
pub fn distance(map: &Map, target: &Map, emphasis: &[f64]) -> f64 {
    let squares = map.values.iter().zip(&target.values).map(|(f, p)| (f - p) * (f - p));
    squares.zip(emphasis.iter().cycle()).map(|(square, e)| e * square).sum()
}
