//! VGG-19 on any GPU: Vulkan, Metal and DirectX 12 through wgpu, with shaders of our own in WGSL.
//!
//! Nothing is linked and no SDK is needed: drivers are looked for when the program runs, and a machine without any is told
//! so in one sentence ([`AdapterError::Nothing`]).
//!
//! Where to look:
//! - [`adapter`]: the GPUs of this machine, what they can do, and which one is meant by a choice;
//! - [`device`]: one of them, opened: its queue, its limits, and what went wrong on it;
//! - [`GpuEngine`]: the engine: its device, pipelines and weights, shared by sessions, each of which walks a plan of
//!   `impasto_vgg::plan` over its maps (rings of rows) and taps. What it computes stands in `shaders/`.
#![forbid(unsafe_code)]

pub mod adapter;
mod bindings;
mod content;
pub mod device;
mod engine;
mod faults;
mod guides;
mod history;
mod injection;
mod maps;
mod matching;
mod memory;
mod pipelines;
mod recorder;
mod shape;
mod shared;
mod stopwatch;
mod storage;
mod style;
mod sums;
mod upload;
mod walk;
mod weights;

pub use adapter::{Adapter, AdapterError, AdapterKind, GpuChoice, adapters, choose, may_have_hardware};
pub use device::{Device, DeviceFault};
pub use engine::{GpuEngine, GpuSession};
pub use faults::SimulatedFaults;
