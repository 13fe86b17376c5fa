//! An engine that remembers the moments of style images: the same painting at the same size is looked at once, however
//! many jobs use it.
//!
//! ```text
//!   session without a way back, with style taps alone  -->  forward(image)
//!        key: the image's SHA-256, its guides', the request (size, layers, pooling, ...), the engine's name
//!        known:    its moments, from memory; no session is opened, no weight is transformed
//!        unknown:  a session of the engine behind it, whose answer is remembered
//!   any other session is the engine's own
//! ```
//!
//! What is remembered is bounded in bytes; the moments that were not asked for longest go first. Moments are the very bits
//! that the engine would give.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use impasto::digest::sha256_of_values;
use impasto_vgg::{
    Engine, EngineDescription, EngineError, FeatureMap, History, Layer, Moments, Observation, ObservationGradients,
    Precision, Session, SessionRequest, TapGuides,
};

/// Moments of style images, the one that was asked for last at the end.
#[derive(Debug)]
pub struct MomentsMemory {
    limit_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    bytes: u64,
    computed: u64,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    moments: Vec<Moments>,
    bytes: u64,
}

/// What moments are of.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    /// SHA-256 of the image's values at its size.
    image: String,
    /// Size, layers, pooling, border, precision; without a limit of memory, which changes no bit.
    request: SessionRequest,
    /// Of each style tap, SHA-256 of what guides it; empty without regions.
    guides: Vec<String>,
    /// The engine's name and instruction set: another rounds differently.
    engine: (String, String),
}

impl MomentsMemory {
    /// Room for so many bytes of moments.
    #[must_use]
    pub fn new(limit_bytes: u64) -> MomentsMemory {
        MomentsMemory { limit_bytes, state: Mutex::default() }
    }

    /// How many times moments had to be computed.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.lock().computed
    }

    /// Bytes of the moments that are remembered.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        let mut state = self.lock();
        *state = State { computed: state.computed, ..State::default() };
    }

    fn find(&self, key: &Key) -> Option<Vec<Moments>> {
        let mut state = self.lock();
        let place = state.entries.iter().position(|entry| entry.key == *key)?;
        let entry = state.entries.remove(place)?;
        let moments = entry.moments.clone();
        state.entries.push_back(entry);
        Some(moments)
    }

    fn insert(&self, key: Key, moments: &[Moments]) {
        let values: usize = moments.iter().map(|moments| moments.mean.len() + moments.second.len()).sum();
        let bytes = (values * size_of::<f64>()) as u64;
        let mut state = self.lock();
        state.computed += 1;
        if bytes > self.limit_bytes || state.entries.iter().any(|entry| entry.key == key) {
            return;
        }
        while state.bytes + bytes > self.limit_bytes {
            let Some(oldest) = state.entries.pop_front() else { break };
            state.bytes -= oldest.bytes;
        }
        state.bytes += bytes;
        state.entries.push_back(Entry { key, moments: moments.to_vec(), bytes });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An engine with a memory for style images' moments before it.
pub struct RememberingEngine {
    inner: Arc<dyn Engine>,
    memory: Arc<MomentsMemory>,
}

impl RememberingEngine {
    /// `inner`, whose style images' moments `memory` keeps.
    #[must_use]
    pub fn new(inner: Box<dyn Engine>, memory: Arc<MomentsMemory>) -> RememberingEngine {
        RememberingEngine { inner: Arc::from(inner), memory }
    }
}

impl Engine for RememberingEngine {
    fn describe(&self) -> EngineDescription {
        self.inner.describe()
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        let is_of_moments =
            request.content_taps.is_empty() && request.matched_taps.is_empty() && !request.guides.emphasis;
        let is_of_style = !request.way_back && is_of_moments && !request.style_taps.is_empty();
        if !is_of_style {
            return self.inner.session(request);
        }
        // Whatever keeps the session from opening is said now, as the engine itself would.
        self.inner.session_bytes(request)?;
        let (inner, memory) = (Arc::clone(&self.inner), Arc::clone(&self.memory));
        Ok(Box::new(RememberingSession { inner, memory, request: request.clone(), guides: None, opened: None }))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        self.inner.session_bytes(request)
    }

    fn common_bytes(&self, request: &SessionRequest) -> u64 {
        self.inner.common_bytes(request)
    }

    fn history(&self, capacity: usize, values: usize, memory_limit_bytes: Option<u64>) -> Option<Box<dyn History>> {
        self.inner.history(capacity, values, memory_limit_bytes)
    }

    fn history_bytes(&self, capacity: usize, values: usize) -> u64 {
        self.inner.history_bytes(capacity, values)
    }
}

/// A session that opens the engine's own where it has to compute.
struct RememberingSession {
    inner: Arc<dyn Engine>,
    memory: Arc<MomentsMemory>,
    request: SessionRequest,
    guides: Option<Vec<TapGuides>>,
    opened: Option<Box<dyn Session>>,
}

impl RememberingSession {
    fn opened(&mut self) -> Result<&mut Box<dyn Session>, EngineError> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None => {
                let mut session = self.inner.session(&self.request)?;
                self.guides.iter().try_for_each(|guides| session.set_guides(guides.clone()))?;
                session
            }
        };
        Ok(self.opened.insert(opened))
    }
}

impl Session for RememberingSession {
    fn request(&self) -> &SessionRequest {
        &self.request
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.opened()?.set_content(image)
    }

    fn set_guides(&mut self, guides: Vec<TapGuides>) -> Result<(), EngineError> {
        self.request.check_guides(&guides)?;
        if let Some(opened) = &mut self.opened {
            opened.set_guides(guides.clone())?;
        }
        self.guides = Some(guides);
        Ok(())
    }

    fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        // A session of style taps alone was opened without one.
        self.request.check_emphasis(map)
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        self.request.check_picture(image)?;
        if self.guides.is_none() && self.request.guides.regions > 0 {
            return Err(EngineError::NO_MASKS);
        }
        let guides = self.guides.iter().flatten().map(|guides| sha256_of_values(&guides.values));
        let guides = guides.collect();
        let description = self.inner.describe();
        let key = Key {
            image: sha256_of_values(image),
            request: SessionRequest { memory_limit_bytes: None, ..self.request.clone() },
            guides,
            engine: (description.name, description.isa),
        };
        if let Some(moments) = self.memory.find(&key) {
            return Ok(Observation { moments, distances: Vec::new(), matched: Vec::new() });
        }
        let observation = self.opened()?.forward(image)?;
        // An engine that failed on the way may have handed over to another, which rounds differently.
        let description = self.inner.describe();
        let key = Key { engine: (description.name, description.isa), ..key };
        self.memory.insert(key, &observation.moments);
        Ok(observation)
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        self.opened()?.backward(gradients, pixel_gradient)
    }

    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError> {
        self.opened()?.feature_map(image, layer)
    }

    fn set_precision(&mut self, precision: Precision) {
        self.request.precision = precision;
        if let Some(opened) = &mut self.opened {
            opened.set_precision(precision);
        }
    }
}
