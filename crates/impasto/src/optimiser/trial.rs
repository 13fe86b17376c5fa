//! What L-BFGS asks of a picture that it has tried, in one sweep over all vectors that this needs.

use std::ops::Range;

use impasto_vgg::cpu::isa::{Isa, Task};
use rayon::prelude::*;

use crate::picture::vectors::{CHUNK, add_to, dot_of_chunk, instruction_set};
use impasto_vgg::bfloat16::Bfloat16;

/// A picture that was tried and its gradient, beside the last good one and its gradient.
#[derive(Clone, Copy)]
pub struct Trial<'a> {
    /// The picture that was tried.
    pub picture: &'a [f32],
    /// The gradient there.
    pub gradient: &'a [f32],
    /// The last good picture.
    pub position: &'a [f32],
    /// The gradient there.
    pub gradient_before: &'a [f32],
}

impl Trial<'_> {
    fn part(&self, range: Range<usize>) -> Trial<'_> {
        Trial {
            picture: &self.picture[range.clone()],
            gradient: &self.gradient[range.clone()],
            position: &self.position[range.clone()],
            gradient_before: &self.gradient_before[range],
        }
    }
}

/// What [`compare`] found.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Whether the new gradient is finite everywhere.
    pub is_finite: bool,
    /// The old gradient times the step.
    pub predicted_fall: f64,
    /// Sums over the rounded step s and the rounded change of the gradient y: s s, y y and s y.
    pub step_square: f64,
    /// See above.
    pub change_square: f64,
    /// See above.
    pub step_dot_change: f64,
}

/// A chunk of [`compare`].
struct CompareChunk<'a> {
    trial: Trial<'a>,
    step: &'a mut [Bfloat16],
    change: &'a mut [Bfloat16],
}

impl Task for CompareChunk<'_> {
    type Output = (bool, [f64; 5]);

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> (bool, [f64; 5]) {
        let CompareChunk { trial, step, change } = self;
        let (mut wide_step, mut wide_change) = ([0.0; CHUNK], [0.0; CHUNK]);
        let (wide_step, wide_change) = (&mut wide_step[..step.len()], &mut wide_change[..step.len()]);
        round_difference(trial.picture, trial.position, step, wide_step);
        round_difference(trial.gradient, trial.gradient_before, change, wide_change);
        let sums = [
            dot_of_chunk(trial.gradient_before, trial.picture),
            dot_of_chunk(trial.gradient_before, trial.position),
            dot_of_chunk(wide_step, wide_step),
            dot_of_chunk(wide_change, wide_change),
            dot_of_chunk(wide_step, wide_change),
        ];
        // Without a way out: so it is a loop of vectors.
        (trial.gradient.iter().fold(true, |all, value| all & value.is_finite()), sums)
    }
}

/// `a - b`, rounded to bfloat16, as both kinds of numbers.
#[inline(always)]
fn round_difference(a: &[f32], b: &[f32], rounded: &mut [Bfloat16], wide: &mut [f32]) {
    for ((rounded, wide), (a, b)) in rounded.iter_mut().zip(wide).zip(a.iter().zip(b)) {
        *rounded = Bfloat16::from(a - b);
        *wide = rounded.wide();
    }
}

/// All that a trial is judged by, and the pair that comes of it, in one sweep: the step and the change of the gradient,
/// rounded.
pub fn compare(trial: Trial<'_>, step: &mut [Bfloat16], change: &mut [Bfloat16]) -> Comparison {
    let set = instruction_set();
    let chunks = step.par_chunks_mut(CHUNK).zip(change.par_chunks_mut(CHUNK));
    let of_chunks: Vec<(bool, [f64; 5])> = chunks
        .enumerate()
        .map(|(chunk, (step, change))| {
            let trial = trial.part(chunk * CHUNK..chunk * CHUNK + step.len());
            set.run(CompareChunk { trial, step, change })
        })
        .collect();
    let (mut is_finite, mut sums) = (true, [0.0; 5]);
    for (of_chunk, chunk_sums) in of_chunks {
        is_finite &= of_chunk;
        add_to(&mut sums, &chunk_sums);
    }
    let [fall_to, fall_from, step_square, change_square, step_dot_change] = sums;
    // g (x - p) without a vector for x - p; both products are sums in f64 of f32 values.
    Comparison { is_finite, predicted_fall: fall_to - fall_from, step_square, change_square, step_dot_change }
}
