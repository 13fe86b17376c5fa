//! Where bytes come from: a file or memory, read at places that are checked against its length; and numbers in bytes.

use std::io::{self, Read, Seek, SeekFrom};

use super::WeightsError;
use super::budget::{Budget, FILE_LIMIT_BYTES, Size, count};

/// What a weights file is read from.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// A weights file of known length.
pub struct Source<'file> {
    reader: &'file mut dyn ReadSeek,
    len: u64,
}

impl<'file> Source<'file> {
    /// Takes the length of `reader`.
    ///
    /// # Errors
    /// Where it cannot be read, or is longer than [`FILE_LIMIT_BYTES`].
    pub fn new(reader: &'file mut dyn ReadSeek) -> Result<Source<'file>, WeightsError> {
        let len = reader.seek(SeekFrom::End(0)).map_err(WeightsError::from_io)?;
        if len > FILE_LIMIT_BYTES {
            return Err(WeightsError::TooLong);
        }
        Ok(Source { reader, len })
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` from `offset` on.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), WeightsError> {
        self.stream(offset, count(buffer))?.read_exact(buffer).map_err(WeightsError::from_io)
    }

    /// `N` bytes from `offset` on.
    pub fn array_at<const N: usize>(&mut self, offset: u64) -> Result<[u8; N], WeightsError> {
        let mut bytes = [0; N];
        self.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// `len` bytes from `offset` on; the place is checked before the budget is asked.
    pub fn bytes_at(&mut self, offset: u64, len: u64, budget: &mut Budget) -> Result<Vec<u8>, WeightsError> {
        self.check(offset, len)?;
        let mut bytes = budget.zeros(len)?;
        self.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// A reader of the `len` bytes from `offset` on, and no further.
    pub fn stream(&mut self, offset: u64, len: u64) -> Result<io::Take<&mut dyn ReadSeek>, WeightsError> {
        self.check(offset, len)?;
        self.reader.seek(SeekFrom::Start(offset)).map_err(WeightsError::from_io)?;
        let reader: &mut dyn ReadSeek = self.reader;
        Ok(reader.take(len))
    }

    fn check(&self, offset: u64, len: u64) -> Result<(), WeightsError> {
        if Size::new(offset).plus(len)?.get() <= self.len {
            return Ok(());
        }
        Err(WeightsError::malformed("it ends before what it announces"))
    }
}

/// Numbers and runs of bytes, one after the other, from bytes in memory. Multi-byte numbers are little-endian.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'bytes> {
    rest: &'bytes [u8],
}

impl<'bytes> Fields<'bytes> {
    /// Starts at the front of `bytes`.
    pub fn new(bytes: &'bytes [u8]) -> Fields<'bytes> {
        Fields { rest: bytes }
    }

    /// What has not been taken yet.
    pub fn rest(&self) -> &'bytes [u8] {
        self.rest
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: u64) -> Result<&'bytes [u8], WeightsError> {
        let (taken, rest) = self.rest.split_at_checked(Size::new(len).index()?).ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WeightsError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, WeightsError> {
        self.array().map(|[byte]| byte)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Result<u16, WeightsError> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Result<u32, WeightsError> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Result<u64, WeightsError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of 1, 2, 4 or 8 bytes, as a field earlier in the file said.
    pub fn unsigned(&mut self, width: u8) -> Result<u64, WeightsError> {
        match width {
            1 => self.byte().map(u64::from),
            2 => self.u16().map(u64::from),
            4 => self.u32().map(u64::from),
            8 => self.u64(),
            _ => Err(WeightsError::malformed("a number of an impossible width")),
        }
    }

    /// The bytes up to the next line feed, which is taken but not returned.
    pub fn line(&mut self) -> Result<&'bytes [u8], WeightsError> {
        let end = self.rest.iter().position(|&byte| byte == b'\n').ok_or_else(ends_early)?;
        let (line, rest) = self.rest.split_at_checked(end).ok_or_else(ends_early)?;
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(line)
    }
}

fn ends_early() -> WeightsError {
    WeightsError::malformed("it ends in the middle of its table of contents")
}
