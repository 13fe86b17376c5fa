//! The command line of impasto: options in, pictures and lines out.
//!
//! Glue, and no more: [`args`] is the command line as data, [`commands`] has a file for each command, [`show`] is what a
//! person or a script sees, [`ending`] how it ends, [`drivers`] keeps others from speaking between. What a choice means is said in the library, what a job is in impasto-job.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod drivers;
mod ending;
mod ffmpeg;
mod interrupt;
mod show;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use impasto_job::Failure;

use args::{Arguments, answer};
use ending::{report, usage_failure};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(sentence) = answer(words.iter().map(String::as_str)) {
        return report(&Failure::usage(sentence));
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are no errors; nor is a reader that has gone away.
        Err(asked) if !asked.use_stderr() => {
            let _ = asked.print();
            return ExitCode::SUCCESS;
        }
        // `impasto` alone, by someone who does not know it yet.
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            return ExitCode::from(2);
        }
        Err(error) => return report(&usage_failure(&error)),
    };
    drivers::quiet(&arguments.command);
    match commands::run(&arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}
