//! What every engine has to do, checked on all of them: the same numbers as the reference, the same bytes whatever the
//! threads, errors in words where calls come out of order.
//!
//! Small pictures are random, but not any: the reference says how near each comes to a decision (the sign at a ReLU, the
//! winner of a max pooling) that rounding might turn, and pictures that come too near are passed over. So the gradient
//! has no excuse to be off. Larger pictures always have such decisions: theirs is held to the wider bound.

use impasto_vgg::reference::Network;
use impasto_vgg::{
    Border, Engine, EngineError, Layer, MomentGradients, Observation, ObservationGradients, Pooling, Precision,
    ReferenceEngine, SessionRequest, Weights,
};

use super::guides::Maps;
use super::random::{Random, all_layers};
use super::subjects::{Subject, cases};
use super::{relative_l2, relative_max, widen};

/// Features, means and second moments (design: within 2e-5 of the largest).
const FEATURE_BOUND: f64 = 2e-5;
/// Sums of squared distances (design: losses within 1e-5 of themselves).
const DISTANCE_BOUND: f64 = 1e-5;
/// Distances |F - P| of maps of at most `FEW_POSITIONS`, by |F|: half the bound of the features for F and half for P.
/// (Deep features of two pictures of a few pixels hardly differ, and what they share drops out of the difference.)
const SMALL_DISTANCE_BOUND: f64 = 2e-5;
/// Maps of no more positions than this are small.
const FEW_POSITIONS: usize = 2;
/// Gradients where no decision is near (design: within 1e-4 of the largest).
const GRADIENT_BOUND: f64 = 1e-4;
/// Gradients, in relative L2, where decisions may turn.
const TURNED_BOUND: f64 = 5e-3;
/// Pictures of more positions than this have decisions that may turn.
const DECIDED_POSITIONS: usize = 150;
/// Decisions nearer than this, relative to the largest value of their layer, may turn.
const SAFE_MARGIN: f64 = 1e-5;

/// Height and width: all small, most of them odd, around the tile of four and the pooling's windows.
const SIZES: [(usize, usize); 7] = [(1, 1), (2, 3), (1, 17), (9, 1), (5, 4), (7, 9), (18, 21)];

pub const KINDS: [(Pooling, Border); 4] = [
    (Pooling::Average, Border::Zero),
    (Pooling::Max, Border::Zero),
    (Pooling::Average, Border::Replicate),
    (Pooling::Max, Border::Replicate),
];

pub fn request(size: (usize, usize), kind: (Pooling, Border), style: &[Layer], content: &[Layer]) -> SessionRequest {
    SessionRequest {
        height: size.0,
        width: size.1,
        pooling: kind.0,
        border: kind.1,
        precision: Precision::F32,
        style_taps: style.to_vec(),
        content_taps: content.to_vec(),
        matched_taps: Vec::new(),
        guides: impasto_vgg::Guides::default(),
        way_back: true,
        memory_limit_bytes: None,
    }
}

pub fn named(name: &str) -> Layer {
    Layer::named(name).unwrap()
}

fn network(request: &SessionRequest) -> Network {
    Network { weights: Weights::embedded(), pooling: request.pooling, border: request.border }
}

/// A random picture; where it is small, one with no decision up to `deepest` that rounding could turn.
pub fn decided_picture(random: &mut Random, request: &SessionRequest, deepest: Layer) -> Vec<f32> {
    if request.height * request.width > DECIDED_POSITIONS {
        return random.picture(request.height, request.width);
    }
    let network = network(request);
    (0..200)
        .map(|_| random.picture(request.height, request.width))
        .find(|picture| network.decision_margin(picture, request.height, request.width, deepest) > SAFE_MARGIN)
        .expect("one in two hundred small pictures has no decision that close")
}

/// One evaluation: content set, forward, and backward with derivatives that depend on `seed` and on nothing that an
/// engine computed.
pub fn evaluate(engine: &dyn Engine, request: &SessionRequest, pictures: &Pictures) -> (Observation, Vec<f32>) {
    let mut session = engine.session(request).unwrap();
    session.set_content(&pictures.content).unwrap();
    pictures.maps.give_to(&mut *session);
    let observed = session.forward(&pictures.image).unwrap();
    let mut pixels = vec![f32::NAN; request.picture_len()];
    session.backward(&pictures.gradients, &mut pixels).unwrap();
    (observed, pixels)
}

/// What goes into one evaluation, and what the reference makes of it.
pub struct Pictures {
    pub content: Vec<f32>,
    pub image: Vec<f32>,
    pub maps: Maps,
    pub gradients: ObservationGradients,
    expected: Observation,
    /// |F| at each content tap.
    norms: Vec<f64>,
    pub expected_pixels: Vec<f32>,
}

pub fn pictures(request: &SessionRequest, seed: u64) -> Pictures {
    guided_pictures(request, Maps::default(), seed)
}

/// As [`pictures`], with masks and an emphasis.
pub fn guided_pictures(request: &SessionRequest, maps: Maps, seed: u64) -> Pictures {
    let mut random = Random(seed);
    let content = random.picture(request.height, request.width);
    let image = decided_picture(&mut random, request, request.deepest_tap().unwrap());
    let mut session = ReferenceEngine::new(Weights::embedded()).session(request).unwrap();
    session.set_content(&content).unwrap();
    maps.give_to(&mut *session);
    let expected = session.forward(&image).unwrap();
    let gradients = random.gradients(&expected);
    let mut expected_pixels = vec![0.0; request.picture_len()];
    session.backward(&gradients, &mut expected_pixels).unwrap();
    let deepest = request.deepest_tap().unwrap();
    let features = network(request).forward(&image, request.height, request.width, deepest);
    let norms = request
        .content_taps
        .iter()
        .map(|layer| features[layer.index()].values.iter().map(|value| value * value).sum::<f64>().sqrt());
    let norms = norms.collect();
    Pictures { content, image, maps, gradients, expected, norms, expected_pixels }
}

fn check_observation(what: &str, ours: &Observation, pictures: &Pictures) {
    let expected = &pictures.expected;
    assert_eq!(ours.moments.len(), expected.moments.len(), "{what}");
    assert_eq!(ours.distances.len(), expected.distances.len(), "{what}");
    for (ours, expected) in ours.moments.iter().zip(&expected.moments) {
        assert_eq!((ours.layer, ours.positions), (expected.layer, expected.positions), "{what}");
        let error = relative_max(&ours.mean, &expected.mean).max(relative_max(&ours.second, &expected.second));
        assert!(error <= FEATURE_BOUND, "{what}: moments of {} are off by {error:e}", ours.layer);
    }
    for ((ours, expected), norm) in ours.distances.iter().zip(&expected.distances).zip(&pictures.norms) {
        assert_eq!((ours.layer, ours.elements), (expected.layer, expected.elements), "{what}");
        let (error, bound) = if expected.elements as usize / expected.layer.channels() <= FEW_POSITIONS {
            let difference = ours.sum_of_squares.sqrt() - expected.sum_of_squares.sqrt();
            (difference.abs() / norm, SMALL_DISTANCE_BOUND)
        } else {
            let difference = ours.sum_of_squares - expected.sum_of_squares;
            let relative = difference.abs() / expected.sum_of_squares;
            // An emphasis may leave nothing.
            (if difference == 0.0 { 0.0 } else { relative }, DISTANCE_BOUND)
        };
        assert!(error <= bound, "{what}: the distance at {} is off by {error:e}", ours.layer);
    }
}

fn check_case(subjects: &[Subject], request: &SessionRequest, seed: u64) {
    check_pictures(subjects, request, &pictures(request, seed));
}

pub fn check_pictures(subjects: &[Subject], request: &SessionRequest, pictures: &Pictures) {
    for subject in subjects {
        let what = format!(
            "{} at {}x{} {:?} {:?} style {:?} content {:?} {:?}",
            subject.name,
            request.height,
            request.width,
            request.pooling,
            request.border,
            request.style_taps,
            request.content_taps,
            request.guides
        );
        let (observed, pixels) = evaluate(&*subject.engine(2), request, pictures);
        check_observation(&what, &observed, pictures);
        let (ours, expected) = (widen(&pixels), widen(&pictures.expected_pixels));
        let (error, bound) = if request.height * request.width > DECIDED_POSITIONS {
            (relative_l2(&ours, &expected), TURNED_BOUND)
        } else {
            (relative_max(&ours, &expected), GRADIENT_BOUND)
        };
        assert!(error <= bound, "{what}: the gradient is off by {error:e}");
    }
}

pub fn every_layer_tapped_at_once(subjects: &[Subject]) {
    // Every size with both poolings, every size with one of the borders.
    let all =
        SIZES.into_iter().enumerate().flat_map(|(index, size)| [index, index + 3].map(|kind| (index, size, kind)));
    for (index, size, kind) in cases(subjects, 4, all) {
        check_case(subjects, &request(size, KINDS[kind % 4], &all_layers(), &all_layers()), index as u64);
    }
}

/// Layers before a pooling, poolings themselves, the deepest layer: each as the only tap there is.
pub fn each_layer_as_the_only_tap(subjects: &[Subject]) {
    for layer in cases(subjects, 3, Layer::all()) {
        let (kind, other) = (KINDS[layer.index() % 4], KINDS[(layer.index() + 1) % 4]);
        check_case(subjects, &request((7, 9), kind, &[layer], &[]), 100 + layer.index() as u64);
        check_case(subjects, &request((6, 5), other, &[], &[layer]), 200 + layer.index() as u64);
    }
}

/// The paper's taps on pictures of several tiles.
pub fn the_papers_taps(subjects: &[Subject]) {
    let style = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"].map(named);
    for (index, size) in [(24, 31), (32, 16), (19, 40), (35, 17)].into_iter().enumerate() {
        check_case(subjects, &request(size, KINDS[index], &style, &[named("conv4_2")]), 300 + index as u64);
    }
}

pub fn feature_maps_of_every_layer(subjects: &[Subject]) {
    for size in [(1, 1), (18, 21)] {
        for kind in [KINDS[1], KINDS[2]] {
            let request = request(size, kind, &[], &[]);
            let picture = Random(7).picture(size.0, size.1);
            let expected = network(&request).forward(&picture, size.0, size.1, Layer::all().next_back().unwrap());
            for subject in subjects {
                let mut session = subject.engine(2).session(&request).unwrap();
                for layer in Layer::all() {
                    let map = session.feature_map(&picture, layer).unwrap();
                    let expected = &expected[layer.index()];
                    assert_eq!((map.layer, map.height, map.width), (layer, expected.height, expected.width));
                    let error = relative_max(&widen(&map.values), &expected.values);
                    assert!(error <= FEATURE_BOUND, "{} {size:?} {kind:?} {layer}: {error:e}", subject.name);
                }
            }
        }
    }
}

/// A session's bytes depend on nothing but the request and the pictures: not on the threads, not on what the session
/// did before, not on whether `backward` is called once or twice.
pub fn same_bytes_for_any_threads_and_any_history(subjects: &[Subject]) {
    let style = ["conv1_1", "conv2_1", "pool2", "conv3_3", "conv4_1", "conv5_1"].map(named);
    for subject in subjects {
        for kind in cases(subjects, 3, KINDS) {
            let request = request((37, 45), kind, &style, &[named("conv4_2")]);
            let mut random = Random(5);
            let [content, image, other] = [(); 3].map(|()| random.picture(request.height, request.width));
            let run = |threads: usize, history: bool| {
                let mut session = subject.engine(threads).session(&request).unwrap();
                let mut random = Random(6);
                if history {
                    session.set_content(&other).unwrap();
                    let seen = session.forward(&other).unwrap();
                    let mut pixels = vec![0.0; request.picture_len()];
                    session.backward(&random.gradients(&seen), &mut pixels).unwrap();
                    session.feature_map(&other, named("conv3_2")).unwrap();
                }
                session.set_content(&content).unwrap();
                let seen = session.forward(&image).unwrap();
                let gradients = Random(8).gradients(&seen);
                let mut pixels = vec![f32::NAN; request.picture_len()];
                for _ in 0..if history { 2 } else { 1 } {
                    session.backward(&gradients, &mut pixels).unwrap();
                }
                (seen, pixels)
            };
            let first = run(1, false);
            for (threads, history) in cases(subjects, 3, [(1, true), (2, false), (3, true), (5, false)]) {
                let again = run(threads, history);
                assert!(first == again, "{} {kind:?} {threads} threads, history {history}", subject.name);
            }
        }
    }
}

pub fn calls_out_of_order_are_errors_in_words(subjects: &[Subject]) {
    let (style, content) = ([named("conv1_1")], [named("conv2_1")]);
    let request = request((6, 5), KINDS[0], &style, &content);
    let picture = Random(1).picture(6, 5);
    for subject in subjects {
        let mut session = subject.engine(1).session(&request).unwrap();
        assert_eq!(session.forward(&picture).unwrap_err(), EngineError::NO_CONTENT);
        session.set_content(&picture).unwrap();
        let gradients = none_for(&request);
        let mut pixels = vec![0.0; request.picture_len()];
        assert_eq!(session.backward(&gradients, &mut pixels).unwrap_err(), EngineError::NO_FORWARD);
        session.forward(&picture).unwrap();
        session.backward(&gradients, &mut pixels).unwrap();
        session.forward(&picture).unwrap();
        session.set_content(&picture).unwrap();
        assert_eq!(session.backward(&gradients, &mut pixels).unwrap_err(), EngineError::NO_FORWARD);
        session.forward(&picture).unwrap();
        session.feature_map(&picture, named("conv1_2")).unwrap();
        assert_eq!(session.backward(&gradients, &mut pixels).unwrap_err(), EngineError::NO_FORWARD);
    }
}

/// A session without a way back sees the same, takes no more memory, and says so where it is asked back.
pub fn without_a_way_back_the_same_is_seen(subjects: &[Subject]) {
    let style = ["conv1_1", "conv2_1", "pool3", "conv4_1"].map(named);
    for subject in subjects {
        for kind in KINDS {
            let both_ways = request((70, 45), kind, &style, &[named("conv3_2")]);
            let forward_only = SessionRequest { way_back: false, ..both_ways.clone() };
            let engine = subject.engine(2);
            assert!(engine.session_bytes(&forward_only).unwrap() <= engine.session_bytes(&both_ways).unwrap());
            let mut random = Random(3);
            let [content, image] = [(); 2].map(|()| random.picture(both_ways.height, both_ways.width));
            let see = |request: &SessionRequest| {
                let mut session = engine.session(request).unwrap();
                session.set_content(&content).unwrap();
                let seen = session.forward(&image).unwrap();
                (session, seen)
            };
            let (mut session, seen) = see(&forward_only);
            assert!(seen == see(&both_ways).1, "{} {kind:?}", subject.name);
            let mut pixels = vec![0.0; both_ways.picture_len()];
            assert_eq!(session.backward(&none_for(&both_ways), &mut pixels).unwrap_err(), EngineError::NO_WAY_BACK);
        }
    }
}

/// Derivatives that pull on nothing.
pub fn none_for(request: &SessionRequest) -> ObservationGradients {
    let none = MomentGradients { mean: Vec::new(), second: Vec::new() };
    ObservationGradients {
        moments: vec![none; request.moment_places().count()],
        distances: vec![0.0; request.content_taps.len()],
        matched: vec![0.0; request.matched_taps.len()],
    }
}

pub fn requests_and_lengths_that_do_not_fit_are_errors_in_words(subjects: &[Subject]) {
    for subject in subjects {
        let engine = subject.engine(1);
        let good = request((6, 5), KINDS[0], &[named("conv1_1")], &[]);
        let bad = [
            SessionRequest { height: 0, ..good.clone() },
            SessionRequest { width: 0, ..good.clone() },
            SessionRequest { style_taps: vec![named("conv1_1"); 2], ..good.clone() },
            SessionRequest { content_taps: vec![named("pool1"); 2], ..good.clone() },
        ];
        for request in bad {
            assert!(matches!(engine.session(&request).err(), Some(EngineError::Request(_))), "{request:?}");
            assert!(matches!(engine.session_bytes(&request).err(), Some(EngineError::Request(_))), "{request:?}");
        }
        let starved = SessionRequest { memory_limit_bytes: Some(1000), ..good.clone() };
        assert!(matches!(engine.session(&starved).err(), Some(EngineError::Memory { .. })), "{}", subject.name);

        let mut session = engine.session(&good).unwrap();
        let picture = Random(1).picture(6, 5);
        let is_request = |error: EngineError| assert!(matches!(error, EngineError::Request(_)), "{error}");
        is_request(session.forward(&picture[1..]).unwrap_err());
        is_request(session.set_content(&picture[1..]).unwrap_err());
        is_request(session.feature_map(&picture[1..], named("conv1_1")).unwrap_err());
        session.forward(&picture).unwrap();
        let mut pixels = vec![0.0; good.picture_len()];
        let gradients = none_for(&good);
        is_request(session.backward(&gradients, &mut pixels[1..]).unwrap_err());
        is_request(
            session.backward(&ObservationGradients { moments: vec![], ..gradients.clone() }, &mut pixels).unwrap_err(),
        );
        let mut short = gradients.clone();
        short.moments[0].second = vec![0.0; 3];
        is_request(session.backward(&short, &mut pixels).unwrap_err());
    }
}

/// A session with nothing to observe still has feature maps, and a gradient of zeros.
pub fn no_taps_at_all(subjects: &[Subject]) {
    for subject in subjects {
        let request = request((6, 5), KINDS[1], &[], &[]);
        let mut session = subject.engine(1).session(&request).unwrap();
        let picture = Random(1).picture(6, 5);
        let seen = session.forward(&picture).unwrap();
        assert!(seen.moments.is_empty() && seen.distances.is_empty());
        let mut pixels = vec![f32::NAN; request.picture_len()];
        session.backward(&none_for(&request), &mut pixels).unwrap();
        assert!(pixels.iter().all(|&value| value == 0.0));
    }
}
