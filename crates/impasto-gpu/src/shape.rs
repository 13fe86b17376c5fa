//! The shape of a tapped layer: its chunks of positions, its tiles of channels, and the bytes of what is summed over them.

use std::ops::Range;

use impasto_vgg::plan::{Operation, TILE_ROWS};
use impasto_vgg::{Layer, Plan, SessionRequest};

use crate::pipelines::TILE_CHANNELS;
use crate::storage::Storage;

/// Columns of a chunk; its rows are [`TILE_ROWS`].
pub const CHUNK_COLUMNS: usize = 64;
/// Partial sums that stand on the device at a time, in bytes, unless a single chunk takes more.
const PARTIAL_BYTES: u64 = 32 << 20;
/// Bytes of an f32.
pub const FLOAT_BYTES: u64 = 4;
/// Elements of a pair of tiles of channels.
pub const PAIR: usize = TILE_CHANNELS * TILE_CHANNELS;

/// The shape of a tapped layer.
#[derive(Clone, Copy, Debug)]
pub struct TapShape {
    /// The layer.
    pub layer: Layer,
    /// Rows of the map.
    pub height: usize,
    /// Columns of the map.
    pub width: usize,
    /// Its channels.
    pub channels: usize,
    /// How the map is stored.
    pub storage: Storage,
}

impl TapShape {
    /// Of a layer for a request's pictures.
    pub fn new(request: &SessionRequest, layer: Layer) -> TapShape {
        let (height, width) = layer.map_size(request.height, request.width);
        TapShape { layer, height, width, channels: layer.channels(), storage: Storage::of(request.precision) }
    }

    /// Positions of the map.
    pub fn positions(&self) -> usize {
        self.height * self.width
    }

    /// Tiles of 64 channels.
    pub fn tiles(&self) -> usize {
        self.channels / TILE_CHANNELS
    }

    /// Pairs of tiles of channels, each with those from itself on.
    pub fn pairs(&self) -> usize {
        self.tiles() * (self.tiles() + 1) / 2
    }

    /// The place among the pairs of two tiles, the second not before the first.
    pub fn pair(&self, first: usize, second: usize) -> usize {
        first * (2 * self.tiles() - first + 1) / 2 + second - first
    }

    /// Totals of the moments: products of all pairs, then a value a channel.
    pub fn moment_elements(&self) -> usize {
        self.pairs() * PAIR + self.channels
    }

    /// Chunks in a row.
    pub fn chunks_across(&self) -> usize {
        self.width.div_ceil(CHUNK_COLUMNS)
    }

    /// Chunks of rows that begin at a chunk's first.
    pub fn chunks(&self, rows: &Range<usize>) -> usize {
        rows.len().div_ceil(TILE_ROWS) * self.chunks_across()
    }

    /// Quads of channels.
    pub fn quads(&self) -> usize {
        self.channels / 4
    }

    /// Bytes of a row of a content target, all channels.
    pub fn target_row_bytes(&self) -> u64 {
        (self.width * self.channels) as u64 * self.storage.value_bytes()
    }

    /// Bytes of a whole content target.
    pub fn target_bytes(&self) -> u64 {
        self.target_row_bytes() * self.height as u64
    }

    /// Bytes of a style tap's totals.
    pub fn moment_total_bytes(&self) -> u64 {
        2 * FLOAT_BYTES * self.moment_elements() as u64
    }

    /// Bytes of a content tap's totals.
    pub fn distance_total_bytes(&self) -> u64 {
        2 * FLOAT_BYTES * self.tiles() as u64
    }

    /// Bytes of a style tap's panel and means.
    pub fn panel_bytes(&self) -> u64 {
        (self.channels * (self.channels + 1)) as u64 * FLOAT_BYTES
    }
}

/// Chunks of `bytes` each that are summed at a time, of `count`.
pub fn batch(count: usize, bytes: u64) -> usize {
    count.min((PARTIAL_BYTES / bytes).max(1) as usize)
}

/// Bytes of the partial sums of a plan's largest batch.
pub fn partial_bytes(request: &SessionRequest, plan: &Plan) -> u64 {
    let bytes = plan.forward.iter().filter_map(|operation| {
        let Operation::Observe { layer, rows } = operation else { return None };
        let shape = TapShape::new(request, *layer);
        let of = |elements: usize| {
            let chunk = elements as u64 * FLOAT_BYTES;
            batch(shape.chunks(rows), chunk) as u64 * chunk
        };
        let style = if request.style_taps.contains(layer) { of(shape.moment_elements()) } else { 0 };
        Some(style.max(of(shape.tiles())))
    });
    bytes.max().unwrap_or(0)
}
