//! The GPU engine, on the best adapter of this machine: on one without a GPU, Mesa's software Vulkan. Where there is none
//! at all, every test says so and passes.

#[path = "../../../impasto-vgg/tests/support/mod.rs"]
mod support;

mod bands;
mod conformance;
mod golden;

use std::sync::OnceLock;

use impasto_gpu::{GpuChoice, GpuEngine, adapters, choose};
use impasto_vgg::Weights;

/// The engine under test, made once, so that shaders are compiled once.
pub fn engine() -> Option<&'static GpuEngine> {
    static ENGINE: OnceLock<Option<GpuEngine>> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| {
        let adapters = adapters();
        let adapter = choose(&adapters, GpuChoice::Best).ok()?;
        let device = adapter.open().expect("the best adapter opens");
        Some(GpuEngine::new(device, Weights::embedded()))
    });
    if engine.is_none() {
        println!("no Vulkan, Metal or DirectX 12 adapter is here: not checked");
    }
    engine.as_ref()
}
