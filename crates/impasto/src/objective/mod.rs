//! The objective of a run: the sum of its losses at a picture, and the gradient at the pixels.
//!
//! ```text
//!   alpha sum w_l content_l + beta sum w_l style_l + match_weight sum w_l matched_l + tv_weight TV + range_weight range      (the paper, eq. 7, and more)
//! ```

pub mod loss;
pub mod matching;

use impasto_vgg::{
    Engine, EngineError, Layer, MomentGradients, Moments, ObservationGradients, Precision, Session, SessionRequest,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{ContentForm, StyleLoss, TotalVariationForm};
use loss::StyleTarget;

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
    /// content_weight x content + style_weight x style + match_weight x matched + tv_weight x total_variation + range_weight x range.
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
    /// Each content layer's loss.
    pub content_layers: Vec<LayerLoss>,
    /// Each style layer's loss.
    pub style_layers: Vec<LayerLoss>,
    /// Each matched layer's loss.
    #[serde(default)]
    pub matched_layers: Vec<LayerLoss>,
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
    /// For each style layer.
    style_targets: Vec<StyleTarget>,
    /// Kept from one evaluation to the next: fresh memory is slow.
    gradients: ObservationGradients,
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
        guides: impasto_vgg::Guides::default(),
        way_back: true,
        memory_limit_bytes,
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
    SessionRequest { content_taps: Vec::new(), way_back: false, ..request }
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
        let style_layers = recipe.counted_style_layers();
        let content_layers = recipe.counted_content_layers();
        let target = |&(layer, _): &(Layer, f64)| {
            StyleTarget::new(recipe.style_loss, recipe.style_form, &blended_moments(layer, styles))
        };
        let style_targets = style_layers.par_iter().with_max_len(1).map(target).collect();
        let empty = MomentGradients { mean: Vec::new(), second: Vec::new() };
        let gradients = ObservationGradients {
            moments: vec![empty; style_layers.len()],
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
        }
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
        let (width, height) = (session.request().width, session.request().height);
        let observation = session.forward(picture)?;
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
        let layers = self.style_layers.par_iter().zip(targets).with_max_len(1);
        let style_layers = layers.map(|(&(layer, weight), ((moments, target), gradients))| LayerLoss {
            layer,
            loss: target.loss(moments, style_weight * weight, gradients),
        });
        let style_layers = style_layers.collect();
        session.reuse(observation);
        session.backward(&self.gradients, gradient)?;
        // Both on the pool: from outside, each would be handed to it anew, and waited for.
        let (total_variation, range) = rayon::scope(|_| {
            let total_variation = match self.tv_weight > 0.0 {
                true => loss::total_variation(self.tv_form, picture, width, height, self.tv_weight, gradient),
                false => 0.0,
            };
            let range = match self.range_weight > 0.0 {
                true => loss::range(picture, self.range_weight, gradient),
                false => 0.0,
            };
            (total_variation, range)
        });
        Ok(self.add_up([content_layers, style_layers, matched_layers], total_variation, range))
    }

    fn add_up(
        &self,
        [content_layers, style_layers, matched_layers]: [Vec<LayerLoss>; 3],
        total_variation: f64,
        range: f64,
    ) -> Losses {
        let sum = |weights: &[(Layer, f64)], losses: &[LayerLoss]| -> f64 {
            weights.iter().zip(losses).map(|(&(_, weight), loss)| weight * loss.loss).sum()
        };
        let content = sum(&self.content_layers, &content_layers);
        let style = sum(&self.style_layers, &style_layers);
        let matched = sum(&self.match_layers, &matched_layers);
        let total = self.content_weight * content
            + self.style_weight * style
            + self.match_weight * matched
            + self.tv_weight * total_variation
            + self.range_weight * range;
        Losses { total, content, style, matched, total_variation, range, content_layers, style_layers, matched_layers }
    }
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
