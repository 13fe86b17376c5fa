//! bfloat16: the upper half of an f32. Half the memory, every magnitude of an f32, and eight bits of precision.

/// A number in bfloat16.
///
/// ```
/// use impasto_vgg::bfloat16::Bfloat16;
/// // 1 + 1/128 is the next number after 1; what lies between goes to the nearer one.
/// assert_eq!(Bfloat16::from(1.003_f32).wide(), 1.0);
/// assert_eq!(Bfloat16::from(1.005_f32).wide(), 1.0078125);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bfloat16(u16);

impl From<f32> for Bfloat16 {
    /// The nearest number, the even one of two that are as near; a NaN stays one.
    #[inline(always)]
    fn from(value: f32) -> Bfloat16 {
        Bfloat16(bf16_bits(value) as u16)
    }
}

impl Bfloat16 {
    /// The same number as an f32.
    #[inline(always)]
    pub fn wide(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    /// Its bits.
    pub fn to_bits(self) -> u16 {
        self.0
    }

    /// The number of these bits.
    pub fn from_bits(bits: u16) -> Bfloat16 {
        Bfloat16(bits)
    }
}

/// `value` rounded to bfloat16 (nearest, ties to even), as the lower sixteen bits.
#[inline]
pub fn bf16_bits(value: f32) -> u32 {
    let bits = value.to_bits();
    if value.is_nan() {
        return bits >> 16 | 0x40;
    }
    (bits + 0x7fff + (bits >> 16 & 1)) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_reads_back_as_itself() {
        for bits in 0..=u16::MAX {
            let number = Bfloat16::from_bits(bits);
            match number.wide().is_nan() {
                true => assert!(Bfloat16::from(number.wide()).wide().is_nan()),
                false => assert_eq!(Bfloat16::from(number.wide()), number),
            }
        }
    }

    #[test]
    fn every_value_goes_to_the_nearest_number_and_halfway_to_the_even_one() {
        for bits in (0..0x7f7f_u16).step_by(7) {
            let (low, high) = (Bfloat16::from_bits(bits), Bfloat16::from_bits(bits + 1));
            let even = if bits % 2 == 0 { low } else { high };
            let between = |share: u32| f32::from_bits((u32::from(bits) << 16) + share);
            assert_eq!(Bfloat16::from(between(0x7fff)), low);
            assert_eq!(Bfloat16::from(between(0x8000)), even);
            assert_eq!(Bfloat16::from(between(0x8001)), high);
            assert_eq!(Bfloat16::from(-between(0x8001)).wide(), -high.wide());
        }
    }
}
