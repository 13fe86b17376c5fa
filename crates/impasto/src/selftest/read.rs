//! Golden files from bytes that nobody vouches for.

use impasto_vgg::{Layer, Pooling};
use safetensors::SafeTensors;
use safetensors::tensor::Metadata;

use super::regions::RegionReference;
use super::values::{read_values, shortened};
use super::{
    Comparison, DEFAULT_GRADIENT_BOUND, Expected, GoldenFile, GradientBound, Image, LayerReference, Quantity,
    STYLE_LAYERS, SelftestError,
};

/// The tensor that a file of the Wasserstein loss is known by.
const WASSERSTEIN_LOSSES: &str = "losses_w2";

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
        let regions = RegionReference::read(&file, &input, &style)?;
        let (layers, expected) = match file.names().contains(&WASSERSTEIN_LOSSES) {
            true => (Vec::new(), read_wasserstein(&file, &shape)?),
            false if regions.is_some() => (Vec::new(), Vec::new()),
            false => (read_layers(&file, &input)?, read_paper(&file, &shape)?),
        };
        Ok(GoldenFile {
            pooling: read_pooling(&metadata)?,
            gradient_bound: read_gradient_bound(&metadata)?,
            layers,
            expected,
            regions,
            content,
            style,
            input,
        })
    }
}

/// What a file of the paper's losses expects.
fn read_paper(file: &SafeTensors<'_>, shape: &[usize]) -> Result<Vec<Expected>, SelftestError> {
    let gradients =
        [(Comparison::Content, "grad_content"), (Comparison::Style, "grad_style"), (Comparison::Total, "grad_total")];
    let losses = read_values(file, "losses", &[3 + STYLE_LAYERS.len()])?;
    let expected = |(comparison, name)| {
        // All of them are seen where all have a weight.
        let losses = if comparison == Comparison::Total { losses.clone() } else { Vec::new() };
        Ok(Expected { comparison, losses, gradient: read_values(file, name, shape)? })
    };
    gradients.into_iter().map(expected).collect()
}

/// What a file of the Wasserstein loss expects.
fn read_wasserstein(file: &SafeTensors<'_>, shape: &[usize]) -> Result<Vec<Expected>, SelftestError> {
    let losses = read_values(file, WASSERSTEIN_LOSSES, &[1 + STYLE_LAYERS.len()])?;
    let gradient = read_values(file, "grad_w2", shape)?;
    Ok(vec![Expected { comparison: Comparison::Wasserstein, losses, gradient }])
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
