//! Whether a GIF or a WebP moves: of an animation the first picture is taken, and that is said.

use super::header::little_endian;

/// What is said of an animation.
pub(super) fn first_frame_remark(frames: Option<u64>) -> Option<String> {
    match frames {
        None | Some(0 | 1) => None,
        Some(_) => Some("it is an animation, of which the first picture was taken".into()),
    }
}

/// How many pictures a GIF has: its blocks are walked until the second begins.
///
/// Behind the screen and its colours come blocks: `21` an extension, `2c` a picture with a place, perhaps colours and one
/// byte before its data, `3b` the end. Data are pieces of a length of one byte, the last of none (GIF89a, 15 to 27).
pub(super) fn gif_frames(bytes: &[u8]) -> Option<u64> {
    let colours = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut position = 13 + colours(*bytes.get(10)?);
    let mut frames = 0;
    while frames < 2 {
        match bytes.get(position) {
            Some(0x21) => position += 2,
            Some(0x2c) => {
                frames += 1;
                let Some(flags) = bytes.get(position + 9) else { break };
                position += 11 + colours(*flags);
            }
            _ => break,
        }
        while let Some(length) = bytes.get(position).filter(|length| **length > 0) {
            position += 1 + usize::from(*length);
        }
        position += 1;
    }
    Some(frames)
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
