//! Event files: what TensorBoard shows of a run.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use impasto::disk::{RealDisk, create_folder};
use impasto::tensorboard::{Moment, RunLog};
use impasto::write::WriteError;
use impasto::{Iteration, Outcome, ResolvedRecipe};

use crate::failure::Failure;

/// The run's event file, where one was asked for.
pub struct Board(Option<RunLog>);

impl Board {
    /// Makes the folder, if there is one, so that one that cannot be is said before anything else happens.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn prepare(folder: Option<&Path>) -> Result<(), Failure> {
        folder.map_or(Ok(()), |folder| create_folder(&RealDisk, folder)).map_err(Failure::failed)
    }

    /// Opens a new event file in `folder`, if there is one, for a run that has so many iterations behind it.
    ///
    /// # Errors
    /// A folder that takes no files.
    pub fn open(folder: Option<&Path>, recipe: &ResolvedRecipe, iterations: u32) -> Result<Board, Failure> {
        let start = now(iterations.saturating_add(1));
        let log = folder.map(|folder| RunLog::create(&RealDisk, folder, recipe, start)).transpose();
        log.map(Board).map_err(Failure::failed)
    }

    /// Writes an evaluation down. A log that fails is no reason to stop: it is closed, and the sentence to be said is
    /// given back.
    pub fn iteration(&mut self, iteration: &Iteration<'_>, seconds: f64) -> Option<String> {
        let written = self.0.as_mut()?.iteration(iteration, seconds, now(0).wall_time_s);
        self.close_on(written)
    }

    /// Writes the last picture down; answers as [`Board::iteration`].
    pub fn end(&mut self, outcome: &Outcome) -> Option<String> {
        let written = self.0.as_mut()?.end(now(outcome.iterations), &outcome.picture);
        self.close_on(written)
    }

    fn close_on(&mut self, written: Result<(), WriteError>) -> Option<String> {
        let error = written.err()?;
        self.0 = None;
        Some(format!("painting goes on without its log for TensorBoard: {error}"))
    }
}

fn now(step: u32) -> Moment {
    // A clock before 1970 is as good as none.
    let wall_time_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    Moment { step, wall_time_s }
}
