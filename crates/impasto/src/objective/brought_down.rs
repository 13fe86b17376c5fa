//! A picture brought down to a smaller size, as a linear map, and the derivative by it taken back.
//!
//! ```text
//!   down    s = R p C^T        R, C: each row the Lanczos taps of one pixel (picture/resize.rs), here without a limit to 0..255
//!   back    dL/dp = R^T dL/ds C
//! ```
//!
//! first along the rows, then across them, and back in the same order. Where sides join, taps reach around to the other side: a row
//! is continued by a margin of its other end, whose derivative belongs to the pixels that it copies.

use rayon::prelude::*;

use crate::picture::resize::{LOBES, Taps, filter_along, taps};

/// The map from pictures of one size to those of a smaller one, each `[3, height, width]`.
#[derive(Clone, Debug)]
pub struct BroughtDown {
    columns: Line,
    rows: Line,
    /// Between both directions, `[height, smaller width]`; kept, for fresh memory is slow.
    between: Vec<f32>,
}

/// One direction of it.
#[derive(Clone, Debug)]
struct Line {
    length: usize,
    /// Pixels of the other end by which the line is continued on either side, where it joins; else 0.
    margin: usize,
    /// Of each pixel of the result, in the continued line.
    taps: Vec<Taps>,
    /// Of each pixel of the continued line, in the result: what of the derivative by each is its own.
    back: Vec<Taps>,
}

impl Line {
    fn new(length: usize, smaller: usize, joins: bool) -> Line {
        let step = (length as f64 / smaller as f64).max(1.0);
        let margin = if joins { (LOBES * step).ceil() as usize } else { 0 };
        let taps = taps(length + 2 * margin, margin as f64, length as f64, smaller);
        let back = transposed(&taps, length + 2 * margin);
        Line { length, margin, taps, back }
    }

    /// The pixel that stands in a place of the continued line.
    fn own(&self, place: usize) -> usize {
        (place + self.length * self.margin - self.margin) % self.length
    }

    /// The places of the continued line in which a pixel stands, in their order.
    fn places(&self, pixel: usize) -> impl Iterator<Item = usize> {
        let first = (pixel + self.margin) % self.length;
        (first..self.back.len()).step_by(self.length)
    }
}

/// For each of `length` places the pixels whose taps hold it. Neighbours' taps begin and end in order, so these are neighbours too.
fn transposed(taps: &[Taps], length: usize) -> Vec<Taps> {
    let mut back: Vec<Taps> = vec![Taps { first: 0, weights: Vec::new() }; length];
    for (pixel, taps) in taps.iter().enumerate() {
        for (place, &weight) in back[taps.first..].iter_mut().zip(&taps.weights) {
            if place.weights.is_empty() {
                place.first = pixel;
            }
            place.weights.push(weight);
        }
    }
    back
}

impl BroughtDown {
    /// From one width and height to a smaller one; `joins` says whether left and right join, and whether top and bottom do.
    #[must_use]
    pub fn new(
        (width, height): (usize, usize),
        (smaller_width, smaller_height): (usize, usize),
        joins: (bool, bool),
    ) -> BroughtDown {
        BroughtDown {
            columns: Line::new(width, smaller_width, joins.0),
            rows: Line::new(height, smaller_height, joins.1),
            between: Vec::new(),
        }
    }

    /// The picture at the smaller size.
    pub fn apply(&mut self, picture: &[f32], smaller: &mut [f32]) {
        let BroughtDown { columns, rows, between } = self;
        let (width, smaller_width) = (columns.length, columns.taps.len());
        between.resize(rows.length * smaller_width, 0.0);
        let planes = smaller.chunks_exact_mut(smaller_width * rows.taps.len());
        for (smaller, plane) in planes.zip(picture.chunks_exact(width * rows.length)) {
            let rows_of_both = between.par_chunks_exact_mut(smaller_width).zip(plane.par_chunks_exact(width));
            rows_of_both.for_each_init(Vec::new, |continued, (narrowed, row)| {
                filter_along(narrowed, columns.continued(row, continued), &columns.taps);
            });
            let rows_of_result = smaller.par_chunks_exact_mut(smaller_width).zip(&rows.taps);
            rows_of_result.for_each(|(row, taps)| {
                row.fill(0.0);
                for (place, &weight) in (taps.first..).zip(&taps.weights) {
                    add(row, &between[rows.own(place) * smaller_width..], weight);
                }
            });
        }
    }

    /// Adds `weight` times the derivative by the picture to `gradient`, where `smaller` is the derivative by the smaller one.
    pub fn take_back(&mut self, smaller: &[f32], weight: f32, gradient: &mut [f32]) {
        let BroughtDown { columns, rows, between } = self;
        let (width, smaller_width) = (columns.length, columns.taps.len());
        between.resize(rows.length * smaller_width, 0.0);
        let planes = smaller.chunks_exact(smaller_width * rows.taps.len());
        for (smaller, gradient) in planes.zip(gradient.chunks_exact_mut(width * rows.length)) {
            between.par_chunks_exact_mut(smaller_width).enumerate().for_each(|(y, row)| {
                row.fill(0.0);
                for taps in rows.places(y).map(|place| &rows.back[place]) {
                    for (below, &tap) in (taps.first..).zip(&taps.weights) {
                        add(row, &smaller[below * smaller_width..], tap);
                    }
                }
            });
            let rows_of_both = gradient.par_chunks_exact_mut(width).zip(between.par_chunks_exact(smaller_width));
            rows_of_both.for_each_init(
                || vec![0.0; columns.back.len()],
                |continued, (gradient, row)| {
                    filter_along(continued, row, &columns.back);
                    for (place, value) in continued.iter().enumerate() {
                        gradient[columns.own(place)] += weight * value;
                    }
                },
            );
        }
    }
}

impl Line {
    /// A row with what continues it, in `buffer` where anything does.
    fn continued<'a>(&self, row: &'a [f32], buffer: &'a mut Vec<f32>) -> &'a [f32] {
        if self.margin == 0 {
            return row;
        }
        buffer.clear();
        buffer.extend((0..self.back.len()).map(|place| row[self.own(place)]));
        buffer
    }
}

/// Adds `weight` times the first values of `source` to as many.
fn add(target: &mut [f32], source: &[f32], weight: f32) {
    for (value, source) in target.iter_mut().zip(source) {
        *value += weight * source;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    /// Values without a pattern that the filter would see.
    fn values(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as f32
        };
        (0..count).map(|_| next()).collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    #[test]
    fn a_picture_comes_down_as_it_is_resized() {
        for (from, to) in [((24, 16), (12, 8)), ((31, 18), (16, 9)), ((40, 7), (13, 3)), ((5, 64), (5, 16))] {
            let picture = Picture::new(from.0, from.1, values(3 * from.0 * from.1, 7)).unwrap();
            let mut down = vec![0.0; 3 * to.0 * to.1];
            BroughtDown::new(from, to, (false, false)).apply(&picture.values, &mut down);
            let resized = picture.resized(to.0, to.1).unwrap();
            for (down, resized) in down.iter().zip(&resized.values) {
                // The filter's overshoot is left here.
                assert!((down.clamp(0.0, 255.0) - resized).abs() < 1e-3, "{from:?} to {to:?}: {down} {resized}");
            }
        }
    }

    /// <R p, s> = <p, R^T s>, for every kind of sides.
    #[test]
    fn the_way_back_is_the_transposed_map() {
        for joins in [(false, false), (true, false), (false, true), (true, true)] {
            for (from, to) in [((24, 16), (12, 8)), ((31, 18), (16, 9)), ((40, 7), (13, 3)), ((6, 9), (2, 3))] {
                let (picture, smaller) = (values(3 * from.0 * from.1, 3), values(3 * to.0 * to.1, 5));
                let mut map = BroughtDown::new(from, to, joins);
                let mut down = vec![f32::NAN; smaller.len()];
                map.apply(&picture, &mut down);
                let mut gradient = vec![1.0; picture.len()];
                map.take_back(&smaller, 0.5, &mut gradient);
                let ones: f64 = picture.iter().map(|&value| f64::from(value)).sum();
                let (forward, backward) = (0.5 * dot(&down, &smaller), dot(&picture, &gradient) - ones);
                assert!((forward - backward).abs() < 1e-5 * forward.abs(), "{joins:?} {from:?}: {forward} {backward}");
            }
        }
    }

    #[test]
    fn where_sides_join_a_picture_that_is_moved_around_comes_down_moved_around() {
        let (from, to) = ((24, 12), (12, 6));
        let picture = values(3 * from.0 * from.1, 11);
        let moved = |values: &[f32], (width, height): (usize, usize), (by_x, by_y): (usize, usize)| -> Vec<f32> {
            (0..values.len())
                .map(|place| {
                    let (plane, y, x) = (place / (width * height), place / width % height, place % width);
                    values[plane * width * height + (y + by_y) % height * width + (x + by_x) % width]
                })
                .collect()
        };
        let down = |picture: &[f32], joins| {
            let mut down = vec![0.0; 3 * to.0 * to.1];
            BroughtDown::new(from, to, joins).apply(picture, &mut down);
            down
        };
        let farthest = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let around = |by: (usize, usize), joins| {
            let of_moved = down(&moved(&picture, from, (2 * by.0, 2 * by.1)), joins);
            farthest(&of_moved, &moved(&down(&picture, joins), to, by))
        };
        assert!(around((5, 2), (true, true)) < 1e-3);
        assert!(around((5, 0), (true, false)) < 1e-3);
        assert!(around((0, 2), (false, true)) < 1e-3);
        assert!(around((5, 0), (false, true)) > 1.0, "sides that do not join have edges");
    }
}
