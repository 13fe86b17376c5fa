//! conv1_1 and back: three input channels are too few for Winograd, so it is done directly.
//!
//! ```text
//!   forward    output[64] at (y, x)   = sum over c, ky, kx of  weight[c, ky, kx][64] * picture[c, y + ky - 1, x + kx - 1]
//!   backward   pixel[c] at (y, x)     = sum over ky, kx, o of  weight[ky, kx][o, c] * gradient[o, y + 1 - ky, x + 1 - kx]
//! ```
//!
//! Forward, a pixel is broadcast and multiplied with sixteen outputs at a time. Backward, sixteen channels of the gradient
//! are multiplied with their sixteen weights for each colour, and the lanes are added up at the end.
//!
//! With a replicated border the picture continues beyond its edges, so what flows back to the frame of pixels around it
//! belongs to the edge pixels: rows -1 and `height` and columns -1 and `width` are computed too and folded in.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::{Cell, Claim, Tile};
use super::isa::{InstructionSet, Isa, LANES, Lanes, Task};
use super::winograd::{Epilogue, ForwardEpilogue, ForwardOutputs, Gradient, TILE, writers};
use crate::engine::Border;
use crate::layers::MEAN_RGB;
use crate::weights::ConvolutionWeights;
use backward::{BackwardRows, FRAME_ROWS, STAGE_LINES};

mod backward;

const COLOURS: usize = 3;
const TAPS: usize = 9;
/// Blocks of sixteen channels that conv1_1 gives.
const BLOCKS: usize = 4;
/// Rows of the picture that a row of tiles reads.
const READ_ROWS: usize = TILE + 2;

/// A picture as the engine gets it.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// `[3, height, width]`, RGB, in units of 0..255.
    pub pixels: &'a [f32],
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// What lies beyond the edge.
    pub border: Border,
}

/// conv1_1's weights in the order in which they are used.
#[derive(Debug)]
pub struct FirstConvolution {
    /// `[colour][ky][kx][64 / 16]`
    forward: Vec<Lanes>,
    /// `[ky][kx][64 / 16][colour]`
    backward: Vec<Lanes>,
    bias: Vec<f32>,
    mean: [f32; COLOURS],
}

impl FirstConvolution {
    /// From conv1_1's weights.
    ///
    /// # Panics
    /// Where they do not have 3 inputs and 64 outputs.
    pub fn new(weights: &ConvolutionWeights) -> FirstConvolution {
        assert_eq!((weights.inputs, weights.outputs), (COLOURS, BLOCKS * LANES), "conv1_1 has 3 inputs, 64 outputs");
        let kernel = weights.kernel();
        let lanes = |block: usize, colour: usize, tap: usize| {
            Lanes(std::array::from_fn(|lane| kernel[((block * LANES + lane) * COLOURS + colour) * TAPS + tap]))
        };
        let mut forward = vec![Lanes::ZERO; COLOURS * TAPS * BLOCKS];
        let mut backward = forward.clone();
        for (place, line) in forward.iter_mut().enumerate() {
            *line = lanes(place % BLOCKS, place / BLOCKS / TAPS, place / BLOCKS % TAPS);
        }
        for (place, line) in backward.iter_mut().enumerate() {
            *line = lanes(place / COLOURS % BLOCKS, place % COLOURS, place / COLOURS / BLOCKS);
        }
        FirstConvolution { forward, backward, bias: weights.bias.clone(), mean: MEAN_RGB }
    }

    /// Subtracts the mean, convolves, adds the bias and applies the ReLU, for some rows of 4x4 tiles: writes rows
    /// `4 start .. 4 end` of the maps. `outputs.bias` is not looked at, and `outputs.pooled` must be `None`: no pooling
    /// follows conv1_1. Runs on the current rayon pool.
    ///
    /// # Panics
    /// Where sizes do not fit together.
    pub fn forward(
        &self,
        set: InstructionSet,
        picture: Picture<'_>,
        tile_rows: Range<usize>,
        outputs: ForwardOutputs<'_>,
    ) {
        let Picture { pixels, height, width, .. } = picture;
        assert_eq!(pixels.len(), COLOURS * height * width, "a picture is [3, height, width]");
        assert!(outputs.pooled.is_none(), "no pooling follows conv1_1");
        let tiles_per_row = width.div_ceil(TILE);
        let claims: Vec<Claim> = tile_rows
            .clone()
            .map(|row| Claim { blocks: 0..BLOCKS, tiles: row * tiles_per_row..(row + 1) * tiles_per_row })
            .collect();
        let shape = (BLOCKS * LANES, height, width);
        let cell = Cell { rows: TILE, columns: TILE };
        let maps = writers(outputs.map, &claims, cell, shape);
        let signs = writers(outputs.signs, &claims, cell, shape);
        let padded_width = tiles_per_row * TILE + 2;
        let rows = || vec![0.0; COLOURS * READ_ROWS * padded_width];
        let units: Vec<_> = tile_rows.zip(maps.into_iter().zip(signs)).collect();
        units.into_par_iter().for_each_init(rows, |rows, (tile_row, (map, signs))| {
            self.centre(picture, tile_row, rows);
            let epilogue = ForwardEpilogue { bias: &self.bias, map, signs, pool: None };
            set.run(ForwardRow { weights: &self.forward, rows, tile_row, tiles_per_row, epilogue });
        });
    }

    /// Fills `[colour][6][width + 2 and up]` with the picture minus the mean around a row of tiles.
    fn centre(&self, picture: Picture<'_>, tile_row: usize, rows: &mut [f32]) {
        let Picture { pixels, height, width, border } = picture;
        let padded_width = rows.len() / (COLOURS * READ_ROWS);
        for (place, row) in rows.chunks_exact_mut(padded_width).enumerate() {
            let (colour, y) = (place / READ_ROWS, (tile_row * TILE + place % READ_ROWS) as isize - 1);
            let inside = y.clamp(0, height as isize - 1);
            if border == Border::Zero && inside != y {
                row.fill(0.0);
                continue;
            }
            let source = &pixels[(colour * height + inside as usize) * width..][..width];
            for (to, value) in row[1..].iter_mut().zip(source) {
                *to = value - self.mean[colour];
            }
            let (first, last) = match border {
                Border::Zero => (0.0, 0.0),
                Border::Replicate => (row[1], row[width]),
            };
            row[0] = first;
            row[width + 1..].fill(last);
        }
    }

    /// Carries a gradient at conv1_1 back to the pixels, for some rows of 4x4 tiles: writes rows `4 start .. 4 end` of
    /// `pixel_gradient`, `[3, height, width]`. Reads rows `4 start - 1 .. 4 end + 1` of the gradient. Runs on the current
    /// rayon pool.
    ///
    /// # Panics
    /// Where sizes do not fit together.
    pub fn backward(
        &self,
        set: InstructionSet,
        gradient: &Gradient<'_>,
        border: Border,
        tile_rows: Range<usize>,
        pixel_gradient: &mut [f32],
    ) {
        gradient.check(BLOCKS * LANES);
        let (height, width) = (gradient.height, gradient.width);
        assert_eq!(pixel_gradient.len(), COLOURS * height * width, "a picture is [3, height, width]");
        let rows = (tile_rows.start * TILE).min(height) * width..(tile_rows.end * TILE).min(height) * width;
        let mut planes = pixel_gradient
            .chunks_exact_mut(height * width)
            .map(|plane| plane[rows.clone()].chunks_mut(TILE * width).collect::<Vec<_>>().into_iter());
        let mut next_plane = || planes.next().expect("there are three colours");
        let planes = [next_plane(), next_plane(), next_plane()];
        let [red, green, blue] = planes;
        let units: Vec<_> = tile_rows.zip(red.zip(green.zip(blue))).collect();
        let scratch = || (vec![Lanes::ZERO; STAGE_LINES], vec![0.0; FRAME_ROWS * COLOURS * (width + 2)]);
        units.into_par_iter().for_each_init(scratch, |(stage, frame), (tile_row, (red, (green, blue)))| {
            let pixels = [red, green, blue];
            set.run(BackwardRows { convolution: self, gradient, border, tile_row, stage, frame, pixels });
        });
    }
}

/// One row of tiles, forward.
struct ForwardRow<'a> {
    /// `[colour][ky][kx][64 / 16]`
    weights: &'a [Lanes],
    /// `[colour][6][padded width]`
    rows: &'a [f32],
    tile_row: usize,
    tiles_per_row: usize,
    epilogue: ForwardEpilogue<'a>,
}

/// The sums of a tile, `[64 / 16][row][column]`.
type TileSums = [[[Lanes; TILE]; TILE]; BLOCKS];

impl Task for ForwardRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let mut sums = [[[Lanes::ZERO; TILE]; TILE]; BLOCKS];
        for column in 0..self.tiles_per_row {
            for row in 0..TILE {
                for block in (0..BLOCKS).step_by(I::PRODUCT_VECTORS) {
                    match I::PRODUCT_VECTORS {
                        4 => self.four_pixels::<I, 4>(isa, row, column, block, &mut sums),
                        _ => self.four_pixels::<I, 1>(isa, row, column, block, &mut sums),
                    }
                }
            }
            let tile = Tile { row: self.tile_row, column };
            for (block, sums) in sums.iter().enumerate() {
                self.epilogue.prefetch::<I, TILE>(isa, block, Tile { column: column + 1, ..tile });
                let mut outputs = [[isa.splat(0.0); TILE]; TILE];
                for (outputs, sums) in outputs.iter_mut().zip(sums) {
                    for (output, sum) in outputs.iter_mut().zip(sums) {
                        *output = isa.load(sum);
                    }
                }
                self.epilogue.tile::<I, TILE, { TILE / 2 }>(isa, block, tile, outputs);
            }
        }
    }
}

impl ForwardRow<'_> {
    /// One row of a tile, `VECTORS` blocks of channels from `block` on.
    #[inline(always)]
    fn four_pixels<I: Isa, const VECTORS: usize>(
        &self,
        isa: I,
        row: usize,
        tile_column: usize,
        block: usize,
        tile_sums: &mut TileSums,
    ) {
        let padded_width = self.rows.len() / (COLOURS * READ_ROWS);
        let mut sums = [[isa.splat(0.0); VECTORS]; TILE];
        let mut weights = self.weights.chunks_exact(3 * BLOCKS);
        for colour in 0..COLOURS {
            for y in row..row + 3 {
                let weights = weights.next().expect("each colour has three rows of taps");
                let pixels = &self.rows[(colour * READ_ROWS + y) * padded_width + tile_column * TILE..][..READ_ROWS];
                for kx in 0..3 {
                    let weights = &weights[kx * BLOCKS + block..][..VECTORS];
                    for (sums, pixel) in sums.iter_mut().zip(&pixels[kx..]) {
                        let pixel = isa.splat(*pixel);
                        for (sum, weights) in sums.iter_mut().zip(weights) {
                            *sum = isa.mul_add(isa.load(weights), pixel, *sum);
                        }
                    }
                }
            }
        }
        for (column, sums) in sums.iter().enumerate() {
            for (sum, tile_sums) in sums.iter().zip(&mut tile_sums[block..]) {
                isa.store(*sum, &mut tile_sums[row][column]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
