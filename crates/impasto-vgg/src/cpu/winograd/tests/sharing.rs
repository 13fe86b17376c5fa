//! How evenly the products of a whole evaluation are shared out, by counting: more threads than a test machine has.

use super::super::weights::tile_shape;
use super::super::*;
use crate::engine::{Border, Precision, SessionRequest};
use crate::layers::{Layer, LayerKind};
use crate::plan::{Operation, Plan, Strategy};

/// The share of their time that so many threads have products to do, in an evaluation of a square picture, for tiles of the
/// shape and blocks of the size that `size` gives for numbers of inputs and outputs.
fn busy(threads: usize, side: usize, size: impl Fn(usize, usize) -> (TileShape, BlockSize)) -> f64 {
    let named = |name: &str| Layer::named(name).unwrap();
    let request = SessionRequest {
        height: side,
        width: side,
        pooling: Pooling::Max,
        border: Border::Zero,
        precision: Precision::F32,
        style_taps: ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"].map(named).to_vec(),
        content_taps: vec![named("conv4_2")],
        matched_taps: Vec::new(),
        guides: crate::guides::Guides::default(),
        way_back: true,
        memory_limit_bytes: None,
    };
    let plan = Plan::new(&request, Strategy::CANDIDATES[0].for_threads(threads));
    let (mut work, mut time) = (0, 0);
    for operation in plan.forward.iter().chain(&plan.backward) {
        let (layer, tile_rows, is_backward) = match operation {
            Operation::Forward { layer, tile_rows } => (layer, tile_rows, false),
            Operation::Backward { layer, tile_rows } => (layer, tile_rows, true),
            Operation::Observe { .. } | Operation::Inject { .. } => continue,
        };
        let LayerKind::Convolution { index: 1.., inputs, .. } = layer.info().kind else { continue };
        let (inputs, outputs) = if is_backward { (layer.channels(), inputs) } else { (inputs, layer.channels()) };
        let (_, width) = layer.map_size(side, side);
        let (shape, size) = size(inputs, outputs);
        let tiles = tile_rows.len() * width.div_ceil(shape.columns());
        let groups = outputs / GROUP_CHANNELS;
        let BlockSize { unit, most } = size;
        let (blocks, parts) = blocks_and_parts(threads, tiles, size, groups);
        let block_tiles = tiles.div_ceil(unit).div_ceil(blocks) * unit;
        assert!(block_tiles <= most && parts <= groups);
        let products = inputs * shape.points();
        work += products * tiles * groups;
        time += products * (blocks * parts).div_ceil(threads) * block_tiles * groups.div_ceil(parts);
    }
    work as f64 / (threads * time) as f64
}

#[test]
fn threads_are_busy_however_many_there_are() {
    for (side, least, least_in_registers) in [(256, 0.85, 0.7), (512, 0.93, 0.8), (1024, 0.97, 0.9)] {
        for threads in 1..=16 {
            let of_vectors = busy(threads, side, |inputs, outputs| {
                let shape = tile_shape(inputs, outputs, 0);
                (shape, BlockSize::of_vectors(inputs, shape))
            });
            assert!(of_vectors >= least, "{threads} threads at {side}x{side}: {of_vectors:.2} of the time");
            // Whole groups of sixteen tiles cannot be shared out as evenly.
            for parts in 1..=2 {
                let of_registers =
                    busy(threads, side, |inputs, _| (TileShape::Square, BlockSize::of_registers(inputs, parts)));
                assert!(
                    of_registers >= least_in_registers,
                    "{threads} threads at {side}x{side}: {of_registers:.2}, registers"
                );
            }
        }
    }
}
