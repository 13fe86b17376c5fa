//! Where a film's frames come from: a folder of pictures, or ffmpeg.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use impasto::disk::{Lock, RealDisk, create_folder, read_file, replace_file};
use impasto::recipe::Size;
use impasto::{ResolvedRecipe, digest, scales};
use impasto_job::Failure;
use serde::{Deserialize, Serialize};

use crate::args::VideoArguments;
use crate::ffmpeg::{ColourTags, Footage, Wanted, decode, probe};
use crate::interrupt;
use crate::show::FilmShow;

/// What frames may be called, beside `.png`.
const PICTURES: [&str; 8] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "gif"];

/// The record of what was taken apart.
const RECORD: &str = "source.json";

/// A film's frames, and what it was.
pub struct Source {
    /// The frames in their order.
    pub frames: Vec<PathBuf>,
    /// What the film was, or is to be where it was a folder.
    pub footage: Footage,
    /// What of it was wanted.
    pub wanted: Wanted,
    /// The film whose sound is taken.
    pub sound: Option<PathBuf>,
}

/// What the frames in a folder were taken of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Taken {
    film_sha256: String,
    from: Option<f64>,
    to: Option<f64>,
    every: u32,
    size: (usize, usize),
    frames: usize,
    /// What is to be said of a film whose end is broken.
    complaint: Option<String>,
}

/// The frames of what was given; those of a film lie in `folder`, and are taken from there the next time.
///
/// # Errors
/// No ffmpeg, no frames, and whatever else keeps a film from being read.
pub fn source(
    arguments: &VideoArguments,
    recipe: &ResolvedRecipe,
    folder: &Path,
    show: &mut FilmShow,
) -> Result<Source, Failure> {
    let choices = &arguments.film_choices;
    let (from, to, every) = (choices.from, choices.to, choices.every);
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        return Err(Failure::usage(format_args!("--to {to} is not after --from {from}; give a later time")));
    }
    if arguments.film.is_dir() {
        let wanted = Wanted { from, to, every, size: None };
        return of_folder(arguments, wanted);
    }
    let footage = probe(&arguments.film)?;
    if !footage.has_constant_rate {
        show.note(&format!(
            "{}: its frame rate varies; the painted film has {:.3} frames a second all along",
            arguments.film.display(),
            footage.rate.per_second()
        ));
    }
    let wanted = Wanted { from, to, every, size: Some(frame_size(recipe, &footage)) };
    let frames = frames_of_film(arguments, &footage, &wanted, folder, show)?;
    let sound = footage.has_sound.then(|| arguments.film.clone());
    Ok(Source { frames, footage, wanted, sound })
}

/// The size of frames: the film's, or the one that is painted where that is smaller and has its shape.
fn frame_size(recipe: &ResolvedRecipe, footage: &Footage) -> (usize, usize) {
    let own = (footage.width, footage.height);
    let scales = scales(recipe, own.0, own.1);
    let full = &scales[scales.len() - 1];
    match recipe.size {
        Size::LongEdge(_) if full.width < own.0 => (full.width, full.height),
        Size::LongEdge(_) | Size::Exact { .. } => own,
    }
}

fn frames_of_film(
    arguments: &VideoArguments,
    footage: &Footage,
    wanted: &Wanted,
    folder: &Path,
    show: &mut FilmShow,
) -> Result<Vec<PathBuf>, Failure> {
    create_folder(&RealDisk, folder).map_err(Failure::failed)?;
    // Released before the frames are painted, when the film takes it.
    let _lock = Lock::take(&folder.join("lock")).map_err(Failure::failed)?;
    let (frames_folder, record) = (folder.join("source"), folder.join(RECORD));
    let film_sha256 = digest::sha256_of_file(&arguments.film).map_err(Failure::failed)?;
    let size = wanted.size.unwrap_or((footage.width, footage.height));
    let mut taken =
        Taken { film_sha256, from: wanted.from, to: wanted.to, every: wanted.every, size, frames: 0, complaint: None };
    if record.exists() {
        let bytes = read_file(&record, 1).map_err(Failure::failed)?;
        let found: Option<Taken> = serde_json::from_slice(&bytes).ok();
        let same = found.filter(|found| {
            Taken { frames: found.frames, complaint: found.complaint.clone(), ..taken.clone() } == *found
        });
        let Some(found) = same else {
            return Err(Failure::usage(format_args!(
                "{} holds frames of another film, time or size; give another folder with --run-dir, or remove it",
                folder.display()
            )));
        };
        complain(arguments, &found, show);
        return Ok((1..=found.frames).map(|number| frames_folder.join(format!("{number:06}.png"))).collect());
    }
    show.note(&format!("{}: taking it apart", arguments.film.display()));
    let decoded = decode(&arguments.film, footage, wanted, &frames_folder);
    if interrupt::requested() {
        return Err(Failure::interrupted("interrupted; the same command goes on"));
    }
    let (frames, complaint) = decoded?;
    (taken.frames, taken.complaint) = (frames.len(), complaint);
    let text = serde_json::to_vec_pretty(&taken).map_err(Failure::failed)?;
    replace_file(&RealDisk, &record, &text).map_err(Failure::failed)?;
    complain(arguments, &taken, show);
    Ok(frames)
}

fn complain(arguments: &VideoArguments, taken: &Taken, show: &mut FilmShow) {
    if let Some(complaint) = &taken.complaint {
        show.note(&format!(
            "{}: a part of it could not be read ({complaint}); {} frames could",
            arguments.film.display(),
            taken.frames
        ));
    }
}

/// The pictures of a folder, in the order of their names, numbers by their value.
fn of_folder(arguments: &VideoArguments, wanted: Wanted) -> Result<Source, Failure> {
    let folder = &arguments.film;
    let unread = |error: std::io::Error| Failure::file(folder, format_args!("cannot be read ({error})"));
    let mut frames = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if PICTURES.contains(&extension.as_str()) && !is_hidden {
            frames.push(path);
        }
    }
    if frames.is_empty() {
        return Err(Failure::file(folder, "has no pictures in it; give a folder of frames, or a film"));
    }
    frames.sort_by(|one, other| by_names(&one.to_string_lossy(), &other.to_string_lossy()));
    let rate = arguments.film_choices.rate;
    let place = |seconds: f64| (seconds * rate.per_second()).round() as usize;
    let begin = wanted.from.map_or(0, place).min(frames.len());
    let end = wanted.to.map_or(frames.len(), place).clamp(begin, frames.len());
    let frames: Vec<PathBuf> = frames[begin..end].iter().step_by(wanted.every as usize).cloned().collect();
    if frames.is_empty() {
        return Err(Failure::file(folder, "has no frames in that time; check --from, --to and --rate"));
    }
    let bt709 = || Some("bt709".to_owned());
    let footage = Footage {
        width: 0,
        height: 0,
        rate,
        has_constant_rate: true,
        has_sound: false,
        // What a film without any says is taken for this by most players.
        colours: ColourTags { space: bt709(), transfer: bt709(), primaries: bt709() },
    };
    Ok(Source { frames, footage, wanted, sound: None })
}

/// The order of names: letter by letter, but runs of digits by their value.
fn by_names(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.chars().peekable(), other.chars().peekable());
    loop {
        match (one.peek().copied(), other.peek().copied()) {
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let number = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>| {
                    let mut digits = String::new();
                    while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                        digits.push(digit);
                    }
                    digits.trim_start_matches('0').to_owned()
                };
                let (a, b) = (number(&mut one), number(&mut other));
                match a.len().cmp(&b.len()).then_with(|| a.cmp(&b)) {
                    Ordering::Equal => {}
                    unequal => return unequal,
                }
            }
            (a, b) if a == b && a.is_some() => {
                one.next();
                other.next();
            }
            (a, b) => return a.cmp(&b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_by_their_value() {
        let mut names = ["f10.png", "f9.png", "f009b.png", "f1.png", "e2.png"];
        names.sort_by(|one, other| by_names(one, other));
        assert_eq!(names, ["e2.png", "f1.png", "f9.png", "f009b.png", "f10.png"]);
    }
}
