//! How a command ends: the one sentence on standard error, and the exit status that goes with it.

use std::process::ExitCode;

use impasto_job::{Failure, FailureKind};

use crate::interrupt;
use crate::show::say;

/// Says the sentence and gives the exit status.
pub fn report(failure: &Failure) -> ExitCode {
    say(&failure.sentence);
    ExitCode::from(match failure.kind {
        FailureKind::Failed => 1,
        FailureKind::Usage => 2,
        FailureKind::Interrupted => interrupt::status(),
    })
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
        let missing = sentence(&["impasto", "texture", "painting.png"]);
        assert!(missing.contains("--output"), "{missing}");
        for sentence in [unknown, missing] {
            assert!(!sentence.contains('\n') && !sentence.contains("Usage"), "{sentence}");
        }
    }
}
