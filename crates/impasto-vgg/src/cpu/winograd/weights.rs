//! A convolution's weights in the transformed domain, in the order in which the products read them.
//!
//! ```text
//!   [outputs / 64][36 points][panel of 64 outputs]      see panels.rs
//! ```
//!
//! so that everything flows past once, front to back, for each block of tiles. With bfloat16 products a word holds a
//! pair of neighbouring input channels and there are half as many. Transformed weights take four times the memory of
//! the filters (twice for bfloat16).

use rayon::prelude::*;

use super::points::{POINTS, transform_filter};
use crate::cpu::isa::{InstructionSet, LANES, Lanes, bf16_bits};
use crate::cpu::pages::Pages;
use crate::cpu::panels::{GROUP_CHANNELS, PanelLayout};
use crate::engine::Precision;
use crate::weights::ConvolutionWeights;

/// One convolution's transformed weights, forward or backward, laid out for one instruction set.
#[derive(Debug)]
pub struct WinogradWeights {
    inputs: usize,
    outputs: usize,
    bf16: bool,
    layout: PanelLayout,
    lines: Pages<Lanes>,
}

/// Which way the convolution goes.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Forward,
    Backward,
}

impl WinogradWeights {
    /// For features on their way forward. Both channel counts are multiples of 64.
    ///
    /// bfloat16 becomes f32 where the instruction set has no such products.
    pub fn forward(set: InstructionSet, weights: &ConvolutionWeights, precision: Precision) -> WinogradWeights {
        let bf16 = precision.forward() == Precision::Bf16 && set.has_bf16();
        WinogradWeights::new(set, weights, Direction::Forward, bf16)
    }

    /// For gradients on their way back: the filters rotated by half a turn, inputs and outputs exchanged.
    pub fn backward(set: InstructionSet, weights: &ConvolutionWeights, precision: Precision) -> WinogradWeights {
        let bf16 = precision.backward() == Precision::Bf16 && set.has_bf16();
        WinogradWeights::new(set, weights, Direction::Backward, bf16)
    }

    /// Bytes that transformed weights take, one way, for products in f32 or in bfloat16.
    pub fn bytes_for(inputs: usize, outputs: usize, products: Precision) -> u64 {
        let bytes = if products == Precision::Bf16 { 2 } else { 4 };
        bytes * POINTS as u64 * inputs as u64 * outputs as u64
    }

    /// Channels of the map that goes in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Channels of the map that comes out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Whether the products are of bfloat16.
    pub fn is_bf16(&self) -> bool {
        self.bf16
    }

    /// The order of a panel's lines.
    pub(super) fn layout(&self) -> PanelLayout {
        self.layout
    }

    /// What one point of one group of 64 outputs takes.
    pub(super) fn panel(&self, group: usize, point: usize) -> &[Lanes] {
        let len = self.layout.lines();
        &self.lines[(group * POINTS + point) * len..][..len]
    }

    /// What all points of one group of 64 outputs take: panel after panel.
    pub(super) fn panels(&self, group: usize) -> &[Lanes] {
        let len = POINTS * self.layout.lines();
        &self.lines[group * len..][..len]
    }

    fn new(set: InstructionSet, weights: &ConvolutionWeights, direction: Direction, bf16: bool) -> WinogradWeights {
        let (inputs, outputs) = match direction {
            Direction::Forward => (weights.inputs, weights.outputs),
            Direction::Backward => (weights.outputs, weights.inputs),
        };
        assert!(inputs.is_multiple_of(GROUP_CHANNELS) && outputs.is_multiple_of(GROUP_CHANNELS));
        let layout = PanelLayout::new(set, inputs, bf16);
        let (panel_len, group_len) = (layout.lines(), POINTS * layout.lines());
        let mut lines = Pages::filled(outputs / GROUP_CHANNELS * group_len, Lanes::ZERO);

        let kernel = weights.kernel();
        let filter = |output: usize, input: usize| -> [f64; 9] {
            let (place, rotated) = match direction {
                Direction::Forward => (output * weights.inputs + input, false),
                Direction::Backward => (input * weights.inputs + output, true),
            };
            let taps = &kernel[place * 9..][..9];
            std::array::from_fn(|tap| f64::from(if rotated { taps[8 - tap] } else { taps[tap] }))
        };
        // A chunk is one group's points for all inputs; each word of it is written exactly once.
        lines.par_chunks_mut(group_len).enumerate().for_each(|(group, lines)| {
            for (line, lane) in (0..panel_len).flat_map(|line| (0..LANES).map(move |lane| (line, lane))) {
                let (block, word) = layout.block_and_word(line);
                let output = group * GROUP_CHANNELS + block * LANES + lane;
                if bf16 {
                    let pair = [0, 1].map(|half| transform_filter(&filter(output, 2 * word + half)));
                    for point in 0..POINTS {
                        let [low, high] = [0, 1].map(|half: usize| bf16_bits(pair[half][point] as f32));
                        lines[point * panel_len + line].0[lane] = f32::from_bits(low | high << 16);
                    }
                } else {
                    for (point, value) in transform_filter(&filter(output, word)).into_iter().enumerate() {
                        lines[point * panel_len + line].0[lane] = value as f32;
                    }
                }
            }
        });
        WinogradWeights { inputs, outputs, bf16, layout, lines }
    }

    /// Bfloat16 weights for any instruction set: it multiplies them lane by lane where it has no such products.
    #[cfg(test)]
    pub(super) fn bf16_for_tests(set: InstructionSet, weights: &ConvolutionWeights, backward: bool) -> WinogradWeights {
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        WinogradWeights::new(set, weights, direction, true)
    }
}
