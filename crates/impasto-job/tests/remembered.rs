//! Moments of style images are remembered by what guides them, too.

use std::sync::Arc;

use impasto_job::engine::{MomentsMemory, RememberingEngine};
use impasto_vgg::{
    Border, CpuEngine, CpuOptions, Engine, EngineError, Guides, Layer, Moments, Pooling, Precision, SessionRequest,
    Weights,
};

const SIDE: usize = 12;

#[test]
fn other_masks_are_other_moments() {
    let layer = |name| Layer::named(name).unwrap();
    let request = SessionRequest {
        height: SIDE,
        width: SIDE,
        pooling: Pooling::Average,
        border: Border::Zero,
        precision: Precision::F32,
        style_taps: vec![layer("conv1_1"), layer("pool1")],
        content_taps: Vec::new(),
        matched_taps: Vec::new(),
        guides: Guides { regions: 2, emphasis: false },
        way_back: false,
        memory_limit_bytes: None,
    };
    let cpu = CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(1), isa: None }).unwrap();
    let memory = Arc::new(MomentsMemory::new(1 << 20));
    let engine = RememberingEngine::new(Box::new(cpu.clone()), Arc::clone(&memory));
    let image: Vec<f32> = (0..request.picture_len()).map(|place| (place * 37 % 251) as f32).collect();
    let masks = |seed: usize| -> Vec<f32> {
        (0..2 * SIDE * SIDE).map(|place| ((place * 29 + seed) % 17) as f32 / 16.0).collect()
    };
    let see = |engine: &dyn Engine, seed: usize| -> Vec<Moments> {
        let mut session = engine.session(&request).unwrap();
        session.set_masks(&masks(seed)).unwrap();
        session.forward(&image).unwrap().moments
    };
    let first = see(&engine, 1);
    assert_eq!((first.len(), memory.computed()), (4, 1));
    assert!(see(&engine, 1) == first && memory.computed() == 1);
    assert!(see(&engine, 2) != first && memory.computed() == 2);
    assert!(see(&engine, 1) == first && see(&cpu, 1) == first && memory.computed() == 2);

    // Masks may change within a session; without any nothing is answered, though it is known.
    let mut session = engine.session(&request).unwrap();
    assert_eq!(session.forward(&image).unwrap_err(), EngineError::NO_MASKS);
    for seed in [3, 2, 4] {
        session.set_masks(&masks(seed)).unwrap();
        assert!(session.forward(&image).unwrap().moments == see(&cpu, seed));
    }
    assert_eq!(memory.computed(), 4);
    let length = session.set_masks(&masks(1)[1..]).unwrap_err();
    assert!(matches!(length, EngineError::MaskLength { .. }), "{length}");
    assert_eq!(session.set_emphasis(&masks(1)).unwrap_err(), EngineError::NO_EMPHASIS_ASKED);
}
