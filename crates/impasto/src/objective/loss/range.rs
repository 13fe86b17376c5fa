//! The range penalty: how far values lie beyond 0..255.

use impasto_vgg::cpu::isa::{Isa, Task};
use rayon::prelude::*;

use crate::picture::vectors::instruction_set;

/// Values that are summed in one go by [`range`]; fixed, so that the sum does not depend on the number of threads.
const RANGE_CHUNK: usize = 1 << 14;

/// The mean over all values of the squared distance to 0..255; adds `weight` times its gradient to `gradient`.
pub fn range(picture: &[f32], weight: f64, gradient: &mut [f32]) -> f64 {
    let (factor, set) = (1.0 / picture.len().max(1) as f64, instruction_set());
    let of_chunks: Vec<f64> = gradient
        .par_chunks_mut(RANGE_CHUNK)
        .zip(picture.par_chunks(RANGE_CHUNK))
        .map(|(gradient, picture)| set.run(RangeOfChunk { picture, scale: 2.0 * factor * weight, gradient }))
        .collect();
    factor * of_chunks.iter().sum::<f64>()
}

/// Some values of [`range`]: adds `scale` times their excess to `gradient`, returns the sum of its squares.
struct RangeOfChunk<'a> {
    picture: &'a [f32],
    scale: f64,
    gradient: &'a mut [f32],
}

impl Task for RangeOfChunk<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> f64 {
        let excess = |value: f32| f64::from(value - value.clamp(0.0, 255.0));
        for (gradient, &value) in self.gradient.iter_mut().zip(self.picture) {
            *gradient += (self.scale * excess(value)) as f32;
        }
        self.picture.iter().fold(0.0, |sum, &value| sum + excess(value) * excess(value))
    }
}
