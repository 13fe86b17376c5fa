//! Faults that no test can wait for, made to order.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::device::{Device, DeviceFault};

/// What is to go wrong on an engine: for tests of what stands above it. Nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimulatedFaults {
    /// The device has no memory for a session or a history of more bytes than this.
    pub memory_bytes: Option<u64>,
    /// The device has no memory left at this submission, the first being 1, and once.
    pub out_of_memory_at: Option<u64>,
    /// The device is lost after this many submissions.
    pub lost_after: Option<u64>,
}

/// Counts submissions until a simulated fault is due.
#[derive(Debug, Default)]
pub struct FaultClock {
    faults: SimulatedFaults,
    submissions: AtomicU64,
}

impl FaultClock {
    /// A clock for these faults.
    pub fn new(faults: SimulatedFaults) -> FaultClock {
        FaultClock { faults, submissions: AtomicU64::new(0) }
    }

    /// Before a session or a history of so many bytes is made.
    pub fn before_session(&self, device: &Device, bytes: u64) {
        if self.faults.memory_bytes.is_some_and(|most| bytes > most) {
            device.note(DeviceFault::OutOfMemory);
        }
    }

    /// Before each submission.
    pub fn before_submission(&self, device: &Device) {
        let count = self.submissions.fetch_add(1, Ordering::Relaxed) + 1;
        if self.faults.out_of_memory_at == Some(count) {
            device.note(DeviceFault::OutOfMemory);
        }
        if self.faults.lost_after.is_some_and(|last| count > last) {
            // The driver's own way: all that is asked of the device from now on fails.
            device.device().destroy();
        }
    }
}
