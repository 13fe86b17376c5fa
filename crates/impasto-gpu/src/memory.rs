//! What a session takes on the device, and which plan fits it.

use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::plan::{Operation, TILE_ROWS};
use impasto_vgg::{Plan, SessionRequest, Strategy};

use crate::maps;
use crate::recorder::Recorder;
use crate::shape::{self, TapShape};
use crate::weights;

/// More rows than any picture has.
const ALL_ROWS: usize = 1 << 24;

/// From the fastest to the one that takes the least memory: the picture in one piece, with nothing computed twice or with
/// the largest maps spared, then in bands that are still work enough for a large card, and down to rows of a tile.
pub const CANDIDATES: [Strategy; 9] = [
    Strategy { computed_again: 0, band_rows: ALL_ROWS, chunk_tiles: 1 },
    Strategy { computed_again: 1, band_rows: 1024, chunk_tiles: 1024 },
    Strategy { computed_again: 4, band_rows: 512, chunk_tiles: 512 },
    Strategy { computed_again: 7, band_rows: 512, chunk_tiles: 512 },
    Strategy { computed_again: LAYER_COUNT, band_rows: 512, chunk_tiles: 512 },
    Strategy { computed_again: LAYER_COUNT, band_rows: 256, chunk_tiles: 256 },
    Strategy { computed_again: LAYER_COUNT, band_rows: 128, chunk_tiles: 128 },
    Strategy { computed_again: LAYER_COUNT, band_rows: 32, chunk_tiles: 32 },
    Strategy { computed_again: LAYER_COUNT, band_rows: 4, chunk_tiles: 1 },
];

/// The bytes of a session under a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// All of it, the weights included.
    pub bytes: u64,
    /// The largest part that a shader has to see at once.
    pub largest_binding: u64,
}

impl Footprint {
    /// What a plan takes.
    pub fn new(request: &SessionRequest, plan: &Plan) -> Footprint {
        let maps: Vec<u64> =
            maps::sizes(request, plan).iter().flat_map(|maps| maps.all().map(|size| size.bytes)).collect();
        let style = || request.style_taps.iter().map(|&layer| TapShape::new(request, layer));
        let content = || request.content_taps.iter().map(|&layer| TapShape::new(request, layer));
        let picture = maps::picture_bytes(request, maps::picture_rows(request, plan));
        let pixels = pixel_bytes(request, plan);
        let totals = total_bytes(request);
        let partials = shape::partial_bytes(request, plan);
        let panels: u64 = style().map(|shape| shape.panel_bytes()).sum();
        let targets: u64 = content().map(|shape| shape.target_bytes()).sum();
        let bytes = weights::bytes(request.deepest_tap())
            + maps.iter().sum::<u64>()
            // Once more on its way to the device.
            + 2 * picture
            + pixels
            + totals
            + readable_bytes(request, plan)
            + partials
            + panels
            + targets
            + Recorder::BYTES;
        let pieces = content().map(|shape| shape.target_tile_bytes());
        let largest_binding = maps.iter().copied().chain(pieces).chain([picture, pixels, partials]).max();
        Footprint { bytes, largest_binding: largest_binding.unwrap_or(0) }
    }
}

/// Bytes of the largest band of the pixels' gradient.
pub fn pixel_bytes(request: &SessionRequest, plan: &Plan) -> u64 {
    let rows = plan.backward.iter().filter_map(|operation| match operation {
        Operation::Backward { layer, tile_rows } if layer.index() == 0 => Some(tile_rows.len() * TILE_ROWS),
        _ => None,
    });
    let rows = rows.max().unwrap_or(0).min(request.height);
    (3 * rows * request.width * size_of::<f32>()) as u64
}

/// Bytes of the totals of all taps.
pub fn total_bytes(request: &SessionRequest) -> u64 {
    let style = request.style_taps.iter().map(|&layer| TapShape::new(request, layer).moment_total_bytes());
    let content = request.content_taps.iter().map(|&layer| TapShape::new(request, layer).distance_total_bytes());
    style.chain(content).sum()
}

/// Bytes that come back to the host at a time.
pub fn readable_bytes(request: &SessionRequest, plan: &Plan) -> u64 {
    total_bytes(request).max(pixel_bytes(request, plan))
}
