//! Sums over whole pictures: on all threads, and yet with the same bits for any number of them.
//!
//! A vector is cut into chunks of [`CHUNK`] values, wherever the threads are. Within a chunk, products are summed in f32
//! over short runs (eight products a partial sum: as exact as the products themselves) and the runs in f64; the chunks'
//! sums are added in their order. Several vectors are taken together chunk by chunk,
//! so that what they share is read from memory once. Vectors that are kept for long may be in bfloat16; products and sums
//! of them are the same as of the f32 values that they stand for.
//!
//! The work on a chunk is a [`Task`] that runs inside the network's own dispatch, once for each instruction set: plain loops,
//! which the compiler makes vectors of, or the instruction set's own vectors where runs must stay in registers. Nothing is
//! fused or put in another order, so the bits are the same on all of them.

use std::ops::Range;
use std::sync::OnceLock;

use impasto_vgg::cpu::isa::{InstructionSet, Isa, Lanes, Task};
use rayon::prelude::*;

use impasto_vgg::bfloat16::Bfloat16;

/// A number of a vector: f32 or bfloat16.
pub trait Element: Copy + Sync {
    /// The number as an f32.
    fn wide(self) -> f32;
}

impl Element for f32 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }
}

impl Element for Bfloat16 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self.wide()
    }
}

/// Values in a chunk: 16 KiB, so that a chunk of each operand stays in the first cache.
pub const CHUNK: usize = 1 << 12;

/// Rows of a picture that a thread takes at least, where it takes rows: fewer are not worth the asking.
pub const LEAST_ROWS: usize = 8;

/// Partial sums kept side by side: whole vectors of them on every instruction set.
const LANES: usize = 256;

/// Products that are summed in f32 before they are taken into f64.
const RUN: usize = 8;

/// Sums in f64 kept side by side, so that one addition need not wait for the one before.
const WIDE_LANES: usize = 32;

/// Values in a vector of every instruction set.
const VECTOR: usize = 16;

/// Vectors that are added in one go: what they are added to is read and written once for so many.
const TOGETHER: usize = 4;

/// Values of each that are added before the next lines are asked for.
const BLOCK: usize = 128;

/// The instruction set in use: as IMPASTO_ISA has it, or the best. (What IMPASTO_ISA may not name, the engine says.)
pub fn instruction_set() -> InstructionSet {
    static SET: OnceLock<InstructionSet> = OnceLock::new();
    *SET.get_or_init(|| InstructionSet::from_environment().unwrap_or_else(|_| InstructionSet::best()))
}

/// The products of `a` and `b`, summed.
#[inline(always)]
pub fn dot_of_chunk<A: Element>(a: &[A], b: &[f32]) -> f64 {
    let (a_runs, a_rest) = a.as_chunks::<{ RUN * LANES }>();
    let (b_runs, b_rest) = b.as_chunks::<{ RUN * LANES }>();
    let mut sums = [0.0_f64; WIDE_LANES];
    for (a, b) in a_runs.iter().zip(b_runs) {
        for first in (0..LANES).step_by(WIDE_LANES) {
            let mut run = [0.0_f32; WIDE_LANES];
            for row in 0..RUN {
                let place = row * LANES + first;
                for ((run, a), b) in run.iter_mut().zip(&a[place..][..WIDE_LANES]).zip(&b[place..][..WIDE_LANES]) {
                    *run += a.wide() * b;
                }
            }
            for (sum, run) in sums.iter_mut().zip(run) {
                *sum += f64::from(run);
            }
        }
    }
    with_rest(a_rest, b_rest, sums)
}

/// The sums of runs, and the products of what is left behind the last whole run.
#[inline(always)]
fn with_rest<A: Element>(a: &[A], b: &[f32], sums: [f64; WIDE_LANES]) -> f64 {
    let mut rest = 0.0;
    for (&a, &b) in a.iter().zip(b) {
        rest += f64::from(a.wide()) * f64::from(b);
    }
    for sum in sums {
        rest += sum;
    }
    rest
}

/// Asks for the cache line at this place of a chunk that is read soon: the processor does not know that one vector's
/// chunk follows another's. A line at a time between other work: more at once than it can wait for would stop it.
#[inline(always)]
fn prefetch<I: Isa, A: Element>(isa: I, chunk: &[A], place: usize) {
    isa.prefetch(chunk.as_ptr().wrapping_add(place).cast());
}

/// Sixteen numbers as f32.
#[inline(always)]
fn widen<I: Isa, A: Element>(isa: I, values: &[A; VECTOR]) -> I::Vector {
    isa.load(&Lanes(values.map(A::wide)))
}

/// The chunk of each vector of a sweep, with that of the one behind it; the last has itself there.
#[inline(always)]
fn with_next<'a, A>(vectors: &'a [&'a [A]], range: Range<usize>) -> impl Iterator<Item = (&'a [A], &'a [A])> {
    let next = vectors.iter().skip(1).chain(vectors.last());
    vectors.iter().zip(next).map(move |(vector, next)| (&vector[range.clone()], &next[range.clone()]))
}

/// Writes the scalar products of a chunk of each of `vectors` with each of `others`, which are chunks, into `sums`: those
/// that [`dot_of_chunk`] gives, each vector read once for all others.
struct DotsOfChunk<'a, A, const OTHERS: usize> {
    vectors: &'a [&'a [A]],
    others: [&'a [f32]; OTHERS],
    range: Range<usize>,
    sums: &'a mut [f64],
}

impl<A: Element, const OTHERS: usize> Task for DotsOfChunk<'_, A, OTHERS> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let DotsOfChunk { vectors, others, range, sums } = self;
        let mut aligned = [[Lanes::ZERO; CHUNK / VECTOR]; OTHERS];
        for (aligned, other) in aligned.iter_mut().zip(others) {
            aligned.iter_mut().zip(other.as_chunks().0).for_each(|(lanes, values)| lanes.0 = *values);
        }
        for ((vector, next), sums) in with_next(vectors, range).zip(sums.chunks_mut(OTHERS)) {
            let runs = sums_of_runs(isa, vector, next, &aligned);
            let start = vector.len() / (RUN * LANES) * (RUN * LANES);
            for ((sum, runs), other) in sums.iter_mut().zip(runs).zip(others) {
                *sum = with_rest(&vector[start..], &other[start..], runs);
            }
        }
    }
}

/// The sums of all whole runs of a chunk with each of `others`; `next` is brought near meanwhile.
#[inline(always)]
fn sums_of_runs<I: Isa, A: Element, const OTHERS: usize>(
    isa: I,
    vector: &[A],
    next: &[A],
    others: &[[Lanes; CHUNK / VECTOR]; OTHERS],
) -> [[f64; WIDE_LANES]; OTHERS] {
    let mut sums = [[0.0; WIDE_LANES]; OTHERS];
    let (groups, _) = vector.as_chunks::<VECTOR>();
    for runs in 0..vector.len() / (RUN * LANES) {
        for first in (0..LANES).step_by(WIDE_LANES) {
            let mut run = [[isa.splat(0.0); WIDE_LANES / VECTOR]; OTHERS];
            for row in 0..RUN {
                let place = (runs * RUN + row) * LANES + first;
                prefetch(isa, next, place);
                for half in 0..WIDE_LANES / VECTOR {
                    let group = place / VECTOR + half;
                    let wide = widen(isa, &groups[group]);
                    for (run, other) in run.iter_mut().zip(others) {
                        run[half] = isa.add(run[half], isa.mul(wide, isa.load(&other[group])));
                    }
                }
            }
            for (sums, run) in sums.iter_mut().zip(run) {
                for (sums, run) in sums.as_chunks_mut::<VECTOR>().0.iter_mut().zip(run) {
                    let mut lanes = Lanes::ZERO;
                    isa.store(run, &mut lanes);
                    sums.iter_mut().zip(lanes.0).for_each(|(sum, run)| *sum += f64::from(run));
                }
            }
        }
    }
    sums
}

/// The scalar product of two vectors of one length.
pub fn dot<A: Element>(a: &[A], b: &[f32]) -> f64 {
    dots(&[a], [b])[0]
}

/// The scalar products of each of `vectors` with each of `others`: for vector i and other j at place
/// `i * others.len() + j`. Every vector is read once.
pub fn dots<A: Element, const OTHERS: usize>(vectors: &[&[A]], others: [&[f32]; OTHERS]) -> Vec<f64> {
    let (length, set) = (others.first().map_or(0, |other| other.len()), instruction_set());
    sums_of_chunks(length, vectors.len() * OTHERS, |range, sums| {
        let others = others.map(|other| &other[range.clone()]);
        set.run(DotsOfChunk { vectors, others, range, sums });
    })
}

/// As [`dots`] with two others, the first of which is in bfloat16.
pub fn dots_with_rounded<A: Element>(vectors: &[&[A]], rounded: &[Bfloat16], other: &[f32]) -> Vec<f64> {
    let set = instruction_set();
    sums_of_chunks(other.len(), vectors.len() * 2, |range, sums| {
        let mut wide = [0.0; CHUNK];
        let wide = &mut wide[..range.len()];
        wide.iter_mut().zip(&rounded[range.clone()]).for_each(|(wide, rounded)| *wide = rounded.wide());
        set.run(DotsOfChunk { vectors, others: [wide, &other[range.clone()]], range, sums });
    })
}

/// Adds up what `of_chunk` writes for each chunk of vectors of this length, in the order of the chunks.
fn sums_of_chunks(length: usize, count: usize, of_chunk: impl Fn(Range<usize>, &mut [f64]) + Sync) -> Vec<f64> {
    let mut of_chunks = vec![0.0; length.div_ceil(CHUNK) * count];
    of_chunks.par_chunks_mut(count.max(1)).enumerate().for_each(|(chunk, sums)| {
        of_chunk(chunk * CHUNK..length.min((chunk + 1) * CHUNK), sums);
    });
    let mut totals = vec![0.0; count];
    of_chunks.chunks(count.max(1)).for_each(|sums| add_to(&mut totals, sums));
    totals
}

/// Adds each of `sums` to the total in its place.
pub fn add_to(totals: &mut [f64], sums: &[f64]) {
    for (total, sum) in totals.iter_mut().zip(sums) {
        *total += sum;
    }
}

/// Adds each of `vectors`, from `start` on and times its factor, to `base`.
struct AddToChunk<'a, A> {
    base: &'a mut [f32],
    vectors: &'a [&'a [A]],
    factors: &'a [f64],
    start: usize,
}

impl<A: Element> Task for AddToChunk<'_, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let range = self.start..self.start + self.base.len();
        let (groups, rest) = self.vectors.as_chunks::<TOGETHER>();
        let (factors, rest_factors) = self.factors.as_chunks::<TOGETHER>();
        for (place, (group, factors)) in groups.iter().zip(factors).enumerate() {
            let next = self.vectors[(place + 1) * TOGETHER..].iter().take(TOGETHER);
            let next: [&[A]; TOGETHER] = {
                let mut chunks = [&[][..]; TOGETHER];
                chunks.iter_mut().zip(next).for_each(|(chunk, next)| *chunk = &next[range.clone()]);
                chunks
            };
            let [a, b, c, d] = group.map(|vector| vector[range.clone()].chunks(BLOCK));
            let factors = factors.map(|factor| factor as f32);
            let blocks = self.base.chunks_mut(BLOCK).zip(a.zip(b).zip(c.zip(d))).enumerate();
            for (block, (base, ((a, b), (c, d)))) in blocks {
                for next in next {
                    for line in (0..BLOCK).step_by(size_of::<Lanes>() / size_of::<A>()) {
                        prefetch(isa, next, block * BLOCK + line);
                    }
                }
                // One after the other, as if each were added by itself.
                for (base, ((a, b), (c, d))) in base.iter_mut().zip(a.iter().zip(b).zip(c.iter().zip(d))) {
                    let sum = *base + factors[0] * a.wide() + factors[1] * b.wide();
                    *base = sum + factors[2] * c.wide() + factors[3] * d.wide();
                }
            }
        }
        for (vector, &factor) in rest.iter().zip(rest_factors) {
            let factor = factor as f32;
            for (base, value) in self.base.iter_mut().zip(&vector[range.clone()]) {
                *base += factor * value.wide();
            }
        }
    }
}

/// Adds `factors[i] * vectors[i]` for each i to `base`, in their order, then multiplies it by `scale`; `base` is read and
/// written once.
pub fn add_and_scale<A: Element>(base: &mut [f32], vectors: &[&[A]], factors: &[f64], scale: f32) {
    let set = instruction_set();
    base.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, base)| {
        set.run(AddToChunk { base, vectors, factors, start: chunk * CHUNK });
        for value in base {
            *value *= scale;
        }
    });
}

/// Adds as [`add_and_scale`] does, without a scale; then `finish` has each chunk of `base` with that of `other`, while
/// both are near. Gives the sum of its answers.
pub fn add_and_finish<A: Element>(
    (base, other): (&mut [f32], &mut [f32]),
    vectors: &[&[A]],
    factors: &[f64],
    finish: impl Fn(Range<usize>, &mut [f32], &mut [f32]) -> f64 + Sync,
) -> f64 {
    let set = instruction_set();
    let chunks = base.par_chunks_mut(CHUNK).zip(other.par_chunks_mut(CHUNK)).enumerate();
    let of_chunks: Vec<f64> = chunks
        .map(|(chunk, (base, other))| {
            let start = chunk * CHUNK;
            set.run(AddToChunk { base, vectors, factors, start });
            finish(start..start + base.len(), base, other)
        })
        .collect();
    of_chunks.iter().fold(0.0, |total, sum| total + sum)
}

/// The scalar product of two chunks: the part that they have in [`dot`].
pub fn dot_chunks(a: &[f32], b: &[f32]) -> f64 {
    let mut sum = [0.0];
    instruction_set().run(DotsOfChunk { vectors: &[a], others: [b], range: 0..b.len(), sums: &mut sum });
    sum[0]
}

/// A vector of zeros. All threads touch it first: the system then gives them its pages at the same time.
pub fn zeros<A: Default + Send>(length: usize) -> Vec<A> {
    (0..length).into_par_iter().with_min_len(CHUNK).map(|_| A::default()).collect()
}

/// Copies `from` into `to`.
pub fn copy_into(to: &mut [f32], from: &[f32]) {
    to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK)).for_each(|(to, from)| to.copy_from_slice(from));
}

/// Replaces each value of `vector` by `changed` of it.
pub fn change_each(vector: &mut [f32], changed: impl Fn(f32) -> f32 + Sync) {
    vector.par_chunks_mut(CHUNK).for_each(|vector| {
        for value in vector {
            *value = changed(*value);
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
            let products = dots(&[first, others[0]], others);
            for (place, &product) in products.iter().enumerate() {
                let expected = plain(&vectors[place / 2], others[place % 2]);
                assert!((product - expected).abs() <= 1e-7 * length as f64, "{length}: {product} {expected}");
            }
            assert_eq!(dot(first, others[0]), products[0]);
            let mut sum = first.clone();
            add_and_scale(&mut sum, &others, &[2.0, -0.5], 1.0);
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
            pool.install(|| dots(&[&a, &b], [&b, &a]))
        };
        for threads in [2, 3, 5] {
            assert_eq!(with(1), with(threads), "{threads} threads");
        }
    }

    /// Rounds each value of `vector` to bfloat16, into `rounded` too.
    fn round_into(rounded: &mut [Bfloat16], vector: &mut [f32]) {
        for (rounded, value) in rounded.iter_mut().zip(vector) {
            *rounded = Bfloat16::from(*value);
            *value = rounded.wide();
        }
    }

    /// Checkpoints of a run go on with the same bytes on another instruction set's sums too.
    #[test]
    fn any_instruction_set_gives_the_same_bits() {
        for length in [CHUNK, CHUNK - 100] {
            let (mut a, b) = (wave(length, 0.013), wave(length, 0.7));
            let mut rounded = vec![Bfloat16::default(); a.len()];
            round_into(&mut rounded, &mut a);
            let with = |set: InstructionSet| {
                // More vectors than are added in one go.
                let (vectors, others, mut base) = ([&rounded[..]; 5], [&b[..], &a[..]], b.clone());
                let (mut sums, factors) = ([0.0; 10], [1.7, -0.3, 0.9, 1.1, -2.3]);
                set.run(DotsOfChunk { vectors: &vectors, others, range: 0..length, sums: &mut sums });
                set.run(AddToChunk { base: &mut base, vectors: &vectors, factors: &factors, start: 0 });
                (sums, base)
            };
            let mut sets = InstructionSet::available().into_iter().map(with);
            let first = sets.next().unwrap();
            assert_eq!(first.0[0], dot_of_chunk(&rounded, &b), "the sums of one vector alone");
            assert!(sets.all(|other| other == first));
        }
    }

    #[test]
    fn rounded_vectors_count_as_what_they_stand_for() {
        for length in [1, CHUNK - 1, 2 * CHUNK + 2500] {
            let (mut a, b) = (wave(length, 0.21), wave(length, 0.9));
            let mut rounded = vec![Bfloat16::default(); length];
            round_into(&mut rounded, &mut a);
            let widened: Vec<f32> = rounded.iter().map(|rounded| rounded.wide()).collect();
            assert_eq!(widened, a);
            assert!(
                wave(length, 0.21).iter().zip(&a).all(|(before, after)| (before - after).abs() <= before.abs() / 256.0)
            );
            assert_eq!(dots(&[&rounded[..]], [&b]), dots(&[&a[..]], [&b]));
            assert_eq!(dots_with_rounded(&[&b[..]], &rounded, &b), dots(&[&b[..]], [&a, &b]));
            let (mut from_rounded, mut from_wide) = (b.clone(), b);
            add_and_scale(&mut from_rounded, &[&rounded[..]], &[1.7], 1.0);
            add_and_scale(&mut from_wide, &[&a[..]], &[1.7], 1.0);
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
