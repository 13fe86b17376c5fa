//! A session: walks a plan's operations over its maps and taps.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::CpuEngine;
use super::buffer::FeatureRows;
use super::direct::Picture;
use super::maps::Maps;
use super::matching::add_samples;
use super::taps::Taps;
use crate::engine::{FeatureMap, Observation, ObservationGradients, Precision, Session, SessionRequest};
use crate::error::EngineError;
use crate::guides::{Guides, TapGuides};
use crate::layers::Layer;
use crate::matching::{Bank, MatchedTap, Matches};
use crate::plan::{Operation, Plan, TILE_ROWS};
use crate::profile::{LayerTime, Profile, Step};

/// A VGG-19 set up for pictures of one size on the processor.
#[derive(Debug)]
pub struct CpuSession {
    engine: CpuEngine,
    request: SessionRequest,
    plan: Plan,
    maps: Maps,
    taps: Taps,
    /// The last picture that `forward` saw, where the way back needs it again.
    image: Vec<f32>,
    has_content: bool,
    has_banks: bool,
    has_matches: bool,
    has_guides: bool,
    has_emphasis: bool,
    has_observed: bool,
    profile: Profile,
}

/// Bytes of the picture that a session keeps under a plan.
pub fn image_bytes(request: &SessionRequest, plan: &Plan) -> u64 {
    if needs_image(plan) { (request.picture_len() * size_of::<f32>()) as u64 } else { 0 }
}

/// Whether the way back starts from the picture again.
fn needs_image(plan: &Plan) -> bool {
    plan.backward.iter().any(|operation| matches!(operation, Operation::Forward { .. }))
}

impl CpuSession {
    /// Allocates everything. The request has passed its check, and the plan is for it.
    pub(super) fn new(engine: CpuEngine, request: SessionRequest, plan: Plan) -> CpuSession {
        let maps = Maps::new(&engine, &request, &plan);
        let taps = Taps::new(engine.shared.set, &request);
        let image = vec![0.0; if needs_image(&plan) { request.picture_len() } else { 0 }];
        let has_content = request.content_taps.is_empty();
        let [has_banks, has_matches] = [request.matched_taps.is_empty(); 2];
        let (has_guides, has_emphasis) = (request.guides.regions == 0, !request.guides.emphasis);
        let (has_observed, profile) = (false, Profile::default());
        CpuSession {
            engine,
            request,
            plan,
            maps,
            taps,
            image,
            has_content,
            has_banks,
            has_matches,
            has_guides,
            has_emphasis,
            has_observed,
            profile,
        }
    }

    /// The plan that this session follows.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Computes the features of `image` as far as `deepest`, and shows rows of each tapped layer to `see` as they come, with
    /// the taps. What the way back would need is not kept.
    fn walk(
        &mut self,
        image: &[f32],
        deepest: Option<Layer>,
        mut see: impl FnMut(&mut Taps, Layer, &FeatureRows, Range<usize>) + Send,
    ) {
        let CpuSession { engine, request, plan, maps, taps, .. } = self;
        let Some(deepest) = deepest else { return };
        let picture = picture(request, image);
        engine.pool.install(|| {
            for operation in &plan.forward {
                match operation {
                    Operation::Forward { layer, tile_rows } if *layer <= deepest => {
                        maps.forward(&engine.shared, picture, *layer, tile_rows.clone(), false);
                    }
                    Operation::Observe { layer, rows } if *layer <= deepest => {
                        see(taps, *layer, maps.features(*layer), rows.clone());
                    }
                    _ => {}
                }
            }
        });
    }

    /// Computes the features of `image` as far as the content taps, and keeps them there.
    fn run_content(&mut self, image: &[f32]) {
        let deepest = self.request.content_taps.iter().copied().max();
        self.walk(image, deepest, |taps, layer, features, rows| taps.set_content(layer, features, rows));
    }

    /// Samples the features of `image` at the matched taps.
    fn run_sample(&mut self, image: &[f32]) -> Vec<Bank> {
        let layers = self.request.matched_taps.iter().map(|tap| tap.layer);
        let mut banks: Vec<Bank> = layers.map(|layer| Bank { layer, features: Vec::new() }).collect();
        self.walk(image, self.deepest_matched(), |_, layer, features, rows| {
            if let Some(bank) = banks.iter_mut().find(|bank| bank.layer == layer) {
                add_samples(features, rows, &mut bank.features);
            }
        });
        banks
    }

    fn deepest_matched(&self) -> Option<Layer> {
        self.request.matched_taps.iter().map(|tap| tap.layer).max()
    }

    /// Matches the features of `image`: their mean first, then each position's match. Where a map is kept in full height,
    /// it waits for that; others are computed once more.
    fn run_matches(&mut self, image: &[f32]) -> Vec<Matches> {
        let set = self.engine.shared.set;
        for matched in self.taps.all_matched() {
            matched.clear_means();
        }
        self.walk(image, self.deepest_matched(), |taps, layer, features, rows| {
            if let Some(matched) = taps.matched(layer) {
                matched.add_means(features, rows);
            }
        });
        let mut deepest_again = None;
        let CpuSession { engine, request, plan, maps, taps, .. } = self;
        engine.pool.install(|| {
            for matched in taps.all_matched() {
                matched.finish_means();
                let layer = matched.tap().layer;
                let (height, _) = layer.map_size(request.height, request.width);
                if plan.slots[layer.index()].features == height {
                    matched.find(set, maps.features(layer), 0..height);
                } else {
                    deepest_again = deepest_again.max(Some(layer));
                }
            }
        });
        self.walk(image, deepest_again, |taps, layer, features, rows| {
            if let Some(matched) = taps.matched(layer).filter(|_| features.slots() < features.height()) {
                matched.find(set, features, rows);
            }
        });
        self.taps.all_matched().iter().map(|matched| matched.matches()).collect()
    }

    fn run_forward(&mut self, image: &[f32]) -> Observation {
        let CpuSession { engine, request, plan, maps, taps, profile, .. } = self;
        let picture = picture(request, image);
        engine.pool.install(|| {
            taps.clear();
            for operation in &plan.forward {
                let start = Instant::now();
                match operation {
                    Operation::Forward { layer, tile_rows } => {
                        maps.forward(
                            &engine.shared,
                            picture,
                            *layer,
                            tile_rows.clone(),
                            !plan.is_computed_again(*layer),
                        );
                    }
                    Operation::Observe { layer, rows } => taps.observe(*layer, maps.features(*layer), rows.clone()),
                    Operation::Inject { .. } | Operation::Backward { .. } => unreachable!("these are for the way back"),
                }
                add_time(profile, operation, request, start.elapsed());
            }
            taps.observation()
        })
    }

    fn run_backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) {
        let CpuSession { engine, request, plan, maps, taps, profile, image, .. } = self;
        engine.pool.install(|| {
            taps.set_gradients(gradients, request.precision);
            for operation in &plan.backward {
                let start = Instant::now();
                match operation {
                    Operation::Forward { layer, tile_rows } => {
                        maps.forward(&engine.shared, picture(request, image), *layer, tile_rows.clone(), true);
                    }
                    Operation::Inject { layer, rows } => {
                        let (features, gradient) = maps.features_and_gradient(*layer);
                        taps.inject(*layer, features, gradient, rows.clone());
                    }
                    Operation::Backward { layer, tile_rows } => {
                        maps.backward(&engine.shared, request, *layer, tile_rows.clone(), pixel_gradient);
                    }
                    Operation::Observe { .. } => unreachable!("the way back observes nothing"),
                }
                add_time(profile, operation, request, start.elapsed());
            }
        });
    }
}

/// Adds what an operation took.
fn add_time(profile: &mut Profile, operation: &Operation, request: &SessionRequest, elapsed: Duration) {
    let of_tiles = |tile_rows: &Range<usize>| tile_rows.start * TILE_ROWS..tile_rows.end * TILE_ROWS;
    let (step, layer, rows) = match operation {
        Operation::Forward { layer, tile_rows } => (Step::Forward, *layer, of_tiles(tile_rows)),
        Operation::Observe { layer, rows } => (Step::Observe, *layer, rows.clone()),
        Operation::Inject { layer, rows } => (Step::Inject, *layer, rows.clone()),
        Operation::Backward { layer, tile_rows } => (Step::Backward, *layer, of_tiles(tile_rows)),
    };
    let (height, width) = layer.map_size(request.height, request.width);
    // The map's edge cuts the last row of tiles.
    profile.add(step, layer, (rows.start..rows.end.min(height)).len() * width, elapsed);
}

fn picture<'a>(request: &SessionRequest, pixels: &'a [f32]) -> Picture<'a> {
    Picture { pixels, height: request.height, width: request.width, border: request.border }
}

impl Session for CpuSession {
    fn request(&self) -> &SessionRequest {
        &self.request
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.request.check_picture(image)?;
        self.has_observed = false;
        self.run_content(image);
        self.has_content = true;
        Ok(())
    }

    fn sample(&mut self, image: &[f32]) -> Result<Vec<Bank>, EngineError> {
        self.request.check_picture(image)?;
        self.has_observed = false;
        Ok(self.run_sample(image))
    }

    fn set_banks(&mut self, banks: &[Bank]) -> Result<(), EngineError> {
        MatchedTap::check_banks(&self.request.matched_taps, banks)?;
        (self.has_observed, self.has_matches) = (false, banks.is_empty());
        let CpuSession { engine, taps, .. } = self;
        engine.pool.install(|| {
            for (matched, bank) in taps.all_matched().iter_mut().zip(banks) {
                matched.set_bank(bank);
            }
        });
        self.has_banks = true;
        Ok(())
    }

    fn find_matches(&mut self, image: &[f32]) -> Result<Vec<Matches>, EngineError> {
        self.request.check_picture(image)?;
        if !self.has_banks {
            return Err(EngineError::NO_BANKS);
        }
        self.has_observed = false;
        let matches = self.run_matches(image);
        self.has_matches = true;
        Ok(matches)
    }

    fn set_matches(&mut self, matches: &[Matches]) -> Result<(), EngineError> {
        let SessionRequest { height, width, .. } = self.request;
        MatchedTap::check_matches(&self.request.matched_taps, matches, height, width)?;
        if !self.has_banks {
            return Err(EngineError::NO_BANKS);
        }
        self.has_observed = false;
        for (matched, matches) in self.taps.all_matched().iter_mut().zip(matches) {
            matched.set_matches(matches);
        }
        self.has_matches = true;
        Ok(())
    }

    fn set_guides(&mut self, guides: Vec<TapGuides>) -> Result<(), EngineError> {
        self.request.check_guides(&guides)?;
        self.has_observed = false;
        self.taps.set_guides(guides);
        self.has_guides = true;
        Ok(())
    }

    fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        self.request.check_emphasis(map)?;
        self.has_observed = false;
        self.taps.set_emphasis(map, self.request.height, self.request.width);
        self.has_emphasis = true;
        Ok(())
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        self.request.check_picture(image)?;
        if !self.has_content {
            return Err(EngineError::NO_CONTENT);
        }
        if !self.has_matches {
            return Err(EngineError::NO_MATCHES);
        }
        if !self.has_guides {
            return Err(EngineError::NO_MASKS);
        }
        if !self.has_emphasis {
            return Err(EngineError::NO_EMPHASIS);
        }
        if needs_image(&self.plan) {
            self.image.copy_from_slice(image);
        }
        let observation = self.run_forward(image);
        self.has_observed = true;
        Ok(observation)
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        self.request.check_gradients(gradients, pixel_gradient)?;
        if !self.has_observed {
            return Err(EngineError::NO_FORWARD);
        }
        if self.plan.backward.is_empty() {
            pixel_gradient.fill(0.0);
        }
        self.run_backward(gradients, pixel_gradient);
        Ok(())
    }

    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError> {
        self.request.check_picture(image)?;
        self.has_observed = false;
        let (style_taps, content_taps) = (Vec::new(), vec![layer]);
        let request = SessionRequest {
            style_taps,
            content_taps,
            matched_taps: Vec::new(),
            guides: Guides::default(),
            way_back: false,
            ..self.request.clone()
        };
        let mut session = self.engine.open(&request)?;
        session.run_content(image);
        Ok(session.taps.content_map().expect("the session has one content tap"))
    }

    fn set_precision(&mut self, precision: Precision) {
        if precision != self.request.precision {
            self.request.precision = precision;
            // The weights of before go first: the two are never held together.
            self.maps.drop_weights();
            self.engine.shared.forget_unused(&self.request);
            self.maps.use_precision(&self.engine, precision);
        }
    }

    fn times(&self) -> Vec<LayerTime> {
        self.profile.times()
    }

    fn clear_times(&mut self) {
        self.profile = Profile::default();
    }
}
