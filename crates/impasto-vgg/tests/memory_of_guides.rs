//! A session with regions and an emphasis takes the memory that it said it would. One test alone in this binary, so that nothing else allocates.

use impasto_vgg::{
    CpuEngine, CpuOptions, Engine, Guides, MomentGradients, ObservationGradients, Pooling, Session, SessionRequest,
    Weights,
};

#[path = "support/request.rs"]
mod request;
#[path = "support/resident.rs"]
mod resident;

use request::papers_request;
use resident::{status_bytes, touch_embedded_weights};

#[test]
fn a_session_takes_what_it_said_within_a_tenth() {
    let guides = Guides { regions: 12, emphasis: true };
    let request = SessionRequest { pooling: Pooling::Max, guides, ..papers_request(320, 288) };
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(2), isa: None }).unwrap();
    let image: Vec<f32> = (0..request.picture_len()).map(|index| (index * 7 % 256) as f32).collect();
    let mask: Vec<f32> = (0..320 * 288).map(|place| (place % 7) as f32 / 7.0).collect();
    let masks = mask.repeat(guides.regions);
    let mut pixels = vec![1.0; request.picture_len()];
    let said = engine.session_bytes(&request).unwrap();
    touch_embedded_weights();
    let Some(before) = status_bytes("VmRSS") else {
        println!("this system does not tell a process its memory: not checked");
        return;
    };
    let mut session = engine.open(&request).unwrap();
    session.set_content(&image).unwrap();
    session.set_masks(&masks).unwrap();
    session.set_emphasis(&mask).unwrap();
    let seen = session.forward(&image).unwrap();
    let by_moments = |second: &[f64]| MomentGradients { mean: Vec::new(), second: second.to_vec() };
    let gradients = ObservationGradients {
        moments: seen.moments.iter().map(|moments| by_moments(&moments.second)).collect(),
        distances: vec![1.0],
        matched: Vec::new(),
    };
    session.backward(&gradients, &mut pixels).unwrap();
    // What it saw, and the derivatives by it, are the caller's.
    let values: usize = seen.moments.iter().chain(&seen.moments).map(|moments| moments.second.len()).sum();
    let taken = status_bytes("VmHWM").unwrap() - before - (values * size_of::<f64>()) as u64;
    let ratio = taken as f64 / said as f64;
    assert!((0.9..=1.1).contains(&ratio), "{} MiB were said, {} MiB taken", said >> 20, taken >> 20);
}
