//! From maps to the transformed domain: B^T d B for the inputs of every tile, sixteen channels at a time.
//!
//! Tiles beside each other share two of their six columns, so the vertical pass runs once a column over a strip of tiles
//! into a buffer that stays in the first-level cache, and the horizontal pass reads six columns of it a tile: 40% less
//! work than tile by tile. Of oblong tiles it reads eight, of which two are shared.
//!
//! ```text
//!   column of the map   -1  0  1  2  3  4  5  6  7  8        rows 4 t - 1 .. 4 t + 5 of tile row t,
//!   tile 0              |_________________|                  zeros beyond the map
//!   tile 1                          |_________________|
//! ```

use std::ops::Range;

use super::points::{SPAN, TILE, transform_input};
use super::products::padded_tiles;
use crate::cpu::buffer::FeatureRows;
use crate::cpu::isa::{Isa, LANES, Lanes, Task};
use crate::cpu::panels::words;

/// Columns of the tiles in a strip: its buffer takes 10 KiB, which stays in the first-level cache beside the lines written.
const STRIP_COLUMNS: usize = 24;
/// Lines that the strip's buffer takes.
pub const STRIP_LINES: usize = (STRIP_COLUMNS + 2) * SPAN;

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
    /// B^T times each of some columns of the map, from column `first` on, which all lie inside it.
    fn vertical_pass<I: Isa>(&self, isa: I, first: usize, columns: &mut [[Lanes; SPAN]]);
    /// Has the columns of a tile, so many from column `x` on, brought near, inside the map or not.
    fn prefetch<I: Isa>(&self, isa: I, x: usize, columns: usize);
}

/// The six rows of a map that tile row `tile_row` reads; `None` beyond the map.
#[inline(always)]
pub fn six_rows<T>(height: usize, tile_row: usize, row: impl Fn(usize) -> T) -> [Option<T>; SPAN] {
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
    fn vertical_pass<I: Isa>(&self, isa: I, first: usize, columns: &mut [[Lanes; SPAN]]) {
        let rows = self.map(|row| row.map(|row| &row[first..][..columns.len()]));
        let mut column = [isa.splat(0.0); SPAN];
        if let [Some(row_0), Some(row_1), Some(row_2), Some(row_3), Some(row_4), Some(row_5)] = rows {
            // Away from the upper and lower edge: nothing to be asked for each value.
            for (x, lines) in columns.iter_mut().enumerate() {
                for (value, row) in column.iter_mut().zip([row_0, row_1, row_2, row_3, row_4, row_5]) {
                    *value = isa.load(&row[x]);
                }
                transform_column(isa, column, lines);
            }
            return;
        }
        for (x, lines) in columns.iter_mut().enumerate() {
            for (value, row) in column.iter_mut().zip(rows) {
                if let Some(row) = row {
                    *value = isa.load(&row[x]);
                }
            }
            transform_column(isa, column, lines);
        }
    }

    #[inline(always)]
    fn prefetch<I: Isa>(&self, isa: I, x: usize, columns: usize) {
        for row in self.iter().flatten() {
            for column in x..x + columns {
                isa.prefetch(row.as_ptr().wrapping_add(column));
            }
        }
    }
}

/// B^T times one column of inputs.
#[inline(always)]
pub fn transform_column<I: Isa>(isa: I, column: [I::Vector; SPAN], lines: &mut [Lanes; SPAN]) {
    for (line, value) in lines.iter_mut().zip(transform_input(isa, column)) {
        isa.store(value, line);
    }
}

/// Transforms the inputs of a block of tiles for all channels: fills `lines`, laid out as `InputPanels` says.
///
/// Tiles have `ROW_POINTS` columns, of which they share two with the next.
pub struct InputTransform<'a, S: Source, const PARTS: usize, const ROW_POINTS: usize> {
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

impl<S: Source, const PARTS: usize, const ROW_POINTS: usize> Task for InputTransform<'_, S, PARTS, ROW_POINTS> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let InputTransform { source, blocks, tiles, lines, point_stride, strip } = self;
        let mut points = lines.chunks_exact_mut(point_stride);
        let mut points: [[_; ROW_POINTS]; SPAN] =
            std::array::from_fn(|_| std::array::from_fn(|_| points.next().expect("there are lines for each point")));
        let columns = ROW_POINTS - 2;
        let tiles_per_row = source.width().div_ceil(columns);
        let place = PanelPlace { block: 0, lines_per_tile: lines_per_tile(blocks * LANES, PARTS), tiles: tiles.len() };
        for block in 0..blocks {
            let place = PanelPlace { block, ..place };
            let mut tile = tiles.start;
            while tile < tiles.end {
                let row_end = (tile / tiles_per_row + 1) * tiles_per_row;
                let end = (tile + STRIP_COLUMNS / columns).min(row_end).min(tiles.end);
                let (tile_row, tile_column) = (tile / tiles_per_row, tile % tiles_per_row);
                vertical_pass(isa, source, block, tile_row, tile_column * columns, strip, (end - tile) * columns);
                // The same place in the next block of channels is needed next.
                let next_rows = source.rows((block + 1).min(blocks - 1), tile_row);
                for tile_of_strip in 0..end - tile {
                    let inputs =
                        strip.as_chunks::<SPAN>().0[tile_of_strip * columns..].first_chunk().expect("its columns");
                    next_rows.prefetch(isa, (tile_column + tile_of_strip) * columns, columns);
                    horizontal_pass::<I, PARTS, ROW_POINTS>(
                        isa,
                        inputs,
                        &mut points,
                        place,
                        tile + tile_of_strip - tiles.start,
                    );
                }
                tile = end;
            }
        }
    }
}

/// Fills the strip, `[column][6]`, for tiles of `count` columns in all, from column `first` on.
#[inline(always)]
fn vertical_pass<I: Isa, S: Source>(
    isa: I,
    source: &S,
    block: usize,
    tile_row: usize,
    first: usize,
    strip: &mut [Lanes],
    count: usize,
) {
    let columns = &mut strip.as_chunks_mut::<SPAN>().0[..count + 2];
    // Column i of the strip is column `first + i - 1` of the map.
    let inside = usize::from(first == 0)..(source.width() + 1 - first).min(columns.len());
    columns[..inside.start].fill([Lanes::ZERO; SPAN]);
    columns[inside.end..].fill([Lanes::ZERO; SPAN]);
    source.rows(block, tile_row).vertical_pass(isa, first + inside.start - 1, &mut columns[inside]);
}

/// Where the transformed inputs of a block of tiles go, see `InputPanels`.
#[derive(Clone, Copy)]
struct PanelPlace {
    /// Which sixteen channels.
    block: usize,
    /// Lines of a tile at a point.
    lines_per_tile: usize,
    /// Tiles in the block.
    tiles: usize,
}

impl PanelPlace {
    /// The line of tile `tile` within its point, and the tiles of its group.
    #[inline(always)]
    fn line<I: Isa, const PARTS: usize>(self, tile: usize) -> (usize, usize) {
        let channel_line = if PARTS > 0 { self.block / 2 * PARTS } else { self.block };
        let group = tile / I::PRODUCT_ROWS * I::PRODUCT_ROWS;
        let group_rows = I::PRODUCT_ROWS.min(padded_tiles::<I, PARTS>(self.tiles) - group);
        (group * self.lines_per_tile + channel_line * group_rows + (tile - group), group_rows)
    }
}

/// Reads the columns of a tile and writes its points as tile `tile` of the block.
#[inline(always)]
fn horizontal_pass<I: Isa, const PARTS: usize, const ROW_POINTS: usize>(
    isa: I,
    columns: &[[Lanes; SPAN]; ROW_POINTS],
    points: &mut [[&mut [Lanes]; ROW_POINTS]; SPAN],
    place: PanelPlace,
    tile: usize,
) {
    let (line, group_rows) = place.line::<I, PARTS>(tile);
    let is_upper = place.block % 2 == 1;
    for (i, points) in points.iter_mut().enumerate() {
        let mut row = [isa.splat(0.0); ROW_POINTS];
        for (value, column) in row.iter_mut().zip(columns) {
            *value = isa.load(&column[i]);
        }
        for (lines, value) in points.iter_mut().zip(transform_input(isa, row)) {
            if PARTS < 2 {
                // The next tile's store would have to wait for its line.
                isa.prefetch_first(lines.as_ptr().wrapping_add(line + 1));
            }
            match PARTS {
                0 => isa.store(value, &mut lines[line]),
                1 => isa.store_bf16(value, &mut lines[line], is_upper),
                _ => {
                    isa.store_bf16(value, &mut lines[line], is_upper);
                    isa.store_bf16(isa.bf16_remainder(value), &mut lines[line + group_rows], is_upper);
                }
            }
        }
    }
}

/// Lines between the points of a block of `tiles` tiles: one more than they take, so that the stores of a tile do not
/// fall into the same set of the cache.
pub fn point_stride(tiles: usize, lines_per_tile: usize) -> usize {
    tiles * lines_per_tile + 1
}

/// Lines that one tile's channels take at one point, in so many parts of bfloat16 or (0) in f32.
#[inline(always)]
pub fn lines_per_tile(channels: usize, parts: usize) -> usize {
    words(channels, parts) / LANES
}
