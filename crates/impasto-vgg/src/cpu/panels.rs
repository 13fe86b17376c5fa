//! How the weights of a matrix product lie for the register blocks that read them.
//!
//! Outputs are worked on sixty-four at a time, and what belongs to them is a *panel*. Kernels of vectors read all words (an
//! input channel each, or a pair in bfloat16) of V vectors of sixteen outputs beside each other; those of tiles read sixteen
//! words of sixteen outputs in one go:
//!
//! ```text
//!   vectors  [64 / 16 V][words][V][16 outputs]              V = Isa::PRODUCT_VECTORS
//!   tiles    [words / 16][64 / 16][16 words][16 outputs]
//! ```

use super::isa::{InstructionSet, LANES};

/// Output channels that are worked on at a time.
pub const GROUP_CHANNELS: usize = 64;
/// Blocks of sixteen channels among them.
pub const GROUP_BLOCKS: usize = GROUP_CHANNELS / LANES;

/// The order of the lines of a panel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PanelLayout {
    /// Words of input channels.
    words: usize,
    /// V above; `None` for tiles.
    vectors: Option<usize>,
}

impl PanelLayout {
    /// As `set` reads the weights of products of `inputs` channels, in bfloat16 or in f32.
    pub fn new(set: InstructionSet, inputs: usize, bf16: bool) -> PanelLayout {
        let words = if bf16 { inputs / 2 } else { inputs };
        PanelLayout { words, vectors: (!(bf16 && set.has_tiles())).then_some(set.product_vectors()) }
    }

    /// Lines of a panel.
    pub fn lines(self) -> usize {
        GROUP_BLOCKS * self.words
    }

    /// The block of sixteen outputs and the word that stand in a line of a panel.
    pub fn block_and_word(self, line: usize) -> (usize, usize) {
        match self.vectors {
            Some(vectors) => {
                let (column, in_column) = (line / (self.words * vectors), line % (self.words * vectors));
                (column * vectors + in_column % vectors, in_column / vectors)
            }
            None => {
                let (chunk, in_chunk) = (line / (GROUP_BLOCKS * LANES), line % (GROUP_BLOCKS * LANES));
                (in_chunk / LANES, chunk * LANES + in_chunk % LANES)
            }
        }
    }
}
