//! `impasto batch`: many pictures.

mod films;
mod plan;
mod report;
mod run;
mod status;

use impasto_job::Failure;

use crate::args::BatchCommand;
use crate::show::Output;

/// Does what is said of a batch.
///
/// # Errors
/// See [`Failure`].
pub fn batch(command: &BatchCommand, output: Output) -> Result<(), Failure> {
    match command {
        BatchCommand::Plan(arguments) => plan::plan(arguments, output),
        BatchCommand::Run(arguments) => run::run(arguments, output),
        BatchCommand::Status(arguments) => status::status(arguments, output),
        BatchCommand::Report(arguments) => report::report(arguments),
    }
}
