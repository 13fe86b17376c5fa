//! What sessions take: limits are kept, and where shaders see little at a time the picture goes through in bands.

use impasto_vgg::profile::Step;
use impasto_vgg::{Border, Engine, EngineError, Layer, LayerKind, Pooling, Session, SessionRequest};

use crate::engine;
use crate::support::conformance::{named, request};
use crate::support::random::Random;

fn paper(size: (usize, usize)) -> SessionRequest {
    let style: Vec<Layer> = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"].map(named).to_vec();
    request(size, (Pooling::Average, Border::Zero), &style, &[named("conv4_2")])
}

#[test]
fn a_limit_chooses_the_plan() {
    let Some(engine) = engine() else { return };
    let request = paper((2048, 512));
    let bytes =
        |limit: u64| engine.session_bytes(&SessionRequest { memory_limit_bytes: Some(limit), ..request.clone() });
    let mut limit = 1 << 40;
    let mut plans = 0;
    while let Ok(taken) = bytes(limit) {
        assert!(taken <= limit);
        (limit, plans) = (taken - 1, plans + 1);
    }
    assert!(plans >= 4, "{plans}");
    let error = bytes(limit).unwrap_err();
    assert!(matches!(error, EngineError::Memory { width: 512, height: 2048, .. }), "{error}");
}

/// Memory grows with the width, but for the content image's features not with the height (from some height on: of lower
/// pictures even that is little which keeping a few taps takes).
#[test]
fn tall_pictures_take_little_more() {
    let Some(engine) = engine() else { return };
    let least = |height: usize| {
        let mut request = paper((height, 256));
        request.memory_limit_bytes = Some(1 << 40);
        while let Ok(taken) = engine.session_bytes(&request) {
            request.memory_limit_bytes = Some(taken - 1);
        }
        let target = 512 * (height as u64 / 8) * (256 / 8) * 4;
        request.memory_limit_bytes.unwrap() + 1 - target
    };
    let (low, tall) = (least(8192), least(32768));
    assert!(tall < low + (low / 50), "{low} and {tall} bytes");
}

/// Two operations for each product of the convolutions up to conv5_1.
fn direct_flop(request: &SessionRequest) -> f64 {
    let layers = Layer::all().take_while(|&layer| layer <= named("conv5_1"));
    let flop = layers.map(|layer| {
        let (height, width) = layer.map_size(request.height, request.width);
        match layer.info().kind {
            LayerKind::Convolution { inputs, .. } => 18 * inputs * layer.channels() * height * width,
            LayerKind::Pooling => 0,
        }
    });
    flop.sum::<usize>() as f64
}

/// The device's own clock, where it has one: every layer's way forward and back took some time.
#[test]
fn times_tell_every_layer() {
    let Some(engine) = engine() else { return };
    let request = paper((32, 40));
    let mut session = engine.open(&request).unwrap();
    assert!(session.times().is_empty());
    session.clear_times();
    let picture = Random(1).picture(request.height, request.width);
    session.set_content(&picture).unwrap();
    session.clear_times();
    let seen = session.forward(&picture).unwrap();
    session.backward(&Random(2).gradients(&seen), &mut vec![0.0; request.picture_len()]).unwrap();
    let times = session.times();
    if times.is_empty() {
        println!("this adapter has no clock: not checked");
        return;
    }
    for step in [Step::Forward, Step::Backward] {
        let layers = times.iter().filter(|time| time.step == step);
        let flop: f64 = layers.clone().map(|time| time.direct_flop).sum();
        assert_eq!(layers.count(), 13, "the convolutions up to conv5_1 {times:?}");
        assert_eq!(flop, direct_flop(&request));
    }
    assert!(times.iter().map(|time| time.seconds).sum::<f64>() > 0.0, "{times:?}");
}
