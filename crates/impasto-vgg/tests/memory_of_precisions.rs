//! What earlier sessions leave behind does not come on top of what a session said. One test alone in this binary, so that
//! nothing else allocates.

use impasto_vgg::{
    CpuEngine, CpuOptions, Engine, MomentGradients, Observation, ObservationGradients, Pooling, Precision, Session,
    SessionRequest, Weights,
};

#[path = "support/request.rs"]
mod request;
#[path = "support/resident.rs"]
mod resident;

use request::papers_request;
use resident::{status_bytes, touch_embedded_weights};

fn gradients(seen: &Observation) -> ObservationGradients {
    let by_moments = |second: &[f64]| MomentGradients { mean: Vec::new(), second: second.to_vec() };
    ObservationGradients {
        moments: seen.moments.iter().map(|moments| by_moments(&moments.second)).collect(),
        distances: Vec::new(),
        matched: Vec::new(),
    }
}

#[test]
fn weights_that_no_session_uses_any_more_are_let_go() {
    let picture_request = SessionRequest {
        pooling: Pooling::Max,
        precision: Precision::Bf16,
        content_taps: Vec::new(),
        ..papers_request(320, 288)
    };
    let style_request = SessionRequest { precision: Precision::F32, way_back: false, ..picture_request.clone() };
    let final_request = SessionRequest { precision: Precision::F32, ..picture_request.clone() };
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(2), isa: None }).unwrap();
    let said = |request| engine.session_bytes(request).unwrap();
    let (of_style, of_picture, of_final) = (said(&style_request), said(&picture_request), said(&final_request));
    if !engine.describe().has_bf16 {
        println!("skipped: this processor has no bfloat16 products");
        return;
    }
    assert!(of_style < of_picture && of_picture < of_final, "{of_style} {of_picture} {of_final}");
    touch_embedded_weights();
    let Some(before) = status_bytes("VmRSS") else {
        println!("skipped: this system does not tell a process its memory");
        return;
    };
    let within_a_tenth = |what: &str, said: u64| {
        let taken = status_bytes("VmHWM").unwrap() - before;
        assert!(10 * taken <= 11 * said, "{what}: {} MiB were said, {} MiB taken", said >> 20, taken >> 20);
    };

    let image: Vec<f32> = (0..picture_request.picture_len()).map(|index| (index * 7 % 256) as f32).collect();
    engine.open(&style_request).unwrap().forward(&image).unwrap();
    within_a_tenth("the style's moments", of_style);

    let mut session = engine.open(&picture_request).unwrap();
    let seen = session.forward(&image).unwrap();
    let mut pixels = vec![0.0; image.len()];
    session.backward(&gradients(&seen), &mut pixels).unwrap();
    within_a_tenth("bfloat16 after it", of_picture);

    session.set_precision(Precision::F32);
    let seen = session.forward(&image).unwrap();
    session.backward(&gradients(&seen), &mut pixels).unwrap();
    within_a_tenth("f32 in the same session", of_final);
}
