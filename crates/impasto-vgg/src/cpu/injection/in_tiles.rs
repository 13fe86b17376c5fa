//! S F in tile registers: a piece of a row of positions is rounded to bfloat16 into a buffer, multiplied by a panel of S, and
//! what comes out is added to the means.

use super::Positions;
use crate::cpu::buffer::RowMut;
use crate::cpu::isa::{Isa, LANES, Lanes, Task};
use crate::cpu::panels::GROUP_BLOCKS;
use crate::cpu::tiles::{TileOperands, TilePlace};

/// Positions that tile registers are given at a time: whole groups of sixteen.
const PIECE_POSITIONS: usize = 128;

/// A piece of a row on its way through tile registers.
pub struct Piece {
    /// `[positions / 16][channels / 32][16]`
    inputs: Vec<Lanes>,
    /// `[positions][64 / 16]`
    sums: Vec<Lanes>,
}

impl Piece {
    /// For a map of this many channels; empty for none.
    pub fn new(channels: usize) -> Piece {
        let lines = |channels| vec![Lanes::ZERO; PIECE_POSITIONS * channels];
        Piece { inputs: lines(channels / (2 * LANES)), sums: lines(channels.min(GROUP_BLOCKS)) }
    }
}

/// Positions of a row, the four blocks of a group of channels.
pub struct RowInTiles<'a, 'map> {
    /// Which, and what they are multiplied by.
    pub positions: Positions<'a>,
    /// The row in each of the four blocks.
    pub blocks: &'a mut [RowMut<'map, Lanes>],
    /// What is worked in.
    pub piece: &'a mut Piece,
}

impl Task for RowInTiles<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let RowInTiles { positions: all, blocks, piece } = self;
        let Positions { panel, features, .. } = all;
        let (first_block, y, end) = (blocks[0].block, blocks[0].y, all.columns.end);
        let mean = &panel.mean[first_block..][..GROUP_BLOCKS];
        let panel_len = panel.words() * GROUP_BLOCKS;
        let weights = &panel.second[first_block / GROUP_BLOCKS * panel_len..][..panel_len];
        let chunks = if panel.has_second { features.channels() / (2 * LANES) } else { 0 };
        for start in all.columns.clone().step_by(PIECE_POSITIONS) {
            let positions = start..(start + PIECE_POSITIONS).min(end);
            let guide = all.weights_from(start);
            for chunk in 0..chunks {
                let [lower, upper] = [0, 1].map(|half| &features.row(2 * chunk + half, y)[positions.clone()]);
                for (place, (lower, upper)) in lower.iter().zip(upper).enumerate() {
                    let line = &mut piece.inputs[(place / LANES * chunks + chunk) * LANES + place % LANES];
                    isa.store_bf16(isa.load(lower), line, false);
                    isa.store_bf16(isa.load(upper), line, true);
                }
            }
            let operands = TileOperands {
                inputs: &piece.inputs,
                weights,
                sums: &mut piece.sums,
                row_groups: positions.len().div_ceil(LANES),
                chunks,
                parts: 1,
                row_stride: GROUP_BLOCKS,
                vector_stride: 1,
            };
            isa.tile_products(operands, std::iter::once(TilePlace { inputs: 0, weights: 0, sums: 0 }));
            for (vector, (row, mean)) in blocks.iter_mut().zip(mean).enumerate() {
                let mean = isa.load(mean);
                let pairs = row.elements[positions.clone()].iter_mut().zip(piece.sums.chunks(GROUP_BLOCKS));
                for (place, (line, sums)) in pairs.enumerate() {
                    let sum = if chunks > 0 { isa.load(&sums[vector]) } else { isa.splat(0.0) };
                    let mut value = isa.add(mean, sum);
                    if !guide.is_empty() {
                        value = isa.mul_add(isa.splat(guide[place]), value, isa.load(line));
                    }
                    isa.store(value, line);
                }
            }
        }
    }
}
