//! Where the files of a resolved order lie, so that the order can be written down and made again.

use std::path::{Path, PathBuf};

use impasto::ResolvedRecipe;
use impasto::fetch::release;
use impasto::recipe::{Recipe, Start};

use super::Order;
use super::held::HeldFiles;
use super::masks::MaskFiles;
use super::resolved::ResolvedOrder;
use crate::engine::weights_file;
use crate::failure::Failure;

/// Where the files of a resolved order lie. The recipe has their bare names, and says by these how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFiles {
    /// The photo.
    pub content: PathBuf,
    /// The paintings.
    pub styles: Vec<PathBuf>,
    /// The picture to start from, where the recipe names a file.
    pub start: Option<PathBuf>,
    /// Masks: region by region its own and its painting's, as far as there are any, then labels, emphasis, and painting by painting.
    pub masks: Vec<PathBuf>,
    /// The same after each change of the recipe's timeline.
    pub timeline_masks: Vec<Vec<PathBuf>>,
    /// The weights, where they are a file, and neither inside the program nor a fetched release.
    pub weights: Option<PathBuf>,
}

impl OrderFiles {
    /// All of them, in the order of the fields.
    pub fn all(&self) -> impl Iterator<Item = &PathBuf> {
        let images = [&self.content].into_iter().chain(&self.styles).chain(&self.start).chain(&self.masks);
        images.chain(self.timeline_masks.iter().flatten()).chain(&self.weights)
    }
}

impl ResolvedOrder {
    /// Where its files lie.
    #[must_use]
    pub fn files(&self) -> OrderFiles {
        let all = |masks: &MaskFiles| masks.all().cloned().collect();
        let is_file = weights_file(&self.weights).is_some() && release(&self.weights).is_none();
        OrderFiles {
            content: self.content.clone(),
            styles: self.styles.clone(),
            start: self.start.clone(),
            masks: all(&self.masks),
            timeline_masks: self.timeline_masks.iter().map(all).collect(),
            weights: is_file.then(|| PathBuf::from(&self.weights)),
        }
    }

    /// The order of this recipe on these files.
    ///
    /// # Errors
    /// A recipe that cannot be; files that are more or fewer than it names.
    pub fn of_files(recipe: &ResolvedRecipe, files: &OrderFiles) -> Result<ResolvedOrder, Failure> {
        let recipe = Recipe::from_json(&recipe.to_json())?.resolve()?;
        let (masks, timeline_masks) = files.fit(&recipe)?;
        let weights = files.weights.as_deref().map(Path::to_string_lossy).map(Into::into);
        Ok(ResolvedOrder {
            masks,
            timeline_masks,
            weights: weights.unwrap_or_else(|| recipe.weights.clone()),
            recipe,
            history_is_given: true,
            content: files.content.clone(),
            styles: files.styles.clone(),
            start: files.start.clone(),
            recipe_file: None,
            recipe_note: None,
            held: HeldFiles::default(),
        })
    }
}

impl OrderFiles {
    /// The order of this recipe on these files, for what is painted by recipes that vary it: every choice is made in it.
    ///
    /// # Errors
    /// A recipe that cannot be; files that are more or fewer than it names.
    pub fn order(&self, recipe: &ResolvedRecipe) -> Result<Order, Failure> {
        let (masks, _) = self.fit(recipe)?;
        let mut recipe = recipe.to_vary()?;
        masks.place_in(&mut recipe);
        if let Some(start) = &self.start {
            recipe.init = Some(Start::File(start.clone()));
        }
        if let Some(weights) = &self.weights {
            recipe.weights = Some(weights.to_string_lossy().into_owned());
        }
        let (content, styles) = (Some(self.content.clone()), self.styles.clone());
        Ok(Order { content, styles, recipe_file: None, recipe, held: HeldFiles::default() })
    }

    /// Whether these are as many as the recipe names.
    ///
    /// # Errors
    /// They are more or fewer.
    pub fn check(&self, recipe: &ResolvedRecipe) -> Result<(), Failure> {
        self.fit(recipe).map(drop)
    }

    /// The masks at the beginning, and after each change of the timeline.
    fn fit(&self, recipe: &ResolvedRecipe) -> Result<(MaskFiles, Vec<MaskFiles>), Failure> {
        let others = || Failure::usage("the recipe names other files than there are beside it; plan it anew");
        let masks = |recipe: &ResolvedRecipe, masks: &[PathBuf]| {
            let named = Recipe {
                regions: Some(recipe.regions.clone()),
                region_labels: recipe.region_labels.clone(),
                emphasis: recipe.emphasis.clone(),
                style_masks: Some(recipe.style_masks.clone()),
                ..Recipe::default()
            };
            MaskFiles::of_files(&named, masks.iter().cloned()).ok_or_else(others)
        };
        let is_file = weights_file(&recipe.weights).is_some() && release(&recipe.weights).is_none();
        let has_start = matches!(recipe.init, Start::File(_));
        let styles = recipe.styles.as_ref().map_or(0, Vec::len);
        let counts = (styles, recipe.timeline.len(), has_start, is_file);
        let found = (self.styles.len(), self.timeline_masks.len(), self.start.is_some(), self.weights.is_some());
        if counts != found {
            return Err(others());
        }
        let (mut timeline_masks, mut then) = (Vec::new(), recipe.at_evaluation(0));
        for (entry, files) in recipe.timeline.iter().zip(&self.timeline_masks) {
            then = then.changed(&entry.set)?.0;
            timeline_masks.push(masks(&then, files)?);
        }
        Ok((masks(&recipe.at_evaluation(0), &self.masks)?, timeline_masks))
    }
}
