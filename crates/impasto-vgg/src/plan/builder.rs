//! Walks the network in bands, one way or the other, and writes down the operations in their order.

use super::{LayerSlots, Operation, Strategy, TILE_ROWS, computing_layer};
use crate::engine::{Pooling, SessionRequest};
use crate::layers::{Layer, LayerKind};

/// What the planner needs to know of a layer.
#[derive(Clone, Copy, Debug)]
pub struct PlannedLayer {
    pub layer: Layer,
    pub is_convolution: bool,
    pub height: usize,
    pub tile_rows: usize,
    pub tiles_per_row: usize,
    pub is_tapped: bool,
}

#[derive(Debug)]
pub struct Network {
    /// Up to the deepest tap.
    pub layers: Vec<PlannedLayer>,
    pub picture_height: usize,
    pub is_max: bool,
}

impl Network {
    pub fn new(request: &SessionRequest) -> Network {
        let layers = Layer::all().take_while(|&layer| Some(layer) <= request.deepest_tap());
        let layers = layers.map(|layer| {
            let (height, width) = layer.map_size(request.height, request.width);
            PlannedLayer {
                layer,
                is_convolution: matches!(layer.info().kind, LayerKind::Convolution { .. }),
                height,
                tile_rows: height.div_ceil(TILE_ROWS),
                tiles_per_row: width.div_ceil(TILE_ROWS),
                is_tapped: request.is_tapped(layer),
            }
        });
        let is_max = request.pooling == Pooling::Max;
        Network { layers: layers.collect(), picture_height: request.height, is_max }
    }

    pub fn next_is_convolution(&self, index: usize) -> bool {
        self.layers.get(index + 1).is_some_and(|next| next.is_convolution)
    }

    pub fn next_is_pooling(&self, index: usize) -> bool {
        self.layers.get(index + 1).is_some_and(|next| !next.is_convolution)
    }

    /// Whether this layer's features are ever written: where a convolution reads them, or a tap.
    pub fn has_features(&self, index: usize) -> bool {
        self.next_is_convolution(index) || self.layers[index].is_tapped
    }

    /// Whether this layer's gradient is ever written. A convolution before a pooling takes its gradient from the
    /// pooling's, but for what a tap adds.
    pub fn has_gradient(&self, index: usize) -> bool {
        self.has_features(index)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Forward,
    Backward,
}

/// How far each layer has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    /// Rows of tiles that a convolution has produced.
    pub forward: usize,
    /// Rows that a tap has observed.
    pub observed: usize,
    /// Rows of gradient that a tap has set.
    pub injected: usize,
    /// Rows of tiles that a convolution has taken its gradient back to the map before it.
    pub backward: usize,
}

pub struct Builder<'network> {
    pub network: &'network Network,
    pub strategy: Strategy,
    pub way: Way,
    pub cursors: Vec<Cursor>,
    pub operations: Vec<Operation>,
    pub slots: Vec<LayerSlots>,
}

impl<'network> Builder<'network> {
    pub fn new(network: &'network Network, strategy: Strategy, way: Way) -> Builder<'network> {
        let layers = network.layers.len();
        let (cursors, slots) = (vec![Cursor::default(); layers], vec![LayerSlots::default(); layers]);
        Builder { network, strategy, way, cursors, operations: Vec::new(), slots }
    }

    /// The whole way forward, band by band.
    pub fn run_forward(&mut self) {
        for end in self.band_ends() {
            self.let_in(end);
        }
    }

    /// The whole way back, band by band of the pixels.
    pub fn run_backward(&mut self) {
        let mut forward_bands = self.band_ends();
        for end in self.band_ends() {
            let demand = self.demand_of(end);
            while !self.features_reach(&demand) {
                let end = forward_bands.next().expect("the last band completes every layer");
                self.let_in(end);
            }
            self.go_back(&demand);
        }
    }

    /// The picture's rows up to which each band reaches.
    fn band_ends(&self) -> impl Iterator<Item = usize> + use<> {
        let (height, rows) = (self.network.picture_height, self.strategy.band_rows);
        (1..=height.div_ceil(rows)).map(move |band| (band * rows).min(height))
    }

    /// Whether a layer is computed on this way.
    pub fn runs(&self, index: usize) -> bool {
        self.way == Way::Forward || self.is_again(index)
    }

    /// Whether a layer is computed once more on the way back.
    pub fn is_again(&self, index: usize) -> bool {
        computing_layer(self.network.layers[index].layer) < self.strategy.computed_again
    }

    /// Rows of tiles that a layer waits for.
    fn chunk_rows(&self, index: usize) -> usize {
        self.strategy.chunk_tiles.div_ceil(self.network.layers[index].tiles_per_row).max(1)
    }

    /// Lets the picture's rows up to `end` in, and every layer that runs on this way go on as far as its input allows.
    fn let_in(&mut self, end: usize) {
        for index in (0..self.network.layers.len()).filter(|&index| self.runs(index)).collect::<Vec<_>>() {
            let layer = self.network.layers[index];
            if layer.is_convolution {
                let possible = match index {
                    0 => end.div_ceil(TILE_ROWS),
                    _ if self.feature_rows(index - 1) == layer.height => layer.tile_rows,
                    // The tile's last row reads one row beyond it.
                    _ => self.feature_rows(index - 1).saturating_sub(1) / TILE_ROWS,
                };
                let waits = index > 0 && possible < layer.tile_rows;
                if !waits || possible >= self.cursors[index].forward.saturating_add(self.chunk_rows(index)) {
                    self.forward_to(index, possible);
                }
            }
            if self.way == Way::Forward && layer.is_tapped {
                self.observe(index);
            }
        }
    }

    fn forward_to(&mut self, index: usize, tile_row: usize) {
        let from = self.cursors[index].forward;
        if tile_row > from {
            let layer = self.network.layers[index].layer;
            self.cursors[index].forward = tile_row;
            self.push(Operation::Forward { layer, tile_rows: from..tile_row });
        }
    }

    /// Observes what has been produced of a tap, in whole rows of tiles.
    fn observe(&mut self, index: usize) {
        let PlannedLayer { layer, height, .. } = self.network.layers[index];
        let produced = self.feature_rows(index);
        let end = if produced == height { height } else { produced / TILE_ROWS * TILE_ROWS };
        let from = self.cursors[index].observed;
        if end > from {
            self.cursors[index].observed = end;
            self.push(Operation::Observe { layer, rows: from..end });
        }
    }

    /// How far each layer has to come for the pixels' gradient to reach row `end`.
    fn demand_of(&self, end: usize) -> Vec<Demand> {
        let mut demands: Vec<Demand> = Vec::new();
        // Rows of the gradient at the map that the layer at hand reads (for conv1_1, of the pixels' gradient).
        let mut wanted = end;
        for (index, layer) in self.network.layers.iter().enumerate() {
            let mut demand = Demand::default();
            if layer.is_convolution {
                let (done, reach) = (self.cursors[index].backward, wanted.div_ceil(TILE_ROWS));
                let chunk = if index == 0 { 1 } else { self.chunk_rows(index) };
                let reach = if reach > done { reach.max(done.saturating_add(chunk)) } else { done };
                demand.backward = reach.min(layer.tile_rows);
                if let Some(below) = index.checked_sub(1) {
                    // What is added to by a convolution has to be set first.
                    demands[below].gradient =
                        (demand.backward * TILE_ROWS).min(layer.height).max(demands[below].gradient);
                    demands[below].features = demands[below].features.max(demands[below].gradient);
                }
                wanted = rows_read(demand.backward, layer);
            }
            demand.gradient = wanted.next_multiple_of(TILE_ROWS).min(layer.height);
            demand.features = demand.gradient;
            demands.push(demand);
            if self.network.next_is_pooling(index) {
                wanted = wanted.div_ceil(2);
            }
        }
        demands
    }

    /// Whether the features and signs that `demand` needs have been computed.
    fn features_reach(&self, demand: &[Demand]) -> bool {
        let computed = demand.iter().enumerate().filter(|&(index, _)| self.is_again(index));
        computed.into_iter().all(|(index, demand)| self.feature_rows(index) >= demand.features)
    }

    /// Brings every layer's gradient as far as `demand` says, the deepest first.
    fn go_back(&mut self, demand: &[Demand]) {
        for index in (0..self.network.layers.len()).rev() {
            if !self.network.next_is_convolution(index) {
                self.inject_to(index, demand[index].gradient);
            }
            if self.network.layers[index].is_convolution {
                if let Some(below) = index.checked_sub(1) {
                    self.inject_to(below, demand[below].gradient);
                }
                self.backward_to(index, demand[index].backward);
            }
        }
    }

    fn inject_to(&mut self, index: usize, end: usize) {
        let PlannedLayer { layer, is_tapped, .. } = self.network.layers[index];
        let from = self.cursors[index].injected;
        if is_tapped && end > from {
            self.cursors[index].injected = end;
            self.push(Operation::Inject { layer, rows: from..end });
        }
    }

    fn backward_to(&mut self, index: usize, tile_row: usize) {
        let from = self.cursors[index].backward;
        if tile_row > from {
            let layer = self.network.layers[index].layer;
            self.cursors[index].backward = tile_row;
            self.push(Operation::Backward { layer, tile_rows: from..tile_row });
        }
    }

    /// Adds an operation whose effect on the cursors is made, and notes how many rows each map has to hold now.
    fn push(&mut self, operation: Operation) {
        self.operations.push(operation);
        for index in 0..self.network.layers.len() {
            let height = self.network.layers[index].height;
            let spans = self.spans(index);
            let slots = &mut self.slots[index];
            slots.features = slots.features.max(spans.features.min(height));
            slots.signs = slots.signs.max(spans.signs.min(height));
            slots.winners = slots.winners.max(spans.winners.min(height));
            slots.gradient = slots.gradient.max(spans.gradient.min(height));
        }
    }
}

/// How far a layer has to come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// Rows of tiles that the convolution takes its gradient back.
    backward: usize,
    /// Rows of the gradient at this layer.
    gradient: usize,
    /// Rows of its features and signs.
    features: usize,
}

/// Rows that a convolution reads of a map of its size to have done its first `tile_rows` rows of tiles.
fn rows_read(tile_rows: usize, layer: &PlannedLayer) -> usize {
    if tile_rows == 0 { 0 } else { (tile_rows * TILE_ROWS + 1).min(layer.height) }
}
