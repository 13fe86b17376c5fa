//! Something that can compute, as it is listed.

use serde::Serialize;

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
