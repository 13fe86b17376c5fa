//! The maps between a session's layers, and one convolution's step from map to map.

use std::ops::Range;
use std::sync::Arc;

use super::buffer::{FeatureRows, RowRing, SignRows, WinnerRows};
use super::direct::Picture;
use super::winograd::{
    BackwardOutputs, ForwardOutputs, Gradient, Pooled, PooledGradient, Scratch, WinogradWeights, convolve_backward,
    convolve_forward,
};
use super::{CpuEngine, Shared};
use crate::engine::{Pooling, Precision, SessionRequest};
use crate::layers::{Layer, LayerKind};
use crate::plan::{LayerSlots, Plan};

/// Everything that lies between the layers.
#[derive(Debug)]
pub struct Maps {
    pooling: Pooling,
    /// By layer up to the deepest tap, as all that follow; `None` where the plan needs no such map.
    features: Vec<Option<FeatureRows>>,
    signs: Vec<Option<SignRows>>,
    winners: Vec<Option<WinnerRows>>,
    gradients: Vec<Option<FeatureRows>>,
    tapped: Vec<bool>,
    sizes: Vec<(usize, usize)>,
    /// By layer; `None` for poolings and conv1_1.
    weights: Vec<Option<WeightPair>>,
    has_way_back: bool,
    scratch: Scratch,
}

/// One convolution's transformed weights, both ways.
#[derive(Debug)]
struct WeightPair {
    forward: Arc<WinogradWeights>,
    /// Where there is a way back.
    backward: Option<Arc<WinogradWeights>>,
}

impl Maps {
    /// The maps that a plan asks for.
    pub fn new(engine: &CpuEngine, request: &SessionRequest, plan: &Plan) -> Maps {
        let layers = || Layer::all().zip(&plan.slots);
        let mut maps = Maps {
            pooling: request.pooling,
            features: layers().map(|(layer, slots)| map(request, layer, slots.features)).collect(),
            signs: layers().map(|(layer, slots)| map(request, layer, slots.signs)).collect(),
            winners: layers().map(|(layer, slots)| map(request, layer, slots.winners)).collect(),
            gradients: layers().map(|(layer, slots)| map(request, layer, slots.gradient)).collect(),
            tapped: layers().map(|(layer, _): (Layer, &LayerSlots)| request.is_tapped(layer)).collect(),
            sizes: layers().map(|(layer, _)| layer.map_size(request.height, request.width)).collect(),
            weights: Vec::new(),
            has_way_back: !plan.backward.is_empty(),
            scratch: Scratch::new(engine.pool.current_num_threads()),
        };
        maps.use_precision(engine, request.precision);
        maps
    }

    /// Lets the weights go; [`Maps::use_precision`] has to follow.
    pub fn drop_weights(&mut self) {
        self.weights.clear();
    }

    /// Changes the arithmetic of the products.
    pub fn use_precision(&mut self, engine: &CpuEngine, precision: Precision) {
        let shared = &engine.shared;
        let (layers, has_way_back) = (Layer::all().take(self.features.len()), self.has_way_back);
        let pairs = layers.map(|layer| match layer.info().kind {
            LayerKind::Convolution { index, .. } if index > 0 => Some(WeightPair {
                forward: shared.transformed(index, precision, false),
                backward: has_way_back.then(|| shared.transformed(index, precision, true)),
            }),
            _ => None,
        });
        self.weights = engine.pool.install(|| pairs.collect());
    }

    /// The features of a layer that has any.
    pub fn features(&self, layer: Layer) -> &FeatureRows {
        self.features[layer.index()].as_ref().expect("the plan keeps the features that it reads")
    }

    /// A tapped layer's features, and its gradient to be written.
    pub fn features_and_gradient(&mut self, layer: Layer) -> (&FeatureRows, &mut FeatureRows) {
        let features = self.features[layer.index()].as_ref().expect("the plan keeps the features that it reads");
        let gradient = self.gradients[layer.index()].as_mut().expect("the plan has a gradient at each tap");
        (features, gradient)
    }

    /// Runs a convolution for some rows of tiles: from the map before it (for conv1_1, from the picture) to its own and
    /// to that of the pooling that follows. `with_bits` says whether signs and winners are written.
    pub fn forward(
        &mut self,
        shared: &Shared,
        picture: Picture<'_>,
        layer: Layer,
        tile_rows: Range<usize>,
        with_bits: bool,
    ) {
        let index = layer.index();
        let (before, features) = self.features.split_at_mut(index);
        let (own, after) = features.split_first_mut().expect("the layer is among those planned");
        let pooled = match after.first_mut() {
            Some(map) if layer.pools_after() => map.as_mut().map(|map| Pooled {
                pooling: self.pooling,
                map,
                winners: self.winners[index + 1].as_mut().filter(|_| with_bits),
            }),
            _ => None,
        };
        let bias = &shared.weights.convolutions()[convolution_index(layer)].bias;
        let signs = self.signs[index].as_mut().filter(|_| with_bits);
        let outputs = ForwardOutputs { bias, map: own.as_mut(), signs, pooled };
        match (&self.weights[index], before.last()) {
            (Some(weights), Some(Some(input))) => {
                convolve_forward(shared.set, &weights.forward, input, tile_rows, outputs, &self.scratch);
            }
            _ => shared.first.forward(shared.set, picture, tile_rows, outputs),
        }
    }

    /// Takes the gradient at a convolution's output back to the map before it for some rows of tiles; for conv1_1, to
    /// the pixels.
    pub fn backward(
        &mut self,
        shared: &Shared,
        request: &SessionRequest,
        layer: Layer,
        tile_rows: Range<usize>,
        pixel_gradient: &mut [f32],
    ) {
        let index = layer.index();
        let (height, width) = self.sizes[index];
        let (before, gradients) = self.gradients.split_at_mut(index);
        let pooled = gradients.get(1).filter(|_| layer.pools_after()).map(|map| PooledGradient {
            map: map.as_ref().expect("a pooling has a gradient"),
            winners: self.winners[index + 1].as_ref(),
        });
        // Where a convolution follows, it has masked what it wrote.
        let is_masked = gradients.len() > 1 && pooled.is_none();
        let signs = self.signs[index].as_ref().filter(|_| !is_masked);
        let gradient = Gradient { height, width, direct: gradients[0].as_ref(), pooled, signs };
        match (&self.weights[index], before.last_mut()) {
            (Some(weights), Some(Some(map))) => {
                let outputs =
                    BackwardOutputs { map, accumulate: self.tapped[index - 1], signs: self.signs[index - 1].as_ref() };
                let weights = weights.backward.as_ref().expect("a plan with a way back has its weights");
                convolve_backward(shared.set, weights, &gradient, tile_rows, outputs, &self.scratch);
            }
            _ => shared.first.backward(shared.set, &gradient, request.border, tile_rows, pixel_gradient),
        }
    }
}

/// A map for a layer, of `slots` rows; `None` for no rows.
fn map<T: super::buffer::Element>(request: &SessionRequest, layer: Layer, slots: usize) -> Option<RowRing<T>> {
    let (height, width) = layer.map_size(request.height, request.width);
    (slots > 0).then(|| RowRing::new(layer.channels(), height, width, slots))
}

fn convolution_index(layer: Layer) -> usize {
    match layer.info().kind {
        LayerKind::Convolution { index, .. } => index,
        LayerKind::Pooling => unreachable!("plans run convolutions, and poolings with the one before"),
    }
}
