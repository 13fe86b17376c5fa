//! From a gradient at conv1_1 back to the pixels, a row of tiles at a time.

use std::ops::Range;

use super::{BLOCKS, COLOURS, FirstConvolution};
use crate::cpu::isa::{Isa, Lanes, Task};
use crate::cpu::winograd::{Gradient, TILE};
use crate::engine::Border;

/// Columns that are computed from one filling of the stage.
const STAGE_COLUMNS: usize = 16;
/// Lines of one row of the stage.
const STAGE_ROW_LINES: usize = (STAGE_COLUMNS + 2) * BLOCKS;
/// Rows of the picture that are computed from one filling: a row of tiles, and the frame's where the border is replicated.
pub const FRAME_ROWS: usize = TILE + 2;
/// The stage, `[8 rows][18 columns][64 / 16]`, takes 36 KiB.
pub const STAGE_LINES: usize = (FRAME_ROWS + 2) * STAGE_ROW_LINES;

/// One row of tiles, backward.
pub struct BackwardRows<'a> {
    /// The weights.
    pub convolution: &'a FirstConvolution,
    /// At conv1_1.
    pub gradient: &'a Gradient<'a>,
    /// What lies beyond the edge.
    pub border: Border,
    /// Which row of tiles.
    pub tile_row: usize,
    /// [`STAGE_LINES`] of them.
    pub stage: &'a mut [Lanes],
    /// `[6 rows][colour][width + 2]`: rows of the picture with their frame.
    pub frame: &'a mut [f32],
    /// Up to four rows of each colour.
    pub pixels: [&'a mut [f32]; COLOURS],
}

impl Task for BackwardRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let height = self.gradient.height as isize;
        let first = (self.tile_row * TILE) as isize;
        let end = (first + TILE as isize).min(height);
        let replicate = isize::from(self.border == Border::Replicate);
        let above = if first == 0 { replicate } else { 0 };
        let below = if end == height { replicate } else { 0 };
        let rows = first - above..end + below;
        self.compute_frame(isa, rows.clone());
        // The picture's own rows first, then what is folded in.
        for y in first..end {
            self.fold_in(y - rows.start, y - first, false);
        }
        if above > 0 {
            self.fold_in(0, 0, true);
        }
        if below > 0 {
            self.fold_in(end - rows.start, end - 1 - first, true);
        }
    }
}

impl BackwardRows<'_> {
    /// Computes rows of the framed picture, within -1 to `height`, columns -1 to `width`.
    #[inline(always)]
    fn compute_frame<I: Isa>(&mut self, isa: I, rows: Range<isize>) {
        let frame_width = self.gradient.width + 2;
        for first in (0..frame_width).step_by(STAGE_COLUMNS) {
            let count = STAGE_COLUMNS.min(frame_width - first);
            self.fill_stage(isa, rows.clone(), first, count);
            for (row, frame_row) in
                self.frame.chunks_exact_mut(COLOURS * frame_width).take((rows.end - rows.start) as usize).enumerate()
            {
                let stage = &self.stage[row * STAGE_ROW_LINES..];
                let weights = self.convolution.backward.as_slice();
                let mut done = 0;
                while done < count {
                    let columns = &stage[done * BLOCKS..];
                    // The sums of one pixel, a row of weights and a gradient fill 14 of AVX2's 16 registers, 28 of NEON's 32;
                    // those of eight and weights 28 of AVX-512's 32.
                    let wide = I::PRODUCT_VECTORS == 4 && count - done >= 8;
                    let pixels = &mut frame_row[first + done..];
                    done += if wide {
                        isa.enter(BackwardKernel::<8> { columns, weights, pixels, frame_width })
                    } else {
                        isa.enter(BackwardKernel::<1> { columns, weights, pixels, frame_width })
                    };
                }
            }
        }
    }

    /// Brings the rows of the gradient that `rows` of the frame need into the stage, for `count` columns of the frame from
    /// `first` on; zeros beyond the map.
    #[inline(always)]
    fn fill_stage<I: Isa>(&mut self, isa: I, rows: Range<isize>, first: usize, count: usize) {
        let Gradient { height, width, .. } = *self.gradient;
        // Frame column 0 is picture column -1, and the stage starts one column before that.
        let outside_before = 2_usize.saturating_sub(first);
        let x = first + outside_before - 2;
        let inside = outside_before..(outside_before + width.saturating_sub(x)).min(count + 2);
        for (y, lines) in (rows.start - 1..rows.end + 1).zip(self.stage.chunks_exact_mut(STAGE_ROW_LINES)) {
            let columns = &mut lines.as_chunks_mut::<BLOCKS>().0[..count + 2];
            if !(0..height as isize).contains(&y) {
                columns.fill([Lanes::ZERO; BLOCKS]);
                continue;
            }
            columns[..inside.start].fill([Lanes::ZERO; BLOCKS]);
            columns[inside.end..].fill([Lanes::ZERO; BLOCKS]);
            for block in 0..BLOCKS {
                let source = self.gradient.row(block, y as usize);
                for (x, lines) in (x..).zip(&mut columns[inside.clone()]) {
                    isa.store(source.load(isa, x), &mut lines[block]);
                }
                source.prefetch(isa, first + STAGE_COLUMNS, STAGE_COLUMNS);
            }
        }
    }

    /// Moves row `frame_row` of the frame to row `row` of the pixels, its outer columns to the edge where the border is
    /// replicated.
    fn fold_in(&mut self, frame_row: isize, row: isize, add: bool) {
        let width = self.gradient.width;
        let frame = self.frame.chunks_exact_mut(width + 2).skip(frame_row as usize * COLOURS);
        for (pixels, frame) in self.pixels.iter_mut().zip(frame) {
            if self.border == Border::Replicate {
                frame[1] += frame[0];
                frame[width] += frame[width + 1];
            }
            let pixels = &mut pixels[row as usize * width..][..width];
            for (pixel, value) in pixels.iter_mut().zip(&frame[1..]) {
                *pixel = if add { *pixel + value } else { *value };
            }
        }
    }
}

/// `PIXELS` pixels side by side: all three colours from three rows of the stage. Returns `PIXELS`.
struct BackwardKernel<'a, const PIXELS: usize> {
    /// The stage from the column left of the first pixel on.
    columns: &'a [Lanes],
    weights: &'a [Lanes],
    /// The frame's row from the first pixel on.
    pixels: &'a mut [f32],
    /// From a colour to the next.
    frame_width: usize,
}

impl<const PIXELS: usize> Task for BackwardKernel<'_, PIXELS> {
    type Output = usize;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> usize {
        let mut sums = [[isa.splat(0.0); COLOURS]; PIXELS];
        for (tap, weights) in self.weights.chunks_exact(BLOCKS * COLOURS).enumerate() {
            let (row, column) = (2 - tap / 3, 2 - tap % 3);
            let lines = &self.columns[row * STAGE_ROW_LINES + column * BLOCKS..][..PIXELS * BLOCKS];
            let lines = lines.as_chunks::<BLOCKS>().0;
            for (block, weights) in weights.as_chunks::<COLOURS>().0.iter().enumerate() {
                let mut colours = [isa.splat(0.0); COLOURS];
                for (colour, line) in colours.iter_mut().zip(weights) {
                    *colour = isa.load(line);
                }
                for (sums, line) in sums.iter_mut().zip(lines) {
                    let gradient = isa.load(&line[block]);
                    for (sum, colour) in sums.iter_mut().zip(colours) {
                        *sum = isa.mul_add(colour, gradient, *sum);
                    }
                }
            }
        }
        for (pixel, sums) in sums.into_iter().enumerate() {
            for (colour, sum) in sums.into_iter().enumerate() {
                self.pixels[colour * self.frame_width + pixel] = isa.sum(sum);
            }
        }
        PIXELS
    }
}
