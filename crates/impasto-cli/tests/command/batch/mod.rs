//! Batches as a user runs them.

mod after;
mod changes;
mod failures;
mod films;
#[cfg(unix)]
mod full_disk;
#[cfg(unix)]
mod kills;
mod plans;
mod portable;
mod refusals;
#[cfg(unix)]
mod stops;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::workshop::{QUICK, Workshop, files_of};

/// A workshop with so many photos and paintings in folders of their names.
pub fn gallery(photos: usize, paintings: usize) -> Workshop {
    let workshop = Workshop::new();
    for (folder, count) in [("photos", photos), ("paintings", paintings)] {
        std::fs::create_dir(workshop.path(folder)).unwrap();
        for number in 0..count {
            let frequency = 1 + number + if folder == "photos" { 0 } else { 7 };
            workshop.draw(&format!("{folder}/{number}.png"), 40 + number, 30, frequency);
        }
    }
    workshop
}

/// `batch plan photos --styles paintings --out batch` with [`QUICK`] and more.
pub fn plan(workshop: &Workshop, more: &[&str]) -> String {
    workshop.succeed(&plan_words("batch", more))
}

pub fn plan_words<'words>(out: &'words str, more: &[&'words str]) -> Vec<&'words str> {
    let mut words = vec!["batch", "plan", "photos", "--styles", "paintings", "--out", out];
    let replaced = |word: &&str| word.starts_with("--") && more.contains(word);
    let mut quick = QUICK.as_slice();
    while let [option, value, rest @ ..] = quick {
        if !replaced(option) {
            words.extend([option, value]);
        }
        quick = rest;
    }
    words.extend(more);
    words
}

/// `batch run FOLDER --json` and more; gives its lines.
pub fn run(workshop: &Workshop, folder: &str, more: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    lines(workshop.run(&[["batch", "run", folder, "--json"].as_slice(), more].concat()))
}

/// How a program ended, the JSON lines that it printed, and what it said.
pub fn lines(output: Output) -> (Option<i32>, Vec<Value>, String) {
    let said = String::from_utf8(output.stderr).unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect(), said)
}

/// The numbers of the lines of an event, in their order.
pub fn numbers(lines: &[Value], event: &str) -> Vec<u64> {
    lines.iter().filter(|line| line["event"] == event).map(|line| line["number"].as_u64().unwrap()).collect()
}

/// The pictures of a batch by their names.
pub fn pictures(workshop: &Workshop, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let files = files_of(&workshop.path(folder).join("pictures"));
    files.into_iter().map(|(path, bytes)| (path.file_name().unwrap().to_string_lossy().into_owned(), bytes)).collect()
}

/// What is wrong with a batch that should be done: something is left behind, or a receipt is missing.
pub fn demand_done(workshop: &Workshop, folder: &str, tasks: usize) {
    let root = workshop.path(folder);
    for left in ["running", "failed"] {
        let names: Vec<_> = std::fs::read_dir(root.join(left)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(names.is_empty(), "{left} is not empty: {names:?}");
    }
    let temporary = |path: &Path| path.file_name().unwrap().to_string_lossy().ends_with(".tmp");
    assert!(!files_of(&root).keys().any(|path| temporary(path)));
    assert_eq!(files_of(&root.join("done")).len(), tasks);
    assert_eq!(pictures(workshop, folder).len(), tasks);
}

/// Writes the tasks of a batch anew, each as `edit` makes it.
pub fn edit_tasks(workshop: &Workshop, folder: &str, mut edit: impl FnMut(&mut Value)) {
    let path = workshop.path(folder).join("tasks.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = text.lines().map(|line| {
        let mut task: Value = serde_json::from_str(line).unwrap();
        edit(&mut task);
        task.to_string() + "\n"
    });
    std::fs::write(&path, edited.collect::<String>()).unwrap();
}
