//! A matched tap on the device: the bank, the matches, and what an evaluation sees of them (`impasto_vgg::matching` has the
//! formulas). Only samples, centres and indices come down, and sums.

pub mod bank;
mod search;

use std::ops::Range;

use impasto_vgg::EngineError;
use impasto_vgg::matching::{Bank, MatchedDistance, MatchedTap, Matches, SAMPLES_A_SIDE, sampled};
use impasto_vgg::plan::TILE_ROWS;
use impasto_vgg::profile::Step;

use self::bank::BankPiece;
use self::search::Search;
use crate::bindings::Maker;
use crate::device::Device;
use crate::maps::{self, Ring};
use crate::pipelines::{Family, Kernel, Pipelines, TILE_CHANNELS};
use crate::recorder::{Recorder, Work};
use crate::shape::{CHUNK_COLUMNS, FLOAT_BYTES, TapShape, shared};
use crate::stopwatch::Label;
use crate::sums::{ChunkKernel, Sums, totals};
use crate::upload;

/// Positions that a workgroup makes.
const TILE_POSITIONS: usize = 64;

/// A layer whose features are matched to a bank.
#[derive(Debug)]
pub struct MatchedFeatures {
    /// Its shape.
    pub shape: TapShape,
    tap: MatchedTap,
    bank: Vec<BankPiece>,
    pieces: Vec<Piece>,
    search: Search,
    /// m, as it was last found or given.
    centre: Vec<f32>,
    /// `[channels]` f32 each: m; and what is taken off the features before their distance, m or zeros.
    centre_buffer: wgpu::Buffer,
    offset: wgpu::Buffer,
    /// 1 less the cosine, over all positions.
    distance: Sums,
    samples: wgpu::Buffer,
    sample: wgpu::BindGroup,
    weight: f32,
}

/// What a tap holds of some rows of the map.
#[derive(Debug)]
struct Piece {
    /// As [`TapShape::pieces`] has them.
    rows: Range<usize>,
    /// `[rows][width]` u32: n.
    indices: wgpu::Buffer,
    /// Of matched_distance.wgsl.
    distance: wgpu::BindGroup,
    /// Of choose.wgsl.
    choose: wgpu::BindGroup,
    /// Of cosines.wgsl and, where there is a way back, of pull.wgsl, for each piece of the bank.
    cosines: Vec<wgpu::BindGroup>,
    pull: Vec<wgpu::BindGroup>,
}

/// Bytes of samples: a layer's at most.
fn sample_bytes(shape: &TapShape) -> u64 {
    let side = |length: usize| length.min(SAMPLES_A_SIDE);
    (side(shape.height) * side(shape.width) * shape.channels) as u64 * FLOAT_BYTES
}

/// Bytes that a tap takes.
pub fn bytes(shape: &TapShape, tap: &MatchedTap) -> u64 {
    let by_channel = 2 + 2 * search::MEAN_PARTS as u64;
    bank::bytes(tap)
        + shape.match_row_bytes() * shape.height as u64
        + shape.indices_bytes(&(0..shape.height))
        + by_channel * shape.channels as u64 * FLOAT_BYTES
        + 2 * FLOAT_BYTES
        + sample_bytes(shape)
}

/// The largest part that a shader has to see at once, but for what stands in pieces of rows.
pub fn largest_binding(shape: &TapShape, tap: &MatchedTap) -> u64 {
    bank::least_piece_bytes(tap).max(sample_bytes(shape))
}

/// Bytes that come down of a tap at a time, at most.
pub fn readable_bytes(shape: &TapShape) -> u64 {
    let of_means = 2 * FLOAT_BYTES * (search::MEAN_PARTS * shape.channels) as u64;
    sample_bytes(shape).max(shape.indices_bytes(&(0..shape.height))).max(of_means)
}

/// Bytes of the partial sums, and of the candidates, of so many rows.
pub fn partial_bytes(shape: &TapShape, tap: &MatchedTap, rows: &Range<usize>) -> u64 {
    search::partial_bytes(shape, tap, rows)
}

impl MatchedFeatures {
    /// A tap on a map; `gradient` is the map's, where there is a way back.
    pub fn new(
        make: Maker<'_>,
        shape: TapShape,
        tap: MatchedTap,
        features: &Ring,
        gradient: Option<&Ring>,
    ) -> MatchedFeatures {
        let bank = bank::pieces(make.device, &tap);
        let [centre_buffer, offset] = [(); 2].map(|()| maps::create(make.device, shape.channels as u64 * FLOAT_BYTES));
        let pieces = shape.pieces(make.device.binding_limit_bytes()).map(|rows| {
            let indices = maps::create(make.device, shape.indices_bytes(&rows));
            let cosines = maps::create(make.device, shape.match_row_bytes() * rows.len() as u64);
            let of = |piece: &BankPiece| {
                let buffers = [&features.buffer, &offset, &piece.directions, &indices, &cosines];
                make.bind(Family::Cosines, &buffers)
            };
            let pull = |piece: &BankPiece, gradient: &Ring| {
                let buffers = [&features.buffer, &offset, &piece.directions, &indices, &cosines, &gradient.buffer];
                make.bind(Family::Pull, &buffers)
            };
            Piece {
                distance: make.bind(Family::MatchedDistance, &[&cosines, make.partials]),
                choose: make.bind(Family::Choose, &[make.partials, &indices]),
                cosines: bank.iter().map(of).collect(),
                pull: gradient
                    .iter()
                    .flat_map(|&gradient| bank.iter().map(move |piece| pull(piece, gradient)))
                    .collect(),
                indices,
                rows,
            }
        });
        let pieces = pieces.collect();
        let samples = maps::create(make.device, sample_bytes(&shape));
        let sample = make.bind(Family::Sample, &[&features.buffer, &samples]);
        let search = Search::new(make, &shape, features, &bank, &centre_buffer);
        MatchedFeatures {
            shape,
            tap,
            bank,
            pieces,
            search,
            centre: vec![0.0; shape.channels],
            centre_buffer,
            offset,
            distance: Sums::new(make, 1),
            samples,
            sample,
            weight: 0.0,
        }
    }

    /// Takes a bank that has passed its check.
    ///
    /// # Errors
    /// A device that was lost or has no memory for it, as for all that follows.
    pub fn set_bank(&self, device: &Device, bank: &Bank) -> Result<(), EngineError> {
        bank::fill(device, &self.tap, &self.bank, bank)
    }

    /// Holds matches that have passed their check.
    pub fn set_matches(&mut self, device: &Device, matches: &Matches) -> Result<(), EngineError> {
        self.set_centre(device, matches.centre.clone())?;
        let width = self.shape.width;
        self.pieces.iter().try_for_each(|Piece { rows, indices, .. }| {
            upload::write(device, indices, 0, &matches.indices[rows.start * width..rows.end * width])
        })
    }

    fn set_centre(&mut self, device: &Device, centre: Vec<f32>) -> Result<(), EngineError> {
        upload::write(device, &self.centre_buffer, 0, &centre)?;
        let offset = if self.tap.centred { &centre } else { &vec![0.0; centre.len()] };
        upload::write(device, &self.offset, 0, offset)?;
        self.centre = centre;
        Ok(())
    }

    /// Starts the sums that the centre is made of from nothing.
    pub fn clear_means(&self, recorder: &mut Recorder) {
        self.search.means.clear(recorder);
    }

    /// Adds rows of the map to the sums that the centre is made of.
    pub fn add_means(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        features: &Ring,
        rows: Range<usize>,
    ) -> Result<(), EngineError> {
        self.search.add_means(pipelines, recorder, &self.shape, features, rows)
    }

    /// Makes the centre of the sums, which come down through `readable`.
    pub fn finish_means(
        &mut self,
        device: &Device,
        recorder: &mut Recorder,
        readable: &wgpu::Buffer,
    ) -> Result<(), EngineError> {
        let centre = self.search.finish_means(recorder, readable, self.shape.positions())?;
        self.set_centre(device, centre)
    }

    /// Finds the matches of some rows.
    pub fn find(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        features: &Ring,
        rows: Range<usize>,
    ) -> Result<(), EngineError> {
        for piece in &self.pieces {
            if let Some(rows) = shared(&piece.rows, &rows) {
                let out = (&piece.choose, piece.rows.start);
                self.search.find(pipelines, recorder, (&self.shape, &self.tap), features, rows, out)?;
            }
        }
        Ok(())
    }

    /// What is held, the indices through `readable`.
    pub fn matches(&self, recorder: &mut Recorder, readable: &wgpu::Buffer) -> Result<Matches, EngineError> {
        let mut indices = Vec::with_capacity(self.shape.positions());
        for piece in &self.pieces {
            let bytes = self.shape.indices_bytes(&piece.rows);
            recorder.encoder().copy_buffer_to_buffer(&piece.indices, 0, readable, 0, bytes);
            recorder.read(readable, bytes, |bytes| {
                indices.extend(bytes.as_chunks::<4>().0.iter().map(|&index| u32::from_ne_bytes(index)));
            })?;
        }
        Ok(Matches { layer: self.shape.layer, centre: self.centre.clone(), indices })
    }

    /// Takes the features of those of some rows that are sampled.
    pub fn sample(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        features: &Ring,
        rows: Range<usize>,
    ) -> Result<(), EngineError> {
        let TapShape { height, width, .. } = self.shape;
        let before = |row: usize| sampled(height).take_while(|&sampled| sampled < row).count();
        let (down, across) = (sampled(height).count(), sampled(width).count());
        let own = before(rows.start)..before(rows.end);
        let counts = [height, width, features.rows as usize, self.shape.quads(), down, across, own.start, own.end];
        recorder.dispatch(&Work {
            pipeline: &pipelines.get(Kernel::Sample, self.shape.storage),
            bindings: &self.sample,
            parameters: &counts.map(|value| value as u32),
            workgroups: (own.len() * across).div_ceil(TILE_POSITIONS) as u32,
            flop: (TILE_POSITIONS * self.shape.channels) as f64,
            label: None,
        })
    }

    /// What was sampled, through `readable`.
    pub fn samples(&self, recorder: &mut Recorder, readable: &wgpu::Buffer) -> Result<Bank, EngineError> {
        let bytes = sample_bytes(&self.shape);
        recorder.encoder().copy_buffer_to_buffer(&self.samples, 0, readable, 0, bytes);
        let float = |&value: &[u8; 4]| f32::from_ne_bytes(value);
        let features = recorder.read(readable, bytes, |bytes| bytes.as_chunks::<4>().0.iter().map(float).collect())?;
        Ok(Bank { layer: self.shape.layer, features })
    }

    /// Starts the distance again from nothing.
    pub fn clear(&self, recorder: &mut Recorder) {
        self.distance.clear(recorder);
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
            let Some(rows) = shared(&piece.rows, &rows) else { continue };
            for (bank, bindings) in self.bank.iter().zip(&piece.cosines) {
                self.each_position(
                    recorder,
                    &PositionKernel {
                        pipeline: &pipelines.get(Kernel::Cosines, self.shape.storage),
                        bindings,
                        parameters: &self.parameters(features, &rows, piece, bank),
                        rows: rows.clone(),
                        tiles: 1,
                        step: Step::Observe,
                    },
                )?;
            }
            let kernel = ChunkKernel {
                kernel: Kernel::MatchedDistance,
                bindings: &piece.distance,
                shape: self.shape,
                features_rows: features.rows,
                row_begin: rows.start,
                chunks: 0..self.shape.chunks(&rows),
                parameters: &[piece.rows.start],
                workgroups: 1,
                flop: (2 * TILE_ROWS * CHUNK_COLUMNS) as f64,
                positions: 0.0,
            };
            self.distance.take_in(pipelines, recorder, &kernel)?;
        }
        Ok(())
    }

    /// Copies what was summed to where the host may read it; returns where the next may go.
    pub fn copy_to(&self, recorder: &mut Recorder, readable: &wgpu::Buffer, offset: u64) -> u64 {
        self.distance.copy_to(recorder, readable, offset)
    }

    /// The distance from what was copied, and the bytes of the next.
    pub fn distance<'a>(&self, bytes: &'a [u8]) -> (MatchedDistance, &'a [u8]) {
        let (own, rest) = bytes.split_at(self.distance.bytes() as usize);
        let positions = self.shape.positions() as u64;
        (MatchedDistance { layer: self.shape.layer, positions, sum: totals(own).sum() }, rest)
    }

    /// Takes the derivative by the distance in.
    pub fn set_weight(&mut self, weight: f64) {
        self.weight = weight as f32;
    }

    /// Adds to rows of the gradient what the distance gives; where nothing is there yet (`is_first`), sets them.
    pub fn inject(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        [features, gradient]: [&Ring; 2],
        rows: Range<usize>,
        is_first: bool,
    ) -> Result<(), EngineError> {
        for piece in &self.pieces {
            let Some(rows) = shared(&piece.rows, &rows) else { continue };
            for (bank, bindings) in self.bank.iter().zip(&piece.pull) {
                let mut parameters = self.parameters(features, &rows, piece, bank);
                parameters.extend([gradient.rows, self.shape.tiles() as u32, self.weight.to_bits()]);
                self.each_position(
                    recorder,
                    &PositionKernel {
                        pipeline: &pipelines.get(Kernel::Pull { first: is_first }, self.shape.storage),
                        bindings,
                        parameters: &parameters,
                        rows: rows.clone(),
                        tiles: self.shape.tiles(),
                        step: Step::Inject,
                    },
                )?;
            }
        }
        Ok(())
    }

    /// The parameters that cosines.wgsl and pull.wgsl share.
    fn parameters(&self, features: &Ring, rows: &Range<usize>, piece: &Piece, bank: &BankPiece) -> Vec<u32> {
        let (width, quads) = (self.shape.width, self.shape.quads());
        let map = [rows.start, rows.end, width, features.rows as usize, quads];
        let pieces = [piece.rows.start, bank.first_entry, bank.entries];
        map.into_iter().chain(pieces).map(|value| value as u32).collect()
    }

    fn each_position(&self, recorder: &mut Recorder, kernel: &PositionKernel<'_>) -> Result<(), EngineError> {
        let positions = kernel.rows.len() * self.shape.width;
        recorder.dispatch(&Work {
            pipeline: kernel.pipeline,
            bindings: kernel.bindings,
            parameters: kernel.parameters,
            workgroups: (positions.div_ceil(TILE_POSITIONS) * kernel.tiles) as u32,
            flop: (4 * TILE_POSITIONS * TILE_CHANNELS) as f64 * (self.shape.tiles() / kernel.tiles) as f64,
            label: Some(Label { step: kernel.step, layer: self.shape.layer, positions: 0.0 }),
        })
    }
}

/// A kernel that goes through the positions of some rows.
struct PositionKernel<'a> {
    pipeline: &'a wgpu::ComputePipeline,
    bindings: &'a wgpu::BindGroup,
    parameters: &'a [u32],
    rows: Range<usize>,
    /// Workgroups of each position.
    tiles: usize,
    step: Step,
}
