//! A GPU that is open: its queue, its limits, and what went wrong on it.
//!
//! wgpu tells of errors when and where it likes: to a handler, often long after the call that caused them. Here they are
//! kept, the first one first, until somebody asks with [`Device::check`]; no error of a GPU ends the program.

use std::sync::{Arc, Mutex, PoisonError};

use impasto_vgg::EngineError;

/// What went wrong on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceFault {
    /// There was not enough memory on it. The device goes on; what was to be made is not there.
    OutOfMemory,
    /// The device is gone: its driver was reset or updated, a watchdog ended its work, or the card was taken away.
    Lost {
        /// What the driver said; may be empty.
        reason: String,
    },
    /// A call that the driver refused, which is a fault of this program or of the driver.
    Refused {
        /// What was said.
        reason: String,
    },
}

/// An open GPU. Cheap to clone: clones share one device and its faults.
#[derive(Clone, Debug)]
pub struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    fault: Arc<Mutex<Option<DeviceFault>>>,
}

/// Features that are asked for where the adapter has them: a clock for the profile.
const WANTED: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY;

impl Device {
    /// Opens an adapter: with its own limits, or, where its driver does not keep to what it named, with those that every
    /// WebGPU adapter has, and without any feature that can be done without. Of a buffer, a shader sees no more than
    /// `binding_bytes` at once.
    pub(crate) fn open(
        adapter: &wgpu::Adapter,
        info: &wgpu::AdapterInfo,
        binding_bytes: u64,
    ) -> Result<Device, String> {
        let request = |required_features: wgpu::Features, required_limits: wgpu::Limits| {
            let memory_hints = wgpu::MemoryHints::MemoryUsage;
            let label = Some("impasto");
            let rest = wgpu::DeviceDescriptor::default();
            let max_storage_buffer_binding_size = required_limits.max_storage_buffer_binding_size.min(binding_bytes);
            let required_limits = wgpu::Limits { max_storage_buffer_binding_size, ..required_limits };
            let descriptor = wgpu::DeviceDescriptor { label, required_features, required_limits, memory_hints, ..rest };
            pollster::block_on(adapter.request_device(&descriptor))
        };
        let opened = request(adapter.features() & WANTED, adapter.limits())
            .or_else(|_| request(wgpu::Features::empty(), wgpu::Limits::default()));
        let (device, queue) = opened.map_err(|error| one_line(&error.to_string()))?;
        let fault = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error| keep_first(&kept, DeviceFault::from_wgpu(&error))));
        let kept = Arc::clone(&fault);
        device.set_device_lost_callback(move |_, reason| {
            keep_loss(&kept, DeviceFault::Lost { reason: one_line(&reason) });
        });
        Ok(Device { device, queue, info: info.clone(), fault })
    }

    /// wgpu's device.
    #[must_use]
    pub fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// wgpu's queue.
    #[must_use]
    pub fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// What may be asked of it: sizes of buffers, bindings, workgroups.
    #[must_use]
    pub fn limits(&self) -> wgpu::Limits {
        self.device.limits()
    }

    /// The largest part of a buffer that a shader may see at once, in bytes.
    #[must_use]
    pub fn binding_limit_bytes(&self) -> u64 {
        let limits = self.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }

    /// What it can do beyond the least.
    #[must_use]
    pub fn features(&self) -> wgpu::Features {
        self.device.features()
    }

    /// The adapter behind it.
    #[must_use]
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    /// Name and interface, for people and for the recipe that a picture carries: `NVIDIA GeForce RTX 4070 (Vulkan)`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} ({:?})", one_line(&self.info.name), self.info.backend)
    }

    /// What went wrong first, since the device was opened or [`Device::take_fault`] was called.
    #[must_use]
    pub fn fault(&self) -> Option<DeviceFault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As [`Device::fault`], and forgets it, for who has an answer to it. A loss is not forgotten.
    #[must_use]
    pub fn take_fault(&self) -> Option<DeviceFault> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match &*fault {
            Some(DeviceFault::Lost { .. }) => fault.clone(),
            _ => fault.take(),
        }
    }

    /// Keeps a fault as if the driver had told of it.
    pub(crate) fn note(&self, fault: DeviceFault) {
        keep_first(&self.fault, fault);
    }

    /// Whether all went well so far.
    ///
    /// # Errors
    /// The first fault, as [`EngineError::Device`] with a sentence for people.
    pub fn check(&self) -> Result<(), EngineError> {
        self.fault().map_or(Ok(()), |fault| Err(self.error(&fault)))
    }

    /// Waits until all submitted work is done, and tells whether it went well.
    ///
    /// # Errors
    /// As [`Device::check`].
    pub fn wait(&self) -> Result<(), EngineError> {
        if let Err(error) = self.device.poll(wgpu::PollType::wait_indefinitely()) {
            keep_first(&self.fault, DeviceFault::Lost { reason: one_line(&error.to_string()) });
        }
        self.check()
    }

    /// The sentence for a fault of this device.
    #[must_use]
    pub fn error(&self, fault: &DeviceFault) -> EngineError {
        let name = self.name();
        EngineError::Device(match fault {
            DeviceFault::OutOfMemory => format!(
                "{name} has too little free memory; close what else uses it, lower --memory-limit or --size, or paint with --device cpu"
            ),
            DeviceFault::Lost { reason } => format!(
                "{name} was lost in the middle of its work{}; update its driver, or paint with --device cpu",
                in_brackets(reason)
            ),
            DeviceFault::Refused { reason } => {
                format!("{name} refused its work{}; paint with --device cpu, and please report it", in_brackets(reason))
            }
        })
    }
}

impl DeviceFault {
    fn from_wgpu(error: &wgpu::Error) -> DeviceFault {
        match error {
            wgpu::Error::OutOfMemory { .. } => DeviceFault::OutOfMemory,
            error => DeviceFault::Refused { reason: one_line(&error.to_string()) },
        }
    }
}

/// Keeps a fault where there is none yet: the later ones are its consequences.
fn keep_first(kept: &Mutex<Option<DeviceFault>>, fault: DeviceFault) {
    kept.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
}

/// Keeps a loss whatever came before it: nothing can be done on the device any more.
fn keep_loss(kept: &Mutex<Option<DeviceFault>>, loss: DeviceFault) {
    *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(loss);
}

/// What a driver said, for the middle of a sentence; some say nothing.
fn in_brackets(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

/// Drivers write whole paragraphs; a sentence has one line, and an end.
fn one_line(text: &str) -> String {
    const MOST_LETTERS: usize = 200;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|letter| !letter.is_control()).take(MOST_LETTERS).collect()
}
