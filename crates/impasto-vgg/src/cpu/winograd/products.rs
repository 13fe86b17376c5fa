//! The products between the transforms: at each of the points a small matrix product over the input channels.
//!
//! ```text
//!   sums[tile][output] = sum over inputs of  inputs[tile][input] * weights[input][output]
//! ```
//!
//! A micro-kernel keeps ROWS tiles x VECTORS x 16 outputs in registers, reads a row of weights for each input channel
//! and broadcasts one transformed input a tile. Each sum is one chain over all input channels in their order, in the
//! full kernel and in the ones for the last few tiles alike, so a tile's result does not depend on the tiles beside it.
//!
//! An instruction set with tile registers takes sixteen tiles of the map at a time instead, the last ones beside rows of
//! whatever the buffer held, whose sums nobody reads.

use super::weights::WinogradWeights;
use crate::cpu::isa::{Isa, LANES, Lanes, Task};
use crate::cpu::panels::GROUP_BLOCKS;
use crate::cpu::tiles::{TileOperands, TilePlace};

/// Lines from the sums of one block of channels to the next: one more than its points, so that the same point's sums of
/// many tiles do not fall into the same few sets of the cache.
#[inline(always)]
pub const fn sum_stride(points: usize) -> usize {
    points + 1
}

/// Transformed inputs of a block of tiles: `[points][groups of ROWS tiles][words / 16][tile of the group]` (with parts,
/// `[pairs / 16][parts]` in place of `[words / 16]`), the last group as long as tiles are left, or whole where there are
/// tile registers.
#[derive(Clone, Copy, Debug)]
pub struct InputPanels<'a> {
    /// The lines of sixteen words.
    pub lines: &'a [Lanes],
    /// Lines from a point to the next.
    pub point_stride: usize,
    /// Tiles in the block.
    pub tiles: usize,
    /// Lines that the channels of one tile take at one point.
    pub lines_per_tile: usize,
}

/// The tiles that a block of `tiles` takes room for.
#[inline(always)]
pub fn padded_tiles<I: Isa, const PARTS: usize>(tiles: usize) -> usize {
    if PARTS > 0 && I::HAS_TILES { tiles.next_multiple_of(I::PRODUCT_ROWS) } else { tiles }
}

/// All products of a block of tiles for one group of 64 outputs: fills `sums`, `[tile][64 / 16][sum_stride]`.
pub struct GroupProducts<'a, const PARTS: usize> {
    /// Transformed inputs.
    pub inputs: InputPanels<'a>,
    /// Transformed weights.
    pub weights: &'a WinogradWeights,
    /// Which 64 outputs.
    pub group: usize,
    /// Where the sums go: room for whole groups of tiles, see [`padded_tiles`].
    pub sums: &'a mut [Lanes],
}

impl<const PARTS: usize> Task for GroupProducts<'_, PARTS> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        debug_assert_eq!(self.weights.parts(), PARTS);
        if PARTS > 0 && I::HAS_TILES {
            return self.all_points_in_tiles(isa);
        }
        match I::PRODUCT_VECTORS {
            4 => self.all_points::<I, 4>(isa),
            _ => self.all_points::<I, 1>(isa),
        }
    }
}

impl<const PARTS: usize> GroupProducts<'_, PARTS> {
    #[inline(always)]
    fn all_points_in_tiles<I: Isa>(self, isa: I) {
        let InputPanels { lines, point_stride, tiles, lines_per_tile } = self.inputs;
        let panel_len = self.weights.layout().lines();
        let points = self.weights.shape().points();
        let stride = sum_stride(points);
        let operands = TileOperands {
            inputs: lines,
            weights: self.weights.panels(self.group),
            sums: self.sums,
            row_groups: tiles.div_ceil(I::PRODUCT_ROWS),
            chunks: lines_per_tile / PARTS,
            parts: PARTS,
            row_stride: GROUP_BLOCKS * stride,
            vector_stride: stride,
        };
        let place = |point| TilePlace { inputs: point * point_stride, weights: point * panel_len, sums: point };
        isa.tile_products(operands, (0..points).map(place));
    }

    #[inline(always)]
    fn all_points<I: Isa, const VECTORS: usize>(self, isa: I) {
        let InputPanels { lines, point_stride, tiles, lines_per_tile } = self.inputs;
        let words = lines_per_tile * LANES;
        let points = self.weights.shape().points();
        let stride = sum_stride(points);
        for point in 0..points {
            let inputs = &lines[point * point_stride..][..tiles * lines_per_tile];
            let panel = self.weights.panel(self.group, point);
            // What comes next: the following weights lie behind these, the inputs of the next point a stride further.
            let next_inputs = inputs.as_ptr().wrapping_add(point_stride);
            for (part, weights) in panel.chunks_exact(words * VECTORS).enumerate() {
                let next_weights = weights.as_ptr().wrapping_add(weights.len());
                let groups = inputs.chunks(I::PRODUCT_ROWS * lines_per_tile);
                let sum_groups = self.sums.chunks_mut(I::PRODUCT_ROWS * GROUP_BLOCKS * stride);
                for (place, (inputs, sums)) in groups.zip(sum_groups).enumerate() {
                    let offset = part * VECTORS * stride + point;
                    let next = match place.checked_sub(VECTORS) {
                        None => next_weights.wrapping_add(place * words),
                        Some(place) => next_inputs.wrapping_add(place * words),
                    };
                    match inputs.len() / lines_per_tile {
                        6 => isa.enter(Kernel::<PARTS, 6, VECTORS> { inputs, weights, sums, offset, stride, next }),
                        5 => isa.enter(Kernel::<PARTS, 5, VECTORS> { inputs, weights, sums, offset, stride, next }),
                        4 => isa.enter(Kernel::<PARTS, 4, VECTORS> { inputs, weights, sums, offset, stride, next }),
                        3 => isa.enter(Kernel::<PARTS, 3, VECTORS> { inputs, weights, sums, offset, stride, next }),
                        2 => isa.enter(Kernel::<PARTS, 2, VECTORS> { inputs, weights, sums, offset, stride, next }),
                        1 => isa.enter(Kernel::<PARTS, 1, VECTORS> { inputs, weights, sums, offset, stride, next }),
                        rows => unreachable!("no instruction set works on {rows} tiles at a time"),
                    }
                }
            }
        }
    }
}

/// The micro-kernel: ROWS tiles x VECTORS blocks of outputs, all input channels.
struct Kernel<'a, const PARTS: usize, const ROWS: usize, const VECTORS: usize> {
    /// `[words / 16][ROWS]`
    inputs: &'a [Lanes],
    /// `[words][VECTORS]`
    weights: &'a [Lanes],
    /// `[ROWS][64 / 16][stride]`
    sums: &'a mut [Lanes],
    /// Where the first block's sum of the first tile goes.
    offset: usize,
    /// See [`sum_stride`].
    stride: usize,
    /// What is prefetched, a line a word: a share of the weights or inputs that are needed next.
    next: *const Lanes,
}

impl<const PARTS: usize, const ROWS: usize, const VECTORS: usize> Task for Kernel<'_, PARTS, ROWS, VECTORS> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let mut sums = [[isa.splat(0.0); VECTORS]; ROWS];
        let inputs = self.inputs.as_chunks::<ROWS>().0;
        let weights = self.weights.as_chunks::<VECTORS>().0.as_chunks::<LANES>().0;
        debug_assert_eq!(inputs.len(), weights.len());
        for (place, (inputs, weights)) in inputs.iter().zip(weights).enumerate() {
            for (lane, weights) in weights.iter().enumerate() {
                isa.prefetch(self.next.wrapping_add(place * LANES + lane));
                let mut row = [isa.splat(0.0); VECTORS];
                for (vector, weights) in row.iter_mut().zip(weights) {
                    *vector = isa.load(weights);
                }
                for (sums, inputs) in sums.iter_mut().zip(inputs) {
                    let input = isa.splat(inputs.0[lane]);
                    for (sum, weights) in sums.iter_mut().zip(row) {
                        *sum = if PARTS > 0 {
                            isa.mul_add_bf16(weights, input, *sum)
                        } else {
                            isa.mul_add(weights, input, *sum)
                        };
                    }
                }
            }
        }
        for (sums, lines) in sums.into_iter().zip(self.sums.chunks_exact_mut(GROUP_BLOCKS * self.stride)) {
            for (sum, line) in sums.into_iter().zip(lines[self.offset..].iter_mut().step_by(self.stride)) {
                isa.store(sum, line);
            }
        }
    }
}
