//! The normalised network: mean activation 1 for every live filter on the images that it was normalised by, and the same
//! function but for the scales.

mod support;

use std::sync::Arc;

use impasto_vgg::normalise::convolution_layers;
use impasto_vgg::{
    Border, Calibration, ConvolutionWeights, CpuEngine, CpuOptions, Engine, Layer, MeanActivations, NormaliseError,
    Pooling, Precision, SessionRequest, Weights, WeightsError,
};
use support::random::Random;

/// Height and width of the images to normalise by: of different sizes, so that positions have to be counted right.
const SIZES: [(usize, usize); 2] = [(40, 33), (24, 50)];

fn engine(weights: Arc<Weights>) -> CpuEngine {
    CpuEngine::new(weights, CpuOptions::default()).unwrap()
}

fn pictures() -> Vec<(Vec<f32>, usize, usize)> {
    let mut random = Random(5);
    SIZES.iter().map(|&(height, width)| (random.picture(height, width), height, width)).collect()
}

fn mean_activations(engine: &dyn Engine, pooling: Pooling) -> MeanActivations {
    let mut calibration = Calibration::new(pooling);
    for (picture, height, width) in pictures() {
        calibration.add(engine, &picture, height, width).unwrap();
    }
    calibration.finish().unwrap()
}

/// A layer's features of the first picture.
fn features(engine: &dyn Engine, layer: Layer, pooling: Pooling) -> Vec<f32> {
    let (picture, height, width) = pictures().remove(0);
    let request = SessionRequest {
        height,
        width,
        pooling,
        border: Border::Zero,
        precision: Precision::F32,
        style_taps: vec![layer],
        content_taps: Vec::new(),
        matched_taps: Vec::new(),
        guides: impasto_vgg::Guides::default(),
        way_back: true,
        memory_limit_bytes: None,
    };
    engine.session(&request).unwrap().feature_map(&picture, layer).unwrap().values
}

/// The largest difference between `scaled` times its filters' scales and `original`, relative to the largest value.
fn difference(scaled: &[f32], scales: &[f32], original: &[f32]) -> f64 {
    assert_eq!(scaled.len(), original.len());
    let positions = original.len() / scales.len();
    let largest = original.iter().fold(0.0_f64, |largest, &value| largest.max(value.abs().into()));
    let at = |place: usize| {
        (f64::from(scaled[place]) * f64::from(scales[place / positions]) - f64::from(original[place])).abs()
    };
    (0..original.len()).map(at).fold(0.0, f64::max) / largest
}

/// The embedded weights with filter 7 of conv3_2 silenced.
fn with_a_dead_filter() -> Weights {
    let mut convolutions = Weights::embedded().convolutions().to_vec();
    let convolution = &convolutions[5];
    let mut bias = convolution.bias.clone();
    bias[7] = -1e9;
    let kernel = convolution.kernel().into_owned();
    convolutions[5] = ConvolutionWeights::from_values(convolution.outputs, convolution.inputs, kernel, bias);
    Weights::from_convolutions(convolutions).unwrap()
}

#[test]
fn mean_activation_is_1_on_the_images_it_was_normalised_by() {
    for pooling in [Pooling::Average, Pooling::Max] {
        let embedded = Weights::embedded();
        let means = mean_activations(&engine(embedded.clone()), pooling);
        let normalised = Arc::new(embedded.normalised_by(&means));
        let after = mean_activations(&engine(normalised), pooling);
        let dead = means.dead_filters();
        let mut live = 0;
        for (place, layer) in convolution_layers().enumerate() {
            for (channel, &mean) in after.of(place).iter().enumerate() {
                if dead.iter().any(|filter| (filter.layer, filter.channel) == (layer, channel)) {
                    continue;
                }
                live += 1;
                // Engines are exact to 2e-5 of a layer's largest value, so a filter that hardly fires is known less well.
                let (mean, before) = (f64::from(mean), means.of(place));
                let own = f64::from(before[channel]);
                let largest = before.iter().fold(0.0_f64, |largest, &value| largest.max(value.into()));
                let off = (mean - 1.0).abs();
                assert!(off * own < 2e-5 * largest, "{pooling:?} {layer} {channel}: {mean}");
                assert!(own < 0.05 * largest || off < 1e-4, "{pooling:?} {layer} {channel}: {mean}");
            }
        }
        assert!(live > 2_500, "{live} of 5,504 filters fire on two small random pictures");
    }
}

#[test]
fn the_function_is_the_same_but_for_the_scales() {
    let embedded = Weights::embedded();
    for pooling in [Pooling::Average, Pooling::Max] {
        let (original, normalised) = (engine(embedded.clone()), engine(Weights::normalised()));
        for (place, layer) in convolution_layers().enumerate().step_by(5) {
            let scales = MeanActivations::built_in().scales(place);
            let scaled = features(&normalised, layer, pooling);
            let difference = difference(&scaled, &scales, &features(&original, layer, pooling));
            assert!(difference < 2e-5, "{pooling:?} {layer}: {difference}");
        }
    }
}

#[test]
fn a_dead_filter_is_named_and_left_alone() {
    let silenced = Arc::new(with_a_dead_filter());
    let original = engine(silenced.clone());
    let means = mean_activations(&original, Pooling::Average);
    let dead = means.dead_filters();
    assert!(dead.iter().any(|filter| filter.to_string() == "conv3_2 filter 7"), "{dead:?}");
    let normalised = silenced.normalised_by(&means);
    assert_eq!(normalised.convolutions()[5].bias[7], -1e9, "it keeps its bias");
    assert!(normalised.convolutions().iter().all(|layer| layer.kernel().iter().all(|value| value.is_finite())));
    // Behind it, the function is the same: nothing was divided by 0.
    let layer = Layer::named("conv4_1").unwrap();
    let scaled = features(&engine(Arc::new(normalised)), layer, Pooling::Average);
    let difference = difference(&scaled, &means.scales(8), &features(&original, layer, Pooling::Average));
    assert!(difference < 2e-5, "{difference}");
}

#[test]
fn built_in_means_have_no_dead_filter() {
    assert_eq!(MeanActivations::built_in().dead_filters(), []);
}

#[test]
fn mean_activations_go_out_and_come_back() {
    let means = MeanActivations::built_in();
    let bytes = means.to_safetensors("a test");
    assert_eq!(MeanActivations::from_safetensors(&bytes).as_ref(), Ok(means));
    assert!(matches!(MeanActivations::from_safetensors(&bytes[..99]), Err(WeightsError::Malformed(_))));
    let long = MeanActivations::from_safetensors(&vec![0; (1 << 20) + 1]).unwrap_err();
    assert!(long.to_string().contains("longer than 1 MiB"), "{long}");
    let mut negative = bytes;
    *negative.last_mut().unwrap() |= 0x80;
    assert!(matches!(MeanActivations::from_safetensors(&negative), Err(WeightsError::NotFinite(_))));
}

#[test]
fn no_image_is_an_error_in_words() {
    assert_eq!(Calibration::new(Pooling::Average).finish(), Err(NormaliseError::NoImages));
}
