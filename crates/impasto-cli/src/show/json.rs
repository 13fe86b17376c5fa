//! The lines of a run with `--json`; docs/json.md has them all.

use impasto::recipe::ChangedFields;
use impasto_job::pace::Progress;
use serde::Serialize;

/// One `iteration` line of `--json`.
#[derive(Serialize)]
pub struct IterationLine {
    event: &'static str,
    iteration: u64,
    evaluations: u64,
    loss: f64,
    content: f64,
    style: f64,
    seconds: f64,
    width: usize,
    height: usize,
}

/// The line of `--json` where the recipe changes by its timeline.
#[derive(Serialize)]
pub struct AppliedLine<'run> {
    /// `applied`.
    pub event: &'static str,
    /// The first evaluation that it counts for.
    pub before_evaluation: u32,
    /// What is other from there on.
    pub set: &'run ChangedFields,
}

/// The last line of `--json`.
#[derive(Serialize)]
pub struct DoneLine<'run> {
    /// `done`, `interrupted`, or `failed` where the engine could not go on; there is a picture in each case.
    pub event: &'static str,
    /// The picture's path as typed.
    pub output: &'run str,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Accepted evaluations, all sizes.
    pub iterations: u32,
    /// Evaluations of loss and gradient, all sizes, rejected ones included.
    pub evaluations: u32,
    /// The loss of the picture that was written; null where it was interrupted before the first evaluation.
    pub loss: Option<f64>,
    /// Seconds from the start until the picture was on disk.
    pub seconds: f64,
    /// Most memory that was held at once, in MiB; null where the system does not say.
    pub peak_mib: Option<f64>,
}

impl From<&Progress> for IterationLine {
    fn from(progress: &Progress) -> IterationLine {
        IterationLine {
            event: "iteration",
            iteration: progress.iteration,
            evaluations: progress.evaluations,
            loss: progress.loss,
            content: progress.content,
            style: progress.style,
            seconds: progress.seconds,
            width: progress.width,
            height: progress.height,
        }
    }
}
