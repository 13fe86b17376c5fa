//! Films of a batch: what is kept of each beside its frames, and which shots are put together to a whole one.
//!
//! ```text
//!   films/NAME/film.json                       what a film is, and its shots
//!   films/NAME/source/000001.png ...           its frames, where they did not come in a folder of their own
//!   films/NAME-PAINTING/shot-000001/ ...       its shots as they are painted, each named by its first frame
//!   films/NAME-PAINTING.mp4                    the whole; NAME-PAINTING-frames/ where it came as a folder
//!   done/film-NAME-PAINTING.json               the receipt of that
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use impasto::digest::{sha256, sha256_of_file};
use impasto::disk::{RealDisk, read_file, replace_file};
use impasto_film::shots::Shot;
use impasto_job::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digests::Digests;
use crate::folder::{BatchFolder, FILMS};
use crate::names::Names;
use crate::paths::{real, to_text};
use crate::receipt::{FilmReceipt, Receipt, read};
use crate::shot::{PaintedFrames, SHOT};
use crate::standing::{Look, Standing};
use crate::task::Task;
use crate::tasks::TaskList;

/// The format of `film.json`.
const FORMAT: u32 = 1;

/// The record's name in a film's folder.
const RECORD: &str = "film.json";

/// The longest record that is read, in MiB.
const LIMIT_MIB: u64 = 16;

/// What the folder of a film's whole frames ends with.
const FRAMES: &str = "-frames";

/// `films/NAME/film.json`: what a film is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedFilm {
    /// 1.
    pub format: u32,
    /// The film, or the folder of its frames, named as files are.
    pub film: String,
    /// Its first frame, counted from 1 among the pictures of the folder of frames.
    pub first: usize,
    /// One of so many pictures there is a frame.
    pub every: usize,
    /// Frames in all.
    pub frames: usize,
    /// SHA-256 of the SHA-256s of all.
    pub frames_sha256: String,
    /// Whether cuts were looked for.
    pub cuts: bool,
    /// The shots.
    pub shots: Vec<Shot>,
    /// What the whole film's name ends with, as in `mp4`; none where it is a folder of frames.
    pub extension: Option<String>,
    /// How frames become a film again: the front end's, and nothing in it is looked at here.
    pub making: Value,
}

/// Where a film lies in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilmPlace {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
}

impl PlannedFilm {
    /// That of the film of this name; `None` where there is none, or it cannot be read.
    #[must_use]
    pub fn read(root: &Path, name: &str) -> Option<PlannedFilm> {
        let bytes = read_file(&root.join(FILMS).join(name).join(RECORD), LIMIT_MIB).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|film: &PlannedFilm| film.format == FORMAT)
    }

    /// A new one, of which the shots are not known yet.
    #[must_use]
    pub fn new(film: String, extension: Option<String>, making: Value) -> PlannedFilm {
        let (frames_sha256, shots) = (String::new(), Vec::new());
        PlannedFilm {
            format: FORMAT,
            film,
            first: 1,
            every: 1,
            frames: 0,
            frames_sha256,
            cuts: true,
            shots,
            extension,
            making,
        }
    }

    /// Whether its shots are all of its frames, in their order.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let mut next = 0;
        let follow = self.shots.iter().all(|shot| {
            let follows = shot.first == next && shot.frames > 0;
            next = shot.range().end;
            follows
        });
        follow && next == self.frames
    }

    /// Writes it into the film's folder.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        // Texts and numbers: this cannot fail.
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        replace_file(&RealDisk, &folder.join(RECORD), text.as_bytes()).map_err(Failure::failed)
    }
}

/// Where these films lie in the batch that is or will be in `root`, each by a name of its own: the one that it has there already, else one
/// of the file's. Nothing is made yet.
///
/// # Errors
/// As [`BatchFolder::to_be`]; a name that is no text in UTF-8.
pub fn film_places(root: &Path, films: &[PathBuf]) -> Result<Vec<FilmPlace>, Failure> {
    BatchFolder::to_be(root)?;
    let root = root.canonicalize().unwrap_or_else(|_| real(root));
    let (mut names, mut known) = (Names::default(), BTreeMap::new());
    for entry in std::fs::read_dir(root.join(FILMS)).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        match PlannedFilm::read(&root, &name) {
            Some(film) => drop(known.insert(film.film, name.clone())),
            // What was taken apart and not planned may be taken up again.
            None if !is_taken(&entry.path()) => continue,
            None => {}
        }
        names.take(&name);
    }
    let mut places = Vec::new();
    for film in films {
        let text = to_text(&root, &real(film))?;
        let stem = if film.is_dir() { film.file_name() } else { film.file_stem() };
        let given = || names.give_folder(&stem.unwrap_or_default().to_string_lossy());
        let name = known.get(&text).cloned().unwrap_or_else(given);
        places.push(FilmPlace { folder: root.join(FILMS).join(&name), name });
    }
    Ok(places)
}

/// Whether something other than a film that was taken apart lies there.
fn is_taken(path: &Path) -> bool {
    let names = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name());
    path.is_file() || names.into_iter().any(|name| name.to_string_lossy().starts_with(SHOT))
}

/// A shot that is done, and its receipt.
pub type DoneShot = (Task, Box<Receipt>);

/// A film after its paintings.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeFilm {
    /// The name of both.
    pub stem: String,
    /// The positions of its shots in the list, in the order of time.
    pub positions: Vec<usize>,
    /// The film itself; the sentence why not, where its record and its tasks do not fit each other.
    pub film: Result<PlannedFilm, String>,
    /// The whole: a path from the batch's folder.
    pub output: String,
}

/// What has become of a film after its paintings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FilmStatus {
    /// The whole: a path from the batch's folder.
    pub output: String,
    /// How many shots it has.
    pub shots: usize,
    /// How many of them are done.
    pub done: usize,
    /// Whether the whole stands, and is of these shots.
    pub is_whole: bool,
}

/// The stems of the films of which these tasks are shots, each once.
pub fn stems(list: &TaskList, positions: &[usize]) -> Vec<String> {
    let mut stems: Vec<String> =
        positions.iter().filter_map(|position| list.entries()[*position].film.clone()).collect();
    stems.sort();
    stems.dedup();
    stems
}

impl WholeFilm {
    /// The film of this stem.
    ///
    /// # Errors
    /// The list cannot be read any more.
    pub fn of(folder: &BatchFolder, list: &TaskList, stem: &str) -> Result<WholeFilm, Failure> {
        let is_of_it = |position: &usize| list.entries()[*position].film.as_deref() == Some(stem);
        let mut shots = Vec::new();
        for position in (0..list.entries().len()).filter(is_of_it) {
            shots.extend(list.read(position)?.0.shot.map(|shot| (shot, position)));
        }
        shots.sort_by_key(|(shot, position)| (shot.first, *position));
        let name = shots.first().map(|(shot, _)| shot.film.clone()).unwrap_or_default();
        let film = PlannedFilm::read(folder.root(), &name)
            .ok_or_else(|| format!("{FILMS}/{name}/{RECORD} cannot be read; plan the batch again"));
        let film = film.and_then(|film| {
            let mut next = film.first;
            let follow = shots.iter().all(|(shot, _)| {
                let follows = shot.first == next && shot.every == film.every && shot.film == name;
                next = shot.first.saturating_add(shot.frames.saturating_mul(shot.every));
                follows
            });
            let is_all = shots.iter().map(|(shot, _)| shot.frames).sum::<usize>() == film.frames;
            match follow && is_all {
                true => Ok(film),
                false => Err(format!("its tasks are not all the shots of {name}; plan the batch again")),
            }
        });
        let extension = film.as_ref().ok().and_then(|film| film.extension.clone());
        let output = match extension {
            Some(extension) => format!("{FILMS}/{stem}.{extension}"),
            None => format!("{FILMS}/{stem}{FRAMES}"),
        };
        let positions = shots.into_iter().map(|(_, position)| position).collect();
        Ok(WholeFilm { stem: stem.to_owned(), positions, film, output })
    }

    /// Those of its shots that are done, by all their bytes.
    ///
    /// # Errors
    /// The list cannot be read any more.
    pub fn shots(&self, folder: &BatchFolder, list: &TaskList) -> Result<Vec<DoneShot>, Failure> {
        let (mut shots, mut digests) = (Vec::new(), Digests::default());
        for position in &self.positions {
            let (task, digest) = list.read(*position)?;
            if let Standing::Done(receipt) = Standing::of(folder, &task, &digest, Look::Whole, &mut digests) {
                shots.push((task, receipt));
            }
        }
        Ok(shots)
    }

    /// Whether these are all of its shots.
    pub fn is_all(&self, shots: &[DoneShot]) -> bool {
        shots.len() == self.positions.len()
    }

    /// What the whole is made of, in one digest.
    pub fn made_of(&self, shots: &[DoneShot]) -> String {
        let making = self.film.as_ref().map(|film| film.making.to_string()).unwrap_or_default();
        let sums = shots.iter().map(|(_, receipt)| receipt.output_sha256.as_str());
        sha256([making.as_str()].into_iter().chain(sums).collect::<Vec<_>>().join("\n").as_bytes())
    }

    /// Whether the whole stands, and is of these shots.
    pub fn stands(&self, folder: &BatchFolder, shots: &[DoneShot], look: Look) -> bool {
        let receipt = read::<FilmReceipt>(&folder.film_receipt(&self.stem));
        receipt.is_some_and(|receipt| {
            let is_of_it = receipt.made_of == self.made_of(shots) && receipt.output == self.output;
            is_of_it
                && self.found(folder, look).is_some_and(|(bytes, sum)| {
                    bytes == receipt.output_bytes && sum.is_none_or(|sum| sum == receipt.output_sha256)
                })
        })
    }

    /// Bytes of the whole as it is, and with a whole look its digest; `None` where it is not there.
    pub fn found(&self, folder: &BatchFolder, look: Look) -> Option<(u64, Option<String>)> {
        let path = folder.root().join(&self.output);
        let is_file = self.film.as_ref().is_ok_and(|film| film.extension.is_some());
        if is_file {
            let bytes = path.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
            return Some((bytes, (look == Look::Whole).then(|| sha256_of_file(&path).unwrap_or_default())));
        }
        let frames = PaintedFrames::of(&path)?;
        Some((frames.bytes, (look == Look::Whole).then(|| frames.digest().unwrap_or_default())))
    }

    /// Those of its shots of which there is a receipt; whether that is still right is not looked at.
    ///
    /// # Errors
    /// The list cannot be read any more.
    pub fn receipts(&self, folder: &BatchFolder, list: &TaskList) -> Result<Vec<DoneShot>, Failure> {
        let mut shots = Vec::new();
        for position in &self.positions {
            let (task, digest) = list.read(*position)?;
            let receipt = read::<Receipt>(&folder.receipt(task.number)).filter(|receipt| receipt.task == digest);
            shots.extend(receipt.map(|receipt| (task, Box::new(receipt))));
        }
        Ok(shots)
    }

    /// What has become of it, where the tasks of these numbers are done.
    ///
    /// # Errors
    /// The list cannot be read any more.
    pub fn status(
        &self,
        folder: &BatchFolder,
        list: &TaskList,
        done: &BTreeSet<u32>,
        look: Look,
    ) -> Result<FilmStatus, Failure> {
        let is_done = |position: &&usize| done.contains(&list.entries()[**position].number);
        let (shots, done) = (self.positions.len(), self.positions.iter().filter(is_done).count());
        let is_whole = done == shots && self.film.is_ok() && {
            let receipts = self.receipts(folder, list)?;
            self.is_all(&receipts) && self.stands(folder, &receipts, look)
        };
        Ok(FilmStatus { output: self.output.clone(), shots, done, is_whole })
    }
}
