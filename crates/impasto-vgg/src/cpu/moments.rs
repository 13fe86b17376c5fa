//! Sums over positions: of the features (for the mean) and of their products in pairs (for the second moment).
//!
//! With F laid out in lines of sixteen channels at a position, the products of blocks i and j of channels are sums of
//! outer products of two lines; only j <= i is computed, the rest follows by symmetry:
//!
//! ```text
//!   second[16 i + r, 16 j + lane] += F_i[position][r] * F_j[position][lane]      16 sums of 16 lanes in registers
//! ```
//!
//! With a guide, each term counts as much as the guide says: the line on the right is multiplied by it, unless it is 1, and
//! where it is 0 nothing is done.
//!
//! Sums are kept in f32 over a *chunk* of positions, 4 rows by 128 columns at most, and in f64 across chunks. Chunks lie
//! on a grid that starts at the map's corner, and each is added in the order of its rows of tiles to one of a fixed number
//! of *parts* (row of tiles modulo the parts); the parts are added up at the end. So the sums are the same bits however
//! the rows come in and however the work is shared out.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::FeatureRows;
use super::guides::{Guide, Run};
use super::isa::{InstructionSet, Isa, LANES, Lanes, Task};
use crate::engine::Moments;
use crate::layers::Layer;
use crate::plan::TILE_ROWS;

/// Columns of a chunk, at most: a row of it in two blocks of channels takes 16 KiB, a third of a first-level cache.
const CHUNK_COLUMNS: usize = 128;

/// Sums in f64 of sixteen channels by sixteen.
const TILE_SUMS: usize = LANES * LANES;

/// The moments of one layer while they add up.
#[derive(Debug)]
pub struct MomentSums {
    channels: usize,
    /// `[parts][groups]`
    shares: Vec<Share>,
}

/// What one part of the positions adds to one group of blocks of channels.
#[derive(Debug)]
struct Share {
    part: usize,
    parts: usize,
    /// Blocks i of channels.
    blocks: Vec<usize>,
    /// `[blocks][16]`
    mean: Vec<f64>,
    /// `[blocks][j in 0..=i][16][16]`
    second: Vec<f64>,
}

/// Groups of blocks that are worked on separately: the more channels, the more groups and the fewer parts.
fn groups_of(channels: usize) -> usize {
    channels / 64
}

fn parts_of(channels: usize) -> usize {
    1024 / channels
}

/// The blocks i of a group: some from the front, where there are few j <= i, and as many from the back.
fn blocks_of(group: usize, channels: usize) -> Vec<usize> {
    let count = channels / LANES;
    let half = count / groups_of(channels) / 2;
    (0..half).map(|place| group * half + place).chain((0..half).map(|place| count - 1 - group * half - place)).collect()
}

impl MomentSums {
    /// For a layer of this many channels, a multiple of 64.
    pub fn new(channels: usize) -> MomentSums {
        let (groups, parts) = (groups_of(channels), parts_of(channels));
        let shares = (0..parts).flat_map(|part| (0..groups).map(move |group| (part, group)));
        let shares = shares.map(|(part, group)| {
            let blocks = blocks_of(group, channels);
            let tiles: usize = blocks.iter().map(|block| block + 1).sum();
            let (mean, second) = (vec![0.0; blocks.len() * LANES], vec![0.0; tiles * TILE_SUMS]);
            Share { part, parts, blocks, mean, second }
        });
        MomentSums { channels, shares: shares.collect() }
    }

    /// Bytes that these sums take.
    pub fn bytes(channels: usize) -> u64 {
        let blocks = channels / LANES;
        (parts_of(channels) * (blocks * (blocks + 1) / 2 * TILE_SUMS + channels) * size_of::<f64>()) as u64
    }

    /// Starts again from nothing. Runs on the current rayon pool.
    pub fn clear(&mut self) {
        self.shares.par_iter_mut().for_each(|share| {
            share.mean.fill(0.0);
            share.second.fill(0.0);
        });
    }

    /// Adds rows of the layer's map, as far as a guide counts them; they start at a multiple of 4 and end at one or with the
    /// map. Runs on the current rayon pool.
    pub fn add(&mut self, set: InstructionSet, map: &FeatureRows, guide: Option<Guide<'_>>, rows: Range<usize>) {
        debug_assert_eq!(map.channels(), self.channels);
        debug_assert!(rows.start.is_multiple_of(TILE_ROWS));
        debug_assert!(rows.end.is_multiple_of(TILE_ROWS) || rows.end == map.height());
        self.shares.par_iter_mut().with_max_len(1).for_each(|share| {
            set.run(AddRows { share, map, guide, rows: rows.clone() });
        });
    }

    /// Adds all parts up and gives the moments of a map of so many positions, whose guide has the sum `divisor`; the sums are
    /// spent. Runs on the current rayon pool.
    pub fn finish(&mut self, layer: Layer, positions: u64, divisor: f64) -> Moments {
        let (totals, others) = self.shares.split_at_mut(groups_of(self.channels));
        let groups = totals.len();
        totals.par_iter_mut().enumerate().for_each(|(group, total)| {
            // Part after part: the same order always.
            for share in others.iter().skip(group).step_by(groups) {
                total.mean.iter_mut().zip(&share.mean).for_each(|(sum, value)| *sum += value);
                total.second.iter_mut().zip(&share.second).for_each(|(sum, value)| *sum += value);
            }
        });
        let channels = self.channels;
        let (mut mean, mut second) = (vec![0.0; channels], vec![0.0; channels * channels]);
        // By block i: the tiles of each j <= i.
        let mut tiles_of: Vec<&[[f64; TILE_SUMS]]> = vec![&[]; channels / LANES];
        for total in &*totals {
            let mut tiles = total.second.as_chunks::<TILE_SUMS>().0;
            for (&i, sums) in total.blocks.iter().zip(total.mean.as_chunks::<LANES>().0) {
                for (value, sum) in mean[i * LANES..][..LANES].iter_mut().zip(sums) {
                    *value = sum / divisor;
                }
                (tiles_of[i], tiles) = tiles.split_at(i + 1);
            }
        }
        // Sixteen rows at a time, each written from end to end: what lies behind the diagonal is read from the tile that lies
        // across it. (Guided products round differently on both sides of the diagonal: only those before it are read.)
        second.par_chunks_mut(LANES * channels).enumerate().for_each(|(i, rows)| {
            for (row, values) in rows.chunks_exact_mut(channels).enumerate() {
                for (j, values) in values.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let (tile, first, step) =
                        if j <= i { (&tiles_of[i][j], row * LANES, 1) } else { (&tiles_of[j][i], row, LANES) };
                    for (value, sum) in values.iter_mut().zip(tile[first..].iter().step_by(step)) {
                        *value = sum / divisor;
                    }
                    if j == i {
                        for (lane, value) in values.iter_mut().enumerate().skip(row + 1) {
                            *value = tile[lane * LANES + row] / divisor;
                        }
                    }
                }
            }
        });
        Moments { layer, positions, mean, second }
    }
}

/// Adds what one share takes of some rows.
struct AddRows<'a> {
    share: &'a mut Share,
    map: &'a FeatureRows,
    guide: Option<Guide<'a>>,
    rows: Range<usize>,
}

impl Task for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let AddRows { share, map, guide, rows } = self;
        let mut runs = Vec::new();
        let tile_rows = rows.start / TILE_ROWS..rows.end.div_ceil(TILE_ROWS);
        for tile_row in tile_rows.filter(|tile_row| tile_row % share.parts == share.part) {
            let rows = tile_row * TILE_ROWS..((tile_row + 1) * TILE_ROWS).min(map.height());
            for start in (0..map.width()).step_by(CHUNK_COLUMNS) {
                let columns = start..(start + CHUNK_COLUMNS).min(map.width());
                runs.clear();
                match guide {
                    Some(guide) => guide.add_runs(rows.clone(), columns, &mut runs),
                    None => {
                        for y in rows.clone() {
                            runs.push(Run { y, columns: columns.clone(), weights: &[] });
                        }
                    }
                }
                if runs.is_empty() {
                    continue;
                }
                let chunk = Chunk { map, runs: &runs };
                let mut tiles = share.second.as_chunks_mut::<TILE_SUMS>().0;
                for (&i, mean) in share.blocks.iter().zip(share.mean.as_chunks_mut::<LANES>().0) {
                    isa.enter(AddMean { chunk: &chunk, block: i, mean });
                    let (second, rest) = tiles.split_at_mut(i + 1);
                    add_products(isa, &chunk, i, second);
                    tiles = rest;
                }
            }
        }
    }
}

/// Adds the products of block i with each j <= i, as many j at a time as the registers can hold the sums of.
#[inline(always)]
fn add_products<I: Isa>(isa: I, chunk: &Chunk<'_>, i: usize, second: &mut [[f64; TILE_SUMS]]) {
    if I::PRODUCT_ROWS * I::PRODUCT_VECTORS < LANES {
        for (j, second) in second.as_chunks_mut().0.iter_mut().enumerate() {
            isa.enter(AddSecond::<1> { chunk, i, j, second });
        }
        return;
    }
    let (threes, rest) = second.as_chunks_mut();
    let first_of_rest = 3 * threes.len();
    for (place, second) in threes.iter_mut().enumerate() {
        isa.enter(AddSecond::<3> { chunk, i, j: 3 * place, second });
    }
    let (two, one) = rest.as_chunks_mut();
    for second in two {
        isa.enter(AddSecond::<2> { chunk, i, j: first_of_rest, second });
    }
    for second in one.as_chunks_mut().0 {
        isa.enter(AddSecond::<1> { chunk, i, j: first_of_rest, second });
    }
}

/// Some rows and columns of a map, as far as they count.
struct Chunk<'a> {
    map: &'a FeatureRows,
    runs: &'a [Run<'a>],
}

impl Chunk<'_> {
    /// A run in one block of channels.
    #[inline(always)]
    fn lines(&self, block: usize, run: &Run<'_>) -> &[Lanes] {
        run.of(self.map.row(block, run.y))
    }
}

struct AddMean<'a> {
    chunk: &'a Chunk<'a>,
    block: usize,
    mean: &'a mut [f64; LANES],
}

impl Task for AddMean<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        // Four chains, so that additions do not wait for each other.
        let mut sums = [isa.splat(0.0); 4];
        for run in self.chunk.runs {
            let lines = self.chunk.lines(self.block, run);
            if !run.weights.is_empty() {
                for (position, (line, weight)) in lines.iter().zip(run.weights).enumerate() {
                    let sum = &mut sums[position % 4];
                    *sum = isa.mul_add(isa.load(line), isa.splat(*weight), *sum);
                }
                continue;
            }
            let (quads, rest) = lines.as_chunks::<4>();
            for quad in quads {
                for (sum, line) in sums.iter_mut().zip(quad) {
                    *sum = isa.add(*sum, isa.load(line));
                }
            }
            for line in rest {
                sums[0] = isa.add(sums[0], isa.load(line));
            }
        }
        let mut total = Lanes::ZERO;
        isa.store(isa.add(isa.add(sums[0], sums[1]), isa.add(sums[2], sums[3])), &mut total);
        for (sum, value) in self.mean.iter_mut().zip(total.0) {
            *sum += f64::from(value);
        }
    }
}

/// The products of block i with the `BLOCKS` blocks from j on.
struct AddSecond<'a, const BLOCKS: usize> {
    chunk: &'a Chunk<'a>,
    i: usize,
    j: usize,
    second: &'a mut [[f64; TILE_SUMS]; BLOCKS],
}

impl<const BLOCKS: usize> Task for AddSecond<'_, BLOCKS> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let mut sums = [[Lanes::ZERO; BLOCKS]; LANES];
        for run in self.chunk.runs {
            let left = self.chunk.lines(self.i, run);
            let right: [_; BLOCKS] = std::array::from_fn(|block| self.chunk.lines(self.j + block, run));
            if run.weights.is_empty() {
                products_of_run::<I, false, BLOCKS>(isa, left, right, &[], &mut sums);
            } else {
                products_of_run::<I, true, BLOCKS>(isa, left, right, run.weights, &mut sums);
            }
        }
        for (block, second) in self.second.iter_mut().enumerate() {
            for (second, sums) in second.as_chunks_mut::<LANES>().0.iter_mut().zip(&sums) {
                for (second, sum) in second.iter_mut().zip(sums[block].0) {
                    *second += f64::from(sum);
                }
            }
        }
    }
}

/// As many sums at a time as fit the registers beside a line of each block.
#[inline(always)]
fn products_of_run<I: Isa, const GUIDED: bool, const BLOCKS: usize>(
    isa: I,
    left: &[Lanes],
    right: [&[Lanes]; BLOCKS],
    weights: &[f32],
    sums: &mut [[Lanes; BLOCKS]; LANES],
) {
    match I::PRODUCT_ROWS * I::PRODUCT_VECTORS {
        16.. if BLOCKS > 1 => outer_products::<I, GUIDED, 8, BLOCKS>(isa, left, right, weights, sums),
        16.. => outer_products::<I, GUIDED, 16, BLOCKS>(isa, left, right, weights, sums),
        4.. => outer_products::<I, GUIDED, 4, BLOCKS>(isa, left, right, weights, sums),
        _ => outer_products::<I, GUIDED, 2, BLOCKS>(isa, left, right, weights, sums),
    }
}

/// sums[r][block] += left[position][r] * right[block][position], times the position's weight where there are some; ROWS of
/// the sixteen r at a time.
#[inline(always)]
fn outer_products<I: Isa, const GUIDED: bool, const ROWS: usize, const BLOCKS: usize>(
    isa: I,
    left: &[Lanes],
    right: [&[Lanes]; BLOCKS],
    weights: &[f32],
    sums: &mut [[Lanes; BLOCKS]; LANES],
) {
    let weights = if GUIDED { &weights[..left.len()] } else { &[] };
    let right = right.map(|row| &row[..left.len()]);
    for (part, sums) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
        let mut registers = [[isa.splat(0.0); BLOCKS]; ROWS];
        for (registers, sums) in registers.iter_mut().zip(sums.iter()) {
            for (register, sum) in registers.iter_mut().zip(sums) {
                *register = isa.load(sum);
            }
        }
        for (position, left) in left.iter().enumerate() {
            let mut lines = [isa.splat(0.0); BLOCKS];
            for (line, row) in lines.iter_mut().zip(&right) {
                *line = isa.load(&row[position]);
            }
            if GUIDED {
                let weight = isa.splat(weights[position]);
                for line in &mut lines {
                    *line = isa.mul(weight, *line);
                }
            }
            for (registers, value) in registers.iter_mut().zip(&left.0.as_chunks::<ROWS>().0[part]) {
                let value = isa.splat(*value);
                for (register, line) in registers.iter_mut().zip(lines) {
                    *register = isa.mul_add(value, line, *register);
                }
            }
        }
        for (registers, sums) in registers.iter().zip(sums) {
            for (register, sum) in registers.iter().zip(sums) {
                isa.store(*register, sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        /// Small integers: every product and every sum is exact, so the moments have to be, in any order of rows.
        #[test]
        fn sums_of_integers_are_exact(
            blocks in 0..4usize, height in 1..14usize, width in 1..300usize, cut in 0..4usize, seed in 0..1000u32,
        ) {
            let channels = 64 << blocks;
            let mut map = FeatureRows::new(channels, height, width, height);
            let mut state = seed;
            let mut planes = vec![vec![0i64; height * width]; channels];
            for (channel, plane) in planes.iter_mut().enumerate() {
                for (position, value) in plane.iter_mut().enumerate() {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *value = i64::from(state >> 29);
                    let line = &mut map.row_mut(channel / LANES, position / width)[position % width];
                    line.0[channel % LANES] = *value as f32;
                }
            }
            let positions = (height * width) as f64;
            for set in InstructionSet::available() {
                let mut sums = MomentSums::new(channels);
                sums.clear();
                let cut = cut * TILE_ROWS % height.next_multiple_of(TILE_ROWS);
                sums.add(set, &map, None, 0..cut);
                sums.add(set, &map, None, cut..height);
                let moments = sums.finish(Layer::all().next().unwrap(), positions as u64, positions);
                for a in (0..channels).step_by(7) {
                    let sum: i64 = planes[a].iter().sum();
                    prop_assert_eq!(moments.mean[a], sum as f64 / positions);
                    for b in (0..channels).step_by(5) {
                        let sum: i64 = planes[a].iter().zip(&planes[b]).map(|(x, y)| x * y).sum();
                        prop_assert_eq!(moments.second[a * channels + b], sum as f64 / positions);
                    }
                }
            }
        }
    }

    #[test]
    fn every_block_has_one_group() {
        for channels in [64, 128, 256, 512] {
            let mut blocks: Vec<usize> =
                (0..groups_of(channels)).flat_map(|group| blocks_of(group, channels)).collect();
            blocks.sort_unstable();
            assert!(blocks.iter().copied().eq(0..channels / LANES));
        }
    }
}
