//! Each command, from its options to its end, in a file that reads from above.

mod batch;
mod bench;
mod destination;
mod devices;
mod documents;
mod engines;
mod film_source;
mod paint;
mod piped;
mod plan;
mod recipe;
mod report;
mod runs;
mod selftest;
#[cfg(feature = "studio")]
mod studio;
mod sweep;
mod texture;
mod video;
mod weights;

use impasto_job::Failure;

use crate::args::Command;
use crate::show::Output;

/// Does what the command line says.
///
/// # Errors
/// See [`Failure`].
pub fn run(command: &Command) -> Result<(), Failure> {
    let mut output = Output::default();
    match command {
        Command::Paint(arguments) => paint::paint(arguments, output),
        Command::Texture(arguments) => texture::texture(arguments),
        Command::Reconstruct(arguments) => texture::reconstruct(arguments),
        Command::Sweep(arguments) => sweep::sweep(arguments),
        Command::Batch(command) => batch::batch(command, output),
        Command::Video(arguments) => video::video(arguments, output),
        Command::Resume(arguments) => paint::resume(arguments, output),
        Command::Runs(arguments) => runs::runs(arguments, &mut output),
        #[cfg(feature = "studio")]
        Command::Studio(arguments) => studio::studio(arguments, &mut output),
        Command::Plan(arguments) => plan::plan(arguments, &mut output),
        Command::Report(arguments) => report::report(arguments),
        Command::Recipe { schema: true, .. } => recipe::schema(&mut output),
        Command::Recipe { picture, preset, .. } => recipe::recipe(picture.as_deref(), preset.clone(), &mut output),
        Command::Weights(command) => weights::weights(command, &mut output),
        Command::Selftest(arguments) => selftest::selftest(arguments, &mut output),
        Command::Devices(arguments) => devices::devices(arguments, &mut output),
        Command::Bench(arguments) => bench::bench(arguments, &mut output),
        Command::Completions { shell } => documents::completions(*shell, &mut output),
        Command::Man => documents::manual(&mut output),
    }
}
