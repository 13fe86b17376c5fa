//! How maps are stored: in f32, or in 16 bits a value (storage_f32.wgsl, storage_f16.wgsl). Arithmetic is in f32 in any case.

use half::f16;
use impasto_vgg::Precision;

/// How a session's maps are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Storage {
    /// Everything in f32.
    Single,
    /// Features, and with them the content image's, in half precision; gradients in bfloat16.
    Half,
}

impl Storage {
    /// What a precision asks for. Products of bfloat16 values are not to be had here: f32 takes their place.
    pub fn of(precision: Precision) -> Storage {
        match precision {
            Precision::F16 => Storage::Half,
            Precision::F32 | Precision::Bf16 | Precision::Mixed => Storage::Single,
        }
    }

    /// Bytes of a value.
    pub fn value_bytes(self) -> u64 {
        match self {
            Storage::Single => 4,
            Storage::Half => 2,
        }
    }

    /// Bytes of a quad: four channels of a position.
    pub fn quad_bytes(self) -> u64 {
        4 * self.value_bytes()
    }

    /// A map's features as they came from the device.
    pub fn features(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Storage::Single => bytes.as_chunks::<4>().0.iter().map(|&value| f32::from_ne_bytes(value)).collect(),
            Storage::Half => bytes.as_chunks::<2>().0.iter().map(|&value| f16::from_ne_bytes(value).to_f32()).collect(),
        }
    }
}
