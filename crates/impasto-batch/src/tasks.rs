//! The file of tasks: looked through once, of which only the places of lines are kept, then read a line at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use impasto::disk::{RealDisk, replace_file};
use impasto::recipe::RECIPE_LIMIT_BYTES;
use impasto_job::Failure;

use crate::folder::PICTURES;
use crate::shot::stem_of;
use crate::task::Task;

/// The most tasks of a batch.
pub const MOST_TASKS: usize = 100_000;

/// The longest line, in bytes: a recipe, and the files that it names.
const LINE_LIMIT_BYTES: u64 = 4 * RECIPE_LIMIT_BYTES as u64;

/// A task in short.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number.
    pub number: u32,
    /// The number of the task that it waits for.
    pub after: Option<u32>,
    /// Seconds that it takes, as they were forecast.
    pub seconds: f64,
    /// The film after its paintings that it is a shot of.
    pub film: Option<String>,
    line: usize,
    offset: u64,
}

/// The tasks of a batch, in the order of their numbers.
#[derive(Debug)]
pub struct TaskList {
    path: PathBuf,
    file: Mutex<BufReader<File>>,
    entries: Vec<Entry>,
}

impl TaskList {
    /// Looks through the file; every line is checked.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that is wrong, which is named. Asking again gives the same answer.
    pub fn open(path: &Path) -> Result<TaskList, Failure> {
        let unreadable = |error: std::io::Error| {
            let error = error.to_string();
            let reason = error.split(" (os error").next().unwrap_or_default();
            Failure::failed(format_args!("{} could not be read ({reason}); check the disk", path.display()))
        };
        let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
        let (mut entries, mut outputs, mut read) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        let (mut offset, mut line) = (0, 0);
        loop {
            line += 1;
            let wrong = |what: String| Failure::usage(format_args!("{}, line {line}, {what}", path.display()));
            let Some((text, bytes)) = next_line(&mut reader).map_err(unreadable)? else { break };
            let text = text.ok_or_else(|| wrong("is no text of at most a MiB; plan the batch anew".to_owned()))?;
            let (task, _) = Task::parse(&text).map_err(wrong)?;
            let last = entries.last().map_or(0, |last: &Entry| last.number);
            if task.number <= last {
                return Err(wrong(format!("has task {} behind task {last}; numbers rise", task.number)));
            }
            if let Some((other, _)) = outputs.insert(task.output.to_lowercase(), (task.number, line)) {
                return Err(wrong(format!("has task {} write {}, as task {other} does", task.number, task.output)));
            }
            let of_batch = task.inputs().map(|input| input.file.to_lowercase());
            read.extend(of_batch.filter(|file| file.starts_with(PICTURES)));
            if let Some(after) = task.after
                && entries.binary_search_by_key(&after, |entry: &Entry| entry.number).is_err()
            {
                return Err(wrong(format!("has task {} wait for task {after}, which is not there", task.number)));
            }
            if entries.len() == MOST_TASKS {
                return Err(wrong(format!("has more than {MOST_TASKS} tasks; make several batches of them")));
            }
            let film = task.shot.as_ref().and(stem_of(&task.output)).map(str::to_owned);
            entries.push(Entry { number: task.number, after: task.after, seconds: task.seconds, film, line, offset });
            offset += bytes;
        }
        if let Some((output, (number, line))) = outputs.iter().find(|(output, _)| read.contains(*output)) {
            return Err(Failure::usage(format_args!(
                "{}, line {line}, has task {number} that would overwrite the input {output}; give it another name",
                path.display()
            )));
        }
        match entries.is_empty() {
            true => Err(Failure::usage(format_args!("{} has no task; plan the batch anew", path.display()))),
            false => Ok(TaskList { path: path.to_owned(), file: Mutex::new(reader), entries }),
        }
    }

    /// The tasks in short.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether there are shots of films among them.
    #[must_use]
    pub fn has_films(&self) -> bool {
        self.entries.iter().any(|entry| entry.film.is_some())
    }

    /// The place of the task of this number.
    #[must_use]
    pub fn position(&self, number: u32) -> Option<usize> {
        self.entries.binary_search_by_key(&number, |entry| entry.number).ok()
    }

    /// A task, and its digest.
    ///
    /// # Errors
    /// The file cannot be read any more, or was written over where it stands.
    pub fn read(&self, position: usize) -> Result<(Task, String), Failure> {
        let Entry { line, offset, number, .. } = self.entries[position];
        let changed = || {
            Failure::failed(format_args!(
                "{}, line {line}, has changed while it was read; run again",
                self.path.display()
            ))
        };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).map_err(|_| changed())?;
        let text = next_line(&mut file).ok().flatten().and_then(|(text, _)| text).ok_or_else(changed)?;
        Task::parse(&text).ok().filter(|(task, _)| task.number == number).ok_or_else(changed)
    }
}

/// The next line without its end, `None` for one that is no text or too long; and how many bytes it takes. `None` at the end.
fn next_line(reader: &mut BufReader<File>) -> std::io::Result<Option<(Option<String>, u64)>> {
    let mut bytes = Vec::new();
    let count = reader.by_ref().take(LINE_LIMIT_BYTES).read_until(b'\n', &mut bytes)? as u64;
    if count == 0 {
        return Ok(None);
    }
    let is_whole = bytes.last() == Some(&b'\n') || count < LINE_LIMIT_BYTES;
    let text = String::from_utf8(bytes).ok().filter(|_| is_whole);
    Ok(Some((text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()), count)))
}

/// Writes the file of these tasks, in the order of their numbers.
///
/// # Errors
/// What the disk refuses; the file is then as it was.
pub fn write(path: &Path, tasks: &[Task]) -> Result<(), Failure> {
    let mut text = String::new();
    for task in tasks {
        text.push_str(&task.line());
        text.push('\n');
    }
    replace_file(&RealDisk, path, text.as_bytes()).map_err(Failure::failed)
}

#[cfg(test)]
mod tests {
    use impasto_job::FailureKind;

    use super::*;
    use crate::task::tests::task;

    #[test]
    fn tasks_are_read_by_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.jsonl");
        let tasks = [task(1), Task { after: Some(1), ..task(3) }, task(12)];
        write(&path, &tasks).unwrap();
        let list = TaskList::open(&path).unwrap();
        assert_eq!(list.entries().iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 3, 12]);
        for position in [2, 0, 1] {
            assert_eq!(list.read(position).unwrap(), (tasks[position].clone(), tasks[position].digest()));
        }
        assert_eq!((list.position(3), list.position(2)), (Some(1), None));
        // A file that is replaced is another; one that is written over is noticed.
        write(&path, &[task(5)]).unwrap();
        assert_eq!(list.read(2).unwrap().0.number, 12);
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.jsonl");
        let said = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let failure = TaskList::open(&path).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Usage);
            failure.sentence
        };
        let lines = |tasks: &[Task]| tasks.iter().map(|task| task.line() + "\n").collect::<String>();
        let same = Task {
            output: task(1).output.to_uppercase().replace("PICTURES", "pictures").replace("PNG", "png"),
            ..task(2)
        };
        for (text, needle) in [
            (lines(&[task(1)]) + "{}\n", "line 2, has no task with a format"),
            (lines(&[task(1)]) + "\n", "line 2, is no task in JSON"),
            (lines(&[task(2), task(1)]), "line 2, has task 1 behind task 2"),
            (lines(&[task(1), same]), "line 2, has task 2 write"),
            (lines(&[task(1), Task { after: Some(2), ..task(3) }]), "line 2, has task 3 wait for task 2"),
            (String::new(), "has no task; plan"),
            (" ".repeat(2 << 20), "line 1, is no text"),
        ] {
            let said = said(text.as_bytes());
            assert!(said.contains(needle), "{needle}: {said}");
        }
        assert!(said(b"\xff\xfe\n").contains("line 1, is no text"));
    }
}
