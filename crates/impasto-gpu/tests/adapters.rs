//! What this machine has of GPUs: that adapters are found, open with their own limits, and tell of faults instead of panicking.
//!
//! Mesa's software Vulkan (lavapipe) is enough. Where nothing is found, the tests say so and pass, unless IMPASTO_REQUIRE_GPU
//! is set, as .ci/run does once it has installed lavapipe.

use impasto_gpu::{Adapter, AdapterError, AdapterKind, Device, DeviceFault, GpuChoice, adapters, choose};

/// The best adapter, or `None` with a word about it.
fn adapter() -> Option<Adapter> {
    let all = adapters();
    match choose(&all, GpuChoice::Best) {
        Ok(adapter) => Some(adapter.clone()),
        Err(error) => {
            assert!(std::env::var_os("IMPASTO_REQUIRE_GPU").is_none(), "a GPU is required, and {error}");
            println!("skipped: {error}");
            None
        }
    }
}

fn buffer(device: &Device, size: u64) -> wgpu::Buffer {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    device.device().create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
}

#[test]
fn adapters_stand_in_order_and_say_what_they_are() {
    let Some(first) = adapter() else { return };
    let all = adapters();
    assert!(all.windows(2).all(|pair| pair[0].kind() <= pair[1].kind()), "{all:?}");
    assert!(!first.name().is_empty());
    assert!(first.binding_limit_bytes() >= 128 << 20);
    assert!(first.buffer_limit_bytes() >= first.binding_limit_bytes().min(256 << 20));
    let beyond = choose(&all, GpuChoice::Number(all.len())).unwrap_err();
    assert_eq!(beyond, AdapterError::Number { asked: all.len(), count: all.len() });
    if all.iter().all(|adapter| adapter.kind() == AdapterKind::Software) {
        let error = choose(&all, GpuChoice::Hardware).unwrap_err();
        assert_eq!(error, AdapterError::OnlySoftware { name: first.name().to_owned() });
    }
}

#[test]
fn a_device_opens_with_the_limits_of_its_adapter() {
    let Some(adapter) = adapter() else { return };
    let device = adapter.open().unwrap();
    assert_eq!(device.limits().max_storage_buffer_binding_size, adapter.binding_limit_bytes());
    assert_eq!(device.limits().max_buffer_size, adapter.buffer_limit_bytes());
    assert!(device.name().starts_with(adapter.name()), "{}", device.name());
    drop(buffer(&device, 1 << 20));
    device.wait().unwrap();
}

#[test]
fn a_refused_call_is_kept_as_a_fault_and_taken_once() {
    let Some(adapter) = adapter() else { return };
    let device = adapter.open().unwrap();
    // No adapter has buffers of this size.
    drop(buffer(&device, (1 << 62) + 4));
    let error = device.check().unwrap_err().to_string();
    assert!(error.starts_with(adapter.name()) && error.contains("--device cpu"), "{error}");
    assert!(device.take_fault().is_some());
    assert_eq!(device.take_fault(), None);
    device.check().unwrap();
}

#[test]
fn a_lost_device_says_so_from_then_on() {
    let Some(adapter) = adapter() else { return };
    let device = adapter.open().unwrap();
    device.device().destroy();
    let error = device.wait().unwrap_err().to_string();
    assert!(error.contains("was lost in the middle of its work") && !error.contains("()"), "{error}");
    // Destroyed from here, the driver says nothing of why.
    let silent = device.error(&DeviceFault::Lost { reason: String::new() }).to_string();
    assert!(silent.contains("in the middle of its work; update its driver"), "{silent}");
    assert!(matches!(device.take_fault(), Some(DeviceFault::Lost { .. })));
    assert!(device.check().is_err());
}
