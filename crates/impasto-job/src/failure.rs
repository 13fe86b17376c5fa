//! Why a job did not end as it should: what kind of reason, and the one sentence that says it.

use std::fmt;
use std::path::Path;

/// What kind of reason. A front end may turn it into an exit status, an HTTP status, an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Something failed: a file is missing, unreadable, too large or not what it says.
    Failed,
    /// What was asked for, or the recipe, is wrong; asking again gives the same answer.
    Usage,
    /// Stopped; the picture so far is on disk.
    Interrupted,
}

/// Why a job did not end as it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    /// What kind of reason.
    pub kind: FailureKind,
    /// One sentence that names the file or option and the way out.
    pub sentence: String,
}

impl Failure {
    /// Something failed.
    pub fn failed(sentence: impl fmt::Display) -> Failure {
        Failure { kind: FailureKind::Failed, sentence: sentence.to_string() }
    }

    /// What was asked for, or the recipe, is wrong.
    pub fn usage(sentence: impl fmt::Display) -> Failure {
        Failure { kind: FailureKind::Usage, sentence: sentence.to_string() }
    }

    /// Stopped.
    pub fn interrupted(sentence: impl fmt::Display) -> Failure {
        Failure { kind: FailureKind::Interrupted, sentence: sentence.to_string() }
    }

    /// A file failed; `problem` is the sentence's second half.
    pub fn file(path: &Path, problem: impl fmt::Display) -> Failure {
        Failure::failed(format_args!("{} {problem}", path.display()))
    }
}

impl From<impasto_vgg::EngineError> for Failure {
    fn from(error: impasto_vgg::EngineError) -> Failure {
        match error {
            impasto_vgg::EngineError::Isa { .. } => Failure::usage(error),
            _ => Failure::failed(error),
        }
    }
}

impl From<impasto::recipe::RecipeError> for Failure {
    fn from(error: impasto::recipe::RecipeError) -> Failure {
        Failure::usage(error)
    }
}

impl From<impasto::PaintError> for Failure {
    fn from(error: impasto::PaintError) -> Failure {
        match error {
            impasto::PaintError::Recipe(error) => Failure::from(error),
            impasto::PaintError::Engine(error) => Failure::from(error),
            error => Failure::failed(error),
        }
    }
}
