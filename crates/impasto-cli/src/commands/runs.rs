//! `impasto runs`: the runs in a folder, and what has become of them.

use std::path::Path;

use impasto::run_folder::RunState;
use impasto_job::Failure;
use impasto_job::runs::{RunSummary, list_runs};

use crate::args::RunsArguments;
use crate::show::{Output, say};

/// Lists them, the oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn runs(arguments: &RunsArguments, output: &mut Output) -> Result<(), Failure> {
    let (runs, complaints) = list_runs(&arguments.folder)?;
    complaints.iter().for_each(|complaint| say(complaint));
    if arguments.json {
        runs.iter().for_each(|run| output.json(run));
        return output.finish();
    }
    if runs.is_empty() {
        say(&nothing_in(&arguments.folder));
    }
    table(&runs).iter().for_each(|line| output.line(line));
    output.finish()
}

/// Where there are none; runs of the studio lie in a folder of theirs.
fn nothing_in(folder: &Path) -> String {
    let below = folder.join("runs");
    match list_runs(&below) {
        Ok((runs, _)) if !runs.is_empty() => {
            format!("there is no run in {}; `impasto runs {}` lists those in there", folder.display(), below.display())
        }
        _ => format!("there is no run in {}; `impasto paint --run-dir` makes one", folder.display()),
    }
}

/// The lines with their columns below each other.
fn table(lines: &[RunSummary]) -> Vec<String> {
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
