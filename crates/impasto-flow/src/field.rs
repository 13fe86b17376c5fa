//! A flow: for each pixel, how far away it is in another picture.

use crate::plane::Plane;
use crate::scalar::Scalar;

/// For each pixel of one picture, where it is in another: `[dx, dy]` in pixels, to the right and downwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `[height, width]`.
    pub vectors: Vec<[f32; 2]>,
}

impl Flow {
    /// The mean length of the vectors, in pixels.
    #[must_use]
    pub fn mean_length_px(&self) -> f64 {
        let length = |&[dx, dy]: &[f32; 2]| (f64::from(dx) * f64::from(dx) + f64::from(dy) * f64::from(dy)).sqrt();
        self.vectors.iter().map(length).sum::<f64>() / self.vectors.len().max(1) as f64
    }
}

/// A flow while it is found: one plane for each direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Field<T> {
    /// To the right, in pixels.
    pub u: Plane<T>,
    /// Downwards, in pixels.
    pub v: Plane<T>,
}

impl<T: Scalar> Field<T> {
    /// Nothing has moved.
    pub fn still(width: usize, height: usize) -> Field<T> {
        let zero = || Plane { width, height, values: vec![T::default(); width * height] };
        Field { u: zero(), v: zero() }
    }

    /// The same movement between larger or smaller pictures.
    pub fn resampled(&self, width: usize, height: usize) -> Field<T> {
        let scaled = |plane: &Plane<T>, factor: f64| {
            let mut plane = plane.resampled(width, height);
            plane.values.iter_mut().for_each(|value| *value = *value * T::of(factor));
            plane
        };
        let across = width as f64 / self.u.width as f64;
        let down = height as f64 / self.u.height as f64;
        Field { u: scaled(&self.u, across), v: scaled(&self.v, down) }
    }

    /// As plain vectors.
    pub fn flow(&self) -> Flow {
        let vectors = self.u.values.iter().zip(&self.v.values);
        let vectors = vectors.map(|(u, v)| [u.wide() as f32, v.wide() as f32]).collect();
        Flow { width: self.u.width, height: self.u.height, vectors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_larger_pictures_the_same_movement_is_longer() {
        let mut field = Field::<f64>::still(8, 6);
        field.u.values.fill(1.5);
        field.v.values.fill(-0.5);
        let larger = field.resampled(16, 18).flow();
        assert_eq!((larger.width, larger.height), (16, 18));
        assert!(larger.vectors.iter().all(|&[dx, dy]| (dx - 3.0).abs() < 1e-6 && (dy + 1.5).abs() < 1e-6));
        assert!((larger.mean_length_px() - 11.25_f64.sqrt()).abs() < 1e-6);
    }
}
