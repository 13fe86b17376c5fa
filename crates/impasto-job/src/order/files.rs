//! Where the files of a resolved order lie, so that the order can be written down and made again.

use std::path::{Path, PathBuf};

use impasto::ResolvedRecipe;
use impasto::fetch::release;
use impasto::recipe::Recipe;

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
        let others = || Failure::usage("the recipe names other files than there are beside it; plan it anew");
        let carried = |recipe: &ResolvedRecipe| Recipe::from_json(&recipe.to_json());
        let masks = |recipe: &ResolvedRecipe, masks: &[PathBuf]| {
            MaskFiles::of_files(&carried(recipe)?, masks.iter().cloned()).ok_or_else(others)
        };
        let recipe = carried(recipe)?.resolve()?;
        let is_file = weights_file(&recipe.weights).is_some() && release(&recipe.weights).is_none();
        let has_start = matches!(recipe.init, impasto::recipe::Start::File(_));
        let styles = recipe.styles.as_ref().map_or(0, Vec::len);
        let counts = (styles, recipe.timeline.len(), has_start, is_file);
        let found = (files.styles.len(), files.timeline_masks.len(), files.start.is_some(), files.weights.is_some());
        if counts != found {
            return Err(others());
        }
        let (mut timeline_masks, mut then) = (Vec::new(), recipe.at_evaluation(0));
        for (entry, files) in recipe.timeline.iter().zip(&files.timeline_masks) {
            then = then.changed(&entry.set)?.0;
            timeline_masks.push(masks(&then, files)?);
        }
        let weights = files.weights.as_deref().map(Path::to_string_lossy).map(Into::into);
        Ok(ResolvedOrder {
            masks: masks(&recipe.at_evaluation(0), &files.masks)?,
            timeline_masks,
            weights: weights.unwrap_or_else(|| recipe.weights.clone()),
            recipe,
            history_is_given: true,
            content: files.content.clone(),
            styles: files.styles.clone(),
            start: files.start.clone(),
            recipe_file: None,
            held: HeldFiles::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use impasto::recipe::{ChangedFields, Region, Start, TimelineEntry, parse_layers};

    use super::*;
    use crate::order::Order;

    #[test]
    fn an_order_is_made_again_of_its_recipe_and_files() {
        let region = |mask: &str| Region { mask: Some(mask.to_owned()), ..Region::default() };
        let set = ChangedFields { regions: Some(vec![region("b/later.png")]), ..ChangedFields::default() };
        let recipe = Recipe {
            init: Some(Start::File(PathBuf::from("b/start.png"))),
            regions: Some(vec![region("b/sky.png")]),
            emphasis: Some("b/face.png".to_owned()),
            style_masks: Some(vec![None, Some("b/part.png".to_owned())]),
            style_layers: Some(parse_layers("--style-layers", "conv1_1").unwrap()),
            timeline: Some(vec![TimelineEntry { before_evaluation: 2, set }]),
            ..Recipe::default()
        };
        let styles = vec![PathBuf::from("b/one.png"), PathBuf::from("b/two.png")];
        let order = Order { content: Some("a/photo.png".into()), styles, recipe, ..Order::default() };
        let resolved = order.resolve().unwrap();
        let files = resolved.files();
        assert_eq!(files.all().count(), 1 + 2 + 1 + 3 + 3);
        let again = ResolvedOrder::of_files(&resolved.recipe, &files).unwrap();
        assert_eq!((again.files(), &again.recipe), (files.clone(), &resolved.recipe));
        for wrong in [
            OrderFiles { styles: Vec::new(), ..files.clone() },
            OrderFiles { start: None, ..files.clone() },
            OrderFiles { masks: Vec::new(), ..files.clone() },
            OrderFiles { timeline_masks: Vec::new(), ..files.clone() },
            OrderFiles { weights: Some("w.safetensors".into()), ..files },
        ] {
            assert!(ResolvedOrder::of_files(&resolved.recipe, &wrong).is_err(), "{wrong:?}");
        }
    }
}
