//! Regions and emphasis: the specification against finite differences and golden files, and every engine against it.

mod support;

use std::path::{Path, PathBuf};

use impasto_vgg::guides::{guide_sum, moments_of_region};
use impasto_vgg::{
    Engine, EngineError, FallbackEngine, Guides, Layer, MomentGradients, Moments, Observation, ObservationGradients,
    ReferenceEngine, SessionRequest, Weights,
};
use support::conformance::{KINDS, guided_pictures, named, request};
use support::errors::request as golden_request;
use support::golden::Golden;
use support::guides::{self, Guideless, Kind, Maps};
use support::random::Random;
use support::subjects::{cpu_engines, subjects, subjects_and_reference};
use support::{paper, relative_l2, relative_max, widen};

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

/// Golden files of regions beside the repository; none, and a word about it, where there are none.
fn golden_files() -> Vec<PathBuf> {
    let named = std::env::var_os("IMPASTO_GOLDEN").map(PathBuf::from);
    let beside = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden"));
    let Ok(entries) = std::fs::read_dir(beside.join("losses")) else {
        println!("skipped: there is no {}", beside.join("losses").display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The worst errors on a golden file: guides, moments, losses, gradient (l2).
fn golden_errors(engine: &dyn Engine, golden: &Golden) -> [f64; 4] {
    let values = |name: &str| -> Vec<f32> { golden.tensors[name].values.iter().map(|&value| value as f32).collect() };
    let guides = Guides { regions: golden.tensors["content_masks"].shape[0], emphasis: false };
    let layers = paper::style_layers();
    let guided = SessionRequest { guides, ..golden_request(golden, layers.clone(), Vec::new()) };
    let mut session = engine.session(&guided).unwrap();
    session.set_masks(&values("style_masks")).unwrap();
    let style = session.forward(&golden.picture("style_rgb")).unwrap().moments;
    let masks = values("content_masks");
    session.set_masks(&masks).unwrap();
    let seen = session.forward(&golden.picture("input_rgb")).unwrap().moments;

    let mut errors = [0.0; 4];
    for (layer, pooled) in layers.iter().zip(guided.pool_masks(&masks).unwrap()) {
        let expected = &golden.tensors[&format!("guides_{layer}")].values;
        errors[0] = relative_max(&widen(&pooled.values), expected).max(errors[0]);
    }
    for region in 0..guides.regions {
        for moments in moments_of_region(&seen, guides, region) {
            for (name, ours) in [("mean", &moments.mean), ("second", &moments.second)] {
                if let Some(expected) = golden.tensors.get(&format!("{name}_{}_{region}", moments.layer)) {
                    errors[1] = relative_max(ours, &expected.values).max(errors[1]);
                }
            }
        }
    }
    let positions = guided.height * guided.width;
    let shares: Vec<f64> = masks.chunks(positions).map(|mask| guide_sum(mask) / positions as f64).collect();
    let (mut total, mut losses, mut by_moments) = (0.0, vec![Vec::new(); guides.regions], Vec::new());
    for (place, (ours, target)) in seen.iter().zip(&style).enumerate() {
        let region = place % guides.regions;
        let weight = shares[region] / layers.len() as f64;
        let (loss, gradient) = region_loss(ours, target, weight);
        total += weight * loss;
        losses[region].push(loss);
        by_moments.push(gradient);
    }
    let ours = std::iter::once(total).chain(losses.concat());
    for (ours, expected) in ours.zip(&golden.tensors["losses_regions"].values) {
        errors[2] = ((ours - expected) / expected).abs().max(errors[2]);
    }
    let gradients = ObservationGradients { moments: by_moments, distances: Vec::new(), matched: Vec::new() };
    let mut pixels = vec![f32::NAN; guided.picture_len()];
    session.backward(&gradients, &mut pixels).unwrap();
    errors[3] = relative_l2(&widen(&pixels), &golden.tensors["grad_regions"].values);
    errors
}

/// E_l of one region, and its derivative times `weight`.
fn region_loss(ours: &Moments, target: &Moments, weight: f64) -> (f64, MomentGradients) {
    let channels = ours.mean.len() as f64;
    let difference: Vec<f64> = ours.second.iter().zip(&target.second).map(|(ours, target)| ours - target).collect();
    let loss = difference.iter().map(|value| value * value).sum::<f64>() / (4.0 * channels * channels);
    let second = difference.iter().map(|value| weight * value / (2.0 * channels * channels)).collect();
    (loss, MomentGradients { mean: Vec::new(), second })
}

#[test]
fn the_golden_files_bounds_are_kept() {
    for path in golden_files() {
        let golden = Golden::read(&path);
        let [guides, moments, losses, gradient] = golden_errors(&ReferenceEngine::new(Weights::embedded()), &golden);
        // Guides, moments and gradients are stored as f32, losses as f64.
        assert!(guides <= 1e-7 && moments <= 1e-7, "{guides:e} {moments:e}");
        assert!(losses <= 1e-12 && gradient <= 1e-6, "{losses:e} {gradient:e}");
        for subject in subjects() {
            let [_, moments, losses, gradient] = golden_errors(&*subject.engine(2), &golden);
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
