//! The bytes of a MATLAB variable in the order in which they come: straight from the file, or through a decompressor.

use std::io::{self, Read};

use flate2::read::ZlibDecoder;

use super::super::budget::{Budget, Size, count};
use super::super::element::{Element, read_values};
use super::super::source::{ReadSeek, Source};
use crate::weights::WeightsError;

/// A one-way reader that knows its position. What is skipped is never held.
pub struct Stream<'input> {
    input: Input<'input>,
    position: Size,
}

enum Input<'input> {
    /// From the file, where skipping is seeking.
    Plain(io::Take<&'input mut dyn ReadSeek>),
    /// Through zlib, where skipping is unpacking.
    Packed(Box<ZlibDecoder<io::Take<&'input mut dyn ReadSeek>>>),
}

impl<'input> Stream<'input> {
    /// The `len` bytes of `source` from `offset` on, as they stand.
    pub fn plain(source: &'input mut Source<'_>, offset: u64, len: u64) -> Result<Self, WeightsError> {
        Ok(Stream { input: Input::Plain(source.stream(offset, len)?), position: Size::new(0) })
    }

    /// What the `len` bytes of `source` from `offset` on unpack to.
    pub fn packed(source: &'input mut Source<'_>, offset: u64, len: u64) -> Result<Self, WeightsError> {
        let decoder = ZlibDecoder::new(source.stream(offset, len)?);
        Ok(Stream { input: Input::Packed(Box::new(decoder)), position: Size::new(0) })
    }

    /// Bytes read or skipped so far.
    pub fn position(&self) -> Size {
        self.position
    }

    /// Fills `buffer`.
    pub fn read(&mut self, buffer: &mut [u8], budget: &mut Budget) -> Result<(), WeightsError> {
        self.advance(count(buffer), budget)?;
        match &mut self.input {
            Input::Plain(file) => file.read_exact(buffer),
            Input::Packed(decoder) => decoder.read_exact(buffer),
        }
        .map_err(WeightsError::from_io)
    }

    /// `N` bytes.
    pub fn array<const N: usize>(&mut self, budget: &mut Budget) -> Result<[u8; N], WeightsError> {
        let mut bytes = [0; N];
        self.read(&mut bytes, budget)?;
        Ok(bytes)
    }

    /// `elements` numbers as f32.
    pub fn values(&mut self, element: Element, elements: u64, budget: &mut Budget) -> Result<Vec<f32>, WeightsError> {
        self.advance(Size::new(elements).times(element.size_bytes())?.get(), budget)?;
        match &mut self.input {
            Input::Plain(file) => read_values(file, element, elements, budget),
            Input::Packed(decoder) => read_values(decoder, element, elements, budget),
        }
    }

    /// Passes over the bytes up to `position`.
    pub fn skip_to(&mut self, position: Size, budget: &mut Budget) -> Result<(), WeightsError> {
        let len = position.minus(self.position.get())?.get();
        self.advance(len, budget)?;
        let skipped = match &mut self.input {
            Input::Plain(file) => {
                let left = file.limit().checked_sub(len);
                let distance = i64::try_from(len).ok();
                let (Some(left), Some(distance)) = (left, distance) else {
                    return Err(WeightsError::malformed("it ends before what it announces"));
                };
                file.get_mut().seek_relative(distance).map_err(WeightsError::from_io)?;
                file.set_limit(left);
                len
            }
            Input::Packed(decoder) => {
                io::copy(&mut decoder.by_ref().take(len), &mut io::sink()).map_err(WeightsError::from_io)?
            }
        };
        if skipped == len { Ok(()) } else { Err(WeightsError::malformed("it ends before what it announces")) }
    }

    /// Demands that nothing is left; a decompressor compares its checksum here.
    pub fn finish(&mut self) -> Result<(), WeightsError> {
        let mut byte = [0];
        let left = match &mut self.input {
            Input::Plain(_) => 0,
            Input::Packed(decoder) => decoder.read(&mut byte).map_err(WeightsError::from_io)?,
        };
        if left == 0 { Ok(()) } else { Err(WeightsError::malformed("a MATLAB variable unpacks to more than it says")) }
    }

    /// Counts `len` bytes, and charges them where they are unpacked.
    fn advance(&mut self, len: u64, budget: &mut Budget) -> Result<(), WeightsError> {
        if matches!(self.input, Input::Packed(_)) {
            budget.work(len)?;
        }
        self.position = self.position.plus(len)?;
        Ok(())
    }
}
