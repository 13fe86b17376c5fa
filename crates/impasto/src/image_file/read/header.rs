//! What a file is, and how large it says it is: plain reading of the first bytes, without any decoder.
//!
//! | format | begins with | size |
//! | --- | --- | --- |
//! | PNG | 89 `PNG` 0d 0a 1a 0a | bytes 16..24, big-endian |
//! | GIF | `GIF87a`, `GIF89a` | bytes 6..10, little-endian |
//! | BMP | `BM` | bytes 18..26 (18..22 where the header has 12 bytes), height may be negative |
//! | WebP | `RIFF` .... `WEBP` | of the first chunk: `VP8 `, `VP8L` or `VP8X` |
//! | JPEG | ff d8 ff | in the frame header, behind any number of other segments |
//! | TIFF | `II` 2a 00, `MM` 00 2a (2b: BigTIFF) | tags 256 and 257 of the first directory, anywhere in the file |

use super::Failure;
use super::jpeg::Outline;

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

/// What the bytes are by their beginning; or else, where it is known, the kind of file that is not read.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, Option<&'static str>> {
    let is_riff = |kind: &[u8]| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(kind);
    let is_boxed = |kind: &[u8]| bytes.get(4..8) == Some(b"ftyp") && bytes.get(8..12) == Some(kind);
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Ok(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Format::Gif),
        [b'I', b'I', 0x2a | 0x2b, 0, ..] | [b'M', b'M', 0, 0x2a | 0x2b, ..] => Ok(Format::Tiff),
        _ if is_riff(b"WEBP") => Ok(Format::WebP),
        // Two letters are little: a bitmap's four reserved bytes must be zero too, as every program writes them.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Ok(Format::Bmp),
        [b'8', b'B', b'P', b'S', ..] => Err(Some("a Photoshop document")),
        [b'%', b'P', b'D', b'F', ..] => Err(Some("a PDF document")),
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => Err(Some("a JPEG XL image")),
        [0, 0, 0, 0x0c, b'j', b'P', b' ', b' ', ..] => Err(Some("a JPEG 2000 image")),
        [b'<', b's', b'v', b'g', ..] => Err(Some("an SVG drawing")),
        _ if is_boxed(b"avif") => Err(Some("an AVIF image")),
        _ if is_boxed(b"heic") || is_boxed(b"heix") || is_boxed(b"mif1") => Err(Some("an HEIC image")),
        _ => Err(None),
    }
}

/// Width and height that the file declares.
pub(super) fn declared_size(format: Format, bytes: &[u8]) -> Result<(u64, u64), Failure> {
    let size = match format {
        Format::Png => pair(big_endian(bytes, 16, 4), big_endian(bytes, 20, 4)),
        Format::Gif => pair(little_endian(bytes, 6, 2), little_endian(bytes, 8, 2)),
        Format::Bmp => bmp_size(bytes),
        Format::WebP => webp_size(bytes)?,
        Format::Tiff => pair(
            TiffEntry::find(bytes, TIFF_WIDTH).and_then(|entry| entry.value(bytes)),
            TiffEntry::find(bytes, TIFF_HEIGHT).and_then(|entry| entry.value(bytes)),
        ),
        Format::Jpeg => match Outline::of(bytes) {
            Outline { size: None, is_whole: true, .. } => {
                return Err(Failure::Damaged("it has no frame header".into()));
            }
            outline => outline.size,
        },
    };
    size.ok_or(Failure::Truncated)
}

/// Whether a WebP file is shorter than it says in its first chunk.
pub(super) fn is_webp_cut(bytes: &[u8]) -> bool {
    little_endian(bytes, 4, 4).is_none_or(|length| length + 8 > bytes.len() as u64)
}

/// Whether every chunk of a WebP file ends within it. The decoder asks for as much memory as a chunk claims to be long.
pub(super) fn has_whole_webp_chunks(bytes: &[u8]) -> bool {
    let mut chunks = bytes.get(12..).unwrap_or_default();
    while let Some(length) = little_endian(chunks, 4, 4) {
        let room = chunks.len() as u64 - 8;
        if length > room {
            return false;
        }
        // Chunks of odd length are padded, but perhaps the last.
        chunks = &chunks[8 + (length + length % 2).min(room) as usize..];
    }
    true
}

const TIFF_WIDTH: u64 = 256;
const TIFF_HEIGHT: u64 = 257;

/// Where an entry of a TIFF's first directory is.
///
/// A directory is a count, then entries of tag, type, count and value, in the file's byte order:
///
/// ```text
/// TIFF     offset of directory at 4, 4 bytes; count 2; entry 12 = tag 2, type 2, count 4, value 4
/// BigTIFF  offset of directory at 8, 8 bytes; count 8; entry 20 = tag 2, type 2, count 8, value 8
/// ```
pub(super) struct TiffEntry {
    offset: usize,
    value_offset: usize,
    is_little_endian: bool,
}

impl TiffEntry {
    pub(super) fn find(bytes: &[u8], tag: u64) -> Option<TiffEntry> {
        let is_little_endian = bytes.first() == Some(&b'I');
        let number = |offset, size| ordered(is_little_endian, bytes, offset, size);
        let (offset_at, word, entry_bytes) = if number(2, 2)? == 43 { (8, 8, 20) } else { (4, 4, 12) };
        let directory = usize::try_from(number(offset_at, word)?).ok()?;
        let count_bytes = if word == 8 { 8 } else { 2 };
        let first = directory.checked_add(count_bytes)?;
        // More entries than bytes are cut off by the end of the file.
        for entry in 0..number(directory, count_bytes)?.min(bytes.len() as u64) {
            let offset = first.checked_add(entry as usize * entry_bytes)?;
            if number(offset, 2)? == tag {
                return Some(TiffEntry { offset, value_offset: offset + 4 + word, is_little_endian });
            }
        }
        None
    }

    /// Its value, where it is one whole number.
    pub(super) fn value(&self, bytes: &[u8]) -> Option<u64> {
        let number = |offset, size| ordered(self.is_little_endian, bytes, offset, size);
        match number(self.offset + 2, 2)? {
            1 => number(self.value_offset, 1),
            3 => number(self.value_offset, 2),
            4 => number(self.value_offset, 4),
            16 => number(self.value_offset, 8),
            _ => None,
        }
    }

    /// Sets a value of 16 bits; `None` where the file ends before it.
    pub(super) fn set_short(&self, bytes: &mut [u8], value: u16) -> Option<()> {
        let field = bytes.get_mut(self.value_offset..self.value_offset + 2)?;
        field.copy_from_slice(&if self.is_little_endian { value.to_le_bytes() } else { value.to_be_bytes() });
        Some(())
    }
}

fn bmp_size(bytes: &[u8]) -> Option<(u64, u64)> {
    if little_endian(bytes, 14, 4)? == 12 {
        return pair(little_endian(bytes, 18, 2), little_endian(bytes, 20, 2));
    }
    // Signed numbers: a negative height means that the rows run from top to bottom.
    let signed = |offset| Some(u64::from((little_endian(bytes, offset, 4)? as u32 as i32).unsigned_abs()));
    pair(signed(18), signed(22))
}

fn webp_size(bytes: &[u8]) -> Result<Option<(u64, u64)>, Failure> {
    let Some(chunk) = bytes.get(12..16) else { return Ok(None) };
    Ok(match chunk {
        b"VP8 " => {
            // Behind the chunk's header: three bytes of frame tag, three of start code, then 14 bits of each side.
            let side = |offset| Some(little_endian(bytes, offset, 2)? & 0x3fff);
            pair(side(26), side(28))
        }
        b"VP8L" => {
            // Behind a signature byte: 14 bits of width - 1, 14 bits of height - 1.
            little_endian(bytes, 21, 4).map(|packed| ((packed & 0x3fff) + 1, (packed >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => {
            let side = |offset| Some(little_endian(bytes, offset, 3)? + 1);
            pair(side(24), side(27))
        }
        _ => return Err(Failure::Damaged("its first chunk is not a picture".into())),
    })
}

fn pair(width: Option<u64>, height: Option<u64>) -> Option<(u64, u64)> {
    width.zip(height)
}

fn little_endian(bytes: &[u8], offset: usize, count: usize) -> Option<u64> {
    ordered(true, bytes, offset, count)
}

fn big_endian(bytes: &[u8], offset: usize, count: usize) -> Option<u64> {
    ordered(false, bytes, offset, count)
}

/// The number in `count` bytes, at most eight; `None` beyond the end.
fn ordered(is_little_endian: bool, bytes: &[u8], offset: usize, count: usize) -> Option<u64> {
    let field = bytes.get(offset..offset.checked_add(count)?)?;
    let append = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Some(if is_little_endian { field.iter().rev().fold(0, append) } else { field.iter().fold(0, append) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_the_end_are_none() {
        assert_eq!(little_endian(&[1, 2, 3], 1, 2), Some(0x302));
        assert_eq!(big_endian(&[1, 2, 3], 1, 2), Some(0x203));
        assert_eq!(little_endian(&[1, 2, 3], 2, 2), None);
        assert_eq!(big_endian(&[1, 2, 3], usize::MAX, 2), None);
    }

    #[test]
    fn directories_are_searched_in_both_kinds_and_orders() {
        let tiff = b"II*\0\x08\0\0\0\x02\0\x00\x01\x03\0\x01\0\0\0\x07\x01\0\0\x01\x01\x04\0\x01\0\0\0\x05\0\x01\0";
        assert_eq!(declared_size(Format::Tiff, tiff), Ok((0x107, 0x1_0005)));
        let header = [&b"MM\0+\0\x08\0\0"[..], &16u64.to_be_bytes(), &2u64.to_be_bytes()].concat();
        let width = [&[1, 0, 0, 3][..], &1u64.to_be_bytes(), &[1, 7, 0, 0, 0, 0, 0, 0]].concat();
        let height = [&[1, 1, 0, 4][..], &1u64.to_be_bytes(), &[0, 1, 0, 5, 0, 0, 0, 0]].concat();
        let big = [header, width, height].concat();
        assert_eq!(declared_size(Format::Tiff, &big), Ok((0x107, 0x1_0005)));
        for cut in 0..big.len() - 6 {
            assert_eq!(declared_size(Format::Tiff, &big[..cut]), Err(Failure::Truncated), "{cut}");
        }
        // A directory that claims to be endless, at the far end of the address space.
        let lost = [&b"MM\0+\0\x08\0\0"[..], &u64::MAX.to_be_bytes(), &u64::MAX.to_be_bytes()].concat();
        assert_eq!(declared_size(Format::Tiff, &lost), Err(Failure::Truncated));
    }
}
