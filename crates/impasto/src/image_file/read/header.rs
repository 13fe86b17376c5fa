//! How large a file says that its picture is: plain reading of the first bytes, without any decoder.
//!
//! | format | size |
//! | --- | --- |
//! | PNG | bytes 16..24, big-endian |
//! | GIF | bytes 6..10, little-endian |
//! | BMP | bytes 18..26 (18..22 where the header has 12 bytes), height may be negative |
//! | WebP | of the first chunk: `VP8 `, `VP8L` or `VP8X` |
//! | JPEG | in the frame header, behind any number of other segments |
//! | TIFF | tags 256 and 257 of the directory of the largest page (`pages`) |

use super::Failure;
use super::jpeg::Outline;
use super::numbers::{big_endian, little_endian};
use super::pages::choose_page;
use super::sniff::Format;

/// Width and height that the file declares.
pub(super) fn declared_size(format: Format, bytes: &[u8]) -> Result<(u64, u64), Failure> {
    let size = match format {
        Format::Png => pair(big_endian(bytes, 16, 4), big_endian(bytes, 20, 4)),
        Format::Gif => pair(little_endian(bytes, 6, 2), little_endian(bytes, 8, 2)),
        Format::Bmp => bmp_size(bytes),
        Format::WebP => webp_size(bytes)?,
        Format::Tiff => return choose_page(bytes).map(|page| (page.width, page.height)),
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
