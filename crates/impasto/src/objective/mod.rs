//! The objective of a run: the sum of its losses at a picture, and the gradient at the pixels.
//!
//! ```text
//!   alpha sum w_l content_l + beta sum w_l style_l + match_weight sum w_l matched_l + tv_weight TV + range_weight range
//!      (the paper, eq. 7, and more), and what a frame of a film is held to
//! ```

pub mod brought_down;
mod guides;
pub mod loss;
pub mod matching;
pub mod wrap;

use std::collections::BTreeMap;

use impasto_vgg::{
    Engine, EngineError, Guides, Layer, MomentGradients, Moments, Observation, ObservationGradients, Precision,
    Session, SessionRequest,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::picture::Picture;
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{ContentForm, Rest, StyleLoss, TotalVariationForm};
use loss::{Joins, StyleTarget};
use wrap::Wrap;

/// The loss of one layer, before any weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerLoss {
    /// The layer.
    pub layer: Layer,
    /// Its loss: for style with Gram matrices the paper's E_l.
    pub loss: f64,
}

/// What the losses are at one picture. `total` is what is minimised; the others stand before their weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// content_weight x content + style_weight x style + match_weight x matched + tv_weight x total_variation + range_weight x range
    /// + the temporal loss times its weight + multiscale_weight x multiscale.
    pub total: f64,
    /// Sum over content layers of weight x loss.
    pub content: f64,
    /// Sum over style layers of weight x loss.
    pub style: f64,
    /// Sum over matched layers of weight x loss; 0 where there are none.
    #[serde(default)]
    pub matched: f64,
    /// The total variation; 0 where it has no weight.
    pub total_variation: f64,
    /// Mean squared excess beyond 0..255; 0 where it has no weight.
    pub range: f64,
    /// The temporal loss; 0 where the picture is held to none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub temporal: f64,
    /// Sum over smaller sizes of what is minimised there; 0 where none counts. The other losses are those of the picture's own size.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub multiscale: f64,
    /// Each content layer's loss.
    pub content_layers: Vec<LayerLoss>,
    /// Each style layer's loss.
    pub style_layers: Vec<LayerLoss>,
    /// Each matched layer's loss.
    #[serde(default)]
    pub matched_layers: Vec<LayerLoss>,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// A picture that the painted one is held to at a scale.
#[derive(Clone, Debug)]
pub struct HeldTo {
    /// `[3, height, width]`.
    pub picture: Vec<f32>,
    /// How much each pixel is held, `[height, width]`, 0..1.
    pub weights: Vec<f32>,
    /// What the temporal loss counts for.
    pub weight: f64,
}

/// The losses of a recipe, with what they compare to and the buffers that they need.
#[derive(Clone, Debug)]
pub struct Objective {
    content_form: ContentForm,
    tv_form: TotalVariationForm,
    content_weight: f64,
    style_weight: f64,
    match_weight: f64,
    tv_weight: f64,
    range_weight: f64,
    content_layers: Vec<(Layer, f64)>,
    style_layers: Vec<(Layer, f64)>,
    match_layers: Vec<(Layer, f64)>,
    /// For each style layer, and each region of it.
    style_targets: Vec<RegionTarget>,
    /// Kept from one evaluation to the next: fresh memory is slow.
    gradients: ObservationGradients,
    held_to: Option<HeldTo>,
    wrap: Option<Wrap>,
    /// The derivative by what the network sees, where that is more than the picture; kept likewise.
    seen_gradient: Vec<f32>,
}

/// What the style of one layer, in one region or everywhere, is compared to.
#[derive(Clone, Debug)]
struct RegionTarget {
    target: StyleTarget,
    /// What the loss counts for in the layer's: the region's weight and its share of the area; 1 where there are no regions.
    share: f64,
    /// What it counts for in the style loss: that times the layer's weight.
    factor: f64,
}

/// The style images of one region, or of the whole picture.
#[derive(Clone, Debug)]
pub struct RegionStyle {
    /// Each style image's moments, and its share.
    pub styles: Vec<(Vec<Moments>, f64)>,
    /// The region's weight times its share of the picture's area.
    pub share: f64,
    /// Weights of the style layers here.
    pub layers: BTreeMap<Layer, f64>,
}

/// What to ask of an engine for this recipe at a picture of this size, but for its matched taps
/// ([`matching::matched_taps`]), which depend on the style images.
pub fn request(
    recipe: &ResolvedRecipe,
    width: usize,
    height: usize,
    memory_limit_bytes: Option<u64>,
) -> SessionRequest {
    let names = |layers: Vec<(Layer, f64)>| layers.into_iter().map(|(layer, _)| layer).collect();
    SessionRequest {
        height,
        width,
        pooling: recipe.pool,
        border: recipe.border,
        precision: Precision::F32,
        style_taps: names(recipe.counted_style_layers()),
        content_taps: names(recipe.counted_content_layers()),
        matched_taps: Vec::new(),
        guides: Guides { regions: region_limit(recipe), emphasis: recipe.emphasis.is_some() },
        way_back: true,
        memory_limit_bytes,
    }
}

/// The regions that a session of this recipe has at most: the recipe's, and the rest where that is painted.
fn region_limit(recipe: &ResolvedRecipe) -> usize {
    match (recipe.regions.len(), recipe.rest) {
        (0, _) => 0,
        (regions, Rest::Painting) => regions + 1,
        (regions, Rest::Photo) => regions,
    }
}

/// What to ask of an engine for a style image of this size.
pub fn style_request(
    recipe: &ResolvedRecipe,
    width: usize,
    height: usize,
    memory_limit_bytes: Option<u64>,
) -> SessionRequest {
    let request = request(recipe, width, height, memory_limit_bytes);
    SessionRequest { content_taps: Vec::new(), guides: Guides::default(), way_back: false, ..request }
}

/// The moments of a style image `[3, height, width]` at a recipe's style layers.
///
/// # Errors
/// What the engine reports.
pub fn style_moments(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    image: &[f32],
    width: usize,
    height: usize,
    memory_limit_bytes: Option<u64>,
) -> Result<Vec<Moments>, EngineError> {
    let request = style_request(recipe, width, height, memory_limit_bytes);
    if request.style_taps.is_empty() {
        return Ok(Vec::new());
    }
    Ok(engine.session(&request)?.forward(image)?.moments)
}

/// The moments of what lies inside a mask `[height, width]` over a style image, in values of 0..1.
///
/// # Errors
/// What the engine reports; a mask that is black.
pub fn masked_style_moments(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    image: &Picture,
    mask: &[f32],
    memory_limit_bytes: Option<u64>,
) -> Result<Vec<Moments>, EngineError> {
    let request = SessionRequest {
        guides: Guides { regions: 1, emphasis: false },
        ..style_request(recipe, image.width, image.height, memory_limit_bytes)
    };
    if request.style_taps.is_empty() {
        return Ok(Vec::new());
    }
    let guides = guides::of_painting(&request.style_taps, mask, image.height, image.width);
    let mut session = engine.session(&request)?;
    session.set_guides(guides)?;
    Ok(session.forward(&image.values)?.moments)
}

/// Memory that the style loss takes besides the moments and their gradients, in bytes.
pub fn style_loss_bytes(recipe: &ResolvedRecipe) -> u64 {
    match recipe.style_loss {
        StyleLoss::Gram | StyleLoss::MeanVariance => 0,
        StyleLoss::Wasserstein => {
            recipe.counted_style_layers().iter().map(|(layer, _)| loss::Wasserstein::bytes(layer.channels())).sum()
        }
    }
}

impl Objective {
    /// The objective of `recipe`, to be evaluated in sessions that [`request`] describes. `styles` holds each style
    /// image's moments ([`style_moments`]) and its share: the target has the weighted means of their moments.
    pub fn new(recipe: &ResolvedRecipe, styles: &[(Vec<Moments>, f64)]) -> Objective {
        let everywhere = RegionStyle { styles: styles.to_vec(), share: 1.0, layers: recipe.style_layers.clone() };
        Objective::of_regions(recipe, &[everywhere])
    }

    /// The objective of `recipe` with regions, in the order of the sessions' masks.
    pub fn of_regions(recipe: &ResolvedRecipe, regions: &[RegionStyle]) -> Objective {
        let style_layers = recipe.counted_style_layers();
        let content_layers = recipe.counted_content_layers();
        let places: Vec<(Layer, &RegionStyle)> =
            style_layers.iter().flat_map(|&(layer, _)| regions.iter().map(move |region| (layer, region))).collect();
        let target = |&(layer, region): &(Layer, &RegionStyle)| RegionTarget {
            target: StyleTarget::new(recipe.style_loss, recipe.style_form, &blended_moments(layer, &region.styles)),
            share: region.share,
            factor: region.layers.get(&layer).copied().unwrap_or(0.0) * region.share,
        };
        let style_targets: Vec<RegionTarget> = places.par_iter().with_max_len(1).map(target).collect();
        let empty = MomentGradients { mean: Vec::new(), second: Vec::new() };
        let gradients = ObservationGradients {
            moments: vec![empty; style_targets.len()],
            distances: vec![0.0; content_layers.len()],
            matched: Vec::new(),
        };
        Objective {
            content_form: recipe.content_form,
            tv_form: recipe.tv_form,
            content_weight: recipe.content_weight,
            style_weight: recipe.style_weight,
            match_weight: recipe.match_weight,
            tv_weight: recipe.tv_weight,
            range_weight: recipe.range_weight,
            content_layers,
            style_layers,
            match_layers: recipe.counted_match_layers(),
            style_targets,
            gradients,
            held_to: None,
            wrap: None,
            seen_gradient: Vec::new(),
        }
    }

    /// The same for pictures that join themselves, in sessions that [`Wrap::widen`] has asked for.
    #[must_use]
    pub fn wrapped(self, wrap: Option<Wrap>) -> Objective {
        Objective { wrap, ..self }
    }

    /// The same for pictures that are held to another.
    #[must_use]
    pub fn held_to(self, held_to: Option<HeldTo>) -> Objective {
        Objective { held_to, ..self }
    }

    /// What the network sees of a picture is observed.
    fn observe(&self, session: &mut dyn Session, picture: &[f32]) -> Result<Observation, EngineError> {
        match &self.wrap {
            Some(wrap) => session.forward(&wrap.extended(picture)),
            None => session.forward(picture),
        }
    }

    /// The derivative by the picture's pixels.
    fn go_back(&mut self, session: &mut dyn Session, gradient: &mut [f32]) -> Result<(), EngineError> {
        let Some(wrap) = self.wrap else { return session.backward(&self.gradients, gradient) };
        self.seen_gradient.resize(session.request().picture_len(), 0.0);
        session.backward(&self.gradients, &mut self.seen_gradient)?;
        wrap.fold(&self.seen_gradient, gradient);
        Ok(())
    }

    /// Takes other weights, of the same style layers: the recipe's, and of each region its share and its layers'. What style is
    /// compared to stays.
    pub fn weigh(&mut self, recipe: &ResolvedRecipe, regions: &[RegionStyle]) {
        let Objective { style_layers, style_targets, content_layers, gradients, .. } = self;
        *style_layers = recipe.counted_style_layers();
        let places = style_layers.iter().flat_map(|&(layer, _)| regions.iter().map(move |region| (layer, region)));
        for (target, (layer, region)) in style_targets.iter_mut().zip(places) {
            target.share = region.share;
            target.factor = region.layers.get(&layer).copied().unwrap_or(0.0) * region.share;
        }
        *content_layers = recipe.counted_content_layers();
        gradients.distances = vec![0.0; content_layers.len()];
        self.match_layers = recipe.counted_match_layers();
        (self.content_weight, self.style_weight) = (recipe.content_weight, recipe.style_weight);
        (self.match_weight, self.tv_weight) = (recipe.match_weight, recipe.tv_weight);
        self.range_weight = recipe.range_weight;
    }

    /// The losses at `picture`, `[3, height, width]`; their gradient, of the same shape, is written into `gradient`.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn evaluate(
        &mut self,
        session: &mut dyn Session,
        picture: &[f32],
        gradient: &mut [f32],
    ) -> Result<Losses, EngineError> {
        let (width, height, joins) = match self.wrap {
            Some(wrap) => (wrap.width, wrap.height, Joins { x: wrap.margin_x > 0, y: wrap.margin_y > 0 }),
            None => (session.request().width, session.request().height, Joins::default()),
        };
        let observation = self.observe(session, picture)?;
        let mut content_layers = Vec::with_capacity(self.content_layers.len());
        for (index, (&(layer, weight), distance)) in self.content_layers.iter().zip(&observation.distances).enumerate()
        {
            let (loss, derivative) = loss::content(self.content_form, distance);
            self.gradients.distances[index] = self.content_weight * weight * derivative;
            content_layers.push(LayerLoss { layer, loss });
        }
        self.gradients.matched.clear();
        let mut matched_layers = Vec::with_capacity(observation.matched.len());
        for (&(layer, weight), distance) in self.match_layers.iter().zip(&observation.matched) {
            let (loss, derivative) = matching::loss(distance);
            self.gradients.matched.push(self.match_weight * weight * derivative);
            matched_layers.push(LayerLoss { layer, loss });
        }
        let style_weight = self.style_weight;
        let targets = observation.moments.par_iter().zip(&mut self.style_targets).zip(&mut self.gradients.moments);
        // Each by itself: two of the deep layers take nearly all of the time.
        let losses: Vec<f64> = targets
            .with_max_len(1)
            .map(|((moments, target), gradients)| target.target.loss(moments, style_weight * target.factor, gradients))
            .collect();
        session.reuse(observation);
        self.go_back(session, gradient)?;
        // Both on the pool: from outside, each would be handed to it anew, and waited for.
        let of_pixels = rayon::scope(|_| {
            let total_variation = match self.tv_weight > 0.0 {
                true => loss::total_variation(self.tv_form, picture, (width, height), joins, self.tv_weight, gradient),
                false => 0.0,
            };
            let range = match self.range_weight > 0.0 {
                true => loss::range(picture, self.range_weight, gradient),
                false => 0.0,
            };
            let temporal = self.held_to.as_ref().map_or(0.0, |HeldTo { picture: held_to, weights, weight }| {
                loss::temporal(picture, held_to, weights, *weight, gradient)
            });
            OfPixels { total_variation, range, temporal }
        });
        Ok(self.add_up([content_layers, matched_layers], &losses, of_pixels))
    }

    fn add_up(
        &self,
        [content_layers, matched_layers]: [Vec<LayerLoss>; 2],
        style_losses: &[f64],
        OfPixels { total_variation, range, temporal }: OfPixels,
    ) -> Losses {
        let sum = |weights: &[(Layer, f64)], losses: &[LayerLoss]| -> f64 {
            weights.iter().zip(losses).map(|(&(_, weight), loss)| weight * loss.loss).sum()
        };
        let content = sum(&self.content_layers, &content_layers);
        let style = self.style_targets.iter().zip(style_losses).map(|(target, loss)| target.factor * loss).sum::<f64>();
        // A layer's targets stand side by side, one for each region.
        let regions = self.style_targets.len() / self.style_layers.len().max(1);
        let of_layers = self.style_targets.chunks(regions.max(1)).zip(style_losses.chunks(regions.max(1)));
        let style_layers = self.style_layers.iter().zip(of_layers).map(|(&(layer, _), (targets, losses))| LayerLoss {
            layer,
            loss: targets.iter().zip(losses).map(|(target, loss)| target.share * loss).sum(),
        });
        let style_layers = style_layers.collect();
        let matched = sum(&self.match_layers, &matched_layers);
        let total = self.content_weight * content
            + self.style_weight * style
            + self.match_weight * matched
            + self.tv_weight * total_variation
            + self.range_weight * range
            + self.held_to.as_ref().map_or(0.0, |held_to| held_to.weight * temporal);
        Losses {
            total,
            content,
            style,
            matched,
            total_variation,
            range,
            temporal,
            multiscale: 0.0,
            content_layers,
            style_layers,
            matched_layers,
        }
    }
}

/// The losses that look at the pixels alone.
struct OfPixels {
    total_variation: f64,
    range: f64,
    temporal: f64,
}

/// The moments at `layer` of several style images, weighted by their shares.
pub(crate) fn blended_moments(layer: Layer, styles: &[(Vec<Moments>, f64)]) -> Moments {
    let channels = layer.channels();
    let mut blended =
        Moments { layer, positions: 0, mean: vec![0.0; channels], second: vec![0.0; channels * channels] };
    for (moments, share) in styles {
        for moments in moments.iter().filter(|moments| moments.layer == layer) {
            let pairs = [(&mut blended.mean, &moments.mean), (&mut blended.second, &moments.second)];
            for (blended, values) in pairs {
                blended.iter_mut().zip(values).for_each(|(blended, value)| *blended += share * value);
            }
            blended.positions += moments.positions;
        }
    }
    blended
}
