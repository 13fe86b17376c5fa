//! An engine that fails at every possible place, with another behind it: nothing is lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use impasto_vgg::{
    Border, CpuEngine, CpuOptions, Engine, EngineDescription, EngineError, FallbackEngine, FeatureMap, Guides, Layer,
    MomentGradients, Observation, ObservationGradients, Pooling, Precision, Session, SessionRequest, TapGuides,
    Weights,
};

const SIDE: usize = 12;

/// An engine whose calls fail from a number on, as those of a lost device do.
struct Failing {
    inner: CpuEngine,
    calls: Arc<Calls>,
}

struct Calls {
    made: AtomicUsize,
    /// The first call that fails.
    fails_at: usize,
    error: EngineError,
}

impl Calls {
    fn one(&self) -> Result<(), EngineError> {
        match self.made.fetch_add(1, Ordering::Relaxed) {
            made if made >= self.fails_at => Err(self.error.clone()),
            _ => Ok(()),
        }
    }
}

impl Engine for Failing {
    fn describe(&self) -> EngineDescription {
        EngineDescription { name: "failing".into(), isa: "engine".into(), ..self.inner.describe() }
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        self.calls.one()?;
        let (inner, calls) = (self.inner.session(request)?, Arc::clone(&self.calls));
        Ok(Box::new(FailingSession { inner, calls }))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        self.inner.session_bytes(request)
    }

    fn history_bytes(&self, capacity: usize, values: usize) -> u64 {
        (capacity * values) as u64
    }
}

struct FailingSession {
    inner: Box<dyn Session>,
    calls: Arc<Calls>,
}

impl Session for FailingSession {
    fn request(&self) -> &SessionRequest {
        self.inner.request()
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.calls.one()?;
        self.inner.set_content(image)
    }

    fn set_guides(&mut self, guides: Vec<TapGuides>) -> Result<(), EngineError> {
        self.calls.one()?;
        self.inner.set_guides(guides)
    }

    fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        self.calls.one()?;
        self.inner.set_emphasis(map)
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        self.calls.one()?;
        self.inner.forward(image)
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        self.calls.one()?;
        self.inner.backward(gradients, pixel_gradient)
    }

    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError> {
        self.calls.one()?;
        self.inner.feature_map(image, layer)
    }

    fn set_precision(&mut self, precision: Precision) {
        self.inner.set_precision(precision);
    }
}

fn engine() -> CpuEngine {
    let options = CpuOptions { threads: Some(1), isa: Some("portable".into()) };
    CpuEngine::new(Weights::embedded(), options).unwrap()
}

fn request() -> SessionRequest {
    let layer = |name| Layer::named(name).unwrap();
    SessionRequest {
        height: SIDE,
        width: SIDE,
        pooling: Pooling::Average,
        border: Border::Zero,
        precision: Precision::F32,
        style_taps: vec![layer("conv1_1")],
        content_taps: vec![layer("conv1_2")],
        matched_taps: Vec::new(),
        guides: Guides { regions: 2, emphasis: true },
        way_back: true,
        memory_limit_bytes: None,
    }
}

fn image(seed: usize) -> Vec<f32> {
    (0..3 * SIDE * SIDE).map(|place| ((place * 37 + seed * 101) % 251) as f32).collect()
}

/// Two regions that share each position out, and an emphasis that is the first of them.
fn masks(seed: usize) -> Vec<f32> {
    let first: Vec<f32> = (0..SIDE * SIDE).map(|place| ((place * 29 + seed) % 17) as f32 / 16.0).collect();
    first.iter().copied().chain(first.iter().map(|value| 1.0 - value)).collect()
}

/// Two evaluations with the same gradients, a feature map, and a third evaluation on other content and with other masks.
fn work(engine: &dyn Engine) -> Result<Vec<f32>, EngineError> {
    let mut session = engine.session(&request())?;
    let gradients = ObservationGradients {
        moments: [0.5, 0.25].map(|mean| MomentGradients { mean: vec![mean; 64], second: vec![0.01; 64 * 64] }).to_vec(),
        distances: vec![0.25],
        matched: Vec::new(),
    };
    let mut answers = Vec::new();
    let mut pixels = vec![0.0; 3 * SIDE * SIDE];
    session.set_content(&image(1))?;
    session.set_masks(&masks(1))?;
    session.set_emphasis(&masks(2)[..SIDE * SIDE])?;
    for seed in [2, 3, 4] {
        if seed == 4 {
            answers.extend(session.feature_map(&image(9), Layer::named("conv1_2").unwrap())?.values);
            session.set_content(&image(5))?;
            session.set_masks(&masks(5))?;
        }
        let observation = session.forward(&image(seed))?;
        answers.push(observation.distances[0].sum_of_squares as f32);
        let moments = observation.moments.iter().flat_map(|moments| &moments.second);
        answers.extend(moments.map(|&value| value as f32));
        session.backward(&gradients, &mut pixels)?;
        answers.extend(&pixels);
    }
    Ok(answers)
}

/// The calls that [`work`] makes.
const CALLS: usize = 13;

#[test]
fn a_failure_anywhere_changes_no_answer() {
    let right = work(&engine()).unwrap();
    for fails_at in 0..=CALLS {
        let error = EngineError::Device("lost".into());
        let calls = Arc::new(Calls { made: AtomicUsize::new(0), fails_at, error: error.clone() });
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let first = Failing { inner: engine(), calls: Arc::clone(&calls) };
        let tell = Box::new(move |error: &EngineError| heard.lock().unwrap().push(error.clone()));
        let fallback = FallbackEngine::new(Box::new(first), Box::new(engine()), tell);
        assert_eq!(fallback.history_bytes(3, 5), 15, "the first engine's");
        assert_eq!(work(&fallback).unwrap(), right, "failed at call {fails_at}");
        if fails_at == CALLS {
            assert_eq!((fallback.failure(), fallback.describe().name.as_str()), (None, "failing"));
            continue;
        }
        assert_eq!(calls.made.load(Ordering::Relaxed), fails_at + 1, "the failed engine is asked no more");
        assert_eq!(*told.lock().unwrap(), std::slice::from_ref(&error), "told once");
        assert_eq!(fallback.failure(), Some(error));
        assert_eq!(fallback.describe().name, "failing engine, then cpu");
        assert_eq!(fallback.history_bytes(3, 5), 0, "the spare's");
        // And another session does not ask it either.
        assert_eq!(work(&fallback).unwrap(), right);
        assert_eq!(calls.made.load(Ordering::Relaxed), fails_at + 1);
    }
}

#[test]
fn too_little_memory_of_a_device_is_a_reason_too_and_a_wrong_request_is_none() {
    let fallback = |error: EngineError| {
        let calls = Calls { made: AtomicUsize::new(0), fails_at: 0, error };
        let first = Failing { inner: engine(), calls: Arc::new(calls) };
        FallbackEngine::new(Box::new(first), Box::new(engine()), Box::new(|_| {}))
    };
    let memory = EngineError::Memory { width: SIDE, height: SIDE, needed_mib: 2, limit_mib: 1 };
    assert!(work(&fallback(memory)).is_ok());
    let wrong = EngineError::Request("wrong".into());
    let engine = fallback(wrong.clone());
    assert_eq!(work(&engine).unwrap_err(), wrong);
    assert_eq!(engine.failure(), None);
}

#[test]
fn where_the_spare_fails_too_its_error_is_the_answer() {
    let failing = |error: &str, fails_at: usize| {
        let error = EngineError::Device(error.into());
        Box::new(Failing { inner: engine(), calls: Arc::new(Calls { made: AtomicUsize::new(0), fails_at, error }) })
    };
    let engine = FallbackEngine::new(failing("first", 2), failing("second", 2), Box::new(|_| {}));
    assert_eq!(work(&engine).unwrap_err(), EngineError::Device("second".into()));
}
