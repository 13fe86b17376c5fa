//! Which engine runs, on which weights.

use std::path::PathBuf;
use std::sync::Arc;

use impasto::fetch::{RELEASES, cached_path, release};
use impasto::precision::precision_of;
use impasto::recipe::PrecisionChoice;
use impasto::{ResolvedRecipe, Scale};
use impasto_vgg::formats::read_file;
use impasto_vgg::{CpuEngine, CpuOptions, Engine, EngineError, FallbackEngine, Precision, Weights};

use crate::args::DeviceChoice;
use crate::failure::Failure;
use crate::gpu;
use crate::show::Voice;

/// The engine that a command runs: on the device that was asked for, with these weights; `threads` is `None` for all
/// processors. `voice` says what a person should know.
///
/// With `auto`, an engine on a GPU has one on the processor behind it.
///
/// # Errors
/// IMPASTO_ISA asks for what is not there; the GPU that was asked for is not there.
pub fn open_engine(
    weights: &Arc<Weights>,
    threads: Option<usize>,
    device: DeviceChoice,
    voice: &Voice,
) -> Result<Box<dyn Engine>, Failure> {
    // The processor works beside a GPU too: losses, optimisers, resizing, and where the GPU fails.
    let cpu = open_cpu(Arc::clone(weights), threads)?;
    let gpu = match device {
        DeviceChoice::Cpu => return Ok(Box::new(cpu)),
        DeviceChoice::Gpu => return gpu::open(None, weights),
        DeviceChoice::GpuNumber(number) => return gpu::open(Some(number), weights),
        DeviceChoice::Auto => gpu::open_for_auto(weights),
    };
    match gpu {
        Ok(None) => Ok(Box::new(cpu)),
        Ok(Some(gpu)) => {
            let voice = voice.clone();
            let told = move |error: &EngineError| voice.note(&format!("{error}; going on with the processor"));
            Ok(Box::new(FallbackEngine::new(gpu, Box::new(cpu), Box::new(told))))
        }
        Err(why) => {
            voice.note(&format!("{why}; using the processor"));
            Ok(Box::new(cpu))
        }
    }
}

/// The processor's engine for these weights; `threads` is `None` for all processors.
///
/// # Errors
/// [`EngineError::Isa`] where IMPASTO_ISA asks for what is not there.
pub fn open_cpu(weights: Arc<Weights>, threads: Option<usize>) -> Result<CpuEngine, EngineError> {
    // What works beside the engine (resizing, losses, optimisers) shares rayon's own pool. Where that is running
    // already it keeps its threads: their number changes no result.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build_global();
    CpuEngine::new(weights, CpuOptions { threads, ..CpuOptions::default() })
}

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

/// The file that weights come from, where they are not inside the program: a fetched release's by its name.
pub fn weights_file(name: &str) -> Option<PathBuf> {
    match name {
        "embedded" | "normalised" => None,
        _ => Some(release(name).and_then(cached_path).unwrap_or_else(|| PathBuf::from(name))),
    }
}

/// The weights that a recipe names, `embedded`, `normalised`, a fetched release or a file, with what a person should know about them.
///
/// # Errors
/// A file that cannot be read or does not hold VGG-19.
pub fn load_weights(name: &str) -> Result<(Arc<Weights>, Vec<String>), Failure> {
    let Some(path) = weights_file(name) else {
        let weights = if name == "normalised" { Weights::normalised() } else { Weights::embedded() };
        return Ok((weights, Vec::new()));
    };
    if release(name).is_some() && !path.exists() {
        return Err(Failure::failed(format_args!(
            "the weights {name} are not on this machine yet; run `impasto weights fetch {name}`, or leave --weights out for the embedded ones"
        )));
    }
    let is_a_name = !name.contains(['.', '/', '\\']);
    if is_a_name && !path.exists() {
        let releases = RELEASES.map(|release| release.name).join(", ");
        return Err(Failure::failed(format_args!(
            "there are no weights \"{name}\", by name or as a file; name embedded, normalised, {releases} or a file (`impasto weights list`)"
        )));
    }
    let file = read_file(&path).map_err(|error| Failure::file(&path, error))?;
    let notes = file.notes.iter().map(|note| format!("{name}: {note}")).collect();
    let weights = Weights::from_convolutions(file.convolutions).map_err(|error| Failure::file(&path, error))?;
    Ok((Arc::new(weights), notes))
}
