//! Which vector instructions this processor has, and the vocabulary that every kernel is written in.
//!
//! A kernel is written once, generic over [`Isa`]; an implementation is a *token* that can only be had from its
//! `detect`, so holding one proves that the processor has the instructions. All vectors are sixteen `f32` wide, the
//! width of a block of channels: one AVX-512 register, two of AVX2, four of NEON, an array for the compiler otherwise.
//!
//! ```text
//!   kernel (a Task, inlined) --> enter_avx512  #[target_feature]  --> one function with vector code in it
//!                            \-> enter_avx2    #[target_feature]  --> the same for AVX2 ...
//! ```
//!
//! A vector method that is inlined into a function *without* the target feature stays a call for every single
//! operation (17 times slower), so every loop over vectors runs inside [`Isa::enter`]: this file holds the only
//! functions that carry `#[target_feature]`, beside the detectors that must match them.

use std::fmt::Debug;

#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
use super::portable::Portable;
use super::tiles::{TileOperands, TilePlace};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512, BF16, PLAIN, TILES, made_by_amd};
use crate::bfloat16::bf16_bits;
use crate::engine::Precision;
use crate::error::EngineError;

/// Channels in a block, and `f32`s in a vector.
pub const LANES: usize = 16;

/// The environment variable that forces an instruction set.
pub const ISA_VARIABLE: &str = "IMPASTO_ISA";

/// Sixteen values of one cache line: what a vector is loaded from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Lanes(pub [f32; LANES]);

impl Lanes {
    /// All zero.
    pub const ZERO: Lanes = Lanes([0.0; LANES]);
}

/// Work that runs inside a function compiled for one instruction set. Implementations of `run` must be
/// `#[inline(always)]`, and so must every generic function they call that touches vectors, unless it is a task that is
/// entered by itself.
pub trait Task {
    /// What comes out.
    type Output;

    /// Does the work with the vectors of `isa`.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}

/// One instruction set: a token that proves the processor has it, and its operations on vectors of sixteen `f32`.
pub trait Isa: Copy + Debug + Send + Sync + 'static {
    /// Sixteen `f32` in registers.
    type Vector: Copy;

    /// As `IMPASTO_ISA` has it.
    const NAME: &'static str;
    /// Rows (tiles, positions) of the register block of a matrix product; with [`Self::PRODUCT_VECTORS`] chosen so that
    /// the sums, a row of weights and a broadcast fill the registers: 6 x 4 of 32 for AVX-512, 6 x 1 pairs of 16 for AVX2.
    const PRODUCT_ROWS: usize;
    /// Vectors of sixteen channels beside each other in that register block: 1 or 4.
    const PRODUCT_VECTORS: usize;
    /// Whether products of bfloat16 are made by [`Isa::tile_products`], for which rows come in whole groups of sixteen.
    const HAS_TILES: bool = false;

    /// Runs `task` in a function that is compiled for this instruction set.
    fn enter<T: Task>(self, task: T) -> T::Output;

    /// `value` in every lane.
    fn splat(self, value: f32) -> Self::Vector;
    /// Reads sixteen values.
    fn load(self, from: &Lanes) -> Self::Vector;
    /// Writes sixteen values.
    fn store(self, vector: Self::Vector, to: &mut Lanes);
    /// `a + b`
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b`
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b`
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, rounded once where the processor fuses them.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// `c - a * b`, rounded once where the processor fuses them.
    fn neg_mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The larger of each two lanes; either where one is not a number.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Zero where a lane is negative; what is not a number stays so.
    fn relu(self, a: Self::Vector) -> Self::Vector;
    /// Bit i is set where lane i of `a` is greater than lane i of `b`.
    fn greater_bits(self, a: Self::Vector, b: Self::Vector) -> u16;
    /// Lane i of `a` where bit i is set, zero elsewhere.
    fn keep(self, a: Self::Vector, bits: u16) -> Self::Vector;
    /// The sum of all lanes, in an order that is fixed for this instruction set.
    fn sum(self, a: Self::Vector) -> f32;
    /// Asks for the cache line at `line` to be brought into the second-level cache; any address will do.
    fn prefetch(self, line: *const Lanes);
    /// Asks for the cache line at `line` to be brought into the first-level cache; any address will do.
    #[inline(always)]
    fn prefetch_first(self, line: *const Lanes) {
        self.prefetch(line);
    }

    /// Rounds to sixteen bfloat16 (nearest, ties to even) and writes them, in pairs of neighbours, to the lower or the
    /// upper eight words of `to`.
    #[inline(always)]
    fn store_bf16(self, vector: Self::Vector, to: &mut Lanes, upper: bool) {
        portable_store_bf16(self, vector, to, upper);
    }

    /// `a` and `b` hold a pair of bfloat16 in each lane: adds both products to `sums`. This is what an instruction set
    /// without such products does instead, lane by lane: for tests, never chosen for speed.
    #[inline(always)]
    fn mul_add_bf16(self, a: Self::Vector, b: Self::Vector, sums: Self::Vector) -> Self::Vector {
        portable_mul_add_bf16(self, a, b, sums)
    }

    /// What rounding to bfloat16 takes from each lane.
    #[inline(always)]
    fn bf16_remainder(self, vector: Self::Vector) -> Self::Vector {
        portable_bf16_remainder(self, vector)
    }

    /// Products of bfloat16 in registers that hold whole tiles of sums, at each of `places`. A row's sums depend on no
    /// other row.
    ///
    /// # Panics
    /// Where an operand ends too early, and on an instruction set without tiles.
    fn tile_products(self, _operands: TileOperands<'_>, _places: impl Iterator<Item = TilePlace>) {
        unreachable!("{} has no tiles", Self::NAME)
    }
}

/// See [`Isa::store_bf16`].
#[inline(always)]
pub(super) fn portable_store_bf16<I: Isa>(isa: I, vector: I::Vector, to: &mut Lanes, upper: bool) {
    let mut values = Lanes::ZERO;
    isa.store(vector, &mut values);
    let words = &mut to.0[if upper { LANES / 2..LANES } else { 0..LANES / 2 }];
    for (word, pair) in words.iter_mut().zip(values.0.as_chunks::<2>().0) {
        *word = f32::from_bits(bf16_bits(pair[0]) | bf16_bits(pair[1]) << 16);
    }
}

/// See [`Isa::bf16_remainder`].
#[inline(always)]
pub(super) fn portable_bf16_remainder<I: Isa>(isa: I, vector: I::Vector) -> I::Vector {
    let mut lanes = Lanes::ZERO;
    isa.store(vector, &mut lanes);
    isa.load(&Lanes(lanes.0.map(|value| value - f32::from_bits(bf16_bits(value) << 16))))
}

/// See [`Isa::mul_add_bf16`].
#[inline(always)]
pub(super) fn portable_mul_add_bf16<I: Isa>(isa: I, a: I::Vector, b: I::Vector, sums: I::Vector) -> I::Vector {
    let [mut a_lanes, mut b_lanes, mut sum_lanes] = [Lanes::ZERO; 3];
    isa.store(a, &mut a_lanes);
    isa.store(b, &mut b_lanes);
    isa.store(sums, &mut sum_lanes);
    for (sum, (a, b)) in sum_lanes.0.iter_mut().zip(a_lanes.0.iter().zip(&b_lanes.0)) {
        let upper = |word: f32| f32::from_bits(word.to_bits() & 0xffff_0000);
        let lower = |word: f32| f32::from_bits(word.to_bits() << 16);
        *sum += upper(*a) * upper(*b);
        *sum += lower(*a) * lower(*b);
    }
    isa.load(&sum_lanes)
}

/// An instruction set that this processor has.
#[derive(Clone, Copy, Debug)]
pub enum InstructionSet {
    /// Arrays, vectorised by the compiler for the oldest processor of this architecture.
    Portable(Portable),
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512, with bfloat16 products where `bf16` is there.
    #[cfg(target_arch = "x86_64")]
    Avx512 {
        /// Without bfloat16 products.
        f32: Avx512<PLAIN>,
        /// With them.
        bf16: Option<Avx512<BF16>>,
    },
    /// AVX-512, with bfloat16 products in tile registers.
    #[cfg(target_arch = "x86_64")]
    Amx {
        /// For all else.
        f32: Avx512<PLAIN>,
        /// For products of bfloat16.
        tiles: Avx512<TILES>,
    },
    /// 64-bit Arm.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl InstructionSet {
    /// All that this processor has, the fastest first.
    pub fn available() -> Vec<InstructionSet> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let (f32, bf16, tiles) = (Avx512::<PLAIN>::detect(), Avx512::<BF16>::detect(), Avx512::<TILES>::detect());
            sets.extend(f32.zip(tiles).map(|(f32, tiles)| InstructionSet::Amx { f32, tiles }));
            sets.extend(f32.map(|f32| InstructionSet::Avx512 { f32, bf16 }));
            sets.extend(Avx2::detect().map(InstructionSet::Avx2));
        }
        #[cfg(target_arch = "aarch64")]
        sets.extend(Neon::detect().map(InstructionSet::Neon));
        sets.push(InstructionSet::Portable(Portable));
        sets
    }

    /// The fastest that this processor has.
    pub fn best() -> InstructionSet {
        InstructionSet::available()[0]
    }

    /// The one called `name`: `portable`, `avx2`, `avx512`, `amx` or `neon`.
    ///
    /// # Errors
    /// A name that is unknown, or an instruction set that this processor lacks.
    pub fn named(name: &str) -> Result<InstructionSet, EngineError> {
        let available = InstructionSet::available();
        available.iter().copied().find(|set| set.name() == name).ok_or_else(|| EngineError::Isa {
            asked: name.chars().take(40).collect(),
            available: available.iter().map(|set| set.name()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The one that `IMPASTO_ISA` names; the best where it is not set or empty.
    ///
    /// # Errors
    /// As [`InstructionSet::named`].
    pub fn from_environment() -> Result<InstructionSet, EngineError> {
        match std::env::var_os(ISA_VARIABLE) {
            Some(name) if !name.is_empty() => InstructionSet::named(&name.to_string_lossy()),
            _ => Ok(InstructionSet::best()),
        }
    }

    /// As `IMPASTO_ISA` has it.
    pub fn name(self) -> &'static str {
        match self {
            InstructionSet::Portable(_) => Portable::NAME,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(_) => Avx2::NAME,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 { .. } => Avx512::<PLAIN>::NAME,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Amx { .. } => Avx512::<TILES>::NAME,
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon(_) => Neon::NAME,
        }
    }

    /// Whether products of bfloat16 run in hardware.
    pub fn has_bf16(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if let InstructionSet::Avx512 { bf16: Some(_), .. } | InstructionSet::Amx { .. } = self {
            return true;
        }
        false
    }

    /// Whether products of bfloat16 are made in tile registers, see [`Isa::tile_products`].
    pub fn has_tiles(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self, InstructionSet::Amx { .. });
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Whether products of bfloat16 are not only there but faster than those of f32: on AMD's processors, which take a
    /// register of pairs at the rate of a register of f32 (measured on Zen 4: convolutions 1.9 times as fast). Intel's
    /// need two cycles where two of f32 need one (measured on Emerald Rapids: convolutions 1.7 times as slow), but in
    /// tiles they are the fastest of all.
    pub fn gains_from_bf16(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.has_tiles() || self.has_bf16() && made_by_amd();
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// The parts of bfloat16 that operands are made of on the way forward, 0 for f32: see `panels.rs`. Three products of
    /// tiles take half the time of one in f32, and lose a hundredth of what one product of eight bits does.
    pub fn forward_parts(self, precision: Precision) -> usize {
        match precision {
            Precision::F32 | Precision::F16 => 0,
            Precision::Mixed => {
                if self.has_tiles() {
                    2
                } else {
                    0
                }
            }
            Precision::Bf16 => usize::from(self.has_bf16()),
        }
    }

    /// The parts of bfloat16 that operands are made of on the way back, 0 for f32.
    pub fn backward_parts(self, precision: Precision) -> usize {
        match precision {
            Precision::F32 | Precision::F16 => 0,
            Precision::Mixed | Precision::Bf16 => usize::from(self.has_bf16()),
        }
    }

    /// Vectors of the register block of a matrix product, see [`Isa::PRODUCT_VECTORS`].
    pub fn product_vectors(self) -> usize {
        match self {
            InstructionSet::Portable(_) => Portable::PRODUCT_VECTORS,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(_) => Avx2::PRODUCT_VECTORS,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 { .. } | InstructionSet::Amx { .. } => Avx512::<PLAIN>::PRODUCT_VECTORS,
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon(_) => Neon::PRODUCT_VECTORS,
        }
    }

    /// Runs `task` with this instruction set.
    pub fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            InstructionSet::Portable(isa) => isa.enter(task),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(isa) => isa.enter(task),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 { f32, .. } | InstructionSet::Amx { f32, .. } => f32.enter(task),
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon(isa) => isa.enter(task),
        }
    }

    /// Runs `task` where there are tile registers.
    ///
    /// # Panics
    /// Where there are none, see [`InstructionSet::has_tiles`].
    pub fn run_tiles<T: Task>(self, task: T) -> T::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Amx { tiles, .. } => tiles.enter(task),
            _ => {
                drop(task);
                unreachable!("{} has no tiles", self.name())
            }
        }
    }

    /// Runs `task` with this instruction set and its bfloat16 products, where it has them.
    pub fn run_bf16<T: Task>(self, task: T) -> T::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 { bf16: Some(isa), .. } => isa.enter(task),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Amx { tiles, .. } => tiles.enter(task),
            _ => self.run(task),
        }
    }
}

/// Must match `Avx2::detect`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn enter_avx2<T: Task>(isa: Avx2, task: T) -> T::Output {
    task.run(isa)
}

/// Must match `Avx512::<PLAIN>::detect`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn enter_avx512<T: Task>(isa: Avx512<PLAIN>, task: T) -> T::Output {
    task.run(isa)
}

/// Must match `detect` of `Avx512` from `BF16` on; tiles are used by assembler alone, which asks the compiler for nothing.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) fn enter_avx512_bf16<const EXTENSION: u8, T: Task>(isa: Avx512<EXTENSION>, task: T) -> T::Output {
    task.run(isa)
}

/// Must match `Neon::detect`.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
pub(super) fn enter_neon<T: Task>(isa: Neon, task: T) -> T::Output {
    task.run(isa)
}

#[cfg(test)]
mod tests;
