//! Pictures onto the disk: the file name's extension says the format, the picture says that it is sRGB, and the recipe
//! travels with it.
//!
//! | format | samples | colour | transparency | EXIF data | recipe |
//! | --- | --- | --- | --- | --- | --- |
//! | PNG | 8 or 16 bit, lossless | sRGB chunk | alpha | eXIf chunk | in the file: iTXt chunk `impasto` |
//! | TIFF | 8 or 16 bit, lossless (deflate) | ICC profile | alpha | its directories | sidecar |
//! | WebP | 8 bit, lossless | ICC profile | alpha | EXIF chunk | sidecar |
//! | JPEG | 8 bit, colour at full resolution | ICC profile | put on white | APP1 segment | sidecar |
//!
//! The sidecar of `picture.jpg` is `picture.jpg.recipe.json`. Values are brought into 0..255 and rounded to the nearest
//! step, halves up ([`Picture::to_rgb8`]). The same picture gives the same bytes: no file carries a date.

mod encode;

use std::path::{Path, PathBuf};

use crate::disk::{Disk, DiskError, StagedFile, Way, behind_links, check_writable, remove_file_if_present, stage_file};
use crate::image_file::exif::Exif;
use crate::picture::alpha::Alpha;
use crate::picture::{Picture, PictureError};

pub use encode::{encode_carrying, encode_picture};

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

/// What a file carries beside its picture.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried<'a> {
    /// The recipe, which only a PNG has in it.
    pub recipe: Option<&'a str>,
    /// How much there is of each pixel.
    pub alpha: Option<&'a Alpha>,
    /// EXIF data.
    pub exif: Option<&'a Exif>,
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
    /// An alpha of another size.
    #[error(transparent)]
    Alpha(#[from] PictureError),
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

    /// Whether it holds an alpha.
    #[must_use]
    pub fn has_transparency(self) -> bool {
        self != OutputFormat::Jpeg
    }

    /// Whether it has samples of 16 bits.
    #[must_use]
    pub fn has_16_bits(self) -> bool {
        matches!(self, OutputFormat::Png | OutputFormat::Tiff)
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
        if options.bits != 8 && !(options.bits == 16 && self.has_16_bits()) {
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
    write_carrying(disk, path, picture, options, &Carried { recipe, ..Carried::default() })
}

/// As [`write_picture`], with all that a file may carry.
///
/// # Errors
/// [`WriteError`].
pub fn write_carrying(
    disk: &dyn Disk,
    path: &Path,
    picture: &Picture,
    options: WriteOptions,
    carried: &Carried<'_>,
) -> Result<(), WriteError> {
    let format = OutputFormat::from_path(path)?;
    let (bytes, recipe) = (encode_carrying(picture, format, options, carried)?, carried.recipe);
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
