//! What is said of an engine beside a recipe.

use impasto::precision::precision_of;
use impasto::recipe::PrecisionChoice;
use impasto::{ResolvedRecipe, Scale};
use impasto_vgg::{Engine, Precision};

/// What a recipe says of the engine that ran it: `cpu avx512`, and with a precision other than f32 what came of it:
/// `cpu avx512, bf16 at coarse sizes, then mixed`. Asked again after a run that may have changed engines.
pub fn engine_note(engine: &dyn Engine, recipe: &ResolvedRecipe, scales: &[Scale]) -> String {
    let description = engine.describe();
    let note = format!("{} {}", description.name, description.isa);
    let [coarse, full] = [false, true].map(|is_full| precision_of(recipe.precision, engine, is_full));
    let name = |precision: Precision| format!("{precision:?}").to_lowercase();
    match scales.len() {
        _ if recipe.precision == PrecisionChoice::F32 => note,
        2.. if coarse != full => format!("{note}, {} at coarse sizes, then {}", name(coarse), name(full)),
        _ => format!("{note}, {}", name(full)),
    }
}

/// What a person should know where the recipe asks for what the engine does not have.
pub fn precision_note(engine: &dyn Engine, recipe: &ResolvedRecipe) -> Option<String> {
    let description = engine.describe();
    let isa = &description.isa;
    match recipe.precision {
        PrecisionChoice::Bf16 if !description.has_bf16 => {
            Some(format!("--precision bf16: {isa} has no bfloat16 products; painting in f32"))
        }
        PrecisionChoice::F16 if !description.has_f16 => {
            Some(format!("--precision f16: only GPUs keep maps in half precision, {isa} does not; painting in f32"))
        }
        _ => None,
    }
}
