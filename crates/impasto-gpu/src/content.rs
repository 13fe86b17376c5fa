//! A content tap on the device: the content image's features, the distance to them, and the derivative by it.

use std::ops::Range;

use impasto_vgg::plan::TILE_ROWS;
use impasto_vgg::profile::Step;
use impasto_vgg::{Distance, EngineError};

use crate::bindings::Maker;
use crate::maps::{self, Ring, runs};
use crate::pipelines::{Family, Kernel, Pipelines, TILE_CHANNELS};
use crate::recorder::{Recorder, Work};
use crate::shape::{CHUNK_COLUMNS, FLOAT_BYTES, TILE_QUADS, TapShape, batch};
use crate::stopwatch::Label;
use crate::sums::{Sums, totals};

/// A layer whose distance to the content image is wanted.
#[derive(Debug)]
pub struct ContentTap {
    /// Its shape.
    pub shape: TapShape,
    sums: Sums,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) twice_weight: f32,
}

/// A part of a content target that a shader may see at once: some tiles of channels.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) tiles: Range<usize>,
    pub(crate) buffer: wgpu::Buffer,
    observe: wgpu::BindGroup,
}

impl ContentTap {
    /// A tap on a map, its target cut so that no part is larger than a shader may see.
    pub fn new(make: Maker<'_>, shape: TapShape, features: &Ring) -> ContentTap {
        let most = make.device.limits().max_storage_buffer_binding_size / shape.target_tile_bytes();
        let tiles = (most as usize).clamp(1, shape.tiles());
        let pieces = (0..shape.tiles()).step_by(tiles).map(|first| {
            let tiles = first..(first + tiles).min(shape.tiles());
            let buffer = maps::create(make.device, shape.target_tile_bytes() * tiles.len() as u64);
            let observe = make.bind(Family::Distance, &[&features.buffer, &buffer, make.partials]);
            Piece { tiles, buffer, observe }
        });
        ContentTap { shape, sums: Sums::new(make, shape.tiles()), pieces: pieces.collect(), twice_weight: 0.0 }
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
        let TapShape { layer, height, width, .. } = self.shape;
        let (chunks, stride) = (self.shape.chunks(&rows), self.shape.tiles());
        let pipeline = pipelines.get(Kernel::Distance);
        let most = batch(chunks, stride as u64 * FLOAT_BYTES);
        for first in (0..chunks).step_by(most) {
            let count = most.min(chunks - first);
            for Piece { tiles, observe, .. } in &self.pieces {
                let parameters = [
                    rows.start,
                    first,
                    self.shape.chunks_across(),
                    height,
                    width,
                    features.rows as usize,
                    tiles.start,
                    tiles.len(),
                    stride,
                ]
                .map(|value| value as u32);
                recorder.dispatch(&Work {
                    pipeline: &pipeline,
                    bindings: observe,
                    parameters: &parameters,
                    workgroups: (count * tiles.len()) as u32,
                    label: Label { step: Step::Observe, layer, positions: 0.0 },
                    flop: (3 * TILE_CHANNELS * TILE_ROWS * CHUNK_COLUMNS) as f64,
                })?;
            }
            self.sums.add(pipelines, recorder, layer, count)?;
        }
        Ok(())
    }

    /// Takes rows of the features in as the content image's.
    pub fn set_content(&self, recorder: &mut Recorder, features: &Ring, rows: Range<usize>) {
        let line = self.shape.width as u64 * 4 * FLOAT_BYTES;
        for Piece { tiles, buffer, .. } in &self.pieces {
            for plane in 0..tiles.len() * TILE_QUADS {
                let from_plane = ((tiles.start * TILE_QUADS + plane) * features.rows as usize) as u64;
                let to_plane = (plane * self.shape.height) as u64;
                for run in runs(rows.clone(), features.rows as usize) {
                    let from = (from_plane + (run.start % features.rows as usize) as u64) * line;
                    let to = (to_plane + run.start as u64) * line;
                    let bytes = run.len() as u64 * line;
                    recorder.encoder().copy_buffer_to_buffer(&features.buffer, from, buffer, to, bytes);
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
        (Distance { layer: self.shape.layer, elements, sum_of_squares: totals(own).iter().sum() }, rest)
    }

    /// Takes the derivative by the distance in.
    pub fn set_gradient(&mut self, by_distance: f64) {
        self.twice_weight = (2.0 * by_distance) as f32;
    }

    /// The parts of the target, first channel first.
    pub fn targets(&self) -> impl Iterator<Item = &wgpu::Buffer> {
        self.pieces.iter().map(|piece| &piece.buffer)
    }
}
