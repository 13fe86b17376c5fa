//! `impasto texture` and `impasto reconstruct`: the style loss alone, the content loss alone (figure 1 of the paper).
//!
//! Both are `paint` with a preset of their own; with --all-layers they are the figure's rows.

use std::path::{Path, PathBuf};

use impasto::write::{WriteError, check_picture_writable};
use impasto_job::Failure;

use crate::args::{
    KeepingArguments, PaintArguments, RECONSTRUCT_PRESET, RecipeArguments, ReconstructArguments, RunningArguments,
    TEXTURE_PRESET, TextureArguments,
};
use crate::commands::destination::demand_file;
use crate::commands::engines;
use crate::commands::paint::paint_on;
use crate::commands::piped::read_piped;
use crate::show::{Output, Voice};

/// The style layers of the figure; its pictures take the first, the first two, and so on.
const STYLE_LAYERS: [&str; 5] = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];

/// The content layers of the figure.
const CONTENT_LAYERS: [&str; 5] = ["conv1_2", "conv2_2", "conv3_2", "conv4_2", "conv5_2"];

/// Paints a texture, or the five of the figure.
///
/// # Errors
/// See [`Failure`].
pub fn texture(arguments: &TextureArguments) -> Result<(), Failure> {
    check_output(&arguments.output, arguments.all_layers)?;
    let held = read_piped(std::iter::once(arguments.style.clone()).chain(arguments.recipe.files()))?;
    let one = |output: PathBuf, style_layers: Option<String>| {
        let mut recipe = with_preset(&arguments.recipe, TEXTURE_PRESET);
        recipe.style_layers = style_layers.or(recipe.style_layers);
        PaintArguments {
            // The picture has the style image's shape; nothing else of a photo is asked for.
            content: Some(arguments.style.clone()),
            styles: vec![arguments.style.clone()],
            running: running(&arguments.running, arguments.all_layers, &output),
            output: Some(output),
            recipe,
            keeping: KeepingArguments::default(),
            files: arguments.files.clone(),
            held: held.clone(),
        }
    };
    if !arguments.all_layers {
        return paint_one(&one(arguments.output.clone(), None));
    }
    check_names(&arguments.output, &STYLE_LAYERS)?;
    let voice = Voice::new(arguments.running.quiet);
    let mut engines = engines::for_many(arguments.running.device, &voice);
    for (place, layer) in STYLE_LAYERS.iter().enumerate() {
        let share = 1.0 / (place + 1) as f64;
        let layers: Vec<String> = STYLE_LAYERS[..=place].iter().map(|layer| format!("{layer}={share}")).collect();
        let arguments = one(with_suffix(&arguments.output, layer), Some(layers.join(",")));
        paint_on(&mut engines, &voice, &arguments, Output::default())?;
    }
    Ok(())
}

/// Paints a reconstruction, or the five of the figure.
///
/// # Errors
/// See [`Failure`].
pub fn reconstruct(arguments: &ReconstructArguments) -> Result<(), Failure> {
    check_output(&arguments.output, arguments.all_layers)?;
    let held = read_piped(std::iter::once(arguments.content.clone()).chain(arguments.recipe.files()))?;
    let one = |output: PathBuf, layer: Option<String>| {
        let mut recipe = with_preset(&arguments.recipe, RECONSTRUCT_PRESET);
        recipe.content_layers = layer.or(recipe.content_layers);
        PaintArguments {
            content: Some(arguments.content.clone()),
            styles: Vec::new(),
            running: running(&arguments.running, arguments.all_layers, &output),
            output: Some(output),
            recipe,
            keeping: KeepingArguments::default(),
            files: arguments.files.clone(),
            held: held.clone(),
        }
    };
    if !arguments.all_layers {
        let layer = arguments.layer.map(|layer| layer.name().to_owned());
        return paint_one(&one(arguments.output.clone(), layer));
    }
    check_names(&arguments.output, &CONTENT_LAYERS)?;
    let voice = Voice::new(arguments.running.quiet);
    let mut engines = engines::for_many(arguments.running.device, &voice);
    for layer in CONTENT_LAYERS {
        let arguments = one(with_suffix(&arguments.output, layer), Some(layer.to_owned()));
        paint_on(&mut engines, &voice, &arguments, Output::default())?;
    }
    Ok(())
}

/// Paints the only picture.
fn paint_one(arguments: &PaintArguments) -> Result<(), Failure> {
    let voice = Voice::new(arguments.running.quiet);
    paint_on(&mut engines::for_one(arguments.running.device, &voice), &voice, arguments, Output::default())
}

/// Several pictures need several names.
fn check_output(output: &Path, is_of_several: bool) -> Result<(), Failure> {
    match is_of_several {
        true => demand_file(output, "--all-layers makes five pictures' names of it"),
        false => Ok(()),
    }
}

/// Says before the first of several pictures is painted what stands in the way of the last.
fn check_names(output: &Path, layers: &[&str]) -> Result<(), Failure> {
    layers.iter().try_for_each(|layer| {
        check_picture_writable(&with_suffix(output, layer), 0).map(drop).map_err(|error| match error {
            WriteError::Extension { .. } => Failure::usage(error),
            error => Failure::failed(error),
        })
    })
}

/// How one picture's run goes, where it is the only one or one of several.
fn running(typed: &RunningArguments, is_one_of_several: bool, output: &Path) -> RunningArguments {
    if is_one_of_several { typed.of_one(output) } else { typed.clone() }
}

/// The options, with this preset where neither a preset nor a recipe was given.
pub fn with_preset(typed: &RecipeArguments, name: &str) -> RecipeArguments {
    let mut recipe = typed.clone();
    if recipe.preset.is_none() && recipe.recipe.is_none() {
        recipe.preset = Some(name.to_owned());
    }
    recipe
}

/// `out.png` and `conv1_1` make `out-conv1_1.png`.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{suffix}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}
