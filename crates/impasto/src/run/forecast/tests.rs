//! What a forecast counts.

use impasto_vgg::{EngineDescription, Session};

use super::*;
use crate::recipe::Recipe;

#[test]
fn what_does_not_grow_with_the_picture_is_not_scaled() {
    let sample = |side: usize, seconds| Sample { pixels: side * side, seconds };
    // An H100's evaluations at 256, 512 and 2048 (docs/records/2026-11-26-gpu-h100.md).
    let pace = Pace::between(sample(256, 0.0055), sample(512, 0.01165));
    assert!((pace.seconds(2048 * 2048) - 0.137).abs() < 0.01, "{pace:?}");
    // Something else was at work: the larger one counts.
    for (small, large) in [(0.02, 0.02), (0.02, 0.01), (0.001, 0.02)] {
        let pace = Pace::between(sample(192, small), sample(384, large));
        assert_eq!(pace, Pace::through(sample(384, large)));
    }
    assert_eq!(pace.over(2.0).seconds(100), pace.seconds(100) / 2.0);
}

/// A card whose sessions take `SESSION` bytes, and whose history takes a byte a value.
struct Card;
const SESSION: u64 = 1 << 24;

impl Engine for Card {
    fn describe(&self) -> EngineDescription {
        EngineDescription {
            name: "gpu".into(),
            isa: "card".into(),
            threads: 1,
            has_bf16: false,
            gains_from_bf16: false,
            has_f16: false,
            has_own_memory: true,
            has_guides: true,
        }
    }

    fn session(&self, _: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        Err(EngineError::NO_CONTENT)
    }

    fn session_bytes(&self, _: &SessionRequest) -> Result<u64, EngineError> {
        Ok(SESSION)
    }

    fn history_bytes(&self, capacity: usize, values: usize) -> u64 {
        (capacity * values) as u64
    }
}

/// Two layers of 512 channels, each with four matrices of f64 and the eigenvalues' own room, beside three smaller ones.
#[test]
fn the_matrices_of_a_style_loss_are_counted() {
    let full = Scale { width: 64, height: 64, evaluations: 50 };
    let bytes = |style_loss| {
        let recipe = Recipe { style_loss: Some(style_loss), ..Recipe::default() }.resolve().unwrap();
        memory_beside_network(&recipe, &full, 4096)
    };
    let matrices = 8 * 512 * 512 * size_of::<f64>() as u64;
    let more = bytes(StyleLoss::Wasserstein) - bytes(StyleLoss::Gram);
    assert!((matrices..4 * matrices).contains(&more), "{more} of {matrices}");
    assert_eq!(bytes(StyleLoss::MeanVariance), bytes(StyleLoss::Gram));
}

#[test]
fn no_more_pairs_are_counted_than_evaluations_make() {
    let bytes = |evaluations| {
        let recipe = Recipe { history: Some(10), ..Recipe::default() }.resolve().unwrap();
        memory_beside_network(&recipe, &Scale { width: 64, height: 64, evaluations }, 0)
    };
    // Two pictures in bfloat16.
    let pair = 2 * 2 * 3 * 64 * 64;
    assert_eq!(bytes(4) - bytes(3), pair);
    assert_eq!(bytes(12) - bytes(3), 9 * pair);
    assert_eq!(bytes(1000), bytes(12), "ten are remembered while another is made");
}

#[test]
fn a_history_on_the_device_is_counted_where_it_fits() {
    let scales = [Scale { width: 64, height: 64, evaluations: 50 }];
    let bytes = |recipe: &Recipe, limit| {
        let recipe = recipe.resolve().unwrap();
        memory_need(&recipe, &Card, &scales, 4096, &[(64, 64)], limit).unwrap().device_bytes
    };
    let lbfgs = Recipe { optimizer: Some(OptimizerKind::Lbfgs), history: Some(80), ..Recipe::default() };
    // No more pairs than evaluations.
    let whole = SESSION + 50 * 3 * 64 * 64;
    assert_eq!(bytes(&lbfgs, None), whole);
    assert_eq!(bytes(&lbfgs, Some(whole)), whole);
    assert_eq!(bytes(&lbfgs, Some(whole - 1)), SESSION);
    let adam = Recipe { optimizer: Some(OptimizerKind::Adam), ..Recipe::default() };
    assert_eq!(bytes(&adam, None), SESSION);
}
