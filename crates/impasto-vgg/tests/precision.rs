//! What bfloat16 products change and what they leave alone: `Mixed` observes what f32 does (exactly, or in tile registers
//! within the bound of the losses), gradients stay as close
//! as eight bits allow, and going back to f32 gives f32's bits.

mod support;

use impasto_vgg::{
    Border, Engine, Layer, Observation, ObservationGradients, Pooling, Precision, ReferenceEngine, Session,
    SessionRequest, Weights,
};
use support::random::Random;
use support::relative_l2;
use support::subjects::cpu_engines;
use support::widen;

/// Gradients of products with eight bits, in relative L2 (measured elsewhere: 5 to 8% for the whole network).
const BF16_BOUND: f64 = 0.12;

/// Moments and distances of products in two parts, relative to the largest: what `selftest` allows a loss.
const TWO_PARTS_BOUND: f64 = 1e-5;

/// The largest difference of any moment or distance, relative to the largest of its layer.
fn observation_error(ours: &Observation, expected: &Observation) -> f64 {
    let of = |ours: &[f64], expected: &[f64]| {
        let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        ours.iter().zip(expected).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs())) / largest
    };
    let moments = ours.moments.iter().zip(&expected.moments);
    let of_moments = moments.map(|(a, b)| of(&a.mean, &b.mean).max(of(&a.second, &b.second)));
    let distances = ours.distances.iter().zip(&expected.distances);
    let of_distances = distances.map(|(a, b)| of(&[a.sum_of_squares], &[b.sum_of_squares]));
    of_moments.chain(of_distances).fold(0.0, f64::max)
}

fn request(precision: Precision) -> SessionRequest {
    let named = |name: &str| Layer::named(name).unwrap();
    SessionRequest {
        height: 40,
        width: 52,
        pooling: Pooling::Average,
        border: Border::Replicate,
        precision,
        style_taps: ["conv1_1", "conv2_1", "conv3_1", "conv4_1"].map(named).to_vec(),
        content_taps: vec![named("conv4_2")],
        matched_taps: Vec::new(),
        guides: impasto_vgg::Guides::default(),
        way_back: true,
        memory_limit_bytes: None,
    }
}

/// One evaluation with the pictures and derivatives of one seed; `gradients` are made on the first call.
fn evaluate(session: &mut dyn Session, gradients: &mut Option<ObservationGradients>) -> (Observation, Vec<f32>) {
    let mut random = Random(17);
    let (content, image) = (random.picture(40, 52), random.picture(40, 52));
    session.set_content(&content).unwrap();
    let observed = session.forward(&image).unwrap();
    let gradients = gradients.get_or_insert_with(|| random.gradients(&observed));
    let mut pixels = vec![f32::NAN; 3 * 40 * 52];
    session.backward(gradients, &mut pixels).unwrap();
    (observed, pixels)
}

#[test]
fn mixed_observes_what_f32_does_and_blurs_the_gradient_a_little() {
    let mut gradients = None;
    let reference = ReferenceEngine::new(Weights::embedded());
    let (_, expected) = evaluate(&mut *reference.session(&request(Precision::F32)).unwrap(), &mut gradients);
    for (name, engine) in cpu_engines() {
        let mut run = |precision| evaluate(&mut engine.open(&request(precision)).unwrap(), &mut gradients);
        let (exact, mixed, bf16) = (run(Precision::F32), run(Precision::Mixed), run(Precision::Bf16));
        assert_eq!(run(Precision::F16), exact, "{name} keeps no maps in half precision: f32 takes their place");
        if engine.describe().isa == "amx" {
            let error = observation_error(&mixed.0, &exact.0);
            assert!(error > 0.0 && error < TWO_PARTS_BOUND, "{name}: {error}");
        } else {
            assert_eq!(mixed.0, exact.0, "{name}");
        }
        let error = |pixels: &[f32]| relative_l2(&widen(pixels), &widen(&expected));
        let errors = [&exact, &mixed, &bf16].map(|(_, pixels)| error(pixels));
        if engine.describe().has_bf16 {
            assert!(errors[1] < BF16_BOUND && errors[2] < BF16_BOUND, "{name}: {errors:?}");
            assert!(errors[0] < errors[1] && errors[1] < errors[2], "{name}: {errors:?}");
            assert_ne!(bf16.0, exact.0, "{name}");
        } else {
            assert_eq!((&mixed, &bf16), (&exact, &exact), "{name} has no such products: f32 takes their place");
        }
    }
}

#[test]
fn a_session_that_changes_its_precision_is_as_one_opened_with_it() {
    let mut gradients = None;
    for (name, engine) in cpu_engines() {
        let opened = [Precision::F32, Precision::Mixed, Precision::Bf16]
            .map(|precision| (precision, evaluate(&mut engine.open(&request(precision)).unwrap(), &mut gradients)));
        let mut session = engine.open(&request(Precision::Bf16)).unwrap();
        for place in [2, 1, 0, 2, 0, 1] {
            let (precision, expected) = &opened[place];
            session.set_precision(*precision);
            assert_eq!(&evaluate(&mut session, &mut gradients), expected, "{name} {precision:?}");
        }
    }
}
