//! Coefficients from Huffman codes (ITU-T T.81, annexes F.2.2 and G.2).

use super::bits::Bits;
use super::{BLOCK, ZIGZAG};

/// The codes of a table: for each length the codes come one after the other, and their values in the same order.
#[derive(Clone)]
pub(super) struct Table {
    /// For each length, the first number beyond its codes, as the highest of 16 bits; `None` where it has no codes.
    limits: [Option<u32>; 16],
    /// What is taken from a code of that length to get the place of its value.
    offsets: [i32; 16],
    values: Vec<u8>,
}

/// What cannot be a code, or is the wrong one here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoCode;

impl Table {
    /// Of the numbers of codes of each length, and their values.
    pub(super) fn new(counts: &[u8], values: &[u8]) -> Option<Table> {
        let mut table = Table { limits: [None; 16], offsets: [0; 16], values: values.to_vec() };
        let (mut code, mut place) = (0u32, 0i32);
        for (index, count) in counts.iter().enumerate().take(16) {
            table.offsets[index] = code as i32 - place;
            code += u32::from(*count);
            place += i32::from(*count);
            // More codes than there are numbers of so many bits.
            if code > 1 << (index + 1) {
                return None;
            }
            table.limits[index] = (*count > 0).then_some(code << (15 - index));
            code <<= 1;
        }
        (place as usize == values.len()).then_some(table)
    }

    fn decode(&self, bits: &mut Bits) -> Result<u8, NoCode> {
        let ahead = bits.peek();
        for (index, limit) in self.limits.iter().enumerate() {
            if limit.is_some_and(|limit| u32::from(ahead) < limit) {
                bits.skip(index as u32 + 1);
                let place = i32::from(ahead >> (15 - index)) - self.offsets[index];
                return usize::try_from(place).ok().and_then(|place| self.values.get(place)).copied().ok_or(NoCode);
            }
        }
        Err(NoCode)
    }
}

/// A number of that many bits; those that begin with a 0 are negative (T.81, F.2.2.1).
fn signed(bits: &mut Bits, count: u8) -> Result<i32, NoCode> {
    match count {
        0 => Ok(0),
        1..=15 => {
            let value = bits.take(count.into()) as i32;
            Ok(if value >> (count - 1) == 0 { value + 1 - (1 << count) } else { value })
        }
        _ => Err(NoCode),
    }
}

/// The band of coefficients and the bits of them that a scan brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) first: usize,
    pub(super) last: usize,
    /// The place of the last bit that earlier scans brought; 0 where there was none.
    pub(super) high: u32,
    /// The place of the last bit that this one brings.
    pub(super) low: u32,
}

/// Reads the blocks of a scan.
pub(super) struct Huffman<'bytes> {
    pub(super) bits: Bits<'bytes>,
    /// The last first coefficient of each component of the scan.
    predictions: [i32; 4],
    /// How many blocks more have nothing in this band.
    empty_blocks: u32,
}

impl<'bytes> Huffman<'bytes> {
    pub(super) fn new(bytes: &'bytes [u8]) -> Huffman<'bytes> {
        Huffman { bits: Bits::new(bytes), predictions: [0; 4], empty_blocks: 0 }
    }

    /// Begins again behind a restart marker.
    pub(super) fn restart(&mut self, bytes: &'bytes [u8]) {
        *self = Huffman::new(bytes);
    }

    /// A whole block.
    pub(super) fn sequential(
        &mut self,
        block: &mut [i16; BLOCK],
        place: usize,
        first: &Table,
        others: &Table,
    ) -> Result<(), NoCode> {
        self.first(block, place, first, 0)?;
        let mut index = 1;
        while index < BLOCK {
            let code = others.decode(&mut self.bits)?;
            match (code >> 4, code & 15) {
                (15, 0) => index += 16,
                (_, 0) => break,
                (zeros, length) => {
                    index += usize::from(zeros);
                    let value = signed(&mut self.bits, length)?;
                    block[*ZIGZAG.get(index).ok_or(NoCode)?] = value as i16;
                    index += 1;
                }
            }
        }
        Ok(())
    }

    /// The first coefficient, but for its `low` last bits.
    pub(super) fn first(
        &mut self,
        block: &mut [i16; BLOCK],
        place: usize,
        table: &Table,
        low: u32,
    ) -> Result<(), NoCode> {
        let length = table.decode(&mut self.bits)?;
        let difference = signed(&mut self.bits, length)?;
        self.predictions[place] = self.predictions[place].wrapping_add(difference);
        block[0] = (self.predictions[place] << low) as i16;
        Ok(())
    }

    /// One more bit of the first coefficient.
    pub(super) fn refine_first(&mut self, block: &mut [i16; BLOCK], low: u32) {
        block[0] |= (self.bits.take(1) << low) as i16;
    }

    /// A band of the other coefficients, but for their last bits.
    pub(super) fn band(&mut self, block: &mut [i16; BLOCK], table: &Table, band: Band) -> Result<(), NoCode> {
        if self.empty_blocks > 0 {
            self.empty_blocks -= 1;
            return Ok(());
        }
        let mut index = band.first;
        while index <= band.last {
            let code = table.decode(&mut self.bits)?;
            match (code >> 4, code & 15) {
                (15, 0) => index += 16,
                (length, 0) => {
                    self.empty_blocks = (1 << length) - 1 + self.bits.take(length.into());
                    break;
                }
                (zeros, length) => {
                    index += usize::from(zeros);
                    let value = signed(&mut self.bits, length)?;
                    block[*ZIGZAG.get(index).ok_or(NoCode)?] = (value << band.low) as i16;
                    index += 1;
                }
            }
        }
        Ok(())
    }

    /// One more bit of a band: of each coefficient that is not zero, and the next that become so.
    pub(super) fn refine_band(&mut self, block: &mut [i16; BLOCK], table: &Table, band: Band) -> Result<(), NoCode> {
        let step = 1i16 << band.low;
        let mut index = band.first;
        while self.empty_blocks == 0 && index <= band.last {
            let code = table.decode(&mut self.bits)?;
            let (zeros, value) = match (code >> 4, code & 15) {
                (15, 0) => (15, 0),
                (length, 0) => {
                    self.empty_blocks = (1 << length) + self.bits.take(length.into());
                    break;
                }
                (zeros, 1) => (zeros, if self.bits.take(1) == 1 { step } else { -step }),
                _ => return Err(NoCode),
            };
            index = self.pass(block, index, band.last, Some(zeros), step);
            if index <= band.last && value != 0 {
                block[ZIGZAG[index]] = value;
            }
            index += 1;
        }
        if self.empty_blocks > 0 {
            self.pass(block, index, band.last, None, step);
            self.empty_blocks -= 1;
        }
        Ok(())
    }

    /// Refines what is not zero from `index` on, past that many zeros or all; where it stopped.
    fn pass(
        &mut self,
        block: &mut [i16; BLOCK],
        mut index: usize,
        last: usize,
        mut zeros: Option<u8>,
        step: i16,
    ) -> usize {
        while index <= last {
            let coefficient = &mut block[ZIGZAG[index]];
            if *coefficient != 0 {
                if self.bits.take(1) == 1 && *coefficient & step == 0 {
                    *coefficient = coefficient.wrapping_add(if *coefficient > 0 { step } else { -step });
                }
            } else if let Some(left) = &mut zeros {
                if *left == 0 {
                    break;
                }
                *left -= 1;
            }
            index += 1;
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_decoded_and_wrong_tables_refused() {
        // Codes 00, 01, 100, and no others.
        let table = Table::new(&[0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[7, 8, 9]).unwrap();
        let mut bits = Bits::new(&[0b0010_0011, 0b1110_0000, 0]);
        let mut decode = || table.decode(&mut bits);
        assert_eq!([decode(), decode(), decode(), decode()], [Ok(7), Ok(9), Ok(8), Err(NoCode)]);
        assert!(Table::new(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 2, 3]).is_none());
        assert!(Table::new(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 2, 3]).is_none());
    }

    #[test]
    fn signs_are_in_the_first_bit() {
        let mut bits = Bits::new(&[0b0011_1100, 0]);
        assert_eq!([signed(&mut bits, 3), signed(&mut bits, 3), signed(&mut bits, 0)], [Ok(-6), Ok(7), Ok(0)]);
        assert_eq!(signed(&mut bits, 16), Err(NoCode));
    }
}
