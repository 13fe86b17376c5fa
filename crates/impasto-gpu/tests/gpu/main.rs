//! The GPU engine, on the best adapter of this machine: on one without a GPU, Mesa's software Vulkan. Where there is none
//! at all, every test says so and passes.

#[path = "../../../impasto-vgg/tests/support/mod.rs"]
mod support;

mod bands;
mod bindings;
mod conformance;
mod evaluation;
mod faults;
mod golden;
mod guides;
mod half;
mod history;
mod losses;
mod matching;
mod memory;
mod paint;
mod ties;
mod tiles;

use std::sync::OnceLock;

use impasto_gpu::{AdapterKind, Device, GpuChoice, GpuEngine, adapters, choose};
use impasto_vgg::Weights;

use support::subjects::Subject;

/// A device of its own; `None`, with a word about it, where there is no adapter.
pub fn device() -> Option<Device> {
    let adapters = adapters();
    match choose(&adapters, GpuChoice::Best) {
        Ok(adapter) => Some(adapter.open().expect("the best adapter opens")),
        Err(error) => {
            assert!(std::env::var_os("IMPASTO_REQUIRE_GPU").is_none(), "a GPU is required, and {error}");
            println!("skipped: {error}");
            None
        }
    }
}

/// The engine under test, made once, so that shaders are compiled once.
pub fn engine() -> Option<&'static GpuEngine> {
    static ENGINE: OnceLock<Option<GpuEngine>> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| Some(GpuEngine::new(device()?, Weights::embedded())));
    engine.as_ref()
}

/// Whether every case is tried. On software Vulkan each takes seconds, so there it is only where `IMPASTO_GPU_SERIES` is set, as
/// `scripts/gpu_series.sh` does.
fn is_whole() -> bool {
    static WHOLE: OnceLock<bool> = OnceLock::new();
    *WHOLE.get_or_init(|| {
        let adapters = adapters();
        let is_software =
            choose(&adapters, GpuChoice::Best).is_ok_and(|adapter| adapter.kind() == AdapterKind::Software);
        !is_software || std::env::var_os("IMPASTO_GPU_SERIES").is_some()
    })
}

/// As [`is_whole`], with a word where a test is left to the series.
pub fn is_whole_series() -> bool {
    if !is_whole() {
        println!("skipped: on software Vulkan scripts/gpu_series.sh has the time for this");
    }
    is_whole()
}

/// All of these cases; each `step`-th, the first among them, where not every case is tried.
pub fn cases<T>(step: usize, all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    all.into_iter().step_by(if is_whole() { 1 } else { step })
}

/// The engine under test, for what every engine has to do; none where there is no adapter.
pub fn subjects() -> Vec<Subject> {
    let subject = |engine: &'static GpuEngine| Subject::new("gpu", |_| Box::new(engine.clone()));
    let engines = engine().into_iter().map(subject);
    engines.map(|subject| if is_whole() { subject } else { subject.in_part() }).collect()
}
