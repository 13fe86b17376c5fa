//! The operations on 64-bit Arm: four registers a vector.
//!
//! **Architecture Invariant:** `Neon` can only be made by its `detect`; that is the obligation behind every `unsafe`
//! here. Loads and stores go through references to [`Lanes`].

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;
use std::array;

use super::isa::{Isa, LANES, Lanes, Task, enter_neon};

/// Proof of NEON.
#[derive(Clone, Copy, Debug)]
pub struct Neon(());

impl Neon {
    /// The token, where the processor has NEON.
    pub fn detect() -> Option<Neon> {
        is_aarch64_feature_detected!("neon").then_some(Neon(()))
    }
}

impl Isa for Neon {
    type Vector = [float32x4_t; 4];

    const NAME: &'static str = "neon";
    // Thirty-two registers of four lanes: six rows of sixteen channels take twenty-four.
    const PRODUCT_ROWS: usize = 6;
    const PRODUCT_VECTORS: usize = 1;

    #[inline(always)]
    fn enter<T: Task>(self, task: T) -> T::Output {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON.
        unsafe { enter_neon(self, task) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON.
        unsafe { [vdupq_n_f32(value); 4] }
    }

    #[inline(always)]
    fn load(self, from: &Lanes) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON; quarter i starts at value 4 i of sixteen.
        array::from_fn(|i| unsafe { vld1q_f32(from.0[4 * i..4 * i + 4].as_ptr()) })
    }

    #[inline(always)]
    fn store(self, vector: Self::Vector, to: &mut Lanes) {
        for (quarter, values) in vector.into_iter().zip(to.0.as_chunks_mut::<4>().0) {
            // SAFETY: `detect`, which alone makes tokens, has seen NEON; `values` are four.
            unsafe { vst1q_f32(values.as_mut_ptr(), quarter) }
        }
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON.
        array::from_fn(|i| unsafe { vaddq_f32(a[i], b[i]) })
    }

    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON.
        array::from_fn(|i| unsafe { vsubq_f32(a[i], b[i]) })
    }

    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON.
        array::from_fn(|i| unsafe { vmulq_f32(a[i], b[i]) })
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON.
        array::from_fn(|i| unsafe { vfmaq_f32(c[i], a[i], b[i]) })
    }

    #[inline(always)]
    fn neg_mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON.
        array::from_fn(|i| unsafe { vfmsq_f32(c[i], a[i], b[i]) })
    }

    #[inline(always)]
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON.
        array::from_fn(|i| unsafe { vmaxq_f32(a[i], b[i]) })
    }

    #[inline(always)]
    fn relu(self, a: Self::Vector) -> Self::Vector {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON. The instruction returns what is not a number where
        // it meets one.
        array::from_fn(|i| unsafe { vmaxq_f32(a[i], vdupq_n_f32(0.0)) })
    }

    #[inline(always)]
    fn greater_bits(self, a: Self::Vector, b: Self::Vector) -> u16 {
        let lane_bits = [1u32, 2, 4, 8];
        // SAFETY: `detect`, which alone makes tokens, has seen NEON; `lane_bits` are four.
        let quarter = |i: usize| unsafe { vaddvq_u32(vandq_u32(vcgtq_f32(a[i], b[i]), vld1q_u32(lane_bits.as_ptr()))) };
        (quarter(0) | quarter(1) << 4 | quarter(2) << 8 | quarter(3) << 12) as u16
    }

    #[inline(always)]
    fn keep(self, a: Self::Vector, bits: u16) -> Self::Vector {
        let lane_bits: [u32; LANES] = array::from_fn(|lane| 1 << lane);
        // SAFETY: `detect`, which alone makes tokens, has seen NEON; quarter i starts at value 4 i of sixteen.
        array::from_fn(|i| unsafe {
            let chosen = vtstq_u32(vdupq_n_u32(u32::from(bits)), vld1q_u32(lane_bits[4 * i..4 * i + 4].as_ptr()));
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a[i]), chosen))
        })
    }

    #[inline(always)]
    fn sum(self, a: Self::Vector) -> f32 {
        // SAFETY: `detect`, which alone makes tokens, has seen NEON.
        unsafe { vaddvq_f32(vaddq_f32(vaddq_f32(a[0], a[2]), vaddq_f32(a[1], a[3]))) }
    }

    #[inline(always)]
    fn prefetch(self, _line: *const Lanes) {
        // The prefetch intrinsic is not stable on Arm; its hardware prefetchers follow these streams.
    }
}
