//! The zip archives that `torch.save` writes: the directory at the end, checked against every entry's own header.
//!
//! Zip says most things twice, and tools that scan models have been fooled by archives whose two answers differ. So an
//! archive is refused where they do, where entries overlap or share a name, where the directory does not end at the end
//! record, and where the end record does not end the file.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::super::budget::{Budget, ENTRY_LIMIT, HEADER_LIMIT_BYTES, Size, count};
use super::super::names::quoted;
use super::super::source::{Fields, Source};
use crate::weights::WeightsError;

const LOCAL_HEADER: u32 = 0x0403_4b50;
const DIRECTORY_ENTRY: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const END_64_LOCATOR: u32 = 0x0706_4b50;

/// Bytes of the end record without its comment, and of the record that points to its 64-bit form.
const END_BYTES: u64 = 22;
const LOCATOR_BYTES: u64 = 20;

/// The longest comment.
const COMMENT_LIMIT: u64 = 0xffff;

/// Flags for data that are encrypted, patched or strongly encrypted.
const UNREADABLE_FLAGS: u16 = 0x61;

/// The flag that says that sizes and checksum stand behind the data.
const SIZES_BEHIND: u16 = 0x08;

/// One file of an archive.
#[derive(Clone, Debug)]
pub struct ZipEntry {
    header_offset: u64,
    flags: u16,
    method: u16,
    checksum: u32,
    packed: u64,
    /// Length of its contents in bytes.
    pub len: u64,
    data_offset: u64,
}

/// The entries of an archive, by name.
pub type Archive = BTreeMap<String, ZipEntry>;

/// Reads and checks the directory.
pub fn open(source: &mut Source<'_>, budget: &mut Budget) -> Result<Archive, WeightsError> {
    let (entries, offset, len) = directory_place(source, budget)?;
    if entries > ENTRY_LIMIT || len > HEADER_LIMIT_BYTES {
        return Err(WeightsError::malformed("its zip directory has more than 1,000 entries"));
    }
    let bytes = source.bytes_at(offset, len, budget)?;
    let mut fields = Fields::new(&bytes);
    let mut archive = Archive::new();
    for _ in 0..entries {
        let (name, mut entry) = directory_entry(&mut fields)?;
        entry.data_offset = data_offset(source, &name, &entry, budget)?;
        let twice = WeightsError::malformed(format!("{} stands in its zip directory twice", quoted(&name)));
        if archive.insert(name, entry).is_some() {
            return Err(twice);
        }
    }
    if !fields.rest().is_empty() {
        return Err(WeightsError::malformed("its zip directory is longer than its entries"));
    }
    check_overlaps(&archive, offset)?;
    Ok(archive)
}

/// The whole of a small entry.
pub fn contents(source: &mut Source<'_>, entry: &ZipEntry, budget: &mut Budget) -> Result<Vec<u8>, WeightsError> {
    if entry.len > HEADER_LIMIT_BYTES {
        return Err(WeightsError::malformed("its table of contents is longer than 1 MiB"));
    }
    let mut bytes = budget.zeros(entry.len)?;
    read_through(source, entry, &[Part { from: 0, len: entry.len }], budget, |_, reader, _| {
        reader.read_exact(&mut bytes).map_err(WeightsError::from_io)
    })?;
    Ok(bytes)
}

/// A part of an entry's contents, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Where it begins.
    pub from: u64,
    /// How long it is.
    pub len: u64,
}

impl Part {
    /// Where it ends.
    ///
    /// # Errors
    /// Where that takes more than 64 bits.
    pub fn end(self) -> Result<u64, WeightsError> {
        Size::new(self.from).plus(self.len).map(Size::get)
    }
}

/// Reads an entry from its front to its end, and so unpacks it once: calls `use_part` with the number of each of `parts`
/// and a reader of it, and compares the whole with its length and checksum. Parts stand in order and do not overlap.
pub fn read_through(
    source: &mut Source<'_>,
    entry: &ZipEntry,
    parts: &[Part],
    budget: &mut Budget,
    mut use_part: impl FnMut(usize, &mut dyn Read, &mut Budget) -> Result<(), WeightsError>,
) -> Result<(), WeightsError> {
    // One byte more than announced is enough to see that there is more.
    let limit = entry.len.saturating_add(1);
    budget.work(limit)?;
    with_whole_reader(source, entry, |reader| {
        let mut reader = Summed { reader: reader.take(limit), crc: Crc::new(), len: 0 };
        for (number, part) in parts.iter().enumerate() {
            if part.end()? > entry.len {
                return Err(WeightsError::malformed("a tensor reaches beyond its storage"));
            }
            let before = Size::new(part.from).minus(reader.len)?.get();
            io::copy(&mut reader.by_ref().take(before), &mut io::sink()).map_err(WeightsError::from_io)?;
            use_part(number, &mut reader.by_ref().take(part.len), budget)?;
        }
        io::copy(&mut reader, &mut io::sink()).map_err(WeightsError::from_io)?;
        if reader.len != entry.len || reader.crc.sum() != entry.checksum {
            return Err(WeightsError::malformed("a zip entry's contents do not have its length and checksum"));
        }
        Ok(())
    })
}

/// A reader that keeps the checksum and the length of what went through it.
struct Summed<R> {
    reader: R,
    crc: Crc,
    len: u64,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let filled = self.reader.read(buffer)?;
        let part = buffer.get(..filled).unwrap_or_default();
        self.crc.update(part);
        self.len = self.len.saturating_add(count(part));
        Ok(filled)
    }
}

fn with_whole_reader<T>(
    source: &mut Source<'_>,
    entry: &ZipEntry,
    use_reader: impl FnOnce(&mut dyn Read) -> Result<T, WeightsError>,
) -> Result<T, WeightsError> {
    let mut stream = source.stream(entry.data_offset, entry.packed)?;
    if entry.method == 0 { use_reader(&mut stream) } else { use_reader(&mut DeflateDecoder::new(stream)) }
}

/// Number of entries, offset and length of the directory, from the end record.
fn directory_place(source: &mut Source<'_>, budget: &mut Budget) -> Result<(u64, u64, u64), WeightsError> {
    let tail_len = source.len().min(COMMENT_LIMIT.saturating_add(END_BYTES));
    let tail_offset = Size::new(source.len()).minus(tail_len)?;
    let tail = source.bytes_at(tail_offset.get(), tail_len, budget)?;
    let (place, end) = (0..tail.len())
        .rev()
        .find_map(|place| {
            let end = EndRecord::parse(tail.get(place..)?).ok()?;
            (end.comment_len == end.rest).then_some((place, end))
        })
        .ok_or_else(|| WeightsError::malformed("its zip directory is missing or cut off"))?;
    let end_offset = tail_offset.plus(u64::try_from(place).unwrap_or(u64::MAX))?;
    let (record_offset, [entries, len, offset]) = match locator(source, end_offset)? {
        None => (end_offset, end.counts),
        Some(offset) => {
            let counts = end_64(source, offset)?;
            let agrees = |(short, long): (u64, u64), all_ones: u64| short == long || short == all_ones;
            let [entries, len, directory] = end.counts;
            let [entries_64, len_64, directory_64] = counts;
            if !agrees((entries, entries_64), 0xffff)
                || !agrees((len, len_64), 0xffff_ffff)
                || !agrees((directory, directory_64), 0xffff_ffff)
            {
                return Err(WeightsError::malformed("its two zip end records disagree"));
            }
            (Size::new(offset), counts)
        }
    };
    if Size::new(offset).plus(len)? != record_offset {
        return Err(WeightsError::malformed("its zip directory does not stand before its end record"));
    }
    Ok((entries, offset, len))
}

struct EndRecord {
    /// Entries, length and offset of the directory.
    counts: [u64; 3],
    comment_len: u64,
    /// Bytes that follow the record.
    rest: u64,
}

impl EndRecord {
    fn parse(bytes: &[u8]) -> Result<EndRecord, WeightsError> {
        let mut fields = Fields::new(bytes);
        if fields.u32()? != END || fields.u32()? != 0 {
            return Err(WeightsError::Unknown);
        }
        let (here, entries) = (fields.u16()?, fields.u16()?);
        let (len, offset) = (fields.u32()?, fields.u32()?);
        let comment_len = u64::from(fields.u16()?);
        if here != entries {
            return Err(WeightsError::Unknown);
        }
        Ok(EndRecord { counts: [entries.into(), len.into(), offset.into()], comment_len, rest: count(fields.rest()) })
    }
}

/// Offset of the 64-bit end record, where a locator stands before the end record.
fn locator(source: &mut Source<'_>, end_offset: Size) -> Result<Option<u64>, WeightsError> {
    let Ok(offset) = end_offset.minus(LOCATOR_BYTES) else { return Ok(None) };
    let bytes: [u8; 20] = source.array_at(offset.get())?;
    let mut fields = Fields::new(&bytes);
    if fields.u32()? != END_64_LOCATOR {
        return Ok(None);
    }
    let (disk, record) = (fields.u32()?, fields.u64()?);
    if disk != 0 || record >= offset.get() {
        return Err(WeightsError::malformed("its zip end record points beyond itself"));
    }
    Ok(Some(record))
}

fn end_64(source: &mut Source<'_>, offset: u64) -> Result<[u64; 3], WeightsError> {
    let bytes: [u8; 56] = source.array_at(offset)?;
    let mut fields = Fields::new(&bytes);
    let signature = fields.u32()?;
    // Length of the record, the versions that wrote and can read it, and the disks of archives in parts.
    let (_len, _versions, disks) = (fields.u64()?, fields.u32()?, fields.u64()?);
    let (here, entries, len, directory) = (fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
    if signature != END_64 || disks != 0 || here != entries {
        return Err(WeightsError::malformed("its 64-bit zip end record is none"));
    }
    Ok([entries, len, directory])
}

fn directory_entry(fields: &mut Fields<'_>) -> Result<(String, ZipEntry), WeightsError> {
    if fields.u32()? != DIRECTORY_ENTRY {
        return Err(WeightsError::malformed("its zip directory breaks off"));
    }
    let _versions = fields.u32()?;
    let (flags, method) = (fields.u16()?, fields.u16()?);
    let _time = fields.u32()?;
    let (checksum, packed, len) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let (name_len, extra_len, comment_len) = (fields.u16()?, fields.u16()?, fields.u16()?);
    let (_disk, _attributes) = (fields.u32()?, fields.u32()?);
    let header_offset = fields.u32()?;
    let name = fields.take(name_len.into())?;
    let extra = fields.take(extra_len.into())?;
    fields.take(comment_len.into())?;
    let name = str::from_utf8(name).map_err(|_| WeightsError::malformed("a name in its zip directory is no text"))?;
    if flags & UNREADABLE_FLAGS != 0 {
        return Err(WeightsError::Unsupported(format!("an encrypted zip entry, {}", quoted(name))));
    }
    // In this order stand the 64-bit forms of those fields that are all ones.
    let mut long = Fields::new(zip_64_extra(extra)?);
    let mut widen = |short: u32| if short == u32::MAX { long.u64() } else { Ok(u64::from(short)) };
    let (len, packed, header_offset) = (widen(len)?, widen(packed)?, widen(header_offset)?);
    match method {
        0 if packed != len => return Err(WeightsError::malformed("a stored zip entry has two lengths")),
        0 | 8 => {}
        _ => return Err(WeightsError::Unsupported(format!("zip's method {method} for {}", quoted(name)))),
    }
    Ok((name.to_owned(), ZipEntry { header_offset, flags, method, checksum, packed, len, data_offset: 0 }))
}

/// The body of the extra field with 64-bit sizes; empty where there is none.
fn zip_64_extra(extra: &[u8]) -> Result<&[u8], WeightsError> {
    let mut fields = Fields::new(extra);
    // Some writers pad the extra field with fewer than the four bytes of a field's head.
    while fields.rest().len() >= 4 {
        let (kind, len) = (fields.u16()?, fields.u16()?);
        let body = fields.take(len.into())?;
        if kind == 1 {
            return Ok(body);
        }
    }
    Ok(&[])
}

/// Compares an entry's own header with the directory; returns where its data start.
fn data_offset(
    source: &mut Source<'_>,
    name: &str,
    entry: &ZipEntry,
    budget: &mut Budget,
) -> Result<u64, WeightsError> {
    let disagree = || WeightsError::malformed(format!("the zip directory and the header of {} disagree", quoted(name)));
    let header: [u8; 30] = source.array_at(entry.header_offset)?;
    let mut fields = Fields::new(&header);
    let signature = fields.u32()?;
    let _version = fields.u16()?;
    let (flags, method) = (fields.u16()?, fields.u16()?);
    let _time = fields.u32()?;
    let (checksum, packed, len) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let (name_len, extra_len) = (fields.u16()?, fields.u16()?);
    if signature != LOCAL_HEADER || flags != entry.flags || method != entry.method {
        return Err(disagree());
    }
    let name_offset = Size::new(entry.header_offset).plus(30)?;
    let own_name = source.bytes_at(name_offset.get(), name_len.into(), budget)?;
    if own_name != name.as_bytes() {
        return Err(disagree());
    }
    budget.give_back(name_len.into());
    let same = |short: u32, long: u64| u64::from(short) == long || short == u32::MAX;
    if flags & SIZES_BEHIND == 0 && (checksum != entry.checksum || !same(packed, entry.packed) || !same(len, entry.len))
    {
        return Err(disagree());
    }
    Ok(name_offset.plus(name_len.into())?.plus(extra_len.into())?.get())
}

/// Demands that entries lie one behind the other and before the directory.
fn check_overlaps(archive: &Archive, directory_offset: u64) -> Result<(), WeightsError> {
    let mut ranges = Vec::new();
    for entry in archive.values() {
        ranges.push((entry.header_offset, Size::new(entry.data_offset).plus(entry.packed)?.get()));
    }
    ranges.sort_unstable();
    let mut free = 0;
    for (start, end) in ranges {
        if start < free || end > directory_offset {
            return Err(WeightsError::malformed("its zip entries overlap"));
        }
        free = end;
    }
    Ok(())
}
