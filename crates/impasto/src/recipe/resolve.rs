//! From what was typed to what will be done: every field gets its value, and every error of a recipe is said here,
//! before work starts.

use std::collections::BTreeMap;

use impasto_vgg::Layer;
use serde_json::Value;

use crate::recipe::nearest::nearest;
use crate::recipe::presets::{PRESETS, Preset, preset};
use crate::recipe::regions::{RegionChoices, Rest, check_regions};
pub use crate::recipe::resolved::ResolvedRecipe;
use crate::recipe::strength::{strength_factor, three_digits};
use crate::recipe::{
    Balance, Colours, ContentForm, FORMAT, Recipe, RecipeError, Seamless, Size, Start, StyleScale, TotalVariationForm,
    Transparency,
};

/// The least short edge of a coarse size where a number of sizes is asked for, in pixels: below, the deepest layers would see
/// nothing.
pub(crate) const LEAST_SHORT_EDGE_PX: u32 = 32;

/// The longest side that a picture may have, in pixels.
const SIDE_LIMIT_PX: u32 = 65_535;

/// The width of the edge in which regions fade into a photo that stays, in pixels of the full size.
const REST_FEATHER_PX: f64 = 8.0;

/// A resolved recipe in `run.json` or in a checkpoint is read as any recipe is, of whatever format it is; who wrote it stays.
impl TryFrom<Value> for ResolvedRecipe {
    type Error = RecipeError;

    fn try_from(value: Value) -> Result<ResolvedRecipe, RecipeError> {
        let Value::Object(object) = value else { return Err(RecipeError::Json("it is not a JSON object".into())) };
        let recipe = Recipe::from_object(object)?;
        let resolved = recipe.resolve()?;
        Ok(ResolvedRecipe { version: recipe.version.unwrap_or(resolved.version), ..resolved })
    }
}

impl Recipe {
    /// Gives every field its value and says every error.
    ///
    /// ```
    /// use impasto::recipe::Recipe;
    /// let error = Recipe { style_weight: Some(f64::NAN), ..Recipe::default() }.resolve().unwrap_err();
    /// assert!(error.to_string().starts_with("--style-weight NaN"));
    /// ```
    ///
    /// # Errors
    /// See [`RecipeError`].
    pub fn resolve(&self) -> Result<ResolvedRecipe, RecipeError> {
        let name = self.preset.as_deref().unwrap_or(PRESETS[0].name);
        let preset = preset(name).ok_or_else(|| RecipeError::UnknownPreset {
            name: name.chars().take(40).collect(),
            nearest: nearest(name, PRESETS.iter().map(|preset| preset.name)).map(str::to_owned),
            known: PRESETS.map(|preset| preset.name).join(", "),
        })?;
        let resolved = self.over(preset)?;
        resolved.check()?;
        resolved.with_resolved_timeline()
    }

    /// This recipe's fields, and the preset's where they are absent; nothing is checked yet.
    fn over(&self, preset: &Preset) -> Result<ResolvedRecipe, RecipeError> {
        let (tv_weight, tv_form) = self.total_variation(preset)?;
        let colours = self.said_colours()?;
        Ok(ResolvedRecipe {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            engine: self.engine.clone(),
            content: self.content.clone(),
            styles: self.styles.clone(),
            preset: preset.name.to_owned(),
            size: self.size.unwrap_or(preset.size),
            iterations: self.iterations.unwrap_or(preset.iterations),
            levels: self.levels.unwrap_or(preset.levels),
            scale_factor: self.scale_factor.unwrap_or(preset.scale_factor),
            coarsest_px: self.coarsest_px.unwrap_or(self.least_short_edge_px(preset)),
            coarse_iterations: self.coarse_iterations.unwrap_or(preset.coarse_iterations),
            coarsest_iterations: self.coarsest_iterations.or(preset.coarsest_iterations),
            multiscale_weight: self.multiscale_weight.unwrap_or(preset.multiscale_weight),
            multiscale_px: self.multiscale_px.unwrap_or(preset.multiscale_px),
            optimizer: self.optimizer.unwrap_or(preset.optimizer),
            learning_rate: self.learning_rate.unwrap_or(preset.learning_rate),
            adam_beta_2: self.adam_beta_2.unwrap_or(preset.adam_beta_2),
            adam_average: self.adam_average.unwrap_or(preset.adam_average),
            adam_carried: self.adam_carried.unwrap_or(preset.adam_carried),
            history: self.history.unwrap_or(preset.history),
            coarse_emphasis: self.coarse_emphasis.unwrap_or(preset.coarse_emphasis),
            clamp: self.clamp.unwrap_or(preset.clamp),
            init: self.init.clone().unwrap_or(preset.init.into()),
            noise_ratio: self.noise_ratio.unwrap_or(preset.noise_ratio),
            blend_form: self.blend_form.unwrap_or(preset.blend_form),
            noise_deviation: self.noise_deviation.unwrap_or(preset.noise_deviation),
            seed: self.seed.unwrap_or(0),
            content_weight: self.content_weight.unwrap_or(preset.content_weight),
            style_weight: self.style_weight_over(preset)?,
            content_layers: layers(&self.content_layers, "--content-layers", preset.content_layers)?,
            style_layers: layers(&self.style_layers, "--style-layers", preset.style_layers)?,
            balance: self.balance.unwrap_or(preset.balance),
            content_form: self.content_form.unwrap_or(preset.content_form),
            style_loss: self.style_loss.unwrap_or(preset.style_loss),
            style_form: self.style_form.unwrap_or(preset.style_form),
            match_weight: self.match_weight.unwrap_or(preset.match_weight),
            match_layers: layers(&self.match_layers, "--match-layers", preset.match_layers)?,
            match_every: self.match_every.unwrap_or(preset.match_every),
            match_turns: self.match_turns.unwrap_or(preset.match_turns),
            match_photo: self.match_photo.unwrap_or(preset.match_photo),
            match_centred: self.match_centred.unwrap_or(preset.match_centred),
            tv_weight,
            tv_form,
            range_weight: self.range_weight.unwrap_or(preset.range_weight),
            pool: self.pool.unwrap_or(preset.pool),
            border: self.border.unwrap_or(preset.border),
            precision: self.precision.unwrap_or(preset.precision),
            weights: self.weights.clone().unwrap_or_else(|| preset.weights.to_owned()),
            weights_input: self.weights_input,
            style_fit: self.style_fit.unwrap_or(preset.style_fit),
            style_scale: self.style_scale.clone().unwrap_or(StyleScale::All(1.0)),
            upscale_style: self.upscale_style.unwrap_or(preset.upscale_style),
            style_masks: self.style_masks.clone().unwrap_or_default(),
            style_blend: self.style_blend.clone().unwrap_or_default(),
            regions: self.regions.clone().unwrap_or_default(),
            region_labels: self.region_labels.clone(),
            rest: self.rest.unwrap_or(Rest::Painting),
            rest_feather_px: self.rest_feather_px.unwrap_or(REST_FEATHER_PX),
            emphasis: self.emphasis.clone(),
            colours,
            original_colors: colours == Colours::Photo,
            transparency: self.transparency.unwrap_or(Transparency::Keep),
            seamless: self.seamless.unwrap_or(Seamless::None),
            timeline: self.timeline.clone().unwrap_or_default(),
        })
    }

    /// The least short edge where none was given: who asks for a number of sizes gets them, as far as the network sees something.
    fn least_short_edge_px(&self, preset: &Preset) -> u32 {
        if self.levels.is_some() { preset.coarsest_px.min(LEAST_SHORT_EDGE_PX) } else { preset.coarsest_px }
    }

    /// Whose colours are asked for, by either of two names.
    pub(super) fn said_colours(&self) -> Result<Colours, RecipeError> {
        match (self.colours, self.original_colors) {
            (Some(colours), Some(original)) if original != (colours == Colours::Photo) => {
                Err(RecipeError::ColoursTwice { original, colours: colours.name() })
            }
            (Some(colours), _) => Ok(colours),
            (None, Some(true)) => Ok(Colours::Photo),
            (None, _) => Ok(Colours::Painting),
        }
    }

    /// Factor of the style loss: as it was given, or by the strength.
    pub(super) fn style_weight_over(&self, preset: &Preset) -> Result<f64, RecipeError> {
        match (self.style_weight, self.strength) {
            (Some(_), Some(_)) => Err(RecipeError::StrengthAndWeight),
            (Some(weight), None) => Ok(weight),
            (None, Some(strength)) => {
                in_range("--strength", strength, 0.0, 2.0, "a number from 0 to 2")?;
                Ok(three_digits(preset.style_weight * strength_factor(strength)))
            }
            (None, None) => Ok(preset.style_weight),
        }
    }

    /// Factor and form of the total variation: `denoise` raises the preset's own factor, and never lowers what is there.
    pub(super) fn total_variation(&self, preset: &Preset) -> Result<(f64, TotalVariationForm), RecipeError> {
        let form = self.tv_form.unwrap_or(preset.tv_form);
        let own = self.tv_weight.unwrap_or(preset.tv_weight);
        let Some(strength) = self.denoise else { return Ok((own, form)) };
        in_range("--denoise", strength, 0.0, 1e6, "a number from 0 to 1000000")?;
        if form != preset.tv_form {
            return Err(RecipeError::DenoiseForm { preset: preset.name });
        }
        // Out of range, it is said as it stands.
        weight_in_range("--tv-weight", own)?;
        Ok((own.max(preset.tv_weight + strength * preset.denoise_weight), form))
    }
}

/// The layers that were typed, or else the preset's.
fn layers(
    typed: &Option<BTreeMap<Layer, f64>>,
    option: &str,
    preset: &[(&str, f64)],
) -> Result<BTreeMap<Layer, f64>, RecipeError> {
    match typed {
        Some(layers) => Ok(layers.clone()),
        None => preset
            .iter()
            .map(|&(name, weight)| Ok((Layer::named(name)?, weight)))
            .collect::<Result<_, _>>()
            .map_err(|source| RecipeError::UnknownLayer { option: option.to_owned(), source }),
    }
}

impl ResolvedRecipe {
    /// Says the first error of it, but for its timeline's.
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        check(self)
    }
}

/// Says the first error of a recipe.
fn check(recipe: &ResolvedRecipe) -> Result<(), RecipeError> {
    check_size(recipe.size)?;
    check_joints(recipe)?;
    check_numbers(recipe)?;
    let lists = [
        ("--content-layers", &recipe.content_layers),
        ("--style-layers", &recipe.style_layers),
        ("--match-layers", &recipe.match_layers),
    ];
    for (option, layers) in lists {
        for (layer, &weight) in layers {
            weight_in_range(&format!("{option} {layer}"), weight)?;
        }
    }
    if recipe.balance == Balance::Painting && recipe.content_form == ContentForm::Paper {
        return Err(RecipeError::BalanceForm);
    }
    let styles = recipe.styles.as_ref().filter(|_| recipe.looks_at_styles());
    check_regions(&RegionChoices {
        regions: &recipe.regions,
        has_labels: recipe.region_labels.is_some(),
        rest: recipe.rest,
        styles: styles.map(Vec::len),
    })?;
    if recipe.weights.is_empty() {
        return Err(RecipeError::NoWeights);
    }
    let style_counts = recipe.looks_at_styles();
    if recipe.counted_content_layers().is_empty() && !style_counts {
        return Err(RecipeError::NothingToPaint);
    }
    check_styles(recipe, style_counts || recipe.init == Start::Style)
}

fn check_size(size: Size) -> Result<(), RecipeError> {
    let sides = match size {
        Size::LongEdge(edge) => [edge, edge],
        Size::Exact { width, height } => [width, height],
    };
    match sides.iter().all(|side| (1..=SIDE_LIMIT_PX).contains(side)) {
        true => Ok(()),
        false => Err(RecipeError::Size(size.into())),
    }
}

/// Checks that a size that was asked for to the pixel can be had where sides join.
fn check_joints(recipe: &ResolvedRecipe) -> Result<(), RecipeError> {
    let Size::Exact { width, height } = recipe.size else { return Ok(()) };
    let (joining_width, joining_height) = recipe.joining(width as usize, height as usize);
    if (joining_width, joining_height) == (width as usize, height as usize) {
        return Ok(());
    }
    Err(RecipeError::SeamlessSize {
        size: format!("{width}x{height}"),
        unit_px: recipe.joint_unit_px(),
        nearest: format!("{joining_width}x{joining_height}"),
    })
}

fn check_numbers(recipe: &ResolvedRecipe) -> Result<(), RecipeError> {
    let whole =
        |option, value: u32, most: u32, allowed| in_range(option, f64::from(value), 1.0, f64::from(most), allowed);
    whole("--iterations", recipe.iterations, u32::MAX, "at least 1")?;
    whole("--levels", recipe.levels, 16, "a number from 1 to 16")?;
    in_range("--scale-factor", recipe.scale_factor, 1.1, 8.0, "a number from 1.1 to 8")?;
    whole("--coarsest-px", recipe.coarsest_px, SIDE_LIMIT_PX, "a number of pixels from 1 to 65535")?;
    whole("--coarse-iterations", recipe.coarse_iterations, u32::MAX, "at least 1")?;
    whole("coarsest_iterations", recipe.coarsest_iterations.unwrap_or(1), u32::MAX, "at least 1")?;
    in_range("--multiscale-weight", recipe.multiscale_weight, 0.0, 1e6, "a number from 0 to 1000000")?;
    let least_px = f64::from(LEAST_SHORT_EDGE_PX);
    let multiscale_px = f64::from(recipe.multiscale_px);
    in_range(
        "--multiscale-px",
        multiscale_px,
        least_px,
        f64::from(SIDE_LIMIT_PX),
        "a number of pixels from 32 to 65535",
    )?;
    whole("--history", recipe.history, 1000, "a number from 1 to 1000")?;
    in_range("--learning-rate", recipe.learning_rate, 1e-6, 1e3, "a number from 0.000001 to 1000")?;
    in_range("adam_beta_2", recipe.adam_beta_2, 0.0, 0.999_999, "a number from 0 to 0.999999")?;
    in_range("adam_average", recipe.adam_average, 0.0, 0.999_999, "a number from 0 to 0.999999")?;
    in_range("--coarse-emphasis", recipe.coarse_emphasis, 0.0, 4.0, "a number from 0 to 4")?;
    in_range("--noise-ratio", recipe.noise_ratio, 0.0, 1.0, "a number from 0 to 1")?;
    in_range("--noise-deviation", recipe.noise_deviation, 0.0, 1e3, "a number from 0 to 1000")?;
    for &scale in recipe.style_scale.numbers() {
        in_range("--style-scale", scale, 0.01, 100.0, "a number from 0.01 to 100")?;
    }
    weight_in_range("--content-weight", recipe.content_weight)?;
    weight_in_range("--style-weight", recipe.style_weight)?;
    weight_in_range("--match-weight", recipe.match_weight)?;
    whole("--match-every", recipe.match_every, u32::MAX, "at least 1")?;
    in_range("--match-photo", recipe.match_photo, 0.0, 1.0, "a number from 0 to 1")?;
    weight_in_range("--tv-weight", recipe.tv_weight)?;
    in_range("--rest-feather-px", recipe.rest_feather_px, 0.0, 65_535.0, "a number of pixels from 0 to 65535")?;
    weight_in_range("--range-weight", recipe.range_weight)
}

/// Weights of losses: the upper bound keeps sums of losses far from overflow in the engine's f32.
fn weight_in_range(option: &str, value: f64) -> Result<(), RecipeError> {
    in_range(option, value, 0.0, 1e12, "a number from 0 to 1e12")
}

fn in_range(option: &str, value: f64, least: f64, most: f64, allowed: &'static str) -> Result<(), RecipeError> {
    match value >= least && value <= most {
        true => Ok(()),
        false => Err(RecipeError::OutOfRange { option: option.to_owned(), value, allowed }),
    }
}

fn check_styles(recipe: &ResolvedRecipe, style_needed: bool) -> Result<(), RecipeError> {
    for &share in &recipe.style_blend {
        weight_in_range("--style-blend", share)?;
    }
    if !recipe.style_blend.is_empty() && recipe.style_blend.iter().all(|&share| share == 0.0) {
        return Err(RecipeError::BlendEmpty);
    }
    match &recipe.styles {
        Some(styles) => style_shares(recipe, styles.len(), style_needed).map(drop),
        None => Ok(()),
    }
}

/// The shares of `styles` style images, which sum to 1.
///
/// # Errors
/// Shares, scales or masks that are not one for each image; no image where `style_needed`.
pub fn style_shares(recipe: &ResolvedRecipe, styles: usize, style_needed: bool) -> Result<Vec<f64>, RecipeError> {
    if styles == 0 && style_needed {
        return Err(RecipeError::NoStyle);
    }
    for (option, what, given) in [
        ("--style-scale", "scales", recipe.style_scale.count()),
        ("--style-masks", "masks", Some(recipe.style_masks.len()).filter(|&masks| masks > 0)),
    ] {
        if let Some(given) = given.filter(|&given| given != styles) {
            return Err(RecipeError::EachStyle { option, what, given, styles });
        }
    }
    if recipe.style_blend.is_empty() {
        return Ok(vec![1.0 / styles.max(1) as f64; styles]);
    }
    if recipe.style_blend.len() != styles {
        return Err(RecipeError::BlendCount { shares: recipe.style_blend.len(), styles });
    }
    let total: f64 = recipe.style_blend.iter().sum();
    Ok(recipe.style_blend.iter().map(|share| share / total).collect())
}
