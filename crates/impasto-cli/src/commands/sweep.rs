//! `impasto sweep`: pictures that differ in one choice or two, and a labelled sheet of them.
//!
//! ```text
//!   --vary a=1,2 --vary b=x,y  -->  cells (1,x) (1,y) (2,x) (2,y), each a recipe: every error of one is said first
//!   cell  -->  SHEET-pictures/a_1-b_x.png    painted, unless it is there with the same recipe
//!   cells -->  SHEET
//! ```

use std::path::{Path, PathBuf};

use impasto::disk::{RealDisk, Way, check_writable, create_folder, remove_file_if_present};
use impasto::read::{ReadLimits, read_picture, read_recipe};
use impasto::recipe::{Balance, Colours, StyleLoss};
use impasto::rescue::rescue_picture;
use impasto::sheet::{Cell, sheet};
use impasto::write::{Carried, OutputFormat, WriteOptions, check_picture_writable, write_picture};
use impasto::{Recipe, ResolvedRecipe};
use impasto_job::order::{HeldFiles, same_file};
use impasto_job::{Engines, Failure, FailureKind, Job};

use crate::args::{KeepingArguments, PaintArguments, RecipeArguments, SWEEP_PRESET, SweepArguments, Variation};
use crate::commands::destination::demand_file;
use crate::commands::engines;
use crate::commands::paint::paint_on;
use crate::commands::piped::read_piped;
use crate::commands::texture::with_preset;
use crate::show::{Output, Voice, say};

/// More pictures than this are a mistake.
const MOST_CELLS: usize = 1000;

/// Paints the pictures that are missing, then the sheet.
///
/// # Errors
/// See [`Failure`]; being interrupted is one, and the pictures that are whole stay.
pub fn sweep(arguments: &SweepArguments) -> Result<(), Failure> {
    demand_file(&arguments.output, "the sweep's pictures lie in a folder that is named after it")?;
    let images = std::iter::once(&arguments.content).chain(&arguments.styles).cloned();
    let held = read_piped(images.chain(arguments.recipe.files()))?;
    let cells = plan(arguments, &held)?;
    let folder = pictures_folder(&arguments.output);
    let way = check_output(arguments, &cells)?;
    create_folder(&RealDisk, &folder).map_err(Failure::failed)?;
    // Their names too, before the first is painted.
    cells.iter().try_for_each(|cell| check_writable(&cell.path, 0).map(drop)).map_err(Failure::failed)?;
    way.note(&arguments.output).iter().for_each(|note| report(arguments, note));
    let voice = Voice::new(arguments.running.quiet);
    let mut engines = engines::for_many(arguments.running.device, &voice);
    for (place, cell) in cells.iter().enumerate() {
        let name = cell.path.display();
        // What came through a pipe has no name: a picture of another may have the same recipe.
        if held == HeldFiles::default() && is_painted(cell, &mut engines)? {
            report(arguments, &format!("{} of {}: {name} is there already", place + 1, cells.len()));
            continue;
        }
        report(arguments, &format!("{} of {}: {name}", place + 1, cells.len()));
        if let Err(failure) = paint_on(&mut engines, &voice, &cell.arguments, Output::default()) {
            // The picture so far carries the recipe of the whole one, and would be taken for it.
            if carried(cell).is_some_and(|carried| carried == cell.recipe || may_be_balanced(&carried, cell)) {
                remove_file_if_present(&RealDisk, &cell.path).map_err(Failure::failed)?;
            }
            if failure.kind == FailureKind::Interrupted {
                let whole =
                    format!("interrupted at picture {} of {}; the same command goes on", place + 1, cells.len());
                return Err(Failure::interrupted(whole));
            }
            return Err(failure);
        }
    }
    write_sheet(arguments, &cells)
}

/// A picture of the sweep.
struct Planned {
    arguments: PaintArguments,
    recipe: ResolvedRecipe,
    path: PathBuf,
    label: Vec<String>,
}

/// Every cell with its recipe, row by row.
fn plan(arguments: &SweepArguments, held: &HeldFiles) -> Result<Vec<Planned>, Failure> {
    let choices: Vec<Vec<(&str, &str)>> = match arguments.vary.as_slice() {
        [one] => pairs(one).map(|pair| vec![pair]).collect(),
        [down, across] if down.name != across.name => {
            pairs(down).flat_map(|first| pairs(across).map(move |second| vec![first, second])).collect()
        }
        [_, _] => return Err(Failure::usage("--vary names the same thing twice; name two things")),
        _ => return Err(Failure::usage("--vary is given more than twice, and a sheet has two directions")),
    };
    if choices.len() > MOST_CELLS {
        return Err(Failure::usage(format_args!(
            "--vary asks for {} pictures, more than {MOST_CELLS}; give fewer values",
            choices.len()
        )));
    }
    check_choices(arguments)?;
    choices.into_iter().map(|choice| planned(arguments, &choice, held)).collect()
}

/// Two choices that set the same thing: one would undo the other, and pictures with different labels be the same.
fn check_choices(arguments: &SweepArguments) -> Result<(), Failure> {
    let varies = |name: &str| arguments.vary.iter().any(|variation| variation.name == name);
    let typed = &arguments.recipe;
    let sets_seed = |value: &String| value.starts_with("noise:") || value.starts_with("blend:");
    let varies_seed_by_init =
        arguments.vary.iter().any(|variation| variation.name == "init" && variation.values.iter().any(sets_seed));
    let clashes = [
        (varies("ratio") && varies("content-weight"), "--vary ratio sets --content-weight too; vary one of them"),
        (varies("ratio") && varies("style-weight"), "--vary ratio sets --style-weight too; vary one of them"),
        (
            varies("ratio") && (typed.content_weight.is_some() || typed.style_weight.is_some()),
            "--vary ratio sets --content-weight and --style-weight; leave them out",
        ),
        (
            varies("strength") && (typed.style_weight.is_some() || varies("style-weight") || varies("ratio")),
            "--vary strength sets --style-weight too; leave one of them out",
        ),
        (
            typed.strength.is_some() && (varies("style-weight") || varies("ratio") || varies("strength")),
            "--strength sets what --vary does; leave one of them out",
        ),
        (
            varies("tv-weight") && typed.denoise.is_some(),
            "--vary tv-weight and --denoise set the same thing; leave one of them out",
        ),
        (
            varies("colours") && (typed.original_colors.is_some() || typed.colours.is_some()),
            "--vary colours sets --colours and --original-colors; leave them out",
        ),
        (varies_seed_by_init && varies("seed"), "--vary init with a seed (noise:1) sets --seed too; leave one out"),
    ];
    match clashes.into_iter().find(|(clash, _)| *clash) {
        Some((_, sentence)) => Err(Failure::usage(sentence)),
        None => Ok(()),
    }
}

fn pairs(variation: &Variation) -> impl Iterator<Item = (&str, &str)> + Clone {
    variation.values.iter().map(|value| (variation.name.as_str(), value.as_str()))
}

fn planned(arguments: &SweepArguments, choice: &[(&str, &str)], held: &HeldFiles) -> Result<Planned, Failure> {
    let mut recipe = with_preset(&arguments.recipe, SWEEP_PRESET);
    for (name, value) in choice {
        vary(&mut recipe, name, value)?;
    }
    let label: Vec<String> = choice.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.=".contains(letter);
    let name: String = label.join("-").chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    let path = pictures_folder(&arguments.output).join(format!("{name}.png"));
    let paint_arguments = PaintArguments {
        content: Some(arguments.content.clone()),
        styles: arguments.styles.clone(),
        output: Some(path.clone()),
        recipe,
        keeping: KeepingArguments::default(),
        files: arguments.files.clone(),
        running: arguments.running.of_one(&path),
        held: held.clone(),
    };
    let recipe = paint_arguments.order()?.resolve()?.recipe;
    Ok(Planned { arguments: paint_arguments, recipe, path, label })
}

/// Sets one choice.
fn vary(recipe: &mut RecipeArguments, name: &str, value: &str) -> Result<(), Failure> {
    let wrong = || Failure::usage(format_args!("--vary {name}={value}: {value} is not a number; give one"));
    let number = || value.parse::<f64>().map_err(|_| wrong());
    let whole = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    match name {
        "ratio" => (recipe.content_weight, recipe.style_weight) = (Some(number()?), Some(1.0)),
        "content-weight" => recipe.content_weight = Some(number()?),
        "style-weight" => recipe.style_weight = Some(number()?),
        "strength" => recipe.strength = Some(number()?),
        "tv-weight" => recipe.tv_weight = Some(number()?),
        "style-scale" => recipe.style_scale = Some(number()?),
        "content-layer" => recipe.content_layers = Some(value.to_owned()),
        "style-loss" => recipe.style_loss = Some(StyleLoss::named(value).map_err(Failure::usage)?),
        "colours" => recipe.colours = Some(Colours::named(value).map_err(Failure::usage)?),
        "seed" => recipe.seed = Some(whole(value)?),
        // init: noise:3 is noise of seed 3.
        _ => match value.split_once(':') {
            Some((start @ ("noise" | "blend"), seed)) => {
                (recipe.init, recipe.seed) = (Some(start.to_owned()), Some(whole(seed)?));
            }
            _ => recipe.init = Some(value.to_owned()),
        },
    }
    Ok(())
}

/// Whether the cell's picture is there and carries its recipe. What the engine or the version was does not count.
fn is_painted(cell: &Planned, engines: &mut Engines) -> Result<bool, Failure> {
    match carried(cell) {
        Some(carried) if carried == cell.recipe => Ok(true),
        // Weights in proportion stand in a picture as what they came to, which is found again in a moment.
        Some(carried) if may_be_balanced(&carried, cell) => {
            let files = cell.arguments.files.plain(Some(cell.path.clone().into()));
            let prepared = Job::new(&cell.arguments.order()?, &files, None)?.prepare(engines)?;
            Ok(ResolvedRecipe { engine: cell.recipe.engine.clone(), ..prepared.recipe().clone() } == carried)
        }
        _ => Ok(false),
    }
}

/// The recipe that the cell's picture carries, where it is there.
fn carried(cell: &Planned) -> Option<ResolvedRecipe> {
    let text = read_recipe(&cell.path).ok()?;
    let carried = Recipe::from_json(&text).ok()?.resolve().ok()?;
    Some(ResolvedRecipe { engine: cell.recipe.engine.clone(), ..carried })
}

/// Whether a recipe is the cell's, but for weights that may be what the cell's in proportion come to.
fn may_be_balanced(carried: &ResolvedRecipe, cell: &Planned) -> bool {
    let ResolvedRecipe { balance, style_layers, regions, timeline, .. } = cell.recipe.clone();
    balance == Balance::Painting
        && ResolvedRecipe { balance, style_layers, regions, timeline, ..carried.clone() } == cell.recipe
}

/// `figure.png` has its pictures in `figure-pictures`.
fn pictures_folder(output: &Path) -> PathBuf {
    let mut name = output.file_stem().unwrap_or_default().to_owned();
    name.push("-pictures");
    output.with_file_name(name)
}

/// Everything about the sheet's file that can be said before hours of work.
fn check_output(arguments: &SweepArguments, cells: &[Planned]) -> Result<Way, Failure> {
    let output = arguments.output.as_path();
    OutputFormat::from_path(output).map_err(Failure::usage)?;
    let mut inputs = std::iter::once(&arguments.content).chain(&arguments.styles);
    if let Some(input) = inputs.find(|input| same_file(input, output)) {
        return Err(Failure::usage(format_args!(
            "--output {} would overwrite the input {}; choose another name",
            output.display(),
            input.display()
        )));
    }
    let mut paths: Vec<&Path> = cells.iter().map(|cell| cell.path.as_path()).collect();
    paths.sort();
    if let Some(twice) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Failure::usage(format_args!(
            "two pictures would have the name {}; give values that differ in letters or digits",
            twice[0].display()
        )));
    }
    check_picture_writable(output, 0).map_err(Failure::failed)
}

fn write_sheet(arguments: &SweepArguments, cells: &[Planned]) -> Result<(), Failure> {
    let mut pictures = Vec::new();
    for cell in cells {
        let picture = read_picture(&cell.path, &ReadLimits::default()).map_err(Failure::failed)?.picture;
        pictures.push(Cell { picture, label: cell.label.clone() });
    }
    let columns = match (arguments.vary.as_slice(), arguments.columns) {
        ([_, across], _) => across.values.len(),
        (_, Some(columns)) => columns as usize,
        _ if cells.len() <= 4 => cells.len(),
        _ => 3,
    };
    let made = sheet(&pictures, columns).map_err(Failure::failed)?;
    let options = WriteOptions { bits: 8, jpeg_quality: arguments.files.quality };
    if let Err(error) = write_picture(&RealDisk, &arguments.output, &made, options, None) {
        let rescued = rescue_picture(&RealDisk, &arguments.output, &made, options, &Carried::default());
        return Err(Failure::failed(match rescued {
            Some(place) => format!("{error}; the sheet is {}", place.display()),
            None => format!("{error}; its pictures are in {}", pictures_folder(&arguments.output).display()),
        }));
    }
    report(arguments, &format!("{} pictures on {}", cells.len(), arguments.output.display()));
    Ok(())
}

/// Says how far the sweep is, to people who want to know.
fn report(arguments: &SweepArguments, sentence: &str) {
    if !arguments.running.quiet {
        say(sentence);
    }
}
