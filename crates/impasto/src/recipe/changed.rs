//! A recipe after the changes of its timeline.

use super::choices::{Colours, TotalVariationForm};
use super::presets::Preset;
use super::resolved::ResolvedRecipe;
use super::timeline::{ChangedFields, TimelineEntry};
use super::{Recipe, RecipeError, presets};

impl ChangedFields {
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
