//! A convolution's weights in the transformed domain, in the order in which the products read them.
//!
//! ```text
//!   [outputs / 64][points][panel of 64 outputs]         see panels.rs
//! ```
//!
//! so that everything flows past once, front to back, for each block of tiles. With bfloat16 products a word holds a
//! pair of neighbouring input channels and there are half as many. Transformed weights take four times the memory of
//! the filters for square tiles (twice for bfloat16), 5.3 times for oblong ones.

use rayon::prelude::*;

use super::points::{TileShape, transform_filter};
use crate::cpu::isa::{InstructionSet, LANES, Lanes};
use crate::cpu::pages::Pages;
use crate::cpu::panels::{GROUP_CHANNELS, PART_LINES, PanelLayout, PanelLine, word_of, words};
use crate::engine::Precision;
use crate::weights::ConvolutionWeights;

/// One convolution's transformed weights, forward or backward, laid out for one instruction set.
#[derive(Debug)]
pub struct WinogradWeights {
    inputs: usize,
    outputs: usize,
    shape: TileShape,
    layout: PanelLayout,
    lines: Pages<Lanes>,
}

/// The most filters that are transformed for oblong tiles, which take a third more memory than square ones. Wider layers
/// have small maps and most of the weights: for 72 MiB more they would spare 3% of an evaluation's products at 512x512,
/// nothing that could be seen in its time.
const MOST_OBLONG_FILTERS: usize = 256 * 512;

/// The tiles that a convolution works on, by its channels and the parts of bfloat16 that its operands are made of. It must
/// depend on nothing else, or the same picture would give other numbers.
pub(super) fn tile_shape(inputs: usize, outputs: usize, parts: usize) -> TileShape {
    // What rounding to bfloat16 costs grows with the tile.
    if parts == 0 && inputs * outputs <= MOST_OBLONG_FILTERS { TileShape::Oblong } else { TileShape::Square }
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
    /// In the parts that [`InstructionSet::forward_parts`] says.
    pub fn forward(set: InstructionSet, weights: &ConvolutionWeights, precision: Precision) -> WinogradWeights {
        let parts = set.forward_parts(precision);
        let shape = tile_shape(weights.inputs, weights.outputs, parts);
        WinogradWeights::new(set, weights, Direction::Forward, shape, parts)
    }

    /// For gradients on their way back: the filters rotated by half a turn, inputs and outputs exchanged.
    pub fn backward(set: InstructionSet, weights: &ConvolutionWeights, precision: Precision) -> WinogradWeights {
        let parts = set.backward_parts(precision);
        let shape = tile_shape(weights.outputs, weights.inputs, parts);
        WinogradWeights::new(set, weights, Direction::Backward, shape, parts)
    }

    /// Bytes that transformed weights take, one way, in so many parts of bfloat16 or (0) in f32.
    pub fn bytes_for(inputs: usize, outputs: usize, parts: usize) -> u64 {
        (size_of::<f32>() * tile_shape(inputs, outputs, parts).points() * words(inputs, parts) * outputs) as u64
    }

    /// Bytes that these take.
    pub fn bytes(&self) -> u64 {
        WinogradWeights::bytes_for(self.inputs, self.outputs, self.parts())
    }

    /// Channels of the map that goes in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Channels of the map that comes out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Parts of bfloat16 that the operands of the products are made of; 0 for f32.
    pub fn parts(&self) -> usize {
        self.layout.parts()
    }

    /// The tiles that they are for.
    pub(super) fn shape(&self) -> TileShape {
        self.shape
    }

    /// The order of a panel's lines.
    pub(super) fn layout(&self) -> PanelLayout {
        self.layout
    }

    /// What one point of one group of 64 outputs takes.
    pub(super) fn panel(&self, group: usize, point: usize) -> &[Lanes] {
        let len = self.layout.lines();
        &self.lines[(group * self.shape.points() + point) * len..][..len]
    }

    /// What all points of one group of 64 outputs take: panel after panel.
    pub(super) fn panels(&self, group: usize) -> &[Lanes] {
        let len = self.shape.points() * self.layout.lines();
        &self.lines[group * len..][..len]
    }

    fn new(
        set: InstructionSet,
        weights: &ConvolutionWeights,
        direction: Direction,
        shape: TileShape,
        parts: usize,
    ) -> WinogradWeights {
        let (inputs, outputs) = match direction {
            Direction::Forward => (weights.inputs, weights.outputs),
            Direction::Backward => (weights.outputs, weights.inputs),
        };
        assert!(inputs.is_multiple_of(GROUP_CHANNELS) && outputs.is_multiple_of(GROUP_CHANNELS));
        let layout = PanelLayout::new(set, inputs, parts);
        let (panel_len, group_len) = (layout.lines(), shape.points() * layout.lines());
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
            // What a word is made of is transformed once, for all of its parts.
            let first_parts = (0..panel_len).map(|line| (line, layout.at(line))).filter(|(_, at)| at.part == 0);
            for ((line, at), lane) in first_parts.flat_map(|place| (0..LANES).map(move |lane| (place, lane))) {
                let PanelLine { block, word, .. } = at;
                let output = group * GROUP_CHANNELS + block * LANES + lane;
                let points = |input| transform_filter(&filter(output, input), shape);
                if parts > 0 {
                    let [low, high] = [points(2 * word), points(2 * word + 1)];
                    for point in 0..shape.points() {
                        let pair = [low[point] as f32, high[point] as f32];
                        for part in 0..parts {
                            lines[point * panel_len + line + part * PART_LINES].0[lane] = word_of(pair, part);
                        }
                    }
                } else {
                    for (point, value) in points(word).into_iter().take(shape.points()).enumerate() {
                        lines[point * panel_len + line].0[lane] = value as f32;
                    }
                }
            }
        });
        WinogradWeights { inputs, outputs, shape, layout, lines }
    }

    /// Bfloat16 weights for any instruction set: it multiplies them lane by lane where it has no such products.
    #[cfg(test)]
    pub(super) fn bf16_for_tests(set: InstructionSet, weights: &ConvolutionWeights, backward: bool) -> WinogradWeights {
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        WinogradWeights::new(set, weights, direction, TileShape::Square, 1)
    }

    /// Weights in f32 for tiles of either shape, whatever the channels.
    #[cfg(test)]
    pub(super) fn f32_for_tests(
        set: InstructionSet,
        weights: &ConvolutionWeights,
        backward: bool,
        shape: TileShape,
    ) -> WinogradWeights {
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        WinogradWeights::new(set, weights, direction, shape, 0)
    }
}
