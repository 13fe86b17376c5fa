//! Directories of TIFF, which EXIF blocks are made of too: plain reading, without any decoder.
//!
//! A directory is a count, then entries of tag, type, count and value, then the offset of the next, in the file's byte order:
//!
//! ```text
//! TIFF     offset of directory at 4, 4 bytes; count 2; entry 12 = tag 2, type 2, count 4, value 4; next 4
//! BigTIFF  offset of directory at 8, 8 bytes; count 8; entry 20 = tag 2, type 2, count 8, value 8; next 8
//! ```

use super::numbers::ordered;

/// Entries of a directory that are looked at; real ones have some dozens.
const MOST_ENTRIES: u64 = 4096;

/// A directory of a file.
#[derive(Clone, Copy)]
pub(super) struct Directory<'bytes> {
    bytes: &'bytes [u8],
    is_little_endian: bool,
    is_big: bool,
    /// Where it begins.
    pub(super) offset: usize,
}

/// An entry of a directory.
pub(super) struct Entry<'bytes> {
    directory: Directory<'bytes>,
    offset: usize,
}

impl<'bytes> Directory<'bytes> {
    /// The file's first.
    pub(super) fn first(bytes: &'bytes [u8]) -> Option<Directory<'bytes>> {
        let is_little_endian = bytes.first() == Some(&b'I');
        let is_big = ordered(is_little_endian, bytes, 2, 2)? == 43;
        let header = Directory { bytes, is_little_endian, is_big, offset: 0 };
        header.at(header.number(header.offset_at(), header.word())?)
    }

    /// The one that begins there, in the same file.
    pub(super) fn at(&self, offset: u64) -> Option<Directory<'bytes>> {
        let offset = usize::try_from(offset).ok().filter(|offset| *offset > 0)?;
        let directory = Directory { offset, ..*self };
        directory.count().map(|_| directory)
    }

    /// The one behind this one; `None` behind the last.
    pub(super) fn next(&self) -> Option<Directory<'bytes>> {
        let entries = self.count()?.checked_mul(self.entry_bytes() as u64)?;
        let end = self.first_entry()?.checked_add(usize::try_from(entries).ok()?)?;
        self.at(self.number(end, self.word())?)
    }

    /// The entry of that tag.
    pub(super) fn find(&self, tag: u64) -> Option<Entry<'bytes>> {
        let first = self.first_entry()?;
        for entry in 0..self.count()?.min(MOST_ENTRIES) {
            let offset = first.checked_add(entry as usize * self.entry_bytes())?;
            if self.number(offset, 2)? == tag {
                return Some(Entry { directory: *self, offset });
            }
        }
        None
    }

    /// The value of that tag, where it is one whole number.
    pub(super) fn value(&self, tag: u64) -> Option<u64> {
        self.find(tag)?.values(1).first().copied()
    }

    /// The file with this directory as its first.
    pub(super) fn as_first(&self) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        let (at, word) = (self.offset_at(), self.word());
        // Its offset came from as many bytes.
        for (place, byte) in bytes[at..at + word].iter_mut().enumerate() {
            let shift = 8 * if self.is_little_endian { place } else { word - 1 - place };
            *byte = (self.offset as u64 >> shift) as u8;
        }
        bytes
    }

    fn count(&self) -> Option<u64> {
        self.number(self.offset, self.count_bytes())
    }

    fn first_entry(&self) -> Option<usize> {
        self.offset.checked_add(self.count_bytes())
    }

    fn number(&self, offset: usize, count: usize) -> Option<u64> {
        ordered(self.is_little_endian, self.bytes, offset, count)
    }

    fn offset_at(&self) -> usize {
        if self.is_big { 8 } else { 4 }
    }

    fn word(&self) -> usize {
        if self.is_big { 8 } else { 4 }
    }

    fn count_bytes(&self) -> usize {
        if self.is_big { 8 } else { 2 }
    }

    fn entry_bytes(&self) -> usize {
        if self.is_big { 20 } else { 12 }
    }
}

impl Entry<'_> {
    /// Its kind and its values as bytes, the lowest of each value first, where `size` knows the kind and they are no more than
    /// `most` bytes; texts are cut.
    pub(super) fn bytes(&self, size: impl Fn(u16) -> Option<usize>, most: usize) -> Option<(u16, Vec<u8>)> {
        let (directory, word) = (&self.directory, self.directory.word());
        let kind = directory.number(self.offset + 2, 2)? as u16;
        let size = size(kind)?;
        let count = usize::try_from(directory.number(self.offset + 4, word)?).ok()?;
        let is_held_here = count.checked_mul(size)? <= word;
        let start = match is_held_here {
            true => self.value_offset(),
            false => usize::try_from(directory.number(self.value_offset(), word)?).ok()?,
        };
        let count = if size == 1 { count.min(most) } else { count };
        if count.checked_mul(size)? > most {
            return None;
        }
        // A fraction is two numbers.
        let part = size.min(4);
        let mut bytes = Vec::new();
        for place in 0..count * size / part {
            let number = directory.number(start.checked_add(place * part)?, part)?;
            bytes.extend(&number.to_le_bytes()[..part]);
        }
        Some((kind, bytes))
    }

    /// Its values, where they are whole numbers; no more than `most`.
    pub(super) fn values(&self, most: usize) -> Vec<u64> {
        self.read_values(most).unwrap_or_default()
    }

    fn read_values(&self, most: usize) -> Option<Vec<u64>> {
        let (directory, word) = (&self.directory, self.directory.word());
        // Bytes, shorts, longs and offsets of directories, with and without a sign.
        let size = match directory.number(self.offset + 2, 2)? {
            1 | 6 => 1,
            3 | 8 => 2,
            4 | 9 | 13 => 4,
            16..=18 => 8,
            _ => return None,
        };
        let count = directory.number(self.offset + 4, word)?;
        let held_at = self.value_offset();
        let is_held_here = count.checked_mul(size as u64)? <= word as u64;
        let start = if is_held_here { held_at } else { usize::try_from(directory.number(held_at, word)?).ok()? };
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(most);
        (0..count).map(|place| directory.number(start.checked_add(place * size)?, size)).collect()
    }

    /// Sets a value of 16 bits in a copy of the file; `None` where that ends before it.
    pub(super) fn set_short(&self, bytes: &mut [u8], value: u16) -> Option<()> {
        let field = bytes.get_mut(self.value_offset()..self.value_offset() + 2)?;
        let is_little_endian = self.directory.is_little_endian;
        field.copy_from_slice(&if is_little_endian { value.to_le_bytes() } else { value.to_be_bytes() });
        Some(())
    }

    fn value_offset(&self) -> usize {
        self.offset + 4 + self.directory.word()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_searched_in_both_kinds_and_orders() {
        let size = |bytes: &[u8]| {
            let directory = Directory::first(bytes)?;
            Some((directory.value(256)?, directory.value(257)?))
        };
        let tiff = b"II*\0\x08\0\0\0\x02\0\x00\x01\x03\0\x01\0\0\0\x07\x01\0\0\x01\x01\x04\0\x01\0\0\0\x05\0\x01\0";
        assert_eq!(size(tiff), Some((0x107, 0x1_0005)));
        let header = [&b"MM\0+\0\x08\0\0"[..], &16u64.to_be_bytes(), &2u64.to_be_bytes()].concat();
        let width = [&[1, 0, 0, 3][..], &1u64.to_be_bytes(), &[1, 7, 0, 0, 0, 0, 0, 0]].concat();
        let height = [&[1, 1, 0, 4][..], &1u64.to_be_bytes(), &[0, 1, 0, 5, 0, 0, 0, 0]].concat();
        let big = [header, width, height].concat();
        assert_eq!(size(&big), Some((0x107, 0x1_0005)));
        for cut in 0..big.len() - 6 {
            assert_eq!(size(&big[..cut]), None, "{cut}");
        }
        // A directory that claims to be endless, at the far end of the address space.
        let lost = [&b"MM\0+\0\x08\0\0"[..], &u64::MAX.to_be_bytes(), &u64::MAX.to_be_bytes()].concat();
        assert_eq!(size(&lost), None);
        // Another directory comes first in a copy.
        let first = Directory::first(&big).unwrap();
        let moved = Directory { offset: 0x0102_0304, ..first }.as_first();
        assert_eq!(moved[8..16], [0, 0, 0, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn one_value_may_have_any_whole_type() {
        let orientation = |kind: u8, value: [u8; 4]| {
            let mut bytes = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0".to_vec();
            bytes.push(kind);
            bytes.extend([0, 0, 0, 1]);
            bytes.extend(value);
            Directory::first(&bytes).unwrap().value(0x112)
        };
        assert_eq!(orientation(1, [6, 0, 0, 0]), Some(6));
        assert_eq!(orientation(3, [0, 6, 0, 0]), Some(6));
        assert_eq!(orientation(8, [0, 6, 0, 0]), Some(6));
        assert_eq!(orientation(4, [0, 0, 0, 6]), Some(6));
        assert_eq!(orientation(9, [0, 0, 0, 6]), Some(6));
        // A fraction, and a text.
        assert_eq!(orientation(5, [0, 0, 0, 6]), None);
        assert_eq!(orientation(2, [6, 0, 0, 0]), None);
    }
}
