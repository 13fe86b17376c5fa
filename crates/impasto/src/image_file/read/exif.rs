//! The fields of EXIF data that are kept, from a stranger's file: each is looked for in the one directory where it belongs, its
//! size is bounded, and what is of another kind or leads beyond the end is left out.

use super::directory::Directory;
use crate::image_file::exif::{
    EXPOSURE, EXPOSURE_TAGS, Exif, FIELD_LIMIT_BYTES, Field, IMAGE_TAGS, PLACE, PLACE_TAGS, value_bytes,
};

/// TIFF's number of text.
const TEXT: u16 = 2;

/// What is kept of an EXIF block, which begins with a TIFF header.
pub(super) fn exif_of_block(block: &[u8]) -> Exif {
    // Some programs keep the marker of JPEG's segment in front.
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    if !matches!(block, [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..]) {
        return Exif::default();
    }
    Directory::first(block).map(|directory| exif_of(&directory)).unwrap_or_default()
}

/// What is kept of a directory, and of those that it leads to.
pub(super) fn exif_of(image: &Directory<'_>) -> Exif {
    let inside = |tag: u16| image.value(tag.into()).and_then(|offset| image.at(offset));
    let fields = |directory: Option<Directory<'_>>, tags: &mut dyn Iterator<Item = u16>| {
        directory.map(|directory| tags.filter_map(|tag| field(&directory, tag)).collect()).unwrap_or_default()
    };
    Exif {
        image: fields(Some(*image), &mut IMAGE_TAGS.into_iter()),
        exposure: fields(inside(EXPOSURE), &mut EXPOSURE_TAGS.into_iter()),
        place: fields(inside(PLACE), &mut PLACE_TAGS.clone()),
    }
}

fn field(directory: &Directory<'_>, tag: u16) -> Option<Field> {
    let (kind, mut bytes) = directory.find(tag.into())?.bytes(value_bytes, FIELD_LIMIT_BYTES)?;
    if kind == TEXT {
        bytes.retain(|byte| *byte == 0 || !byte.is_ascii_control());
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        if bytes.is_empty() {
            return None;
        }
        bytes.truncate(FIELD_LIMIT_BYTES - 1);
        bytes.push(0);
    }
    (!bytes.is_empty()).then_some(Field { tag, kind, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tag: u16, text: &str) -> Field {
        Field { tag, kind: TEXT, bytes: [text.as_bytes(), &[0]].concat() }
    }

    fn whole() -> Exif {
        let rational = |tag: u16, values: &[u32]| Field {
            tag,
            kind: 5,
            bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        };
        Exif {
            image: vec![
                text(0x010f, "Maker"),
                text(0x0110, "M"),
                text(0x0132, "2026:11:28 12:00:00"),
                text(0x8298, "by \u{e9}"),
            ],
            exposure: vec![rational(0x829a, &[1, 250]), Field { tag: 0x8827, kind: 3, bytes: vec![0x90, 0x01] }],
            place: vec![
                Field { tag: 0, kind: 1, bytes: vec![2, 3, 0, 0] },
                text(1, "N"),
                rational(2, &[48, 1, 31, 1, 12, 1]),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let exif = whole();
        assert_eq!(exif_of_block(&exif.to_block()), exif);
        assert_eq!(exif_of_block(&[&b"Exif\0\0"[..], &exif.to_block()].concat()), exif);
        let without = exif.clone().without_place();
        assert!(exif.has_place() && !without.has_place());
        assert_eq!(exif_of_block(&without.to_block()), without);
        assert!(exif_of_block(&Exif::default().to_block()).is_empty());
        // Upright, whatever the photo was.
        assert_eq!(Directory::first(&exif.to_block()).unwrap().value(0x112), Some(1));
    }

    /// Every byte in turn becomes each of four others, and the block ends at every place: what comes out stays small and is read
    /// back as it is.
    #[test]
    fn a_hostile_block_gives_little_and_no_panic() {
        let block = whole().to_block();
        let sound = |bytes: &[u8]| {
            let exif = exif_of_block(bytes);
            let fields = exif.image.iter().chain(&exif.exposure).chain(&exif.place);
            assert!(fields.clone().count() <= 62 && fields.clone().all(|field| field.bytes.len() <= FIELD_LIMIT_BYTES));
            assert!(exif.to_block().len() < 62 * (FIELD_LIMIT_BYTES + 16));
            assert_eq!(exif_of_block(&exif.to_block()), exif);
        };
        for place in 0..block.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = block.clone();
                bytes[place] = value;
                sound(&bytes);
            }
            sound(&block[..place]);
        }
        // Directories that lead to themselves, and a count beyond the end.
        let mut circle = block.clone();
        let at = circle.windows(2).position(|pair| pair == [0x69, 0x87]).unwrap();
        circle[at + 8..at + 12].copy_from_slice(&8u32.to_le_bytes());
        sound(&circle);
        circle[8..10].copy_from_slice(&[0xff, 0xff]);
        sound(&circle);
    }

    #[test]
    fn long_texts_are_cut_and_long_lists_left_out() {
        let long = |kind: u16, size: usize| Exif {
            image: vec![Field { tag: 0x010f, kind, bytes: [vec![b'a'; 5000 * size], vec![0; size]].concat() }],
            ..Exif::default()
        };
        let cut = exif_of_block(&long(TEXT, 1).to_block());
        assert_eq!(cut.image, [text(0x010f, &"a".repeat(FIELD_LIMIT_BYTES - 1))]);
        for (kind, size) in [(3, 2), (4, 4), (5, 8)] {
            assert!(exif_of_block(&long(kind, size).to_block()).is_empty(), "{kind}");
        }
        // Of an undefined kind, anything could stand there.
        assert!(exif_of_block(&long(7, 1).to_block()).is_empty());
    }

    #[test]
    fn both_byte_orders_are_read_and_text_is_cleaned() {
        // MM, one directory of one text of eight bytes behind it, with a bell and a line's end in it.
        let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x0f\0\x02\0\0\0\x08\0\0\0\x1a\0\0\0\0".to_vec();
        block.extend(b"Ma\x07ker\n\0");
        assert_eq!(exif_of_block(&block).image, [text(0x010f, "Maker")]);
        let short = b"MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0\0\x01\x88\x27\0\x03\0\0\0\x01\x01\x90\0\0\0\0\0\0";
        assert_eq!(exif_of_block(short).exposure, [Field { tag: 0x8827, kind: 3, bytes: vec![0x90, 0x01] }]);
    }
}
