//! The mean of a map's features, row after row.
//!
//! Each block of channels is summed by itself, in f64 and in the order of positions: so the sums are the same bits however
//! the rows come in and however the blocks are shared out.

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::buffer::FeatureRows;
use crate::cpu::isa::LANES;

/// Sums of each channel.
#[derive(Debug)]
pub struct MeanSums {
    /// `[channels / 16]`
    sums: Vec<[f64; LANES]>,
}

impl MeanSums {
    /// For a layer of this many channels.
    pub fn new(channels: usize) -> MeanSums {
        MeanSums { sums: vec![[0.0; LANES]; channels / LANES] }
    }

    /// Starts again from nothing.
    pub fn clear(&mut self) {
        self.sums.fill([0.0; LANES]);
    }

    /// Adds rows of the map. Runs on the current rayon pool.
    pub fn add(&mut self, features: &FeatureRows, rows: Range<usize>) {
        self.sums.par_iter_mut().enumerate().for_each(|(block, sums)| {
            for y in rows.clone() {
                for line in features.row(block, y) {
                    sums.iter_mut().zip(line.0).for_each(|(sum, value)| *sum += f64::from(value));
                }
            }
        });
    }

    /// The means over so many positions.
    pub fn finish(&self, positions: u64) -> Vec<f32> {
        self.sums.iter().flatten().map(|sum| (sum / positions as f64) as f32).collect()
    }
}
