//! The recipe: everything that a user can choose about a picture.
//!
//! A [`Recipe`] is what was typed: every field may be absent. It is resolved once into a [`ResolvedRecipe`], in which
//! every field has its value; every error of a recipe is said there, before work starts. A picture carries its resolved
//! recipe, and a resolved recipe is a recipe again, so that it can be repeated and varied.
//!
//! ```text
//!   options, JSON --> Recipe --resolve(preset)--> ResolvedRecipe --> run
//!                       ^                              |
//!                       +------- JSON in a picture <---+
//! ```
//!
//! **Architecture Invariant:** nothing here depends on the machine: threads and memory limits are not part of a recipe,
//! since they change no pixel.
//!
//! [`ResolvedRecipe`]: crate::recipe::resolve::ResolvedRecipe

mod changed;
mod choices;
mod error;
mod formats;
mod former_default;
pub mod history;
mod nearest;
pub mod precision;
pub mod presets;
mod regions;
pub mod resolve;
mod resolved;
mod schema;
mod seamless;
mod size;
mod strength;
mod style_scale;
mod text;
mod timeline;

use std::collections::BTreeMap;

use impasto_vgg::formats::ChannelOrder;
use impasto_vgg::{Border, Layer, Pooling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use choices::{
    Balance, BlendForm, Colours, ContentForm, MatchTurns, OptimizerKind, PrecisionChoice, Start, StyleFit, StyleForm,
    StyleLoss, TotalVariationForm, Transparency,
};
pub use error::RecipeError;
pub use formats::FORMAT;
pub use nearest::nearest;
pub(crate) use regions::check_paintings;
pub use regions::{Region, Rest, parse_region};
pub use seamless::Seamless;
pub use size::Size;
pub(crate) use strength::three_digits;
pub use style_scale::StyleScale;
pub use timeline::{ChangedFields, TimelineEntry};

pub use text::{NoText, text_from_bytes};

/// The longest recipe text that is read, in bytes.
pub const RECIPE_LIMIT_BYTES: usize = 256 * 1024;

/// What was typed. Absent fields take the preset's value.
///
/// ```
/// use impasto::recipe::Recipe;
/// let recipe = Recipe::from_json(r#"{"preset": "authors", "size": "256", "style_weight": 100}"#)?;
/// let resolved = recipe.resolve()?;
/// assert_eq!(resolved.style_weight, 100.0);
/// // A resolved recipe is a recipe again.
/// assert_eq!(Recipe::from_json(&resolved.to_json())?.resolve()?, resolved);
/// # Ok::<(), impasto::recipe::RecipeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Recipe {
    /// The format that the fields are of ([`FORMAT`]). A recipe that names a version and no format is of format 1; one that
    /// names neither was written by hand, and is of the newest, but for what it leaves open ([`Recipe::means_former_default`]).
    #[schemars(range(min = 1, max = FORMAT))]
    pub format: Option<u32>,
    /// The version of impasto that wrote this recipe; said in errors, otherwise without effect.
    pub version: Option<String>,
    /// The engine that painted, as in `cpu avx512`; a note for people, without effect.
    pub engine: Option<String>,
    /// The content image's file name.
    pub content: Option<String>,
    /// The style images' file names.
    pub styles: Option<Vec<String>>,
    /// The preset that the other fields vary: one of [`PRESETS`](crate::recipe::presets::PRESETS).
    #[schemars(schema_with = "schema::preset")]
    pub preset: Option<String>,
    /// Size of the picture.
    #[schemars(schema_with = "schema::size")]
    pub size: Option<Size>,
    /// Evaluations of loss and gradient at the full size, steps that were taken back included.
    #[schemars(range(min = 1))]
    pub iterations: Option<u32>,
    /// Sizes that the picture is painted at, at most, each a `scale_factor`th of the next; 1 is the full size alone.
    #[schemars(range(min = 1, max = 16))]
    pub levels: Option<u32>,
    /// How many times larger each size is than the one before.
    #[schemars(range(min = 1.1, max = 8.0))]
    pub scale_factor: Option<f64>,
    /// The least short edge of a size that is painted before the full one, in pixels; where it is absent and `levels` is not,
    /// 32 at most.
    #[schemars(range(min = 1, max = 65_535))]
    pub coarsest_px: Option<u32>,
    /// Evaluations at each size but the full one.
    #[schemars(range(min = 1))]
    pub coarse_iterations: Option<u32>,
    /// Evaluations at the coarsest size, where that is not the full one; as many as at the others where it is absent.
    #[schemars(range(min = 1))]
    pub coarsest_iterations: Option<u32>,
    /// Factor of the losses of smaller sizes. The picture is brought down by a half, a quarter and so on, and all that counts of it there,
    /// but for matched features, counts beside what counts at its own size; so a smaller print of it has the look of a picture that
    /// was painted at that size (Snelgrove, SIGGRAPH Asia 2017, has style losses over a pyramid). 0 for its own size alone.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub multiscale_weight: Option<f64>,
    /// The least long edge of such a smaller size, in pixels.
    #[schemars(range(min = 32, max = 65_535))]
    pub multiscale_px: Option<u32>,
    /// Which optimiser.
    pub optimizer: Option<OptimizerKind>,
    /// Adam's step, in units of 0..255.
    #[schemars(range(min = 1e-6, max = 1e3))]
    pub learning_rate: Option<f64>,
    /// How slowly Adam forgets the squares of slopes: its beta 2.
    #[schemars(range(min = 0.0, max = 0.999_999))]
    pub adam_beta_2: Option<f64>,
    /// Where it is more than 0, what Adam shows is an average of its pictures, each weighing so many times the next; L-BFGS shows
    /// its last.
    #[schemars(range(min = 0.0, max = 0.999_999))]
    pub adam_average: Option<f64>,
    /// Whether Adam goes on at the next size with what it has learnt of slopes at the one before, enlarged; else it begins anew.
    pub adam_carried: Option<bool>,
    /// Steps that L-BFGS remembers.
    #[schemars(range(min = 1, max = 1000))]
    pub history: Option<u32>,
    /// How much more L-BFGS expects coarse structure to move than fine: frequencies weigh f^-emphasis before any step
    /// has shown their stiffness; 0 for the textbook's L-BFGS. It changes how fast the loss falls, not the loss.
    #[schemars(range(min = 0.0, max = 4.0))]
    pub coarse_emphasis: Option<f64>,
    /// Keep every pixel within 0..255 while optimising.
    pub clamp: Option<bool>,
    /// The picture to start from.
    #[schemars(schema_with = "schema::start")]
    pub init: Option<Start>,
    /// Share of noise in a blend, 0..=1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub noise_ratio: Option<f64>,
    /// How a blend is mixed.
    pub blend_form: Option<BlendForm>,
    /// Standard deviation of white noise, in units of 0..255.
    #[schemars(range(min = 0.0, max = 1e3))]
    pub noise_deviation: Option<f64>,
    /// Seed of the noise.
    pub seed: Option<u64>,
    /// Factor of the content loss (the paper's alpha).
    #[schemars(range(min = 0.0, max = 1e12))]
    pub content_weight: Option<f64>,
    /// Factor of the style loss (the paper's beta).
    #[schemars(range(min = 0.0, max = 1e12))]
    pub style_weight: Option<f64>,
    /// How strongly the painting counts, in place of `style_weight`: 1 is the preset's, 0 a sixteenth of it and 2 sixteen times it, and equal
    /// steps look like equal steps. What came of it is `style_weight`.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub strength: Option<f64>,
    /// Content layers with their weights.
    #[schemars(schema_with = "schema::layers")]
    pub content_layers: Option<BTreeMap<Layer, f64>>,
    /// Style layers with their weights (the paper's w_l).
    #[schemars(schema_with = "schema::layers")]
    pub style_layers: Option<BTreeMap<Layer, f64>>,
    /// Whether weights are those of the losses, or of the losses in proportion to images.
    pub balance: Option<Balance>,
    /// Form of the content loss.
    pub content_form: Option<ContentForm>,
    /// What the style loss compares.
    pub style_loss: Option<StyleLoss>,
    /// Form of the style loss where it compares Gram matrices; elsewhere it is not read.
    pub style_form: Option<StyleForm>,
    /// Factor of the loss of matched features, each drawn to its nearest of the style images'.
    #[schemars(range(min = 0.0, max = 1e12))]
    pub match_weight: Option<f64>,
    /// Layers whose features are matched, with their weights.
    #[schemars(schema_with = "schema::layers")]
    pub match_layers: Option<BTreeMap<Layer, f64>>,
    /// Evaluations that a match is held for.
    #[schemars(range(min = 1))]
    pub match_every: Option<u32>,
    /// In which turns the style images are matched to.
    pub match_turns: Option<MatchTurns>,
    /// Share of the photo in the picture that is matched, 0..=1; the rest is the picture as it is by then.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub match_photo: Option<f64>,
    /// Whether matched features are compared less their means.
    pub match_centred: Option<bool>,
    /// Factor of the total variation.
    #[schemars(range(min = 0.0, max = 1e12))]
    pub tv_weight: Option<f64>,
    /// Form of the total variation.
    pub tv_form: Option<TotalVariationForm>,
    /// How much more than the preset low-level noise is kept out: 0 no more, 1 as is usual. It stands for so many times the
    /// preset's `denoise_weight` on top of the preset's total variation; where `tv_weight` is more than that, it stays.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub denoise: Option<f64>,
    /// Factor of the mean squared excess of values outside 0..255.
    #[schemars(range(min = 0.0, max = 1e12))]
    pub range_weight: Option<f64>,
    /// Pooling.
    #[schemars(schema_with = "schema::pooling")]
    pub pool: Option<Pooling>,
    /// What lies beyond the picture's edge.
    #[schemars(schema_with = "schema::border")]
    pub border: Option<Border>,
    /// Arithmetic of the network's products.
    pub precision: Option<PrecisionChoice>,
    /// The network's weights: `embedded`, `normalised`, `vgg19` as fetched, or a file.
    pub weights: Option<String>,
    /// The order of the channels that a weights file's first layer sees, where the file itself does not show it or shows another.
    #[schemars(schema_with = "schema::channel_order")]
    pub weights_input: Option<ChannelOrder>,
    /// How style images are brought to size.
    pub style_fit: Option<StyleFit>,
    /// Long edge of the style images as a multiple of the picture's, of all or of each: the scale of the brush.
    pub style_scale: Option<StyleScale>,
    /// Whether a style image is enlarged beyond its own pixels where the picture asks for more.
    pub upscale_style: Option<bool>,
    /// The files of masks over the style images, in their order, null for none: only what lies inside counts.
    pub style_masks: Option<Vec<Option<String>>>,
    /// Shares of several style images, in their order; they are normalised to sum to 1. Empty for equal shares.
    pub style_blend: Option<Vec<f64>>,
    /// Parts of the picture that are painted after a painting, or a part of one, of their own.
    pub regions: Option<Vec<Region>>,
    /// The file of an image in which regions have a colour each.
    pub region_labels: Option<String>,
    /// What becomes of the places that no region has.
    pub rest: Option<Rest>,
    /// Where the rest stays as the photo has it, the width of the edge in which regions fade, in pixels.
    #[schemars(range(min = 0.0, max = 65_535.0))]
    pub rest_feather_px: Option<f64>,
    /// The file of a map over the picture: white keeps the drawing, black lets it go.
    pub emphasis: Option<String>,
    /// Whose colours the picture has.
    pub colours: Option<Colours>,
    /// Keep the content image's colours: only brightness is painted. The same as `colours` photo, and `false` as any other; where
    /// both are given, they have to agree.
    pub original_colors: Option<bool>,
    /// What becomes of the content image's transparent parts; in a recipe without a format they are put on white where it is absent.
    pub transparency: Option<Transparency>,
    /// Which sides of the picture join, so that it tiles.
    pub seamless: Option<Seamless>,
    /// What changes while the picture is painted, in its order.
    pub timeline: Option<Vec<TimelineEntry>>,
}

impl Recipe {
    /// Reads a recipe from JSON: typed by hand, or carried by a picture.
    ///
    /// # Errors
    /// A text above [`RECIPE_LIMIT_BYTES`], one that is no JSON object, a field that this version does not know, a
    /// value of the wrong kind.
    pub fn from_json(text: &str) -> Result<Recipe, RecipeError> {
        if text.len() > RECIPE_LIMIT_BYTES {
            return Err(RecipeError::TooLong { bytes: text.len() });
        }
        let value: Value = serde_json::from_str(text).map_err(|error| RecipeError::Json(error.to_string()))?;
        let Some(object) = value.as_object() else {
            return Err(RecipeError::Json("it is not a JSON object".into()));
        };
        Recipe::from_object(object.clone())
    }

    /// Whether a text that [`Recipe::from_json`] reads was typed by hand and names no `format`, so that what it leaves open of the preset
    /// `default` has the values of before formats were named (2026-11-28), and not today's.
    ///
    /// ```
    /// use impasto::recipe::Recipe;
    /// assert!(Recipe::means_former_default(r#"{"size": 512}"#));
    /// assert!(!Recipe::means_former_default(r#"{"format": 6, "size": 512}"#));
    /// assert!(!Recipe::means_former_default(r#"{"preset": "authors"}"#));
    /// ```
    #[must_use]
    pub fn means_former_default(text: &str) -> bool {
        let value = serde_json::from_str::<Value>(text).ok();
        let object = value.as_ref().and_then(Value::as_object);
        object.is_some_and(|object| !object.contains_key("version") && former_default::is_meant(object))
    }

    /// The JSON schema of a recipe (draft 2020-12), for editors and front ends: every field with what it means, the names and
    /// the range that it takes.
    #[must_use]
    pub fn json_schema() -> Value {
        schema::of_recipe()
    }

    /// Takes every field that `over` has; the others stay, but for a `denoise` where `over` has a `tv_weight` of its own, a
    /// `weights_input` where it has other `weights`, of `colours` and `original_colors` one where it has the other, and what the
    /// timeline sets of what `over` has.
    ///
    /// ```
    /// use impasto::recipe::Recipe;
    /// let carried = Recipe { seed: Some(1), levels: Some(2), ..Recipe::default() };
    /// let typed = Recipe { seed: Some(7), ..Recipe::default() };
    /// let varied = carried.varied_by(&typed);
    /// assert_eq!((varied.seed, varied.levels), (Some(7), Some(2)));
    /// ```
    pub fn varied_by(&self, over: &Recipe) -> Recipe {
        macro_rules! take {
            ($($field:ident),* $(,)?) => {
                Recipe { $($field: over.$field.clone().or_else(|| self.$field.clone())),* }
            };
        }
        let mut varied = take!(
            format,
            version,
            engine,
            content,
            styles,
            preset,
            size,
            iterations,
            levels,
            scale_factor,
            coarsest_px,
            coarse_iterations,
            coarsest_iterations,
            multiscale_weight,
            multiscale_px,
            optimizer,
            learning_rate,
            adam_beta_2,
            adam_average,
            adam_carried,
            history,
            coarse_emphasis,
            clamp,
            init,
            noise_ratio,
            blend_form,
            noise_deviation,
            seed,
            content_weight,
            style_weight,
            strength,
            content_layers,
            style_layers,
            balance,
            content_form,
            style_loss,
            style_form,
            match_weight,
            match_layers,
            match_every,
            match_turns,
            match_photo,
            match_centred,
            tv_weight,
            tv_form,
            denoise,
            range_weight,
            pool,
            border,
            precision,
            weights,
            weights_input,
            style_fit,
            style_scale,
            upscale_style,
            style_masks,
            style_blend,
            regions,
            region_labels,
            rest,
            rest_feather_px,
            emphasis,
            colours,
            original_colors,
            transparency,
            seamless,
            timeline,
        );
        if let (Some(timeline), None) = (&self.timeline, &over.timeline) {
            varied.timeline = Some(timeline::varied(timeline, over)).filter(|timeline| !timeline.is_empty());
        }
        if over.tv_weight.is_some() {
            varied.denoise = over.denoise;
        }
        // One of them counts, the one that was typed.
        if over.style_weight.is_some() || over.strength.is_some() {
            (varied.style_weight, varied.strength) = (over.style_weight, over.strength);
        }
        if over.weights.is_some() {
            varied.weights_input = over.weights_input;
        }
        if over.colours.is_some() || over.original_colors.is_some() {
            (varied.colours, varied.original_colors) = (over.colours, over.original_colors);
        }
        varied
    }
}

/// The first 80 characters of a text from a file, so that an error stays a sentence.
fn shorten(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(80).collect()
}

/// Reads a list of layers as typed: `conv1_1=0.2,conv2_1`; a layer without a weight has 1. An empty text is an empty
/// list. `option` is named in errors.
///
/// ```
/// let layers = impasto::recipe::parse_layers("--style-layers", "conv1_1=0.2,conv2_1")?;
/// assert_eq!(layers.into_values().collect::<Vec<_>>(), [0.2, 1.0]);
/// # Ok::<(), impasto::recipe::RecipeError>(())
/// ```
///
/// # Errors
/// A text of another shape, a layer that VGG-19 does not have, a layer listed twice.
pub fn parse_layers(option: &str, text: &str) -> Result<BTreeMap<Layer, f64>, RecipeError> {
    let mut layers = BTreeMap::new();
    for part in text.split(',').map(str::trim) {
        if part.is_empty() && text.trim().is_empty() {
            break;
        }
        let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
        let weight = weight
            .trim()
            .parse::<f64>()
            .map_err(|_| RecipeError::LayerList { option: option.to_owned(), text: shorten(text) })?;
        let layer = Layer::named(name.trim())
            .map_err(|source| RecipeError::UnknownLayer { option: option.to_owned(), source })?;
        if layers.insert(layer, weight).is_some() {
            return Err(RecipeError::LayerTwice { option: option.to_owned(), layer });
        }
    }
    Ok(layers)
}
