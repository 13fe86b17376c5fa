//! One plan's buffers on the device, and the walk over its operations.

mod convolutions;
mod matching;

use std::ops::Range;
use std::sync::Arc;

use impasto_vgg::guides::pooled;
use impasto_vgg::plan::{Operation, TILE_ROWS};
use impasto_vgg::profile::LayerTime;
use impasto_vgg::{EngineError, Layer, Observation, ObservationGradients, Plan, SessionRequest, TapGuides};
use rayon::prelude::*;

use crate::bindings::{Bindings, Convolution, Maker, Unused};
use crate::content::ContentTap;
use crate::injection::Injection;
use crate::maps::{self, LayerMaps, Ring};
use crate::matching::MatchedFeatures;
use crate::memory;
use crate::pipelines::Pipelines;
use crate::recorder::Recorder;
use crate::shape::TapShape;
use crate::shared::Shared;
use crate::style::StyleTap;
use crate::upload::Upload;

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
    matched: Vec<MatchedFeatures>,
    /// Rows of the picture as conv1_1 reads them.
    picture: Ring,
    picture_upload: Upload,
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
        let picture_bytes = maps::picture_bytes(request, picture_rows);
        let picture = Ring { buffer: maps::create(device, picture_bytes), rows: picture_rows.max(1) as u32 };
        let picture_upload = Upload::new(device, picture_bytes);
        let pixels = maps::create(device, memory::pixel_bytes(request, &plan));
        let readable = maps::create_readable(device, memory::readable_bytes(request, &plan));
        let partials = maps::create(device, memory::partial_bytes(request, &plan));
        let unused = Unused::new(device);
        let make = Maker { device, pipelines: &shared.pipelines, recorder: &recorder, partials: &partials };
        let features = |layer: Layer| maps[layer.index()].features.as_ref().expect("the plan has features at each tap");
        let shape = |&layer: &Layer| TapShape::new(request, layer);
        let style = request.style_taps.iter();
        let style = style.map(|layer| StyleTap::new(make, shape(layer), features(*layer), &unused.read));
        let style: Vec<_> = style.collect();
        let content = request.content_taps.iter();
        let content =
            content.map(|layer| ContentTap::new(make, shape(layer), features(*layer), request.guides.emphasis));
        let content: Vec<_> = content.collect();
        let has_way_back = !plan.backward.is_empty();
        let matched = request.matched_taps.iter().map(|&tap| {
            let gradient = maps[tap.layer.index()].gradient.as_ref().filter(|_| has_way_back);
            MatchedFeatures::new(make, shape(&tap.layer), tap, features(tap.layer), gradient)
        });
        let matched = matched.collect();
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
            matched,
            picture,
            picture_upload,
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
        self.look(image, self.request.content_taps.iter().copied().max(), |walk, layer, features, rows| {
            for tap in walk.content.iter().filter(|tap| tap.shape.layer == layer) {
                tap.set_content(walk.recorder, features, rows.clone());
            }
            Ok(())
        })?;
        self.recorder.submit()
    }

    /// Computes the features of `image` as far as `deepest`, and shows rows of each tapped layer to `see` as they come. What
    /// the way back would need is not kept.
    fn look(
        &mut self,
        image: &[f32],
        deepest: Option<Layer>,
        mut see: impl FnMut(&mut Seen<'_>, Layer, &Ring, Range<usize>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let Some(deepest) = deepest else { return Ok(()) };
        for operation in self.plan.forward.clone() {
            match operation {
                Operation::Forward { layer, tile_rows } if layer <= deepest => {
                    self.convolve(image, layer, tile_rows, false)?;
                }
                Operation::Observe { layer, rows } if layer <= deepest => {
                    let Some(features) = &self.maps[layer.index()].features else { continue };
                    let mut seen = Seen {
                        pipelines: &self.shared.pipelines,
                        recorder: &mut self.recorder,
                        content: &self.content,
                        matched: &self.matched,
                    };
                    see(&mut seen, layer, features, rows)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes the guides of the style taps, which have passed their check.
    pub fn set_guides(&mut self, guides: &[TapGuides]) -> Result<(), EngineError> {
        let device = &self.shared.device;
        self.style.iter_mut().zip(guides).try_for_each(|(tap, guides)| tap.set_guides(device, &guides.values))
    }

    /// Takes an emphasis `[height, width]` over the picture, which has passed its check.
    pub fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        let SessionRequest { height, width, .. } = self.request;
        self.content.iter().try_for_each(|tap| {
            let brought = pooled(map, height, width, tap.shape.layer);
            tap.set_emphasis(&self.shared.device, &brought)
        })
    }

    /// Submits the way to the moments and distances.
    pub fn forward(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.style.iter().for_each(|tap| tap.clear(&mut self.recorder));
        self.content.iter().for_each(|tap| tap.clear(&mut self.recorder));
        self.matched.iter().for_each(|tap| tap.clear(&mut self.recorder));
        for operation in self.plan.forward.clone() {
            match operation {
                Operation::Forward { layer, tile_rows } => {
                    self.convolve(image, layer, tile_rows, !self.plan.is_computed_again(layer))?;
                }
                Operation::Observe { layer, rows } => self.observe(layer, rows)?,
                Operation::Inject { .. } | Operation::Backward { .. } => unreachable!("these are for the way back"),
            }
        }
        let mut bytes = 0;
        for tap in &self.style {
            bytes = tap.copy_to(&mut self.recorder, &self.readable, bytes);
        }
        for tap in &self.content {
            bytes = tap.copy_to(&mut self.recorder, &self.readable, bytes);
        }
        for tap in &self.matched {
            bytes = tap.copy_to(&mut self.recorder, &self.readable, bytes);
        }
        self.recorder.submit()
    }

    /// The way to the pixels' gradient.
    pub fn backward(
        &mut self,
        image: &[f32],
        gradients: &ObservationGradients,
        pixel_gradient: &mut [f32],
    ) -> Result<(), EngineError> {
        self.style.iter().try_for_each(|tap| tap.reclaim(&mut self.recorder))?;
        let device = &self.shared.device;
        let of_taps = gradients.moments.par_chunks(self.request.guides.moments_a_tap());
        let taps = self.style.par_iter_mut().zip(of_taps);
        taps.try_for_each(|(tap, by_moments)| tap.set_gradients(device, by_moments))?;
        self.style.iter().for_each(|tap| tap.bring_gradients(&mut self.recorder));
        for (tap, &by_distance) in self.content.iter_mut().zip(&gradients.distances) {
            tap.set_gradient(by_distance);
        }
        for (tap, &by_distance) in self.matched.iter_mut().zip(&gradients.matched) {
            tap.set_weight(by_distance);
        }
        for operation in self.plan.backward.clone() {
            match operation {
                Operation::Forward { layer, tile_rows } => self.convolve(image, layer, tile_rows, true)?,
                Operation::Inject { layer, rows } => self.inject(layer, rows)?,
                Operation::Backward { layer, tile_rows } if layer.index() == 0 => {
                    self.reach_pixels(layer, rows_of(&tile_rows, self.request.height), pixel_gradient)?;
                }
                Operation::Backward { layer, tile_rows } => self.convolve_back(layer, tile_rows)?,
                Operation::Observe { .. } => unreachable!("the way back observes nothing"),
            }
        }
        Ok(())
    }

    /// Sets rows of a tapped layer's gradient to what its taps give.
    fn inject(&mut self, layer: Layer, rows: Range<usize>) -> Result<(), EngineError> {
        let pipelines = &self.shared.pipelines;
        let injection = &self.injections[layer.index()];
        if let Some(injection) = injection {
            let taps = taps_of(&self.style, &self.content, layer);
            injection.inject(pipelines, &mut self.recorder, taps, rows.clone())?;
        }
        let maps = &self.maps[layer.index()];
        let rings = maps.features.as_ref().zip(maps.gradient.as_ref());
        let Some((features, gradient)) = rings else { return Ok(()) };
        let matched = self.matched.iter().find(|tap| tap.shape.layer == layer);
        matched.map_or(Ok(()), |tap| {
            tap.inject(pipelines, &mut self.recorder, [features, gradient], rows, injection.is_none())
        })
    }

    /// Adds rows of a tapped layer to its moments and distances.
    fn observe(&mut self, layer: Layer, rows: Range<usize>) -> Result<(), EngineError> {
        let (style, content) = taps_of(&self.style, &self.content, layer);
        let Some(features) = &self.maps[layer.index()].features else { return Ok(()) };
        if let Some(tap) = style {
            tap.observe(&self.shared.pipelines, &mut self.recorder, features, rows.clone())?;
        }
        if let Some(tap) = content {
            tap.observe(&self.shared.pipelines, &mut self.recorder, features, rows.clone())?;
        }
        if let Some(tap) = self.matched.iter().find(|tap| tap.shape.layer == layer) {
            tap.observe(&self.shared.pipelines, &mut self.recorder, features, rows)?;
        }
        Ok(())
    }

    /// What the taps have summed, once [`Walk::forward`] is done on the device.
    pub fn observation(&mut self) -> Result<Observation, EngineError> {
        let (style, content, taps_matched) = (&mut self.style, &self.content, &self.matched);
        self.recorder.read(&self.readable, memory::total_bytes(&self.request), |mut rest| {
            let mut of_taps = Vec::with_capacity(style.len());
            for tap in style {
                let (own, after) = rest.split_at(tap.shape.moment_total_bytes() as usize);
                of_taps.push((tap, own));
                rest = after;
            }
            let moments = of_taps.into_par_iter().map(|(tap, totals)| tap.moments(totals)).flatten().collect();
            let mut distances = Vec::with_capacity(content.len());
            for tap in content {
                let (distance, after) = tap.distance(rest);
                distances.push(distance);
                rest = after;
            }
            let mut matched = Vec::with_capacity(taps_matched.len());
            for tap in taps_matched {
                let (distance, after) = tap.distance(rest);
                matched.push(distance);
                rest = after;
            }
            Observation { moments, distances, matched }
        })
    }

    /// Takes back what [`Walk::observation`] gave.
    pub fn reuse(&mut self, observation: Observation) {
        let mut moments = observation.moments.into_iter();
        self.style.iter_mut().for_each(|tap| tap.reuse(moments.by_ref().take(tap.shape.moments())));
    }

    /// The content features of the first content tap, `[channels, height, width]`.
    pub fn content_map(&mut self) -> Result<Vec<f32>, EngineError> {
        match self.content.first() {
            Some(tap) => tap.target(&self.shared.device, &mut self.recorder),
            None => Ok(Vec::new()),
        }
    }
}

/// What takes rows of a picture's features in, outside of an evaluation.
struct Seen<'a> {
    pipelines: &'a Pipelines,
    recorder: &'a mut Recorder,
    content: &'a [ContentTap],
    matched: &'a [MatchedFeatures],
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
