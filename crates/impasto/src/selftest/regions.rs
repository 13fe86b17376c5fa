//! The part of a golden file that is about regions: the picture's and the style's masks, what they guide, and the loss of both.

use impasto_vgg::guides::REGION_LIMIT;
use impasto_vgg::{Engine, EngineError, Guides, Layer, MomentGradients, Moments, ObservationGradients, SessionRequest};
use safetensors::SafeTensors;

use super::values::{read_values, shortened};
use super::{Comparison, GoldenFile, Image, STYLE_LAYERS, SelftestError, l2_error, max_error, worst};
use crate::objective::loss::StyleTarget;
use crate::objective::{request, style_request};
use crate::recipe::{StyleForm, StyleLoss};

/// The tensor that a file with regions is known by.
pub(super) const REGION_LOSSES: &str = "losses_regions";

/// What a file holds of regions.
#[derive(Clone, Debug)]
pub(super) struct RegionReference {
    regions: usize,
    /// `[regions, height, width]` of the input image.
    content_masks: Vec<f32>,
    /// `[regions, height, width]` of the style image.
    style_masks: Vec<f32>,
    values: Vec<GuidedReference>,
    /// The total, then each layer's loss of region 0, then of region 1, and so on.
    losses: Vec<f64>,
    /// `[3, height, width]`: d total / d input_rgb.
    gradient: Vec<f64>,
}

/// One tensor of guides or guided moments.
#[derive(Clone, Debug)]
struct GuidedReference {
    layer: Layer,
    quantity: GuidedQuantity,
    values: Vec<f64>,
}

/// Which values of a layer those are.
#[derive(Clone, Copy, Debug)]
enum GuidedQuantity {
    /// `guides_LAYER`, `[regions, positions]`.
    Guides,
    /// `mean_LAYER_REGION`, `[channels]`.
    Mean(usize),
    /// `second_LAYER_REGION`, `[channels, channels]`.
    Second(usize),
}

/// The worst errors of an engine on a file's regions.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegionErrors {
    /// Of guides and guided moments.
    pub features: f64,
    /// Of losses.
    pub losses: f64,
    /// Of the gradient, by its largest element.
    pub gradient_max: f64,
    /// Of the gradient, in the Euclidean norm.
    pub gradient_l2: f64,
}

impl RegionErrors {
    /// Where nothing was compared.
    const NONE: RegionErrors = RegionErrors { features: 0.0, losses: 0.0, gradient_max: 0.0, gradient_l2: 0.0 };
}

impl RegionReference {
    /// What a file holds of regions; `None` where it holds none.
    pub(super) fn read(
        file: &SafeTensors<'_>,
        input: &Image,
        style: &Image,
    ) -> Result<Option<RegionReference>, SelftestError> {
        let mut names = file.names();
        if !names.contains(&REGION_LOSSES) {
            return Ok(None);
        }
        let regions = match *file.tensor("content_masks").map_err(|_| missing("content_masks"))?.shape() {
            [regions @ 1..=REGION_LIMIT, _, _] => regions,
            ref shape => {
                return Err(SelftestError::Shape {
                    name: "content_masks".into(),
                    found: format!("{shape:?}"),
                    expected: format!("[regions, height, width] with 1 to {REGION_LIMIT} regions"),
                });
            }
        };
        let masks = |name, image: &Image| -> Result<Vec<f32>, SelftestError> {
            let values = read_values(file, name, &[regions, image.height, image.width])?;
            Ok(values.into_iter().map(|value| value as f32).collect())
        };
        names.sort_unstable();
        let values = names.into_iter().filter_map(|name| GuidedReference::read(file, name, input, regions));
        Ok(Some(RegionReference {
            regions,
            content_masks: masks("content_masks", input)?,
            style_masks: masks("style_masks", style)?,
            values: values.collect::<Result<_, _>>()?,
            losses: read_values(file, REGION_LOSSES, &[1 + regions * STYLE_LAYERS.len()])?,
            gradient: read_values(file, "grad_regions", &[3, input.height, input.width])?,
        }))
    }
}

fn missing(name: &str) -> SelftestError {
    SelftestError::Missing(name.to_owned())
}

impl GuidedReference {
    /// The tensor `name`, if it is of guides or guided moments.
    fn read(
        file: &SafeTensors<'_>,
        name: &str,
        input: &Image,
        regions: usize,
    ) -> Option<Result<GuidedReference, SelftestError>> {
        let (prefix, rest) = name.split_once('_')?;
        let (layer, region) = match prefix {
            "guides" => (rest, 0),
            "mean" | "second" => {
                let (layer, region) = rest.rsplit_once('_')?;
                (layer, region.parse().ok().filter(|&region| region < regions)?)
            }
            _ => return None,
        };
        let layer = Layer::named(layer).ok().filter(|layer| STYLE_LAYERS.contains(&layer.name()));
        let Some(layer) = layer else {
            return Some(Err(SelftestError::Shape {
                name: shortened(name),
                found: "another layer".to_owned(),
                expected: format!("one of {}", STYLE_LAYERS.join(", ")),
            }));
        };
        let (channels, (height, width)) = (layer.channels(), layer.map_size(input.height, input.width));
        let (quantity, shape) = match prefix {
            "guides" => (GuidedQuantity::Guides, vec![regions, height * width]),
            "mean" => (GuidedQuantity::Mean(region), vec![channels]),
            _ => (GuidedQuantity::Second(region), vec![channels, channels]),
        };
        Some(read_values(file, name, &shape).map(|values| GuidedReference { layer, quantity, values }))
    }
}

impl GoldenFile {
    /// Compares what the file holds of regions; nothing where it holds none, or the engine has none.
    pub(super) fn compare_regions(&self, engine: &dyn Engine) -> Result<RegionErrors, SelftestError> {
        match self.regions.as_ref().map(|reference| self.errors_of_regions(reference, engine)) {
            None | Some(Err(SelftestError::Engine(EngineError::NoGuides { .. }))) => Ok(RegionErrors::NONE),
            Some(errors) => errors,
        }
    }

    fn errors_of_regions(
        &self,
        reference: &RegionReference,
        engine: &dyn Engine,
    ) -> Result<RegionErrors, SelftestError> {
        let (recipe, guides) =
            (self.recipe(Comparison::Style)?, Guides { regions: reference.regions, emphasis: false });
        let guided = |request: SessionRequest| SessionRequest { guides, ..request };
        let mut session = engine.session(&guided(style_request(&recipe, self.style.width, self.style.height, None)))?;
        session.set_masks(&reference.style_masks)?;
        let style = session.forward(&self.style.values)?.moments;
        let mut session = engine.session(&guided(request(&recipe, self.input.width, self.input.height, None)))?;
        session.set_masks(&reference.content_masks)?;
        let seen = session.forward(&self.input.values)?.moments;

        let pooled = session.request().pool_masks(&reference.content_masks)?;
        let error = |GuidedReference { layer, quantity, values }: &GuidedReference| {
            let tap = pooled.iter().position(|guides| guides.layer == *layer).expect("a style layer");
            let of = |region: usize| &seen[tap * reference.regions + region];
            match *quantity {
                GuidedQuantity::Guides => {
                    max_error(&pooled[tap].values.iter().copied().map(f64::from).collect::<Vec<_>>(), values)
                }
                GuidedQuantity::Mean(region) => max_error(&of(region).mean, values),
                GuidedQuantity::Second(region) => max_error(&of(region).second, values),
            }
        };
        let features = worst(reference.values.iter().map(error));

        let (losses, moments) = reference.losses(&style, &seen);
        let losses = losses.iter().zip(&reference.losses).map(|(&ours, &expected)| max_error(&[ours], &[expected]));
        let losses = worst(losses);
        let mut gradient = vec![0.0; self.input.values.len()];
        session.backward(&ObservationGradients { moments, distances: vec![], matched: vec![] }, &mut gradient)?;
        let gradient: Vec<f64> = gradient.into_iter().map(f64::from).collect();
        let gradient_max = max_error(&gradient, &reference.gradient);
        Ok(RegionErrors { features, losses, gradient_max, gradient_l2: l2_error(&gradient, &reference.gradient) })
    }
}

impl RegionReference {
    /// The losses as the file lists them, and the derivative of the total: each region's mean over the layers, weighted by
    /// its mask's mean.
    fn losses(&self, style: &[Moments], seen: &[Moments]) -> (Vec<f64>, Vec<MomentGradients>) {
        let positions = self.content_masks.len() / self.regions;
        let share = |mask: &[f32]| impasto_vgg::guides::guide_sum(mask) / positions as f64;
        let shares: Vec<f64> = self.content_masks.chunks_exact(positions).map(share).collect();
        let layers = STYLE_LAYERS.len();
        let mut losses = vec![0.0; 1 + self.regions * layers];
        let mut gradients = Vec::new();
        for (place, (style, seen)) in style.iter().zip(seen).enumerate() {
            let (layer, region) = (place / self.regions, place % self.regions);
            let weight = shares[region] / layers as f64;
            let mut by_moments = MomentGradients { mean: Vec::new(), second: Vec::new() };
            let mut target = StyleTarget::new(StyleLoss::Gram, StyleForm::Paper, style);
            let loss = target.loss(seen, weight, &mut by_moments);
            losses[0] += weight * loss;
            losses[1 + region * layers + layer] = loss;
            gradients.push(by_moments);
        }
        (losses, gradients)
    }
}
