//! From a decoder's samples to a picture: colours into sRGB, transparency onto white, upright, into planes.
//!
//! All in one pass over the rows, so that the samples and the picture are the only large things in memory.

use super::directory::Directory;
use super::profile::{ColourSpace, Conversion};
use super::{Failure, filled};
use crate::picture::Picture;

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
    /// What the user should know, each a sentence without the file's name and a full stop.
    pub(super) remarks: Vec<String>,
}

/// What the samples of a pixel mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    Grey,
    GreyAlpha,
    Rgb,
    RgbAlpha,
    /// Four inks, the largest sample being all of the ink.
    Cmyk,
}

impl Channels {
    pub(super) fn count(self) -> usize {
        match self {
            Channels::Grey => 1,
            Channels::GreyAlpha => 2,
            Channels::Rgb => 3,
            Channels::RgbAlpha | Channels::Cmyk => 4,
        }
    }

    /// How many of them are colour.
    pub(super) fn colour_count(self) -> usize {
        match self {
            Channels::Grey | Channels::GreyAlpha => 1,
            Channels::Rgb | Channels::RgbAlpha => 3,
            Channels::Cmyk => 4,
        }
    }
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
    fn len(&self) -> usize {
        match self {
            Samples::Bits8(samples) => samples.len(),
            Samples::Bits16(samples) => samples.len(),
            Samples::Bits32(samples) => samples.len(),
            Samples::Float32(samples) => samples.len(),
            Samples::Float64(samples) => samples.len(),
        }
    }

    /// One row of them, brought to 0..=255; not-a-number becomes 0.
    fn row(&self, row: usize, out: &mut [f32]) {
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
    fn layout(self, width: usize, height: usize) -> Layout {
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

struct Layout {
    width: usize,
    height: usize,
    start: isize,
    across: isize,
    down: isize,
}

/// The picture of a decoder's samples, and the decoder's remarks with our own.
pub(super) fn compose(raster: Raster) -> Result<(Picture, Vec<String>), Failure> {
    let Raster { width, height, channels, samples, is_premultiplied, colours: meaning, orientation, mut remarks } =
        raster;
    if samples.len() != width * height * channels.count() {
        return Err(Failure::Damaged("its decoder gave another number of samples than the size asks for".into()));
    }
    let conversion = Conversion::new(&meaning, channels, &mut remarks);
    if channels == Channels::Cmyk && conversion.is_none() {
        remarks
            .push("its four inks were turned into colours without a profile of the press, so they are a guess".into());
    }

    let layout = orientation.layout(width, height);
    let positions = width * height;
    let mut values = filled(0.0f32, 3 * positions)?;
    let mut stored = vec![0.0f32; width * channels.count()];
    let mut rgb = vec![0.0f32; width * 3];
    let mut has_transparency = false;
    for y in 0..height {
        samples.row(y, &mut stored);
        colours(&stored, channels, conversion.as_ref(), &mut rgb)?;
        if matches!(channels, Channels::GreyAlpha | Channels::RgbAlpha) {
            has_transparency |= put_on_white(&mut rgb, &stored, channels.count(), is_premultiplied);
        }
        for (x, pixel) in rgb.chunks_exact(3).enumerate() {
            let position = (layout.start + x as isize * layout.across + y as isize * layout.down) as usize;
            for (channel, value) in pixel.iter().enumerate() {
                values[channel * positions + position] = *value;
            }
        }
    }
    if has_transparency {
        remarks.push("its transparent parts were put on white".into());
    }
    let picture = Picture { width: layout.width, height: layout.height, values };
    Ok((picture, remarks))
}

/// One row's colours in sRGB, 0..=255, from its stored samples.
fn colours(
    stored: &[f32],
    channels: Channels,
    conversion: Option<&Conversion>,
    rgb: &mut [f32],
) -> Result<(), Failure> {
    let pixels = stored.chunks_exact(channels.count());
    if let Some(conversion) = conversion {
        return conversion.convert(pixels.map(|pixel| &pixel[..channels.colour_count()]), rgb);
    }
    for (rgb, pixel) in rgb.chunks_exact_mut(3).zip(pixels) {
        match (channels, pixel) {
            (Channels::Cmyk, &[cyan, magenta, yellow, black]) => {
                for (value, ink) in rgb.iter_mut().zip([cyan, magenta, yellow]) {
                    *value = (255.0 - ink) * (255.0 - black) / 255.0;
                }
            }
            (_, &[grey] | &[grey, _]) => rgb.fill(grey),
            (_, pixel) => rgb.copy_from_slice(&pixel[..3]),
        }
    }
    Ok(())
}

/// Composites one row on white, in sRGB as browsers do; tells whether any of it was transparent.
fn put_on_white(rgb: &mut [f32], stored: &[f32], channels: usize, is_premultiplied: bool) -> bool {
    let mut has_transparency = false;
    for (pixel, stored) in rgb.chunks_exact_mut(3).zip(stored.chunks_exact(channels)) {
        let alpha = stored[channels - 1] / 255.0;
        has_transparency |= alpha < 1.0;
        for value in pixel {
            let colour = if is_premultiplied { *value } else { *value * alpha };
            *value = (colour + 255.0 * (1.0 - alpha)).min(255.0);
        }
    }
    has_transparency
}
