//! The product of centred features with a bank, and the largest of each position's: an argmax fused into it.
//!
//! ```text
//!   score[position][entry] = sum over channels of (F - m)[position][channel] u[channel][entry]     u: centred, of length 1
//! ```
//!
//! |F - m| is the same for all entries of a position, so the largest score has the largest cosine. A unit of work is a piece
//! of a row of tiles: its features less m lie in a buffer, and each panel of the bank meets all of them before the next panel
//! is read. A score is one chain over the channels in their order, whatever lies beside it. Each of the sixteen lanes keeps
//! the first of its largest scores; at the end the lane with the largest one counts, and of equal ones the lowest entry.

use std::ops::Range;

use rayon::prelude::*;

use super::unit_factor;
use crate::cpu::buffer::FeatureRows;
use crate::cpu::isa::{InstructionSet, Isa, LANES, Lanes, Task};
use crate::cpu::panels::{GROUP_CHANNELS, PanelLayout, PanelLine};
use crate::plan::TILE_ROWS;

/// Columns of a unit: with four rows and 512 channels its features take 1 MiB.
const UNIT_COLUMNS: usize = 128;

/// A bank as the product reads it: entries in place of outputs.
#[derive(Debug)]
pub struct BankPanel {
    set: InstructionSet,
    channels: usize,
    entries: usize,
    /// `[entries / 64][panel of 64 entries]`: u; zeros beyond the last entry.
    lines: Vec<Lanes>,
}

impl BankPanel {
    /// Room for a bank.
    pub fn new(set: InstructionSet, channels: usize, entries: usize) -> BankPanel {
        let lines = vec![Lanes::ZERO; entries.next_multiple_of(GROUP_CHANNELS) / LANES * channels];
        BankPanel { set, channels, entries, lines }
    }

    /// Bytes that a panel takes.
    pub fn bytes(channels: usize, entries: usize) -> u64 {
        entries.next_multiple_of(GROUP_CHANNELS) as u64 * (channels * size_of::<f32>()) as u64
    }

    /// Takes a bank's features, `[entries, channels]`, whose mean is known. Runs on the current rayon pool.
    pub fn fill(&mut self, features: &[f32], mean: &[f64]) {
        let (channels, layout) = (self.channels, PanelLayout::new(self.set, self.channels, 0));
        let entries = |group: usize| features.chunks_exact(channels).skip(group * GROUP_CHANNELS).take(GROUP_CHANNELS);
        self.lines.par_chunks_exact_mut(layout.lines()).enumerate().for_each(|(group, lines)| {
            let factors: Vec<f64> = entries(group).map(|entry| unit_factor(entry, mean)).collect();
            let entries: Vec<&[f32]> = entries(group).collect();
            for (place, line) in lines.iter_mut().enumerate() {
                let PanelLine { block, word: channel, .. } = layout.at(place);
                for (lane, value) in line.0.iter_mut().enumerate() {
                    let entry = block * LANES + lane;
                    *value = entries.get(entry).map_or(0.0, |features| {
                        ((f64::from(features[channel]) - mean[channel]) * factors[entry]) as f32
                    });
                }
            }
        });
    }
}

/// Bytes that a thread works in for a layer of this many channels.
pub fn unit_bytes(channels: usize) -> u64 {
    let positions = TILE_ROWS * UNIT_COLUMNS;
    (positions * (channels * size_of::<f32>() + size_of::<Best>())) as u64
}

/// Writes the match of each position of some rows: `[rows, width]`. Runs on the current rayon pool.
pub fn find(
    set: InstructionSet,
    panel: &BankPanel,
    centre: &[f32],
    features: &FeatureRows,
    rows: Range<usize>,
    indices: &mut [u32],
) {
    let width = features.width();
    let units = indices.par_chunks_mut(TILE_ROWS * width).zip(rows.into_par_iter().step_by(TILE_ROWS));
    units.with_max_len(1).for_each(|(indices, y)| {
        for start in (0..width).step_by(UNIT_COLUMNS) {
            let columns = start..(start + UNIT_COLUMNS).min(width);
            let rows = y..y + indices.len() / width;
            let found = set.run(SearchUnit { panel, centre, features, rows, columns: columns.clone() });
            for (row, found) in indices.chunks_exact_mut(width).zip(found.chunks_exact(columns.len())) {
                row[columns.clone()].copy_from_slice(found);
            }
        }
    });
}

/// The largest scores of a position so far, by lane, and whose they are.
#[derive(Clone, Copy)]
struct Best {
    scores: Lanes,
    entries: [u32; LANES],
}

impl Best {
    /// Of equal largest scores the lowest entry's.
    fn entry(&self) -> u32 {
        let mut best = (self.scores.0[0], self.entries[0]);
        for (&score, &entry) in self.scores.0.iter().zip(&self.entries).skip(1) {
            if score > best.0 || (score == best.0 && entry < best.1) {
                best = (score, entry);
            }
        }
        best.1
    }
}

struct SearchUnit<'a> {
    panel: &'a BankPanel,
    centre: &'a [f32],
    features: &'a FeatureRows,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Task for SearchUnit<'_> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Vec<u32> {
        let SearchUnit { panel, centre, features, rows, columns } = self;
        let positions = rows.len() * columns.len();
        let mut centred = Vec::with_capacity(features.blocks() * positions);
        for (block, centre) in centre.as_chunks::<LANES>().0.iter().enumerate() {
            let centre = Lanes(*centre);
            for y in rows.clone() {
                isa.enter(Subtract {
                    row: &features.row(block, y)[columns.clone()],
                    centre: &centre,
                    out: &mut centred,
                });
            }
        }
        let none = Best { scores: Lanes([f32::NEG_INFINITY; LANES]), entries: [0; LANES] };
        let mut best = vec![none; positions];
        let column_lines = features.channels() * I::PRODUCT_VECTORS;
        for (column, lines) in panel.lines.chunks_exact(column_lines).enumerate() {
            let first = column * I::PRODUCT_VECTORS * LANES;
            let bank = BankColumn { lines, first, entries: panel.entries };
            match I::PRODUCT_VECTORS {
                4 => all_positions::<I, 4>(isa, bank, &centred, &mut best),
                _ => all_positions::<I, 1>(isa, bank, &centred, &mut best),
            }
        }
        best.iter().map(Best::entry).collect()
    }
}

/// A row of one block, less the centre.
struct Subtract<'a> {
    row: &'a [Lanes],
    centre: &'a Lanes,
    out: &'a mut Vec<Lanes>,
}

impl Task for Subtract<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        // A loop, as a closure given to an iterator is compiled without the instruction set.
        let centre = isa.load(self.centre);
        let first = self.out.len();
        self.out.resize(first + self.row.len(), Lanes::ZERO);
        for (line, less) in self.row.iter().zip(&mut self.out[first..]) {
            isa.store(isa.sub(isa.load(line), centre), less);
        }
    }
}

/// Entries that are worked on at a time: as many vectors of them as the registers hold.
#[derive(Clone, Copy)]
struct BankColumn<'a> {
    /// `[channels][VECTORS]`
    lines: &'a [Lanes],
    /// The first of its entries.
    first: usize,
    /// Entries of the whole bank.
    entries: usize,
}

#[inline(always)]
fn all_positions<I: Isa, const VECTORS: usize>(isa: I, bank: BankColumn<'_>, centred: &[Lanes], best: &mut [Best]) {
    let mut at = 0;
    while at < best.len() {
        let scores = Scores { bank, centred, at, best };
        // The same scores, whatever the number of positions side by side.
        at += match (scores.best.len() - at).min(I::PRODUCT_ROWS) {
            6 => isa.enter(Kernel::<6, VECTORS>(scores)),
            5 => isa.enter(Kernel::<5, VECTORS>(scores)),
            4 => isa.enter(Kernel::<4, VECTORS>(scores)),
            3 => isa.enter(Kernel::<3, VECTORS>(scores)),
            2 => isa.enter(Kernel::<2, VECTORS>(scores)),
            _ => isa.enter(Kernel::<1, VECTORS>(scores)),
        };
    }
}

/// What a kernel reads and writes.
struct Scores<'a> {
    bank: BankColumn<'a>,
    /// `[channels / 16][positions]`
    centred: &'a [Lanes],
    /// The first position.
    at: usize,
    /// `[positions]`
    best: &'a mut [Best],
}

/// ROWS positions. Returns ROWS.
struct Kernel<'a, const ROWS: usize, const VECTORS: usize>(Scores<'a>);

impl<const ROWS: usize, const VECTORS: usize> Task for Kernel<'_, ROWS, VECTORS> {
    type Output = usize;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> usize {
        let Scores { bank, centred, at, best } = self.0;
        let positions = best.len();
        let mut sums = [[isa.splat(0.0); VECTORS]; ROWS];
        let lines = bank.lines.as_chunks::<VECTORS>().0.as_chunks::<LANES>().0;
        for (block, lines) in lines.iter().enumerate() {
            let features: &[Lanes; ROWS] =
                centred[block * positions + at..].first_chunk().expect("at + ROWS <= positions");
            for (lane, line) in lines.iter().enumerate() {
                let mut row = [isa.splat(0.0); VECTORS];
                for (vector, line) in row.iter_mut().zip(line) {
                    *vector = isa.load(line);
                }
                for (sums, feature) in sums.iter_mut().zip(features) {
                    let feature = isa.splat(feature.0[lane]);
                    for (sum, vector) in sums.iter_mut().zip(row) {
                        *sum = isa.mul_add(vector, feature, *sum);
                    }
                }
            }
        }
        for (best, sums) in best[at..].iter_mut().zip(&sums) {
            for (vector, sum) in sums.iter().enumerate() {
                let first = bank.first + vector * LANES;
                // Beyond the last entry there is nothing to be found.
                let there = u16::MAX >> LANES.saturating_sub(bank.entries.saturating_sub(first)).min(LANES - 1);
                let there = if first < bank.entries { there } else { 0 };
                let greater = isa.greater_bits(*sum, isa.load(&best.scores)) & there;
                if greater != 0 {
                    let mut scores = Lanes::ZERO;
                    isa.store(*sum, &mut scores);
                    for lane in (0..LANES).filter(|lane| greater >> lane & 1 == 1) {
                        best.scores.0[lane] = scores.0[lane];
                        best.entries[lane] = (first + lane) as u32;
                    }
                }
            }
        }
        ROWS
    }
}
