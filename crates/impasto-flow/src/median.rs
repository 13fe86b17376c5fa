//! Each value replaced by the median of those around it.

use std::cmp::Ordering;

use crate::plane::Plane;
use crate::scalar::Scalar;

/// Pixels on either side.
const REACH: usize = 2;

/// Values in the square around a pixel.
const COUNT: usize = (2 * REACH + 1) * (2 * REACH + 1);

/// The median over squares of 5 x 5 pixels; beyond the edge lies what lies on it.
pub fn median<T: Scalar>(plane: &Plane<T>) -> Plane<T> {
    let (width, height) = (plane.width, plane.height);
    Plane::by_rows(width, height, |y, to| {
        let mut rows = [plane.row(0); 2 * REACH + 1];
        for (step, row) in rows.iter_mut().enumerate() {
            *row = plane.row((y + step).saturating_sub(REACH).min(height - 1));
        }
        for (x, to) in to.iter_mut().enumerate() {
            let mut around = [T::default(); COUNT];
            let mut place = 0;
            for row in rows {
                for step in 0..=2 * REACH {
                    around[place] = row[(x + step).saturating_sub(REACH).min(width - 1)];
                    place += 1;
                }
            }
            let order = |a: &T, b: &T| a.partial_cmp(b).unwrap_or(Ordering::Equal);
            *to = *around.select_nth_unstable_by(COUNT / 2, order).1;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_alone_goes_and_edges_stay() {
        let mut plane = Plane { width: 12, height: 9, values: vec![0.0; 108] };
        for (place, value) in plane.values.iter_mut().enumerate() {
            *value = if place % 12 < 6 { 1.0 } else { 5.0 };
        }
        let clean = plane.clone();
        plane.values[4 * 12 + 3] = 90.0;
        assert_eq!(median(&plane), clean);
    }
}
