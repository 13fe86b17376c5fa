//! The network in f64, loops only: the specification that every engine is tested against.
//!
//! Read it from top to bottom. [`Network::forward`] keeps every layer's map; [`Network::backward`] walks the same layers
//! the other way round. A convolution is written as two steps, so that its adjoint is plain to see:
//!
//! ```text
//!   forward:   map --pad--> map with a frame of one position --convolve--> --relu-->
//!   backward:  gradient <--fold-- gradient with a frame <--spread-- <--relu mask--
//! ```
//!
//! `pad` fills the frame with zeros or, at the picture itself and where asked, with the nearest edge position; `fold`
//! gives the frame's gradient back to where its values came from. Nothing here is fast, and nothing here should be.

use std::sync::Arc;

use crate::engine::{Border, MomentGradients, Moments, Pooling};
use crate::layers::{Layer, LayerKind};
use crate::weights::{ConvolutionWeights, Weights};

mod engine;
pub mod guides;
mod history;
pub mod matching;

pub use engine::ReferenceEngine;
pub use history::ReferenceHistory;

/// [`crate::MEAN_RGB`] as it is written, not as f32 rounds it.
const MEAN_RGB_EXACT: [f64; 3] = [123.68, 116.779, 103.939];

/// Values of several channels at the positions of a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Channels.
    pub channels: usize,
    /// Rows of positions.
    pub height: usize,
    /// Columns of positions.
    pub width: usize,
    /// `[channels, height, width]`.
    pub values: Vec<f64>,
}

impl Map {
    /// A map of zeros.
    pub fn zeros(channels: usize, height: usize, width: usize) -> Map {
        Map { channels, height, width, values: vec![0.0; channels * height * width] }
    }

    /// Positions of a channel: height times width.
    pub fn positions(&self) -> usize {
        self.height * self.width
    }

    /// The values of one channel, row by row.
    pub fn channel(&self, channel: usize) -> &[f64] {
        &self.values[channel * self.positions()..][..self.positions()]
    }

    fn index(&self, channel: usize, y: usize, x: usize) -> usize {
        (channel * self.height + y) * self.width + x
    }

    /// The value at one position.
    pub fn at(&self, channel: usize, y: usize, x: usize) -> f64 {
        self.values[self.index(channel, y, x)]
    }

    fn at_mut(&mut self, channel: usize, y: usize, x: usize) -> &mut f64 {
        let index = self.index(channel, y, x);
        &mut self.values[index]
    }
}

/// VGG-19 with the choices that change what it computes.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its weights.
    pub weights: Arc<Weights>,
    /// How its poolings reduce.
    pub pooling: Pooling,
    /// What its first convolution sees beyond the picture's edge.
    pub border: Border,
}

impl Network {
    /// The feature maps of all layers up to `deepest`, in the order of [`crate::LAYERS`], for a picture `[3, height,
    /// width]` in units of 0..255.
    ///
    /// # Panics
    /// Where the picture's length is not 3 times height times width.
    pub fn forward(&self, picture: &[f32], height: usize, width: usize, deepest: Layer) -> Vec<Map> {
        let centred = subtract_mean(picture, height, width);
        let mut maps: Vec<Map> = Vec::new();
        for layer in Layer::all().take(deepest.index() + 1) {
            maps.push(self.layer(layer, maps.last().unwrap_or(&centred)));
        }
        maps
    }

    /// The features of one layer from those of the layer below; of conv1_1 from the picture less its mean colour.
    pub fn layer(&self, layer: Layer, below: &Map) -> Map {
        match layer.info().kind {
            LayerKind::Convolution { index, .. } => {
                let border = if index == 0 { self.border } else { Border::Zero };
                relu(convolve(&pad(below, border), &self.weights.convolutions()[index]))
            }
            LayerKind::Pooling => pool(below, self.pooling),
        }
    }

    /// How near the closest decision of the network comes to falling the other way: over all layers up to `deepest`,
    /// the least distance of a convolution's output from zero and, for max pooling, of a positive window's largest from
    /// its second, each by the largest value of its layer. Where this is well above the rounding of an engine, that
    /// engine's gradient must agree with this one's; where it is not, an activation may rightly fall on the other side.
    ///
    /// # Panics
    /// Where the picture's length is not 3 times height times width.
    pub fn decision_margin(&self, picture: &[f32], height: usize, width: usize, deepest: Layer) -> f64 {
        let mut margin = f64::INFINITY;
        let mut map = subtract_mean(picture, height, width);
        for layer in Layer::all().take(deepest.index() + 1) {
            let before = map;
            let mut distances = Vec::new();
            map = match layer.info().kind {
                LayerKind::Convolution { index, .. } => {
                    let border = if index == 0 { self.border } else { Border::Zero };
                    let map = convolve(&pad(&before, border), &self.weights.convolutions()[index]);
                    distances.extend(map.values.iter().map(|value| value.abs()));
                    relu(map)
                }
                LayerKind::Pooling => {
                    if self.pooling == Pooling::Max {
                        distances = lead_of_winners(&before);
                    }
                    pool(&before, self.pooling)
                }
            };
            let largest =
                before.values.iter().chain(&map.values).fold(0.0, |largest: f64, value| largest.max(value.abs()));
            margin = distances.iter().fold(margin, |margin, distance| margin.min(distance / largest));
        }
        margin
    }

    /// The gradient at the pixels, `[3, height, width]`: `maps` are what [`Network::forward`] gave, `at_layers[i]` is
    /// the derivative of a loss by the features of layer i where the loss looks at them directly.
    ///
    /// # Panics
    /// Where the two lists differ in length or are empty.
    pub fn backward(&self, maps: &[Map], at_layers: &[Option<Map>]) -> Map {
        assert_eq!(maps.len(), at_layers.len(), "one entry for each layer");
        let deepest = maps.last().expect("at least one layer");
        let mut gradient = Map::zeros(deepest.channels, deepest.height, deepest.width);
        for layer in Layer::all().take(maps.len()).rev() {
            let map = &maps[layer.index()];
            if let Some(direct) = &at_layers[layer.index()] {
                gradient.values.iter_mut().zip(&direct.values).for_each(|(sum, term)| *sum += term);
            }
            gradient = match layer.info().kind {
                LayerKind::Convolution { index, .. } => {
                    let border = if index == 0 { self.border } else { Border::Zero };
                    let below_relu = mask_by_sign(gradient, map);
                    fold(&spread(&below_relu, &self.weights.convolutions()[index]), border)
                }
                LayerKind::Pooling => unpool(&gradient, &maps[layer.index() - 1], self.pooling),
            };
        }
        gradient
    }
}

/// The picture as the network sees it: its mean colour taken off.
fn subtract_mean(picture: &[f32], height: usize, width: usize) -> Map {
    assert_eq!(picture.len(), 3 * height * width, "a picture is [3, height, width]");
    let mut map = Map::zeros(3, height, width);
    for (index, value) in map.values.iter_mut().enumerate() {
        *value = f64::from(picture[index]) - MEAN_RGB_EXACT[index / (height * width)];
    }
    map
}

/// Where a framed coordinate (0 is the frame before the first row or column) takes its value from: `None` for a zero.
fn source(framed: usize, length: usize, border: Border) -> Option<usize> {
    match border {
        Border::Zero => (1..=length).contains(&framed).then(|| framed - 1),
        Border::Replicate => Some(framed.clamp(1, length) - 1),
    }
}

/// The map with a frame of one position around it.
fn pad(map: &Map, border: Border) -> Map {
    let mut framed = Map::zeros(map.channels, map.height + 2, map.width + 2);
    for channel in 0..map.channels {
        for y in 0..framed.height {
            for x in 0..framed.width {
                if let (Some(from_y), Some(from_x)) = (source(y, map.height, border), source(x, map.width, border)) {
                    *framed.at_mut(channel, y, x) = map.at(channel, from_y, from_x);
                }
            }
        }
    }
    framed
}

/// The adjoint of [`pad`]: each framed position's gradient goes to the position that its value came from.
fn fold(framed: &Map, border: Border) -> Map {
    let mut map = Map::zeros(framed.channels, framed.height - 2, framed.width - 2);
    for channel in 0..map.channels {
        for y in 0..framed.height {
            for x in 0..framed.width {
                if let (Some(to_y), Some(to_x)) = (source(y, map.height, border), source(x, map.width, border)) {
                    *map.at_mut(channel, to_y, to_x) += framed.at(channel, y, x);
                }
            }
        }
    }
    map
}

/// out[o, y, x] = bias[o] + sum over i, ky, kx of kernel[o, i, ky, kx] framed[i, y + ky, x + kx].
fn convolve(framed: &Map, weights: &ConvolutionWeights) -> Map {
    let kernel = weights.kernel();
    let mut out = Map::zeros(weights.outputs, framed.height - 2, framed.width - 2);
    // Rows of sums lie as far apart as rows of `framed`, so that a place of the kernel is one loop over a whole channel; what
    // falls between two rows is left there.
    let (stride, width, span) = (framed.width, out.width, span(&out, framed));
    let mut sums = vec![0.0; span];
    for output in 0..weights.outputs {
        sums.fill(f64::from(weights.bias[output]));
        for input in 0..weights.inputs {
            for (ky, kx) in kernel_places() {
                let weight = f64::from(kernel[((output * weights.inputs + input) * 3 + ky) * 3 + kx]);
                let from = framed.index(input, ky, kx);
                for (sum, value) in sums.iter_mut().zip(&framed.values[from..from + span]) {
                    *sum += weight * value;
                }
            }
        }
        for (y, row) in sums.chunks(stride).enumerate() {
            let to = out.index(output, y, 0);
            out.values[to..to + width].copy_from_slice(&row[..width]);
        }
    }
    out
}

/// The adjoint of [`convolve`] (without its bias): framed[i, y + ky, x + kx] += kernel[o, i, ky, kx] gradient[o, y, x].
fn spread(gradient: &Map, weights: &ConvolutionWeights) -> Map {
    let kernel = weights.kernel();
    let mut framed = Map::zeros(weights.inputs, gradient.height + 2, gradient.width + 2);
    // As in `convolve`; between two rows of the gradient there are zeros.
    let (stride, width, span) = (framed.width, gradient.width, span(gradient, &framed));
    let mut spaced = vec![0.0; span];
    for output in 0..weights.outputs {
        for (row, spaced) in gradient.channel(output).chunks_exact(width).zip(spaced.chunks_mut(stride)) {
            spaced[..width].copy_from_slice(row);
        }
        for input in 0..weights.inputs {
            for (ky, kx) in kernel_places() {
                let weight = f64::from(kernel[((output * weights.inputs + input) * 3 + ky) * 3 + kx]);
                let to = framed.index(input, ky, kx);
                for (sum, value) in framed.values[to..to + span].iter_mut().zip(&spaced) {
                    *sum += weight * value;
                }
            }
        }
    }
    framed
}

/// Values from the first of a channel of `inner` to its last, where its rows lie as far apart as those of `framed`.
fn span(inner: &Map, framed: &Map) -> usize {
    (inner.height - 1) * framed.width + inner.width
}

fn kernel_places() -> impl Iterator<Item = (usize, usize)> {
    (0..9).map(|place| (place / 3, place % 3))
}

fn relu(mut map: Map) -> Map {
    map.values.iter_mut().for_each(|value| *value = value.max(0.0));
    map
}

/// The derivative of ReLU, which at zero is zero: the gradient where the feature is positive.
fn mask_by_sign(mut gradient: Map, map: &Map) -> Map {
    for (element, feature) in gradient.values.iter_mut().zip(&map.values) {
        if *feature <= 0.0 {
            *element = 0.0;
        }
    }
    gradient
}

/// The positions of the window that pooled position `(y, x)` looks at: up to four, in reading order.
fn window(y: usize, x: usize, height: usize, width: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let columns = 2 * x..(2 * x + 2).min(width);
    (2 * y..(2 * y + 2).min(height)).flat_map(move |row| columns.clone().map(move |column| (row, column)))
}

fn pool(map: &Map, pooling: Pooling) -> Map {
    let mut pooled = Map::zeros(map.channels, map.height.div_ceil(2), map.width.div_ceil(2));
    for channel in 0..map.channels {
        for y in 0..pooled.height {
            for x in 0..pooled.width {
                let values = window(y, x, map.height, map.width).map(|(y, x)| map.at(channel, y, x));
                *pooled.at_mut(channel, y, x) = match pooling {
                    Pooling::Average => values.clone().sum::<f64>() / values.count() as f64,
                    Pooling::Max => values.fold(f64::NEG_INFINITY, f64::max),
                };
            }
        }
    }
    pooled
}

/// By how much the largest of each 2x2 window leads the second, where it is positive and there is a second.
fn lead_of_winners(map: &Map) -> Vec<f64> {
    let mut leads = Vec::new();
    for channel in 0..map.channels {
        for y in 0..map.height.div_ceil(2) {
            for x in 0..map.width.div_ceil(2) {
                let mut values: Vec<f64> =
                    window(y, x, map.height, map.width).map(|(y, x)| map.at(channel, y, x)).collect();
                values.sort_by(|a, b| b.total_cmp(a));
                if values.len() > 1 && values[0] > 0.0 {
                    leads.push(values[0] - values[1]);
                }
            }
        }
    }
    leads
}

/// The adjoint of [`pool`] at `map`. Of equal largest values the first in reading order takes the gradient.
fn unpool(gradient: &Map, map: &Map, pooling: Pooling) -> Map {
    let mut spread = Map::zeros(map.channels, map.height, map.width);
    for channel in 0..map.channels {
        for y in 0..gradient.height {
            for x in 0..gradient.width {
                let places = window(y, x, map.height, map.width);
                match pooling {
                    Pooling::Average => {
                        let share = gradient.at(channel, y, x) / places.clone().count() as f64;
                        places.for_each(|(y, x)| *spread.at_mut(channel, y, x) = share);
                    }
                    Pooling::Max => {
                        let value = |place: (usize, usize)| map.at(channel, place.0, place.1);
                        let first_largest = places.reduce(|a, b| if value(b) > value(a) { b } else { a });
                        let (to_y, to_x) = first_largest.expect("a window holds at least one position");
                        *spread.at_mut(channel, to_y, to_x) = gradient.at(channel, y, x);
                    }
                }
            }
        }
    }
    spread
}

/// Mean and second raw moment of a map's channels over its positions.
pub fn moments(layer: Layer, map: &Map) -> Moments {
    let positions = map.positions() as f64;
    let mean = (0..map.channels).map(|channel| map.channel(channel).iter().sum::<f64>() / positions).collect();
    let mut second = vec![0.0; map.channels * map.channels];
    for a in 0..map.channels {
        for b in 0..=a {
            let products = map.channel(a).iter().zip(map.channel(b)).map(|(x, y)| x * y);
            let moment = products.sum::<f64>() / positions;
            second[a * map.channels + b] = moment;
            second[b * map.channels + a] = moment;
        }
    }
    Moments { layer, positions: map.positions() as u64, mean, second }
}

/// The derivative by the features F of a loss known by its derivative by their moments, with M positions, m = d loss /
/// d mean and S = d loss / d second: (m + (S + S^T) F) / M.
pub fn moment_gradient(map: &Map, gradients: &MomentGradients) -> Map {
    let positions = map.positions();
    let mut out = Map::zeros(map.channels, map.height, map.width);
    for channel in 0..map.channels {
        let row = &mut out.values[channel * positions..][..positions];
        if !gradients.mean.is_empty() {
            row.fill(gradients.mean[channel] / positions as f64);
        }
        if !gradients.second.is_empty() {
            for other in 0..map.channels {
                let both =
                    gradients.second[channel * map.channels + other] + gradients.second[other * map.channels + channel];
                for (element, feature) in row.iter_mut().zip(map.channel(other)) {
                    *element += both / positions as f64 * feature;
                }
            }
        }
    }
    out
}
