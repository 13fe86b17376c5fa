//! The command line of impasto: options in, pictures and lines out.
//!
//! Glue, and no more: [`args`] is the command line as data, each command is a file, [`show`] is what a person or a
//! script sees, [`failure`] is how it ends. What a choice means is said in the library.
#![forbid(unsafe_code)]

mod args;
mod base64;
mod bench;
mod board;
mod devices;
mod documents;
mod engine;
mod failure;
mod forecast;
#[cfg_attr(not(feature = "gpu"), path = "no_gpu.rs")]
mod gpu;
mod interrupt;
mod job;
mod keeping;
mod machine;
mod measure;
mod observer;
mod order;
mod pace;
mod paint;
mod prepared;
mod preview;
#[cfg(all(feature = "gpu", debug_assertions))]
mod rehearsal;
mod report;
mod runs;
mod selftest;
mod show;
mod sweep;
mod texture;
mod weights;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use impasto::Recipe;

use args::{Arguments, Command};
use failure::{Failure, usage_failure};
use show::Output;

fn main() -> ExitCode {
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
        Err(error) => return usage_failure(&error).report(),
    };
    match run(&arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: &Command) -> Result<(), Failure> {
    let mut output = Output::default();
    match command {
        Command::Paint(arguments) => paint::paint(arguments, output),
        Command::Texture(arguments) => texture::texture(arguments),
        Command::Reconstruct(arguments) => texture::reconstruct(arguments),
        Command::Sweep(arguments) => sweep::sweep(arguments),
        Command::Resume(arguments) => paint::resume(arguments, output),
        Command::Runs(arguments) => runs::runs(arguments, &mut output),
        Command::Plan(arguments) => forecast::plan(arguments, &mut output),
        Command::Report(arguments) => report::report(arguments),
        Command::Recipe { picture, preset } => recipe(picture.as_deref(), preset.clone(), output),
        Command::Weights(command) => weights::weights(command, &mut output),
        Command::Selftest(arguments) => selftest::selftest(arguments, &mut output),
        Command::Devices(arguments) => devices::devices(arguments, &mut output),
        Command::Bench(arguments) => bench::bench(arguments, &mut output),
        Command::Completions { shell } => {
            output.bytes(&documents::completions(*shell));
            output.finish()
        }
        Command::Man => {
            output.bytes(&documents::manual().map_err(Failure::failed)?);
            output.finish()
        }
    }
}

/// `impasto recipe`: prints the recipe that a picture carries, or that a preset is.
fn recipe(picture: Option<&Path>, preset: Option<String>, mut output: Output) -> Result<(), Failure> {
    let text = match picture {
        Some(picture) => impasto::read::read_recipe(picture).map_err(Failure::failed)?,
        None => Recipe { preset, ..Recipe::default() }.resolve()?.to_json(),
    };
    output.line(text.trim_end());
    output.finish()
}
