//! A style tap on the device: the moments that it sums, and the derivatives by them that it hands to the injection.

use std::ops::Range;

use impasto_vgg::plan::TILE_ROWS;
use impasto_vgg::{EngineError, MomentGradients, Moments};

use crate::bindings::Maker;
use crate::maps::{self, Ring};
use crate::pipelines::{Family, Kernel, Pipelines, TILE_CHANNELS};
use crate::recorder::Recorder;
use crate::shape::{CHUNK_COLUMNS, FLOAT_BYTES, PAIR, TapShape};
use crate::sums::{ChunkKernel, Sums, totals};

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

impl StyleTap {
    /// A tap on a map.
    pub fn new(make: Maker<'_>, shape: TapShape, features: &Ring) -> StyleTap {
        StyleTap {
            shape,
            sums: Sums::new(make, shape.moment_elements()),
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
