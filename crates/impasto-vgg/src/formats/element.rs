//! The element types that weights are stored in, and their way into f32.

use std::io::Read;

use half::{bf16, f16};

use super::WeightsError;
use super::budget::{Budget, Size, count};

/// How one number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IEEE 754 half precision.
    F16,
    /// The upper half of an f32.
    Bf16,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
    /// Whole numbers, in which MATLAB keeps arrays that happen to hold no others.
    I8,
    /// Unsigned.
    U8,
    /// Two bytes, signed.
    I16,
    /// Two bytes, unsigned.
    U16,
    /// Four bytes, signed.
    I32,
    /// Four bytes, unsigned.
    U32,
}

/// An element type with its byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// The number's type.
    pub kind: Kind,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
}

impl Element {
    /// Little-endian elements of `kind`.
    pub const fn little(kind: Kind) -> Element {
        Element { kind, big_endian: false }
    }

    /// Bytes an element.
    pub const fn size_bytes(self) -> u64 {
        match self.kind {
            Kind::I8 | Kind::U8 => 1,
            Kind::F16 | Kind::Bf16 | Kind::I16 | Kind::U16 => 2,
            Kind::F32 | Kind::I32 | Kind::U32 => 4,
            Kind::F64 => 8,
        }
    }

    /// Appends every whole element in `bytes` to `values`.
    fn decode(self, bytes: &mut [u8], values: &mut Vec<f32>) {
        match self.kind {
            Kind::F16 => self.each(bytes, values, |raw| f16::from_le_bytes(raw).to_f32()),
            Kind::Bf16 => self.each(bytes, values, |raw| bf16::from_le_bytes(raw).to_f32()),
            Kind::F32 => self.each(bytes, values, f32::from_le_bytes),
            Kind::F64 => self.each(bytes, values, |raw| narrow(f64::from_le_bytes(raw))),
            Kind::I8 => self.each(bytes, values, |raw| f32::from(i8::from_le_bytes(raw))),
            Kind::U8 => self.each(bytes, values, |raw| f32::from(u8::from_le_bytes(raw))),
            Kind::I16 => self.each(bytes, values, |raw| f32::from(i16::from_le_bytes(raw))),
            Kind::U16 => self.each(bytes, values, |raw| f32::from(u16::from_le_bytes(raw))),
            Kind::I32 => self.each(bytes, values, |raw| narrow(f64::from(i32::from_le_bytes(raw)))),
            Kind::U32 => self.each(bytes, values, |raw| narrow(f64::from(u32::from_le_bytes(raw)))),
        }
    }

    fn each<const N: usize>(self, bytes: &mut [u8], values: &mut Vec<f32>, convert: impl Fn([u8; N]) -> f32) {
        let (chunks, _) = bytes.as_chunks_mut::<N>();
        values.extend(chunks.iter_mut().map(|chunk| {
            if self.big_endian {
                chunk.reverse();
            }
            convert(*chunk)
        }));
    }
}

/// The nearest f32.
#[expect(clippy::as_conversions, reason = "rounding is wanted; beyond f32's range it gives infinity, which is refused")]
pub fn narrow(value: f64) -> f32 {
    value as f32
}

/// Reads `elements` elements from `stream` as f32, a buffer at a time: a file of doubles is never held whole.
pub fn read_values(
    stream: &mut dyn Read,
    element: Element,
    elements: u64,
    budget: &mut Budget,
) -> Result<Vec<f32>, WeightsError> {
    let mut values = budget.room_for::<f32>(elements)?;
    let mut buffer = [0; 1 << 14];
    let mut left = Size::new(elements).times(element.size_bytes())?;
    while left.get() > 0 {
        let wanted = left.get().min(count(&buffer));
        let part = buffer.get_mut(..Size::new(wanted).index()?).unwrap_or_default();
        stream.read_exact(part).map_err(WeightsError::from_io)?;
        element.decode(part, &mut values);
        left = left.minus(wanted)?;
    }
    Ok(values)
}

/// Refuses what no network has: infinities, not-a-numbers, and tensors that are mostly subnormal (below 1.2e-38: they
/// carry nothing and slow many processors a hundredfold).
pub fn check_values(name: &str, values: &[f32]) -> Result<(), WeightsError> {
    if values.iter().any(|value| !value.is_finite()) {
        return Err(WeightsError::NotFinite(name.to_owned()));
    }
    let subnormal = values.iter().filter(|value| value.is_subnormal()).count();
    if subnormal > values.len().div_euclid(2) {
        return Err(WeightsError::Subnormal(name.to_owned()));
    }
    Ok(())
}
