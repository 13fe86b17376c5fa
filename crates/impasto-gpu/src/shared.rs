//! What the sessions of one engine share.

use std::sync::Arc;

use impasto_vgg::Weights;

use crate::device::Device;
use crate::faults::{FaultClock, SimulatedFaults};
use crate::pipelines::Pipelines;
use crate::recorder::Pace;
use crate::weights::DeviceWeights;

/// What sessions share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub device: Device,
    pub pipelines: Pipelines,
    pub weights: DeviceWeights,
    pub pace: Pace,
    pub faults: Arc<FaultClock>,
}

impl Shared {
    /// For a device, these weights, and faults made to order.
    pub fn new(device: Device, weights: Arc<Weights>, faults: SimulatedFaults) -> Shared {
        let pipelines = Pipelines::new(&device);
        let weights = DeviceWeights::new(&device, weights);
        Shared { device, pipelines, weights, pace: Pace::default(), faults: Arc::new(FaultClock::new(faults)) }
    }
}
