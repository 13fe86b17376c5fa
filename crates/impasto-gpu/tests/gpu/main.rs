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

use impasto_gpu::{Device, GpuChoice, GpuEngine, adapters, choose};
use impasto_vgg::Weights;

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
