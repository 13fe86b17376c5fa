//! What a tap adds to the gradient: the derivative of a loss by the features at the tap.
//!
//! With M positions, m = d loss / d mean, S = d loss / d second (symmetric), w = d loss / d sum of squares and P the
//! content image's features:
//!
//! ```text
//!   gradient = m / M  +  2 / M S F  +  2 w (F - P)
//! ```
//!
//! With regions there is such an m and S for each, and M is the sum of its guide t: the first two terms are then the sum over
//! regions of t (m / M + 2 / M S F), and nothing is multiplied where t is 0. With an emphasis e the last is 2 w e (F - P).
//!
//! S F is a matrix product; S is laid out in panels like the convolutions' weights, and the micro-kernel is the same:
//! ROWS positions x VECTORS x 16 channels in registers. Each sum is one chain over the input channels in their order,
//! however many positions lie beside it. With bfloat16 products, pairs of neighbouring channels share a word: S is laid
//! out so, and features are rounded as they are read. Where the processor has tile registers, a piece of a row is rounded
//! into a buffer that they read, and its sums come back through another.

mod in_tiles;

use std::ops::Range;

use rayon::prelude::*;

use self::in_tiles::{Piece, RowInTiles};
use super::buffer::{FeatureRows, RowMut};
use super::guides::{Guide, Run};
use super::isa::{InstructionSet, Isa, LANES, Lanes, Task};
use super::panels::{GROUP_BLOCKS, PanelLayout, PanelLine, word_of, words};
use crate::engine::{MomentGradients, Precision};
use crate::plan::TILE_ROWS;

/// The linear part of a tap's gradient: a constant and a matrix.
#[derive(Debug)]
pub struct MomentPanel {
    channels: usize,
    set: InstructionSet,
    /// `[channels / 16]`: m / M.
    mean: Vec<Lanes>,
    /// `[channels / 64][panel of 64 outputs]`: 2 / M S. A word is a channel in f32, or two in bfloat16, which leaves the
    /// second half empty.
    second: Vec<Lanes>,
    has_second: bool,
    bf16: bool,
}

impl MomentPanel {
    /// An empty panel for a layer of this many channels.
    pub fn new(set: InstructionSet, channels: usize) -> MomentPanel {
        let lines = |count| vec![Lanes::ZERO; count];
        let blocks = channels / LANES;
        let (mean, second) = (lines(blocks), lines(blocks * channels));
        MomentPanel { channels, set, mean, second, has_second: false, bf16: false }
    }

    /// Bytes that a panel takes.
    pub fn bytes(channels: usize) -> u64 {
        ((channels / LANES) * (channels + 1) * size_of::<Lanes>()) as u64
    }

    /// Takes the derivatives in, on the current rayon pool, for products of this precision (f32 where the instruction set
    /// has no others); `positions` is M, or the sum of the guide. Where S is not symmetric, its symmetric part counts: F F^T has no other.
    pub fn fill(&mut self, gradients: &MomentGradients, positions: f64, precision: Precision) {
        let channels = self.channels;
        self.bf16 = self.set.backward_parts(precision) > 0;
        for (block, line) in self.mean.iter_mut().enumerate() {
            for (lane, value) in line.0.iter_mut().enumerate() {
                *value = gradients.mean.get(block * LANES + lane).map_or(0.0, |mean| (mean / positions) as f32);
            }
        }
        self.has_second = !gradients.second.is_empty();
        if !self.has_second {
            return;
        }
        let second = &gradients.second;
        // 2 / M S of one input and sixteen outputs: a piece of its row, and one of its column.
        let values = |input: usize, first_output: usize| -> [f32; LANES] {
            let row = &second[input * channels + first_output..][..LANES];
            let column = second[first_output * channels + input..].iter().step_by(channels);
            let mut values = [0.0; LANES];
            for (value, (row, column)) in values.iter_mut().zip(row.iter().zip(column)) {
                *value = ((row + column) / positions) as f32;
            }
            values
        };
        let (bf16, layout) = (self.bf16, PanelLayout::new(self.set, channels, usize::from(self.bf16)));
        let words = self.words();
        let lines = &mut self.second[..words * channels / LANES];
        lines.par_iter_mut().with_min_len(channels).enumerate().for_each(|(place, line)| {
            let PanelLine { block, word, .. } = layout.at(place % layout.lines());
            let first = (place / layout.lines() * GROUP_BLOCKS + block) * LANES;
            if !bf16 {
                line.0 = values(word, first);
                return;
            }
            let [low, high] = [values(2 * word, first), values(2 * word + 1, first)];
            for (entry, (low, high)) in line.0.iter_mut().zip(low.into_iter().zip(high)) {
                *entry = word_of([low, high], 0);
            }
        });
    }

    /// Words of a column of the panel.
    fn words(&self) -> usize {
        words(self.channels, usize::from(self.bf16))
    }
}

/// The content part of a tap's gradient.
#[derive(Clone, Copy, Debug)]
pub struct ContentPull<'a> {
    /// P.
    pub target: &'a FeatureRows,
    /// 2 w.
    pub twice_weight: f32,
    /// e, `[height, width]`; `None` where all positions count the same.
    pub emphasis: Option<&'a [f32]>,
}

/// The moments' part of a tap's gradient, of one region or of the whole map.
#[derive(Clone, Copy, Debug)]
pub struct MomentPull<'a> {
    /// m and S.
    pub panel: &'a MomentPanel,
    /// t; `None` for 1 everywhere.
    pub guide: Option<Guide<'a>>,
}

/// What a tap injects.
#[derive(Clone, Copy, Debug)]
pub struct Injection<'a> {
    /// From the moments of each region. Their panels are of one precision.
    pub moments: &'a [MomentPull<'a>],
    /// From the distance.
    pub content: Option<ContentPull<'a>>,
}

/// Sets rows of `gradient` to what the tap injects at them; `features` is the tap's map. Runs on the current rayon pool.
pub fn inject(
    set: InstructionSet,
    injection: Injection<'_>,
    features: &FeatureRows,
    gradient: &mut FeatureRows,
    rows: Range<usize>,
) {
    let groups = features.blocks() / GROUP_BLOCKS;
    let first = rows.start / TILE_ROWS;
    let tile_rows = rows.end.div_ceil(TILE_ROWS) - first;
    let mut units: Vec<Vec<RowMut<'_, Lanes>>> = Vec::new();
    units.resize_with(groups * tile_rows, || Vec::with_capacity(GROUP_BLOCKS * TILE_ROWS));
    for row in gradient.rows_mut(rows) {
        units[(row.y / TILE_ROWS - first) * groups + row.block / GROUP_BLOCKS].push(row);
    }
    units.into_par_iter().with_max_len(1).for_each(|mut rows| {
        rows.sort_unstable_by_key(|row| (row.y, row.block));
        if injection.moments.first().is_some_and(|pull| pull.panel.bf16) {
            set.run_bf16(InjectRows::<true> { injection, features, rows });
        } else {
            set.run(InjectRows::<false> { injection, features, rows });
        }
    });
}

/// Some rows of one group of channels: for each row its four blocks, in order.
struct InjectRows<'a, const BF16: bool> {
    injection: Injection<'a>,
    features: &'a FeatureRows,
    rows: Vec<RowMut<'a, Lanes>>,
}

impl<const BF16: bool> Task for InjectRows<'_, BF16> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let mut piece = Piece::new(if BF16 && I::HAS_TILES { self.features.channels() } else { 0 });
        let mut runs = Vec::new();
        let Injection { moments, content } = self.injection;
        for blocks in self.rows.chunks_exact_mut(GROUP_BLOCKS) {
            let (y, width) = (blocks[0].y, blocks[0].elements.len());
            let mut is_set = false;
            for MomentPull { panel, guide } in moments {
                let positions = Positions { panel, features: self.features, columns: 0..width, weights: &[] };
                match guide {
                    Some(guide) if guide.is_empty(y) => continue,
                    Some(guide) if is_set || !guide.is_whole(y) => {
                        if !is_set {
                            clear(blocks);
                        }
                        runs.clear();
                        guide.add_runs(y..y + 1, 0..width, &mut runs);
                        for Run { columns, .. } in &runs {
                            let weights = &guide.row(y)[columns.clone()];
                            let positions = Positions { columns: columns.clone(), weights, ..positions };
                            moments_of::<I, BF16>(isa, positions, blocks, &mut piece);
                        }
                    }
                    _ => moments_of::<I, BF16>(isa, positions, blocks, &mut piece),
                }
                is_set = true;
            }
            // No region has anything here.
            if !is_set && !moments.is_empty() {
                clear(blocks);
            }
            if let Some(content) = content {
                for row in blocks {
                    isa.enter(PullRow { content, features: self.features, row, add: !moments.is_empty() });
                }
            }
        }
    }
}

fn clear(blocks: &mut [RowMut<'_, Lanes>]) {
    for row in blocks {
        row.elements.fill(Lanes::ZERO);
    }
}

/// Positions of a row, and what their features are multiplied by.
struct Positions<'a> {
    panel: &'a MomentPanel,
    features: &'a FeatureRows,
    columns: Range<usize>,
    /// What the products are multiplied by before they are added to what is there; empty to set it to them.
    weights: &'a [f32],
}

impl<'a> Positions<'a> {
    /// The weights from column `x` on.
    #[inline(always)]
    fn weights_from(&self, x: usize) -> &'a [f32] {
        if self.weights.is_empty() { &[] } else { &self.weights[x - self.columns.start..] }
    }
}

/// The moments' part at some positions of a row, the four blocks of a group of channels.
#[inline(always)]
fn moments_of<I: Isa, const BF16: bool>(
    isa: I,
    positions: Positions<'_>,
    blocks: &mut [RowMut<'_, Lanes>],
    piece: &mut Piece,
) {
    if BF16 && I::HAS_TILES {
        isa.enter(RowInTiles { positions, blocks, piece });
        return;
    }
    for columns in blocks.chunks_exact_mut(I::PRODUCT_VECTORS) {
        match I::PRODUCT_VECTORS {
            4 => moments_of_blocks::<I, BF16, 4>(isa, &positions, columns),
            _ => moments_of_blocks::<I, BF16, 1>(isa, &positions, columns),
        }
    }
}

/// VECTORS blocks of channels.
#[inline(always)]
fn moments_of_blocks<I: Isa, const BF16: bool, const VECTORS: usize>(
    isa: I,
    positions: &Positions<'_>,
    columns: &mut [RowMut<'_, Lanes>],
) {
    let &Positions { panel, features, .. } = positions;
    let (first_block, y, end) = (columns[0].block, columns[0].y, positions.columns.end);
    let lines = panel.words() * VECTORS;
    let second = &panel.second[first_block / VECTORS * lines..][..if panel.has_second { lines } else { 0 }];
    let mean = &panel.mean[first_block..][..VECTORS];
    let mut x = positions.columns.start;
    while x < end {
        let row = PositionRow { mean, second, features, weights: positions.weights_from(x), y, x };
        // The same sums, whatever the number of positions side by side.
        x += match (end - x).min(I::PRODUCT_ROWS) {
            6 => isa.enter(Kernel::<BF16, 6, VECTORS> { row, columns }),
            5 => isa.enter(Kernel::<BF16, 5, VECTORS> { row, columns }),
            4 => isa.enter(Kernel::<BF16, 4, VECTORS> { row, columns }),
            3 => isa.enter(Kernel::<BF16, 3, VECTORS> { row, columns }),
            2 => isa.enter(Kernel::<BF16, 2, VECTORS> { row, columns }),
            _ => isa.enter(Kernel::<BF16, 1, VECTORS> { row, columns }),
        };
    }
}

/// What a kernel reads.
#[derive(Clone, Copy)]
struct PositionRow<'a> {
    /// `[VECTORS]`
    mean: &'a [Lanes],
    /// `[words][VECTORS]`, or empty.
    second: &'a [Lanes],
    features: &'a FeatureRows,
    /// See [`Positions::weights`]; from `x` on.
    weights: &'a [f32],
    y: usize,
    x: usize,
}

/// ROWS positions from `x` on. Returns ROWS.
struct Kernel<'a, 'map, const BF16: bool, const ROWS: usize, const VECTORS: usize> {
    row: PositionRow<'a>,
    columns: &'a mut [RowMut<'map, Lanes>],
}

impl<const BF16: bool, const ROWS: usize, const VECTORS: usize> Task for Kernel<'_, '_, BF16, ROWS, VECTORS> {
    type Output = usize;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> usize {
        let PositionRow { mean, second, features, weights, y, x } = self.row;
        let mut sums = [[isa.splat(0.0); VECTORS]; ROWS];
        for sums in &mut sums {
            for (sum, mean) in sums.iter_mut().zip(mean) {
                *sum = isa.load(mean);
            }
        }
        let second = second.as_chunks::<VECTORS>().0.as_chunks::<LANES>().0;
        for (place, second) in second.iter().enumerate() {
            // What the next kernel reads: many short streams, which the processor does not foresee by itself.
            for block in if BF16 { 2 * place..2 * place + 2 } else { place..place + 1 } {
                let next = features.row(block, y)[x..].as_ptr().wrapping_add(ROWS);
                (0..ROWS).for_each(|position| isa.prefetch(next.wrapping_add(position)));
            }
            let packed: [Lanes; ROWS];
            let positions = if BF16 {
                packed = packed_positions(isa, [2 * place, 2 * place + 1].map(|block| &features.row(block, y)[x..]));
                &packed
            } else {
                features.row(place, y)[x..].first_chunk().expect("x + ROWS <= width")
            };
            for (lane, second) in second.iter().enumerate() {
                let mut row = [isa.splat(0.0); VECTORS];
                for (vector, second) in row.iter_mut().zip(second) {
                    *vector = isa.load(second);
                }
                for (sums, position) in sums.iter_mut().zip(positions) {
                    let feature = isa.splat(position.0[lane]);
                    for (sum, vector) in sums.iter_mut().zip(row) {
                        *sum = if BF16 {
                            isa.mul_add_bf16(vector, feature, *sum)
                        } else {
                            isa.mul_add(vector, feature, *sum)
                        };
                    }
                }
            }
        }
        for (vector, column) in self.columns.iter_mut().enumerate() {
            for (position, (sums, line)) in sums.iter().zip(&mut column.elements[x..]).enumerate() {
                let value = if weights.is_empty() {
                    sums[vector]
                } else {
                    isa.mul_add(isa.splat(weights[position]), sums[vector], isa.load(line))
                };
                isa.store(value, line);
            }
        }
        ROWS
    }
}

/// Thirty-two channels of ROWS positions, in sixteen words each.
#[inline(always)]
fn packed_positions<I: Isa, const ROWS: usize>(isa: I, [lower, upper]: [&[Lanes]; 2]) -> [Lanes; ROWS] {
    let mut packed = [Lanes::ZERO; ROWS];
    for ((words, lower), upper) in packed.iter_mut().zip(lower).zip(upper) {
        isa.store_bf16(isa.load(lower), words, false);
        isa.store_bf16(isa.load(upper), words, true);
    }
    packed
}

/// One row of one block: sets it to 2 w e (F - P), or adds that.
struct PullRow<'a, 'map> {
    content: ContentPull<'a>,
    features: &'a FeatureRows,
    row: &'a mut RowMut<'map, Lanes>,
    add: bool,
}

impl Task for PullRow<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let RowMut { block, y, elements } = self.row;
        let ContentPull { target, twice_weight, emphasis } = self.content;
        let factor = isa.splat(twice_weight);
        let (features, targets) = (self.features.row(*block, *y), target.row(*block, *y));
        let emphasis = emphasis.map_or(&[][..], |emphasis| &emphasis[*y * elements.len()..][..elements.len()]);
        for (x, ((line, feature), target)) in elements.iter_mut().zip(features).zip(targets).enumerate() {
            let difference = isa.sub(isa.load(feature), isa.load(target));
            let before = if self.add { isa.load(line) } else { isa.splat(0.0) };
            let factor = if emphasis.is_empty() { factor } else { isa.mul(factor, isa.splat(emphasis[x])) };
            isa.store(isa.mul_add(factor, difference, before), line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Small integers in a map, and as planes.
    fn integers(channels: usize, height: usize, width: usize, seed: &mut u32) -> (FeatureRows, Vec<Vec<f64>>) {
        let mut map = FeatureRows::new(channels, height, width, height);
        let mut planes = vec![vec![0.0; height * width]; channels];
        for (channel, plane) in planes.iter_mut().enumerate() {
            for (position, value) in plane.iter_mut().enumerate() {
                *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = f64::from(*seed >> 29);
                map.row_mut(channel / LANES, position / width)[position % width].0[channel % LANES] = *value as f32;
            }
        }
        (map, planes)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        /// Small integers and a power of two for the positions: everything is exact, in bfloat16 too.
        #[test]
        fn gradients_of_integers_are_exact(
            group in 0..3usize, height in 1..9usize, width in 1..40usize, parts in 0..4usize, seed in 0..1000u32,
        ) {
            let channels = 64 << group;
            let mut seed = seed;
            let (features, planes) = integers(channels, height, width, &mut seed);
            let (target, targets) = integers(channels, height, width, &mut seed);
            let mut next = || { seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); f64::from(seed >> 29) };
            let mean: Vec<f64> = (0..channels).map(|_| next()).collect();
            let mut second = vec![0.0; channels * channels];
            for (a, b) in (0..channels).flat_map(|a| (0..=a).map(move |b| (a, b))) {
                let value = next();
                second[a * channels + b] = value;
                second[b * channels + a] = value;
            }
            let second = if parts == 3 { Vec::new() } else { second };
            let gradients = MomentGradients { mean, second };
            let by_moments = parts != 1;
            let by_content = parts != 0;
            for (set, precision) in InstructionSet::available().into_iter().flat_map(|set| [(set, Precision::F32), (set, Precision::Bf16)]) {
                let mut panel = MomentPanel::new(set, channels);
                panel.fill(&gradients, 2.0, precision);
                let content = ContentPull { target: &target, twice_weight: 3.0, emphasis: None };
                let pull = [MomentPull { panel: &panel, guide: None }];
                let injection = Injection {
                    moments: if by_moments { &pull } else { &[] },
                    content: by_content.then_some(content),
                };
                let mut out = FeatureRows::new(channels, height, width, height);
                let cut = 4.min(height);
                inject(set, injection, &features, &mut out, 0..cut);
                inject(set, injection, &features, &mut out, cut..height);
                for channel in (0..channels).step_by(5) {
                    for position in 0..height * width {
                        let mut expected = 0.0;
                        if by_moments {
                            expected += gradients.mean[channel] / 2.0;
                            for (other, plane) in planes.iter().enumerate().take(gradients.second.len() / channels) {
                                expected += gradients.second[channel * channels + other] * plane[position];
                            }
                        }
                        if by_content {
                            expected += 3.0 * (planes[channel][position] - targets[channel][position]);
                        }
                        let line = &out.row(channel / LANES, position / width)[position % width];
                        prop_assert_eq!(f64::from(line.0[channel % LANES]), expected);
                    }
                }
            }
        }
    }
}
