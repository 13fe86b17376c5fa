//! What happens while a batch is done, as a front end is told, and what came of it.

use impasto::Control;
use impasto_job::Failure;
use impasto_job::pace::Progress;

use crate::receipt::{FilmReceipt, Receipt};
use crate::task::Task;

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum BatchEvent<'a> {
    /// A sentence that a person should know; of a task, where it has a number.
    Note {
        /// The task's number.
        number: Option<u32>,
        /// The sentence.
        sentence: &'a str,
    },
    /// A task is done already.
    Stands {
        /// The task's number.
        number: u32,
    },
    /// A task is begun, or gone on with.
    Begun {
        /// The task.
        task: &'a Task,
        /// Whether it was begun earlier.
        goes_on: bool,
    },
    /// An evaluation of a task was accepted.
    Iteration {
        /// The task's number.
        number: u32,
        /// How far it is.
        progress: &'a Progress,
        /// How many evaluations it has in all.
        of: u64,
    },
    /// An evaluation of a frame of a shot was accepted.
    Evaluated {
        /// The task's number.
        number: u32,
    },
    /// A frame of a shot is on the disk, in one of its passes.
    Frame {
        /// The task's number.
        number: u32,
        /// How many are, over all passes.
        painted: usize,
        /// Of so many.
        of: usize,
    },
    /// A film was put together.
    Joined {
        /// What was.
        receipt: &'a FilmReceipt,
    },
    /// A film whose shots are done could not be put together.
    Unjoined {
        /// Which, and why.
        unjoined: &'a Unjoined,
    },
    /// A task is done.
    Painted {
        /// What was painted.
        receipt: &'a Receipt,
    },
    /// A task is not done.
    Unpainted {
        /// Which, and why.
        unpainted: &'a Unpainted,
    },
    /// Nothing is left but what other programs work on.
    Waiting {
        /// How many tasks that is.
        tasks: usize,
    },
}

/// A front end's observer: is told of every event, and may stop the batch.
pub type Observer<'a> = dyn FnMut(BatchEvent<'_>) -> Control + 'a;

/// A task that is not done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpainted {
    /// Its number.
    pub number: u32,
    /// The picture that there would be.
    pub output: String,
    /// Why there is none.
    pub failure: Failure,
    /// Whether it was tried now, and not earlier or not at all.
    pub was_tried: bool,
}

/// A film that is not whole though its shots are done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjoined {
    /// The film that there would be.
    pub output: String,
    /// Why there is none.
    pub failure: Failure,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Tasks that were asked for.
    pub tasks: usize,
    /// Of them, those that were done before.
    pub stood: usize,
    /// Of them, those that were painted now.
    pub painted: usize,
    /// Of them, those that are not done and were not stopped.
    pub unpainted: Vec<Unpainted>,
    /// Films that were put together now.
    pub joined: usize,
    /// Films that could not be put together.
    pub unjoined: Vec<Unjoined>,
    /// Whether it was stopped.
    pub was_stopped: bool,
}
