//! A style tap on the device: the moments that it sums, and the derivatives by them that it hands to the injection. With
//! regions there are moments for each.

use std::ops::Range;

use impasto_vgg::plan::TILE_ROWS;
use impasto_vgg::{EngineError, MomentGradients, Moments};

use rayon::prelude::*;

use crate::bindings::Maker;
use crate::device::Device;
use crate::guides::{GuidePiece, RegionGuides};
use crate::maps::{self, Ring};
use crate::pipelines::{Family, Kernel, Pipelines, TILE_CHANNELS};
use crate::recorder::Recorder;
use crate::shape::{CHUNK_COLUMNS, FLOAT_BYTES, PAIR, TapShape};
use crate::sums::{ChunkKernel, PAIR_OF_FLOATS, Sums, total};
use crate::upload::Upload;

/// Rows of the second moment that a thread makes at a time.
const BLOCK: usize = 16;
/// Channels of the panel that a thread makes at a time, as many as a cache line has f64.
const INPUTS: usize = 8;
/// Bytes of them, for a tile of channels.
const PANEL_BYTES: usize = INPUTS * TILE_CHANNELS * size_of::<f32>();

/// A layer whose moments are wanted.
#[derive(Debug)]
pub struct StyleTap {
    /// Its shape.
    pub shape: TapShape,
    /// One for each of its moments.
    sums: Vec<Sums>,
    /// A group of bindings for each piece of the guides; one where there are none.
    observe: Vec<wgpu::BindGroup>,
    pub(crate) guides: Option<RegionGuides>,
    /// One panel for each of its moments, one behind the other; so the means.
    pub(crate) panel: wgpu::Buffer,
    pub(crate) means: wgpu::Buffer,
    /// The panels, then the means.
    upload: Upload,
    /// Memory for the next second moments.
    spare: Vec<Vec<f64>>,
    /// Whether the loss depends on any second moment, and on any mean.
    pub(crate) has_second: bool,
    pub(crate) has_mean: bool,
}

impl StyleTap {
    /// A tap on a map. `unused` stands where a shader's buffer is not read.
    pub fn new(make: Maker<'_>, shape: TapShape, features: &Ring, unused: &wgpu::Buffer) -> StyleTap {
        let guides = (shape.regions > 0).then(|| RegionGuides::new(make.device, shape));
        let bind = |guides: &wgpu::Buffer, seen: &wgpu::Buffer| {
            make.bind(Family::Moments, &[&features.buffer, guides, seen, make.partials])
        };
        let observe = match &guides {
            Some(guides) => guides.pieces.iter().map(|piece| bind(&piece.values, &piece.seen)).collect(),
            None => vec![bind(unused, unused)],
        };
        StyleTap {
            shape,
            sums: (0..shape.moments()).map(|_| Sums::new(make, shape.moment_elements())).collect(),
            observe,
            guides,
            panel: maps::create(make.device, shape.panel_bytes()),
            means: maps::create(make.device, (shape.moments() * shape.channels) as u64 * FLOAT_BYTES),
            upload: Upload::new(make.device, shape.gradient_bytes()),
            spare: vec![Vec::new(); shape.moments()],
            has_second: false,
            has_mean: false,
        }
    }

    /// Takes the guides of its regions, `[regions, height, width]`.
    ///
    /// # Errors
    /// A device that was lost or has no memory for it.
    pub fn set_guides(&mut self, device: &Device, values: &[f32]) -> Result<(), EngineError> {
        self.guides.as_mut().map_or(Ok(()), |guides| guides.set(device, values))
    }

    /// Starts all sums again from nothing.
    pub fn clear(&self, recorder: &mut Recorder) {
        self.sums.iter().for_each(|sums| sums.clear(recorder));
    }

    /// Takes rows of the features in.
    pub fn observe(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        features: &Ring,
        rows: Range<usize>,
    ) -> Result<(), EngineError> {
        let (row_begin, positions) = (rows.start, (rows.len() * self.shape.width) as f64);
        let parameters = [self.shape.pairs(), self.shape.moment_elements(), 0, 0];
        let kernel = ChunkKernel {
            kernel: Kernel::Moments { guided: self.guides.is_some() },
            bindings: &self.observe[0],
            shape: self.shape,
            features_rows: features.rows,
            row_begin,
            chunks: 0..self.shape.chunks(&rows),
            parameters: &parameters,
            workgroups: self.shape.pairs(),
            flop: (2 * PAIR * TILE_ROWS * CHUNK_COLUMNS.min(self.shape.width)) as f64,
            positions,
        };
        let Some(guides) = &self.guides else {
            return self.sums[0].take_in(pipelines, recorder, &kernel);
        };
        for (piece, bindings) in guides.pieces.iter().zip(&self.observe) {
            if let Some(rows) = piece.rows_of(&rows) {
                let kernel = ChunkKernel { bindings, ..kernel.clone() };
                self.observe_regions(pipelines, recorder, &kernel, (piece, rows))?;
            }
        }
        Ok(())
    }

    /// Takes rows of a piece of the guides in, for each region what it sees of them.
    fn observe_regions(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        kernel: &ChunkKernel<'_>,
        (piece, rows): (&GuidePiece, Range<usize>),
    ) -> Result<(), EngineError> {
        let mut positions = (rows.len() * self.shape.width) as f64;
        for (region, sums) in self.sums.iter().enumerate() {
            let chunks = piece.seen(&self.shape, region, &rows);
            let guide = [region * piece.rows.len(), piece.rows.start];
            let parameters = [kernel.parameters[0], kernel.parameters[1], guide[0], guide[1]];
            let is_seen = !chunks.is_empty();
            let kernel = ChunkKernel { row_begin: 0, chunks, parameters: &parameters, positions, ..kernel.clone() };
            sums.take_in(pipelines, recorder, &kernel)?;
            if is_seen {
                positions = 0.0;
            }
        }
        Ok(())
    }

    /// Copies what was summed to where the host may read it; returns where the next may go.
    pub fn copy_to(&self, recorder: &mut Recorder, readable: &wgpu::Buffer, offset: u64) -> u64 {
        self.sums.iter().fold(offset, |offset, sums| sums.copy_to(recorder, readable, offset))
    }

    /// The moments from what was copied, one a region where there are some.
    pub fn moments(&mut self, bytes: &[u8]) -> Vec<Moments> {
        let of_each = bytes.par_chunks_exact(bytes.len() / self.shape.moments());
        let spare = std::mem::take(&mut self.spare);
        let moments =
            of_each.zip(spare).enumerate().map(|(region, (bytes, second))| self.moment(region, bytes, second));
        let moments = moments.collect();
        self.spare = vec![Vec::new(); self.shape.moments()];
        moments
    }

    fn moment(&self, region: usize, bytes: &[u8], mut second: Vec<f64>) -> Moments {
        let TapShape { layer, channels, .. } = self.shape;
        let divisor = self.divisor(region);
        let (sums, _) = bytes.as_chunks::<PAIR_OF_FLOATS>();
        let (products, values) = sums.split_at(self.shape.pairs() * PAIR);
        second.resize(channels * channels, 0.0);
        second.par_chunks_exact_mut(BLOCK * channels).enumerate().for_each(|(block, rows)| {
            self.rows_of_second(products, divisor, block * BLOCK, rows);
        });
        let mean = values.iter().map(|&value| total(value) / divisor).collect();
        Moments { layer, positions: self.shape.positions() as u64, mean, second }
    }

    /// What sums are divided by: the positions, or as much of them as a region counts.
    fn divisor(&self, region: usize) -> f64 {
        self.guides.as_ref().map_or(self.shape.positions() as f64, |guides| guides.sum(region))
    }

    /// Takes back what [`StyleTap::moments`] gave.
    pub fn reuse(&mut self, moments: impl Iterator<Item = Moments>) {
        self.spare.iter_mut().zip(moments).for_each(|(spare, moments)| *spare = moments.second);
    }

    /// [`BLOCK`] rows of the second moment from `first` on, tile by tile: of two tiles the device sums one product. Of a tile
    /// with itself, one side of the diagonal stands for both: a guide counts with one factor of a product, and rounds it.
    fn rows_of_second(&self, products: &[[u8; PAIR_OF_FLOATS]], divisor: f64, first: usize, rows: &mut [f64]) {
        let channels = self.shape.channels;
        let (tile, row) = (first / TILE_CHANNELS, first % TILE_CHANNELS);
        for other in 0..self.shape.tiles() {
            let products = &products[self.shape.pair(tile.min(other), tile.max(other)) * PAIR..][..PAIR];
            let mut block = [[0.0; TILE_CHANNELS]; BLOCK];
            if tile <= other {
                for (values, products) in block.iter_mut().zip(products[row * TILE_CHANNELS..].chunks(TILE_CHANNELS)) {
                    values.iter_mut().zip(products).for_each(|(value, &product)| *value = total(product) / divisor);
                }
            }
            if tile >= other {
                // Left of the diagonal.
                let columns = if tile == other { row + BLOCK } else { TILE_CHANNELS };
                for (column, products) in products.chunks_exact(TILE_CHANNELS).enumerate().take(columns) {
                    let above = if tile == other { (column + 1).saturating_sub(row) } else { 0 };
                    let values = block.iter_mut().map(|values| &mut values[column]).zip(&products[row..]);
                    values.skip(above).for_each(|(value, &product)| *value = total(product) / divisor);
                }
            }
            for (own, values) in rows.chunks_exact_mut(channels).zip(&block) {
                own[other * TILE_CHANNELS..][..TILE_CHANNELS].copy_from_slice(values);
            }
        }
    }

    /// Waits until [`StyleTap::set_gradients`] may be called.
    ///
    /// # Errors
    /// A device that was lost or refused the work.
    pub fn reclaim(&self, recorder: &mut Recorder) -> Result<(), EngineError> {
        self.upload.reclaim(recorder)
    }

    /// Takes the derivatives by its moments in. Where S is not symmetric, its symmetric part counts.
    ///
    /// # Errors
    /// A device that was lost.
    pub fn set_gradients(&mut self, device: &Device, gradients: &[MomentGradients]) -> Result<(), EngineError> {
        let channels = self.shape.channels;
        self.has_mean = gradients.iter().any(|gradients| !gradients.mean.is_empty());
        self.has_second = gradients.iter().any(|gradients| !gradients.second.is_empty());
        if !self.has_mean && !self.has_second {
            return Ok(());
        }
        self.upload.fill(device, self.shape.gradient_bytes(), |view| {
            let (panel, mut means) = view.split_at(self.panel.size() as usize);
            if self.has_second {
                let lines: Vec<_> = panel.into_chunks::<PANEL_BYTES>().0.into_iter().collect();
                let of_region = lines.len() / gradients.len();
                lines.into_par_iter().enumerate().for_each(|(index, lines)| {
                    let (region, index) = (index / of_region, index % of_region);
                    let (tile, block) = (index / (channels / INPUTS), index % (channels / INPUTS));
                    let second = (&gradients[region].second[..], self.divisor(region));
                    let values = self.panel_lines(second, tile * TILE_CHANNELS, block * INPUTS);
                    wgpu::WriteOnly::<[u8]>::from(lines).copy_from_slice(bytemuck::cast_slice(&values));
                });
            }
            if self.has_mean {
                let mean_of = |region: usize, channel: usize| {
                    gradients[region].mean.get(channel).map_or(0.0, |mean| (mean / self.divisor(region)) as f32)
                };
                let regions =
                    (0..gradients.len()).flat_map(|region| (0..channels).map(move |channel| (region, channel)));
                let by_position: Vec<f32> = regions.map(|(region, channel)| mean_of(region, channel)).collect();
                means.copy_from_slice(bytemuck::cast_slice(&by_position));
            }
        })
    }

    /// The panel's lines of [`INPUTS`] channels from `input` on, for the tile of channels from `tile` on, of a derivative
    /// by a second moment and what that was divided by. Zeros where there is none.
    fn panel_lines(
        &self,
        (second, divisor): (&[f64], f64),
        tile: usize,
        input: usize,
    ) -> [[f32; TILE_CHANNELS]; INPUTS] {
        let channels = self.shape.channels;
        // Rows of a wide map's second moment lie a page apart: of each, a cache line is read once.
        let mut across = [[0.0; TILE_CHANNELS]; INPUTS];
        for (output, row) in second.chunks_exact(channels).skip(tile).take(TILE_CHANNELS).enumerate() {
            for (line, &value) in across.iter_mut().zip(&row[input..][..INPUTS]) {
                line[output] = value;
            }
        }
        let mut lines = [[0.0; TILE_CHANNELS]; INPUTS];
        for ((line, across), row) in lines.iter_mut().zip(&across).zip(second.chunks_exact(channels).skip(input)) {
            for ((value, across), along) in line.iter_mut().zip(across).zip(&row[tile..]) {
                *value = ((along + across) / divisor) as f32;
            }
        }
        lines
    }

    /// Records the way of the derivatives to the device.
    pub fn bring_gradients(&self, recorder: &mut Recorder) {
        let panel_bytes = self.panel.size();
        let panel = self.has_second.then_some((0, (&self.panel, 0), panel_bytes));
        let means = self.has_mean.then_some((panel_bytes, (&self.means, 0), self.means.size()));
        if panel.or(means).is_some() {
            self.upload.copy(recorder, panel.into_iter().chain(means));
        }
    }
}
