//! From identifiers to files: what a client orders becomes an [`Order`], in which every path is one of our own making.

use std::path::{Path, PathBuf};

use impasto::Recipe;
use impasto::fetch::release;
use impasto::recipe::{FORMAT, Start};
use impasto_job::engine::weights_file;
use impasto_job::{DeviceChoice, Order};
use serde_json::{Map, Value};

use super::Studio;
use crate::names::Digest;
use crate::problem::Problem;
use crate::wire::{ImageInfo, NewRun};

/// What a client ordered.
pub struct Ordered {
    /// It, with paths in place of identifiers.
    pub order: Order,
    /// What shall paint it.
    pub device: DeviceChoice,
    /// The photo.
    pub content: ImageInfo,
    /// The paintings.
    pub styles: Vec<ImageInfo>,
}

impl Studio {
    /// What a client ordered, with paths in place of identifiers.
    ///
    /// # Errors
    /// An identifier of nothing, a recipe that cannot be read, a file where an identifier belongs.
    pub fn ordered(&self, new: &NewRun) -> Result<Ordered, Problem> {
        let (content, content_file) = self.shelf.image(&Digest::parse(&new.content)?)?;
        let (mut styles, mut style_files) = (Vec::new(), Vec::new());
        for style in &new.styles {
            let (info, file) = self.shelf.image(&Digest::parse(style)?)?;
            styles.push(info);
            style_files.push(file);
        }
        let recipe = self.recipe(&new.recipe)?;
        let device = self.chosen(new.device.as_deref())?;
        let order = Order { content: Some(content_file), styles: style_files, recipe, ..Order::default() };
        Ok(Ordered { order, device, content, styles })
    }

    /// The device of this name; the studio's own where there is none.
    ///
    /// # Errors
    /// There is no such device.
    pub fn chosen(&self, device: Option<&str>) -> Result<DeviceChoice, Problem> {
        device.map_or(Ok(self.device), |name| {
            name.parse().map_err(|error| Problem::wrong(format_args!("device {name}: {error}")))
        })
    }

    /// A recipe that a client wrote, with paths in place of identifiers.
    ///
    /// # Errors
    /// It cannot be read; it names what is not here.
    pub fn recipe(&self, fields: &Map<String, Value>) -> Result<Recipe, Problem> {
        let mut fields = fields.clone();
        // Which images is said beside the recipe; the engine is a note.
        ["content", "styles", "engine"].iter().for_each(|field| drop(fields.remove(*field)));
        // What names neither was written by a client of today.
        if !["format", "version"].iter().any(|field| fields.contains_key(*field)) {
            fields.insert("format".to_owned(), FORMAT.into());
        }
        let mut recipe = Recipe::from_json(&Value::Object(fields).to_string()).map_err(Problem::wrong)?;
        for region in recipe.regions.iter_mut().flatten() {
            self.find_mask(&mut region.mask)?;
            self.find_mask(&mut region.painting_mask)?;
        }
        self.find_mask(&mut recipe.region_labels)?;
        self.find_mask(&mut recipe.emphasis)?;
        for entry in recipe.timeline.iter_mut().flatten() {
            entry.set.rename_masks(&mut |name| self.mask_path(name))?;
        }
        if let Some(Start::File(named)) = &recipe.init {
            let id = Digest::parse(&named.to_string_lossy()).map_err(|_| {
                Problem::wrong("init is content, style, noise, blend or an image's identifier; choose one of them")
            })?;
            recipe.init = Some(Start::File(self.shelf.image(&id)?.1));
        }
        if let Some(name) =
            recipe.weights.as_deref().filter(|name| weights_file(name).is_some() && release(name).is_none())
        {
            let name: String = name.chars().filter(|letter| !letter.is_control()).take(80).collect();
            return Err(Problem::wrong(format_args!(
                "weights {name} is no name of weights; name embedded, normalised or vgg19 (files are for the command line)"
            )));
        }
        Ok(recipe)
    }

    /// A mask's identifier becomes its file.
    fn find_mask(&self, mask: &mut Option<String>) -> Result<(), Problem> {
        if let Some(id) = mask {
            *mask = Some(self.mask_path(id)?);
        }
        Ok(())
    }

    /// The file of the mask of this identifier.
    pub(super) fn mask_path(&self, id: &str) -> Result<String, Problem> {
        let id = id.strip_suffix(".png").unwrap_or(id);
        let known = Digest::parse(id);
        let known =
            known.map_err(|_| Problem::wrong("a mask is named by its identifier; send it to /api/masks first"))?;
        text_of(&self.shelf.mask(&known)?)
    }

    /// A folder for a new run, named after its images, that neither the disk nor the line has.
    pub fn new_folder(&self, content: &ImageInfo, styles: &[ImageInfo], taken: impl Fn(&Path) -> bool) -> PathBuf {
        let stem = |name: &str| crate::names::plain_stem(name, "image");
        let style = styles.first().map_or(String::new(), |style| format!("-{}", stem(&style.name)));
        let name = format!("{}{style}", stem(&content.name));
        let names = (1..).map(|number| if number == 1 { name.clone() } else { format!("{name}-{number}") });
        let mut folders = names.map(|name| self.folder.join(name));
        let is_free = |folder: &PathBuf| folder.symlink_metadata().is_err() && !taken(folder);
        folders.find(is_free).unwrap_or_else(|| self.folder.join(&name))
    }
}

/// A path of our own as the text that a recipe has.
fn text_of(path: &Path) -> Result<String, Problem> {
    path.to_str().map(str::to_owned).ok_or_else(|| Problem::failed("the folder of the runs has a name that is no text"))
}
