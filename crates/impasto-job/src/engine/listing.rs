//! What can compute here, and what `auto` takes.

use impasto_vgg::{Engine, Weights};
use serde::Serialize;

use super::{gpu, open_cpu};
use crate::failure::Failure;

/// Something that can compute.
#[derive(Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name as a [`DeviceChoice`](super::DeviceChoice): `cpu`, `gpu:0`.
    pub device: String,
    /// The processor's instruction set, or the GPU's name.
    pub name: String,
    /// `processor`, `discrete`, `integrated`, `virtual`, `other`, `software`.
    pub kind: String,
    /// `Vulkan`, `Metal`, `DirectX 12`; null for the processor.
    pub interface: Option<&'static str>,
    /// The driver and its version; null for the processor.
    pub driver: Option<String>,
    /// The processor's threads; null for a GPU.
    pub threads: Option<usize>,
    /// The largest buffer, in MiB; null for the processor.
    pub buffer_limit_mib: Option<u64>,
    /// The largest part of a buffer that a shader sees at once, in MiB; null for the processor.
    pub binding_limit_mib: Option<u64>,
    /// Whether shaders compute in f16.
    pub f16: bool,
    /// Least and most threads of a subgroup; null where there are no subgroup operations.
    pub subgroups: Option<(u32, u32)>,
    /// Whether it tells how long its work took.
    pub timestamps: bool,
    /// Whether `auto` takes it.
    pub auto: bool,
}

/// Everything that can compute here.
#[derive(Debug, PartialEq)]
pub struct Listing {
    /// The processor, then the GPUs in the order of their numbers.
    pub rows: Vec<Row>,
    /// Whether `auto` takes the first GPU; else why the GPU that is there is left alone, as half a sentence.
    pub auto_takes_gpu: Result<bool, String>,
}

/// Lists the processor and the GPUs.
///
/// # Errors
/// IMPASTO_ISA asks for what is not there.
pub fn list() -> Result<Listing, Failure> {
    let cpu = open_cpu(Weights::embedded(), None)?.describe();
    let auto_takes_gpu = gpu::is_taken_by_auto();
    let takes_gpu = matches!(auto_takes_gpu, Ok(true));
    let mut rows = vec![Row {
        device: "cpu".into(),
        name: cpu.isa,
        kind: "processor".into(),
        interface: None,
        driver: None,
        threads: Some(cpu.threads),
        buffer_limit_mib: None,
        binding_limit_mib: None,
        f16: false,
        subgroups: None,
        timestamps: false,
        auto: !takes_gpu,
    }];
    rows.extend(gpu::rows(takes_gpu));
    Ok(Listing { rows, auto_takes_gpu })
}
