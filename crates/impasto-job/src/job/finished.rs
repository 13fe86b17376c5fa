//! How a job has ended.

use std::path::PathBuf;

use impasto::{Outcome, ResolvedRecipe};

use crate::failure::Failure;

/// How a job ended that has written a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As asked.
    Done,
    /// Stopped; the picture is the one so far.
    Interrupted,
    /// The engine could not go on, and the picture is the one so far; or it could not be written where it was asked for.
    Failed,
}

/// A job that has written a picture.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What the run gave.
    pub outcome: Outcome,
    /// The recipe that the picture carries.
    pub recipe: ResolvedRecipe,
    /// Where the picture is: the file that was asked for, else the one in the run's folder. Where the disk took neither, a
    /// PNG of a new name beside it or in the folder for temporary files.
    pub output: PathBuf,
    /// Why the picture could not be written everywhere where it was asked for, as a sentence.
    pub unwritten: Option<String>,
    /// Seconds from the job's preparation until the picture was on disk.
    pub seconds: f64,
    /// How the run is gone on with, where it is kept and not finished, as half a sentence.
    pub way_on: Option<String>,
}

impl Finished {
    /// How it ended.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match &self.outcome.failure {
            Some(_) => Ending::Failed,
            None if self.unwritten.is_some() => Ending::Failed,
            None if self.outcome.interrupted => Ending::Interrupted,
            None => Ending::Done,
        }
    }

    /// Why the picture is not the one that was asked for, as a sentence with the way on.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let way_on = self.way_on.as_ref().map_or(String::new(), |way_on| format!("; {way_on}"));
        let (evaluations, output) = (self.outcome.evaluations, self.output.display());
        if let Some(unwritten) = &self.unwritten {
            let stopped = match (&self.outcome.failure, self.outcome.interrupted) {
                (Some(failure), _) => format!("{failure}; "),
                (None, true) => "interrupted; ".to_owned(),
                (None, false) => String::new(),
            };
            return Some(Failure::failed(format_args!(
                "{stopped}{unwritten}; the picture, of {evaluations} evaluations, is {output}{way_on}"
            )));
        }
        if let Some(failure) = &self.outcome.failure {
            return Some(Failure::failed(format_args!(
                "{failure}; the picture so far, of {evaluations} evaluations, is {output}{way_on}"
            )));
        }
        self.outcome.interrupted.then(|| {
            Failure::interrupted(format_args!(
                "interrupted after {evaluations} evaluations; the picture so far is {output}{way_on}"
            ))
        })
    }
}
