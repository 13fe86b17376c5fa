//! The runs: those that wait, the one that is painted, and those that are kept; one painter, on a thread of its own.
//!
//! ```text
//!   request --begin--> line (16 at most) --next--> painter: Job -> Prepared -> events --> Live (what clients see)
//!                                                     |                                     |
//!   request --steer--> Steering (the job's handle) ---+          told: iteration, preview, state ... to every stream
//! ```
//!
//! What is kept on the disk is the truth: a [`Live`] run is what this process knows besides, and is forgotten with it.

mod about;
mod begin;
mod branching;
mod controls;
mod engines;
mod export;
mod figures;
mod forecast;
mod kept;
mod listing;
mod live;
mod order;
mod painter;
mod previews;
mod steering;
mod told;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use impasto::disk::{RealDisk, create_folder};
use impasto_job::{DeviceChoice, Failure, Voice};
use tokio::sync::{Semaphore, broadcast};

use crate::names::RunId;
use crate::shelf::Shelf;
use crate::shown::Showcase;
use crate::wire::{DeviceInfo, Example};
use engines::EnginePool;
use live::Live;

pub use painter::paint_all;
pub use steering::Order as Steer;
pub use told::{KEPT, Told};

/// Runs that wait, at most.
pub const WAITING: usize = 16;

/// Events that a stream may be behind before it is given a snapshot instead.
const TOLD: usize = 256;

/// The runs of one folder.
#[derive(Debug)]
pub struct Studio {
    folder: PathBuf,
    shelf: Arc<Shelf>,
    showcase: Arc<Showcase>,
    device: DeviceChoice,
    engines: EnginePool,
    devices: Mutex<Vec<DeviceInfo>>,
    examples: Mutex<Vec<Example>>,
    inner: Mutex<Inner>,
    changed: Condvar,
    told: broadcast::Sender<Arc<Told>>,
    /// Streams that are open.
    watchers: AtomicUsize,
    /// Whose turn it is to export, and to measure.
    exports: Semaphore,
    forecasts: Semaphore,
    paces: Mutex<forecast::Paces>,
    /// Images of runs that cannot be put on the shelf, so that nobody tries again and again.
    unreadable: Mutex<BTreeSet<String>>,
    began: Instant,
    /// Until when somebody waits for a picture, in milliseconds since the beginning.
    wanted_until_ms: AtomicU64,
}

/// What this process knows.
#[derive(Debug, Default)]
struct Inner {
    runs: BTreeMap<RunId, Live>,
    line: VecDeque<RunId>,
    is_closing: bool,
}

impl Studio {
    /// The studio of the runs in this folder. `threads` is `None` for all processors; `voice` is told what a person should
    /// know.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Path, device: DeviceChoice, threads: Option<usize>, voice: Voice) -> Result<Studio, Failure> {
        create_folder(&RealDisk, folder).map_err(Failure::failed)?;
        if folder.to_str().is_none() {
            return Err(Failure::usage("--runs has letters in it that are no text; give a folder of another name"));
        }
        let showcase = Arc::new(Showcase::default());
        let shelf = Arc::new(Shelf::open(folder, Arc::clone(&showcase))?);
        Ok(Studio {
            folder: folder.to_owned(),
            shelf,
            showcase,
            device,
            engines: EnginePool::new(threads, voice),
            devices: Mutex::default(),
            examples: Mutex::default(),
            inner: Mutex::default(),
            changed: Condvar::new(),
            told: broadcast::channel(TOLD).0,
            watchers: AtomicUsize::new(0),
            exports: Semaphore::new(1),
            forecasts: Semaphore::new(1),
            paces: Mutex::default(),
            unreadable: Mutex::default(),
            began: Instant::now(),
            wanted_until_ms: AtomicU64::new(0),
        })
    }

    /// The images and masks.
    pub fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// What paints where nothing else is chosen.
    pub fn device(&self) -> DeviceChoice {
        self.device
    }

    /// What can paint here, as far as it is known yet.
    pub fn devices(&self) -> Vec<DeviceInfo> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The pictures to begin with.
    pub fn examples(&self) -> Vec<Example> {
        self.examples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Finds out what takes a moment: the devices; and puts the shipped pictures on the shelf. What fails of it is left out.
    pub fn look_around(&self) {
        if let Ok(examples) = self.shelf.bring_examples() {
            *self.examples.lock().unwrap_or_else(PoisonError::into_inner) = examples;
        }
        let devices = engines::devices(self.device);
        *self.devices.lock().unwrap_or_else(PoisonError::into_inner) = devices;
    }

    /// Takes no more runs, and stops the one that is painted with a checkpoint.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.is_closing = true;
        let waiting = inner.line.len();
        inner.line.clear();
        inner.runs.values_mut().for_each(Live::stop);
        drop(inner);
        self.changed.notify_all();
        if waiting > 0 {
            let runs = if waiting == 1 { "a run that waited in line has" } else { "runs that waited in line have" };
            self.engines.say(&format!("{runs} not begun, and cannot be gone on with"));
        }
    }

    /// Whether somebody looks on, or waits for a picture.
    fn is_looked_at(&self) -> bool {
        self.watchers.load(Ordering::Relaxed) > 0 || self.now_ms() < self.wanted_until_ms.load(Ordering::Relaxed)
    }

    /// Somebody waits for a picture, for so long.
    fn want_picture(&self, wait: Duration) {
        let until = self.now_ms().saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self.wanted_until_ms.fetch_max(until, Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
