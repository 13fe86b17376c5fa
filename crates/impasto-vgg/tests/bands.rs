//! Bands change nothing: features, moments, distances and gradients are the same bytes whatever the height of the bands,
//! the work that layers wait for, and what is kept between the way forward and the way back.

mod support;

use impasto_vgg::layers::LAYER_COUNT;
use impasto_vgg::profile::Step;
use impasto_vgg::{
    Border, CpuEngine, CpuOptions, Engine, Guides, Layer, LayerKind, Observation, Pooling, Precision, Session,
    SessionRequest, Strategy, Weights,
};
use support::guides::Maps;
use support::random::Random;
use support::subjects::{cpu_engines, f32_engines};

/// Everything at once: the run that the others have to repeat.
const ONE_PIECE: Strategy = Strategy { computed_again: 0, band_rows: 1 << 20, chunk_tiles: 1 };

const OTHERS: [Strategy; 6] = [
    Strategy { computed_again: 0, band_rows: 16, chunk_tiles: 1 },
    Strategy { computed_again: 1, band_rows: 64, chunk_tiles: 128 },
    Strategy { computed_again: 4, band_rows: 4, chunk_tiles: 7 },
    Strategy { computed_again: LAYER_COUNT, band_rows: 4, chunk_tiles: 1 },
    Strategy { computed_again: 8, band_rows: 20, chunk_tiles: 30 },
    Strategy { computed_again: LAYER_COUNT, band_rows: 1 << 20, chunk_tiles: 1 },
];

fn named(name: &str) -> Layer {
    Layer::named(name).unwrap()
}

fn request(size: (usize, usize), pooling: Pooling, border: Border, style: &[&str], content: &[&str]) -> SessionRequest {
    SessionRequest {
        height: size.0,
        width: size.1,
        pooling,
        border,
        precision: Precision::F32,
        style_taps: style.iter().map(|name| named(name)).collect(),
        content_taps: content.iter().map(|name| named(name)).collect(),
        matched_taps: Vec::new(),
        guides: impasto_vgg::Guides::default(),
        way_back: true,
        memory_limit_bytes: None,
    }
}

fn evaluate(engine: &CpuEngine, request: &SessionRequest, strategy: Strategy) -> (Observation, Vec<f32>) {
    let mut session = engine.with_strategy(strategy).open(request).unwrap();
    let mut random = Random(9);
    let [content, other, image] = [(); 3].map(|()| random.picture(request.height, request.width));
    session.set_content(&content).unwrap();
    Maps::mixed(request, 12).give_to(&mut session);
    let mut pixels = vec![f32::NAN; request.picture_len()];
    // A picture before it, so that nothing may lean on buffers being fresh.
    let seen = session.forward(&other).unwrap();
    session.backward(&Random(4).gradients(&seen), &mut pixels).unwrap();
    let seen = session.forward(&image).unwrap();
    session.backward(&Random(4).gradients(&seen), &mut pixels).unwrap();
    (seen, pixels)
}

fn check((isa, engine): &(String, CpuEngine), request: &SessionRequest) {
    let expected = evaluate(engine, request, ONE_PIECE);
    assert!(expected.1.iter().all(|value| value.is_finite()) && expected.1.iter().any(|&value| value != 0.0));
    for (index, strategy) in OTHERS.into_iter().enumerate() {
        let ours = evaluate(&engine.with_threads(1 + index % 3).unwrap(), request, strategy);
        assert!(ours.0 == expected.0, "{isa} {request:?} {strategy:?}: other moments");
        assert!(ours.1 == expected.1, "{isa} {request:?} {strategy:?}: another gradient");
    }
}

const PAPER: [&str; 5] = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];

#[test]
fn the_papers_taps_in_bands() {
    for engine in f32_engines() {
        check(engine, &request((149, 83), Pooling::Average, Border::Zero, &PAPER, &["conv4_2"]));
    }
    check(&cpu_engines()[0], &request((131, 50), Pooling::Max, Border::Replicate, &PAPER, &["conv4_2"]));
}

/// Taps before poolings, on poolings, without conv1_1, content alone.
#[test]
fn unusual_taps_in_bands() {
    let best = &cpu_engines()[0];
    let (average, max) = (Pooling::Average, Pooling::Max);
    check(best, &request((97, 41), max, Border::Zero, &["pool1", "conv2_2", "pool3"], &["conv1_2", "pool2"]));
    check(best, &request((90, 37), average, Border::Replicate, &["conv3_4", "pool4"], &["conv3_4", "pool4"]));
    check(best, &request((75, 20), average, Border::Zero, &[], &["conv3_2"]));
    check(best, &request((75, 20), max, Border::Zero, &["conv1_1"], &[]));
    check(best, &request((60, 23), max, Border::Replicate, &["pool5", "conv5_4"], &["conv5_2"]));
}

/// Three regions and an emphasis: soft, hard, empty in places.
#[test]
fn guides_in_bands() {
    for engine in f32_engines() {
        let plain = request((149, 83), Pooling::Average, Border::Zero, &PAPER, &["conv4_2"]);
        check(engine, &SessionRequest { guides: Guides { regions: 3, emphasis: true }, ..plain });
    }
    let best = &cpu_engines()[0];
    let plain = request((70, 140), Pooling::Max, Border::Zero, &["conv1_2", "pool2", "conv4_1"], &["pool2"]);
    check(best, &SessionRequest { guides: Guides { regions: 2, emphasis: false }, ..plain.clone() });
    let precise = SessionRequest { guides: Guides { regions: 2, emphasis: true }, ..plain };
    check(best, &SessionRequest { precision: Precision::Mixed, ..precise });
}

/// A memory limit chooses the plan, and the least that would do is named where none fits.
#[test]
fn a_limit_chooses_the_plan() {
    let (_, engine) = &cpu_engines()[0];
    let request = request((4096, 512), Pooling::Average, Border::Zero, &PAPER, &["conv4_2"]);
    let plan = |limit: u64| engine.plan(&SessionRequest { memory_limit_bytes: Some(limit), ..request.clone() });
    let bytes =
        |limit: u64| engine.session_bytes(&SessionRequest { memory_limit_bytes: Some(limit), ..request.clone() });
    let ample = bytes(1 << 40).unwrap();
    let first = plan(1 << 40).unwrap().strategy;
    assert_eq!(first.computed_again, 1);
    // First layers wait for fewer tiles, then more is computed again.
    let shorter = bytes(ample - 1).unwrap();
    let second = plan(ample - 1).unwrap().strategy;
    assert!(shorter < ample && second.computed_again == 1 && second.chunk_tiles < first.chunk_tiles, "{second:?}");
    let less = bytes(shorter - 1).unwrap();
    assert!(less < shorter && plan(shorter - 1).unwrap().strategy.computed_again > 1);
    let least = bytes(1_100_000_000).unwrap();
    assert!(least <= 1_100_000_000, "{least}");
    let starved = bytes(100_000_000).unwrap_err().to_string();
    assert!(starved.contains("4096") && starved.contains("95 MiB"), "{starved}");
}

#[test]
fn the_work_of_bands_is_that_of_the_whole() {
    let request = request((69, 22), Pooling::Average, Border::Zero, &["conv1_1", "conv3_1"], &["conv2_2"]);
    let work = |strategy: Strategy| {
        let options = CpuOptions { threads: Some(2), isa: None };
        let engine = CpuEngine::new(Weights::embedded(), options).unwrap().with_strategy(strategy);
        let mut session = engine.open(&request).unwrap();
        let image = Random(1).picture(request.height, request.width);
        session.set_content(&image).unwrap();
        let seen = session.forward(&image).unwrap();
        session.backward(&Random(4).gradients(&seen), &mut vec![0.0; request.picture_len()]).unwrap();
        session.times()
    };
    for strategy in [ONE_PIECE, Strategy { band_rows: 4, ..ONE_PIECE }, Strategy { band_rows: 20, ..ONE_PIECE }] {
        for time in work(strategy) {
            let (height, width) = time.layer.map_size(request.height, request.width);
            let (positions, channels) = ((height * width) as f64, time.layer.channels() as f64);
            let expected = match (time.step, time.layer.info().kind) {
                (Step::Observe, _) => positions * channels * (channels + 1.0),
                (Step::Inject, _) => positions * 2.0 * channels * channels,
                (_, LayerKind::Convolution { inputs, .. }) => positions * channels * inputs as f64 * 18.0,
                (_, LayerKind::Pooling) => 0.0,
            };
            assert_eq!(time.direct_flop, expected, "{strategy:?} {time:?}");
        }
    }
}
