//! Coefficients from arithmetic codes (ITU-T T.81, annexes D, F.1.4, F.2.4 and G.1.3): few programs write them, and libjpeg's
//! `-arithmetic` is one.

use super::bits::Bits;
use super::huffman::{Band, NoCode};
use super::{BLOCK, ZIGZAG};

/// T.81, table D.3: the size of the less probable part, the states after either, and whether the two change places.
#[rustfmt::skip]
const STATES: [(u32, u8, u8, bool); 113] = [
    (0x5a1d, 1, 1, true), (0x2586, 14, 2, false), (0x1114, 16, 3, false), (0x080b, 18, 4, false),
    (0x03d8, 20, 5, false), (0x01da, 23, 6, false), (0x00e5, 25, 7, false), (0x006f, 28, 8, false),
    (0x0036, 30, 9, false), (0x001a, 33, 10, false), (0x000d, 35, 11, false), (0x0006, 9, 12, false),
    (0x0003, 10, 13, false), (0x0001, 12, 13, false), (0x5a7f, 15, 15, true), (0x3f25, 36, 16, false),
    (0x2cf2, 38, 17, false), (0x207c, 39, 18, false), (0x17b9, 40, 19, false), (0x1182, 42, 20, false),
    (0x0cef, 43, 21, false), (0x09a1, 45, 22, false), (0x072f, 46, 23, false), (0x055c, 48, 24, false),
    (0x0406, 49, 25, false), (0x0303, 51, 26, false), (0x0240, 52, 27, false), (0x01b1, 54, 28, false),
    (0x0144, 56, 29, false), (0x00f5, 57, 30, false), (0x00b7, 59, 31, false), (0x008a, 60, 32, false),
    (0x0068, 62, 33, false), (0x004e, 63, 34, false), (0x003b, 32, 35, false), (0x002c, 33, 9, false),
    (0x5ae1, 37, 37, true), (0x484c, 64, 38, false), (0x3a0d, 65, 39, false), (0x2ef1, 67, 40, false),
    (0x261f, 68, 41, false), (0x1f33, 69, 42, false), (0x19a8, 70, 43, false), (0x1518, 72, 44, false),
    (0x1177, 73, 45, false), (0x0e74, 74, 46, false), (0x0bfb, 75, 47, false), (0x09f8, 77, 48, false),
    (0x0861, 78, 49, false), (0x0706, 79, 50, false), (0x05cd, 48, 51, false), (0x04de, 50, 52, false),
    (0x040f, 50, 53, false), (0x0363, 51, 54, false), (0x02d4, 52, 55, false), (0x025c, 53, 56, false),
    (0x01f8, 54, 57, false), (0x01a4, 55, 58, false), (0x0160, 56, 59, false), (0x0125, 57, 60, false),
    (0x00f6, 58, 61, false), (0x00cb, 59, 62, false), (0x00ab, 61, 63, false), (0x008f, 61, 32, false),
    (0x5b12, 65, 65, true), (0x4d04, 80, 66, false), (0x412c, 81, 67, false), (0x37d8, 82, 68, false),
    (0x2fe8, 83, 69, false), (0x293c, 84, 70, false), (0x2379, 86, 71, false), (0x1edf, 87, 72, false),
    (0x1aa9, 87, 73, false), (0x174e, 72, 74, false), (0x1424, 72, 75, false), (0x119c, 74, 76, false),
    (0x0f6b, 74, 77, false), (0x0d51, 75, 78, false), (0x0bb6, 77, 79, false), (0x0a40, 77, 48, false),
    (0x5832, 80, 81, true), (0x4d1c, 88, 82, false), (0x438e, 89, 83, false), (0x3bdd, 90, 84, false),
    (0x34ee, 91, 85, false), (0x2eae, 92, 86, false), (0x299a, 93, 87, false), (0x2516, 86, 71, false),
    (0x5570, 88, 89, true), (0x4ca9, 95, 90, false), (0x44d9, 96, 91, false), (0x3e22, 97, 92, false),
    (0x3824, 99, 93, false), (0x32b4, 99, 94, false), (0x2e17, 93, 86, false), (0x56a8, 95, 96, true),
    (0x4f46, 101, 97, false), (0x47e5, 102, 98, false), (0x41cf, 103, 99, false), (0x3c3d, 104, 100, false),
    (0x375e, 99, 93, false), (0x5231, 105, 102, false), (0x4c0f, 106, 103, false), (0x4639, 107, 104, false),
    (0x415e, 103, 99, false), (0x5627, 105, 106, true), (0x50e7, 108, 107, false), (0x4b85, 109, 103, false),
    (0x5597, 110, 109, false), (0x504f, 111, 107, false), (0x5a10, 110, 111, true), (0x5522, 112, 109, false),
    (0x59eb, 112, 111, true),
];

/// What a decision was like so far: a state of the table, and the more probable answer.
#[derive(Clone, Copy, Default)]
struct Bin {
    state: u8,
    likely: bool,
}

/// The largest number of doublings that a coefficient may have; beyond it a file is damaged.
const LARGEST: u32 = 1 << 15;

/// Where in its bins the magnitudes of first coefficients begin.
const FIRST_MAGNITUDES: usize = 20;
/// Where those of low and of high frequencies begin.
const MAGNITUDES: [usize; 2] = [189, 217];
/// How far behind the bin of a magnitude that of its bits lies.
const TO_BITS: usize = 14;

/// What DAC segments set for each table: the bounds of small and large differences, and where high frequencies begin.
#[derive(Clone, Copy)]
pub(super) struct Conditioning {
    pub(super) bounds: [(u32, u32); 4],
    pub(super) low_frequencies: [usize; 4],
}

impl Default for Conditioning {
    fn default() -> Conditioning {
        Conditioning { bounds: [(0, 1); 4], low_frequencies: [5; 4] }
    }
}

/// Reads the blocks of a scan.
pub(super) struct Arithmetic<'bytes> {
    decisions: Decisions<'bytes>,
    conditioning: Conditioning,
    first_bins: [[Bin; 64]; 4],
    other_bins: [[Bin; 256]; 4],
    /// For each component of the scan: its last first coefficient, and where the bins for the next begin.
    predictions: [i32; 4],
    contexts: [usize; 4],
}

/// The register of the code and what is left of the interval that it lies in (T.81, D.2).
struct Decisions<'bytes> {
    bits: Bits<'bytes>,
    has_run_out: bool,
    code: u32,
    interval: u32,
    /// Shifts until the next byte is needed.
    shifts: u32,
}

impl<'bytes> Decisions<'bytes> {
    fn new(bytes: &'bytes [u8]) -> Decisions<'bytes> {
        let mut decisions =
            Decisions { bits: Bits::new(bytes), has_run_out: false, code: 0, interval: 0x1_0000, shifts: 0 };
        for _ in 0..2 {
            decisions.add_byte();
            decisions.code <<= 8;
        }
        decisions
    }

    /// At a marker come zeros: an encoder leaves those out that end a scan.
    fn add_byte(&mut self) {
        let byte = self.bits.byte();
        self.has_run_out |= byte.is_none();
        self.code += u32::from(byte.unwrap_or(0)) << 8;
    }

    fn decide(&mut self, bin: &mut Bin) -> bool {
        let (unlikely_part, after_unlikely, after_likely, changes_places) = STATES[usize::from(bin.state)];
        self.interval -= unlikely_part;
        let is_upper = self.code >> 16 >= self.interval;
        if !is_upper && self.interval >= 0x8000 {
            return bin.likely;
        }
        // The upper part is the less probable answer's, but where it is the larger one.
        let is_likely = is_upper == (self.interval < unlikely_part);
        if is_upper {
            self.code -= self.interval << 16;
            self.interval = unlikely_part;
        }
        let answer = bin.likely == is_likely;
        if is_likely {
            bin.state = after_likely;
        } else {
            bin.likely ^= changes_places;
            bin.state = after_unlikely;
        }
        while self.interval < 0x8000 {
            if self.shifts == 0 {
                self.add_byte();
                self.shifts = 8;
            }
            self.interval <<= 1;
            self.code <<= 1;
            self.shifts -= 1;
        }
        answer
    }

    /// A decision of which nothing is known, and nothing learnt.
    fn toss(&mut self) -> bool {
        self.decide(&mut Bin::default())
    }

    /// A number of at least `top`, whose further doublings begin at that bin, and then its lower bits.
    fn magnitude(&mut self, bins: &mut [Bin], mut bin: usize, mut top: u32) -> Result<u32, NoCode> {
        while self.decide(&mut bins[bin]) {
            top <<= 1;
            bin += 1;
            if top == LARGEST {
                return Err(NoCode);
            }
        }
        let (mut value, mut bit) = (top, top >> 1);
        while bit > 0 {
            if self.decide(&mut bins[bin + TO_BITS]) {
                value |= bit;
            }
            bit >>= 1;
        }
        Ok(value)
    }
}

impl<'bytes> Arithmetic<'bytes> {
    pub(super) fn new(bytes: &'bytes [u8], conditioning: Conditioning) -> Arithmetic<'bytes> {
        Arithmetic {
            decisions: Decisions::new(bytes),
            conditioning,
            first_bins: [[Bin::default(); 64]; 4],
            other_bins: [[Bin::default(); 256]; 4],
            predictions: [0; 4],
            contexts: [0; 4],
        }
    }

    /// Begins again behind a restart marker.
    pub(super) fn restart(&mut self, bytes: &'bytes [u8]) {
        *self = Arithmetic::new(bytes, self.conditioning);
    }

    /// Whether all bytes before the next marker were read, and zeros after them.
    pub(super) fn has_run_out(&self) -> bool {
        self.decisions.has_run_out
    }

    /// What lies behind the bytes that were read.
    pub(super) fn rest(&self) -> &'bytes [u8] {
        self.decisions.bits.rest()
    }

    /// The first coefficient, but for its `low` last bits.
    pub(super) fn first(
        &mut self,
        block: &mut [i16; BLOCK],
        place: usize,
        table: usize,
        low: u32,
    ) -> Result<(), NoCode> {
        let (bins, decisions) = (&mut self.first_bins[table], &mut self.decisions);
        let context = std::mem::take(&mut self.contexts[place]);
        if decisions.decide(&mut bins[context]) {
            let is_negative = decisions.decide(&mut bins[context + 1]);
            let beyond_one = match decisions.decide(&mut bins[context + 2 + usize::from(is_negative)]) {
                true => decisions.magnitude(bins, FIRST_MAGNITUDES, 1)?,
                false => 0,
            };
            let size = beyond_one + 1;
            let (lower, upper) = self.conditioning.bounds[table];
            let side = if is_negative { 4 } else { 0 };
            self.contexts[place] = match size {
                _ if size <= (1 << lower) >> 1 => 0,
                _ if size <= 1 << upper => 4 + side,
                _ => 12 + side,
            };
            let difference = if is_negative { -(size as i32) } else { size as i32 };
            self.predictions[place] = self.predictions[place].wrapping_add(difference);
        }
        block[0] = (self.predictions[place] << low) as i16;
        Ok(())
    }

    /// One more bit of the first coefficient.
    pub(super) fn refine_first(&mut self, block: &mut [i16; BLOCK], low: u32) {
        block[0] |= i16::from(self.decisions.toss()) << low;
    }

    /// A band of the other coefficients, but for their last bits.
    pub(super) fn band(&mut self, block: &mut [i16; BLOCK], table: usize, band: Band) -> Result<(), NoCode> {
        let (bins, decisions) = (&mut self.other_bins[table], &mut self.decisions);
        let mut index = band.first;
        while index <= band.last && !decisions.decide(&mut bins[3 * (index - 1)]) {
            while !decisions.decide(&mut bins[3 * (index - 1) + 1]) {
                index += 1;
                if index > band.last {
                    return Err(NoCode);
                }
            }
            let is_negative = decisions.toss();
            let bin = 3 * (index - 1) + 2;
            let beyond_one = match decisions.decide(&mut bins[bin]) {
                false => 0,
                true if !decisions.decide(&mut bins[bin]) => 1,
                true => {
                    let is_high = index > self.conditioning.low_frequencies[table];
                    decisions.magnitude(bins, MAGNITUDES[usize::from(is_high)], 2)?
                }
            };
            let size = (beyond_one + 1) as i32;
            block[ZIGZAG[index]] = ((if is_negative { -size } else { size }) << band.low) as i16;
            index += 1;
        }
        Ok(())
    }

    /// One more bit of a band: of each coefficient that is not zero, and the next that become so.
    pub(super) fn refine_band(&mut self, block: &mut [i16; BLOCK], table: usize, band: Band) -> Result<(), NoCode> {
        let (bins, decisions) = (&mut self.other_bins[table], &mut self.decisions);
        let step = 1i16 << band.low;
        // Before the last of those that are not zero no end of the block is coded.
        let last = (1..=band.last).rev().find(|index| block[ZIGZAG[*index]] != 0).unwrap_or(0);
        let mut index = band.first;
        while index <= band.last {
            if index > last && decisions.decide(&mut bins[3 * (index - 1)]) {
                break;
            }
            loop {
                let bin = 3 * (index - 1);
                let coefficient = &mut block[ZIGZAG[index]];
                if *coefficient != 0 {
                    if decisions.decide(&mut bins[bin + 2]) {
                        *coefficient = coefficient.wrapping_add(if *coefficient > 0 { step } else { -step });
                    }
                    break;
                }
                if decisions.decide(&mut bins[bin + 1]) {
                    *coefficient = if decisions.toss() { -step } else { step };
                    break;
                }
                index += 1;
                if index > band.last {
                    return Err(NoCode);
                }
            }
            index += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_example_is_decoded() {
        // T.81, K.4.1: 256 decisions of one bin, all of the answers as the standard prints them, in 30 bytes.
        let answers: [u8; 32] = [
            0x00, 0x02, 0x00, 0x51, 0x00, 0x00, 0x00, 0xc0, 0x03, 0x52, 0x87, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0x82, 0xc0,
            0x20, 0x00, 0xfc, 0xd7, 0x9e, 0xf6, 0x74, 0xea, 0xab, 0xf7, 0x69, 0x7e, 0xe7, 0x4c,
        ];
        let coded: [u8; 30] = [
            0x65, 0x5b, 0x51, 0x44, 0xf7, 0x96, 0x9d, 0x51, 0x78, 0x55, 0xbf, 0xff, 0x00, 0xfc, 0x51, 0x84, 0xc7, 0xce,
            0xf9, 0x39, 0x00, 0x28, 0x7d, 0x46, 0x70, 0x8e, 0xcb, 0xc0, 0xf6, 0xff,
        ];
        let coded = [&coded[..], &[0xd9]].concat();
        let mut decisions = Decisions::new(&coded);
        let mut bin = Bin::default();
        for byte in answers {
            let found = (0..8).fold(0, |found, _| found << 1 | u8::from(decisions.decide(&mut bin)));
            assert_eq!(found, byte);
        }
    }
}
