//! What a recipe's choice of arithmetic means on an engine.

use impasto_vgg::{Engine, Precision};

use crate::recipe::PrecisionChoice;

/// The precision of a scale. `is_full` says whether it is the full size: what coarser ones paint is a start, for which
/// bfloat16 products both ways will do. At the full size they cost in progress what they gain in time, and on the way back
/// alone they cost nothing (docs/records/2026-11-24-optimiser.md).
pub fn precision_of(choice: PrecisionChoice, engine: &dyn Engine, is_full: bool) -> Precision {
    let description = engine.describe();
    match choice {
        PrecisionChoice::F16 if description.has_f16 => Precision::F16,
        _ if !description.has_bf16 => Precision::F32,
        PrecisionChoice::F32 | PrecisionChoice::F16 => Precision::F32,
        PrecisionChoice::Bf16 => Precision::Bf16,
        PrecisionChoice::Auto if !description.gains_from_bf16 => Precision::F32,
        PrecisionChoice::Auto if is_full => Precision::Mixed,
        PrecisionChoice::Auto => Precision::Bf16,
    }
}
