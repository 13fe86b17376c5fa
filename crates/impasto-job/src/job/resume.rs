//! A run that was begun earlier: gone on with, or handed over where it is finished.

use std::path::{Component, Path, PathBuf};

use impasto::disk::RealDisk;
use impasto::read::{ReadLimits, read_picture, read_recipe};
use impasto::recorder::remove_checkpoints;
use impasto::run_folder::{INPUTS, Input, RESULT, RunOutcome, RunRecord, read_record};
use impasto::write::{Carried, WriteOptions};

use super::Job;
use super::destination::Destination;
use super::keeping::{Keeping, folder_failure};
use super::writing::Writing;
use crate::failure::Failure;
use crate::order::ResolvedOrder;

/// What a run's folder has to offer.
#[derive(Debug)]
pub enum Resumed {
    /// What is still to be done.
    Job(Box<Job>),
    /// Nothing is: there is the picture.
    Finished(Box<FinishedRun>),
}

/// A run that is finished.
#[derive(Debug)]
pub struct FinishedRun {
    folder: PathBuf,
    record: RunRecord,
    output: Option<Destination>,
    /// How it ended.
    pub outcome: RunOutcome,
}

impl Job {
    /// What the run in this folder has still to do. `output` is where the picture goes instead of where the run began with.
    ///
    /// # Errors
    /// A folder that is no run, or one that says what cannot be.
    pub fn resume(folder: &Path, output: Option<Destination>) -> Result<Resumed, Failure> {
        let record = read_record(folder).map_err(folder_failure)?;
        match record.outcome.clone() {
            Some(outcome) => {
                Ok(Resumed::Finished(Box::new(FinishedRun { folder: folder.to_owned(), record, outcome, output })))
            }
            None => Ok(Resumed::Job(Box::new(Job::of_run(folder, record, output)?))),
        }
    }

    /// Where a file of the run in this folder lies.
    pub(super) fn inside(folder: &Path, input: &Input) -> Result<PathBuf, Failure> {
        match input.file.components().all(|part| matches!(part, Component::Normal(_))) {
            true => Ok(folder.join(&input.file)),
            false => Err(Failure::file(
                folder,
                format_args!("says that {} lies outside; images of a run lie in its folder", input.name),
            )),
        }
    }

    /// What the run of this record was ordered to do.
    pub(super) fn order_of_run(folder: &Path, record: &RunRecord) -> Result<ResolvedOrder, Failure> {
        let inside = |input: &Input| Job::inside(folder, input);
        let inputs = &record.inputs;
        let content = inside(&inputs.content)?;
        let styles = inputs.styles.iter().map(inside).collect::<Result<Vec<_>, _>>()?;
        let start = inputs.start.as_ref().map(inside).transpose()?;
        let masks = inputs.masks.iter().map(inside).collect::<Result<Vec<_>, _>>()?;
        let weights = match &inputs.weights {
            Some(weights) => weights.file.to_string_lossy().into_owned(),
            None => record.recipe.weights.clone(),
        };
        ResolvedOrder::of_run(&folder.join(INPUTS), &record.recipe, content, styles, start, masks, weights)
    }

    /// What the run of this record has still to do.
    pub(super) fn of_run(folder: &Path, record: RunRecord, output: Option<Destination>) -> Result<Job, Failure> {
        let order = Job::order_of_run(folder, &record)?;
        let given = output.or_else(|| record.output.clone().map(Destination::File));
        let options = WriteOptions { bits: record.depth, jpeg_quality: record.quality };
        let (run, exif) = (Some(folder.to_owned()), record.exif);
        let writing = Writing { given, made_of: None, run, options, has_photos_bits: false, exif };
        writing.check(&order)?;
        let (megapixels, lenient) = (record.reading.megapixels, record.reading.lenient);
        let limits = ReadLimits { megapixels, lenient, ..ReadLimits::default() };
        let keeping = Some(Keeping::of_run(folder, record));
        Ok(Job {
            order,
            limits,
            writing,
            keeping,
            following: None,
            memory_limit_bytes: None,
            log_dir: None,
            read_ahead: None,
        })
    }
}

impl FinishedRun {
    /// Width and height of the picture in pixels; 0 where the record has no size.
    #[must_use]
    pub fn size_px(&self) -> (usize, usize) {
        self.record.scales.last().map_or((0, 0), |full| (full.width, full.height))
    }

    /// Writes the picture where it was asked for, if it was, and gives its place. `tell` hears before that what a person should
    /// know of how it is written.
    ///
    /// # Errors
    /// What cannot be read or written; the picture stays in the run's folder.
    pub fn hand_over(self, tell: &mut dyn FnMut(&str)) -> Result<PathBuf, Failure> {
        let FinishedRun { folder, record, output, .. } = self;
        let result = folder.join(RESULT);
        let place = output.as_ref().map(|output| output.path().to_owned());
        if let Some(output) = output {
            let scales = record.scales.clone();
            let Job { writing, .. } = Job::of_run(&folder, record, Some(output))?;
            // A record that somebody wrote may have no sizes.
            let notes = if scales.is_empty() { Vec::new() } else { writing.check_scales(&scales)? };
            notes.iter().for_each(|note| tell(note));
            // What this program has written itself may be as large as it likes.
            let limits = ReadLimits { megapixels: u64::MAX, keeps_transparency: true, ..ReadLimits::default() };
            let read = read_picture(&result, &limits).map_err(Failure::failed)?;
            let exif = Some(&read.exif).filter(|exif| !exif.is_empty());
            let recipe = read_recipe(&result).map_err(Failure::failed)?;
            let carried = Carried { recipe: Some(&recipe), alpha: read.alpha.as_ref(), exif };
            writing.hand_over(&read.picture, &carried)?;
        }
        // Killed at its very end, a run keeps what it needs no more.
        remove_checkpoints(&RealDisk, &folder).map_err(Failure::failed)?;
        Ok(place.unwrap_or(result))
    }
}
