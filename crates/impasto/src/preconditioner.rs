//! What L-BFGS takes for the inverse of the second derivative before its pairs correct it: P = sqrt(D) L sqrt(D).
//!
//! L, the [`Pyramid`], is fixed and weighs wide patterns more than fine ones; D, the [`Diagonal`], is learnt on the way and
//! weighs soft places more than stiff ones. Both are symmetric and positive, so P is.

use std::io;

use crate::bfloat16::Bfloat16;
use crate::diagonal::Diagonal;
use crate::pyramid::Pyramid;
use crate::state::{Damaged, StateReader, StateWriter};

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
        self.diagonal.apply_root(picture);
        self.pyramid.apply(picture);
        self.diagonal.apply_root(picture);
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
