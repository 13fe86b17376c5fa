//! What makes all machines paint the same bytes.
//!
//! A processor's engine gives the same bits on every processor that has its instruction set, for any number of threads and any memory,
//! in f32. GPUs round as they like, products of bfloat16 differ from one instruction set to the other, and the eigenvalues of the
//! Wasserstein loss are computed by whatever the processor has.

use impasto::ResolvedRecipe;
use impasto::recipe::{PrecisionChoice, StyleLoss};
use impasto_job::Failure;
use impasto_vgg::EngineDescription;

/// The engine that all machines have to have, as in `cpu avx2`.
///
/// # Errors
/// Choices under which machines differ, all of them, with what to choose instead.
pub fn engine(named: Option<&str>, recipe: &ResolvedRecipe, found: &EngineDescription) -> Result<String, Failure> {
    let mut missing = Vec::new();
    if named.is_none() {
        missing.push(format!(
            "set IMPASTO_ISA to what every machine has, avx2 or portable (this one has {})",
            if found.name == "cpu" { found.isa.as_str() } else { "a GPU" }
        ));
    }
    if found.name != "cpu" {
        missing.push("--device cpu".to_owned());
    }
    if recipe.precision != PrecisionChoice::F32 {
        missing.push("--precision f32".to_owned());
    }
    // At any time of the run.
    let losses = [recipe.style_loss];
    if losses.contains(&StyleLoss::Wasserstein) {
        missing.push("another --style-loss than wasserstein".to_owned());
    }
    match missing.is_empty() {
        true => Ok(format!("{} {}", found.name, found.isa)),
        false => {
            Err(Failure::usage(format_args!("--portable: machines would paint other bytes; {}", missing.join("; "))))
        }
    }
}
