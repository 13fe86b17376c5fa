//! Pictures at other sizes.
//!
//! The filter is Lanczos with three lobes, widened when a picture shrinks so that every source pixel counts, as in
//! Pillow and ImageMagick:
//!
//! ```text
//! L(x) = sinc(x) sinc(x / 3)  for |x| < 3,  else 0          sinc(x) = sin(pi x) / (pi x)
//! out[i] = sum_k w_k in[k] / sum_k w_k                      w_k = L((k + 1/2 - c_i) / max(step, 1))
//! c_i = left + (i + 1/2) step                               step = source pixels a pixel of the result
//! ```
//!
//! first along the rows, then along the columns. What would lie beyond the picture's edge is left out of both sums.
//!
//! It runs on the sRGB values as they are, not on linear light: that is what Gatys' code, its ports and the network's own
//! training pictures did, so a picture at another size looks to the network as theirs did.
//!
//! It is written out here, rather than taken from a library, because a library chooses its instructions by processor
//! and its sums differ with them. Here every value is summed in one order, whatever the processor and the number of
//! threads, so the same picture comes out as the same bytes everywhere.

use rayon::prelude::*;

use crate::picture::{Picture, PictureError};

/// Width and height where the long edge has `long_edge` pixels and the proportions are kept, each rounded to the
/// nearest pixel and at least 1.
///
/// ```
/// use impasto::resize::long_edge_size;
/// assert_eq!(long_edge_size(1000, 750, 512), (512, 384));
/// assert_eq!(long_edge_size(3, 4000, 512), (1, 512));
/// ```
#[must_use]
pub fn long_edge_size(width: usize, height: usize, long_edge: usize) -> (usize, usize) {
    let longest = width.max(height).max(1) as u128;
    let scaled = |side: usize| {
        let nearest = (2 * side as u128 * long_edge as u128 + longest) / (2 * longest);
        usize::try_from(nearest).unwrap_or(usize::MAX).max(1)
    };
    (scaled(width), scaled(height))
}

impl Picture {
    /// The whole picture at another size; where the proportions differ it is stretched.
    ///
    /// # Errors
    /// Where a side is 0, or there is no memory for that many pixels.
    pub fn resized(&self, width: usize, height: usize) -> Result<Picture, PictureError> {
        self.region_resized(width, height, Region::whole(self.width, self.height))
    }

    /// The picture with a long edge of that many pixels, its proportions kept ([`long_edge_size`]).
    ///
    /// # Errors
    /// Where there is no memory for that many pixels.
    pub fn resized_to_long_edge(&self, long_edge: usize) -> Result<Picture, PictureError> {
        let (width, height) = long_edge_size(self.width, self.height, long_edge);
        self.resized(width, height)
    }

    /// The middle of the picture at exactly that size: scaled so that it covers the size, and what hangs over is cut
    /// off evenly on both sides.
    ///
    /// # Errors
    /// Where a side is 0, or there is no memory for that many pixels.
    pub fn cropped_to_fit(&self, width: usize, height: usize) -> Result<Picture, PictureError> {
        self.region_resized(width, height, Region::to_fit(self.width, self.height, width, height)?)
    }

    /// Scales the region to the size.
    fn region_resized(&self, width: usize, height: usize, region: Region) -> Result<Picture, PictureError> {
        if (width, height) == (self.width, self.height) && region == Region::whole(width, height) {
            return Ok(self.clone());
        }
        let mut resized = Picture::filled(width, height, [0.0; 3])?;
        let scaling = Scaling::new((self.width, self.height), (width, height), region);
        for (channel, plane) in resized.values.chunks_exact_mut(width * height).enumerate() {
            scaling.apply(self.plane(channel), plane)?;
        }
        Ok(resized)
    }
}

/// A part of a picture, in pixels, fractions allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Region {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Region {
    /// All of a picture of this size.
    pub(super) fn whole(width: usize, height: usize) -> Region {
        Region { left: 0.0, top: 0.0, width: width as f64, height: height as f64 }
    }

    /// The middle of a picture that has the shape of a size.
    ///
    /// # Errors
    /// Where a side of the size is 0.
    pub(super) fn to_fit(
        source_width: usize,
        source_height: usize,
        width: usize,
        height: usize,
    ) -> Result<Region, PictureError> {
        if width == 0 || height == 0 {
            return Err(PictureError::Size { width, height });
        }
        let (source_width, source_height) = (source_width as f64, source_height as f64);
        // Source pixels for one pixel of the result: the smaller of both ratios, so that both sides are covered.
        let step = (source_width / width as f64).min(source_height / height as f64);
        let region_width = (step * width as f64).min(source_width);
        let region_height = (step * height as f64).min(source_height);
        let left = (source_width - region_width) / 2.0;
        let top = (source_height - region_height) / 2.0;
        Ok(Region { left, top, width: region_width, height: region_height })
    }
}

/// A region of one plane of a picture at another size.
///
/// # Errors
/// Where a side is 0, or there is no memory for that many pixels.
pub(super) fn resized_plane(
    source: &[f32],
    source_size: (usize, usize),
    (width, height): (usize, usize),
    region: Region,
) -> Result<Vec<f32>, PictureError> {
    let failed = || PictureError::Size { width, height };
    let count = width.checked_mul(height).filter(|count| *count > 0).ok_or_else(failed)?;
    let mut plane = Vec::new();
    plane.try_reserve_exact(count).map_err(|_| failed())?;
    plane.resize(count, 0.0);
    Scaling::new(source_size, (width, height), region).apply(source, &mut plane)?;
    Ok(plane)
}

/// What each pixel of a result is made of.
struct Scaling {
    source_width: usize,
    source_height: usize,
    columns: Vec<Taps>,
    rows: Vec<Taps>,
}

impl Scaling {
    fn new(source_size: (usize, usize), (width, height): (usize, usize), region: Region) -> Scaling {
        let (source_width, source_height) = source_size;
        let columns = taps(source_width, region.left, region.width, width);
        let rows = taps(source_height, region.top, region.height, height);
        Scaling { source_width, source_height, columns, rows }
    }

    /// Scales one plane into another, which holds zeros.
    fn apply(&self, source: &[f32], plane: &mut [f32]) -> Result<(), PictureError> {
        let (width, height) = (self.columns.len(), self.source_height);
        // [source height, width]: scaled along the rows only.
        let mut narrowed = Vec::new();
        narrowed.try_reserve_exact(height * width).map_err(|_| PictureError::Size { width, height })?;
        narrowed.resize(height * width, 0.0);
        narrowed
            .par_chunks_exact_mut(width)
            .zip(source.par_chunks_exact(self.source_width))
            .for_each(|(narrowed_row, source_row)| filter_along(narrowed_row, source_row, &self.columns));
        plane
            .par_chunks_exact_mut(width)
            .zip(self.rows.par_iter())
            .for_each(|(row, taps)| filter_across(row, &narrowed, taps));
        keep_within(plane, source);
        Ok(())
    }
}

/// The source pixels that one pixel of the result is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taps {
    /// Index of the first.
    pub first: usize,
    /// What each counts; they sum to 1.
    pub weights: Vec<f32>,
}

/// Lobes of the filter to either side.
pub(crate) const LOBES: f64 = 3.0;

/// The taps of each of `target` pixels that divide `region` source pixels, starting at `left`, of `source` in all.
pub(crate) fn taps(source: usize, left: f64, region: f64, target: usize) -> Vec<Taps> {
    let step = region / target as f64;
    let scale = step.max(1.0);
    let tap = |index: usize| {
        let centre = left + (index as f64 + 0.5) * step;
        // Casts from float to integer stay within the integer's range, so that clipping is all that is left to do.
        let first = ((centre - LOBES * scale).floor().max(0.0) as usize).min(source - 1);
        let end = ((centre + LOBES * scale).ceil() as usize).clamp(first + 1, source);
        let exact: Vec<f64> = (first..end).map(|k| lanczos((k as f64 + 0.5 - centre) / scale)).collect();
        let sum: f64 = exact.iter().sum();
        Taps { first, weights: exact.iter().map(|weight| (weight / sum) as f32).collect() }
    };
    (0..target).map(tap).collect()
}

/// L of the file's head. The sine is libm's, whose bits do not depend on the machine.
fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| {
        let angle = std::f64::consts::PI * x;
        if angle == 0.0 { 1.0 } else { libm::sin(angle) / angle }
    };
    if x.abs() < LOBES { sinc(x) * sinc(x / LOBES) } else { 0.0 }
}

/// One row at another width.
pub(crate) fn filter_along(target: &mut [f32], source: &[f32], columns: &[Taps]) {
    const LANES: usize = 8;
    for (value, taps) in target.iter_mut().zip(columns) {
        let pixels = &source[taps.first..taps.first + taps.weights.len()];
        // Eight sums side by side, then one: an order that the compiler can put into vectors.
        let mut sums = [0.0f32; LANES];
        for (pixels, weights) in pixels.chunks(LANES).zip(taps.weights.chunks(LANES)) {
            for ((sum, pixel), weight) in sums.iter_mut().zip(pixels).zip(weights) {
                *sum += pixel * weight;
            }
        }
        *value = sums.iter().sum();
    }
}

/// One row of the result from the rows `[source height, width]` that its taps name.
fn filter_across(target: &mut [f32], source: &[f32], taps: &Taps) {
    let width = target.len();
    let rows = source[taps.first * width..].chunks_exact(width);
    for (row, weight) in rows.zip(&taps.weights) {
        for (value, pixel) in target.iter_mut().zip(row) {
            *value += pixel * weight;
        }
    }
}

/// Cuts the filter's overshoot at hard edges: no value leaves 0..255, or the source's range where that is wider.
fn keep_within(plane: &mut [f32], source: &[f32]) {
    let lowest = source.iter().copied().fold(0.0, f32::min);
    let highest = source.iter().copied().fold(255.0, f32::max);
    for value in plane {
        *value = value.clamp(lowest, highest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with structure in every channel, seeded by its size.
    fn sample(width: usize, height: usize) -> Picture {
        let mut state = (width * 31 + height) as u32;
        let values = (0..3 * width * height).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as f32
        });
        Picture::new(width, height, values.collect()).unwrap()
    }

    /// The definition in the file's head, in two dimensions at once and over the whole picture, in f64.
    fn by_definition(picture: &Picture, width: usize, height: usize, region: [f64; 4]) -> Vec<f64> {
        let weights = |length: usize, start: f64, step: f64, index: usize| -> Vec<f64> {
            let centre = start + (index as f64 + 0.5) * step;
            let raw: Vec<f64> = (0..length)
                .map(|k| {
                    let x = (k as f64 + 0.5 - centre) / step.max(1.0);
                    let pi_x = std::f64::consts::PI * x;
                    if x == 0.0 {
                        1.0
                    } else if x.abs() < 3.0 {
                        3.0 * pi_x.sin() * (pi_x / 3.0).sin() / (pi_x * pi_x)
                    } else {
                        0.0
                    }
                })
                .collect();
            let sum: f64 = raw.iter().sum();
            raw.iter().map(|weight| weight / sum).collect()
        };
        let [left, top, region_width, region_height] = region;
        let mut out = Vec::new();
        for channel in 0..3 {
            for y in 0..height {
                let down = weights(picture.height, top, region_height / height as f64, y);
                for x in 0..width {
                    let across = weights(picture.width, left, region_width / width as f64, x);
                    let mut sum = 0.0;
                    for (row, down) in picture.plane(channel).chunks(picture.width).zip(&down) {
                        for (pixel, across) in row.iter().zip(&across) {
                            sum += f64::from(*pixel) * down * across;
                        }
                    }
                    out.push(sum.clamp(0.0, 255.0));
                }
            }
        }
        out
    }

    fn worst_difference(picture: &Picture, expected: &[f64]) -> f64 {
        assert_eq!(picture.values.len(), expected.len());
        picture
            .values
            .iter()
            .zip(expected)
            .map(|(value, expected)| (f64::from(*value) - expected).abs())
            .fold(0.0, f64::max)
    }

    #[test]
    fn equals_the_definition() {
        for (from, to) in
            [((23, 17), (7, 5)), ((9, 14), (31, 20)), ((40, 3), (13, 8)), ((5, 5), (5, 4)), ((1, 9), (4, 2))]
        {
            let picture = sample(from.0, from.1);
            let whole = [0.0, 0.0, from.0 as f64, from.1 as f64];
            let resized = picture.resized(to.0, to.1).unwrap();
            let worst = worst_difference(&resized, &by_definition(&picture, to.0, to.1, whole));
            assert!(worst < 1e-3, "{from:?} to {to:?}: {worst}");
        }
    }

    #[test]
    fn a_crop_is_the_middle() {
        // 40 x 10 to 4 x 2: a step of 5 source pixels covers both, so the middle 20 columns are taken.
        let picture = sample(40, 10);
        let cropped = picture.cropped_to_fit(4, 2).unwrap();
        let worst = worst_difference(&cropped, &by_definition(&picture, 4, 2, [10.0, 0.0, 20.0, 10.0]));
        assert!(worst < 1e-3, "{worst}");
        // Twice the size of a picture that is too high: half a step, the middle 6 of 9 rows.
        let high = sample(4, 9);
        let worst =
            worst_difference(&high.cropped_to_fit(8, 12).unwrap(), &by_definition(&high, 8, 12, [0.0, 1.5, 4.0, 6.0]));
        assert!(worst < 1e-3, "{worst}");
    }

    #[test]
    fn one_colour_stays_and_one_size_stays() {
        let plain = Picture::filled(37, 11, [1.0, 128.25, 254.0]).unwrap();
        for (width, height) in [(1, 1), (5, 80), (37, 12), (100, 3)] {
            for resized in [plain.resized(width, height).unwrap(), plain.cropped_to_fit(width, height).unwrap()] {
                assert_eq!((resized.width, resized.height), (width, height));
                for (channel, expected) in [1.0f32, 128.25, 254.0].into_iter().enumerate() {
                    assert!(resized.plane(channel).iter().all(|value| (value - expected).abs() < 1e-3));
                }
            }
        }
        let picture = sample(12, 7);
        assert_eq!(picture.resized(12, 7).unwrap(), picture);
        assert_eq!(picture.cropped_to_fit(12, 7).unwrap(), picture);
    }

    #[test]
    fn same_bytes_for_any_number_of_threads() {
        let picture = sample(211, 97);
        let with_threads = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| picture.cropped_to_fit(64, 100).unwrap())
        };
        let alone = with_threads(1);
        for threads in [2, 3, 5, 8] {
            assert_eq!(with_threads(threads), alone, "{threads} threads");
        }
    }

    #[test]
    fn overshoot_is_cut_but_values_beyond_the_range_are_kept() {
        let edge = |low: f32, high: f32| {
            let row = [vec![low; 8], vec![high; 8]].concat();
            Picture::new(16, 1, row.repeat(3)).unwrap().resized(64, 1).unwrap()
        };
        assert!(edge(0.0, 255.0).values.iter().all(|value| (0.0..=255.0).contains(value)));
        assert!(edge(100.0, 200.0).values.iter().any(|value| *value > 203.0));
        assert!(edge(-40.0, 300.0).values.contains(&300.0));
    }

    #[test]
    fn sizes() {
        assert_eq!(long_edge_size(384, 384, 512), (512, 512));
        assert_eq!(long_edge_size(640, 427, 512), (512, 342));
        assert_eq!(long_edge_size(1, 100_000, 1), (1, 1));
        assert_eq!(sample(9, 4).resized_to_long_edge(18).map(|picture| (picture.width, picture.height)), Ok((18, 8)));
        assert!(sample(3, 3).resized(0, 5).is_err());
        assert!(sample(3, 3).cropped_to_fit(5, 0).is_err());
        assert!(sample(3, 3).resized(1 << 40, 1 << 40).is_err());
    }
}
