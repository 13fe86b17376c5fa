//! A style tap on the device: the moments that it sums, and the derivatives by them that it hands to the injection.

use std::ops::Range;

use impasto_vgg::plan::TILE_ROWS;
use impasto_vgg::{EngineError, MomentGradients, Moments};

use rayon::prelude::*;

use crate::bindings::Maker;
use crate::device::Device;
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
    sums: Sums,
    observe: wgpu::BindGroup,
    pub(crate) panel: wgpu::Buffer,
    pub(crate) means: wgpu::Buffer,
    /// The panel, then the means.
    upload: Upload,
    /// Memory for the next second moment.
    spare: Vec<f64>,
    pub(crate) has_second: bool,
    pub(crate) has_mean: bool,
}

impl StyleTap {
    /// A tap on a map.
    pub fn new(make: Maker<'_>, shape: TapShape, features: &Ring) -> StyleTap {
        StyleTap {
            shape,
            sums: Sums::new(make, shape.moment_elements()),
            observe: make.bind(Family::Moments, &[&features.buffer, make.partials]),
            panel: maps::create(make.device, (shape.channels * shape.channels) as u64 * FLOAT_BYTES),
            means: maps::create(make.device, shape.channels as u64 * FLOAT_BYTES),
            upload: Upload::new(make.device, shape.panel_bytes()),
            spare: Vec::new(),
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
        let kernel = ChunkKernel {
            kernel: Kernel::Moments,
            bindings: &self.observe,
            shape: self.shape,
            features_rows: features.rows,
            parameters: [self.shape.pairs(), self.shape.moment_elements()],
            workgroups: self.shape.pairs(),
            flop: (2 * PAIR * TILE_ROWS * CHUNK_COLUMNS.min(self.shape.width)) as f64,
            counts: true,
        };
        self.sums.take_in(pipelines, recorder, &kernel, rows)
    }

    /// Copies what was summed to where the host may read it; returns where the next may go.
    pub fn copy_to(&self, recorder: &mut Recorder, readable: &wgpu::Buffer, offset: u64) -> u64 {
        self.sums.copy_to(recorder, readable, offset)
    }

    /// The moments from what was copied.
    pub fn moments(&mut self, bytes: &[u8]) -> Moments {
        let TapShape { layer, channels, .. } = self.shape;
        let positions = self.shape.positions() as f64;
        let (sums, _) = bytes.as_chunks::<PAIR_OF_FLOATS>();
        let (products, values) = sums.split_at(self.shape.pairs() * PAIR);
        let mut second = std::mem::take(&mut self.spare);
        second.resize(channels * channels, 0.0);
        second.par_chunks_exact_mut(BLOCK * channels).enumerate().for_each(|(block, rows)| {
            self.rows_of_second(products, block * BLOCK, rows);
        });
        let mean = values.iter().map(|&value| total(value) / positions).collect();
        Moments { layer, positions: self.shape.positions() as u64, mean, second }
    }

    /// Takes back what [`StyleTap::moments`] gave.
    pub fn reuse(&mut self, moments: Moments) {
        self.spare = moments.second;
    }

    /// [`BLOCK`] rows of the second moment from `first` on, tile by tile: of two tiles the device sums one product.
    fn rows_of_second(&self, products: &[[u8; PAIR_OF_FLOATS]], first: usize, rows: &mut [f64]) {
        let (channels, positions) = (self.shape.channels, self.shape.positions() as f64);
        let (tile, row) = (first / TILE_CHANNELS, first % TILE_CHANNELS);
        for other in 0..self.shape.tiles() {
            let products = &products[self.shape.pair(tile.min(other), tile.max(other)) * PAIR..][..PAIR];
            let mut block = [[0.0; TILE_CHANNELS]; BLOCK];
            if tile <= other {
                for (values, products) in block.iter_mut().zip(products[row * TILE_CHANNELS..].chunks(TILE_CHANNELS)) {
                    values.iter_mut().zip(products).for_each(|(value, &product)| *value = total(product) / positions);
                }
            } else {
                for (column, products) in products.chunks_exact(TILE_CHANNELS).enumerate() {
                    let values = block.iter_mut().map(|values| &mut values[column]);
                    values.zip(&products[row..]).for_each(|(value, &product)| *value = total(product) / positions);
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

    /// Takes the derivatives by the moments in. Where S is not symmetric, its symmetric part counts.
    ///
    /// # Errors
    /// A device that was lost.
    pub fn set_gradients(&mut self, device: &Device, gradients: &MomentGradients) -> Result<(), EngineError> {
        let (channels, positions) = (self.shape.channels, self.shape.positions() as f64);
        self.has_mean = !gradients.mean.is_empty();
        self.has_second = !gradients.second.is_empty();
        if !self.has_mean && !self.has_second {
            return Ok(());
        }
        self.upload.fill(device, self.shape.panel_bytes(), |view| {
            let (panel, mut means) = view.split_at(self.panel.size() as usize);
            if self.has_second {
                let lines: Vec<_> = panel.into_chunks::<PANEL_BYTES>().0.into_iter().collect();
                lines.into_par_iter().enumerate().for_each(|(index, lines)| {
                    let (tile, block) = (index / (channels / INPUTS), index % (channels / INPUTS));
                    let values = self.panel_lines(&gradients.second, tile * TILE_CHANNELS, block * INPUTS);
                    wgpu::WriteOnly::<[u8]>::from(lines).copy_from_slice(bytemuck::cast_slice(&values));
                });
            }
            if self.has_mean {
                let by_position: Vec<f32> = gradients.mean.iter().map(|mean| (mean / positions) as f32).collect();
                means.copy_from_slice(bytemuck::cast_slice(&by_position));
            }
        })
    }

    /// The panel's lines of [`INPUTS`] channels from `input` on, for the tile of channels from `tile` on.
    fn panel_lines(&self, second: &[f64], tile: usize, input: usize) -> [[f32; TILE_CHANNELS]; INPUTS] {
        let (channels, positions) = (self.shape.channels, self.shape.positions() as f64);
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
                *value = ((along + across) / positions) as f32;
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
