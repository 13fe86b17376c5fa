//! HDF5's groups: names and the addresses of what they name, in the old form and the new one.
//!
//! ```text
//! old   a symbol table message -> a B-tree of nodes "SNOD" with (offset of name, address), names in a heap
//! new   few links: a link message each
//!       many: a link info message -> a B-tree of version 2 with (hash, place) -> link messages in a fractal heap
//! ```
//!
//! Only hard links are followed; a soft or external link could name another file, and no file is opened but the one that
//! the user named. (Specification, sections III and IV.A.2.)

use super::super::budget::{Budget, NESTING_LIMIT, Size, count};
use super::super::source::{Fields, Source};
use super::object::{LINK, LINK_INFO, Message, NOWHERE, SYMBOL_TABLE, expect, message, table};
use crate::weights::WeightsError;

/// A name and the address of the object that it names.
pub type Link = (String, u64);

/// Charged for a link, beside its name: itself, in a list that grows by doubling.
pub const LINK_BYTES: u64 = 160;

/// All hard links of a group; none where the object is none.
pub fn links(source: &mut Source<'_>, messages: &[Message], budget: &mut Budget) -> Result<Vec<Link>, WeightsError> {
    let mut links = Vec::new();
    if let Some(mut place) = message(messages, SYMBOL_TABLE) {
        let (tree, heap) = (place.u64()?, place.u64()?);
        let names = local_heap(source, heap, budget)?;
        // Held while the tree is read.
        budget.take(count(&names))?;
        symbol_tree(source, tree, None, &names, &mut links, budget)?;
        budget.give_back(count(&names));
    }
    for message in messages.iter().filter(|message| message.kind == LINK) {
        if let Some(link) = link_message(Fields::new(&message.body))? {
            budget.take(count(link.0.as_bytes()).saturating_add(LINK_BYTES))?;
            links.push(link);
        }
    }
    if let Some(mut info) = message(messages, LINK_INFO) {
        let (_version, flags) = (info.byte()?, info.byte()?);
        if flags & 1 != 0 {
            info.u64()?;
        }
        let (heap, tree) = (info.u64()?, info.u64()?);
        if heap != NOWHERE && tree != NOWHERE {
            let heap = FractalHeap::open(source, heap, budget)?;
            for id in name_index(source, tree, budget)? {
                let object = heap.object(source, id, budget)?;
                if let Some(link) = link_message(Fields::new(&object))? {
                    budget.take(count(link.0.as_bytes()).saturating_add(LINK_BYTES))?;
                    links.push(link);
                }
            }
        }
    }
    Ok(links)
}

/// The names of an old group.
fn local_heap(source: &mut Source<'_>, address: u64, budget: &mut Budget) -> Result<Vec<u8>, WeightsError> {
    let bytes = table(source, address, 32, budget)?;
    let mut fields = Fields::new(&bytes);
    expect(&mut fields, b"HEAP")?;
    fields.take(4)?;
    let (len, _free, data) = (fields.u64()?, fields.u64()?, fields.u64()?);
    table(source, data, len, budget)
}

/// The links below one node of an old group's B-tree, whose level has to be `level` where that is known: levels fall
/// towards the leaves, so no tree is deeper than its root says.
fn symbol_tree(
    source: &mut Source<'_>,
    address: u64,
    level: Option<u8>,
    names: &[u8],
    links: &mut Vec<Link>,
    budget: &mut Budget,
) -> Result<(), WeightsError> {
    let bytes = table(source, address, 24, budget)?;
    let mut head = Fields::new(&bytes);
    expect(&mut head, b"TREE\0")?;
    let (own_level, entries) = (head.byte()?, u64::from(head.u16()?));
    if u32::from(own_level) > NESTING_LIMIT || level.is_some_and(|level| level != own_level) {
        return Err(WeightsError::malformed("a B-tree's levels do not fall"));
    }
    let body = table(source, Size::new(address).plus(24)?.get(), Size::new(entries).times(16)?.get(), budget)?;
    // Held while the tables below it are read.
    budget.take(count(&body))?;
    let mut fields = Fields::new(&body);
    for _ in 0..entries {
        let (_key, child) = (fields.u64()?, fields.u64()?);
        match own_level.checked_sub(1) {
            Some(level) => symbol_tree(source, child, Some(level), names, links, budget)?,
            None => symbol_node(source, child, names, links, budget)?,
        }
    }
    budget.give_back(count(&body));
    Ok(())
}

fn symbol_node(
    source: &mut Source<'_>,
    address: u64,
    names: &[u8],
    links: &mut Vec<Link>,
    budget: &mut Budget,
) -> Result<(), WeightsError> {
    let bytes = table(source, address, 8, budget)?;
    let mut head = Fields::new(&bytes);
    expect(&mut head, b"SNOD\x01")?;
    head.byte()?;
    let symbols = u64::from(head.u16()?);
    let body = table(source, Size::new(address).plus(8)?.get(), Size::new(symbols).times(40)?.get(), budget)?;
    let mut fields = Fields::new(&body);
    for _ in 0..symbols {
        let (name, object, cached) = (fields.u64()?, fields.u64()?, fields.u32()?);
        fields.take(20)?;
        // A cache of type 2 is a soft link.
        if cached != 2 {
            let name = heap_name(names, name)?;
            budget.take(count(name.as_bytes()).saturating_add(LINK_BYTES))?;
            links.push((name, object));
        }
    }
    Ok(())
}

/// The name at `offset` of a heap of names, each ended by a zero byte.
fn heap_name(names: &[u8], offset: u64) -> Result<String, WeightsError> {
    let name = names.get(Size::new(offset).index()?..).unwrap_or_default();
    let end = name.iter().position(|&byte| byte == 0).ok_or_else(no_name)?;
    name_text(name.get(..end).unwrap_or_default())
}

fn name_text(bytes: &[u8]) -> Result<String, WeightsError> {
    let name = str::from_utf8(bytes).map_err(|_| no_name())?;
    if name.len() > 256 { Err(no_name()) } else { Ok(name.to_owned()) }
}

fn no_name() -> WeightsError {
    WeightsError::malformed("a name in an HDF5 group is none")
}

/// A link message; none where it is not a hard link.
fn link_message(mut fields: Fields<'_>) -> Result<Option<Link>, WeightsError> {
    let (version, flags) = (fields.byte()?, fields.byte()?);
    if version != 1 {
        return Err(WeightsError::malformed("a link in an HDF5 group has an unknown version"));
    }
    let kind = if flags & 0x08 != 0 { fields.byte()? } else { 0 };
    if flags & 0x04 != 0 {
        fields.u64()?;
    }
    if flags & 0x10 != 0 {
        fields.byte()?;
    }
    let len = fields.unsigned(1_u8.wrapping_shl(u32::from(flags & 3)))?;
    let name = name_text(fields.take(len)?)?;
    Ok(if kind == 0 { Some((name, fields.u64()?)) } else { None })
}

/// A place in a fractal heap.
type HeapId = [u8; 7];

/// Bytes before and after the records of a node of a B-tree of version 2.
const NODE_OVERHEAD: u64 = 10;

/// The places of a new group's links, from the B-tree that indexes their names.
fn name_index(source: &mut Source<'_>, address: u64, budget: &mut Budget) -> Result<Vec<HeapId>, WeightsError> {
    let bytes = table(source, address, 38, budget)?;
    let mut head = Fields::new(&bytes);
    expect(&mut head, b"BTHD\0\x05")?;
    let (node_bytes, record_bytes, depth) = (u64::from(head.u32()?), head.u16()?, head.u16()?);
    head.take(2)?;
    let (root, records) = (head.u64()?, u64::from(head.u16()?));
    if record_bytes != 11 {
        return Err(WeightsError::malformed("the index of an HDF5 group has records of another length"));
    }
    let mut ids = Vec::new();
    if depth > 1 {
        return Err(WeightsError::Unsupported("an HDF5 group with thousands of links".to_owned()));
    }
    if depth == 0 {
        index_node(source, root, records, b"BTLF\0\x05", &mut ids, budget)?;
        return Ok(ids);
    }
    let children = index_node(source, root, records, b"BTIN\0\x05", &mut ids, budget)?;
    // A child's number of records is as wide as the most that a leaf can hold.
    let most = node_bytes.saturating_sub(NODE_OVERHEAD).div_euclid(11);
    let width: u8 = if most < 256 { 1 } else { 2 };
    let pointers = records.saturating_add(1);
    let pointer_bytes = Size::new(8).plus(width.into())?;
    let bytes = table(source, children, pointer_bytes.times(pointers)?.get(), budget)?;
    // Held while the leaves are read.
    budget.take(count(&bytes))?;
    let mut fields = Fields::new(&bytes);
    for _ in 0..pointers {
        let (leaf, records) = (fields.u64()?, fields.unsigned(width)?);
        index_node(source, leaf, records, b"BTLF\0\x05", &mut ids, budget)?;
    }
    budget.give_back(count(&bytes));
    Ok(ids)
}

/// Collects the records of a node; returns the address behind them.
fn index_node(
    source: &mut Source<'_>,
    address: u64,
    records: u64,
    signature: &[u8; 6],
    ids: &mut Vec<HeapId>,
    budget: &mut Budget,
) -> Result<u64, WeightsError> {
    let len = Size::new(records).times(11)?.plus(6)?.get();
    let bytes = table(source, address, len, budget)?;
    let mut fields = Fields::new(&bytes);
    expect(&mut fields, signature)?;
    for _ in 0..records {
        let _hash = fields.u32()?;
        budget.take(64)?;
        ids.push(fields.array()?);
    }
    Ok(Size::new(address).plus(len)?.get())
}

/// A heap of small objects in blocks that double in size; here it holds a group's link messages.
struct FractalHeap {
    /// Blocks as (place in the heap's own space, address, length).
    blocks: Vec<(u64, u64, u64)>,
}

impl FractalHeap {
    fn open(source: &mut Source<'_>, address: u64, budget: &mut Budget) -> Result<FractalHeap, WeightsError> {
        let bytes = table(source, address, 142, budget)?;
        let mut head = Fields::new(&bytes);
        expect(&mut head, b"FRHP\0")?;
        let (id_len, filter_len, _flags) = (head.u16()?, head.u16()?, head.byte()?);
        // The largest managed object, and counters of huge, free, managed and tiny ones.
        head.take(4)?;
        head.take(96)?;
        let (width, start, _largest) = (u64::from(head.u16()?), head.u64()?, head.u64()?);
        let (space_bits, _first_rows) = (head.u16()?, head.u16()?);
        let (root, rows) = (head.u64()?, head.u16()?);
        if id_len != 7 || filter_len != 0 || space_bits != 32 || width > 64 || rows > 32 {
            return Err(WeightsError::Unsupported("an HDF5 group whose names lie in an unusual heap".to_owned()));
        }
        if rows == 0 {
            return Ok(FractalHeap { blocks: vec![(0, root, start)] });
        }
        let table_bytes = Size::new(width).times(rows.into())?.times(8)?.plus(17)?;
        let bytes = table(source, root, table_bytes.get(), budget)?;
        let mut fields = Fields::new(&bytes);
        expect(&mut fields, b"FHIB\0")?;
        fields.take(12)?;
        let mut blocks = Vec::new();
        let (mut place, mut len) = (Size::new(0), Size::new(start));
        for row in 0..rows {
            // The first two rows have blocks of one length, and each later one of twice the length before.
            len = if row > 1 { len.times(2)? } else { len };
            for _ in 0..width {
                let address = fields.u64()?;
                if address != NOWHERE {
                    blocks.push((place.get(), address, len.get()));
                }
                place = place.plus(len.get())?;
            }
        }
        Ok(FractalHeap { blocks })
    }

    /// The bytes of an object. Its id: a byte of flags, its place (4 bytes) and length (2 bytes).
    fn object(&self, source: &mut Source<'_>, id: HeapId, budget: &mut Budget) -> Result<Vec<u8>, WeightsError> {
        let [flags, a, b, c, d, e, f] = id;
        if flags & 0xf0 != 0 {
            return Err(WeightsError::Unsupported("an HDF5 group with very long names".to_owned()));
        }
        let (place, len) = (u64::from(u32::from_le_bytes([a, b, c, d])), u64::from(u16::from_le_bytes([e, f])));
        let end = Size::new(place).plus(len)?.get();
        for &(block, address, block_len) in &self.blocks {
            if place >= block && end <= Size::new(block).plus(block_len)?.get() {
                let offset = Size::new(place).minus(block)?;
                let bytes = table(source, offset.plus(address)?.get(), len, budget)?;
                debug_assert_eq!(count(&bytes), len);
                return Ok(bytes);
            }
        }
        Err(WeightsError::malformed("a link in an HDF5 group lies outside of its heap"))
    }
}
