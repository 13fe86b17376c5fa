//! How matches are found: the mean of a map's features, then each position's best entry. Scores do not leave their workgroup;
//! of each segment of the bank the best one does, and of these the best becomes the match.

use std::ops::Range;

use impasto_vgg::EngineError;
use impasto_vgg::matching::MatchedTap;
use impasto_vgg::plan::TILE_ROWS;

use super::TILE_POSITIONS;
use super::bank::{BankPiece, SEGMENT_ENTRIES, segments};
use crate::bindings::Maker;
use crate::maps::Ring;
use crate::pipelines::{Family, Kernel, Pipelines, TILE_CHANNELS};
use crate::recorder::{Recorder, Work};
use crate::shape::{CHUNK_COLUMNS, FLOAT_BYTES, TapShape, batch};
use crate::storage::Storage;
use crate::sums::{ChunkKernel, Sums, totals};

/// Values that are summed for each channel: its sum, and what rounding takes from it.
pub const MEAN_PARTS: usize = 2;
/// Bytes of a candidate: its score, and its entry.
const CANDIDATE_BYTES: usize = 8;

/// What finds the matches of a tap.
#[derive(Debug)]
pub struct Search {
    /// Sums of the features.
    pub means: Sums,
    add_means: wgpu::BindGroup,
    /// Of search.wgsl, for each piece of the bank, with its first segment and their number.
    find: Vec<(wgpu::BindGroup, Range<usize>)>,
}

/// Bytes of the candidates of 64 positions.
fn tile_bytes(tap: &MatchedTap) -> u64 {
    (segments(tap.entries) * TILE_POSITIONS * CANDIDATE_BYTES) as u64
}

/// Bytes of the partial sums, and of the candidates, of so many rows.
pub fn partial_bytes(shape: &TapShape, tap: &MatchedTap, rows: &Range<usize>) -> u64 {
    let tiles = (rows.len() * shape.width).div_ceil(TILE_POSITIONS);
    let candidates = batch(tiles, tile_bytes(tap)) as u64 * tile_bytes(tap);
    let means = (MEAN_PARTS * shape.channels) as u64 * FLOAT_BYTES;
    candidates.max(batch(shape.chunks(rows), means) as u64 * means)
}

impl Search {
    /// For a tap with this bank.
    pub fn new(
        make: Maker<'_>,
        shape: &TapShape,
        features: &Ring,
        bank: &[BankPiece],
        centre: &wgpu::Buffer,
    ) -> Search {
        let find = bank.iter().map(|piece| {
            let first = piece.first_entry / SEGMENT_ENTRIES;
            let buffers = [&features.buffer, centre, &piece.panels, make.partials];
            (make.bind(Family::Search, &buffers), first..first + segments(piece.entries))
        });
        Search {
            means: Sums::new(make, MEAN_PARTS * shape.channels),
            add_means: make.bind(Family::Means, &[&features.buffer, make.partials]),
            find: find.collect(),
        }
    }

    /// Adds rows of the map to the sums.
    pub fn add_means(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        shape: &TapShape,
        features: &Ring,
        rows: Range<usize>,
    ) -> Result<(), EngineError> {
        let kernel = ChunkKernel {
            kernel: Kernel::Means,
            bindings: &self.add_means,
            shape: *shape,
            features_rows: features.rows,
            row_begin: rows.start,
            chunks: 0..shape.chunks(&rows),
            // What compilers are not to know.
            parameters: &[0],
            workgroups: shape.tiles(),
            flop: (8 * TILE_CHANNELS * TILE_ROWS * CHUNK_COLUMNS) as f64,
            positions: 0.0,
        };
        self.means.take_in(pipelines, recorder, &kernel)
    }

    /// The means over so many positions, from sums that come down through `readable`.
    pub fn finish_means(
        &self,
        recorder: &mut Recorder,
        readable: &wgpu::Buffer,
        positions: usize,
    ) -> Result<Vec<f32>, EngineError> {
        self.means.copy_to(recorder, readable, 0);
        recorder.read(readable, self.means.bytes(), |bytes| {
            let totals: Vec<f64> = totals(bytes).collect();
            let (sums, rests) = totals.split_at(totals.len() / MEAN_PARTS);
            sums.iter().zip(rests).map(|(sum, rest)| ((sum + rest) / positions as f64) as f32).collect()
        })
    }

    /// Finds the matches of some rows of a piece of the indices, whose bindings and first row are `out`.
    pub fn find(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        (shape, tap): (&TapShape, &MatchedTap),
        features: &Ring,
        rows: Range<usize>,
        out: (&wgpu::BindGroup, usize),
    ) -> Result<(), EngineError> {
        let positions = rows.len() * shape.width;
        let tiles = positions.div_ceil(TILE_POSITIONS);
        let most = batch(tiles, tile_bytes(tap));
        for first in (0..tiles).step_by(most) {
            let tiles = most.min(tiles - first);
            let first_position = first * TILE_POSITIONS;
            let map = [rows.start, rows.end, shape.width, features.rows as usize, shape.quads()];
            for (bindings, of_piece) in &self.find {
                let batch = [first_position, tiles, of_piece.start, tap.entries];
                recorder.dispatch(&Work {
                    pipeline: &pipelines.get(Kernel::Search, shape.storage),
                    bindings,
                    parameters: &parameters(map.into_iter().chain(batch)),
                    workgroups: (tiles * of_piece.len()) as u32,
                    flop: (2 * TILE_POSITIONS * SEGMENT_ENTRIES.min(tap.entries) * shape.channels) as f64,
                    label: None,
                })?;
            }
            let in_batch = (tiles * TILE_POSITIONS).min(positions - first_position);
            let first_place = (rows.start - out.1) * shape.width + first_position;
            let counts = [in_batch, first_place, tiles * TILE_POSITIONS, segments(tap.entries)];
            recorder.dispatch(&Work {
                pipeline: &pipelines.get(Kernel::Choose, Storage::Single),
                bindings: out.0,
                parameters: &parameters(counts),
                workgroups: in_batch.div_ceil(TILE_POSITIONS) as u32,
                flop: (TILE_POSITIONS * segments(tap.entries)) as f64,
                label: None,
            })?;
        }
        Ok(())
    }
}

fn parameters(values: impl IntoIterator<Item = usize>) -> Vec<u32> {
    values.into_iter().map(|value| value as u32).collect()
}
