//! [`History`] in f64, loops only: what histories on devices are tested against.

use crate::bfloat16::Bfloat16;
use crate::error::EngineError;
use crate::history::{History, Products, Vectors, Weighing};

/// 1 3 3 1, over their sum.
const FILTER: [f64; 4] = [0.125, 0.375, 0.375, 0.125];

/// A history on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceHistory {
    capacity: usize,
    /// Steps and changes, oldest first.
    pairs: Vec<[Vec<f64>; 2]>,
    vector: Vec<f64>,
}

impl ReferenceHistory {
    /// Room for `capacity` pairs, at least one.
    pub fn new(capacity: usize) -> ReferenceHistory {
        ReferenceHistory { capacity, pairs: Vec::new(), vector: Vec::new() }
    }

    /// The vector as it is.
    pub fn vector(&self) -> &[f64] {
        &self.vector
    }

    fn all(&self, vectors: Vectors) -> impl Iterator<Item = &Vec<f64>> {
        self.pairs.iter().map(move |pair| &pair[usize::from(vectors == Vectors::Changes)])
    }
}

impl History for ReferenceHistory {
    fn push(&mut self, step: &[Bfloat16], change: &[Bfloat16]) -> Result<(), EngineError> {
        self.pairs.push([step, change].map(|vector| vector.iter().map(|value| f64::from(value.wide())).collect()));
        if self.pairs.len() > self.capacity {
            self.pairs.remove(0);
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.pairs.clear();
    }

    fn load(&mut self, vector: &[f32]) -> Result<(), EngineError> {
        self.vector = vector.iter().map(|&value| f64::from(value)).collect();
        Ok(())
    }

    fn multiply(&mut self, vectors: Vectors) -> Result<Products, EngineError> {
        let newest = match self.pairs.last() {
            Some(pair) if !self.vector.is_empty() => &pair[1],
            _ => return Err(EngineError::Order("products need pairs and a vector")),
        };
        let with = |other: &[f64]| {
            let product = |own: &Vec<f64>| own.iter().zip(other).map(|(a, b)| a * b).sum();
            self.all(vectors).map(product).collect()
        };
        Ok(Products { with_vector: with(&self.vector), with_newest_change: with(newest) })
    }

    fn add(&mut self, vectors: Vectors, factors: &[f64], scale: f32) -> Result<(), EngineError> {
        if factors.len() != self.pairs.len() {
            return Err(EngineError::Order("a sum needs a factor for each pair"));
        }
        let mut sum: Vec<f64> = self.vector.iter().map(|value| f64::from(scale) * value).collect();
        for (own, factor) in self.all(vectors).zip(factors) {
            sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += factor * own);
        }
        self.vector = sum;
        Ok(())
    }

    fn weigh(&mut self, weighing: Weighing<'_>) -> Result<(), EngineError> {
        let (size, root) = ((weighing.height, weighing.width), weighing.root);
        for plane in self.vector.chunks_mut(size.0 * size.1) {
            let times_root = |plane: &mut [f64]| {
                plane.iter_mut().zip(root).for_each(|(value, &root)| *value *= f64::from(root));
            };
            times_root(plane);
            let weighed = weigh_levels(plane, size, weighing.level_weights);
            plane.copy_from_slice(&weighed);
            times_root(plane);
        }
        Ok(())
    }

    fn read(&mut self, vector: &mut [f32]) -> Result<(), EngineError> {
        vector.iter_mut().zip(&self.vector).for_each(|(to, &value)| *to = value as f32);
        Ok(())
    }
}

/// w_0 plane + D^T (the same with the other weights) D plane, of height and width.
fn weigh_levels(plane: &[f64], size: (usize, usize), weights: &[f32]) -> Vec<f64> {
    let Some((&weight, others)) = weights.split_first() else { return vec![0.0; plane.len()] };
    let mut weighed: Vec<f64> = plane.iter().map(|value| f64::from(weight) * value).collect();
    if !others.is_empty() {
        let coarse_size = (size.0.div_ceil(2), size.1.div_ceil(2));
        let mut coarse = vec![0.0; coarse_size.0 * coarse_size.1];
        each_term(size, |fine, below, factor| coarse[below] += factor * plane[fine]);
        let coarse = weigh_levels(&coarse, coarse_size, others);
        each_term(size, |fine, below, factor| weighed[fine] += factor * coarse[below]);
    }
    weighed
}

/// Calls `with` for each element of D that is not zero: the fine place, the coarse place, and the element.
fn each_term((height, width): (usize, usize), mut with: impl FnMut(usize, usize, f64)) {
    let (coarse_height, coarse_width) = (height.div_ceil(2), width.div_ceil(2));
    for coarse_y in 0..coarse_height {
        for coarse_x in 0..coarse_width {
            for (row, by_row) in FILTER.iter().enumerate() {
                for (column, by_column) in FILTER.iter().enumerate() {
                    let y = (2 * coarse_y + row).checked_sub(1).filter(|&y| y < height);
                    let x = (2 * coarse_x + column).checked_sub(1).filter(|&x| x < width);
                    if let (Some(y), Some(x)) = (y, x) {
                        with(y * width + x, coarse_y * coarse_width + coarse_x, 2.0 * by_row * by_column);
                    }
                }
            }
        }
    }
}
