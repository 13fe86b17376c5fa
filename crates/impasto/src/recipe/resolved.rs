//! A recipe in which every choice has its value, and what follows from them.

use std::collections::BTreeMap;

use impasto_vgg::formats::ChannelOrder;
use impasto_vgg::{Border, Layer, Pooling};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::history::affordable_history;
use super::presets::preset;
use super::regions::{Region, Rest};
use super::timeline::TimelineEntry;
use super::{
    Balance, BlendForm, Colours, ContentForm, MatchTurns, OptimizerKind, PrecisionChoice, Recipe, RecipeError,
    Seamless, Size, Start, StyleFit, StyleForm, StyleLoss, StyleScale, TotalVariationForm, Transparency,
};

/// A recipe in which every field has its value; its JSON travels with the picture and reads back as a [`Recipe`](super::Recipe).
///
/// Fields are those of [`Recipe`](super::Recipe), where they are explained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
#[expect(missing_docs, reason = "each field is documented once, in Recipe")]
pub struct ResolvedRecipe {
    pub format: u32,
    pub version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub styles: Option<Vec<String>>,
    pub preset: String,
    pub size: Size,
    pub iterations: u32,
    pub levels: u32,
    pub scale_factor: f64,
    pub coarsest_px: u32,
    pub coarse_iterations: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coarsest_iterations: Option<u32>,
    pub multiscale_weight: f64,
    pub multiscale_px: u32,
    pub optimizer: OptimizerKind,
    pub learning_rate: f64,
    pub adam_beta_2: f64,
    pub adam_average: f64,
    pub adam_carried: bool,
    pub history: u32,
    pub coarse_emphasis: f64,
    pub clamp: bool,
    pub init: Start,
    pub noise_ratio: f64,
    pub blend_form: BlendForm,
    pub noise_deviation: f64,
    pub seed: u64,
    pub content_weight: f64,
    pub style_weight: f64,
    pub content_layers: BTreeMap<Layer, f64>,
    pub style_layers: BTreeMap<Layer, f64>,
    pub balance: Balance,
    pub content_form: ContentForm,
    pub style_loss: StyleLoss,
    pub style_form: StyleForm,
    pub match_weight: f64,
    pub match_layers: BTreeMap<Layer, f64>,
    pub match_every: u32,
    pub match_turns: MatchTurns,
    pub match_photo: f64,
    pub match_centred: bool,
    pub tv_weight: f64,
    pub tv_form: TotalVariationForm,
    pub range_weight: f64,
    pub pool: Pooling,
    pub border: Border,
    pub precision: PrecisionChoice,
    pub weights: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_input: Option<ChannelOrder>,
    pub style_fit: StyleFit,
    pub style_scale: StyleScale,
    pub upscale_style: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub style_masks: Vec<Option<String>>,
    pub style_blend: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region_labels: Option<String>,
    pub rest: Rest,
    pub rest_feather_px: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emphasis: Option<String>,
    pub colours: Colours,
    pub original_colors: bool,
    pub transparency: Transparency,
    pub seamless: Seamless,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineEntry>,
}

impl ResolvedRecipe {
    /// The recipe as indented JSON.
    pub fn to_json(&self) -> String {
        // Strings, finite numbers and maps keyed by names: this cannot fail, and an empty text would not read back.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The recipe that has these choices, to be varied: resolved as it is, it is this one again. Where both the number of sizes and the
    /// least short edge are the preset's they are left open, for the one that is left open follows from whether the other was given.
    ///
    /// # Errors
    /// A recipe that does not read back.
    pub fn to_vary(&self) -> Result<Recipe, RecipeError> {
        let mut recipe = Recipe::from_json(&self.to_json())?;
        if preset(&self.preset).is_some_and(|it| (it.levels, it.coarsest_px) == (self.levels, self.coarsest_px)) {
            (recipe.levels, recipe.coarsest_px) = (None, None);
        }
        Ok(recipe)
    }

    /// The recipe with no longer a history of L-BFGS than is affordable at this size ([`affordable_history`]): for recipes
    /// that leave the history open.
    pub fn with_affordable_history(self, width: usize, height: usize) -> ResolvedRecipe {
        ResolvedRecipe { history: affordable_history(self.history, width, height), ..self }
    }

    /// Content layers that count: those with a weight above 0, where the content loss has one too.
    pub fn counted_content_layers(&self) -> Vec<(Layer, f64)> {
        counted(self.content_weight, &self.content_layers)
    }

    /// Style layers that count: those with a weight above 0, where the style loss has one too.
    pub fn counted_style_layers(&self) -> Vec<(Layer, f64)> {
        if self.regions.is_empty() {
            return counted(self.style_weight, &self.style_layers);
        }
        // A layer that says nothing of the first painting may say something of a region's.
        let of_regions = |layer: Layer| self.regions.iter().any(|region| self.region_weight(region, layer) > 0.0);
        let layers = self.style_layers.iter().map(|(&layer, &weight)| (layer, weight));
        layers.filter(|&(layer, weight)| self.style_weight > 0.0 && (weight > 0.0 || of_regions(layer))).collect()
    }

    /// The weight of a style layer in a region, before the region's own.
    pub fn region_weight(&self, region: &Region, layer: Layer) -> f64 {
        region.style_layers.as_ref().unwrap_or(&self.style_layers).get(&layer).copied().unwrap_or(0.0)
    }

    /// Layers whose features are matched: those with a weight above 0, where the loss of matches has one too.
    pub fn counted_match_layers(&self) -> Vec<(Layer, f64)> {
        counted(self.match_weight, &self.match_layers)
    }

    /// Whether anything of the content image but its size is looked at.
    pub fn looks_at_content(&self) -> bool {
        !self.counted_content_layers().is_empty() || matches!(self.init, Start::Content | Start::Blend)
    }

    /// Whether the picture is transparent where the content image is.
    pub fn keeps_transparency(&self) -> bool {
        self.transparency == Transparency::Keep && self.looks_at_content()
    }

    /// Whether a loss compares to style images.
    pub fn looks_at_styles(&self) -> bool {
        !self.counted_style_layers().is_empty() || !self.counted_match_layers().is_empty()
    }

    /// Layers that any loss looks at.
    pub(crate) fn counted_layers(&self) -> impl Iterator<Item = Layer> {
        let lists = [self.counted_content_layers(), self.counted_style_layers(), self.counted_match_layers()];
        lists.into_iter().flatten().map(|(layer, _)| layer)
    }

    /// Pixels that a side that joins is a multiple of: those between neighbours of the deepest layer that counts. At least 1.
    #[must_use]
    pub fn joint_unit_px(&self) -> usize {
        self.counted_layers().map(|layer| 1 << layer.info().halvings).max().unwrap_or(1)
    }

    /// The size whose sides that join are whole numbers of the deepest layer's positions: the nearest to this one.
    pub(crate) fn joining(&self, width: usize, height: usize) -> (usize, usize) {
        let unit = self.joint_unit_px();
        let side = |pixels: usize, joins: bool| match joins {
            true => ((pixels + unit / 2) / unit).max(1) * unit,
            false => pixels,
        };
        (side(width, self.seamless.joins_x()), side(height, self.seamless.joins_y()))
    }
}

fn counted(weight: f64, layers: &BTreeMap<Layer, f64>) -> Vec<(Layer, f64)> {
    layers.iter().map(|(&layer, &share)| (layer, share)).filter(|&(_, share)| weight > 0.0 && share > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_that_is_varied_is_what_the_typed_one_would_be() {
        let one_size = Recipe { levels: Some(1), iterations: Some(7), ..Recipe::default() };
        for name in ["default", "matched", "paper", "johnson"] {
            let typed =
                Recipe { preset: Some(name.to_owned()), styles: Some(vec!["a.png".to_owned()]), ..Recipe::default() };
            for typed in [
                Recipe { levels: Some(3), ..typed.clone() },
                Recipe { coarsest_px: Some(41), ..typed.clone() },
                Recipe { levels: Some(2), coarsest_px: Some(41), strength: Some(0.7), ..typed.clone() },
                typed,
            ] {
                let resolved = typed.resolve().unwrap();
                let to_vary = resolved.to_vary().unwrap();
                assert_eq!(to_vary.resolve().unwrap(), resolved);
                let varied = |recipe: &Recipe| recipe.varied_by(&one_size).resolve().unwrap();
                assert_eq!(varied(&to_vary), varied(&typed), "{name}");
            }
        }
    }
}
