//! Which engine runs, on which weights.

use std::path::Path;
use std::sync::Arc;

use impasto_vgg::formats::read_file;
use impasto_vgg::{CpuEngine, CpuOptions, EngineError, Weights};

use crate::failure::Failure;

/// The engine for these weights; `threads` is `None` for all processors.
///
/// # Errors
/// [`EngineError::Isa`] where IMPASTO_ISA asks for what is not there.
pub fn open_engine(weights: Arc<Weights>, threads: Option<usize>) -> Result<CpuEngine, EngineError> {
    // What works beside the engine (resizing, losses, optimisers) shares rayon's own pool. Where that is running
    // already it keeps its threads: their number changes no result.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build_global();
    CpuEngine::new(weights, CpuOptions { threads, ..CpuOptions::default() })
}

/// The weights that a recipe names, `embedded` or a file, with what a person should know about them.
///
/// # Errors
/// A file that cannot be read or does not hold VGG-19.
pub fn load_weights(name: &str) -> Result<(Arc<Weights>, Vec<String>), Failure> {
    if name == "embedded" {
        return Ok((Weights::embedded(), Vec::new()));
    }
    let path = Path::new(name);
    let file = read_file(path).map_err(|error| Failure::file(path, error))?;
    let notes = file.notes.iter().map(|note| format!("{name}: {note}")).collect();
    Ok((Arc::new(Weights { convolutions: file.convolutions }), notes))
}
