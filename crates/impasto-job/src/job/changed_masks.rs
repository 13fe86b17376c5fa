//! The masks of changes: read, decoded, and for a run that is kept named by their digests.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use impasto::digest;
use impasto::disk::read_file;
use impasto::picture::Picture;
use impasto::picture::labels::masks_of_labels;
use impasto::read::{ReadLimits, decode_picture};
use impasto::recipe::{ChangedFields, Region};
use impasto::run::{ChangedGuides, RegionImages};
use impasto::run_folder::{INPUTS, Input};
use impasto::{PaintError, ResolvedRecipe};

use super::inputs::{check_drawing, copy_name, demand_same};
use crate::failure::Failure;
use crate::order::{HeldFiles, MaskFiles};

/// What a recipe calls a mask of its timeline.
#[derive(Clone, Copy)]
pub(super) enum Naming<'a> {
    /// As it was given: nothing is kept.
    AsGiven,
    /// By its digest, under which a copy of it is kept.
    Digests,
    /// As it is kept already, in one of these files.
    Kept(&'a [Input]),
}

/// Reads masks one by one; each file is one input, however often it is named.
pub(super) struct MaskReader<'a> {
    held: &'a HeldFiles,
    limits: ReadLimits,
    naming: Naming<'a>,
    /// What `run.json` says of them.
    pub inputs: Vec<Input>,
    /// Where copies go in the run's folder, and their bytes.
    pub copies: Vec<(PathBuf, Vec<u8>)>,
    /// Sentences that a person should know.
    pub notes: Vec<String>,
}

impl<'a> MaskReader<'a> {
    /// A reader of masks, some of which are here already.
    pub fn new(held: &'a HeldFiles, limits: ReadLimits, naming: Naming<'a>) -> MaskReader<'a> {
        MaskReader { held, limits, naming, inputs: Vec::new(), copies: Vec::new(), notes: Vec::new() }
    }

    /// The masks that come with a change, after which `recipe` and `files` count; names them anew in it.
    ///
    /// # Errors
    /// A mask that cannot be read, or has changed.
    pub fn read(
        &mut self,
        set: &mut ChangedFields,
        recipe: &ResolvedRecipe,
        files: &MaskFiles,
    ) -> Result<ChangedGuides, Failure> {
        let mut names = BTreeMap::new();
        let mut read = |path: &Path| -> Result<Picture, Failure> {
            let (picture, name) = self.mask(path)?;
            names.insert(path.to_owned(), name);
            Ok(picture)
        };
        let regions = match set.sets_masks() {
            true => Some(regions(recipe, files, &mut read)?),
            false => None,
        };
        let emphasis = files.emphasis.as_deref().filter(|_| set.sets_emphasis()).map(&mut read).transpose()?;
        // In the order in which `changed_by` found them, which is that of their names.
        let mut paths = set_paths(set, files).into_iter();
        set.rename_masks(&mut |name| {
            let renamed = paths.next().and_then(|path| names.get(&path).cloned());
            Ok::<_, Failure>(renamed.unwrap_or_else(|| name.to_owned()))
        })?;
        Ok(ChangedGuides { regions, emphasis })
    }

    /// A mask, and what the recipe calls it.
    fn mask(&mut self, path: &Path) -> Result<(Picture, String), Failure> {
        let bytes = match self.held.bytes(path) {
            Some(bytes) => Cow::Borrowed(bytes),
            None => Cow::Owned(read_file(path, self.limits.file_mib).map_err(Failure::failed)?),
        };
        let spoken = self.held.spoken(path);
        let mut read = decode_picture(&bytes, spoken, &self.limits).map_err(Failure::failed)?;
        self.notes.append(&mut read.notes);
        check_drawing(spoken, &read.picture)?;
        let given = self.held.name(path);
        let input = match self.naming {
            Naming::AsGiven => return Ok((read.picture, given)),
            Naming::Digests => {
                let sha256 = digest::sha256(&bytes);
                let name = copy_name(&sha256, path);
                Input { file: Path::new(INPUTS).join(&name), name, sha256 }
            }
            Naming::Kept(inputs) => {
                let input = inputs.iter().find(|input| input.name == given).cloned();
                let input = input.ok_or_else(|| {
                    Failure::file(path, "is a mask that run.json does not know of; begin the run anew")
                })?;
                demand_same(path, &digest::sha256(&bytes), &input)?;
                input
            }
        };
        let name = input.name.clone();
        if !self.inputs.contains(&input) {
            if matches!(self.naming, Naming::Digests) {
                self.copies.push((input.file.clone(), bytes.into_owned()));
            }
            self.inputs.push(input);
        }
        Ok((read.picture, name))
    }
}

/// The masks of all regions of a recipe.
fn regions(
    recipe: &ResolvedRecipe,
    files: &MaskFiles,
    read: &mut dyn FnMut(&Path) -> Result<Picture, Failure>,
) -> Result<Vec<RegionImages>, Failure> {
    let mut masks = Vec::new();
    for [mask, painting_mask] in &files.regions {
        let mask = mask.as_deref().map(&mut *read).transpose()?;
        masks.push((mask, painting_mask.as_deref().map(&mut *read).transpose()?));
    }
    let colours = recipe.regions.iter().map(Region::label_colour).collect::<Result<Vec<_>, _>>()?;
    let named: Vec<[u8; 3]> = colours.into_iter().flatten().collect();
    let labels = files.labels.as_deref().map(&mut *read).transpose()?;
    // One for each region without a mask of its own, in their order.
    let mut of_labels = labels.map_or_else(Vec::new, |labels| masks_of_labels(&labels, &named)).into_iter();
    let whole = |(mask, painting_mask): (Option<Picture>, Option<Picture>)| {
        let mask = mask.or_else(|| of_labels.next()).ok_or(PaintError::MaskMissing)?;
        Ok(RegionImages { mask, painting_mask })
    };
    masks.into_iter().map(whole).collect::<Result<_, PaintError>>().map_err(Failure::from)
}

/// The files of what a change names, in the order of [`ChangedFields::rename_masks`].
fn set_paths(set: &ChangedFields, files: &MaskFiles) -> Vec<PathBuf> {
    let of_regions = files.regions.iter().flatten().flatten().filter(|_| set.regions.is_some());
    let labels = files.labels.iter().filter(|_| set.region_labels.is_some());
    of_regions.chain(labels).chain(files.emphasis.iter().filter(|_| set.emphasis.is_some())).cloned().collect()
}
