//! Pictures onto the disk: the file name's extension says the format, the picture says that it is sRGB, and the recipe
//! travels with it.
//!
//! | format | samples | colour | recipe |
//! | --- | --- | --- | --- |
//! | PNG | 8 or 16 bit, lossless | sRGB chunk | in the file: iTXt chunk `impasto` |
//! | TIFF | 8 or 16 bit, lossless (deflate) | ICC profile | sidecar |
//! | WebP | 8 bit, lossless | ICC profile | sidecar |
//! | JPEG | 8 bit, colour at full resolution | ICC profile | sidecar |
//!
//! The sidecar of `picture.jpg` is `picture.jpg.recipe.json`. Values are brought into 0..255 and rounded to the nearest
//! step, halves up ([`Picture::to_rgb8`]). The same picture gives the same bytes: no file carries a date.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ExtendedColorType, ImageEncoder};
use moxcms::ColorProfile;
use tiff::encoder::{Compression, Predictor, TiffEncoder, colortype};
use tiff::tags::Tag;

use crate::disk::{Disk, DiskError, StagedFile, Way, behind_links, check_writable, remove_file_if_present, stage_file};
use crate::picture::Picture;

/// Keyword of the PNG text chunk that holds the recipe.
pub(crate) const RECIPE_KEYWORD: &str = "impasto";

/// A format that pictures are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// `.png`
    Png,
    /// `.jpg`, `.jpeg`
    Jpeg,
    /// `.webp`
    WebP,
    /// `.tif`, `.tiff`
    Tiff,
}

/// How the samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// Bits a sample, 8 or 16.
    pub bits: u8,
    /// Quality of a JPEG, 1 (small) to 100 (faithful).
    pub jpeg_quality: u8,
}

impl Default for WriteOptions {
    fn default() -> WriteOptions {
        WriteOptions { bits: 8, jpeg_quality: 95 }
    }
}

/// A picture that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file name whose extension says no known format.
    #[error("{} does not say which format to write; end its name in .png, .jpg, .jpeg, .webp, .tif or .tiff",
        path.display())]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// Samples that the format does not have.
    #[error("{format:?} has no samples of {bits} bits; choose 8, or 16 with a .png or .tif file")]
    Bits {
        /// The format.
        format: OutputFormat,
        /// Bits that were asked for.
        bits: u8,
    },
    /// A quality that is not 1 to 100.
    #[error("a JPEG quality of {quality} does not exist; choose 1 (small) to 100 (faithful)")]
    Quality {
        /// The quality that was asked for.
        quality: u8,
    },
    /// More pixels than the format can hold.
    #[error("{format:?} holds no picture of {width} x {height} pixels; write it as .png or .tif")]
    Size {
        /// The format.
        format: OutputFormat,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// The encoder failed.
    #[error("the picture could not be encoded as {format:?} ({reason}); write it as .png")]
    Encoder {
        /// The format.
        format: OutputFormat,
        /// What the encoder said.
        reason: String,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl OutputFormat {
    /// The format that a file name's extension says, in capitals or not.
    ///
    /// ```
    /// use impasto::write::OutputFormat;
    /// assert_eq!(OutputFormat::from_path("out/Picture.JPG".as_ref()).unwrap(), OutputFormat::Jpeg);
    /// assert!(OutputFormat::from_path("picture.gif".as_ref()).is_err());
    /// ```
    ///
    /// # Errors
    /// [`WriteError::Extension`], which lists those that are known.
    pub fn from_path(path: &Path) -> Result<OutputFormat, WriteError> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("png") => Ok(OutputFormat::Png),
            Some("jpg" | "jpeg") => Ok(OutputFormat::Jpeg),
            Some("webp") => Ok(OutputFormat::WebP),
            Some("tif" | "tiff") => Ok(OutputFormat::Tiff),
            _ => Err(WriteError::Extension { path: path.to_owned() }),
        }
    }

    /// The format of this name, as people type it.
    #[must_use]
    pub fn named(name: &str) -> Option<OutputFormat> {
        OutputFormat::from_path(&Path::new("named").with_extension(name)).ok()
    }

    /// Says, before work starts, whether a picture of that size can be written so.
    ///
    /// # Errors
    /// [`WriteError::Bits`], [`WriteError::Quality`] or [`WriteError::Size`].
    pub fn check(self, width: usize, height: usize, options: WriteOptions) -> Result<(), WriteError> {
        let has_16_bits = matches!(self, OutputFormat::Png | OutputFormat::Tiff);
        if options.bits != 8 && !(options.bits == 16 && has_16_bits) {
            return Err(WriteError::Bits { format: self, bits: options.bits });
        }
        if !(1..=100).contains(&options.jpeg_quality) {
            return Err(WriteError::Quality { quality: options.jpeg_quality });
        }
        let longest = match self {
            OutputFormat::Png => i32::MAX as usize,
            OutputFormat::Jpeg => 65_535,
            OutputFormat::WebP => 16_383,
            // Offsets in a TIFF have 32 bits; 16-bit samples of such a picture fill half of what they reach.
            OutputFormat::Tiff => 18_000,
        };
        let fits = (1..=longest).contains(&width) && (1..=longest).contains(&height);
        if fits { Ok(()) } else { Err(WriteError::Size { format: self, width, height }) }
    }
}

/// Where the recipe of a picture lies that cannot carry it: its name with `.recipe.json` behind it.
#[must_use]
pub fn sidecar_path(picture: &Path) -> PathBuf {
    let mut name = picture.as_os_str().to_owned();
    name.push(".recipe.json");
    PathBuf::from(name)
}

/// Says, before hours of work, whether a picture of that many bytes can be written there, its recipe beside it where its
/// format cannot carry it, and how.
///
/// # Errors
/// [`WriteError`] with what stands in the way.
pub fn check_picture_writable(path: &Path, needed_bytes: u64) -> Result<Way, WriteError> {
    if OutputFormat::from_path(path)? != OutputFormat::Png {
        for sidecar in sidecars(path) {
            check_writable(&sidecar, 0)?;
        }
    }
    Ok(check_writable(path, needed_bytes)?)
}

/// Writes the picture, in the format that the path says, with its recipe in it or beside it.
///
/// The file is the old one or the new one at any moment ([`crate::disk`]). A sidecar is never found beside a picture
/// that it does not belong to: the old one goes before the picture changes, the new one comes after.
///
/// # Errors
/// [`WriteError`].
pub fn write_picture(
    disk: &dyn Disk,
    path: &Path,
    picture: &Picture,
    options: WriteOptions,
    recipe: Option<&str>,
) -> Result<(), WriteError> {
    let format = OutputFormat::from_path(path)?;
    let bytes = encode_picture(picture, format, options, recipe)?;
    let sidecars = sidecars(path);
    let staged_picture = stage_file(disk, path, &bytes)?;
    let mut staged_recipes = Vec::new();
    if let Some(recipe) = recipe.filter(|_| format != OutputFormat::Png) {
        for sidecar in &sidecars {
            staged_recipes.push(stage_file(disk, sidecar, recipe.as_bytes())?);
        }
    }
    sidecars.iter().try_for_each(|sidecar| remove_file_if_present(disk, sidecar))?;
    staged_picture.commit()?;
    Ok(staged_recipes.into_iter().try_for_each(StagedFile::commit)?)
}

/// Where the recipe of a picture may lie: beside it, and for a symbolic link beside the picture that it leads to as well, which
/// both are asked for their recipe.
fn sidecars(picture: &Path) -> Vec<PathBuf> {
    let named = [Some(picture.to_owned()), picture.is_symlink().then(|| behind_links(picture))];
    named.into_iter().flatten().map(|picture| sidecar_path(&picture)).collect()
}

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
    format.check(picture.width, picture.height, options)?;
    let failed = |reason: String| WriteError::Encoder { format, reason };
    match format {
        OutputFormat::Png => encode_png(picture, options.bits, recipe).map_err(|error| failed(error.to_string())),
        OutputFormat::Tiff => encode_tiff(picture, options.bits).map_err(|error| failed(error.to_string())),
        OutputFormat::Jpeg => {
            let mut bytes = Vec::new();
            let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, options.jpeg_quality);
            encode_tagged(encoder, picture).map_err(|error| failed(error.to_string()))?;
            Ok(bytes)
        }
        OutputFormat::WebP => {
            let mut bytes = Vec::new();
            let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
            encode_tagged(encoder, picture).map_err(|error| failed(error.to_string()))?;
            Ok(bytes)
        }
    }
}

/// Width and height for an encoder; [`OutputFormat::check`] has made sure that they fit.
fn sides(picture: &Picture) -> (u32, u32) {
    (picture.width as u32, picture.height as u32)
}

fn encode_png(picture: &Picture, bits: u8, recipe: Option<&str>) -> Result<Vec<u8>, png::EncodingError> {
    let (width, height) = sides(picture);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    if let Some(recipe) = recipe {
        // Uncompressed, so that any program, even a search through the file, finds it.
        encoder.add_itxt_chunk(RECIPE_KEYWORD.to_owned(), recipe.to_owned())?;
    }
    let samples = if bits == 16 {
        encoder.set_depth(png::BitDepth::Sixteen);
        picture.to_rgb16().into_iter().flat_map(u16::to_be_bytes).collect()
    } else {
        encoder.set_depth(png::BitDepth::Eight);
        picture.to_rgb8()
    };
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&samples)?;
    writer.finish()?;
    Ok(bytes)
}

fn encode_tiff(picture: &Picture, bits: u8) -> Result<Vec<u8>, tiff::TiffError> {
    let (width, height) = sides(picture);
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut bytes)?
        .with_compression(Compression::Deflate(Default::default()))
        .with_predictor(Predictor::Horizontal);
    if bits == 16 {
        let mut image = encoder.new_image::<colortype::RGB16>(width, height)?;
        image.encoder().write_tag(Tag::IccProfile, &srgb_profile()[..])?;
        image.write_data(&picture.to_rgb16())?;
    } else {
        let mut image = encoder.new_image::<colortype::RGB8>(width, height)?;
        image.encoder().write_tag(Tag::IccProfile, &srgb_profile()[..])?;
        image.write_data(&picture.to_rgb8())?;
    }
    Ok(bytes.into_inner())
}

fn encode_tagged(mut encoder: impl ImageEncoder, picture: &Picture) -> image::ImageResult<()> {
    let (width, height) = sides(picture);
    // An encoder without room for a profile writes an untagged picture, which everyone takes for sRGB.
    let _ = encoder.set_icc_profile(srgb_profile());
    encoder.write_image(&picture.to_rgb8(), width, height, ExtendedColorType::Rgb8)
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
