//! The engine: a device with its pipelines and weights, and the sessions that share them.

use std::sync::Arc;

use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::{
    Engine, EngineDescription, EngineError, FeatureMap, Layer, Observation, ObservationGradients, Plan, Precision,
    Session, SessionRequest, Strategy, Weights,
};

use crate::device::{Device, DeviceFault};
use crate::memory::{CANDIDATES, Footprint};
use crate::pipelines::Pipelines;
use crate::recorder::Pace;
use crate::session::Walk;
use crate::weights::DeviceWeights;

/// VGG-19 on a GPU. Cheap to clone; pipelines and weights are made on first use and shared by all sessions.
#[derive(Clone, Debug)]
pub struct GpuEngine {
    shared: Arc<Shared>,
    strategy: Option<Strategy>,
}

/// What sessions share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) device: Device,
    pub(crate) pipelines: Pipelines,
    pub(crate) weights: DeviceWeights,
    pub(crate) pace: Pace,
}

/// How features are brought out for inspection: no way back, so nothing is kept for it.
const FORWARD_ONLY: Strategy = Strategy { computed_again: LAYER_COUNT, band_rows: 256, chunk_tiles: 256 };

impl GpuEngine {
    /// An engine on an open device with these weights.
    pub fn new(device: Device, weights: Arc<Weights>) -> GpuEngine {
        let pipelines = Pipelines::new(&device);
        let weights = DeviceWeights::new(&device, weights);
        let shared = Shared { device, pipelines, weights, pace: Pace::default() };
        GpuEngine { shared: Arc::new(shared), strategy: None }
    }

    /// The same engine, its weights shared, with a strategy that all plans follow whatever the memory: for tests and
    /// measurements. Results are the same bits.
    #[must_use]
    pub fn with_strategy(&self, strategy: Strategy) -> GpuEngine {
        GpuEngine { strategy: Some(strategy), ..self.clone() }
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
        let walk = self.walk(request, self.plans(request)?)?;
        let has_content = request.content_taps.is_empty();
        Ok(GpuSession {
            engine: self.clone(),
            request: request.clone(),
            walk,
            image: Vec::new(),
            has_content,
            has_observed: false,
        })
    }

    /// The plans that fit what may be taken, the fastest first.
    fn plans(&self, request: &SessionRequest) -> Result<Vec<Plan>, EngineError> {
        request.check()?;
        let strategies = self.strategy.as_ref().map_or(CANDIDATES.as_slice(), std::slice::from_ref);
        let plans = strategies.iter().map(|&strategy| Plan::new(request, strategy));
        let plans: Vec<(Footprint, Plan)> = plans.map(|plan| (Footprint::new(request, &plan), plan)).collect();
        let least = plans.iter().map(|(footprint, _)| footprint.bytes).min().unwrap_or(0);
        request.check_memory(least)?;
        let limits = self.shared.device.limits();
        let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let limit = request.memory_limit_bytes.unwrap_or(u64::MAX);
        let fits = |footprint: &Footprint| footprint.bytes <= limit && footprint.largest_binding <= binding;
        let plans: Vec<Plan> =
            plans.into_iter().filter(|(footprint, _)| fits(footprint)).map(|(_, plan)| plan).collect();
        if plans.is_empty() {
            return Err(EngineError::Device(format!(
                "{} shows a shader at most {} MiB at once, too little for {}x{}; lower --size, or paint with --device cpu",
                self.shared.device.name(),
                binding >> 20,
                request.width,
                request.height
            )));
        }
        Ok(plans)
    }

    /// Makes the buffers of the first of these plans that there is memory for.
    fn walk(&self, request: &SessionRequest, plans: Vec<Plan>) -> Result<Walk, EngineError> {
        let device = &self.shared.device;
        device.check()?;
        for plan in plans {
            let walk = Walk::new(self.shared.clone(), request, plan);
            match device.fault() {
                None => return Ok(walk),
                Some(DeviceFault::OutOfMemory) => {
                    let _ = device.take_fault();
                    self.shared.weights.forget();
                }
                Some(fault) => return Err(device.error(&fault)),
            }
        }
        Err(device.error(&DeviceFault::OutOfMemory))
    }
}

impl Engine for GpuEngine {
    fn describe(&self) -> EngineDescription {
        let kind = self.shared.device.info().device_type;
        EngineDescription {
            name: "gpu".into(),
            isa: self.shared.device.name(),
            threads: 1,
            has_bf16: false,
            gains_from_bf16: false,
            has_own_memory: kind == wgpu::DeviceType::DiscreteGpu,
        }
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(self.open(request)?))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        let plans = self.plans(request)?;
        Ok(Footprint::new(request, &plans[0]).bytes)
    }
}

/// A VGG-19 set up for pictures of one size on a GPU.
#[derive(Debug)]
pub struct GpuSession {
    engine: GpuEngine,
    request: SessionRequest,
    walk: Walk,
    /// The last picture that `forward` saw.
    image: Vec<f32>,
    has_content: bool,
    has_observed: bool,
}

impl GpuSession {
    /// The plan that this session follows.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.walk.plan()
    }
}

impl Session for GpuSession {
    fn request(&self) -> &SessionRequest {
        &self.request
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.request.check_picture(image)?;
        self.has_observed = false;
        self.walk.set_content(image)?;
        self.has_content = true;
        Ok(())
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        self.request.check_picture(image)?;
        if !self.has_content {
            return Err(EngineError::NO_CONTENT);
        }
        self.image.clear();
        self.image.extend_from_slice(image);
        let observation = self.walk.forward(image)?;
        self.has_observed = true;
        Ok(observation)
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        self.request.check_gradients(gradients, pixel_gradient)?;
        if !self.has_observed {
            return Err(EngineError::NO_FORWARD);
        }
        if self.plan().backward.is_empty() {
            pixel_gradient.fill(0.0);
        }
        self.walk.backward(&self.image, gradients, pixel_gradient)
    }

    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError> {
        self.request.check_picture(image)?;
        self.has_observed = false;
        let request = SessionRequest { style_taps: Vec::new(), content_taps: vec![layer], ..self.request.clone() };
        let mut plan = Plan::new(&request, FORWARD_ONLY);
        plan.backward.clear();
        for slots in &mut plan.slots {
            *slots = impasto_vgg::plan::LayerSlots { features: slots.features, ..Default::default() };
        }
        let mut walk = self.engine.walk(&request, vec![plan])?;
        walk.set_content(image)?;
        let (height, width) = layer.map_size(request.height, request.width);
        Ok(FeatureMap { layer, height, width, values: walk.content_map()? })
    }

    fn set_precision(&mut self, precision: Precision) {
        self.request.precision = precision;
    }
}
