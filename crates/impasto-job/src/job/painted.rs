//! A picture that is painted and still to be written.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use impasto::image_file::exif::Exif;
use impasto::picture::alpha::Alpha;
use impasto::write::Carried;
use impasto::{Outcome, ResolvedRecipe};

use super::finished::Finished;
use super::keeping::Kept;
use super::writing::Writing;
use crate::failure::Failure;
use crate::shell::quoted;

/// A picture that is painted and still to be written. Its run, where it is kept, is not finished before.
pub struct Painted {
    pub(super) outcome: Outcome,
    pub(super) recipe: ResolvedRecipe,
    pub(super) writing: Writing,
    pub(super) alpha: Option<Alpha>,
    pub(super) exif: Exif,
    pub(super) kept: Option<Kept>,
    /// Whether the run's last state is in a checkpoint.
    pub(super) is_kept: bool,
    /// Seconds of work, over all the times that the run was gone on with.
    pub(super) worked_s: f64,
    pub(super) started: Instant,
}

impl Painted {
    /// Writes the picture where it was asked for, and finishes its run.
    ///
    /// # Errors
    /// What keeps it from being written anywhere.
    pub fn write(self) -> Result<Finished, Failure> {
        let Painted { outcome, recipe, writing, alpha, exif, kept, is_kept, worked_s, started } = self;
        let (text, exif) = (recipe.to_json(), writing.exif.of(&exif));
        let carried = Carried { recipe: Some(&text), alpha: alpha.as_ref(), exif: exif.as_ref() };
        let written = writing.write(&outcome.picture, &carried).map_err(|failure| match &kept {
            Some(kept) => Failure::failed(format_args!(
                "{failure}; then {} goes on from the last checkpoint",
                resume(kept.folder())
            )),
            None => failure,
        })?;
        let is_done = !outcome.interrupted && outcome.failure.is_none();
        let is_in_place = written.trouble.as_ref().is_none_or(|trouble| trouble.is_in_run);
        let way_on = match kept {
            Some(kept) if is_done && is_in_place => kept.finish(&outcome, worked_s).map(|()| None)?,
            Some(kept) if is_done => Some(format!("{} goes on from the last checkpoint", resume(kept.folder()))),
            Some(kept) => Some(way_on(kept.folder(), is_kept, &outcome)),
            None => None,
        };
        let unwritten = written.trouble.map(|trouble| trouble.error.to_string());
        let (output, seconds) = (written.place, started.elapsed().as_secs_f64());
        Ok(Finished { outcome, recipe, output, unwritten, seconds, way_on })
    }
}

impl fmt::Debug for Painted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Painted").field("evaluations", &self.outcome.evaluations).finish_non_exhaustive()
    }
}

/// The command that goes on with a run.
fn resume(folder: &Path) -> String {
    format!("`impasto resume {}`", quoted(folder))
}

/// How a run that has stopped is gone on with.
fn way_on(folder: &Path, is_kept: bool, outcome: &Outcome) -> String {
    let resume = resume(folder);
    if is_kept {
        return format!("{resume} goes on");
    }
    match outcome.failure {
        // Only who stops it asks for a checkpoint there and then.
        Some(_) => format!("{resume} goes on from the last checkpoint"),
        None => {
            format!("its checkpoint could not be written, so {resume} goes on from an earlier one, if there is one")
        }
    }
}
