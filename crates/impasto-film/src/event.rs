//! What happens in a film, as a front end is told.

use impasto::Control;
use impasto_job::JobEvent;

use crate::shots::Shot;

/// What happens in a film. Frames and passes are counted from 1.
#[derive(Clone, Copy)]
pub enum FilmEvent<'a> {
    /// A sentence that a person should know.
    Note(&'a str),
    /// A frame was looked at for cuts.
    Looked {
        /// The frame.
        frame: usize,
        /// Of so many.
        frames: usize,
    },
    /// The shots are known.
    Shots(&'a [Shot]),
    /// A frame is begun.
    Frame {
        /// Which time the film is gone through.
        pass: u32,
        /// The frame.
        frame: usize,
        /// Of so many.
        frames: usize,
        /// Evaluations at the full size that it will have.
        evaluations: u32,
    },
    /// What happens while it is painted.
    Job(JobEvent<'a>),
    /// A frame is on the disk.
    Painted {
        /// Which time the film is gone through.
        pass: u32,
        /// The frame.
        frame: usize,
        /// Of so many.
        frames: usize,
        /// Whether it was there already.
        was_there: bool,
    },
}

/// A front end's observer: is told of every event, and may stop the film. It never changes a pixel.
pub type FilmObserver<'a> = dyn FnMut(FilmEvent<'_>) -> Control + 'a;
