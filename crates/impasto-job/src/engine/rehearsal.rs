//! What tests may ask of a debug build, so that a device's end can be rehearsed on software Vulkan. Not in a release.
//!
//! - `IMPASTO_REHEARSE_LOSS=N`: the device is destroyed just before the Nth evaluation's way forward, over all sessions;
//! - `IMPASTO_REHEARSE_AUTO=1`: `auto` takes a software GPU too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use impasto_gpu::Device;
use impasto_vgg::profile::LayerTime;
use impasto_vgg::{
    Bank, Engine, EngineDescription, EngineError, FeatureMap, History, Layer, Matches, Observation,
    ObservationGradients, Precision, Session, SessionRequest, TapGuides,
};

/// Whether `auto` takes software.
pub fn takes_software() -> bool {
    std::env::var_os("IMPASTO_REHEARSE_AUTO").is_some()
}

/// The engine, whose device will be lost where that was asked for.
pub fn with_loss(engine: Box<dyn Engine>, device: Device) -> Box<dyn Engine> {
    let asked = std::env::var("IMPASTO_REHEARSE_LOSS").ok().and_then(|number| number.parse().ok());
    match asked {
        Some(lost_at) => {
            Box::new(Losing { inner: engine, end: Arc::new(End { device, lost_at, begun: AtomicUsize::new(0) }) })
        }
        None => engine,
    }
}

/// When the device ends.
struct End {
    device: Device,
    lost_at: usize,
    begun: AtomicUsize,
}

struct Losing {
    inner: Box<dyn Engine>,
    end: Arc<End>,
}

struct LosingSession {
    inner: Box<dyn Session>,
    end: Arc<End>,
}

impl Engine for Losing {
    fn describe(&self) -> EngineDescription {
        self.inner.describe()
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(LosingSession { inner: self.inner.session(request)?, end: Arc::clone(&self.end) }))
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

impl Session for LosingSession {
    fn request(&self) -> &SessionRequest {
        self.inner.request()
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.inner.set_content(image)
    }

    fn sample(&mut self, image: &[f32]) -> Result<Vec<Bank>, EngineError> {
        self.inner.sample(image)
    }

    fn set_banks(&mut self, banks: &[Bank]) -> Result<(), EngineError> {
        self.inner.set_banks(banks)
    }

    fn find_matches(&mut self, image: &[f32]) -> Result<Vec<Matches>, EngineError> {
        self.inner.find_matches(image)
    }

    fn set_matches(&mut self, matches: &[Matches]) -> Result<(), EngineError> {
        self.inner.set_matches(matches)
    }

    fn set_guides(&mut self, guides: Vec<TapGuides>) -> Result<(), EngineError> {
        self.inner.set_guides(guides)
    }

    fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        self.inner.set_emphasis(map)
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        if self.end.begun.fetch_add(1, Ordering::Relaxed) + 1 == self.end.lost_at {
            self.end.device.device().destroy();
        }
        self.inner.forward(image)
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        self.inner.backward(gradients, pixel_gradient)
    }

    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError> {
        self.inner.feature_map(image, layer)
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
