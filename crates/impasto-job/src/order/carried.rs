//! A recipe that was read from a file, and the files that it names: who wrote it is not who has the folders.

use std::path::{Component, Path, PathBuf};

use impasto::disk::read_file;
use impasto::fetch::release;
use impasto::read::{decode_recipe, read_recipe};
use impasto::recipe::{FORMAT, RECIPE_LIMIT_BYTES, Recipe, Start, nearest, text_from_bytes};
use impasto::run_folder::INPUTS;

use super::file::file_name;
use super::held::{HeldFiles, NAMELESS};
use crate::engine::weights_file;
use crate::failure::Failure;

/// The recipe of a JSON file, or the one that a picture carries, and what a person should know of it.
pub fn load_recipe(path: &Path, held: &HeldFiles) -> Result<(Recipe, Option<String>), Failure> {
    if let Some(bytes) = held.bytes(path) {
        let spoken = held.spoken(path);
        let text = decode_recipe(bytes, spoken).map_err(Failure::failed)?;
        return read_json(&text, spoken);
    }
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let text = if is_json {
        let bytes = read_file(path, (RECIPE_LIMIT_BYTES as u64).div_ceil(1 << 20)).map_err(Failure::failed)?;
        text_from_bytes(&bytes)
            .map_err(|_| Failure::file(path, "is not a text; give a recipe in JSON, or a picture"))?
    } else {
        read_recipe(path).map_err(Failure::failed)?
    };
    read_json(&text, path)
}

fn read_json(text: &str, path: &Path) -> Result<(Recipe, Option<String>), Failure> {
    let path = path.display();
    let recipe = Recipe::from_json(text).map_err(|error| Failure::usage(format_args!("{path}: {error}")))?;
    let note = Recipe::means_former_default(text).then(|| {
        format!(
            "{path} names no format, so what it leaves open is the preset default of before 2026-11-28; add \"format\": {FORMAT} for today's"
        )
    });
    Ok((recipe, note))
}

/// Where a recipe was read, and what it may name.
pub struct Place<'order> {
    /// The file of the recipe.
    pub recipe: Option<&'order Path>,
}

impl Place<'_> {
    /// The file of this name in the current folder, or else beside the recipe or in `inputs` beside it, if it is there.
    ///
    /// # Errors
    /// A name with a folder in it: who wrote the recipe is not who has the folders. `way_out` says what to do then.
    pub fn find(&self, name: &str, way_out: &str) -> Result<PathBuf, Failure> {
        if name == NAMELESS {
            let recipe = self.recipe.unwrap_or(Path::new("the recipe")).display();
            return Err(Failure::usage(format_args!(
                "{recipe} is of a picture that was painted from a pipe, and what came through that has no name; {way_out}"
            )));
        }
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
        let folder = self.recipe.and_then(Path::parent);
        // The masks that were drawn while a run painted have no other place than its folder.
        let places = folder.into_iter().flat_map(|folder| [folder.join(name), folder.join(INPUTS).join(name)]);
        Ok(places.into_iter().find(|there| !here.exists() && there.exists()).unwrap_or(here))
    }

    pub fn find_all<'name>(
        &self,
        names: impl Iterator<Item = &'name String>,
        way_out: &str,
    ) -> Result<Vec<PathBuf>, Failure> {
        names.map(|name| self.find(name, way_out)).collect()
    }
}

/// The name that a recipe has for the picture to start from.
pub fn bare_start(path: &Path, held: &HeldFiles) -> Result<String, Failure> {
    let name = held.name(path);
    match Start::from(name.clone()) {
        Start::File(_) => Ok(name),
        _ => Err(ambiguous("--init", path)),
    }
}

/// What other programs call the starts that a recipe has by name: jcjohnson/neural-style and those after it.
const OTHERS_STARTS: [(&str, &str); 4] =
    [("random", "noise"), ("image", "content"), ("photo", "content"), ("painting", "style")];

/// A word that is no file was meant to be a start's name.
///
/// # Errors
/// A word without a folder or an extension that no file has, with the start that is nearest.
pub fn check_start(path: &Path) -> Result<(), Failure> {
    let word = path.to_string_lossy();
    if path.exists() || word.contains(['.', '/', '\\']) {
        return Ok(());
    }
    let by_others = OTHERS_STARTS.iter().find(|(theirs, _)| word.eq_ignore_ascii_case(theirs)).map(|(_, ours)| *ours);
    let meant = by_others.or_else(|| nearest(&word, ["content", "style", "noise", "blend"]));
    let meant = meant.map_or(String::new(), |meant| format!("{meant} may be meant; "));
    Err(Failure::usage(format_args!(
        "--init {word} is neither a start nor a file; {meant}give content, style, noise, blend or a picture"
    )))
}

/// The name that a recipe has for weights.
pub fn bare_weights(weights: &str) -> Result<String, Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

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
            assert_eq!(find(name).map_err(|failure| failure.kind), Err(FailureKind::Usage), "{name}");
        }
    }

    #[test]
    fn a_file_has_no_name_that_means_something_else() {
        let held = HeldFiles::default();
        assert_eq!(bare_start(Path::new("a/sketch.png"), &held), Ok("sketch.png".to_owned()));
        assert!(bare_start(Path::new("./noise"), &held).is_err());
        for name in ["embedded", "normalised", "vgg19"] {
            assert_eq!(bare_weights(name), Ok(name.to_owned()));
            assert!(bare_weights(&format!("./{name}")).is_err());
        }
        assert_eq!(bare_weights("a/mine.safetensors"), Ok("mine.safetensors".to_owned()));
    }

    #[test]
    fn a_start_by_another_program_s_name_is_told() {
        let said = |word: &str| check_start(Path::new(word)).map_err(|failure| failure.sentence);
        for (word, meant) in [("random", "noise"), ("image", "content"), ("Noise", "noise"), ("contnet", "content")] {
            assert!(said(word).unwrap_err().contains(&format!("; {meant} may be meant; ")), "{:?}", said(word));
        }
        assert!(said("sketch").unwrap_err().contains("a file; give content"), "{:?}", said("sketch"));
        // Files are looked for by whoever reads them, and named there.
        for file in ["sketch.png", "a/sketch", "Cargo.toml", "src"] {
            assert_eq!(said(file), Ok(()), "{file}");
        }
    }
}
