//! What goes over the wire, as it stands in the documentation: each a type that its schema is made from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::{Digest, RunId};

/// An image that the studio has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImageInfo {
    /// The SHA-256 of its file.
    pub id: Digest,
    /// Its file's name.
    pub name: String,
    /// Width in pixels, upright.
    pub width: usize,
    /// Height in pixels, upright.
    pub height: usize,
    /// Whether some of it is transparent.
    pub has_alpha: bool,
}

/// A mask that the studio has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MaskInfo {
    /// The SHA-256 of its file.
    pub id: Digest,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Extent {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

/// What has become of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It stands in line.
    Waiting,
    /// Its images are read, and its paintings looked at.
    Preparing,
    /// It paints.
    Painting,
    /// It waits between two evaluations until it is told to go on.
    Paused,
    /// It stops after its evaluation.
    Stopping,
    /// It was stopped, and can be gone on with.
    Stopped,
    /// Its picture is done.
    Finished,
    /// It could not go on.
    Failed,
}

impl Stage {
    /// Whether something will still happen to it by itself, or is happening.
    pub fn is_alive(self) -> bool {
        !matches!(self, Stage::Stopped | Stage::Finished | Stage::Failed)
    }
}

/// Losses of one evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Losses {
    /// What is minimised.
    pub total: f64,
    /// The content loss, before its weight.
    pub content: f64,
    /// The style loss, before its weight.
    pub style: f64,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunInfo {
    /// Its identifier.
    pub id: RunId,
    /// The run that it was branched from, or painted larger from.
    pub parent: Option<RunId>,
    /// The parent's evaluations where it was branched; none where it was painted larger.
    pub branched_at: Option<u32>,
    /// What people call it.
    pub name: String,
    /// What has become of it.
    pub state: Stage,
    /// Why it failed, a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The preset.
    pub preset: String,
    /// The picture's size; 0 until the photo is read.
    pub size: Extent,
    /// The size that is painted at now.
    pub painted: Extent,
    /// Evaluations that were made, rejected ones included.
    pub evaluation: u32,
    /// Evaluations that it has in all.
    pub evaluations: u64,
    /// Seconds of work.
    pub seconds: f64,
    /// Seconds until the picture, as far as can be told.
    pub seconds_left: Option<f64>,
    /// Most memory of the program so far, in MiB.
    pub memory_mib: Option<u64>,
    /// What paints it, or shall.
    pub device: String,
    /// Counts pictures: the revision of the newest; 0 for none.
    pub revision: u32,
    /// The last losses.
    pub loss: Option<Losses>,
    /// How many runs are before it in line, and itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place_in_line: Option<usize>,
    /// When it was begun or put in line, in seconds since 1970.
    pub created_s: u64,
    /// Whether another program paints it.
    pub elsewhere: bool,
    /// The photo.
    pub content: Option<ImageInfo>,
    /// The paintings.
    pub styles: Vec<ImageInfo>,
    /// Whether the last change can be undone.
    pub can_undo: bool,
    /// Whether the last change that was undone can be made again.
    pub can_redo: bool,
}

/// The runs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunInfo>,
}

/// Losses of every accepted evaluation, a column each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct LossColumns {
    /// Evaluations until then, rejected ones included.
    pub evaluation: Vec<u32>,
    /// What is minimised.
    pub total: Vec<f64>,
    /// The content loss, before its weight.
    pub content: Vec<f64>,
    /// The style loss, before its weight.
    pub style: Vec<f64>,
    /// Each layer's, by its name; ` content` stands behind a content layer's where a style layer has the same.
    pub layers: BTreeMap<String, Vec<f64>>,
}

/// A run and all that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunDetail {
    /// As it is listed.
    #[serde(flatten)]
    pub run: RunInfo,
    /// Its recipe: resolved, once it has begun.
    pub recipe: Value,
    /// The changes that were made on the way.
    pub timeline: Vec<Value>,
    /// The value of each dial now.
    pub controls: Map<String, Value>,
    /// Its losses.
    pub losses: LossColumns,
    /// What a person should know of it, a sentence each.
    pub notes: Vec<String>,
}

/// What shall be painted.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRun {
    /// The photo: an image's identifier.
    pub content: String,
    /// The paintings: images' identifiers.
    #[serde(default)]
    pub styles: Vec<String>,
    /// Fields of a recipe (`impasto recipe --schema`); masks are named by their identifiers, and so is a picture to start from.
    #[serde(default)]
    pub recipe: Map<String, Value>,
    /// What shall paint: auto, cpu, gpu or gpu:N; the studio's own where it is absent.
    #[serde(default)]
    pub device: Option<String>,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
}

/// Values that shall be others from the next evaluation on.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Fields of a recipe.
    pub set: Map<String, Value>,
}

/// A second run from a state of this one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// Fields of a recipe that shall be others.
    #[serde(default)]
    pub set: Map<String, Value>,
    /// The evaluation to begin from; the newest state where it is absent.
    #[serde(default)]
    pub from: Option<u32>,
}

/// A change was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Taken {
    /// The evaluation that it counts from on; absent where it is told by an event `applied`.
    pub before_evaluation: Option<u32>,
}

/// What has become of a run by what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Standing {
    /// Its state.
    pub state: Stage,
}

/// A new run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Begun {
    /// Its identifier.
    pub id: RunId,
}

/// Evaluations at a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ForecastSize {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Evaluations.
    pub evaluations: u32,
}

/// What a run would take.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Forecast {
    /// Seconds to the picture, once it is its turn.
    pub seconds: f64,
    /// Most memory at once, in MiB.
    pub memory_mib: u64,
    /// The picture's width in pixels.
    pub width: usize,
    /// The picture's height in pixels.
    pub height: usize,
    /// The sizes, coarse to fine.
    pub sizes: Vec<ForecastSize>,
}

/// A run as a command line.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CommandLine {
    /// What to type, where the images and the recipe lie in the current folder.
    pub command: String,
    /// The recipe, for the file that the command names.
    pub recipe: Value,
    /// What that file is called.
    pub recipe_file: String,
}

/// A preset.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PresetInfo {
    /// Its name.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// The value of each dial, and its size and evaluations.
    pub values: Map<String, Value>,
}

/// Something that can paint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeviceInfo {
    /// As it is chosen: cpu, gpu:0.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// What the studio takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LimitInfo {
    /// Largest file, in MiB.
    pub upload_mib: u64,
    /// Largest image, in millions of pixels.
    pub megapixels: u64,
    /// Runs that wait, at most.
    pub waiting: usize,
}

/// A photo and a painting that come with the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Example {
    /// What people call it.
    pub name: String,
    /// The photo.
    pub content: ImageInfo,
    /// The painting.
    pub style: ImageInfo,
}

/// What there is to choose from.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StudioInfo {
    /// The program's version.
    pub version: &'static str,
    /// The presets.
    pub presets: Vec<PresetInfo>,
    /// What can paint here, as far as it is known yet.
    pub devices: Vec<DeviceInfo>,
    /// What paints where nothing else is chosen.
    pub device: String,
    /// What it takes.
    pub limits: LimitInfo,
    /// Pictures to begin with.
    pub examples: Vec<Example>,
}

/// The server is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Health {
    /// Always true.
    pub ok: bool,
    /// The program's version.
    pub version: &'static str,
}
