//! The timeline: what of a recipe changes while the picture is painted.
//!
//! ```text
//!   "timeline": [{ "before_evaluation": 57, "set": { "style_weight": 120 } }]
//!
//!   evaluation    1 ... 56            57 ...                  counted over the whole run, those that were taken back included
//!   what counts   the recipe          with the fields of `set` laid over it
//! ```
//!
//! Entries stand in their order; two before one evaluation are laid one after the other. What they set is in the units of the
//! recipe that they stand in. An entry that changes the loss makes L-BFGS forget its pairs and its last loss; Adam keeps its
//! averages.

use std::collections::BTreeMap;

use impasto_vgg::Layer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::choices::{Colours, TotalVariationForm};
use super::presets::Preset;
use super::regions::{Region, Rest};
use super::resolve::ResolvedRecipe;
use super::{Recipe, RecipeError, nearest, presets, schema, shorten};

/// A change while the picture is painted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimelineEntry {
    /// The first evaluation that it counts for, from 1 on, over all sizes; evaluations that were taken back are counted too. One
    /// after the run's last never counts.
    #[schemars(range(min = 1))]
    pub before_evaluation: u32,
    /// What is other from there on.
    pub set: ChangedFields,
}

macro_rules! changed_fields {
    ($($(#[$attribute:meta])* $field:ident: $kind:ty,)*) => {
        /// Fields of a recipe that may change while it is painted; each means what it means in a [`Recipe`]. Those that are absent stay
        /// as they are.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct ChangedFields {
            $(
                $(#[$attribute])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$kind>,
            )*
        }

        /// Their names.
        const NAMES: &[&str] = &[$(stringify!($field)),*];

        impl ChangedFields {
            /// Whether it sets nothing.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                true $(&& self.$field.is_none())*
            }

            /// This, and then `next` laid over it.
            #[must_use]
            pub fn then(self, next: ChangedFields) -> ChangedFields {
                ChangedFields { $($field: next.$field.or(self.$field)),* }
            }

            /// This without the fields that a recipe has.
            fn without(self, recipe: &Recipe) -> ChangedFields {
                ChangedFields { $($field: self.$field.filter(|_| recipe.$field.is_none())),* }
            }
        }
    };
}

changed_fields! {
    /// Factor of the style loss.
    #[schemars(range(min = 0.0, max = 1e12))]
    style_weight: f64,
    /// In place of `style_weight`: 1 is the preset's.
    #[schemars(range(min = 0.0, max = 2.0))]
    strength: f64,
    /// Factor of the content loss.
    #[schemars(range(min = 0.0, max = 1e12))]
    content_weight: f64,
    /// Factor of the loss of matched features.
    #[schemars(range(min = 0.0, max = 1e12))]
    match_weight: f64,
    /// Factor of the total variation.
    #[schemars(range(min = 0.0, max = 1e12))]
    tv_weight: f64,
    /// In place of `tv_weight`: so many times the preset's `denoise_weight` on top of the preset's total variation.
    #[schemars(range(min = 0.0, max = 1e6))]
    denoise: f64,
    /// Factor of the mean squared excess of values outside 0..255.
    #[schemars(range(min = 0.0, max = 1e12))]
    range_weight: f64,
    /// Content layers with their weights.
    #[schemars(schema_with = "schema::layers")]
    content_layers: BTreeMap<Layer, f64>,
    /// Style layers with their weights; a region that has weights of its own keeps them.
    #[schemars(schema_with = "schema::layers")]
    style_layers: BTreeMap<Layer, f64>,
    /// Long edge of the style image as a multiple of the picture's.
    #[schemars(range(min = 0.01, max = 100.0))]
    style_scale: f64,
    /// Shares of several style images, in their order; empty for equal shares.
    style_blend: Vec<f64>,
    /// Whose colours the picture has.
    colours: Colours,
    /// The same as `colours` photo, and `false` as `colours` painting.
    original_colors: bool,
    /// All regions from here on; empty for none.
    regions: Vec<Region>,
    /// The file of an image in which regions have a colour each; an empty name for none.
    region_labels: String,
    /// What becomes of the places that no region has.
    rest: Rest,
    /// The width of the edge in which regions fade into a photo that stays, in pixels.
    #[schemars(range(min = 0.0, max = 65_535.0))]
    rest_feather_px: f64,
    /// The file of a map over the picture: white keeps the drawing; an empty name for none.
    emphasis: String,
}

impl ChangedFields {
    /// Whether other masks of regions come with it.
    #[must_use]
    pub fn sets_masks(&self) -> bool {
        self.regions.is_some() || self.region_labels.is_some()
    }

    /// Whether another map of the emphasis comes with it.
    #[must_use]
    pub fn sets_emphasis(&self) -> bool {
        self.emphasis.as_ref().is_some_and(|name| !name.is_empty())
    }

    /// Gives each mask that it names another name.
    ///
    /// # Errors
    /// Those of `rename`.
    pub fn rename_masks<E>(&mut self, rename: &mut dyn FnMut(&str) -> Result<String, E>) -> Result<(), E> {
        let of_regions =
            self.regions.iter_mut().flatten().flat_map(|region| [&mut region.mask, &mut region.painting_mask]);
        for name in of_regions.chain([&mut self.region_labels, &mut self.emphasis]).flatten() {
            if !name.is_empty() {
                *name = rename(name)?;
            }
        }
        Ok(())
    }

    /// This with weights in place of the dials that stand for them, which are counted from the preset's.
    fn resolved(self, preset: &Preset, form: TotalVariationForm) -> Result<ChangedFields, RecipeError> {
        let dials = Recipe {
            style_weight: self.style_weight,
            strength: self.strength,
            // The preset's own is counted in with the dial.
            tv_weight: self.tv_weight.or(Some(0.0)),
            tv_form: Some(form),
            denoise: self.denoise,
            colours: self.colours,
            original_colors: self.original_colors,
            ..Recipe::default()
        };
        let style_weight = match self.strength {
            Some(_) => Some(dials.style_weight_over(preset)?),
            None => self.style_weight,
        };
        let tv_weight = match self.denoise {
            Some(_) => Some(dials.total_variation(preset)?.0),
            None => self.tv_weight,
        };
        let colours = match (self.colours, self.original_colors) {
            (None, None) => None,
            _ => Some(dials.said_colours()?),
        };
        let (strength, denoise, original_colors) = (None, None, None);
        Ok(ChangedFields { style_weight, strength, tv_weight, denoise, colours, original_colors, ..self })
    }

    /// Lays it over a recipe; it has to be resolved.
    fn lay(&self, recipe: &mut ResolvedRecipe) {
        macro_rules! take {
            ($($field:ident),*) => {
                $(if let Some(value) = &self.$field {
                    recipe.$field.clone_from(value);
                })*
            };
        }
        take!(style_weight, content_weight, match_weight, tv_weight, range_weight, content_layers, style_layers);
        take!(style_scale, style_blend, colours, regions, rest, rest_feather_px);
        recipe.original_colors = recipe.colours == Colours::Photo;
        let named = |name: &String| Some(name.clone()).filter(|name| !name.is_empty());
        if let Some(name) = &self.region_labels {
            recipe.region_labels = named(name);
        }
        if let Some(name) = &self.emphasis {
            recipe.emphasis = named(name);
        }
    }
}

impl ResolvedRecipe {
    /// The recipe that counts for this evaluation of the whole run, from 1 on; 0 for the beginning. It has no timeline.
    ///
    /// ```
    /// use impasto::recipe::Recipe;
    /// let text = r#"{"style_weight": 5, "timeline": [{"before_evaluation": 3, "set": {"style_weight": 7}}]}"#;
    /// let recipe = Recipe::from_json(text)?.resolve()?;
    /// assert_eq!([2, 3].map(|evaluation| recipe.at_evaluation(evaluation).style_weight), [5.0, 7.0]);
    /// # Ok::<(), impasto::recipe::RecipeError>(())
    /// ```
    #[must_use]
    pub fn at_evaluation(&self, evaluation: u32) -> ResolvedRecipe {
        let mut recipe = ResolvedRecipe { timeline: Vec::new(), ..self.clone() };
        let counted = self.timeline.iter().take_while(|entry| entry.before_evaluation <= evaluation);
        counted.for_each(|entry| entry.set.lay(&mut recipe));
        recipe
    }

    /// This recipe, which has no timeline, with a change laid over it; and the change with weights in place of its dials.
    ///
    /// # Errors
    /// As [`Recipe::resolve`]; a change of nothing.
    pub fn changed(&self, set: &ChangedFields) -> Result<(ResolvedRecipe, ChangedFields), RecipeError> {
        if set.is_empty() {
            return Err(RecipeError::EmptyChange);
        }
        let preset = presets::preset(&self.preset).unwrap_or(&presets::PRESETS[0]);
        let set = set.clone().resolved(preset, self.tv_form)?;
        let mut changed = ResolvedRecipe { timeline: Vec::new(), ..self.clone() };
        set.lay(&mut changed);
        changed.check()?;
        Ok((changed, set))
    }

    /// This recipe with weights in its timeline in place of dials.
    ///
    /// # Errors
    /// The first error of the timeline.
    pub(super) fn with_resolved_timeline(mut self) -> Result<ResolvedRecipe, RecipeError> {
        let (mut counts, mut last) = (self.at_evaluation(0), 1);
        for TimelineEntry { before_evaluation, set } in &mut self.timeline {
            let before_evaluation = *before_evaluation;
            if before_evaluation < last {
                return Err(RecipeError::TimelineOrder { before_evaluation, last });
            }
            let changed = counts.changed(set);
            let in_entry = |error| RecipeError::TimelineEntry { before_evaluation, error: Box::new(error) };
            (counts, *set) = changed.map_err(in_entry)?;
            last = before_evaluation;
        }
        Ok(self)
    }

    /// Puts a change among the others: after those that count before this evaluation or an earlier one.
    pub fn add_change(&mut self, entry: TimelineEntry) {
        let after = |other: &TimelineEntry| other.before_evaluation <= entry.before_evaluation;
        self.timeline.insert(self.timeline.partition_point(after), entry);
    }

    /// The timeline up to this evaluation.
    #[must_use]
    pub fn timeline_until(&self, evaluation: u32) -> &[TimelineEntry] {
        &self.timeline[..self.timeline.partition_point(|entry| entry.before_evaluation <= evaluation)]
    }
}

/// The entries of a timeline without what `over` has: who names a value now means it from the beginning to the end.
pub(super) fn varied(timeline: &[TimelineEntry], over: &Recipe) -> Vec<TimelineEntry> {
    // What stands for one thing goes together.
    let mut over = over.clone();
    if over.style_weight.is_some() || over.strength.is_some() {
        (over.style_weight, over.strength) = (Some(0.0), Some(0.0));
    }
    if over.tv_weight.is_some() || over.denoise.is_some() {
        (over.tv_weight, over.denoise) = (Some(0.0), Some(0.0));
    }
    if over.colours.is_some() || over.original_colors.is_some() {
        (over.colours, over.original_colors) = (Some(Colours::Painting), Some(false));
    }
    if over.regions.is_some() || over.region_labels.is_some() {
        (over.regions, over.region_labels) = (Some(Vec::new()), Some(String::new()));
    }
    let left = timeline.iter().map(|entry| TimelineEntry { set: entry.set.clone().without(&over), ..*entry });
    left.filter(|entry| !entry.set.is_empty()).collect()
}

/// Checks the names of what a timeline in JSON sets, before anything is read of it.
///
/// # Errors
/// A field that cannot change while a picture is painted; one that no recipe has.
pub(super) fn check_names(
    object: &Map<String, Value>,
    known: &[String],
    written_by: &dyn Fn() -> String,
) -> Result<(), RecipeError> {
    let entries = object.get("timeline").and_then(Value::as_array).into_iter().flatten();
    let fields = entries.filter_map(|entry| entry.get("set")?.as_object()).flat_map(Map::keys);
    match fields.into_iter().find(|field| !NAMES.contains(&field.as_str())) {
        None => Ok(()),
        Some(field) if known.contains(field) => Err(RecipeError::Unchangeable { field: field.clone() }),
        Some(field) => Err(RecipeError::UnknownField {
            field: shorten(field),
            written_by: written_by(),
            nearest: nearest(field, NAMES.iter().copied()).map(str::to_owned),
        }),
    }
}
