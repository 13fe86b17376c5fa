//! From coefficients to samples: the inverse transform of each block, and coarse components brought to the picture's size.

use super::BLOCK;
use super::general::Grid;
use super::outline::{Component, Frame};
use crate::image_file::read::{Failure, filled};

/// The samples of one component, a row of blocks after the other.
struct Plane {
    stride: usize,
    /// Samples that belong to the picture, across and down.
    width: usize,
    height: usize,
    samples: Vec<u8>,
    /// How many of the picture's pixels a sample stands for, as fractions: pixels over samples.
    across: (usize, usize),
    down: (usize, usize),
}

/// All components' samples `[height, width, components]`, as they are stored.
pub(super) fn samples(grids: Vec<Grid>, frame: &Frame) -> Result<Vec<u8>, Failure> {
    let most = |share: fn(&Component) -> usize| frame.components.iter().map(share).max().unwrap_or(1);
    let (most_across, most_down) = (most(|component| component.across), most(|component| component.down));
    let cosines = cosines();
    let mut planes = Vec::new();
    for (grid, component) in grids.into_iter().zip(&frame.components) {
        let mut samples = filled(0u8, grid.blocks.len() * BLOCK)?;
        let quantisation = grid.quantisation.unwrap_or([1; BLOCK]);
        let rows = samples.chunks_exact_mut(grid.stride * BLOCK).zip(grid.blocks.chunks_exact(grid.stride));
        for (row, blocks) in rows {
            for (column, block) in blocks.iter().enumerate() {
                let pixels = inverse_transform(block, &quantisation, &cosines);
                for (line, pixels) in row.chunks_exact_mut(grid.stride * 8).zip(pixels.chunks_exact(8)) {
                    line[column * 8..column * 8 + 8].copy_from_slice(pixels);
                }
            }
        }
        planes.push(Plane {
            stride: grid.stride * 8,
            width: (frame.width * component.across).div_ceil(most_across),
            height: (frame.height * component.down).div_ceil(most_down),
            samples,
            across: (most_across, component.across),
            down: (most_down, component.down),
        });
    }
    let count = planes.len();
    let mut out = filled(0u8, frame.width * frame.height * count)?;
    let mut line = filled(0u8, frame.width)?;
    for (y, row) in out.chunks_exact_mut(frame.width * count).enumerate() {
        for (place, plane) in planes.iter().enumerate() {
            plane.line(y, &mut line);
            for (pixel, sample) in row.chunks_exact_mut(count).zip(&line) {
                pixel[place] = *sample;
            }
        }
    }
    Ok(out)
}

impl Plane {
    /// One of the picture's rows. Where two pixels share a sample, each takes a quarter from the next sample on its side, as
    /// libjpeg does; other ratios repeat samples.
    fn line(&self, y: usize, out: &mut [u8]) {
        let is_half = |(pixels, samples): (usize, usize)| pixels == 2 * samples;
        let is_whole = |(pixels, samples): (usize, usize)| pixels == samples;
        let is_smooth = (is_half(self.across) || is_whole(self.across)) && (is_half(self.down) || is_whole(self.down));
        let row = |index: usize| &self.samples[index * self.stride..index * self.stride + self.width];
        if !is_smooth {
            let nearest = row((y * self.down.1 / self.down.0).min(self.height - 1));
            for (x, value) in out.iter_mut().enumerate() {
                *value = nearest[(x * self.across.1 / self.across.0).min(self.width - 1)];
            }
            return;
        }
        let (near, far) = if is_half(self.down) { halves(y, self.height) } else { (y, y) };
        let (near, far) = (row(near.min(self.height - 1)), row(far));
        let mixed = |x: usize| 3 * u32::from(near[x]) + u32::from(far[x]);
        for (x, value) in out.iter_mut().enumerate() {
            let (near, far) = if is_half(self.across) { halves(x, self.width) } else { (x, x) };
            *value = ((3 * mixed(near) + mixed(far) + 8) >> 4) as u8;
        }
    }
}

/// The sample that a pixel lies in, where there are half as many, and the next one on its side.
fn halves(pixel: usize, count: usize) -> (usize, usize) {
    let near = pixel / 2;
    let far = if pixel.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(count - 1) };
    (near, far)
}

/// `[frequency][position]`: the cosines of T.81, A.3.3, with their factors.
fn cosines() -> [[f32; 8]; 8] {
    let mut table = [[0.0; 8]; 8];
    for (frequency, row) in table.iter_mut().enumerate() {
        let factor = if frequency == 0 { 0.125f64.sqrt() } else { 0.5 };
        for (position, value) in row.iter_mut().enumerate() {
            let angle = (2 * position + 1) as f64 * frequency as f64 * std::f64::consts::PI / 16.0;
            *value = (factor * libm::cos(angle)) as f32;
        }
    }
    table
}

/// A block's samples, rows first: columns, then rows, each a plain sum.
fn inverse_transform(block: &[i16; BLOCK], quantisation: &[u16; BLOCK], cosines: &[[f32; 8]; 8]) -> [u8; BLOCK] {
    let mut columns = [[0.0f32; 8]; 8];
    for (place, (coefficient, factor)) in block.iter().zip(quantisation).enumerate() {
        if *coefficient != 0 {
            let value = f32::from(*coefficient) * f32::from(*factor);
            for (row, cosine) in columns.iter_mut().zip(&cosines[place / 8]) {
                row[place % 8] += value * cosine;
            }
        }
    }
    let mut samples = [0; BLOCK];
    for (out, row) in samples.chunks_exact_mut(8).zip(&columns) {
        let mut sums = [128.5f32; 8];
        for (value, cosines) in row.iter().zip(cosines) {
            for (sum, cosine) in sums.iter_mut().zip(cosines) {
                *sum += value * cosine;
            }
        }
        // What is beyond 0..=255 is brought there by the conversion.
        for (sample, sum) in out.iter_mut().zip(sums) {
            *sample = sum as u8;
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frequency_is_one_cosine() {
        let mut block = [0; BLOCK];
        // Two across, one down: 100 * 1/2 * 1/2 * cos((2 x + 1) 2 pi / 16) * cos((2 y + 1) pi / 16), from T.81, A.3.3.
        block[10] = 50;
        let mut quantisation = [1; BLOCK];
        quantisation[10] = 2;
        let samples = inverse_transform(&block, &quantisation, &cosines());
        for (place, sample) in samples.iter().enumerate() {
            let (x, y) = ((place % 8) as f64, (place / 8) as f64);
            let angle = std::f64::consts::PI / 16.0;
            let expected = 25.0 * ((2.0 * x + 1.0) * 2.0 * angle).cos() * ((2.0 * y + 1.0) * angle).cos() + 128.0;
            assert!((f64::from(*sample) - expected).abs() <= 0.501, "{place}: {sample} for {expected}");
        }
    }

    #[test]
    fn halves_lean_to_their_side() {
        assert_eq!([0, 1, 2, 3, 4].map(|pixel| halves(pixel, 3)), [(0, 0), (0, 1), (1, 0), (1, 2), (2, 1)]);
        assert_eq!(halves(5, 3), (2, 2));
    }
}
