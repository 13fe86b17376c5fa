//! What the markers of a JPEG file say, before any decoder sees it: its size, its kind, and whether it has an end.
//!
//! A marker is a byte ff and one that names it; most begin a segment that gives its own length, and behind each scan header
//! (da) lie the coded pixels, in which ff is followed by 00 or d0..d7 only (ITU-T T.81, annex B).

use crate::image_file::read::Failure;

/// How the coded numbers of a frame are written: T.81, table B.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) is_progressive: bool,
    pub(super) is_arithmetic: bool,
}

/// One component of a frame: brightness, a colour difference, an ink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Samples across and down in the smallest unit of the picture, 1 to 4.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Number of its quantisation table, 0 to 3.
    pub(super) quantisation: usize,
}

/// A frame header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Width and height in pixels.
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) process: Process,
    pub(super) components: Vec<Component>,
}

/// What is looked for in the markers of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Outline<'bytes> {
    /// Width and height of the first frame header.
    pub(in super::super) size: Option<(u64, u64)>,
    /// Number and body of the first frame header.
    frame: Option<(u8, &'bytes [u8])>,
    /// The components of each scan: two bytes each, the first the component's number.
    pub(super) scans: Vec<&'bytes [u8]>,
    /// Whether JFIF's segment is there: its three components are brightness and two colour differences.
    has_jfif_segment: bool,
    /// The transform that Adobe's segment names, where it is there. Its programs store inks inverted.
    pub(super) adobe_transform: Option<u8>,
    /// The first EXIF block.
    pub(super) exif: Option<&'bytes [u8]>,
    /// The parts of a colour profile, each with its number, from 1 on, and how many there are.
    profile: Vec<(u8, u8, &'bytes [u8])>,
    /// Whether the end of the image was found behind at least one scan.
    pub(in super::super) is_whole: bool,
}

/// What the components of a picture mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Grey,
    /// Brightness and two colour differences.
    YCbCr,
    Rgb,
    Cmyk,
    /// CMYK whose first three inks went through the transform of RGB to YCbCr.
    Ycck,
}

impl<'bytes> Outline<'bytes> {
    pub(in super::super) fn of(bytes: &'bytes [u8]) -> Outline<'bytes> {
        let mut outline = Outline::default();
        let mut rest = bytes.get(2..).unwrap_or_default();
        while let Some((marker, behind)) = next_marker(rest) {
            rest = behind;
            match marker {
                0xd9 => {
                    outline.is_whole = !outline.scans.is_empty();
                    break;
                }
                0x01 | 0xd0..=0xd8 => continue,
                _ => {}
            }
            let Some((segment, behind)) = segment(rest) else { break };
            rest = behind;
            match (marker, segment) {
                (0xda, [count, components @ ..]) => {
                    outline.scans.push(&components[..components.len().min(2 * usize::from(*count))]);
                }
                // Frame headers: bits a sample, height, width. c4, c8 and cc are others' numbers; f7 is JPEG-LS.
                (
                    0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xf7,
                    [_, height_high, height_low, width_high, width_low, ..],
                ) if outline.frame.is_none() => {
                    let height = u16::from_be_bytes([*height_high, *height_low]);
                    let width = u16::from_be_bytes([*width_high, *width_low]);
                    outline.size = Some((width.into(), height.into()));
                    outline.frame = Some((marker, segment));
                }
                (0xe0, [b'J', b'F', b'I', b'F', 0, ..]) => outline.has_jfif_segment = true,
                (0xe1, [b'E', b'x', b'i', b'f', 0, _, exif @ ..]) => {
                    outline.exif.get_or_insert(exif);
                }
                (0xe2, _) if segment.starts_with(b"ICC_PROFILE\0") && segment.len() > 14 => {
                    outline.profile.push((segment[12], segment[13], &segment[14..]));
                }
                (0xee, [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..]) => {
                    outline.adobe_transform = Some(*transform);
                }
                _ => {}
            }
        }
        outline
    }

    /// The frame header, or what of it is not read, by name.
    pub(super) fn frame(&self) -> Result<Frame, Failure> {
        let (marker, segment) = self.frame.ok_or(Failure::Truncated)?;
        let unsupported = |what: &str| Err(Failure::Unsupported(what.into()));
        match marker {
            0xf7 => return unsupported("JPEG-LS"),
            0xc3 | 0xcb => return unsupported("lossless JPEG"),
            0xc5..=0xc7 | 0xcd..=0xcf => return unsupported("hierarchical JPEG"),
            _ => {}
        }
        let damaged = || Failure::Damaged("its frame header makes no sense".into());
        let &[bits, height_high, height_low, width_high, width_low, count, ref specifications @ ..] = segment else {
            return Err(damaged());
        };
        if bits != 8 {
            return Err(Failure::Unsupported(format!("{bits} bits a sample")));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Failure::Unsupported(format!("{count} components")));
        }
        let mut components = Vec::new();
        for specification in specifications.chunks_exact(3).take(count.into()) {
            let (across, down) = (specification[1] >> 4, specification[1] & 15);
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) || specification[2] > 3 {
                return Err(damaged());
            }
            components.push(Component {
                id: specification[0],
                across: across.into(),
                down: down.into(),
                quantisation: specification[2].into(),
            });
        }
        if components.len() != usize::from(count) {
            return Err(damaged());
        }
        Ok(Frame {
            width: u16::from_be_bytes([width_high, width_low]).into(),
            height: u16::from_be_bytes([height_high, height_low]).into(),
            process: Process { is_progressive: matches!(marker, 0xc2 | 0xca), is_arithmetic: marker >= 0xc9 },
            components,
        })
    }

    /// The colour profile, its parts put together. Where they do not fit together it is what makes no profile, so that its
    /// reader says so.
    pub(super) fn profile(&self) -> Option<Vec<u8>> {
        let mut parts = self.profile.clone();
        parts.sort_by_key(|(number, ..)| *number);
        let is_sound = parts
            .iter()
            .zip(1..)
            .all(|((number, count, _), place)| usize::from(*number) == place && usize::from(*count) == parts.len());
        let whole = || parts.iter().flat_map(|(_, _, part)| part.iter().copied()).collect();
        if parts.is_empty() { None } else { Some(if is_sound { whole() } else { Vec::new() }) }
    }

    /// What the frame's components mean, by the rules that libjpeg made common: JFIF's segment first, then Adobe's, then
    /// the components' numbers.
    pub(super) fn stored(&self, frame: &Frame) -> Stored {
        let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
        match (ids.len(), self.adobe_transform) {
            (1, _) => Stored::Grey,
            (3, _) if self.has_jfif_segment => Stored::YCbCr,
            (3, Some(0)) => Stored::Rgb,
            (3, None) if ids == *b"RGB" => Stored::Rgb,
            (3, _) => Stored::YCbCr,
            (_, None | Some(0)) => Stored::Cmyk,
            _ => Stored::Ycck,
        }
    }
}

/// The next marker, past coded pixels and fill bytes, and what lies behind it.
pub(super) fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = bytes;
    loop {
        let start = rest.iter().position(|byte| *byte == 0xff)?;
        rest = &rest[start + 1..];
        match rest.first()? {
            0x00 => rest = &rest[1..],
            0xff => {}
            marker => return Some((*marker, &rest[1..])),
        }
    }
}

/// The body of the segment that begins here with its length, and what lies behind it.
pub(super) fn segment(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]));
    Some((bytes.get(2..length)?, &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame header of one component, of that kind and that many bits.
    fn frame(marker: u8, bits: u8) -> Vec<u8> {
        vec![0xff, marker, 0, 11, bits, 0x01, 0x02, 0x03, 0x04, 1, 0, 0x11, 0]
    }

    #[test]
    fn an_outline_is_read() {
        let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 1, 2, 0xff, 0, 3, 0xff, 0xd3, 4];
        let whole = [&[0xff, 0xd8][..], &frame(0xc0, 8), &scan, &[0xff, 0xff, 0xd9]].concat();
        let outline = Outline::of(&whole);
        assert_eq!(
            (outline.size, outline.is_whole, outline.scans.as_slice()),
            (Some((0x304, 0x102)), true, &[&[1, 0][..]][..])
        );
        for cut in 0..whole.len() {
            assert!(!Outline::of(&whole[..cut]).is_whole, "{cut}");
        }
        // An end inside a segment, as in an embedded thumbnail, is not the end of the file.
        let thumbnail = [&[0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xda, 0xff, 0xd9][..], &frame(0xc0, 8)].concat();
        assert!(!Outline::of(&thumbnail).is_whole);
        assert_eq!(Outline::of(&thumbnail).size, Some((0x304, 0x102)));
    }

    #[test]
    fn kinds_that_are_not_read_are_named() {
        let kind = |marker, bits| Outline::of(&[&[0xff, 0xd8][..], &frame(marker, bits)].concat()).frame();
        let refused = |what: &str| Err(Failure::Unsupported(what.into()));
        assert_eq!(kind(0xc3, 8), refused("lossless JPEG"));
        assert_eq!(kind(0xf7, 8), refused("JPEG-LS"));
        assert_eq!(kind(0xc6, 8), refused("hierarchical JPEG"));
        assert_eq!(kind(0xc1, 12), refused("12 bits a sample"));
        assert_eq!(kind(0xc2, 8).unwrap().process, Process { is_progressive: true, is_arithmetic: false });
        assert_eq!(kind(0xc9, 8).unwrap().process, Process { is_progressive: false, is_arithmetic: true });
    }
}
