//! Which tensor of a file is which convolution: the names that each library gives them.
//!
//! ```text
//! impasto       conv2_1.weight            conv2_1.bias          (also after a prefix that ends in a dot)
//! torchvision   features.5.weight         features.5.bias       (its place in the list of layers, ReLUs and poolings too;
//!                                                                the list by another name or none: features.module.5.weight, 5.weight)
//! Keras         .../block2_conv1/.../kernel:0   bias:0          (older: block2_conv1_W_1:0; Keras 3: layers/conv2d_2/vars/0)
//! ```

use std::collections::BTreeMap;

use super::budget::count;
use super::{ConvolutionShape, WeightsError};

/// A tensor as a file's table of contents has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, or its path with slashes.
    pub name: String,
    /// Its sides, outermost first.
    pub shape: Vec<u64>,
}

/// Whose names a file uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// impasto's own.
    Impasto,
    /// torchvision's.
    Torchvision,
}

/// Where one convolution's tensors stand in the table of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the kernel.
    pub weight: usize,
    /// Index of the bias.
    pub bias: usize,
}

/// The table of contents, by name.
pub type Index<'entries> = BTreeMap<&'entries str, usize>;

/// Indexes a table of contents.
///
/// # Errors
/// Where a name stands in it twice: two readers could take different ones.
pub fn index(entries: &[Entry]) -> Result<Index<'_>, WeightsError> {
    let mut index = Index::new();
    for (place, entry) in entries.iter().enumerate() {
        if index.insert(&entry.name, place).is_some() {
            return Err(WeightsError::malformed(format!("the name {} stands in it twice", quoted(&entry.name))));
        }
    }
    Ok(index)
}

/// Bytes of a quoted name, at most, as it is shown: a character that cannot be shown takes up to ten.
const QUOTED_BYTES: usize = 80;

/// A name from a file, fit for a sentence: short, on one line.
pub fn quoted(name: &str) -> String {
    let mut shown = String::new();
    for character in name.chars() {
        let escaped = character.escape_debug().to_string();
        if shown.len().saturating_add(escaped.len()) > QUOTED_BYTES {
            shown.push_str("...");
            break;
        }
        shown.push_str(&escaped);
    }
    format!("\"{shown}\"")
}

/// Whose names these are, and the prefix that stands before each (`module.` and the like).
pub fn recognise<'entries>(
    index: &Index<'entries>,
    table: &[ConvolutionShape],
) -> Result<(Naming, &'entries str), WeightsError> {
    let first = table.first().ok_or_else(|| WeightsError::Missing("conv1_1".to_owned()))?;
    let own = format!("{}.bias", first.name());
    let before = |suffix: &str, is_list: &dyn Fn(&str) -> bool| {
        index.keys().find_map(|name| {
            let prefix = name.strip_suffix(suffix)?;
            ((prefix.is_empty() || prefix.ends_with('.')) && is_list(prefix)).then_some(prefix)
        })
    };
    if let Some(prefix) = before(&own, &|_| true) {
        return Ok((Naming::Impasto, prefix));
    }
    // A list by another name is one where the last layer is there too: a classifier has a layer 0 as well.
    let last = torchvision_place(table, table.len().saturating_sub(1));
    let is_whole = |prefix: &str| index.contains_key(format!("{prefix}{last}.bias").as_str());
    let features = |prefix: &str| prefix == "features." || prefix.ends_with(".features.");
    match before("0.bias", &features).or_else(|| before("0.bias", &is_whole)) {
        Some(prefix) => Ok((Naming::Torchvision, prefix)),
        None => Err(WeightsError::Missing(own)),
    }
}

/// The network of the same family whose tensors these are, where VGG-19's are missing from a list that begins with `prefix`.
fn relative(index: &Index<'_>, prefix: &str) -> Option<&'static str> {
    let has = |name: &str| index.contains_key(format!("{prefix}{name}").as_str());
    // Places that VGG-19 leaves to a ReLU or a pooling.
    let places = [
        ("1.running_mean", "a network with batch normalisation, as torchvision's vgg19_bn"),
        ("17.bias", "VGG-16"),
        ("15.bias", "VGG-13"),
        ("3.bias", "VGG-11"),
    ];
    places.into_iter().find(|(place, _)| has(place)).map(|(_, name)| name)
}

/// Finds each convolution of `table` in files of impasto's and torchvision's names.
pub fn locate(
    index: &Index<'_>,
    table: &[ConvolutionShape],
    naming: Naming,
    prefix: &str,
) -> Result<Vec<Place>, WeightsError> {
    let find = |name: String| {
        let place = index.get(name.as_str()).copied();
        place.ok_or_else(|| match relative(index, prefix).filter(|_| naming == Naming::Torchvision) {
            Some(relative) => WeightsError::OtherNetwork(relative),
            None => WeightsError::Missing(name),
        })
    };
    table
        .iter()
        .enumerate()
        .map(|(place, shape)| {
            let stem = match naming {
                Naming::Torchvision => format!("{prefix}{}", torchvision_place(table, place)),
                Naming::Impasto => format!("{prefix}{}", shape.name()),
            };
            Ok(Place { weight: find(format!("{stem}.weight"))?, bias: find(format!("{stem}.bias"))? })
        })
        .collect()
}

/// Place of the `convolution`-th convolution in torchvision's `features`: every convolution brings a ReLU, every block a
/// pooling.
pub fn torchvision_place(table: &[ConvolutionShape], convolution: usize) -> u64 {
    let before = table.get(..convolution).unwrap_or_default();
    let block = table.get(convolution).map_or(1, |shape| shape.block);
    let poolings = u64::from(block).saturating_sub(1);
    count(before).saturating_mul(2).saturating_add(poolings)
}

/// Finds each convolution of `table` in a Keras file, whose entries are paths: below a group with the layer's name stand
/// one tensor of four sides, the kernel, and one of one side, the bias. An optimiser's state is passed over.
pub fn locate_keras(entries: &[Entry], table: &[ConvolutionShape]) -> Result<Vec<Place>, WeightsError> {
    table
        .iter()
        .enumerate()
        .map(|(place, shape)| {
            let own = format!("block{}_conv{}", shape.block, shape.place);
            let by_class = if place == 0 { "conv2d".to_owned() } else { format!("conv2d_{place}") };
            let named = |group: &str, sides: u64| unique(entries, group, sides);
            let (group, weight) = match named(&own, 4)? {
                Some(weight) => (own, weight),
                None => match named(&by_class, 4)? {
                    Some(weight) => (by_class, weight),
                    None => return Err(WeightsError::Missing(own)),
                },
            };
            let bias = named(&group, 1)?.ok_or_else(|| WeightsError::Missing(format!("{group}'s bias")))?;
            Ok(Place { weight, bias })
        })
        .collect()
}

/// Whether a path of a Keras file leads to what an optimiser keeps.
pub fn is_optimizer_state(entry: &Entry) -> bool {
    entry.name.split('/').any(|part| part.starts_with("optimizer"))
}

/// The one entry of `sides` sides below a group called `group`.
fn unique(entries: &[Entry], group: &str, sides: u64) -> Result<Option<usize>, WeightsError> {
    let mut found = None;
    for (place, entry) in entries.iter().enumerate() {
        let below = entry.name.split('/').any(|part| part == group);
        if is_optimizer_state(entry) || !below || count(&entry.shape) != sides {
            continue;
        }
        if found.replace(place).is_some() {
            return Err(WeightsError::malformed(format!("{} holds more than one tensor of its kind", quoted(group))));
        }
    }
    Ok(found)
}
