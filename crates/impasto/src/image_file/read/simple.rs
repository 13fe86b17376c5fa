//! PNG, WebP, BMP and GIF, by the image crate's decoders, which need no help but limits.

use std::error::Error;
use std::io::{Cursor, ErrorKind};

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{ColorType, ImageDecoder, ImageError, ImageResult, Limits};

use super::channels::Channels;
use super::chunks::read_chunks;
use super::exif::exif_of_block;
use super::frames::{first_frame_remark, gif_frames, webp_frames};
use super::header::{has_whole_webp_chunks, is_webp_cut};
use super::profile::ColourSpace;
use super::raster::{Orientation, Raster, Samples};
use super::sniff::Format;
use super::{DECODER_LIMIT_BYTES, EXIF_LIMIT_BYTES, Failure, MISSING_PARTS, ReadLimits, filled};
use crate::image_file::exif::Exif;

pub(super) fn decode(format: Format, bytes: &[u8], limits: &ReadLimits) -> Result<Raster, Failure> {
    let file = Cursor::new(bytes);
    let opened: ImageResult<Box<dyn ImageDecoder + '_>> = match format {
        Format::Png => {
            // This limit is for what a PNG may unpack beside its pixels: a colour profile above all.
            let mut beside = Limits::no_limits();
            beside.max_alloc = Some(DECODER_LIMIT_BYTES / 2);
            PngDecoder::with_limits(file, beside).map(|decoder| Box::new(decoder) as _)
        }
        Format::WebP => WebPDecoder::new(file).map(|decoder| Box::new(decoder) as _),
        Format::Bmp => BmpDecoder::new(file).map(|decoder| Box::new(decoder) as _),
        Format::Gif => GifDecoder::new(file).map(|decoder| Box::new(decoder) as _),
        Format::Jpeg | Format::Tiff => return Err(Failure::Unsupported("it has a decoder of its own".into())),
    };
    let has_data_beside = format != Format::WebP || has_whole_webp_chunks(bytes);
    let read = opened.map_err(failure).and_then(|decoder| read(decoder, has_data_beside, limits));
    let read = read.map(|raster| with_what_chunks_say(raster, format, bytes));
    read.map_err(|failure| match failure {
        // The decoder of WebP calls what is cut off damaged.
        Failure::Damaged(_) if format == Format::WebP && is_webp_cut(bytes) => Failure::Truncated,
        failure => failure,
    })
}

/// Makes a bitmap opaque whose fourth channel is zero throughout: programs leave it so, and mean no transparency.
fn heed_no_empty_alpha(raster: &mut Raster) {
    let (Channels::RgbAlpha, Samples::Bits8(samples)) = (raster.channels, &mut raster.samples) else { return };
    if samples.iter().skip(3).step_by(4).all(|alpha| *alpha == 0) {
        samples.iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 255);
        raster.remarks.push("its transparency would hide all of it and was ignored".into());
    }
}

/// Adds what the decoders do not hand on: the meaning of a PNG's colours, and that a picture moves.
fn with_what_chunks_say(mut raster: Raster, format: Format, bytes: &[u8]) -> Raster {
    let frames = match format {
        Format::Gif => gif_frames(bytes),
        Format::WebP => webp_frames(bytes),
        Format::Png => {
            let said = read_chunks(bytes);
            raster.colours = said.colours.unwrap_or(raster.colours);
            raster.remarks.extend(said.remark);
            said.frames
        }
        Format::Bmp => {
            heed_no_empty_alpha(&mut raster);
            None
        }
        _ => None,
    };
    raster.remarks.extend(first_frame_remark(frames));
    raster
}

/// Reads a picture, and its EXIF data and profile where they may be asked for.
fn read(
    mut decoder: Box<dyn ImageDecoder + '_>,
    has_data_beside: bool,
    limits: &ReadLimits,
) -> Result<Raster, Failure> {
    let (width, height) = decoder.dimensions();
    let (width, height) = limits.check(width.into(), height.into())?;
    let mut allowed = Limits::no_limits();
    // A GIF's first frame is unpacked beside the screen that it is put on.
    allowed.max_alloc = Some(decoder.total_bytes().saturating_mul(2).saturating_add(DECODER_LIMIT_BYTES));
    decoder.set_limits(allowed).map_err(failure)?;

    let mut remarks = Vec::new();
    let exif = if has_data_beside { decoder.exif_metadata() } else { Ok(None) };
    let (orientation, exif) = match exif {
        Ok(Some(exif)) if exif.len() > EXIF_LIMIT_BYTES => {
            remarks.push("its EXIF data are too large and were ignored".into());
            (Orientation::Upright, Exif::default())
        }
        Ok(Some(exif)) => (Orientation::from_exif_block(&exif), exif_of_block(&exif)),
        // Data beside the picture that cannot be read do not make the picture unreadable.
        Ok(None) | Err(_) => (Orientation::Upright, Exif::default()),
    };
    let profile = if has_data_beside { decoder.icc_profile().unwrap_or_default() } else { None };
    let colours = ColourSpace::of(profile);
    let (channels, is_16_bit) = match decoder.color_type() {
        ColorType::L8 => (Channels::Grey, false),
        ColorType::La8 => (Channels::GreyAlpha, false),
        ColorType::Rgb8 => (Channels::Rgb, false),
        ColorType::Rgba8 => (Channels::RgbAlpha, false),
        ColorType::L16 => (Channels::Grey, true),
        ColorType::La16 => (Channels::GreyAlpha, true),
        ColorType::Rgb16 => (Channels::Rgb, true),
        ColorType::Rgba16 => (Channels::RgbAlpha, true),
        other => return Err(Failure::Unsupported(format!("samples of type {other:?}"))),
    };

    let sample_bytes = if is_16_bit { 2 } else { 1 };
    let length = width * height * channels.count() * sample_bytes;
    if decoder.total_bytes() != length as u64 {
        return Err(Failure::Damaged("its decoder asks for another number of bytes than its size does".into()));
    }
    // What a damaged file does not fill stays mid-grey.
    let mut buffer = filled(128u8, length)?;
    let has_alpha = matches!(channels, Channels::GreyAlpha | Channels::RgbAlpha);
    let colour_bytes = channels.colour_count() * sample_bytes;
    if has_alpha {
        buffer.chunks_exact_mut(colour_bytes + sample_bytes).for_each(|pixel| pixel[colour_bytes..].fill(255));
    }
    match decoder.read_image_boxed(&mut buffer).map_err(failure) {
        Ok(()) => {}
        Err(_) if limits.lenient && buffer.iter().any(|byte| *byte != 128 && *byte != 255) => {
            remarks.push(MISSING_PARTS.into());
        }
        Err(failure) => return Err(failure),
    }
    let samples = if is_16_bit {
        let mut wide = Vec::new();
        wide.try_reserve_exact(length / 2).map_err(|_| Failure::Memory { needed_bytes: length as u64 })?;
        wide.extend(buffer.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]])));
        Samples::Bits16(wide)
    } else {
        Samples::Bits8(buffer)
    };
    Ok(Raster { width, height, channels, samples, is_premultiplied: false, colours, orientation, exif, remarks })
}

fn failure(error: ImageError) -> Failure {
    let text = match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => return Failure::Truncated,
        ImageError::IoError(error) => error.to_string(),
        ImageError::Unsupported(what) => return Failure::Unsupported(what.to_string()),
        ImageError::Limits(_) => "it wants more memory than a picture of its size should".into(),
        ImageError::Decoding(error) => error.source().map_or_else(|| error.to_string(), ToString::to_string),
        error => error.to_string(),
    };
    // Some decoders have an error of their own for the end of the file.
    let is_truncated = ["unexpected end", "end of file", "unexpected eof", "insufficientinput"];
    if is_truncated.iter().any(|words| text.to_lowercase().contains(words)) {
        Failure::Truncated
    } else {
        Failure::Damaged(text)
    }
}
