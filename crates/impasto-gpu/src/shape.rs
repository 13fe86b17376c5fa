//! The shape of a tapped layer: its chunks of positions, its tiles of channels, its pieces of rows, and the bytes of what is
//! summed over them.

use std::ops::Range;

use impasto_vgg::plan::TILE_ROWS;
use impasto_vgg::{Layer, SessionRequest};

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
    /// Regions of the layer's moments; 0 where they are over all positions, or there are none.
    pub regions: usize,
    /// Whether the layer has a content target.
    has_target: bool,
    /// Whether its features are matched.
    is_matched: bool,
}

impl TapShape {
    /// Of a layer for a request's pictures.
    pub fn new(request: &SessionRequest, layer: Layer) -> TapShape {
        let (height, width) = layer.map_size(request.height, request.width);
        TapShape {
            layer,
            height,
            width,
            channels: layer.channels(),
            storage: Storage::of(request.precision),
            regions: if request.style_taps.contains(&layer) { request.guides.regions } else { 0 },
            has_target: request.content_taps.contains(&layer),
            is_matched: request.matched_taps.iter().any(|tap| tap.layer == layer),
        }
    }

    /// Moments that a style tap has: one a region, or one over all positions.
    pub fn moments(&self) -> usize {
        self.regions.max(1)
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

    /// Bytes of a row of all regions' guides.
    pub fn guide_row_bytes(&self) -> u64 {
        (self.regions * self.width) as u64 * FLOAT_BYTES
    }

    /// Bytes of all regions' guides, and of the numbers of the chunks that they see.
    pub fn guide_bytes(&self) -> u64 {
        let chunks = self.chunks(&(0..self.height)) * self.regions;
        self.guide_row_bytes() * self.height as u64 + chunks as u64 * FLOAT_BYTES
    }

    /// Bytes of an emphasis.
    pub fn emphasis_bytes(&self) -> u64 {
        self.positions() as u64 * FLOAT_BYTES
    }

    /// Bytes of a row of how positions lie to what they were matched to.
    pub fn match_row_bytes(&self) -> u64 {
        2 * self.width as u64 * FLOAT_BYTES
    }

    /// Bytes of the matches of some rows.
    pub fn indices_bytes(&self, rows: &Range<usize>) -> u64 {
        (rows.len() * self.width * size_of::<u32>()) as u64
    }

    /// Bytes of a row of the largest that stands here in full height; 0 where nothing does.
    pub fn piece_row_bytes(&self) -> u64 {
        let of_target = if self.has_target { self.target_row_bytes() } else { 0 };
        let of_matches = if self.is_matched { self.match_row_bytes() } else { 0 };
        self.guide_row_bytes().max(of_target).max(of_matches)
    }

    /// The rows of each piece: what stands here in full height (a content target, guides, matches) is cut so that no part is larger
    /// than the bytes that a shader may see. They begin at a multiple of [`TILE_ROWS`] and end at one or at the map's end.
    pub fn pieces(&self, limit_bytes: u64) -> impl Iterator<Item = Range<usize>> + use<> {
        let most = limit_bytes / self.piece_row_bytes().max(1);
        let at_once = (most as usize / TILE_ROWS * TILE_ROWS).clamp(TILE_ROWS, self.height.max(TILE_ROWS));
        let height = self.height;
        (0..height).step_by(at_once).map(move |first| first..(first + at_once).min(height))
    }

    /// Bytes of a style tap's totals, all moments.
    pub fn moment_total_bytes(&self) -> u64 {
        2 * FLOAT_BYTES * (self.moments() * self.moment_elements()) as u64
    }

    /// Bytes of a content tap's totals.
    pub fn distance_total_bytes(&self) -> u64 {
        2 * FLOAT_BYTES * self.tiles() as u64
    }

    /// Bytes of a style tap's panels, one for each of its moments.
    pub fn panel_bytes(&self) -> u64 {
        (self.moments() * self.channels * self.channels) as u64 * FLOAT_BYTES
    }

    /// Bytes of a style tap's panels and means.
    pub fn gradient_bytes(&self) -> u64 {
        self.panel_bytes() + (self.moments() * self.channels) as u64 * FLOAT_BYTES
    }
}

/// The rows that two ranges share, if there are any.
pub fn shared(own: &Range<usize>, other: &Range<usize>) -> Option<Range<usize>> {
    let shared = own.start.max(other.start)..own.end.min(other.end);
    (!shared.is_empty()).then_some(shared)
}

/// Chunks of `bytes` each that are summed at a time, of `count`.
pub fn batch(count: usize, bytes: u64) -> usize {
    count.min((PARTIAL_BYTES / bytes).max(1) as usize)
}
