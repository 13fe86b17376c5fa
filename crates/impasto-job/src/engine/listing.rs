//! What can compute here, and what `auto` takes.

use impasto_vgg::{Engine, Weights};

use super::gpu;
use super::open::open_cpu;
use super::row::Row;
use crate::failure::Failure;

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
    let auto_takes_gpu = gpu::is_taken_by_auto();
    let takes_gpu = matches!(auto_takes_gpu, Ok(true));
    let mut rows = vec![processor(!takes_gpu)?];
    rows.extend(gpu::rows(takes_gpu));
    Ok(Listing { rows, auto_takes_gpu })
}

/// The processor, where no driver of a GPU is to be woken.
///
/// # Errors
/// IMPASTO_ISA asks for what is not there.
pub fn processor(auto: bool) -> Result<Row, Failure> {
    let cpu = open_cpu(Weights::embedded(), None)?.describe();
    Ok(Row {
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
        auto,
    })
}
