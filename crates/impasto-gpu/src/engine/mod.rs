//! The engine: a device with its pipelines and weights, and the sessions that share them.

mod session;

use std::collections::VecDeque;
use std::sync::Arc;

use impasto_vgg::cpu::memory::{self, Free};
use impasto_vgg::{Engine, EngineDescription, EngineError, History, Plan, Session, SessionRequest, Strategy, Weights};

use crate::device::{Device, DeviceFault};
use crate::faults::SimulatedFaults;
use crate::history::{GpuHistory, HistoryShape};
use crate::memory::{Footprint, candidates};
use crate::shape::TapShape;
use crate::shared::Shared;
use crate::walk::Walk;
use crate::weights;

pub use session::GpuSession;

/// Bytes of pairs from which on a history is worth its way to the device and back: as much as an H100 and the sixteen cores
/// beside it take the same time for.
const LEAST_HISTORY_BYTES: u64 = 32 << 20;

/// VGG-19 on a GPU. Cheap to clone; pipelines and weights are made on first use and shared by all sessions.
#[derive(Clone, Debug)]
pub struct GpuEngine {
    shared: Arc<Shared>,
    strategy: Option<Strategy>,
    keeps_any_history: bool,
}

impl GpuEngine {
    /// An engine on an open device with these weights.
    pub fn new(device: Device, weights: Arc<Weights>) -> GpuEngine {
        GpuEngine::with_faults(device, weights, SimulatedFaults::default())
    }

    /// As [`GpuEngine::new`], with faults made to order: for tests of what stands above an engine.
    pub fn with_faults(device: Device, weights: Arc<Weights>, faults: SimulatedFaults) -> GpuEngine {
        let shared = Shared::new(device, weights, faults);
        GpuEngine { shared: Arc::new(shared), strategy: None, keeps_any_history: false }
    }

    /// The same engine, its weights shared, with a strategy that all plans follow whatever the memory: for tests and
    /// measurements. Results are the same bits.
    #[must_use]
    pub fn with_strategy(&self, strategy: Strategy) -> GpuEngine {
        GpuEngine { strategy: Some(strategy), ..self.clone() }
    }

    /// The same engine, which keeps a history of any size, and also where its memory is the processor's, so that nothing is
    /// won by it: for tests and measurements.
    #[must_use]
    pub fn with_any_history(&self) -> GpuEngine {
        GpuEngine { keeps_any_history: true, ..self.clone() }
    }

    /// The device that it runs on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.shared.device
    }

    /// As [`Engine::session`], with what only this engine's sessions can tell.
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, request: &SessionRequest) -> Result<GpuSession, EngineError> {
        GpuSession::new(self.clone(), request, self.plans(request)?)
    }

    /// The plans that fit what may be taken, the fastest first, each of which takes less than the one before.
    pub(crate) fn plans(&self, request: &SessionRequest) -> Result<VecDeque<Plan>, EngineError> {
        request.check()?;
        self.check_regions(request)?;
        let strategies = self.strategy.map_or_else(|| candidates().collect(), |strategy| vec![strategy]);
        let plans = strategies.into_iter().map(|strategy| Plan::new(request, strategy));
        let fitting = self.within_bindings(request, plans)?;
        let least = fitting.back().map_or(0, |(bytes, _)| *bytes);
        request.check_memory(least)?;
        let free = self.shared_free(request);
        free.map_or(Ok(()), |free| free.check(request.width, request.height, least))?;
        let limit = request.memory_limit_bytes.or(free.map(Free::usable_bytes)).unwrap_or(u64::MAX);
        Ok(fitting.into_iter().filter(|(bytes, _)| *bytes <= limit).map(|(_, plan)| plan).collect())
    }

    /// Checks that a shader sees the derivatives of all regions at once.
    fn check_regions(&self, request: &SessionRequest) -> Result<(), EngineError> {
        let binding = self.shared.device.binding_limit_bytes();
        let mut shapes = request.style_taps.iter().map(|&layer| TapShape::new(request, layer));
        match shapes.find(|shape| shape.panel_bytes() > binding) {
            Some(shape) if shape.regions > 1 => Err(EngineError::Device(format!(
                "{} shows a shader at most {} MiB at once, too little for {} regions at {}; give fewer regions, or paint with --device cpu",
                self.shared.device.name(),
                binding >> 20,
                shape.regions,
                shape.layer
            ))),
            _ => Ok(()),
        }
    }

    /// Those of these plans of which a shader sees enough at once, with their bytes, less those that take no less than one
    /// before.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn within_bindings(
        &self,
        request: &SessionRequest,
        plans: impl Iterator<Item = Plan>,
    ) -> Result<VecDeque<(u64, Plan)>, EngineError> {
        let binding = self.shared.device.binding_limit_bytes();
        let mut fitting: VecDeque<(u64, Plan)> = VecDeque::new();
        for plan in plans {
            let Footprint { bytes, largest_binding } = Footprint::new(request, &plan);
            let is_less = fitting.back().is_none_or(|(least, _)| bytes < *least);
            if largest_binding <= binding && is_less {
                fitting.push_back((bytes, plan));
            }
        }
        if fitting.is_empty() {
            return Err(EngineError::Device(format!(
                "{} shows a shader at most {} MiB at once, too little for {}x{}; lower --size, or paint with --device cpu",
                self.shared.device.name(),
                binding >> 20,
                request.width,
                request.height
            )));
        }
        Ok(fitting)
    }

    /// What is free for a session whose request sets no limit. How much a card has free, drivers do not say: it is tried. A
    /// device that shares the processor's memory must not take what the processor needs.
    fn shared_free(&self, request: &SessionRequest) -> Option<Free> {
        let is_open = request.memory_limit_bytes.is_none() && !self.has_own_memory();
        if is_open { memory::free() } else { None }
    }

    fn has_own_memory(&self) -> bool {
        self.shared.device.info().device_type == wgpu::DeviceType::DiscreteGpu
    }

    /// The shape of a history that is worth keeping here; `None` where it is not, or a shader could not see it.
    fn history_shape(&self, capacity: usize, values: usize) -> Option<HistoryShape> {
        let shape = HistoryShape::new(capacity, values, self.shared.device.binding_limit_bytes())?;
        let gains = self.has_own_memory() && shape.pair_bytes() >= LEAST_HISTORY_BYTES;
        (gains || self.keeps_any_history).then_some(shape)
    }

    /// Makes the buffers of the first of these plans that there is memory for, and takes it and those before it out.
    pub(crate) fn walk(&self, request: &SessionRequest, plans: &mut VecDeque<Plan>) -> Result<Walk, EngineError> {
        let device = &self.shared.device;
        device.check()?;
        while let Some(plan) = plans.pop_front() {
            self.shared.faults.before_session(device, Footprint::new(request, &plan).bytes);
            let walk = Walk::new(self.shared.clone(), request, plan);
            match device.fault() {
                None => return Ok(walk),
                Some(DeviceFault::OutOfMemory) => {
                    drop(walk);
                    self.free()?;
                }
                Some(fault) => return Err(device.error(&fault)),
            }
        }
        Err(device.error(&DeviceFault::OutOfMemory))
    }

    /// Gives back what nobody uses any more, and forgets that there was no memory.
    pub(crate) fn free(&self) -> Result<(), EngineError> {
        let device = &self.shared.device;
        let _ = device.take_fault();
        // Weights of which only a part found room.
        self.shared.weights.forget();
        device.wait()
    }
}

impl Engine for GpuEngine {
    fn describe(&self) -> EngineDescription {
        EngineDescription {
            name: "gpu".into(),
            isa: self.shared.device.name(),
            threads: 1,
            has_bf16: false,
            gains_from_bf16: false,
            has_f16: true,
            has_own_memory: self.has_own_memory(),
            has_guides: true,
        }
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(self.open(request)?))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        let plans = self.plans(request)?;
        Ok(Footprint::new(request, &plans[0]).bytes)
    }

    fn common_bytes(&self, request: &SessionRequest) -> u64 {
        weights::bytes(request.deepest_tap())
    }

    fn history(&self, capacity: usize, values: usize, memory_limit_bytes: Option<u64>) -> Option<Box<dyn History>> {
        let shape = self.history_shape(capacity, values)?;
        if memory_limit_bytes.is_some_and(|limit| shape.bytes() > limit) {
            return None;
        }
        Some(Box::new(GpuHistory::new(self.shared.clone(), shape)?))
    }

    fn history_bytes(&self, capacity: usize, values: usize) -> u64 {
        self.history_shape(capacity, values).map_or(0, |shape| shape.bytes())
    }
}
