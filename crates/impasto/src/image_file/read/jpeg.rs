//! JPEG, by zune-jpeg; what that decoder leaves open is decided here: whether the file is whole, and what its four inks
//! are where it has four.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::compose::{Channels, Orientation, Raster, Samples};
use super::header::Format;
use super::{EXIF_LIMIT_BYTES, Failure, MISSING_PARTS, ReadLimits, filled};

/// What the markers of a JPEG file say. A marker is a byte ff and one that names it; most begin a segment that gives its
/// own length, and behind each scan header (da) lie the coded pixels, in which ff is followed by 00 or d0..d7 only.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outline {
    /// Width and height of the first frame header.
    pub(super) size: Option<(u64, u64)>,
    /// Whether Adobe's segment is there: its programs store inks inverted.
    pub(super) has_adobe_segment: bool,
    /// Whether the end of the image was found behind at least one scan.
    pub(super) is_whole: bool,
}

impl Outline {
    pub(super) fn of(bytes: &[u8]) -> Outline {
        let mut outline = Outline { size: None, has_adobe_segment: false, is_whole: false };
        let mut has_scan = false;
        let mut rest = bytes.get(2..).unwrap_or_default();
        while let Some((marker, behind)) = next_marker(rest) {
            rest = behind;
            match marker {
                0xd9 => {
                    outline.is_whole = has_scan;
                    break;
                }
                0x01 | 0xd0..=0xd8 => continue,
                0xda => has_scan = true,
                _ => {}
            }
            let &[high, low, ..] = rest else { break };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some(segment) = rest.get(2..length) else { break };
            rest = &rest[length..];
            match (marker, segment) {
                // Frame headers: bits a sample, height, width. c4, c8 and cc are others' numbers.
                (
                    0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf,
                    [_, height_high, height_low, width_high, width_low, ..],
                ) => {
                    let height = u16::from_be_bytes([*height_high, *height_low]);
                    let width = u16::from_be_bytes([*width_high, *width_low]);
                    outline.size.get_or_insert((width.into(), height.into()));
                }
                (0xee, [b'A', b'd', b'o', b'b', b'e', ..]) => outline.has_adobe_segment = true,
                _ => {}
            }
        }
        outline
    }
}

/// The next marker, past coded pixels and fill bytes, and what lies behind it.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = bytes;
    loop {
        let start = rest.iter().position(|byte| *byte == 0xff)?;
        rest = &rest[start + 1..];
        match rest.first()? {
            0x00 => rest = &rest[1..],
            0xff => {}
            marker => return Some((*marker, &rest[1..])),
        }
    }
}

pub(super) fn decode(_: Format, bytes: &[u8], limits: &ReadLimits) -> Result<Raster, Failure> {
    let outline = Outline::of(bytes);
    let is_wanted_whole = !limits.lenient;
    if !outline.is_whole && is_wanted_whole {
        return Err(Failure::Truncated);
    }
    let mut decoder = opened(bytes, limits)?;
    let (width, height) = decoder.dimensions().ok_or(Failure::Truncated)?;
    let (width, height) = limits.check(width as u64, height as u64)?;
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::YCbCr);
    let components = decoder.info().map_or(0, |info| info.components);
    let (wanted, channels) = match (components, stored) {
        (1, _) => (ColorSpace::Luma, Channels::Grey),
        (3, _) => (ColorSpace::RGB, Channels::Rgb),
        // Four inks come as they are stored; they are made into colours by their profile.
        (4, ColorSpace::CMYK | ColorSpace::YCCK) => (stored, Channels::Cmyk),
        _ => return Err(Failure::Unsupported(format!("{components} components of type {stored:?}"))),
    };
    let mut remarks = Vec::new();
    let orientation = match decoder.exif() {
        Some(exif) if exif.len() > EXIF_LIMIT_BYTES => {
            remarks.push("its EXIF data are too large and were ignored".into());
            Orientation::Upright
        }
        Some(exif) => Orientation::from_exif_block(exif),
        None => Orientation::Upright,
    };
    let profile = decoder.icc_profile();

    let mut samples = filled(128, width * height * channels.count())?;
    // Strict: damage in the pixels is an error. (Not so in the headers, where it harms nothing.)
    let options = decoder.options().jpeg_set_out_colorspace(wanted);
    decoder.set_options(options.set_strict_mode(true));
    if let Err(error) = decoder.decode_into(&mut samples) {
        if is_wanted_whole {
            return Err(failure(&error));
        }
        let mut decoder = opened(bytes, limits)?;
        decoder.set_options(options);
        decoder.decode_into(&mut samples).map_err(|error| failure(&error))?;
        remarks.push(MISSING_PARTS.into());
    } else if !outline.is_whole {
        remarks.push(MISSING_PARTS.into());
    }
    if channels == Channels::Cmyk {
        inks_from_stored(&mut samples, stored == ColorSpace::YCCK, outline.has_adobe_segment);
    }
    let samples = Samples::Bits8(samples);
    Ok(Raster { width, height, channels, samples, is_premultiplied: false, profile, orientation, remarks })
}

/// A decoder that has read the headers.
fn opened<'bytes>(bytes: &'bytes [u8], limits: &ReadLimits) -> Result<JpegDecoder<ZCursor<&'bytes [u8]>>, Failure> {
    let side_px = usize::try_from(limits.side_px).unwrap_or(usize::MAX);
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(side_px).set_max_height(side_px);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| failure(&error))?;
    Ok(decoder)
}

/// Turns stored CMYK or YCCK samples into inks, 255 being all of the ink.
///
/// YCCK is CMYK whose first three inks went through the transform of RGB to YCbCr: C = 255 - R and so on. Adobe's
/// programs store every ink inverted (0 is all of it) and write a segment by which one can tell.
fn inks_from_stored(samples: &mut [u8], is_ycck: bool, is_inverted: bool) {
    for pixel in samples.chunks_exact_mut(4) {
        if is_ycck {
            let [y, blue_difference, red_difference] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
            let (cb, cr) = (blue_difference - 128.0, red_difference - 128.0);
            let rgb = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
            for (sample, value) in pixel.iter_mut().zip(rgb) {
                *sample = 255 - (value + 0.5) as u8;
            }
        }
        if is_inverted {
            for sample in pixel {
                *sample = 255 - *sample;
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_come_out_right() {
        // Adobe, CMYK: 255 is no ink.
        let mut samples = [255, 0, 255, 55];
        inks_from_stored(&mut samples, false, true);
        assert_eq!(samples, [0, 255, 0, 200]);
        // Adobe, YCCK: Y = 255, no colour difference: R = G = B = 255, stored inks 0, inverted: all of the ink.
        let mut samples = [255, 128, 128, 255];
        inks_from_stored(&mut samples, true, true);
        assert_eq!(samples, [255, 255, 255, 0]);
        // Y, Cb, Cr of pure red (BT.601): 76, 85, 255; C = 255 - R = 0.
        let mut samples = [76, 85, 255, 7];
        inks_from_stored(&mut samples, true, false);
        assert!(samples[0] <= 1 && samples[1] >= 254 && samples[2] >= 254 && samples[3] == 7, "{samples:?}");
    }

    #[test]
    fn an_outline_is_read() {
        let frame = [0xff, 0xc0, 0, 11, 8, 0x01, 0x02, 0x03, 0x04, 1, 0, 0, 0];
        let scan = [0xff, 0xda, 0, 2, 1, 2, 0xff, 0, 3, 0xff, 0xd3, 4];
        let whole = [&[0xff, 0xd8][..], &frame, &scan, &[0xff, 0xff, 0xd9]].concat();
        let expected = Outline { size: Some((0x304, 0x102)), has_adobe_segment: false, is_whole: true };
        assert_eq!(Outline::of(&whole), expected);
        for cut in 0..whole.len() {
            assert!(!Outline::of(&whole[..cut]).is_whole, "{cut}");
        }
        // An end inside a segment, as in an embedded thumbnail, is not the end of the file.
        let thumbnail = [&[0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xda, 0xff, 0xd9][..], &frame].concat();
        assert!(!Outline::of(&thumbnail).is_whole);
        assert_eq!(Outline::of(&thumbnail).size, Some((0x304, 0x102)));
    }
}
