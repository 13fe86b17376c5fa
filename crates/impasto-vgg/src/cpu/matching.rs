//! Matched features of one layer: the bank, the matches, and what an evaluation sees of them; see [`crate::matching`].
//!
//! The bank is kept twice: in panels for the product that finds matches (`search.rs`), always centred, and entry by entry for
//! the distances (`pull.rs`), in the form that the tap asks for. Both are of length 1, made in f64 and rounded once.

mod mean;
mod pull;
mod search;

use std::ops::Range;

use rayon::prelude::*;

use self::mean::MeanSums;
use self::pull::{Pull, add_distances, add_gradient};
use self::search::BankPanel;
use super::buffer::FeatureRows;
use super::isa::{InstructionSet, LANES, Lanes};
use crate::engine::SessionRequest;
use crate::matching::{Bank, LEAST_NORM, MatchedDistance, MatchedTap, Matches, sampled};

/// One matched tap of a session.
#[derive(Debug)]
pub struct MatchedFeatures {
    tap: MatchedTap,
    height: usize,
    width: usize,
    panel: BankPanel,
    /// `[entries][channels / 16]`: v.
    directions: Vec<Lanes>,
    /// `[channels]`: m.
    centre: Vec<f32>,
    /// `[channels / 16]`: what is taken off the features before their distance: m, or zeros.
    offset: Vec<Lanes>,
    /// `[positions]`: n.
    indices: Vec<u32>,
    means: MeanSums,
    /// By row of the map.
    sums: Vec<f64>,
    weight: f64,
}

/// Bytes that the matched taps of a request take, on so many threads.
pub fn bytes(request: &SessionRequest, threads: usize) -> u64 {
    let tap_bytes = |tap: &MatchedTap| {
        let (channels, (height, width)) = (tap.layer.channels(), tap.layer.map_size(request.height, request.width));
        let directions = tap.entries as u64 * (channels * size_of::<f32>()) as u64;
        let by_position = (height * width * size_of::<u32>() + height * size_of::<f64>()) as u64;
        let by_channel = (channels * (2 * size_of::<f32>() + size_of::<f64>())) as u64;
        BankPanel::bytes(channels, tap.entries) + directions + by_position + by_channel
    };
    let deepest = request.matched_taps.iter().map(|tap| tap.layer.channels()).max();
    let taps: u64 = request.matched_taps.iter().map(tap_bytes).sum();
    taps + deepest.map_or(0, |channels| threads as u64 * search::unit_bytes(channels))
}

impl MatchedFeatures {
    /// For a tap of a session for pictures of this size; the bank is zero at first.
    pub fn new(set: InstructionSet, request: &SessionRequest, tap: MatchedTap) -> MatchedFeatures {
        let (height, width) = tap.layer.map_size(request.height, request.width);
        let channels = tap.layer.channels();
        MatchedFeatures {
            tap,
            height,
            width,
            panel: BankPanel::new(set, channels, tap.entries),
            directions: vec![Lanes::ZERO; tap.entries * channels / LANES],
            centre: vec![0.0; channels],
            offset: vec![Lanes::ZERO; channels / LANES],
            indices: vec![0; height * width],
            means: MeanSums::new(channels),
            sums: vec![0.0; height],
            weight: 0.0,
        }
    }

    /// The tap.
    pub fn tap(&self) -> MatchedTap {
        self.tap
    }

    /// Takes the bank, which has passed its check. Runs on the current rayon pool.
    pub fn set_bank(&mut self, bank: &Bank) {
        let channels = self.tap.layer.channels();
        let mut mean = vec![0.0; channels];
        for entry in bank.features.chunks_exact(channels) {
            mean.iter_mut().zip(entry).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        mean.iter_mut().for_each(|sum| *sum /= self.tap.entries as f64);
        self.panel.fill(&bank.features, &mean);
        let offset = if self.tap.centred { mean } else { vec![0.0; channels] };
        let lines = self.directions.par_chunks_exact_mut(channels / LANES);
        lines.zip(bank.features.par_chunks_exact(channels)).for_each(|(lines, entry)| {
            let factor = unit_factor(entry, &offset);
            for (channel, (&value, offset)) in entry.iter().zip(&offset).enumerate() {
                lines[channel / LANES].0[channel % LANES] = ((f64::from(value) - offset) * factor) as f32;
            }
        });
    }

    /// Starts the sums that the centre is made of from nothing.
    pub fn clear_means(&mut self) {
        self.means.clear();
    }

    /// Adds rows of the map to the sums that the centre is made of; each row once, in their order. Runs on the current
    /// rayon pool.
    pub fn add_means(&mut self, features: &FeatureRows, rows: Range<usize>) {
        self.means.add(features, rows);
    }

    /// Makes the centre of the sums.
    pub fn finish_means(&mut self) {
        let centre = self.means.finish((self.height * self.width) as u64);
        self.set_centre(&centre);
    }

    fn set_centre(&mut self, centre: &[f32]) {
        self.centre.copy_from_slice(centre);
        if self.tap.centred {
            for (line, values) in self.offset.iter_mut().zip(centre.as_chunks::<LANES>().0) {
                *line = Lanes(*values);
            }
        }
    }

    /// Finds the matches of some rows. Runs on the current rayon pool.
    pub fn find(&mut self, set: InstructionSet, features: &FeatureRows, rows: Range<usize>) {
        let indices = &mut self.indices[rows.start * self.width..rows.end * self.width];
        search::find(set, &self.panel, &self.centre, features, rows, indices);
    }

    /// Holds matches that have passed their check.
    pub fn set_matches(&mut self, matches: &Matches) {
        self.set_centre(&matches.centre);
        self.indices.copy_from_slice(&matches.indices);
    }

    /// A copy of what is held.
    pub fn matches(&self) -> Matches {
        Matches { layer: self.tap.layer, centre: self.centre.clone(), indices: self.indices.clone() }
    }

    fn pull(&self) -> Pull<'_> {
        Pull { directions: &self.directions, offset: &self.offset, indices: &self.indices }
    }

    /// Takes the distances of some rows in. Runs on the current rayon pool.
    pub fn observe(&mut self, set: InstructionSet, features: &FeatureRows, rows: Range<usize>) {
        let mut sums = std::mem::take(&mut self.sums);
        add_distances(set, self.pull(), features, rows.clone(), &mut sums[rows]);
        self.sums = sums;
    }

    /// The sum over all rows, in their order.
    pub fn distance(&self) -> MatchedDistance {
        let positions = (self.height * self.width) as u64;
        MatchedDistance { layer: self.tap.layer, positions, sum: self.sums.iter().sum() }
    }

    /// Takes the derivative by the sum in that [`MatchedFeatures::inject`] works with.
    pub fn set_weight(&mut self, weight: f64) {
        self.weight = weight;
    }

    /// Adds to rows of the gradient what the distances give; where nothing is there yet (`is_first`), sets them. Runs on the
    /// current rayon pool.
    pub fn inject(
        &self,
        set: InstructionSet,
        features: &FeatureRows,
        gradient: &mut FeatureRows,
        rows: Range<usize>,
        is_first: bool,
    ) {
        add_gradient(set, self.pull(), self.weight as f32, features, gradient, rows, is_first);
    }
}

/// The features at the sampled columns of those of some rows that are sampled, `[samples, channels]`, added to what the rows
/// before gave.
pub fn add_samples(features: &FeatureRows, rows: Range<usize>, samples: &mut Vec<f32>) {
    for y in sampled(features.height()).filter(|y| rows.contains(y)) {
        for x in sampled(features.width()) {
            (0..features.blocks()).for_each(|block| samples.extend(features.row(block, y)[x].0));
        }
    }
}

/// What a bank's entry, less `mean`, is multiplied by to have length 1; 0 where it has none.
fn unit_factor(entry: &[f32], mean: &[f64]) -> f64 {
    let squares = entry.iter().zip(mean).map(|(&value, mean)| (f64::from(value) - mean) * (f64::from(value) - mean));
    let norm = squares.sum::<f64>().sqrt();
    if norm > LEAST_NORM { 1.0 / norm } else { 0.0 }
}
