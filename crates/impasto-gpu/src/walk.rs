//! One plan's buffers on the device, and the walk over its operations.

use std::ops::Range;
use std::sync::Arc;

use impasto_vgg::plan::{Operation, TILE_ROWS};
use impasto_vgg::profile::{LayerTime, Step};
use impasto_vgg::{
    Border, EngineError, Layer, LayerKind, MEAN_RGB, Observation, ObservationGradients, Plan, Pooling, SessionRequest,
};

use crate::bindings::{Bindings, Convolution, Maker, Unused};
use crate::content::ContentTap;
use crate::engine::Shared;
use crate::injection::Injection;
use crate::maps::{self, LayerMaps, Ring};
use crate::memory;
use crate::pipelines::{Kernel, PoolingAfter, TILE_CHANNELS};
use crate::recorder::{Recorder, Work};
use crate::shape::{self, TapShape};
use crate::stopwatch::Label;
use crate::style::StyleTap;

/// The buffers of one plan, and how to walk it.
#[derive(Debug)]
pub struct Walk {
    shared: Arc<Shared>,
    request: SessionRequest,
    plan: Plan,
    recorder: Recorder,
    /// By layer up to the deepest tap, as all that follow.
    maps: Vec<LayerMaps<Ring>>,
    /// `None` for poolings.
    convolutions: Vec<Option<Convolution>>,
    injections: Vec<Option<Injection>>,
    style: Vec<StyleTap>,
    content: Vec<ContentTap>,
    /// Rows of the picture as conv1_1 reads them.
    picture: Ring,
    /// A band of the pixels' gradient.
    pixels: wgpu::Buffer,
    /// What the host reads.
    readable: wgpu::Buffer,
}

impl Walk {
    /// Makes everything. The request has passed its check, and the plan is for it; whether there was memory enough, the
    /// device tells.
    pub fn new(shared: Arc<Shared>, request: &SessionRequest, plan: Plan) -> Walk {
        let device = &shared.device;
        let recorder = Recorder::new(device, &shared.pace, &shared.faults);
        let maps: Vec<_> = maps::sizes(request, &plan).iter().map(|sizes| sizes.create(device)).collect();
        let picture_rows = maps::picture_rows(request, &plan);
        let picture = maps::create(device, maps::picture_bytes(request, picture_rows));
        let picture = Ring { buffer: picture, rows: picture_rows.max(1) as u32 };
        let pixels = maps::create(device, memory::pixel_bytes(request, &plan));
        let readable = maps::create_readable(device, memory::readable_bytes(request, &plan));
        let partials = maps::create(device, shape::partial_bytes(request, &plan));
        let unused = Unused::new(device);
        let make = Maker { device, pipelines: &shared.pipelines, recorder: &recorder, partials: &partials };
        let features = |layer: Layer| maps[layer.index()].features.as_ref().expect("the plan has features at each tap");
        let shape = |&layer: &Layer| TapShape::new(request, layer);
        let style = request.style_taps.iter().map(|layer| StyleTap::new(make, shape(layer), features(*layer)));
        let style: Vec<_> = style.collect();
        let content = request.content_taps.iter().map(|layer| ContentTap::new(make, shape(layer), features(*layer)));
        let content: Vec<_> = content.collect();
        let layers = || Layer::all().zip(&maps);
        let injections = layers().map(|(layer, maps): (Layer, &LayerMaps<Ring>)| {
            let rings = [maps.features.as_ref()?, maps.gradient.as_ref()?];
            Injection::new(make, taps_of(&style, &content, layer), rings, &unused.read)
        });
        let injections = injections.collect();
        let bindings = Bindings {
            weights: &shared.weights,
            make,
            maps: &maps,
            picture: &picture,
            pixels: &pixels,
            unused: &unused,
        };
        let has_way_back = !plan.backward.is_empty();
        let convolutions = layers().map(|(layer, _)| bindings.convolution(request, layer, has_way_back)).collect();
        let request = request.clone();
        Walk {
            shared,
            request,
            plan,
            recorder,
            maps,
            convolutions,
            injections,
            style,
            content,
            picture,
            pixels,
            readable,
        }
    }

    /// The plan that is walked.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Starts to take the device's time, anew.
    pub fn take_time(&mut self) {
        self.recorder.take_time();
    }

    /// The device's time since then.
    pub fn times(&self) -> Vec<LayerTime> {
        self.recorder.times()
    }

    /// Computes the features of `image` as far as the content taps, and keeps them there.
    pub fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        let Some(deepest) = self.request.content_taps.iter().copied().max() else { return Ok(()) };
        for operation in self.plan.forward.clone() {
            match operation {
                Operation::Forward { layer, tile_rows } if layer <= deepest => {
                    self.convolve(image, layer, tile_rows, false)?;
                }
                Operation::Observe { layer, rows } => {
                    let features = self.maps[layer.index()].features.as_ref();
                    for (tap, features) in self.content.iter().filter(|tap| tap.shape.layer == layer).zip(features) {
                        tap.set_content(&mut self.recorder, features, rows.clone());
                    }
                }
                _ => {}
            }
        }
        self.recorder.submit()
    }

    /// The way to the moments and distances.
    pub fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        self.style.iter().for_each(|tap| tap.clear(&mut self.recorder));
        self.content.iter().for_each(|tap| tap.clear(&mut self.recorder));
        for operation in self.plan.forward.clone() {
            match operation {
                Operation::Forward { layer, tile_rows } => {
                    self.convolve(image, layer, tile_rows, !self.plan.is_computed_again(layer))?;
                }
                Operation::Observe { layer, rows } => self.observe(layer, rows)?,
                Operation::Inject { .. } | Operation::Backward { .. } => unreachable!("these are for the way back"),
            }
        }
        self.observation()
    }

    /// The way to the pixels' gradient.
    pub fn backward(
        &mut self,
        image: &[f32],
        gradients: &ObservationGradients,
        pixel_gradient: &mut [f32],
    ) -> Result<(), EngineError> {
        for (tap, by_moments) in self.style.iter_mut().zip(&gradients.moments) {
            tap.set_gradients(&mut self.recorder, by_moments)?;
        }
        for (tap, &by_distance) in self.content.iter_mut().zip(&gradients.distances) {
            tap.set_gradient(by_distance);
        }
        for operation in self.plan.backward.clone() {
            match operation {
                Operation::Forward { layer, tile_rows } => self.convolve(image, layer, tile_rows, true)?,
                Operation::Inject { layer, rows } => {
                    let taps = taps_of(&self.style, &self.content, layer);
                    if let Some(injection) = &self.injections[layer.index()] {
                        injection.inject(&self.shared.pipelines, &mut self.recorder, taps, rows)?;
                    }
                }
                Operation::Backward { layer, tile_rows } if layer.index() == 0 => {
                    self.reach_pixels(layer, rows_of(&tile_rows, self.request.height), pixel_gradient)?;
                }
                Operation::Backward { layer, tile_rows } => self.convolve_back(layer, tile_rows)?,
                Operation::Observe { .. } => unreachable!("the way back observes nothing"),
            }
        }
        Ok(())
    }

    /// Some rows of a convolution, and of the pooling that follows. `with_bits` says whether signs and winners are
    /// written.
    fn convolve(
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
            replicate: index == 0 && self.request.border == Border::Replicate,
            features: own.features.is_some(),
            signs: with_bits && own.signs.is_some(),
            pooling: if pooled.is_some() { pooling_after(self.request.pooling) } else { PoolingAfter::None },
            routes: with_bits && own.routes.is_some(),
        };
        let input_quads = inputs_of(layer).div_ceil(4);
        let tiles = layer.channels() / TILE_CHANNELS;
        let counts = [
            tiles,
            width.div_ceil(2 * convolution.tile.across as usize),
            rows.start,
            rows.end,
            height,
            width,
            input_quads,
        ];
        let rings = [input, own.features.as_ref(), own.signs.as_ref(), pooled, own.routes.as_ref()];
        let parameters: Vec<u32> =
            counts.into_iter().map(|value| value as u32).chain(rings.map(rows_of_ring)).collect();
        let positions = f64::from(convolution.tile.positions());
        self.recorder.dispatch(&Work {
            pipeline: &self.shared.pipelines.get(kernel),
            bindings: &convolution.forward,
            parameters: &parameters,
            workgroups: convolution.tile.count(rows.len(), width) * tiles as u32,
            flop: (18 * TILE_CHANNELS * 4 * input_quads) as f64 * positions,
            label: Label { step: Step::Forward, layer, positions: (rows.len() * width) as f64 },
        })
    }

    /// Takes the gradient at a convolution's output to some rows of the map that it read.
    fn convolve_back(&mut self, layer: Layer, tile_rows: Range<usize>) -> Result<(), EngineError> {
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
            accumulate: layer_below.is_some_and(|below| self.is_tapped(below)),
            masked: below.signs.is_some(),
        };
        let (input_quads, tiles) = (layer.channels() / 4, inputs_of(layer) / TILE_CHANNELS);
        let counts = [
            tiles,
            width.div_ceil(2 * convolution.back_tile.across as usize),
            rows.start,
            rows.end,
            height,
            width,
            input_quads,
        ];
        let rings = [&own.gradient, &None, &own.signs, &own.routes, &below.gradient, &below.signs].map(Option::as_ref);
        let mut ring_rows = rings.map(rows_of_ring);
        ring_rows[1] = rows_of_ring(pooled);
        let parameters: Vec<u32> = counts.into_iter().map(|value| value as u32).chain(ring_rows).collect();
        let positions = f64::from(convolution.back_tile.positions());
        self.recorder.dispatch(&Work {
            pipeline: &self.shared.pipelines.get(kernel),
            bindings,
            parameters: &parameters,
            workgroups: convolution.back_tile.count(rows.len(), width) * tiles as u32,
            flop: (18 * TILE_CHANNELS * 4 * input_quads) as f64 * positions,
            label: Label { step: Step::Backward, layer, positions: (rows.len() * width) as f64 },
        })
    }

    fn is_tapped(&self, layer: Layer) -> bool {
        self.request.style_taps.contains(&layer) || self.request.content_taps.contains(&layer)
    }

    /// Adds rows of a tapped layer to its moments and distances.
    fn observe(&mut self, layer: Layer, rows: Range<usize>) -> Result<(), EngineError> {
        let (style, content) = taps_of(&self.style, &self.content, layer);
        let Some(features) = &self.maps[layer.index()].features else { return Ok(()) };
        if let Some(tap) = style {
            tap.observe(&self.shared.pipelines, &mut self.recorder, features, rows.clone())?;
        }
        if let Some(tap) = content {
            tap.observe(&self.shared.pipelines, &mut self.recorder, features, rows)?;
        }
        Ok(())
    }

    /// Brings what the taps have summed to the host.
    fn observation(&mut self) -> Result<Observation, EngineError> {
        let mut bytes = 0;
        for tap in &self.style {
            bytes = tap.copy_to(&mut self.recorder, &self.readable, bytes);
        }
        for tap in &self.content {
            bytes = tap.copy_to(&mut self.recorder, &self.readable, bytes);
        }
        let (style, content) = (&self.style, &self.content);
        self.recorder.read(&self.readable, bytes, |mut rest| {
            let mut seen = Observation { moments: Vec::new(), distances: Vec::new() };
            for tap in style {
                let (moments, after) = tap.moments(rest);
                seen.moments.push(moments);
                rest = after;
            }
            for tap in content {
                let (distance, after) = tap.distance(rest);
                seen.distances.push(distance);
                rest = after;
            }
            seen
        })
    }

    /// Brings rows of the picture to the device, less the mean, four values a pixel.
    fn bring_picture(&mut self, image: &[f32], rows: Range<usize>) -> Result<(), EngineError> {
        let SessionRequest { height, width, .. } = self.request;
        let plane = height * width;
        for run in maps::runs(rows, self.picture.rows as usize) {
            let mut bytes = Vec::with_capacity(run.len() * width * 16);
            for place in run.start * width..run.end * width {
                for (channel, mean) in MEAN_RGB.iter().enumerate() {
                    bytes.extend((image[channel * plane + place] - mean).to_ne_bytes());
                }
                bytes.extend(0.0_f32.to_ne_bytes());
            }
            let offset = run.start % self.picture.rows as usize * width * 16;
            self.recorder.write(&self.picture.buffer, offset as u64, &bytes)?;
        }
        Ok(())
    }

    /// The last step back, from conv1_1 to some rows of the pixels, and to the host.
    fn reach_pixels(
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
            pipeline: &self.shared.pipelines.get(kernel),
            bindings,
            parameters: &parameters,
            workgroups: (rows.len().div_ceil(4) * width.div_ceil(16)) as u32,
            flop: (64 * 9 * 64 * 3 * 2) as f64,
            label: Label { step: Step::Backward, layer, positions: (rows.len() * width) as f64 },
        })?;
        let bytes = (3 * rows.len() * width * size_of::<f32>()) as u64;
        self.recorder.encoder().copy_buffer_to_buffer(&self.pixels, 0, &self.readable, 0, bytes);
        self.recorder.read(&self.readable, bytes, |bytes| {
            let (floats, _) = bytes.as_chunks::<4>();
            for (channel, band) in floats.chunks_exact(rows.len() * width).enumerate() {
                let out = &mut pixel_gradient[channel * height * width + rows.start * width..][..band.len()];
                out.iter_mut().zip(band).for_each(|(value, &bytes)| *value = f32::from_ne_bytes(bytes));
            }
        })
    }

    /// The content features of the first content tap, `[channels, height, width]`.
    pub fn content_map(&mut self) -> Result<Vec<f32>, EngineError> {
        match self.content.first() {
            Some(tap) => tap.target(&self.shared.device, &mut self.recorder),
            None => Ok(Vec::new()),
        }
    }
}

/// Rows of a ring; 1 where there is none, since shaders divide by it.
fn rows_of_ring(ring: Option<&Ring>) -> u32 {
    ring.map_or(1, |ring| ring.rows)
}

/// Rows of a map that rows of tiles hold.
fn rows_of(tile_rows: &Range<usize>, height: usize) -> Range<usize> {
    tile_rows.start * TILE_ROWS..(tile_rows.end * TILE_ROWS).min(height)
}

fn taps_of<'a>(
    style: &'a [StyleTap],
    content: &'a [ContentTap],
    layer: Layer,
) -> (Option<&'a StyleTap>, Option<&'a ContentTap>) {
    (style.iter().find(|tap| tap.shape.layer == layer), content.iter().find(|tap| tap.shape.layer == layer))
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
