//! How the weights of a matrix product lie for the register blocks that read them.
//!
//! Outputs are worked on sixty-four at a time, and what belongs to them is a *panel*. Kernels of vectors read all words (an
//! input channel each, or a pair in bfloat16) of V vectors of sixteen outputs beside each other; those of tiles read sixteen
//! words of sixteen outputs in one go:
//!
//! ```text
//!   vectors  [64 / 16 V][words][V][16 outputs]              V = Isa::PRODUCT_VECTORS
//!   tiles    [pairs / 16][parts][64 / 16][16 pairs][16 outputs]
//! ```
//!
//! Operands are f32, or made of *parts* in bfloat16: one, the value rounded to eight bits; or two, which hold sixteen bits of
//! it. The product of two such values is made of three: first by first, first by second, second by first.

use super::isa::{InstructionSet, LANES};
use crate::bfloat16::bf16_bits;

/// Output channels that are worked on at a time.
pub const GROUP_CHANNELS: usize = 64;
/// Blocks of sixteen channels among them.
pub const GROUP_BLOCKS: usize = GROUP_CHANNELS / LANES;

/// The order of the lines of a panel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PanelLayout {
    inputs: usize,
    parts: usize,
    /// V above; `None` for tiles.
    vectors: Option<usize>,
}

/// What stands in a line of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelLine {
    /// The block of sixteen outputs.
    pub block: usize,
    /// The input channel, or the pair of them.
    pub word: usize,
    /// Which of a value's parts.
    pub part: usize,
}

impl PanelLayout {
    /// As `set` reads the weights of products of `inputs` channels, in so many parts of bfloat16 or (0) in f32.
    pub fn new(set: InstructionSet, inputs: usize, parts: usize) -> PanelLayout {
        PanelLayout { inputs, parts, vectors: (parts == 0 || !set.has_tiles()).then_some(set.product_vectors()) }
    }

    /// Parts of bfloat16 that operands are made of; 0 for f32.
    pub fn parts(self) -> usize {
        self.parts
    }

    /// Lines of a panel.
    pub fn lines(self) -> usize {
        GROUP_BLOCKS * words(self.inputs, self.parts)
    }

    /// What stands in line number `line` of a panel.
    pub fn at(self, line: usize) -> PanelLine {
        match self.vectors {
            Some(vectors) => {
                let column_len = words(self.inputs, self.parts) * vectors;
                let (column, in_column) = (line / column_len, line % column_len);
                PanelLine { block: column * vectors + in_column % vectors, word: in_column / vectors, part: 0 }
            }
            None => {
                let (place, in_tiles) = (line / PART_LINES, line % PART_LINES);
                let word = place / self.parts * LANES + in_tiles % LANES;
                PanelLine { block: in_tiles / LANES, word, part: place % self.parts }
            }
        }
    }
}

/// Lines from a part of some values to their next part, in a panel of more than one.
pub const PART_LINES: usize = GROUP_BLOCKS * LANES;

/// Words that so many input channels take in an operand, in so many parts of bfloat16 or (0) in f32.
pub fn words(inputs: usize, parts: usize) -> usize {
    if parts == 0 { inputs } else { inputs / 2 * parts }
}

/// A part of each of two values as a word: the first part is the value rounded to bfloat16, the second what that left.
pub fn word_of([low, high]: [f32; 2], part: usize) -> f32 {
    let bits = |value: f32| {
        let first = bf16_bits(value);
        if part == 0 { first } else { bf16_bits(value - f32::from_bits(first << 16)) }
    };
    f32::from_bits(bits(low) | bits(high) << 16)
}
