//! The door for untrusted images: bytes from anywhere in, a picture or one sentence out.
//!
//! ```text
//! file -> at most file_mib -> what is it? (content, not name) -> declared size within the limits?
//!      -> the format's decoder, on a thread of its own that may panic -> samples of any kind
//!      -> colour profile, transparency, orientation -> Picture
//! ```
//!
//! The size is read here, by a few lines of our own, before any decoder sees the bytes, and again from the decoder before
//! anything is allocated. JPEG, PNG, WebP, TIFF, BMP and the first frame of a GIF are read, at any bit depth; what has been
//! done to the picture on the way is said in [`ReadPicture::notes`].
//!
//! **Architecture Invariant:** no byte of an image reaches a decoder but through [`decode_picture`].

mod channels;
mod chunks;
mod compose;
mod directory;
mod exif;
mod frames;
mod guard;
mod header;
mod jpeg;
mod mend;
mod numbers;
mod pages;
mod profile;
mod raster;
mod recipe_text;
mod simple;
mod sniff;
mod tiff;

use std::path::{Path, PathBuf};

use crate::disk::{DiskError, read_file};
use crate::image_file::exif::Exif;
use crate::picture::Picture;
use crate::picture::alpha::Alpha;
use compose::{Composed, compose};
use header::declared_size;
use mend::mended;
use raster::Raster;
use sniff::{Format, Stranger, sniff};

pub use recipe_text::{decode_recipe, read_recipe};

/// What a file may ask for. The defaults are meant for files from strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Most pixels of a picture, in millions.
    pub megapixels: u64,
    /// Longest side in pixels.
    pub side_px: u64,
    /// Largest file in MiB.
    pub file_mib: u64,
    /// Take what there is of a picture whose file is cut off or damaged; what is missing is grey.
    pub lenient: bool,
    /// Keep a picture's transparency beside it, with its colours as they are; else they are put on white.
    pub keeps_transparency: bool,
}

impl Default for ReadLimits {
    fn default() -> ReadLimits {
        ReadLimits { megapixels: 256, side_px: 65_535, file_mib: 512, lenient: false, keeps_transparency: false }
    }
}

/// Largest colour profile that is read, in bytes; a larger one is ignored, with a note.
const PROFILE_LIMIT_BYTES: usize = 4 << 20;
/// Largest EXIF block that is searched for the orientation, in bytes; a larger one is ignored, with a note.
const EXIF_LIMIT_BYTES: usize = 64 << 10;
/// Memory that a decoder may take beside the samples themselves, in bytes.
const DECODER_LIMIT_BYTES: u64 = 64 << 20;

/// The remark about a picture that was read leniently.
const MISSING_PARTS: &str = "it is damaged or cut off, and what could not be read is missing";

/// A picture that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPicture {
    /// The picture, upright and in sRGB.
    pub picture: Picture,
    /// How much there is of each pixel, where that was to be kept and is not all of each.
    pub alpha: Option<Alpha>,
    /// What its EXIF data say of camera, date, copyright and place.
    pub exif: Exif,
    /// Bits of a sample as it was stored: 8, or 16 where it had more than 8.
    pub bits: u8,
    /// What was done to it that one might not expect, each a sentence that names the file.
    pub notes: Vec<String>,
}

/// An image that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read at all.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A file of no bytes.
    #[error("{} is empty; give a JPEG, PNG, WebP, TIFF, BMP or GIF image", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Something else than an image.
    #[error("{} is not an image, whatever its name says; give a JPEG, PNG, WebP, TIFF, BMP or GIF image",
        path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
    },
    /// An image of a kind that is not read.
    #[error("{} is {kind}, which impasto does not read; convert it to PNG or JPEG first", path.display())]
    UnknownKind {
        /// The file.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// What was saved in a picture's place.
    #[error("{} is {kind}; {way_out}", path.display())]
    Instead {
        /// The file.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
        /// What to do.
        way_out: &'static str,
    },
    /// What a camera's sensor saw, which is no picture yet.
    #[error("{} is a raw photo; develop it first, with the camera's program or another, and give the PNG, TIFF or JPEG",
        path.display())]
    RawPhoto {
        /// The file.
        path: PathBuf,
    },
    /// A side of no pixels, or of more than the limit.
    #[error("{} says it has {width} x {height} pixels, but a side may have 1 to {limit_px}; scale it first",
        path.display())]
    Side {
        /// The file.
        path: PathBuf,
        /// Declared width in pixels.
        width: u64,
        /// Declared height in pixels.
        height: u64,
        /// Longest side in pixels.
        limit_px: u64,
    },
    /// More pixels than the limit.
    #[error("{} has {width} x {height} pixels, more than the {limit} megapixels that are read; scale it first, or raise \
        the limit with --max-megapixels", path.display())]
    Pixels {
        /// The file.
        path: PathBuf,
        /// Declared width in pixels.
        width: u64,
        /// Declared height in pixels.
        height: u64,
        /// The limit in millions of pixels.
        limit: u64,
    },
    /// A file that ends too early.
    #[error("{} ends before its picture does; get the whole file, or take what is there with --lenient", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
    },
    /// A file whose bytes make no sense to its decoder.
    #[error("{} is a damaged {format} file ({reason}); get a sound copy, or take what can be read with --lenient",
        path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// A variety of its format that is not read.
    #[error("{} is a {format} file of a kind that impasto does not read ({reason}); save it anew, as PNG or as an ordinary \
        JPEG", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
        /// What is not supported.
        reason: String,
    },
    /// The machine has no room for it.
    #[error("{} needs {needed_mib} MiB of memory, which this machine does not give; scale it first", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Memory that was asked for, in MiB.
        needed_mib: u64,
    },
    /// The decoder gave up in a way of its own.
    #[error("{} made the {format} decoder fail, so it is damaged or of a rare kind; convert it to PNG with another program",
        path.display())]
    Decoder {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
    },
    /// The system gave no thread for the decoder to run on.
    #[error("{} could not be read because the system lets this program start no more threads; raise the limit (ulimit -u, or \
        that of its container), or end other programs", path.display())]
    Threads {
        /// The file.
        path: PathBuf,
    },
    /// A picture that carries no recipe.
    #[error("{} carries no recipe; give a picture that impasto painted, or the .recipe.json that lies beside it",
        path.display())]
    NoRecipe {
        /// The file.
        path: PathBuf,
    },
    /// A recipe that is not text of the allowed length.
    #[error("the recipe in {} cannot be read ({reason}); give another picture or a .recipe.json file", path.display())]
    RecipeText {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a decoder found wrong; [`Failure::name`] adds the file to make a [`ReadError`] of it.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Side { width: u64, height: u64 },
    Pixels { width: u64, height: u64 },
    Truncated,
    Damaged(String),
    Unsupported(String),
    RawPhoto,
    Memory { needed_bytes: u64 },
}

/// Reads an image file.
///
/// # Errors
/// [`ReadError`], one sentence that names the file.
pub fn read_picture(path: &Path, limits: &ReadLimits) -> Result<ReadPicture, ReadError> {
    let bytes = read_file(path, limits.file_mib)?;
    decode_picture(&bytes, path, limits)
}

/// Makes a picture of an image file's bytes; `name` is only used to speak of it.
///
/// # Errors
/// [`ReadError`], one sentence that names the file.
pub fn decode_picture(bytes: &[u8], name: &Path, limits: &ReadLimits) -> Result<ReadPicture, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty { path: name.to_owned() });
    }
    let format = match sniff(bytes) {
        Ok(format) => format,
        Err(Stranger::Raw) => return Err(ReadError::RawPhoto { path: name.to_owned() }),
        Err(Stranger::Known(kind)) => return Err(ReadError::UnknownKind { path: name.to_owned(), kind }),
        Err(Stranger::Instead(kind, way_out)) => {
            return Err(ReadError::Instead { path: name.to_owned(), kind, way_out });
        }
        Err(Stranger::Unknown) => return Err(ReadError::NotAnImage { path: name.to_owned() }),
    };
    let decoder = match format {
        Format::Jpeg => jpeg::decode,
        Format::Tiff => tiff::decode,
        Format::Png | Format::WebP | Format::Bmp | Format::Gif => simple::decode,
    };
    decode_with(decoder, format, bytes, name, limits)
}

/// A format's decoder: bytes in, samples out.
type Decoder = fn(Format, &[u8], &ReadLimits) -> Result<Raster, Failure>;

/// Runs a decoder where it can do no harm.
fn decode_with(
    decoder: Decoder,
    format: Format,
    bytes: &[u8],
    name: &Path,
    limits: &ReadLimits,
) -> Result<ReadPicture, ReadError> {
    let decoded = guard::run(|| {
        let bytes = mended(format, bytes);
        // The header comes first, before any decoder sees the bytes.
        let (width, height) = declared_size(format, &bytes)?;
        limits.check(width, height)?;
        let mut raster = decoder(format, &bytes, limits)?;
        let (bits, exif) = (raster.samples.bits(), std::mem::take(&mut raster.exif));
        compose(raster, limits.keeps_transparency).map(|composed| (composed, bits, exif))
    });
    let stopped = |stopped| match stopped {
        guard::Stopped::Panicked => ReadError::Decoder { path: name.to_owned(), format: format.name() },
        guard::Stopped::NoThread => ReadError::Threads { path: name.to_owned() },
    };
    let (Composed { picture, alpha, remarks }, bits, exif) =
        decoded.map_err(stopped)?.map_err(|failure| failure.name(name, format, limits))?;
    let notes = remarks.into_iter().map(|remark| format!("{}: {remark}", name.display())).collect();
    Ok(ReadPicture { picture, alpha, exif, bits, notes })
}

impl ReadLimits {
    /// Width and height as counts, where they are within the limits.
    fn check(&self, width: u64, height: u64) -> Result<(usize, usize), Failure> {
        let allowed = 1..=self.side_px;
        if !allowed.contains(&width) || !allowed.contains(&height) {
            return Err(Failure::Side { width, height });
        }
        let pixels = width.checked_mul(height).ok_or(Failure::Pixels { width, height })?;
        match (usize::try_from(width), usize::try_from(height)) {
            (Ok(columns), Ok(rows)) if pixels <= self.megapixels.saturating_mul(1_000_000) => Ok((columns, rows)),
            _ => Err(Failure::Pixels { width, height }),
        }
    }
}

impl Failure {
    fn name(self, path: &Path, format: Format, limits: &ReadLimits) -> ReadError {
        let (path, format) = (path.to_owned(), format.name());
        match self {
            Failure::Side { width, height } => ReadError::Side { path, width, height, limit_px: limits.side_px },
            Failure::Pixels { width, height } => ReadError::Pixels { path, width, height, limit: limits.megapixels },
            Failure::Truncated => ReadError::Truncated { path },
            Failure::Damaged(reason) => ReadError::Damaged { path, format, reason: one_line(&reason) },
            Failure::Unsupported(reason) => ReadError::Unsupported { path, format, reason: one_line(&reason) },
            Failure::RawPhoto => ReadError::RawPhoto { path },
            Failure::Memory { needed_bytes } => ReadError::Memory { path, needed_mib: needed_bytes.div_ceil(1 << 20) },
        }
    }
}

/// A vector of `length` copies of a value, or a failure where there is no memory for it.
fn filled<T: Copy>(value: T, length: usize) -> Result<Vec<T>, Failure> {
    let mut values = Vec::new();
    let needed_bytes = (length as u64).saturating_mul(size_of::<T>() as u64);
    values.try_reserve_exact(length).map_err(|_| Failure::Memory { needed_bytes })?;
    values.resize(length, value);
    Ok(values)
}

/// Text from a file or a decoder, made fit for a part of a sentence on a terminal: printable, on one line, short,
/// without full stops.
fn one_line(text: &str) -> String {
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect();
    let words = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    words.replace(". ", ", ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_becomes_a_sentence() {
        fn panics(_: Format, bytes: &[u8], _: &ReadLimits) -> Result<Raster, Failure> {
            let beyond = bytes.len() + 1;
            Err(Failure::Damaged(format!("{}", bytes[beyond])))
        }
        let read =
            decode_with(panics, Format::Gif, b"GIF89a\x01\0\x01\0", Path::new("planted.gif"), &ReadLimits::default());
        assert_eq!(
            read.unwrap_err().to_string(),
            "planted.gif made the GIF decoder fail, so it is damaged or of a rare kind; convert it to PNG with another program"
        );
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let limits = ReadLimits { megapixels: 2, side_px: 5_000, ..ReadLimits::default() };
        assert_eq!(limits.check(2_000, 1_000), Ok((2_000, 1_000)));
        assert_eq!(limits.check(2_001, 1_000), Err(Failure::Pixels { width: 2_001, height: 1_000 }));
        assert_eq!(limits.check(5_000, 400), Ok((5_000, 400)));
        assert_eq!(limits.check(5_001, 1), Err(Failure::Side { width: 5_001, height: 1 }));
        assert_eq!(limits.check(0, 7), Err(Failure::Side { width: 0, height: 7 }));
        let none = ReadLimits { megapixels: u64::MAX, side_px: u64::MAX, ..ReadLimits::default() };
        assert_eq!(none.check(u64::MAX, 2), Err(Failure::Pixels { width: u64::MAX, height: 2 }));
    }

    #[test]
    fn text_from_files_cannot_leave_its_line() {
        assert_eq!(one_line("bad.\r\n\u{1b}[31m  thing."), "bad, [31m thing");
        assert_eq!(one_line(&"x".repeat(500)).len(), 120);
    }
}
