//! The taps of a session on the device: what they sum of the features, and what they give to the gradient.
//!
//! Sums go up a tree of three levels in a fixed order: a chunk of positions in f32 (moments.wgsl, distance.wgsl), the
//! chunks of a map in f32 with what rounding takes kept beside (accumulate.wgsl), and what is left in f64 on the host.

use std::ops::Range;

use impasto_vgg::plan::{Operation, TILE_ROWS};
use impasto_vgg::{Distance, EngineError, Layer, MomentGradients, Moments, Plan, SessionRequest};

use crate::device::Device;
use crate::maps::{self, Ring};
use crate::pipelines::{Family, Kernel, Pipelines, TILE_CHANNELS};
use crate::recorder::{Recorder, Work};

/// Columns of a chunk; its rows are [`TILE_ROWS`].
const CHUNK_COLUMNS: usize = 64;
/// Partial sums that stand on the device at a time, in bytes, unless a single chunk takes more.
const PARTIAL_BYTES: u64 = 32 << 20;
/// Elements of a pair of tiles of channels.
const PAIR: usize = TILE_CHANNELS * TILE_CHANNELS;
/// Quads of a tile of channels.
const TILE_QUADS: usize = TILE_CHANNELS / 4;
const FLOAT_BYTES: u64 = 4;

/// The shape of a tapped layer.
#[derive(Clone, Copy, Debug)]
pub struct TapShape {
    /// The layer.
    pub layer: Layer,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl TapShape {
    /// Of a layer for a request's pictures.
    pub fn new(request: &SessionRequest, layer: Layer) -> TapShape {
        let (height, width) = layer.map_size(request.height, request.width);
        TapShape { layer, height, width, channels: layer.channels() }
    }

    /// Positions of the map.
    pub fn positions(&self) -> usize {
        self.height * self.width
    }

    pub(crate) fn tiles(&self) -> usize {
        self.channels / TILE_CHANNELS
    }

    fn pairs(&self) -> usize {
        self.tiles() * (self.tiles() + 1) / 2
    }

    /// Totals of the moments: products of all pairs, then a value a channel.
    fn moment_elements(&self) -> usize {
        self.pairs() * PAIR + self.channels
    }

    fn chunks_across(&self) -> usize {
        self.width.div_ceil(CHUNK_COLUMNS)
    }

    fn chunks(&self, rows: &Range<usize>) -> usize {
        rows.len().div_ceil(TILE_ROWS) * self.chunks_across()
    }

    /// Bytes of 64 channels of a content target.
    pub fn target_tile_bytes(&self) -> u64 {
        (self.positions() * TILE_CHANNELS) as u64 * FLOAT_BYTES
    }

    /// Bytes of a whole content target.
    pub fn target_bytes(&self) -> u64 {
        self.target_tile_bytes() * self.tiles() as u64
    }

    /// Bytes of a style tap's totals.
    pub fn moment_total_bytes(&self) -> u64 {
        2 * FLOAT_BYTES * self.moment_elements() as u64
    }

    /// Bytes of a content tap's totals.
    pub fn distance_total_bytes(&self) -> u64 {
        2 * FLOAT_BYTES * self.tiles() as u64
    }

    /// Bytes of a style tap's panel and means.
    pub fn panel_bytes(&self) -> u64 {
        (self.channels * (self.channels + 1)) as u64 * FLOAT_BYTES
    }
}

/// Chunks of `bytes` each that are summed at a time, of `count`.
fn batch(count: usize, bytes: u64) -> usize {
    count.min((PARTIAL_BYTES / bytes).max(1) as usize)
}

/// Bytes of the partial sums of a plan's largest batch.
pub fn partial_bytes(request: &SessionRequest, plan: &Plan) -> u64 {
    let bytes = plan.forward.iter().filter_map(|operation| {
        let Operation::Observe { layer, rows } = operation else { return None };
        let shape = TapShape::new(request, *layer);
        let of = |elements: usize| {
            let chunk = elements as u64 * FLOAT_BYTES;
            batch(shape.chunks(rows), chunk) as u64 * chunk
        };
        let style = if request.style_taps.contains(layer) { of(shape.moment_elements()) } else { 0 };
        Some(style.max(of(shape.tiles())))
    });
    bytes.max().unwrap_or(0)
}

/// What a tap sums, and where.
#[derive(Debug)]
struct Sums {
    totals: wgpu::Buffer,
    accumulate: wgpu::BindGroup,
    elements: usize,
}

/// A layer whose moments are wanted.
#[derive(Debug)]
pub struct StyleTap {
    /// Its shape.
    pub shape: TapShape,
    sums: Sums,
    observe: wgpu::BindGroup,
    pub(crate) panel: wgpu::Buffer,
    pub(crate) means: wgpu::Buffer,
    pub(crate) has_second: bool,
    pub(crate) has_mean: bool,
}

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

/// What taps are made with.
#[derive(Clone, Copy, Debug)]
pub struct Maker<'a> {
    /// Where.
    pub device: &'a Device,
    /// By what.
    pub pipelines: &'a Pipelines,
    /// Whose parameters.
    pub recorder: &'a Recorder,
    /// Partial sums of all taps.
    pub partials: &'a wgpu::Buffer,
}

impl Maker<'_> {
    /// A group of bindings: the recorder's parameters, then these buffers.
    pub fn bind(&self, family: Family, buffers: &[&wgpu::Buffer]) -> wgpu::BindGroup {
        let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: self.recorder.parameters() }];
        entries.extend(buffers.iter().enumerate().map(|(index, buffer)| wgpu::BindGroupEntry {
            binding: index as u32 + 1,
            resource: buffer.as_entire_binding(),
        }));
        let layout = self.pipelines.bindings(family);
        self.device.device().create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
    }

    fn sums(&self, elements: usize) -> Sums {
        let totals = maps::create(self.device, 2 * FLOAT_BYTES * elements as u64);
        let accumulate = self.bind(Family::Accumulate, &[self.partials, &totals]);
        Sums { totals, accumulate, elements }
    }
}

impl Sums {
    /// Adds a batch of `chunks` to the totals.
    fn add(&self, pipelines: &Pipelines, recorder: &mut Recorder, chunks: usize) -> Result<(), EngineError> {
        recorder.dispatch(&Work {
            pipeline: &pipelines.get(Kernel::Accumulate),
            bindings: &self.accumulate,
            parameters: &[self.elements as u32, chunks as u32, self.elements as u32],
            workgroups: self.elements.div_ceil(64) as u32,
            flop: (64 * 8 * chunks) as f64,
        })
    }

    fn bytes(&self) -> u64 {
        2 * FLOAT_BYTES * self.elements as u64
    }

    /// Starts again from nothing.
    fn clear(&self, recorder: &mut Recorder) {
        recorder.encoder().clear_buffer(&self.totals, 0, None);
    }

    /// Copies the totals to where the host may read them; returns where the next may go.
    fn copy_to(&self, recorder: &mut Recorder, readable: &wgpu::Buffer, offset: u64) -> u64 {
        recorder.encoder().copy_buffer_to_buffer(&self.totals, 0, readable, offset, self.bytes());
        offset + self.bytes()
    }
}

/// Pairs of a sum and its rest, as f64.
fn totals(bytes: &[u8]) -> Vec<f64> {
    let float = |bytes: [u8; 4]| f64::from(f32::from_ne_bytes(bytes));
    let (pairs, _) = bytes.as_chunks::<8>();
    pairs.iter().map(|&[a, b, c, d, e, f, g, h]| float([a, b, c, d]) + float([e, f, g, h])).collect()
}

impl StyleTap {
    /// A tap on a map.
    pub fn new(make: Maker<'_>, shape: TapShape, features: &Ring) -> StyleTap {
        StyleTap {
            shape,
            sums: make.sums(shape.moment_elements()),
            observe: make.bind(Family::Moments, &[&features.buffer, make.partials]),
            panel: maps::create(make.device, (shape.channels * shape.channels) as u64 * FLOAT_BYTES),
            means: maps::create(make.device, shape.channels as u64 * FLOAT_BYTES),
            has_second: false,
            has_mean: false,
        }
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
        let TapShape { height, width, .. } = self.shape;
        let (chunks, stride) = (self.shape.chunks(&rows), self.shape.moment_elements());
        let pipeline = pipelines.get(Kernel::Moments);
        let most = batch(chunks, stride as u64 * FLOAT_BYTES);
        for first in (0..chunks).step_by(most) {
            let count = most.min(chunks - first);
            let parameters = [
                rows.start,
                first,
                self.shape.chunks_across(),
                height,
                width,
                features.rows as usize,
                self.shape.tiles(),
                self.shape.pairs(),
                stride,
            ]
            .map(|value| value as u32);
            recorder.dispatch(&Work {
                pipeline: &pipeline,
                bindings: &self.observe,
                parameters: &parameters,
                workgroups: (count * self.shape.pairs()) as u32,
                flop: (2 * PAIR * TILE_ROWS * CHUNK_COLUMNS.min(width)) as f64,
            })?;
            self.sums.add(pipelines, recorder, count)?;
        }
        Ok(())
    }

    /// Copies what was summed to where the host may read it; returns where the next may go.
    pub fn copy_to(&self, recorder: &mut Recorder, readable: &wgpu::Buffer, offset: u64) -> u64 {
        self.sums.copy_to(recorder, readable, offset)
    }

    /// The moments from what was copied, and the bytes of the next.
    pub fn moments<'a>(&self, bytes: &'a [u8]) -> (Moments, &'a [u8]) {
        let TapShape { layer, channels, .. } = self.shape;
        let (own, rest) = bytes.split_at(self.sums.bytes() as usize);
        let (sums, positions) = (totals(own), self.shape.positions() as f64);
        let (products, values) = sums.split_at(self.shape.pairs() * PAIR);
        let mut second = vec![0.0; channels * channels];
        let tiles = self.shape.tiles();
        let pairs = (0..tiles).flat_map(|a| (a..tiles).map(move |b| (a * TILE_CHANNELS, b * TILE_CHANNELS)));
        for ((a, b), products) in pairs.zip(products.chunks_exact(PAIR)) {
            for (index, product) in products.iter().enumerate() {
                let (row, column) = (a + index / TILE_CHANNELS, b + index % TILE_CHANNELS);
                // Of a pair of one tile both halves are there, and the same.
                second[row * channels + column] = product / positions;
                second[column * channels + row] = product / positions;
            }
        }
        let mean = values.iter().map(|value| value / positions).collect();
        (Moments { layer, positions: self.shape.positions() as u64, mean, second }, rest)
    }

    /// Takes the derivatives by the moments in. Where S is not symmetric, its symmetric part counts.
    pub fn set_gradients(&mut self, recorder: &mut Recorder, gradients: &MomentGradients) -> Result<(), EngineError> {
        let (channels, positions) = (self.shape.channels, self.shape.positions() as f64);
        self.has_mean = !gradients.mean.is_empty();
        self.has_second = !gradients.second.is_empty();
        if self.has_mean {
            let means = gradients.mean.iter().flat_map(|mean| ((mean / positions) as f32).to_ne_bytes());
            recorder.write(&self.means, 0, &means.collect::<Vec<u8>>())?;
        }
        if self.has_second {
            let second = &gradients.second;
            let mut panel = Vec::with_capacity(second.len() * size_of::<f32>());
            for tile in (0..channels).step_by(TILE_CHANNELS) {
                for (input, output) in
                    (0..channels).flat_map(|input| (tile..tile + TILE_CHANNELS).map(move |output| (input, output)))
                {
                    let both = second[input * channels + output] + second[output * channels + input];
                    panel.extend(((both / positions) as f32).to_ne_bytes());
                }
            }
            recorder.write(&self.panel, 0, &panel)?;
        }
        Ok(())
    }
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
        ContentTap { shape, sums: make.sums(shape.tiles()), pieces: pieces.collect(), twice_weight: 0.0 }
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
        let TapShape { height, width, .. } = self.shape;
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
                    flop: (3 * TILE_CHANNELS * TILE_ROWS * CHUNK_COLUMNS) as f64,
                })?;
            }
            self.sums.add(pipelines, recorder, count)?;
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

/// Rows of a map as ranges that stand together in a ring of `ring_rows`.
pub fn runs(rows: Range<usize>, ring_rows: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = rows.start;
    std::iter::from_fn(move || {
        let end = rows.end.min((start / ring_rows + 1) * ring_rows);
        let run = start..end;
        start = end;
        (!run.is_empty()).then_some(run)
    })
}
