//! The convolutions against a direct one in f64, and against themselves however the work is cut up.

use proptest::prelude::*;

use super::*;
use crate::engine::Precision;
use planes::*;

mod planes;
mod sharing;

fn pool_of(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// All that kernels in f32 are made for.
fn sets_and_shapes() -> Vec<(InstructionSet, TileShape)> {
    let shapes = [TileShape::Square, TileShape::Oblong];
    InstructionSet::available().into_iter().flat_map(|set| shapes.map(|shape| (set, shape))).collect()
}

/// Everything a forward convolution can leave.
struct Left {
    map: FeatureRows,
    signs: SignRows,
    pooled: FeatureRows,
    winners: WinnerRows,
}

/// Runs the rows of tiles in the pieces that `cuts` gives.
fn forward(
    set: InstructionSet,
    weights: &WinogradWeights,
    bias: &[f32],
    input: &FeatureRows,
    pooling: Pooling,
    cuts: &[usize],
    threads: usize,
) -> Left {
    let (height, width, channels) = (input.height(), input.width(), weights.outputs());
    let (half_height, half_width) = (height.div_ceil(2), width.div_ceil(2));
    let mut left = Left {
        map: FeatureRows::new(channels, height, width, height),
        signs: SignRows::new(channels, height, width, height),
        pooled: FeatureRows::new(channels, half_height, half_width, half_height),
        winners: WinnerRows::new(channels, half_height, half_width, half_height),
    };
    let scratch = Scratch::new(threads);
    pool_of(threads).install(|| {
        for piece in pieces(height, cuts) {
            let winners = (pooling == Pooling::Max).then_some(&mut left.winners);
            let outputs = ForwardOutputs {
                bias,
                map: Some(&mut left.map),
                signs: Some(&mut left.signs),
                pooled: Some(Pooled { pooling, map: &mut left.pooled, winners }),
            };
            convolve_forward(set, weights, input, piece, outputs, &scratch);
        }
    });
    left
}

/// The rows of tiles of a map, cut at `cuts`.
fn pieces(height: usize, cuts: &[usize]) -> Vec<Range<usize>> {
    let end = height.div_ceil(TILE);
    let mut bounds: Vec<usize> = cuts.iter().map(|&cut| cut % (end + 1)).chain([0, end]).collect();
    bounds.sort_unstable();
    bounds.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// What the pooled map and its winners must be, from the full map.
fn check_pooling(left: &Left, pooling: Pooling) {
    let (height, width) = (left.map.height(), left.map.width());
    for channel in 0..left.map.channels() {
        for (y, x) in positions(height.div_ceil(2), width.div_ceil(2)) {
            let window: Vec<(usize, f32)> = (0..4)
                .map(|place| (place, 2 * y + place / 2, 2 * x + place % 2))
                .filter(|&(_, y, x)| y < height && x < width)
                .map(|(place, y, x)| (place, value(&left.map, channel, y, x)))
                .collect();
            let pooled = value(&left.pooled, channel, y, x);
            match pooling {
                Pooling::Average => {
                    let mean = window.iter().map(|&(_, value)| f64::from(value)).sum::<f64>() / window.len() as f64;
                    assert!((f64::from(pooled) - mean).abs() <= 1e-6 * mean.abs(), "{pooled} for {mean}");
                }
                Pooling::Max => {
                    let largest =
                        window.iter().fold(window[0], |best, &next| if next.1 > best.1 { next } else { best });
                    let [column, row] =
                        left.winners.row(channel / LANES, y)[x].map(|bits| bits >> (channel % LANES) & 1);
                    assert_eq!((usize::from(row * 2 + column), pooled), largest);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn forward_is_the_convolution_however_it_is_cut(
        (height, width) in (1usize..41, 1usize..41),
        (inputs, outputs) in (1usize..3, 1usize..3),
        cuts in proptest::collection::vec(0usize..12, 0..4),
        threads in 1usize..6,
        (seed, max) in (any::<u64>(), any::<bool>()),
    ) {
        let pooling = if max { Pooling::Max } else { Pooling::Average };
        let weights = random_weights(64 * inputs, 64 * outputs, seed);
        let input = Planes::random(64 * inputs, height, width, seed);
        let scale = largest_possible(&input, &weights, false);
        let mut expected = correlate(&input, &weights, false);
        for channel in 0..expected.channels {
            for (y, x) in positions(height, width) {
                let place = expected.index(channel, y, x);
                expected.values[place] = (expected.values[place] + f64::from(weights.bias[channel])).max(0.0);
            }
        }
        let rows = input.rows(height);
        for (set, shape) in sets_and_shapes() {
            let transformed = WinogradWeights::f32_for_tests(set, &weights, false, shape);
            let whole = forward(set, &transformed, &weights.bias, &rows, pooling, &[], 1);
            let error = error(&whole.map, &expected, scale);
            prop_assert!(error < error_bound(shape), "{} {shape:?}: {error}", set.name());
            for (block, y) in positions(outputs * 4, height) {
                for (bits, lanes) in whole.signs.row(block, y).iter().zip(whole.map.row(block, y)) {
                    prop_assert!((0..LANES).all(|lane| (bits >> lane & 1 == 1) == (lanes.0[lane] > 0.0)));
                }
            }
            check_pooling(&whole, pooling);
            let cut = forward(set, &transformed, &weights.bias, &rows, pooling, &cuts, threads);
            prop_assert!(same_bits(&whole.map, &cut.map) && same_bits(&whole.pooled, &cut.pooled), "{}", set.name());
            prop_assert!(same_elements(&whole.signs, &cut.signs) && same_elements(&whole.winners, &cut.winners));
        }
    }

    #[test]
    fn backward_is_the_adjoint_however_it_is_cut(
        (height, width) in (1usize..41, 1usize..41),
        (inputs, outputs) in (1usize..3, 1usize..3),
        cuts in proptest::collection::vec(0usize..12, 0..4),
        threads in 1usize..6,
        seed in any::<u64>(),
    ) {
        let weights = random_weights(64 * inputs, 64 * outputs, seed);
        let gradient = Planes::random(64 * outputs, height, width, seed);
        let injected = Planes::random(64 * inputs, height, width, seed ^ 1);
        let below = Planes::random(64 * inputs, height, width, seed ^ 2);
        let scale = largest_possible(&gradient, &weights, true);
        let mut expected = correlate(&gradient, &weights, true);
        for (place, value) in expected.values.iter_mut().enumerate() {
            *value = if below.values[place] > 0.0 { *value + injected.values[place] } else { 0.0 };
        }
        let (rows, signs) = (gradient.rows(height), below.signs());
        for (set, shape) in sets_and_shapes() {
            let transformed = WinogradWeights::f32_for_tests(set, &weights, true, shape);
            let source = Gradient { height, width, direct: Some(&rows), pooled: None, signs: None };
            let whole = backward(set, &transformed, &source, &injected, Some(&signs), &[], 1);
            let error = error(&whole, &expected, scale);
            prop_assert!(error < error_bound(shape), "{} {shape:?}: {error}", set.name());
            let cut = backward(set, &transformed, &source, &injected, Some(&signs), &cuts, threads);
            prop_assert!(same_bits(&whole, &cut), "{}", set.name());
        }
    }

    #[test]
    fn a_gradient_above_a_pooling_is_shared_out_as_it_is_read(
        (height, width) in (1usize..23, 1usize..23),
        (max, direct, seed) in (any::<bool>(), any::<bool>(), any::<u64>()),
    ) {
        let weights = random_weights(64, 64, seed);
        let features = Planes::random(64, height, width, seed ^ 1);
        let injected = Planes::random(64, height, width, seed ^ 2);
        let above = Planes::random(64, height.div_ceil(2), width.div_ceil(2), seed ^ 3);
        let winners = winners_of(&features);
        let mut shared = Planes::zeros(64, height, width);
        for channel in 0..64 {
            for (y, x) in positions(height, width) {
                let place = shared.index(channel, y, x);
                let above = above.values[above.index(channel, y / 2, x / 2)];
                let part = if max {
                    let [column, row] = winners.row(channel / LANES, y / 2)[x / 2].map(|bits| bits >> (channel % LANES) & 1);
                    f64::from(u8::from(usize::from(column) == x % 2 && usize::from(row) == y % 2))
                } else {
                    let count = (height - y / 2 * 2).min(2) * (width - x / 2 * 2).min(2);
                    1.0 / count as f64
                };
                // Each step in f32, as the kernel takes it.
                let value = (above * part) as f32 + if direct { injected.values[place] as f32 } else { 0.0 };
                shared.values[place] = if features.values[place] > 0.0 { f64::from(value) } else { 0.0 };
            }
        }
        let (shared, above, injected, signs) = (shared.rows(height), above.rows(height), injected.rows(height), features.signs());
        let nothing = Planes::zeros(64, height, width);
        for (set, shape) in sets_and_shapes() {
            let transformed = WinogradWeights::f32_for_tests(set, &weights, true, shape);
            let source = Gradient {
                height,
                width,
                direct: direct.then_some(&injected),
                pooled: Some(PooledGradient { map: &above, winners: max.then_some(&winners) }),
                signs: Some(&signs),
            };
            let plain = Gradient { height, width, direct: Some(&shared), pooled: None, signs: None };
            let expected = backward(set, &transformed, &plain, &nothing, None, &[], 1);
            let result = backward(set, &transformed, &source, &nothing, None, &[1], 2);
            // Zeros may differ in their sign, which no product or sum but another zero shows.
            let equal = positions(4, height).all(|(block, y)| expected.row(block, y) == result.row(block, y));
            prop_assert!(equal, "{} max {max} direct {direct}", set.name());
        }
    }

    #[test]
    fn bf16_products_are_as_close_as_their_eight_bits(
        (height, width) in (1usize..20, 1usize..20),
        (backward_too, seed) in (any::<bool>(), any::<u64>()),
    ) {
        let weights = random_weights(64, 128, seed);
        let source = Planes::random(if backward_too { 128 } else { 64 }, height, width, seed);
        let expected = correlate(&source, &weights, backward_too);
        let nothing = Planes::zeros(expected.channels, height, width);
        let rows = source.rows(height);
        for set in InstructionSet::available() {
            let transformed = WinogradWeights::bf16_for_tests(set, &weights, backward_too);
            // The gradient's way serves both: it has neither bias nor ReLU.
            let gradient = Gradient { height, width, direct: Some(&rows), pooled: None, signs: None };
            let result = backward(set, &transformed, &gradient, &nothing, None, &[], 1);
            let whole = l2_error(&result, &expected);
            prop_assert!(whole < 2e-2, "{}: {whole}", set.name());
            let cut = backward(set, &transformed, &gradient, &nothing, None, &[1, 3], 3);
            prop_assert!(same_bits(&result, &cut), "{}", set.name());
        }
    }

    #[test]
    fn products_in_two_parts_are_as_close_as_their_sixteen_bits(
        (height, width) in (1usize..41, 1usize..41),
        (inputs, seed) in (1usize..4, any::<u64>()),
    ) {
        let weights = random_weights(64 * inputs, 128, seed);
        let source = Planes::random(64 * inputs, height, width, seed);
        let expected = correlate(&source, &weights, false);
        let nothing = Planes::zeros(expected.channels, height, width);
        let rows = source.rows(height);
        for set in InstructionSet::available().into_iter().filter(|set| set.has_tiles()) {
            let transformed = WinogradWeights::forward(set, &weights, Precision::Mixed);
            prop_assert_eq!(transformed.parts(), 2);
            let gradient = Gradient { height, width, direct: Some(&rows), pooled: None, signs: None };
            let result = backward(set, &transformed, &gradient, &nothing, None, &[], 1);
            let whole = l2_error(&result, &expected);
            // As for eight bits above, 2^8 times as close.
            prop_assert!(whole < 2e-2 / 256.0, "{}: {whole}", set.name());
            let cut = backward(set, &transformed, &gradient, &nothing, None, &[1, 3], 3);
            prop_assert!(same_bits(&result, &cut), "{}", set.name());
        }
    }
}

fn backward(
    set: InstructionSet,
    weights: &WinogradWeights,
    gradient: &Gradient<'_>,
    injected: &Planes,
    signs: Option<&SignRows>,
    cuts: &[usize],
    threads: usize,
) -> FeatureRows {
    let mut map = injected.rows(injected.height);
    let scratch = Scratch::new(threads);
    pool_of(threads).install(|| {
        for piece in pieces(gradient.height, cuts) {
            let outputs = BackwardOutputs { map: &mut map, accumulate: true, signs };
            convolve_backward(set, weights, gradient, piece, outputs, &scratch);
        }
    });
    map
}

#[test]
fn rings_of_a_few_rows_give_what_whole_maps_give() {
    let (height, width) = (37, 11);
    let weights = random_weights(64, 64, 5);
    let input = Planes::random(64, height, width, 6);
    for (set, shape) in sets_and_shapes() {
        let transformed = WinogradWeights::f32_for_tests(set, &weights, false, shape);
        let whole = forward(set, &transformed, &weights.bias, &input.rows(height), Pooling::Average, &[], 1);
        // A row of tiles reads six rows and writes four (two when pooled).
        let mut ring = FeatureRows::new(64, height, width, 6);
        let mut map = FeatureRows::new(64, height, width, 4);
        let mut signs = SignRows::new(64, height, width, 4);
        let mut pooled = FeatureRows::new(64, height.div_ceil(2), width.div_ceil(2), 2);
        let scratch = Scratch::new(1);
        let mut next_row = 0;
        for tile_row in 0..height.div_ceil(TILE) {
            while next_row < (tile_row * TILE + TILE + 1).min(height) {
                input.copy_row(&mut ring, next_row);
                next_row += 1;
            }
            let outputs = ForwardOutputs {
                bias: &weights.bias,
                map: Some(&mut map),
                signs: Some(&mut signs),
                pooled: Some(Pooled { pooling: Pooling::Average, map: &mut pooled, winners: None }),
            };
            convolve_forward(set, &transformed, &ring, tile_row..tile_row + 1, outputs, &scratch);
            for (block, row) in positions(4, TILE).filter(|&(_, row)| tile_row * TILE + row < height) {
                let y = tile_row * TILE + row;
                assert_eq!(map.row(block, y), whole.map.row(block, y), "row {y} on {}", set.name());
                assert_eq!(signs.row(block, y), whole.signs.row(block, y), "row {y} on {}", set.name());
                assert_eq!(pooled.row(block, y / 2), whole.pooled.row(block, y / 2), "row {y} on {}", set.name());
            }
        }
    }
}

/// Sets whole rows of a map to what must not be read or written.
fn poison(map: &mut FeatureRows, rows: impl Iterator<Item = usize> + Clone, value: f32) {
    for block in 0..map.blocks() {
        rows.clone().for_each(|y| map.row_mut(block, y).fill(Lanes([value; LANES])));
    }
}

#[test]
fn a_range_of_rows_reads_and_writes_those_rows_and_no_others() {
    let (height, width, tile_rows) = (31, 9, 2..5);
    let (read, written) = (7..21, 8..20);
    let weights = random_weights(64, 64, 11);
    let input = Planes::random(64, height, width, 12);
    for (set, shape) in sets_and_shapes() {
        let transformed = WinogradWeights::f32_for_tests(set, &weights, false, shape);
        let whole = forward(set, &transformed, &weights.bias, &input.rows(height), Pooling::Max, &[], 1);
        let mut poisoned = input.rows(height);
        poison(&mut poisoned, (0..height).filter(|y| !read.contains(y)), f32::NAN);
        let mut map = FeatureRows::new(64, height, width, height);
        poison(&mut map, 0..height, -7.5);
        // What the scratch holds from earlier must not matter either.
        let scratch = Scratch::new(1);
        for thread in &scratch.threads {
            let thread = &mut *thread.lock().unwrap();
            for lines in [&mut thread.inputs, &mut thread.sums, &mut thread.strip] {
                lines.fill(Lanes([f32::NAN; LANES]));
            }
        }
        let outputs = ForwardOutputs { bias: &weights.bias, map: Some(&mut map), signs: None, pooled: None };
        pool_of(1).install(|| convolve_forward(set, &transformed, &poisoned, tile_rows.clone(), outputs, &scratch));
        for (block, y) in positions(4, height) {
            if written.contains(&y) {
                assert_eq!(map.row(block, y), whole.map.row(block, y), "row {y} on {}", set.name());
            } else {
                assert_eq!(map.row(block, y), vec![Lanes([-7.5; LANES]); width], "row {y} on {}", set.name());
            }
        }
    }
}

#[test]
fn every_count_of_tiles_in_a_block_gives_the_same() {
    // One row of tiles of every length: all full and partial groups of every micro-kernel, one block and several.
    let weights = random_weights(64, 64, 21);
    for (set, shape) in sets_and_shapes() {
        let transformed = WinogradWeights::f32_for_tests(set, &weights, false, shape);
        let columns = shape.columns();
        let input = Planes::random(64, TILE, 41 * columns, 22);
        let whole = forward(set, &transformed, &weights.bias, &input.rows(TILE), Pooling::Average, &[], 1);
        for tiles in 1..41 {
            // One column more than the tiles that are compared: what stands to the right of them is the same.
            let width = tiles * columns + 1;
            let mut cut = Planes::zeros(64, TILE, width);
            for channel in 0..64 {
                for (y, x) in positions(TILE, width) {
                    let place = cut.index(channel, y, x);
                    cut.values[place] = input.values[input.index(channel, y, x)];
                }
            }
            let part = forward(set, &transformed, &weights.bias, &cut.rows(TILE), Pooling::Average, &[], 1);
            for (block, y) in positions(4, TILE) {
                let len = tiles * columns;
                assert_eq!(part.map.row(block, y)[..len], whole.map.row(block, y)[..len], "{tiles} on {}", set.name());
            }
        }
    }
}
