//! Changes of a run while it paints: those of its recipe's timeline, and those that come by whoever steers it.
//!
//! ```text
//!   evaluation n    the picture, the optimiser's state      all that the rest of the run depends on, as in a checkpoint
//!   changes         another recipe, other masks             L-BFGS forgets its pairs and its last loss, if the loss is another
//!   evaluation n+1  from there on as if the run had been taken up with that recipe
//! ```
//!
//! So a run that is gone on with, and one that repeats the recipe with its timeline, end in the same bytes. A change before the
//! first evaluation of a size counts from before that size begins.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::regions::{ChangedGuides, GuideImages, RegionImages, check_regions};
use super::{Images, PaintError};
use crate::picture::Picture;
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{ChangedFields, Colours, TimelineEntry};

/// A change that comes while a run paints. It goes into the recipe's timeline: whoever gives it keeps it there, for the run to be
/// repeated ([`ResolvedRecipe::add_change`]).
#[derive(Clone, Debug, Default)]
pub struct Steered {
    /// What is other from the next evaluation on.
    pub set: ChangedFields,
    /// The masks that come with it.
    pub guides: ChangedGuides,
}

/// What whoever steers a run answers before an evaluation.
#[derive(Clone, Debug)]
pub enum Steer {
    /// The evaluation is made, with these changes laid over the recipe one after the other.
    GoOn(Vec<Steered>),
    /// The run stops before it.
    Stop,
}

/// What a change makes another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// The loss, so that what was known of it is worth nothing.
    pub loss: bool,
    /// The banks that features are matched to.
    pub banks: bool,
}

impl Difference {
    fn between(before: &ResolvedRecipe, after: &ResolvedRecipe) -> Difference {
        let looks_through_the_photo = |recipe: &ResolvedRecipe| recipe.colours == Colours::PhotoBefore;
        let mut alike = before.clone();
        if !looks_through_the_photo(before) && !looks_through_the_photo(after) {
            // They change what is shown, and nothing else.
            (alike.colours, alike.original_colors) = (after.colours, after.original_colors);
        }
        let layers = |recipe: &ResolvedRecipe| -> Vec<_> {
            recipe.counted_match_layers().into_iter().map(|(layer, _)| layer).collect()
        };
        let counted =
            |recipe: &ResolvedRecipe| -> Vec<bool> { recipe.style_blend.iter().map(|&share| share > 0.0).collect() };
        let is_same_bank = layers(before) == layers(after)
            && counted(before) == counted(after)
            && before.style_scale == after.style_scale
            && looks_through_the_photo(before) == looks_through_the_photo(after);
        Difference { loss: alike != *after, banks: !is_same_bank }
    }

    pub fn and(self, other: Difference) -> Difference {
        Difference { loss: self.loss || other.loss, banks: self.banks || other.banks }
    }
}

/// Whether a change from the one recipe to the other changes the loss, and not only what is seen.
#[must_use]
pub fn changes_loss(before: &ResolvedRecipe, after: &ResolvedRecipe) -> bool {
    Difference::between(before, after).loss
}

/// What a run paints by at one moment.
pub(super) struct Now<'a> {
    /// The recipe of the run, with its timeline and what was steered.
    pub whole: ResolvedRecipe,
    /// What counts of it now.
    pub recipe: ResolvedRecipe,
    /// The masks that count now.
    regions: Cow<'a, [RegionImages]>,
    emphasis: Option<Cow<'a, Picture>>,
    /// Of each region's mask over its painting a number that no other mask has had.
    pub painting_masks: Vec<Option<u32>>,
    numbers: u32,
    /// What of the timeline is still to come.
    ahead: VecDeque<(TimelineEntry, Option<&'a ChangedGuides>)>,
}

impl<'a> Now<'a> {
    /// The beginning of a run, or what counts after so many evaluations of it.
    pub fn after(recipe: &ResolvedRecipe, images: Images<'a>, evaluations: u32) -> Result<Now<'a>, PaintError> {
        let guides = images.guides;
        let mut now = Now {
            whole: recipe.clone(),
            recipe: recipe.at_evaluation(0),
            regions: Cow::Borrowed(&[]),
            emphasis: guides.emphasis.map(Cow::Borrowed),
            painting_masks: Vec::new(),
            numbers: 0,
            ahead: recipe
                .timeline
                .iter()
                .cloned()
                .enumerate()
                .map(|(place, entry)| (entry, guides.changed.get(place)))
                .collect(),
        };
        now.set_regions(Cow::Borrowed(guides.regions));
        now.lay_due(evaluations, &mut |_| {})?;
        Ok(now)
    }

    /// The images of the run with the masks that count now.
    pub fn images<'now>(&'now self, images: Images<'now>) -> Images<'now> {
        let (regions, emphasis) = (&self.regions[..], self.emphasis.as_deref());
        Images { guides: GuideImages { regions, emphasis, changed: &[], ..images.guides }, ..images }
    }

    /// The evaluation that the next change of the timeline counts for.
    pub fn next_change(&self) -> Option<u32> {
        self.ahead.front().map(|(entry, _)| entry.before_evaluation)
    }

    /// Lays every change of the timeline that counts by this evaluation; `tell` hears of each.
    pub fn lay_due(&mut self, evaluation: u32, tell: &mut dyn FnMut(&ChangedFields)) -> Result<Difference, PaintError> {
        let mut difference = Difference::default();
        while self.next_change().is_some_and(|before| before <= evaluation) {
            let Some((entry, guides)) = self.ahead.pop_front() else { break };
            let (regions, emphasis) = match guides {
                Some(guides) => {
                    (guides.regions.as_deref().map(Cow::Borrowed), guides.emphasis.as_ref().map(Cow::Borrowed))
                }
                None => (None, None),
            };
            difference = difference.and(self.lay(&entry.set, regions, emphasis)?);
            tell(&entry.set);
        }
        Ok(difference)
    }

    /// Lays a change that was steered, which counts from this evaluation on.
    pub fn lay_steered(
        &mut self,
        evaluation: u32,
        steered: Steered,
    ) -> Result<(ChangedFields, Difference), PaintError> {
        let (_, set) = self.recipe.changed(&steered.set)?;
        let ChangedGuides { regions, emphasis } = steered.guides;
        let difference = self.lay(&set, regions.map(Cow::Owned), emphasis.map(Cow::Owned))?;
        self.whole.add_change(TimelineEntry { before_evaluation: evaluation, set: set.clone() });
        Ok((set, difference))
    }

    fn lay(
        &mut self,
        set: &ChangedFields,
        regions: Option<Cow<'a, [RegionImages]>>,
        emphasis: Option<Cow<'a, Picture>>,
    ) -> Result<Difference, PaintError> {
        let (changed, _) = self.recipe.changed(set)?;
        let difference = Difference::between(&self.recipe, &changed);
        self.recipe = changed;
        if self.recipe.regions.is_empty() {
            self.set_regions(Cow::Borrowed(&[]));
        } else if let Some(regions) = regions {
            self.set_regions(regions);
        }
        match (&self.recipe.emphasis, emphasis) {
            (None, _) => self.emphasis = None,
            (Some(_), Some(emphasis)) => self.emphasis = Some(emphasis),
            (Some(_), None) => {}
        }
        let is_whole = self.regions.len() == self.recipe.regions.len()
            && self.emphasis.is_some() == self.recipe.emphasis.is_some();
        if is_whole { Ok(difference) } else { Err(PaintError::MaskMissing) }
    }

    /// Takes other masks. A mask over a painting that was there before keeps its number.
    fn set_regions(&mut self, regions: Cow<'a, [RegionImages]>) {
        let mut numbers = Vec::with_capacity(regions.len());
        for region in regions.iter() {
            let known = self.regions.iter().zip(&self.painting_masks);
            let known = known.filter(|(known, _)| known.painting_mask == region.painting_mask);
            let number = match (&region.painting_mask, known.map(|(_, &number)| number).next()) {
                (None, _) => None,
                (Some(_), Some(number)) => number,
                (Some(_), None) => {
                    self.numbers += 1;
                    Some(self.numbers)
                }
            };
            numbers.push(number);
        }
        (self.regions, self.painting_masks) = (regions, numbers);
    }
}

impl Images<'_> {
    /// Says what of a recipe's timeline these images cannot give.
    ///
    /// # Errors
    /// Masks that are missing, or black.
    pub(crate) fn check_timeline(&self, recipe: &ResolvedRecipe) -> Result<(), PaintError> {
        let guides = self.guides;
        if !guides.changed.is_empty() && guides.changed.len() != recipe.timeline.len() {
            return Err(PaintError::MaskMissing);
        }
        let styles_px: Vec<(usize, usize)> = self.styles.iter().map(|style| (style.width, style.height)).collect();
        let content_px = (self.content.width, self.content.height);
        let timeline = ResolvedRecipe { timeline: Vec::new(), ..recipe.clone() };
        let mut now = Now::after(&timeline, *self, 0)?;
        now.ahead =
            recipe.timeline.iter().cloned().enumerate().map(|(place, it)| (it, guides.changed.get(place))).collect();
        while let Some(evaluation) = now.next_change() {
            let mut is_other_mask = false;
            now.lay_due(evaluation, &mut |set| is_other_mask |= set.sets_masks() || set.style_scale.is_some())?;
            if is_other_mask {
                check_regions(&now.recipe, content_px, &styles_px, &now.regions)?;
            }
        }
        Ok(())
    }
}
