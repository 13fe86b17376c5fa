//! 3x3 convolutions by Winograd's F(4x4, 3x3) and F(4x6, 3x3), forward and backward, fused and blocked for the caches.
//!
//! The outputs are cut into tiles of four rows and four or six columns (`TileShape`). A block of tiles goes through three
//! steps, and everything between them stays in the second-level cache of the core that works on it:
//!
//! ```text
//!   input transform        [36 or 48 points][tiles][inputs]     all input channels of the block
//!   for each 64 outputs:
//!     36 or 48 products    [36 or 48 points][tiles][64]         transformed weights stream past
//!     output transform     4x4 or 4x6 outputs a tile, bias, ReLU, signs, pooling: straight into the maps
//! ```
//!
//! Tiles are numbered from the map's first row, whatever range of rows is asked for, and a tile's arithmetic does not
//! depend on the block it is in: results are the same bit for bit however the rows are cut into calls, the tiles into
//! blocks, and the blocks among threads.

mod gradient;
mod input;
mod output;
mod points;
mod products;
mod weights;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

pub use self::gradient::{Gradient, GradientRow, PooledGradient};
pub(super) use self::output::{Epilogue, ForwardEpilogue};
pub use self::points::{TILE, TileShape};
pub use self::weights::WinogradWeights;

use self::input::{InputTransform, STRIP_LINES, Source, lines_per_tile, point_stride};
use self::output::{BackwardEpilogue, OutputTransform, POOLED_TILE, PoolWriter};
use self::points::{MOST_POINTS, OBLONG_SPAN, OBLONG_TILE, SPAN};
use self::products::{GroupProducts, InputPanels, padded_tiles, sum_stride};
use super::buffer::{Cell, Claim, Element, FeatureRows, RowRing, SignRows, TileGrid, TileWriter, WinnerRows};
use super::isa::{InstructionSet, Isa, LANES, Lanes, Task};
use super::pages::Pages;
use super::panels::{GROUP_BLOCKS, GROUP_CHANNELS};
use crate::engine::Pooling;

/// Square tiles in a block, at most. The first while a group's weights stay in the second-level cache beside them: 24 to 48
/// make little difference. The second from [`WIDE_CHANNELS`] input channels on: the weights come from farther away each
/// time, so more tiles have to be worth the way (at 512 channels a tenth faster than with 36).
const SQUARE_BLOCK_TILES: [usize; 2] = [36, 72];
/// As [`SQUARE_BLOCK_TILES`], of oblong tiles: as many outputs where there are few channels, fewer from 256 on, where 36 to
/// 48 make little difference.
const OBLONG_BLOCK_TILES: [usize; 2] = [24, 36];
/// Tiles in a block, at most, where they are multiplied in tile registers: whole groups of sixteen. The second from
/// [`MAX_CHANNELS`] channels on, those in two parts counting twice (each a tenth faster than the other there).
const REGISTER_BLOCK_TILES: [usize; 2] = [32, 64];
/// What it takes to read the weights once for a block, in the time of so many tiles (a tenth at 72 tiles, a fifth at 36).
const TILES_OF_WEIGHTS: usize = 7;
/// What a block's input transform takes, in tenths of the products of one group of outputs.
const TRANSFORM_TENTHS: usize = 3;
/// See [`SQUARE_BLOCK_TILES`].
const WIDE_CHANNELS: usize = 256;
/// Channels of VGG-19's widest maps.
const MAX_CHANNELS: usize = 512;

/// What a forward convolution leaves behind. Maps have the size of the convolution's, `pooled` half of that.
#[derive(Debug)]
pub struct ForwardOutputs<'a> {
    /// A value for each output channel.
    pub bias: &'a [f32],
    /// The features after the ReLU.
    pub map: Option<&'a mut FeatureRows>,
    /// Where they are positive.
    pub signs: Option<&'a mut SignRows>,
    /// The features after the pooling that follows.
    pub pooled: Option<Pooled<'a>>,
}

/// The map of a pooling.
#[derive(Debug)]
pub struct Pooled<'a> {
    /// How windows are reduced.
    pub pooling: Pooling,
    /// The pooled features.
    pub map: &'a mut FeatureRows,
    /// Which of each window was the largest; for max pooling.
    pub winners: Option<&'a mut WinnerRows>,
}

/// Where a backward convolution puts the gradient at the map that the forward one read.
#[derive(Debug)]
pub struct BackwardOutputs<'a> {
    /// The gradient.
    pub map: &'a mut FeatureRows,
    /// Whether it is added to what the map holds (what a tap has injected).
    pub accumulate: bool,
    /// Where the layer below is positive, zero elsewhere; `None` where a pooling lies below.
    pub signs: Option<&'a SignRows>,
}

/// What each thread works in, allocated once.
#[derive(Debug)]
pub struct Scratch {
    threads: Vec<Mutex<ThreadScratch>>,
}

#[derive(Debug)]
struct ThreadScratch {
    inputs: Pages<Lanes>,
    sums: Pages<Lanes>,
    strip: Pages<Lanes>,
}

const INPUT_LINES: usize = SPAN * SPAN * (SQUARE_BLOCK_TILES[1] * MAX_CHANNELS / LANES + 1);
const SUM_LINES: usize = sum_stride(SPAN * SPAN) * SQUARE_BLOCK_TILES[1] * GROUP_BLOCKS;
const _: () = {
    assert!(MOST_POINTS * (OBLONG_BLOCK_TILES[1] * MAX_CHANNELS / LANES + 1) <= INPUT_LINES, "square blocks take most");
    assert!(sum_stride(MOST_POINTS) * OBLONG_BLOCK_TILES[1] * GROUP_BLOCKS <= SUM_LINES, "square blocks take most");
};

impl Scratch {
    /// For a pool of this many threads.
    pub fn new(threads: usize) -> Scratch {
        let lines = |count| Pages::filled(count, Lanes::ZERO);
        let thread = || ThreadScratch { inputs: lines(INPUT_LINES), sums: lines(SUM_LINES), strip: lines(STRIP_LINES) };
        Scratch { threads: (0..threads.max(1)).map(|_| Mutex::new(thread())).collect() }
    }

    /// Bytes that it takes.
    pub fn bytes(threads: usize) -> u64 {
        (threads.max(1) * (INPUT_LINES + SUM_LINES + STRIP_LINES) * size_of::<Lanes>()) as u64
    }

    /// Gives `work` the current thread's buffers. What is in them does not matter, not even after a panic.
    fn with<R>(&self, work: impl FnOnce(&mut ThreadScratch) -> R) -> R {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.threads.len();
        work(&mut self.threads[thread].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Convolves, adds the bias and applies the ReLU for the outputs of some rows of tiles.
///
/// Reads rows `4 start - 1 .. 4 end + 1` of `input`, writes rows `4 start .. 4 end` of the maps and `2 start .. 2 end` of
/// the pooled ones, each cut at the map's edges. Runs on the current rayon pool.
///
/// # Panics
/// Where sizes do not fit together.
pub fn convolve_forward(
    set: InstructionSet,
    weights: &WinogradWeights,
    input: &FeatureRows,
    tile_rows: Range<usize>,
    outputs: ForwardOutputs<'_>,
    scratch: &Scratch,
) {
    let (height, width) = (input.height(), input.width());
    assert_eq!(input.channels(), weights.inputs(), "the map has the channels that the weights take");
    assert_eq!(outputs.bias.len(), weights.outputs(), "a bias for each output");
    let work = Work { set, weights, tile_rows, width, scratch };
    let claims = work.claims();
    let cell = work.cell();
    let ForwardOutputs { bias, map, signs, pooled } = outputs;
    let channels = weights.outputs();
    let maps = writers(map, &claims, cell, (channels, height, width));
    let signs = writers(signs, &claims, cell, (channels, height, width));
    let pools = pool_writers(pooled, &claims, cell, (channels, height, width));
    let epilogues = maps
        .into_iter()
        .zip(signs)
        .zip(pools)
        .map(|((map, signs), pool)| ForwardEpilogue { bias, map, signs, pool })
        .collect();
    work.run(input, claims, epilogues);
}

/// Convolves a gradient back: from a layer's [`Gradient`] to the map that the layer read, for some rows of tiles.
///
/// Reads rows `4 start - 1 .. 4 end + 1` of the gradient (of a pooled one, the rows of their windows) and writes rows
/// `4 start .. 4 end`, each cut at the map's edges. Runs on the current rayon pool.
///
/// # Panics
/// Where sizes do not fit together.
pub fn convolve_backward(
    set: InstructionSet,
    weights: &WinogradWeights,
    gradient: &Gradient<'_>,
    tile_rows: Range<usize>,
    outputs: BackwardOutputs<'_>,
    scratch: &Scratch,
) {
    gradient.check(weights.inputs());
    let (height, width) = (gradient.height, gradient.width);
    let BackwardOutputs { map, accumulate, signs } = outputs;
    let work = Work { set, weights, tile_rows, width, scratch };
    let claims = work.claims();
    let epilogues = writers(Some(map), &claims, work.cell(), (weights.outputs(), height, width))
        .into_iter()
        .flatten()
        .map(|map| BackwardEpilogue { map, accumulate, signs })
        .collect();
    match gradient {
        // Nothing to put together: as fast as any map.
        Gradient { direct: Some(map), pooled: None, signs: None, .. } => work.run(*map, claims, epilogues),
        _ => work.run(gradient, claims, epilogues),
    }
}

/// One call's work, before it is shared out.
struct Work<'a> {
    set: InstructionSet,
    weights: &'a WinogradWeights,
    tile_rows: Range<usize>,
    width: usize,
    scratch: &'a Scratch,
}

impl Work<'_> {
    /// What a tile covers of the map.
    fn cell(&self) -> Cell {
        Cell { rows: TILE, columns: self.weights.shape().columns() }
    }

    /// The units of work, in order: blocks of tiles of about the same size; where there are few tiles, the outputs are
    /// shared out too (each unit then transforms the same inputs).
    fn claims(&self) -> Vec<Claim> {
        let tiles_per_row = self.width.div_ceil(self.weights.shape().columns());
        let (first, count) = (self.tile_rows.start * tiles_per_row, self.tile_rows.len() * tiles_per_row);
        let groups = self.weights.outputs() / GROUP_CHANNELS;
        let size = match self.weights.parts() {
            parts if parts == 0 || !self.set.has_tiles() => {
                BlockSize::of_vectors(self.weights.inputs(), self.weights.shape())
            }
            parts => BlockSize::of_registers(self.weights.inputs(), parts),
        };
        let (blocks, parts) = blocks_and_parts(rayon::current_num_threads(), count, size, groups);
        let share = |total: usize, of: usize, at: usize| total * at / of;
        let bound = |block: usize| first + (share(count.div_ceil(size.unit), blocks, block) * size.unit).min(count);
        let mut claims = Vec::with_capacity(parts * blocks);
        for part in 0..parts {
            let groups = share(groups, parts, part)..share(groups, parts, part + 1);
            for block in 0..blocks {
                claims.push(Claim {
                    blocks: groups.start * GROUP_BLOCKS..groups.end * GROUP_BLOCKS,
                    tiles: bound(block)..bound(block + 1),
                });
            }
        }
        claims
    }

    /// Runs every unit on the pool.
    fn run<S: Source, E: Epilogue>(&self, source: &S, claims: Vec<Claim>, epilogues: Vec<E>) {
        claims.into_par_iter().zip(epilogues).with_max_len(1).for_each(|(claim, mut epilogue)| {
            self.scratch.with(|scratch| {
                let (weights, epilogue) = (self.weights, &mut epilogue);
                match (weights.parts(), weights.shape()) {
                    (0, TileShape::Oblong) => {
                        self.set.run(OblongUnit::<S, E> { source, weights, claim, epilogue, scratch });
                    }
                    (0, _) => self.set.run(SquareUnit::<S, E, 0> { source, weights, claim, epilogue, scratch }),
                    (1, _) => self.set.run_bf16(SquareUnit::<S, E, 1> { source, weights, claim, epilogue, scratch }),
                    _ => self.set.run_tiles(SquareUnit::<S, E, 2> { source, weights, claim, epilogue, scratch }),
                }
            });
        });
    }
}

/// How many tiles a block may have.
#[derive(Clone, Copy, Debug)]
struct BlockSize {
    /// Blocks are cut between multiples of so many tiles.
    unit: usize,
    /// Tiles in a block, at most: a multiple of `unit`.
    most: usize,
}

impl BlockSize {
    /// For kernels of vectors.
    fn of_vectors(inputs: usize, shape: TileShape) -> BlockSize {
        let [few_channels, many_channels] = match shape {
            TileShape::Square => SQUARE_BLOCK_TILES,
            TileShape::Oblong => OBLONG_BLOCK_TILES,
        };
        BlockSize { unit: 1, most: if inputs < WIDE_CHANNELS { few_channels } else { many_channels } }
    }

    /// For tile registers, which take whole groups of sixteen.
    fn of_registers(inputs: usize, parts: usize) -> BlockSize {
        BlockSize { unit: LANES, most: REGISTER_BLOCK_TILES[usize::from(inputs * parts >= MAX_CHANNELS)] }
    }
}

/// Into how many blocks some tiles are cut, and into how many parts the groups of outputs: what the threads are done with
/// first.
fn blocks_and_parts(threads: usize, tiles: usize, size: BlockSize, groups: usize) -> (usize, usize) {
    let BlockSize { unit, most } = size;
    let units = tiles.div_ceil(unit);
    let least = units.div_ceil(most / unit).max(1);
    let most_blocks = (least + threads - 1).min(units.max(1));
    let choices = (1..=groups).flat_map(|parts| (least..=most_blocks).map(move |blocks| (blocks, parts)));
    let time = |&(blocks, parts): &(usize, usize)| {
        let (rounds, groups) = ((blocks * parts).div_ceil(threads), groups.div_ceil(parts));
        let block_tiles = units.div_ceil(blocks) * unit;
        rounds * 10 * (block_tiles + TILES_OF_WEIGHTS) * (10 * groups + TRANSFORM_TENTHS)
    };
    choices.min_by_key(time).unwrap_or((least, 1))
}

/// A [`Unit`] of square tiles.
type SquareUnit<'a, S, E, const PARTS: usize> = Unit<'a, S, E, PARTS, TILE, { TILE / 2 }, SPAN>;
/// A [`Unit`] of oblong tiles, in f32.
type OblongUnit<'a, S, E> = Unit<'a, S, E, 0, OBLONG_TILE, { OBLONG_TILE / 2 }, OBLONG_SPAN>;

/// A block of tiles and a range of outputs: what one thread does in one go. Tiles have `COLUMNS` outputs beside each other,
/// `POOLED` where they are pooled, and `ROW_POINTS` points.
struct Unit<
    'a,
    S: Source,
    E: Epilogue,
    const PARTS: usize,
    const COLUMNS: usize,
    const POOLED: usize,
    const ROW_POINTS: usize,
> {
    source: &'a S,
    weights: &'a WinogradWeights,
    claim: Claim,
    epilogue: &'a mut E,
    scratch: &'a mut ThreadScratch,
}

impl<S: Source, E: Epilogue, const PARTS: usize, const COLUMNS: usize, const POOLED: usize, const ROW_POINTS: usize>
    Task for Unit<'_, S, E, PARTS, COLUMNS, POOLED, ROW_POINTS>
{
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Unit { source, weights, claim, epilogue, scratch } = self;
        let tiles = claim.tiles.len();
        let grid = TileGrid::new(Cell { rows: TILE, columns: COLUMNS }, source.width());
        let points = SPAN * ROW_POINTS;
        let stride = sum_stride(points);
        debug_assert_eq!((weights.parts(), weights.shape().points()), (PARTS, points));
        let lines_per_tile = lines_per_tile(weights.inputs(), PARTS);
        let room = padded_tiles::<I, PARTS>(tiles);
        let input_stride = point_stride(room, lines_per_tile);
        isa.enter(InputTransform::<S, PARTS, ROW_POINTS> {
            source,
            blocks: weights.inputs() / LANES,
            tiles: claim.tiles.clone(),
            lines: &mut scratch.inputs[..points * input_stride],
            point_stride: input_stride,
            strip: &mut scratch.strip,
        });
        let sums = &mut scratch.sums[..room * GROUP_BLOCKS * stride];
        for group in claim.blocks.start / GROUP_BLOCKS..claim.blocks.end / GROUP_BLOCKS {
            isa.enter(GroupProducts::<PARTS> {
                inputs: InputPanels { lines: &scratch.inputs, point_stride: input_stride, tiles, lines_per_tile },
                weights,
                group,
                sums,
            });
            let sums = &sums[..tiles * GROUP_BLOCKS * stride];
            let first_tile = claim.tiles.start;
            isa.enter(OutputTransform::<E, COLUMNS, POOLED, ROW_POINTS> { sums, group, grid, first_tile, epilogue });
        }
    }
}

/// A writer a claim for a map that may not be wanted.
pub(super) fn writers<'a, T: Element>(
    map: Option<&'a mut RowRing<T>>,
    claims: &[Claim],
    cell: Cell,
    (channels, height, width): (usize, usize, usize),
) -> Vec<Option<TileWriter<'a, T>>> {
    let Some(map) = map else { return claims.iter().map(|_| None).collect() };
    assert_eq!(
        (map.channels(), map.height(), map.width()),
        (channels, height, width),
        "the map has the output's shape"
    );
    let grid = TileGrid::new(cell, width);
    map.tile_writers(grid, claims).into_iter().map(Some).collect()
}

/// A pooling writer a claim, where a pooling is wanted.
fn pool_writers<'a>(
    pooled: Option<Pooled<'a>>,
    claims: &[Claim],
    cell: Cell,
    (channels, height, width): (usize, usize, usize),
) -> Vec<Option<PoolWriter<'a>>> {
    let Some(Pooled { pooling, map, winners }) = pooled else { return claims.iter().map(|_| None).collect() };
    let shape = (channels, height.div_ceil(2), width.div_ceil(2));
    let cell = Cell { rows: POOLED_TILE, columns: cell.columns / 2 };
    let maps = writers(Some(map), claims, cell, shape).into_iter().flatten();
    let winners = writers(winners, claims, cell, shape);
    maps.zip(winners).map(|(map, winners)| Some(PoolWriter { pooling, height, width, map, winners })).collect()
}
