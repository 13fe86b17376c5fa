//! Each loss and its gradient, derived by hand, from what crosses the engine's boundary.
//!
//! With F (N channels, M positions) the picture's features at a layer, P the content image's, g = F F^T / M the
//! picture's Gram matrix a position, a the style's, D = sum (F - P)^2:
//!
//! ```text
//!   content, paper   1/2 D                     d/dD = 1/2
//!   content, position 1/(2 M) D                d/dD = 1 / (2 M)
//!   content, mean    D / (N M)                 d/dD = 1 / (N M)
//!   style, paper     1/(4 N^2) sum (g - a)^2   d/dg = (g - a) / (2 N^2)
//!   style, mean      1/N^4 sum (g - a)^2       d/dg = 2 (g - a) / N^4
//! ```
//!
//! The paper's style loss (eq. 4) is 1/(4 N^2 M^2) sum (G - A)^2 with G = M g: the same as above where both images have
//! M positions, and still sensible where they do not.
//!
//! Two losses look at the pixels alone, x the picture's `[3, height, width]` values: total variation, over all pairs of
//! horizontal and vertical neighbours, and the range penalty, over all values beyond 0..255.

use impasto_vgg::cpu::isa::{Isa, Task};
use impasto_vgg::{Distance, MomentGradients, Moments};
use rayon::prelude::*;

use crate::picture::vectors::instruction_set;
use crate::recipe::{ContentForm, StyleForm, TotalVariationForm};

/// The content loss of one layer, and its derivative by the layer's sum of squares.
///
/// ```
/// # use impasto::{loss::content, recipe::ContentForm};
/// # use impasto_vgg::{Distance, Layer};
/// let distance = Distance { layer: Layer::named("conv4_2").unwrap(), elements: 8, sum_of_squares: 4.0 };
/// assert_eq!(content(ContentForm::Paper, &distance), (2.0, 0.5));
/// assert_eq!(content(ContentForm::Mean, &distance), (0.5, 0.125));
/// let distance = Distance { elements: 512 * 8, ..distance };
/// assert_eq!(content(ContentForm::Position, &distance), (0.25, 0.0625));
/// ```
pub fn content(form: ContentForm, distance: &Distance) -> (f64, f64) {
    let factor = match form {
        ContentForm::Paper => 0.5,
        ContentForm::Position => 0.5 * distance.layer.channels() as f64 / distance.elements as f64,
        ContentForm::Mean => 1.0 / distance.elements as f64,
    };
    (factor * distance.sum_of_squares, factor)
}

/// The style loss of one layer. `target` is the style's second moment, `[channels, channels]`; `weight` times the
/// derivative by the picture's moments is written into `gradients`.
pub fn style(form: StyleForm, picture: &Moments, target: &[f64], weight: f64, gradients: &mut MomentGradients) -> f64 {
    let channels = picture.mean.len() as f64;
    let factor = match form {
        StyleForm::Paper => 1.0 / (4.0 * channels.powi(2)),
        StyleForm::Mean => 1.0 / channels.powi(4),
    };
    gradients.mean.clear();
    gradients.second.resize(target.len(), 0.0);
    let chunks = picture.second.par_chunks(STYLE_CHUNK).zip(target.par_chunks(STYLE_CHUNK));
    let of_chunks: Vec<f64> = gradients
        .second
        .par_chunks_mut(STYLE_CHUNK)
        .zip(chunks)
        .map(|(gradients, (picture, target))| style_chunk(picture, target, 2.0 * factor * weight, gradients))
        .collect();
    factor * of_chunks.iter().sum::<f64>()
}

/// Elements of the second moment that [`style`] sums in one go; fixed, so that the sum does not depend on the number of
/// threads.
const STYLE_CHUNK: usize = 1 << 13;

/// Sums of a chunk that grow side by side: one alone would wait for each addition.
const STYLE_LANES: usize = 8;

/// Some elements of [`style`]: writes `scale` times the differences, returns the sum of their squares.
fn style_chunk(picture: &[f64], target: &[f64], scale: f64, gradients: &mut [f64]) -> f64 {
    let mut sums = [0.0; STYLE_LANES];
    let lines = picture.chunks(STYLE_LANES).zip(target.chunks(STYLE_LANES));
    for (gradients, (picture, target)) in gradients.chunks_mut(STYLE_LANES).zip(lines) {
        for (((gradient, sum), picture), target) in gradients.iter_mut().zip(&mut sums).zip(picture).zip(target) {
            let difference = picture - target;
            *sum += difference * difference;
            *gradient = scale * difference;
        }
    }
    sums.iter().sum()
}

/// The total variation of a picture `[3, height, width]`; adds `weight` times its gradient to `gradient`.
///
/// With the pairs (i, j) of neighbours, the sum form is 1/2 sum (x_i - x_j)^2 and the mean form the mean of
/// (x_i - x_j)^2; a picture of one pixel has no neighbours and no variation.
pub fn total_variation(
    form: TotalVariationForm,
    picture: &[f32],
    width: usize,
    height: usize,
    weight: f64,
    gradient: &mut [f32],
) -> f64 {
    let pairs = 3 * (height * width.saturating_sub(1) + height.saturating_sub(1) * width);
    let factor = match form {
        TotalVariationForm::Sum => 0.5,
        TotalVariationForm::Mean => 1.0 / pairs.max(1) as f64,
    };
    let (scale, set) = (2.0 * factor * weight, instruction_set());
    // Each pixel gathers from its own neighbours, and each pair is counted by its right or lower pixel, so rows are
    // independent; their sums are added in order.
    let row_of = |row: usize| &picture[row * width..(row + 1) * width];
    let of_rows: Vec<f64> = gradient
        .par_chunks_mut(width)
        .enumerate()
        .map(|(row, gradient)| {
            let y = row % height;
            let above = (y > 0).then(|| row_of(row - 1));
            let below = (y + 1 < height).then(|| row_of(row + 1));
            set.run(VariationOfRow { above, row: row_of(row), below, scale, gradient })
        })
        .collect();
    factor * of_rows.iter().sum::<f64>()
}

/// One row of [`total_variation`] with its neighbours: adds `scale` times the differences to all neighbours to
/// `gradient`, returns the sum of squared differences to the left and upper ones.
struct VariationOfRow<'a> {
    above: Option<&'a [f32]>,
    row: &'a [f32],
    below: Option<&'a [f32]>,
    scale: f64,
    gradient: &'a mut [f32],
}

impl Task for VariationOfRow<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> f64 {
        let VariationOfRow { above, row, below, scale, gradient } = self;
        // Beyond the edge lies what lies on it: no difference.
        let (above, below) = (above.unwrap_or(row), below.unwrap_or(row));
        let last = row.len() - 1;
        let difference = |x: usize, other: f32| f64::from(row[x]) - f64::from(other);
        let slope = |x: usize, left: f32, right: f32| {
            let sideways = difference(x, left) + difference(x, right);
            (scale * (sideways + difference(x, above[x]) + difference(x, below[x]))) as f32
        };
        gradient[0] += slope(0, row[0], row[last.min(1)]);
        let rows = row.windows(3).zip(above[1..].iter().zip(&below[1..]));
        for (gradient, (row, (&above, &below))) in gradient[1..].iter_mut().zip(rows) {
            let [left, here, right, above, below] = [row[0], row[1], row[2], above, below].map(f64::from);
            *gradient += (scale * ((here - left) + (here - right) + (here - above) + (here - below))) as f32;
        }
        if last > 0 {
            gradient[last] += slope(last, row[last - 1], row[last]);
        }
        // By itself: a sum in one order is no loop of vectors.
        let mut left = row[0];
        let mut sum_of_squares = 0.0;
        for (&here, &above) in row.iter().zip(above) {
            let (to_left, to_above) = (f64::from(here) - f64::from(left), f64::from(here) - f64::from(above));
            sum_of_squares += to_left * to_left + to_above * to_above;
            left = here;
        }
        sum_of_squares
    }
}

/// Values that are summed in one go by [`range`]; fixed, so that the sum does not depend on the number of threads.
const RANGE_CHUNK: usize = 1 << 14;

/// The mean over all values of the squared distance to 0..255; adds `weight` times its gradient to `gradient`.
pub fn range(picture: &[f32], weight: f64, gradient: &mut [f32]) -> f64 {
    let (factor, set) = (1.0 / picture.len().max(1) as f64, instruction_set());
    let of_chunks: Vec<f64> = gradient
        .par_chunks_mut(RANGE_CHUNK)
        .zip(picture.par_chunks(RANGE_CHUNK))
        .map(|(gradient, picture)| set.run(RangeOfChunk { picture, scale: 2.0 * factor * weight, gradient }))
        .collect();
    factor * of_chunks.iter().sum::<f64>()
}

/// Some values of [`range`]: adds `scale` times their excess to `gradient`, returns the sum of its squares.
struct RangeOfChunk<'a> {
    picture: &'a [f32],
    scale: f64,
    gradient: &'a mut [f32],
}

impl Task for RangeOfChunk<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> f64 {
        let excess = |value: f32| f64::from(value - value.clamp(0.0, 255.0));
        for (gradient, &value) in self.gradient.iter_mut().zip(self.picture) {
            *gradient += (self.scale * excess(value)) as f32;
        }
        self.picture.iter().fold(0.0, |sum, &value| sum + excess(value) * excess(value))
    }
}
