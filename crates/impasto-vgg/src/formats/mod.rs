//! Weights from files that other programs wrote: bytes of unknown origin in, VGG-19's sixteen convolutions out.
//!
//! | format | written by | what is read |
//! | --- | --- | --- |
//! | safetensors | impasto, Hugging Face | f32, f16, bf16, f64; impasto's codebooks; impasto's and torchvision's names |
//! | PyTorch `.pth` | `torch.save`, zip and older | state dicts: the pickle is read as data, nothing in it is ever called |
//! | MATLAB `.mat` | MatConvNet, scipy | version 5, compressed or not; convolutions found by name in `layers` |
//! | HDF5 `.h5` | Keras | superblocks 0 to 3, old and new groups, contiguous, compact and chunked data, gzip |
//!
//! The reader is chosen by content, never by the file's name, and no other one is tried when it fails: a fallback is a
//! choice that the file's author would make. One error type ([`WeightsError`]), one checked size, one budget of memory
//! and one limit of nesting serve all of them ([`budget`]); what a file says is checked before anything is allocated for
//! it. Tensors that VGG-19 does not have (the fully connected layers: 494 MB of the release's 575) are never read.
//!
//! **Architecture Invariant:** no reader indexes, casts, or adds and multiplies numbers from a file without a check: the
//! lints below refuse to compile it.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod budget;
mod convention;
mod element;
mod hdf5;
mod mat;
mod names;
mod pth;
mod safetensors;
mod source;
mod whole;
mod write;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use budget::{Budget, Size, count};
use convention::Input;
use names::{Entry, Place};
use source::Source;

use crate::layers::{LAYERS, LayerKind};
use crate::weights::{ConvolutionWeights, WeightsError};

pub use convention::ChannelOrder;
pub use write::{StoredAs, write_safetensors};

/// A file format that weights are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// safetensors, impasto's own included.
    Safetensors,
    /// MATLAB, version 5.
    Mat,
    /// PyTorch.
    Pth,
    /// HDF5, as Keras writes it.
    Hdf5,
}

impl Format {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Safetensors => "safetensors",
            Format::Mat => "MATLAB",
            Format::Pth => "PyTorch",
            Format::Hdf5 => "HDF5",
        }
    }
}

/// One convolution of a network that is read from a file. VGG-19's are [`vgg19_convolutions`]; tests read smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionShape {
    /// The 4 of conv4_2.
    pub block: u8,
    /// The 2 of conv4_2.
    pub place: u8,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
}

impl ConvolutionShape {
    /// `conv4_2`.
    pub fn name(&self) -> String {
        format!("conv{}_{}", self.block, self.place)
    }

    fn input_count(&self) -> u64 {
        u64::try_from(self.inputs).unwrap_or(u64::MAX)
    }

    fn output_count(&self) -> u64 {
        u64::try_from(self.outputs).unwrap_or(u64::MAX)
    }

    /// Values in the kernel: 9 times inputs times outputs.
    fn kernel_len(&self) -> Result<u64, WeightsError> {
        Size::product(&[self.output_count(), self.input_count(), 9]).map(Size::get)
    }
}

/// The sixteen convolutions of VGG-19.
pub fn vgg19_convolutions() -> Vec<ConvolutionShape> {
    let mut block = 1;
    let mut place = 0;
    let mut shapes = Vec::new();
    for info in &LAYERS {
        match info.kind {
            LayerKind::Convolution { inputs, .. } => {
                place = u8::saturating_add(place, 1);
                shapes.push(ConvolutionShape { block, place, inputs, outputs: info.channels });
            }
            LayerKind::Pooling => {
                block = u8::saturating_add(block, 1);
                place = 0;
            }
        }
    }
    shapes
}

/// What a weights file held.
#[derive(Clone, Debug)]
pub struct WeightsFile {
    /// Its format.
    pub format: Format,
    /// The convolutions that were asked for, in order.
    pub convolutions: Vec<ConvolutionWeights>,
    /// What had to be changed to make them ours, a sentence each without a full stop; the caller names the file.
    pub notes: Vec<String>,
}

/// Reads VGG-19's weights from the file at `path`, whatever of the known formats it is in.
///
/// # Errors
/// A file that cannot be read, is of no known format, is damaged, is not VGG-19, or holds values that are not finite.
pub fn read_file(path: &Path) -> Result<WeightsFile, WeightsError> {
    read_file_as(path, None)
}

/// As [`read_file`], for weights whose first layer sees its channels in the order that was `said`, whatever the file shows.
///
/// # Errors
/// As [`read_file`].
pub fn read_file_as(path: &Path, said: Option<ChannelOrder>) -> Result<WeightsFile, WeightsError> {
    // Asked before it is opened: opening a pipe would wait for somebody to write.
    let kind = std::fs::metadata(path).map_err(WeightsError::from_io)?.file_type();
    if !kind.is_file() {
        let kind =
            if kind.is_dir() { "it is a folder" } else { "it is a pipe or a device, and weights are read from files" };
        return Err(WeightsError::Io(kind.to_owned()));
    }
    let file = File::open(path).map_err(WeightsError::from_io)?;
    read_network_as(&mut BufReader::new(file), &vgg19_convolutions(), said)
}

/// Reads VGG-19's weights from anything that can be read and sought in: a file, or a `Cursor` on bytes.
///
/// # Errors
/// As [`read_file`].
pub fn read<R: Read + Seek>(reader: &mut R) -> Result<WeightsFile, WeightsError> {
    read_network(reader, &vgg19_convolutions())
}

/// Reads another chain of 3x3 convolutions, whose names follow VGG-19's: what the tests and fuzz targets use, since a
/// small file then has everything that a large one has.
///
/// # Errors
/// As [`read_file`].
pub fn read_network<R: Read + Seek>(reader: &mut R, table: &[ConvolutionShape]) -> Result<WeightsFile, WeightsError> {
    read_network_as(reader, table, None)
}

/// As [`read_network`], with an order of channels that was `said`.
///
/// # Errors
/// As [`read_file`].
pub fn read_network_as<R: Read + Seek>(
    reader: &mut R,
    table: &[ConvolutionShape],
    said: Option<ChannelOrder>,
) -> Result<WeightsFile, WeightsError> {
    let mut source = Source::new(reader)?;
    let mut budget = Budget::for_tensors(tensor_bytes(table)?);
    let found = match sniff(&mut source)? {
        Container::Safetensors => safetensors::read(&mut source, table, &mut budget),
        Container::Mat => mat::read(&mut source, table, &mut budget),
        Container::Zip => pth::read_zip(&mut source, table, &mut budget),
        Container::Pickles => pth::read_legacy(&mut source, table, &mut budget),
        Container::Hdf5 => hdf5::read(&mut source, table, &mut budget),
    }?;
    found.adopt(said)
}

/// Bytes of f32 values in `table`'s kernels and biases, and of one more kernel, the largest, which is held twice while
/// its axes change places.
fn tensor_bytes(table: &[ConvolutionShape]) -> Result<u64, WeightsError> {
    let mut values = Size::new(0);
    let mut largest = 0;
    for shape in table {
        let kernel = shape.kernel_len()?;
        largest = largest.max(kernel);
        values = values.plus(kernel)?.plus(shape.output_count())?;
    }
    Ok(values.plus(largest)?.times(4)?.get())
}

/// What holds the tensors.
enum Container {
    Safetensors,
    Mat,
    Zip,
    Pickles,
    Hdf5,
}

/// Says what a file is by its first bytes.
fn sniff(source: &mut Source<'_>) -> Result<Container, WeightsError> {
    let mut start = [0; 128];
    let held = usize::try_from(source.len()).unwrap_or(start.len()).min(start.len());
    source.read_at(0, start.get_mut(..held).unwrap_or_default())?;
    if let Some(instead) = instead(&start) {
        return Err(WeightsError::Instead(instead));
    }
    if source.len() < count(&start) {
        return Err(WeightsError::Unknown);
    }
    match start {
        // A header's length, at most 4 GiB, and the header's opening brace.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => Ok(Container::Safetensors),
        // Version 0x0100 in the byte order that follows it.
        [.., 0, 1, b'I', b'M'] | [.., 1, 0, b'M', b'I'] => Ok(Container::Mat),
        [b'P', b'K', 3, 4, ..] => Ok(Container::Zip),
        [a, b, c, d, ..] if [a, b, c, d] == pth::LEGACY_START => Ok(Container::Pickles),
        [a, b, c, d, e, f, g, h, ..] if [a, b, c, d, e, f, g, h] == hdf5::SIGNATURE => Ok(Container::Hdf5),
        // Version 0x0200, MATLAB's own envelope around HDF5.
        [b'M', b'A', b'T', b'L', b'A', b'B', .., 0, 2, b'I', b'M'] => {
            Err(WeightsError::Unsupported("MATLAB's version 7.3 (its `save -v7` is read)".to_owned()))
        }
        _ => Err(WeightsError::Unknown),
    }
}

/// What downloads leave in the place of a file, as text, with the way out.
fn instead(start: &[u8]) -> Option<&'static str> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start().to_ascii_lowercase();
    if start.starts_with(b"version https://git-lfs") {
        return Some("a Git LFS pointer to a file that was not fetched; fetch it with `git lfs pull`");
    }
    let is_page =
        ["<!doctype html", "<html", "<head", "<?xml", "<!--"].iter().any(|tag| start.starts_with(tag.as_bytes()));
    is_page
        .then_some("a web page that was saved in the weights' place; read it in a browser, and download the file again")
}

/// A convolution on its way from a file: `kernel` is `[outputs, inputs, 3, 3]`.
#[derive(Clone, Debug)]
struct Convolution {
    inputs: usize,
    outputs: usize,
    kernel: Vec<f32>,
    bias: Vec<f32>,
}

/// How a file orders the axes of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axes {
    /// `[outputs, inputs, height, width]`, the last running fastest: PyTorch, and impasto.
    OutInHeightWidth,
    /// `[height, width, inputs, outputs]`, the last running fastest: Keras.
    HeightWidthInOut,
    /// `[height, width, inputs, outputs]`, the first running fastest: MATLAB.
    MatlabHeightWidthInOut,
}

impl Axes {
    /// The sides of a kernel of `shape`, as the file lists them.
    fn sides(self, shape: &ConvolutionShape) -> [u64; 4] {
        let (inputs, outputs) = (shape.input_count(), shape.output_count());
        match self {
            Axes::OutInHeightWidth => [outputs, inputs, 3, 3],
            Axes::HeightWidthInOut | Axes::MatlabHeightWidthInOut => [3, 3, inputs, outputs],
        }
    }

    /// Brings a kernel's values into the order `[outputs, inputs, 3, 3]`.
    fn arrange(
        self,
        mut values: Vec<f32>,
        shape: &ConvolutionShape,
        budget: &mut Budget,
    ) -> Result<Vec<f32>, WeightsError> {
        match self {
            Axes::OutInHeightWidth => Ok(values),
            // A filter's nine values stand one plane of inputs x outputs apart.
            Axes::HeightWidthInOut => {
                let plane = Size::new(shape.input_count()).times(shape.output_count())?.index()?;
                let mut arranged = budget.room_for::<f32>(count(&values))?;
                for output in 0..shape.outputs {
                    let of_output = values.get(output..).unwrap_or_default();
                    for input in 0..shape.inputs {
                        let first = input.checked_mul(shape.outputs).and_then(|place| of_output.get(place..));
                        arranged.extend(first.unwrap_or_default().iter().step_by(plane));
                    }
                }
                budget.give_back(count(&values).saturating_mul(4));
                Ok(arranged)
            }
            // Read with the last axis fastest this is [outputs, inputs, width, height].
            Axes::MatlabHeightWidthInOut => {
                transpose(&mut values);
                Ok(values)
            }
        }
    }
}

/// Exchanges rows and columns of every 3x3 filter.
fn transpose(kernel: &mut [f32]) {
    for filter in kernel.chunks_exact_mut(9) {
        filter.swap(1, 3);
        filter.swap(2, 6);
        filter.swap(5, 7);
    }
}

/// A file's tensors, each read when it is asked for.
trait Tensors {
    /// The table of contents.
    fn entries(&self) -> &[Entry];

    /// Told once which entries are asked for next, so that they can be read in the order in which they lie.
    ///
    /// # Errors
    /// As those of `values`.
    fn read_ahead(&mut self, _places: &[usize], _budget: &mut Budget) -> Result<(), WeightsError> {
        Ok(())
    }

    /// The values of entry `place`, in the order of its shape.
    fn values(&mut self, place: usize, budget: &mut Budget) -> Result<Vec<f32>, WeightsError>;
}

/// Reads every convolution of `table` at its place, checking shapes before and values after.
fn read_convolutions(
    tensors: &mut dyn Tensors,
    table: &[ConvolutionShape],
    places: &[Place],
    axes: Axes,
    budget: &mut Budget,
) -> Result<Vec<Convolution>, WeightsError> {
    for (shape, place) in table.iter().zip(places) {
        check_shape(tensors, place.bias, &[shape.output_count()])?;
        check_shape(tensors, place.weight, &axes.sides(shape))?;
    }
    let wanted: Vec<usize> = places.iter().flat_map(|place| [place.bias, place.weight]).collect();
    tensors.read_ahead(&wanted, budget)?;
    let mut convolutions = Vec::new();
    for (shape, place) in table.iter().zip(places) {
        let bias = checked_values(tensors, place.bias, &[shape.output_count()], budget)?;
        let kernel = checked_values(tensors, place.weight, &axes.sides(shape), budget)?;
        let kernel = axes.arrange(kernel, shape, budget)?;
        convolutions.push(Convolution { inputs: shape.inputs, outputs: shape.outputs, kernel, bias });
    }
    Ok(convolutions)
}

/// Refuses a tensor that is not of the shape `sides`.
fn check_shape(tensors: &dyn Tensors, place: usize, sides: &[u64]) -> Result<(), WeightsError> {
    let entry = tensors.entries().get(place).ok_or(WeightsError::Unknown)?;
    if entry.shape == sides {
        return Ok(());
    }
    Err(WeightsError::Shape {
        name: entry.name.clone(),
        found: format!("{:?}", entry.shape),
        expected: format!("{sides:?}"),
    })
}

/// One tensor of the shape `sides`, finite.
fn checked_values(
    tensors: &mut dyn Tensors,
    place: usize,
    sides: &[u64],
    budget: &mut Budget,
) -> Result<Vec<f32>, WeightsError> {
    check_shape(tensors, place, sides)?;
    let entry = tensors.entries().get(place).cloned().ok_or(WeightsError::Unknown)?;
    let values = tensors.values(place, budget)?;
    if count(&values) != Size::product(sides)?.get() {
        return Err(WeightsError::malformed(format!("{} is shorter than its shape", names::quoted(&entry.name))));
    }
    element::check_values(&entry.name, &values)?;
    Ok(values)
}

/// What a reader found.
enum Found {
    /// Convolutions that see what the file's names say, unless the file shows something else.
    Seeing { format: Format, convolutions: Vec<Convolution>, input: Input },
    /// Our own network in our own form.
    Ours(WeightsFile),
}

impl Found {
    fn of(format: Format, convolutions: Vec<Convolution>, input: Input) -> Found {
        Found::Seeing { format, convolutions, input }
    }

    /// Makes a file's convolutions ours.
    fn adopt(self, said: Option<ChannelOrder>) -> Result<WeightsFile, WeightsError> {
        let (format, mut convolutions, input) = match self {
            Found::Seeing { format, convolutions, input } => (format, convolutions, input),
            Found::Ours(mut file) => {
                let idle =
                    "it is in impasto's own form, which takes red first; --weights-input is for others, and is left";
                file.notes.extend(said.map(|_| idle.to_owned()));
                return Ok(file);
            }
        };
        let notes = convention::adopt(&mut convolutions, input, said)?;
        let convolutions = convolutions
            .into_iter()
            .map(|found| ConvolutionWeights::from_values(found.outputs, found.inputs, found.kernel, found.bias))
            .collect();
        Ok(WeightsFile { format, convolutions, notes })
    }
}
