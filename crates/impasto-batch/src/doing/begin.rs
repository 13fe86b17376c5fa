//! The beginning of a task: with a run that an earlier program has left, where that can be gone on with, or anew.

use std::path::Path;

use impasto::Control;
use impasto::checkpoint::newest;
use impasto::disk::{Lock, check_writable};
use impasto::run_folder::{RECORD, RunRecord, read_record};
use impasto_job::order::ResolvedOrder;
use impasto_job::pace::Plan;
use impasto_job::{Failure, Job, JobEvent, Painted, Resumed};

use super::ahead::Ahead;
use super::event::BatchEvent;
use super::finishing::{End, Finishing, as_painted, failed, remove_run};
use super::{Doing, State};
use crate::standing;
use crate::task::{Task, output_path};

impl Doing<'_, '_, '_, '_> {
    /// Paints a task whose claim is held, and hands it over to be finished.
    pub(super) fn begin(
        &mut self,
        place: usize,
        task: Task,
        digest: String,
        claim: Option<Lock>,
    ) -> Result<(), Failure> {
        self.demand_engine(&task)?;
        if let Some(shot) = &task.shot {
            return self.begin_shot(place, (&task, shot, &digest), claim);
        }
        let run = self.folder.run(task.number, &digest);
        let painted = match self.painted(place, &task, &digest, &run) {
            Ok(painted) => painted,
            Err(failure) => {
                match failed(self.folder, &task, &digest, claim.is_some(), failure)? {
                    End::Failed(failure) => self.unpainted(place, &task, failure, true),
                    End::Stopped | End::Painted(_) => self.tally.was_stopped = true,
                }
                return Ok(());
            }
        };
        let position = self.positions[place];
        self.finish(place, Finishing { position, task, digest, run, painted, claim })
    }

    /// A portable task is painted by its engine, or by none. That is this machine's fault and not the task's.
    fn demand_engine(&mut self, task: &Task) -> Result<(), Failure> {
        let Some(wanted) = &task.engine else { return Ok(()) };
        let order = ResolvedOrder::of_files(&task.recipe, &task.files(self.folder.root()))?;
        let (engine, _) = self.engines.open(&order.weights, order.recipe.weights_input)?;
        let found = engine.describe();
        let found = format!("{} {}", found.name, found.isa);
        let way_out = match wanted.split_once(' ') {
            Some(("cpu", isa)) => format!("give --device cpu and set IMPASTO_ISA={isa}, or take a machine that has it"),
            _ => "take a machine that has it".to_owned(),
        };
        match found == *wanted {
            true => Ok(()),
            false => Err(Failure::failed(format_args!(
                "the batch is for the engine {wanted}, so that all machines paint the same bytes, and here is {found}; {way_out}"
            ))),
        }
    }

    /// The picture, painted; `None` where it is in a finished run already.
    fn painted(&mut self, place: usize, task: &Task, digest: &str, run: &Path) -> Result<Option<Painted>, Failure> {
        for other in self.folder.runs(task.number) {
            if other != run {
                remove_run(&other)?;
            }
        }
        let ahead = self.ahead.take().and_then(|ahead| ahead.take(task.number, digest));
        let mut job = match self.begun(task, run)? {
            Some(RunRecord { outcome: Some(_), .. }) => return Ok(None),
            Some(_) => match Job::resume(run, None)? {
                Resumed::Job(job) => *job,
                Resumed::Finished(_) => return Ok(None),
            },
            None => match ahead {
                Some(job) => job,
                None => task.job(self.folder.root(), run)?,
            },
        };
        self.note_changes(task);
        check_writable(&output_path(self.folder.root(), task), 0).map_err(Failure::failed)?;
        job.memory_limit_bytes = self.how.memory_limit_bytes;
        let prepared = job.prepare(self.engines)?;
        for note in prepared.notes() {
            self.told(BatchEvent::Note { number: Some(task.number), sentence: note });
        }
        self.read_ahead(place)?;
        let of = Plan::of(prepared.scales()).evaluations();
        let painted = prepared.paint(&mut |event| {
            let number = task.number;
            match event {
                JobEvent::Note(sentence) => (self.observer)(BatchEvent::Note { number: Some(number), sentence }),
                JobEvent::Started { goes_on } => (self.observer)(BatchEvent::Begun { task, goes_on }),
                JobEvent::Iteration { progress, .. } => {
                    (self.observer)(BatchEvent::Iteration { number, progress: &progress, of })
                }
                _ => Control::Continue,
            }
        })?;
        Ok(Some(painted))
    }

    /// The run of this task that an earlier program has left, where it can be gone on with; else it goes.
    fn begun(&mut self, task: &Task, run: &Path) -> Result<Option<RunRecord>, Failure> {
        if !run.join(RECORD).exists() {
            return Ok(None);
        }
        let why = match read_record(run) {
            Err(error) => error.to_string(),
            Ok(record) => {
                let now = standing::inputs(self.folder, task, &mut self.digests);
                let begun = as_painted(self.folder, task, &record, &mut self.digests);
                // The run has copies of its own: that one is gone is no change.
                let is_same = now.iter().zip(&begun).all(|(now, begun)| now.as_ref().is_none_or(|now| now == begun));
                if !is_same {
                    "its images have changed since it was begun".to_owned()
                } else if record.outcome.is_none() && is_damaged(run) {
                    "its checkpoints cannot be gone on from".to_owned()
                } else {
                    return Ok(Some(record));
                }
            }
        };
        let sentence = format!("{}: {why}; it is begun anew", task.output);
        self.told(BatchEvent::Note { number: Some(task.number), sentence: &sentence });
        remove_run(run).map(|()| None)
    }

    /// Says which files are no more what they were when the task was planned.
    pub(super) fn note_changes(&mut self, task: &Task) {
        let now = standing::inputs(self.folder, task, &mut self.digests);
        let frames = task.shot.as_ref().zip(now.last().cloned().flatten());
        if let Some((shot, _)) = frames.filter(|(shot, now)| *now != shot.sha256) {
            let sentence = format!(
                "frames in {} have changed since they were planned; the shot is painted of them as they are now",
                shot.folder
            );
            self.told(BatchEvent::Note { number: Some(task.number), sentence: &sentence });
        }
        for (input, now) in task.inputs().zip(now) {
            if now.is_some_and(|now| now != input.sha256) {
                let sentence = format!("{} has changed since it was planned; it is painted as it is now", input.file);
                self.told(BatchEvent::Note { number: Some(task.number), sentence: &sentence });
            }
        }
    }

    /// Has the images of the next task read, if nobody works on that.
    fn read_ahead(&mut self, place: usize) -> Result<(), Failure> {
        let is_next = |next: &usize| {
            let number = self.list.entries()[self.positions[*next]].number;
            self.states[*next] == State::Open && !Lock::is_held(&self.folder.claim(number))
        };
        if let Some(next) = (place + 1..self.positions.len()).find(is_next) {
            self.ahead = Ahead::begin(self.threads, self.folder, self.list.read(self.positions[next])?);
        }
        Ok(())
    }
}

/// Whether a run has checkpoints, and none that it can be gone on from.
fn is_damaged(run: &Path) -> bool {
    let found = newest(run);
    found.newest.is_none() && !found.refused.is_empty()
}
