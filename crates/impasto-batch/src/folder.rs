//! The folder of a batch: its fixed layout. docs/batch.md tells the same for users.

use std::fs;
use std::path::{Path, PathBuf};

use impasto::disk::{RealDisk, create_folder, is_temporary, remove_abandoned};
use impasto_job::Failure;

/// A task a line.
pub const TASKS: &str = "tasks.jsonl";
/// Folder of the pictures.
pub const PICTURES: &str = "pictures";
/// Folder of films: what they are made of, their shots, and the whole.
pub const FILMS: &str = "films";
/// Folder of what is being painted.
const RUNNING: &str = "running";
/// Folder of the receipts.
const DONE: &str = "done";
/// Folder of the sentences of tasks that failed.
const FAILED: &str = "failed";
/// The page with all pictures.
const REPORT: &str = "report.html";
/// Held by the program that plans.
const LOCK: &str = ".lock";

/// How the name of a claim ends.
const CLAIM: &str = ".claim";

/// The folder of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchFolder {
    root: PathBuf,
}

impl BatchFolder {
    /// The batch in this folder.
    ///
    /// # Errors
    /// There is none.
    pub fn open(root: &Path) -> Result<BatchFolder, Failure> {
        match root.join(TASKS).is_file() {
            true => Ok(BatchFolder { root: root.to_owned() }),
            // Trying again may help: a share of a farm may not be mounted yet.
            false => Err(Failure::failed(format_args!(
                "{} is not the folder of a batch, for there is no {TASKS} in it; `impasto batch plan` makes one",
                root.display()
            ))),
        }
    }

    /// A folder that a batch may be planned in: new, empty, or of a batch. Nothing is made yet.
    ///
    /// # Errors
    /// A file of that name, a folder with other things in it.
    pub fn to_be(root: &Path) -> Result<BatchFolder, Failure> {
        let folder = BatchFolder { root: root.to_owned() };
        if !root.exists() || folder.tasks().is_file() {
            return Ok(folder);
        }
        let unreadable = |_| {
            Failure::usage(format_args!(
                "--out {} is no folder that can be looked into; give a new one",
                root.display()
            ))
        };
        let names = fs::read_dir(root).map_err(unreadable)?.flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let is_ours = |name: &String| {
            [PICTURES, FILMS, RUNNING, DONE, FAILED, REPORT, LOCK].contains(&name.as_str()) || is_temporary(name)
        };
        match names.into_iter().find(|name| !is_ours(name)) {
            Some(found) => Err(Failure::usage(format_args!(
                "--out {} has other things in it ({found}); give a new folder, an empty one, or that of a batch",
                root.display()
            ))),
            None => Ok(folder),
        }
    }

    /// Makes the folders that are not there yet.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn create(&self) -> Result<(), Failure> {
        for name in [PICTURES, RUNNING, DONE, FAILED] {
            create_folder(&RealDisk, &self.root.join(name)).map_err(Failure::failed)?;
        }
        Ok(())
    }

    /// Removes the half-written files that killed programs have left.
    pub fn tidy(&self) {
        remove_abandoned(&self.root);
        [PICTURES, FILMS, RUNNING, DONE, FAILED].iter().for_each(|name| remove_abandoned(&self.root.join(name)));
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the tasks stand.
    #[must_use]
    pub fn tasks(&self) -> PathBuf {
        self.root.join(TASKS)
    }

    /// Held by the program that plans.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join(LOCK)
    }

    /// The folder of the pictures.
    #[must_use]
    pub fn pictures(&self) -> PathBuf {
        self.root.join(PICTURES)
    }

    /// The folder of the films.
    #[must_use]
    pub fn films(&self) -> PathBuf {
        self.root.join(FILMS)
    }

    /// Locked by the program that puts a film together.
    #[must_use]
    pub fn film_claim(&self, stem: &str) -> PathBuf {
        self.root.join(RUNNING).join(format!("film-{stem}{CLAIM}"))
    }

    /// The receipt of a film that was put together.
    #[must_use]
    pub fn film_receipt(&self, stem: &str) -> PathBuf {
        self.root.join(DONE).join(format!("film-{stem}.json"))
    }

    /// Where the page goes.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.root.join(REPORT)
    }

    /// The run of a task in progress. The task's digest is in its name, so that a run is never gone on with for another task.
    #[must_use]
    pub fn run(&self, number: u32, digest: &str) -> PathBuf {
        let digest: String = digest.chars().take(8).collect();
        self.root.join(RUNNING).join(format!("{number:06}-{digest}"))
    }

    /// The runs of a task that are there, whatever it was when they began.
    #[must_use]
    pub fn runs(&self, number: u32) -> Vec<PathBuf> {
        let start = format!("{number:06}-");
        let entries = fs::read_dir(self.root.join(RUNNING)).into_iter().flatten().flatten();
        let of_task = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&start));
        let mut runs: Vec<PathBuf> = of_task.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        runs.sort();
        runs
    }

    /// Locked by the program that works on a task.
    #[must_use]
    pub fn claim(&self, number: u32) -> PathBuf {
        self.root.join(RUNNING).join(format!("{number:06}{CLAIM}"))
    }

    /// The numbers of which there is a claim or a run: some program works on them, or has been killed at it.
    #[must_use]
    pub fn begun(&self) -> Vec<u32> {
        numbers(&self.root.join(RUNNING))
    }

    /// The receipt of a task.
    #[must_use]
    pub fn receipt(&self, number: u32) -> PathBuf {
        self.root.join(DONE).join(format!("{number:06}.json"))
    }

    /// The sentence of a task that failed.
    #[must_use]
    pub fn failure(&self, number: u32) -> PathBuf {
        self.root.join(FAILED).join(format!("{number:06}.json"))
    }

    /// The numbers of which there is a receipt or a failure.
    #[must_use]
    pub fn settled(&self) -> Vec<u32> {
        [DONE, FAILED].iter().flat_map(|name| numbers(&self.root.join(name))).collect()
    }
}

/// The numbers that names in a folder begin with, each once, in order.
fn numbers(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |name: String| name.get(..6)?.parse().ok();
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| number(entry.file_name().to_string_lossy().into_owned())).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
