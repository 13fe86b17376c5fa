//! What a set of weights is, told by what its network says: the answer to a small built-in picture, computed by the
//! f64 reference, so that it is the same on every machine.
//!
//! Two sets of the same values in other files give the same bits; halves and codebooks of them differ by their rounding;
//! another training, and another normalisation, differ altogether.

use std::sync::Arc;

use crate::engine::{Border, Pooling};
use crate::layers::Layer;
use crate::normalise::convolution_layers;
use crate::reference::Network;
use crate::weights::Weights;

/// Side of the built-in picture, in pixels.
const SIDE: usize = 16;

/// What a network answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Every convolution's mean activations over the picture, conv1_1 first, `[outputs]` each.
    pub means: Vec<Vec<f64>>,
}

/// Values of one convolution's kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelRange {
    /// The layer.
    pub layer: Layer,
    /// The least weight.
    pub least: f32,
    /// The largest weight.
    pub largest: f32,
}

impl Answer {
    /// Asks the network: the picture has coloured slopes and an edge, `[3, 16, 16]`, average pooling.
    pub fn of(weights: &Arc<Weights>) -> Answer {
        let network = Network { weights: Arc::clone(weights), pooling: Pooling::Average, border: Border::Zero };
        let layers: Vec<Layer> = convolution_layers().collect();
        let maps = layers.last().map_or_else(Vec::new, |&deepest| network.forward(&picture(), SIDE, SIDE, deepest));
        let mean_of = |layer: &Layer| {
            let map = &maps[layer.index()];
            (0..map.channels).map(|channel| map.channel(channel).iter().sum::<f64>() / map.positions() as f64).collect()
        };
        Answer { means: layers.iter().map(mean_of).collect() }
    }

    /// The answer's bytes, little-endian f64, to be hashed.
    pub fn bytes(&self) -> Vec<u8> {
        self.means.iter().flatten().flat_map(|mean| mean.to_le_bytes()).collect()
    }

    /// Whether every number is finite and every layer has an activation above 0.
    pub fn is_alive(&self) -> bool {
        self.means.iter().all(|means| means.iter().all(|mean| mean.is_finite()) && means.iter().any(|&mean| mean > 0.0))
    }

    /// The worst layer's relative difference |ours - theirs| / |theirs| (L2 over its channels).
    pub fn distance(&self, other: &Answer) -> f64 {
        let of_layer = |(ours, theirs): (&Vec<f64>, &Vec<f64>)| {
            let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
            let difference = squares(&mut ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs));
            difference / squares(&mut theirs.iter().copied())
        };
        self.means.iter().zip(&other.means).map(of_layer).fold(0.0, f64::max)
    }
}

/// The least and the largest weight of every convolution.
pub fn kernel_ranges(weights: &Weights) -> Vec<KernelRange> {
    let range = |(layer, convolution): (Layer, &crate::weights::ConvolutionWeights)| {
        let kernel = convolution.kernel();
        KernelRange {
            layer,
            least: kernel.iter().copied().fold(f32::INFINITY, f32::min),
            largest: kernel.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        }
    };
    convolution_layers().zip(weights.convolutions()).map(range).collect()
}

/// Slopes in three directions and an edge; whole numbers 0..=255.
fn picture() -> Vec<f32> {
    let value = |channel: usize, y: usize, x: usize| match channel {
        0 => 17 * x,
        1 => 17 * y,
        _ if x + y < SIDE => 240 - 15 * (x + y),
        _ => 8 * (x + y),
    };
    let planes = (0..3).flat_map(|channel| (0..SIDE * SIDE).map(move |place| (channel, place / SIDE, place % SIDE)));
    planes.map(|(channel, y, x)| value(channel, y, x) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{self, StoredAs};

    #[test]
    fn copies_answer_alike_and_others_do_not() {
        let embedded = Weights::embedded();
        let answer = Answer::of(&embedded);
        assert!(answer.is_alive());
        let rewritten = |stored_as| {
            let bytes = formats::write_safetensors(&embedded, stored_as).unwrap();
            Answer::of(&Arc::new(Weights::from_bytes(&bytes).unwrap()))
        };
        assert_eq!(rewritten(StoredAs::F32), answer);
        // 11 bits a weight: a relative rounding of 2^-12 each.
        let of_halves = answer.distance(&rewritten(StoredAs::F16));
        assert!(of_halves > 0.0 && of_halves < 1e-3, "{of_halves}");
        // One filter of conv4_2 that fires everywhere is no rounding.
        let mut changed = embedded.convolutions().to_vec();
        changed[9].bias[3] += 1000.0;
        let of_changed = Answer::of(&Arc::new(Weights::from_convolutions(changed).unwrap())).distance(&answer);
        assert!(of_changed > 10.0 * of_halves, "{of_changed} and {of_halves}");
        // A normalised network has other scales.
        assert!(Answer::of(&Weights::normalised()).distance(&answer) > 0.5);
    }
}
