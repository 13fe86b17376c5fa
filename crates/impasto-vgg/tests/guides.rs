//! Regions and emphasis: the specification against finite differences and golden files, and every engine against it.

mod support;

use impasto_vgg::{
    Engine, EngineError, FallbackEngine, Guides, Layer, Observation, ObservationGradients, ReferenceEngine,
    SessionRequest, Weights,
};
use support::conformance::{KINDS, guided_pictures, named, request};
use support::golden::Golden;
use support::golden_regions::{errors, files};
use support::guides::{self, Guideless, Kind, Maps};
use support::random::Random;
use support::subjects::{cpu_engines, subjects, subjects_and_reference};

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
    guides::ones_change_no_byte(&subjects_and_reference(), &[(1, 1), (18, 21)]);
    guides::ones_change_no_byte(&subjects(), &[(37, 45), (9, 150)]);
}

#[test]
fn shared_out_regions_add_up() {
    guides::shared_out_regions_add_up(&subjects_and_reference());
}

#[test]
fn nothing_is_seen_from_outside() {
    guides::nothing_is_seen_from_outside(&subjects_and_reference());
}

#[test]
fn same_bytes_for_any_threads_and_any_masks_before() {
    guides::same_bytes_for_any_threads_and_any_masks_before(&subjects());
}

#[test]
fn guides_may_be_given_tap_by_tap() {
    guides::guides_may_be_given_tap_by_tap(&subjects());
}

#[test]
fn calls_out_of_order_are_errors_in_words() {
    guides::calls_out_of_order_are_errors_in_words(&subjects_and_reference());
}

#[test]
fn what_does_not_fit_is_an_error_in_words() {
    guides::what_does_not_fit_is_an_error_in_words(&subjects_and_reference());
}

#[test]
fn an_empty_region_is_an_error_that_says_who_sees_it() {
    guides::an_empty_region_is_an_error_that_says_who_sees_it(&subjects_and_reference());
}

/// The reference's own gradient, against central differences of what it observes.
#[test]
fn the_references_gradient_is_the_derivative() {
    for (kind, masks) in KINDS.into_iter().zip([Kind::Noise, Kind::Soft, Kind::Stripes, Kind::Overlapping]) {
        let taps = [named("conv1_1"), named("pool1"), named("conv2_2"), named("conv3_1")];
        let guides = Guides { regions: 3, emphasis: true };
        let request = SessionRequest { guides, ..request((7, 6), kind, &taps, &[named("conv2_1")]) };
        let pictures = guided_pictures(&request, Maps::new(&request, masks, 2), 11);
        let mut session = ReferenceEngine::new(Weights::embedded()).session(&request).unwrap();
        session.set_content(&pictures.content).unwrap();
        pictures.maps.give_to(&mut *session);
        for pixel in (0..request.picture_len()).step_by(7) {
            let mut loss_at = |step: f32| {
                let mut moved = pictures.image.clone();
                moved[pixel] += step;
                linear_loss(&session.forward(&moved).unwrap(), &pictures.gradients)
            };
            // A power of two: the moved pixel is exact in f32.
            let step = 1.0 / 4096.0;
            let difference = (loss_at(step) - loss_at(-step)) / (2.0 * f64::from(step));
            let gradient = f64::from(pictures.expected_pixels[pixel]);
            let scale = pictures.expected_pixels.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
            assert!((difference - gradient).abs() <= 1e-5 * f64::from(scale), "{kind:?}: {difference} {gradient}");
        }
    }
}

/// The loss whose derivative by the observation is `gradients` everywhere.
fn linear_loss(observed: &Observation, gradients: &ObservationGradients) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let moments = observed.moments.iter().zip(&gradients.moments);
    let moments = moments.map(|(seen, by)| dot(&seen.mean, &by.mean) + dot(&seen.second, &by.second));
    let distances = observed.distances.iter().zip(&gradients.distances);
    moments.sum::<f64>() + distances.map(|(seen, by)| seen.sum_of_squares * by).sum::<f64>()
}

#[test]
fn the_golden_files_bounds_are_kept() {
    for path in files() {
        let golden = Golden::read(&path);
        let [guides, moments, losses, gradient] = errors(&ReferenceEngine::new(Weights::embedded()), &golden);
        // Guides, moments and gradients are stored as f32, losses as f64.
        assert!(guides <= 1e-7 && moments <= 1e-7, "{guides:e} {moments:e}");
        assert!(losses <= 1e-12 && gradient <= 1e-6, "{losses:e} {gradient:e}");
        for subject in subjects() {
            let [_, moments, losses, gradient] = errors(&*subject.engine(2), &golden);
            println!("{} {}: {moments:.1e} {losses:.1e} {gradient:.1e}", golden.name, subject.name);
            assert!(moments <= 2e-5, "{} {}: {moments:e}", golden.name, subject.name);
            assert!(losses <= 1e-5, "{} {}: {losses:e}", golden.name, subject.name);
            assert!(gradient <= 5e-3, "{} {}: {gradient:e}", golden.name, subject.name);
        }
    }
}

/// An engine without guides is the spare's affair, without having failed.
#[test]
fn an_engine_without_guides_leaves_such_sessions_to_the_spare() {
    let (_, cpu) = &cpu_engines()[0];
    let engine = FallbackEngine::new(
        Box::new(Guideless(Box::new(cpu.clone()))),
        Box::new(cpu.clone()),
        Box::new(|error| panic!("it has not failed: {error}")),
    );
    let plain = request((7, 9), KINDS[0], &[named("conv1_1")], &[]);
    for guides in [Guides { regions: 2, emphasis: false }, Guides { regions: 0, emphasis: true }] {
        let request = SessionRequest { guides, ..plain.clone() };
        let error = Guideless(Box::new(cpu.clone())).session(&request).err();
        assert!(matches!(error, Some(EngineError::NoGuides { .. })));
        assert_eq!(engine.session_bytes(&request).unwrap(), cpu.session_bytes(&request).unwrap());
        let mut session = engine.session(&request).unwrap();
        session.set_content(&Random(1).picture(7, 9)).unwrap();
        Maps::mixed(&request, 1).give_to(&mut *session);
        assert_eq!(session.forward(&Random(1).picture(7, 9)).unwrap().moments.len(), guides.moments_a_tap());
    }
    assert!(engine.failure().is_none());
    let layers: Vec<Layer> = plain.moment_places().map(|(layer, _)| layer).collect();
    assert_eq!(layers, plain.style_taps);
}
