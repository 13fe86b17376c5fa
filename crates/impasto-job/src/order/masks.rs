//! The files of a recipe's masks: of regions, of labels, of the emphasis, of paintings.

use std::path::{Path, PathBuf};

use impasto::recipe::{ChangedFields, Recipe, Region};

use super::carried::Place;
use super::held::HeldFiles;
use crate::failure::Failure;

/// Where the masks of a recipe lie.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MaskFiles {
    /// For each region its mask, where it is not among labels, and its painting's, where it has one.
    pub regions: Vec<[Option<PathBuf>; 2]>,
    /// The image in which regions have a colour each.
    pub labels: Option<PathBuf>,
    /// The map of where the drawing is kept.
    pub emphasis: Option<PathBuf>,
    /// For each painting its mask, where it has one; none at all where no painting has one.
    pub styles: Vec<Option<PathBuf>>,
}

impl MaskFiles {
    /// The files that `typed` names with their folders, else those that `carried` names without.
    pub fn find(typed: &Recipe, carried: &Recipe, place: &Place<'_>) -> Result<MaskFiles, Failure> {
        let beside = |name: &Option<String>, option: &str| {
            let way_out = format!("give {option} on the command line");
            name.as_ref().map(|name| place.find(name, &way_out)).transpose()
        };
        let given = |name: &Option<String>| name.as_ref().map(PathBuf::from);
        let regions = match (&typed.regions, &carried.regions) {
            (Some(regions), _) => {
                regions.iter().map(|region| [given(&region.mask), given(&region.painting_mask)]).collect()
            }
            (None, Some(regions)) => regions
                .iter()
                .map(|region| Ok([beside(&region.mask, "--region")?, beside(&region.painting_mask, "--region")?]))
                .collect::<Result<Vec<_>, Failure>>()?,
            (None, None) => Vec::new(),
        };
        let one = |typed: &Option<String>, carried: &Option<String>, option: &str| match given(typed) {
            Some(path) => Ok(Some(path)),
            None => beside(carried, option),
        };
        let styles = match (&typed.style_masks, &carried.style_masks) {
            (Some(masks), _) => masks.iter().map(given).collect(),
            (None, carried) => {
                let masks = carried.iter().flatten();
                masks.map(|mask| beside(mask, "--style-masks")).collect::<Result<Vec<_>, Failure>>()?
            }
        };
        Ok(MaskFiles {
            regions,
            styles,
            labels: one(&typed.region_labels, &carried.region_labels, "--regions")?,
            emphasis: one(&typed.emphasis, &carried.emphasis, "--emphasis")?,
        })
    }

    /// Names the files in a recipe, without their folders.
    pub fn name_in(&self, recipe: &mut Recipe, held: &HeldFiles) {
        self.say_in(recipe, &|path| held.name(path));
    }

    /// Names the files in a recipe, with their folders, as one has them that was typed.
    pub fn place_in(&self, recipe: &mut Recipe) {
        self.say_in(recipe, &|path| path.to_string_lossy().into_owned());
    }

    fn say_in(&self, recipe: &mut Recipe, say: &dyn Fn(&Path) -> String) {
        let name = |path: &Option<PathBuf>| path.as_deref().map(say);
        for (region, [mask, painting_mask]) in recipe.regions.iter_mut().flatten().zip(&self.regions) {
            (region.mask, region.painting_mask) = (name(mask), name(painting_mask));
        }
        recipe.region_labels = name(&self.labels);
        recipe.emphasis = name(&self.emphasis);
        recipe.style_masks = (!self.styles.is_empty()).then(|| self.styles.iter().map(name).collect());
    }

    /// These, after a change whose masks lie where `find` says.
    pub fn changed_by(
        mut self,
        set: &ChangedFields,
        find: &mut dyn FnMut(&str) -> Result<PathBuf, Failure>,
    ) -> Result<MaskFiles, Failure> {
        let mut find = |name: Option<&String>| name.filter(|name| !name.is_empty()).map(|name| find(name)).transpose();
        if let Some(regions) = &set.regions {
            let of_region = |region: &Region| Ok([find(region.mask.as_ref())?, find(region.painting_mask.as_ref())?]);
            self.regions = regions.iter().map(of_region).collect::<Result<_, Failure>>()?;
        }
        if set.region_labels.is_some() {
            self.labels = find(set.region_labels.as_ref())?;
        }
        if set.emphasis.is_some() {
            self.emphasis = find(set.emphasis.as_ref())?;
        }
        Ok(self)
    }

    /// All of them: region by region, then the labels and the emphasis, then painting by painting.
    pub fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.regions.iter().flatten().chain([&self.labels, &self.emphasis]).chain(&self.styles).flatten()
    }

    /// The masks of this recipe, whose files stand in the order of [`MaskFiles::all`]; `None` where they are more or fewer.
    pub fn of_files(recipe: &Recipe, files: impl IntoIterator<Item = PathBuf>) -> Option<MaskFiles> {
        let mut files = files.into_iter();
        let mut next = |is_there: bool| if is_there { files.next().map(Some) } else { Some(None) };
        let of_region = |region: &Region| Some([next(region.mask.is_some())?, next(region.painting_mask.is_some())?]);
        let regions = recipe.regions.iter().flatten().map(of_region).collect::<Option<Vec<_>>>()?;
        let (labels, emphasis) = (next(recipe.region_labels.is_some())?, next(recipe.emphasis.is_some())?);
        let styles =
            recipe.style_masks.iter().flatten().map(|mask| next(mask.is_some())).collect::<Option<Vec<_>>>()?;
        files.next().is_none().then_some(MaskFiles { regions, labels, emphasis, styles })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_find_their_places_again() {
        let path = |name: &str| Some(PathBuf::from(name));
        let region = |mask: Option<&str>, painting_mask: Option<&str>| Region {
            mask: mask.map(str::to_owned),
            painting_mask: painting_mask.map(str::to_owned),
            ..Region::default()
        };
        let recipe = Recipe {
            regions: Some(vec![region(Some("a"), None), region(None, Some("b"))]),
            region_labels: Some("l".to_owned()),
            style_masks: Some(vec![None, Some("s".to_owned())]),
            ..Recipe::default()
        };
        let files = MaskFiles {
            regions: vec![[path("a"), None], [None, path("b")]],
            labels: path("l"),
            emphasis: None,
            styles: vec![None, path("s")],
        };
        let all: Vec<PathBuf> = files.all().cloned().collect();
        assert_eq!(all, ["a", "b", "l", "s"].map(PathBuf::from));
        assert_eq!(MaskFiles::of_files(&recipe, all.clone()), Some(files));
        let other = Recipe { emphasis: Some("e".to_owned()), ..recipe.clone() };
        assert_eq!(MaskFiles::of_files(&other, all.clone()), None);
        let other = Recipe { region_labels: None, ..recipe };
        assert_eq!(MaskFiles::of_files(&other, all), None);
    }
}
