//! Coded pixels, bit by bit: what lies between two markers, in which ff is written as ff 00.

/// Reads bits, highest first. At a marker or the end of the file come zeros, and that they were needed is remembered.
pub(super) struct Bits<'bytes> {
    bytes: &'bytes [u8],
    position: usize,
    /// The next bits, the first of them the highest of `held`.
    window: u64,
    held: u32,
    /// How many of those held are not the file's.
    invented: u32,
}

impl<'bytes> Bits<'bytes> {
    pub(super) fn new(bytes: &'bytes [u8]) -> Bits<'bytes> {
        Bits { bytes, position: 0, window: 0, held: 0, invented: 0 }
    }

    /// The next coded byte; `None` at a marker and at the end.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.position)?;
        if byte != 0xff {
            self.position += 1;
            return Some(byte);
        }
        let behind = self.bytes[self.position..].iter().position(|byte| *byte != 0xff)?;
        if self.bytes[self.position + behind] != 0 {
            return None;
        }
        self.position += behind + 1;
        Some(0xff)
    }

    fn fill(&mut self) {
        while self.held <= 48 {
            let byte = self.byte();
            self.invented += if byte.is_none() { 8 } else { 0 };
            self.window = self.window << 8 | u64::from(byte.unwrap_or(0));
            self.held += 8;
        }
    }

    /// The next 16 bits, which stay.
    pub(super) fn peek(&mut self) -> u16 {
        if self.held < 16 {
            self.fill();
        }
        (self.window >> (self.held - 16)) as u16
    }

    /// Passes over bits that were peeked at.
    pub(super) fn skip(&mut self, count: u32) {
        self.held -= count;
    }

    /// The next bits as a number, at most 16 of them.
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let bits = u32::from(self.peek());
        self.skip(count);
        bits >> (16 - count)
    }

    /// Whether bits were needed that the file does not have.
    pub(super) fn has_run_out(&self) -> bool {
        self.held < self.invented
    }

    /// What lies behind the bytes that were read: a marker, or the end.
    pub(super) fn rest(&self) -> &'bytes [u8] {
        &self.bytes[self.position..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_end_at_a_marker() {
        let mut bits = Bits::new(&[0b1010_0101, 0xff, 0, 0x0f, 0xff, 0xff, 0xd9]);
        assert_eq!((bits.take(3), bits.take(9), bits.peek() >> 8), (0b101, 0b0_0101_1111, 0b1111_0000));
        assert_eq!(bits.take(12), 0b1111_0000_1111);
        assert!(!bits.has_run_out());
        assert_eq!(bits.rest(), [0xff, 0xff, 0xd9]);
        assert_eq!(bits.take(1), 0);
        assert!(bits.has_run_out());
    }
}
