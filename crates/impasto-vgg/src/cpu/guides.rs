//! Guides as the kernels read them: of each row the runs of positions that count.
//!
//! What a region does not see costs nothing, and where it counts fully nothing is multiplied by it. So regions that do not
//! overlap share the work of one.

use std::ops::Range;

use super::isa::Lanes;

/// The guides of all regions of one tap.
#[derive(Debug)]
pub struct RegionGuides {
    width: usize,
    /// `[regions, height, width]`
    values: Vec<f32>,
    /// `[regions, height]`
    rows: Vec<RowSpan>,
    /// By region.
    sums: Vec<f64>,
}

/// Columns of a row from the first to the last that count.
#[derive(Clone, Copy, Debug)]
struct RowSpan {
    start: u32,
    end: u32,
    /// Whether all of them count 1.
    is_plain: bool,
}

/// The guide of one region.
#[derive(Clone, Copy, Debug)]
pub struct Guide<'a> {
    width: usize,
    values: &'a [f32],
    rows: &'a [RowSpan],
    /// The sum of all values.
    pub sum: f64,
}

/// Positions of a row beside each other that all count.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The row.
    pub y: usize,
    /// Where they are.
    pub columns: Range<usize>,
    /// How much each counts. Empty where all count 1.
    pub weights: &'a [f32],
}

impl RegionGuides {
    /// The guides of `regions` regions over a map of this size, which have passed their check.
    pub fn new(regions: usize, height: usize, width: usize, values: Vec<f32>) -> RegionGuides {
        debug_assert_eq!(values.len(), regions * height * width);
        let rows = values.chunks_exact(width).map(RowSpan::of).collect();
        let sums = values.chunks_exact(height * width).map(crate::guides::guide_sum).collect();
        RegionGuides { width, values, rows, sums }
    }

    /// Bytes that they take.
    pub fn bytes(regions: usize, height: usize, width: usize) -> u64 {
        (regions * (height * (width * size_of::<f32>() + size_of::<RowSpan>()) + size_of::<f64>())) as u64
    }

    /// One region's.
    pub fn region(&self, region: usize) -> Guide<'_> {
        let height = self.rows.len() / self.sums.len();
        Guide {
            width: self.width,
            values: &self.values[region * height * self.width..][..height * self.width],
            rows: &self.rows[region * height..][..height],
            sum: self.sums[region],
        }
    }
}

impl RowSpan {
    fn of(row: &[f32]) -> RowSpan {
        let counts = |value: &f32| *value > 0.0;
        let start = row.iter().position(counts).unwrap_or(0);
        let end = row.iter().rposition(counts).map_or(0, |last| last + 1);
        let is_plain = row[start..end].iter().all(|&value| value == 1.0);
        RowSpan { start: start as u32, end: end as u32, is_plain }
    }
}

impl<'a> Guide<'a> {
    /// How much each position of a row counts.
    pub fn row(self, y: usize) -> &'a [f32] {
        &self.values[y * self.width..][..self.width]
    }

    /// Whether nothing of a row counts.
    pub fn is_empty(self, y: usize) -> bool {
        self.rows[y].end == 0
    }

    /// Whether every position of a row counts 1.
    pub fn is_whole(self, y: usize) -> bool {
        let RowSpan { start, end, is_plain } = self.rows[y];
        is_plain && (start, end as usize) == (0, self.width)
    }

    /// Adds the runs of some rows, within some columns, in their order.
    pub fn add_runs(self, rows: Range<usize>, columns: Range<usize>, runs: &mut Vec<Run<'a>>) {
        for y in rows {
            let RowSpan { start, end, is_plain } = self.rows[y];
            let (start, end) = (columns.start.max(start as usize), columns.end.min(end as usize));
            if start >= end {
                continue;
            }
            if is_plain {
                runs.push(Run { y, columns: start..end, weights: &[] });
            } else {
                self.add_runs_of_row(y, start..end, runs);
            }
        }
    }

    fn add_runs_of_row(self, y: usize, columns: Range<usize>, runs: &mut Vec<Run<'a>>) {
        let row = self.row(y);
        let mut x = columns.start;
        while x < columns.end {
            let first = x;
            let mut is_plain = true;
            while x < columns.end && row[x] > 0.0 {
                is_plain &= row[x] == 1.0;
                x += 1;
            }
            if x > first {
                runs.push(Run { y, columns: first..x, weights: if is_plain { &[] } else { &row[first..x] } });
            }
            x += 1;
        }
    }
}

impl Run<'_> {
    /// The run's part of a row of a map.
    #[inline(always)]
    pub fn of<'map>(&self, row: &'map [Lanes]) -> &'map [Lanes] {
        &row[self.columns.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_positions_that_count() {
        let values = [
            [0.0, 1.0, 1.0, 0.0, 0.0],
            [0.5, 0.0, 0.0, 1.0, 1.0],
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [1.0, 1.0, 1.0, 1.0, 1.0],
            [0.25, 1.0, 0.0, 0.0, 0.75],
        ];
        let guides = RegionGuides::new(1, 5, 5, values.concat());
        let guide = guides.region(0);
        let runs = |columns: Range<usize>| {
            let mut runs = Vec::new();
            guide.add_runs(0..5, columns, &mut runs);
            runs.into_iter().map(|run| (run.y, run.columns, run.weights.to_vec())).collect::<Vec<_>>()
        };
        let all = vec![
            (0, 1..3, vec![]),
            (1, 0..1, vec![0.5]),
            (1, 3..5, vec![]),
            (3, 0..5, vec![]),
            (4, 0..2, vec![0.25, 1.0]),
            (4, 4..5, vec![0.75]),
        ];
        assert_eq!(runs(0..5), all);
        assert_eq!(runs(1..4), vec![(0, 1..3, vec![]), (1, 3..4, vec![]), (3, 1..4, vec![]), (4, 1..2, vec![])]);
        assert_eq!(guide.sum, 11.5);
        assert_eq!((0..5).map(|y| (guide.is_empty(y), guide.is_whole(y))).filter(|row| row.0 || row.1).count(), 2);
        assert!(guide.is_empty(2) && guide.is_whole(3));
    }
}
