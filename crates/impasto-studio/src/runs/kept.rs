//! Runs as their folders tell of them: those of earlier days, and those that a terminal began.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use impasto::disk::read_file;
use impasto::read::ReadLimits;
use impasto::run_folder::{
    Input, Metrics, RECORD, RESULT, RunRecord, RunState, frames, last_metrics, read_metrics, read_record, state,
};

use super::Studio;
use super::about::{About, seconds_of};
use super::figures::Figures;
use super::live::{revision_of_result, revision_on_the_way};
use crate::names::{Digest, RunId, no_run};
use crate::problem::Problem;
use crate::shelf::UPLOAD_MIB;
use crate::wire::{Extent, ImageInfo, Losses, RunInfo, Stage};

/// A run's folder and what it says.
#[derive(Debug)]
pub struct Kept {
    /// Its identifier.
    pub id: RunId,
    /// Its folder.
    pub folder: PathBuf,
    /// `run.json`.
    pub record: RunRecord,
    /// `studio.json`.
    pub about: About,
}

impl Studio {
    /// The folders that are runs, with their identifiers. A link is none.
    pub(super) fn folders(&self) -> Vec<(RunId, PathBuf)> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let named = folders.filter_map(|entry| {
            let folder = entry.path();
            let id = RunId::of(entry.file_name().to_str()?);
            folder.join(RECORD).is_file().then_some((id, folder))
        });
        named.collect()
    }

    /// The run of this identifier, as its folder tells of it.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn kept(&self, id: &RunId) -> Result<Kept, Problem> {
        let folder = self.folders().into_iter().find(|(known, _)| known == id).ok_or_else(no_run)?.1;
        Kept::read(folder).ok_or_else(|| Problem::failed("this run's run.json cannot be read; `impasto runs` says why"))
    }
}

impl Kept {
    /// What the folder says; `None` where it is no run.
    pub fn read(folder: PathBuf) -> Option<Kept> {
        let record = read_record(&folder).ok()?;
        let (id, about) = (RunId::of(folder.file_name()?.to_str()?), About::read(&folder));
        Some(Kept { id, folder, record, about })
    }

    /// As it is listed.
    pub fn info(&self, studio: &Studio) -> RunInfo {
        let Kept { record, about, folder, .. } = self;
        let state = state(folder, record);
        let full =
            record.scales.last().map_or(Extent::default(), |full| Extent { width: full.width, height: full.height });
        let last = last_metrics(folder);
        let line = last.as_ref();
        let outcome = record.outcome.as_ref();
        let so_far = |metrics: &Metrics| Losses { total: metrics.loss, content: metrics.content, style: metrics.style };
        // What was branched in a terminal says so itself.
        let of_terminal = record.branch.as_ref().and_then(|branch| {
            let parent = branch.parent.file_name()?.to_str()?;
            Some((RunId::of(parent), branch.after_evaluation))
        });
        let branched_at = of_terminal.as_ref().map(|(_, after)| *after);
        let shelved = |input: &Input| studio.shelved(folder, input);
        RunInfo {
            id: self.id.clone(),
            parent: about.parent.clone().or_else(|| of_terminal.map(|(parent, _)| parent)),
            branched_at: about.branched_at.or(branched_at),
            name: about.name.clone(),
            state: match state {
                RunState::Running => Stage::Painting,
                RunState::Finished => Stage::Finished,
                RunState::Stopped => Stage::Stopped,
            },
            error: None,
            preset: record.recipe.preset.clone(),
            size: full,
            painted: line.map_or(full, |line| Extent { width: line.width, height: line.height }),
            evaluation: outcome.map(|it| it.evaluations).or(line.map(|it| it.evaluations)).unwrap_or(0),
            evaluations: record.scales.iter().map(|scale| u64::from(scale.evaluations)).sum(),
            seconds: outcome.map(|it| it.seconds).or(line.map(|it| it.seconds)).unwrap_or(0.0),
            seconds_left: None,
            memory_mib: None,
            device: about.device.clone().unwrap_or_else(|| record.machine.engine.clone()),
            revision: self.newest().map_or(0, |(revision, _)| revision),
            loss: line.map(so_far),
            place_in_line: None,
            created_s: about.created_s.unwrap_or_else(|| seconds_of(&record.started)),
            elsewhere: state == RunState::Running,
            content: shelved(&record.inputs.content),
            styles: record.inputs.styles.iter().filter_map(shelved).collect(),
            can_undo: false,
            can_redo: false,
        }
    }

    /// Its newest picture's revision and file: the result, else the last on the way.
    pub fn newest(&self) -> Option<(u32, PathBuf)> {
        let result = self.folder.join(RESULT);
        let iterations = match &self.record.outcome {
            Some(outcome) => outcome.iterations,
            None => last_metrics(&self.folder).map_or(0, |last| last.iteration),
        };
        if result.is_file() {
            return Some((revision_of_result(iterations), result));
        }
        let (iteration, frame) = frames(&self.folder).pop()?;
        Some((revision_on_the_way(iteration), frame))
    }

    /// Its losses.
    pub fn lines(&self) -> Vec<Figures> {
        read_metrics(&self.folder).unwrap_or_default().iter().map(Figures::of).collect()
    }
}

/// What this program has written itself may be as large as it likes.
pub fn own_limits() -> ReadLimits {
    ReadLimits { megapixels: u64::MAX, keeps_transparency: true, ..ReadLimits::default() }
}

impl Studio {
    /// An image of a run, put on the shelf where it is not there yet; `None` where it cannot be.
    fn shelved(&self, folder: &Path, input: &Input) -> Option<ImageInfo> {
        let known = Digest::parse(&input.sha256).ok()?;
        if let Ok((info, _)) = self.shelf.image(&known) {
            return Some(info);
        }
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if unreadable.contains(&input.sha256) {
            return None;
        }
        let is_inside = input.file.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        let bytes = read_file(&folder.join(&input.file), UPLOAD_MIB).ok().filter(|_| is_inside);
        let brought = bytes.and_then(|bytes| self.shelf.bring_image(&input.name, &bytes).ok());
        if brought.is_none() {
            unreadable.insert(input.sha256.clone());
        }
        brought
    }
}
