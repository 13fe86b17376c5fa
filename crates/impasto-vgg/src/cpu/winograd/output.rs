//! Back from the transformed domain: A^T m A for each tile, and everything that can be done while its outputs are in
//! registers.
//!
//! Forward: bias, ReLU, signs, and where a pooling follows its windows, which a tile covers exactly. Backward: the
//! gradient that a tap has put there before, and the signs of the layer below.

use super::gradient::window_share;
use super::points::{SPAN, TILE, transform_output};
use super::products::sum_stride;
use crate::cpu::buffer::{Element, SignRows, Tile, TileGrid, TileWriter};
use crate::cpu::isa::{Isa, LANES, Lanes, Task};
use crate::cpu::panels::GROUP_BLOCKS;
use crate::engine::Pooling;

/// Rows of a tile's part of a pooled map.
pub const POOLED_TILE: usize = TILE / 2;

/// What becomes of a tile's outputs.
pub trait Epilogue: Send {
    /// Takes the outputs `[row][column]` of one tile in one block of channels. Where they are pooled, `POOLED` columns are
    /// left of them.
    fn tile<I: Isa, const COLUMNS: usize, const POOLED: usize>(
        &mut self,
        isa: I,
        block: usize,
        tile: Tile,
        outputs: [[I::Vector; COLUMNS]; TILE],
    );

    /// Has the memory that `tile` will be written to brought near.
    fn prefetch<I: Isa, const COLUMNS: usize>(&self, isa: I, block: usize, tile: Tile);
}

/// Transforms the sums of one group of 64 outputs and hands the tiles on: `COLUMNS` outputs beside each other, `POOLED`
/// where they are pooled, from `ROW_POINTS` points.
pub struct OutputTransform<'a, E: Epilogue, const COLUMNS: usize, const POOLED: usize, const ROW_POINTS: usize> {
    /// `[tile][64 / 16][sum_stride]`, of which the last is no point.
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

impl<E: Epilogue, const COLUMNS: usize, const POOLED: usize, const ROW_POINTS: usize> Task
    for OutputTransform<'_, E, COLUMNS, POOLED, ROW_POINTS>
{
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let mut tile = self.grid.tile(self.first_tile);
        let mut next = self.grid.next(tile);
        let stride = sum_stride(SPAN * ROW_POINTS);
        for blocks in self.sums.chunks_exact(GROUP_BLOCKS * stride) {
            for (block, sums) in blocks.chunks_exact(stride).enumerate() {
                let points = sums.as_chunks::<ROW_POINTS>().0.first_chunk().expect("a stride holds all points");
                // Maps do not fit the caches, and a store has to wait for its line to arrive before the next but few can.
                self.epilogue.prefetch::<I, COLUMNS>(isa, self.group * GROUP_BLOCKS + block, next);
                let outputs = transform_tile(isa, points);
                self.epilogue.tile::<I, COLUMNS, POOLED>(isa, self.group * GROUP_BLOCKS + block, tile, outputs);
            }
            (tile, next) = (next, self.grid.next(next));
        }
    }
}

/// Has the rows of a tile brought near.
#[inline(always)]
fn prefetch_tile<I: Isa>(
    isa: I,
    writer: &TileWriter<'_, Lanes>,
    (rows, columns): (usize, usize),
    block: usize,
    tile: Tile,
) {
    for row in 0..rows {
        let line = writer.address(block, tile, row);
        for column in 0..columns {
            isa.prefetch(line.wrapping_add(column));
        }
    }
}

/// A^T m A.
#[inline(always)]
fn transform_tile<I: Isa, const COLUMNS: usize, const ROW_POINTS: usize>(
    isa: I,
    points: &[[Lanes; ROW_POINTS]; SPAN],
) -> [[I::Vector; COLUMNS]; TILE] {
    // Row y of `halves` is row y of the outputs, still in points.
    let mut halves = [[isa.splat(0.0); ROW_POINTS]; TILE];
    for x in 0..ROW_POINTS {
        let mut column = [isa.splat(0.0); SPAN];
        for (value, row) in column.iter_mut().zip(points) {
            *value = isa.load(&row[x]);
        }
        let column: [_; TILE] = transform_output(isa, column);
        for (half, value) in halves.iter_mut().zip(column) {
            half[x] = value;
        }
    }
    let mut outputs = [[isa.splat(0.0); COLUMNS]; TILE];
    for (row, half) in outputs.iter_mut().zip(halves) {
        *row = transform_output(isa, half);
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
    fn tile<I: Isa, const COLUMNS: usize, const POOLED: usize>(
        &mut self,
        isa: I,
        block: usize,
        tile: Tile,
        mut outputs: [[I::Vector; COLUMNS]; TILE],
    ) {
        let mut bias = Lanes::ZERO;
        bias.0.copy_from_slice(&self.bias[block * LANES..][..LANES]);
        let bias = isa.load(&bias);
        for row in &mut outputs {
            for value in row {
                *value = isa.relu(isa.add(*value, bias));
            }
        }
        if let Some(writer) = &mut self.map {
            match writer.whole_tile(block, tile) {
                Some(lines) => store_tile(isa, lines, &outputs),
                None => store_rows(isa, writer, block, tile, &outputs),
            }
        }
        if let Some(writer) = &mut self.signs {
            if let Some(rows) = writer.whole_tile::<TILE, COLUMNS>(block, tile) {
                // Straight to their place: put together elsewhere, they would be stored one by one and loaded by fours, and
                // such a load has to wait for all the stores.
                for (bits, values) in rows.into_iter().zip(&outputs) {
                    for (bits, value) in bits.iter_mut().zip(values) {
                        *bits = isa.greater_bits(*value, isa.splat(0.0));
                    }
                }
            } else {
                for (row, values) in outputs.iter().enumerate() {
                    for (bits, value) in writer.tile_row(block, tile, row).into_iter().flatten().zip(values) {
                        *bits = isa.greater_bits(*value, isa.splat(0.0));
                    }
                }
            }
        }
        if let Some(pool) = &mut self.pool {
            pool.tile::<I, COLUMNS, POOLED>(isa, block, tile, outputs);
        }
    }

    #[inline(always)]
    fn prefetch<I: Isa, const COLUMNS: usize>(&self, isa: I, block: usize, tile: Tile) {
        if let Some(writer) = &self.map {
            prefetch_tile(isa, writer, (TILE, COLUMNS), block, tile);
        }
        if let Some(pool) = &self.pool {
            prefetch_tile(isa, &pool.map, (POOLED_TILE, COLUMNS / 2), block, tile);
        }
    }
}

/// Stores a tile that lies inside the map as a whole, the common case: its values stay in registers.
#[inline(always)]
fn store_tile<I: Isa, const ROWS: usize, const COLUMNS: usize>(
    isa: I,
    lines: [&mut [Lanes; COLUMNS]; ROWS],
    values: &[[I::Vector; COLUMNS]; ROWS],
) {
    for (lines, values) in lines.into_iter().zip(values) {
        for (line, value) in lines.iter_mut().zip(values) {
            isa.store(*value, line);
        }
    }
}

/// Stores a tile as far as it lies inside the map.
#[inline(always)]
fn store_rows<I: Isa, const ROWS: usize, const COLUMNS: usize>(
    isa: I,
    writer: &mut TileWriter<'_, Lanes>,
    block: usize,
    tile: Tile,
    outputs: &[[I::Vector; COLUMNS]; ROWS],
) {
    for (row, values) in outputs.iter().enumerate() {
        let lines = writer.tile_row(block, tile, row).into_iter().flatten();
        lines.zip(values).for_each(|(line, value)| isa.store(*value, line));
    }
}

/// Copies a tile as far as it lies inside the map.
#[inline(always)]
fn copy_tile<T: Element, const ROWS: usize, const COLUMNS: usize>(
    writer: &mut TileWriter<'_, T>,
    block: usize,
    tile: Tile,
    elements: [[T; COLUMNS]; ROWS],
) {
    if let Some(rows) = writer.whole_tile::<ROWS, COLUMNS>(block, tile) {
        for (row, elements) in rows.into_iter().zip(elements) {
            *row = elements;
        }
        return;
    }
    for (row, elements) in elements.iter().enumerate() {
        if let Some(cut) = writer.tile_row(block, tile, row) {
            cut.copy_from_slice(&elements[..cut.len()]);
        }
    }
}

/// Pools the windows of each tile.
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
    fn tile<I: Isa, const COLUMNS: usize, const POOLED: usize>(
        &mut self,
        isa: I,
        block: usize,
        tile: Tile,
        mut outputs: [[I::Vector; COLUMNS]; TILE],
    ) {
        let (y, x) = (tile.row * TILE, tile.column * COLUMNS);
        let (rows, columns) = (TILE.min(self.height - y), COLUMNS.min(self.width - x));
        if rows < TILE || columns < COLUMNS {
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
        let mut values = [[isa.splat(0.0); POOLED]; POOLED_TILE];
        match self.pooling {
            Pooling::Average => {
                for (row, values) in values.iter_mut().enumerate() {
                    for (column, value) in values.iter_mut().enumerate() {
                        let window = window(&outputs, row, column);
                        let share = window_share(2 * row, rows) * window_share(2 * column, columns);
                        let sum = isa.add(isa.add(window[0], window[1]), isa.add(window[2], window[3]));
                        *value = isa.mul(sum, isa.splat(share));
                    }
                }
            }
            Pooling::Max => {
                let mut winners = [[[0; 2]; POOLED]; POOLED_TILE];
                for (row, (values, winners)) in values.iter_mut().zip(&mut winners).enumerate() {
                    for (column, (value, winner)) in values.iter_mut().zip(winners).enumerate() {
                        (*value, *winner) = largest(isa, window(&outputs, row, column));
                    }
                }
                if let Some(writer) = &mut self.winners {
                    copy_tile(writer, block, tile, winners);
                }
            }
        }
        match self.map.whole_tile(block, tile) {
            Some(lines) => store_tile(isa, lines, &values),
            None => store_rows(isa, &mut self.map, block, tile, &values),
        }
    }
}

/// The four outputs that pooling makes one: `[upper left, upper right, lower left, lower right]`.
#[inline(always)]
fn window<V: Copy, const COLUMNS: usize>(outputs: &[[V; COLUMNS]; TILE], row: usize, column: usize) -> [V; 4] {
    let ([upper, lower], [left, right]) = ([2 * row, 2 * row + 1], [2 * column, 2 * column + 1]);
    [outputs[upper][left], outputs[upper][right], outputs[lower][left], outputs[lower][right]]
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
    fn tile<I: Isa, const COLUMNS: usize, const POOLED: usize>(
        &mut self,
        isa: I,
        block: usize,
        tile: Tile,
        mut outputs: [[I::Vector; COLUMNS]; TILE],
    ) {
        let (y, x) = (tile.row * TILE, tile.column * COLUMNS);
        if let Some(rows) = self.map.whole_tile::<TILE, COLUMNS>(block, tile) {
            if self.accumulate {
                for (lines, values) in rows.iter().zip(&mut outputs) {
                    for (line, value) in lines.iter().zip(values) {
                        *value = isa.add(*value, isa.load(line));
                    }
                }
            }
            if let Some(signs) = self.signs {
                for (row, values) in outputs.iter_mut().enumerate() {
                    let signs = signs.row(block, y + row)[x..].first_chunk::<COLUMNS>().expect("the tile is whole");
                    for (signs, value) in signs.iter().zip(values) {
                        *value = isa.keep(*value, *signs);
                    }
                }
            }
            return store_tile(isa, rows, &outputs);
        }
        for (row, values) in outputs.iter().enumerate() {
            let Some(lines) = self.map.tile_row(block, tile, row) else { break };
            let signs = self.signs.map(|signs| &signs.row(block, y + row)[x..]);
            for (column, (line, value)) in lines.iter_mut().zip(values).enumerate() {
                let mut value = *value;
                if self.accumulate {
                    value = isa.add(value, isa.load(line));
                }
                if let Some(signs) = signs {
                    value = isa.keep(value, signs[column]);
                }
                isa.store(value, line);
            }
        }
    }

    #[inline(always)]
    fn prefetch<I: Isa, const COLUMNS: usize>(&self, isa: I, block: usize, tile: Tile) {
        prefetch_tile(isa, &self.map, (TILE, COLUMNS), block, tile);
    }
}
