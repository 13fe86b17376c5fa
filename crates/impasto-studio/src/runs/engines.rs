//! What computes: one set of engines, for the device that was last asked for.

use std::sync::{Mutex, PoisonError};

use impasto_job::engine::{Row, list, processor};
use impasto_job::{DeviceChoice, Engines, Voice};

use crate::wire::DeviceInfo;

/// The engines of the device that was last asked for.
pub struct EnginePool {
    threads: Option<usize>,
    voice: Voice,
    open: Mutex<Option<(DeviceChoice, Engines)>>,
}

impl EnginePool {
    /// None is open yet.
    pub fn new(threads: Option<usize>, voice: Voice) -> EnginePool {
        EnginePool { threads, voice, open: Mutex::new(None) }
    }

    /// Does something with the engines of this device, which stay open for the next; those of another are closed before.
    pub fn with<T>(&self, device: DeviceChoice, work: impl FnOnce(&mut Engines) -> T) -> T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = open.as_ref().is_some_and(|(opened, _)| *opened == device);
        if !is_open {
            // First, so that there are never two networks in memory.
            *open = None;
        }
        let (_, engines) = open.get_or_insert_with(|| {
            (device, Engines::for_many_jobs(device, self.threads, std::sync::Arc::clone(&self.voice)))
        });
        work(engines)
    }

    /// Says something to a person.
    pub fn say(&self, sentence: &str) {
        (self.voice)(sentence);
    }
}

impl std::fmt::Debug for EnginePool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EnginePool").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// What can paint here; the processor alone where the others cannot be asked, and where it is what was chosen: whoever says
/// `--device cpu` may have a driver that does no good.
pub fn devices(chosen: DeviceChoice) -> Vec<DeviceInfo> {
    if chosen == DeviceChoice::Cpu {
        return processor(true).into_iter().map(named).collect();
    }
    let auto = DeviceInfo { id: "auto".to_owned(), name: "the best there is".to_owned() };
    let rows = list().map(|listing| listing.rows).unwrap_or_default();
    [auto].into_iter().chain(rows.into_iter().map(named)).collect()
}

fn named(row: Row) -> DeviceInfo {
    let name = if row.device == "cpu" { format!("processor ({})", row.name) } else { row.name };
    DeviceInfo { name, id: row.device }
}
