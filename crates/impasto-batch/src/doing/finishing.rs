//! The end of a task, on a thread of its own while the next is painted: the picture is written, then its receipt, then its run goes.
//!
//! ```text
//!   RUN/result.png  ->  RUN/run.json with its outcome  ->  pictures/NAME.png  ->  done/N.json  ->  RUN and the claim go
//! ```
//!
//! Killed anywhere, what is there is whole, and the next program goes on from the left: only what has no outcome is painted.

use std::path::{Path, PathBuf};

use impasto::digest::sha256;
use impasto::disk::{Lock, RealDisk, read_file, remove_file_if_present, remove_folder, replace_file};
use impasto::run_folder::{LOCK, RECORD, RESULT, RunRecord, last_metrics, read_record};
use impasto_film::record::{LOCK as FILM_LOCK, NAME as FILM_RECORD};
use impasto_job::machine::now;
use impasto_job::{Ending, Failure, FailureKind, Painted};

use crate::digests::Digests;
use crate::folder::BatchFolder;
use crate::paths;
use crate::receipt::{self, FailureRecord, Receipt};
use crate::standing;
use crate::task::{Task, output_path};

/// The largest picture that is handed over, in MiB: it is our own.
const PICTURE_LIMIT_MIB: u64 = 1 << 20;

/// A task whose picture is painted.
pub struct Finishing {
    pub position: usize,
    pub task: Task,
    pub digest: String,
    pub run: PathBuf,
    /// What is still to be written; `None` where an earlier program has painted and finished the run.
    pub painted: Option<Painted>,
    /// Held until all is written; `None` where there are no locks, and every program has a share of its own.
    pub claim: Option<Lock>,
}

/// How a task ended.
pub enum End {
    Painted(Box<Receipt>),
    Stopped,
    Failed(Failure),
}

impl Finishing {
    /// Writes everything.
    ///
    /// # Errors
    /// Not even why it failed could be written.
    pub fn finish(mut self, folder: &BatchFolder) -> Result<End, Failure> {
        let engine = match self.painted.take().map(Painted::write).transpose() {
            Ok(None) => None,
            Ok(Some(finished)) => match finished.ending() {
                Ending::Done => finished.recipe.engine,
                Ending::Interrupted => return Ok(End::Stopped),
                Ending::Failed => {
                    let failure = finished.failure().unwrap_or_else(|| Failure::failed("the engine failed"));
                    return self.failed(folder, failure);
                }
            },
            Err(failure) => return self.failed(folder, failure),
        };
        match self.hand_over(folder, engine) {
            Ok(receipt) => {
                settle(folder, &self.task, self.claim.is_some())?;
                Ok(End::Painted(Box::new(receipt)))
            }
            Err(failure) => self.failed(folder, failure),
        }
    }

    fn failed(&self, folder: &BatchFolder, failure: Failure) -> Result<End, Failure> {
        failed(folder, &self.task, &self.digest, self.claim.is_some(), failure)
    }

    /// Writes the picture of a finished run to its place, and its receipt.
    fn hand_over(&self, folder: &BatchFolder, engine: Option<String>) -> Result<Receipt, Failure> {
        let record = read_record(&self.run).map_err(Failure::failed)?;
        let outcome = record.outcome.clone();
        let outcome = outcome.ok_or_else(|| Failure::file(&self.run, "is not finished; run the batch again"))?;
        let picture = read_file(&self.run.join(RESULT), PICTURE_LIMIT_MIB).map_err(Failure::failed)?;
        let full = record.scales.last();
        let begun_on = record.machine.engine.clone();
        let engine = engine.unwrap_or_else(|| begun_on.clone());
        let receipt = Receipt {
            format: receipt::FORMAT,
            number: self.task.number,
            task: self.digest.clone(),
            inputs: as_painted(folder, &self.task, &record, &mut Digests::default()),
            output: self.task.output.clone(),
            output_sha256: sha256(&picture),
            output_bytes: picture.len() as u64,
            width: full.map_or(0, |full| full.width),
            height: full.map_or(0, |full| full.height),
            frames: None,
            evaluations: outcome.evaluations,
            loss: outcome.loss,
            begun_on: (begun_on != engine).then_some(begun_on),
            engine,
            seconds: outcome.seconds,
            finished: outcome.finished,
            program: record.program,
        };
        replace_file(&RealDisk, &output_path(folder.root(), &self.task), &picture).map_err(Failure::failed)?;
        receipt::write(&folder.receipt(self.task.number), &receipt)?;
        Ok(receipt)
    }
}

/// A task is done: what it needs no more goes. Only who has the claim does this.
///
/// # Errors
/// What the disk refuses.
pub fn settle(folder: &BatchFolder, task: &Task, has_claim: bool) -> Result<(), Failure> {
    for run in folder.runs(task.number) {
        remove_run(&run)?;
    }
    remove_file_if_present(&RealDisk, &folder.failure(task.number)).map_err(Failure::failed)?;
    // Last: whoever gets the lock after this finds the receipt.
    release(folder, task.number, has_claim)
}

/// Removes the file of a claim, while it is held.
///
/// # Errors
/// What the disk refuses.
pub fn release(folder: &BatchFolder, number: u32, has_claim: bool) -> Result<(), Failure> {
    match has_claim {
        true => remove_file_if_present(&RealDisk, &folder.claim(number)).map_err(Failure::failed),
        false => Ok(()),
    }
}

/// Removes a run of ours.
///
/// # Errors
/// Another program works on it, or the disk refuses it.
pub fn remove_run(run: &Path) -> Result<(), Failure> {
    // That of a shot is a film's folder.
    let (lock, record) = if run.join(FILM_RECORD).exists() { (FILM_LOCK, FILM_RECORD) } else { (LOCK, RECORD) };
    remove_folder(run, lock, record).map_err(Failure::failed)
}

/// Writes down why a task failed. That it was stopped is no failure. What was painted of it stays, and may be gone on with.
///
/// # Errors
/// What the disk refuses: then nothing more is tried.
pub fn failed(
    folder: &BatchFolder,
    task: &Task,
    digest: &str,
    has_claim: bool,
    failure: Failure,
) -> Result<End, Failure> {
    if failure.kind == FailureKind::Interrupted {
        return Ok(End::Stopped);
    }
    let record = FailureRecord {
        format: receipt::FORMAT,
        number: task.number,
        task: digest.to_owned(),
        sentence: failure.sentence.clone(),
        inputs: standing::inputs(folder, task, &mut Digests::default()),
        failed: now(),
    };
    receipt::write(&folder.failure(task.number), &record)?;
    let run = folder.run(task.number, digest);
    if run.exists() && last_metrics(&run).is_none() && !run.join(FILM_RECORD).exists() {
        // Why the task failed is more worth saying than why this does.
        let _ = remove_run(&run);
    }
    release(folder, task.number, has_claim)?;
    Ok(End::Failed(failure))
}

/// The digests of a task's files as its run has them.
pub fn as_painted(folder: &BatchFolder, task: &Task, record: &RunRecord, digests: &mut Digests) -> Vec<String> {
    let inputs = &record.inputs;
    let images = [&inputs.content].into_iter().chain(&inputs.styles).chain(&inputs.start).chain(&inputs.masks);
    let mut painted: Vec<String> = images.map(|input| input.sha256.clone()).collect();
    for mask in task.timeline_masks.iter().flatten() {
        // The run has each once, whatever it is called here.
        let found = digests.of(&paths::from_text(folder.root(), &mask.file)).unwrap_or_default();
        let is_known = inputs.changed_masks.iter().any(|known| known.sha256 == found);
        painted.push(if is_known { found } else { String::new() });
    }
    let weights = task.weights.is_some().then_some(inputs.weights.as_ref()).flatten();
    painted.extend(weights.map(|weights| weights.sha256.clone()));
    painted
}
