//! From an order to a resolved recipe and where its files lie.

use std::path::{Path, PathBuf};

use impasto::ResolvedRecipe;
use impasto::fetch::release;
use impasto::recipe::{Recipe, Start, TimelineEntry};

use super::Order;
use super::carried::{Place, bare_start, bare_weights, check_start, load_recipe};
use super::held::HeldFiles;
use super::masks::MaskFiles;
use crate::engine::weights_file;
use crate::failure::Failure;

/// A resolved recipe and where its files lie.
#[derive(Clone, Debug)]
pub struct ResolvedOrder {
    /// Every choice has its value; files are named without their folders.
    pub recipe: ResolvedRecipe,
    /// Whether the history of L-BFGS was named; the preset's is cut for large pictures.
    pub(super) history_is_given: bool,
    /// The photo.
    pub content: PathBuf,
    /// The paintings.
    pub styles: Vec<PathBuf>,
    /// The picture to start from, where the recipe names a file.
    pub start: Option<PathBuf>,
    /// The masks of regions, of the emphasis and of paintings.
    pub(crate) masks: MaskFiles,
    /// Those that count after each change of the recipe's timeline.
    pub(crate) timeline_masks: Vec<MaskFiles>,
    /// The weights: a name, or a path.
    pub weights: String,
    /// The file that the recipe was read from.
    pub(super) recipe_file: Option<PathBuf>,
    /// What a person should know of that.
    pub recipe_note: Option<String>,
    /// Those of the files whose bytes are here already.
    pub(crate) held: HeldFiles,
}

impl Order {
    /// Reads the recipe's file, lays the choices over it and resolves.
    ///
    /// A recipe names files without their folders, so that a picture does not tell of folders and a stranger's recipe does
    /// not reach into them. Where they are not given beside it, they are looked for in the current folder, then
    /// beside the recipe's file.
    ///
    /// # Errors
    /// Every error of a recipe; a recipe file that cannot be read, or that names files in folders; no photo.
    pub fn resolve(&self) -> Result<ResolvedOrder, Failure> {
        let (typed, held) = (&self.recipe, &self.held);
        let recipe_file = self.recipe_file.clone();
        let nothing = Ok((Recipe::default(), None));
        let (carried, recipe_note) = recipe_file.as_deref().map_or(nothing, |file| load_recipe(file, held))?;
        let place = Place { recipe: recipe_file.as_deref() };

        let content = match (&self.content, &carried.content) {
            (Some(content), _) => content.clone(),
            (None, Some(name)) => place.find(name, "give CONTENT on the command line")?,
            (None, None) => {
                return Err(Failure::usage(
                    "the photo is missing, for the recipe names none; give CONTENT before the options",
                ));
            }
        };
        let styles = match self.styles.is_empty() {
            true => place.find_all(carried.styles.iter().flatten(), "give CONTENT and STYLE on the command line")?,
            false => self.styles.clone(),
        };
        let start = match (&typed.init, &carried.init) {
            (Some(Start::File(path)), _) => Some(path.clone()),
            (None, Some(Start::File(path))) => {
                Some(place.find(&path.to_string_lossy(), "give --init on the command line")?)
            }
            _ => None,
        };
        start.as_deref().filter(|start| held.bytes(start).is_none()).map_or(Ok(()), check_start)?;
        let weights = match (&typed.weights, &carried.weights) {
            (Some(weights), _) => Some(weights.clone()),
            (None, Some(name)) if !name.is_empty() && weights_file(name).is_some() && release(name).is_none() => {
                let found = place.find(name, "give --weights on the command line")?;
                Some(found.to_string_lossy().into_owned())
            }
            (None, carried) => carried.clone(),
        };

        let masks = MaskFiles::find(typed, &carried, &place)?;
        let mut recipe = carried.varied_by(typed);
        masks.name_in(&mut recipe, held);
        let is_typed = typed.timeline.is_some();
        let timeline_masks = timeline_masks(recipe.timeline.iter().flatten(), &masks, &mut |name| match is_typed {
            true => Ok(PathBuf::from(name)),
            false => place.find(name, "give a recipe without it"),
        })?;
        for entry in recipe.timeline.iter_mut().flatten() {
            entry.set.rename_masks(&mut |name| Ok::<_, Failure>(held.name(Path::new(name))))?;
        }
        recipe.content = Some(held.name(&content));
        recipe.styles = Some(styles.iter().map(|style| held.name(style)).collect());
        if let Some(start) = &start {
            recipe.init = Some(Start::File(PathBuf::from(bare_start(start, held)?)));
        }
        recipe.weights = weights.as_deref().map(bare_weights).transpose()?;
        let history_is_given = recipe.history.is_some();
        let recipe = recipe.resolve()?;
        let weights = weights.unwrap_or_else(|| recipe.weights.clone());
        let held = held.clone();
        Ok(ResolvedOrder {
            recipe,
            history_is_given,
            content,
            styles,
            start,
            masks,
            timeline_masks,
            weights,
            recipe_file,
            recipe_note,
            held,
        })
    }
}

/// The masks that count after each change of a timeline.
fn timeline_masks<'entry>(
    timeline: impl Iterator<Item = &'entry TimelineEntry>,
    masks: &MaskFiles,
    find: &mut dyn FnMut(&str) -> Result<PathBuf, Failure>,
) -> Result<Vec<MaskFiles>, Failure> {
    let mut files = masks.clone();
    let after = |entry: &TimelineEntry| {
        files = files.clone().changed_by(&entry.set, find)?;
        Ok(files.clone())
    };
    timeline.map(after).collect()
}

impl ResolvedOrder {
    /// What a run's folder says; masks of its timeline lie in the folder `inputs`.
    ///
    /// # Errors
    /// A recipe that cannot be.
    pub fn of_run(
        inputs: &Path,
        recipe: &ResolvedRecipe,
        content: PathBuf,
        styles: Vec<PathBuf>,
        start: Option<PathBuf>,
        masks: Vec<PathBuf>,
        weights: String,
    ) -> Result<ResolvedOrder, Failure> {
        // As untrusted as any recipe that was read.
        let read = Recipe::from_json(&recipe.to_json())?;
        let recipe = read.resolve()?;
        let masks = MaskFiles::of_files(&read, masks)
            .ok_or_else(|| Failure::failed("the run's folder has other masks than its recipe; begin the run anew"))?;
        let beside = Place { recipe: None };
        let timeline_masks = timeline_masks(recipe.timeline.iter(), &masks, &mut |name| {
            beside.find(name, "begin the run anew").map(|name| inputs.join(name))
        })?;
        let (recipe_file, held, history_is_given) = (None, HeldFiles::default(), true);
        Ok(ResolvedOrder {
            recipe,
            history_is_given,
            content,
            styles,
            start,
            masks,
            timeline_masks,
            weights,
            recipe_file,
            recipe_note: None,
            held,
        })
    }

    /// The recipe for a picture of this size.
    #[must_use]
    pub fn recipe_at(&self, width: usize, height: usize) -> ResolvedRecipe {
        match self.history_is_given {
            true => self.recipe.clone(),
            false => self.recipe.clone().with_affordable_history(width, height),
        }
    }

    /// Every file that the run reads, those too whose bytes are here already.
    pub fn inputs(&self) -> impl Iterator<Item = PathBuf> {
        let weights = weights_file(&self.weights);
        let files = [Some(self.content.clone()), self.start.clone(), self.recipe_file.clone(), weights];
        let masks = [&self.masks].into_iter().chain(&self.timeline_masks).flat_map(MaskFiles::all);
        files.into_iter().flatten().chain(self.styles.clone()).chain(masks.cloned().collect::<Vec<_>>())
    }
}
