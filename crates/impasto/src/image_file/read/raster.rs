//! What a decoder hands on: samples of any type, what they mean, and how they lie.

use super::channels::Channels;
use super::directory::Directory;
use super::profile::ColourSpace;
use crate::image_file::exif::Exif;

/// EXIF's and TIFF's tag of the orientation.
const ORIENTATION: u64 = 0x112;

/// What a decoder hands on.
pub(super) struct Raster {
    /// Width in pixels, as stored.
    pub(super) width: usize,
    /// Height in pixels, as stored.
    pub(super) height: usize,
    pub(super) channels: Channels,
    /// `[height, width, channels]`.
    pub(super) samples: Samples,
    /// Whether the colours have been multiplied by the alpha already.
    pub(super) is_premultiplied: bool,
    /// What the colours mean.
    pub(super) colours: ColourSpace,
    pub(super) orientation: Orientation,
    pub(super) exif: Exif,
    /// What the user should know, each a sentence without the file's name and a full stop.
    pub(super) remarks: Vec<String>,
}

/// Samples of one of the types that files have.
pub(super) enum Samples {
    /// 0..=255.
    Bits8(Vec<u8>),
    /// 0..=65,535.
    Bits16(Vec<u16>),
    /// 0..=4,294,967,295.
    Bits32(Vec<u32>),
    /// 0..1.
    Float32(Vec<f32>),
    /// 0..1.
    Float64(Vec<f64>),
}

impl Samples {
    pub(super) fn len(&self) -> usize {
        match self {
            Samples::Bits8(samples) => samples.len(),
            Samples::Bits16(samples) => samples.len(),
            Samples::Bits32(samples) => samples.len(),
            Samples::Float32(samples) => samples.len(),
            Samples::Float64(samples) => samples.len(),
        }
    }

    /// Bits that a sample of this type is written in without loss to the eye: 8 or 16.
    pub(super) fn bits(&self) -> u8 {
        if matches!(self, Samples::Bits8(_)) { 8 } else { 16 }
    }

    /// One row of them, brought to 0..=255; not-a-number becomes 0.
    pub(super) fn row(&self, row: usize, out: &mut [f32]) {
        fn fill<T: Copy>(out: &mut [f32], samples: &[T], convert: impl Fn(T) -> f32) {
            for (value, sample) in out.iter_mut().zip(samples) {
                *value = convert(*sample);
            }
        }
        let in_range = |sample: f64| if sample.is_nan() { 0.0 } else { (sample * 255.0).clamp(0.0, 255.0) as f32 };
        let range = row * out.len()..(row + 1) * out.len();
        match self {
            Samples::Bits8(samples) => fill(out, &samples[range], f32::from),
            Samples::Bits16(samples) => fill(out, &samples[range], |sample| f32::from(sample) / 257.0),
            Samples::Bits32(samples) => {
                fill(out, &samples[range], |sample| (f64::from(sample) / f64::from(u32::MAX) * 255.0) as f32);
            }
            Samples::Float32(samples) => fill(out, &samples[range], |sample| in_range(sample.into())),
            Samples::Float64(samples) => {
                fill(out, &samples[range], in_range);
            }
        }
    }
}

/// How the stored rows lie in the upright picture: EXIF's 1 to 8.
///
/// ```text
///    1        2       3      4         5            6           7          8
///  888888  888888      88  88      8888888888  88                  88  8888888888
///  88          88      88  88      88  88      88  88          88  88      88  88
///  8888      8888    8888  8888    88          8888888888  8888888888          88
///  88          88      88  88
///  88          88  888888  888888                   (the letter F as it is stored)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orientation {
    Upright,
    MirroredAcross,
    UpsideDown,
    MirroredDown,
    Transposed,
    NeedsQuarterRight,
    Transversed,
    NeedsQuarterLeft,
}

impl Orientation {
    /// From EXIF's number; what is not 1 to 8 means upright.
    pub(super) fn from_exif_number(number: u64) -> Orientation {
        match number {
            2 => Orientation::MirroredAcross,
            3 => Orientation::UpsideDown,
            4 => Orientation::MirroredDown,
            5 => Orientation::Transposed,
            6 => Orientation::NeedsQuarterRight,
            7 => Orientation::Transversed,
            8 => Orientation::NeedsQuarterLeft,
            _ => Orientation::Upright,
        }
    }

    /// From an EXIF block, which begins with a TIFF header.
    pub(super) fn from_exif_block(block: &[u8]) -> Orientation {
        // Some programs keep the marker of JPEG's segment in front.
        let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
        if !matches!(block, [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..]) {
            return Orientation::Upright;
        }
        // A number of 16 bits by its specification; phones write it in 8 and in 32 as well.
        let number = Directory::first(block).and_then(|directory| directory.value(ORIENTATION)).unwrap_or(1);
        Orientation::from_exif_number(number)
    }

    /// Size of the upright picture, and where its plane has the stored pixel (x, y): at start + x * across + y * down.
    pub(super) fn layout(self, width: usize, height: usize) -> Layout {
        let (w, h) = (width as isize, height as isize);
        let (upright_width, upright_height, start, across, down) = match self {
            Orientation::Upright => (width, height, 0, 1, w),
            Orientation::MirroredAcross => (width, height, w - 1, -1, w),
            Orientation::UpsideDown => (width, height, w * h - 1, -1, -w),
            Orientation::MirroredDown => (width, height, w * (h - 1), 1, -w),
            Orientation::Transposed => (height, width, 0, h, 1),
            Orientation::NeedsQuarterRight => (height, width, h - 1, h, -1),
            Orientation::Transversed => (height, width, w * h - 1, -h, -1),
            Orientation::NeedsQuarterLeft => (height, width, h * (w - 1), -h, 1),
        };
        Layout { width: upright_width, height: upright_height, start, across, down }
    }
}

/// Where the stored pixels go.
pub(super) struct Layout {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) start: isize,
    pub(super) across: isize,
    pub(super) down: isize,
}
