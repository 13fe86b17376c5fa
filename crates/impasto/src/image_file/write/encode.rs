//! A picture as the bytes of a file, by format.

use std::borrow::Cow;
use std::io::Cursor;

use image::{ExtendedColorType, ImageEncoder};
use moxcms::ColorProfile;
use tiff::encoder::{Compression, DirectoryEncoder, Predictor, TiffEncoder, TiffKind, colortype};
use tiff::tags::{Tag, Type};
use tiff::{Directory, TiffError};

use super::{Carried, OutputFormat, RECIPE_KEYWORD, WriteError, WriteOptions};
use crate::image_file::exif::{EXPOSURE, Field, PLACE, value_bytes};
use crate::picture::Picture;
use crate::picture::alpha::Alpha;

/// TIFF's word for a fourth channel that the colours were not multiplied by.
const UNASSOCIATED_ALPHA: u16 = 2;

/// The picture as the bytes of a file; of the formats only PNG takes the recipe in.
///
/// # Errors
/// [`WriteError`].
pub fn encode_picture(
    picture: &Picture,
    format: OutputFormat,
    options: WriteOptions,
    recipe: Option<&str>,
) -> Result<Vec<u8>, WriteError> {
    encode_carrying(picture, format, options, &Carried { recipe, ..Carried::default() })
}

/// As [`encode_picture`], with all that a file may carry. A format without transparency has the picture on white.
///
/// # Errors
/// [`WriteError`].
pub fn encode_carrying(
    picture: &Picture,
    format: OutputFormat,
    options: WriteOptions,
    carried: &Carried<'_>,
) -> Result<Vec<u8>, WriteError> {
    format.check(picture.width, picture.height, options)?;
    let picture = match carried.alpha {
        // Its size is looked at in any case.
        Some(alpha) if !format.has_transparency() => Cow::Owned(picture.clone().on_white(alpha)?),
        Some(alpha) => {
            picture.demand_size_of(alpha)?;
            Cow::Borrowed(picture)
        }
        None => Cow::Borrowed(picture),
    };
    let picture = picture.as_ref();
    let failed = |reason: String| WriteError::Encoder { format, reason };
    match format {
        OutputFormat::Png => encode_png(picture, options.bits, carried).map_err(|error| failed(error.to_string())),
        OutputFormat::Tiff => encode_tiff(picture, options.bits, carried).map_err(|error| failed(error.to_string())),
        OutputFormat::Jpeg => {
            let mut bytes = Vec::new();
            let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, options.jpeg_quality);
            let opaque = Carried { alpha: None, ..*carried };
            encode_tagged(encoder, picture, &opaque).map_err(|error| failed(error.to_string()))?;
            Ok(bytes)
        }
        OutputFormat::WebP => {
            let mut bytes = Vec::new();
            let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
            encode_tagged(encoder, picture, carried).map_err(|error| failed(error.to_string()))?;
            Ok(bytes)
        }
    }
}

/// Width and height for an encoder; [`OutputFormat::check`] has made sure that they fit.
fn sides(picture: &Picture) -> (u32, u32) {
    (picture.width as u32, picture.height as u32)
}

/// Samples of 8 bits, with the alpha as a fourth where there is one.
fn samples8(picture: &Picture, alpha: Option<&Alpha>) -> Vec<u8> {
    with_fourth(picture.to_rgb8(), alpha.map(Alpha::to_bits8))
}

/// Samples of 16 bits, likewise.
fn samples16(picture: &Picture, alpha: Option<&Alpha>) -> Vec<u16> {
    with_fourth(picture.to_rgb16(), alpha.map(Alpha::to_bits16))
}

fn with_fourth<T: Copy>(colours: Vec<T>, alphas: Option<Vec<T>>) -> Vec<T> {
    let Some(alphas) = alphas else { return colours };
    colours.chunks_exact(3).zip(alphas).flat_map(|(pixel, alpha)| [pixel[0], pixel[1], pixel[2], alpha]).collect()
}

fn encode_png(picture: &Picture, bits: u8, carried: &Carried<'_>) -> Result<Vec<u8>, png::EncodingError> {
    let (width, height) = sides(picture);
    let mut bytes = Vec::new();
    let mut info = png::Info::with_size(width, height);
    info.exif_metadata = carried.exif.map(|exif| exif.to_block().into());
    let mut encoder = png::Encoder::with_info(&mut bytes, info)?;
    encoder.set_color(if carried.alpha.is_some() { png::ColorType::Rgba } else { png::ColorType::Rgb });
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    if let Some(recipe) = carried.recipe {
        // Uncompressed, so that any program, even a search through the file, finds it.
        encoder.add_itxt_chunk(RECIPE_KEYWORD.to_owned(), recipe.to_owned())?;
    }
    let samples = if bits == 16 {
        encoder.set_depth(png::BitDepth::Sixteen);
        samples16(picture, carried.alpha).into_iter().flat_map(u16::to_be_bytes).collect()
    } else {
        encoder.set_depth(png::BitDepth::Eight);
        samples8(picture, carried.alpha)
    };
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&samples)?;
    writer.finish()?;
    Ok(bytes)
}

fn encode_tiff(picture: &Picture, bits: u8, carried: &Carried<'_>) -> Result<Vec<u8>, TiffError> {
    let (width, height) = sides(picture);
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut bytes)?
        .with_compression(Compression::Deflate(Default::default()))
        .with_predictor(Predictor::Horizontal);
    let [mut fields, exposure, place] = carried.exif.map(|exif| exif.directories()).unwrap_or_default();
    // What they lead to comes before them in the file.
    for (tag, directory) in [(EXPOSURE, exposure), (PLACE, place)] {
        if !directory.is_empty() {
            let mut inside = encoder.extra_directory()?;
            write_fields(&mut inside, &directory)?;
            let offset = inside.finish_with_offsets()?.offset;
            let lead = fields.iter_mut().find(|field| field.tag == tag);
            lead.into_iter().for_each(|field| field.bytes = offset.to_le_bytes().to_vec());
        }
    }
    /// An image of that type, with what is written beside its samples.
    macro_rules! write {
        ($kind:ty, $samples:expr) => {{
            let mut image = encoder.new_image::<$kind>(width, height)?;
            image.encoder().write_tag(Tag::IccProfile, &srgb_profile()[..])?;
            if carried.alpha.is_some() {
                image.encoder().write_tag(Tag::ExtraSamples, &[UNASSOCIATED_ALPHA][..])?;
            }
            write_fields(image.encoder(), &fields)?;
            image.write_data(&$samples)?;
        }};
    }
    match (bits, carried.alpha.is_some()) {
        (16, false) => write!(colortype::RGB16, picture.to_rgb16()),
        (16, true) => write!(colortype::RGBA16, samples16(picture, carried.alpha)),
        (_, false) => write!(colortype::RGB8, picture.to_rgb8()),
        (_, true) => write!(colortype::RGBA8, samples8(picture, carried.alpha)),
    }
    Ok(bytes.into_inner())
}

/// Writes fields into a directory.
fn write_fields<K: TiffKind>(
    directory: &mut DirectoryEncoder<'_, impl std::io::Write + std::io::Seek, K>,
    fields: &[Field],
) -> Result<(), TiffError> {
    for field in fields {
        let Some(kind) = Type::from_u16(field.kind) else { continue };
        let mut bytes = field.bytes.clone();
        if cfg!(target_endian = "big") {
            // The crate writes in the machine's own order. A fraction is two numbers.
            let part = value_bytes(field.kind).unwrap_or(1).min(4);
            bytes.chunks_exact_mut(part).for_each(|value| value.reverse());
        }
        let entry = directory.write_entry_bytes(kind, &bytes)?;
        let mut with_entry = Directory::empty();
        with_entry.extend([(Tag::from_u16_exhaustive(field.tag), entry)]);
        directory.extend_from(&with_entry);
    }
    Ok(())
}

fn encode_tagged(mut encoder: impl ImageEncoder, picture: &Picture, carried: &Carried<'_>) -> image::ImageResult<()> {
    let (width, height) = sides(picture);
    // An encoder without room for a profile writes an untagged picture, which everyone takes for sRGB.
    let _ = encoder.set_icc_profile(srgb_profile());
    if let Some(exif) = carried.exif {
        // Nor is a picture lost for want of room for its camera's name.
        let _ = encoder.set_exif_metadata(exif.to_block());
    }
    let kind = if carried.alpha.is_some() { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 };
    encoder.write_image(&samples8(picture, carried.alpha), width, height, kind)
}

/// The ICC profile of sRGB, a few hundred bytes; empty where it cannot be made.
fn srgb_profile() -> Vec<u8> {
    let mut bytes = ColorProfile::new_srgb().encode().unwrap_or_default();
    // The library puts the present time here, and no two files would be the same. Six 16-bit numbers, the date first
    // (ICC.1:2010, 7.2.8).
    if let Some(date) = bytes.get_mut(24..36) {
        date.copy_from_slice(&[0x07, 0xd0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    }
    bytes
}
