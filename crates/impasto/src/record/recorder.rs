//! Writes a run down while it paints: its metrics, its pictures on the way, its checkpoints ([`crate::run_folder`] is
//! where).
//!
//! ```text
//!   Event::Iteration  -->  record   a line of metrics.jsonl; a frame where the schedule has one
//!   Snapshot          -->  keep     where one is due: the lines onto the disk, then a checkpoint over the older one
//!   going on          -->           metrics.jsonl is cut back to the checkpoint, so that no line is doubled or lost
//! ```
//!
//! What the disk refuses is reported and tried again with the next evaluation, a checkpoint on a slow disk once it may take
//! the time; the run itself goes on. One frame waits at most: where the next is refused too, the one before is lost. The
//! caller brings the clock: what is written when may depend on it, what is painted never does.

use std::path::{Path, PathBuf};

use crate::disk::{Disk, DiskError, Log, create_folder, read_file, remove_file_if_present, replace_file};
use crate::image_file::write::{OutputFormat, WriteError, WriteOptions, encode_picture};
use crate::record::run_folder::{
    FRAMES, INPUTS, METRICS, METRICS_LIMIT_MIB, Metrics, RECORD, RunRecord, Saving, frame_path, whole_lines,
};
use crate::run::Iteration;
use crate::run::checkpoint::{Checkpoint, Keeper, NAMES, Snapshot, save_last_state};

/// Where checkpoints may wait for a slow disk: so many times as long as the last one took passes until the next.
const LEAST_WAIT: f64 = 50.0;

/// Makes a folder a run: the copies of the images, then `run.json`. A folder without `run.json` is no run yet, so that
/// a program killed on the way leaves none behind.
///
/// # Errors
/// What the disk refuses.
pub fn begin_folder(
    disk: &dyn Disk,
    folder: &Path,
    record: &RunRecord,
    copies: &[(PathBuf, Vec<u8>)],
) -> Result<(), DiskError> {
    create_folder(disk, &folder.join(INPUTS))?;
    create_folder(disk, &folder.join(FRAMES))?;
    for (path, bytes) in copies {
        replace_file(disk, &folder.join(path), bytes)?;
    }
    write_record(disk, folder, record)
}

/// Makes a folder a run that goes on where another was: its lines and a state of it, then as [`begin_folder`].
///
/// # Errors
/// What the disk refuses.
pub fn begin_branch(
    disk: &dyn Disk,
    folder: &Path,
    record: &RunRecord,
    copies: &[(PathBuf, Vec<u8>)],
    (parent, state): (&Path, Option<&Checkpoint>),
) -> Result<(), DiskError> {
    if let Some(state) = state {
        let (lines, _) = lines_until(&parent.join(METRICS), state.place.evaluations)?;
        replace_file(disk, &folder.join(METRICS), &lines)?;
        state.save(disk, folder, &record.scales)?;
    }
    begin_folder(disk, folder, record, copies)
}

/// Writes `run.json`.
///
/// # Errors
/// What the disk refuses.
pub fn write_record(disk: &dyn Disk, folder: &Path, record: &RunRecord) -> Result<(), DiskError> {
    let path = folder.join(RECORD);
    let text = serde_json::to_vec_pretty(record);
    let mut text = text.map_err(|error| DiskError::Unwritten { path: path.clone(), source: error.into() })?;
    text.push(b'\n');
    replace_file(disk, &path, &text)
}

/// Removes the checkpoints of a run that needs them no more.
///
/// # Errors
/// What the disk refuses.
pub fn remove_checkpoints(disk: &dyn Disk, folder: &Path) -> Result<(), DiskError> {
    NAMES.iter().try_for_each(|name| remove_file_if_present(disk, &folder.join(name)))
}

/// Where a run goes on.
#[derive(Clone, Copy)]
pub struct Resumption<'a> {
    /// Which of the two generations.
    pub generation: usize,
    /// It.
    pub checkpoint: &'a Checkpoint,
}

/// Writes one run down.
pub struct Recorder<'run> {
    disk: &'run dyn Disk,
    folder: PathBuf,
    saving: Saving,
    /// Evaluations of the whole run: after the last there is no checkpoint, but the picture.
    evaluations: u32,
    clock: &'run dyn Fn() -> f64,
    seconds_before: f64,
    metrics: Log,
    /// Lines that the disk has not taken yet.
    waiting: Vec<u8>,
    /// The last frame, where the disk has not taken it yet: its place and its bytes.
    waiting_frame: Option<(PathBuf, Vec<u8>)>,
    keeper: Keeper<'run>,
    /// When the last checkpoint was done or given up, and what it took, in the clock's seconds.
    kept_at: f64,
    keeping_took: f64,
    /// Evaluations at the last checkpoint.
    kept: Option<u32>,
    /// The last iteration whose checkpoint by the schedule was due.
    scheduled: u32,
    /// Whether the last checkpoint that was due was refused.
    is_owed: bool,
}

impl<'run> Recorder<'run> {
    /// A recorder of the run in this folder, from its beginning or from a checkpoint. `clock` tells the seconds since
    /// the program took the run up.
    ///
    /// # Errors
    /// `metrics.jsonl` cannot be read or written.
    pub fn new(
        disk: &'run dyn Disk,
        folder: &Path,
        record: &RunRecord,
        from: Option<Resumption<'_>>,
        clock: &'run dyn Fn() -> f64,
    ) -> Result<Recorder<'run>, DiskError> {
        let place = from.map(|from| from.checkpoint.place).unwrap_or_default();
        let path = folder.join(METRICS);
        let (lines, seconds_before) = match from {
            Some(_) => lines_until(&path, place.evaluations)?,
            None => (Vec::new(), 0.0),
        };
        Ok(Recorder {
            disk,
            folder: folder.to_owned(),
            saving: record.saving,
            evaluations: record.scales.iter().fold(0, |sum, scale| sum.saturating_add(scale.evaluations)),
            clock,
            seconds_before,
            metrics: Log::create(disk, &path, &lines)?,
            waiting: Vec::new(),
            waiting_frame: None,
            keeper: Keeper::new(disk, folder, from.map(|from| from.generation)),
            kept_at: clock(),
            keeping_took: 0.0,
            kept: from.map(|_| place.evaluations),
            scheduled: place.iterations,
            is_owed: false,
        })
    }

    /// Seconds of work on the run, those of earlier programs included.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.seconds_before + (self.clock)()
    }

    /// Writes an accepted evaluation down.
    ///
    /// # Errors
    /// What the disk refuses; lines and a frame that it did not take come with the next evaluation.
    pub fn record(&mut self, iteration: &Iteration<'_>) -> Result<(), WriteError> {
        let line = serde_json::to_vec(&Metrics::of(iteration, self.seconds()));
        let path = || self.folder.join(METRICS);
        self.waiting.extend(line.map_err(|error| DiskError::Unappended { path: path(), source: error.into() })?);
        self.waiting.push(b'\n');
        let appended = self.append_waiting();
        if self.saving.frames.has_frame(iteration.iteration) {
            let path = frame_path(&self.folder, iteration.iteration);
            // No recipe: it would not repeat this picture.
            let bytes = encode_picture(&iteration.picture(), OutputFormat::Png, WriteOptions::default(), None)?;
            self.waiting_frame = Some((path, bytes));
        }
        let framed = self.write_waiting_frame();
        appended?;
        Ok(framed?)
    }

    /// Writes what the disk has not taken yet, down to the disk: before a checkpoint, and when the run ends.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn settle(&mut self) -> Result<(), DiskError> {
        let framed = self.write_waiting_frame();
        self.settle_lines()?;
        framed
    }

    fn settle_lines(&mut self) -> Result<(), DiskError> {
        if !self.waiting.is_empty() {
            self.append_waiting()?;
        }
        self.metrics.sync()
    }

    fn write_waiting_frame(&mut self) -> Result<(), DiskError> {
        if let Some((path, bytes)) = &self.waiting_frame {
            replace_file(self.disk, path, bytes)?;
        }
        self.waiting_frame = None;
        Ok(())
    }

    fn append_waiting(&mut self) -> Result<(), DiskError> {
        self.metrics.append(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    /// Writes a checkpoint where one is due, or where `now`. Gives whether the present state is on the disk.
    ///
    /// # Errors
    /// What the disk refuses; both generations are what they were.
    pub fn keep(&mut self, snapshot: &Snapshot<'_>, now: bool) -> Result<bool, DiskError> {
        if self.saving.keeps_last_state && snapshot.place.evaluations >= self.evaluations {
            save_last_state(self.disk, &self.folder, snapshot)?;
        }
        if !(now || self.is_due(snapshot)) {
            return Ok(false);
        }
        if self.kept == Some(snapshot.place.evaluations) {
            return Ok(true);
        }
        let begun = (self.clock)();
        let kept = self.keep_now(snapshot);
        self.kept_at = (self.clock)();
        self.keeping_took = self.kept_at - begun;
        self.scheduled = snapshot.place.iterations;
        self.is_owed = kept.is_err();
        kept.map(|()| true)
    }

    fn keep_now(&mut self, snapshot: &Snapshot<'_>) -> Result<(), DiskError> {
        // The lines first: a checkpoint on the disk is then never ahead of them. A frame is no reason to go without one.
        self.settle_lines()?;
        self.keeper.save(snapshot)?;
        self.kept = Some(snapshot.place.evaluations);
        Ok(())
    }

    fn is_due(&self, snapshot: &Snapshot<'_>) -> bool {
        let (place, saving) = (snapshot.place, &self.saving);
        if place.evaluations >= self.evaluations {
            return false;
        }
        let slow = if saving.checkpoint_may_wait { LEAST_WAIT * self.keeping_took } else { 0.0 };
        let waited = (self.clock)() - self.kept_at;
        let has_waited = waited >= slow && (self.is_owed || waited >= saving.checkpoint_every_s);
        let is_scheduled = place.iterations != self.scheduled && saving.frames.has_checkpoint(place.iterations);
        // A run that is stopped on the way to the next size has only this state.
        has_waited || is_scheduled || snapshot.ends_scale()
    }
}

/// The whole lines of evaluations up to this one, and the seconds that the last of them tells.
fn lines_until(path: &Path, evaluations: u32) -> Result<(Vec<u8>, f64), DiskError> {
    let bytes = match read_file(path, METRICS_LIMIT_MIB) {
        Err(DiskError::Missing { .. }) => Vec::new(),
        read => read?,
    };
    let (mut lines, mut seconds) = (Vec::new(), 0.0);
    for line in whole_lines(&bytes) {
        let Ok(metrics) = serde_json::from_slice::<Metrics>(line) else { break };
        if metrics.evaluations > evaluations {
            break;
        }
        seconds = metrics.seconds;
        lines.extend_from_slice(line);
        lines.push(b'\n');
    }
    Ok((lines, seconds))
}
