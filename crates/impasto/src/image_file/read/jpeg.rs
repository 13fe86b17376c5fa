//! JPEG. Everyday files are read by zune-jpeg; what that decoder reads wrong, or not at all, by code of our own (`general`).
//!
//! | file | read by |
//! | --- | --- |
//! | one scan of all components, or progressive; brightness not coarser than the colours | zune-jpeg |
//! | all else that libjpeg-turbo reads: samplings, orders, arithmetic coding, words at odds, no codes, no end | `general` |
//! | 12 bits, lossless, hierarchical, JPEG-LS | refused by name (`outline`) |
//!
//! `scripts/jpeg_matrix.sh` holds both to what libjpeg-turbo makes of hundreds of kinds of files.

mod arithmetic;
mod bits;
mod colour;
mod general;
mod huffman;
mod outline;
mod pixels;
mod standard;
mod tables;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::channels::Channels;
use super::exif::exif_of_block;
use super::profile::ColourSpace;
use super::raster::{Orientation, Raster, Samples};
use super::sniff::Format;
use super::{Failure, MISSING_PARTS, ReadLimits, filled};
pub(super) use outline::Outline;
use outline::{Frame, Stored};

/// Coefficients, and samples, of a block.
const BLOCK: usize = 64;

/// Where in a block, rows first, the coefficients lie in the order that files have them: T.81, figure A.6.
const ZIGZAG: [usize; BLOCK] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

pub(super) fn decode(_: Format, bytes: &[u8], limits: &ReadLimits) -> Result<Raster, Failure> {
    let outline = Outline::of(bytes);
    let frame = outline.frame()?;
    let (width, height) = limits.check(frame.width as u64, frame.height as u64)?;
    let stored = outline.stored(&frame);
    let (mut samples, is_whole) = read_samples(bytes, &outline, &frame, stored, limits)?;
    let channels = match stored {
        Stored::Grey => Channels::Grey,
        Stored::YCbCr | Stored::Rgb => Channels::Rgb,
        Stored::Cmyk | Stored::Ycck => {
            colour::inks_from_stored(&mut samples, stored == Stored::Ycck, outline.adobe_transform.is_some());
            Channels::Cmyk
        }
    };
    Ok(Raster {
        width,
        height,
        channels,
        samples: Samples::Bits8(samples),
        is_premultiplied: false,
        colours: ColourSpace::of(outline.profile()),
        orientation: outline.exif.map_or(Orientation::Upright, Orientation::from_exif_block),
        exif: outline.exif.map(exif_of_block).unwrap_or_default(),
        remarks: if is_whole { Vec::new() } else { vec![MISSING_PARTS.into()] },
    })
}

/// The samples, colours in RGB and inks as they are stored, and whether they are all there.
fn read_samples(
    bytes: &[u8],
    outline: &Outline,
    frame: &Frame,
    stored: Stored,
    limits: &ReadLimits,
) -> Result<(Vec<u8>, bool), Failure> {
    let is_everyday = is_everyday(outline, frame, stored);
    // What this decoder cannot read may be sound all the same.
    if is_everyday
        && outline.is_whole
        && let Ok(samples) = everyday(bytes, frame, stored, true, limits)
    {
        return Ok((samples, true));
    }
    let read = general::coefficients(bytes, frame)?;
    match read.failure {
        Some(failure) if !limits.lenient => return Err(failure),
        Some(_) if is_everyday => return Ok((everyday(bytes, frame, stored, false, limits)?, false)),
        Some(failure) if read.grids.iter().all(|grid| grid.quantisation.is_none()) => return Err(failure),
        _ => {}
    }
    let mut samples = pixels::samples(read.grids, frame)?;
    if stored == Stored::YCbCr {
        colour::rgb_from_stored(&mut samples);
    }
    Ok((samples, read.failure.is_none()))
}

/// Whether zune-jpeg reads files of this kind right: `scripts/jpeg_matrix.sh` found where it does not.
fn is_everyday(outline: &Outline, frame: &Frame, stored: Stored) -> bool {
    let (first, others) = match frame.components.split_first() {
        Some((first, others)) if !frame.process.is_arithmetic => (first, others),
        _ => return false,
    };
    let is_power = |share: usize| share.is_power_of_two();
    let has_plain_sampling = match frame.components.len() {
        1 => true,
        3 => frame.components.iter().all(|component| {
            let is_within = component.across <= first.across && component.down <= first.down;
            is_within && is_power(component.across) && is_power(component.down)
        }),
        _ => others.iter().all(|other| (other.across, other.down) == (first.across, first.down)),
    };
    let place = |id: u8| frame.components.iter().position(|component| component.id == id);
    let is_in_order = |scan: &&[u8]| scan.chunks_exact(2).map(|part| place(part[0])).is_sorted();
    let is_single = outline.scans.first().is_some_and(|scan| scan.len() == 2 * frame.components.len());
    let has_plain_scans = (frame.process.is_progressive || is_single) && outline.scans.iter().all(is_in_order);
    // It takes three components for RGB by Adobe's word or by their numbers, whatever JFIF's segment says.
    let takes_rgb = outline.adobe_transform == Some(0) || frame.components.iter().map(|part| part.id).eq(*b"RGB");
    let has_plain_colours = match stored {
        Stored::Rgb => takes_rgb,
        Stored::YCbCr => !takes_rgb,
        Stored::Ycck => outline.adobe_transform == Some(2),
        Stored::Grey | Stored::Cmyk => true,
    };
    has_plain_sampling && has_plain_scans && has_plain_colours
}

/// The samples by zune-jpeg; strict where damage in the pixels is an error, else with grey for what is missing.
fn everyday(
    bytes: &[u8],
    frame: &Frame,
    stored: Stored,
    is_strict: bool,
    limits: &ReadLimits,
) -> Result<Vec<u8>, Failure> {
    let side_px = usize::try_from(limits.side_px).unwrap_or(usize::MAX);
    // Damage in the headers harms nothing, so they are not read strictly.
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(side_px).set_max_height(side_px);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| failure(&error))?;
    if decoder.dimensions() != Some((frame.width, frame.height)) {
        return Err(Failure::Damaged("it has two frame headers".into()));
    }
    let wanted = match stored {
        Stored::Grey => ColorSpace::Luma,
        Stored::YCbCr | Stored::Rgb => ColorSpace::RGB,
        // Four inks come as they are stored; they are made into colours by their profile.
        Stored::Cmyk => ColorSpace::CMYK,
        Stored::Ycck => ColorSpace::YCCK,
    };
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(wanted).set_strict_mode(is_strict));
    let mut samples = filled(128, frame.width * frame.height * frame.components.len())?;
    decoder.decode_into(&mut samples).map_err(|error| failure(&error))?;
    Ok(samples)
}

fn failure(error: &DecodeErrors) -> Failure {
    match error {
        DecodeErrors::Unsupported(what) => Failure::Unsupported(format!("{what:?}")),
        DecodeErrors::ExhaustedData => Failure::Truncated,
        DecodeErrors::FormatStatic(what) => Failure::Damaged((*what).into()),
        DecodeErrors::Format(what)
        | DecodeErrors::HuffmanDecode(what)
        | DecodeErrors::DqtError(what)
        | DecodeErrors::SosError(what)
        | DecodeErrors::SofError(what)
        | DecodeErrors::MCUError(what) => Failure::Damaged(what.clone()),
        error => Failure::Damaged(format!("{error:?}")),
    }
}
