//! How far a layer's features are from the content image's: the sum of (F - P)^2.
//!
//! With an emphasis, the squares at each position are multiplied by it.
//!
//! Squares are added in f32 along 128 positions of a row at most, in f64 from there on, a sum for each row of tiles;
//! those sums are added up at the end in their order. So the sum is the same bits however the rows come in.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::FeatureRows;
use super::isa::{InstructionSet, Isa, Lanes, Task};
use crate::plan::TILE_ROWS;

/// Positions whose squares are added in f32.
const CHUNK_COLUMNS: usize = 128;

/// The content image's features at one layer, and the sum of squared differences to them while it adds up.
#[derive(Debug)]
pub struct ContentTarget {
    /// P, all of its rows.
    pub map: FeatureRows,
    /// `[height, width]`; `None` where all positions count the same.
    pub emphasis: Option<Vec<f32>>,
    /// One for each row of tiles.
    sums: Vec<f64>,
}

impl ContentTarget {
    /// For a layer of this shape; P is zero at first.
    pub fn new(channels: usize, height: usize, width: usize) -> ContentTarget {
        let map = FeatureRows::new(channels, height, width, height);
        ContentTarget { map, emphasis: None, sums: vec![0.0; height.div_ceil(TILE_ROWS)] }
    }

    /// Takes rows of `features` as P.
    pub fn set(&mut self, features: &FeatureRows, rows: Range<usize>) {
        for row in self.map.rows_mut(rows) {
            row.elements.copy_from_slice(features.row(row.block, row.y));
        }
    }

    /// Adds rows of `features`; they start at a multiple of 4 and end at one or with the map. Runs on the current rayon
    /// pool.
    pub fn add(&mut self, set: InstructionSet, features: &FeatureRows, rows: Range<usize>) {
        let tile_rows = rows.start / TILE_ROWS..rows.end.div_ceil(TILE_ROWS);
        let (target, emphasis) = (&self.map, self.emphasis.as_deref());
        self.sums[tile_rows.clone()].par_iter_mut().zip(tile_rows).for_each(|(sum, tile_row)| {
            *sum = set.run(TileRowSquares { features, target, emphasis, tile_row });
        });
    }

    /// The sum over all rows.
    pub fn sum_of_squares(&self) -> f64 {
        self.sums.iter().sum()
    }
}

struct TileRowSquares<'a> {
    features: &'a FeatureRows,
    target: &'a FeatureRows,
    emphasis: Option<&'a [f32]>,
    tile_row: usize,
}

impl Task for TileRowSquares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f64 {
        let TileRowSquares { features, target, emphasis, tile_row } = self;
        let rows = tile_row * TILE_ROWS..((tile_row + 1) * TILE_ROWS).min(features.height());
        let mut total = 0.0;
        for y in rows {
            let weights = emphasis.map_or(&[][..], |emphasis| &emphasis[y * features.width()..][..features.width()]);
            for block in 0..features.blocks() {
                let chunks = features.row(block, y).chunks(CHUNK_COLUMNS);
                let mut weights = weights.chunks(CHUNK_COLUMNS);
                for (features, targets) in chunks.zip(target.row(block, y).chunks(CHUNK_COLUMNS)) {
                    total += match weights.next() {
                        Some(weights) => isa.enter(WeighedSquares { features, targets, weights }),
                        None => isa.enter(Squares { features, targets }),
                    };
                }
            }
        }
        total
    }
}

struct Squares<'a> {
    features: &'a [Lanes],
    targets: &'a [Lanes],
}

impl Task for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f64 {
        let mut sum = isa.splat(0.0);
        for (feature, target) in self.features.iter().zip(self.targets) {
            let difference = isa.sub(isa.load(feature), isa.load(target));
            sum = isa.mul_add(difference, difference, sum);
        }
        sum_of_lanes(isa, sum)
    }
}

/// As [`Squares`], each multiplied by its position's weight.
struct WeighedSquares<'a> {
    features: &'a [Lanes],
    targets: &'a [Lanes],
    weights: &'a [f32],
}

impl Task for WeighedSquares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f64 {
        let mut sum = isa.splat(0.0);
        for ((feature, target), weight) in self.features.iter().zip(self.targets).zip(self.weights) {
            let difference = isa.sub(isa.load(feature), isa.load(target));
            sum = isa.mul_add(isa.mul(isa.splat(*weight), difference), difference, sum);
        }
        sum_of_lanes(isa, sum)
    }
}

#[inline(always)]
fn sum_of_lanes<I: Isa>(isa: I, sum: I::Vector) -> f64 {
    let mut lanes = Lanes::ZERO;
    isa.store(sum, &mut lanes);
    lanes.0.iter().map(|&value| f64::from(value)).sum()
}
