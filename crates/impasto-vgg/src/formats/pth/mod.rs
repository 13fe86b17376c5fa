//! PyTorch's state dicts, as `torch.save` writes them.
//!
//! ```text
//! since 1.6, a zip archive       NAME/data.pkl      the dictionary, tensors by key
//!                                NAME/data/KEY      a storage: the numbers of one or more tensors
//!                                NAME/byteorder     "little" or "big"
//! before                         four pickles (magic number, protocol, about the machine, the dictionary), a pickle
//!                                with the storages' keys, then each storage: its length in elements u64, its numbers
//!
//! a tensor in the pickle         _rebuild_tensor_v2(("storage", FloatStorage, KEY, place, elements), offset, size, stride, ...)
//! ```
//!
//! [`pickle`] reads the pickle without running it, and [`view`] finds the tensors in what it says. A tensor is a view of a
//! storage, so its offset, size and strides are checked against the storage's length, and that against the file's.

mod pickle;
mod view;
mod zip;

use std::collections::BTreeMap;

use super::budget::{Budget, HEADER_LIMIT_BYTES, Size, count};
use super::convention::Input;
use super::element::{Element, read_values};
use super::names::{self, Entry, Naming, quoted};
use super::source::{Fields, Source};
use super::{Axes, ConvolutionShape, Format, Found, Tensors, read_convolutions};
use crate::weights::WeightsError;
use pickle::{Node, Pickle};
use view::{View, entry, views};
use zip::{Archive, Part, ZipEntry};

/// What the first pickle of the older format holds, least significant byte first.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The start of such a file: a pickle of protocol 2 that pushes a number of ten bytes.
pub const LEGACY_START: [u8; 4] = [0x80, 2, 0x8a, 10];

/// Reads `table` from a zip archive of `torch.save`.
pub fn read_zip(
    source: &mut Source<'_>,
    table: &[ConvolutionShape],
    budget: &mut Budget,
) -> Result<Found, WeightsError> {
    let archive = zip::open(source, budget)?;
    let mut tables = archive.iter().filter(|(name, _)| name.ends_with("/data.pkl"));
    let (Some((name, entry)), None) = (tables.next(), tables.next()) else {
        return Err(WeightsError::Unsupported(
            "a zip archive without one data.pkl, so it is no PyTorch state dict".into(),
        ));
    };
    let folder = name.trim_end_matches("data.pkl").to_owned();
    let bytes = zip::contents(source, entry, budget)?;
    let pickle = pickle::read(&mut Fields::new(&bytes), budget)?;
    let big_endian = match archive.get(&format!("{folder}byteorder")) {
        Some(entry) => zip::contents(source, entry, budget)? == b"big",
        None => false,
    };
    let views = views(&pickle, budget)?;
    let file = StateDict::new(source, views, big_endian, Storages::Zip { archive, folder });
    read(file, table, budget)
}

/// Reads `table` from a file of `torch.save` before version 1.6.
pub fn read_legacy(
    source: &mut Source<'_>,
    table: &[ConvolutionShape],
    budget: &mut Budget,
) -> Result<Found, WeightsError> {
    let start_len = source.len().min(HEADER_LIMIT_BYTES);
    let start = source.bytes_at(0, start_len, budget)?;
    let mut fields = Fields::new(&start);
    let magic = pickle::read(&mut fields, budget)?;
    if *magic.node(magic.root) != Node::Bytes(MAGIC.to_vec()) {
        return Err(WeightsError::Unsupported("a bare Python pickle; a PyTorch state dict is expected".to_owned()));
    }
    let protocol = pickle::read(&mut fields, budget)?;
    if *protocol.node(protocol.root) != Node::Whole(1001) {
        return Err(WeightsError::Unsupported("an unknown protocol of torch.save".to_owned()));
    }
    let machine = pickle::read(&mut fields, budget)?;
    let big_endian = matches!(entry(&machine, machine.root, "little_endian"), Some(Node::Whole(0)));
    let dictionary = pickle::read(&mut fields, budget)?;
    let keys = pickle::read(&mut fields, budget)?;
    let views = views(&dictionary, budget)?;
    let data_offset = Size::new(start_len).minus(count(fields.rest()))?;
    let storages = legacy_storages(source, &keys, &dictionary, data_offset, big_endian)?;
    read(StateDict::new(source, views, big_endian, Storages::Legacy(storages)), table, budget)
}

fn read(mut file: StateDict<'_, '_>, table: &[ConvolutionShape], budget: &mut Budget) -> Result<Found, WeightsError> {
    let entries = file.entries.clone();
    let index = names::index(&entries)?;
    let (naming, prefix) = names::recognise(&index, table)?;
    let places = names::locate(&index, table, naming, prefix)?;
    let convolutions = read_convolutions(&mut file, table, &places, Axes::OutInHeightWidth, budget)?;
    let input = if naming == Naming::Torchvision { Input::Torchvision } else { Input::Ours };
    Ok(Found::of(Format::Pth, convolutions, input))
}

/// Where storages lie.
enum Storages {
    Zip {
        archive: Archive,
        folder: String,
    },
    /// Offsets in the file, by key.
    Legacy(BTreeMap<String, u64>),
}

struct StateDict<'source, 'file> {
    source: &'source mut Source<'file>,
    entries: Vec<Entry>,
    views: Vec<View>,
    big_endian: bool,
    storages: Storages,
    /// Values that were read before they are asked for, by place.
    ahead: BTreeMap<usize, Vec<f32>>,
}

impl<'source, 'file> StateDict<'source, 'file> {
    fn new(
        source: &'source mut Source<'file>,
        views: Vec<(String, View)>,
        big_endian: bool,
        storages: Storages,
    ) -> Self {
        let entries = views.iter().map(|(name, view)| Entry { name: name.clone(), shape: view.size.clone() }).collect();
        let views = views.into_iter().map(|(_, view)| view).collect();
        StateDict { source, entries, views, big_endian, storages, ahead: BTreeMap::new() }
    }
}

impl Tensors for StateDict<'_, '_> {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A zip archive's storages are read from front to back, once each where no two tensors overlap: each pass compares the
    /// whole with its checksum, and what is deflated cannot be entered in its middle.
    fn read_ahead(&mut self, places: &[usize], budget: &mut Budget) -> Result<(), WeightsError> {
        let Storages::Zip { .. } = self.storages else { return Ok(()) };
        let mut by_storage: BTreeMap<&str, Vec<(Part, usize)>> = BTreeMap::new();
        for &place in places {
            let view = self.views.get(place).ok_or(WeightsError::Unknown)?;
            by_storage.entry(&view.storage).or_default().push((self.span(view)?.part, place));
        }
        let mut read = Vec::new();
        for mut waiting in by_storage.into_values() {
            waiting.sort_unstable();
            while !waiting.is_empty() {
                let mut end = 0;
                let (now, later) = waiting.into_iter().partition(|(part, _)| {
                    let follows = part.from >= end;
                    if follows {
                        end = part.from.saturating_add(part.len);
                    }
                    follows
                });
                read.push(now);
                waiting = later;
            }
        }
        read.into_iter().try_for_each(|tensors| self.read_pass(tensors, budget))
    }

    fn values(&mut self, place: usize, budget: &mut Budget) -> Result<Vec<f32>, WeightsError> {
        let view = self.views.get(place).ok_or(WeightsError::Unknown)?;
        if let Storages::Legacy(offsets) = &self.storages {
            let Span { element, elements, part } = self.span(view)?;
            let start = offsets.get(&view.storage).copied().ok_or_else(|| missing_storage(&view.storage))?;
            let offset = Size::new(start).plus(part.from)?;
            let values = read_values(&mut self.source.stream(offset.get(), part.len)?, element, elements, budget)?;
            return view.gather(values, budget);
        }
        if !self.ahead.contains_key(&place) {
            self.read_ahead(&[place], budget)?;
        }
        self.ahead.remove(&place).ok_or(WeightsError::Unknown)
    }
}

/// The elements that a tensor spans in its storage.
struct Span {
    element: Element,
    elements: u64,
    part: Part,
}

impl StateDict<'_, '_> {
    /// Where a tensor lies in its storage.
    fn span(&self, view: &View) -> Result<Span, WeightsError> {
        let kind = view.kind.ok_or_else(|| WeightsError::Unsupported("whole numbers for weights".to_owned()))?;
        let element = Element { kind, big_endian: self.big_endian };
        let elements = view.span()?;
        if Size::new(view.offset).plus(elements)?.get() > view.storage_len {
            return Err(WeightsError::malformed("a tensor reaches beyond its storage"));
        }
        let from = Size::new(view.offset).times(element.size_bytes())?.get();
        let len = Size::new(elements).times(element.size_bytes())?.get();
        Ok(Span { element, elements, part: Part { from, len } })
    }

    /// Reads some tensors of one storage, which stand in order and do not overlap.
    fn read_pass(&mut self, tensors: Vec<(Part, usize)>, budget: &mut Budget) -> Result<(), WeightsError> {
        let mut spans = Vec::new();
        for &(_, place) in &tensors {
            let view = self.views.get(place).ok_or(WeightsError::Unknown)?;
            spans.push((place, view, self.span(view)?));
        }
        let (Storages::Zip { archive, folder }, Some((_, first, _))) = (&self.storages, spans.first()) else {
            return Ok(());
        };
        let entry = archive.get(&format!("{folder}data/{}", first.storage));
        let entry = entry.ok_or_else(|| missing_storage(&first.storage))?;
        for (_, view, span) in &spans {
            check_len(entry, view, span.element)?;
        }
        let parts: Vec<Part> = tensors.iter().map(|&(part, _)| part).collect();
        let ahead = &mut self.ahead;
        zip::read_through(self.source, entry, &parts, budget, |number, reader, budget| {
            let (place, view, Span { element, elements, .. }) = spans.get(number).ok_or(WeightsError::Unknown)?;
            let values = read_values(reader, *element, *elements, budget)?;
            ahead.insert(*place, view.gather(values, budget)?);
            Ok(())
        })
    }
}

fn missing_storage(key: &str) -> WeightsError {
    WeightsError::malformed(format!("the storage {} is missing", quoted(key)))
}

fn check_len(entry: &ZipEntry, view: &View, element: Element) -> Result<(), WeightsError> {
    if Size::new(view.storage_len).times(element.size_bytes())?.get() == entry.len {
        return Ok(());
    }
    Err(WeightsError::malformed(format!("the storage {} is not as long as announced", quoted(&view.storage))))
}

/// Bytes an element of any storage, those of whole numbers included.
fn storage_element_bytes(class: &str) -> Option<u64> {
    Some(match class {
        "torch.DoubleStorage" | "torch.LongStorage" => 8,
        "torch.FloatStorage" | "torch.IntStorage" => 4,
        "torch.HalfStorage" | "torch.BFloat16Storage" | "torch.ShortStorage" => 2,
        "torch.CharStorage" | "torch.ByteStorage" | "torch.BoolStorage" => 1,
        _ => return None,
    })
}

/// Where each storage's numbers lie in a file of the older format: they follow each other in the order of `keys`.
fn legacy_storages(
    source: &mut Source<'_>,
    keys: &Pickle,
    dictionary: &Pickle,
    data_offset: Size,
    big_endian: bool,
) -> Result<BTreeMap<String, u64>, WeightsError> {
    let mut lengths = BTreeMap::new();
    for node in &dictionary.nodes {
        let &Node::Outside(key) = node else { continue };
        let Node::Sequence(parts) = dictionary.node(key) else { continue };
        let &[_, class, key, _, len, ..] = parts.as_slice() else { continue };
        if let (Node::Global(class), Node::Text(key), &Node::Whole(len)) =
            (dictionary.node(class), dictionary.node(key), dictionary.node(len))
        {
            let element_bytes = storage_element_bytes(class).ok_or_else(|| missing_storage(key))?;
            let len = u64::try_from(len).map_err(|_| missing_storage(key))?;
            if lengths.insert(key.as_str(), (len, element_bytes)).is_some_and(|other| other != (len, element_bytes)) {
                return Err(WeightsError::malformed(format!("the storage {} has two lengths", quoted(key))));
            }
        }
    }
    let Node::Sequence(order) = keys.node(keys.root) else {
        return Err(WeightsError::malformed("it has no list of its storages"));
    };
    let mut offsets = BTreeMap::new();
    let mut offset = data_offset;
    for &key in order {
        let Node::Text(key) = keys.node(key) else {
            return Err(WeightsError::malformed("its list of storages holds something else"));
        };
        let &(len, element_bytes) = lengths.get(key.as_str()).ok_or_else(|| missing_storage(key))?;
        let own_len = source.array_at(offset.get())?;
        let own_len = if big_endian { u64::from_be_bytes(own_len) } else { u64::from_le_bytes(own_len) };
        if own_len != len {
            return Err(WeightsError::malformed(format!("the storage {} is not as long as announced", quoted(key))));
        }
        let start = offset.plus(8)?;
        offset = start.plus(Size::new(len).times(element_bytes)?.get())?;
        if offset.get() > source.len() || offsets.insert(key.clone(), start.get()).is_some() {
            return Err(WeightsError::malformed("its storages are cut off, or one stands in it twice"));
        }
    }
    Ok(offsets)
}
