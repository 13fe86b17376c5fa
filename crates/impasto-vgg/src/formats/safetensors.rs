//! safetensors: a length, a header in JSON, then the tensors, without a gap or an overlap.
//!
//! ```text
//! 0        8                    8 + n
//! | n u64  | {"name": {"dtype", "shape", "data_offsets": [from, to]}, ...} | data ... |
//! ```
//!
//! The safetensors crate checks the header (contiguous offsets that agree with shape and type); only the header is ever
//! held, the tensors that are wanted are read one by one, so a file with fully connected layers costs no more than one
//! without. Layouts: impasto's own, `NAME.bias` with `NAME.weight` or with `NAME.weight_index` (u8) and `NAME.codebook`
//! (`[256]`); and torchvision's names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::budget::{Budget, ENTRY_LIMIT, HEADER_LIMIT_BYTES, Size, count};
use super::convention::Input;
use super::element::{self, Element, Kind};
use super::names::{self, Entry, Naming, quoted};
use super::source::Source;
use super::{Axes, ConvolutionShape, Format, Found, Tensors, WeightsFile, checked_values, read_convolutions};
use crate::weights::{CODEBOOK_LEN, ConvolutionWeights, WeightsError};

/// Reads `table` from a safetensors file.
pub fn read(source: &mut Source<'_>, table: &[ConvolutionShape], budget: &mut Budget) -> Result<Found, WeightsError> {
    let mut file = OpenFile::open(source, budget)?;
    let entries = file.entries.clone();
    let index = names::index(&entries)?;
    let (naming, prefix) = names::recognise(&index, table)?;
    let first = table.first().map(ConvolutionShape::name).unwrap_or_default();
    if naming == Naming::Impasto && index.contains_key(format!("{prefix}{first}.weight_index").as_str()) {
        return file.read_codebooks(&index, prefix, table, budget);
    }
    let places = names::locate(&index, table, naming, prefix)?;
    let convolutions = read_convolutions(&mut file, table, &places, Axes::OutInHeightWidth, budget)?;
    let input = if naming == Naming::Torchvision { Input::Torchvision } else { Input::Ours };
    Ok(Found::of(Format::Safetensors, convolutions, input))
}

/// An open file: where each tensor lies.
struct OpenFile<'source, 'file> {
    source: &'source mut Source<'file>,
    data_start: Size,
    entries: Vec<Entry>,
    tensors: Vec<TensorInfo>,
}

impl<'source, 'file> OpenFile<'source, 'file> {
    fn open(source: &'source mut Source<'file>, budget: &mut Budget) -> Result<Self, WeightsError> {
        let header_len = u64::from_le_bytes(source.array_at(0)?);
        if header_len > HEADER_LIMIT_BYTES {
            return Err(WeightsError::malformed("its safetensors header is longer than 1 MiB"));
        }
        let header = source.bytes_at(8, header_len, budget)?;
        // The parsed header takes a few times its text; JSON cannot say much in few bytes.
        budget.take(Size::new(header_len).times(16)?.get())?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| {
            WeightsError::malformed(format!("its safetensors header is wrong: {}", quoted(&error.to_string())))
        })?;
        let data_start = Size::new(header_len).plus(8)?;
        let data_len = u64::try_from(metadata.data_len()).unwrap_or(u64::MAX);
        if data_start.plus(data_len)?.get() != source.len() {
            return Err(WeightsError::malformed("its safetensors header announces another length than the file has"));
        }
        let tensors: BTreeMap<String, &TensorInfo> = metadata.tensors().into_iter().collect();
        if tensors.len() > Size::new(ENTRY_LIMIT).index()? {
            return Err(WeightsError::malformed("it holds more than 1,000 tensors"));
        }
        let entries = tensors
            .iter()
            .map(|(name, info)| Entry {
                name: name.clone(),
                shape: info.shape.iter().map(|&side| u64::try_from(side).unwrap_or(u64::MAX)).collect(),
            })
            .collect();
        let tensors = tensors.into_values().cloned().collect();
        Ok(OpenFile { source, data_start, entries, tensors })
    }

    /// Place in the file, length and type of tensor `place`.
    fn info(&self, place: usize) -> Result<(u64, u64, Dtype), WeightsError> {
        let info = self.tensors.get(place).ok_or(WeightsError::Unknown)?;
        let (from, to) = info.data_offsets;
        let from = u64::try_from(from).unwrap_or(u64::MAX);
        let len = Size::new(u64::try_from(to).unwrap_or(u64::MAX)).minus(from)?;
        Ok((self.data_start.plus(from)?.get(), len.get(), info.dtype))
    }

    /// impasto's own layout with a codebook a layer; layers may also be given in full.
    fn read_codebooks(
        &mut self,
        index: &names::Index<'_>,
        prefix: &str,
        table: &[ConvolutionShape],
        budget: &mut Budget,
    ) -> Result<Found, WeightsError> {
        let mut convolutions = Vec::new();
        for shape in table {
            let stem = format!("{prefix}{}", shape.name());
            let find = |part: &str| {
                let name = format!("{stem}.{part}");
                index.get(name.as_str()).copied().ok_or(WeightsError::Missing(name))
            };
            let sides = Axes::OutInHeightWidth.sides(shape);
            let bias = checked_values(self, find("bias")?, &[shape.output_count()], budget)?;
            if let Ok(place) = find("weight") {
                let kernel = checked_values(self, place, &sides, budget)?;
                convolutions.push(ConvolutionWeights::from_values(shape.outputs, shape.inputs, kernel, bias));
                continue;
            }
            let codebook = checked_values(self, find("codebook")?, &[count(&[0; CODEBOOK_LEN])], budget)?;
            let codebook = <[f32; CODEBOOK_LEN]>::try_from(codebook).map_err(|_| WeightsError::Unknown)?;
            let kernel = self.kernel_index(find("weight_index")?, &sides, budget)?;
            let kernel = Cow::Owned(kernel);
            convolutions.push(ConvolutionWeights::from_codebook(shape.outputs, shape.inputs, kernel, codebook, bias));
        }
        Ok(Found::Ours(WeightsFile { format: Format::Safetensors, convolutions, notes: Vec::new() }))
    }

    /// The codebook entries of a kernel, a byte each.
    fn kernel_index(&mut self, place: usize, sides: &[u64], budget: &mut Budget) -> Result<Vec<u8>, WeightsError> {
        let (offset, len, dtype) = self.info(place)?;
        let entry = self.entries.get(place).ok_or(WeightsError::Unknown)?;
        if dtype != Dtype::U8 || entry.shape != sides {
            return Err(WeightsError::Shape {
                name: entry.name.clone(),
                found: format!("{dtype:?} {:?}", entry.shape),
                expected: format!("U8 {sides:?}"),
            });
        }
        self.source.bytes_at(offset, len, budget)
    }
}

impl Tensors for OpenFile<'_, '_> {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn values(&mut self, place: usize, budget: &mut Budget) -> Result<Vec<f32>, WeightsError> {
        let (offset, len, dtype) = self.info(place)?;
        let kind = match dtype {
            Dtype::F16 => Kind::F16,
            Dtype::BF16 => Kind::Bf16,
            Dtype::F32 => Kind::F32,
            Dtype::F64 => Kind::F64,
            other => {
                let name = self.entries.get(place).map(|entry| quoted(&entry.name)).unwrap_or_default();
                return Err(WeightsError::Unsupported(format!("{other:?} values for {name}")));
            }
        };
        let element = Element::little(kind);
        let elements = len.checked_div(element.size_bytes()).unwrap_or_default();
        element::read_values(&mut self.source.stream(offset, len)?, element, elements, budget)
    }
}
