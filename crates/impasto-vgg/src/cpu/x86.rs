//! The operations on AVX2 with FMA (two registers a vector) and on AVX-512 (one).
//!
//! **Architecture Invariant:** `Avx2` and `Avx512` can only be made by their `detect`, so a token at hand means that the
//! processor has the instructions. That is the obligation behind every `unsafe` here; loads and stores go through
//! references to [`Lanes`], which are aligned to 64 bytes by their type.

use std::arch::x86_64::*;

use super::amx;
use super::isa::{
    Isa, LANES, Lanes, Task, enter_avx2, enter_avx512, enter_avx512_bf16, portable_bf16_remainder,
    portable_mul_add_bf16, portable_store_bf16,
};
use super::tiles::{TileOperands, TilePlace};

/// Proof of AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// The token, where the processor has AVX2 and FMA.
    pub fn detect() -> Option<Avx2> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2(()))
    }
}

/// [`Avx512`] without its later extensions.
pub const PLAIN: u8 = 0;
/// [`Avx512`] with bfloat16 products.
pub const BF16: u8 = 1;
/// [`Avx512`] with bfloat16 products in tile registers beside it (AMX).
pub const TILES: u8 = 2;

/// Proof of AVX-512 (F, BW, DQ, VL) and of what `EXTENSION` adds: [`PLAIN`], [`BF16`] or [`TILES`], each with the ones before.
#[derive(Clone, Copy, Debug)]
pub struct Avx512<const EXTENSION: u8>(());

impl<const EXTENSION: u8> Avx512<EXTENSION> {
    /// The token, where the processor has them.
    pub fn detect() -> Option<Avx512<EXTENSION>> {
        let has_avx512 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        let has_bf16 = EXTENSION < BF16 || is_x86_feature_detected!("avx512bf16");
        (has_avx512 && has_bf16 && (EXTENSION < TILES || amx::permission().is_some())).then_some(Avx512(()))
    }
}

/// Whether the processor says of itself that it is AMD's.
pub fn made_by_amd() -> bool {
    #[allow(unused_unsafe, reason = "became safe in a later Rust than the oldest that builds this")]
    // SAFETY: every processor that this runs on has the instruction: it has SSE2.
    let leaf = unsafe { __cpuid(0) };
    [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD"
}

impl Isa for Avx2 {
    type Vector = [__m256; 2];

    const NAME: &'static str = "avx2";
    const PRODUCT_ROWS: usize = 6;
    const PRODUCT_VECTORS: usize = 1;

    #[inline(always)]
    fn enter<T: Task>(self, task: T) -> T::Output {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2 and FMA.
        unsafe { enter_avx2(self, task) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2.
        unsafe { [_mm256_set1_ps(value); 2] }
    }

    #[inline(always)]
    fn load(self, from: &Lanes) -> Self::Vector {
        let (low, high) = from.0.split_at(8);
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2; both halves are eight values, aligned by the type.
        unsafe { [_mm256_load_ps(low.as_ptr()), _mm256_load_ps(high.as_ptr())] }
    }

    #[inline(always)]
    fn store(self, vector: Self::Vector, to: &mut Lanes) {
        let (low, high) = to.0.split_at_mut(8);
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2; both halves are eight values, aligned by the type.
        unsafe {
            _mm256_store_ps(low.as_mut_ptr(), vector[0]);
            _mm256_store_ps(high.as_mut_ptr(), vector[1]);
        }
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2.
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen FMA.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn neg_mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen FMA.
        unsafe { [_mm256_fnmadd_ps(a[0], b[0], c[0]), _mm256_fnmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2.
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn relu(self, a: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2. The instruction returns its second operand where
        // one is not a number.
        unsafe { [_mm256_max_ps(_mm256_setzero_ps(), a[0]), _mm256_max_ps(_mm256_setzero_ps(), a[1])] }
    }

    #[inline(always)]
    fn greater_bits(self, a: Self::Vector, b: Self::Vector) -> u16 {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2.
        let [low, high] = unsafe {
            [
                _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a[0], b[0])),
                _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a[1], b[1])),
            ]
        };
        (low | high << 8) as u16
    }

    #[inline(always)]
    fn keep(self, a: Self::Vector, bits: u16) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2.
        unsafe {
            let bits = _mm256_set1_epi32(i32::from(bits));
            let low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let high = _mm256_slli_epi32::<8>(low);
            [
                _mm256_and_ps(a[0], _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(bits, low), low))),
                _mm256_and_ps(a[1], _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(bits, high), high))),
            ]
        }
    }

    #[inline(always)]
    fn sum(self, a: Self::Vector) -> f32 {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX2.
        unsafe {
            let eight = _mm256_add_ps(a[0], a[1]);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    fn prefetch(self, line: *const Lanes) {
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) }
    }
}

impl<const EXTENSION: u8> Isa for Avx512<EXTENSION> {
    type Vector = __m512;

    const NAME: &'static str = if EXTENSION < TILES { "avx512" } else { "amx" };
    const PRODUCT_ROWS: usize = if EXTENSION < TILES { 6 } else { LANES };
    const PRODUCT_VECTORS: usize = 4;
    const HAS_TILES: bool = EXTENSION >= TILES;

    #[inline(always)]
    fn enter<T: Task>(self, task: T) -> T::Output {
        // SAFETY: `detect`, which alone makes tokens, has seen all that each function is compiled for; the constant is
        // part of its type.
        unsafe { if EXTENSION < BF16 { enter_avx512(Avx512(()), task) } else { enter_avx512_bf16(self, task) } }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, from: &Lanes) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512; sixteen values, aligned by the type.
        unsafe { _mm512_load_ps(from.0.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, vector: Self::Vector, to: &mut Lanes) {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512; sixteen values, aligned by the type.
        unsafe { _mm512_store_ps(to.0.as_mut_ptr(), vector) }
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn neg_mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512.
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512.
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn relu(self, a: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512. The instruction returns its second operand
        // where one is not a number.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), a) }
    }

    #[inline(always)]
    fn greater_bits(self, a: Self::Vector, b: Self::Vector) -> u16 {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    }

    #[inline(always)]
    fn keep(self, a: Self::Vector, bits: u16) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512.
        unsafe { _mm512_maskz_mov_ps(bits, a) }
    }

    #[inline(always)]
    fn sum(self, a: Self::Vector) -> f32 {
        // SAFETY: `detect`, which alone makes tokens, has seen AVX-512.
        unsafe { _mm512_reduce_add_ps(a) }
    }

    #[inline(always)]
    fn prefetch_first(self, line: *const Lanes) {
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
    }

    #[inline(always)]
    fn prefetch(self, line: *const Lanes) {
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) }
    }

    #[inline(always)]
    fn store_bf16(self, vector: Self::Vector, to: &mut Lanes, upper: bool) {
        if EXTENSION < BF16 {
            return portable_store_bf16(self, vector, to, upper);
        }
        let words = &mut to.0[if upper { LANES / 2..LANES } else { 0..LANES / 2 }];
        // SAFETY: with this extension in the token's type, `detect`, which alone makes it, has seen the conversion; `words` are
        // 32 bytes, aligned to 32.
        unsafe {
            let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(vector));
            _mm256_store_si256(words.as_mut_ptr().cast(), rounded);
        }
    }

    #[inline(always)]
    fn mul_add_bf16(self, a: Self::Vector, b: Self::Vector, sums: Self::Vector) -> Self::Vector {
        if EXTENSION < BF16 {
            return portable_mul_add_bf16(self, a, b, sums);
        }
        // SAFETY: with this extension in the token's type, `detect`, which alone makes it, has seen the products; both types
        // are 64 bytes of any bits.
        unsafe {
            _mm512_dpbf16_ps(
                sums,
                std::mem::transmute::<__m512, __m512bh>(a),
                std::mem::transmute::<__m512, __m512bh>(b),
            )
        }
    }

    #[inline(always)]
    fn bf16_remainder(self, vector: Self::Vector) -> Self::Vector {
        if EXTENSION < BF16 {
            return portable_bf16_remainder(self, vector);
        }
        // SAFETY: with this extension in the token's type, `detect`, which alone makes it, has seen the conversion; a
        // bfloat16 is the upper half of an f32.
        unsafe {
            let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(vector));
            let widened = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(rounded));
            _mm512_sub_ps(vector, _mm512_castsi512_ps(widened))
        }
    }

    #[inline(always)]
    fn tile_products(self, operands: TileOperands<'_>, places: impl Iterator<Item = TilePlace>) {
        match amx::permission() {
            Some(permission) if EXTENSION >= TILES => amx::tile_products(permission, operands, places),
            _ => unreachable!("{} has no tiles", Self::NAME),
        }
    }
}
