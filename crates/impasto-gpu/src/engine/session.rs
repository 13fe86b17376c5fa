//! A session: a walk, what it takes to start it anew, and an answer to a device that runs out of memory.

use std::collections::VecDeque;

use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::profile::LayerTime;
use impasto_vgg::{
    Bank, EngineError, FeatureMap, Guides, Layer, MatchedTap, Matches, Observation, ObservationGradients, Plan,
    Precision, Session, SessionRequest, Strategy, TapGuides,
};

use super::GpuEngine;
use crate::device::DeviceFault;
use crate::storage::Storage;
use crate::walk::Walk;

/// Rows of the bands in which features are brought out for inspection.
const BAND_ROWS: [usize; 4] = [256, 64, 16, 4];

/// Plans to bring out the features of one layer.
fn forward_only(request: &SessionRequest) -> impl Iterator<Item = Plan> {
    BAND_ROWS
        .into_iter()
        .map(|rows| Plan::new(request, Strategy { computed_again: LAYER_COUNT, band_rows: rows, chunk_tiles: rows }))
}

/// What a session was given, each once it is set, for the walk that takes over.
#[derive(Debug, Default)]
struct Given {
    /// The content image.
    content: Option<Vec<f32>>,
    banks: Option<Vec<Bank>>,
    matches: Option<Vec<Matches>>,
    /// What guides the style taps.
    guides: Option<Vec<TapGuides>>,
    emphasis: Option<Vec<f32>>,
}

impl Given {
    fn give_to(&self, walk: &mut Walk) -> Result<(), EngineError> {
        self.guides.iter().try_for_each(|guides| walk.set_guides(guides))?;
        self.emphasis.iter().try_for_each(|emphasis| walk.set_emphasis(emphasis))?;
        self.banks.iter().try_for_each(|banks| walk.set_banks(banks))?;
        self.matches.iter().try_for_each(|matches| walk.set_matches(matches))?;
        self.content.iter().try_for_each(|content| walk.set_content(content))
    }
}

/// A VGG-19 set up for pictures of one size on a GPU.
///
/// Where the device runs out of memory in the middle of an evaluation (others use it too), the session goes on with the
/// next plan, which takes less, and answers with the same bytes.
#[derive(Debug)]
pub struct GpuSession {
    engine: GpuEngine,
    request: SessionRequest,
    /// The precision that the walk and the spare plans are for, until the next evaluation follows the request's.
    precision: Precision,
    /// `None` only while one plan gives way to the next.
    walk: Option<Walk>,
    /// Plans that take less, in their order.
    spare: VecDeque<Plan>,
    given: Given,
    /// The last picture that `forward` saw.
    image: Vec<f32>,
    has_observed: bool,
    takes_time: bool,
}

impl GpuSession {
    /// Allocates everything, under the first of these plans that there is memory for.
    pub(crate) fn new(
        engine: GpuEngine,
        request: &SessionRequest,
        mut plans: VecDeque<Plan>,
    ) -> Result<GpuSession, EngineError> {
        let walk = engine.walk(request, &mut plans)?;
        Ok(GpuSession {
            engine,
            request: request.clone(),
            precision: request.precision,
            walk: Some(walk),
            spare: plans,
            given: Given::default(),
            image: Vec::new(),
            has_observed: false,
            takes_time: false,
        })
    }

    /// The plan that this session follows now.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.walk.as_ref().map(Walk::plan)
    }

    /// Does some work on the walk; where the device has no memory left for it, on the next.
    fn work<R>(&mut self, mut work: impl FnMut(&mut Walk, &[f32]) -> Result<R, EngineError>) -> Result<R, EngineError> {
        loop {
            let Some(walk) = &mut self.walk else { return Err(self.no_memory()) };
            match work(walk, &self.image) {
                Err(_) if self.engine.device().fault() == Some(DeviceFault::OutOfMemory) => self.take_less()?,
                result => return result,
            }
        }
    }

    /// Goes on with a plan that takes less, and brings it as far as this one had come.
    fn take_less(&mut self) -> Result<(), EngineError> {
        loop {
            self.walk = None;
            self.engine.free()?;
            if self.spare.is_empty() {
                return Err(self.no_memory());
            }
            let request = SessionRequest { precision: self.precision, ..self.request.clone() };
            let mut walk = self.engine.walk(&request, &mut self.spare)?;
            if self.takes_time {
                walk.take_time();
            }
            let caught_up = match self.given.give_to(&mut walk) {
                Ok(()) if self.has_observed => walk.forward(&self.image).and_then(|()| walk.observation()).map(|_| ()),
                result => result,
            };
            match caught_up {
                Err(_) if self.engine.device().fault() == Some(DeviceFault::OutOfMemory) => {}
                result => {
                    self.walk = Some(walk);
                    return result;
                }
            }
        }
    }

    /// Changes to maps that are stored as the request now has it, and computes the content image's features anew. The maps
    /// of before go first: the two are never held together.
    fn change_storage(&mut self) -> Result<(), EngineError> {
        self.spare = self.engine.plans(&self.request)?;
        self.precision = self.request.precision;
        self.walk = None;
        let walk = self.walk.insert(self.engine.walk(&self.request, &mut self.spare)?);
        if self.takes_time {
            walk.take_time();
        }
        let given = std::mem::take(&mut self.given);
        let result = self.work(|walk, _| given.give_to(walk));
        self.given = given;
        result
    }

    /// Checks that what `forward` needs has been given.
    fn check_order(&self) -> Result<(), EngineError> {
        let SessionRequest { content_taps, matched_taps, guides, .. } = &self.request;
        if self.given.content.is_none() && !content_taps.is_empty() {
            return Err(EngineError::NO_CONTENT);
        }
        if self.given.matches.is_none() && !matched_taps.is_empty() {
            return Err(EngineError::NO_MATCHES);
        }
        if self.given.guides.is_none() && guides.regions > 0 {
            return Err(EngineError::NO_MASKS);
        }
        if self.given.emphasis.is_none() && guides.emphasis {
            return Err(EngineError::NO_EMPHASIS);
        }
        Ok(())
    }

    /// Whether the maps are stored as the request has it.
    fn is_stored_as_asked(&self) -> bool {
        Storage::of(self.precision) == Storage::of(self.request.precision)
    }

    fn no_memory(&self) -> EngineError {
        self.engine.device().error(&DeviceFault::OutOfMemory)
    }
}

impl Session for GpuSession {
    fn request(&self) -> &SessionRequest {
        &self.request
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.request.check_picture(image)?;
        self.has_observed = false;
        self.given.content = None;
        if !self.is_stored_as_asked() {
            self.change_storage()?;
        }
        self.work(|walk, _| walk.set_content(image))?;
        self.given.content = Some(image.to_vec());
        Ok(())
    }

    fn sample(&mut self, image: &[f32]) -> Result<Vec<Bank>, EngineError> {
        self.request.check_picture(image)?;
        self.has_observed = false;
        if !self.is_stored_as_asked() {
            self.change_storage()?;
        }
        self.work(|walk, _| walk.sample(image))
    }

    fn set_banks(&mut self, banks: &[Bank]) -> Result<(), EngineError> {
        MatchedTap::check_banks(&self.request.matched_taps, banks)?;
        self.has_observed = false;
        (self.given.banks, self.given.matches) = (None, None);
        self.work(|walk, _| walk.set_banks(banks))?;
        self.given.banks = Some(banks.to_vec());
        Ok(())
    }

    fn find_matches(&mut self, image: &[f32]) -> Result<Vec<Matches>, EngineError> {
        self.request.check_picture(image)?;
        if self.given.banks.is_none() {
            return Err(EngineError::NO_BANKS);
        }
        self.has_observed = false;
        self.given.matches = None;
        if !self.is_stored_as_asked() {
            self.change_storage()?;
        }
        let matches = self.work(|walk, _| walk.find_matches(image))?;
        self.given.matches = Some(matches.clone());
        Ok(matches)
    }

    fn set_matches(&mut self, matches: &[Matches]) -> Result<(), EngineError> {
        let SessionRequest { height, width, .. } = self.request;
        MatchedTap::check_matches(&self.request.matched_taps, matches, height, width)?;
        if self.given.banks.is_none() {
            return Err(EngineError::NO_BANKS);
        }
        self.has_observed = false;
        self.given.matches = None;
        self.work(|walk, _| walk.set_matches(matches))?;
        self.given.matches = Some(matches.to_vec());
        Ok(())
    }

    fn set_guides(&mut self, guides: Vec<TapGuides>) -> Result<(), EngineError> {
        self.request.check_guides(&guides)?;
        self.has_observed = false;
        self.given.guides = None;
        self.work(|walk, _| walk.set_guides(&guides))?;
        self.given.guides = Some(guides);
        Ok(())
    }

    fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        self.request.check_emphasis(map)?;
        self.has_observed = false;
        self.given.emphasis = None;
        self.work(|walk, _| walk.set_emphasis(map))?;
        self.given.emphasis = Some(map.to_vec());
        Ok(())
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        self.request.check_picture(image)?;
        self.check_order()?;
        self.has_observed = false;
        if !self.is_stored_as_asked() {
            self.change_storage()?;
        }
        let mut kept = std::mem::take(&mut self.image);
        let observation = self.work(|walk, _| {
            walk.forward(image)?;
            // The device has work to do while the host copies.
            kept.clear();
            kept.extend_from_slice(image);
            walk.observation()
        });
        self.image = kept;
        let observation = observation?;
        self.has_observed = true;
        Ok(observation)
    }

    fn reuse(&mut self, observation: Observation) {
        if let Some(walk) = &mut self.walk {
            walk.reuse(observation);
        }
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        self.request.check_gradients(gradients, pixel_gradient)?;
        if !self.has_observed {
            return Err(EngineError::NO_FORWARD);
        }
        if self.request.deepest_tap().is_none() {
            pixel_gradient.fill(0.0);
        }
        self.work(|walk, image| walk.backward(image, gradients, pixel_gradient))
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
        let plans = self.engine.within_bindings(&request, forward_only(&request))?;
        let mut plans = plans.into_iter().map(|(_, plan)| plan).collect();
        let (height, width) = layer.map_size(request.height, request.width);
        loop {
            let mut walk = self.engine.walk(&request, &mut plans)?;
            match walk.set_content(image).and_then(|()| walk.content_map()) {
                Ok(values) => return Ok(FeatureMap { layer, height, width, values }),
                Err(_) if self.engine.device().fault() == Some(DeviceFault::OutOfMemory) => {
                    drop(walk);
                    self.engine.free()?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn set_precision(&mut self, precision: Precision) {
        self.request.precision = precision;
    }

    fn times(&self) -> Vec<LayerTime> {
        self.walk.as_ref().map_or(Vec::new(), Walk::times)
    }

    fn clear_times(&mut self) {
        self.takes_time = true;
        if let Some(walk) = &mut self.walk {
            walk.take_time();
        }
    }
}
