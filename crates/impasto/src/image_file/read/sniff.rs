//! What a file is, by its first bytes: an image that is read, or what else, so that a refusal names it.

use super::numbers::little_endian;

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
    Tiff,
    Bmp,
    Gif,
}

impl Format {
    /// Its name in sentences.
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Tiff => "TIFF",
            Format::Bmp => "BMP",
            Format::Gif => "GIF",
        }
    }
}

/// What is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// A raw photo.
    Raw,
    /// A known kind of file, with its article.
    Known(&'static str),
    /// What was saved in a picture's place, with its article, and the way out.
    Instead(&'static str, &'static str),
    /// Anything.
    Unknown,
}

/// What files begin with that are not read, and what they are. Of the raw photos these are those that are no TIFF.
#[rustfmt::skip]
const STRANGERS: &[(&[u8], Stranger)] = &[
    (b"FUJIFILMCCD-RAW", Stranger::Raw),
    (b"II\x1a\0\0\0HEAPCCDR", Stranger::Raw),
    (b"IIRO", Stranger::Raw), (b"IIRS", Stranger::Raw), (b"MMOR", Stranger::Raw), (b"IIU\0", Stranger::Raw),
    (b"FOVb", Stranger::Raw), (b"\0MRM", Stranger::Raw),
    (b"8BPS", Stranger::Known("a Photoshop document")),
    (b"gimp xcf", Stranger::Known("a GIMP picture")),
    (b"%PDF", Stranger::Known("a PDF document")), (b"\xef\xbb\xbf%PDF", Stranger::Known("a PDF document")),
    (b"%!PS", Stranger::Known("a PostScript drawing")), (b"\xc5\xd0\xd3\xc6", Stranger::Known("a PostScript drawing")),
    (b"\xff\x0a", Stranger::Known("a JPEG XL image")), (b"\0\0\0\x0cJXL ", Stranger::Known("a JPEG XL image")),
    (b"\0\0\0\x0cjP  ", Stranger::Known("a JPEG 2000 image")), (b"\xff\x4f\xff\x51", Stranger::Known("a JPEG 2000 image")),
    (b"II\xbc\x01", Stranger::Known("a JPEG XR image")),
    (b"\x76\x2f\x31\x01", Stranger::Known("an OpenEXR image")),
    (b"#?RADIANCE", Stranger::Known("a Radiance image")), (b"#?RGBE", Stranger::Known("a Radiance image")),
    (b"DDS ", Stranger::Known("a DDS texture")),
    (b"qoif", Stranger::Known("a QOI image")),
    (b"farbfeld", Stranger::Known("a farbfeld image")),
    (b"BPG\xfb", Stranger::Known("a BPG image")),
    (b"\x8aMNG", Stranger::Known("an MNG animation")), (b"\x8bJNG", Stranger::Known("a JNG image")),
    (b"AT&TFORM", Stranger::Known("a DjVu document")),
    (b"icns", Stranger::Known("an icon")), (b"\0\0\x01\0", Stranger::Known("an icon")),
    (b"SIMPLE  =", Stranger::Known("a FITS image")),
    (b"PK\x03\x04", Stranger::Known("a zip archive")), (b"\x1f\x8b", Stranger::Known("a gzip archive")),
    (b"\x1a\x45\xdf\xa3", Stranger::Known("a video")),
    (b"version https://git-lfs", Stranger::Instead("a Git LFS pointer to a file that was not fetched", "fetch it with `git lfs pull`")),
];

/// Sizes of a bitmap's second header.
const BMP_HEADERS: [u64; 8] = [12, 16, 40, 52, 56, 64, 108, 124];

/// What the bytes are by their beginning.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, Stranger> {
    let is_riff = |kind: &[u8]| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(kind);
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] if bytes.get(12..16) == Some(b"CgBI") => {
            Err(Stranger::Known("a PNG of Apple's own kind (CgBI, as inside iPhone apps)"))
        }
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Ok(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Format::Gif),
        [b'I', b'I', 0x2a | 0x2b, 0, ..] | [b'M', b'M', 0, 0x2a | 0x2b, ..] => Ok(Format::Tiff),
        _ if is_riff(b"WEBP") => Ok(Format::WebP),
        _ if is_riff(b"AVI ") => Err(Stranger::Known("a video")),
        // Two letters are little: the size of a header that there is must follow. (The four bytes between are kept for
        // programs, some of which write there.)
        [b'B', b'M', ..] if little_endian(bytes, 14, 4).is_some_and(|size| BMP_HEADERS.contains(&size)) => {
            Ok(Format::Bmp)
        }
        // A bitmap that is cut off, or whose header is damaged.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Ok(Format::Bmp),
        [b'P', b'1'..=b'7', b' ' | b'\t' | b'\n' | b'\r', ..] => Err(Stranger::Known("a PNM image")),
        [_, _, _, _, b'f', b't', b'y', b'p', brands @ ..] => Err(boxed(brands)),
        _ => Err(STRANGERS.iter().find(|(start, _)| bytes.starts_with(start)).map_or_else(|| text(bytes), |row| row.1)),
    }
}

/// A file of boxes (ISO/IEC 14496-12), by the brand that it names first and those that it is also made for.
fn boxed(brands: &[u8]) -> Stranger {
    let first = brands.get(..4).unwrap_or_default();
    // Behind a version come further brands, until the box ends; a few are enough.
    let others = || brands.get(8..).unwrap_or_default().chunks_exact(4).take(8);
    let has = |brand: &[u8]| first == brand || others().any(|other| other == brand);
    match first {
        b"crx " => Stranger::Raw,
        _ if has(b"avif") || has(b"avis") => Stranger::Known("an AVIF image"),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
            Stranger::Known("an HEIC image")
        }
        b"jp2 " | b"jpx " => Stranger::Known("a JPEG 2000 image"),
        b"jxl " => Stranger::Known("a JPEG XL image"),
        _ => Stranger::Known("a video"),
    }
}

/// What is written in text: drawings, and pages that were saved in an image's place.
fn text(bytes: &[u8]) -> Stranger {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let is_markup = ["<?xml", "<!--", "<svg", "<!doctype", "<html", "<head"].iter().any(|tag| start.starts_with(tag));
    match is_markup {
        true if start.contains("<svg") && !start.contains("<html") => Stranger::Known("an SVG drawing"),
        true if start.contains("html") || start.contains("<head") => {
            Stranger::Instead("a web page, not the image on it", "save the image itself")
        }
        _ => Stranger::Unknown,
    }
}
