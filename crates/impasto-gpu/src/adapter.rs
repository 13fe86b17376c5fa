//! The GPUs of this machine, what they can do, and which one is meant by a choice.
//!
//! ```text
//!   adapters()            best first: discrete, integrated, virtual, other, software; each card once
//!   choose(&all, choice)  the best one, the best that is no software, or the one with a number
//!   Adapter::open()       a Device
//! ```

use std::fmt;

use crate::device::Device;

/// What kind of thing runs the shaders. The order is that of [`adapters`]: best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterKind {
    /// A card with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU handed into a virtual machine.
    Virtual,
    /// A driver that does not say.
    Other,
    /// The processor, by a driver such as Mesa's lavapipe or Windows' WARP: right, and slower than the CPU engine.
    Software,
}

/// Which adapter is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuChoice {
    /// The first of [`adapters`]; a software one if there is no other.
    Best,
    /// The first of [`adapters`] that is no software.
    Hardware,
    /// The one in this place of [`adapters`], from 0.
    Number(usize),
}

/// Why there is no adapter to take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdapterError {
    /// No loader, no driver, or no card.
    #[error(
        "no GPU can be used here, for {} was found; {}, or leave --device out to paint on the CPU",
        missing(),
        remedy()
    )]
    Nothing,
    /// Only the processor would run the shaders.
    #[error(
        "no GPU but the software one {name} was found; choose it with --device gpu, or paint on the CPU, which is faster"
    )]
    OnlySoftware {
        /// Its name.
        name: String,
    },
    /// A number beyond the last.
    #[error("there is no gpu:{asked} here, where {}; `impasto devices` lists them", counted(*count))]
    Number {
        /// The number that was asked for.
        asked: usize,
        /// How many there are.
        count: usize,
    },
    /// The driver would not open the device.
    #[error(
        "{name} could not be opened ({reason}); update its driver, choose another with --device gpu:N, or paint with --device cpu"
    )]
    Refused {
        /// The adapter's name.
        name: String,
        /// What the driver said.
        reason: String,
    },
}

/// A GPU of this machine.
#[derive(Clone)]
pub struct Adapter {
    adapter: wgpu::Adapter,
    info: wgpu::AdapterInfo,
}

/// Files that a GPU's driver makes on Linux: at least one of them is there where any card is.
const DEVICE_FILES: [&str; 6] =
    ["/dev/dri", "/dev/nvidiactl", "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali0", "/dev/nvhost-gpu"];

/// Whether there can be a GPU at all, told without waking any driver: on Linux by the files that their drivers make. Where it
/// cannot be told, `true`.
///
/// Asking this first spares machines without a GPU the loading of drivers, and what some of them print on that occasion.
#[must_use]
pub fn may_have_hardware() -> bool {
    std::env::consts::OS != "linux" || DEVICE_FILES.iter().any(|file| std::path::Path::new(file).exists())
}

/// Every GPU of this machine that can run compute shaders, best first: by [`AdapterKind`], then as the system lists them.
///
/// Where a card is there through two interfaces (Vulkan and DirectX 12), it is listed once, by the former. Empty where no
/// loader, driver or card is found; that is no error.
///
/// Where Mesa's layer that chooses a device (`VK_LAYER_MESA_device_select`) finds no XDG_RUNTIME_DIR in the environment, or none
/// that is an absolute path, libwayland says so on standard error. A program sees to that before it starts.
#[must_use]
pub fn adapters() -> Vec<Adapter> {
    let descriptor = wgpu::InstanceDescriptor {
        backends: wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12,
        // Neither debugging nor validation layers, not in debug builds either: they print, and are not on every machine.
        flags: wgpu::InstanceFlags::DISCARD_HAL_LABELS,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    let instance = wgpu::Instance::new(descriptor);
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let computes = |adapter: &wgpu::Adapter| {
        adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    };
    let adapters = found.into_iter().filter(computes);
    best_first(adapters.map(|adapter| Adapter { info: adapter.get_info(), adapter }).collect())
}

/// Sorts by kind and leaves out what DirectX 12 lists a second time.
fn best_first(mut adapters: Vec<Adapter>) -> Vec<Adapter> {
    let of_vulkan: Vec<(u32, u32)> = adapters
        .iter()
        .filter(|adapter| adapter.info.backend == wgpu::Backend::Vulkan)
        .map(|adapter| (adapter.info.vendor, adapter.info.device))
        .collect();
    adapters.retain(|Adapter { info, .. }| {
        info.backend != wgpu::Backend::Dx12 || !of_vulkan.contains(&(info.vendor, info.device))
    });
    adapters.sort_by_key(Adapter::kind);
    adapters
}

/// The adapter that is meant.
///
/// # Errors
/// [`AdapterError`], where it is not there.
pub fn choose(adapters: &[Adapter], choice: GpuChoice) -> Result<&Adapter, AdapterError> {
    let kinds: Vec<AdapterKind> = adapters.iter().map(Adapter::kind).collect();
    let place = place(&kinds, choice).map_err(|error| match (error, adapters.first()) {
        (AdapterError::OnlySoftware { .. }, Some(first)) => {
            AdapterError::OnlySoftware { name: first.name().to_owned() }
        }
        (error, _) => error,
    })?;
    adapters.get(place).ok_or(AdapterError::Nothing)
}

/// The place of the adapter that is meant among adapters of these kinds, best first.
fn place(kinds: &[AdapterKind], choice: GpuChoice) -> Result<usize, AdapterError> {
    match (choice, kinds.first()) {
        (_, None) => Err(AdapterError::Nothing),
        (GpuChoice::Hardware, Some(AdapterKind::Software)) => Err(AdapterError::OnlySoftware { name: String::new() }),
        (GpuChoice::Best | GpuChoice::Hardware, Some(_)) => Ok(0),
        (GpuChoice::Number(number), Some(_)) if number < kinds.len() => Ok(number),
        (GpuChoice::Number(asked), Some(_)) => Err(AdapterError::Number { asked, count: kinds.len() }),
    }
}

impl Adapter {
    /// Its name, as the driver gives it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Discrete, integrated, software.
    #[must_use]
    pub fn kind(&self) -> AdapterKind {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Other => AdapterKind::Other,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
        }
    }

    /// The interface that it is driven through: `Vulkan`, `Metal`, `DirectX 12`.
    #[must_use]
    pub fn interface(&self) -> &'static str {
        match self.info.backend {
            wgpu::Backend::Vulkan => "Vulkan",
            wgpu::Backend::Metal => "Metal",
            wgpu::Backend::Dx12 => "DirectX 12",
            _ => "another interface",
        }
    }

    /// The driver and its version, as it gives them; may be empty.
    #[must_use]
    pub fn driver(&self) -> String {
        format!("{} {}", self.info.driver, self.info.driver_info).trim().to_owned()
    }

    /// The largest buffer that it may be asked for, in bytes. How much memory it has, drivers do not say here.
    #[must_use]
    pub fn buffer_limit_bytes(&self) -> u64 {
        self.adapter.limits().max_buffer_size
    }

    /// The largest part of a buffer that a shader may see at once, in bytes.
    #[must_use]
    pub fn binding_limit_bytes(&self) -> u64 {
        self.adapter.limits().max_storage_buffer_binding_size
    }

    /// Whether shaders may compute in f16.
    #[must_use]
    pub fn has_f16(&self) -> bool {
        self.adapter.features().contains(wgpu::Features::SHADER_F16)
    }

    /// The least and the most threads of a subgroup, where shaders may use subgroup operations.
    #[must_use]
    pub fn subgroup_sizes(&self) -> Option<(u32, u32)> {
        let has_subgroups = self.adapter.features().contains(wgpu::Features::SUBGROUP);
        has_subgroups.then_some((self.info.subgroup_min_size, self.info.subgroup_max_size))
    }

    /// Whether it tells how long its work took.
    #[must_use]
    pub fn has_timestamps(&self) -> bool {
        self.adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// Opens it, with every feature and limit that it has and that this crate can use.
    ///
    /// # Errors
    /// [`AdapterError::Refused`], also where a driver does not keep to the limits that it named.
    pub fn open(&self) -> Result<Device, AdapterError> {
        self.open_as_if_binding(u64::MAX)
    }

    /// As [`Adapter::open`], as an adapter whose shaders see no more than `binding_bytes` of a buffer at once, which the
    /// device then holds its user to: for tests of what is done on such an adapter.
    ///
    /// # Errors
    /// As there.
    pub fn open_as_if_binding(&self, binding_bytes: u64) -> Result<Device, AdapterError> {
        Device::open(&self.adapter, &self.info, binding_bytes)
            .map_err(|reason| AdapterError::Refused { name: self.name().to_owned(), reason })
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}, {:?})", self.name(), self.interface(), self.kind())
    }
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            AdapterKind::Discrete => "discrete",
            AdapterKind::Integrated => "integrated",
            AdapterKind::Virtual => "virtual",
            AdapterKind::Other => "other",
            AdapterKind::Software => "software",
        })
    }
}

/// What has to be there for a GPU to be found, on this system.
fn missing() -> &'static str {
    match std::env::consts::OS {
        "macos" => "no device of Metal",
        "windows" => "no device of Vulkan or DirectX 12",
        _ => "no Vulkan loader (libvulkan.so.1) with a graphics driver",
    }
}

fn remedy() -> &'static str {
    match std::env::consts::OS {
        "linux" => "install your card's driver and libvulkan1",
        _ => "install your card's driver",
    }
}

fn counted(count: usize) -> String {
    match count {
        1 => "gpu:0 is the only one".to_owned(),
        count => format!("gpu:0 to gpu:{} are", count - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::AdapterKind::{Discrete, Integrated, Software};
    use super::*;

    #[test]
    fn software_is_taken_only_where_it_is_all_there_is_and_asked_for() {
        assert_eq!(place(&[Discrete, Integrated, Software], GpuChoice::Best), Ok(0));
        assert_eq!(place(&[Integrated, Software], GpuChoice::Hardware), Ok(0));
        assert_eq!(place(&[Software], GpuChoice::Best), Ok(0));
        assert!(matches!(place(&[Software], GpuChoice::Hardware), Err(AdapterError::OnlySoftware { .. })));
    }

    #[test]
    fn a_number_counts_from_zero() {
        assert_eq!(place(&[Discrete, Software], GpuChoice::Number(1)), Ok(1));
        let beyond = place(&[Discrete, Software], GpuChoice::Number(2)).unwrap_err();
        assert_eq!(beyond, AdapterError::Number { asked: 2, count: 2 });
        assert!(beyond.to_string().contains("no gpu:2 here, where gpu:0 to gpu:1 are"), "{beyond}");
    }

    #[test]
    fn nothing_is_one_sentence_with_a_way_out() {
        for choice in [GpuChoice::Best, GpuChoice::Hardware, GpuChoice::Number(0)] {
            let error = place(&[], choice).unwrap_err();
            assert_eq!(error, AdapterError::Nothing);
            assert!(error.to_string().contains("install your card's driver"), "{error}");
        }
    }
}
