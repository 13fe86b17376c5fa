//! Planar values, the convolution of every library over them, and how far a map is from what it should be.

use std::array;

use super::super::*;
use crate::weights::ConvolutionWeights;

/// Planar values `[channels][height][width]`.
#[derive(Clone)]
pub struct Planes {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub values: Vec<f64>,
}

impl Planes {
    pub fn zeros(channels: usize, height: usize, width: usize) -> Planes {
        Planes { channels, height, width, values: vec![0.0; channels * height * width] }
    }

    pub fn random(channels: usize, height: usize, width: usize, seed: u64) -> Planes {
        let values = random_values(channels * height * width, seed).into_iter().map(f64::from).collect();
        Planes { channels, height, width, values }
    }

    pub fn index(&self, channel: usize, y: usize, x: usize) -> usize {
        (channel * self.height + y) * self.width + x
    }

    pub fn largest(&self) -> f64 {
        self.values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
    }

    pub fn rows(&self, slots: usize) -> FeatureRows {
        let mut map = FeatureRows::new(self.channels, self.height, self.width, slots);
        for y in 0..self.height {
            self.copy_row(&mut map, y);
        }
        map
    }

    pub fn copy_row(&self, map: &mut FeatureRows, y: usize) {
        for block in 0..map.blocks() {
            for (x, lanes) in map.row_mut(block, y).iter_mut().enumerate() {
                lanes.0 = array::from_fn(|lane| self.values[self.index(block * LANES + lane, y, x)] as f32);
            }
        }
    }

    /// Signs as the forward pass would have left them.
    pub fn signs(&self) -> SignRows {
        let mut signs = SignRows::new(self.channels, self.height, self.width, self.height);
        for (block, y) in (0..self.channels / LANES).flat_map(|block| (0..self.height).map(move |y| (block, y))) {
            for (x, bits) in signs.row_mut(block, y).iter_mut().enumerate() {
                let positive = |lane: usize| self.values[self.index(block * LANES + lane, y, x)] > 0.0;
                *bits = (0..LANES).fold(0, |bits, lane| bits | u16::from(positive(lane)) << lane);
            }
        }
        signs
    }
}

/// Values in -1..1 that need all of a float's bits.
pub fn random_values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

pub fn random_weights(inputs: usize, outputs: usize, seed: u64) -> ConvolutionWeights {
    let kernel = random_values(outputs * inputs * 9, seed ^ 0x55).into_iter().map(|value| value * 0.1).collect();
    ConvolutionWeights::from_values(outputs, inputs, kernel, random_values(outputs, seed ^ 0xaa))
}

/// The correlation that every deep-learning library calls a convolution, without bias.
pub fn correlate(map: &Planes, weights: &ConvolutionWeights, backward: bool) -> Planes {
    let (inputs, outputs) = (weights.inputs, weights.outputs);
    let mut result = Planes::zeros(if backward { inputs } else { outputs }, map.height, map.width);
    let kernel = weights.kernel();
    for (output, input) in (0..outputs).flat_map(|output| (0..inputs).map(move |input| (output, input))) {
        let (from, to) = if backward { (output, input) } else { (input, output) };
        for tap in 0..9 {
            let weight = f64::from(kernel[(output * inputs + input) * 9 + tap]);
            let (dy, dx) = if backward {
                (1 - (tap / 3) as isize, 1 - (tap % 3) as isize)
            } else {
                ((tap / 3) as isize - 1, (tap % 3) as isize - 1)
            };
            for y in 0..map.height {
                let Some(source_y) = y.checked_add_signed(dy).filter(|&y| y < map.height) else { continue };
                for x in 0..map.width {
                    let Some(source_x) = x.checked_add_signed(dx).filter(|&x| x < map.width) else { continue };
                    let place = result.index(to, y, x);
                    result.values[place] += weight * map.values[map.index(from, source_y, source_x)];
                }
            }
        }
    }
    result
}

pub fn value(map: &FeatureRows, channel: usize, y: usize, x: usize) -> f32 {
    map.row(channel / LANES, y)[x].0[channel % LANES]
}

/// What no output can exceed: an output channel's sum of |weight| times the largest |value|. It is what the rounding of a
/// transform scales with; the convolution itself, of terms of either sign, can come out smaller by any factor, and an
/// error relative to its largest element larger.
pub fn largest_possible(map: &Planes, weights: &ConvolutionWeights, backward: bool) -> f64 {
    let mut sums = vec![0.0; if backward { weights.inputs } else { weights.outputs }];
    for (place, weight) in weights.kernel().iter().enumerate() {
        let (output, input) = (place / 9 / weights.inputs, place / 9 % weights.inputs);
        sums[if backward { input } else { output }] += f64::from(weight.abs());
    }
    sums.into_iter().fold(0.0, f64::max) * map.largest()
}

/// Transforms with the points 0, +-3/4, +-3/2 and 64 or 128 channels: rounding, in units of 2^-24 of the largest possible
/// output. A wrong weight or sign shows at a thousand times as much. (1,500 random cases came to 5.0 at most.)
pub const ERROR_BOUND: f64 = 8.0 / (1 << 24) as f64;

/// As [`ERROR_BOUND`], for tiles of either shape: the points 0, +-1/2, +-1, +-7/4 of oblong ones lose more. (2,400 results of
/// 600 random cases came to 14.1 at most, and to 5.4 where tiles are square.)
pub fn error_bound(shape: TileShape) -> f64 {
    match shape {
        TileShape::Square => ERROR_BOUND,
        TileShape::Oblong => 3.0 * ERROR_BOUND,
    }
}

/// The largest difference, relative to `scale`.
pub fn error(map: &FeatureRows, expected: &Planes, scale: f64) -> f64 {
    let mut worst: f64 = 0.0;
    for channel in 0..expected.channels {
        for (y, x) in positions(expected.height, expected.width) {
            let difference = f64::from(value(map, channel, y, x)) - expected.values[expected.index(channel, y, x)];
            worst = worst.max(if difference.is_nan() { f64::INFINITY } else { difference.abs() });
        }
    }
    worst / scale
}

pub fn positions(height: usize, width: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)))
}

pub fn same_bits(a: &FeatureRows, b: &FeatureRows) -> bool {
    positions(a.blocks(), a.height()).all(|(block, y)| {
        a.row(block, y).iter().zip(b.row(block, y)).all(|(a, b)| a.0.map(f32::to_bits) == b.0.map(f32::to_bits))
    })
}

pub fn same_elements<T: Element>(a: &RowRing<T>, b: &RowRing<T>) -> bool {
    positions(a.blocks(), a.height()).all(|(block, y)| a.row(block, y) == b.row(block, y))
}

pub fn winners_of(features: &Planes) -> WinnerRows {
    let (height, width) = (features.height.div_ceil(2), features.width.div_ceil(2));
    let mut winners = WinnerRows::new(features.channels, height, width, height);
    for channel in 0..features.channels {
        for (y, x) in positions(height, width) {
            let mut best = (0, f64::NEG_INFINITY);
            for place in 0..4 {
                let (y, x) = (2 * y + place / 2, 2 * x + place % 2);
                if y < features.height && x < features.width && features.values[features.index(channel, y, x)] > best.1
                {
                    best = (place, features.values[features.index(channel, y, x)]);
                }
            }
            let bits = &mut winners.row_mut(channel / LANES, y)[x];
            bits[0] |= ((best.0 % 2) as u16) << (channel % LANES);
            bits[1] |= ((best.0 / 2) as u16) << (channel % LANES);
        }
    }
    winners
}

pub fn l2_error(map: &FeatureRows, expected: &Planes) -> f64 {
    let mut squares = [0.0; 2];
    for channel in 0..expected.channels {
        for (y, x) in positions(expected.height, expected.width) {
            let wanted = expected.values[expected.index(channel, y, x)];
            squares[0] += (f64::from(value(map, channel, y, x)) - wanted).powi(2);
            squares[1] += wanted.powi(2);
        }
    }
    (squares[0] / squares[1]).sqrt()
}
