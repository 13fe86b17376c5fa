//! Does this build, on this processor, compute right? The comparison with golden files.
//!
//! A golden file is a safetensors file that holds three images and what VGG-19 makes of them, computed in float64:
//!
//! ```text
//! content_rgb, style_rgb, input_rgb   [3, height, width], RGB in 0..255
//! feature_LAYER                       [channels, height, width]: the features F of the input image
//! mean_LAYER                          [channels]: their means over all positions
//! gram_LAYER                          [channels, channels]: F F^T
//! losses                              content, style, total = content + 1000 style, then E_l of the five style layers
//! grad_content, grad_style, grad_total   [3, height, width]: d loss / d input_rgb
//! ```
//!
//! The losses are the paper's (eq. 1, 4 and 5): 1/2 sum (F - P)^2 at conv4_2; the mean of E_l over conv1_1, conv2_1,
//! conv3_1, conv4_1 and conv5_1. The file's metadata says how it pools (`pool`: `avg ...` or `max ...`) and how close a
//! float32 gradient can come (`gradient_bound`: `max 1e-4` or `l2 5e-3`). There are two kinds because an activation
//! within rounding of zero may fall on either side of ReLU: one such flip moves single elements of the gradient by a
//! percent, correctly. Files with the bound `max` have no activation that close to zero.
//!
//! A file with `losses_w2` or `losses_regions` is another kind. The first is the Wasserstein loss at the same layers, weighted
//! 256:64:16:4:1 / 341.
//!
//! ```text
//! content_rgb, style_rgb, input_rgb   as above
//! losses_w2                           total, then each layer before its weight
//! grad_w2                             [3, height, width]: d total / d input_rgb
//! ```
//!
//! The second is the paper's style loss by regions, guided as [`impasto_vgg::guides`] has it: each region's mean of E_l over
//! the layers, weighted by its mask's mean over the picture. An engine that has no regions is held to the rest alone.
//!
//! ```text
//! content_masks, style_masks          [regions, height, width]: of the input image, and of the style image
//! guides_LAYER                        [regions, positions]: the input image's masks at a layer
//! mean_LAYER_REGION, second_LAYER_REGION   [channels], [channels, channels]: the input image's guided moments
//! losses_regions                      total, then E_l of region 0 at each layer, then of region 1, ...
//! grad_regions                        [3, height, width]: d total / d input_rgb
//! ```
//!
//! The comparison runs above the engine boundary, through the same losses that paint pictures.

mod error;
mod read;
mod regions;
mod values;

use impasto_vgg::{Border, Engine, EngineError, Layer, Pooling, Precision, SessionRequest};
use serde::Serialize;

pub use error::SelftestError;
use regions::{RegionErrors, RegionReference};

use crate::objective::{Objective, request, style_moments};
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{ContentForm, Recipe, RecipeError, StyleForm, StyleLoss};

/// The golden file inside the library: maximum pooling, 41x33 pixels, gradient bound `max 1e-4`.
pub const EMBEDDED_GOLDEN: &[u8] = include_bytes!("../data/selftest_max_41x33.safetensors");

/// Largest error of features, relative to the largest element, that is ok.
pub const FEATURES_BOUND: f64 = 2e-5;

/// Largest relative error of a loss that is ok.
pub const LOSSES_BOUND: f64 = 1e-5;

/// The bound of the gradient in a file that names none.
const DEFAULT_GRADIENT_BOUND: GradientBound = GradientBound::L2(5e-3);

/// The paper's content layer.
const CONTENT_LAYER: &str = "conv4_2";

/// The paper's style layers, in the order of the losses in a golden file.
const STYLE_LAYERS: [&str; 5] = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];

/// Weights of those layers in a file of the Wasserstein loss, before they are brought to a sum of 1.
const WASSERSTEIN_WEIGHTS: [f64; 5] = [256.0, 64.0, 16.0, 4.0, 1.0];

/// Factor of the style loss in a golden file's total.
const STYLE_WEIGHT: f64 = 1000.0;

/// How close a gradient has to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GradientBound {
    /// max |ours - reference| / max |reference|.
    Max(f64),
    /// |ours - reference| / |reference| in the Euclidean norm.
    L2(f64),
}

/// An image of a golden file: `[3, height, width]`, RGB in 0..255.
#[derive(Clone, Debug)]
struct Image {
    height: usize,
    width: usize,
    values: Vec<f32>,
}

/// Which of a layer's values a golden file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Feature,
    Mean,
    Gram,
}

/// One tensor of features, means or Gram matrices.
#[derive(Clone, Debug)]
struct LayerReference {
    quantity: Quantity,
    layer: Layer,
    values: Vec<f64>,
}

/// A golden file, read and checked.
#[derive(Clone, Debug)]
pub struct GoldenFile {
    pooling: Pooling,
    gradient_bound: GradientBound,
    content: Image,
    style: Image,
    input: Image,
    layers: Vec<LayerReference>,
    expected: Vec<Expected>,
    regions: Option<RegionReference>,
}

/// What is evaluated and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    /// The paper's content loss alone.
    Content,
    /// The paper's style loss alone.
    Style,
    /// Both: content, style, total, then each style layer.
    Total,
    /// The Wasserstein loss: total, then each layer before its weight.
    Wasserstein,
}

/// What has to come of a comparison.
#[derive(Clone, Debug)]
struct Expected {
    comparison: Comparison,
    /// As [`Comparison`] lists them; empty where they are not looked at.
    losses: Vec<f64>,
    /// `[3, height, width]`.
    gradient: Vec<f64>,
}

/// The worst errors of an engine on one golden file. Each is NaN where the engine's values are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GoldenReport {
    /// Features, their means and Gram matrices, guides and guided moments: max |ours - reference| / max |reference|, the worst tensor.
    pub features: f64,
    /// Relative error, the worst loss.
    pub losses: f64,
    /// max |ours - reference| / max |reference|, the worst gradient.
    pub gradient_max: f64,
    /// |ours - reference| / |reference| in the Euclidean norm, the worst gradient.
    pub gradient_l2: f64,
    /// Whether features and losses are within [`FEATURES_BOUND`] and [`LOSSES_BOUND`] and the gradient is within the
    /// file's own bound.
    pub ok: bool,
}

impl GoldenFile {
    /// Compares what `engine` computes with what the file holds.
    ///
    /// ```no_run
    /// use impasto::selftest::{EMBEDDED_GOLDEN, GoldenFile};
    /// # fn engine() -> Box<dyn impasto_vgg::Engine> { unreachable!() }
    /// let golden = GoldenFile::read(EMBEDDED_GOLDEN)?;
    /// assert!(golden.compare(&*engine())?.ok);
    /// # Ok::<(), impasto::selftest::SelftestError>(())
    /// ```
    ///
    /// # Errors
    /// [`SelftestError::Engine`] where the engine refuses; an engine that computes wrong is no error but a report.
    pub fn compare(&self, engine: &dyn Engine) -> Result<GoldenReport, SelftestError> {
        let regions = self.compare_regions(engine)?;
        let features = worst([self.compare_features(engine)?, regions.features]);
        let RegionErrors { mut losses, mut gradient_max, mut gradient_l2, .. } = regions;
        for expected in &self.expected {
            let (ours, gradient) = self.evaluate(engine, expected.comparison)?;
            let pairs = ours.iter().zip(&expected.losses);
            losses = worst(pairs.map(|(&ours, &reference)| max_error(&[ours], &[reference])).chain([losses]));
            gradient_max = worst([gradient_max, max_error(&gradient, &expected.gradient)]);
            gradient_l2 = worst([gradient_l2, l2_error(&gradient, &expected.gradient)]);
        }
        let gradient_ok = match self.gradient_bound {
            GradientBound::Max(bound) => gradient_max <= bound,
            GradientBound::L2(bound) => gradient_l2 <= bound,
        };
        let ok = features <= FEATURES_BOUND && losses <= LOSSES_BOUND && gradient_ok;
        Ok(GoldenReport { features, losses, gradient_max, gradient_l2, ok })
    }

    /// The worst error over all features, means and Gram matrices that the file holds.
    fn compare_features(&self, engine: &dyn Engine) -> Result<f64, EngineError> {
        if self.layers.is_empty() {
            return Ok(0.0);
        }
        let mut taps: Vec<Layer> = self.layers.iter().map(|reference| reference.layer).collect();
        taps.sort_unstable();
        taps.dedup();
        let mut session = engine.session(&SessionRequest {
            height: self.input.height,
            width: self.input.width,
            pooling: self.pooling,
            border: Border::Zero,
            precision: Precision::F32,
            style_taps: taps,
            content_taps: Vec::new(),
            matched_taps: Vec::new(),
            guides: impasto_vgg::Guides::default(),
            way_back: true,
            memory_limit_bytes: None,
        })?;
        let observation = session.forward(&self.input.values)?;
        let mut error = 0.0;
        for reference in &self.layers {
            let moments = observation.moments.iter().find(|moments| moments.layer == reference.layer);
            let moments = moments.expect("every layer of the file is tapped");
            let ours = match reference.quantity {
                Quantity::Mean => moments.mean.clone(),
                Quantity::Gram => moments.second.iter().map(|value| value * moments.positions as f64).collect(),
                Quantity::Feature => {
                    let map = session.feature_map(&self.input.values, reference.layer)?;
                    map.values.into_iter().map(f64::from).collect()
                }
            };
            error = worst([error, max_error(&ours, &reference.values)]);
        }
        Ok(error)
    }

    /// The losses at the input image, as [`Comparison`] lists them, and the gradient.
    fn evaluate(&self, engine: &dyn Engine, what: Comparison) -> Result<(Vec<f64>, Vec<f64>), SelftestError> {
        let recipe = self.recipe(what)?;
        let (width, height) = (self.style.width, self.style.height);
        let style = style_moments(&recipe, engine, &self.style.values, width, height, None)?;
        let mut session = engine.session(&request(&recipe, self.input.width, self.input.height, None))?;
        session.set_content(&self.content.values)?;
        let mut gradient = vec![0.0; self.input.values.len()];
        let mut objective = Objective::new(&recipe, &[(style, 1.0)]);
        let losses = objective.evaluate(&mut *session, &self.input.values, &mut gradient)?;
        let sums = match what {
            Comparison::Wasserstein => vec![losses.total],
            _ => vec![losses.content, losses.style, losses.total],
        };
        let losses = sums.into_iter().chain(losses.style_layers.iter().map(|layer| layer.loss)).collect();
        Ok((losses, gradient.into_iter().map(f64::from).collect()))
    }

    /// What is minimised.
    fn recipe(&self, what: Comparison) -> Result<ResolvedRecipe, RecipeError> {
        let layers = |names: &[&str], weight: fn(usize) -> f64| {
            let weighted = |(place, name): (usize, &&str)| {
                (Layer::named(name).expect("the paper's layers are VGG-19's"), weight(place))
            };
            names.iter().enumerate().map(weighted).collect()
        };
        let (content_weight, style_weight, style_loss, weight): (_, _, _, fn(usize) -> f64) = match what {
            Comparison::Content => (1.0, 0.0, StyleLoss::Gram, |_| 0.2),
            Comparison::Style => (0.0, 1.0, StyleLoss::Gram, |_| 0.2),
            Comparison::Total => (1.0, STYLE_WEIGHT, StyleLoss::Gram, |_| 0.2),
            Comparison::Wasserstein => (0.0, 1.0, StyleLoss::Wasserstein, |place| WASSERSTEIN_WEIGHTS[place] / 341.0),
        };
        let recipe = Recipe {
            preset: Some("authors".to_owned()),
            content_weight: Some(content_weight),
            style_weight: Some(style_weight),
            content_layers: Some(layers(&[CONTENT_LAYER], |_| 1.0)),
            style_layers: Some(layers(&STYLE_LAYERS, weight)),
            content_form: Some(ContentForm::Paper),
            style_loss: Some(style_loss),
            style_form: Some(StyleForm::Paper),
            pool: Some(self.pooling),
            border: Some(Border::Zero),
            tv_weight: Some(0.0),
            range_weight: Some(0.0),
            ..Recipe::default()
        };
        recipe.resolve()
    }
}

/// The largest, or NaN where one of them is.
fn worst(errors: impl IntoIterator<Item = f64>) -> f64 {
    errors.into_iter().fold(0.0, |worst, error| if error.is_nan() || error > worst { error } else { worst })
}

/// max |ours - reference| / max |reference|; NaN where one of ours is.
fn max_error(ours: &[f64], reference: &[f64]) -> f64 {
    assert_eq!(ours.len(), reference.len(), "the shapes were checked when the file was read");
    let error = worst(ours.iter().zip(reference).map(|(ours, reference)| (ours - reference).abs()));
    ratio(error, worst(reference.iter().map(|value| value.abs())))
}

/// |ours - reference| / |reference| in the Euclidean norm; NaN where one of ours is.
fn l2_error(ours: &[f64], reference: &[f64]) -> f64 {
    let square = |value: f64| value * value;
    let error: f64 = ours.iter().zip(reference).map(|(ours, reference)| square(ours - reference)).sum();
    ratio(error.sqrt(), reference.iter().map(|&value| square(value)).sum::<f64>().sqrt())
}

/// error / size, where nothing is the right answer to nothing.
fn ratio(error: f64, size: f64) -> f64 {
    if error == 0.0 { 0.0 } else { error / size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_relative_to_the_largest_and_nan_is_the_worst() {
        assert_eq!(max_error(&[1.0, -3.0], &[1.0, -4.0]), 0.25);
        assert_eq!(l2_error(&[3.0, 0.0], &[3.0, 4.0]), 0.8);
        assert_eq!(max_error(&[0.0], &[0.0]), 0.0);
        assert_eq!(max_error(&[1.0], &[0.0]), f64::INFINITY);
        assert!(max_error(&[f64::NAN, 9.0], &[1.0, 1.0]).is_nan());
        assert!(worst([f64::NAN, 9.0]).is_nan());
        assert!(l2_error(&[f64::NAN], &[1.0]).is_nan());
    }

    #[test]
    fn the_embedded_file_reads() {
        let golden = GoldenFile::read(EMBEDDED_GOLDEN).unwrap();
        assert_eq!((golden.pooling, golden.gradient_bound), (Pooling::Max, GradientBound::Max(1e-4)));
        assert_eq!((golden.input.height, golden.input.width), (33, 41));
        assert_eq!(golden.layers.len(), 21 + 3 + 3);
    }
}
