//! GPUs, as a front end meets them: opened by number, or by `auto`, which takes none on trust.

use std::sync::Arc;

use impasto::selftest::{EMBEDDED_GOLDEN, GoldenFile};
use impasto_gpu::{Adapter, AdapterError, Device, GpuChoice, GpuEngine, adapters, choose, may_have_hardware};
use impasto_vgg::{Engine, Weights};

use super::row::Row;
use crate::failure::Failure;

/// Every GPU, in the order of their numbers; `auto` takes the first or none.
pub fn rows(auto_takes_first: bool) -> Vec<Row> {
    let row = |(number, adapter): (usize, &Adapter)| Row {
        device: format!("gpu:{number}"),
        name: adapter.name().to_owned(),
        kind: adapter.kind().to_string(),
        interface: Some(adapter.interface()),
        driver: Some(adapter.driver()),
        threads: None,
        buffer_limit_mib: Some(adapter.buffer_limit_bytes() >> 20),
        binding_limit_mib: Some(adapter.binding_limit_bytes() >> 20),
        f16: adapter.has_f16(),
        subgroups: adapter.subgroup_sizes(),
        timestamps: adapter.has_timestamps(),
        auto: auto_takes_first && number == 0,
    };
    adapters().iter().enumerate().map(row).collect()
}

/// The engine on the GPU with this number, or on the best.
///
/// # Errors
/// There is none, or it does not open.
pub fn open(number: Option<usize>, weights: &Arc<Weights>) -> Result<Box<dyn Engine>, Failure> {
    let choice = number.map_or(GpuChoice::Best, GpuChoice::Number);
    let device = choose(&adapters(), choice).and_then(Adapter::open).map_err(Failure::failed)?;
    Ok(with_loss(engine(device.clone(), weights), device))
}

/// The engine on the GPU that `auto` takes; `None` where there is no GPU but software.
///
/// # Errors
/// Why the GPU that is there is left alone, as the first half of a sentence: it does not open, or computes wrong.
pub fn open_for_auto(weights: &Arc<Weights>) -> Result<Option<Box<dyn Engine>>, String> {
    Ok(take_for_auto()?.map(|device| with_loss(engine(device.clone(), weights), device)))
}

/// Whether `auto` takes a GPU, which is then the first.
///
/// # Errors
/// As [`open_for_auto`].
pub fn is_taken_by_auto() -> Result<bool, String> {
    take_for_auto().map(|device| device.is_some())
}

fn take_for_auto() -> Result<Option<Device>, String> {
    if !may_have_hardware() && !takes_software() {
        return Ok(None);
    }
    let choice = if takes_software() { GpuChoice::Best } else { GpuChoice::Hardware };
    let device = match choose(&adapters(), choice).and_then(Adapter::open) {
        Ok(device) => device,
        Err(AdapterError::Refused { name, reason }) => return Err(format!("{name} could not be opened ({reason})")),
        Err(_) => return Ok(None),
    };
    // Drivers differ, and a wrong one would paint a wrong picture for hours.
    let tried = GoldenFile::read(EMBEDDED_GOLDEN)
        .and_then(|golden| golden.compare(&*engine(device.clone(), &Weights::embedded())));
    match tried {
        Ok(report) if report.ok => Ok(Some(device)),
        Ok(_) => Err(format!("{} computes wrong here (`impasto selftest --device gpu` says how)", device.name())),
        Err(error) => Err(error.to_string()),
    }
}

fn engine(device: Device, weights: &Arc<Weights>) -> Box<dyn Engine> {
    Box::new(GpuEngine::new(device, Arc::clone(weights)))
}

#[cfg(debug_assertions)]
use super::rehearsal::{takes_software, with_loss};

/// Never, but in a rehearsal.
#[cfg(not(debug_assertions))]
fn takes_software() -> bool {
    false
}

/// The engine as it is.
#[cfg(not(debug_assertions))]
fn with_loss(engine: Box<dyn Engine>, _device: Device) -> Box<dyn Engine> {
    engine
}
