//! Runs are put in line, gone on with, taken out of the line, removed.

use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use impasto::disk::remove_folder;
use impasto::run_folder::{LOCK, RECORD, RunState, state};
use impasto::write::WriteOptions;
use impasto_job::{Files, Job};

use super::about::{About, now_s, short};
use super::kept::Kept;
use super::live::Live;
use super::order::Ordered;
use super::{Studio, WAITING};
use crate::names::{RunId, no_run, plain_stem};
use crate::problem::Problem;
use crate::shelf::limits;
use crate::shown::aside;
use crate::wire::{ImageInfo, NewRun, RunInfo, Stage};

/// Whence a new run comes.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The run that it comes from.
    pub parent: Option<RunId>,
    /// The parent's evaluations then.
    pub branched_at: Option<u32>,
    /// What people call it.
    pub name: Option<String>,
}

/// How a run's picture is written: with 16 bits, so that each export has what it can hold.
pub fn files() -> Files {
    Files { write: WriteOptions { bits: 16, ..WriteOptions::default() }, read: limits(), ..Files::default() }
}

impl Studio {
    /// Puts a run in line.
    ///
    /// # Errors
    /// Every error of a choice; a line that is full.
    pub async fn begin(self: &Arc<Self>, new: NewRun) -> Result<RunInfo, Problem> {
        let studio = Arc::clone(self);
        aside(move || {
            let origin = Origin { name: new.name.clone(), ..Origin::default() };
            studio.begin_ordered(studio.ordered(&new)?, origin)
        })
        .await
    }

    /// Puts a run in line whose images are known.
    pub(super) fn begin_ordered(&self, ordered: Ordered, origin: Origin) -> Result<RunInfo, Problem> {
        let Ordered { order, device, content, styles } = ordered;
        self.check_line()?;
        // Every error of a choice is said before it stands in line.
        let recipe = Job::new(&order, &files(), None)?.order().recipe.clone();
        let mut inner = self.lock();
        let is_taken = |folder: &Path| inner.runs.values().any(|live| live.folder == *folder);
        let folder = self.new_folder(&content, &styles, is_taken);
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let about = About {
            name: origin
                .name
                .as_deref()
                .map(short)
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| called(&content, &styles)),
            parent: origin.parent,
            branched_at: origin.branched_at,
            device: Some(device.to_string()),
            created_s: Some(now_s()),
        };
        let mut live = Live::waiting(RunId::of(&name), folder, about, device, Some(order));
        (live.content, live.styles, live.recipe) = (Some(content), styles, Some(recipe));
        let id = live.id.clone();
        if inner.line.len() >= WAITING || inner.is_closing {
            return Err(full());
        }
        inner.runs.insert(id.clone(), live);
        inner.line.push_back(id.clone());
        let info = inner.info(&id).ok_or_else(no_run)?;
        drop(inner);
        self.changed.notify_all();
        self.tell_state(&info);
        Ok(info)
    }

    pub(super) fn check_line(&self) -> Result<(), Problem> {
        let inner = self.lock();
        if inner.line.len() >= WAITING || inner.is_closing { Err(full()) } else { Ok(()) }
    }

    /// Puts a stopped run in line again.
    ///
    /// # Errors
    /// It is not stopped; the line is full.
    pub async fn go_on(self: &Arc<Self>, id: &RunId) -> Result<Stage, Problem> {
        let (studio, id) = (Arc::clone(self), id.clone());
        aside(move || studio.go_on_now(&id)).await
    }

    fn go_on_now(&self, id: &RunId) -> Result<Stage, Problem> {
        self.check_line()?;
        let known = self.lock().runs.get(id).map(|live| live.stage);
        match known {
            Some(Stage::Stopped | Stage::Failed) => self.line_up(id).map(|info| info.state),
            Some(_) => Err(Problem::conflict("this run is not stopped; there is nothing to go on with")),
            None => {
                let kept = self.kept(id)?;
                if state(&kept.folder, &kept.record) != RunState::Stopped {
                    return Err(Problem::conflict("this run is not stopped here; there is nothing to go on with"));
                }
                self.line_up_kept(id, kept).map(|info| info.state)
            }
        }
    }

    /// Puts a run in line of which only the folder tells.
    pub(super) fn line_up_kept(&self, id: &RunId, kept: Kept) -> Result<RunInfo, Problem> {
        let device = kept.about.device.as_deref().and_then(|name| name.parse().ok()).unwrap_or(self.device);
        let info = kept.info(self);
        let mut live = Live::waiting(id.clone(), kept.folder, kept.about, device, None);
        live.resembles(&info);
        (live.content, live.styles, live.recipe) = (info.content, info.styles, Some(kept.record.recipe));
        live.about.created_s = live.about.created_s.or(Some(info.created_s));
        self.lock().runs.insert(id.clone(), live);
        self.line_up(id)
    }

    /// Puts a run that is known in line.
    fn line_up(&self, id: &RunId) -> Result<RunInfo, Problem> {
        let mut inner = self.lock();
        let live = inner.runs.get_mut(id).ok_or_else(no_run)?;
        (live.stage, live.error) = (Stage::Waiting, None);
        inner.line.push_back(id.clone());
        let info = inner.info(id).ok_or_else(no_run)?;
        drop(inner);
        self.changed.notify_all();
        self.tell_state(&info);
        Ok(info)
    }

    /// Removes a run, from the line or from the disk.
    ///
    /// # Errors
    /// It is painted now, here or elsewhere.
    pub async fn remove(self: &Arc<Self>, id: &RunId) -> Result<(), Problem> {
        let (studio, id) = (Arc::clone(self), id.clone());
        aside(move || {
            studio.remove_now(&id)?;
            studio.tell_removed(&id);
            Ok(())
        })
        .await
    }

    fn remove_now(&self, id: &RunId) -> Result<(), Problem> {
        let mut inner = self.lock();
        let known = inner.runs.get(id).map(|live| live.stage);
        match known {
            Some(Stage::Waiting) => inner.line.retain(|waiting| waiting != id),
            Some(stage) if stage.is_alive() => return Err(is_painted()),
            _ => {}
        }
        // Out of the list while the lock is held, so that it cannot be put in line meanwhile.
        inner.runs.remove(id);
        drop(inner);
        let Ok(kept) = self.kept(id) else { return if known.is_some() { Ok(()) } else { Err(no_run()) } };
        if state(&kept.folder, &kept.record) == RunState::Running {
            return Err(is_painted());
        }
        remove_folder(&kept.folder, LOCK, RECORD).map_err(|error| match error {
            impasto::disk::DiskError::InUse { .. } => is_painted(),
            error => Problem::failed(error),
        })
    }
}

/// What a run is called that nobody has named.
fn called(content: &ImageInfo, styles: &[ImageInfo]) -> String {
    let stem = |image: &ImageInfo| plain_stem(&image.name, "image");
    match styles.first() {
        Some(style) => format!("{} after {}", stem(content), stem(style)),
        None => stem(content),
    }
}

fn is_painted() -> Problem {
    Problem::conflict("this run is painted now; stop it first")
}

fn full() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        format_args!("{WAITING} runs wait already; try again when one of them has begun, or take one out of the line"),
    )
}
