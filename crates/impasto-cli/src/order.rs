//! What was ordered: the resolved recipe and the files that it needs, from the options and from `--recipe`.

use std::path::{Path, PathBuf};

use impasto::ResolvedRecipe;
use impasto::disk::read_file;
use impasto::read::read_recipe;
use impasto::recipe::{RECIPE_LIMIT_BYTES, Recipe, Start};

use crate::args::PaintArguments;
use crate::engine::weights_file;
use crate::failure::Failure;

/// A resolved recipe and where its files lie.
#[derive(Debug)]
pub struct Order {
    /// Every choice has its value.
    pub recipe: ResolvedRecipe,
    /// Whether the history of L-BFGS was named; the preset's is cut for large pictures.
    history_is_given: bool,
    /// The photo.
    pub content: PathBuf,
    /// The paintings.
    pub styles: Vec<PathBuf>,
    /// The picture to start from, where the recipe names a file.
    pub start: Option<PathBuf>,
    /// The file of `--recipe`.
    recipe_file: Option<PathBuf>,
}

impl Order {
    /// Reads `--recipe`, lays the options over it and resolves.
    ///
    /// A recipe names images by their file names alone, so that a picture does not tell of folders. Where they are not
    /// given on the command line, they are looked for in the current folder, then beside the recipe's file.
    ///
    /// # Errors
    /// Every error of a recipe; a recipe file that cannot be read; no photo.
    pub fn read(arguments: &PaintArguments) -> Result<Order, Failure> {
        let recipe_file = arguments.recipe.recipe.clone();
        let carried = recipe_file.as_deref().map_or(Ok(Recipe::default()), load_recipe)?;
        let folder = recipe_file.as_deref().and_then(Path::parent);
        let found = |name: &String| find(name, folder);

        let content = arguments.content.clone().or_else(|| carried.content.as_ref().map(found));
        let content = content.ok_or_else(|| {
            Failure::usage("the photo is missing, for the recipe names none; give CONTENT before the options")
        })?;
        let carried_styles = || carried.styles.iter().flatten().map(found).collect();
        let styles = if arguments.styles.is_empty() { carried_styles() } else { arguments.styles.clone() };

        let mut recipe = carried.varied_by(&arguments.recipe.to_recipe()?);
        recipe.content = Some(file_name(&content));
        recipe.styles = Some(styles.iter().map(|style| file_name(style)).collect());
        let history_is_given = recipe.history.is_some();
        let recipe = recipe.resolve()?;
        let start = match &recipe.init {
            Start::File(path) => Some(find(&path.to_string_lossy(), folder)),
            _ => None,
        };
        Ok(Order { recipe, history_is_given, content, styles, start, recipe_file })
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
    ) -> Result<Order, Failure> {
        // As untrusted as any recipe that was read.
        let recipe = Recipe::from_json(&recipe.to_json())?.resolve()?;
        Ok(Order { recipe, history_is_given: true, content, styles, start, recipe_file: None })
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
        let weights = weights_file(&self.recipe.weights);
        let files = [Some(self.content.clone()), self.start.clone(), self.recipe_file.clone(), weights];
        files.into_iter().flatten().chain(self.styles.clone())
    }
}

/// The recipe of a JSON file, or the one that a picture carries.
fn load_recipe(path: &Path) -> Result<Recipe, Failure> {
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let text = if is_json {
        let bytes = read_file(path, (RECIPE_LIMIT_BYTES as u64).div_ceil(1 << 20)).map_err(Failure::failed)?;
        String::from_utf8(bytes)
            .map_err(|_| Failure::file(path, "is not a text; give a recipe in JSON, or a picture"))?
    } else {
        read_recipe(path).map_err(Failure::failed)?
    };
    Recipe::from_json(&text).map_err(|error| Failure::usage(format_args!("{}: {error}", path.display())))
}

/// `name` in the current folder, or else in `folder` if it is there.
fn find(name: &str, folder: Option<&Path>) -> PathBuf {
    let here = PathBuf::from(name);
    let there = folder.map(|folder| folder.join(name));
    there.filter(|there| !here.exists() && there.exists()).unwrap_or(here)
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
        assert_eq!(find("there.png", Some(folder.path())), folder.path().join("there.png"));
        assert_eq!(find("nowhere.png", Some(folder.path())), PathBuf::from("nowhere.png"));
        assert_eq!(find("Cargo.toml", Some(folder.path())), PathBuf::from("Cargo.toml"));
    }
}
