//! Distances of features to what they were matched to, and how these pull on them.
//!
//! With f = F - m (or F), v the direction that a position was matched to, c = f v / |f|:
//!
//! ```text
//!   distance = 1 - c          gradient += w (c / |f|^2 f - v / |f|)
//! ```
//!
//! A position's products are one chain over its blocks of channels and then one sum over the lanes, in f32; distances are
//! summed in f64, row by row.

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::buffer::{FeatureRows, RowMut};
use crate::cpu::isa::{InstructionSet, Isa, Lanes, Task};
use crate::matching::LEAST_NORM;

/// What positions are drawn to.
#[derive(Clone, Copy)]
pub struct Pull<'a> {
    /// `[entries][channels / 16]`
    pub directions: &'a [Lanes],
    /// `[channels / 16]`
    pub offset: &'a [Lanes],
    /// `[positions]`
    pub indices: &'a [u32],
}

impl<'a> Pull<'a> {
    /// The direction that the position at column `x` of row `y` is drawn to.
    fn direction(&self, y: usize, x: usize, width: usize) -> &'a [Lanes] {
        let blocks = self.offset.len();
        &self.directions[self.indices[y * width + x] as usize * blocks..][..blocks]
    }
}

/// Sets `sums`, one for each of some rows. Runs on the current rayon pool.
pub fn add_distances(
    set: InstructionSet,
    pull: Pull<'_>,
    features: &FeatureRows,
    rows: Range<usize>,
    sums: &mut [f64],
) {
    sums.par_iter_mut().zip(rows).for_each(|(sum, y)| *sum = set.run(DistancesOfRow { pull, features, y }));
}

/// Adds to some rows of the gradient; where `is_first`, sets them. Runs on the current rayon pool.
pub fn add_gradient(
    set: InstructionSet,
    pull: Pull<'_>,
    weight: f32,
    features: &FeatureRows,
    gradient: &mut FeatureRows,
    rows: Range<usize>,
    is_first: bool,
) {
    let first = rows.start;
    let mut by_row: Vec<Vec<RowMut<'_, Lanes>>> = Vec::new();
    by_row.resize_with(rows.len(), || Vec::with_capacity(features.blocks()));
    for row in gradient.rows_mut(rows) {
        by_row[row.y - first].push(row);
    }
    by_row.into_par_iter().enumerate().for_each(|(place, mut rows)| {
        rows.sort_unstable_by_key(|row| row.block);
        set.run(PullRow { pull, weight, features, y: first + place, rows: &mut rows, is_first });
    });
}

/// f v and |f|^2 of a position.
struct Products<'a> {
    /// The position's line in each block, by row.
    rows: &'a [&'a [Lanes]],
    x: usize,
    offset: &'a [Lanes],
    direction: &'a [Lanes],
}

impl Task for Products<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> [f32; 2] {
        let [mut product, mut square] = [isa.splat(0.0); 2];
        for ((row, offset), direction) in self.rows.iter().zip(self.offset).zip(self.direction) {
            let feature = isa.sub(isa.load(&row[self.x]), isa.load(offset));
            product = isa.mul_add(feature, isa.load(direction), product);
            square = isa.mul_add(feature, feature, square);
        }
        [isa.sum(product), isa.sum(square)]
    }
}

/// 1 / |f|, or nothing where it has no direction.
fn inverse_norm(square: f32) -> Option<f32> {
    let norm = square.sqrt();
    // What is no number is not below it: it goes on to the loss, where it is noticed.
    if f64::from(norm) <= LEAST_NORM { None } else { Some(1.0 / norm) }
}

/// A row of the map in each of its blocks.
fn row_of(features: &FeatureRows, y: usize) -> Vec<&[Lanes]> {
    (0..features.blocks()).map(|block| features.row(block, y)).collect()
}

struct DistancesOfRow<'a> {
    pull: Pull<'a>,
    features: &'a FeatureRows,
    y: usize,
}

impl Task for DistancesOfRow<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f64 {
        let DistancesOfRow { pull, features, y } = self;
        let (rows, width) = (row_of(features, y), features.width());
        let mut sum = 0.0;
        for x in 0..width {
            let direction = pull.direction(y, x, width);
            let [product, square] = isa.enter(Products { rows: &rows, x, offset: pull.offset, direction });
            sum += 1.0 - inverse_norm(square).map_or(0.0, |inverse| f64::from(product) * f64::from(inverse));
        }
        sum
    }
}

struct PullRow<'a, 'map> {
    pull: Pull<'a>,
    weight: f32,
    features: &'a FeatureRows,
    y: usize,
    /// The gradient's row in each block, in their order.
    rows: &'a mut [RowMut<'map, Lanes>],
    is_first: bool,
}

impl Task for PullRow<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let PullRow { pull, weight, features, y, rows: gradient, is_first } = self;
        let (rows, width) = (row_of(features, y), features.width());
        for x in 0..width {
            let direction = pull.direction(y, x, width);
            let [product, square] = isa.enter(Products { rows: &rows, x, offset: pull.offset, direction });
            let [along, towards] = inverse_norm(square).map_or([0.0; 2], |inverse| {
                let towards = -weight * inverse;
                [-towards * product * inverse * inverse, towards]
            });
            isa.enter(PullPosition {
                rows: &rows,
                x,
                offset: pull.offset,
                direction,
                along,
                towards,
                gradient,
                is_first,
            });
        }
    }
}

/// gradient += along f + towards v
struct PullPosition<'a, 'map> {
    rows: &'a [&'a [Lanes]],
    x: usize,
    offset: &'a [Lanes],
    direction: &'a [Lanes],
    along: f32,
    towards: f32,
    gradient: &'a mut [RowMut<'map, Lanes>],
    is_first: bool,
}

impl Task for PullPosition<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let (along, towards, x) = (isa.splat(self.along), isa.splat(self.towards), self.x);
        let operands = self.rows.iter().zip(self.offset).zip(self.direction);
        for (row, ((features, offset), direction)) in self.gradient.iter_mut().zip(operands) {
            let feature = isa.sub(isa.load(&features[x]), isa.load(offset));
            let line = &mut row.elements[x];
            let before = if self.is_first { isa.splat(0.0) } else { isa.load(line) };
            let pulled = isa.mul_add(isa.load(direction), towards, before);
            isa.store(isa.mul_add(feature, along, pulled), line);
        }
    }
}
