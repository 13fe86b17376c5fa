//! What a photo's EXIF data say of the photo, in a few fields that are known, and nothing else: who took it, when, with what.
//!
//! ```text
//! header "II*\0", 8   ->   image: camera, date, artist, copyright, orientation 1   ->   exposure   ->   place, where it is asked for
//! ```
//!
//! Serial numbers, owners' names, makers' notes, comments and small copies of the picture are not among them: some tell where a
//! photo was taken, or show what was cropped away. A block is made anew of the fields (EXIF 2.32, TIFF 6.0), so nothing of what
//! came from a stranger's file is passed on but values of the kinds that are named here.

use serde::{Deserialize, Serialize};

/// Bytes that a field's values may take.
pub(crate) const FIELD_LIMIT_BYTES: usize = 1024;

/// Fields of the picture: maker, model, date, artist, copyright.
pub(crate) const IMAGE_TAGS: [u16; 5] = [0x010f, 0x0110, 0x0132, 0x013b, 0x8298];

/// Fields of the exposure: time, aperture, program, sensitivity, dates with their zones and fractions, bias, metering, light, flash,
/// focal length, mode, white balance, focal length on 35 mm film, lens.
pub(crate) const EXPOSURE_TAGS: [u16; 25] = [
    0x829a, 0x829d, 0x8822, 0x8827, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9201, 0x9202, 0x9204, 0x9205, 0x9207,
    0x9208, 0x9209, 0x920a, 0x9290, 0x9291, 0x9292, 0xa402, 0xa403, 0xa405, 0xa433, 0xa434,
];

/// Fields of the place: all of GPS's, but for the two whose kind is undefined.
pub(crate) const PLACE_TAGS: std::ops::RangeInclusive<u16> = 0..=31;

const ORIENTATION: u16 = 0x0112;
/// Where the directories of exposure and place begin.
pub(crate) const EXPOSURE: u16 = 0x8769;
pub(crate) const PLACE: u16 = 0x8825;
const VERSION: u16 = 0x9000;

/// The kinds of values.
const SHORT: u16 = 3;
const LONG: u16 = 4;
const UNDEFINED: u16 = 7;

/// Bytes of a value of a kind that fields may have: bytes, text, whole numbers and fractions.
pub(crate) fn value_bytes(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 => Some(1),
        SHORT => Some(2),
        LONG | 9 => Some(4),
        5 | 10 => Some(8),
        _ => None,
    }
}

/// What of a photo's EXIF data a picture has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeptExif {
    /// Nothing.
    #[default]
    Nothing,
    /// Camera, exposure, date, artist and copyright.
    Camera,
    /// Those, and where the photo was taken.
    Place,
}

impl KeptExif {
    /// Whether it is nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == KeptExif::Nothing
    }

    /// What of these data is kept; `None` where that is nothing.
    #[must_use]
    pub fn of(self, exif: &Exif) -> Option<Exif> {
        let kept = match self {
            KeptExif::Nothing => Exif::default(),
            KeptExif::Camera => exif.clone().without_place(),
            KeptExif::Place => exif.clone(),
        };
        (!kept.is_empty()).then_some(kept)
    }
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) tag: u16,
    /// TIFF's number of the kind of its values.
    pub(crate) kind: u16,
    /// Its values, the lowest byte first.
    pub(crate) bytes: Vec<u8>,
}

/// What is kept of a photo's EXIF data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exif {
    pub(crate) image: Vec<Field>,
    pub(crate) exposure: Vec<Field>,
    pub(crate) place: Vec<Field>,
}

impl Exif {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.image.is_empty() && self.exposure.is_empty() && self.place.is_empty()
    }

    /// Whether they tell where the photo was taken.
    #[must_use]
    pub fn has_place(&self) -> bool {
        !self.place.is_empty()
    }

    /// The same without the place.
    #[must_use]
    pub fn without_place(mut self) -> Exif {
        self.place.clear();
        self
    }

    /// An EXIF block, which begins with TIFF's header; the picture in it is upright.
    #[must_use]
    pub fn to_block(&self) -> Vec<u8> {
        let mut block = b"II*\0\x08\0\0\0".to_vec();
        let [image, exposure, place] = self.directories();
        let (exposure_at, place_at) = {
            let first = block.len() + directory_bytes(&image);
            (first, first + directory_bytes(&exposure))
        };
        let image = with_offsets(image, exposure_at, place_at);
        for directory in [image, exposure, place] {
            append_directory(&mut block, &directory);
        }
        block
    }

    /// The three directories, each in the order of its tags; those of the first that lead to the others lead nowhere yet.
    pub(crate) fn directories(&self) -> [Vec<Field>; 3] {
        let short = |tag, value: u16| Field { tag, kind: SHORT, bytes: value.to_le_bytes().to_vec() };
        let nowhere = |tag| Field { tag, kind: LONG, bytes: vec![0; 4] };
        let mut image = [self.image.clone(), vec![short(ORIENTATION, 1)]].concat();
        let mut exposure = self.exposure.clone();
        if !exposure.is_empty() {
            exposure.push(Field { tag: VERSION, kind: UNDEFINED, bytes: b"0232".to_vec() });
            image.push(nowhere(EXPOSURE));
        }
        if !self.place.is_empty() {
            image.push(nowhere(PLACE));
        }
        let mut directories = [image, exposure, self.place.clone()];
        directories.iter_mut().for_each(|directory| directory.sort_by_key(|field| field.tag));
        directories
    }
}

/// Bytes of a directory with its values behind it; none for one without fields.
fn directory_bytes(fields: &[Field]) -> usize {
    let values = fields.iter().filter(|field| field.bytes.len() > 4).map(|field| field.bytes.len().next_multiple_of(2));
    if fields.is_empty() { 0 } else { 6 + 12 * fields.len() + values.sum::<usize>() }
}

fn with_offsets(mut image: Vec<Field>, exposure_at: usize, place_at: usize) -> Vec<Field> {
    for field in &mut image {
        match field.tag {
            EXPOSURE => field.bytes = (exposure_at as u32).to_le_bytes().to_vec(),
            PLACE => field.bytes = (place_at as u32).to_le_bytes().to_vec(),
            _ => {}
        }
    }
    image
}

fn append_directory(block: &mut Vec<u8>, fields: &[Field]) {
    if fields.is_empty() {
        return;
    }
    let mut values_at = block.len() + 6 + 12 * fields.len();
    let mut values = Vec::new();
    block.extend((fields.len() as u16).to_le_bytes());
    for field in fields {
        let size = value_bytes(field.kind).unwrap_or(1);
        block.extend(field.tag.to_le_bytes());
        block.extend(field.kind.to_le_bytes());
        block.extend(((field.bytes.len() / size) as u32).to_le_bytes());
        if field.bytes.len() <= 4 {
            block.extend(field.bytes.iter().copied().chain([0; 4]).take(4));
        } else {
            block.extend((values_at as u32).to_le_bytes());
            values.extend(&field.bytes);
            // Values begin at even places.
            values.resize(values.len().next_multiple_of(2), 0);
            values_at += field.bytes.len().next_multiple_of(2);
        }
    }
    // No further directory.
    block.extend([0; 4]);
    block.extend(values);
}
