//! Total variation: how much neighbours differ.

use impasto_vgg::cpu::isa::{Isa, Task};
use rayon::prelude::*;

use super::nine_point::nine_point;
use crate::picture::vectors::instruction_set;
use crate::recipe::TotalVariationForm;

/// Which sides of a picture are neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joins {
    /// Left and right.
    pub x: bool,
    /// Top and bottom.
    pub y: bool,
}

/// The total variation of a picture `[3, height, width]` of this width and height; adds `weight` times its gradient to `gradient`.
///
/// With the pairs (i, j) of neighbours, the sum form is 1/2 sum (x_i - x_j)^2 and the mean form the mean of
/// (x_i - x_j)^2; a picture of one pixel has no neighbours and no variation. The nine-point form has the neighbours across
/// corners too (`nine_point.rs`). Where sides join, the pixels on them are pairs as well; to the nine-point form those straight across are
/// added.
pub fn total_variation(
    form: TotalVariationForm,
    picture: &[f32],
    (width, height): (usize, usize),
    joins: Joins,
    weight: f64,
    gradient: &mut [f32],
) -> f64 {
    let along = |length: usize, joins: bool| if joins { length } else { length.saturating_sub(1) };
    let pairs = 3 * (height * along(width, joins.x) + along(height, joins.y) * width);
    let factor = match form {
        TotalVariationForm::Sum => 0.5,
        TotalVariationForm::Mean => 1.0 / pairs.max(1) as f64,
        TotalVariationForm::NinePoint => {
            let straight = 2.0 / (3.0 * 3.0 * (height * width) as f64);
            let across = across_seams(picture, (width, height), joins, 2.0 * straight * weight, gradient);
            return nine_point(picture, width, height, weight, gradient) + straight * across;
        }
    };
    let across = across_seams(picture, (width, height), joins, 2.0 * factor * weight, gradient);
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
    factor * (of_rows.iter().sum::<f64>() + across)
}

/// Adds `scale` times the differences of pixels across the sides that join to `gradient`; gives the sum of their squares.
fn across_seams(
    picture: &[f32],
    (width, height): (usize, usize),
    joins: Joins,
    scale: f64,
    gradient: &mut [f32],
) -> f64 {
    let mut sum = 0.0;
    let mut pair = |first: usize, last: usize| {
        let difference = f64::from(picture[last]) - f64::from(picture[first]);
        gradient[last] += (scale * difference) as f32;
        gradient[first] -= (scale * difference) as f32;
        sum += difference * difference;
    };
    for plane in 0..3 {
        let at = |y: usize, x: usize| (plane * height + y) * width + x;
        if joins.x {
            (0..height).for_each(|y| pair(at(y, 0), at(y, width - 1)));
        }
        if joins.y {
            (0..width).for_each(|x| pair(at(0, x), at(height - 1, x)));
        }
    }
    sum
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
