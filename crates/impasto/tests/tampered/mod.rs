//! An engine that a test looks into and tampers with: the f64 reference, with the test told of every call.

use std::sync::Arc;

use impasto_vgg::reference::ReferenceEngine;
use impasto_vgg::{
    Engine, EngineDescription, EngineError, FeatureMap, Layer, Observation, ObservationGradients, Precision, Session,
    SessionRequest, TapGuides, Weights,
};

/// What is asked of the engine.
pub enum Call<'a> {
    /// A session is about to be opened.
    Session,
    /// The content image is about to be set.
    Content,
    /// The way forward was gone; what it saw may be changed.
    Forward(&'a mut Observation),
    /// The way back is about to be gone.
    Backward,
}

/// Is told of each call, with the session's precision, and may have it fail.
pub type Tamper = dyn Fn(Call<'_>, Precision) -> Result<(), EngineError> + Send + Sync;

/// The reference, tampered with.
pub struct Tampered {
    inner: ReferenceEngine,
    tamper: Arc<Tamper>,
    /// Whether it says that it has bfloat16 products, which it has not.
    pub claims_bf16: bool,
}

struct TamperedSession {
    inner: Box<dyn Session>,
    tamper: Arc<Tamper>,
    precision: Precision,
}

impl Tampered {
    pub fn with(tamper: impl Fn(Call<'_>, Precision) -> Result<(), EngineError> + Send + Sync + 'static) -> Tampered {
        Tampered { inner: ReferenceEngine::new(Weights::embedded()), tamper: Arc::new(tamper), claims_bf16: false }
    }
}

impl Engine for Tampered {
    fn describe(&self) -> EngineDescription {
        let description = self.inner.describe();
        match self.claims_bf16 {
            true => EngineDescription { has_bf16: true, gains_from_bf16: true, ..description },
            false => description,
        }
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        (self.tamper)(Call::Session, request.precision)?;
        let (inner, tamper) = (self.inner.session(request)?, Arc::clone(&self.tamper));
        Ok(Box::new(TamperedSession { inner, tamper, precision: request.precision }))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        self.inner.session_bytes(request)
    }
}

impl Session for TamperedSession {
    fn request(&self) -> &SessionRequest {
        self.inner.request()
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        (self.tamper)(Call::Content, self.precision)?;
        self.inner.set_content(image)
    }

    fn set_guides(&mut self, guides: Vec<TapGuides>) -> Result<(), EngineError> {
        self.inner.set_guides(guides)
    }

    fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        self.inner.set_emphasis(map)
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        let mut observation = self.inner.forward(image)?;
        (self.tamper)(Call::Forward(&mut observation), self.precision)?;
        Ok(observation)
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        (self.tamper)(Call::Backward, self.precision)?;
        self.inner.backward(gradients, pixel_gradient)
    }

    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError> {
        self.inner.feature_map(image, layer)
    }

    fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
        self.inner.set_precision(precision);
    }
}
