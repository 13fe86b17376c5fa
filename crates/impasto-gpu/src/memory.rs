//! What a session takes on the device, and which plan fits it.

use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::plan::{Operation, TILE_ROWS};
use impasto_vgg::{Plan, SessionRequest, Strategy};

use crate::maps;
use crate::matching;
use crate::recorder::Recorder;
use crate::shape::{FLOAT_BYTES, TapShape, batch};
use crate::upload;
use crate::weights;

/// More rows than any picture has.
const ALL_ROWS: usize = 1 << 24;

/// How many of the first layers the way back computes again, from none to all: each of the others up to one of the taps
/// that most recipes have, whose features otherwise stand there in full height and are the largest maps of all.
const COMPUTED_AGAIN: [usize; 5] = [0, 1, 4, 7, LAYER_COUNT];

/// Rows of a band, from what is work enough for a large card to what a shader can see at once of a wide picture.
const BAND_ROWS: [usize; 5] = [1024, 512, 256, 128, 32];

/// From the fastest to the one that takes the least memory: the picture in one piece; in bands, with ever more computed
/// again, which costs more than lower bands do; and at last in rows of a tile.
pub fn candidates() -> impl Iterator<Item = Strategy> {
    let whole = Strategy { computed_again: 0, band_rows: ALL_ROWS, chunk_tiles: 1 };
    let bands = COMPUTED_AGAIN.into_iter().flat_map(|computed_again| {
        BAND_ROWS.map(|rows| Strategy { computed_again, band_rows: rows, chunk_tiles: rows })
    });
    let least = Strategy { computed_again: LAYER_COUNT, band_rows: 4, chunk_tiles: 1 };
    std::iter::once(whole).chain(bands).chain(std::iter::once(least))
}

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
        let partials = partial_bytes(request, plan);
        let panels: u64 = style().map(|shape| shape.gradient_bytes()).sum();
        let targets: u64 = content().map(|shape| shape.target_bytes()).sum();
        let matched = || request.matched_taps.iter().map(|tap| (TapShape::new(request, tap.layer), tap));
        // What is brought once, and what is on its way there.
        let given = guide_bytes(request) + matched().map(|(shape, tap)| matching::bytes(&shape, tap)).sum::<u64>();
        let given = given + given.min(upload::WRITTEN as u64);
        let bytes = weights::bytes(request.deepest_tap())
            + maps.iter().sum::<u64>()
            // What goes to the device stands once more where the host writes it.
            + 2 * picture
            + pixels
            + totals
            + readable_bytes(request, plan)
            + partials
            + 2 * panels
            + targets
            + given
            + Recorder::BYTES;
        // The rest of what stands in pieces can be cut off.
        let pieces = style().chain(content()).chain(matched().map(|(shape, _)| shape));
        let pieces = pieces.map(|shape| shape.piece_row_bytes() * TILE_ROWS.min(shape.height) as u64);
        let panels = style().map(|shape| shape.panel_bytes());
        let banks = matched().map(|(shape, tap)| matching::largest_binding(&shape, tap));
        let parts = maps.iter().copied().chain(pieces).chain(panels).chain(banks);
        let largest_binding = parts.chain([picture, pixels, partials]).max();
        Footprint { bytes, largest_binding: largest_binding.unwrap_or(0) }
    }
}

/// Bytes of what guides the taps: all regions' guides, and the emphasis.
fn guide_bytes(request: &SessionRequest) -> u64 {
    let style = request.style_taps.iter().map(|&layer| TapShape::new(request, layer).guide_bytes());
    let content = request.content_taps.iter().filter(|_| request.guides.emphasis);
    let content = content.map(|&layer| TapShape::new(request, layer).emphasis_bytes());
    style.chain(content).sum()
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
    style.chain(content).sum::<u64>() + 2 * FLOAT_BYTES * request.matched_taps.len() as u64
}

/// Bytes that come back to the host at a time.
pub fn readable_bytes(request: &SessionRequest, plan: &Plan) -> u64 {
    let matched = request.matched_taps.iter();
    let matched = matched.map(|tap| matching::readable_bytes(&TapShape::new(request, tap.layer)));
    total_bytes(request).max(pixel_bytes(request, plan)).max(matched.max().unwrap_or(0))
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
        // Of a map that is kept whole, all positions are matched together.
        let is_whole = plan.slots[layer.index()].features == shape.height;
        let rows = if is_whole { 0..shape.height } else { rows.clone() };
        let matched = request.matched_taps.iter().find(|tap| tap.layer == *layer);
        let matched = matched.map_or(0, |tap| matching::partial_bytes(&shape, tap, &rows));
        Some(style.max(of(shape.tiles())).max(matched))
    });
    bytes.max().unwrap_or(0)
}
