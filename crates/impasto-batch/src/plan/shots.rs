//! From films to shots: the frames of each are looked at once, and what was found stays in the film's folder.

use std::path::{Path, PathBuf};

use impasto::digest::{sha256, sha256_of_file};
use impasto::disk::{RealDisk, create_folder};
use impasto_film::shots::find_shots;
use impasto_film::{Choices, Film, FilmOrder};
use impasto_job::{Failure, Files, Order};
use serde_json::Value;

use super::{Intent, Wanted};
use crate::films::{FilmPlace, PlannedFilm};
use crate::pairs::Pair;
use crate::paths::{real, to_text};
use crate::shot::TaskShot;

/// A film that shall be painted.
#[derive(Clone, Debug)]
pub struct WantedFilm {
    /// The film, or the folder of its frames, as it was given.
    pub film: PathBuf,
    /// Where it lies in the batch.
    pub place: FilmPlace,
    /// Its frames in their order, all in one folder.
    pub frames: Vec<PathBuf>,
    /// Where the first of them stands among the pictures of that folder, counted from 1.
    pub first: usize,
    /// One of so many pictures there is a frame.
    pub every: usize,
    /// What the whole film's name ends with; none where it is a folder of frames.
    pub extension: Option<String>,
    /// How frames become a film again; it is given back as it is.
    pub making: Value,
    /// The paintings that it is painted after: several are mixed in one film.
    pub styles: Vec<Vec<PathBuf>>,
}

/// The shots of all films, each after each of its paintings.
///
/// # Errors
/// Everything about frames and choices that can be said before the first is painted.
pub fn shots_of(root: &Path, intent: &Intent, tell: &mut dyn FnMut(&str)) -> Result<Vec<Wanted>, Failure> {
    let choices = Choices { cuts: false, ..intent.choices.clone() };
    let mut wanted = Vec::new();
    for film in &intent.films {
        for (place, styles) in film.styles.iter().enumerate() {
            check(film, styles, intent)?;
            if film.styles[..place].contains(styles) {
                let sentence =
                    format_args!("{} is asked for twice after the same painting; name each once", film.film.display());
                return Err(Failure::usage(sentence));
            }
        }
        let sums = film.frames.iter().map(|frame| sha256_of_file(frame).map_err(Failure::failed));
        let sums = sums.collect::<Result<Vec<_>, _>>()?;
        let planned = planned(root, film, &sums, intent, tell)?;
        for styles in &film.styles {
            for shot in &planned.shots {
                let (Some(frames), Some(sums)) = (film.frames.get(shot.range()), sums.get(shot.range())) else {
                    continue;
                };
                let (Some(first), Some(last)) = (frames.first(), frames.last()) else { continue };
                let of_task = TaskShot {
                    film: film.place.name.clone(),
                    folder: folder_of(root, first)?,
                    first: film.first + shot.first * film.every,
                    every: film.every,
                    frames: frames.len(),
                    last: last.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                    sha256: sha256(sums.concat().as_bytes()),
                    choices: choices.clone(),
                };
                let pair = Pair { content: first.clone(), styles: styles.clone() };
                wanted.push(Wanted { pair, shot: Some(of_task) });
            }
        }
    }
    Ok(wanted)
}

/// Says what is wrong with the choices, before the frames are looked at.
fn check(film: &WantedFilm, styles: &[PathBuf], intent: &Intent) -> Result<(), Failure> {
    let order = FilmOrder {
        frames: film.frames.clone(),
        order: Order {
            styles: styles.to_vec(),
            recipe_file: intent.recipe_file.clone(),
            recipe: intent.recipe.clone(),
            ..Order::default()
        },
        files: Files::default(),
        choices: intent.choices.clone(),
        folder: film.place.folder.clone(),
        output: film.place.folder.join("painted"),
        memory_limit_bytes: None,
    };
    Film::new(order).map(drop)
}

/// What a film is; its shots are looked for where they are not known.
fn planned(
    root: &Path,
    film: &WantedFilm,
    sums: &[String],
    intent: &Intent,
    tell: &mut dyn FnMut(&str),
) -> Result<PlannedFilm, Failure> {
    let text = to_text(root, &real(&film.film))?;
    let mut planned = PlannedFilm {
        first: film.first,
        every: film.every,
        frames: film.frames.len(),
        frames_sha256: sha256(sums.concat().as_bytes()),
        cuts: intent.choices.cuts,
        ..PlannedFilm::new(text, film.extension.clone(), film.making.clone())
    };
    let known = PlannedFilm::read(root, &film.place.name).filter(|known| {
        let same = (known.frames, known.cuts, &known.frames_sha256);
        same == (planned.frames, planned.cuts, &planned.frames_sha256)
    });
    planned.shots = match known {
        Some(known) => known.shots,
        None => {
            tell(&format!("{}: looking for its shots", film.film.display()));
            find_shots(&film.frames, &intent.files.read, planned.cuts, &mut |_| Ok(()))?
        }
    };
    if !planned.is_whole() {
        return Err(Failure::file(
            &film.place.folder,
            "holds a film whose shots are not its frames; remove its film.json",
        ));
    }
    let (shots, name) = (planned.shots.len(), film.film.display());
    tell(&format!("{name}: {} frames in {shots} {}", planned.frames, if shots == 1 { "shot" } else { "shots" }));
    create_folder(&RealDisk, &film.place.folder).map_err(Failure::failed)?;
    planned.write(&film.place.folder)?;
    Ok(planned)
}

/// The folder of a frame, as the frame's own name in a task begins.
fn folder_of(root: &Path, frame: &Path) -> Result<String, Failure> {
    let text = to_text(root, &real(frame))?;
    match text.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => Ok(folder.to_owned()),
        _ => Err(Failure::usage(format_args!("{} does not lie in a folder of frames; give it one", frame.display()))),
    }
}
