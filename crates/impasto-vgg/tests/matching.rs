//! Matched features on all engines that match: the reference's matches, distances and gradients; bands, threads, memory.

mod support;

use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::matching::LEAST_NORM;
use impasto_vgg::{
    Bank, Engine, EngineError, FallbackEngine, MatchedTap, ReferenceEngine, SessionRequest, Strategy, Weights,
};
use support::conformance::{KINDS, decided_picture, named, request};
use support::matching::{self, banks, evaluate, matched_request};
use support::random::Random;
use support::subjects::{f32_engines, subjects, subjects_and_reference};

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
    matching::samples_are_features(&subjects_and_reference());
}

#[test]
fn same_matches_for_any_threads() {
    matching::same_matches_for_any_threads(&subjects());
}

#[test]
fn matching_out_of_order_is_an_error_in_words() {
    matching::matching_out_of_order_is_an_error_in_words(&subjects_and_reference());
}

/// The reference's own gradient, against central differences of its distances with the matches held.
#[test]
fn the_references_gradient_is_the_derivative() {
    for centred in [true, false] {
        let tap = |name, entries| MatchedTap { layer: named(name), entries, centred };
        let matched_taps = vec![tap("conv1_2", 9), tap("pool1", 12), tap("conv2_2", 11)];
        let request = SessionRequest { matched_taps, ..request((7, 6), KINDS[0], &[], &[]) };
        let mut random = Random(12);
        let banks = banks(&request, &mut random);
        let earlier = random.picture(7, 6);
        let image = decided_picture(&mut random, &request, named("conv2_2"));
        let mut session = ReferenceEngine::new(Weights::embedded()).session(&request).unwrap();
        let (matches, seen, pixels) =
            evaluate(session.as_mut(), &banks, &[image.clone(), earlier, image.clone()], None);
        assert!(matches.iter().all(|matches| matches.indices.iter().any(|&entry| entry != matches.indices[0])));
        let weights = Random(77).gradients(&seen).matched;
        let scale = pixels.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
        for pixel in (0..request.picture_len()).step_by(5) {
            let mut loss_at = |step: f32| {
                let mut moved = image.clone();
                moved[pixel] += step;
                let seen = session.forward(&moved).unwrap();
                seen.matched.iter().zip(&weights).map(|(seen, weight)| seen.sum * weight).sum::<f64>()
            };
            // A power of two: the moved pixel is exact in f32.
            let step = 1.0 / 1024.0;
            let difference = (loss_at(step) - loss_at(-step)) / (2.0 * f64::from(step));
            let error = (difference - f64::from(pixels[pixel])).abs();
            assert!(error <= 1e-5 * f64::from(scale), "{centred} {pixel}: {difference} {}", pixels[pixel]);
        }
    }
}

/// Positions without a direction are at the distance 1, and nothing moves them.
#[test]
fn what_has_no_direction_is_not_moved() {
    let tap = MatchedTap { layer: named("conv1_1"), entries: 2, centred: true };
    let request = SessionRequest { matched_taps: vec![tap], ..request((5, 6), KINDS[2], &[], &[]) };
    // One colour, and a border that repeats it: all positions are their mean.
    let flat = vec![120.0; request.picture_len()];
    for subject in subjects_and_reference() {
        let mut session = subject.engine(1).session(&request).unwrap();
        // An entry is the mean of the bank if both are the same: it has no direction either.
        session.set_banks(&[Bank { layer: tap.layer, features: vec![3.0; 128] }]).unwrap();
        let matches = session.find_matches(&flat).unwrap();
        assert!(matches[0].indices.iter().all(|&entry| entry == 0), "{}", subject.name);
        let seen = session.forward(&flat).unwrap();
        let mut pixels = vec![f32::NAN; request.picture_len()];
        session.backward(&Random(1).gradients(&seen), &mut pixels).unwrap();
        assert_eq!(seen.matched[0].sum, 30.0, "{} {LEAST_NORM}", subject.name);
        assert!(pixels.iter().all(|&value| value == 0.0), "{}", subject.name);
    }
}

/// Bands, and what is computed again, change no bit.
#[test]
fn bands_change_nothing() {
    let whole = Strategy { computed_again: 0, band_rows: 1 << 20, chunk_tiles: 1 };
    let others = [
        Strategy { computed_again: 1, band_rows: 64, chunk_tiles: 128 },
        Strategy { computed_again: 0, band_rows: 16, chunk_tiles: 1 },
        Strategy { computed_again: 7, band_rows: 20, chunk_tiles: 30 },
        Strategy { computed_again: LAYER_COUNT, band_rows: 4, chunk_tiles: 1 },
    ];
    let taps = [("conv1_1", 65, true), ("conv2_1", 50, false), ("pool3", 20, true), ("conv4_1", 70, true)];
    let request = matched_request((133, 75), 0, &taps);
    let mut random = Random(31);
    let banks = banks(&request, &mut random);
    let pictures = [(); 3].map(|()| random.picture(133, 75));
    for (isa, engine) in f32_engines() {
        let run = |strategy, threads| {
            let mut session = engine.with_threads(threads).unwrap().with_strategy(strategy).open(&request).unwrap();
            let sampled = impasto_vgg::Session::sample(&mut session, &pictures[1]).unwrap();
            (sampled, evaluate(&mut session, &banks, &pictures, None))
        };
        let expected = run(whole, 2);
        for (index, strategy) in others.into_iter().enumerate() {
            assert!(run(strategy, 1 + index % 2) == expected, "{isa} {strategy:?}");
        }
    }
}

/// Banks and matches are counted in what a session takes.
#[test]
fn banks_are_counted() {
    let (_, engine) = f32_engines().next().unwrap();
    let bytes = |entries| {
        let request = matched_request((64, 64), 0, &[("conv4_1", entries, true)]);
        engine.session_bytes(&request).unwrap()
    };
    // Twice: in panels and entry by entry.
    assert_eq!(bytes(128) - bytes(64), 2 * 64 * 512 * 4);
    // A panel is of 64 entries.
    assert_eq!(bytes(64) - bytes(63), 512 * 4);
}

/// An engine that does not match, before one that does.
#[test]
fn where_the_first_does_not_match_the_spare_does() {
    let request = matched_request((12, 9), 0, &[("conv2_1", 5, true)]);
    let without = SessionRequest { matched_taps: Vec::new(), ..request.clone() };
    let spare = || Box::new(ReferenceEngine::new(Weights::embedded()));
    let engine = FallbackEngine::new(Box::new(support::matching::Matchless(spare())), spare(), Box::new(|_| {}));
    assert!(matches!(
        support::matching::Matchless(spare()).session(&request).err(),
        Some(EngineError::NoMatching { .. })
    ));
    let mut session = engine.session(&request).unwrap();
    assert_eq!(engine.session_bytes(&request).unwrap(), spare().session_bytes(&request).unwrap());
    session.set_banks(&banks(&request, &mut Random(1))).unwrap();
    session.find_matches(&Random(2).picture(12, 9)).unwrap();
    // It has not failed: what it can do it still does.
    assert_eq!(engine.failure(), None);
    engine.session(&without).unwrap();
    assert_eq!(engine.describe().name, "matchless");
}
