//! HDF5's datasets: a shape, a type, and numbers in one piece or in chunks, which may be compressed.
//!
//! ```text
//! compact      the numbers stand in the layout message
//! contiguous   address, length
//! chunked      an index from a chunk's corner to its address and length: a B-tree (version 3 of the layout message),
//!              one chunk, all in a row, or a table (versions 4 and 5)
//! ```
//!
//! Chunks all have one shape and reach over the dataset's edge. What a chunk went through on its way to the disk (shuffle,
//! then deflate) is undone in reverse. (Specification, section IV.A.2.)

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::super::budget::{Budget, NESTING_LIMIT, Size, count};
use super::super::element::{Element, Kind, read_values};
use super::super::source::{Fields, Source};
use super::chunks::{Chunk, ChunkIndex, ChunkedLayout, chunks};
use super::object::{DATASPACE, DATATYPE, EXTERNAL_FILES, FILTERS, LAYOUT, Message, NOWHERE, message};
use crate::weights::WeightsError;

/// The most sides of a dataset.
const SIDES_LIMIT: u8 = 8;

/// What a dataset's messages say. A file may hold more than weights (what an optimiser keeps), so what cannot be read is
/// no error until someone asks for its values.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its sides, outermost first; an error where they cannot be read.
    pub shape: Result<Vec<u64>, WeightsError>,
    storage: Result<Storage, WeightsError>,
}

/// Of what type a dataset's numbers are, and where they lie.
#[derive(Clone, Debug)]
struct Storage {
    /// None for types that are no floating-point numbers.
    element: Option<Element>,
    layout: Layout,
    filters: Vec<Filter>,
}

#[derive(Clone, Debug)]
enum Layout {
    Compact(Vec<u8>),
    Contiguous { address: u64, len: u64 },
    Chunked(ChunkedLayout),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Deflate,
    Shuffle { element_bytes: u64 },
}

impl Dataset {
    /// Reads an object's messages; none where it is no dataset.
    pub fn read(messages: &[Message]) -> Option<Dataset> {
        let (Some(space), Some(kind), Some(layout)) =
            (message(messages, DATASPACE), message(messages, DATATYPE), message(messages, LAYOUT))
        else {
            return None;
        };
        let shape = dataspace(space);
        let sides = shape.as_ref().map_or(0, Vec::len);
        let storage = Storage::read(messages, kind, layout, sides);
        Some(Dataset { shape, storage })
    }

    /// The numbers, row-major.
    ///
    /// # Errors
    /// What stands in the way of reading them.
    pub fn values(&self, source: &mut Source<'_>, budget: &mut Budget) -> Result<Vec<f32>, WeightsError> {
        let shape = self.shape.as_ref().map_err(WeightsError::clone)?;
        let storage = self.storage.as_ref().map_err(WeightsError::clone)?;
        storage.values(shape, source, budget)
    }
}

impl Storage {
    /// From a dataset of so many sides.
    fn read(messages: &[Message], kind: Fields<'_>, layout: Fields<'_>, sides: usize) -> Result<Storage, WeightsError> {
        if message(messages, EXTERNAL_FILES).is_some() {
            return Err(WeightsError::Unsupported("numbers that lie in another file".to_owned()));
        }
        let element = datatype(kind)?;
        let layout = layout_message(layout, sides)?;
        let filters = message(messages, FILTERS).map_or(Ok(Vec::new()), filter_pipeline)?;
        Ok(Storage { element, layout, filters })
    }

    /// See [`Dataset::values`].
    fn values(&self, shape: &[u64], source: &mut Source<'_>, budget: &mut Budget) -> Result<Vec<f32>, WeightsError> {
        let element = self.element.ok_or_else(|| {
            WeightsError::Unsupported("other numbers than floating-point ones for weights".to_owned())
        })?;
        let elements = Size::product(shape)?;
        let bytes = elements.times(element.size_bytes())?.get();
        let wrong_length = || WeightsError::malformed("an HDF5 dataset is not as long as its shape says");
        match &self.layout {
            Layout::Compact(data) if count(data) == bytes => {
                read_values(&mut data.as_slice(), element, elements.get(), budget)
            }
            Layout::Contiguous { address, len } if *len == bytes && *address != NOWHERE => {
                read_values(&mut source.stream(*address, bytes)?, element, elements.get(), budget)
            }
            Layout::Chunked(layout) => self.chunked_values(shape, source, layout, element, budget),
            _ => Err(wrong_length()),
        }
    }

    fn chunked_values(
        &self,
        shape: &[u64],
        source: &mut Source<'_>,
        layout: &ChunkedLayout,
        element: Element,
        budget: &mut Budget,
    ) -> Result<Vec<f32>, WeightsError> {
        let elements = Size::product(&layout.sides)?;
        let chunk_bytes = elements.times(element.size_bytes())?.get();
        let chunks = chunks(source, layout, shape, chunk_bytes, !self.filters.is_empty(), budget)?;
        let len = Size::product(shape)?;
        let mut values = budget.room_for::<f32>(len.get())?;
        values.resize(len.index()?, 0.0);
        for chunk in &chunks {
            let bytes = self.chunk_bytes(source, chunk, chunk_bytes, budget)?;
            let numbers = read_values(&mut bytes.as_slice(), element, elements.get(), budget)?;
            place_chunk(&numbers, &layout.sides, &chunk.corner, shape, &mut values)?;
            budget.give_back(Size::new(chunk_bytes).plus(elements.times(4)?.get())?.get());
        }
        Ok(values)
    }

    /// A chunk's bytes with its filters undone; `len` of them are charged.
    fn chunk_bytes(
        &self,
        source: &mut Source<'_>,
        chunk: &Chunk,
        len: u64,
        budget: &mut Budget,
    ) -> Result<Vec<u8>, WeightsError> {
        let mut bytes = budget.zeros(len)?;
        let used = |place: usize| {
            let bit = u32::try_from(place).ok().and_then(|place| 1_u32.checked_shl(place));
            bit.is_some_and(|bit| chunk.left_out & bit == 0)
        };
        let packed = self.filters.iter().enumerate().any(|(place, filter)| *filter == Filter::Deflate && used(place));
        let mut stream = source.stream(chunk.address, chunk.len)?;
        budget.work(len)?;
        let mut behind = [0];
        let more = if packed {
            let mut decoder = ZlibDecoder::new(stream);
            decoder.read_exact(&mut bytes).map_err(WeightsError::from_io)?;
            decoder.read(&mut behind).map_err(WeightsError::from_io)?
        } else {
            stream.read_exact(&mut bytes).map_err(WeightsError::from_io)?;
            stream.read(&mut behind).map_err(WeightsError::from_io)?
        };
        if more > 0 {
            return Err(WeightsError::malformed("an HDF5 chunk is longer than its shape says"));
        }
        for (place, filter) in self.filters.iter().enumerate().rev() {
            if let (Filter::Shuffle { element_bytes }, true) = (filter, used(place)) {
                bytes = unshuffle(&bytes, *element_bytes, budget)?;
            }
        }
        Ok(bytes)
    }
}

/// Undoes the shuffle: all first bytes, then all second bytes, ... become elements again.
fn unshuffle(bytes: &[u8], element_bytes: u64, budget: &mut Budget) -> Result<Vec<u8>, WeightsError> {
    let width = Size::new(element_bytes).index()?;
    let elements = bytes.len().checked_div(width).unwrap_or_default();
    if elements == 0 || elements.checked_mul(width) != Some(bytes.len()) {
        return Err(WeightsError::malformed("a shuffled HDF5 chunk is not made of whole elements"));
    }
    let mut whole = budget.zeros(count(bytes))?;
    for (place, plane) in bytes.chunks_exact(elements).enumerate() {
        for (element, &byte) in whole.chunks_exact_mut(width).zip(plane) {
            if let Some(target) = element.get_mut(place) {
                *target = byte;
            }
        }
    }
    budget.give_back(count(bytes));
    Ok(whole)
}

/// Copies what of a chunk lies inside of the dataset to its place, a run along the last side at a time.
fn place_chunk(
    chunk: &[f32],
    sides: &[u64],
    corner: &[u64],
    shape: &[u64],
    values: &mut [f32],
) -> Result<(), WeightsError> {
    let outside = || WeightsError::malformed("an HDF5 chunk lies outside of its dataset");
    // Pairs of offsets, in the chunk and in the dataset, of each row that both have; grown an axis at a time.
    let mut rows = vec![(Size::new(0), Size::new(0))];
    let mut run = 1;
    for (axis, ((&side, &start), &extent)) in sides.iter().zip(corner).zip(shape).enumerate() {
        let inside = extent.checked_sub(start).ok_or_else(outside)?.min(side);
        let last = axis.saturating_add(1) == shape.len();
        let steps = if last { 1 } else { inside };
        run = inside;
        let mut next = Vec::new();
        for (in_chunk, in_dataset) in rows {
            let (in_chunk, in_dataset) = (in_chunk.times(side)?, in_dataset.times(extent)?.plus(start)?);
            for step in 0..steps {
                next.push((in_chunk.plus(step)?, in_dataset.plus(step)?));
            }
        }
        rows = next;
    }
    for (in_chunk, in_dataset) in rows {
        let from = chunk.get(in_chunk.index()?..in_chunk.plus(run)?.index()?).ok_or_else(outside)?;
        let to = values.get_mut(in_dataset.index()?..in_dataset.plus(run)?.index()?).ok_or_else(outside)?;
        to.copy_from_slice(from);
    }
    Ok(())
}

fn dataspace(mut fields: Fields<'_>) -> Result<Vec<u64>, WeightsError> {
    let (version, sides, _flags) = (fields.byte()?, fields.byte()?, fields.byte()?);
    match version {
        1 => fields.take(5)?,
        2 => fields.take(1)?,
        _ => return Err(WeightsError::malformed("an HDF5 dataset's shape has an unknown version")),
    };
    if sides > SIDES_LIMIT {
        return Err(WeightsError::malformed("an HDF5 dataset has more than 8 sides"));
    }
    (0..sides).map(|_| fields.u64()).collect()
}

/// The element type; none for anything but IEEE numbers and bfloat16.
fn datatype(mut fields: Fields<'_>) -> Result<Option<Element>, WeightsError> {
    let class = fields.byte()? & 0x0f;
    let [bits, sign, _] = fields.array()?;
    let size = fields.u32()?;
    if class != 1 {
        return Ok(None);
    }
    let (offset, precision) = (fields.u16()?, fields.u16()?);
    let places: [u8; 4] = fields.array()?;
    let bias = fields.u32()?;
    // Sign, exponent's place and length, mantissa's place and length, bias.
    let kind = match (size, sign, places, bias) {
        (2, 15, [10, 5, 0, 10], 15) => Kind::F16,
        (2, 15, [7, 8, 0, 7], 127) => Kind::Bf16,
        (4, 31, [23, 8, 0, 23], 127) => Kind::F32,
        (8, 63, [52, 11, 0, 52], 1023) => Kind::F64,
        _ => return Ok(None),
    };
    let whole = offset == 0 && u64::from(precision) == u64::from(size).saturating_mul(8);
    // Bits 0 and 6 are the byte order, bits 4 and 5 say that the mantissa's first bit is implied.
    Ok(match bits & 0x71 {
        0x20 if whole => Some(Element { kind, big_endian: false }),
        0x21 if whole => Some(Element { kind, big_endian: true }),
        _ => None,
    })
}

fn layout_message(mut fields: Fields<'_>, sides: usize) -> Result<Layout, WeightsError> {
    let version = fields.byte()?;
    if version < 3 {
        return old_layout(fields, sides);
    }
    if version > 5 {
        return Err(WeightsError::Unsupported(format!("version {version} of HDF5's layouts")));
    }
    match fields.byte()? {
        0 => {
            let len = fields.u16()?;
            Ok(Layout::Compact(fields.take(len.into())?.to_vec()))
        }
        1 => Ok(Layout::Contiguous { address: fields.u64()?, len: fields.u64()? }),
        2 if version == 3 => {
            let dimensions = fields.byte()?;
            let address = fields.u64()?;
            let sides = chunk_sides(&mut fields, dimensions, 4, sides)?;
            Ok(Layout::Chunked(ChunkedLayout { sides, address, index: ChunkIndex::Tree }))
        }
        2 => {
            let (flags, dimensions, width) = (fields.byte()?, fields.byte()?, fields.byte()?);
            let sides = chunk_sides(&mut fields, dimensions, width, sides)?;
            let index = match fields.byte()? {
                1 if flags & 2 != 0 => ChunkIndex::Single(Some((fields.u64()?, fields.u32()?))),
                1 => ChunkIndex::Single(None),
                2 => ChunkIndex::InARow,
                3 => {
                    fields.byte()?;
                    ChunkIndex::FixedArray
                }
                _ => return Err(WeightsError::Unsupported("an HDF5 dataset that can grow".to_owned())),
            };
            Ok(Layout::Chunked(ChunkedLayout { sides, address: fields.u64()?, index }))
        }
        _ => Err(WeightsError::Unsupported("an HDF5 dataset made of others".to_owned())),
    }
}

/// Versions 1 and 2.
fn old_layout(mut fields: Fields<'_>, sides: usize) -> Result<Layout, WeightsError> {
    let (dimensions, class) = (fields.byte()?, fields.byte()?);
    fields.take(5)?;
    match class {
        1 => {
            let address = fields.u64()?;
            let lengths = (0..dimensions.min(SIDES_LIMIT)).map(|_| fields.u32().map(u64::from));
            let lengths = lengths.collect::<Result<Vec<u64>, _>>()?;
            Ok(Layout::Contiguous { address, len: Size::product(&lengths)?.get() })
        }
        2 => {
            let address = fields.u64()?;
            let sides = chunk_sides(&mut fields, dimensions, 4, sides)?;
            Ok(Layout::Chunked(ChunkedLayout { sides, address, index: ChunkIndex::Tree }))
        }
        _ => Err(WeightsError::Unsupported("an old kind of HDF5 dataset".to_owned())),
    }
}

/// The sides of a chunk, behind which stands the length of an element.
fn chunk_sides(fields: &mut Fields<'_>, dimensions: u8, width: u8, sides: usize) -> Result<Vec<u64>, WeightsError> {
    let wrong = || WeightsError::malformed("an HDF5 dataset's chunks have other sides than it has");
    if Some(usize::from(dimensions)) != sides.checked_add(1) {
        return Err(wrong());
    }
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        // Widths that are no power of two are allowed by the specification and written by no one.
        lengths.push(fields.unsigned(width)?);
    }
    lengths.pop();
    if lengths.contains(&0) { Err(wrong()) } else { Ok(lengths) }
}

fn filter_pipeline(mut fields: Fields<'_>) -> Result<Vec<Filter>, WeightsError> {
    let (version, filters) = (fields.byte()?, fields.byte()?);
    if u32::from(filters) > NESTING_LIMIT {
        return Err(WeightsError::malformed("an HDF5 dataset has more than 32 filters"));
    }
    if version == 1 {
        fields.take(6)?;
    }
    let mut pipeline = Vec::new();
    for _ in 0..filters {
        let id = fields.u16()?;
        let name_len = if version == 1 || id >= 256 { fields.u16()? } else { 0 };
        let (_flags, values) = (fields.u16()?, fields.u16()?);
        fields.take(Size::new(name_len.into()).rounded_up(if version == 1 { 8 } else { 1 })?.get())?;
        let first = if values > 0 { u64::from(fields.u32()?) } else { 0 };
        let rest = u64::from(values.saturating_sub(1)).saturating_mul(4);
        let padding = if version == 1 && values % 2 == 1 { 4 } else { 0 };
        fields.take(rest)?;
        fields.take(padding)?;
        pipeline.push(match id {
            1 => Filter::Deflate,
            2 => Filter::Shuffle { element_bytes: first },
            _ => return Err(WeightsError::Unsupported(format!("HDF5's filter {id}"))),
        });
    }
    Ok(pipeline)
}
