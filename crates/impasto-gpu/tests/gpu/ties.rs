//! Windows whose largest values are equal: the gradient goes to the first of them alone.

use impasto_vgg::{Border, Engine, Pooling, ReferenceEngine, Weights};

use crate::engine;
use crate::support::conformance::{named, request};
use crate::support::random::Random;
use crate::support::{relative_max, widen};

/// A picture of one colour: its inner windows hold the same value four times.
#[test]
fn the_first_of_equal_values_wins() {
    let Some(gpu) = engine() else { return };
    let request = request((14, 18), (Pooling::Max, Border::Replicate), &[named("conv2_1")], &[]);
    let plane = request.height * request.width;
    let picture: Vec<f32> = [200.0, 90.0, 40.0].into_iter().flat_map(|value| vec![value; plane]).collect();
    let reference = ReferenceEngine::new(Weights::embedded());
    let mut gradients = None;
    let mut gradient = |engine: &dyn Engine| {
        let mut session = engine.session(&request).unwrap();
        let seen = session.forward(&picture).unwrap();
        let gradients = gradients.get_or_insert_with(|| Random(4).gradients(&seen));
        let mut pixels = vec![f32::NAN; request.picture_len()];
        session.backward(gradients, &mut pixels).unwrap();
        widen(&pixels)
    };
    let expected = gradient(&reference);
    let error = relative_max(&gradient(gpu), &expected);
    assert!(error <= 1e-4, "the gradient is off by {error:e}");
}
