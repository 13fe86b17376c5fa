//! Total variation over the eight neighbours of each pixel, as crowsonkb/style-transfer-pytorch counts it.
//!
//! The picture is continued by a copy of its border. Over it, with means over all pairs of a direction and all three colours:
//!
//! ```text
//!   TV = 2 [ 1/3 mean (right)^2 + 1/3 mean (down)^2 + 1/12 mean (down right)^2 + 1/12 mean (down left)^2 ]
//! ```
//!
//! The first two means have height x width pairs, the last two (height + 1) x (width + 1), of which those that reach over the border are
//! pairs of neighbours along it. Gathered pair by pair, a and b the factors of a straight and of a slanted pair,
//!
//! ```text
//!   TV = sum w (x_i - x_j)^2,   w = a for neighbours, + 2 b along each border they lie on;   w = b across a corner
//! ```
//!
//! Here values are in 0..255; there they are in 0..1, so a weight of theirs is 255^2 times one of ours.

use rayon::prelude::*;

/// The total variation of a picture `[3, height, width]`; adds `weight` times its gradient to `gradient`.
pub(super) fn nine_point(picture: &[f32], width: usize, height: usize, weight: f64, gradient: &mut [f32]) -> f64 {
    let straight = 2.0 / (3.0 * 3.0 * (height * width) as f64);
    let slanted = 2.0 / (12.0 * 3.0 * ((height + 1) * (width + 1)) as f64);
    let row_of = |row: usize| &picture[row * width..(row + 1) * width];
    // Each pixel gathers from its own neighbours, and each pair is counted by its lower or right pixel, so rows are
    // independent; their sums are added in order.
    let of_rows: Vec<f64> = gradient
        .par_chunks_mut(width)
        .enumerate()
        .map(|(row, gradient)| {
            let y = row % height;
            let borders = usize::from(y == 0) + usize::from(y + 1 == height);
            Row {
                above: (y > 0).then(|| row_of(row - 1)),
                here: row_of(row),
                below: (y + 1 < height).then(|| row_of(row + 1)),
                sideways: straight + 2.0 * slanted * borders as f64,
                straight,
                slanted,
            }
            .add_gradient(2.0 * weight, gradient)
        })
        .collect();
    of_rows.iter().sum()
}

/// One row with its neighbours, and the factors of its pairs.
struct Row<'a> {
    above: Option<&'a [f32]>,
    here: &'a [f32],
    below: Option<&'a [f32]>,
    sideways: f64,
    straight: f64,
    slanted: f64,
}

impl Row<'_> {
    /// Adds `scale` times the weighted differences to all neighbours to `gradient`, returns the sum over the pairs with left and upper
    /// ones.
    fn add_gradient(&self, scale: f64, gradient: &mut [f32]) -> f64 {
        let last = self.here.len() - 1;
        let mut sum = 0.0;
        for (x, (&here, gradient)) in self.here.iter().zip(gradient).enumerate() {
            let mut slope = 0.0;
            let mut pair = |other: f32, factor: f64| {
                let difference = f64::from(here) - f64::from(other);
                slope += factor * difference;
                factor * difference * difference
            };
            let borders = usize::from(x == 0) + usize::from(x == last);
            let upright = self.straight + 2.0 * self.slanted * borders as f64;
            let (left, right) = (x.checked_sub(1), (x < last).then_some(x + 1));
            if let Some(left) = left {
                sum += pair(self.here[left], self.sideways);
            }
            if let Some(above) = self.above {
                sum += pair(above[x], upright);
                for beside in [left, right].into_iter().flatten() {
                    sum += pair(above[beside], self.slanted);
                }
            }
            if let Some(right) = right {
                pair(self.here[right], self.sideways);
            }
            if let Some(below) = self.below {
                pair(below[x], upright);
                for beside in [left, right].into_iter().flatten() {
                    pair(below[beside], self.slanted);
                }
            }
            *gradient += (scale * slope) as f32;
        }
        sum
    }
}
