//! What an engine runs in what order, and how many rows of each map it keeps: pure integers.
//!
//! The network need not see a whole picture at a time. Rows stream through all layers in full-width *bands*: each layer
//! produces as many whole rows of tiles as its input has rows for, and the last rows of its input stay in a ring for the
//! next band. Nothing is computed twice, every value is the one that a run in one piece computes, and memory stops
//! growing with the picture's height:
//!
//! ```text
//!   picture   |-------- band 1 --------|-------- band 2 --------|
//!   conv1_1   |-----------------------|------------------------|
//!   conv1_2   |----------------------|------------------------|      each layer a few rows behind the one before;
//!   ...                                                              deep layers wait until there is work enough
//!   conv5_1   |---------------|-----------------------|
//! ```
//!
//! The way back starts when all moments are known, and runs the same way: to finish a band of the pixels' gradient, each
//! layer's gradient has to be a few rows ahead, the deepest furthest. What it needs of the way forward (a sign an
//! element, which of four a max pooling took, the features at the taps) was kept, or is computed again, just far enough
//! ahead: see [`Strategy`].
//!
//! A [`Plan`] is the list of operations of both ways, and the rows that each map must keep for that list: it is found by
//! walking the list and noting, for each map, how far its writer runs ahead of its last reader.

use std::ops::Range;

use crate::engine::{Pooling, SessionRequest};
use crate::layers::{LAYER_COUNT, Layer, LayerKind};

/// Rows of a map that are always produced together: the rows of a Winograd tile.
pub const TILE_ROWS: usize = 4;

/// The choices behind a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// How many of the first layers (poolings count) the way back computes once more, just far enough ahead. Of all
    /// others the signs, the winners of max poolings and the features at taps wait for it in full height. 0 computes
    /// nothing twice; 1 spares conv1_1's features, which are the largest and cheap to compute again; [`LAYER_COUNT`]
    /// keeps nothing.
    pub computed_again: usize,
    /// Rows of the picture that are let in at a time.
    pub band_rows: usize,
    /// Tiles that a layer waits for before it runs: deep layers have few in a row, and weights so large that it takes
    /// many tiles to be worth reading them.
    pub chunk_tiles: usize,
}

impl Strategy {
    /// From the fastest to the one that takes the least memory (of large pictures; of small ones it is not always so).
    pub const CANDIDATES: [Strategy; 6] = [
        Strategy { computed_again: 1, band_rows: 64, chunk_tiles: 128 },
        Strategy { computed_again: 4, band_rows: 64, chunk_tiles: 128 },
        Strategy { computed_again: 7, band_rows: 64, chunk_tiles: 128 },
        Strategy { computed_again: LAYER_COUNT, band_rows: 64, chunk_tiles: 128 },
        Strategy { computed_again: LAYER_COUNT, band_rows: 32, chunk_tiles: 32 },
        Strategy { computed_again: LAYER_COUNT, band_rows: 4, chunk_tiles: 1 },
    ];

    /// From this place on, candidates keep nothing: their memory does not grow with the picture's height.
    pub const FIRST_OF_LEAST_MEMORY: usize = 3;
}

/// One step of a plan. Rows of tiles are counted from the map's first row; ranges end at the map's last row or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Computes rows of a convolution's map, and of the pooling's that follows it.
    Forward {
        /// The convolution.
        layer: Layer,
        /// Rows of tiles.
        tile_rows: Range<usize>,
    },
    /// Adds rows of a tapped layer to its moments and distances.
    Observe {
        /// The tap.
        layer: Layer,
        /// Rows; they start at a multiple of [`TILE_ROWS`] and end at one or at the map's end.
        rows: Range<usize>,
    },
    /// Sets rows of a tapped layer's gradient to the derivative by its moments and distances.
    Inject {
        /// The tap.
        layer: Layer,
        /// Rows, as for `Observe`.
        rows: Range<usize>,
    },
    /// Takes the gradient at a convolution's output to rows of the map that it read; for conv1_1, to the pixels.
    Backward {
        /// The convolution.
        layer: Layer,
        /// Rows of tiles of the gradient that comes out.
        tile_rows: Range<usize>,
    },
}

/// Rows of each of a layer's maps that are kept at a time; 0 for a map that is not needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerSlots {
    /// The features, `[channels, rows, width]` f32.
    pub features: usize,
    /// A bit an element, set where the feature is positive; convolutions only.
    pub signs: usize,
    /// Two bits an element: which of four a max pooling took.
    pub winners: usize,
    /// The gradient, like the features.
    pub gradient: usize,
}

/// A way through the network and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The choices behind it.
    pub strategy: Strategy,
    /// The way to the moments and distances.
    pub forward: Vec<Operation>,
    /// The way to the pixels' gradient.
    pub backward: Vec<Operation>,
    /// For each layer up to the deepest tap.
    pub slots: Vec<LayerSlots>,
}

impl Plan {
    /// The plan for a request under a strategy. The request has passed its own check.
    pub fn new(request: &SessionRequest, strategy: Strategy) -> Plan {
        let network = Network::new(request);
        // Computing further than to the last tap among those layers would be of no use.
        let again = network.layers.iter().take(strategy.computed_again).rposition(|layer| layer.is_tapped);
        let strategy = Strategy { computed_again: again.map_or(0, |index| index + 1), ..strategy };
        if network.layers.is_empty() {
            return Plan { strategy, forward: Vec::new(), backward: Vec::new(), slots: Vec::new() };
        }
        let mut forward = Builder::new(&network, strategy, Way::Forward);
        forward.run_forward();
        let mut backward = Builder::new(&network, strategy, Way::Backward);
        backward.run_backward();
        let slots = forward.slots.iter().zip(&backward.slots).map(|(a, b)| LayerSlots {
            features: a.features.max(b.features),
            signs: a.signs.max(b.signs),
            winners: a.winners.max(b.winners),
            gradient: a.gradient.max(b.gradient),
        });
        let slots = slots.collect();
        Plan { strategy, forward: forward.operations, backward: backward.operations, slots }
    }

    /// Bytes of all maps.
    pub fn map_bytes(&self, request: &SessionRequest) -> u64 {
        let layers = Layer::all().zip(&self.slots);
        let bytes = layers.map(|(layer, slots)| {
            let (_, width) = layer.map_size(request.height, request.width);
            // f32 for features and gradients, a bit for signs, two for winners: in eighths of a byte.
            let eighths = 32 * (slots.features + slots.gradient) + slots.signs + 2 * slots.winners;
            (layer.channels() * width) as u64 * eighths as u64 / 8
        });
        bytes.sum()
    }

    /// Whether a layer's convolution (or, for a pooling, the one before it) runs on the way back once more; what it
    /// leaves for the way back is written then.
    pub fn is_computed_again(&self, layer: Layer) -> bool {
        computing_layer(layer) < self.strategy.computed_again
    }
}

/// The place of the convolution that computes a layer: its own, or for a pooling the one before.
fn computing_layer(layer: Layer) -> usize {
    match layer.info().kind {
        LayerKind::Convolution { .. } => layer.index(),
        LayerKind::Pooling => layer.index() - 1,
    }
}

/// What the planner needs to know of a layer.
#[derive(Clone, Copy, Debug)]
struct PlannedLayer {
    layer: Layer,
    is_convolution: bool,
    height: usize,
    tile_rows: usize,
    tiles_per_row: usize,
    is_tapped: bool,
}

#[derive(Debug)]
struct Network {
    /// Up to the deepest tap.
    layers: Vec<PlannedLayer>,
    picture_height: usize,
    is_max: bool,
}

impl Network {
    fn new(request: &SessionRequest) -> Network {
        let layers = Layer::all().take_while(|&layer| Some(layer) <= request.deepest_tap());
        let layers = layers.map(|layer| {
            let (height, width) = layer.map_size(request.height, request.width);
            PlannedLayer {
                layer,
                is_convolution: matches!(layer.info().kind, LayerKind::Convolution { .. }),
                height,
                tile_rows: height.div_ceil(TILE_ROWS),
                tiles_per_row: width.div_ceil(TILE_ROWS),
                is_tapped: request.style_taps.contains(&layer) || request.content_taps.contains(&layer),
            }
        });
        let is_max = request.pooling == Pooling::Max;
        Network { layers: layers.collect(), picture_height: request.height, is_max }
    }

    fn next_is_convolution(&self, index: usize) -> bool {
        self.layers.get(index + 1).is_some_and(|next| next.is_convolution)
    }

    fn next_is_pooling(&self, index: usize) -> bool {
        self.layers.get(index + 1).is_some_and(|next| !next.is_convolution)
    }

    /// Whether this layer's features are ever written: where a convolution reads them, or a tap.
    fn has_features(&self, index: usize) -> bool {
        self.next_is_convolution(index) || self.layers[index].is_tapped
    }

    /// Whether this layer's gradient is ever written. A convolution before a pooling takes its gradient from the
    /// pooling's, but for what a tap adds.
    fn has_gradient(&self, index: usize) -> bool {
        self.has_features(index)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Forward,
    Backward,
}

/// How far each layer has come.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// Rows of tiles that a convolution has produced.
    forward: usize,
    /// Rows that a tap has observed.
    observed: usize,
    /// Rows of gradient that a tap has set.
    injected: usize,
    /// Rows of tiles that a convolution has taken its gradient back to the map before it.
    backward: usize,
}

struct Builder<'network> {
    network: &'network Network,
    strategy: Strategy,
    way: Way,
    cursors: Vec<Cursor>,
    operations: Vec<Operation>,
    slots: Vec<LayerSlots>,
}

impl<'network> Builder<'network> {
    fn new(network: &'network Network, strategy: Strategy, way: Way) -> Builder<'network> {
        let layers = network.layers.len();
        let (cursors, slots) = (vec![Cursor::default(); layers], vec![LayerSlots::default(); layers]);
        Builder { network, strategy, way, cursors, operations: Vec::new(), slots }
    }

    /// The whole way forward, band by band.
    fn run_forward(&mut self) {
        for end in self.band_ends() {
            self.let_in(end);
        }
    }

    /// The whole way back, band by band of the pixels.
    fn run_backward(&mut self) {
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
    fn runs(&self, index: usize) -> bool {
        self.way == Way::Forward || self.is_again(index)
    }

    /// Whether a layer is computed once more on the way back.
    fn is_again(&self, index: usize) -> bool {
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
                if !waits || possible >= self.cursors[index].forward + self.chunk_rows(index) {
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
                let reach = if reach > done { reach.max(done + chunk) } else { done };
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

    /// Rows of a layer's map that have been produced on this way.
    fn feature_rows(&self, index: usize) -> usize {
        let layer = self.network.layers[index];
        if layer.is_convolution {
            (self.cursors[index].forward * TILE_ROWS).min(layer.height)
        } else {
            (self.cursors[index - 1].forward * TILE_ROWS / 2).min(layer.height)
        }
    }

    /// Rows between each map's writer and its last reader.
    fn spans(&self, index: usize) -> LayerSlots {
        let layer = self.network.layers[index];
        let mut spans = LayerSlots::default();
        if self.network.has_features(index) {
            spans.features = self.feature_span(index);
        }
        let produced = self.feature_rows(index);
        if layer.is_convolution {
            let released = if self.network.next_is_convolution(index) {
                (self.cursors[index + 1].backward * TILE_ROWS).min(layer.height)
            } else {
                self.gradient_released(index)
            };
            spans.signs = self.bit_span(index, produced, released);
        } else if self.network.is_max {
            spans.winners = self.bit_span(index, produced, self.gradient_released(index));
        }
        if self.way == Way::Backward && self.network.has_gradient(index) {
            let from_above =
                if self.network.next_is_convolution(index) { self.cursors[index + 1].backward * TILE_ROWS } else { 0 };
            let written = from_above.min(layer.height).max(self.cursors[index].injected);
            spans.gradient = written - self.gradient_released(index).min(written);
        }
        spans
    }

    /// Rows of signs or winners: all, where they wait for the way back.
    fn bit_span(&self, index: usize, produced: usize, released: usize) -> usize {
        match self.way {
            _ if !self.is_again(index) => self.network.layers[index].height,
            Way::Forward => 0,
            Way::Backward => produced - released.min(produced),
        }
    }

    fn feature_span(&self, index: usize) -> usize {
        let layer = self.network.layers[index];
        if layer.is_tapped && !self.is_again(index) {
            return layer.height;
        }
        let produced = self.feature_rows(index);
        let mut released = produced;
        if self.network.next_is_convolution(index) && self.runs(index + 1) {
            let next = self.cursors[index + 1].forward;
            released = released.min(rows_released(next, self.network.layers[index + 1]));
        }
        if layer.is_tapped {
            let cursor = self.cursors[index];
            released = released.min(if self.way == Way::Forward { cursor.observed } else { cursor.injected });
        }
        produced - released
    }

    /// Rows of a layer's gradient (and of a pooling's winners) that no one reads any more.
    fn gradient_released(&self, index: usize) -> usize {
        let layer = self.network.layers[index];
        if layer.is_convolution {
            return rows_released(self.cursors[index].backward, layer);
        }
        let below = self.network.layers[index - 1];
        let released = rows_released(self.cursors[index - 1].backward, below);
        if released == below.height { layer.height } else { released / 2 }
    }
}

/// How far a layer has to come.
#[derive(Clone, Copy, Debug, Default)]
struct Demand {
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

/// Rows that a convolution that has done its first `tile_rows` rows of tiles will not read again.
fn rows_released(tile_rows: usize, layer: PlannedLayer) -> usize {
    if tile_rows >= layer.tile_rows { layer.height } else { (tile_rows * TILE_ROWS).saturating_sub(1) }
}
