//! Where a film's frames come from: a folder of pictures, or ffmpeg.

use std::path::{Path, PathBuf};

use impasto::disk::{Lock, RealDisk, create_folder, read_file, remove_file_if_present, replace_file};
use impasto::recipe::Size;
use impasto::{ResolvedRecipe, digest, scales};
use impasto_film::frames_in;
use impasto_film::record::frames_sha256;
use impasto_job::Failure;
use serde::{Deserialize, Serialize};

use crate::args::FilmArguments;
use crate::ffmpeg::{ColourTags, Footage, Rate, Wanted, decode, probe};
use crate::interrupt;

/// Frames a second of a folder's pictures, where nobody says.
const FOLDER_RATE: Rate = Rate { frames: 24, seconds: 1 };

/// The record of what was taken apart.
const RECORD: &str = "source.json";

/// A film's frames, and what it was.
pub struct Source {
    /// The frames in their order.
    pub frames: Vec<PathBuf>,
    /// Where the first of them stands among the pictures of its folder, from 0; of those, one of `wanted.every` is a frame if the folder
    /// was given, else each.
    pub begin: usize,
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
    /// SHA-256 of the SHA-256s of all frames, in their order.
    #[serde(default)]
    frames_sha256: String,
    /// What is to be said of a film whose end is broken.
    complaint: Option<String>,
}

/// What is done where a folder holds the frames of another film, time or size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They stay, and it is an error.
    AreKept,
    /// They go.
    AreReplaced,
}

/// The frames of what was given; those of a film lie in `folder`, and are taken from there the next time. `note` hears what a person
/// should know.
///
/// # Errors
/// No ffmpeg, no frames, and whatever else keeps a film from being read.
pub fn source(
    film: &Path,
    choices: &FilmArguments,
    recipe: &ResolvedRecipe,
    (folder, others): (&Path, Others),
    note: &mut dyn FnMut(&str),
) -> Result<Source, Failure> {
    let (from, to, every) = (choices.from, choices.to, choices.every);
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        return Err(Failure::usage(format_args!("--to {to} is not after --from {from}; give a later time")));
    }
    if film.is_dir() {
        return of_folder(film, choices, Wanted { from, to, every, size: None });
    }
    let footage = probe(film)?;
    if !footage.has_constant_rate {
        note(&format!(
            "{}: its frame rate varies; the painted film has {:.3} frames a second all along",
            film.display(),
            footage.rate.per_second()
        ));
    }
    if choices.rate.is_some() {
        note(&format!("--rate is for frames from a folder; {} keeps the rate that it has", film.display()));
    }
    let wanted = Wanted { from, to, every, size: Some(frame_size(recipe, &footage)) };
    let frames = frames_of_film((film, &footage), &wanted, (folder, others), note)?;
    let sound = footage.has_sound.then(|| film.to_owned());
    Ok(Source { frames, begin: 0, footage, wanted, sound })
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
    (film, footage): (&Path, &Footage),
    wanted: &Wanted,
    (folder, others): (&Path, Others),
    note: &mut dyn FnMut(&str),
) -> Result<Vec<PathBuf>, Failure> {
    create_folder(&RealDisk, folder).map_err(Failure::failed)?;
    // Released before the frames are painted, when the film takes it.
    let _lock = Lock::take(&folder.join("lock")).map_err(Failure::failed)?;
    let (frames_folder, record) = (folder.join("source"), folder.join(RECORD));
    let film_sha256 = digest::sha256_of_file(film).map_err(Failure::failed)?;
    let size = wanted.size.unwrap_or((footage.width, footage.height));
    let (from, to, every) = (wanted.from, wanted.to, wanted.every);
    let (frames, frames_sha256) = (0, String::new());
    let mut taken = Taken { film_sha256, from, to, every, size, frames, frames_sha256, complaint: None };
    if record.exists() {
        let bytes = read_file(&record, 1).map_err(Failure::failed)?;
        let found: Option<Taken> = serde_json::from_slice(&bytes).ok();
        let same = found.filter(|found| {
            let (frames, complaint) = (found.frames, found.complaint.clone());
            Taken { frames, frames_sha256: found.frames_sha256.clone(), complaint, ..taken.clone() } == *found
        });
        match (same, others) {
            (Some(found), _) => {
                let frames: Vec<PathBuf> =
                    (1..=found.frames).map(|number| frames_folder.join(format!("{number:06}.png"))).collect();
                if digest_of(&frames).is_some_and(|digest| digest == found.frames_sha256) {
                    complain(film, &found, note);
                    return Ok(frames);
                }
                note(&format!("{}: its frames are not as they were taken", film.display()));
                remove_file_if_present(&RealDisk, &record).map_err(Failure::failed)?;
            }
            (None, Others::AreKept) => {
                return Err(Failure::usage(format_args!(
                    "{} holds frames of another film, time or size; give another folder with --run-dir, or remove it",
                    folder.display()
                )));
            }
            // First, so that what a killed program leaves is taken for nothing else.
            (None, Others::AreReplaced) => remove_file_if_present(&RealDisk, &record).map_err(Failure::failed)?,
        }
    }
    note(&format!("{}: taking it apart", film.display()));
    let decoded = decode(film, footage, wanted, &frames_folder);
    if interrupt::requested() {
        return Err(Failure::interrupted("interrupted; the same command goes on"));
    }
    let (frames, complaint) = decoded?;
    (taken.frames, taken.complaint) = (frames.len(), complaint);
    taken.frames_sha256 = digest_of(&frames).unwrap_or_default();
    let text = serde_json::to_vec_pretty(&taken).map_err(Failure::failed)?;
    replace_file(&RealDisk, &record, &text).map_err(Failure::failed)?;
    complain(film, &taken, note);
    Ok(frames)
}

/// What stands for all frames; `None` where one cannot be read.
fn digest_of(files: &[PathBuf]) -> Option<String> {
    frames_sha256(files, digest::sha256_of_file).ok()
}

fn complain(film: &Path, taken: &Taken, note: &mut dyn FnMut(&str)) {
    if let Some(complaint) = &taken.complaint {
        note(&format!(
            "{}: a part of it could not be read ({complaint}); {} frames could",
            film.display(),
            taken.frames
        ));
    }
}

/// The pictures of a folder that are wanted.
fn of_folder(film: &Path, choices: &FilmArguments, wanted: Wanted) -> Result<Source, Failure> {
    let frames = frames_in(film)?;
    if frames.is_empty() {
        return Err(Failure::file(film, "has no pictures in it; give a folder of frames, or a film"));
    }
    let rate = choices.rate.unwrap_or(FOLDER_RATE);
    let place = |seconds: f64| (seconds * rate.per_second()).round() as usize;
    let begin = wanted.from.map_or(0, place).min(frames.len());
    let end = wanted.to.map_or(frames.len(), place).clamp(begin, frames.len());
    let frames: Vec<PathBuf> = frames[begin..end].iter().step_by(wanted.every as usize).cloned().collect();
    if frames.is_empty() {
        return Err(Failure::file(film, "has no frames in that time; check --from, --to and --rate"));
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
    Ok(Source { frames, begin, footage, wanted, sound: None })
}
