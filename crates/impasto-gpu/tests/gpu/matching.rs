//! Matched features: what every engine that matches has to do, and what only a GPU's can get wrong.

use impasto_gpu::{GpuChoice, GpuEngine, SimulatedFaults, adapters, choose};
use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::reference::Map;
use impasto_vgg::reference::matching as reference;
use impasto_vgg::{
    Bank, Engine, Layer, MatchedTap, Matches, Observation, Precision, Session, SessionRequest, Strategy, Weights,
};

use crate::support::conformance::{KINDS, named, request};
use crate::support::matching::{self, banks, evaluate, matched_request};
use crate::support::random::Random;
use crate::support::widen;
use crate::{cases, device, engine, is_whole_series, subjects};

#[test]
fn matches_distances_and_gradients() {
    matching::matches_distances_and_gradients(&subjects());
}

#[test]
fn the_gradient_of_matched_distances_alone() {
    matching::the_gradient_of_matched_distances_alone(&subjects());
}

#[test]
fn a_position_finds_itself_and_the_first_of_equals() {
    matching::a_position_finds_itself_and_the_first_of_equals(&subjects());
}

#[test]
fn samples_are_features() {
    matching::samples_are_features(&subjects());
}

#[test]
fn the_same_matches_every_time() {
    if !is_whole_series() {
        return;
    }
    matching::same_matches_for_any_threads(&subjects());
}

#[test]
fn matching_out_of_order_is_an_error_in_words() {
    matching::matching_out_of_order_is_an_error_in_words(&subjects());
}

/// Positions that are all alike are their mean: without a direction, at the distance 1, and nothing moves them, whatever
/// they were matched to.
#[test]
fn what_has_no_direction_is_not_moved() {
    let Some(engine) = engine() else { return };
    for size in [(5, 6), (37, 150)] {
        let tap = MatchedTap { layer: named("conv1_1"), entries: 2, centred: true };
        let request = SessionRequest { matched_taps: vec![tap], ..request(size, KINDS[2], &[], &[]) };
        let flat = vec![250.0; request.picture_len()];
        let mut session = engine.session(&request).unwrap();
        session.set_banks(&banks(&request, &mut Random(5))).unwrap();
        session.find_matches(&flat).unwrap();
        let seen = session.forward(&flat).unwrap();
        let mut pixels = vec![f32::NAN; request.picture_len()];
        session.backward(&Random(1).gradients(&seen), &mut pixels).unwrap();
        assert_eq!(seen.matched[0].sum, (size.0 * size.1) as f64);
        assert!(pixels.iter().all(|&value| value == 0.0));
    }
}

/// Equal entries beside each other, in one thread's share of a segment and in others', and in other segments.
#[test]
fn of_equal_entries_the_first_counts() {
    let Some(engine) = engine() else { return };
    let tap = MatchedTap { layer: named("conv2_1"), entries: 1100, centred: true };
    let request = SessionRequest { matched_taps: vec![tap], ..request((18, 21), KINDS[0], &[], &[]) };
    let [one, other] = [1, 2].map(|seed| banks(&request, &mut Random(seed))[0].features[..128].to_vec());
    let entries = (0..1100).flat_map(|entry| if entry / 2 % 2 == 0 { one.clone() } else { other.clone() });
    let mut session = engine.session(&request).unwrap();
    session.set_banks(&[Bank { layer: tap.layer, features: entries.collect() }]).unwrap();
    let found = session.find_matches(&Random(3).picture(18, 21)).unwrap();
    let count = |entry| found[0].indices.iter().filter(|&&index| index == entry).count();
    assert!(count(0) > 0 && count(2) > 0, "{} and {}", count(0), count(2));
    assert_eq!(count(0) + count(2), found[0].indices.len());
}

/// Samples, matches, what is seen of them, and the gradient.
type Answers = (Vec<Bank>, (Vec<Matches>, Observation, Vec<f32>));

/// Everything that a session is asked about matches.
fn answers(engine: &GpuEngine, request: &SessionRequest) -> (Answers, Strategy) {
    let mut random = Random(31);
    let banks = banks(request, &mut random);
    let pictures = [(); 3].map(|()| random.picture(request.height, request.width));
    let mut session = engine.open(request).unwrap();
    let sampled = session.sample(&pictures[1]).unwrap();
    let answers = (sampled, evaluate(&mut session, &banks, &pictures, None));
    (answers, session.plan().unwrap().strategy)
}

#[test]
fn bands_change_nothing() {
    let Some(engine) = engine() else { return };
    let whole = Strategy { computed_again: 0, band_rows: 1 << 24, chunk_tiles: 1 };
    let others = [
        Strategy { computed_again: 1, band_rows: 16, chunk_tiles: 12 },
        Strategy { computed_again: 7, band_rows: 20, chunk_tiles: 7 },
        Strategy { computed_again: LAYER_COUNT, band_rows: 4, chunk_tiles: 1 },
    ];
    let taps = [("conv1_1", 65, true), ("conv2_1", 50, false), ("pool3", 20, true), ("conv4_1", 70, true)];
    for precision in cases(2, [Precision::F32, Precision::F16]) {
        let request = SessionRequest { precision, ..matched_request((69, 75), 0, &taps) };
        let (expected, _) = answers(&engine.with_strategy(whole), &request);
        for strategy in cases(2, others) {
            let (ours, _) = answers(&engine.with_strategy(strategy), &request);
            assert!(ours.0 == expected.0, "{precision:?} {strategy:?}: other samples");
            assert!(ours.1.0 == expected.1.0, "{precision:?} {strategy:?}: other matches");
            assert!(ours.1.1 == expected.1.1, "{precision:?} {strategy:?}: other distances");
            assert!(ours.1.2 == expected.1.2, "{precision:?} {strategy:?}: another gradient");
        }
    }
}

/// Banks in pieces, none of them larger than a shader may see.
#[test]
fn banks_larger_than_a_binding_change_no_byte() {
    let Some(engine) = engine() else { return };
    let device = choose(&adapters(), GpuChoice::Best).unwrap().open_as_if_binding(2 << 20).unwrap();
    let narrow = GpuEngine::new(device, Weights::embedded());
    let taps = [("conv1_1", 8300, true), ("conv2_1", 4200, false)];
    // 8300 * 64 * 4 and 4200 * 128 * 4 bytes are more than that.
    let request = matched_request((30, 47), 1, &taps);
    let request = SessionRequest { style_taps: vec![named("conv1_1")], content_taps: Vec::new(), ..request };
    let (expected, _) = answers(engine, &request);
    let late = expected.1.0.iter().map(|matches| matches.indices.iter().filter(|&&entry| entry > 8200).count());
    assert!(late.sum::<usize>() > 0, "nothing is matched to the last piece");
    assert!(answers(&narrow, &request).0 == expected);
}

/// Matches in pieces of rows, which a content target at the same layer makes small.
#[test]
fn matches_in_pieces_change_no_byte() {
    let Some(engine) = engine() else { return };
    let device = choose(&adapters(), GpuChoice::Best).unwrap().open_as_if_binding(2 << 20).unwrap();
    let narrow = GpuEngine::new(device, Weights::embedded());
    // 120 * 75 * 64 * 4 bytes of a target are more than that.
    let request = matched_request((120, 75), 0, &[("conv1_1", 70, true)]);
    let request = SessionRequest { style_taps: Vec::new(), content_taps: vec![named("conv1_1")], ..request };
    let expected = answers(engine, &request).0;
    assert!(answers(&narrow, &request).0 == expected);
}

/// The walk that takes over is given banks and matches again, wherever memory ends.
#[test]
fn memory_that_ends_in_the_middle_changes_no_byte() {
    if !is_whole_series() {
        return;
    }
    let taps = [("conv1_1", 65, true), ("conv2_2", 50, false)];
    let request = matched_request((75, 41), 1, &taps);
    let with = |faults| Some(GpuEngine::with_faults(device()?, Weights::embedded(), faults));
    let Some(ample) = with(SimulatedFaults::default()) else { return };
    let (expected, strategy) = answers(&ample, &request);
    let mut met = 0;
    for at in [1, 3, 6, 9, 30] {
        let faults = SimulatedFaults { out_of_memory_at: Some(at), ..SimulatedFaults::default() };
        let (ours, ended_with) = answers(&with(faults).unwrap(), &request);
        assert!(ours == expected, "memory ended at submission {at}");
        met += usize::from(ended_with != strategy);
    }
    assert!(met >= 3, "it did not end in the middle: {met}");
}

/// With maps in 16 bits distances are as exact as in f32 over what is stored, and the matches are those of what is stored.
#[test]
fn maps_in_half_the_memory_are_matched_as_well() {
    let Some(engine) = engine() else { return };
    let taps = [("conv1_1", 65, true), ("pool1", 33, false), ("conv3_1", 20, true)];
    let request = SessionRequest { precision: Precision::F16, ..matched_request((29, 34), 0, &taps) };
    let mut random = Random(31);
    let banks = banks(&request, &mut random);
    let pictures = [(); 3].map(|()| random.picture(29, 34));
    let mut session = engine.session(&request).unwrap();
    let (matches, seen, _) = evaluate(&mut *session, &banks, &pictures, None);
    let mut stored = |image: &[f32], layer: Layer| {
        let map = session.feature_map(image, layer).unwrap();
        Map { channels: layer.channels(), height: map.height, width: map.width, values: widen(&map.values) }
    };
    for (((tap, bank), ours), seen) in request.matched_taps.iter().zip(&banks).zip(&matches).zip(&seen.matched) {
        let map = stored(&pictures[1], tap.layer);
        let expected = reference::find_matches(&map, bank);
        for (position, (&own, &other)) in ours.indices.iter().zip(&expected.indices).enumerate() {
            let of = |entry: u32| reference::cosine(&map, position, bank, &expected.centre, entry as usize);
            assert!(own == other || of(other) - of(own) <= 1e-5, "{} {position}: {own} for {other}", tap.layer);
        }
        let expected = reference::distance(&stored(&pictures[2], tap.layer), tap, bank, ours);
        let error = (seen.sum / expected - 1.0).abs();
        assert!(error <= 1e-5, "the distance at {} is off by {error:e}", tap.layer);
    }
}

/// Banks and matches stay where the maps are stored anew.
#[test]
fn a_session_that_changes_its_precision_keeps_its_matches() {
    let Some(engine) = engine() else { return };
    let request = matched_request((21, 26), 0, &[("conv1_1", 65, true), ("conv2_1", 33, false)]);
    let mut random = Random(14);
    let banks = banks(&request, &mut random);
    let pictures = [(); 3].map(|()| random.picture(21, 26));
    let mut session = engine.session(&request).unwrap();
    let (matches, in_single, _) = evaluate(&mut *session, &banks, &pictures, None);
    session.set_precision(Precision::F16);
    let ours = session.forward(&pictures[2]).unwrap();
    let half = SessionRequest { precision: Precision::F16, ..request };
    let mut session = engine.session(&half).unwrap();
    let (_, expected, _) = evaluate(&mut *session, &banks, &pictures, Some(&matches));
    assert!(ours == expected && ours != in_single);
}

/// Banks and matches are counted in what a session takes.
#[test]
fn banks_are_counted() {
    let Some(engine) = engine() else { return };
    let bytes = |entries| engine.session_bytes(&matched_request((64, 64), 0, &[("conv4_1", entries, true)])).unwrap();
    // In panels and entry by entry, each once more on its way.
    assert_eq!(bytes(128) - bytes(64), 4 * 64 * 512 * 4);
}
