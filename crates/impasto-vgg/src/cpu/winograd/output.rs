//! Back from the transformed domain: A^T m A for each tile, and everything that can be done while its 4x4 outputs are in
//! registers.
//!
//! Forward: bias, ReLU, signs, and where a pooling follows its four windows, which a tile covers exactly. Backward: the
//! gradient that a tap has put there before, and the signs of the layer below.

use super::input::window_share;
use super::points::{POINTS, SPAN, TILE, transform_output};
use super::products::SUM_STRIDE;
use crate::cpu::buffer::{Element, SignRows, Tile, TileGrid, TileWriter};
use crate::cpu::isa::{Isa, LANES, Lanes, Task};
use crate::cpu::panels::GROUP_BLOCKS;
use crate::engine::Pooling;

/// Side of a tile's part of a pooled map.
pub const POOLED_TILE: usize = TILE / 2;

/// What becomes of a tile's outputs.
pub trait Epilogue: Send {
    /// Takes the sixteen outputs `[row][column]` of one tile in one block of channels.
    fn tile<I: Isa>(&mut self, isa: I, block: usize, tile: Tile, outputs: [[I::Vector; TILE]; TILE]);

    /// Has the memory that `tile` will be written to brought near.
    fn prefetch<I: Isa>(&self, isa: I, block: usize, tile: Tile);
}

/// Transforms the sums of one group of 64 outputs and hands the tiles on.
pub struct OutputTransform<'a, E: Epilogue> {
    /// `[tile][64 / 16][SUM_STRIDE]`, of which the first 36 are points.
    pub sums: &'a [Lanes],
    /// Which 64 outputs.
    pub group: usize,
    /// Where the tiles lie.
    pub grid: TileGrid,
    /// Number of the first tile.
    pub first_tile: usize,
    /// What becomes of them.
    pub epilogue: &'a mut E,
}

impl<E: Epilogue> Task for OutputTransform<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let mut tile = self.grid.tile(self.first_tile);
        let mut next = self.grid.next(tile);
        for blocks in self.sums.as_chunks::<SUM_STRIDE>().0.as_chunks::<GROUP_BLOCKS>().0 {
            for (block, sums) in blocks.iter().enumerate() {
                let points = sums.first_chunk().expect("a stride holds all points");
                // Maps do not fit the caches, and a store has to wait for its line to arrive before the next but few can.
                self.epilogue.prefetch(isa, self.group * GROUP_BLOCKS + block, next);
                let outputs = transform_tile(isa, points);
                self.epilogue.tile(isa, self.group * GROUP_BLOCKS + block, tile, outputs);
            }
            (tile, next) = (next, self.grid.next(next));
        }
    }
}

/// Has the rows of a tile brought near.
#[inline(always)]
fn prefetch_tile<I: Isa>(isa: I, writer: &TileWriter<'_, Lanes>, side: usize, block: usize, tile: Tile) {
    for row in 0..side {
        let line = writer.address(block, tile, row);
        for column in 0..side {
            isa.prefetch(line.wrapping_add(column));
        }
    }
}

/// A^T m A.
#[inline(always)]
fn transform_tile<I: Isa>(isa: I, points: &[Lanes; POINTS]) -> [[I::Vector; TILE]; TILE] {
    // Row i of `halves` has the four output columns of point row i.
    let mut halves = [[isa.splat(0.0); TILE]; SPAN];
    for (half, lines) in halves.iter_mut().zip(points.as_chunks::<SPAN>().0) {
        let mut row = [isa.splat(0.0); SPAN];
        for (value, line) in row.iter_mut().zip(lines) {
            *value = isa.load(line);
        }
        *half = transform_output(isa, row);
    }
    let mut outputs = [[isa.splat(0.0); TILE]; TILE];
    for x in 0..TILE {
        let mut column = [isa.splat(0.0); SPAN];
        for (value, half) in column.iter_mut().zip(&halves) {
            *value = half[x];
        }
        let column = transform_output(isa, column);
        for (row, value) in outputs.iter_mut().zip(column) {
            row[x] = value;
        }
    }
    outputs
}

/// Bias, ReLU, and what is kept of the features.
pub struct ForwardEpilogue<'a> {
    /// A value for each output channel.
    pub bias: &'a [f32],
    /// Where the features go.
    pub map: Option<TileWriter<'a, Lanes>>,
    /// Where their signs go.
    pub signs: Option<TileWriter<'a, u16>>,
    /// Where they go when pooled.
    pub pool: Option<PoolWriter<'a>>,
}

impl Epilogue for ForwardEpilogue<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&mut self, isa: I, block: usize, tile: Tile, mut outputs: [[I::Vector; TILE]; TILE]) {
        let mut bias = Lanes::ZERO;
        bias.0.copy_from_slice(&self.bias[block * LANES..][..LANES]);
        let bias = isa.load(&bias);
        for value in outputs.iter_mut().flatten() {
            *value = isa.relu(isa.add(*value, bias));
        }
        if let Some(writer) = &mut self.map {
            store_rows(isa, writer, block, tile, &outputs);
        }
        if let Some(writer) = &mut self.signs {
            for (row, values) in outputs.iter().enumerate() {
                let mut signs = [0; TILE];
                for (bits, value) in signs.iter_mut().zip(values) {
                    *bits = isa.greater_bits(*value, isa.splat(0.0));
                }
                copy_row(writer, block, tile, row, signs);
            }
        }
        if let Some(pool) = &mut self.pool {
            pool.tile(isa, block, tile, outputs);
        }
    }

    #[inline(always)]
    fn prefetch<I: Isa>(&self, isa: I, block: usize, tile: Tile) {
        if let Some(writer) = &self.map {
            prefetch_tile(isa, writer, TILE, block, tile);
        }
        if let Some(pool) = &self.pool {
            prefetch_tile(isa, &pool.map, POOLED_TILE, block, tile);
        }
    }
}

#[inline(always)]
fn store_rows<I: Isa>(
    isa: I,
    writer: &mut TileWriter<'_, Lanes>,
    block: usize,
    tile: Tile,
    outputs: &[[I::Vector; TILE]; TILE],
) {
    for (row, values) in outputs.iter().enumerate() {
        store_row(isa, writer.tile_row(block, tile, row), *values);
    }
}

/// Pools the four windows of each tile.
pub struct PoolWriter<'a> {
    /// How.
    pub pooling: Pooling,
    /// Height of the map that is pooled.
    pub height: usize,
    /// Width of the map that is pooled.
    pub width: usize,
    /// Where the pooled values go.
    pub map: TileWriter<'a, Lanes>,
    /// Where the winners of max pooling go.
    pub winners: Option<TileWriter<'a, [u16; 2]>>,
}

impl PoolWriter<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&mut self, isa: I, block: usize, tile: Tile, mut outputs: [[I::Vector; TILE]; TILE]) {
        let (y, x) = (tile.row * TILE, tile.column * TILE);
        let (rows, columns) = (TILE.min(self.height - y), TILE.min(self.width - x));
        if rows < TILE || columns < TILE {
            // Beyond the edge: zeros do not change a sum, and features are never below them, so a zero never beats what
            // came before it.
            for (row, values) in outputs.iter_mut().enumerate() {
                for (column, value) in values.iter_mut().enumerate() {
                    if row >= rows || column >= columns {
                        *value = isa.splat(0.0);
                    }
                }
            }
        }
        for row in 0..POOLED_TILE {
            let [upper, lower] = [outputs[2 * row], outputs[2 * row + 1]];
            let mut values = [isa.splat(0.0); POOLED_TILE];
            let mut winners = [[0; 2]; POOLED_TILE];
            for column in 0..POOLED_TILE {
                let window = [upper[2 * column], upper[2 * column + 1], lower[2 * column], lower[2 * column + 1]];
                values[column] = match self.pooling {
                    Pooling::Average => {
                        let share = window_share(2 * row, rows) * window_share(2 * column, columns);
                        let sum = isa.add(isa.add(window[0], window[1]), isa.add(window[2], window[3]));
                        isa.mul(sum, isa.splat(share))
                    }
                    Pooling::Max => {
                        let (value, bits) = largest(isa, window);
                        winners[column] = bits;
                        value
                    }
                };
            }
            store_row(isa, self.map.tile_row(block, tile, row), values);
            if let Some(writer) = &mut self.winners {
                copy_row(writer, block, tile, row, winners);
            }
        }
    }
}

/// The largest of a window `[upper left, upper right, lower left, lower right]`, the first of equals, and the bits of the
/// column and the row that it stands in.
#[inline(always)]
fn largest<I: Isa>(isa: I, window: [I::Vector; 4]) -> (I::Vector, [u16; 2]) {
    let [upper_right, lower_right] = [isa.greater_bits(window[1], window[0]), isa.greater_bits(window[3], window[2])];
    let [upper, lower] = [isa.max(window[0], window[1]), isa.max(window[2], window[3])];
    let row_bits = isa.greater_bits(lower, upper);
    (isa.max(upper, lower), [row_bits & lower_right | !row_bits & upper_right, row_bits])
}

/// Stores a row of a tile as far as it lies inside the map. Whole rows, the common case, stay in registers.
#[inline(always)]
fn store_row<I: Isa, const N: usize>(isa: I, lines: Option<&mut [Lanes]>, values: [I::Vector; N]) {
    let Some(lines) = lines else { return };
    if let Ok(lines) = <&mut [Lanes; N]>::try_from(&mut *lines) {
        for (line, value) in lines.iter_mut().zip(values) {
            isa.store(value, line);
        }
    } else {
        for (line, value) in lines.iter_mut().zip(values) {
            isa.store(value, line);
        }
    }
}

#[inline(always)]
fn copy_row<T: Element, const N: usize>(
    writer: &mut TileWriter<'_, T>,
    block: usize,
    tile: Tile,
    row: usize,
    elements: [T; N],
) {
    match writer.tile_row(block, tile, row) {
        Some(whole) if whole.len() == N => whole.copy_from_slice(&elements),
        Some(cut) => cut.copy_from_slice(&elements[..cut.len()]),
        None => {}
    }
}

/// What a tap injected, and the signs of the layer below.
pub struct BackwardEpilogue<'a> {
    /// Where the gradient goes.
    pub map: TileWriter<'a, Lanes>,
    /// Whether what stands there is added.
    pub accumulate: bool,
    /// Where the layer below is positive.
    pub signs: Option<&'a SignRows>,
}

impl Epilogue for BackwardEpilogue<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&mut self, isa: I, block: usize, tile: Tile, outputs: [[I::Vector; TILE]; TILE]) {
        let (y, x) = (tile.row * TILE, tile.column * TILE);
        for (row, mut values) in outputs.into_iter().enumerate() {
            let Some(lines) = self.map.tile_row(block, tile, row) else { break };
            if self.accumulate {
                add_row(isa, lines, &mut values);
            }
            if let Some(signs) = self.signs {
                let bits = copy_of_row(&signs.row(block, y + row)[x..x + lines.len()]);
                for (value, bits) in values.iter_mut().zip(bits) {
                    *value = isa.keep(*value, bits);
                }
            }
            store_row(isa, Some(lines), values);
        }
    }

    #[inline(always)]
    fn prefetch<I: Isa>(&self, isa: I, block: usize, tile: Tile) {
        prefetch_tile(isa, &self.map, TILE, block, tile);
    }
}

/// Adds what a row of a tile holds, as far as it lies inside the map.
#[inline(always)]
fn add_row<I: Isa>(isa: I, lines: &[Lanes], values: &mut [I::Vector; TILE]) {
    if let Ok(lines) = <&[Lanes; TILE]>::try_from(lines) {
        for (value, line) in values.iter_mut().zip(lines) {
            *value = isa.add(*value, isa.load(line));
        }
    } else {
        for (value, line) in values.iter_mut().zip(lines) {
            *value = isa.add(*value, isa.load(line));
        }
    }
}

/// A row of a tile's signs; none beyond the map.
#[inline(always)]
fn copy_of_row(signs: &[u16]) -> [u16; TILE] {
    <[u16; TILE]>::try_from(signs).unwrap_or_else(|_| std::array::from_fn(|x| signs.get(x).copied().unwrap_or(0)))
}
