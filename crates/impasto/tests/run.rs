//! Whole runs through the network in f64, at sizes that it can bear.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use impasto::recipe::{OptimizerKind, PrecisionChoice, Recipe, Size, Start, StyleFit, parse_layers};
use impasto::{Control, Event, Images, Outcome, PaintError, Picture, ResolvedRecipe, paint, scales};
use impasto_vgg::reference::ReferenceEngine;
use impasto_vgg::{
    Engine, EngineDescription, EngineError, FeatureMap, Layer, Observation, ObservationGradients, Precision, Session,
    SessionRequest, Weights,
};

/// A picture of soft waves.
fn waves(width: usize, height: usize, phase: f64) -> Picture {
    let mut picture = Picture::filled(width, height, [0.0; 3]).unwrap();
    for (place, value) in picture.values.iter_mut().enumerate() {
        let (channel, y, x) = (place / (width * height), place / width % height, place % width);
        let angle = phase + 0.4 * x as f64 + 0.27 * y as f64 * (1.0 + channel as f64);
        *value = (127.0 + 100.0 * libm::sin(angle)) as f32;
    }
    picture
}

/// Shallow layers and few evaluations: seconds, not minutes, in f64.
fn small() -> Recipe {
    Recipe {
        size: Some(Size::LongEdge(24)),
        iterations: Some(5),
        levels: Some(1),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1,conv2_1").unwrap()),
        ..Recipe::default()
    }
}

fn engine() -> ReferenceEngine {
    ReferenceEngine::new(Weights::embedded())
}

fn run(recipe: &ResolvedRecipe, engine: &dyn Engine) -> Result<(Outcome, Vec<String>), PaintError> {
    let (content, style) = (waves(48, 36, 0.0), waves(30, 40, 2.0));
    let mut told = Vec::new();
    let mut observer = |event: Event<'_>| {
        told.push(match event {
            Event::Started { scales } => format!("started {}", scales.len()),
            Event::ScaleStarted { index, scale } => format!("scale {index} {}x{}", scale.width, scale.height),
            Event::Iteration(iteration) => {
                assert_eq!(iteration.picture().values.len(), 3 * iteration.width * iteration.height);
                format!("iteration {} of {}", iteration.iteration, iteration.evaluations)
            }
            Event::StepRejected { evaluations, .. } => format!("rejected {evaluations}"),
        });
        Control::Continue
    };
    let images = Images { content: &content, styles: &[style], start: None };
    let outcome = paint(recipe, engine, images, None, &mut observer)?;
    Ok((outcome, told))
}

#[test]
fn a_run_tells_what_it_does_and_lowers_the_loss() {
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let recipe = Recipe { optimizer: Some(optimizer), ..small() }.resolve().unwrap();
        let (outcome, told) = run(&recipe, &engine()).unwrap();
        assert_eq!(told[..3], ["started 1", "scale 0 24x18", "iteration 1 of 1"]);
        assert_eq!((outcome.picture.width, outcome.picture.height, outcome.evaluations), (24, 18, 5));
        assert!(!outcome.interrupted);
        let one = Recipe { iterations: Some(1), ..small() }.resolve().unwrap();
        let start = run(&one, &engine()).unwrap().0;
        assert_eq!(start.picture, waves(48, 36, 0.0).resized(24, 18).unwrap());
        assert!(outcome.losses.unwrap().total < 0.7 * start.losses.unwrap().total, "{optimizer:?}");
    }
}

#[test]
fn scales_halve_and_evaluations_are_counted_at_the_full_size() {
    let recipe = Recipe { levels: Some(5), coarse_iterations: Some(7), size: Some(Size::LongEdge(301)), ..small() };
    let sizes: Vec<_> = scales(&recipe.resolve().unwrap(), 602, 400)
        .iter()
        .map(|scale| (scale.width, scale.height, scale.evaluations))
        .collect();
    // 301x200 in eighths has a short edge of 25 pixels: left out.
    assert_eq!(sizes, [(76, 50, 7), (151, 100, 7), (301, 200, 5)]);
    let exact = Recipe { size: Some(Size::Exact { width: 20, height: 90 }), ..small() };
    assert_eq!(scales(&exact.resolve().unwrap(), 5, 5).len(), 1);

    let two = Recipe { size: Some(Size::LongEdge(70)), levels: Some(2), coarse_iterations: Some(3), ..small() };
    let two = Recipe { size: Some(Size::Exact { width: 64, height: 66 }), iterations: Some(2), ..two };
    let (outcome, told) = run(&two.resolve().unwrap(), &engine()).unwrap();
    let started: Vec<_> = told.iter().filter(|line| line.starts_with("scale")).collect();
    assert_eq!(started, ["scale 0 32x33", "scale 1 64x66"]);
    assert_eq!((outcome.evaluations, outcome.picture.width, outcome.picture.height), (5, 64, 66));
}

#[test]
fn the_same_run_gives_the_same_bytes_and_another_seed_others() {
    let recipe = |seed, init| Recipe { seed: Some(seed), init: Some(init), ..small() }.resolve().unwrap();
    for init in [Start::Noise, Start::Blend] {
        let first = run(&recipe(1, init.clone()), &engine()).unwrap().0;
        assert_eq!(first, run(&recipe(1, init.clone()), &engine()).unwrap().0);
        assert_ne!(first.picture, run(&recipe(2, init), &engine()).unwrap().0.picture);
    }
}

#[test]
fn stopping_gives_the_picture_so_far_at_the_full_size() {
    let (content, style) = (waves(64, 66, 0.0), waves(40, 40, 1.0));
    let recipe = Recipe {
        size: Some(Size::LongEdge(66)),
        levels: Some(2),
        coarse_iterations: Some(4),
        iterations: Some(3),
        original_colors: Some(true),
        ..small()
    };
    let recipe = recipe.resolve().unwrap();
    // Told at: started, scale, 4 iterations, scale, 3 iterations.
    for stop_at in 0..9 {
        let mut told = 0;
        let mut observer = |_: Event<'_>| {
            told += 1;
            if told > stop_at { Control::Stop } else { Control::Continue }
        };
        let images = Images { content: &content, styles: std::slice::from_ref(&style), start: None };
        let outcome = paint(&recipe, &engine(), images, None, &mut observer).unwrap();
        assert!(outcome.interrupted, "{stop_at}");
        assert_eq!((outcome.picture.width, outcome.picture.height), (64, 66), "{stop_at}");
        assert_eq!(outcome.evaluations, [0, 0, 1, 2, 3, 4, 4, 5, 6][stop_at], "{stop_at}");
        assert_eq!(outcome.losses.is_some(), outcome.evaluations > 0);
    }
}

#[test]
fn original_colours_keep_the_photos_hue() {
    let recipe = Recipe { original_colors: Some(true), ..small() }.resolve().unwrap();
    let painted = run(&recipe, &engine()).unwrap().0.picture;
    let photo = waves(48, 36, 0.0).resized(24, 18).unwrap();
    assert_ne!(painted, photo);
    for position in 0..24 * 18 {
        let difference = |picture: &Picture, channel| picture.plane(channel)[position] - picture.plane(1)[position];
        for channel in [0, 2] {
            assert!((difference(&painted, channel) - difference(&photo, channel)).abs() < 1e-3);
        }
    }
}

#[test]
fn style_images_count_by_their_shares() {
    let (content, styles) = (waves(24, 18, 0.0), [waves(30, 40, 2.0), waves(24, 24, 5.0)]);
    let with = |shares: Vec<f64>, styles: &[Picture], fit| {
        let recipe = Recipe { style_blend: Some(shares), style_fit: Some(fit), ..small() }.resolve().unwrap();
        paint(&recipe, &engine(), Images { content: &content, styles, start: None }, None, &mut |_| Control::Continue)
    };
    let first = with(vec![], &styles[..1], StyleFit::Scale).unwrap().picture;
    assert_eq!(with(vec![2.0, 0.0], &styles, StyleFit::Scale).unwrap().picture, first);
    assert_ne!(with(vec![2.0, 1.0], &styles, StyleFit::Scale).unwrap().picture, first);
    assert_ne!(with(vec![], &styles[..1], StyleFit::Crop).unwrap().picture, first);
    let error = with(vec![1.0], &styles, StyleFit::Scale).unwrap_err().to_string();
    assert!(error.contains("--style-blend"), "{error}");
    let error = with(vec![], &[], StyleFit::Scale).unwrap_err().to_string();
    assert!(error.contains("style image"), "{error}");
}

#[test]
fn a_start_from_a_file_needs_the_file() {
    let (content, style, sketch) = (waves(24, 18, 0.0), waves(30, 40, 2.0), waves(50, 50, 1.0));
    let recipe = Recipe { init: Some(Start::File("sketch.png".into())), iterations: Some(1), ..small() };
    let recipe = recipe.resolve().unwrap();
    let with = |start| {
        let images = Images { content: &content, styles: std::slice::from_ref(&style), start };
        paint(&recipe, &engine(), images, None, &mut |_| Control::Continue)
    };
    assert_eq!(with(Some(&sketch)).unwrap().picture, sketch.cropped_to_fit(24, 18).unwrap());
    assert_eq!(with(None), Err(PaintError::StartMissing));
}

/// An engine whose loss turns bad at one evaluation, counted over all sessions.
struct Faulty {
    inner: ReferenceEngine,
    bad_at: usize,
    value: f64,
    count: &'static Mutex<usize>,
}

struct FaultySession {
    inner: Box<dyn Session>,
    bad_at: usize,
    value: f64,
    count: &'static Mutex<usize>,
}

impl Engine for Faulty {
    fn describe(&self) -> EngineDescription {
        self.inner.describe()
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        let inner = self.inner.session(request)?;
        Ok(Box::new(FaultySession { inner, bad_at: self.bad_at, value: self.value, count: self.count }))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        self.inner.session_bytes(request)
    }
}

impl Session for FaultySession {
    fn request(&self) -> &SessionRequest {
        self.inner.request()
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.inner.set_content(image)
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        let mut observation = self.inner.forward(image)?;
        // The style image's session has no content: it is not counted.
        if let Some(distance) = observation.distances.first_mut() {
            let mut count = self.count.lock().unwrap();
            *count += 1;
            if *count == self.bad_at {
                distance.sum_of_squares = self.value;
            }
        }
        Ok(observation)
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
}

/// An engine that works for some calls of `forward` and `session` and then no more.
struct Ending {
    inner: ReferenceEngine,
    calls_left: Arc<AtomicUsize>,
}

struct EndingSession {
    inner: Box<dyn Session>,
    calls_left: Arc<AtomicUsize>,
}

fn call(calls_left: &AtomicUsize) -> Result<(), EngineError> {
    let left = calls_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    left.map(drop).map_err(|_| EngineError::Device("the device was lost".into()))
}

impl Engine for Ending {
    fn describe(&self) -> EngineDescription {
        self.inner.describe()
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        call(&self.calls_left)?;
        let (inner, calls_left) = (self.inner.session(request)?, Arc::clone(&self.calls_left));
        Ok(Box::new(EndingSession { inner, calls_left }))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        self.inner.session_bytes(request)
    }
}

impl Session for EndingSession {
    fn request(&self) -> &SessionRequest {
        self.inner.request()
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.inner.set_content(image)
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        call(&self.calls_left)?;
        self.inner.forward(image)
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        call(&self.calls_left)?;
        self.inner.backward(gradients, pixel_gradient)
    }

    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError> {
        self.inner.feature_map(image, layer)
    }

    fn set_precision(&mut self, precision: Precision) {
        self.inner.set_precision(precision);
    }
}

#[test]
fn a_device_that_ends_anywhere_leaves_the_picture_so_far() {
    let (content, style) = (waves(66, 66, 0.0), waves(40, 44, 2.0));
    let recipe = Recipe {
        size: Some(Size::LongEdge(64)),
        levels: Some(2),
        coarse_iterations: Some(2),
        iterations: Some(2),
        content_layers: Some(parse_layers("", "conv1_2").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1").unwrap()),
        ..Recipe::default()
    };
    let recipe = recipe.resolve().unwrap();
    let images = Images { content: &content, styles: std::slice::from_ref(&style), start: None };
    // What an observer sees of a whole run: the picture after each accepted evaluation.
    let mut seen = Vec::new();
    let whole = paint(&recipe, &engine(), images, None, &mut |event| {
        if let Event::Iteration(iteration) = event {
            seen.push((iteration.evaluations, iteration.picture()));
        }
        Control::Continue
    });
    let whole = whole.unwrap();
    assert_eq!(whole.failure, None);
    let full = (whole.picture.width, whole.picture.height);
    let (mut calls, mut failed) = (0, 0);
    loop {
        let ending = Ending { inner: engine(), calls_left: Arc::new(AtomicUsize::new(calls)) };
        calls += 1;
        match paint(&recipe, &ending, images, None, &mut |_| Control::Continue) {
            // Nothing was painted yet.
            Err(error) => assert!(matches!(error, PaintError::Engine(EngineError::Device(_))), "{error}"),
            Ok(outcome) if outcome.failure.is_none() => {
                assert_eq!(outcome, whole);
                break;
            }
            Ok(outcome) => {
                failed += 1;
                assert!(!outcome.interrupted);
                let (_, last) = seen.iter().rfind(|(evaluations, _)| *evaluations <= outcome.evaluations).unwrap();
                assert_eq!(outcome.picture, last.resized(full.0, full.1).unwrap(), "after {} calls", calls - 1);
            }
        }
    }
    // The second evaluation, forward and back; then the finer size's: the style image's session and its way forward, the
    // picture's session, two evaluations.
    assert_eq!(failed, 2 + 2 + 1 + 4);
}

/// An engine that says it has bfloat16 products, and notes what is asked of it; its precision moves the losses a little.
struct Noting {
    inner: ReferenceEngine,
    noted: &'static Mutex<Vec<String>>,
}

struct NotingSession {
    inner: Box<dyn Session>,
    precision: Precision,
    noted: &'static Mutex<Vec<String>>,
}

impl Engine for Noting {
    fn describe(&self) -> EngineDescription {
        EngineDescription { has_bf16: true, gains_from_bf16: true, ..self.inner.describe() }
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        let inner = self.inner.session(request)?;
        Ok(Box::new(NotingSession { inner, precision: request.precision, noted: self.noted }))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        self.inner.session_bytes(request)
    }
}

impl Session for NotingSession {
    fn request(&self) -> &SessionRequest {
        self.inner.request()
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.noted.lock().unwrap().push(format!("content {:?}", self.precision));
        self.inner.set_content(image)
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        let mut observation = self.inner.forward(image)?;
        if let Some(distance) = observation.distances.first_mut() {
            self.noted.lock().unwrap().push(format!("{:?}", self.precision));
            if self.precision != Precision::Bf16 {
                // As if f32 saw more: higher than any loss before.
                distance.sum_of_squares += 1e12;
            }
        }
        Ok(observation)
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
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

#[test]
fn precision_is_bfloat16_at_first_and_the_losses_are_f32_at_the_end() {
    let noted_for = |precision| {
        let recipe = Recipe { precision: Some(precision), iterations: Some(12), ..small() }.resolve().unwrap();
        let noted: &'static Mutex<Vec<String>> = Box::leak(Box::default());
        let (outcome, told) = run(&recipe, &Noting { inner: engine(), noted }).unwrap();
        assert_eq!(outcome.evaluations, 12);
        // The first evaluation after the change is accepted, though its loss is higher.
        assert!(!told.contains(&"rejected 3".to_owned()), "{told:?}");
        noted.lock().unwrap().join(" ")
    };
    let evaluated =
        |precision: &str, times: usize| format!("content {precision}{}", format!(" {precision}").repeat(times));
    let auto = format!("{} {}", evaluated("Bf16", 2), evaluated("Mixed", 10));
    assert_eq!(noted_for(PrecisionChoice::Auto), auto);
    assert_eq!(noted_for(PrecisionChoice::F32), evaluated("F32", 12));
    assert_eq!(noted_for(PrecisionChoice::Bf16), evaluated("Bf16", 12));
    let recipe = Recipe { precision: Some(PrecisionChoice::Auto), ..small() }.resolve().unwrap();
    let plain = Recipe { precision: Some(PrecisionChoice::F32), ..small() }.resolve().unwrap();
    // The reference has no such products: nothing changes.
    assert_eq!(run(&recipe, &engine()).unwrap(), run(&plain, &engine()).unwrap());
}

#[test]
fn a_bad_loss_at_any_evaluation_leaves_a_good_picture_and_is_told() {
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let recipe = Recipe { optimizer: Some(optimizer), iterations: Some(6), ..small() }.resolve().unwrap();
        let start = {
            let one = ResolvedRecipe { iterations: 1, ..recipe.clone() };
            run(&one, &engine()).unwrap().0.losses.unwrap().total
        };
        for (bad_at, value) in [(2, f64::NAN), (4, f64::INFINITY), (5, 1e25), (6, f64::NAN)] {
            let count = Box::leak(Box::new(Mutex::new(0)));
            let faulty = Faulty { inner: engine(), bad_at, value, count };
            let (outcome, told) = run(&recipe, &faulty).unwrap();
            let rejected: Vec<_> = told.iter().filter(|line| line.starts_with("rejected")).collect();
            assert_eq!(rejected, [&format!("rejected {bad_at}")], "{optimizer:?}, {value} at {bad_at}");
            assert_eq!((outcome.evaluations, outcome.iterations), (6, 5));
            assert!(outcome.picture.values.iter().all(|value| value.is_finite()));
            assert!(outcome.losses.unwrap().total <= start);
        }
        let faulty = Faulty { inner: engine(), bad_at: 1, value: f64::NAN, count: Box::leak(Box::new(Mutex::new(0))) };
        assert_eq!(run(&recipe, &faulty).unwrap_err(), PaintError::StartNotFinite);
    }
}
