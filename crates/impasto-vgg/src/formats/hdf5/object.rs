//! HDF5's objects: a header is a list of messages, and says whether the object is a group or a dataset.
//!
//! ```text
//! version 1   1, 0, messages u16, references u32, bytes u32, 0 u32;  message: type u16, bytes u16, flags u8, 0 x 3
//! version 2   "OHDR", 2, flags, ..., bytes;                          message: type u8, bytes u16, flags u8 (, order u16)
//! ```
//!
//! A message of type 0x10 says where the list goes on. ("HDF5 File Format Specification", version 3.0, section IV.A.)

use super::super::budget::{Budget, HEADER_LIMIT_BYTES, NESTING_LIMIT, Size, count};
use super::super::source::{Fields, Source};
use crate::weights::WeightsError;

/// An address that points nowhere.
pub const NOWHERE: u64 = u64::MAX;

pub const DATASPACE: u16 = 0x01;
pub const LINK_INFO: u16 = 0x02;
pub const DATATYPE: u16 = 0x03;
pub const LINK: u16 = 0x06;
pub const EXTERNAL_FILES: u16 = 0x07;
pub const LAYOUT: u16 = 0x08;
pub const FILTERS: u16 = 0x0b;
const CONTINUATION: u16 = 0x10;
pub const SYMBOL_TABLE: u16 = 0x11;

/// The flag of a message that stands elsewhere.
const SHARED: u8 = 0x02;

/// Charged for a message, beside its body: itself, in a list that grows by doubling.
const MESSAGE_BYTES: u64 = 160;

/// A message of an object.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its type.
    pub kind: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// The first message of a type.
pub fn message(messages: &[Message], kind: u16) -> Option<Fields<'_>> {
    messages.iter().find(|message| message.kind == kind).map(|message| Fields::new(&message.body))
}

/// What a table costs beside its length, as work: a place that is sought and a buffer that is filled anew.
const SEEK_BYTES: u64 = 1 << 10;

/// A table of the file: `len` bytes at `address`. It counts as work, so that tables that point at each other come to an
/// end. It is charged as memory while it is read and no longer: who holds it while others are read charges it itself.
pub fn table(source: &mut Source<'_>, address: u64, len: u64, budget: &mut Budget) -> Result<Vec<u8>, WeightsError> {
    if len > HEADER_LIMIT_BYTES {
        return Err(WeightsError::malformed("one of its HDF5 tables is longer than 1 MiB"));
    }
    budget.work(len.saturating_add(SEEK_BYTES))?;
    let bytes = source.bytes_at(address, len, budget)?;
    budget.give_back(len);
    Ok(bytes)
}

/// Takes `N` bytes that have to be `signature`.
pub fn expect<const N: usize>(fields: &mut Fields<'_>, signature: &[u8; N]) -> Result<(), WeightsError> {
    if fields.array::<N>()? == *signature {
        return Ok(());
    }
    let name = signature.escape_ascii();
    Err(WeightsError::malformed(format!("one of its HDF5 tables is no \"{name}\", as it should be")))
}

/// All messages of the object at `address`.
pub fn messages(source: &mut Source<'_>, address: u64, budget: &mut Budget) -> Result<Vec<Message>, WeightsError> {
    let start: [u8; 16] = source.array_at(address)?;
    let mut messages = Vec::new();
    let mut blocks = Vec::new();
    let version = match start {
        [b'O', b'H', b'D', b'R', 2, flags, ..] => {
            let times = if flags & 0x20 != 0 { 16 } else { 0 };
            let limits = if flags & 0x10 != 0 { 4 } else { 0 };
            let width = 1_u8.wrapping_shl(u32::from(flags & 3));
            let length_at = Size::new(address).plus(6)?.plus(times)?.plus(limits)?;
            let length = table(source, length_at.get(), width.into(), budget)?;
            let length = Fields::new(&length).unsigned(width)?;
            blocks.push((length_at.plus(width.into())?.get(), length));
            Version::Two { with_order: flags & 0x04 != 0 }
        }
        [1, _, _, _, _, _, _, _, a, b, c, d, ..] => {
            blocks.push((Size::new(address).plus(16)?.get(), u32::from_le_bytes([a, b, c, d]).into()));
            Version::One
        }
        _ => return Err(WeightsError::malformed("one of its HDF5 objects has no header")),
    };
    let mut read = 0_u32;
    while let Some((address, len)) = blocks.pop() {
        read = read.saturating_add(1);
        if read > NESTING_LIMIT {
            return Err(WeightsError::malformed("the header of an HDF5 object goes on more than 32 times"));
        }
        let bytes = table(source, address, len, budget)?;
        let mut fields = Fields::new(&bytes);
        let continued = read > 1;
        if continued && version != Version::One {
            expect(&mut fields, b"OCHK")?;
        }
        version.block(fields, continued, &mut messages, &mut blocks, budget)?;
    }
    Ok(messages)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two { with_order: bool },
}

impl Version {
    /// Reads the messages of one block; the addresses of further blocks go to `blocks`.
    fn block(
        self,
        mut fields: Fields<'_>,
        continued: bool,
        messages: &mut Vec<Message>,
        blocks: &mut Vec<(u64, u64)>,
        budget: &mut Budget,
    ) -> Result<(), WeightsError> {
        let head = match self {
            Version::One => 8,
            Version::Two { with_order: false } => 4,
            Version::Two { with_order: true } => 6,
        };
        // A continuation ends with a checksum, which is as long as the shortest head.
        let tail = if continued && self != Version::One { 4 } else { 0 };
        while count(fields.rest()) >= Size::new(head).plus(tail)?.get() {
            let (kind, len, flags) = match self {
                Version::One => {
                    let (kind, len, flags) = (fields.u16()?, fields.u16()?, fields.byte()?);
                    fields.take(3)?;
                    (kind, len, flags)
                }
                Version::Two { with_order } => {
                    let (kind, len, flags) = (fields.byte()?, fields.u16()?, fields.byte()?);
                    fields.take(if with_order { 2 } else { 0 })?;
                    (kind.into(), len, flags)
                }
            };
            let body = fields.take(len.into())?;
            match kind {
                CONTINUATION => {
                    let mut place = Fields::new(body);
                    blocks.push((place.u64()?, place.u64()?));
                }
                DATASPACE | LINK_INFO | DATATYPE | LINK | EXTERNAL_FILES | LAYOUT | FILTERS | SYMBOL_TABLE => {
                    if flags & SHARED != 0 {
                        return Err(WeightsError::Unsupported("shared HDF5 messages".to_owned()));
                    }
                    budget.take(Size::new(len.into()).plus(MESSAGE_BYTES)?.get())?;
                    messages.push(Message { kind, body: body.to_vec() });
                }
                _ => {}
            }
        }
        Ok(())
    }
}
