//! Adapters whose shaders see little of a buffer at once: the picture goes through in bands and the content image's features
//! stand in pieces, none of them larger, which wgpu checks; and every answer is the same bytes.

use impasto_gpu::{GpuChoice, GpuEngine, adapters, choose};
use impasto_vgg::{Border, Engine, EngineError, Pooling, SessionRequest, Weights};

use crate::engine;
use crate::evaluation::evaluate;
use crate::support::conformance::{named, request};
use crate::support::random::Random;

/// More than the weights up to conv3_1, and than the rows that these taps need at a time.
const LITTLE_BYTES: u64 = 2 << 20;

/// The maps of its first block, and the content image's features there, are larger than that.
fn wide() -> SessionRequest {
    let style = ["conv1_1", "conv2_1", "conv3_1"].map(named);
    request((150, 70), (Pooling::Max, Border::Replicate), &style, &[named("conv1_2"), named("conv2_2")])
}

/// An engine on a device of its own that binds so many bytes at once; `None` where there is no adapter.
fn engine_binding(bytes: u64) -> Option<GpuEngine> {
    engine()?;
    let device = choose(&adapters(), GpuChoice::Best).unwrap().open_as_if_binding(bytes).unwrap();
    assert_eq!(device.limits().max_storage_buffer_binding_size, bytes);
    Some(GpuEngine::new(device, Weights::embedded()))
}

#[test]
fn maps_larger_than_a_binding_change_no_byte() {
    let Some(narrow) = engine_binding(LITTLE_BYTES) else { return };
    let request = wide();
    let (expected, in_one_piece) = evaluate(engine().unwrap(), &request).unwrap();
    let (ours, _) = evaluate(&narrow, &request).unwrap();
    assert!(ours.observation == expected.observation, "other moments or distances");
    assert!(ours.pixels == expected.pixels, "another gradient");
    assert!(ours.are_sound());
    // In one piece it goes through an adapter that binds enough, and not through this one.
    assert_eq!(in_one_piece.computed_again, 0);
    let error = narrow.with_strategy(in_one_piece).session_bytes(&request).unwrap_err();
    assert!(matches!(&error, EngineError::Device(said) if said.contains("MiB at once")), "{error}");
}

#[test]
fn features_larger_than_a_binding_come_out_whole() {
    let Some(narrow) = engine_binding(LITTLE_BYTES) else { return };
    let request = wide();
    let picture = Random(3).picture(request.height, request.width);
    let map = |engine: &GpuEngine, name: &str| {
        engine.session(&request).unwrap().feature_map(&picture, named(name)).unwrap().values
    };
    for name in ["conv1_1", "pool1", "conv2_2"] {
        let (ours, expected) = (map(&narrow, name), map(engine().unwrap(), name));
        assert!(ours == expected, "{name}");
        assert!(ours.iter().any(|&value| value > 0.0), "{name}");
    }
}

/// Where the taps are small enough, lower bands are all that it takes.
#[test]
fn nothing_is_computed_again_where_bands_are_enough() {
    let Some(narrow) = engine_binding(LITTLE_BYTES) else { return };
    let content = ["conv2_2", "conv3_1"].map(named);
    let request = request((400, 40), (Pooling::Average, Border::Zero), &[], &content);
    let strategy = narrow.open(&request).unwrap().plan().unwrap().strategy;
    assert!(strategy.computed_again == 0 && strategy.band_rows < 400, "{strategy:?}");
}

/// What every adapter binds, 128 MiB, is enough for the paper's layers at these sizes; the sessions are not opened.
#[test]
fn what_every_adapter_binds_is_enough_for_large_pictures() {
    let Some(engine) = engine_binding(128 << 20) else { return };
    let style = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"].map(named);
    for size in [(1024, 1024), (1536, 1024), (1024, 1536), (2048, 2048)] {
        let mut request = request(size, (Pooling::Average, Border::Replicate), &style, &[named("conv4_2")]);
        request.memory_limit_bytes = Some(1 << 40);
        engine.session_bytes(&request).unwrap();
    }
}

/// What no plan can show a shader in one piece is refused in words before any work.
#[test]
fn pictures_beyond_every_plan_are_refused_in_words() {
    let Some(narrow) = engine_binding(LITTLE_BYTES) else { return };
    // A single row of its first maps is larger.
    let request = SessionRequest { width: 1 << 17, ..wide() };
    let error = narrow.session_bytes(&request).unwrap_err();
    assert!(matches!(&error, EngineError::Device(said) if said.contains("MiB at once")), "{error}");
}
