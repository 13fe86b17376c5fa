//! An engine with another behind it, for when a device fails in the middle of its work.
//!
//! ```text
//!   forward(image)  -- device lost, out of memory -->  a session of the spare: its content again, forward(image) again
//! ```
//!
//! What an evaluation gives depends on the pictures alone, so whoever asks notices nothing but a slightly other rounding:
//! no evaluation is lost, and the optimiser above goes on with the state that it has. Later sessions are the spare's.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use crate::engine::{
    Engine, EngineDescription, FeatureMap, Observation, ObservationGradients, Precision, Session, SessionRequest,
};
use crate::error::EngineError;
use crate::guides::TapGuides;
use crate::history::History;
use crate::layers::Layer;
use crate::matching::{Bank, Matches};
use crate::profile::LayerTime;

/// Values of an image that a thread copies at a time.
const COPIED: usize = 1 << 14;

/// An engine that goes on with a spare one once it has failed. Cheap to clone; clones have failed together.
#[derive(Clone)]
pub struct FallbackEngine {
    shared: Arc<Shared>,
}

/// What sessions share with their engine.
struct Shared {
    first: Box<dyn Engine>,
    spare: Box<dyn Engine>,
    failure: Mutex<Option<EngineError>>,
    told: Box<dyn Fn(&EngineError) + Send + Sync>,
}

impl FallbackEngine {
    /// `first` as long as it works, then `spare`; `told` hears of the failure, once.
    pub fn new(
        first: Box<dyn Engine>,
        spare: Box<dyn Engine>,
        told: Box<dyn Fn(&EngineError) + Send + Sync>,
    ) -> FallbackEngine {
        FallbackEngine { shared: Arc::new(Shared { first, spare, failure: Mutex::new(None), told }) }
    }

    /// Why the first engine was left, if it was.
    #[must_use]
    pub fn failure(&self) -> Option<EngineError> {
        self.shared.failure()
    }
}

impl Shared {
    fn failure(&self) -> Option<EngineError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The engine that later sessions are of.
    fn in_use(&self) -> &dyn Engine {
        if self.failure().is_none() { &*self.first } else { &*self.spare }
    }

    /// Leaves the first engine for good.
    ///
    /// # Errors
    /// The same error, where another engine would not help.
    fn leave(&self, error: EngineError) -> Result<(), EngineError> {
        if !is_of_the_device(&error) {
            return Err(error);
        }
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_none() {
            (self.told)(&error);
            *failure = Some(error);
        }
        Ok(())
    }
}

/// Whether an error may be none on another engine: everything but a wrong request or a call out of order.
fn is_of_the_device(error: &EngineError) -> bool {
    matches!(error, EngineError::Device(_) | EngineError::Memory { .. } | EngineError::NotFree { .. })
}

/// Whether an error says that this engine cannot do what is asked for, and never will.
fn is_of_the_engine(error: &EngineError) -> bool {
    matches!(error, EngineError::NoMatching { .. } | EngineError::NoGuides { .. })
}

impl Engine for FallbackEngine {
    fn describe(&self) -> EngineDescription {
        let first = self.shared.first.describe();
        if self.failure().is_none() {
            return first;
        }
        let spare = self.shared.spare.describe();
        EngineDescription { name: format!("{} {}, then {}", first.name, first.isa, spare.name), ..spare }
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        let opened = match self.failure() {
            Some(_) => None,
            None => match self.shared.first.session(request) {
                Ok(session) => Some(session),
                // No failure: the first goes on with what it can do.
                Err(error) if is_of_the_engine(&error) => None,
                Err(error) => {
                    self.shared.leave(error)?;
                    None
                }
            },
        };
        match opened {
            Some(inner) => Ok(Box::new(FallbackSession {
                shared: Arc::clone(&self.shared),
                inner,
                is_spare: false,
                content: None,
                banks: Vec::new(),
                matches: Vec::new(),
                guides: None,
                emphasis: None,
                image: Vec::new(),
            })),
            None => self.shared.spare.session(request),
        }
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        let of_first = match self.failure() {
            Some(failure) => Err(failure),
            None => self.shared.first.session_bytes(request),
        };
        match of_first {
            Err(error) if is_of_the_device(&error) || is_of_the_engine(&error) => {
                self.shared.spare.session_bytes(request)
            }
            answer => answer,
        }
    }

    fn common_bytes(&self, request: &SessionRequest) -> u64 {
        self.shared.in_use().common_bytes(request)
    }

    fn history(&self, capacity: usize, values: usize, memory_limit_bytes: Option<u64>) -> Option<Box<dyn History>> {
        self.shared.in_use().history(capacity, values, memory_limit_bytes)
    }

    fn history_bytes(&self, capacity: usize, values: usize) -> u64 {
        self.shared.in_use().history_bytes(capacity, values)
    }
}

/// A session that can be opened again elsewhere, for it keeps the pictures that it was given.
struct FallbackSession {
    shared: Arc<Shared>,
    inner: Box<dyn Session>,
    is_spare: bool,
    /// The content image, `[3, height, width]`; given up once the session is the spare's.
    content: Option<Vec<f32>>,
    /// The banks and what was matched to them last; empty where there are none, given up likewise.
    banks: Vec<Bank>,
    matches: Vec<Matches>,
    /// What guides the style taps, and the emphasis; given up likewise.
    guides: Option<Vec<TapGuides>>,
    emphasis: Option<Vec<f32>>,
    /// The last image of `forward`, of the same shape; given up likewise.
    image: Vec<f32>,
}

impl FallbackSession {
    /// Goes on in a session of the spare engine, which has seen the content image.
    fn change(&mut self, error: EngineError) -> Result<(), EngineError> {
        if self.is_spare {
            return Err(error);
        }
        self.shared.leave(error)?;
        self.inner = self.shared.spare.session(self.inner.request())?;
        self.is_spare = true;
        if let Some(content) = self.content.take() {
            self.inner.set_content(&content)?;
        }
        let (banks, matches) = (std::mem::take(&mut self.banks), std::mem::take(&mut self.matches));
        if !banks.is_empty() {
            self.inner.set_banks(&banks)?;
        }
        if !matches.is_empty() {
            self.inner.set_matches(&matches)?;
        }
        if let Some(guides) = self.guides.take() {
            self.inner.set_guides(guides)?;
        }
        if let Some(emphasis) = self.emphasis.take() {
            self.inner.set_emphasis(&emphasis)?;
        }
        Ok(())
    }

    /// Does something, in a session of the spare engine where that of the first fails.
    fn either<T>(&mut self, work: impl Fn(&mut dyn Session) -> Result<T, EngineError>) -> Result<T, EngineError> {
        match work(self.inner.as_mut()) {
            Ok(done) => Ok(done),
            Err(error) => {
                self.change(error)?;
                work(self.inner.as_mut())
            }
        }
    }

    /// Keeps the image of a `forward`, on all threads: a device waits meanwhile.
    fn keep(&mut self, image: &[f32]) {
        self.image.resize(image.len(), 0.0);
        let chunks = self.image.par_chunks_mut(COPIED).zip(image.par_chunks(COPIED));
        chunks.for_each(|(kept, values)| kept.copy_from_slice(values));
    }
}

impl Session for FallbackSession {
    fn request(&self) -> &SessionRequest {
        self.inner.request()
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        // The old one goes first: while it is being replaced, neither would be right.
        self.content = None;
        if let Err(error) = self.inner.set_content(image) {
            self.change(error)?;
            self.inner.set_content(image)?;
        }
        if !self.is_spare {
            self.content = Some(image.to_vec());
        }
        Ok(())
    }

    fn sample(&mut self, image: &[f32]) -> Result<Vec<Bank>, EngineError> {
        self.either(|session| session.sample(image))
    }

    fn set_banks(&mut self, banks: &[Bank]) -> Result<(), EngineError> {
        (self.banks, self.matches) = (Vec::new(), Vec::new());
        self.either(|session| session.set_banks(banks))?;
        if !self.is_spare {
            self.banks = banks.to_vec();
        }
        Ok(())
    }

    fn find_matches(&mut self, image: &[f32]) -> Result<Vec<Matches>, EngineError> {
        self.matches = Vec::new();
        let matches = self.either(|session| session.find_matches(image))?;
        if !self.is_spare {
            self.matches.clone_from(&matches);
        }
        Ok(matches)
    }

    fn set_matches(&mut self, matches: &[Matches]) -> Result<(), EngineError> {
        self.matches = Vec::new();
        self.either(|session| session.set_matches(matches))?;
        if !self.is_spare {
            self.matches = matches.to_vec();
        }
        Ok(())
    }

    fn set_guides(&mut self, guides: Vec<TapGuides>) -> Result<(), EngineError> {
        self.guides = None;
        if self.is_spare {
            return self.inner.set_guides(guides);
        }
        self.either(|session| session.set_guides(guides.clone()))?;
        if !self.is_spare {
            self.guides = Some(guides);
        }
        Ok(())
    }

    fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        self.emphasis = None;
        self.either(|session| session.set_emphasis(map))?;
        if !self.is_spare {
            self.emphasis = Some(map.to_vec());
        }
        Ok(())
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        match self.inner.forward(image) {
            Ok(observation) => {
                if !self.is_spare {
                    self.keep(image);
                }
                Ok(observation)
            }
            Err(error) => {
                self.change(error)?;
                self.inner.forward(image)
            }
        }
    }

    fn reuse(&mut self, observation: Observation) {
        self.inner.reuse(observation);
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        match self.inner.backward(gradients, pixel_gradient) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.change(error)?;
                let image = std::mem::take(&mut self.image);
                self.inner.forward(&image)?;
                self.inner.backward(gradients, pixel_gradient)
            }
        }
    }

    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError> {
        self.either(|session| session.feature_map(image, layer))
    }

    fn set_precision(&mut self, precision: Precision) {
        self.inner.set_precision(precision);
    }

    fn times(&self) -> Vec<LayerTime> {
        self.inner.times()
    }

    fn clear_times(&mut self) {
        self.inner.clear_times();
    }
}
