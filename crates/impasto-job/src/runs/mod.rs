//! Runs that are kept: listed ([`list_runs`]), and each on a page ([`write_page`]).

mod page;

use std::path::{Path, PathBuf};

use impasto::run_folder::{RECORD, RunFolderError, RunRecord, RunState, last_metrics, read_record, state};
use serde::Serialize;

use crate::failure::Failure;

pub use page::{POLICY, STYLE, WrittenPage, check_name, escaped, show_picture, write_page};

/// A run, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its folder.
    pub run: PathBuf,
    /// What has become of it.
    pub state: RunState,
    /// Evaluations that were made.
    pub evaluations: u32,
    /// Evaluations that it has in all.
    pub of: u64,
    /// The last loss.
    pub loss: Option<f64>,
    /// The preset.
    pub preset: String,
    /// Width of the picture in pixels.
    pub width: usize,
    /// Height of the picture in pixels.
    pub height: usize,
    /// When it began, in UTC.
    pub started: String,
    /// Seconds of work.
    pub seconds: f64,
}

/// The runs in a folder, the oldest first, and what is wrong with those that cannot be read, a sentence each. A folder that
/// is a run itself is one of them.
///
/// # Errors
/// The folder cannot be read.
pub fn list_runs(folder: &Path) -> Result<(Vec<RunSummary>, Vec<String>), Failure> {
    let (mut runs, mut complaints): (Vec<RunSummary>, Vec<String>) = Default::default();
    for run in folders(folder)? {
        match read_record(&run) {
            Ok(record) => runs.push(summary(run, &record)),
            // Between the look and the reading somebody may have removed it.
            Err(RunFolderError::NoRun { .. }) => {}
            Err(error) => complaints.push(error.to_string()),
        }
    }
    runs.sort_by(|one, other| (&one.started, &one.run).cmp(&(&other.started, &other.run)));
    Ok((runs, complaints))
}

/// The folder itself where it is a run, and the runs that lie in it.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let is_run = |folder: &Path| folder.join(RECORD).exists();
    if !folder.is_dir() {
        return Err(Failure::file(folder, "is not a folder; give a folder with runs in it"));
    }
    let unreadable = |error| Failure::file(folder, format_args!("cannot be listed ({error}); give a folder with runs"));
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let inside = entries.flatten().map(|entry| match folder == Path::new(".") {
        true => PathBuf::from(entry.file_name()),
        false => entry.path(),
    });
    Ok([folder.to_owned()].into_iter().chain(inside).filter(|folder| is_run(folder)).collect())
}

fn summary(run: PathBuf, record: &RunRecord) -> RunSummary {
    let last = last_metrics(&run);
    let full = record.scales.last();
    let done = record.outcome.as_ref().map(|outcome| (outcome.evaluations, outcome.loss, outcome.seconds));
    let so_far = last.map(|last| (last.evaluations, Some(last.loss), last.seconds));
    let (evaluations, loss, seconds) = done.or(so_far).unwrap_or((0, None, 0.0));
    RunSummary {
        state: state(&run, record),
        evaluations,
        of: record.scales.iter().map(|scale| u64::from(scale.evaluations)).sum(),
        loss,
        preset: record.recipe.preset.clone(),
        width: full.map_or(0, |full| full.width),
        height: full.map_or(0, |full| full.height),
        started: record.started.clone(),
        seconds,
        run,
    }
}
