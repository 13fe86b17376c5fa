//! MATLAB files, version 5, of a MatConvNet network: `imagenet-vgg-verydeep-19.mat` and what scipy writes.
//!
//! ```text
//! header, 128 bytes: text ... version 0x0100, byte order "IM" or "MI"
//! variables: matrices, or zlib streams that hold a matrix each
//!
//! layers                         cell array of structs, here or inside a struct (`net`)
//!   name                         'conv1_1'
//!   weights                      cells: kernel [3, 3, in, out], bias [1, out];   older files: filters, biases
//! meta.normalization.averageImage   [1, 1, 3] or [height, width, 3]: the mean that was subtracted;   older: normalization
//! ```
//!
//! A layer's fields come in any order and the kernel mostly before the name, so a kernel is known by its sides: arrays
//! that no convolution of the table has (fc6 is `[7, 7, 512, 4096]`) are never held in memory.

mod stream;
mod tree;

use std::collections::BTreeMap;
use std::mem;

use super::budget::{Budget, Size, count};
use super::convention::Input;
use super::names::quoted;
use super::source::Source;
use super::{Axes, Convolution, ConvolutionShape, Format, Found, element, transpose};
use crate::layers::MEAN_RGB;
use crate::weights::WeightsError;
use stream::Stream;
use tree::{MATRIX, Reader, Value};

/// Bytes of the header.
const HEADER_BYTES: u64 = 128;

/// A variable that is a zlib stream.
const COMPRESSED: u32 = 15;

/// The largest side of a mean image.
const MEAN_SIDE_LIMIT: u64 = 1_024;

/// Reads `table` from a MATLAB file.
pub fn read(source: &mut Source<'_>, table: &[ConvolutionShape], budget: &mut Budget) -> Result<Found, WeightsError> {
    let [_, _, order @ ..]: [u8; 4] = source.array_at(124)?;
    let big_endian = order == *b"MI";
    let mut variables = variables(source, big_endian, table, budget)?;
    let input = match take(&mut variables, "averageImage")? {
        Some(Value::Numbers { sides, values }) => Input::MinusMean(mean_colour(&sides, &values)?),
        _ => Input::MinusMean(MEAN_RGB.map(f64::from)),
    };
    let convolutions = match take(&mut variables, "layers")? {
        Some(Value::Cells(layers)) => convolutions(layers, table)?,
        Some(_) => return Err(WeightsError::malformed("its layers are no cell array")),
        None => return Err(WeightsError::Missing("layers".to_owned())),
    };
    Ok(Found::of(Format::Mat, convolutions, input))
}

/// All variables by name.
fn variables(
    source: &mut Source<'_>,
    big_endian: bool,
    table: &[ConvolutionShape],
    budget: &mut Budget,
) -> Result<Vec<(String, Value)>, WeightsError> {
    let wanted = |sides: &[u64]| is_wanted(sides, table);
    let mut variables = Vec::new();
    let mut offset = Size::new(HEADER_BYTES);
    while offset.get() < source.len() {
        let [a, b, c, d, rest @ ..]: [u8; 8] = source.array_at(offset.get())?;
        let number = |bytes| if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let (kind, len) = (number([a, b, c, d]), u64::from(number(rest)));
        let data = offset.plus(8)?;
        let end = data.plus(len)?;
        if end.get() > source.len() {
            return Err(WeightsError::malformed("a MATLAB variable is longer than the file"));
        }
        let mut stream = match kind {
            COMPRESSED => Stream::packed(source, data.get(), len)?,
            MATRIX => Stream::plain(source, offset.get(), Size::new(len).plus(8)?.get())?,
            other => return Err(WeightsError::malformed(format!("a MATLAB variable of type {other} stands in it"))),
        };
        // What a zlib stream unpacks to is bounded by the budget, not by a length that stands outside of it.
        let limit = if kind == COMPRESSED { Size::new(u64::MAX) } else { Size::new(len).plus(8)? };
        let mut reader = Reader { stream: &mut stream, big_endian, wanted: &wanted, budget };
        variables.push(reader.matrix(limit, 0)?);
        stream.finish()?;
        offset = end;
    }
    Ok(variables)
}

/// Whether an array may be a kernel or a bias of `table`, or a mean colour.
fn is_wanted(sides: &[u64], table: &[ConvolutionShape]) -> bool {
    match sides {
        [height, width, 3] if *height <= MEAN_SIDE_LIMIT && *width <= MEAN_SIDE_LIMIT => true,
        [1, 3] | [3, 1] => true,
        [1, len] | [len, 1] => table.iter().any(|shape| shape.output_count() == *len),
        sides => table.iter().any(|shape| Axes::MatlabHeightWidthInOut.sides(shape) == sides),
    }
}

/// A struct's fields, or a file's variables, by name.
type Fields = Vec<(String, Value)>;

/// Takes the value of the variable or field called `name` out of the tree, the outermost one.
///
/// # Errors
/// Where a name stands twice at the same place.
fn take(variables: &mut Fields, name: &str) -> Result<Option<Value>, WeightsError> {
    let mut level = vec![variables];
    while !level.is_empty() {
        let mut next = Vec::new();
        for fields in level {
            if fields.iter().filter(|(field, _)| field == name).count() > 1 {
                return Err(WeightsError::malformed(format!("{} stands in it twice", quoted(name))));
            }
            if let Some(value) = field(fields, name) {
                return Ok(Some(value));
            }
            for (_, value) in fields {
                if let Value::Structs(structs) = value {
                    next.extend(structs);
                }
            }
        }
        level = next;
    }
    Ok(None)
}

/// Takes the value of a field.
fn field(fields: &mut Fields, name: &str) -> Option<Value> {
    fields.iter_mut().find(|(field, _)| field == name).map(|(_, value)| mem::replace(value, Value::Other))
}

/// The convolutions of `table` among `layers`, by name.
fn convolutions(layers: Vec<Value>, table: &[ConvolutionShape]) -> Result<Vec<Convolution>, WeightsError> {
    let mut by_name = BTreeMap::new();
    for layer in layers {
        let Value::Structs(structs) = layer else { continue };
        for mut fields in structs {
            let Some(Value::Text(name)) = field(&mut fields, "name") else { continue };
            let twice = WeightsError::malformed(format!("two layers are called {}", quoted(&name)));
            if by_name.insert(name, fields).is_some() {
                return Err(twice);
            }
        }
    }
    table
        .iter()
        .map(|shape| {
            let name = shape.name();
            let fields = by_name.remove(&name).ok_or(WeightsError::Missing(name))?;
            convolution(shape, fields)
        })
        .collect()
}

/// A convolution from its layer's fields.
fn convolution(shape: &ConvolutionShape, mut fields: Fields) -> Result<Convolution, WeightsError> {
    let (kernel, bias) = match field(&mut fields, "weights") {
        Some(Value::Cells(cells)) => {
            let mut cells = cells.into_iter();
            (cells.next(), cells.next())
        }
        _ => (field(&mut fields, "filters"), field(&mut fields, "biases")),
    };
    let (name, outputs) = (shape.name(), shape.output_count());
    let sides = Axes::MatlabHeightWidthInOut.sides(shape);
    let mut kernel = numbers(kernel, format!("{name}'s kernel"), &[&sides])?;
    let bias = numbers(bias, format!("{name}'s bias"), &[&[1, outputs], &[outputs, 1]])?;
    // Read with the last axis fastest it is [outputs, inputs, width, height].
    transpose(&mut kernel);
    Ok(Convolution { inputs: shape.inputs, outputs: shape.outputs, kernel, bias })
}

/// An array of one of these shapes, finite.
fn numbers(value: Option<Value>, name: String, shapes: &[&[u64]]) -> Result<Vec<f32>, WeightsError> {
    let found = match value {
        None => return Err(WeightsError::Missing(name)),
        Some(Value::Numbers { sides, values }) if shapes.contains(&sides.as_slice()) => {
            element::check_values(&name, &values)?;
            return Ok(values);
        }
        Some(Value::Numbers { sides, .. }) => format!("{sides:?}"),
        Some(Value::Text(_)) => "text".to_owned(),
        Some(Value::Cells(_) | Value::Structs(_)) => "cells".to_owned(),
        Some(Value::Other) => "an array of another shape or class".to_owned(),
    };
    let expected = shapes.first().map(|sides| format!("{sides:?}")).unwrap_or_default();
    Err(WeightsError::Shape { name, found, expected })
}

/// The mean of each channel of a column-major `[height, width, 3]` image, or the three numbers of a shorter array.
fn mean_colour(sides: &[u64], values: &[f32]) -> Result<[f64; 3], WeightsError> {
    element::check_values("averageImage", values)?;
    let positions = count(values).div_euclid(3);
    let mut channels = values.chunks_exact(Size::new(positions.max(1)).index()?).map(|channel| {
        let sum: f64 = channel.iter().copied().map(f64::from).sum();
        sum / f64::from(u32::try_from(channel.len()).unwrap_or(u32::MAX))
    });
    match (channels.next(), channels.next(), channels.next(), channels.next()) {
        (Some(red), Some(green), Some(blue), None) => Ok([red, green, blue]),
        _ => Err(WeightsError::malformed(format!("its averageImage is {sides:?}, where a colour has 3 channels"))),
    }
}
