//! The CPU engine: Winograd convolutions on whatever vectors the processor has, in bands of rows that stream through
//! all layers.
//!
//! ```text
//!   plan.rs      which rows of which layer when, and how many rows each map keeps
//!   session      walks that list -> maps (buffers and convolutions), taps (moments, distances, what they inject)
//!   kernels      winograd, direct (conv1_1), moments, injection, distance, matching: generic over the instruction set
//!   isa, buffer  vectors, and maps that several threads may write, in large pages: the only `unsafe` beside x86, amx and neon
//! ```
//!
//! **Architecture Invariant:** results are the same bits whatever the number of threads, the height of the bands and what
//! is kept between the way forward and the way back: every sum runs in an order that is fixed by absolute positions.

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "tile registers, which the compiler does not know, behind a token that proves them")]
mod amx;
#[expect(unsafe_code, reason = "the only pointer arithmetic: slices of one map that several threads write")]
pub mod buffer;
pub mod direct;
pub mod distance;
pub mod guides;
pub mod injection;
pub mod isa;
mod maps;
pub mod matching;
pub mod memory;
pub mod moments;
#[cfg(target_arch = "aarch64")]
#[expect(unsafe_code, reason = "loads and stores of vectors, behind a token that proves the processor")]
pub mod neon;
#[expect(unsafe_code, reason = "slices of memory that the system maps for us")]
mod pages;
pub mod panels;
pub mod portable;
mod session;
mod taps;
pub mod tiles;
pub mod winograd;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "loads and stores of vectors, behind a token that proves the processor")]
pub mod x86;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;

pub use self::session::CpuSession;

use self::direct::FirstConvolution;
use self::isa::InstructionSet;
use self::memory::Free;
use self::winograd::{Scratch, WinogradWeights};
use crate::engine::{Engine, EngineDescription, Precision, Session, SessionRequest};
use crate::error::EngineError;
use crate::layers::{Layer, LayerKind};
use crate::plan::{Plan, Strategy};
use crate::weights::{CONVOLUTION_COUNT, Weights};

/// What can be chosen about a [`CpuEngine`].
#[derive(Clone, Debug, Default)]
pub struct CpuOptions {
    /// Threads to use; `None` for as many as the machine has processors.
    pub threads: Option<usize>,
    /// `portable`, `avx2`, `avx512`, `amx` or `neon`; `None` for what `IMPASTO_ISA` names, or the best there is.
    pub isa: Option<String>,
}

/// What a session takes at most where it could do with less in a tenth more time, and no limit is set.
const MODEST_BYTES: u64 = 5 << 30;

/// VGG-19 on the processor. Cheap to clone; weights are transformed on first use and shared by all sessions.
#[derive(Clone, Debug)]
pub struct CpuEngine {
    shared: Arc<Shared>,
    pool: Arc<ThreadPool>,
    strategy: Option<Strategy>,
    keeps_weights: bool,
}

/// What sessions share.
#[derive(Debug)]
struct Shared {
    set: InstructionSet,
    weights: Arc<Weights>,
    first: FirstConvolution,
    transformed: Mutex<TransformedWeights>,
}

/// Transformed weights of each convolution, as far as anyone asked for them.
#[derive(Debug, Default)]
struct TransformedWeights {
    /// By the parts that their operands are made of.
    by_parts: [[ConvolutionPair; CONVOLUTION_COUNT]; MOST_PARTS + 1],
    /// How many were made.
    made: u64,
}

/// Parts of bfloat16 that operands are made of, at most.
const MOST_PARTS: usize = 2;

/// One convolution's weights, both ways.
#[derive(Clone, Debug, Default)]
struct ConvolutionPair {
    forward: Option<Arc<WinogradWeights>>,
    backward: Option<Arc<WinogradWeights>>,
}

impl CpuEngine {
    /// An engine with these weights.
    ///
    /// ```
    /// use impasto_vgg::{CpuEngine, CpuOptions, Engine, Weights};
    /// let options = CpuOptions { threads: Some(1), isa: Some("portable".to_owned()) };
    /// let engine = CpuEngine::new(Weights::embedded(), options)?;
    /// assert_eq!(engine.describe().isa, "portable");
    /// # Ok::<(), impasto_vgg::EngineError>(())
    /// ```
    ///
    /// # Errors
    /// An instruction set that is unknown or absent, no threads, or threads that the system does not give.
    pub fn new(weights: Arc<Weights>, options: CpuOptions) -> Result<CpuEngine, EngineError> {
        let set = match &options.isa {
            Some(name) => InstructionSet::named(name)?,
            None => InstructionSet::from_environment()?,
        };
        let threads = match options.threads {
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let pool = pool_of(threads)?;
        let first = FirstConvolution::new(&weights.convolutions()[0]);
        let shared = Shared { set, weights, first, transformed: Mutex::default() };
        Ok(CpuEngine { shared: Arc::new(shared), pool, strategy: None, keeps_weights: false })
    }

    /// The same engine, its weights shared, on another number of threads.
    ///
    /// # Errors
    /// No threads, or threads that the system does not give.
    pub fn with_threads(&self, threads: usize) -> Result<CpuEngine, EngineError> {
        Ok(CpuEngine { pool: pool_of(threads)?, ..self.clone() })
    }

    /// The same engine, its weights shared, with a strategy that all plans follow whatever the memory: for tests and
    /// measurements. Results are the same bits.
    pub fn with_strategy(&self, strategy: Strategy) -> CpuEngine {
        CpuEngine { strategy: Some(strategy), ..self.clone() }
    }

    /// The same engine, which keeps all transformed weights for later sessions, as far as the memory limit of each session
    /// that is opened allows: for several runs one after another, which go through the same arithmetics again.
    #[must_use]
    pub fn keeping_weights(&self) -> CpuEngine {
        CpuEngine { keeps_weights: true, ..self.clone() }
    }

    /// How many times a convolution's weights were transformed, one way, since the engine was made.
    #[must_use]
    pub fn weights_transformed(&self) -> u64 {
        self.shared.lock().made
    }

    /// As [`Engine::session`], with what only this engine's sessions can tell: the plan that they follow.
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, request: &SessionRequest) -> Result<CpuSession, EngineError> {
        let plan = self.plan(request)?;
        if self.kept_bytes(request, &plan).is_none() {
            self.shared.forget_unused(request);
        }
        Ok(CpuSession::new(self.clone(), request.clone(), plan))
    }

    /// The plan that a session for this request would follow: the fastest that fits the memory.
    ///
    /// # Errors
    /// A request or a strategy that does not pass its own check, or more memory than the limit.
    pub fn plan(&self, request: &SessionRequest) -> Result<Plan, EngineError> {
        request.check()?;
        if let Some(strategy) = self.strategy {
            strategy.check()?;
            let plan = Plan::new(request, strategy);
            request.check_memory(self.bytes(request, &plan))?;
            return Ok(plan);
        }
        let free = memory::free().filter(|_| request.memory_limit_bytes.is_none());
        let limit = request.memory_limit_bytes.or(free.map(Free::usable_bytes)).unwrap_or(u64::MAX);
        let threads = self.pool.current_num_threads();
        let plans = Strategy::CANDIDATES.map(|strategy| {
            let plan = Plan::new(request, strategy.for_threads(threads));
            (self.bytes(request, &plan), plan)
        });
        let (place_of_least, least) =
            plans.iter().map(|(bytes, _)| *bytes).enumerate().min_by_key(|&(_, bytes)| bytes).unwrap_or_default();
        request.check_memory(least)?;
        free.map_or(Ok(()), |free| free.check(request.width, request.height, least))?;
        // Where no one set a limit, a lot of memory is not taken for a little time.
        let is_modest = |place: usize, bytes: u64| {
            request.memory_limit_bytes.is_some() || bytes <= MODEST_BYTES || place >= Strategy::FIRST_OF_LEAST_MEMORY
        };
        let fits = |(place, (bytes, _)): (usize, &(u64, Plan))| *bytes <= limit && is_modest(place, *bytes);
        let place = plans.iter().enumerate().position(fits).unwrap_or(place_of_least);
        Ok(plans[place].1.clone())
    }

    /// Bytes of the transformed weights that this session has no use for and that stay beside it all the same; `None` where
    /// they go.
    fn kept_bytes(&self, request: &SessionRequest, plan: &Plan) -> Option<u64> {
        let kept = self.shared.unused_bytes(request);
        let fits = |limit: u64| self.bytes(request, plan).saturating_add(kept) <= limit;
        (self.keeps_weights && request.memory_limit_bytes.is_none_or(fits)).then_some(kept)
    }

    /// The transformed weights that a session uses.
    fn weight_bytes(&self, request: &SessionRequest) -> u64 {
        request.deepest_tap().map_or(0, |deepest| {
            let pairs = convolutions(deepest).filter(|&(index, _)| index > 0);
            pairs.map(|(_, layer)| transformed_bytes(self.shared.set, layer, request)).sum()
        })
    }

    /// Everything that a session takes under a plan.
    fn bytes(&self, request: &SessionRequest, plan: &Plan) -> u64 {
        self.weight_bytes(request)
            + plan.map_bytes(request)
            + taps::bytes(request)
            + matching::bytes(request, self.pool.current_num_threads())
            + session::image_bytes(request, plan)
            + Scratch::bytes(self.pool.current_num_threads())
    }
}

fn pool_of(threads: usize) -> Result<Arc<ThreadPool>, EngineError> {
    if threads == 0 {
        return Err(EngineError::Request("0 threads do no work; give 1 or more".into()));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|at| format!("impasto-{at}"));
    let pool = pool.build().map_err(|error| {
        EngineError::Device(format!("{threads} threads could not be started ({error}); ask for fewer"))
    })?;
    Ok(Arc::new(pool))
}

/// The convolutions up to a layer, with their places among the convolutions.
fn convolutions(deepest: Layer) -> impl Iterator<Item = (usize, Layer)> {
    Layer::all().take(deepest.index() + 1).filter_map(|layer| match layer.info().kind {
        LayerKind::Convolution { index, .. } => Some((index, layer)),
        LayerKind::Pooling => None,
    })
}

/// Bytes of a convolution's transformed weights, both ways where there is a way back.
fn transformed_bytes(set: InstructionSet, layer: Layer, request: &SessionRequest) -> u64 {
    let bytes = |inputs, parts| WinogradWeights::bytes_for(inputs, layer.channels(), parts);
    match layer.info().kind {
        LayerKind::Convolution { inputs, .. } => {
            let backward = if request.way_back { bytes(inputs, set.backward_parts(request.precision)) } else { 0 };
            bytes(inputs, set.forward_parts(request.precision)) + backward
        }
        LayerKind::Pooling => 0,
    }
}

impl Shared {
    /// The transformed weights of a convolution, forward or backward; made on first use, on the current pool.
    fn transformed(&self, index: usize, precision: Precision, is_backward: bool) -> Arc<WinogradWeights> {
        if let Some(weights) = self.slot(index, precision, is_backward, |slot| slot.clone()) {
            return weights;
        }
        // Without the lock: a thread of the pool that waits for others may take up work that wants it too.
        let make = if is_backward { WinogradWeights::backward } else { WinogradWeights::forward };
        let weights = Arc::new(make(self.set, &self.weights.convolutions()[index], precision));
        self.lock().made += 1;
        self.slot(index, precision, is_backward, |slot| slot.get_or_insert(weights).clone())
    }

    fn lock(&self) -> MutexGuard<'_, TransformedWeights> {
        self.transformed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot<R>(
        &self,
        index: usize,
        precision: Precision,
        is_backward: bool,
        with: impl FnOnce(&mut Option<Arc<WinogradWeights>>) -> R,
    ) -> R {
        let mut transformed = self.lock();
        let parts = if is_backward { self.set.backward_parts(precision) } else { self.set.forward_parts(precision) };
        let pair = &mut transformed.by_parts[parts][index];
        with(if is_backward { &mut pair.backward } else { &mut pair.forward })
    }

    /// Forgets the transformed weights that no session holds but those that `request` has a use for.
    ///
    /// A session's bytes count the weights that it uses itself; what earlier ones have left must not come on top.
    fn forget_unused(&self, request: &SessionRequest) {
        self.lock().each_unused(self.set, request, |slot| {
            slot.take_if(|weights| Arc::strong_count(weights) == 1);
        });
    }

    /// Bytes of the transformed weights that `request` has no use for.
    fn unused_bytes(&self, request: &SessionRequest) -> u64 {
        let mut bytes = 0;
        self.lock().each_unused(self.set, request, |slot| {
            bytes += slot.as_ref().map_or(0, |weights| weights.bytes());
        });
        bytes
    }
}

impl TransformedWeights {
    /// Visits every slot that `request` has no use for.
    fn each_unused(
        &mut self,
        set: InstructionSet,
        request: &SessionRequest,
        mut visit: impl FnMut(&mut Option<Arc<WinogradWeights>>),
    ) {
        for (parts, pairs) in self.by_parts.iter_mut().enumerate() {
            let wants_forward = set.forward_parts(request.precision) == parts;
            let wants_backward = set.backward_parts(request.precision) == parts && request.way_back;
            for pair in pairs {
                for (slot, is_wanted) in [(&mut pair.forward, wants_forward), (&mut pair.backward, wants_backward)] {
                    if !is_wanted {
                        visit(slot);
                    }
                }
            }
        }
    }
}

impl Engine for CpuEngine {
    fn describe(&self) -> EngineDescription {
        EngineDescription {
            name: "cpu".into(),
            isa: self.shared.set.name().into(),
            threads: self.pool.current_num_threads(),
            has_bf16: self.shared.set.has_bf16(),
            gains_from_bf16: self.shared.set.gains_from_bf16(),
            has_f16: false,
            has_own_memory: false,
            has_guides: true,
        }
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(self.open(request)?))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        let plan = self.plan(request)?;
        Ok(self.bytes(request, &plan) + self.kept_bytes(request, &plan).unwrap_or(0))
    }

    fn common_bytes(&self, request: &SessionRequest) -> u64 {
        self.weight_bytes(request) + if self.keeps_weights { self.shared.unused_bytes(request) } else { 0 }
    }
}
