//! Plans, walked with rings of exactly the rows that they ask for: every row that an operation reads must have been
//! written, be complete, and still be there; every tap is observed once, every pixel row is reached once.

use std::ops::Range;

use impasto_vgg::engine::SIDE_LIMIT_PX;
use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::plan::{LayerSlots, Operation, TILE_ROWS};
use impasto_vgg::{
    Border, CpuEngine, CpuOptions, Engine, Layer, LayerKind, Plan, Pooling, Precision, SessionRequest, Strategy,
    Weights,
};
use proptest::prelude::*;

#[path = "support/request.rs"]
mod request;

use request::papers_request;

/// A ring of rows that remembers which row each slot holds.
struct Ring {
    slots: Vec<Option<usize>>,
}

impl Ring {
    fn new(slots: usize) -> Ring {
        Ring { slots: vec![None; slots] }
    }

    fn write(&mut self, rows: Range<usize>) {
        assert!(rows.len() <= self.slots.len(), "{rows:?} at once do not fit {} slots", self.slots.len());
        for row in rows {
            let slot = row % self.slots.len();
            assert!(self.slots[slot].is_none_or(|held| held <= row), "row {row} is written after a later one");
            self.slots[slot] = Some(row);
        }
    }

    fn read(&self, rows: Range<usize>, what: &str) {
        for row in rows {
            assert_eq!(self.slots[row % self.slots.len()], Some(row), "{what}: row {row} is not there");
        }
    }
}

struct Walker<'a> {
    request: &'a SessionRequest,
    layers: Vec<Layer>,
    plan: &'a Plan,
    /// A layer's features, signs, winners, and its gradient: set by a tap, and complete.
    features: Vec<Ring>,
    signs: Vec<Ring>,
    winners: Vec<Ring>,
    injected: Vec<Ring>,
    gradient: Vec<Ring>,
    observed: Vec<usize>,
    pixel_rows: usize,
}

impl<'a> Walker<'a> {
    fn new(request: &'a SessionRequest, plan: &'a Plan) -> Walker<'a> {
        let layers: Vec<Layer> = Layer::all().take(plan.slots.len()).collect();
        let rings = |slots: fn(&LayerSlots) -> usize| plan.slots.iter().map(|layer| Ring::new(slots(layer))).collect();
        Walker {
            request,
            plan,
            features: rings(|slots| slots.features),
            signs: rings(|slots| slots.signs),
            winners: rings(|slots| slots.winners),
            injected: rings(|slots| slots.gradient),
            gradient: rings(|slots| slots.gradient),
            observed: vec![0; layers.len()],
            layers,
            pixel_rows: 0,
        }
    }

    fn height(&self, index: usize) -> usize {
        self.layers[index].map_size(self.request.height, self.request.width).0
    }

    fn is_convolution(&self, index: usize) -> bool {
        matches!(self.layers[index].info().kind, LayerKind::Convolution { .. })
    }

    fn is_tapped(&self, index: usize) -> bool {
        let layer = self.layers[index];
        self.request.style_taps.contains(&layer) || self.request.content_taps.contains(&layer)
    }

    fn pooling_follows(&self, index: usize) -> bool {
        index + 1 < self.layers.len() && !self.is_convolution(index + 1)
    }

    fn convolution_follows(&self, index: usize) -> bool {
        index + 1 < self.layers.len() && self.is_convolution(index + 1)
    }

    /// Rows of a map of `height` rows that a convolution reads for its rows of tiles, and those that it writes.
    fn rows(&self, tile_rows: &Range<usize>, height: usize) -> (Range<usize>, Range<usize>) {
        let (start, end) = (tile_rows.start * TILE_ROWS, tile_rows.end * TILE_ROWS);
        (start.saturating_sub(1)..(end + 1).min(height), start..end.min(height))
    }

    fn step(&mut self, operation: &Operation, on_the_way_back: bool) {
        match operation {
            Operation::Forward { layer, tile_rows } => self.forward(layer.index(), tile_rows, on_the_way_back),
            Operation::Observe { layer, rows } => {
                let index = layer.index();
                assert_eq!(self.observed[index], rows.start, "{layer}");
                assert!(rows.end % TILE_ROWS == 0 || rows.end == self.height(index), "{layer} {rows:?}");
                self.features[index].read(rows.clone(), "observe");
                self.observed[index] = rows.end;
            }
            Operation::Inject { layer, rows } => {
                let index = layer.index();
                assert!(rows.start % TILE_ROWS == 0 && (rows.end % TILE_ROWS == 0 || rows.end == self.height(index)));
                self.features[index].read(rows.clone(), "inject");
                self.injected[index].write(rows.clone());
                if !self.convolution_follows(index) {
                    self.gradient[index].write(rows.clone());
                }
            }
            Operation::Backward { layer, tile_rows } => self.backward(layer.index(), tile_rows),
        }
    }

    fn forward(&mut self, index: usize, tile_rows: &Range<usize>, on_the_way_back: bool) {
        let (read, written) = self.rows(tile_rows, self.height(index));
        if index > 0 {
            self.features[index - 1].read(read, "forward");
        }
        if !self.features[index].slots.is_empty() {
            self.features[index].write(written.clone());
        }
        let writes_bits = on_the_way_back == self.plan.is_computed_again(self.layers[index]);
        if writes_bits {
            self.signs[index].write(written.clone());
        }
        if self.pooling_follows(index) {
            let pooled = written.start / 2..written.end.div_ceil(2);
            self.features[index + 1].write(pooled.clone());
            if writes_bits && self.request.pooling == Pooling::Max {
                self.winners[index + 1].write(pooled);
            }
        }
    }

    fn backward(&mut self, index: usize, tile_rows: &Range<usize>) {
        let (read, written) = self.rows(tile_rows, self.height(index));
        if !self.gradient[index].slots.is_empty() {
            self.gradient[index].read(read.clone(), "gradient");
        }
        if !self.convolution_follows(index) {
            self.signs[index].read(read.clone(), "signs of a gradient");
        }
        if self.pooling_follows(index) {
            let pooled = read.start / 2..read.end.div_ceil(2);
            self.gradient[index + 1].read(pooled.clone(), "pooled gradient");
            if self.request.pooling == Pooling::Max {
                self.winners[index + 1].read(pooled, "winners");
            }
        }
        let Some(below) = index.checked_sub(1) else {
            assert_eq!(self.pixel_rows, written.start);
            self.pixel_rows = written.end;
            return;
        };
        if self.is_convolution(below) {
            self.signs[below].read(written.clone(), "signs below");
        }
        if self.is_tapped(below) {
            self.injected[below].read(written.clone(), "injected");
        }
        self.gradient[below].write(written);
    }
}

fn check(request: &SessionRequest, strategy: Strategy) -> Plan {
    let plan = Plan::new(request, strategy);
    let mut walker = Walker::new(request, &plan);
    plan.forward.iter().for_each(|operation| walker.step(operation, false));
    for index in 0..walker.layers.len() {
        let expected = if walker.is_tapped(index) { walker.height(index) } else { 0 };
        assert_eq!(walker.observed[index], expected, "{} is observed from top to bottom", walker.layers[index]);
    }
    // Only what waits for the way back may be read there: what is computed again starts from nothing.
    for index in 0..walker.layers.len() {
        let again = plan.is_computed_again(walker.layers[index]);
        if again || !walker.is_tapped(index) {
            walker.features[index] = Ring::new(plan.slots[index].features);
        }
        if again {
            walker.signs[index] = Ring::new(plan.slots[index].signs);
            walker.winners[index] = Ring::new(plan.slots[index].winners);
        }
    }
    plan.backward.iter().for_each(|operation| walker.step(operation, true));
    if !walker.layers.is_empty() {
        assert_eq!(walker.pixel_rows, request.height, "every pixel row is reached");
    }
    plan.clone()
}

fn requests() -> impl Strategy_<Value = SessionRequest> {
    let taps = || prop::collection::btree_set(0..21usize, 0..5);
    let size = (1..500usize, 1..90usize);
    (size, taps(), taps(), any::<bool>()).prop_map(|((height, width), style, content, is_max)| SessionRequest {
        height,
        width,
        pooling: if is_max { Pooling::Max } else { Pooling::Average },
        border: Border::Zero,
        precision: Precision::F32,
        style_taps: style.into_iter().filter_map(Layer::from_index).collect(),
        content_taps: content.into_iter().filter_map(Layer::from_index).collect(),
        matched_taps: Vec::new(),
        guides: impasto_vgg::Guides::default(),
        way_back: true,
        memory_limit_bytes: None,
    })
}

fn strategies() -> impl Strategy_<Value = Strategy> {
    (0..=LAYER_COUNT, 1..40usize, 1..200usize).prop_map(|(computed_again, quarter_band, chunk_tiles)| Strategy {
        computed_again,
        band_rows: 4 * quarter_band,
        chunk_tiles,
    })
}

// proptest calls its generators strategies too.
use proptest::strategy::Strategy as Strategy_;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_is_there_when_it_is_read(request in requests(), strategy in strategies()) {
        check(&request, strategy);
    }

    #[test]
    fn every_candidate_works(request in requests()) {
        for strategy in Strategy::CANDIDATES {
            check(&request, strategy);
        }
    }
}

#[test]
fn memory_stops_growing_with_the_height() {
    let tall = |height| SessionRequest { height, ..papers_request(512, 512) };
    let strategy = Strategy { computed_again: LAYER_COUNT, band_rows: 64, chunk_tiles: 128 };
    let bytes = |height| check(&tall(height), strategy).map_bytes(&tall(height));
    assert_eq!(bytes(4096), bytes(16_384));
}

#[test]
fn candidates_take_less_and_less() {
    // Below this size the way back runs so far ahead that little is saved by keeping nothing.
    let request = papers_request(8192, 8192);
    let bytes: Vec<u64> =
        Strategy::CANDIDATES.iter().map(|&strategy| check(&request, strategy).map_bytes(&request)).collect();
    assert!(bytes.is_sorted_by(|a, b| a > b), "{bytes:?}");
}

/// One row too few, and the walk notices.
#[test]
#[should_panic(expected = "is not there")]
fn a_ring_that_is_too_short_is_found() {
    let request = papers_request(256, 256);
    let mut plan = Plan::new(&request, Strategy::CANDIDATES[Strategy::FIRST_OF_LEAST_MEMORY]);
    plan.slots[2].features -= 1;
    let plan = plan;
    let mut walker = Walker::new(&request, &plan);
    plan.forward.iter().for_each(|operation| walker.step(operation, false));
    plan.backward.iter().for_each(|operation| walker.step(operation, true));
}

#[test]
fn what_no_plan_can_follow_is_refused_in_a_sentence() {
    let options = CpuOptions { threads: Some(1), isa: Some("portable".into()) };
    let engine = CpuEngine::new(Weights::embedded(), options).unwrap();
    let request = papers_request(64, 64);
    let says = |engine: &CpuEngine, request: &SessionRequest| match engine.session_bytes(request) {
        Ok(bytes) => format!("{bytes} bytes"),
        Err(error) => error.to_string(),
    };
    let strategy = Strategy { computed_again: 0, band_rows: 0, chunk_tiles: 1 };
    assert!(says(&engine.with_strategy(strategy), &request).contains("bands of 0 rows"));
    // So large that 3 x height x width is beyond 64 bits, and one pixel too large.
    for side in [1 << 32, usize::MAX, SIDE_LIMIT_PX + 1] {
        for (height, width) in [(side, side), (side, 1), (1, side)] {
            let said = says(&engine, &SessionRequest { height, width, ..request.clone() });
            assert!(said.contains("too large"), "{width}x{height}: {said}");
        }
    }
    // The largest is counted without wrapping: more than 3 floats a pixel, and never as much as a megabyte.
    let whole = Strategy { band_rows: SIDE_LIMIT_PX, chunk_tiles: usize::MAX, ..strategy };
    let largest = SessionRequest { height: SIDE_LIMIT_PX, width: SIDE_LIMIT_PX, ..request.clone() };
    let pixels = (SIDE_LIMIT_PX * SIDE_LIMIT_PX) as u64;
    let bytes = engine.with_strategy(whole).session_bytes(&largest).unwrap();
    assert!(bytes > 12 * pixels && bytes < pixels << 20, "{bytes}");
}
