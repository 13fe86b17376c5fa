//! A content tap on the device: the content image's features, the distance to them, and the derivative by it.

use std::ops::Range;

use impasto_vgg::plan::TILE_ROWS;
use impasto_vgg::{Distance, EngineError};

use crate::bindings::Maker;
use crate::device::Device;
use crate::maps::{self, Ring, runs};
use crate::pipelines::{Family, Kernel, Pipelines, TILE_CHANNELS};
use crate::recorder::Recorder;
use crate::shape::{CHUNK_COLUMNS, FLOAT_BYTES, TapShape, shared};
use crate::sums::{ChunkKernel, Sums, totals};
use crate::upload;

/// A layer whose distance to the content image is wanted.
#[derive(Debug)]
pub struct ContentTap {
    /// Its shape.
    pub shape: TapShape,
    sums: Sums,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) twice_weight: f32,
    pub(crate) has_emphasis: bool,
}

/// A part of a content target that a shader may see at once: some rows of all channels, `[channels / 4][rows][width]`
/// quads of [`Storage`](crate::storage::Storage).
#[derive(Debug)]
pub(crate) struct Piece {
    /// As [`TapShape::pieces`] has them.
    pub(crate) rows: Range<usize>,
    pub(crate) buffer: wgpu::Buffer,
    /// The emphasis, `[rows][width]` f32; next to nothing where there is none.
    pub(crate) emphasis: wgpu::Buffer,
    observe: wgpu::BindGroup,
}

impl Piece {
    /// Those of these rows that it holds.
    pub(crate) fn shared_with(&self, rows: &Range<usize>) -> Option<Range<usize>> {
        shared(&self.rows, rows)
    }
}

impl ContentTap {
    /// A tap on a map, its target in pieces, with an emphasis or without.
    pub fn new(make: Maker<'_>, shape: TapShape, features: &Ring, has_emphasis: bool) -> ContentTap {
        let pieces = shape.pieces(make.device.binding_limit_bytes()).map(|rows| {
            let buffer = maps::create(make.device, shape.target_row_bytes() * rows.len() as u64);
            let weights = if has_emphasis { rows.len() * shape.width } else { 0 };
            let emphasis = maps::create(make.device, weights as u64 * FLOAT_BYTES);
            let observe = make.bind(Family::Distance, &[&features.buffer, &buffer, &emphasis, make.partials]);
            Piece { rows, buffer, emphasis, observe }
        });
        let pieces = pieces.collect();
        ContentTap { shape, sums: Sums::new(make, shape.tiles()), pieces, twice_weight: 0.0, has_emphasis }
    }

    /// Takes the emphasis of each position.
    ///
    /// # Errors
    /// A device that was lost or has no memory for it.
    pub fn set_emphasis(&self, device: &Device, values: &[f32]) -> Result<(), EngineError> {
        for Piece { rows, emphasis, .. } in &self.pieces {
            let width = self.shape.width;
            upload::write(device, emphasis, 0, &values[rows.start * width..rows.end * width])?;
        }
        Ok(())
    }

    /// Starts all sums again from nothing.
    pub fn clear(&self, recorder: &mut Recorder) {
        self.sums.clear(recorder);
    }

    /// Takes rows of the features in.
    pub fn observe(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        features: &Ring,
        rows: Range<usize>,
    ) -> Result<(), EngineError> {
        for piece in &self.pieces {
            let Some(rows) = piece.shared_with(&rows) else { continue };
            let kernel = ChunkKernel {
                kernel: Kernel::Distance { emphasis: self.has_emphasis },
                bindings: &piece.observe,
                shape: self.shape,
                features_rows: features.rows,
                row_begin: rows.start,
                chunks: 0..self.shape.chunks(&rows),
                parameters: &[piece.rows.start, piece.rows.len()],
                workgroups: self.shape.tiles(),
                flop: (3 * TILE_CHANNELS * TILE_ROWS * CHUNK_COLUMNS) as f64,
                positions: 0.0,
            };
            self.sums.take_in(pipelines, recorder, &kernel)?;
        }
        Ok(())
    }

    /// Takes rows of the features in as the content image's.
    pub fn set_content(&self, recorder: &mut Recorder, features: &Ring, rows: Range<usize>) {
        let line = self.shape.width as u64 * self.shape.storage.quad_bytes();
        for piece in &self.pieces {
            let Some(rows) = piece.shared_with(&rows) else { continue };
            for quad in 0..self.shape.quads() {
                let from_plane = (quad * features.rows as usize) as u64;
                let to_plane = (quad * piece.rows.len()) as u64;
                for run in runs(rows.clone(), features.rows as usize) {
                    let from = (from_plane + (run.start % features.rows as usize) as u64) * line;
                    let to = (to_plane + (run.start - piece.rows.start) as u64) * line;
                    let bytes = run.len() as u64 * line;
                    recorder.encoder().copy_buffer_to_buffer(&features.buffer, from, &piece.buffer, to, bytes);
                }
            }
        }
    }

    /// Copies what was summed to where the host may read it; returns where the next may go.
    pub fn copy_to(&self, recorder: &mut Recorder, readable: &wgpu::Buffer, offset: u64) -> u64 {
        self.sums.copy_to(recorder, readable, offset)
    }

    /// The distance from what was copied, and the bytes of the next.
    pub fn distance<'a>(&self, bytes: &'a [u8]) -> (Distance, &'a [u8]) {
        let (own, rest) = bytes.split_at(self.sums.bytes() as usize);
        let elements = (self.shape.channels * self.shape.positions()) as u64;
        (Distance { layer: self.shape.layer, elements, sum_of_squares: totals(own).sum() }, rest)
    }

    /// Takes the derivative by the distance in.
    pub fn set_gradient(&mut self, by_distance: f64) {
        self.twice_weight = (2.0 * by_distance) as f32;
    }

    /// The content image's features, `[channels, height, width]`.
    ///
    /// # Errors
    /// A device that was lost or refused the work.
    pub fn target(&self, device: &Device, recorder: &mut Recorder) -> Result<Vec<f32>, EngineError> {
        let TapShape { height, width, channels, storage, .. } = self.shape;
        let mut values = vec![0.0; channels * height * width];
        for Piece { rows, buffer, .. } in &self.pieces {
            let readable = maps::create_readable(device, buffer.size());
            recorder.encoder().copy_buffer_to_buffer(buffer, 0, &readable, 0, buffer.size());
            recorder.read(&readable, buffer.size(), |bytes| {
                let features = storage.features(bytes);
                for (channel, plane) in values.chunks_exact_mut(height * width).enumerate() {
                    let quad = &features[channel / 4 * 4 * rows.len() * width..];
                    let own = plane[rows.start * width..rows.end * width].iter_mut();
                    own.zip(quad[channel % 4..].iter().step_by(4)).for_each(|(value, &feature)| *value = feature);
                }
            })?;
        }
        Ok(values)
    }
}
