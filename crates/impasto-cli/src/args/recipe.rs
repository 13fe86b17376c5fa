//! The options that go into a recipe. What is left out comes from `--recipe`, else from the preset: which is why every
//! option is optional here, and no default stands here but by name (docs/presets.md has them all).

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args};
use impasto::presets::PRESETS;
use impasto::recipe::{
    Balance, Colours, MatchTurns, OptimizerKind, PrecisionChoice, Recipe, RecipeError, Rest, Seamless, Size, Start,
    StyleLoss, StyleScale, Transparency, parse_layers, parse_region,
};
use impasto_job::Order;
use impasto_vgg::formats::ChannelOrder;
use impasto_vgg::{Border, Pooling};
use serde::de::DeserializeOwned;

/// What goes into the recipe. What is left out comes from --recipe, else from the preset.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Recipe (what is left out comes from the preset: impasto recipe --preset NAME)")]
pub struct RecipeArguments {
    /// Start from a recipe with a name
    #[arg(long, value_name = "NAME", help = preset_line(PRESETS[0].name), long_help = preset_help(PRESETS[0].name))]
    pub preset: Option<String>,
    /// Repeat the recipe of a picture or of a JSON file; other options vary it
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub recipe: Option<PathBuf>,
    /// Long edge in pixels (512), or width x height (400x300; the photo is cropped to fit)
    #[arg(long, value_name = "N|WxH")]
    pub size: Option<String>,
    /// Evaluations of loss and gradient at the full size
    #[arg(long, value_name = "N")]
    pub iterations: Option<u32>,
    /// Sizes to paint at, at most, from coarse to fine
    #[arg(long, value_name = "N")]
    pub levels: Option<u32>,
    /// How many times larger each size is than the one before
    #[arg(long, value_name = "FACTOR")]
    pub scale_factor: Option<f64>,
    /// The least short edge of a size that is painted before the full one, in pixels
    #[arg(long, value_name = "PX")]
    pub coarsest_px: Option<u32>,
    /// Evaluations at each size but the full one
    #[arg(long, value_name = "N")]
    pub coarse_iterations: Option<u32>,
    /// How much the losses of smaller sizes count, for a small print to have the look of a small picture; 0 for none
    #[arg(long, value_name = "WEIGHT")]
    pub multiscale_weight: Option<f64>,
    /// The least long edge of such a smaller size, in pixels
    #[arg(long, value_name = "PX")]
    pub multiscale_px: Option<u32>,
    /// What moves the pixels
    #[arg(long, value_name = "NAME", value_parser = choice::<OptimizerKind>(&["lbfgs", "adam"]))]
    pub optimizer: Option<OptimizerKind>,
    /// Adam's step, in units of 0..255
    #[arg(long, value_name = "STEP")]
    pub learning_rate: Option<f64>,
    /// Steps that L-BFGS remembers
    #[arg(long, value_name = "N")]
    pub history: Option<u32>,
    /// How much more L-BFGS expects coarse structure to move than fine; 0 for the textbook's
    #[arg(long, value_name = "POWER")]
    pub coarse_emphasis: Option<f64>,
    /// Keep every pixel within 0..255 on the way
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub clamp: Option<bool>,
    /// Start from content, style, noise, blend or a picture file
    #[arg(long, value_name = "START")]
    pub init: Option<String>,
    /// Share of noise in a blend, 0 to 1
    #[arg(long, value_name = "SHARE")]
    pub noise_ratio: Option<f64>,
    /// Standard deviation of white noise, in units of 0..255
    #[arg(long, value_name = "UNITS")]
    pub noise_deviation: Option<f64>,
    /// Seed of the noise, where the start has noise (--init noise, blend): another seed, another picture
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Factor of the content loss (alpha)
    #[arg(long, value_name = "FACTOR")]
    pub content_weight: Option<f64>,
    /// How strongly the painting counts, 0 to 2: 0 is a tint of it, 1 the preset's, 2 hardly anything of the photo
    ///
    /// Equal steps look like equal steps. It stands for a factor of the preset's --style-weight: 0.25 more is twice the weight.
    #[arg(long, value_name = "STRENGTH", conflicts_with = "style_weight")]
    pub strength: Option<f64>,
    /// Factor of the style loss (beta)
    #[arg(long, value_name = "FACTOR")]
    pub style_weight: Option<f64>,
    /// Content layers, each with a weight if you like (conv4_2=1)
    #[arg(long, value_name = "LAYER[=W],...")]
    pub content_layers: Option<String>,
    /// Style layers, each with a weight if you like (conv1_1=0.2,conv2_1=0.2)
    #[arg(long, value_name = "LAYER[=W],...")]
    pub style_layers: Option<String>,
    /// What weights are factors of: the losses (plain), or the losses in proportion to photo and painting (painting)
    ///
    /// With painting, each style layer's loss counts in proportion to what it would be at a picture without features, and content to what
    /// it would be at one with the photo's mean features everywhere: one --style-weight then paints any painting as strongly, a soft
    /// one too, and no layer is drowned by another. What came of it stands in the picture's recipe as plain weights.
    #[arg(long, value_name = "KIND", value_parser = choice::<Balance>(&["plain", "painting"]))]
    pub balance: Option<Balance>,
    /// What the style loss compares of the layers: Gram matrices (the paper's), or mean and covariance, or mean and variance
    ///
    /// wasserstein is the mean square that features have to move by to have the painting's mean and covariance; mean-variance is
    /// the same where each channel stands by itself. They are squares of features, where Gram's are fourth powers, so where weights
    /// are plain (--balance plain) each needs a --style-weight of its own.
    #[arg(long, value_name = "NAME", value_parser = choice::<StyleLoss>(&StyleLoss::NAMES))]
    pub style_loss: Option<StyleLoss>,
    /// Factor of the loss of matched features: each place of the picture is drawn to its nearest of the painting
    #[arg(long, value_name = "FACTOR")]
    pub match_weight: Option<f64>,
    /// Layers whose features are matched, each with a weight if you like (conv3_1,conv4_1=0.5)
    #[arg(long, value_name = "LAYER[=W],...")]
    pub match_layers: Option<String>,
    /// Evaluations that a match is held for
    #[arg(long, value_name = "N")]
    pub match_every: Option<u32>,
    /// The painting as it is, or turned by quarters too, or mirrored as well: more to choose from, and more work
    #[arg(long, value_name = "NAME", value_parser = choice::<MatchTurns>(&["upright", "rotated", "mirrored"]))]
    pub match_turns: Option<MatchTurns>,
    /// Share of the photo in what is matched, 0 to 1; the rest is the picture as it is by then
    #[arg(long, value_name = "SHARE")]
    pub match_photo: Option<f64>,
    /// Compare matched features less their means
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub match_centred: Option<bool>,
    /// Factor of the total variation: more is smoother
    #[arg(long, value_name = "FACTOR")]
    pub tv_weight: Option<f64>,
    /// Keep more low-level noise out than the preset does: as much more as is usual (1), or so many times that
    ///
    /// Adds to the preset's total variation, which the presets default and johnson have some of by themselves; --denoise=2 adds
    /// twice as much. To have less than the preset, give --tv-weight.
    #[arg(long, value_name = "STRENGTH", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    #[arg(conflicts_with = "tv_weight")]
    pub denoise: Option<f64>,
    /// Factor of what lies outside 0..255, mean squared
    #[arg(long, value_name = "FACTOR")]
    pub range_weight: Option<f64>,
    /// How the network pools
    #[arg(long, value_name = "KIND", value_parser = choice::<Pooling>(&["avg", "max"]))]
    pub pool: Option<Pooling>,
    /// What the network sees beyond the picture's edge
    #[arg(long, value_name = "KIND", value_parser = choice::<Border>(&["zero", "replicate"]))]
    pub border: Option<Border>,
    /// Arithmetic of the network: f32, bf16, f16, or auto: bf16 where it is faster and does no harm
    ///
    /// bfloat16 is for processors that have such products; elsewhere, and on GPUs, it is f32. auto uses it at every size but
    /// the full one, and there on the way back alone, so that losses are f32's. f16 is for GPUs,
    /// any of them: what the layers hand on takes half the memory, and all sums are still in f32; on processors it is f32.
    /// The picture's recipe tells what came of it.
    #[arg(long, value_name = "KIND", value_parser = choice::<PrecisionChoice>(&["f32", "bf16", "f16", "auto"]))]
    pub precision: Option<PrecisionChoice>,
    /// The network's weights: embedded, normalised as the paper has them, vgg19 as fetched, or a file
    #[arg(long, value_name = "embedded|normalised|vgg19|FILE")]
    pub weights: Option<String>,
    /// Order of the channels that the first layer of a weights file sees: rgb or bgr
    ///
    /// For files whose first layer does not show it, as that of a network that was trained anew. The original release is known by
    /// its first layer in either order.
    #[arg(long, value_name = "ORDER", value_parser = choice::<ChannelOrder>(&["rgb", "bgr"]))]
    pub weights_input: Option<ChannelOrder>,
    /// Long edge of the paintings as a multiple of the picture's, of all (0.5) or of each (1,0.5): the scale of the brush
    #[arg(long, value_name = "FACTOR,...", value_delimiter = ',')]
    pub style_scale: Option<Vec<f64>>,
    /// Enlarge a painting that has fewer pixels than the picture asks for
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub upscale_style: Option<bool>,
    /// Masks over the paintings, in their order, or none: only what is white counts (stars.png,none)
    #[arg(long, value_name = "FILE,...", value_delimiter = ',')]
    pub style_masks: Option<Vec<String>>,
    /// Share of each painting, in their order (2,1)
    #[arg(long, value_name = "SHARE,...", value_delimiter = ',')]
    pub style_blend: Option<Vec<f64>>,
    /// A part of the picture with a painting of its own: name=sky,mask=sky.png,painting=2; as often as you like
    ///
    /// The mask is white where the region is; grey is partly. painting=N is the painting's number (1), painting-mask=FILE takes only
    /// a part of that painting, weight=FACTOR makes its style count more or less (1), and colour=#RRGGBB stands for mask where
    /// --regions names an image. Where regions overlap they are shared out.
    #[arg(long = "region", value_name = "KEY=VALUE,...")]
    pub region: Vec<String>,
    /// An image in which each region has a colour, in place of masks: --region name=sky,colour=#3366cc
    #[arg(long, value_name = "FILE")]
    pub regions: Option<String>,
    /// What no region has: painted after the first painting, or the photo as it is
    #[arg(long, value_name = "KIND", value_parser = choice::<Rest>(&["painting", "photo"]))]
    pub rest: Option<Rest>,
    /// With --rest photo: pixels within which regions fade into the photo
    #[arg(long, value_name = "PX")]
    pub rest_feather_px: Option<f64>,
    /// A map of where the drawing counts: white keeps it, black lets it go
    #[arg(long, value_name = "FILE")]
    pub emphasis: Option<String>,
    /// Whose colours the picture has: the painting's, as painted, or the photo's, in one of three ways
    ///
    /// painting leaves them as they were painted. photo takes the photo's, place by place, and paints brightness alone. match brings
    /// the painted colours as a whole to the photo's, by their mean and covariance in Oklab, so that strokes keep colours of their own.
    /// photo-before does that to the painting before it is looked at, and paints with what comes of it.
    #[arg(long, value_name = "WHOSE", alias = "colors", value_parser = choice::<Colours>(&Colours::NAMES))]
    pub colours: Option<Colours>,
    /// Keep the photo's colours and paint brightness alone: --colours photo
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub original_colors: Option<bool>,
    /// What becomes of a photo's transparent parts: they stay transparent, or are put on white
    ///
    /// What lies behind them is painted on from the colours around them. A JPEG has no transparency, and the picture is put on white
    /// there. A painting's transparent parts are put on white in any case.
    #[arg(long, value_name = "KIND", value_parser = choice::<Transparency>(&["keep", "white"]))]
    pub transparency: Option<Transparency>,
    /// Let sides of the picture join, so that it tiles: left and right (x), top and bottom (y), or both
    ///
    /// The network, smoothness and enlarging look across the edge to the other side. A side that joins is brought to the nearest multiple
    /// of 16 pixels, and towards it the photo's drawing is let go. At 512 pixels it takes 1.3 times as long for x or y, 1.7 for both.
    #[arg(long, value_name = "SIDES", value_parser = choice::<Seamless>(&["none", "x", "y", "both"]))]
    pub seamless: Option<Seamless>,
}

impl RecipeArguments {
    /// An order of these images.
    ///
    /// # Errors
    /// As [`RecipeArguments::to_recipe`].
    pub fn order(&self, content: Option<&PathBuf>, styles: &[PathBuf]) -> Result<Order, RecipeError> {
        Ok(Order {
            content: content.cloned(),
            styles: styles.to_vec(),
            recipe_file: self.recipe.clone(),
            recipe: self.to_recipe()?,
            ..Order::default()
        })
    }

    /// The files that were typed here: a recipe, a picture to start from.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        let start = match self.init.clone().map(Start::from) {
            Some(Start::File(path)) => Some(path),
            _ => None,
        };
        self.recipe.clone().into_iter().chain(start)
    }

    /// What was typed, as a recipe; `recipe` itself is read elsewhere.
    ///
    /// # Errors
    /// A size or a list of layers that cannot be read.
    pub fn to_recipe(&self) -> Result<Recipe, RecipeError> {
        let layers = |option, text: &Option<String>| text.as_deref().map(|text| parse_layers(option, text)).transpose();
        Ok(Recipe {
            preset: self.preset.clone(),
            size: self.size.clone().map(Size::try_from).transpose()?,
            iterations: self.iterations,
            levels: self.levels,
            scale_factor: self.scale_factor,
            coarsest_px: self.coarsest_px,
            coarse_iterations: self.coarse_iterations,
            multiscale_weight: self.multiscale_weight,
            multiscale_px: self.multiscale_px,
            optimizer: self.optimizer,
            learning_rate: self.learning_rate,
            history: self.history,
            coarse_emphasis: self.coarse_emphasis,
            clamp: self.clamp,
            init: self.init.clone().map(Start::from),
            noise_ratio: self.noise_ratio,
            noise_deviation: self.noise_deviation,
            seed: self.seed,
            content_weight: self.content_weight,
            style_weight: self.style_weight,
            strength: self.strength,
            content_layers: layers("--content-layers", &self.content_layers)?,
            style_layers: layers("--style-layers", &self.style_layers)?,
            balance: self.balance,
            style_loss: self.style_loss,
            match_weight: self.match_weight,
            match_layers: layers("--match-layers", &self.match_layers)?,
            match_every: self.match_every,
            match_turns: self.match_turns,
            match_photo: self.match_photo,
            match_centred: self.match_centred,
            tv_weight: self.tv_weight,
            denoise: self.denoise,
            range_weight: self.range_weight,
            pool: self.pool,
            border: self.border,
            precision: self.precision,
            weights: self.weights.clone(),
            weights_input: self.weights_input,
            style_scale: self.style_scale.clone().map(StyleScale::of_numbers),
            upscale_style: self.upscale_style,
            style_masks: self.style_masks.as_ref().map(|masks| masks.iter().map(|mask| style_mask(mask)).collect()),
            style_blend: self.style_blend.clone(),
            regions: match self.region.is_empty() {
                true => None,
                false => Some(self.region.iter().map(|text| parse_region(text)).collect::<Result<_, _>>()?),
            },
            region_labels: self.regions.clone(),
            rest: self.rest,
            rest_feather_px: self.rest_feather_px,
            emphasis: self.emphasis.clone(),
            colours: self.colours,
            original_colors: self.original_colors,
            transparency: self.transparency,
            seamless: self.seamless,
            ..Recipe::default()
        })
    }
}

/// The file of a painting's mask, where it has one.
fn style_mask(typed: &str) -> Option<String> {
    (typed != "none").then(|| typed.to_owned())
}

/// The option `--preset` of a command with another default than that of `paint`.
pub fn preset_of(option: Arg, default: &str) -> Arg {
    option.help(preset_line(default)).long_help(preset_help(default))
}

/// `--preset` in a line, for a command with this default.
fn preset_line(default: &str) -> String {
    format!("Start from a recipe with a name [default: {default}]")
}

/// Each preset with what it is, for a command with this default.
fn preset_help(default: &str) -> String {
    let presets = PRESETS.iter().map(|preset| format!("\n- {}: {}", preset.name, preset.summary));
    format!("{}:{}", preset_line(default), presets.collect::<String>())
}

/// One of `names`, which are the names that `T` has in a recipe's JSON.
pub fn choice<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| serde_json::from_value::<T>(serde_json::Value::String(name)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use impasto::recipe::{Colours, StyleLoss};

    use crate::args::Arguments;

    #[test]
    fn every_name_of_a_choice_is_a_name_of_the_recipe() {
        let (losses, colours) = (&StyleLoss::NAMES[..], &Colours::NAMES[..]);
        for (option, names) in [
            ("--optimizer", &["lbfgs", "adam"][..]),
            ("--pool", &["avg", "max"]),
            ("--border", &["zero", "replicate"]),
            ("--style-loss", losses),
            ("--colours", colours),
        ] {
            for name in names {
                let typed = ["impasto", "paint", "c.png", "s.png", "-o", "o.png", option, name];
                assert!(Arguments::try_parse_from(typed).is_ok(), "{option} {name}");
            }
        }
    }
}
