//! Numbers and names: a task that was there before keeps its own, so that what is done stays done.

use std::collections::{BTreeMap, VecDeque};

use impasto_job::Failure;

use crate::folder::{BatchFolder, PICTURES};
use crate::names::Names;
use crate::task::{LARGEST_NUMBER, Task};
use crate::tasks::TaskList;

/// A task that was there before.
struct Old {
    number: u32,
    output: String,
    after: Option<u32>,
    digest: String,
    /// Digests of its files as they were planned.
    files: Vec<String>,
}

/// What was there before, and what is taken.
pub struct Kept {
    names: Names,
    next: u32,
    /// By the photo and the paintings.
    old: BTreeMap<Vec<String>, VecDeque<Old>>,
}

impl Kept {
    /// What is there.
    ///
    /// # Errors
    /// The file of tasks cannot be read.
    pub fn of(folder: &BatchFolder, before: Option<&TaskList>) -> Result<Kept, Failure> {
        let mut kept = Kept { names: Names::default(), next: 1, old: BTreeMap::new() };
        // Pictures of tasks that are no more, too.
        let entries = std::fs::read_dir(folder.pictures()).into_iter().flatten().flatten();
        for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
            kept.names.take(&name);
        }
        kept.next += folder.settled().into_iter().max().unwrap_or(0);
        for position in 0..before.map_or(0, |before| before.entries().len()) {
            let Some(before) = before else { break };
            let (task, digest) = before.read(position)?;
            kept.names.take(task.output.strip_prefix(PICTURES).unwrap_or_default().trim_start_matches('/'));
            kept.next = kept.next.max(task.number + 1);
            let files = files(&task);
            let old = Old { number: task.number, output: task.output.clone(), after: task.after, digest, files };
            kept.old.entry(key(&task)).or_default().push_back(old);
        }
        Ok(kept)
    }

    /// Gives a task its number and its picture's name: those that it had, where it was there before, and then whether it is the same.
    ///
    /// # Errors
    /// There is no number left.
    pub fn place(&mut self, task: &mut Task, stem: &str) -> Result<Option<bool>, Failure> {
        if let Some(old) = self.old.get_mut(&key(task)).and_then(VecDeque::pop_front) {
            (task.number, task.output, task.after) = (old.number, old.output, old.after);
            return Ok(Some(task.digest() == old.digest && files(task) == old.files));
        }
        if self.next > LARGEST_NUMBER {
            return Err(Failure::usage("the folder has had too many tasks; give a new one with --out"));
        }
        (task.number, task.output) = (self.next, format!("{PICTURES}/{}", self.names.give(stem)));
        self.next += 1;
        Ok(None)
    }

    /// How many of those that were there before are no more.
    pub fn left(&self) -> usize {
        self.old.values().map(VecDeque::len).sum()
    }
}

fn key(task: &Task) -> Vec<String> {
    [&task.content].into_iter().chain(&task.styles).map(|input| input.file.clone()).collect()
}

fn files(task: &Task) -> Vec<String> {
    task.inputs().map(|input| input.sha256.clone()).collect()
}
