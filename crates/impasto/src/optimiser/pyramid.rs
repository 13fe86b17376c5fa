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
//! numbers in the same order for any number of threads. Rows are plain loops inside the network's own dispatch, so that the
//! compiler makes vectors of them; nothing is fused, so they are the same numbers on every instruction set.

use impasto_vgg::cpu::isa::{Isa, Task};
use rayon::prelude::*;

use crate::picture::vectors::{Element, LEAST_ROWS, dot, instruction_set};
use rows::{HalvedRow, Plane, SquareOfRow, WeighedRow};

mod rows;

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
        self.apply_between(picture, &[]);
    }

    /// Replaces `picture`, `[3, height, width]`, by R P R times it: R multiplies each plane by `root`, `[height, width]`,
    /// value by value, or by 1 where that is empty. R is a part of the first and the last sweep.
    pub fn apply_between(&mut self, picture: &mut [f32], root: &[f32]) {
        let (power, width, height) = (self.power, self.width, self.height);
        // Levels below this place are small: what a plane has of them is one piece of work.
        let first_small = self.levels.iter().position(|level| level.width * level.height <= SMALL_LEVEL);
        let first_small = first_small.unwrap_or(self.levels.len()).max(1).min(self.levels.len());
        let (large, small) = self.levels.split_at_mut(first_small);
        let Some((first, others)) = large.split_first_mut() else {
            return multiply_twice(picture, root);
        };
        halve((width, height, &*picture), root, first);
        let mut finer = &mut *first;
        for level in others.iter_mut() {
            halve((finer.width, finer.height, &finer.values), &[], level);
            finer = level;
        }
        apply_to_small(finer, small, power, first_small);
        for coarse in (1..first_small).rev() {
            let (above, below) = large.split_at_mut(coarse);
            let (fine, below) = (&mut above[coarse - 1], &below[0]);
            let below_weight =
                if coarse + 1 == first_small && small.is_empty() { weight(power, coarse + 1) } else { 1.0 };
            weigh_and_add(&mut fine.values, weight(power, coarse), (fine.width, fine.height), below, below_weight, &[]);
        }
        // The coarsest level has no weight of its own yet: it is scaled on the way.
        let below_weight = if first_small == 1 && small.is_empty() { weight(power, 1) } else { 1.0 };
        weigh_and_add(picture, weight(power, 0), (width, height), &large[0], below_weight, root);
    }

    /// v R P R v of a picture v, with R as in [`Pyramid::apply_between`]: the sum over all levels of w_j |D^j R v|^2, which
    /// needs no way up.
    pub fn square_between<A: Element>(&mut self, vector: &[A], root: &[f32]) -> f64 {
        let (width, height) = (self.width, self.height);
        let mut sum = square_of_rows(vector, root, width);
        let mut finer: Option<&Level> = None;
        for (place, level) in self.levels.iter_mut().enumerate() {
            match finer {
                None => halve((width, height, vector), root, level),
                Some(finer) => halve((finer.width, finer.height, &finer.values), &[], level),
            }
            sum += f64::from(weight(self.power, place + 1)) * dot(&level.values, &level.values);
            finer = Some(level);
        }
        sum
    }

    /// Width and height of its pictures, in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// w_0 and the weight of each level below, which it has as w_j.
    pub fn level_weights(&self) -> Vec<f32> {
        (0..=self.levels.len()).map(|level| weight(self.power, level)).collect()
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

/// R R of a picture that is too small for any level.
fn multiply_twice(picture: &mut [f32], root: &[f32]) {
    if !root.is_empty() {
        for plane in picture.chunks_mut(root.len()) {
            plane.iter_mut().zip(root).for_each(|(value, root)| *value = *value * root * root);
        }
    }
}

/// |R v|^2 of a picture v with rows of this width.
fn square_of_rows<A: Element>(vector: &[A], root: &[f32], width: usize) -> f64 {
    let set = instruction_set();
    let rows = vector.par_chunks(width).with_min_len(LEAST_ROWS).enumerate();
    let of_rows = rows.map_init(
        || vec![0.0; width],
        |rooted, (row, values)| {
            let root = match root.is_empty() {
                true => root,
                false => &root[row % (root.len() / width) * width..][..width],
            };
            set.run(SquareOfRow { values, root, rooted })
        },
    );
    of_rows.collect::<Vec<f64>>().into_iter().fold(0.0, |sum, of_row| sum + of_row)
}

/// `coarse` = D R of a finer map (width, height, values).
fn halve<A: Element>((width, height, fine): (usize, usize, &[A]), root: &[f32], coarse: &mut Level) {
    let (coarse_width, coarse_height, set) = (coarse.width, coarse.height, instruction_set());
    let make = |column_sums: &mut Vec<f32>, (row, coarse): (usize, &mut [f32])| {
        let (plane, y) = (row / coarse_height, row % coarse_height);
        let fine = &fine[plane * height * width..][..height * width];
        set.run(HalvedRow { fine: Plane { width, height, values: fine }, root, y, column_sums, coarse });
    };
    let column_sums = || vec![0.0; width + 3];
    match coarse_width * coarse_height <= SMALL_LEVEL {
        true => {
            let mut column_sums = column_sums();
            coarse.values.chunks_mut(coarse_width).enumerate().for_each(|row| make(&mut column_sums, row));
        }
        false => {
            let rows = coarse.values.par_chunks_mut(coarse_width).with_min_len(LEAST_ROWS).enumerate();
            rows.for_each_init(column_sums, make);
        }
    }
}

/// Values of a plane at a level that is left to one thread, at most.
const SMALL_LEVEL: usize = 1 << 12;

/// What P does to a level from which on all are small, `place` halvings below the picture: each plane by itself.
fn apply_to_small(finest: &mut Level, small: &mut [Level], power: f64, place: usize) {
    if small.is_empty() {
        return;
    }
    let sizes: Vec<(usize, usize)> = small.iter().map(|level| (level.width, level.height)).collect();
    let finest_size = (finest.width, finest.height);
    let mut planes: Vec<Vec<&mut [f32]>> = (0..3).map(|_| Vec::new()).collect();
    for level in small.iter_mut() {
        let values = level.values.chunks_mut(level.width * level.height);
        planes.iter_mut().zip(values).for_each(|(plane, values)| plane.push(values));
    }
    let (finest, set) = (finest.values.par_chunks_mut(finest_size.0 * finest_size.1), instruction_set());
    finest.zip(planes).for_each(|(finest, levels)| {
        let sizes = (finest_size, &*sizes);
        set.run(SmallLevels { finest, levels, sizes, power, place });
    });
}

/// [`apply_to_small`] in one plane.
struct SmallLevels<'a> {
    finest: &'a mut [f32],
    levels: Vec<&'a mut [f32]>,
    /// Width and height of the finest, and of each level below it.
    sizes: ((usize, usize), &'a [(usize, usize)]),
    power: f64,
    place: usize,
}

impl Task for SmallLevels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let SmallLevels { finest, mut levels, sizes: (finest_size, sizes), power, place } = self;
        let mut column_sums = vec![0.0; finest_size.0 + 3];
        let mut fine = Plane { width: finest_size.0, height: finest_size.1, values: finest };
        for (&(width, height), values) in sizes.iter().zip(&mut levels) {
            let column_sums = &mut column_sums[..fine.width + 3];
            for (y, coarse) in values.chunks_mut(width).enumerate() {
                HalvedRow { fine, root: &[], y, column_sums, coarse }.run(isa);
            }
            fine = Plane { width, height, values };
        }
        for coarse in (0..sizes.len()).rev() {
            let (above, below) = levels.split_at_mut(coarse);
            let (fine, width) = match above.last_mut() {
                Some(values) => (&mut **values, sizes[coarse - 1].0),
                None => (&mut *finest, finest_size.0),
            };
            let coarse_weight = if coarse + 1 == sizes.len() { weight(power, place + coarse + 1) } else { 1.0 };
            let fine_weight = weight(power, place + coarse);
            let coarse = Plane { width: sizes[coarse].0, height: sizes[coarse].1, values: &*below[0] };
            let column_sums = &mut column_sums[..coarse.width + 2];
            for (y, fine) in fine.chunks_mut(width).enumerate() {
                WeighedRow { fine, fine_weight, y, coarse, coarse_weight, column_sums, root: &[] }.run(isa);
            }
        }
    }
}

/// `fine` = R (fine_weight R fine + D^T (coarse_weight coarse)).
fn weigh_and_add(
    fine: &mut [f32],
    fine_weight: f32,
    (width, height): (usize, usize),
    coarse: &Level,
    coarse_weight: f32,
    root: &[f32],
) {
    let (size, set) = (coarse.width * coarse.height, instruction_set());
    fine.par_chunks_mut(width).with_min_len(LEAST_ROWS).enumerate().for_each_init(
        || vec![0.0; coarse.width + 2],
        |column_sums, (row, fine)| {
            let (plane, y) = (row / height, row % height);
            let values = &coarse.values[plane * size..][..size];
            let coarse = Plane { width: coarse.width, height: coarse.height, values };
            let root = if root.is_empty() { root } else { &root[y * width..][..width] };
            set.run(WeighedRow { fine, fine_weight, y, coarse, coarse_weight, column_sums, root });
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn noise(count: usize, seed: u32) -> Vec<f32> {
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
    fn squares_are_products_with_what_it_makes_of_them() {
        for (width, height) in [(1, 1), (7, 40), (9, 17), (61, 47), (300, 131)] {
            let mut pyramid = Pyramid::new(width, height, 0.8);
            let vector = noise(3 * width * height, 4);
            let root: Vec<f32> = noise(width * height, 3).iter().map(|value| 1.5 + value).collect();
            for root in [&[][..], &root] {
                let mut applied = vector.clone();
                pyramid.apply_between(&mut applied, root);
                let expected = product(&vector, &applied);
                let square = pyramid.square_between(&vector, root);
                assert!((square - expected).abs() < 1e-6 * expected, "{width}x{height}: {square} {expected}");
            }
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
                let mut picture = noise(3 * 261 * 147, 5);
                let mut pyramid = Pyramid::new(261, 147, 0.8);
                let square = pyramid.square_between(&picture, &[]);
                pyramid.apply(&mut picture);
                (picture, square)
            })
        };
        assert_eq!(with(1), with(2));
        assert_eq!(with(1), with(5));
    }

    #[test]
    fn roots_are_a_part_of_it() {
        for (width, height) in [(5, 7), (23, 18), (150, 97), (259, 131)] {
            let root: Vec<f32> = noise(width * height, 3).iter().map(|value| 1.5 + value).collect();
            let times_root = |picture: &mut [f32]| {
                for plane in picture.chunks_mut(width * height) {
                    plane.iter_mut().zip(&root).for_each(|(value, root)| *value *= root);
                }
            };
            let mut pyramid = Pyramid::new(width, height, 0.8);
            let (mut one_by_one, mut at_once) = (noise(3 * width * height, 5), noise(3 * width * height, 5));
            times_root(&mut one_by_one);
            pyramid.apply(&mut one_by_one);
            times_root(&mut one_by_one);
            pyramid.apply_between(&mut at_once, &root);
            assert_eq!(one_by_one, at_once, "{width}x{height}");
        }
    }
}
