//! Going on or stopping: what whoever watches long work answers.

/// What an observer answers to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Stop before the next evaluation.
    Stop,
}
