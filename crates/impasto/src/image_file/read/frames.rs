//! Whether a GIF or a WebP moves: of an animation the first picture is taken, and that is said.

use super::numbers::little_endian;

/// What is said of an animation.
pub(super) fn first_frame_remark(frames: Option<u64>) -> Option<String> {
    match frames {
        None | Some(0 | 1) => None,
        Some(_) => Some("it is an animation, of which the first picture was taken".into()),
    }
}

/// How many pictures a GIF has; the third is not looked for.
pub(super) fn gif_frames(bytes: &[u8]) -> Option<u64> {
    let first = gif_picture(bytes)?;
    let second = next_gif_picture(bytes, behind_gif_picture(bytes, first)?);
    Some(if second.is_some() { 2 } else { 1 })
}

/// Where a GIF's first picture begins.
pub(super) fn gif_picture(bytes: &[u8]) -> Option<usize> {
    next_gif_picture(bytes, 13 + gif_colours(*bytes.get(10)?))
}

/// Behind the screen and its colours come blocks: `21` an extension, `2c` a picture with a place, perhaps colours and one
/// byte before its data, `3b` the end. Data are pieces of a length of one byte, the last of none (GIF89a, 15 to 27).
fn next_gif_picture(bytes: &[u8], mut position: usize) -> Option<usize> {
    loop {
        match bytes.get(position)? {
            0x21 => position = behind_gif_data(bytes, position + 2)?,
            0x2c => return Some(position),
            _ => return None,
        }
    }
}

fn behind_gif_picture(bytes: &[u8], picture: usize) -> Option<usize> {
    behind_gif_data(bytes, picture + 11 + gif_colours(*bytes.get(picture + 9)?))
}

fn behind_gif_data(bytes: &[u8], mut position: usize) -> Option<usize> {
    loop {
        match bytes.get(position)? {
            0 => return Some(position + 1),
            length => position += 1 + usize::from(*length),
        }
    }
}

/// Bytes of the colours that the flags of a screen or a picture announce.
fn gif_colours(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// How many pictures a WebP has: chunks named ANMF where its header says that it moves.
pub(super) fn webp_frames(bytes: &[u8]) -> Option<u64> {
    const MOVES: u8 = 2;
    if bytes.get(12..16)? != b"VP8X" || bytes.get(20)? & MOVES == 0 {
        return None;
    }
    let mut chunks = bytes.get(12..)?;
    let mut frames = 0;
    while let Some(length) = little_endian(chunks, 4, 4).filter(|_| frames < 2) {
        frames += u64::from(chunks.starts_with(b"ANMF"));
        chunks =
            usize::try_from(length + length % 2).ok().and_then(|length| chunks.get(8 + length..)).unwrap_or_default();
    }
    Some(frames)
}
