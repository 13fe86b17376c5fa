//! The numbers that the method is written over.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// f32 or f64.
pub trait Scalar:
    Copy
    + Send
    + Sync
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// The nearest number of this kind.
    fn of(value: f64) -> Self;

    /// The number as an f64.
    fn wide(self) -> f64;

    /// The square root, correctly rounded.
    fn root(self) -> Self;

    /// The largest whole number that is not more.
    fn floor(self) -> Self;
}

impl Scalar for f32 {
    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn root(self) -> f32 {
        self.sqrt()
    }

    #[inline(always)]
    fn floor(self) -> f32 {
        f32::floor(self)
    }
}

impl Scalar for f64 {
    #[inline(always)]
    fn of(value: f64) -> f64 {
        value
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }

    #[inline(always)]
    fn root(self) -> f64 {
        self.sqrt()
    }

    #[inline(always)]
    fn floor(self) -> f64 {
        f64::floor(self)
    }
}
