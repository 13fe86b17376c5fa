//! What every engine has to do, checked on all of them: the same numbers as the reference, the same bytes whatever the
//! threads, errors in words where calls come out of order.

mod support;

use impasto_vgg::{Engine, Observation, ObservationGradients, ReferenceEngine, Weights};
use support::conformance::{self, KINDS, named, pictures, request};
use support::subjects::{subjects, subjects_and_reference};

#[test]
fn every_layer_tapped_at_once() {
    conformance::every_layer_tapped_at_once(&subjects());
}

#[test]
fn each_layer_as_the_only_tap() {
    conformance::each_layer_as_the_only_tap(&subjects());
}

#[test]
fn the_papers_taps() {
    conformance::the_papers_taps(&subjects());
}

#[test]
fn feature_maps_of_every_layer() {
    conformance::feature_maps_of_every_layer(&subjects());
}

#[test]
fn same_bytes_for_any_threads_and_any_history() {
    conformance::same_bytes_for_any_threads_and_any_history(&subjects());
}

#[test]
fn without_a_way_back_the_same_is_seen() {
    conformance::without_a_way_back_the_same_is_seen(&subjects_and_reference());
}

#[test]
fn calls_out_of_order_are_errors_in_words() {
    conformance::calls_out_of_order_are_errors_in_words(&subjects_and_reference());
}

#[test]
fn requests_and_lengths_that_do_not_fit_are_errors_in_words() {
    conformance::requests_and_lengths_that_do_not_fit_are_errors_in_words(&subjects_and_reference());
}

#[test]
fn no_taps_at_all() {
    conformance::no_taps_at_all(&subjects_and_reference());
}

/// The reference's own gradient, against central differences of what it observes: within the linear piece that a
/// picture lies in, moments are quadratic in the pixels, so that the central difference is exact.
#[test]
fn the_references_gradient_is_the_derivative() {
    for kind in KINDS {
        let taps = [named("conv1_1"), named("pool1"), named("conv2_2"), named("conv3_1")];
        let request = request((7, 6), kind, &taps, &[named("conv2_1")]);
        let pictures = pictures(&request, 11);
        let mut session = ReferenceEngine::new(Weights::embedded()).session(&request).unwrap();
        session.set_content(&pictures.content).unwrap();
        for pixel in (0..request.picture_len()).step_by(5) {
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
