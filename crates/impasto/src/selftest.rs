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
//! The comparison runs above the engine boundary, through the same losses that paint pictures.

use impasto_vgg::{Border, Engine, EngineError, Layer, Pooling, Precision, SessionRequest};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata};
use serde::Serialize;

use crate::objective::{Losses, Objective, request, style_moments};
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{ContentForm, Recipe, RecipeError, StyleForm};

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

/// A comparison that could not be made, in a sentence's second half: the caller names the file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SelftestError {
    /// Not a safetensors file, or a damaged one.
    #[error("is not a readable safetensors file ({0}); give a golden file")]
    Format(String),
    /// A tensor that every golden file has is missing.
    #[error("has no tensor \"{0}\", so it is not a golden file")]
    Missing(String),
    /// A tensor has a shape or type that does not fit the others.
    #[error("holds \"{name}\" as {found}, where {expected} is needed; it is not a golden file")]
    Shape {
        /// The tensor.
        name: String,
        /// What it is.
        found: String,
        /// What it has to be.
        expected: String,
    },
    /// A value is infinite or not a number.
    #[error("holds values in \"{0}\" that are not finite; it is not a golden file")]
    NotFinite(String),
    /// The metadata lack a value or hold one that says nothing.
    #[error("has the metadata {key}=\"{value}\", where {expected} is needed; it is not a golden file")]
    Metadata {
        /// `pool` or `gradient_bound`.
        key: &'static str,
        /// What stands there, shortened.
        value: String,
        /// What has to stand there.
        expected: &'static str,
    },
    /// The engine refused.
    #[error("cannot be compared: {0}")]
    Engine(#[from] EngineError),
    /// The paper's recipe does not resolve, which would be a fault of this library.
    #[error("cannot be compared: {0}")]
    Recipe(#[from] RecipeError),
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
    /// content, style, total, then E_l of each of [`STYLE_LAYERS`].
    losses: Vec<f64>,
    /// By content, style and total.
    gradients: [Vec<f64>; 3],
}

/// The worst errors of an engine on one golden file. Each is NaN where the engine's values are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GoldenReport {
    /// Features, their means and Gram matrices: max |ours - reference| / max |reference|, the worst tensor.
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
    /// Reads the bytes of a golden file.
    ///
    /// # Errors
    /// Bytes that are not such a file.
    pub fn read(bytes: &[u8]) -> Result<GoldenFile, SelftestError> {
        let format = |error: safetensors::SafeTensorError| SelftestError::Format(error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(format)?;
        let file = SafeTensors::deserialize(bytes).map_err(format)?;
        let image = |name| read_image(&file, name);
        let (content, style, input) = (image("content_rgb")?, image("style_rgb")?, image("input_rgb")?);
        let shape = [3, input.height, input.width];
        if (content.height, content.width) != (input.height, input.width) {
            let found = format!("{:?}", [3, content.height, content.width]);
            return Err(SelftestError::Shape { name: "content_rgb".into(), found, expected: format!("{shape:?}") });
        }
        let gradient = |name| read_values(&file, name, &shape);
        Ok(GoldenFile {
            pooling: read_pooling(&metadata)?,
            gradient_bound: read_gradient_bound(&metadata)?,
            layers: read_layers(&file, &input)?,
            losses: read_values(&file, "losses", &[3 + STYLE_LAYERS.len()])?,
            gradients: [gradient("grad_content")?, gradient("grad_style")?, gradient("grad_total")?],
            content,
            style,
            input,
        })
    }

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
        let features = self.compare_features(engine)?;
        let (_, content) = self.evaluate(engine, 1.0, 0.0)?;
        let (_, style) = self.evaluate(engine, 0.0, 1.0)?;
        let (losses, total) = self.evaluate(engine, 1.0, STYLE_WEIGHT)?;

        let layers = losses.style_layers.iter().map(|layer| layer.loss);
        let losses = [losses.content, losses.style, losses.total].into_iter().chain(layers);
        let losses = worst(losses.zip(&self.losses).map(|(ours, &reference)| max_error(&[ours], &[reference])));
        let gradients = [content, style, total];
        let compared = || gradients.iter().zip(&self.gradients);
        let gradient_max = worst(compared().map(|(ours, reference)| max_error(ours, reference)));
        let gradient_l2 = worst(compared().map(|(ours, reference)| l2_error(ours, reference)));
        let gradient_ok = match self.gradient_bound {
            GradientBound::Max(bound) => gradient_max <= bound,
            GradientBound::L2(bound) => gradient_l2 <= bound,
        };
        let ok = features <= FEATURES_BOUND && losses <= LOSSES_BOUND && gradient_ok;
        Ok(GoldenReport { features, losses, gradient_max, gradient_l2, ok })
    }

    /// The worst error over all features, means and Gram matrices that the file holds.
    fn compare_features(&self, engine: &dyn Engine) -> Result<f64, EngineError> {
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

    /// The paper's losses at the input image, and the gradient of content_weight content + style_weight style.
    fn evaluate(
        &self,
        engine: &dyn Engine,
        content_weight: f64,
        style_weight: f64,
    ) -> Result<(Losses, Vec<f64>), SelftestError> {
        let recipe = self.paper_recipe(content_weight, style_weight)?;
        let (width, height) = (self.style.width, self.style.height);
        let style = style_moments(&recipe, engine, &self.style.values, width, height, None)?;
        let mut session = engine.session(&request(&recipe, self.input.width, self.input.height, None))?;
        session.set_content(&self.content.values)?;
        let mut gradient = vec![0.0; self.input.values.len()];
        let mut objective = Objective::new(&recipe, &[(style, 1.0)]);
        let losses = objective.evaluate(&mut *session, &self.input.values, &mut gradient)?;
        Ok((losses, gradient.into_iter().map(f64::from).collect()))
    }

    fn paper_recipe(&self, content_weight: f64, style_weight: f64) -> Result<ResolvedRecipe, RecipeError> {
        let layers = |names: &[&str]| {
            let weight = 1.0 / names.len() as f64;
            names.iter().map(|name| (Layer::named(name).expect("the paper's layers are VGG-19's"), weight)).collect()
        };
        let recipe = Recipe {
            preset: Some("authors".to_owned()),
            content_weight: Some(content_weight),
            style_weight: Some(style_weight),
            content_layers: Some(layers(&[CONTENT_LAYER])),
            style_layers: Some(layers(&STYLE_LAYERS)),
            content_form: Some(ContentForm::Paper),
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

fn read_pooling(metadata: &Metadata) -> Result<Pooling, SelftestError> {
    let value = metadata_value(metadata, "pool").unwrap_or_default();
    match value.split_whitespace().next() {
        Some("avg") => Ok(Pooling::Average),
        Some("max") => Ok(Pooling::Max),
        _ => Err(SelftestError::Metadata { key: "pool", value: shortened(value), expected: "avg or max" }),
    }
}

fn read_gradient_bound(metadata: &Metadata) -> Result<GradientBound, SelftestError> {
    let Some(value) = metadata_value(metadata, "gradient_bound") else { return Ok(DEFAULT_GRADIENT_BOUND) };
    let bound = value.split_once(' ').and_then(|(kind, bound)| {
        let bound = bound.trim().parse::<f64>().ok().filter(|bound| bound.is_finite() && *bound >= 0.0)?;
        match kind {
            "max" => Some(GradientBound::Max(bound)),
            "l2" => Some(GradientBound::L2(bound)),
            _ => None,
        }
    });
    let expected = "\"max\" or \"l2\" with a number";
    bound.ok_or_else(|| SelftestError::Metadata { key: "gradient_bound", value: shortened(value), expected })
}

fn metadata_value<'file>(metadata: &'file Metadata, key: &str) -> Option<&'file str> {
    metadata.metadata().as_ref()?.get(key).map(String::as_str)
}

/// Enough of an untrusted text to know it by, on one line.
fn shortened(text: &str) -> String {
    text.chars().take(40).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Every feature map, mean and Gram matrix of the file, by name, so that reports do not depend on a hash's order.
fn read_layers(file: &SafeTensors<'_>, input: &Image) -> Result<Vec<LayerReference>, SelftestError> {
    let mut names = file.names();
    names.sort_unstable();
    let mut layers = Vec::new();
    for name in names {
        let Some((prefix, layer)) = name.split_once('_') else { continue };
        let quantity = match prefix {
            "feature" => Quantity::Feature,
            "mean" => Quantity::Mean,
            "gram" => Quantity::Gram,
            _ => continue,
        };
        let layer = Layer::named(layer).map_err(|_| SelftestError::Shape {
            name: shortened(name),
            found: "a layer that VGG-19 does not have".to_owned(),
            expected: "one of its layers".to_owned(),
        })?;
        let (channels, (height, width)) = (layer.channels(), layer.map_size(input.height, input.width));
        let values = match quantity {
            Quantity::Feature => read_values(file, name, &[channels, height, width])?,
            Quantity::Mean => read_values(file, name, &[channels])?,
            Quantity::Gram => read_values(file, name, &[channels, channels])?,
        };
        layers.push(LayerReference { quantity, layer, values });
    }
    if layers.is_empty() {
        return Err(SelftestError::Missing("feature_conv4_2".to_owned()));
    }
    Ok(layers)
}

fn read_image(file: &SafeTensors<'_>, name: &str) -> Result<Image, SelftestError> {
    let view = file.tensor(name).map_err(|_| SelftestError::Missing(name.to_owned()))?;
    match *view.shape() {
        [3, height, width] if height > 0 && width > 0 => {
            let values = read_values(file, name, &[3, height, width])?;
            Ok(Image { height, width, values: values.into_iter().map(|value| value as f32).collect() })
        }
        ref shape => Err(SelftestError::Shape {
            name: name.to_owned(),
            found: format!("{shape:?}"),
            expected: "[3, height, width]".to_owned(),
        }),
    }
}

/// The tensor `name`, which has to be of `shape` and float32 or float64, all of it finite.
fn read_values(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f64>, SelftestError> {
    let view = file.tensor(name).map_err(|_| SelftestError::Missing(name.to_owned()))?;
    let values: Option<Vec<f64>> = match view.dtype() {
        _ if view.shape() != shape => None,
        Dtype::F32 => Some(view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect()),
        Dtype::F64 => Some(view.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()),
        _ => None,
    };
    let values = values.ok_or_else(|| SelftestError::Shape {
        name: shortened(name),
        found: format!("{:?} {:?}", view.dtype(), view.shape()),
        expected: format!("F32 or F64 {shape:?}"),
    })?;
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(SelftestError::NotFinite(shortened(name)))
    }
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
