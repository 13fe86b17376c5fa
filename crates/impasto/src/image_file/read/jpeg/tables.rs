//! What the segments between the scans of a JPEG set: factors, codes, conditions.

use super::arithmetic::Conditioning;
use super::huffman::Table;
use super::standard::standard_tables;
use super::{BLOCK, ZIGZAG};
use crate::image_file::read::Failure;

/// The tables as they are where a scan begins.
pub(super) struct Tables {
    pub(super) quantisation: [Option<[u16; BLOCK]>; 4],
    /// Codes of first coefficients, and of all others.
    pub(super) first: [Option<Table>; 4],
    pub(super) others: [Option<Table>; 4],
    pub(super) conditioning: Conditioning,
}

fn wrong(what: &str) -> Failure {
    Failure::Damaged(format!("its {what} make no sense"))
}

impl Default for Tables {
    fn default() -> Tables {
        let [[first, first_of_colours], [others, others_of_colours]] = standard_tables();
        Tables {
            quantisation: [None; 4],
            first: [first, first_of_colours, None, None],
            others: [others, others_of_colours, None, None],
            conditioning: Conditioning::default(),
        }
    }
}

impl Tables {
    pub(super) fn set_quantisation(&mut self, mut body: &[u8]) -> Result<(), Failure> {
        let wrong = || wrong("quantisation tables");
        while let Some((&kind, rest)) = body.split_first() {
            let table = self.quantisation.get_mut(usize::from(kind & 15)).ok_or_else(wrong)?;
            let entry_bytes = if kind >> 4 == 0 { 1 } else { 2 };
            let entries = rest.get(..BLOCK * entry_bytes).ok_or_else(wrong)?;
            let mut numbers = [0u16; BLOCK];
            for (place, entry) in ZIGZAG.iter().zip(entries.chunks_exact(entry_bytes)) {
                numbers[*place] = entry.iter().fold(0, |number, byte| number << 8 | u16::from(*byte));
            }
            *table = Some(numbers);
            body = &rest[BLOCK * entry_bytes..];
        }
        Ok(())
    }

    pub(super) fn set_codes(&mut self, mut body: &[u8]) -> Result<(), Failure> {
        let wrong = || wrong("tables of codes");
        while let Some((&kind, rest)) = body.split_first() {
            let counts = rest.get(..16).ok_or_else(wrong)?;
            let count: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let values = rest.get(16..16 + count).ok_or_else(wrong)?;
            let tables = if kind >> 4 == 0 { &mut self.first } else { &mut self.others };
            let table = tables.get_mut(usize::from(kind & 15)).ok_or_else(wrong)?;
            *table = Some(Table::new(counts, values).ok_or_else(wrong)?);
            body = &rest[16 + count..];
        }
        Ok(())
    }

    pub(super) fn set_conditioning(&mut self, body: &[u8]) -> Result<(), Failure> {
        let wrong = || wrong("arithmetic conditions");
        for pair in body.chunks_exact(2) {
            let (kind, table, value) = (pair[0] >> 4, usize::from(pair[0] & 15), pair[1]);
            if kind == 0 {
                let bounds = self.conditioning.bounds.get_mut(table).ok_or_else(wrong)?;
                *bounds = (u32::from(value & 15), u32::from(value >> 4));
            } else {
                *self.conditioning.low_frequencies.get_mut(table).ok_or_else(wrong)? = value.into();
            }
        }
        Ok(())
    }
}
