//! Small untruths of headers that other programs read past: told right in a copy, so that the decoders, which are strict, read
//! the file too.
//!
//! | format | untruth | what is made of it |
//! | --- | --- | --- |
//! | BMP | no or many planes, more colours than a sample can name; OS/2's longer header | one plane, all colours; Windows' header |
//! | WebP | the header announces EXIF or XMP that is not there | it does not |
//! | GIF | a first picture that reaches beyond its screen, or no screen | the screen holds it |
//! | PNG | no IEND chunk behind the last whole chunk | there is one |

use std::borrow::Cow;

use super::frames::gif_picture;
use super::numbers::{big_endian, little_endian};
use super::sniff::Format;

/// The file as it should be; as it is where nothing of the kind is wrong.
pub(super) fn mended(format: Format, bytes: &[u8]) -> Cow<'_, [u8]> {
    let mended = match format {
        Format::Bmp => mended_bmp(bytes),
        Format::WebP => mended_webp(bytes),
        Format::Gif => mended_gif(bytes),
        Format::Png => mended_png(bytes),
        Format::Jpeg | Format::Tiff => None,
    };
    mended.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// Behind 14 bytes stands the header: its size, width, height, 4 bytes each, planes and bits, 2 each; at 46 the number of
/// colours. OS/2's second header is the same for 40 bytes, and has 24 more.
fn mended_bmp(bytes: &[u8]) -> Option<Vec<u8>> {
    const LONG: u64 = 64;
    let size = little_endian(bytes, 14, 4)?;
    let (planes, bits) = (little_endian(bytes, 26, 2)?, little_endian(bytes, 28, 2)?);
    let (compression, colours) = (little_endian(bytes, 30, 4)?, little_endian(bytes, 46, 4)?);
    let has_many_colours = bits <= 8 && colours > 1 << bits;
    // Beyond 2 the numbers of its compressions are others than Windows'.
    let is_long = size == LONG && compression <= 2;
    if size < 40 || !(planes != 1 || has_many_colours || is_long) {
        return None;
    }
    let mut mended = bytes.to_vec();
    mended[26..28].copy_from_slice(&[1, 0]);
    if has_many_colours {
        mended[46..50].copy_from_slice(&[0; 4]);
    }
    if is_long && bytes.len() >= 14 + LONG as usize {
        mended.drain(14 + 40..14 + LONG as usize);
        mended[14..18].copy_from_slice(&40u32.to_le_bytes());
        let pixels = little_endian(bytes, 10, 4)?.saturating_sub(LONG - 40) as u32;
        mended[10..14].copy_from_slice(&pixels.to_le_bytes());
    }
    Some(mended)
}

fn mended_webp(bytes: &[u8]) -> Option<Vec<u8>> {
    /// Bits of the extended header's first byte, and the chunks that they announce.
    const ANNOUNCED: [(u8, &[u8]); 2] = [(8, b"EXIF"), (4, b"XMP ")];
    if bytes.get(12..16)? != b"VP8X" {
        return None;
    }
    let mut untrue = ANNOUNCED.iter().fold(0, |bits, (bit, _)| bits | bit) & *bytes.get(20)?;
    let mut chunks = &bytes[12..];
    while let Some(length) = little_endian(chunks, 4, 4) {
        untrue =
            ANNOUNCED.iter().filter(|(_, name)| chunks.starts_with(name)).fold(untrue, |bits, (bit, _)| bits & !bit);
        let next =
            usize::try_from(length + length % 2).ok().and_then(|length| chunks.get(8usize.checked_add(length)?..));
        chunks = next.unwrap_or_default();
    }
    (untrue != 0).then(|| {
        let mut mended = bytes.to_vec();
        mended[20] &= !untrue;
        mended
    })
}

fn mended_gif(bytes: &[u8]) -> Option<Vec<u8>> {
    let picture = gif_picture(bytes)?;
    let number = |offset: usize| little_endian(bytes, offset, 2);
    let (right, lower) = (number(picture + 1)? + number(picture + 5)?, number(picture + 3)? + number(picture + 7)?);
    let (width, height) = (number(6)?, number(8)?);
    if right <= width && lower <= height {
        return None;
    }
    let side = |side: u64| u16::try_from(side).ok().map(u16::to_le_bytes);
    let mut mended = bytes.to_vec();
    mended[6..8].copy_from_slice(&side(width.max(right))?);
    mended[8..10].copy_from_slice(&side(height.max(lower))?);
    Some(mended)
}

fn mended_png(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = [&[0; 4][..], b"IEND", &[0xae, 0x42, 0x60, 0x82]].concat();
    let mut chunks = bytes.get(8..)?;
    let mut last: &[u8] = b"";
    while !chunks.is_empty() {
        let length = usize::try_from(big_endian(chunks, 0, 4)?).ok()?;
        last = chunks.get(4..8)?;
        chunks = chunks.get(length.checked_add(12)?..)?;
        if last == b"IEND" {
            return None;
        }
    }
    (last == b"IDAT").then(|| [bytes, &end].concat())
}
