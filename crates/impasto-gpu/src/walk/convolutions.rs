//! The convolutions of a walk, both ways, from the picture and back to its pixels.

use std::ops::Range;

use impasto_vgg::profile::Step;
use impasto_vgg::{Border, EngineError, Layer, LayerKind, Pooling, SessionRequest};
use rayon::prelude::*;

use super::{Walk, rows_of};
use crate::maps::{self, Ring};
use crate::pipelines::{CONVOLUTION_CHANNELS, Kernel, PoolingAfter, Tile};
use crate::recorder::Work;
use crate::stopwatch::Label;
use crate::storage::Storage;
use crate::upload;

/// What a dispatch of a convolution makes: some rows of all channels that come out.
struct Extent {
    tile: Tile,
    /// Tiles of [`CONVOLUTION_CHANNELS`] channels that come out.
    tiles: usize,
    rows: Range<usize>,
    height: usize,
    width: usize,
    /// Quads of channels that go in.
    input_quads: usize,
}

impl Extent {
    /// The shader's parameters: what all convolutions have, then the rows of the rings that it sees.
    fn parameters(&self, ring_rows: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let across = self.width.div_ceil(2 * self.tile.windows_across());
        let Range { start, end } = self.rows;
        let counts = [self.tiles, across, start, end, self.height, self.width, self.input_quads];
        counts.into_iter().map(|value| value as u32).chain(ring_rows).collect()
    }

    fn workgroups(&self) -> u32 {
        self.tile.count(self.rows.len(), self.width) * self.tiles as u32
    }

    /// Floating-point operations of a workgroup: 16 products a window and pair of channels.
    fn flop(&self) -> f64 {
        let windows = self.tile.windows_across() * self.tile.windows_down();
        (2 * 16 * windows * CONVOLUTION_CHANNELS * 4 * self.input_quads) as f64
    }

    fn positions(&self) -> f64 {
        (self.rows.len() * self.width) as f64
    }
}

impl Walk {
    /// Some rows of a convolution, and of the pooling that follows. `with_bits` says whether signs and winners are
    /// written.
    pub(super) fn convolve(
        &mut self,
        image: &[f32],
        layer: Layer,
        tile_rows: Range<usize>,
        with_bits: bool,
    ) -> Result<(), EngineError> {
        let index = layer.index();
        let (height, width) = layer.map_size(self.request.height, self.request.width);
        let rows = rows_of(&tile_rows, height);
        if index == 0 {
            self.bring_picture(image, rows.start.saturating_sub(1)..(rows.end + 1).min(height))?;
        }
        let Some(convolution) = &self.convolutions[index] else { return Ok(()) };
        let own = &self.maps[index];
        let pooled = self.maps.get(index + 1).filter(|_| layer.pools_after()).and_then(|maps| maps.features.as_ref());
        let input = if index == 0 { Some(&self.picture) } else { self.maps[index - 1].features.as_ref() };
        let kernel = Kernel::Forward {
            tile: convolution.tile,
            picture: index == 0,
            replicate: index == 0 && self.request.border == Border::Replicate,
            features: own.features.is_some(),
            signs: with_bits && own.signs.is_some(),
            pooling: if pooled.is_some() { pooling_after(self.request.pooling) } else { PoolingAfter::None },
            routes: with_bits && own.routes.is_some(),
        };
        let input_quads = inputs_of(layer).div_ceil(4);
        let tiles = layer.channels() / CONVOLUTION_CHANNELS;
        let rings = [input, own.features.as_ref(), own.signs.as_ref(), pooled, own.routes.as_ref()];
        let extent = Extent { tile: convolution.tile, tiles, rows, height, width, input_quads };
        self.recorder.dispatch(&Work {
            pipeline: &self.shared.pipelines.get(kernel, self.storage()),
            bindings: &convolution.forward,
            parameters: &extent.parameters(rings.map(rows_of_ring)),
            workgroups: extent.workgroups(),
            flop: extent.flop(),
            label: Some(Label { step: Step::Forward, layer, positions: extent.positions() }),
        })
    }

    /// Takes the gradient at a convolution's output to some rows of the map that it read.
    pub(super) fn convolve_back(&mut self, layer: Layer, tile_rows: Range<usize>) -> Result<(), EngineError> {
        let index = layer.index();
        let (height, width) = layer.map_size(self.request.height, self.request.width);
        let rows = rows_of(&tile_rows, height);
        let Some(convolution) = &self.convolutions[index] else { return Ok(()) };
        let Some(bindings) = &convolution.backward else { return Ok(()) };
        let (own, below) = (&self.maps[index], &self.maps[index - 1]);
        let pooled = self.maps.get(index + 1).filter(|_| layer.pools_after()).and_then(|maps| maps.gradient.as_ref());
        let is_masked = index + 1 < self.maps.len() && pooled.is_none();
        let pooling = if pooled.is_some() { pooling_after(self.request.pooling) } else { PoolingAfter::None };
        let is_own = own.gradient.is_some();
        let layer_below = Layer::all().nth(index - 1);
        let kernel = Kernel::Backward {
            tile: convolution.back_tile,
            own: is_own,
            signed: !is_masked && (is_own || pooling == PoolingAfter::Average),
            pooling,
            accumulate: layer_below.is_some_and(|below| self.request.is_tapped(below)),
            masked: below.signs.is_some(),
        };
        let (input_quads, tiles) = (layer.channels() / 4, inputs_of(layer) / CONVOLUTION_CHANNELS);
        let rings = [&own.gradient, &None, &own.signs, &own.routes, &below.gradient, &below.signs].map(Option::as_ref);
        let mut ring_rows = rings.map(rows_of_ring);
        ring_rows[1] = rows_of_ring(pooled);
        let extent = Extent { tile: convolution.back_tile, tiles, rows, height, width, input_quads };
        self.recorder.dispatch(&Work {
            pipeline: &self.shared.pipelines.get(kernel, self.storage()),
            bindings,
            parameters: &extent.parameters(ring_rows),
            workgroups: extent.workgroups(),
            flop: extent.flop(),
            label: Some(Label { step: Step::Backward, layer, positions: extent.positions() }),
        })
    }

    /// How this walk's maps are stored.
    fn storage(&self) -> Storage {
        Storage::of(self.request.precision)
    }

    /// Brings rows of the picture to the device.
    fn bring_picture(&mut self, image: &[f32], rows: Range<usize>) -> Result<(), EngineError> {
        let SessionRequest { height, width, .. } = self.request;
        let line = width * size_of::<f32>();
        let image: &[u8] = bytemuck::cast_slice(image);
        let channels = [0, 1, 2].map(|channel| &image[channel * height * line..][rows.start * line..rows.end * line]);
        self.picture_upload.reclaim(&mut self.recorder)?;
        let bytes = (3 * rows.len() * line) as u64;
        self.picture_upload.fill(&self.shared.device, bytes, |view| upload::copy_slices(view, &channels))?;
        let Ring { buffer, rows: ring_rows } = &self.picture;
        let ring_rows = *ring_rows as usize;
        let copies = (0..3).flat_map(|channel| {
            let (first, count) = (rows.start, rows.len());
            maps::runs(rows.clone(), ring_rows).map(move |run| {
                let from = channel * count + run.start - first;
                let to = channel * ring_rows + run.start % ring_rows;
                ((from * line) as u64, (buffer, (to * line) as u64), (run.len() * line) as u64)
            })
        });
        self.picture_upload.copy(&mut self.recorder, copies);
        Ok(())
    }

    /// The last step back, from conv1_1 to some rows of the pixels, and to the host.
    pub(super) fn reach_pixels(
        &mut self,
        layer: Layer,
        rows: Range<usize>,
        pixel_gradient: &mut [f32],
    ) -> Result<(), EngineError> {
        let SessionRequest { height, width, .. } = self.request;
        let Some(bindings) = self.convolutions[0].as_ref().and_then(|convolution| convolution.backward.as_ref()) else {
            return Ok(());
        };
        let own = &self.maps[0];
        let kernel =
            Kernel::Pixels { signed: self.maps.len() == 1, replicate: self.request.border == Border::Replicate };
        let counts = [rows.start, rows.end, height, width].map(|value| value as u32);
        let rings = [rows_of_ring(own.gradient.as_ref()), rows_of_ring(own.signs.as_ref())];
        let parameters: Vec<u32> = counts.into_iter().chain(rings).collect();
        self.recorder.dispatch(&Work {
            pipeline: &self.shared.pipelines.get(kernel, self.storage()),
            bindings,
            parameters: &parameters,
            workgroups: (rows.len().div_ceil(4) * width.div_ceil(16)) as u32,
            flop: (64 * 9 * 64 * 3 * 2) as f64,
            label: Some(Label { step: Step::Backward, layer, positions: (rows.len() * width) as f64 }),
        })?;
        let bytes = (3 * rows.len() * width * size_of::<f32>()) as u64;
        self.recorder.encoder().copy_buffer_to_buffer(&self.pixels, 0, &self.readable, 0, bytes);
        self.recorder.read(&self.readable, bytes, |bytes| {
            let channels = bytes.par_chunks_exact(rows.len() * width * size_of::<f32>());
            channels.zip(pixel_gradient.par_chunks_exact_mut(height * width)).for_each(|(band, channel)| {
                upload::copy_values(&mut channel[rows.start * width..rows.end * width], band);
            });
        })
    }
}

/// Rows of a ring; 1 where there is none, since shaders divide by it.
fn rows_of_ring(ring: Option<&Ring>) -> u32 {
    ring.map_or(1, |ring| ring.rows)
}

fn pooling_after(pooling: Pooling) -> PoolingAfter {
    match pooling {
        Pooling::Average => PoolingAfter::Average,
        Pooling::Max => PoolingAfter::Max,
    }
}

/// Channels that a convolution reads.
fn inputs_of(layer: Layer) -> usize {
    match layer.info().kind {
        LayerKind::Convolution { inputs, .. } => inputs,
        LayerKind::Pooling => 0,
    }
}
