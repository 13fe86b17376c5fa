//! What every engine that matches features has to do: the reference's matches where they are decided, its distances and
//! gradients, the same bytes whatever the threads, errors in words.

use impasto_vgg::reference::Network;
use impasto_vgg::reference::matching::cosine;
use impasto_vgg::{
    Bank, Engine, EngineDescription, EngineError, Layer, MatchedTap, Matches, Observation, ReferenceEngine, Session,
    SessionRequest, Weights,
};

use super::conformance::{KINDS, decided_picture, named, request};
use super::random::Random;
use super::subjects::{Subject, cases};
use super::{relative_l2, relative_max, widen};

/// Cosines of the two best entries nearer than this may be taken for each other.
const DECIDED: f64 = 1e-5;
/// Sums of distances (design: losses within 1e-5 of themselves).
const DISTANCE_BOUND: f64 = 1e-5;
/// Gradients where no decision is near, and where some may turn, as of all losses.
const GRADIENT_BOUND: f64 = 1e-4;
const TURNED_BOUND: f64 = 5e-3;

/// A layer, the entries of its bank, whether it is centred.
pub type TapRow = (&'static str, usize, bool);

/// A request with matched taps, centred and not, which share layers with other taps and stand alone.
pub fn matched_request(size: (usize, usize), kind: usize, taps: &[TapRow]) -> SessionRequest {
    let tap = |&(name, entries, centred): &TapRow| MatchedTap { layer: named(name), entries, centred };
    let (style, content) = ([named("conv1_1"), named("conv2_2")], [named("conv2_1"), named("conv3_1")]);
    let matched_taps = taps.iter().map(tap).collect();
    SessionRequest { matched_taps, ..request(size, KINDS[kind], &style, &content) }
}

/// Banks as ReLUs make them: half of the values are zero.
pub fn banks(request: &SessionRequest, random: &mut Random) -> Vec<Bank> {
    let bank = |tap: &MatchedTap| Bank {
        layer: tap.layer,
        features: (0..tap.entries * tap.layer.channels())
            .map(|_| (90.0 * random.symmetric() as f32).max(0.0))
            .collect(),
    };
    request.matched_taps.iter().map(bank).collect()
}

/// All that one evaluation gives: matches of `earlier`, then what `image` is like.
pub fn evaluate(
    session: &mut dyn Session,
    banks: &[Bank],
    [content, earlier, image]: &[Vec<f32>; 3],
    held: Option<&[Matches]>,
) -> (Vec<Matches>, Observation, Vec<f32>) {
    session.set_content(content).unwrap();
    session.set_banks(banks).unwrap();
    let found = session.find_matches(earlier).unwrap();
    if let Some(held) = held {
        session.set_matches(held).unwrap();
    }
    let seen = session.forward(image).unwrap();
    let gradients = Random(77).gradients(&seen);
    let mut pixels = vec![f32::NAN; session.request().picture_len()];
    session.backward(&gradients, &mut pixels).unwrap();
    (found, seen, pixels)
}

fn check_matches(
    what: &str,
    request: &SessionRequest,
    banks: &[Bank],
    image: &[f32],
    ours: &[Matches],
    expected: &[Matches],
) {
    let network = Network { weights: Weights::embedded(), pooling: request.pooling, border: request.border };
    let maps = network.forward(image, request.height, request.width, request.deepest_tap().unwrap());
    for ((ours, expected), bank) in ours.iter().zip(expected).zip(banks) {
        let map = &maps[ours.layer.index()];
        let error = relative_max(&widen(&ours.centre), &widen(&expected.centre));
        assert!(error <= 2e-5, "{what}: the centre at {} is off by {error:e}", ours.layer);
        assert_eq!(ours.indices.len(), expected.indices.len(), "{what}");
        for (position, (&ours, &theirs)) in ours.indices.iter().zip(&expected.indices).enumerate() {
            if ours != theirs {
                let of = |entry: u32| cosine(map, position, bank, &expected.centre, entry as usize);
                let lead = of(theirs) - of(ours);
                assert!(lead <= DECIDED, "{what}: {} position {position}: {ours} for {theirs}, {lead:e}", bank.layer);
            }
        }
    }
}

/// The same matches, distances and gradients as the reference.
pub fn matches_distances_and_gradients(subjects: &[Subject]) {
    let cases: [((usize, usize), &[TapRow]); 5] = [
        ((2, 3), &[("conv1_1", 3, true), ("conv2_1", 1, false)]),
        ((7, 9), &[("conv1_2", 65, true), ("conv2_1", 70, false), ("conv3_1", 64, true)]),
        ((9, 5), &[("conv3_1", 17, false), ("pool1", 130, true)]),
        ((18, 21), &[("conv2_2", 100, true), ("pool2", 33, false), ("conv4_1", 81, true)]),
        ((35, 27), &[("conv1_1", 16, false), ("conv3_3", 200, true), ("conv5_1", 48, true)]),
    ];
    for (index, (size, taps)) in cases.into_iter().enumerate() {
        let request = matched_request(size, index % 4, taps);
        let mut random = Random(500 + index as u64);
        let banks = banks(&request, &mut random);
        let [content, earlier] = [(); 2].map(|()| random.picture(size.0, size.1));
        let image = decided_picture(&mut random, &request, request.deepest_tap().unwrap());
        let pictures = [content, earlier, image];
        let mut reference = ReferenceEngine::new(Weights::embedded()).session(&request).unwrap();
        let (matches, expected, expected_pixels) = evaluate(reference.as_mut(), &banks, &pictures, None);
        for subject in subjects {
            let what = format!("{} {size:?} {taps:?}", subject.name);
            let mut session = subject.engine(2).session(&request).unwrap();
            let (found, seen, pixels) = evaluate(session.as_mut(), &banks, &pictures, Some(&matches));
            check_matches(&what, &request, &banks, &pictures[1], &found, &matches);
            assert_eq!(seen.matched.len(), expected.matched.len());
            for (ours, expected) in seen.matched.iter().zip(&expected.matched) {
                assert_eq!((ours.layer, ours.positions), (expected.layer, expected.positions), "{what}");
                let error = (ours.sum - expected.sum).abs() / expected.sum;
                assert!(error <= DISTANCE_BOUND, "{what}: the distance at {} is off by {error:e}", ours.layer);
            }
            let (ours, expected) = (widen(&pixels), widen(&expected_pixels));
            let (error, bound) = if size.0 * size.1 > 150 {
                (relative_l2(&ours, &expected), TURNED_BOUND)
            } else {
                (relative_max(&ours, &expected), GRADIENT_BOUND)
            };
            assert!(error <= bound, "{what}: the gradient is off by {error:e}");
        }
    }
}

/// The gradient of matched distances alone, which others do not drown.
pub fn the_gradient_of_matched_distances_alone(subjects: &[Subject]) {
    for (index, layer) in cases(subjects, 4, Layer::all().enumerate()) {
        let tap = MatchedTap { layer, entries: 40, centred: index % 2 == 0 };
        let request = SessionRequest { matched_taps: vec![tap], ..request((7, 9), KINDS[index % 4], &[], &[]) };
        let mut random = Random(600 + index as u64);
        let banks = banks(&request, &mut random);
        let earlier = random.picture(7, 9);
        let image = decided_picture(&mut random, &request, layer);
        let pictures = [image.clone(), earlier, image];
        let mut reference = ReferenceEngine::new(Weights::embedded()).session(&request).unwrap();
        let (matches, _, expected) = evaluate(reference.as_mut(), &banks, &pictures, None);
        for subject in subjects {
            let mut session = subject.engine(2).session(&request).unwrap();
            let (_, _, pixels) = evaluate(session.as_mut(), &banks, &pictures, Some(&matches));
            let error = relative_max(&widen(&pixels), &widen(&expected));
            assert!(error <= GRADIENT_BOUND, "{} {layer}: the gradient is off by {error:e}", subject.name);
        }
    }
}

/// A bank of a picture's own positions: each position finds itself, and where entries are equal, the first of them.
pub fn a_position_finds_itself_and_the_first_of_equals(subjects: &[Subject]) {
    for subject in subjects {
        for name in ["conv1_1", "conv3_2", "pool3"] {
            let layer = named(name);
            let (height, width) = layer.map_size(21, 70);
            let count = height.min(64) * width.min(64);
            let tap = MatchedTap { layer, entries: 2 * count, centred: true };
            let request = SessionRequest { matched_taps: vec![tap], ..request((21, 70), KINDS[1], &[], &[]) };
            let mut session = subject.engine(2).session(&request).unwrap();
            let image = Random(3).picture(21, 70);
            let sampled = session.sample(&image).unwrap().remove(0).features;
            assert_eq!(sampled.len(), count * layer.channels(), "{name}");
            session.set_banks(&[Bank { layer, features: [sampled.clone(), sampled.clone()].concat() }]).unwrap();
            let found = session.find_matches(&image).unwrap();
            let columns: Vec<usize> = impasto_vgg::matching::sampled(width).collect();
            for (place, (y, &x)) in
                impasto_vgg::matching::sampled(height).flat_map(|y| columns.iter().map(move |x| (y, x))).enumerate()
            {
                let entry = found[0].indices[y * width + x] as usize;
                let values = |place: usize| &sampled[place * layer.channels()..][..layer.channels()];
                assert!(entry < count, "{} {name}: the second of two equal entries", subject.name);
                assert!(values(entry) == values(place), "{} {name} {y} {x}: {entry} for {place}", subject.name);
            }
        }
    }
}

/// Samples are the features themselves.
pub fn samples_are_features(subjects: &[Subject]) {
    let request = matched_request((70, 133), 2, &[("conv1_1", 1, true), ("pool1", 1, true), ("conv3_2", 1, false)]);
    let image = Random(8).picture(70, 133);
    for subject in subjects {
        let mut session = subject.engine(2).session(&request).unwrap();
        let sampled = session.sample(&image).unwrap();
        for (tap, bank) in request.matched_taps.iter().zip(&sampled) {
            let map = session.feature_map(&image, tap.layer).unwrap();
            let mut expected = Vec::new();
            for y in impasto_vgg::matching::sampled(map.height) {
                for x in impasto_vgg::matching::sampled(map.width) {
                    let channels = 0..tap.layer.channels();
                    expected.extend(channels.map(|channel| map.values[(channel * map.height + y) * map.width + x]));
                }
            }
            assert_eq!(expected.len(), MatchedTap::samples(tap.layer, 70, 133) * tap.layer.channels());
            assert!(bank.layer == tap.layer && bank.features == expected, "{} {}", subject.name, tap.layer);
        }
    }
}

/// The same bytes, whatever the threads, and whether matches were found or given.
pub fn same_matches_for_any_threads(subjects: &[Subject]) {
    let taps = [("conv1_1", 90, true), ("pool2", 64, false), ("conv3_3", 77, true), ("conv5_1", 33, true)];
    for subject in subjects {
        let request = matched_request((37, 141), 1, &taps);
        let mut random = Random(9);
        let banks = banks(&request, &mut random);
        let pictures = [(); 3].map(|()| random.picture(37, 141));
        let run = |threads, held: Option<&[Matches]>| {
            let mut session = subject.engine(threads).session(&request).unwrap();
            if held.is_some() {
                // Others first, so that nothing may lean on buffers being fresh.
                let [a, b, c] = pictures.clone();
                evaluate(session.as_mut(), &banks, &[c, a, b], None);
            }
            evaluate(session.as_mut(), &banks, &pictures, held)
        };
        let first = run(1, None);
        for threads in cases(subjects, 3, [1, 2, 3]) {
            assert!(run(threads, Some(&first.0)) == first, "{} on {threads} threads", subject.name);
        }
    }
}

/// Something that a session is asked between `forward` and `backward`.
type Change<'a> = &'a dyn Fn(&mut dyn Session);

pub fn matching_out_of_order_is_an_error_in_words(subjects: &[Subject]) {
    let taps = [("conv1_1", 5, true), ("conv2_1", 4, false)];
    let request = SessionRequest { style_taps: vec![], content_taps: vec![], ..matched_request((6, 5), 0, &taps) };
    let picture = Random(1).picture(6, 5);
    let good = banks(&request, &mut Random(2));
    let is_request = |error: EngineError| assert!(matches!(error, EngineError::Request(_)), "{error}");
    for subject in subjects {
        let engine = subject.engine(1);
        let mut session = engine.session(&request).unwrap();
        assert_eq!(session.find_matches(&picture).unwrap_err(), EngineError::NO_BANKS);
        assert_eq!(session.forward(&picture).unwrap_err(), EngineError::NO_MATCHES);
        session.set_banks(&good).unwrap();
        assert_eq!(session.forward(&picture).unwrap_err(), EngineError::NO_MATCHES);
        let matches = session.find_matches(&picture).unwrap();
        let seen = session.forward(&picture).unwrap();
        let (gradients, mut pixels) = (Random(3).gradients(&seen), vec![0.0; request.picture_len()]);
        session.backward(&gradients, &mut pixels).unwrap();
        // Whatever changes what `backward` would need.
        let changes: [Change<'_>; 3] = [
            &|session| drop(session.find_matches(&picture).unwrap()),
            &|session| session.set_matches(&matches).unwrap(),
            &|session| drop(session.sample(&picture).unwrap()),
        ];
        for change in changes {
            session.forward(&picture).unwrap();
            change(session.as_mut());
            assert_eq!(session.backward(&gradients, &mut pixels).unwrap_err(), EngineError::NO_FORWARD);
        }
        is_request(session.find_matches(&picture[1..]).unwrap_err());
        is_request(session.sample(&picture[1..]).unwrap_err());
        is_request(session.set_banks(&good[1..]).unwrap_err());
        is_request(session.set_banks(&[good[1].clone(), good[0].clone()]).unwrap_err());
        let mut wrong = good.clone();
        wrong[1].features.pop();
        is_request(session.set_banks(&wrong).unwrap_err());
        wrong[1].features.push(f32::NAN);
        is_request(session.set_banks(&wrong).unwrap_err());
        is_request(session.set_matches(&matches[..1]).unwrap_err());
        let mut wrong = matches.clone();
        wrong[1].indices[0] = 4;
        is_request(session.set_matches(&wrong).unwrap_err());
        wrong[1].indices.pop();
        is_request(session.set_matches(&wrong).unwrap_err());
        // The gradients of a tap too few.
        session.set_matches(&matches).unwrap();
        session.forward(&picture).unwrap();
        let mut few = gradients.clone();
        few.matched.pop();
        is_request(session.backward(&few, &mut pixels).unwrap_err());
        for taps in [vec![request.matched_taps[0]; 2], vec![MatchedTap { entries: 0, ..request.matched_taps[0] }]] {
            is_request(engine.session(&SessionRequest { matched_taps: taps, ..request.clone() }).err().unwrap());
        }
    }
}

/// An engine that does all but match.
pub struct Matchless(pub Box<dyn Engine>);

impl Engine for Matchless {
    fn describe(&self) -> EngineDescription {
        EngineDescription { name: "matchless".into(), ..self.0.describe() }
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        self.session_bytes(request)?;
        self.0.session(request)
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        match request.matched_taps.is_empty() {
            true => self.0.session_bytes(request),
            false => Err(EngineError::NoMatching { engine: "matchless".into() }),
        }
    }
}
