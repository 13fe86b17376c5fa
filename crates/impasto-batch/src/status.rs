//! What has become of a batch, for people and scripts: a look, and nothing is changed.

use std::collections::BTreeSet;

use impasto::disk::Lock;
use impasto::run_folder::last_metrics;
use impasto_film::record::pass_folder;
use impasto_job::Failure;
use serde::Serialize;

use crate::digests::Digests;
use crate::films::{FilmStatus, WholeFilm, stems};
use crate::folder::BatchFolder;
use crate::receipt::Receipt;
use crate::shot::PaintedFrames;
use crate::standing::{Look, Standing};
use crate::task::Task;
use crate::tasks::TaskList;

/// What has become of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Its picture stands.
    Done,
    /// A program works on it.
    Running,
    /// It was begun, and can be gone on with.
    Stopped,
    /// It failed.
    Failed,
    /// It is to be done.
    Left,
}

/// A task, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskStatus {
    /// Its number.
    pub number: u32,
    /// What has become of it.
    pub state: TaskState,
    /// The picture.
    pub output: String,
    /// Photo and paintings, as people say it.
    #[serde(skip)]
    pub title: String,
    /// Evaluations that were made.
    pub evaluations: Option<u32>,
    /// Of a shot its frames that are painted, in its first pass; none of a picture, and before the first.
    pub frames: Option<usize>,
    /// The sentence why it failed, or why it is painted again.
    pub reason: Option<String>,
    /// Seconds of work; of one that is not done, as they were forecast.
    pub seconds: f64,
    /// What was painted, where it is done.
    #[serde(skip)]
    pub receipt: Option<Box<Receipt>>,
}

/// What has become of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// Tasks in all.
    pub tasks: usize,
    /// Those that are done.
    pub done: usize,
    /// Those that a program works on.
    pub running: usize,
    /// Those that were begun and wait for a program.
    pub stopped: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that nobody has begun.
    pub left: usize,
    /// Seconds that what is not done and has not failed takes, one after another, as they were forecast where it was planned.
    pub seconds_left: f64,
}

/// Looks at all tasks, and tells of each. Of a picture its length is looked at, or with `is_whole` all its bytes.
///
/// # Errors
/// The file of tasks cannot be read any more.
pub fn status(
    folder: &BatchFolder,
    list: &TaskList,
    is_whole: bool,
    tell: &mut dyn FnMut(TaskStatus),
) -> Result<Status, Failure> {
    let (mut status, mut digests) = (Status { tasks: list.entries().len(), ..Status::default() }, Digests::default());
    for position in 0..list.entries().len() {
        let (task, digest) = list.read(position)?;
        let look = if is_whole { Look::Whole } else { Look::Quick };
        let of_task = task_status(folder, &task, &digest, look, &mut digests);
        let count = match of_task.state {
            TaskState::Done => &mut status.done,
            TaskState::Running => &mut status.running,
            TaskState::Stopped => &mut status.stopped,
            TaskState::Failed => &mut status.failed,
            TaskState::Left => &mut status.left,
        };
        *count += 1;
        if !matches!(of_task.state, TaskState::Done | TaskState::Failed) {
            status.seconds_left += task.seconds;
        }
        tell(of_task);
    }
    Ok(status)
}

/// What has become of all films of which the batch has shots, where the tasks of these numbers are done; they are looked at as the
/// pictures are.
///
/// # Errors
/// As [`status`].
pub fn film_status(
    folder: &BatchFolder,
    list: &TaskList,
    done: &BTreeSet<u32>,
    is_whole: bool,
) -> Result<Vec<FilmStatus>, Failure> {
    let look = if is_whole { Look::Whole } else { Look::Quick };
    let all: Vec<usize> = (0..list.entries().len()).collect();
    let status = |stem: &String| WholeFilm::of(folder, list, stem)?.status(folder, list, done, look);
    stems(list, &all).iter().map(status).collect()
}

fn task_status(folder: &BatchFolder, task: &Task, digest: &str, look: Look, digests: &mut Digests) -> TaskStatus {
    let standing = Standing::of(folder, task, digest, look, digests);
    let run = folder.run(task.number, digest);
    let mut of_task = TaskStatus {
        number: task.number,
        state: TaskState::Left,
        output: task.output.clone(),
        title: task.title(),
        evaluations: None,
        frames: None,
        reason: None,
        seconds: task.seconds,
        receipt: None,
    };
    match standing {
        Standing::Done(receipt) => {
            of_task.state = TaskState::Done;
            (of_task.evaluations, of_task.seconds) = (Some(receipt.evaluations), receipt.seconds);
            of_task.frames = receipt.frames;
            of_task.receipt = Some(receipt);
            return of_task;
        }
        Standing::Failed(failed) => (of_task.state, of_task.reason) = (TaskState::Failed, Some(failed.sentence)),
        Standing::Left(why) => of_task.reason = why,
    }
    match &task.shot {
        Some(_) => of_task.frames = PaintedFrames::of(&pass_folder(&run, 1)).map(|painted| painted.files.len()),
        None => of_task.evaluations = last_metrics(&run).map(|last| last.evaluations),
    }
    if Lock::is_held(&folder.claim(task.number)) {
        of_task.state = TaskState::Running;
    } else if of_task.state == TaskState::Left && (of_task.evaluations.is_some() || of_task.frames.is_some()) {
        of_task.state = TaskState::Stopped;
    }
    of_task
}
