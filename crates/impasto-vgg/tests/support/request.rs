//! What a picture asks of an engine by the paper's layers.

use impasto_vgg::{Border, Layer, Pooling, Precision, SessionRequest};

/// Both ways in f32, average pooling, style from conv1_1 to conv5_1, content at conv4_2.
pub fn papers_request(height: usize, width: usize) -> SessionRequest {
    let named = |name: &str| Layer::named(name).unwrap();
    SessionRequest {
        height,
        width,
        pooling: Pooling::Average,
        border: Border::Zero,
        precision: Precision::F32,
        style_taps: ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"].map(named).to_vec(),
        content_taps: vec![named("conv4_2")],
        matched_taps: Vec::new(),
        guides: impasto_vgg::Guides::default(),
        way_back: true,
        memory_limit_bytes: None,
    }
}
