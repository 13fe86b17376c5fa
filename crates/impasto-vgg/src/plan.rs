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

use crate::engine::SessionRequest;
use crate::error::EngineError;
use crate::layers::{LAYER_COUNT, Layer, LayerKind};
use builder::{Builder, Network, Way};

mod builder;
mod spans;

/// Rows of a map that are always produced together: the rows of a Winograd tile.
pub const TILE_ROWS: usize = 4;

/// Tiles that a layer waits for where memory is no matter and there are one or two threads, and how many of them are worth
/// a thread's while: a few blocks, so that a thread whose core is busy with something else takes fewer, instead of all
/// others waiting for it (two threads, busy minutes: 0.9 of the time that one block each takes).
const AMPLE_CHUNK_TILES: usize = 512;
const AMPLE_TILES_OF_A_THREAD: usize = 256;
/// The same where maps may not take as much: a block for each of two threads.
const FULL_CHUNK_TILES: usize = 128;
const TILES_OF_A_THREAD: usize = 64;

/// The choices behind a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// How many of the first layers (poolings count) the way back computes once more, just far enough ahead. Of all
    /// others the signs, the winners of max poolings and the features at taps wait for it in full height. 0 computes
    /// nothing twice; 1 spares conv1_1's features, which are the largest and cheap to compute again; [`LAYER_COUNT`]
    /// keeps nothing.
    pub computed_again: usize,
    /// Rows of the picture that are let in at a time, at least 1.
    pub band_rows: usize,
    /// Tiles that a layer waits for before it runs: deep layers have few in a row, and weights so large that it takes
    /// many tiles to be worth reading them.
    pub chunk_tiles: usize,
}

impl Strategy {
    /// From the fastest to the one that takes the least memory (of large pictures; of small ones it is not always so).
    pub const CANDIDATES: [Strategy; 7] = [
        Strategy { computed_again: 1, band_rows: 64, chunk_tiles: AMPLE_CHUNK_TILES },
        Strategy { computed_again: 1, band_rows: 64, chunk_tiles: FULL_CHUNK_TILES },
        Strategy { computed_again: 4, band_rows: 64, chunk_tiles: FULL_CHUNK_TILES },
        Strategy { computed_again: 7, band_rows: 64, chunk_tiles: FULL_CHUNK_TILES },
        Strategy { computed_again: LAYER_COUNT, band_rows: 64, chunk_tiles: FULL_CHUNK_TILES },
        Strategy { computed_again: LAYER_COUNT, band_rows: 32, chunk_tiles: 32 },
        Strategy { computed_again: LAYER_COUNT, band_rows: 4, chunk_tiles: 1 },
    ];

    /// This strategy for so many threads: a layer waits for as many tiles as keep them all busy, unless it waits for few
    /// to spare memory.
    pub fn for_threads(self, threads: usize) -> Strategy {
        let of_a_thread = match self.chunk_tiles {
            AMPLE_CHUNK_TILES.. => AMPLE_TILES_OF_A_THREAD,
            FULL_CHUNK_TILES.. => TILES_OF_A_THREAD,
            _ => 0,
        };
        let chunk_tiles = self.chunk_tiles.max(of_a_thread * threads);
        Strategy { chunk_tiles, ..self }
    }

    /// From this place on, candidates keep nothing: their memory does not grow with the picture's height.
    pub const FIRST_OF_LEAST_MEMORY: usize = 4;

    /// Checks that a plan can follow these choices.
    ///
    /// # Errors
    /// Bands of no rows.
    pub fn check(self) -> Result<(), EngineError> {
        if self.band_rows == 0 {
            return Err(EngineError::Request("bands of 0 rows never end; give 1 or more".into()));
        }
        Ok(())
    }
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
    /// The way to the pixels' gradient; empty where the request has no way back.
    pub backward: Vec<Operation>,
    /// For each layer up to the deepest tap.
    pub slots: Vec<LayerSlots>,
}

impl Plan {
    /// The plan for a request under a strategy.
    ///
    /// # Panics
    /// Where the request or the strategy has not passed its own check.
    pub fn new(request: &SessionRequest, strategy: Strategy) -> Plan {
        let network = Network::new(request);
        let computed_again = match request.way_back {
            // Computing further than to the last tap among those layers would be of no use.
            true => network.layers.iter().take(strategy.computed_again).rposition(|layer| layer.is_tapped),
            // Nothing waits for a way back, as if all were computed again on it.
            false => network.layers.len().checked_sub(1),
        };
        let strategy = Strategy { computed_again: computed_again.map_or(0, |index| index + 1), ..strategy };
        if network.layers.is_empty() {
            return Plan { strategy, forward: Vec::new(), backward: Vec::new(), slots: Vec::new() };
        }
        let mut forward = Builder::new(&network, strategy, Way::Forward);
        forward.run_forward();
        let mut backward = Builder::new(&network, strategy, Way::Backward);
        if request.way_back {
            backward.run_backward();
        }
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
