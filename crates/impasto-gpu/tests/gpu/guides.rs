//! Regions and emphasis: what every engine with guides has to do, and what only a GPU's can get wrong.

use impasto_gpu::{GpuChoice, GpuEngine, SimulatedFaults, adapters, choose};
use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::reference::Map;
use impasto_vgg::reference::guides as reference;
use impasto_vgg::{
    Border, Engine, EngineError, Guides, Pooling, Precision, Session, SessionRequest, Strategy, Weights,
};

use crate::evaluation::{Answers, evaluate};
use crate::support::conformance::{named, request};
use crate::support::golden::Golden;
use crate::support::golden_regions::{errors, files};
use crate::support::guides::{self, Kind, Maps};
use crate::support::random::Random;
use crate::support::{relative_max, widen};
use crate::{cases, device, engine, is_whole_series, subjects};

#[test]
fn masks_of_every_kind() {
    guides::masks_of_every_kind(&subjects());
}

#[test]
fn every_layer_is_guided() {
    guides::every_layer_is_guided(&subjects());
}

#[test]
fn ones_change_no_byte() {
    guides::ones_change_no_byte(&subjects(), &[(1, 1), (18, 21), (9, 150)]);
}

#[test]
fn shared_out_regions_add_up() {
    guides::shared_out_regions_add_up(&subjects());
}

#[test]
fn nothing_is_seen_from_outside() {
    guides::nothing_is_seen_from_outside(&subjects());
}

#[test]
fn same_bytes_for_any_masks_before() {
    if !is_whole_series() {
        return;
    }
    guides::same_bytes_for_any_threads_and_any_masks_before(&subjects());
}

#[test]
fn guides_may_be_given_tap_by_tap() {
    guides::guides_may_be_given_tap_by_tap(&subjects());
}

#[test]
fn calls_out_of_order_are_errors_in_words() {
    guides::calls_out_of_order_are_errors_in_words(&subjects());
}

#[test]
fn what_does_not_fit_is_an_error_in_words() {
    guides::what_does_not_fit_is_an_error_in_words(&subjects());
}

#[test]
fn an_empty_region_is_an_error_that_says_who_sees_it() {
    guides::an_empty_region_is_an_error_that_says_who_sees_it(&subjects());
}

#[test]
fn the_golden_files_bounds_are_kept() {
    let Some(engine) = engine() else { return };
    for path in files() {
        let golden = Golden::read(&path);
        let [_, moments, losses, gradient] = errors(engine, &golden);
        println!("{}: {moments:.1e} {losses:.1e} {gradient:.1e}", golden.name);
        assert!(moments <= 2e-5, "{}: {moments:e}", golden.name);
        assert!(losses <= 1e-5, "{}: {losses:e}", golden.name);
        assert!(gradient <= 5e-3, "{}: {gradient:e}", golden.name);
    }
}

/// Taps of every kind, three regions, an emphasis.
fn guided(size: (usize, usize), kind: (Pooling, Border), precision: Precision) -> SessionRequest {
    let (style, content) = (["conv1_1", "pool1", "conv3_1"].map(named), ["conv1_2", "pool1"].map(named));
    let guides = Guides { regions: 3, emphasis: true };
    SessionRequest { guides, precision, ..request(size, kind, &style, &content) }
}

fn check(ours: &Answers, expected: &Answers, what: &str) {
    assert!(ours.are_sound(), "{what}");
    assert!(ours.observation == expected.observation, "{what}: other moments or distances");
    assert!(ours.pixels == expected.pixels, "{what}: another gradient");
}

#[test]
fn bands_change_nothing() {
    if !is_whole_series() {
        return;
    }
    let Some(engine) = engine() else { return };
    let whole = Strategy { computed_again: 0, band_rows: 1 << 24, chunk_tiles: 1 };
    let others = [
        Strategy { computed_again: 1, band_rows: 16, chunk_tiles: 12 },
        Strategy { computed_again: 4, band_rows: 4, chunk_tiles: 7 },
        Strategy { computed_again: LAYER_COUNT, band_rows: 4, chunk_tiles: 1 },
    ];
    for (kind, precision) in
        [((Pooling::Average, Border::Zero), Precision::F32), ((Pooling::Max, Border::Replicate), Precision::F16)]
    {
        let request = guided((53, 81), kind, precision);
        let answers = |strategy| evaluate(&engine.with_strategy(strategy), &request).unwrap().0;
        let expected = answers(whole);
        for strategy in cases(2, others) {
            check(&answers(strategy), &expected, &format!("{precision:?} {strategy:?}"));
        }
    }
}

/// Guides, targets and an emphasis in pieces, none of them larger than a shader may see.
#[test]
fn guides_larger_than_a_binding_change_no_byte() {
    if !is_whole_series() {
        return;
    }
    let Some(engine) = engine() else { return };
    let device = choose(&adapters(), GpuChoice::Best).unwrap().open_as_if_binding(2 << 20).unwrap();
    let narrow = GpuEngine::new(device, Weights::embedded());
    // Twenty regions' guides, 20 * 210 * 150 * 4 bytes, and the target at conv1_1, are larger than that.
    let guides = Guides { regions: 20, emphasis: true };
    let style = ["conv1_1", "pool1"].map(named);
    let content = [named("conv1_1")];
    let request = SessionRequest { guides, ..request((210, 150), (Pooling::Max, Border::Zero), &style, &content) };
    let (expected, _) = evaluate(engine, &request).unwrap();
    let (ours, _) = evaluate(&narrow, &request).unwrap();
    check(&ours, &expected, "in pieces");
}

/// So many regions that their derivatives at one layer are more than a shader sees are refused in words before any work.
#[test]
fn regions_beyond_a_binding_are_refused_in_words() {
    let Some(_) = engine() else { return };
    let device = choose(&adapters(), GpuChoice::Best).unwrap().open_as_if_binding(128 << 20).unwrap();
    let engine = GpuEngine::new(device, Weights::embedded());
    let of = |regions| {
        let guides = Guides { regions, emphasis: false };
        SessionRequest { guides, ..request((64, 64), (Pooling::Max, Border::Zero), &[named("conv4_1")], &[]) }
    };
    engine.session_bytes(&of(128)).unwrap();
    let error = engine.session_bytes(&of(129)).unwrap_err();
    assert!(matches!(&error, EngineError::Device(said) if said.contains("give fewer regions")), "{error}");
}

/// The walk that takes over is given the guides again, wherever memory ends.
#[test]
fn memory_that_ends_in_the_middle_changes_no_byte() {
    let request = guided((75, 41), (Pooling::Max, Border::Zero), Precision::F32);
    let with = |faults| Some(GpuEngine::with_faults(device()?, Weights::embedded(), faults));
    let Some(ample) = with(SimulatedFaults::default()) else { return };
    let expected = evaluate(&ample, &request).unwrap();
    let mut met = 0;
    for at in [1, 3, 5, 20] {
        let faults = SimulatedFaults { out_of_memory_at: Some(at), ..SimulatedFaults::default() };
        let ours = evaluate(&with(faults).unwrap(), &request).unwrap();
        check(&ours.0, &expected.0, &format!("memory ended at submission {at}"));
        met += usize::from(ours.1 != expected.1);
    }
    assert!(met >= 2, "it did not end in the middle: {met}");
}

/// With maps in 16 bits: a mask of ones is none, and sums are as exact as in f32 over what is stored.
#[test]
fn maps_in_half_the_memory_are_guided_as_well() {
    let Some(engine) = engine() else { return };
    let with = guided((29, 34), (Pooling::Average, Border::Zero), Precision::F16);
    let one = SessionRequest { guides: Guides { regions: 1, emphasis: true }, ..with.clone() };
    let none = SessionRequest { guides: Guides::default(), ..with.clone() };
    let mut random = Random(6);
    let [content, picture] = [(); 2].map(|()| random.picture(29, 34));
    let answers = |request: &SessionRequest, maps: &Maps| {
        let mut session = engine.session(request).unwrap();
        session.set_content(&content).unwrap();
        maps.give_to(&mut *session);
        let observation = session.forward(&picture).unwrap();
        let mut pixels = vec![f32::NAN; request.picture_len()];
        session.backward(&Random(4).gradients(&observation), &mut pixels).unwrap();
        Answers { observation, pixels }
    };
    check(&answers(&one, &Maps::ones(&one)), &answers(&none, &Maps::default()), "a mask of ones");

    let maps = Maps::new(&with, Kind::Soft, 2);
    let seen = answers(&with, &maps).observation;
    let mut session = engine.session(&with).unwrap();
    let mut stored = |image: &[f32], layer| {
        let map = session.feature_map(image, layer).unwrap();
        Map { channels: layer.channels(), height: map.height, width: map.width, values: widen(&map.values) }
    };
    let guides = with.pool_masks(&maps.masks).unwrap();
    for (place, ours) in seen.moments.iter().enumerate() {
        let guide = &guides[place / 3].values;
        let guide = widen(&guide[place % 3 * (guide.len() / 3)..][..guide.len() / 3]);
        let expected = reference::moments(ours.layer, &stored(&picture, ours.layer), &guide);
        let error = relative_max(&ours.mean, &expected.mean).max(relative_max(&ours.second, &expected.second));
        assert!(error <= 2e-5, "moments of {} are off by {error:e}", ours.layer);
    }
    for ours in &seen.distances {
        let emphasis = reference::brought_to(&maps.emphasis, 29, 34, ours.layer);
        let expected = reference::distance(&stored(&picture, ours.layer), &stored(&content, ours.layer), &emphasis);
        let error = (ours.sum_of_squares / expected - 1.0).abs();
        assert!(error <= 1e-5, "the distance at {} is off by {error:e}", ours.layer);
    }
}

/// The guides stay where the maps are stored anew.
#[test]
fn a_session_that_changes_its_precision_keeps_its_guides() {
    let Some(engine) = engine() else { return };
    let request = |precision| guided((21, 26), (Pooling::Average, Border::Zero), precision);
    let maps = Maps::mixed(&request(Precision::F32), 5);
    let mut random = Random(14);
    let [content, picture] = [(); 2].map(|()| random.picture(21, 26));
    let open = |precision| {
        let mut session = engine.session(&request(precision)).unwrap();
        session.set_content(&content).unwrap();
        maps.give_to(&mut *session);
        session
    };
    let expected = open(Precision::F16).forward(&picture).unwrap();
    let mut session = open(Precision::F32);
    assert!(session.forward(&picture).unwrap() != expected);
    session.set_precision(Precision::F16);
    assert!(session.forward(&picture).unwrap() == expected);
}

/// Second moments are symmetric to the bit, though a guide counts with one factor of each product.
#[test]
fn second_moments_are_symmetric() {
    let Some(engine) = engine() else { return };
    let request = guided((18, 21), (Pooling::Max, Border::Zero), Precision::F32);
    let (answers, _) = evaluate(engine, &request).unwrap();
    for moments in answers.observation.moments {
        let channels = moments.mean.len();
        let mut places = (0..channels).flat_map(|a| (0..a).map(move |b| (a, b)));
        assert!(places.all(|(a, b)| moments.second[a * channels + b] == moments.second[b * channels + a]));
    }
}

/// Regions that see other positions share the time of the observed positions: those count once.
#[test]
fn positions_count_once_in_the_times() {
    let Some(engine) = engine() else { return };
    let times = |guides| {
        let request = SessionRequest { guides, ..guided((18, 90), (Pooling::Max, Border::Zero), Precision::F32) };
        let mut session = engine.open(&request).unwrap();
        let picture = Random(1).picture(18, 90);
        session.set_content(&picture).unwrap();
        Maps::new(&request, Kind::Stripes, 3).give_to(&mut session);
        session.clear_times();
        session.forward(&picture).unwrap();
        let times = session.times().into_iter();
        times.map(|time| (time.step, time.layer, time.direct_flop)).collect::<Vec<_>>()
    };
    let [guided, plain] = [Guides { regions: 3, emphasis: true }, Guides::default()].map(times);
    assert_eq!(guided, plain);
}
