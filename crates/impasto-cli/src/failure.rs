//! How a command ends: its exit status, and the one sentence that goes with it.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// The exit status of a command that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Something failed: a file is missing, unreadable, too large or not what it says.
    Failed = 1,
    /// The command line or the recipe is wrong.
    Usage = 2,
    /// Interrupted; the picture so far is on disk.
    Interrupted = 130,
}

/// Why a command ends without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit status.
    pub status: Status,
    /// One sentence that names the file or option and the way out.
    pub sentence: String,
}

impl Failure {
    /// Something failed.
    pub fn failed(sentence: impl fmt::Display) -> Failure {
        Failure { status: Status::Failed, sentence: sentence.to_string() }
    }

    /// The command line or the recipe is wrong.
    pub fn usage(sentence: impl fmt::Display) -> Failure {
        Failure { status: Status::Usage, sentence: sentence.to_string() }
    }

    /// A file failed; `problem` is the sentence's second half.
    pub fn file(path: &Path, problem: impl fmt::Display) -> Failure {
        Failure::failed(format_args!("{} {problem}", path.display()))
    }

    /// Says the sentence on standard error and gives the exit status.
    pub fn report(&self) -> ExitCode {
        crate::show::say(&self.sentence);
        ExitCode::from(self.status as u8)
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

/// What clap has to say about a command line, as one sentence: its first paragraph and its tip, without the usage that
/// it prints below.
pub fn usage_failure(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let said: Vec<String> = paragraphs
        .take_while(|paragraph| !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information"))
        .map(|paragraph| paragraph.trim_start_matches("tip: ").to_owned())
        .collect();
    Failure::usage(format_args!("{}; see --help", said.join("; ")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Arguments;

    #[test]
    fn a_wrong_command_line_is_one_sentence() {
        let sentence = |typed: &[&str]| usage_failure(&Arguments::try_parse_from(typed).unwrap_err()).sentence;
        let unknown = sentence(&["impasto", "paint", "--sise", "12"]);
        assert!(unknown.contains("--sise") && unknown.contains("--size"), "{unknown}");
        let missing = sentence(&["impasto", "paint", "photo.png", "painting.png"]);
        assert!(missing.contains("--output"), "{missing}");
        for sentence in [unknown, missing] {
            assert!(!sentence.contains('\n') && !sentence.contains("Usage"), "{sentence}");
        }
    }
}
