//! HDF5 files of Keras: `vgg19_weights_tf_dim_ordering_tf_kernels*.h5`, and what `model.save_weights` and h5py write.
//!
//! ```text
//! superblock -> root group -> block1_conv1 -> block1_conv1 -> kernel:0   [3, 3, in, out], row-major
//!                                                             bias:0     [out]
//! ```
//!
//! A read-only subset in safe Rust: superblocks 0 to 3 with addresses of 8 bytes, groups old and new ([`group`]),
//! datasets of floating-point numbers in any layout that h5py writes for a tensor of fixed shape ([`dataset`]). Nothing
//! outside of the file is ever opened.

mod chunks;
mod dataset;
mod group;
mod object;

use std::collections::BTreeSet;

use super::budget::{Budget, ENTRY_LIMIT, NESTING_LIMIT, count};
use super::convention::Input;
use super::names::{self, Entry};
use super::source::{Fields, Source};
use super::{Axes, ConvolutionShape, Format, Found, Tensors, read_convolutions};
use crate::weights::WeightsError;
use dataset::Dataset;
use group::LINK_BYTES;

/// How an HDF5 file starts.
pub const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Reads `table` from an HDF5 file.
pub fn read(source: &mut Source<'_>, table: &[ConvolutionShape], budget: &mut Budget) -> Result<Found, WeightsError> {
    let root = superblock(source)?;
    let mut file = OpenFile { source, entries: Vec::new(), datasets: Vec::new() };
    file.walk(root, budget)?;
    let places = names::locate_keras(&file.entries, table).map_err(|error| file.unreadable_shape().unwrap_or(error))?;
    let convolutions = read_convolutions(&mut file, table, &places, Axes::HeightWidthInOut, budget)?;
    Ok(Found::of(Format::Hdf5, convolutions, Input::BlueFirst))
}

/// The address of the root group.
fn superblock(source: &mut Source<'_>) -> Result<u64, WeightsError> {
    let bytes: [u8; 96] = source.array_at(0)?;
    let mut fields = Fields::new(&bytes);
    object::expect(&mut fields, &SIGNATURE)?;
    let version = fields.byte()?;
    if version < 2 {
        fields.take(4)?;
    }
    let (offset_bytes, length_bytes) = (fields.byte()?, fields.byte()?);
    match version {
        // Reserved, the trees' widths, flags; version 1 has one width more.
        0 => fields.take(9)?,
        1 => fields.take(13)?,
        2 | 3 => fields.take(1)?,
        _ => return Err(WeightsError::Unsupported(format!("version {version} of HDF5"))),
    };
    let base = fields.u64()?;
    if offset_bytes != 8 || length_bytes != 8 || base != 0 {
        return Err(WeightsError::Unsupported(
            "HDF5 addresses that are not of 8 bytes from the file's start".to_owned(),
        ));
    }
    // Free space or extension, end of file; version 0 and 1: driver, and the root's name.
    fields.take(if version < 2 { 32 } else { 16 })?;
    fields.u64()
}

struct OpenFile<'source, 'file> {
    source: &'source mut Source<'file>,
    entries: Vec<Entry>,
    datasets: Vec<Dataset>,
}

impl OpenFile<'_, '_> {
    /// Finds every dataset below the group at `root`. An object that several names lead to is taken once, so groups that
    /// hold each other come to an end.
    fn walk(&mut self, root: u64, budget: &mut Budget) -> Result<(), WeightsError> {
        let mut seen = BTreeSet::new();
        let mut level = vec![(String::new(), root)];
        for _ in 0..NESTING_LIMIT {
            let mut next = Vec::new();
            for (path, address) in level {
                if !seen.insert(address) {
                    continue;
                }
                if seen.len() > usize::try_from(ENTRY_LIMIT).unwrap_or(usize::MAX) {
                    return Err(WeightsError::malformed("it holds more than 1,000 groups and datasets"));
                }
                let messages = object::messages(self.source, address, budget)?;
                if let Some(dataset) = Dataset::read(&messages) {
                    let shape = dataset.shape.clone().unwrap_or_default();
                    self.entries.push(Entry { name: path, shape });
                    self.datasets.push(dataset);
                    continue;
                }
                for (name, address) in group::links(self.source, &messages, budget)? {
                    let path = if path.is_empty() { name } else { format!("{path}/{name}") };
                    budget.take(count(path.as_bytes()).saturating_add(LINK_BYTES))?;
                    next.push((path, address));
                }
            }
            if next.is_empty() {
                return Ok(());
            }
            level = next;
        }
        Err(WeightsError::malformed("its groups nest deeper than 32"))
    }
}

impl OpenFile<'_, '_> {
    /// Why the first dataset whose sides cannot be read has none, and so was not found; an optimiser's do not count.
    fn unreadable_shape(&self) -> Option<WeightsError> {
        let weights = self.entries.iter().zip(&self.datasets).filter(|(entry, _)| !names::is_optimizer_state(entry));
        weights.filter_map(|(_, dataset)| dataset.shape.clone().err()).next()
    }
}

impl Tensors for OpenFile<'_, '_> {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn values(&mut self, place: usize, budget: &mut Budget) -> Result<Vec<f32>, WeightsError> {
        let dataset = self.datasets.get(place).ok_or(WeightsError::Unknown)?;
        dataset.values(self.source, budget)
    }
}
