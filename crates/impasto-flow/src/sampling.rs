//! Where a place between pixels lies, and how much of each pixel around it counts there.

use crate::scalar::Scalar;

/// The pixel before a place in a row of `length` pixels, and how far behind it the place is, 0..1. Beyond the ends lies what lies
/// on them; what is no number lies at the beginning.
#[inline(always)]
pub fn place_of<T: Scalar>(place: T, length: usize) -> (usize, T) {
    let last = T::of((length - 1) as f64);
    let inside = if place > T::default() { if place < last { place } else { last } } else { T::default() };
    let whole = inside.floor();
    (whole.wide() as usize, inside - whole)
}

/// The weights of the four pixels around a place that is so far behind the second: Catmull and Rom's cubic (1974).
#[inline(always)]
pub fn cubic_weights<T: Scalar>(behind: T) -> [T; 4] {
    let (half, one) = (T::of(0.5), T::of(1.0));
    let (t, t2) = (behind, behind * behind);
    let t3 = t2 * t;
    [
        half * (t2 + t2 - t3 - t),
        half * (T::of(3.0) * t3 - T::of(5.0) * t2) + one,
        half * (T::of(4.0) * t2 - T::of(3.0) * t3 + t),
        half * (t3 - t2),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_and_keep_pixels() {
        for behind in [0.0, 0.25, 0.5, 0.9] {
            assert!((cubic_weights::<f64>(behind).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert_eq!(cubic_weights(0.0), [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(cubic_weights(0.5), [-0.0625, 0.5625, 0.5625, -0.0625]);
    }

    #[test]
    fn beyond_the_ends_lie_the_ends() {
        assert_eq!(place_of(-3.0, 5), (0, 0.0));
        assert_eq!(place_of(9.0, 5), (4, 0.0));
        assert_eq!(place_of(2.25, 5), (2, 0.25));
        assert_eq!(place_of(f64::NAN, 5), (0, 0.0));
    }
}
