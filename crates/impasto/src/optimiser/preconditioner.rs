//! What L-BFGS takes for the inverse of the second derivative before its pairs correct it: P = sqrt(D) L sqrt(D).
//!
//! L, the [`Pyramid`], is fixed and weighs wide patterns more than fine ones; D, the [`Diagonal`], is learnt on the way and
//! weighs soft places more than stiff ones. Both are symmetric and positive, so P is.

use std::io;

use impasto_vgg::Weighing;

use crate::optimiser::diagonal::Diagonal;
use crate::optimiser::pyramid::Pyramid;
use crate::optimiser::state::{Damaged, StateReader, StateWriter};
use impasto_vgg::bfloat16::Bfloat16;

/// P for pictures of one size, with the buffers that it needs.
#[derive(Clone, Debug)]
pub struct Preconditioner {
    pyramid: Pyramid,
    diagonal: Diagonal,
}

impl Preconditioner {
    /// P for pictures of `width` x `height` pixels: frequencies weigh f^-power, and all places the same as yet.
    pub fn new(width: usize, height: usize, power: f64) -> Preconditioner {
        Preconditioner { pyramid: Pyramid::new(width, height, power), diagonal: Diagonal::new(width, height) }
    }

    /// Replaces `picture`, `[3, height, width]`, by P times it.
    pub fn apply(&mut self, picture: &mut [f32]) {
        self.pyramid.apply_between(picture, self.diagonal.root());
    }

    /// v P v of a picture v.
    pub fn square(&mut self, vector: &[Bfloat16]) -> f64 {
        self.pyramid.square_between(vector, self.diagonal.root())
    }

    /// v P v of a picture v, if there is one, while `beside` does something with what P is.
    pub fn square_beside<R: Send>(
        &mut self,
        vector: Option<&[Bfloat16]>,
        beside: impl FnOnce(Weighing<'_>) -> R + Send,
    ) -> (R, Option<f64>) {
        let (pyramid, root) = (&mut self.pyramid, self.diagonal.root());
        let (width, height) = pyramid.size();
        let level_weights = pyramid.level_weights();
        let weighing = Weighing { width, height, level_weights: &level_weights, root };
        rayon::join(|| beside(weighing), || vector.map(|vector| pyramid.square_between(vector, root)))
    }

    /// Learns from a step and its change of the gradient, each with the sum of its squares, both above 0.
    pub fn learn(&mut self, step: (&[Bfloat16], f64), change: (&[Bfloat16], f64)) {
        self.diagonal.learn(step, change);
    }

    /// Bytes that it takes for pictures of `values` values.
    pub fn bytes(values: usize) -> u64 {
        Pyramid::bytes(values) + Diagonal::bytes(values)
    }

    /// Writes what it has learnt.
    ///
    /// # Errors
    /// What the writer's target reports.
    pub fn save(&self, state: &mut StateWriter<'_>) -> io::Result<()> {
        self.diagonal.save(state)
    }

    /// Becomes the one that was saved.
    ///
    /// # Errors
    /// A state that cannot be.
    pub fn restore(&mut self, state: &mut StateReader<'_>) -> Result<(), Damaged> {
        self.diagonal.restore(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(count: usize, step: f64) -> Vec<f32> {
        (0..count).map(|place| libm::sin(step * (place + 1) as f64) as f32).collect()
    }

    fn product(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    }

    #[test]
    fn it_is_symmetric_and_positive_with_what_it_has_learnt() {
        let (width, height) = (23, 18);
        let count = 3 * width * height;
        let mut preconditioner = Preconditioner::new(width, height, 0.65);
        let applied = |preconditioner: &mut Preconditioner, vector: &[f32]| {
            let mut vector = vector.to_vec();
            preconditioner.apply(&mut vector);
            vector
        };
        let (a, b) = (wave(count, 0.31), wave(count, 1.7));
        let unlearnt = applied(&mut preconditioner, &a);
        for pair in 0..20 {
            // The right half is stiffer.
            let step = wave(count, 0.9 + 0.1 * f64::from(pair));
            let stiffness = |place: usize| if place % width < width / 2 { 1.0 } else { 9.0 };
            let change: Vec<f32> = step.iter().enumerate().map(|(place, step)| stiffness(place) * step).collect();
            let rounded = |values: &[f32]| values.iter().map(|&value| Bfloat16::from(value)).collect::<Vec<_>>();
            preconditioner
                .learn((&rounded(&step), product(&step, &step)), (&rounded(&change), product(&change, &change)));
        }
        let (of_a, of_b) = (applied(&mut preconditioner, &a), applied(&mut preconditioner, &b));
        let scale = (product(&of_a, &of_a) * product(&b, &b)).sqrt();
        assert!((product(&of_a, &b) - product(&a, &of_b)).abs() < 1e-5 * scale);
        assert!(product(&of_a, &a) > 0.0 && product(&of_b, &b) > 0.0);
        assert!(of_a.iter().zip(&unlearnt).any(|(after, before)| (after - before).abs() > 0.1));
    }
}
