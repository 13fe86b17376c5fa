//! The folder of a run: its fixed layout, and what its files say. docs/runs.md tells the same for users.
//!
//! ```text
//!   RUN/run.json         what the run is (RunRecord); written before any work, and again when it is finished
//!   RUN/metrics.jsonl    a line an accepted evaluation (Metrics)
//!   RUN/frames/          000001.png ...: pictures on the way, named by iteration
//!   RUN/inputs/          copies of the images, under the names that run.json gives
//!   RUN/checkpoint-a     the two generations of checkpoints (crate::checkpoint); gone when the run is finished
//!   RUN/checkpoint-b
//!   RUN/last-state       the state at the end, where it was asked for: a branch may begin there
//!   RUN/result.png       the picture: the finished one, or the one so far where the run was interrupted
//!   RUN/.lock            held by the program that works on the run (crate::disk::Lock)
//! ```
//!
//! A folder is a run from the moment that `run.json` is there. Everything here reads; [`crate::recorder`] writes.

mod metrics;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use impasto_vgg::Layer;
use serde::{Deserialize, Serialize};

use crate::disk::{DiskError, Lock, is_temporary, read_file};
use crate::image_file::exif::KeptExif;
use crate::recipe::RECIPE_LIMIT_BYTES;
use crate::recipe::resolve::ResolvedRecipe;
use crate::run::scales::Scale;

pub(crate) use metrics::{METRICS_LIMIT_MIB, whole_lines};
pub use metrics::{Metrics, last_metrics, read_metrics};

/// The layout that this program writes, and the only one that it reads.
pub const LAYOUT: u32 = 1;

/// The format of `run.json` that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 3;

/// The format of a `run.json` from before there was a number.
fn first_format() -> u32 {
    1
}

/// What the run is.
pub const RECORD: &str = "run.json";
/// A line an accepted evaluation.
pub const METRICS: &str = "metrics.jsonl";
/// Folder of the pictures on the way.
pub const FRAMES: &str = "frames";
/// Folder of the copies of the images.
pub const INPUTS: &str = "inputs";
/// The picture.
pub const RESULT: &str = "result.png";
/// Held by the program that works on the run.
pub const LOCK: &str = ".lock";

/// The longest `run.json` that is read, in MiB: the recipe and as much again.
const RECORD_LIMIT_MIB: u64 = (4 * RECIPE_LIMIT_BYTES as u64).div_ceil(1 << 20);

/// `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT`], of the fields of this file.
    #[serde(default = "first_format")]
    pub format: u32,
    /// [`LAYOUT`], of the folder.
    pub layout: u32,
    /// The version of impasto that began the run.
    pub program: String,
    /// When it began, in UTC: `2026-11-24T22:10:03Z`.
    pub started: String,
    /// What it began on.
    pub machine: Machine,
    /// The resolved recipe, with the images' names as they were given.
    pub recipe: ResolvedRecipe,
    /// The sizes, coarse to fine, with their evaluations.
    pub scales: Vec<Scale>,
    /// The images.
    pub inputs: Inputs,
    /// How the images were read.
    pub reading: Reading,
    /// Where the picture goes beside `result.png`: an absolute path.
    pub output: Option<PathBuf>,
    /// Bits a sample of `result.png`, and of the output where its format has them: 8 or 16.
    pub depth: u8,
    /// Quality of a JPEG, 1 to 100.
    pub quality: u8,
    /// What of the photo's EXIF data the picture has.
    #[serde(default, skip_serializing_if = "KeptExif::is_nothing")]
    pub exif: KeptExif,
    /// What is written on the way.
    pub saving: Saving,
    /// The weights of style layers as they were ordered, where that was in proportion to paintings; the recipe's are plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_proportion: Option<BTreeMap<Layer, f64>>,
    /// Which run it is a branch of, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchOf>,
    /// How the run ended; absent until it is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunOutcome>,
}

/// The machine that a run began on; for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// `linux`, `macos`, `windows`.
    pub system: String,
    /// `x86_64`, `aarch64`.
    pub architecture: String,
    /// The processor's name, where the system says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// Logical processors that the program may use.
    pub processors: usize,
    /// The engine, as in `cpu avx512`.
    pub engine: String,
}

/// The files that a run is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// The photo.
    pub content: Input,
    /// The paintings, in their order.
    pub styles: Vec<Input>,
    /// The picture that it starts from, where the recipe names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Input>,
    /// Masks: region by region its own and its painting's, as far as there are any, then the labels and the emphasis.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masks: Vec<Input>,
    /// Masks of the recipe's timeline, each once, by the names that it has for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_masks: Vec<Input>,
    /// The weights, where they are not inside the program. They are large, so they are not copied: `file` is absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Input>,
}

/// A file that a run is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The name that it was given under, without its folder.
    pub name: String,
    /// Where it is: a path from the run's folder, or an absolute one.
    pub file: PathBuf,
    /// Its SHA-256, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// How the images of a run were read; the fields are those of [`crate::image_file::read::ReadLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is documented once, in ReadLimits")]
pub struct Reading {
    pub megapixels: u64,
    pub lenient: bool,
}

/// What is written on the way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saving {
    /// Which iterations get a picture.
    pub frames: FrameSchedule,
    /// Seconds between checkpoints.
    pub checkpoint_every_s: f64,
    /// Whether a slow disk makes the time between checkpoints longer, so that they take at most a fiftieth of it.
    pub checkpoint_may_wait: bool,
    /// Whether the state at the end stays in the folder, so that a branch can begin there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_last_state: bool,
}

/// Which iterations get a picture in `frames/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrameSchedule {
    /// None.
    None,
    /// Every so many.
    Every(u32),
    /// As a widely read TensorFlow port does: 1 to 5, 10, 20, then every 20; and a checkpoint after every 20.
    Tutorial,
}

impl FrameSchedule {
    /// Whether this iteration, counted from 1, gets a picture.
    ///
    /// ```
    /// use impasto::run_folder::FrameSchedule;
    /// let frames: Vec<u32> = (1..=100).filter(|&iteration| FrameSchedule::Tutorial.has_frame(iteration)).collect();
    /// assert_eq!(frames, [1, 2, 3, 4, 5, 10, 20, 40, 60, 80, 100]);
    /// ```
    #[must_use]
    pub fn has_frame(self, iteration: u32) -> bool {
        match self {
            FrameSchedule::None => false,
            FrameSchedule::Every(count) => iteration.is_multiple_of(count.max(1)),
            FrameSchedule::Tutorial => matches!(iteration, 1..=5 | 10) || iteration.is_multiple_of(20),
        }
    }

    /// Whether this iteration gets a checkpoint, whatever the time.
    #[must_use]
    pub(crate) fn has_checkpoint(self, iteration: u32) -> bool {
        self == FrameSchedule::Tutorial && iteration > 0 && iteration.is_multiple_of(20)
    }
}

/// How a finished run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// Accepted evaluations.
    pub iterations: u32,
    /// Evaluations.
    pub evaluations: u32,
    /// The loss of the picture.
    pub loss: Option<f64>,
    /// Seconds of work, over all the times that the run was gone on with.
    pub seconds: f64,
    /// When it was finished, in UTC.
    pub finished: String,
}

/// Which run another is a branch of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchOf {
    /// Its folder, an absolute path.
    pub parent: PathBuf,
    /// The last evaluation that both have.
    pub after_evaluation: u32,
}

/// A folder that is no run, or a file in it that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RunFolderError {
    /// There is no `run.json`.
    #[error("{} is not the folder of a run, for there is no {RECORD} in it; `impasto runs` lists runs", folder.display())]
    NoRun {
        /// The folder.
        folder: PathBuf,
    },
    /// `run.json` is not what this program writes.
    #[error("{} cannot be read ({reason}); the images in {INPUTS} beside it are whole, so paint again into another folder", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another version's folder.
    #[error("{} has layout {found}, and this impasto reads {LAYOUT}; use the version that began the run", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: u64,
    },
    /// A `run.json` of a format that is yet to come.
    #[error("{} has format {found}, and this impasto reads formats up to {FORMAT}; use the version that began the run", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The folder is somebody's.
    #[error("the folder {} has other things in it ({found}); give a new folder or an empty one", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
        /// One of them.
        found: String,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The run that is in the folder; `None` where there is none, but where one may be begun.
///
/// # Errors
/// A folder of other things, a file of that name, a run that cannot be read.
pub fn look(folder: &Path) -> Result<Option<RunRecord>, RunFolderError> {
    if !folder.exists() {
        return Ok(None);
    }
    if !folder.is_dir() {
        return Err(DiskError::NotAFolder { path: folder.to_owned() }.into());
    }
    match read_record(folder) {
        Err(RunFolderError::NoRun { .. }) => {}
        read => return read.map(Some),
    }
    // What a program that was killed on its way to run.json has left is nobody's.
    let entries = std::fs::read_dir(folder);
    let entries = entries.map_err(|source| DiskError::Unreadable { path: folder.to_owned(), source })?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_ours = |name: &String| [LOCK, INPUTS, FRAMES, METRICS].contains(&name.as_str()) || is_temporary(name);
    match names.into_iter().find(|name| !is_ours(name)) {
        Some(found) => Err(RunFolderError::NotEmpty { folder: folder.to_owned(), found }),
        None => Ok(None),
    }
}

/// Reads `run.json`.
///
/// # Errors
/// See [`RunFolderError`].
pub fn read_record(folder: &Path) -> Result<RunRecord, RunFolderError> {
    let path = folder.join(RECORD);
    let bytes = match read_file(&path, RECORD_LIMIT_MIB) {
        Err(DiskError::Missing { .. }) if folder.is_dir() => {
            return Err(RunFolderError::NoRun { folder: folder.to_owned() });
        }
        // A folder that is not there is named itself.
        Err(DiskError::Missing { .. }) => return Err(DiskError::Missing { path: folder.to_owned() }.into()),
        read => read?,
    };
    let unreadable =
        |error: serde_json::Error| RunFolderError::Record { path: path.clone(), reason: error.to_string() };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(unreadable)?;
    match value.get("layout").and_then(serde_json::Value::as_u64) {
        Some(found) if found != u64::from(LAYOUT) => return Err(RunFolderError::Layout { path, found }),
        _ => {}
    }
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(found) if found > u64::from(FORMAT) => Err(RunFolderError::Format { path, found }),
        _ => serde_json::from_value(value).map_err(unreadable),
    }
}

/// Where the picture of an iteration lies.
///
/// ```
/// use impasto::run_folder::frame_path;
/// assert_eq!(frame_path("run".as_ref(), 20), std::path::Path::new("run/frames/000020.png"));
/// ```
#[must_use]
pub fn frame_path(folder: &Path, iteration: u32) -> PathBuf {
    folder.join(FRAMES).join(format!("{iteration:06}.png"))
}

/// The pictures on the way, with their iterations, in order.
#[must_use]
pub fn frames(folder: &Path) -> Vec<(u32, PathBuf)> {
    let entries = std::fs::read_dir(folder.join(FRAMES)).into_iter().flatten().flatten();
    let mut frames: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let iteration = entry.file_name().to_str()?.strip_suffix(".png")?.parse().ok()?;
            Some((iteration, entry.path()))
        })
        .collect();
    frames.sort();
    frames
}

/// What has become of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// A program works on it.
    Running,
    /// Its picture is done.
    Finished,
    /// It was interrupted or killed, and can be gone on with.
    Stopped,
}

/// What has become of the run in this folder.
#[must_use]
pub fn state(folder: &Path, record: &RunRecord) -> RunState {
    match record.outcome {
        Some(_) => RunState::Finished,
        None if Lock::is_held(&folder.join(LOCK)) => RunState::Running,
        None => RunState::Stopped,
    }
}
