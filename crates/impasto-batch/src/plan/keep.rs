//! Numbers and names: a task that was there before keeps its own, so that what is done stays done.

use std::collections::{BTreeMap, VecDeque};

use impasto_job::Failure;
use impasto_job::order::ResolvedOrder;

use crate::folder::{BatchFolder, PICTURES};
use crate::names::Names;
use crate::shot::{TaskShot, output_of, stem_of};
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
    /// Names in the folder of films, and those that films have after their paintings.
    film_names: Names,
    stems: BTreeMap<Vec<String>, String>,
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
        let (names, film_names) = (Names::default(), Names::default());
        let mut kept = Kept { names, film_names, stems: BTreeMap::new(), next: 1, old: BTreeMap::new() };
        // Pictures of tasks that are no more, too.
        let entries = std::fs::read_dir(folder.pictures()).into_iter().flatten().flatten();
        for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
            kept.names.take(&name);
        }
        for entry in std::fs::read_dir(folder.films()).into_iter().flatten().flatten() {
            let path = entry.path();
            let taken = if path.is_file() { path.file_stem() } else { path.file_name() };
            kept.film_names.take(&taken.unwrap_or_default().to_string_lossy());
        }
        kept.next += folder.settled().into_iter().max().unwrap_or(0);
        for position in 0..before.map_or(0, |before| before.entries().len()) {
            let Some(before) = before else { break };
            let (task, digest) = before.read(position)?;
            kept.names.take(task.output.strip_prefix(PICTURES).unwrap_or_default().trim_start_matches('/'));
            kept.next = kept.next.max(task.number + 1);
            if let (Some(shot), Some(stem)) = (&task.shot, stem_of(&task.output)) {
                kept.film_names.take(stem);
                kept.stems.insert(film_key(&task, shot), stem.to_owned());
            }
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
    pub fn place(&mut self, task: &mut Task, order: &ResolvedOrder) -> Result<Option<bool>, Failure> {
        let of_shot = task.shot.clone().map(|shot| output_of(&self.film_stem(task, &shot, order), shot.first));
        if let Some(old) = self.old.get_mut(&key(task)).and_then(VecDeque::pop_front) {
            (task.number, task.output, task.after) = (old.number, of_shot.unwrap_or(old.output), old.after);
            return Ok(Some(task.digest() == old.digest && files(task) == old.files));
        }
        if self.next > LARGEST_NUMBER {
            return Err(Failure::usage("the folder has had too many tasks; give a new one with --out"));
        }
        task.number = self.next;
        task.output = match of_shot {
            Some(output) => output,
            None => format!("{PICTURES}/{}", self.names.give(&order.picture_stem())),
        };
        self.next += 1;
        Ok(None)
    }

    /// What a film is called after its paintings.
    fn film_stem(&mut self, task: &Task, shot: &TaskShot, order: &ResolvedOrder) -> String {
        let names = &mut self.film_names;
        let give = || {
            let styles = order.styles.iter().map(|style| style.file_stem().unwrap_or_default().to_string_lossy());
            names.give_folder(&[shot.film.as_str().into()].into_iter().chain(styles).collect::<Vec<_>>().join("-"))
        };
        self.stems.entry(film_key(task, shot)).or_insert_with(give).clone()
    }

    /// How many of those that were there before are no more.
    pub fn left(&self) -> usize {
        self.old.values().map(VecDeque::len).sum()
    }
}

fn key(task: &Task) -> Vec<String> {
    let files = [&task.content].into_iter().chain(&task.styles).map(|input| input.file.clone());
    // A frame may be a photo too.
    files.chain(task.shot.as_ref().map(|shot| shot.folder.clone())).collect()
}

/// A film and its paintings.
fn film_key(task: &Task, shot: &TaskShot) -> Vec<String> {
    [shot.film.clone()].into_iter().chain(task.styles.iter().map(|input| input.file.clone())).collect()
}

fn files(task: &Task) -> Vec<String> {
    let frames = task.shot.iter().map(|shot| shot.sha256.clone());
    task.inputs().map(|input| input.sha256.clone()).chain(frames).collect()
}
