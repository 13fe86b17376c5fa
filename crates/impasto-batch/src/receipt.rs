//! What is left of a task: the receipt of a picture or a shot, or the sentence why there is none; and the receipt of a whole film.

use std::path::Path;

use impasto::disk::{RealDisk, read_file, replace_file};
use impasto_job::Failure;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The format of all of them.
pub const FORMAT: u32 = 1;

/// The longest of them that is read, in MiB.
const LIMIT_MIB: u64 = 1;

/// `done/000012.json`: what was painted, of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// 1.
    pub format: u32,
    /// The task's number.
    pub number: u32,
    /// The task's digest ([`Task::digest`](crate::Task::digest)).
    pub task: String,
    /// SHA-256 of the files as they were painted, in the order of [`Task::inputs`](crate::Task::inputs); of a shot then that of the SHA-256s
    /// of its frames.
    pub inputs: Vec<String>,
    /// The picture, or the folder of a shot's frames: a path from the batch's folder.
    pub output: String,
    /// The SHA-256 of its bytes; of a shot that of the SHA-256s of its painted frames.
    pub output_sha256: String,
    /// How many they are.
    pub output_bytes: u64,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The frames of a shot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// Evaluations.
    pub evaluations: u32,
    /// The loss of the picture.
    pub loss: Option<f64>,
    /// The engine that painted it to its end.
    pub engine: String,
    /// The engine that began it, where that was another: then it is the picture of neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_on: Option<String>,
    /// Seconds of work, over all the times that it was gone on with.
    pub seconds: f64,
    /// When it was done, in UTC.
    pub finished: String,
    /// The version of impasto.
    pub program: String,
}

/// `failed/000012.json`: why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// 1.
    pub format: u32,
    /// The task's number.
    pub number: u32,
    /// The task's digest.
    pub task: String,
    /// The sentence.
    pub sentence: String,
    /// As those of a [`Receipt`]; null for those that cannot be read.
    pub inputs: Vec<Option<String>>,
    /// When it failed, in UTC.
    pub failed: String,
}

/// `done/film-NAME.json`: the shots of a film, put together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilmReceipt {
    /// 1.
    pub format: u32,
    /// What it was made of, in one digest: painted frames, and how they become a film.
    pub made_of: String,
    /// The film, or the folder of its frames: a path from the batch's folder.
    pub output: String,
    /// The SHA-256 of its bytes; of a folder that of the SHA-256s of its frames.
    pub output_sha256: String,
    /// How many they are.
    pub output_bytes: u64,
    /// Frames.
    pub frames: usize,
    /// Shots.
    pub shots: usize,
    /// When it was done, in UTC.
    pub finished: String,
    /// The version of the program.
    pub program: String,
}

/// Reads one of them; `None` where it is not there, or is not one.
pub fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&read_file(path, LIMIT_MIB).ok()?).ok()
}

/// Writes one of them.
///
/// # Errors
/// What the disk refuses.
pub fn write(path: &Path, what: &impl Serialize) -> Result<(), Failure> {
    // Texts and numbers: this cannot fail.
    let text = serde_json::to_string_pretty(what).unwrap_or_default() + "\n";
    replace_file(&RealDisk, path, text.as_bytes()).map_err(Failure::failed)
}
