//! Where a session's time goes: seconds and work for each layer and each kind of operation, on any engine.

use std::time::Duration;

use crate::layers::{LAYER_COUNT, Layer, LayerKind};

/// The kinds of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A convolution (with its ReLU and the pooling that follows) on the way forward.
    Forward,
    /// Moments and distances at a tap.
    Observe,
    /// The gradient that a tap adds.
    Inject,
    /// A convolution on the way back.
    Backward,
}

/// All kinds, in the order of an evaluation.
pub const STEPS: [Step; 4] = [Step::Forward, Step::Observe, Step::Inject, Step::Backward];

/// What one layer's operations of one kind took, since the profile was cleared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerTime {
    /// The layer.
    pub layer: Layer,
    /// The kind of operation.
    pub step: Step,
    /// Seconds.
    pub seconds: f64,
    /// Floating-point operations that the same work takes when it is done directly: two for each product.
    pub direct_flop: f64,
    /// Operations.
    pub calls: u64,
}

/// Times of all layers.
#[derive(Clone, Debug)]
pub struct Profile {
    entries: [[Entry; LAYER_COUNT]; STEPS.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    seconds: f64,
    positions: f64,
    calls: u64,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile { entries: [[Entry::default(); LAYER_COUNT]; STEPS.len()] }
    }
}

impl Profile {
    /// Adds what an operation on so many positions of the layer's map took.
    pub fn add(&mut self, step: Step, layer: Layer, positions: usize, elapsed: Duration) {
        let entry = &mut self.entries[step as usize][layer.index()];
        entry.seconds += elapsed.as_secs_f64();
        entry.positions += positions as f64;
        entry.calls += 1;
    }

    /// All layers and kinds that took any time.
    pub fn times(&self) -> Vec<LayerTime> {
        let all = STEPS.iter().flat_map(|&step| Layer::all().map(move |layer| (step, layer)));
        let times = all.map(|(step, layer)| {
            let Entry { seconds, positions, calls } = self.entries[step as usize][layer.index()];
            LayerTime { layer, step, seconds, direct_flop: positions * flop_of_position(step, layer), calls }
        });
        times.filter(|time| time.calls > 0).collect()
    }
}

/// Work of one position of a layer's map, done directly.
fn flop_of_position(step: Step, layer: Layer) -> f64 {
    let channels = layer.channels() as f64;
    match (step, layer.info().kind) {
        (Step::Forward | Step::Backward, LayerKind::Convolution { inputs, .. }) => 18.0 * channels * inputs as f64,
        (Step::Forward | Step::Backward, LayerKind::Pooling) => 0.0,
        // Half of a symmetric matrix.
        (Step::Observe, _) => channels * (channels + 1.0),
        (Step::Inject, _) => 2.0 * channels * channels,
    }
}
