//! Numbers to bytes and back, for checkpoints: little-endian, a sum over all of them, and no allocation that the bytes
//! at hand do not pay for.

use std::io::{self, Write};

use crate::disk::crc32c::Crc32c;
use impasto_vgg::bfloat16::Bfloat16;

/// Bytes that are gathered before they are written.
const GATHERED_BYTES: usize = 1 << 20;

/// Writes numbers and sums them up.
pub struct StateWriter<'a> {
    target: &'a mut dyn Write,
    gathered: Vec<u8>,
    sum: Crc32c,
}

impl<'a> StateWriter<'a> {
    /// A writer onto `target`.
    pub fn new(target: &'a mut dyn Write) -> StateWriter<'a> {
        StateWriter { target, gathered: Vec::with_capacity(GATHERED_BYTES), sum: Crc32c::default() }
    }

    /// Bytes as they are.
    ///
    /// # Errors
    /// What the target reports.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHERED_BYTES { self.pass_on() } else { Ok(()) }
    }

    /// A whole number.
    ///
    /// # Errors
    /// What the target reports.
    pub fn count(&mut self, value: u64) -> io::Result<()> {
        self.bytes(&value.to_le_bytes())
    }

    /// A number, every bit of it.
    ///
    /// # Errors
    /// What the target reports.
    pub fn number(&mut self, value: f64) -> io::Result<()> {
        self.bytes(&value.to_le_bytes())
    }

    /// Values whose count the reader knows.
    ///
    /// # Errors
    /// What the target reports.
    pub fn values(&mut self, values: &[f32]) -> io::Result<()> {
        for chunk in values.chunks(GATHERED_BYTES / 4) {
            self.gathered.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
            if self.gathered.len() >= GATHERED_BYTES {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    /// Indices whose count the reader knows.
    ///
    /// # Errors
    /// What the target reports.
    pub fn indices(&mut self, indices: &[u32]) -> io::Result<()> {
        for chunk in indices.chunks(GATHERED_BYTES / 4) {
            self.gathered.extend(chunk.iter().flat_map(|index| index.to_le_bytes()));
            if self.gathered.len() >= GATHERED_BYTES {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    /// Values in bfloat16 whose count the reader knows.
    ///
    /// # Errors
    /// What the target reports.
    pub fn halves(&mut self, values: &[Bfloat16]) -> io::Result<()> {
        for chunk in values.chunks(GATHERED_BYTES / 2) {
            self.gathered.extend(chunk.iter().flat_map(|value| value.to_bits().to_le_bytes()));
            if self.gathered.len() >= GATHERED_BYTES {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    /// Writes the sum of everything so far, and nothing can follow it.
    ///
    /// # Errors
    /// What the target reports.
    pub fn finish(mut self) -> io::Result<()> {
        self.pass_on()?;
        self.target.write_all(&self.sum.value().to_le_bytes())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.sum.update(&self.gathered);
        self.target.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }
}

/// Bytes that end too early or hold a number that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// Reads what a [`StateWriter`] wrote.
pub struct StateReader<'a> {
    rest: &'a [u8],
}

impl<'a> StateReader<'a> {
    /// A reader of these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> StateReader<'a> {
        StateReader { rest: bytes }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Damaged)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A whole number of at most `most`.
    ///
    /// # Errors
    /// Where it is larger or the bytes have ended.
    pub fn count(&mut self, most: u64) -> Result<u64, Damaged> {
        let value = u64::from_le_bytes(self.array()?);
        if value <= most { Ok(value) } else { Err(Damaged) }
    }

    /// A number.
    ///
    /// # Errors
    /// Where the bytes have ended.
    pub fn number(&mut self) -> Result<f64, Damaged> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// That many values.
    ///
    /// # Errors
    /// Where there are fewer; nothing is allocated then.
    pub fn values(&mut self, count: usize) -> Result<Vec<f32>, Damaged> {
        let bytes = self.bytes(count.checked_mul(4).ok_or(Damaged)?)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// That many indices.
    ///
    /// # Errors
    /// Where there are fewer; nothing is allocated then.
    pub fn indices(&mut self, count: usize) -> Result<Vec<u32>, Damaged> {
        let bytes = self.bytes(count.checked_mul(4).ok_or(Damaged)?)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
    }

    /// That many values in bfloat16.
    ///
    /// # Errors
    /// Where there are fewer; nothing is allocated then.
    pub fn halves(&mut self, count: usize) -> Result<Vec<Bfloat16>, Damaged> {
        let bytes = self.bytes(count.checked_mul(2).ok_or(Damaged)?)?;
        Ok(bytes.as_chunks::<2>().0.iter().map(|bytes| Bfloat16::from_bits(u16::from_le_bytes(*bytes))).collect())
    }

    /// That nothing follows.
    ///
    /// # Errors
    /// Where something does.
    pub fn end(&self) -> Result<(), Damaged> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damaged) }
    }

    fn array(&mut self) -> Result<[u8; 8], Damaged> {
        self.bytes(8)?.try_into().map_err(|_| Damaged)
    }
}
