//! What is kept of a film: `film.json` in its folder, and the frames beside it.
//!
//! ```text
//!   film.json          what the film is of, its choices, its shots
//!   lock               one program works here at a time
//!   pass-1/NAME.png    frames as they were painted; a later pass has a folder of its own
//! ```
//!
//! A frame that is there is whole, and is of the film that `film.json` says: so a film goes on where it was stopped.

use std::path::{Path, PathBuf};

use impasto::digest;
use impasto::disk::{RealDisk, read_file, replace_file};
use impasto_job::Failure;
use serde::{Deserialize, Serialize};

use crate::choices::Choices;
use crate::shots::Shot;

/// The format of `film.json` that this program writes and reads.
pub const FORMAT: u32 = 1;

/// The record's name in its folder.
pub const NAME: &str = "film.json";

/// Held by the program that paints it.
pub const LOCK: &str = "lock";

/// The longest record that is read.
const LIMIT_MIB: u64 = 16;

/// What a film is of: two films of which this is the same have the same frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilmRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of impasto.
    pub program: String,
    /// What was chosen of the film.
    pub choices: Choices,
    /// The resolved recipe of its first frame.
    pub recipe: serde_json::Value,
    /// SHA-256 of the paintings and of other files that the recipe names, in their order.
    pub inputs: Vec<String>,
    /// How many frames there are.
    pub frames: usize,
    /// SHA-256 of the SHA-256s of all frames, in their order.
    pub frames_sha256: String,
    /// The shots; none where they are not known yet.
    #[serde(default)]
    pub shots: Vec<Shot>,
}

/// What stands for all of a film's frames: the SHA-256 of their SHA-256s, in their order.
///
/// # Errors
/// What `sum_of` says of a frame.
pub fn frames_sha256<P: AsRef<Path>, E>(
    frames: &[P],
    mut sum_of: impl FnMut(&Path) -> Result<String, E>,
) -> Result<String, E> {
    let sums = frames.iter().map(|frame| sum_of(frame.as_ref())).collect::<Result<Vec<_>, E>>()?;
    Ok(digest::sha256(sums.concat().as_bytes()))
}

impl FilmRecord {
    /// The record in a folder; `None` where there is none.
    ///
    /// # Errors
    /// One that cannot be read, or of a format that is yet to come.
    pub fn read(folder: &Path) -> Result<Option<FilmRecord>, Failure> {
        let path = folder.join(NAME);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_file(&path, LIMIT_MIB).map_err(Failure::failed)?;
        let unread = |_| Failure::file(&path, "is no film's record; give another folder, or remove it");
        let record: FilmRecord = serde_json::from_slice(&bytes).map_err(unread)?;
        match record.format {
            FORMAT => Ok(Some(record)),
            found => {
                Err(Failure::file(&path, format_args!("has format {found}, and this impasto reads format {FORMAT}")))
            }
        }
    }

    /// Writes it into a folder.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).map_err(Failure::failed)?;
        replace_file(&RealDisk, &folder.join(NAME), &text).map_err(Failure::failed)
    }

    /// In what another film differs from this one, if it does.
    #[must_use]
    pub fn difference(&self, other: &FilmRecord) -> Option<&'static str> {
        let bare = |recipe: &serde_json::Value| {
            let mut recipe = recipe.clone();
            // Notes for people.
            for note in ["engine", "version", "content", "styles"] {
                recipe.as_object_mut().and_then(|fields| fields.remove(note));
            }
            recipe
        };
        match () {
            () if (self.frames, &self.frames_sha256) != (other.frames, &other.frames_sha256) => Some("frames are"),
            () if self.inputs != other.inputs => Some("paintings are"),
            () if bare(&self.recipe) != bare(&other.recipe) => Some("recipe is"),
            () if self.choices != other.choices => Some("choices are"),
            () if self.program != other.program => Some("version of impasto is"),
            () => None,
        }
    }
}

/// Where the frames of a pass lie, counted from 1.
#[must_use]
pub fn pass_folder(folder: &Path, pass: u32) -> PathBuf {
    folder.join(format!("pass-{pass}"))
}
