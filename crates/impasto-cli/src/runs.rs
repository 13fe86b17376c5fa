//! `impasto runs`: the runs in a folder, and what has become of them.

use std::path::{Path, PathBuf};

use impasto::run_folder::{RECORD, RunFolderError, RunRecord, RunState, last_metrics, read_record, state};
use serde::Serialize;

use crate::args::RunsArguments;
use crate::failure::Failure;
use crate::show::{Output, say};

/// A line of `runs --json`.
#[derive(Serialize)]
struct RunLine {
    run: PathBuf,
    state: RunState,
    evaluations: u32,
    of: u64,
    loss: Option<f64>,
    preset: String,
    width: usize,
    height: usize,
    started: String,
    seconds: f64,
}

/// Lists them, the oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn runs(arguments: &RunsArguments, output: &mut Output) -> Result<(), Failure> {
    let folder = arguments.folder.as_path();
    let mut lines: Vec<RunLine> = Vec::new();
    for run in folders(folder)? {
        match read_record(&run) {
            Ok(record) => lines.push(line(run, &record)),
            // Between the look and the reading somebody may have removed it.
            Err(RunFolderError::NoRun { .. }) => {}
            Err(error) => say(&error.to_string()),
        }
    }
    lines.sort_by(|one, other| (&one.started, &one.run).cmp(&(&other.started, &other.run)));
    if arguments.json {
        lines.iter().for_each(|line| output.json(line));
        return output.finish();
    }
    if lines.is_empty() {
        say(&format!("there is no run in {}; `impasto paint --run-dir` makes one", folder.display()));
    }
    table(&lines).iter().for_each(|line| output.line(line));
    output.finish()
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

fn line(run: PathBuf, record: &RunRecord) -> RunLine {
    let last = last_metrics(&run);
    let full = record.scales.last();
    let done = record.outcome.as_ref().map(|outcome| (outcome.evaluations, outcome.loss, outcome.seconds));
    let so_far = last.map(|last| (last.evaluations, Some(last.loss), last.seconds));
    let (evaluations, loss, seconds) = done.or(so_far).unwrap_or((0, None, 0.0));
    RunLine {
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

/// The lines with their columns below each other.
fn table(lines: &[RunLine]) -> Vec<String> {
    let rows: Vec<[String; 6]> = lines
        .iter()
        .map(|line| {
            let state = match line.state {
                RunState::Finished => format!("finished, {} evaluations", line.evaluations),
                RunState::Running => format!("running, at {} of {}", line.evaluations, line.of),
                RunState::Stopped => format!("stopped at {} of {}", line.evaluations, line.of),
            };
            let loss = line.loss.map_or(String::new(), |loss| format!("loss {loss:.4e}"));
            let size = format!("{}x{}", line.width, line.height);
            let started = line.started.replace('T', " ").trim_end_matches('Z').to_owned();
            [line.run.display().to_string(), state, loss, line.preset.clone(), size, started + " UTC"]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let padded = |row: &[String; 6]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(padded).collect()
}
