//! The temporal loss: how far a picture is from one that it is held to, where it is.

use impasto_vgg::cpu::isa::{Isa, Task};
use rayon::prelude::*;

use crate::picture::vectors::instruction_set;

/// Positions that are summed in one go; fixed, so that the sum does not depend on the number of threads.
const CHUNK: usize = 1 << 13;

/// The mean over all values of w (x - p)^2 (Ruder, Dosovitskiy and Brox, GCPR 2016, eq. 7), x the picture's `[3, height, width]`, p
/// those of the picture that it is held to, w the weights `[height, width]` in 0..1; adds `weight` times its gradient to `gradient`.
pub fn temporal(picture: &[f32], held_to: &[f32], weights: &[f32], weight: f64, gradient: &mut [f32]) -> f64 {
    let (factor, set) = (1.0 / picture.len().max(1) as f64, instruction_set());
    let positions = weights.len().max(1);
    let planes = gradient.chunks_exact_mut(positions).zip(picture.chunks_exact(positions));
    let of_planes = planes.zip(held_to.chunks_exact(positions)).map(|((gradient, picture), held_to)| {
        let chunks = gradient.par_chunks_mut(CHUNK).zip(picture.par_chunks(CHUNK));
        let chunks = chunks.zip(held_to.par_chunks(CHUNK)).zip(weights.par_chunks(CHUNK));
        let of_chunks: Vec<f64> = chunks
            .map(|(((gradient, picture), held_to), weights)| {
                set.run(TemporalOfChunk { picture, held_to, weights, scale: 2.0 * factor * weight, gradient })
            })
            .collect();
        of_chunks.iter().sum::<f64>()
    });
    factor * of_planes.sum::<f64>()
}

/// Some values of [`temporal`]: adds `scale` times their weighted differences to `gradient`, returns the weighted sum of the squares.
struct TemporalOfChunk<'a> {
    picture: &'a [f32],
    held_to: &'a [f32],
    weights: &'a [f32],
    scale: f64,
    gradient: &'a mut [f32],
}

impl Task for TemporalOfChunk<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> f64 {
        let mut sum = 0.0;
        let values = self.picture.iter().zip(self.held_to).zip(self.weights);
        for (gradient, ((&value, &held_to), &weight)) in self.gradient.iter_mut().zip(values) {
            let difference = f64::from(value) - f64::from(held_to);
            let weighted = f64::from(weight) * difference;
            *gradient += (self.scale * weighted) as f32;
            sum += weighted * difference;
        }
        sum
    }
}
