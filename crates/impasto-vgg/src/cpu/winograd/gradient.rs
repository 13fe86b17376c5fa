//! What a convolution reads on the way back: the gradient at a layer before its ReLU, put together while it is read.
//!
//! What stands above a pooling is shared out to its windows, and the signs of the layer are applied, so that full-size
//! gradients below a pooling are never stored.

use super::input::{Source, TileRows, six_rows, transform_column};
use super::points::SPAN;
use crate::cpu::buffer::{FeatureRows, SignRows, WinnerRows};
use crate::cpu::isa::{Isa, Lanes};

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

    /// Has `count` columns from column `x` on brought near, inside the map or not.
    #[inline(always)]
    pub fn prefetch<I: Isa>(&self, isa: I, x: usize, count: usize) {
        if let Some(row) = self.direct {
            (x..x + count).for_each(|column| isa.prefetch(row.as_ptr().wrapping_add(column)));
        }
        if let Some(row) = self.pooled {
            (x / 2..(x + count).div_ceil(2)).for_each(|column| isa.prefetch(row.as_ptr().wrapping_add(column)));
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
    fn vertical_pass<I: Isa>(&self, isa: I, first: usize, columns: &mut [[Lanes; SPAN]]) {
        for (x, lines) in (first..).zip(columns) {
            let mut column = [isa.splat(0.0); SPAN];
            for (value, row) in column.iter_mut().zip(self) {
                if let Some(row) = row {
                    *value = row.load(isa, x);
                }
            }
            transform_column(isa, column, lines);
        }
    }

    #[inline(always)]
    fn prefetch<I: Isa>(&self, isa: I, x: usize, columns: usize) {
        self.iter().flatten().for_each(|row| row.prefetch(isa, x, columns));
    }
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
