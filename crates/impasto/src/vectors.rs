//! Sums over whole pictures: on all threads, and yet with the same bits for any number of them.
//!
//! A vector is cut into chunks of [`CHUNK`] values, wherever the threads are. Within a chunk, products are summed in f32
//! over short runs (eight products a partial sum: as exact as the products themselves) and the runs in f64; the chunks'
//! sums are added in their order. Several vectors are taken together chunk by chunk,
//! so that what they share is read from memory once. Vectors that are kept for long may be in bfloat16; products and sums
//! of them are the same as of the f32 values that they stand for.

use rayon::prelude::*;

use crate::bfloat16::Bfloat16;

/// A number of a vector: f32 or bfloat16.
pub trait Element: Copy + Sync {
    /// The number as an f32.
    fn wide(self) -> f32;
}

impl Element for f32 {
    #[inline]
    fn wide(self) -> f32 {
        self
    }
}

impl Element for Bfloat16 {
    #[inline]
    fn wide(self) -> f32 {
        self.wide()
    }
}

/// Values in a chunk: 16 KiB, so that a chunk of each operand stays in the first cache.
pub const CHUNK: usize = 1 << 12;

/// Partial sums kept side by side. So many, that the compiler keeps the loop over them a loop and makes vectors of it;
/// fewer are unrolled into scalars.
const LANES: usize = 256;

/// The products of `a` and `b`, summed.
fn dot_of_chunk<A: Element>(a: &[A], b: &[f32]) -> f64 {
    let (a_runs, a_rest) = a.as_chunks::<{ 8 * LANES }>();
    let (b_runs, b_rest) = b.as_chunks::<{ 8 * LANES }>();
    let mut sums = [0.0_f64; 4];
    for (a, b) in a_runs.iter().zip(b_runs) {
        let mut run = [0.0_f32; LANES];
        for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
            for ((run, a), b) in run.iter_mut().zip(a).zip(b) {
                *run += a.wide() * b;
            }
        }
        for four in run.as_chunks::<4>().0 {
            for (sum, &run) in sums.iter_mut().zip(four) {
                *sum += f64::from(run);
            }
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| f64::from(a.wide()) * f64::from(b)).sum();
    sums.iter().sum::<f64>() + rest
}

/// The scalar product of two vectors of one length.
pub fn dot<A: Element>(a: &[A], b: &[f32]) -> f64 {
    let of_chunks: Vec<f64> = a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)).map(|(a, b)| dot_of_chunk(a, b)).collect();
    of_chunks.iter().sum()
}

/// The scalar products of each of `vectors` with each of `others`: for vector i and other j at place
/// `i * others.len() + j`. Every vector is read once.
pub fn dots<A: Element>(vectors: &[&[A]], others: &[&[f32]]) -> Vec<f64> {
    let products = vectors.len() * others.len();
    let length = others.first().map_or(0, |other| other.len());
    let of_chunks: Vec<Vec<f64>> = (0..length.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let range = chunk * CHUNK..length.min((chunk + 1) * CHUNK);
            let mut sums = Vec::with_capacity(products);
            for vector in vectors {
                for other in others {
                    sums.push(dot_of_chunk(&vector[range.clone()], &other[range.clone()]));
                }
            }
            sums
        })
        .collect();
    let mut totals = vec![0.0; products];
    for sums in of_chunks {
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total += sum;
        }
    }
    totals
}

/// Adds `factors[i] * vectors[i]` for each i to `base`, in their order; `base` is read and written once.
pub fn add_scaled<A: Element>(base: &mut [f32], vectors: &[&[A]], factors: &[f64]) {
    base.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, base)| {
        let start = chunk * CHUNK;
        for (vector, &factor) in vectors.iter().zip(factors) {
            let factor = factor as f32;
            for (base, value) in base.iter_mut().zip(&vector[start..]) {
                *base += factor * value.wide();
            }
        }
    });
}

/// Rounds each value of `vector` to bfloat16, into `rounded` too.
pub fn round_into(rounded: &mut [Bfloat16], vector: &mut [f32]) {
    rounded.par_chunks_mut(CHUNK).zip(vector.par_chunks_mut(CHUNK)).for_each(|(rounded, vector)| {
        for (rounded, value) in rounded.iter_mut().zip(vector) {
            *rounded = Bfloat16::from(*value);
            *value = rounded.wide();
        }
    });
}

/// Copies `rounded` into `vector`.
pub fn widen_into(vector: &mut [f32], rounded: &[Bfloat16]) {
    vector.par_chunks_mut(CHUNK).zip(rounded.par_chunks(CHUNK)).for_each(|(vector, rounded)| {
        for (value, rounded) in vector.iter_mut().zip(rounded) {
            *value = rounded.wide();
        }
    });
}

/// Applies `change` to each value of `base` and the value of `other` beside it.
pub fn for_each_pair(base: &mut [f32], other: &[f32], change: impl Fn(&mut f32, f32) + Sync) {
    base.par_chunks_mut(CHUNK).zip(other.par_chunks(CHUNK)).for_each(|(base, other)| {
        for (base, &other) in base.iter_mut().zip(other) {
            change(base, other);
        }
    });
}

/// Whether all values are finite.
pub fn all_finite(vector: &[f32]) -> bool {
    vector.par_chunks(CHUNK).all(|chunk| chunk.iter().all(|value| value.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(length: usize, step: f64) -> Vec<f32> {
        (0..length).map(|place| libm::sin(step * place as f64) as f32).collect()
    }

    #[test]
    fn sums_are_those_of_a_plain_loop_at_every_length() {
        for length in [0, 1, 7, 8, 9, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 13] {
            let vectors = [wave(length, 0.1), wave(length, 0.37), wave(length, 1.9)];
            let plain =
                |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
            let (first, others) = (&vectors[0], [vectors[1].as_slice(), &vectors[2]]);
            let products = dots(&[first, others[0]], &others);
            for (place, &product) in products.iter().enumerate() {
                let expected = plain(&vectors[place / 2], others[place % 2]);
                assert!((product - expected).abs() <= 1e-7 * length as f64, "{length}: {product} {expected}");
            }
            assert_eq!(dot(first, others[0]), products[0]);
            let mut sum = first.clone();
            add_scaled(&mut sum, &others, &[2.0, -0.5]);
            for place in 0..length {
                let expected = vectors[0][place] + 2.0 * vectors[1][place] - 0.5 * vectors[2][place];
                assert!((sum[place] - expected).abs() < 1e-5, "{length}");
            }
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let (a, b) = (wave(50_000, 0.013), wave(50_000, 0.7));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| dots(&[&a, &b], &[&b, &a]))
        };
        for threads in [2, 3, 5] {
            assert_eq!(with(1), with(threads), "{threads} threads");
        }
    }

    #[test]
    fn rounded_vectors_count_as_what_they_stand_for() {
        for length in [1, CHUNK - 1, 2 * CHUNK + 2500] {
            let (mut a, b) = (wave(length, 0.21), wave(length, 0.9));
            let mut rounded = vec![Bfloat16::default(); length];
            round_into(&mut rounded, &mut a);
            let mut widened = vec![0.0; length];
            widen_into(&mut widened, &rounded);
            assert_eq!(widened, a);
            assert!(
                wave(length, 0.21).iter().zip(&a).all(|(before, after)| (before - after).abs() <= before.abs() / 256.0)
            );
            assert_eq!(dots(&[&rounded[..]], &[&b]), dots(&[&a[..]], &[&b]));
            let (mut from_rounded, mut from_wide) = (b.clone(), b);
            add_scaled(&mut from_rounded, &[&rounded[..]], &[1.7]);
            add_scaled(&mut from_wide, &[&a[..]], &[1.7]);
            assert_eq!(from_rounded, from_wide);
        }
    }

    #[test]
    fn one_bad_value_is_seen() {
        let mut vector = vec![0.0; 10_000];
        assert!(all_finite(&vector));
        vector[9_999] = f32::NAN;
        assert!(!all_finite(&vector));
        vector[9_999] = f32::INFINITY;
        assert!(!all_finite(&vector));
    }
}
