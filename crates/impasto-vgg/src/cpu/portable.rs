//! The operations on plain arrays: what runs where nothing better is known, and what the others are compared with.

use std::array;

use super::isa::{Isa, LANES, Lanes, Task};

/// Sixteen-element arrays. Products are rounded before they are added, because a fused multiply-add in software would
/// cost a hundred times as much.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Isa for Portable {
    type Vector = [f32; LANES];

    const NAME: &'static str = "portable";
    // Sixteen registers of four lanes: two rows of sixteen channels take eight, which leaves the weights and a broadcast.
    const PRODUCT_ROWS: usize = 2;
    const PRODUCT_VECTORS: usize = 1;

    fn enter<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, from: &Lanes) -> Self::Vector {
        from.0
    }

    #[inline(always)]
    fn store(self, vector: Self::Vector, to: &mut Lanes) {
        to.0 = vector;
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        array::from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        array::from_fn(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        array::from_fn(|lane| a[lane] * b[lane] + c[lane])
    }

    #[inline(always)]
    fn neg_mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        array::from_fn(|lane| c[lane] - a[lane] * b[lane])
    }

    #[inline(always)]
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        array::from_fn(|lane| if a[lane] > b[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    fn relu(self, a: Self::Vector) -> Self::Vector {
        a.map(|value| if value < 0.0 { 0.0 } else { value })
    }

    #[inline(always)]
    fn greater_bits(self, a: Self::Vector, b: Self::Vector) -> u16 {
        (0..LANES).fold(0, |bits, lane| bits | u16::from(a[lane] > b[lane]) << lane)
    }

    #[inline(always)]
    fn keep(self, a: Self::Vector, bits: u16) -> Self::Vector {
        array::from_fn(|lane| if bits >> lane & 1 == 1 { a[lane] } else { 0.0 })
    }

    #[inline(always)]
    fn sum(self, a: Self::Vector) -> f32 {
        let quarters: [f32; 4] = array::from_fn(|lane| (a[lane] + a[lane + 8]) + (a[lane + 4] + a[lane + 12]));
        (quarters[0] + quarters[2]) + (quarters[1] + quarters[3])
    }

    #[inline(always)]
    fn prefetch(self, _line: *const Lanes) {}
}
