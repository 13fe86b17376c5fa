//! What was ordered: the resolved recipe and the files that it needs, from the options and from `--recipe`.

use std::path::{Component, Path, PathBuf};

use impasto::ResolvedRecipe;
use impasto::disk::read_file;
use impasto::fetch::release;
use impasto::read::read_recipe;
use impasto::recipe::{RECIPE_LIMIT_BYTES, Recipe, Start, text_from_bytes};

use crate::args::PaintArguments;
use crate::engine::weights_file;
use crate::failure::Failure;

/// A resolved recipe and where its files lie.
#[derive(Debug)]
pub struct Order {
    /// Every choice has its value; files are named without their folders.
    pub recipe: ResolvedRecipe,
    /// Whether the history of L-BFGS was named; the preset's is cut for large pictures.
    history_is_given: bool,
    /// The photo.
    pub content: PathBuf,
    /// The paintings.
    pub styles: Vec<PathBuf>,
    /// The picture to start from, where the recipe names a file.
    pub start: Option<PathBuf>,
    /// The weights: a name, or a path.
    pub weights: String,
    /// The file of `--recipe`.
    recipe_file: Option<PathBuf>,
}

impl Order {
    /// Reads `--recipe`, lays the options over it and resolves.
    ///
    /// A recipe names files without their folders, so that a picture does not tell of folders and a stranger's recipe does
    /// not reach into them. Where they are not given on the command line, they are looked for in the current folder, then
    /// beside the recipe's file.
    ///
    /// # Errors
    /// Every error of a recipe; a recipe file that cannot be read, or that names files in folders; no photo.
    pub fn read(arguments: &PaintArguments) -> Result<Order, Failure> {
        let typed = arguments.recipe.to_recipe()?;
        let recipe_file = arguments.recipe.recipe.clone();
        let carried = recipe_file.as_deref().map_or(Ok(Recipe::default()), load_recipe)?;
        let place = Place { recipe: recipe_file.as_deref() };

        let content = match (&arguments.content, &carried.content) {
            (Some(content), _) => content.clone(),
            (None, Some(name)) => place.find(name, "give CONTENT on the command line")?,
            (None, None) => {
                return Err(Failure::usage(
                    "the photo is missing, for the recipe names none; give CONTENT before the options",
                ));
            }
        };
        let styles = match arguments.styles.is_empty() {
            true => place.find_all(carried.styles.iter().flatten(), "give CONTENT and STYLE on the command line")?,
            false => arguments.styles.clone(),
        };
        let start = match (&typed.init, &carried.init) {
            (Some(Start::File(path)), _) => Some(path.clone()),
            (None, Some(Start::File(path))) => {
                Some(place.find(&path.to_string_lossy(), "give --init on the command line")?)
            }
            _ => None,
        };
        let weights = match (&typed.weights, &carried.weights) {
            (Some(weights), _) => Some(weights.clone()),
            (None, Some(name)) if !name.is_empty() && weights_file(name).is_some() && release(name).is_none() => {
                let found = place.find(name, "give --weights on the command line")?;
                Some(found.to_string_lossy().into_owned())
            }
            (None, carried) => carried.clone(),
        };

        let mut recipe = carried.varied_by(&typed);
        recipe.content = Some(file_name(&content));
        recipe.styles = Some(styles.iter().map(|style| file_name(style)).collect());
        if let Some(start) = &start {
            recipe.init = Some(Start::File(PathBuf::from(bare_start(start)?)));
        }
        recipe.weights = weights.as_deref().map(bare_weights).transpose()?;
        let history_is_given = recipe.history.is_some();
        let recipe = recipe.resolve()?;
        let weights = weights.unwrap_or_else(|| recipe.weights.clone());
        Ok(Order { recipe, history_is_given, content, styles, start, weights, recipe_file })
    }

    /// What a run's folder says.
    ///
    /// # Errors
    /// A recipe that cannot be.
    pub fn of_run(
        recipe: &ResolvedRecipe,
        content: PathBuf,
        styles: Vec<PathBuf>,
        start: Option<PathBuf>,
        weights: String,
    ) -> Result<Order, Failure> {
        // As untrusted as any recipe that was read.
        let recipe = Recipe::from_json(&recipe.to_json())?.resolve()?;
        Ok(Order { recipe, history_is_given: true, content, styles, start, weights, recipe_file: None })
    }

    /// The recipe for a picture of this size.
    pub fn recipe_at(&self, width: usize, height: usize) -> ResolvedRecipe {
        match self.history_is_given {
            true => self.recipe.clone(),
            false => self.recipe.clone().with_affordable_history(width, height),
        }
    }

    /// Every file that the run reads.
    pub fn inputs(&self) -> impl Iterator<Item = PathBuf> {
        let weights = weights_file(&self.weights);
        let files = [Some(self.content.clone()), self.start.clone(), self.recipe_file.clone(), weights];
        files.into_iter().flatten().chain(self.styles.clone())
    }
}

/// The recipe of a JSON file, or the one that a picture carries.
fn load_recipe(path: &Path) -> Result<Recipe, Failure> {
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let text = if is_json {
        let bytes = read_file(path, (RECIPE_LIMIT_BYTES as u64).div_ceil(1 << 20)).map_err(Failure::failed)?;
        text_from_bytes(&bytes)
            .map_err(|_| Failure::file(path, "is not a text; give a recipe in JSON, or a picture"))?
    } else {
        read_recipe(path).map_err(Failure::failed)?
    };
    Recipe::from_json(&text).map_err(|error| Failure::usage(format_args!("{}: {error}", path.display())))
}

/// Where a recipe was read, and what it may name.
struct Place<'order> {
    recipe: Option<&'order Path>,
}

impl Place<'_> {
    /// The file of this name in the current folder, or else beside the recipe if it is there.
    ///
    /// # Errors
    /// A name with a folder in it: who wrote the recipe is not who has the folders. `way_out` says what to do then.
    fn find(&self, name: &str, way_out: &str) -> Result<PathBuf, Failure> {
        let here = PathBuf::from(name);
        let mut parts = here.components();
        let is_plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
        if !is_plain {
            let recipe = self.recipe.unwrap_or(Path::new("the recipe")).display();
            return Err(Failure::usage(format_args!(
                "{recipe} names the file {}, and a recipe may name files beside itself only; {way_out}",
                name.chars().take(200).collect::<String>()
            )));
        }
        let there = self.recipe.and_then(Path::parent).map(|folder| folder.join(name));
        Ok(there.filter(|there| !here.exists() && there.exists()).unwrap_or(here))
    }

    fn find_all<'name>(
        &self,
        names: impl Iterator<Item = &'name String>,
        way_out: &str,
    ) -> Result<Vec<PathBuf>, Failure> {
        names.map(|name| self.find(name, way_out)).collect()
    }
}

/// The name that a recipe has for the picture to start from.
fn bare_start(path: &Path) -> Result<String, Failure> {
    let name = file_name(path);
    match Start::from(name.clone()) {
        Start::File(_) => Ok(name),
        _ => Err(ambiguous("--init", path)),
    }
}

/// The name that a recipe has for weights.
fn bare_weights(weights: &str) -> Result<String, Failure> {
    if weights.is_empty() || weights_file(weights).is_none() || release(weights).is_some() {
        return Ok(weights.to_owned());
    }
    let path = Path::new(weights);
    let name = file_name(path);
    match weights_file(&name).is_none() || release(&name).is_some() {
        true => Err(ambiguous("--weights", path)),
        false => Ok(name),
    }
}

fn ambiguous(option: &str, path: &Path) -> Failure {
    Failure::usage(format_args!(
        "{option} {} has a name that means something else in a recipe; call the file something else",
        path.display()
    ))
}

/// The name without the folder.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Whether both are one file on disk, by whatever name.
pub fn same_file(one: &Path, other: &Path) -> bool {
    match (std::fs::canonicalize(one), std::fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other || same_inode(&one, &other),
        _ => false,
    }
}

#[cfg(unix)]
fn same_inode(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |path: &Path| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    place(one).is_some() && place(one) == place(other)
}

#[cfg(not(unix))]
fn same_inode(_one: &Path, _other: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;

    #[test]
    fn one_file_is_known_by_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.png");
        std::fs::write(&file, "a").unwrap();
        let other = folder.path().join("b.png");
        std::fs::write(&other, "a").unwrap();
        assert!(same_file(&file, &folder.path().join(".").join("a.png")));
        assert!(!same_file(&file, &other));
        assert!(!same_file(&folder.path().join("c.png"), &folder.path().join("c.png")));
        #[cfg(unix)]
        {
            let (soft, hard) = (folder.path().join("soft.png"), folder.path().join("hard.png"));
            std::os::unix::fs::symlink(&file, &soft).unwrap();
            std::fs::hard_link(&file, &hard).unwrap();
            assert!(same_file(&file, &soft) && same_file(&file, &hard));
        }
    }

    #[test]
    fn images_lie_here_or_beside_the_recipe() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("there.png"), "a").unwrap();
        let recipe = folder.path().join("recipe.json");
        let find = |name: &str| Place { recipe: Some(&recipe) }.find(name, "give it");
        assert_eq!(find("there.png"), Ok(folder.path().join("there.png")));
        assert_eq!(find("nowhere.png"), Ok(PathBuf::from("nowhere.png")));
        assert_eq!(find("Cargo.toml"), Ok(PathBuf::from("Cargo.toml")));
        for name in ["", ".", "..", "/etc/hostname", "../a.png", "a/b.png", "./a.png", "a.png/", "a/.."] {
            assert_eq!(find(name).map_err(|failure| failure.status), Err(Status::Usage), "{name}");
        }
    }

    #[test]
    fn a_file_has_no_name_that_means_something_else() {
        assert_eq!(bare_start(Path::new("a/sketch.png")), Ok("sketch.png".to_owned()));
        assert!(bare_start(Path::new("./noise")).is_err());
        for name in ["embedded", "normalised", "vgg19"] {
            assert_eq!(bare_weights(name), Ok(name.to_owned()));
            assert!(bare_weights(&format!("./{name}")).is_err());
        }
        assert_eq!(bare_weights("a/mine.safetensors"), Ok("mine.safetensors".to_owned()));
    }
}
