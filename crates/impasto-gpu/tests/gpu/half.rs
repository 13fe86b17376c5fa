//! Maps in 16 bits a value. What is stored is rounded, and nothing else: each layer is compared with what the reference makes of
//! the stored map below it, moments and distances with sums over stored maps, gradients with the reference's way back
//! over stored features, so that every bound is that of one kind of rounding.

use impasto_gpu::{GpuChoice, GpuEngine, adapters, choose};
use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::reference::{Map, Network, moment_gradient, moments};
use impasto_vgg::{
    Border, Engine, Layer, LayerKind, Observation, Pooling, Precision, Session, SessionRequest, Strategy, Weights,
};

use crate::evaluation::evaluate;
use crate::support::conformance::{named, request};
use crate::support::random::Random;
use crate::support::{relative_l2, relative_max, widen};
use crate::{engine, is_whole_series};

/// Half precision has 11 significant bits, so rounding to nearest moves a value by at most this share of itself.
const HALF_ROUNDING: f64 = 1.0 / 2048.0;
/// And bfloat16 has 8.
const BFLOAT16_ROUNDING: f64 = 1.0 / 256.0;
/// The largest number of half precision.
const LARGEST: f32 = 65504.0;
/// The design's bounds for f32: features and moments, distances.
const F32_BOUND: f64 = 2e-5;
const DISTANCE_BOUND: f64 = 1e-5;

/// As the tests' other requests, with maps in 16 bits.
fn half(size: (usize, usize), kind: (Pooling, Border), style: &[&str], content: &[&str]) -> SessionRequest {
    let layers = |names: &[&str]| names.iter().map(|name| named(name)).collect::<Vec<Layer>>();
    let request = request(size, kind, &layers(style), &layers(content));
    SessionRequest { precision: Precision::F16, ..request }
}

/// A layer's features as they are stored.
fn stored(session: &mut dyn Session, picture: &[f32], layer: Layer) -> Map {
    let map = session.feature_map(picture, layer).unwrap();
    Map { channels: layer.channels(), height: map.height, width: map.width, values: widen(&map.values) }
}

/// A value as it may be in 11 bits, and in f32 sums of whatever goes in; a pooling's is made of values that are not stored
/// themselves, each of which is as far from its stored one.
#[test]
fn each_layer_is_off_by_one_rounding() {
    let Some(gpu) = engine() else { return };
    for kind in [(Pooling::Average, Border::Replicate), (Pooling::Max, Border::Zero)] {
        let request = half((18, 21), kind, &[], &[]);
        let network = Network { weights: Weights::embedded(), pooling: kind.0, border: kind.1 };
        let picture = Random(7).picture(request.height, request.width);
        let mut session = gpu.session(&request).unwrap();
        let mut below: Option<Map> = None;
        for layer in Layer::all() {
            let ours = stored(&mut *session, &picture, layer);
            let expected = match &below {
                None => network.forward(&picture, request.height, request.width, layer).remove(0),
                Some(below) => network.layer(layer, below),
            };
            let roundings = if layer.info().kind == LayerKind::Pooling { 2.0 } else { 1.0 };
            let slack = F32_BOUND * expected.values.iter().fold(0.0, |most: f64, &value| most.max(value));
            let mut rounded = 0;
            for (ours, expected) in ours.values.iter().zip(&expected.values) {
                let error = (ours - expected).abs();
                let bound = roundings * HALF_ROUNDING * expected + slack;
                assert!(error <= bound, "{kind:?} {layer}: {ours} for {expected}");
                rounded += usize::from(error > slack);
            }
            // The largest of stored values is stored already.
            let is_exact = layer.info().kind == LayerKind::Pooling && kind.0 == Pooling::Max;
            assert!(is_exact || rounded > 0, "{kind:?} {layer}: it is no map in half precision");
            below = Some(ours);
        }
    }
}

/// The session's maps of all layers up to its deepest tap.
fn stored_maps(session: &mut dyn Session, picture: &[f32]) -> Vec<Map> {
    let deepest = session.request().deepest_tap().unwrap();
    Layer::all().take_while(|&layer| layer <= deepest).map(|layer| stored(session, picture, layer)).collect()
}

#[test]
fn sums_over_stored_maps_are_as_exact_as_in_f32() {
    let Some(gpu) = engine() else { return };
    let style = ["conv1_1", "conv2_1", "pool3", "conv4_1"];
    let request = half((37, 45), (Pooling::Max, Border::Replicate), &style, &["conv1_2", "conv4_2"]);
    let mut random = Random(11);
    let [content, picture] = [(); 2].map(|()| random.picture(request.height, request.width));
    let mut session = gpu.session(&request).unwrap();
    session.set_content(&content).unwrap();
    let seen = session.forward(&picture).unwrap();
    for ours in &seen.moments {
        let expected = moments(ours.layer, &stored(&mut *session, &picture, ours.layer));
        let error = relative_max(&ours.mean, &expected.mean).max(relative_max(&ours.second, &expected.second));
        assert!(error <= F32_BOUND, "moments of {} are off by {error:e}", ours.layer);
    }
    for ours in &seen.distances {
        let [wanted, own] = [&content, &picture].map(|picture| stored(&mut *session, picture, ours.layer));
        let expected: f64 = own.values.iter().zip(&wanted.values).map(|(a, b)| (a - b) * (a - b)).sum();
        let error = (ours.sum_of_squares / expected - 1.0).abs();
        assert!(error <= DISTANCE_BOUND, "the distance at {} is off by {error:e}", ours.layer);
    }
}

/// A gradient is stored once a convolution, each value at most 2^-8 of itself up or down, and the hundreds of products that a
/// convolution sums average that out: all stores together come to less than one value's largest error.
#[test]
fn gradients_are_off_by_less_than_one_rounding() {
    let Some(gpu) = engine() else { return };
    let (style, content) = (["conv1_1", "conv2_1", "conv3_1", "conv4_1"], ["conv2_2", "conv4_2"]);
    for border in [Border::Zero, Border::Replicate] {
        let request = half((29, 34), (Pooling::Average, border), &style, &content);
        let mut random = Random(12);
        let [content, picture] = [(); 2].map(|()| random.picture(request.height, request.width));
        let mut session = gpu.session(&request).unwrap();
        session.set_content(&content).unwrap();
        let seen = session.forward(&picture).unwrap();
        let gradients = Random(4).gradients(&seen);
        let mut ours = vec![f32::NAN; request.picture_len()];
        session.backward(&gradients, &mut ours).unwrap();

        let maps = stored_maps(&mut *session, &picture);
        let mut at_layers: Vec<Option<Map>> = maps.iter().map(|_| None).collect();
        let mut add = |layer: Layer, term: Map| match &mut at_layers[layer.index()] {
            Some(sum) => sum.values.iter_mut().zip(&term.values).for_each(|(sum, term)| *sum += term),
            none => *none = Some(term),
        };
        for (&layer, by_moments) in request.style_taps.iter().zip(&gradients.moments) {
            add(layer, moment_gradient(&maps[layer.index()], by_moments));
        }
        for (&layer, by_distance) in request.content_taps.iter().zip(&gradients.distances) {
            let mut term = stored(&mut *session, &content, layer);
            let own = &maps[layer.index()].values;
            term.values.iter_mut().zip(own).for_each(|(value, own)| *value = 2.0 * by_distance * (own - *value));
            add(layer, term);
        }
        let network = Network { weights: Weights::embedded(), pooling: Pooling::Average, border };
        let expected = network.backward(&maps, &at_layers);
        let error = relative_l2(&widen(&ours), &expected.values);
        println!("{border:?}: the gradient is off by {error:e}");
        assert!(error <= BFLOAT16_ROUNDING, "{border:?}: the gradient is off by {error:e}");
    }
}

/// The same bytes in one piece and in bands, and a second time.
#[test]
fn bands_change_nothing() {
    if !is_whole_series() {
        return;
    }
    let Some(gpu) = engine() else { return };
    let pieces = [
        Strategy { computed_again: 0, band_rows: 1 << 24, chunk_tiles: 1 },
        Strategy { computed_again: 0, band_rows: 1 << 24, chunk_tiles: 1 },
        Strategy { computed_again: 4, band_rows: 4, chunk_tiles: 7 },
        Strategy { computed_again: LAYER_COUNT, band_rows: 16, chunk_tiles: 12 },
    ];
    let (average, max) = ((Pooling::Average, Border::Replicate), (Pooling::Max, Border::Zero));
    let requests = [
        half((61, 22), average, &["conv1_1", "conv2_1", "conv3_1", "conv4_1"], &["conv4_2"]),
        half((53, 21), max, &["pool1", "conv2_2", "pool3"], &["conv1_2", "pool2"]),
    ];
    for request in requests {
        let [expected, others @ ..] = pieces.map(|piece| evaluate(&gpu.with_strategy(piece), &request).unwrap().0);
        assert!(expected.are_sound());
        for (ours, piece) in others.iter().zip(&pieces[1..]) {
            assert!(ours.observation == expected.observation, "{request:?} {piece:?}: other moments");
            assert!(ours.pixels == expected.pixels, "{request:?} {piece:?}: another gradient");
        }
    }
}

/// Half the bytes but for what stays as it is: an adapter that binds little takes a picture in one piece that it takes in
/// bands in f32, and pictures that it does not take in f32 at all.
#[test]
fn maps_take_half_the_memory() {
    let Some(gpu) = engine() else { return };
    let paper = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];
    let short = half((480, 480), (Pooling::Average, Border::Zero), &paper, &["conv4_2"]);
    let in_one_piece = gpu.with_strategy(Strategy { computed_again: 0, band_rows: 1 << 24, chunk_tiles: 1 });
    let single = |request: &SessionRequest| SessionRequest { precision: Precision::F32, ..request.clone() };
    let bytes = |request: &SessionRequest| in_one_piece.session_bytes(request).unwrap();
    let rest = bytes(&SessionRequest { height: 1, width: 1, ..short.clone() });
    let maps = |request: &SessionRequest| (bytes(request) - rest) as f64;
    let share = maps(&short) / maps(&single(&short));
    println!("the maps take {share:.3} of f32's memory");
    assert!((0.5..0.6).contains(&share), "{share}");

    // The rows of conv1_1 that a band needs at least: 64 channels of four bytes are too many, of two are not.
    let device = choose(&adapters(), GpuChoice::Best).unwrap().open_as_if_binding(16 << 20).unwrap();
    let narrow = GpuEngine::new(device, Weights::embedded());
    let wide = half((16, 8192), (Pooling::Max, Border::Zero), &["conv1_1"], &[]);
    assert!(narrow.session_bytes(&single(&wide)).is_err(), "it is too wide in f32");
    narrow.session_bytes(&wide).unwrap();
}

/// Pieces of the content image's features, and bands that a shader sees one at a time.
#[test]
fn maps_larger_than_a_binding_change_no_byte() {
    if !is_whole_series() {
        return;
    }
    let Some(gpu) = engine() else { return };
    let device = choose(&adapters(), GpuChoice::Best).unwrap().open_as_if_binding(2 << 20).unwrap();
    let narrow = GpuEngine::new(device, Weights::embedded());
    let style = ["conv1_1", "conv2_1"];
    let request = half((300, 70), (Pooling::Max, Border::Replicate), &style, &["conv1_2", "conv2_2"]);
    let (expected, _) = evaluate(gpu, &request).unwrap();
    let (ours, _) = evaluate(&narrow, &request).unwrap();
    assert!(ours.observation == expected.observation, "other moments or distances");
    assert!(ours.pixels == expected.pixels, "another gradient");
    assert!(ours.are_sound());
}

/// What is beyond the largest number of half precision becomes that, and everything that follows is a number.
#[test]
fn features_beyond_half_precision_saturate() {
    let Some(gpu) = engine() else { return };
    for pooling in [Pooling::Average, Pooling::Max] {
        let request = half((21, 18), (pooling, Border::Zero), &["conv1_1", "pool1", "conv4_1"], &["conv3_1"]);
        let bright: Vec<f32> = Random(3).picture(21, 18).iter().map(|value| value * 3000.0).collect();
        let mut session = gpu.session(&request).unwrap();
        let mut exact = gpu.session(&SessionRequest { precision: Precision::F32, ..request.clone() }).unwrap();
        let ours = session.feature_map(&bright, named("conv1_1")).unwrap().values;
        let expected = exact.feature_map(&bright, named("conv1_1")).unwrap().values;
        assert!(expected.iter().any(|&value| value > 2.0 * LARGEST), "the picture is not bright enough");
        for (ours, expected) in ours.iter().zip(expected) {
            let wanted = f64::from(expected.min(LARGEST));
            assert!((f64::from(*ours) - wanted).abs() <= HALF_ROUNDING * wanted, "{ours} for {expected}");
        }
        session.set_content(&bright).unwrap();
        let seen = session.forward(&Random(5).picture(21, 18)).unwrap();
        assert!(is_finite(&seen));
        let seen = session.forward(&bright).unwrap();
        assert!(is_finite(&seen));
        let mut pixels = vec![f32::NAN; request.picture_len()];
        session.backward(&Random(4).gradients(&seen), &mut pixels).unwrap();
        assert!(pixels.iter().all(|value| value.is_finite()));
    }
}

fn is_finite(seen: &Observation) -> bool {
    let moments = seen.moments.iter().flat_map(|moments| moments.mean.iter().chain(&moments.second));
    moments.chain(seen.distances.iter().map(|distance| &distance.sum_of_squares)).all(|value| value.is_finite())
}

/// A pixel that is no number reaches every moment that looks at it, in both kinds of maps, so that a loss is none either;
/// also the one that rounding as if it were a number turns into zero.
#[test]
fn what_is_no_number_stays_none() {
    let Some(gpu) = engine() else { return };
    let good = Random(3).picture(21, 18);
    for (pooling, nan) in [(Pooling::Average, f32::NAN), (Pooling::Max, f32::from_bits(0x7fff_ffff))] {
        let request = half((21, 18), (pooling, Border::Zero), &["conv1_1", "pool1", "conv3_1"], &["conv2_1"]);
        let mut bad = good.clone();
        bad[5 * 18 + 7] = nan;
        for precision in [Precision::F32, Precision::F16] {
            let mut session = gpu.session(&SessionRequest { precision, ..request.clone() }).unwrap();
            session.set_content(&good).unwrap();
            let seen = session.forward(&bad).unwrap();
            for moments in &seen.moments {
                assert!(moments.mean.iter().all(|mean| mean.is_nan()), "{pooling:?} {precision:?} {}", moments.layer);
            }
            assert!(seen.distances[0].sum_of_squares.is_nan(), "{pooling:?} {precision:?}");
            // A window of which one position is none has no mean and no largest value.
            let [whole, pooled] = ["conv1_2", "pool1"].map(|name| session.feature_map(&bad, named(name)).unwrap());
            for (place, value) in pooled.values.iter().enumerate() {
                let (plane, y, x) = (place / (11 * 9), place / 9 % 11, place % 9);
                let rows = 2 * y..(2 * y + 2).min(21);
                let of_row = |y: usize| &whole.values[(plane * 21 + y) * 18 + 2 * x..][..2];
                let has_none = rows.into_iter().flat_map(of_row).any(|value| value.is_nan());
                assert_eq!(value.is_nan(), has_none, "{pooling:?} {precision:?} plane {plane} at {y}, {x}");
            }
        }
    }
}

/// Also where nobody sets the content image again.
#[test]
fn a_session_that_changes_its_precision_is_as_one_opened_with_it() {
    let Some(gpu) = engine() else { return };
    let request = half((37, 26), (Pooling::Average, Border::Zero), &["conv1_1", "conv2_1"], &["conv3_1"]);
    let mut random = Random(14);
    let [content, picture] = [(); 2].map(|()| random.picture(request.height, request.width));
    let answer = |session: &mut dyn Session| {
        let seen = session.forward(&picture).unwrap();
        let mut pixels = vec![f32::NAN; request.picture_len()];
        session.backward(&Random(4).gradients(&seen), &mut pixels).unwrap();
        (seen, pixels)
    };
    let opened = [Precision::F32, Precision::F16].map(|precision| {
        let mut session = gpu.session(&SessionRequest { precision, ..request.clone() }).unwrap();
        session.set_content(&content).unwrap();
        (precision, answer(&mut *session))
    });
    assert!(opened[0].1 != opened[1].1);
    let mut session = gpu.session(&request).unwrap();
    session.set_content(&content).unwrap();
    for (precision, expected) in [&opened[1], &opened[0], &opened[1]] {
        session.set_precision(*precision);
        assert!(answer(&mut *session) == *expected, "{precision:?}");
    }
    // What an evaluation has begun with, it ends with.
    let seen = session.forward(&picture).unwrap();
    session.set_precision(Precision::F32);
    let mut pixels = vec![f32::NAN; request.picture_len()];
    session.backward(&Random(4).gradients(&seen), &mut pixels).unwrap();
    assert!(pixels == opened[1].1.1, "the way back of another arithmetic than the way forward");
}
