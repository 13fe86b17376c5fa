//! A run's picture in the format that somebody wants, and the command that paints it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use impasto::read::{read_picture, read_recipe};
use impasto::run_folder::{Input, RESULT};
use impasto::write::{Carried, OutputFormat, WriteOptions, encode_carrying};
use impasto_job::shell::quoted;
use serde_json::Value;

use super::Studio;
use super::kept::{Kept, own_limits};
use crate::names::{RunId, plain_stem};
use crate::problem::Problem;
use crate::shown::aside;
use crate::wire::CommandLine;

/// Quality of an exported JPEG.
const QUALITY: u8 = 95;

/// A picture as a file to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub kind: &'static str,
    /// What it may be called.
    pub name: String,
}

impl Studio {
    /// The picture that a run has ended with, in the format of this name: png8, png16, jpeg, webp, tiff.
    ///
    /// # Errors
    /// There is none yet; there is no such format.
    pub async fn export(self: &Arc<Self>, id: &RunId, format: &str) -> Result<Exported, Problem> {
        let (output, bits, kind, extension) = match format {
            "png8" => (OutputFormat::Png, 8, "image/png", "png"),
            "png16" => (OutputFormat::Png, 16, "image/png", "png"),
            "jpeg" => (OutputFormat::Jpeg, 8, "image/jpeg", "jpg"),
            "webp" => (OutputFormat::WebP, 8, "image/webp", "webp"),
            "tiff" => (OutputFormat::Tiff, 16, "image/tiff", "tif"),
            _ => return Err(Problem::wrong("format is png8, png16, jpeg, webp or tiff; choose one of them")),
        };
        let (studio, id) = (Arc::clone(self), id.clone());
        let turn = self.exports.acquire().await.map_err(Problem::failed)?;
        let exported = aside(move || {
            let (kept, result) = studio.result(&id)?;
            let read = read_picture(&result, &own_limits()).map_err(Problem::failed)?;
            let recipe = read_recipe(&result).ok();
            let options = WriteOptions { bits, jpeg_quality: QUALITY };
            output.check(read.picture.width, read.picture.height, options).map_err(Problem::wrong)?;
            let carried = Carried { recipe: recipe.as_deref(), alpha: read.alpha.as_ref(), exif: None };
            let bytes = encode_carrying(&read.picture, output, options, &carried).map_err(Problem::failed)?;
            let name = format!("{}.{extension}", plain_stem(&kept.about.name, "picture"));
            Ok(Exported { bytes, kind, name })
        })
        .await;
        drop(turn);
        exported
    }

    /// The file of the picture that a run has ended with.
    pub(super) fn result(&self, id: &RunId) -> Result<(Kept, PathBuf), Problem> {
        let kept = match (self.kept(id), self.lock().runs.contains_key(id)) {
            (Ok(kept), _) => kept,
            (Err(_), true) => return Err(no_result()),
            (Err(problem), false) => return Err(problem),
        };
        let result = kept.folder.join(RESULT);
        if result.is_file() { Ok((kept, result)) } else { Err(no_result()) }
    }

    /// The command that paints a run, and the recipe that it names.
    ///
    /// # Errors
    /// There is no such run, or it has not begun.
    pub async fn command(self: &Arc<Self>, id: &RunId) -> Result<CommandLine, Problem> {
        let (studio, id) = (Arc::clone(self), id.clone());
        aside(move || {
            let kept = match (studio.kept(&id), studio.lock().runs.contains_key(&id)) {
                (Ok(kept), _) => kept,
                (Err(_), true) => return Err(Problem::conflict("this run has not begun; its command is known then")),
                (Err(problem), false) => return Err(problem),
            };
            let recipe = match studio.result(&id).ok().and_then(|(_, result)| read_recipe(&result).ok()) {
                Some(text) => serde_json::from_str(&text).map_err(Problem::failed)?,
                None => serde_json::to_value(&kept.record.recipe).unwrap_or(Value::Null),
            };
            Ok(command_line(&kept, recipe))
        })
        .await
    }
}

/// The line for a terminal of this machine, in any folder: the images and masks are those of the run's folder, where its finished picture
/// has the recipe. A run that has not ended is gone on with.
fn command_line(kept: &Kept, recipe: Value) -> CommandLine {
    let stem = plain_stem(&kept.about.name, "picture");
    let recipe_file = format!("{stem}.recipe.json");
    let folder = std::path::absolute(&kept.folder).unwrap_or_else(|_| kept.folder.clone());
    let place = |path: &Path| quoted(folder.join(path));
    let result = Path::new(RESULT);
    let mut words = vec![program()];
    if folder.join(result).is_file() && kept.record.outcome.is_some() {
        let inputs = &kept.record.inputs;
        words.extend(["paint".to_owned(), place(&inputs.content.file)]);
        words.extend(inputs.styles.iter().map(|style| place(&style.file)));
        words.extend(["--recipe".to_owned(), place(result)]);
        let option = |name: &str, input: &Option<Input>| {
            let file = input.as_ref().map(|input| place(&input.file));
            file.into_iter().flat_map(|file| [name.to_owned(), file]).collect::<Vec<_>>()
        };
        words.extend(option("--init", &inputs.start));
        words.extend(option("--weights", &inputs.weights));
        words.extend(["--output".to_owned(), quoted(format!("{stem}.png"))]);
        if let Some(device) = kept.about.device.as_deref().filter(|device| *device != "auto") {
            words.extend(["--device".to_owned(), device.to_owned()]);
        }
    } else {
        words.extend(["resume".to_owned(), quoted(folder)]);
    }
    CommandLine { command: words.join(" "), recipe, recipe_file }
}

/// What starts this program in a shell: its name where the shell finds it by that, else its place.
fn program() -> String {
    let Ok(here) = std::env::current_exe() else { return "impasto".to_owned() };
    let name = here.file_name().unwrap_or_default();
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    let is_same = found
        .and_then(|found| found.canonicalize().ok())
        .is_some_and(|found| here.canonicalize().is_ok_and(|here| here == found));
    quoted(if is_same { name.as_ref() } else { here.as_path() })
}

fn no_result() -> Problem {
    Problem::conflict("this run has no picture to export yet; stop it, or wait until it is done")
}
