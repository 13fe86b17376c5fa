//! Where the chunks of an HDF5 dataset lie.

use std::collections::BTreeSet;

use super::super::budget::{Budget, NESTING_LIMIT, Size, count};
use super::super::source::{Fields, Source};
use super::object::{NOWHERE, expect, table};
use crate::weights::WeightsError;

/// How a chunked dataset finds its chunks.
#[derive(Clone, Debug)]
pub struct ChunkedLayout {
    /// Sides of a chunk, as many as the dataset has.
    pub sides: Vec<u64>,
    /// Where its index lies.
    pub address: u64,
    /// Of which kind that is.
    pub index: ChunkIndex,
}

/// The kinds of index that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkIndex {
    /// A B-tree of version 1.
    Tree,
    /// There is one chunk; its length where it went through filters, and the filters that were left out.
    Single(Option<(u64, u32)>),
    /// The chunks stand in a row.
    InARow,
    /// A table of as many entries as there are chunks.
    FixedArray,
}

/// Charged for a chunk: itself and its corner, in a list that grows by doubling, and its place in a set.
const CHUNK_BYTES: u64 = 384;

/// One chunk of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The place in the dataset of its first element.
    pub corner: Vec<u64>,
    /// Where its bytes lie.
    pub address: u64,
    /// How many they are, filtered.
    pub len: u64,
    /// A bit for each filter that it did not go through.
    pub left_out: u32,
}

/// All chunks of a dataset of `shape`, each once.
///
/// # Errors
/// Where one is missing, stands twice or lies off the grid: a tensor with holes is no weight.
pub fn chunks(
    source: &mut Source<'_>,
    layout: &ChunkedLayout,
    shape: &[u64],
    chunk_bytes: u64,
    filtered: bool,
    budget: &mut Budget,
) -> Result<Vec<Chunk>, WeightsError> {
    let wrong = || WeightsError::malformed("an HDF5 dataset has not each of its chunks once");
    let grid = shape
        .iter()
        .zip(&layout.sides)
        .map(|(&extent, &side)| extent.checked_next_multiple_of(side)?.checked_div(side))
        .collect::<Option<Vec<u64>>>()
        .ok_or_else(wrong)?;
    let expected = Size::product(&grid)?.get();
    let mut chunks = Vec::new();
    match &layout.index {
        ChunkIndex::Tree => tree(source, layout.address, None, shape.len(), expected, &mut chunks, budget)?,
        ChunkIndex::Single(packed) => {
            let (len, left_out) = packed.unwrap_or((chunk_bytes, 0));
            chunks.push(Chunk { corner: shape.iter().map(|_| 0).collect(), address: layout.address, len, left_out });
        }
        ChunkIndex::InARow => {
            for place in 0..expected {
                budget.work(CHUNK_BYTES)?;
                budget.take(CHUNK_BYTES)?;
                let address = Size::new(place).times(chunk_bytes)?.plus(layout.address)?.get();
                let corner = corner(place, &grid, &layout.sides)?;
                chunks.push(Chunk { corner, address, len: chunk_bytes, left_out: 0 });
            }
        }
        ChunkIndex::FixedArray => {
            fixed_array(source, layout, &grid, chunk_bytes, filtered, &mut chunks, budget)?;
        }
    }
    let on_grid = |chunk: &Chunk| {
        let mut axes = chunk.corner.iter().zip(&layout.sides).zip(shape);
        axes.all(|((&start, &side), &extent)| start < extent && start.checked_rem(side) == Some(0))
    };
    let distinct: BTreeSet<&Vec<u64>> = chunks.iter().map(|chunk| &chunk.corner).collect();
    if count(&chunks) != expected || distinct.len() != chunks.len() || !chunks.iter().all(on_grid) {
        return Err(wrong());
    }
    Ok(chunks)
}

/// The corner of the chunk at `place` of a row-major grid.
fn corner(place: u64, grid: &[u64], sides: &[u64]) -> Result<Vec<u64>, WeightsError> {
    let mut left = place;
    let mut corner = Vec::new();
    for (&chunks, &side) in grid.iter().zip(sides).rev() {
        let step = left.checked_rem(chunks).unwrap_or_default();
        corner.push(Size::new(step).times(side)?.get());
        left = left.checked_div(chunks).unwrap_or_default();
    }
    corner.reverse();
    Ok(corner)
}

/// Collects the chunks below one node of a B-tree of version 1, at most `expected` in all.
fn tree(
    source: &mut Source<'_>,
    address: u64,
    level: Option<u8>,
    sides: usize,
    expected: u64,
    chunks: &mut Vec<Chunk>,
    budget: &mut Budget,
) -> Result<(), WeightsError> {
    let bytes = table(source, address, 24, budget)?;
    let mut head = Fields::new(&bytes);
    expect(&mut head, b"TREE\x01")?;
    let (own_level, entries) = (head.byte()?, u64::from(head.u16()?));
    if u32::from(own_level) > NESTING_LIMIT || level.is_some_and(|level| level != own_level) {
        return Err(WeightsError::malformed("a B-tree's levels do not fall"));
    }
    // A key: length, filters left out, the corner and a zero for the element; then the child's address.
    let key_bytes = Size::new(u64::try_from(sides).unwrap_or(u64::MAX)).times(8)?.plus(24)?;
    let body = table(source, Size::new(address).plus(24)?.get(), key_bytes.times(entries)?.get(), budget)?;
    // Held while the tables below it are read.
    budget.take(count(&body))?;
    let mut fields = Fields::new(&body);
    for _ in 0..entries {
        let (len, left_out) = (u64::from(fields.u32()?), fields.u32()?);
        let corner = (0..sides).map(|_| fields.u64()).collect::<Result<Vec<u64>, _>>()?;
        let (_element, child) = (fields.u64()?, fields.u64()?);
        match own_level.checked_sub(1) {
            Some(level) => tree(source, child, Some(level), sides, expected, chunks, budget)?,
            None => {
                if count(chunks) >= expected {
                    return Err(WeightsError::malformed("an HDF5 dataset has more chunks than fit into it"));
                }
                budget.take(CHUNK_BYTES)?;
                chunks.push(Chunk { corner, address: child, len, left_out });
            }
        }
    }
    budget.give_back(count(&body));
    Ok(())
}

/// Collects the chunks of a table: a header "FAHD" and, in one block "FADB", an entry a chunk.
fn fixed_array(
    source: &mut Source<'_>,
    layout: &ChunkedLayout,
    grid: &[u64],
    chunk_bytes: u64,
    filtered: bool,
    chunks: &mut Vec<Chunk>,
    budget: &mut Budget,
) -> Result<(), WeightsError> {
    let bytes = table(source, layout.address, 28, budget)?;
    let mut head = Fields::new(&bytes);
    expect(&mut head, b"FAHD\0")?;
    let (client, entry_bytes, page_bits) = (head.byte()?, head.byte()?, head.byte()?);
    let (entries, block) = (head.u64()?, head.u64()?);
    let len_bytes = if filtered { entry_bytes.saturating_sub(12) } else { 0 };
    if (client == 1) != filtered || entries != Size::product(grid)?.get() || entry_bytes < 8 {
        return Err(WeightsError::malformed("the table of an HDF5 dataset's chunks has another length"));
    }
    let paged = 1_u64.checked_shl(page_bits.into()).is_none_or(|page| entries > page);
    if paged || block == NOWHERE || len_bytes > 8 {
        return Err(WeightsError::Unsupported("an HDF5 dataset of thousands of chunks".to_owned()));
    }
    let bytes = table(source, block, Size::new(entries).times(entry_bytes.into())?.plus(14)?.get(), budget)?;
    let mut fields = Fields::new(&bytes);
    expect(&mut fields, b"FADB\0")?;
    fields.take(9)?;
    for place in 0..entries {
        let address = fields.u64()?;
        let (mut len, mut left_out) = (chunk_bytes, 0);
        if filtered {
            // As many bytes as the longest chunk needs, least significant first.
            let digits = fields.take(len_bytes.into())?;
            len = digits.iter().rev().fold(0_u64, |len, &digit| len.wrapping_shl(8) | u64::from(digit));
            left_out = fields.u32()?;
        }
        budget.take(CHUNK_BYTES)?;
        chunks.push(Chunk { corner: corner(place, grid, &layout.sides)?, address, len, left_out });
    }
    Ok(())
}
