//! What happens in a job, as a front end is told.

use impasto::recipe::ChangedFields;
use impasto::{Control, Iteration, Scale};

use crate::failure::Failure;
use crate::pace::Progress;

/// What happens in a job.
#[derive(Clone, Copy)]
pub enum JobEvent<'a> {
    /// A sentence that a person should know.
    Note(&'a str),
    /// The folder, where there is one, is taken, and the run begins, or goes on where it was stopped.
    Started {
        /// Whether the run was begun earlier.
        goes_on: bool,
    },
    /// The work at a size begins; until its first evaluation the paintings are looked at.
    ScaleStarted {
        /// Place among the scales.
        index: usize,
        /// The scale.
        scale: Scale,
    },
    /// An evaluation was accepted.
    Iteration {
        /// How far the job is.
        progress: Progress,
        /// The losses of each layer, and the picture so far.
        iteration: &'a Iteration<'a>,
    },
    /// An evaluation was rejected, and the run went back to the last good picture.
    Rejected {
        /// Evaluations done in the whole run.
        evaluations: u32,
    },
    /// A change counts from here on: one of the recipe's timeline, or one that came by a [`Handle`](super::Handle).
    Applied {
        /// The evaluation that is made next.
        before_evaluation: u32,
        /// What is other.
        set: &'a ChangedFields,
    },
    /// A change that was taken does not count, since it could not be written to the run's folder.
    Refused {
        /// What it would have set.
        set: &'a ChangedFields,
        /// Why.
        failure: &'a Failure,
    },
    /// The job waits for [`Handle::go_on`](super::Handle::go_on) or [`Handle::step`](super::Handle::step).
    Paused {
        /// Evaluations done in the whole run.
        evaluations: u32,
    },
    /// The wait is over.
    WentOn,
    /// The checkpoint that was asked for is on the disk.
    Kept {
        /// Evaluations done in the whole run.
        evaluations: u32,
    },
    /// The evaluations are over; the picture will be written next.
    Painted,
}

/// A front end's observer: is told of every event, and may stop the run. It never changes a pixel.
pub type Observer<'a> = dyn FnMut(JobEvent<'_>) -> Control + 'a;
