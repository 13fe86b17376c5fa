//! The colours of pictures as a distribution, and bringing one picture's to another's.
//!
//! ```text
//!   x' = A (x - m_x) + m        A = C_x^-1/2 (C_x^1/2 C C_x^1/2)^1/2 C_x^-1/2
//! ```
//!
//! m_x, C_x are mean and covariance of the picture's colours, m, C those that it is to have, both covariances with 1e-7 I added,
//! so that a grey photo or a picture of one colour divides nothing by 0. A is the one symmetric positive matrix that does it: of
//! all linear maps it moves colours least (Pitié and Kokaram, 2007).
//!
//! Colours are Oklab's (`oklab.rs`), where equal distances look alike: in linear light a few bright pixels are most of the
//! variance, and dark ones end below black.

pub(crate) mod oklab;
mod symmetric;

use rayon::prelude::*;

use crate::picture::Picture;
use oklab::{from_oklab, to_oklab};
use symmetric::{Matrix, conjugated, inverse_root, product, root};

/// What is added to the diagonal of a covariance, in Oklab's units: less than a tenth of what rounding to 8 bits leaves, 1/12 of
/// 1/255 squared. With the 1e-5 that is usual for RGB, covariances are missed by up to a hundredth: a and b vary less.
const RIDGE: f64 = 1e-7;

/// Mean and covariance of a picture's colours in Oklab.
#[derive(Clone, Debug, PartialEq)]
pub struct ColourStatistics {
    /// Lightness 0..1, then a and b.
    pub mean: [f64; 3],
    /// Of lightness, a and b; symmetric.
    pub covariance: [[f64; 3]; 3],
}

impl ColourStatistics {
    /// Of a picture, whose values are taken within 0..255.
    ///
    /// Sums are f64 and stand in the order of rows, so they do not depend on the number of threads.
    #[must_use]
    pub fn of(picture: &Picture) -> ColourStatistics {
        let rows: Vec<Sums> = (0..picture.height).into_par_iter().map(|row| Sums::of_row(picture, row)).collect();
        let mut all = Sums::default();
        for row in &rows {
            all.add(row);
        }
        let count = (picture.width * picture.height) as f64;
        let mean = all.first.map(|sum| sum / count);
        let mut covariance = all.second.map(|row| row.map(|sum| sum / count));
        for (row, of_row) in covariance.iter_mut().zip(mean) {
            for (value, of_column) in row.iter_mut().zip(mean) {
                *value -= of_row * of_column;
            }
        }
        ColourStatistics { mean, covariance }
    }

    /// The covariance with its ridge.
    fn ridged(&self) -> Matrix {
        let mut ridged = self.covariance;
        (0..3).for_each(|place| ridged[place][place] += RIDGE);
        ridged
    }
}

/// Sums of colours and of their products.
#[derive(Clone, Copy, Default)]
struct Sums {
    first: [f64; 3],
    second: Matrix,
}

impl Sums {
    fn of_row(picture: &Picture, row: usize) -> Sums {
        let mut sums = Sums::default();
        let positions = picture.width * picture.height;
        for position in row * picture.width..(row + 1) * picture.width {
            let colour = to_oklab([0, 1, 2].map(|channel| within(picture.values[channel * positions + position])));
            for (place, value) in colour.into_iter().enumerate() {
                sums.first[place] += value;
                for (sum, other) in sums.second[place].iter_mut().zip(colour) {
                    *sum += value * other;
                }
            }
        }
        sums
    }

    fn add(&mut self, other: &Sums) {
        for place in 0..3 {
            self.first[place] += other.first[place];
            for (sum, value) in self.second[place].iter_mut().zip(other.second[place]) {
                *sum += value;
            }
        }
    }
}

/// The map that brings one picture's mean and covariance to another's.
#[derive(Clone, Debug, PartialEq)]
pub struct ColourMap {
    /// A, symmetric.
    pub matrix: [[f64; 3]; 3],
    from: [f64; 3],
    to: [f64; 3],
}

impl ColourMap {
    /// The map from the colours of one picture to those of another.
    #[must_use]
    pub fn between(from: &ColourStatistics, to: &ColourStatistics) -> ColourMap {
        let own = from.ridged();
        let (root_own, inverse) = (root(&own), inverse_root(&own, RIDGE));
        let matrix = conjugated(&root(&conjugated(&to.ridged(), &root_own)), &inverse);
        ColourMap { matrix, from: from.mean, to: to.mean }
    }

    /// A picture in other colours. Its values are taken within 0..255; those that come out may lie beyond.
    #[must_use]
    pub fn apply(&self, mut picture: Picture) -> Picture {
        let positions = picture.width * picture.height;
        let (red, rest) = picture.values.split_at_mut(positions);
        let (green, blue) = rest.split_at_mut(positions);
        let planes = red.par_iter_mut().zip(green.par_iter_mut()).zip(blue.par_iter_mut());
        planes.with_min_len(1 << 10).for_each(|((red, green), blue)| {
            let colour = to_oklab([*red, *green, *blue].map(within));
            let apart = [0, 1, 2].map(|place| colour[place] - self.from[place]);
            let moved = product(&self.matrix, apart);
            [*red, *green, *blue] = from_oklab([0, 1, 2].map(|place| moved[place] + self.to[place]));
        });
        picture
    }
}

/// A value within what can be shown; one that is no number is black, as it would be written.
fn within(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, 255.0) }
}
