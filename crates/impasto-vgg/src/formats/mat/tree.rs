//! MATLAB variables as a tree of values.
//!
//! ```text
//! variable   tag (type, bytes), then for a matrix: flags (class), dimensions, name, and by class
//!   numbers    one element with the values, column-major, perhaps in a smaller type than the class
//!   text       one element with the characters
//!   cell       a matrix for each cell
//!   struct     bytes a field name, the field names, then a matrix for each field of each element
//! tag        type u32, bytes u32, data padded to 8;   or, up to 4 bytes: type u16, bytes u16, data, 8 bytes in all
//! ```
//!
//! ("MAT-File Format", MathWorks, version 5.) Numbers are kept only where their dimensions are wanted; everything else
//! is passed over, so a fully connected layer of 400 MB costs a seek.

use super::super::budget::{Budget, NESTING_LIMIT, Size, count};
use super::super::element::{Element, Kind};
use super::stream::Stream;
use crate::weights::WeightsError;

/// A value of a variable. What is of no use here (other numbers, long texts, sparse matrices) is [`Value::Other`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An array of numbers, column-major.
    Numbers {
        /// Its sides.
        sides: Vec<u64>,
        /// Its values.
        values: Vec<f32>,
    },
    /// A row of characters.
    Text(String),
    /// A cell array, column-major.
    Cells(Vec<Value>),
    /// A struct array, column-major: fields by name.
    Structs(Vec<Vec<(String, Value)>>),
    /// Passed over.
    Other,
}

/// Which arrays are worth keeping, by their sides.
pub type Wanted<'call> = &'call dyn Fn(&[u64]) -> bool;

/// Bytes charged for a value, beside its numbers and text: itself with a name, in a list that grows by doubling and then
/// holds old and new for a moment, and its sides.
const VALUE_BYTES: u64 = 384;

/// The longest text or field name that is kept, in bytes.
const TEXT_LIMIT: u64 = 256;

/// The most dimensions of an array.
const SIDES_LIMIT: u64 = 8;

/// The most fields of a struct.
const FIELD_LIMIT: u64 = 1_000;

/// Reads matrices from a stream.
pub struct Reader<'call, 'input> {
    pub stream: &'call mut Stream<'input>,
    pub big_endian: bool,
    pub wanted: Wanted<'call>,
    pub budget: &'call mut Budget,
}

/// The head of an element.
struct Tag {
    kind: u32,
    len: u64,
    /// Where the data and their padding end.
    end: Size,
}

/// An element, or a variable, that is a matrix.
pub const MATRIX: u32 = 14;

impl Reader<'_, '_> {
    /// Reads a matrix with its tag, which must end by `limit`; returns its name and value.
    pub fn matrix(&mut self, limit: Size, depth: u32) -> Result<(String, Value), WeightsError> {
        if depth > NESTING_LIMIT {
            return Err(WeightsError::malformed("its cells nest deeper than 32"));
        }
        self.budget.take(VALUE_BYTES)?;
        let tag = self.tag(limit)?;
        if tag.kind != MATRIX {
            return Err(WeightsError::malformed(format!("a MATLAB matrix was expected, not type {}", tag.kind)));
        }
        if tag.len == 0 {
            return Ok((String::new(), Value::Other));
        }
        let [flags, _] = self.small_numbers::<2>(tag.end)?;
        let [_, _, _, class] = flags.to_be_bytes();
        let complex = flags & 0x800 != 0;
        let sides = self.sides(tag.end)?;
        let name = self.text(tag.end)?.unwrap_or_default();
        let elements = Size::product(&sides)?.get();
        let value = match class {
            1 => self.cells(elements, tag.end, depth)?,
            2 => self.structs(elements, tag.end, depth)?,
            4 => self.text(tag.end)?.map_or(Value::Other, Value::Text),
            6..=13 if (self.wanted)(&sides) => {
                if complex {
                    return Err(WeightsError::Unsupported("complex numbers".to_owned()));
                }
                let values = self.numbers(elements, tag.end)?;
                Value::Numbers { sides, values }
            }
            _ => Value::Other,
        };
        self.stream.skip_to(tag.end, self.budget)?;
        Ok((name, value))
    }

    fn cells(&mut self, elements: u64, limit: Size, depth: u32) -> Result<Value, WeightsError> {
        let mut cells = Vec::new();
        for _ in 0..elements {
            cells.push(self.matrix(limit, depth.saturating_add(1))?.1);
        }
        Ok(Value::Cells(cells))
    }

    fn structs(&mut self, elements: u64, limit: Size, depth: u32) -> Result<Value, WeightsError> {
        let [name_len] = self.small_numbers::<1>(limit)?;
        let name_len = u64::from(name_len);
        let names = self.tag(limit)?;
        let fields = names.len.checked_div(name_len).unwrap_or_default();
        if fields > FIELD_LIMIT || name_len > TEXT_LIMIT {
            return Err(WeightsError::malformed("a MATLAB struct has too many fields, or too long names"));
        }
        if fields == 0 {
            // Without fields nothing would be read for an element, and a struct may announce 2^60 of them.
            self.stream.skip_to(names.end, self.budget)?;
            return Ok(Value::Other);
        }
        let mut field_names = Vec::new();
        for _ in 0..fields {
            let mut bytes = self.budget.zeros(name_len)?;
            self.stream.read(&mut bytes, self.budget)?;
            field_names.push(until_zero(&bytes));
        }
        self.stream.skip_to(names.end, self.budget)?;
        let mut structs = Vec::new();
        for _ in 0..elements {
            let mut element = Vec::new();
            for name in &field_names {
                let (_, value) = self.matrix(limit, depth.saturating_add(1))?;
                self.budget.take(count(name.as_bytes()))?;
                element.push((name.clone(), value));
            }
            structs.push(element);
        }
        Ok(Value::Structs(structs))
    }

    fn numbers(&mut self, elements: u64, limit: Size) -> Result<Vec<f32>, WeightsError> {
        let tag = self.tag(limit)?;
        let kind = match tag.kind {
            1 => Kind::I8,
            2 => Kind::U8,
            3 => Kind::I16,
            4 => Kind::U16,
            5 => Kind::I32,
            6 => Kind::U32,
            7 => Kind::F32,
            9 => Kind::F64,
            other => return Err(WeightsError::Unsupported(format!("MATLAB numbers of type {other}"))),
        };
        let element = Element { kind, big_endian: self.big_endian };
        if Size::new(elements).times(element.size_bytes())?.get() != tag.len {
            return Err(WeightsError::malformed("a MATLAB array is not as long as its dimensions say"));
        }
        let values = self.stream.values(element, elements, self.budget)?;
        self.stream.skip_to(tag.end, self.budget)?;
        Ok(values)
    }

    /// An element of characters; none where it is long.
    fn text(&mut self, limit: Size) -> Result<Option<String>, WeightsError> {
        let tag = self.tag(limit)?;
        let text = if tag.len <= TEXT_LIMIT {
            // Kept as a string, in which a character may take two bytes.
            self.budget.take(tag.len.saturating_mul(2))?;
            let mut bytes = self.budget.zeros(tag.len)?;
            self.stream.read(&mut bytes, self.budget)?;
            self.budget.give_back(tag.len);
            // Types of two bytes a character; what is not ASCII cannot be a name that is looked for.
            let wide = matches!(tag.kind, 4 | 17);
            let ascii: Vec<u8> = if wide { bytes.into_iter().filter(|&byte| byte != 0).collect() } else { bytes };
            Some(until_zero(&ascii))
        } else {
            None
        };
        self.stream.skip_to(tag.end, self.budget)?;
        Ok(text)
    }

    fn sides(&mut self, limit: Size) -> Result<Vec<u64>, WeightsError> {
        let tag = self.tag(limit)?;
        if tag.len > SIDES_LIMIT.saturating_mul(4) {
            return Err(WeightsError::malformed("a MATLAB array has more than 8 dimensions"));
        }
        let mut sides = Vec::new();
        for _ in 0..tag.len.div_euclid(4) {
            // Signed in the file; a negative one comes out longer than any file, and is refused as such.
            sides.push(u64::from(self.u32()?));
        }
        self.stream.skip_to(tag.end, self.budget)?;
        Ok(sides)
    }

    /// An element of exactly `N` numbers of four bytes.
    fn small_numbers<const N: usize>(&mut self, limit: Size) -> Result<[u32; N], WeightsError> {
        let tag = self.tag(limit)?;
        let mut numbers = [0; N];
        if tag.len != count(&numbers).saturating_mul(4) {
            return Err(WeightsError::malformed("a MATLAB matrix has no flags, or a struct no field names"));
        }
        for number in &mut numbers {
            *number = self.u32()?;
        }
        self.stream.skip_to(tag.end, self.budget)?;
        Ok(numbers)
    }

    fn u32(&mut self) -> Result<u32, WeightsError> {
        let bytes = self.stream.array(self.budget)?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Reads an element's head; the element must end by `limit`.
    fn tag(&mut self, limit: Size) -> Result<Tag, WeightsError> {
        let first = self.u32()?;
        // The short form has the length in the upper half of the first word.
        let [high, low, kind_high, kind_low] = first.to_be_bytes();
        let short = u64::from(u16::from_be_bytes([high, low]));
        let (kind, len, end) = if short > 0 {
            if short > 4 {
                return Err(WeightsError::malformed("a short MATLAB element is longer than 4 bytes"));
            }
            let kind = u32::from(u16::from_be_bytes([kind_high, kind_low]));
            (kind, short, self.stream.position().plus(4)?)
        } else {
            let len = u64::from(self.u32()?);
            (first, len, self.stream.position().plus(Size::new(len).rounded_up(8)?.get())?)
        };
        let unpadded = self.stream.position().plus(len)?;
        if unpadded > limit {
            return Err(WeightsError::malformed("a MATLAB element is longer than what it stands in"));
        }
        // Some writers leave the last element's padding out.
        Ok(Tag { kind, len, end: end.min(limit) })
    }
}

/// The characters before the first zero byte.
fn until_zero(bytes: &[u8]) -> String {
    bytes.iter().take_while(|&&byte| byte != 0).map(|&byte| char::from(byte)).collect()
}
