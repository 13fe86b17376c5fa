//! From maps to the transformed domain: B^T d B for the 6x6 inputs of every tile, sixteen channels at a time.
//!
//! Tiles beside each other share two of their six columns, so the vertical pass runs once a column over a strip of tiles
//! into a buffer that stays in the first-level cache, and the horizontal pass reads six columns of it a tile: 40% less
//! work than tile by tile.
//!
//! ```text
//!   column of the map   -1  0  1  2  3  4  5  6  7  8        rows 4 t - 1 .. 4 t + 5 of tile row t,
//!   tile 0              |_________________|                  zeros beyond the map
//!   tile 1                          |_________________|
//! ```
//!
//! On the way back the source is a [`Gradient`]: what stands above a pooling is shared out to its windows, and the signs
//! of the layer are applied, while it is read; full-size gradients below a pooling are never stored.

use std::ops::Range;

use super::points::{SPAN, TILE, transform_input};
use super::products::padded_tiles;
use crate::cpu::buffer::{FeatureRows, SignRows, WinnerRows};
use crate::cpu::isa::{Isa, LANES, Lanes, Task};
use crate::cpu::panels::words;

/// Tiles in a strip: its buffer takes 25 KiB.
const STRIP_TILES: usize = 16;
/// Lines that the strip's buffer takes.
pub const STRIP_LINES: usize = (STRIP_TILES * TILE + SPAN - TILE) * SPAN;

/// A map that tiles can be read from.
pub trait Source: Sync {
    /// The six rows of one tile row and one block of channels.
    type Rows<'a>: TileRows
    where
        Self: 'a;

    /// Columns of the map.
    fn width(&self) -> usize;
    /// The rows that the tiles of tile row `tile_row` read.
    fn rows(&self, block: usize, tile_row: usize) -> Self::Rows<'_>;
}

/// The rows that the tiles of one tile row read, in one block of channels.
pub trait TileRows {
    /// Column `x`, which lies inside the map, of each of the six rows.
    fn column<I: Isa>(&self, isa: I, x: usize) -> [I::Vector; SPAN];
    /// Has column `x` brought near.
    fn prefetch<I: Isa>(&self, isa: I, x: usize);
}

/// The six rows of a map that tile row `tile_row` reads; `None` beyond the map.
#[inline(always)]
fn six_rows<T>(height: usize, tile_row: usize, row: impl Fn(usize) -> T) -> [Option<T>; SPAN] {
    std::array::from_fn(|i| (tile_row * TILE + i).checked_sub(1).filter(|&y| y < height).map(&row))
}

impl Source for FeatureRows {
    type Rows<'a> = [Option<&'a [Lanes]>; SPAN];

    fn width(&self) -> usize {
        FeatureRows::width(self)
    }

    #[inline(always)]
    fn rows(&self, block: usize, tile_row: usize) -> Self::Rows<'_> {
        six_rows(FeatureRows::height(self), tile_row, |y| self.row(block, y))
    }
}

impl TileRows for [Option<&[Lanes]>; SPAN] {
    #[inline(always)]
    fn column<I: Isa>(&self, isa: I, x: usize) -> [I::Vector; SPAN] {
        let mut column = [isa.splat(0.0); SPAN];
        for (value, row) in column.iter_mut().zip(self) {
            if let Some(row) = row {
                *value = isa.load(&row[x]);
            }
        }
        column
    }

    #[inline(always)]
    fn prefetch<I: Isa>(&self, isa: I, x: usize) {
        for row in self.iter().flatten() {
            isa.prefetch(row.as_ptr().wrapping_add(x));
        }
    }
}

/// The gradient with respect to a layer before its ReLU, put together while it is read:
/// the share of what stands above the pooling, plus `direct`, where the layer's feature is positive; else zero.
#[derive(Clone, Copy, Debug)]
pub struct Gradient<'a> {
    /// Height of the layer's map.
    pub height: usize,
    /// Width of the layer's map.
    pub width: usize,
    /// Gradient at the layer's own positions: from the convolution above, or injected by a tap.
    pub direct: Option<&'a FeatureRows>,
    /// Gradient at the map of the pooling that follows.
    pub pooled: Option<PooledGradient<'a>>,
    /// Where the layer's features are positive; `None` where that is applied already.
    pub signs: Option<&'a SignRows>,
}

/// The gradient at a pooling's map, to be shared out to the windows.
#[derive(Clone, Copy, Debug)]
pub struct PooledGradient<'a> {
    /// One element a window.
    pub map: &'a FeatureRows,
    /// Which element of each window gets all of it; `None` for average pooling, where each gets the same.
    pub winners: Option<&'a WinnerRows>,
}

/// One row of a [`Gradient`] in one block of channels.
#[derive(Clone, Copy)]
pub struct GradientRow<'a> {
    direct: Option<&'a [Lanes]>,
    pooled: Option<&'a [Lanes]>,
    winners: Option<&'a [[u16; 2]]>,
    signs: Option<&'a [u16]>,
    /// One over the rows of the pooling windows that this row is in.
    row_share: f32,
    lower_row: bool,
    width: usize,
}

impl<'a> Gradient<'a> {
    /// Row `y` of one block of channels.
    #[inline(always)]
    pub fn row(&self, block: usize, y: usize) -> GradientRow<'a> {
        GradientRow {
            direct: self.direct.map(|map| map.row(block, y)),
            pooled: self.pooled.map(|pooled| pooled.map.row(block, y / 2)),
            winners: self.pooled.and_then(|pooled| pooled.winners).map(|winners| winners.row(block, y / 2)),
            signs: self.signs.map(|signs| signs.row(block, y)),
            row_share: window_share(y, self.height),
            lower_row: !y.is_multiple_of(2),
            width: self.width,
        }
    }
}

/// One over the elements that the pooling window of place `at` spans of `length`, in one direction.
#[inline(always)]
pub fn window_share(at: usize, length: usize) -> f32 {
    if at / 2 * 2 + 1 < length { 0.5 } else { 1.0 }
}

impl GradientRow<'_> {
    /// The value in column `x`.
    #[inline(always)]
    pub fn load<I: Isa>(&self, isa: I, x: usize) -> I::Vector {
        let mut value = isa.splat(0.0);
        if let Some(pooled) = self.pooled {
            let above = isa.load(&pooled[x / 2]);
            value = match self.winners {
                None => isa.mul(above, isa.splat(self.row_share * window_share(x, self.width))),
                Some(winners) => {
                    let [column_bits, row_bits] = winners[x / 2];
                    let column_bits = if x.is_multiple_of(2) { !column_bits } else { column_bits };
                    let row_bits = if self.lower_row { row_bits } else { !row_bits };
                    isa.keep(above, column_bits & row_bits)
                }
            };
        }
        if let Some(direct) = self.direct {
            value = isa.add(value, isa.load(&direct[x]));
        }
        match self.signs {
            Some(signs) => isa.keep(value, signs[x]),
            None => value,
        }
    }
}

impl Source for Gradient<'_> {
    type Rows<'a>
        = [Option<GradientRow<'a>>; SPAN]
    where
        Self: 'a;

    fn width(&self) -> usize {
        self.width
    }

    #[inline(always)]
    fn rows(&self, block: usize, tile_row: usize) -> Self::Rows<'_> {
        six_rows(self.height, tile_row, |y| self.row(block, y))
    }
}

impl TileRows for [Option<GradientRow<'_>>; SPAN] {
    #[inline(always)]
    fn column<I: Isa>(&self, isa: I, x: usize) -> [I::Vector; SPAN] {
        let mut column = [isa.splat(0.0); SPAN];
        for (value, row) in column.iter_mut().zip(self) {
            if let Some(row) = row {
                *value = row.load(isa, x);
            }
        }
        column
    }

    #[inline(always)]
    fn prefetch<I: Isa>(&self, isa: I, x: usize) {
        for row in self.iter().flatten() {
            let lines = [
                row.pooled.map(|row| row.as_ptr().wrapping_add(x / 2)),
                row.direct.map(|row| row.as_ptr().wrapping_add(x)),
            ];
            lines.into_iter().flatten().for_each(|line| isa.prefetch(line));
        }
    }
}

/// Transforms the inputs of a block of tiles for all channels: fills `lines`, laid out as `InputPanels` says.
pub struct InputTransform<'a, S: Source, const PARTS: usize> {
    /// What is read.
    pub source: &'a S,
    /// Blocks of sixteen channels.
    pub blocks: usize,
    /// Numbers of the tiles, row after row.
    pub tiles: Range<usize>,
    /// Where the transformed inputs go.
    pub lines: &'a mut [Lanes],
    /// Lines from a point to the next.
    pub point_stride: usize,
    /// [`STRIP_LINES`] lines.
    pub strip: &'a mut [Lanes],
}

impl<S: Source, const PARTS: usize> Task for InputTransform<'_, S, PARTS> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let tiles_per_row = self.source.width().div_ceil(TILE);
        for block in 0..self.blocks {
            let mut tile = self.tiles.start;
            while tile < self.tiles.end {
                let row_end = (tile / tiles_per_row + 1) * tiles_per_row;
                let end = (tile + STRIP_TILES).min(row_end).min(self.tiles.end);
                self.vertical_pass(isa, block, tile / tiles_per_row, tile % tiles_per_row, end - tile);
                for place in 0..end - tile {
                    self.horizontal_pass(isa, block, place, tile + place - self.tiles.start);
                }
                tile = end;
            }
        }
    }
}

impl<S: Source, const PARTS: usize> InputTransform<'_, S, PARTS> {
    /// Fills the strip, `[column][6]`, for `count` tiles from `tile_column` on.
    #[inline(always)]
    fn vertical_pass<I: Isa>(&mut self, isa: I, block: usize, tile_row: usize, tile_column: usize, count: usize) {
        let rows = self.source.rows(block, tile_row);
        // The same place in the next block of channels is needed next.
        let next_rows = self.source.rows((block + 1).min(self.blocks - 1), tile_row);
        let width = self.source.width();
        let columns = &mut self.strip.as_chunks_mut::<SPAN>().0[..count * TILE + SPAN - TILE];
        let store = |lines: &mut [Lanes; SPAN], column: [I::Vector; SPAN]| {
            for (line, value) in lines.iter_mut().zip(column) {
                isa.store(value, line);
            }
        };
        // Column i of the strip is column `first + i - 1` of the map.
        let first = tile_column * TILE;
        let inside = usize::from(first == 0)..(width + 1 - first).min(columns.len());
        for lines in &mut columns[..inside.start] {
            store(lines, [isa.splat(0.0); SPAN]);
        }
        for (x, lines) in (first + inside.start - 1..).zip(&mut columns[inside.clone()]) {
            next_rows.prefetch(isa, x);
            store(lines, transform_input(isa, rows.column(isa, x)));
        }
        for lines in &mut columns[inside.end..] {
            store(lines, [isa.splat(0.0); SPAN]);
        }
    }

    /// Reads tile `place` of the strip and writes its 36 points as tile `tile` of the block.
    #[inline(always)]
    fn horizontal_pass<I: Isa>(&mut self, isa: I, block: usize, place: usize, tile: usize) {
        let columns = &self.strip.as_chunks::<SPAN>().0[place * TILE..][..SPAN];
        let lines_per_tile = lines_per_tile(self.blocks * LANES, PARTS);
        let channel_line = if PARTS > 0 { block / 2 * PARTS } else { block };
        let group = tile / I::PRODUCT_ROWS * I::PRODUCT_ROWS;
        let group_rows = I::PRODUCT_ROWS.min(padded_tiles::<I, PARTS>(self.tiles.len()) - group);
        let offset = group * lines_per_tile + channel_line * group_rows + (tile - group);
        let mut line = offset;
        for i in 0..SPAN {
            let mut row = [isa.splat(0.0); SPAN];
            for (value, column) in row.iter_mut().zip(columns) {
                *value = isa.load(&column[i]);
            }
            for value in transform_input(isa, row) {
                match PARTS {
                    0 => isa.store(value, &mut self.lines[line]),
                    1 => isa.store_bf16(value, &mut self.lines[line], block % 2 == 1),
                    _ => {
                        isa.store_bf16(value, &mut self.lines[line], block % 2 == 1);
                        let rest = isa.bf16_remainder(value);
                        isa.store_bf16(rest, &mut self.lines[line + group_rows], block % 2 == 1);
                    }
                }
                line += self.point_stride;
            }
        }
    }
}

/// Lines between the points of a block of `tiles` tiles: one more than they take, so that the 36 stores of a tile do not
/// fall into the same set of the cache.
pub fn point_stride(tiles: usize, lines_per_tile: usize) -> usize {
    tiles * lines_per_tile + 1
}

/// Lines that one tile's channels take at one point, in so many parts of bfloat16 or (0) in f32.
#[inline(always)]
pub fn lines_per_tile(channels: usize, parts: usize) -> usize {
    words(channels, parts) / LANES
}

impl Gradient<'_> {
    /// Checks that all maps have the shapes that belong to a layer of this many channels.
    ///
    /// # Panics
    /// Where one has not.
    pub fn check(&self, channels: usize) {
        let shape = (channels, self.height, self.width);
        let half = (channels, self.height.div_ceil(2), self.width.div_ceil(2));
        let fits = self.direct.is_none_or(|map| (map.channels(), map.height(), map.width()) == shape)
            && self.signs.is_none_or(|map| (map.channels(), map.height(), map.width()) == shape)
            && self.pooled.is_none_or(|pooled| {
                let map = pooled.map;
                let winners = pooled.winners.map_or(half, |map| (map.channels(), map.height(), map.width()));
                (map.channels(), map.height(), map.width()) == half && winners == half
            });
        assert!(fits, "a gradient's maps have the shape of the layer {shape:?} or of its pooling {half:?}");
    }
}
