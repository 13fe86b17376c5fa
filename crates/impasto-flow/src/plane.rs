//! One number for each pixel: a picture's luminance, or a derivative of it.

use rayon::prelude::*;

use crate::error::FlowError;
use crate::sampling::{cubic_weights, place_of};
use crate::scalar::Scalar;

/// A plane `[height, width]` of numbers, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane<T = f32> {
    /// Width in pixels, at least 1.
    pub width: usize,
    /// Height in pixels, at least 1.
    pub height: usize,
    /// `[height, width]`; luminance in 0..255.
    pub values: Vec<T>,
}

impl Plane<f32> {
    /// A plane from its values.
    ///
    /// # Errors
    /// Where a side is 0, or the number of values is another.
    pub fn new(width: usize, height: usize, values: Vec<f32>) -> Result<Plane<f32>, FlowError> {
        match width.checked_mul(height) {
            Some(count) if count > 0 && count == values.len() => Ok(Plane { width, height, values }),
            _ => Err(FlowError::Values { width, height, found: values.len() }),
        }
    }

    /// The luminance of an RGB picture `[3, height, width]`, by the weights of ITU-R BT.601 on gamma-encoded values.
    ///
    /// # Errors
    /// Where a side is 0, or the number of values is another.
    pub fn luminance(width: usize, height: usize, rgb: &[f32]) -> Result<Plane<f32>, FlowError> {
        let count = width.checked_mul(height).filter(|&count| count > 0 && rgb.len() == 3 * count);
        let Some(count) = count else { return Err(FlowError::Values { width, height, found: rgb.len() }) };
        let (red, rest) = rgb.split_at(count);
        let (green, blue) = rest.split_at(count);
        let pixels = red.iter().zip(green).zip(blue);
        let values = pixels.map(|((red, green), blue)| 0.299 * red + 0.587 * green + 0.114 * blue).collect();
        Ok(Plane { width, height, values })
    }
}

impl<T: Scalar> Plane<T> {
    /// The same with other numbers.
    pub fn cast<U: Scalar>(&self) -> Plane<U> {
        let values = self.values.iter().map(|value| U::of(value.wide())).collect();
        Plane { width: self.width, height: self.height, values }
    }

    /// A plane whose rows are written by `write`, which is given a row's number and the row.
    pub fn by_rows(width: usize, height: usize, write: impl Fn(usize, &mut [T]) + Sync) -> Plane<T> {
        let mut values = vec![T::default(); width * height];
        values.par_chunks_mut(width).enumerate().for_each(|(y, row)| write(y, row));
        Plane { width, height, values }
    }

    /// One row.
    pub fn row(&self, y: usize) -> &[T] {
        &self.values[y * self.width..(y + 1) * self.width]
    }

    /// Smoothed by a Gaussian of this standard deviation in pixels, cut at three of them; beyond the edge lies what lies on it.
    pub fn smoothed(&self, deviation_px: f64) -> Plane<T> {
        let reach = (3.0 * deviation_px).ceil() as usize;
        if reach == 0 {
            return self.clone();
        }
        let weight = |place: usize| {
            let distance = place as f64 - reach as f64;
            (-0.5 * distance * distance / (deviation_px * deviation_px)).exp()
        };
        let sum: f64 = (0..=2 * reach).map(weight).sum();
        // The exponential may differ by a bit from one system's library to another's; rounded, it does not.
        let rounded = |weight: f64| (weight / sum * f64::from(1 << 20)).round() / f64::from(1 << 20);
        let kernel: Vec<T> = (0..=2 * reach).map(|place| T::of(rounded(weight(place)))).collect();
        let (width, height) = (self.width, self.height);
        let across = Plane::by_rows(width, height, |y, to| {
            let row = self.row(y);
            for (x, to) in to.iter_mut().enumerate() {
                let mut total = T::default();
                for (step, &weight) in kernel.iter().enumerate() {
                    total += weight * row[(x + step).saturating_sub(reach).min(width - 1)];
                }
                *to = total;
            }
        });
        Plane::by_rows(width, height, |y, to| {
            for (step, &weight) in kernel.iter().enumerate() {
                let row = across.row((y + step).saturating_sub(reach).min(height - 1));
                for (to, &value) in to.iter_mut().zip(row) {
                    *to += weight * value;
                }
            }
        })
    }

    /// The whole of it at another size, by cubic interpolation: what is made smaller has to be smoothed before.
    pub fn resampled(&self, width: usize, height: usize) -> Plane<T> {
        let (step_x, step_y) = (self.width as f64 / width as f64, self.height as f64 / height as f64);
        let at = |place: usize, step: f64| T::of((place as f64 + 0.5) * step - 0.5);
        Plane::by_rows(width, height, |y, to| {
            let y = at(y, step_y);
            for (x, to) in to.iter_mut().enumerate() {
                *to = self.cubic(at(x, step_x), y);
            }
        })
    }

    /// The value between pixels, by Catmull and Rom's cubic; beyond the edge lies what lies on it.
    pub fn cubic(&self, x: T, y: T) -> T {
        let ((column, across), (line, down)) = (place_of(x, self.width), place_of(y, self.height));
        let (across, down) = (cubic_weights(across), cubic_weights(down));
        let columns = [0, 1, 2, 3].map(|step| (column + step).saturating_sub(1).min(self.width - 1));
        let mut value = T::default();
        for (step, &weight) in down.iter().enumerate() {
            let row = self.row((line + step).saturating_sub(1).min(self.height - 1));
            let sum = across[0] * row[columns[0]]
                + across[1] * row[columns[1]]
                + across[2] * row[columns[2]]
                + across[3] * row[columns[3]];
            value += weight * sum;
        }
        value
    }

    /// The derivatives to the right and downwards, by differences over five pixels that are exact for polynomials of degree 4.
    pub fn slopes(&self) -> [Plane<T>; 2] {
        let (width, height) = (self.width, self.height);
        let (near, far) = (T::of(8.0 / 12.0), T::of(1.0 / 12.0));
        let right = Plane::by_rows(width, height, |y, to| {
            let row = self.row(y);
            let at = |x: usize, step: isize| row[x.saturating_add_signed(step).min(width - 1)];
            for (x, to) in to.iter_mut().enumerate() {
                *to = near * (at(x, 1) - at(x, -1)) - far * (at(x, 2) - at(x, -2));
            }
        });
        let down = Plane::by_rows(width, height, |y, to| {
            let row = |step: isize| self.row(y.saturating_add_signed(step).min(height - 1));
            let [above2, above, below, below2] = [row(-2), row(-1), row(1), row(2)];
            for (x, to) in to.iter_mut().enumerate() {
                *to = near * (below[x] - above[x]) - far * (below2[x] - above2[x]);
            }
        });
        [right, down]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slope(width: usize, height: usize) -> Plane<f64> {
        Plane::by_rows(width, height, |y, row| {
            row.iter_mut().enumerate().for_each(|(x, value)| *value = 3.0 * x as f64 - 2.0 * y as f64 + 7.0);
        })
    }

    #[test]
    fn a_slope_stays_one() {
        let plane = slope(20, 16);
        let [right, down] = plane.slopes();
        let smooth = plane.smoothed(0.8);
        for (x, y) in [(5, 5), (10, 8), (14, 10)] {
            let place = y * 20 + x;
            assert!((right.values[place] - 3.0).abs() < 1e-9 && (down.values[place] + 2.0).abs() < 1e-9);
            // The kernel's weights are rounded.
            assert!((smooth.values[place] - plane.values[place]).abs() < 1e-3);
            let between = plane.cubic(x as f64 + 0.3, y as f64 - 0.4);
            assert!((between - (plane.values[place] + 0.9 + 0.8)).abs() < 1e-9, "{between}");
        }
        let half = plane.resampled(10, 8);
        assert!((half.values[4 * 10 + 5] - (3.0 * 10.5 - 2.0 * 8.5 + 7.0)).abs() < 1e-9);
    }

    #[test]
    fn a_size_that_cannot_be_is_refused() {
        assert!(Plane::new(0, 3, vec![]).is_err());
        assert!(Plane::new(2, 2, vec![0.0; 3]).is_err());
        assert!(Plane::luminance(2, 2, &[0.0; 4]).is_err());
        assert_eq!(Plane::luminance(1, 1, &[100.0, 100.0, 100.0]).unwrap().values, [100.0]);
    }
}
