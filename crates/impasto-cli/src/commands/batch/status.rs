//! `impasto batch status`: what has become of a batch.

use std::collections::BTreeSet;

use impasto_batch::{
    BatchFolder, FilmStatus, Status, TaskList, TaskState, TaskStatus, film_status, status as status_of,
};
use impasto_job::Failure;
use impasto_job::pace::duration;
use serde::Serialize;

use crate::args::BatchStatusArguments;
use crate::show::Output;

/// The last line of `batch status --json`.
#[derive(Serialize)]
struct BatchLine<'batch> {
    event: &'static str,
    #[serde(flatten)]
    status: &'batch Status,
}

/// A line a task of `batch status --json`.
#[derive(Serialize)]
struct TaskLine<'task> {
    event: &'static str,
    #[serde(flatten)]
    task: &'task TaskStatus,
}

/// A line a film of `batch status --json`.
#[derive(Serialize)]
struct FilmLine<'film> {
    event: &'static str,
    #[serde(flatten)]
    film: &'film FilmStatus,
}

/// Says it.
///
/// # Errors
/// No batch; its tasks cannot be read.
pub fn status(arguments: &BatchStatusArguments, mut output: Output) -> Result<(), Failure> {
    let folder = BatchFolder::open(&arguments.folder)?;
    let list = TaskList::open(&folder.tasks())?;
    let mut done = BTreeSet::new();
    let status = status_of(&folder, &list, arguments.whole, &mut |task| {
        done.extend((task.state == TaskState::Done).then_some(task.number));
        match arguments.json {
            true => output.json(&TaskLine { event: "task", task: &task }),
            false => sentence(&task).into_iter().for_each(|sentence| output.line(&sentence)),
        }
    })?;
    for film in film_status(&folder, &list, &done, arguments.whole)? {
        match arguments.json {
            true => output.json(&FilmLine { event: "film", film: &film }),
            false => output.line(&film_sentence(&film)),
        }
    }
    match arguments.json {
        true => output.json(&BatchLine { event: "batch", status: &status }),
        false => output.line(&sum(&status)),
    }
    output.finish()
}

/// A line for a task that is neither done nor left: people ask for those.
fn sentence(task: &TaskStatus) -> Option<String> {
    let evaluations = match (task.frames, task.evaluations) {
        (Some(frames), _) => format!(" after {frames} frames"),
        (None, Some(count)) => format!(" after {count} evaluations"),
        (None, None) => String::new(),
    };
    let reason = task.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let state = match task.state {
        TaskState::Done => return None,
        TaskState::Left if task.reason.is_none() => return None,
        TaskState::Left => "to be painted again",
        TaskState::Running => "running",
        TaskState::Stopped => "stopped",
        TaskState::Failed => "failed",
    };
    Some(plain(&format!("{}  {}  {state}{evaluations}{reason}", task.number, task.output)))
}

fn film_sentence(film: &FilmStatus) -> String {
    let FilmStatus { output, shots, done, is_whole } = film;
    let state = if *is_whole { "put together" } else { "not put together" };
    plain(&format!("{output}  {done} of {shots} shots done, {state}"))
}

fn sum(status: &Status) -> String {
    let Status { tasks, done, running, stopped, failed, left, seconds_left } = status;
    let mut parts = vec![format!("{done} of {tasks} done")];
    for (count, what) in [(running, "running"), (stopped, "stopped"), (failed, "failed"), (left, "left")] {
        if *count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if *seconds_left > 0.0 {
        parts.push(format!("about {} of work", duration(*seconds_left)));
    }
    parts.join(", ")
}

/// A file name may hold anything; a line stays one.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}
