//! Which engine runs, on which weights; and one that stays open from job to job.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use impasto_vgg::cpu::memory::{Free, free};
use impasto_vgg::formats::ChannelOrder;
use impasto_vgg::{CpuEngine, CpuOptions, Engine, EngineError, FallbackEngine, Weights};

use super::device::DeviceChoice;
use super::gpu;
use super::remembered::{MomentsMemory, RememberingEngine};
use super::weights::{load_weights, weights_file};
use crate::failure::Failure;

/// Is told what a person should know of an engine at any time, from any thread: that a GPU is left alone, or failed.
pub type Voice = Arc<dyn Fn(&str) + Send + Sync>;

/// Bytes that style images' moments may take between jobs: those of some fifty images at one size each.
const MOMENTS_LIMIT_BYTES: u64 = 256 << 20;

/// What it takes to read weights and images before the run's own need is known, in bytes.
const LEAST_BYTES: u64 = 96 << 20;

/// Opens an engine on these weights.
type Opener = Box<dyn FnMut(&Arc<Weights>) -> Result<Box<dyn Engine>, Failure> + Send>;

/// The engines of a front end's jobs: the one that is open stays so for the next job on the same weights.
///
/// For one job after another ([`Engines::for_many_jobs`]) weights stay transformed, and the moments of style images are
/// remembered, so that only the first job waits for them. The answers are the same bits either way.
pub struct Engines {
    opener: Opener,
    moments: Option<Arc<MomentsMemory>>,
    open: Option<Open>,
}

/// The engine that is open.
struct Open {
    weights: WeightsKey,
    engine: Arc<dyn Engine>,
    notes: Vec<String>,
}

/// Weights by their name, and where they are a file by what it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct WeightsKey {
    name: String,
    input: Option<ChannelOrder>,
    file: Option<(PathBuf, u64, SystemTime)>,
}

impl WeightsKey {
    /// `None` where the file cannot be looked at: then it is read anew, and says why.
    fn of(name: &str, input: Option<ChannelOrder>) -> Option<WeightsKey> {
        let file = match weights_file(name) {
            None => None,
            Some(path) => {
                let found = path.metadata().ok()?;
                Some((path.canonicalize().ok()?, found.len(), found.modified().ok()?))
            }
        };
        Some(WeightsKey { name: name.to_owned(), input, file })
    }
}

impl Engines {
    /// Engines on this device for a job by itself; `threads` is `None` for all processors. `voice` is told what a person
    /// should know.
    #[must_use]
    pub fn for_one_job(device: DeviceChoice, threads: Option<usize>, voice: Voice) -> Engines {
        let opener: Opener = Box::new(move |weights| open_engine(weights, threads, device, &voice, false));
        Engines { opener, moments: None, open: None }
    }

    /// As [`Engines::for_one_job`], for several jobs one after another: what the first has prepared stays.
    #[must_use]
    pub fn for_many_jobs(device: DeviceChoice, threads: Option<usize>, voice: Voice) -> Engines {
        Engines::opened_by(move |weights| open_engine(weights, threads, device, &voice, true))
    }

    /// Engines of a front end's own making, for several jobs one after another; the moments of style images are remembered
    /// before them.
    #[must_use]
    pub fn opened_by(
        opener: impl FnMut(&Arc<Weights>) -> Result<Box<dyn Engine>, Failure> + Send + 'static,
    ) -> Engines {
        let moments = Some(Arc::new(MomentsMemory::new(MOMENTS_LIMIT_BYTES)));
        Engines { opener: Box::new(opener), moments, open: None }
    }

    /// The engine on the weights that a recipe names ([`load_weights`]), with what a person should know about them.
    ///
    /// # Errors
    /// Too little memory to begin; weights that cannot be read; as [`open_engine`].
    pub fn open(
        &mut self,
        weights: &str,
        input: Option<ChannelOrder>,
    ) -> Result<(Arc<dyn Engine>, Vec<String>), Failure> {
        let key = WeightsKey::of(weights, input);
        if let Some(open) = self.open.as_ref().filter(|open| Some(&open.weights) == key.as_ref()) {
            return Ok((Arc::clone(&open.engine), open.notes.clone()));
        }
        // The one before goes first, so that there are never two networks in memory.
        self.close();
        check_room(free())?;
        let (loaded, notes) = load_weights(weights, input)?;
        let opened = (self.opener)(&loaded)?;
        let engine: Arc<dyn Engine> = match &self.moments {
            None => Arc::from(opened),
            Some(moments) => Arc::new(RememberingEngine::new(opened, Arc::clone(moments))),
        };
        if let Some(weights) = key {
            self.open = Some(Open { weights, engine: Arc::clone(&engine), notes: notes.clone() });
        }
        Ok((engine, notes))
    }

    /// Gives the memory of the open engine back, and of what was remembered of its style images. Jobs that are prepared
    /// keep theirs.
    pub fn close(&mut self) {
        self.open = None;
        // Moments are those of a network.
        if let Some(moments) = &self.moments {
            moments.clear();
        }
    }

    /// The style images' moments that are remembered; `None` with [`Engines::for_one_job`].
    #[must_use]
    pub fn moments(&self) -> Option<&MomentsMemory> {
        self.moments.as_deref()
    }
}

/// Refuses to begin where what is free would not even do for reading: later, what is refused could not be said any more.
fn check_room(free: Option<Free>) -> Result<(), Failure> {
    match free {
        Some(free) if free.bytes < LEAST_BYTES => Err(Failure::failed(format_args!(
            "impasto needs at least {} MiB of memory to begin and {} MiB are free {}; raise that limit, or free some",
            LEAST_BYTES >> 20,
            free.bytes >> 20,
            free.bound.words()
        ))),
        _ => Ok(()),
    }
}

impl fmt::Debug for Engines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weights = self.open.as_ref().map(|open| &open.weights);
        formatter.debug_struct("Engines").field("open", &weights).finish_non_exhaustive()
    }
}

/// An engine on the device that was asked for, with these weights; `threads` is `None` for all processors. `voice` is told
/// what a person should know. With `keeps_weights`, a processor's engine keeps transformed weights for later sessions.
///
/// With `auto`, an engine on a GPU has one on the processor behind it.
///
/// # Errors
/// IMPASTO_ISA asks for what is not there; the GPU that was asked for is not there.
pub fn open_engine(
    weights: &Arc<Weights>,
    threads: Option<usize>,
    device: DeviceChoice,
    voice: &Voice,
    keeps_weights: bool,
) -> Result<Box<dyn Engine>, Failure> {
    // The processor works beside a GPU too: losses, optimisers, resizing, and where the GPU fails.
    let cpu = open_cpu(Arc::clone(weights), threads)?;
    let cpu = if keeps_weights { cpu.keeping_weights() } else { cpu };
    let gpu = match device {
        DeviceChoice::Cpu => return Ok(Box::new(cpu)),
        DeviceChoice::Gpu => return gpu::open(None, weights),
        DeviceChoice::GpuNumber(number) => return gpu::open(Some(number), weights),
        DeviceChoice::Auto => gpu::open_for_auto(weights),
    };
    match gpu {
        Ok(None) => Ok(Box::new(cpu)),
        Ok(Some(gpu)) => {
            let voice = Arc::clone(voice);
            let told = move |error: &EngineError| voice(&format!("{error}; going on with the processor"));
            Ok(Box::new(FallbackEngine::new(gpu, Box::new(cpu), Box::new(told))))
        }
        Err(why) => {
            voice(&format!("{why}; using the processor"));
            Ok(Box::new(cpu))
        }
    }
}

/// The processor's engine for these weights; `threads` is `None` for all processors.
///
/// # Errors
/// [`EngineError::Isa`] where IMPASTO_ISA asks for what is not there.
pub fn open_cpu(weights: Arc<Weights>, threads: Option<usize>) -> Result<CpuEngine, EngineError> {
    // What works beside the engine (resizing, losses, optimisers) shares rayon's own pool. Where that is running
    // already it keeps its threads: their number changes no result.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build_global();
    CpuEngine::new(weights, CpuOptions { threads, ..CpuOptions::default() })
}
