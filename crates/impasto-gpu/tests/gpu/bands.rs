//! Bands change nothing: moments, distances and gradients are the same bytes whatever the height of the bands and what
//! is kept between the way forward and the way back.

use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::{Border, Layer, Pooling, Strategy};

use crate::evaluation::evaluate;
use crate::support::conformance::{named, request};
use crate::{cases, engine, is_whole_series};

/// Everything at once: the run that the others have to repeat.
const ONE_PIECE: Strategy = Strategy { computed_again: 0, band_rows: 1 << 24, chunk_tiles: 1 };

const OTHERS: [Strategy; 4] = [
    Strategy { computed_again: 1, band_rows: 16, chunk_tiles: 12 },
    Strategy { computed_again: 4, band_rows: 4, chunk_tiles: 7 },
    Strategy { computed_again: LAYER_COUNT, band_rows: 4, chunk_tiles: 1 },
    Strategy { computed_again: LAYER_COUNT, band_rows: 1 << 24, chunk_tiles: 1 },
];

fn check(size: (usize, usize), kind: (Pooling, Border), style: &[&str], content: &[&str]) {
    let layers = |names: &[&str]| names.iter().map(|name| named(name)).collect::<Vec<Layer>>();
    let request = request(size, kind, &layers(style), &layers(content));
    let Some(engine) = engine() else { return };
    let answers = |strategy: Strategy| evaluate(&engine.with_strategy(strategy), &request).unwrap().0;
    let expected = answers(ONE_PIECE);
    assert!(expected.are_sound());
    for strategy in cases(2, OTHERS) {
        let ours = answers(strategy);
        assert!(ours.observation == expected.observation, "{request:?} {strategy:?}: other moments");
        assert!(ours.pixels == expected.pixels, "{request:?} {strategy:?}: another gradient");
    }
}

#[test]
fn the_papers_taps_in_bands() {
    let style = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];
    check((77, 35), (Pooling::Average, Border::Zero), &style, &["conv4_2"]);
    check((61, 22), (Pooling::Max, Border::Replicate), &style, &["conv4_2"]);
}

/// Taps before poolings, on poolings, without conv1_1, content alone.
#[test]
fn unusual_taps_in_bands() {
    if !is_whole_series() {
        return;
    }
    use Border::{Replicate, Zero};
    use Pooling::{Average, Max};
    check((53, 21), (Max, Zero), &["pool1", "conv2_2", "pool3"], &["conv1_2", "pool2"]);
    check((50, 17), (Average, Replicate), &["conv3_4", "pool3"], &["conv3_4", "pool3"]);
    check((45, 20), (Average, Zero), &[], &["conv3_2"]);
    check((45, 20), (Max, Zero), &["conv1_1"], &[]);
}
