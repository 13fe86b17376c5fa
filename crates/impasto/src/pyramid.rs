//! A pyramid that weighs coarse structure more than fine: L-BFGS's idea of the picture before it has seen any curvature.
//!
//! L-BFGS begins each step with "scale the gradient": it takes all pixels for equally stiff. They are not: the losses bend
//! far more along fine patterns than along wide ones, about in proportion to the frequency. So here the scaling is
//! replaced by a fixed symmetric positive operator P that lets a pattern of frequency f pass with weight f^-power:
//!
//! ```text
//!   P = w_0 I + D^T (w_1 I + D^T (w_2 I + ...) D) D          w_j = 2^(power j) - 2^(power (j - 1)),  w_0 = 1
//! ```
//!
//! D halves both sides with the filter 1 3 3 1 along each, doubled so that wide patterns keep their length; D^T is its
//! transpose, which makes P symmetric and positive for any size. A pattern of frequency f survives log2(1/f) halvings,
//! so the weights that reach it sum to about f^-power.
//!
//! This is the same as a change of variables to a basis in which every frequency is scaled by f^(-power/2), done without
//! a Fourier transform: P costs two sweeps over the picture, wraps nothing around at the edges, and adds the same
//! numbers in the same order for any number of threads.

use rayon::prelude::*;

/// Sides shorter than this are not halved again, in pixels.
const SHORTEST_SIDE_PX: usize = 4;

/// A level below the picture's own: three planes `[3, height, width]`.
#[derive(Clone, Debug)]
struct Level {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

/// P for pictures of one size, with the buffers that it needs.
#[derive(Clone, Debug)]
pub struct Pyramid {
    width: usize,
    height: usize,
    power: f64,
    levels: Vec<Level>,
}

impl Pyramid {
    /// P for pictures of `width` x `height` pixels: frequencies weigh f^-power.
    pub fn new(width: usize, height: usize, power: f64) -> Pyramid {
        let mut levels = Vec::new();
        let (mut level_width, mut level_height) = (width, height);
        while level_width.min(level_height) >= 2 * SHORTEST_SIDE_PX {
            (level_width, level_height) = (level_width.div_ceil(2), level_height.div_ceil(2));
            let values = vec![0.0; 3 * level_width * level_height];
            levels.push(Level { width: level_width, height: level_height, values });
        }
        Pyramid { width, height, power, levels }
    }

    /// Replaces `picture`, `[3, height, width]`, by P times it.
    pub fn apply(&mut self, picture: &mut [f32]) {
        let mut finer = (self.width, self.height, &*picture);
        for level in &mut self.levels {
            halve(finer, level);
            finer = (level.width, level.height, &level.values);
        }
        let count = self.levels.len();
        for coarse in (0..count).rev() {
            let (above, below) = self.levels.split_at_mut(coarse);
            let (width, height, fine) = match above.last_mut() {
                Some(level) => (level.width, level.height, level.values.as_mut_slice()),
                None => (self.width, self.height, &mut *picture),
            };
            // The coarsest level has no weight of its own yet: it is scaled on the way.
            let coarsest = coarse + 1 == count;
            let below = &below[0];
            let below_weight = if coarsest { weight(self.power, coarse + 1) } else { 1.0 };
            weigh_and_add(fine, weight(self.power, coarse), (width, height), below, below_weight);
        }
    }

    /// Bytes of its buffers for pictures of `values` values: a third of a picture, at most.
    pub fn bytes(values: usize) -> u64 {
        4 * values as u64 * 2 / 5
    }
}

/// w_j, so that w_0 + ... + w_j = 2^(power j).
fn weight(power: f64, level: usize) -> f32 {
    let sum = |level: usize| libm::exp2(power * level as f64);
    match level {
        0 => 1.0,
        level => (sum(level) - sum(level - 1)) as f32,
    }
}

/// `coarse` = D of a finer map (width, height, values).
fn halve((width, height, fine): (usize, usize, &[f32]), coarse: &mut Level) {
    let (coarse_width, coarse_height) = (coarse.width, coarse.height);
    coarse.values.par_chunks_mut(coarse_width).enumerate().for_each_init(
        || vec![0.0; width + 3],
        |column_sums, (row, coarse)| {
            let (plane, y) = (row / coarse_height, row % coarse_height);
            let fine_row = |offset: usize| {
                let fine_y = (2 * y + offset).checked_sub(1).filter(|&fine_y| fine_y < height)?;
                Some(&fine[(plane * height + fine_y) * width..][..width])
            };
            // One column of zeros before the row and two behind it stand for what is beyond the edge.
            column_sums.fill(0.0);
            for (offset, tap) in TAPS.into_iter().enumerate() {
                for (sum, value) in column_sums[1..].iter_mut().zip(fine_row(offset).unwrap_or_default()) {
                    *sum += tap * value;
                }
            }
            let (pairs, _) = column_sums.as_chunks::<2>();
            for (coarse, (here, next)) in coarse.iter_mut().zip(pairs.iter().zip(&pairs[1..])) {
                // Twice the filter's sum: wide patterns keep their length as their samples become a quarter.
                *coarse = 2.0 * (TAPS[0] * (here[0] + next[1]) + TAPS[1] * (here[1] + next[0]));
            }
        },
    );
}

/// The filter along one side.
const TAPS: [f32; 4] = [0.125, 0.375, 0.375, 0.125];

/// `fine` = fine_weight fine + D^T (coarse_weight coarse).
fn weigh_and_add(
    fine: &mut [f32],
    fine_weight: f32,
    (width, height): (usize, usize),
    coarse: &Level,
    coarse_weight: f32,
) {
    fine.par_chunks_mut(width).enumerate().for_each_init(
        || vec![0.0; coarse.width + 2],
        |column_sums, (row, fine)| {
            let (plane, y) = (row / height, row % height);
            let coarse_row = |coarse_y: Option<usize>| {
                let coarse_y = coarse_y.filter(|&coarse_y| coarse_y < coarse.height)?;
                Some(&coarse.values[(plane * coarse.height + coarse_y) * coarse.width..][..coarse.width])
            };
            // An even row is the second of its own coarse row's four and the last of the one before; an odd row the
            // third of its own and the first of the next.
            let own = y / 2;
            let other = if y % 2 == 0 { own.checked_sub(1) } else { Some(own + 1) };
            column_sums.fill(0.0);
            for (coarse_y, tap) in [(Some(own), TAPS[1]), (other, TAPS[0])] {
                let factor = 2.0 * coarse_weight * tap;
                for (sum, value) in column_sums[1..].iter_mut().zip(coarse_row(coarse_y).unwrap_or_default()) {
                    *sum += factor * value;
                }
            }
            // Two columns have one coarse column for their own; the other lies before the even and behind the odd one.
            let weighed = |fine: f32, own: f32, other: f32| fine_weight * fine + (TAPS[1] * own + TAPS[0] * other);
            let (before, (own, behind)) = (&column_sums[..], (&column_sums[1..], &column_sums[2..]));
            let (fine_pairs, last) = fine.as_chunks_mut::<2>();
            for (fine, (&before, (&own, &behind))) in
                fine_pairs.iter_mut().zip(before.iter().zip(own.iter().zip(behind)))
            {
                *fine = [weighed(fine[0], own, before), weighed(fine[1], own, behind)];
            }
            if let [last] = last {
                *last = weighed(*last, own[width / 2], before[width / 2]);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn product(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    }

    #[test]
    fn it_is_symmetric_and_positive_at_every_size() {
        for (width, height) in [(1, 1), (7, 40), (8, 8), (9, 17), (16, 31), (40, 33)] {
            let count = 3 * width * height;
            let mut pyramid = Pyramid::new(width, height, 1.0);
            let (a, b) = (noise(count, 1), noise(count, 2));
            let mut applied = |vector: &[f32]| {
                let mut vector = vector.to_vec();
                pyramid.apply(&mut vector);
                vector
            };
            let (of_a, of_b) = (applied(&a), applied(&b));
            let scale = (product(&of_a, &of_a) * product(&b, &b)).sqrt();
            assert!((product(&of_a, &b) - product(&a, &of_b)).abs() < 1e-5 * scale, "{width}x{height}");
            // P is at least w_0 I = I.
            assert!(product(&of_a, &a) >= (1.0 - 1e-5) * product(&a, &a), "{width}x{height}");
        }
    }

    #[test]
    fn weights_fall_with_the_frequency() {
        let (width, height) = (128, 128);
        let mut pyramid = Pyramid::new(width, height, 1.0);
        // The gain of a wave of `cycles` across the picture, away from the edges' influence: x P x / x x.
        let mut gain = |cycles: f64| {
            let wave: Vec<f32> = (0..3 * width * height)
                .map(|place| libm::cos(std::f64::consts::TAU * cycles * (place % width) as f64 / width as f64) as f32)
                .collect();
            let mut applied = wave.clone();
            pyramid.apply(&mut applied);
            product(&wave, &applied) / product(&wave, &wave)
        };
        let gains: Vec<f64> = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0].map(&mut gain).to_vec();
        assert!(gains.is_sorted_by(|wide, fine| wide > fine), "{gains:?}");
        // Half the frequency, twice the weight; the finest two octaves lie within the first filter's soft edge.
        for pair in gains.windows(2).take(3) {
            assert!((1.7..2.3).contains(&(pair[0] / pair[1])), "{gains:?}");
        }
        assert!((gains[5] - 1.0).abs() < 0.01, "the finest pattern is left as it is: {gains:?}");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut picture = noise(3 * 61 * 47, 5);
                Pyramid::new(61, 47, 0.8).apply(&mut picture);
                picture
            })
        };
        assert_eq!(with(1), with(2));
        assert_eq!(with(1), with(5));
    }
}
