//! Weights in proportion become plain ones, before a run.
//!
//! ```text
//!   style layer l     w_l u / E_l(0)     E_l(0): the style loss at a picture without features, from the painting's moments
//!                                        u: the mean variance of the photo's features at the content layers
//! ```
//!
//! With Gram matrices E_l(0) is sum A_l^2 / N^4 in the mean form (Gatys et al., eq. 4, at G = 0), so that a painting of little
//! contrast, or a layer of small features, weighs as much as another. Both are taken at one size whatever the picture's is,
//! so that one recipe means one balance at every size.
//!
//! A timeline's weights are measured by what the recipe begins with, and those of regions that come later by their own paintings.

use std::collections::BTreeMap;

use impasto_vgg::{Engine, Guides, Layer, Moments, SessionRequest};

use crate::objective::loss::style_loss_of_nothing;
use crate::objective::{blended_moments, request, style_moments};
use crate::recipe::resolve::{ResolvedRecipe, style_shares};
use crate::recipe::{Balance, ChangedFields, ContentForm, TimelineEntry, three_digits};
use crate::run::colours::Paintings;
use crate::run::regions::Part;
use crate::run::scales::{Scale, content_at, scales};
use crate::run::{Images, PaintError};

/// Long edge of the pictures that are looked at, in pixels, where the picture is not smaller.
const LONG_EDGE_PX: usize = 512;

/// The recipe with plain weights that mean what its weights in proportion mean for these images; a recipe with plain weights
/// as it is.
///
/// # Errors
/// See [`PaintError`].
pub fn balanced(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    images: Images<'_>,
    memory_limit_bytes: Option<u64>,
) -> Result<ResolvedRecipe, PaintError> {
    images.check_guides(recipe)?;
    images.check_timeline(recipe)?;
    if recipe.balance == Balance::Plain {
        return Ok(recipe.clone());
    }
    let sizes = scales(recipe, images.content.width, images.content.height);
    let full = sizes[sizes.len() - 1];
    let scale = full.within(LONG_EDGE_PX);
    let unit = content_unit(recipe, engine, images, scale, memory_limit_bytes)?;
    let paintings = Paintings::new(recipe, images, full)?;
    let mut plain = ResolvedRecipe { balance: Balance::Plain, ..recipe.clone() };
    let in_proportion = |layers: &mut BTreeMap<Layer, f64>, styles: &[(Vec<Moments>, f64)]| {
        put_in_proportion(recipe, unit, layers, styles);
    };
    let changes = Changes { recipe, engine, images, paintings: &paintings, scale, unit, memory_limit_bytes };
    plain.timeline = changes.plain()?;
    if recipe.regions.is_empty() {
        let shares = style_shares(recipe, images.styles.len(), !recipe.counted_style_layers().is_empty())?;
        let styles = styles_at(recipe, engine, (&paintings, &shares), scale, memory_limit_bytes)?;
        in_proportion(&mut plain.style_layers, &styles);
        return Ok(plain);
    }
    // Each region by its own painting, or by what of it the region is painted after; the rest by the first.
    let moments = |part: Part<'_>| part.moments(recipe, engine, &paintings, scale, memory_limit_bytes);
    in_proportion(&mut plain.style_layers, &[(moments(Part::Rest)?, 1.0)]);
    for (region, masks) in plain.regions.iter_mut().zip(images.guides.regions) {
        let mut layers = region.style_layers.clone().unwrap_or_else(|| recipe.style_layers.clone());
        in_proportion(&mut layers, &[(moments(Part::Region(region, masks))?, 1.0)]);
        region.style_layers = Some(layers);
    }
    Ok(plain)
}

/// Weights in proportion become plain ones, by what these style images' moments are.
fn put_in_proportion(
    recipe: &ResolvedRecipe,
    unit: f64,
    layers: &mut BTreeMap<Layer, f64>,
    styles: &[(Vec<Moments>, f64)],
) {
    for (layer, weight) in layers {
        let moments = blended_moments(*layer, styles);
        let of_nothing = style_loss_of_nothing(recipe.style_loss, recipe.style_form, &moments);
        // A layer at which the painting has no features says nothing.
        *weight *= if of_nothing > 0.0 { three_digits(unit / of_nothing) } else { 0.0 };
    }
}

/// What a timeline in proportion is measured by.
struct Changes<'a> {
    recipe: &'a ResolvedRecipe,
    engine: &'a dyn Engine,
    images: Images<'a>,
    paintings: &'a Paintings<'a>,
    scale: Scale,
    unit: f64,
    memory_limit_bytes: Option<u64>,
}

impl Changes<'_> {
    /// The timeline with plain weights.
    fn plain(&self) -> Result<Vec<TimelineEntry>, PaintError> {
        let mut timeline = self.recipe.timeline.clone();
        let weighs = |set: &ChangedFields| set.style_layers.is_some() || set.regions.is_some();
        if !timeline.iter().any(|entry| weighs(&entry.set)) {
            return Ok(timeline);
        }
        let seen = self.looking_everywhere();
        let limit = self.memory_limit_bytes;
        let moments = |part: Part<'_>| part.moments(&seen, self.engine, self.paintings, self.scale, limit);
        let styles = if self.recipe.regions.is_empty() {
            let shares = style_shares(self.recipe, self.images.styles.len(), true)?;
            styles_at(&seen, self.engine, (self.paintings, &shares), self.scale, limit)?
        } else {
            vec![(moments(Part::Rest)?, 1.0)]
        };
        let mut counts = self.recipe.at_evaluation(0);
        for (place, entry) in timeline.iter_mut().enumerate() {
            counts = counts.changed(&entry.set)?.0;
            if let Some(layers) = &mut entry.set.style_layers {
                put_in_proportion(self.recipe, self.unit, layers, &styles);
            }
            let masks = self.images.guides.changed.get(place).and_then(|guides| guides.regions.as_ref());
            for (region, masks) in entry.set.regions.iter_mut().flatten().zip(masks.into_iter().flatten()) {
                let mut layers = region.style_layers.clone().unwrap_or_else(|| counts.style_layers.clone());
                let styles = [(moments(Part::Region(region, masks))?, 1.0)];
                put_in_proportion(self.recipe, self.unit, &mut layers, &styles);
                region.style_layers = Some(layers);
            }
        }
        Ok(timeline)
    }

    /// The recipe as it would look at every layer that has a weight at any time.
    fn looking_everywhere(&self) -> ResolvedRecipe {
        let sets = self.recipe.timeline.iter().map(|entry| &entry.set);
        let regions = sets.clone().flat_map(|set| set.regions.iter().flatten()).chain(&self.recipe.regions);
        let of_regions = regions.filter_map(|region| region.style_layers.as_ref());
        let lists =
            sets.filter_map(|set| set.style_layers.as_ref()).chain(of_regions).chain([&self.recipe.style_layers]);
        let weighty = lists.flatten().filter(|(_, weight)| **weight > 0.0);
        let style_layers = weighty.map(|(&layer, _)| (layer, 1.0)).collect();
        ResolvedRecipe { style_weight: 1.0, style_layers, regions: Vec::new(), ..self.recipe.clone() }
    }
}

/// The content loss of a picture whose features are the photo's mean features everywhere; 1 where no content counts.
fn content_unit(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    images: Images<'_>,
    scale: Scale,
    memory_limit_bytes: Option<u64>,
) -> Result<f64, PaintError> {
    let layers = recipe.counted_content_layers();
    if layers.is_empty() {
        return Ok(1.0);
    }
    let content = content_at(recipe, images.content, scale)?;
    let taps = layers.iter().map(|&(layer, _)| layer).collect();
    let request = SessionRequest {
        style_taps: taps,
        content_taps: Vec::new(),
        guides: Guides::default(),
        way_back: false,
        ..request(recipe, scale.width, scale.height, memory_limit_bytes)
    };
    let moments = engine.session(&request)?.forward(&content.values)?.moments;
    let factor = match recipe.content_form {
        ContentForm::Mean => 1.0,
        ContentForm::Paper | ContentForm::Position => 0.5,
    };
    let of_layer = |(&(layer, weight), moments): (&(Layer, f64), &Moments)| {
        let per = if recipe.content_form == ContentForm::Mean { layer.channels() as f64 } else { 1.0 };
        weight * factor * variance(moments) / per
    };
    let unit: f64 = layers.iter().zip(&moments).map(of_layer).sum();
    // A photo of one colour has no features to keep.
    Ok(if unit > 0.0 { unit } else { 1.0 })
}

/// The moments of each style image that counts at this size, with its share.
fn styles_at(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    (paintings, shares): (&Paintings<'_>, &[f64]),
    scale: Scale,
    memory_limit_bytes: Option<u64>,
) -> Result<Vec<(Vec<Moments>, f64)>, PaintError> {
    let counted = shares.iter().enumerate().filter(|&(_, &share)| share > 0.0);
    counted
        .map(|(place, &share)| {
            let style = paintings.at(place, scale)?;
            let moments = style_moments(recipe, engine, &style.values, style.width, style.height, memory_limit_bytes)?;
            Ok((moments, share))
        })
        .collect()
}

/// The sum over channels of a layer's variances.
fn variance(moments: &Moments) -> f64 {
    let squares = moments.second.iter().step_by(moments.mean.len() + 1);
    squares.zip(&moments.mean).map(|(square, mean)| square - mean * mean).sum()
}
