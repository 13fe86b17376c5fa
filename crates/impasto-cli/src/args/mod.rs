//! The command line as data.
//!
//! One definition: `--help`, the man page and the shell completions are all made from it. It says only what may be
//! typed; what a choice means, and whether it makes sense, is said by the recipe when it is resolved.

mod batch;
mod device;
mod figures;
mod recipe;
mod report;
mod running;
mod runs;
#[cfg(feature = "studio")]
mod studio;
mod theirs;
mod video;
mod weights;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use impasto::recipe::RecipeError;
use impasto_job::Order;
use impasto_job::order::HeldFiles;
use impasto_vgg::Precision;

use recipe::{choice, preset_of};
use running::parse_memory;

pub use batch::{BatchCommand, BatchPlanArguments, BatchReportArguments, BatchRunArguments, BatchStatusArguments};
pub use device::DeviceArguments;
pub use figures::{
    RECONSTRUCT_PRESET, ReconstructArguments, SWEEP_PRESET, SweepArguments, TEXTURE_PRESET, TextureArguments, Variation,
};
pub use recipe::RecipeArguments;
pub use report::ReportArguments;
pub use running::{FileArguments, RunningArguments};
pub use runs::{KeepingArguments, ResumeArguments, RunsArguments};
#[cfg(feature = "studio")]
pub use studio::StudioArguments;
pub use theirs::answer;
pub use video::{FilmArguments, VideoArguments};
pub use weights::{ConvertArguments, FetchArguments, NormaliseArguments, VerifyArguments, WeightsCommand};

const AFTER_HELP: &str = "\
Environment:
  IMPASTO_ISA=portable|avx2|avx512|amx|neon
                                         use this instruction set and no other
  IMPASTO_CACHE=FOLDER                   fetched weights lie here
  ALL_PROXY, HTTPS_PROXY, HTTP_PROXY     the proxy of `weights fetch`, but for the hosts of NO_PROXY
  SSL_CERT_FILE=FILE                     certificates that `weights fetch` trusts instead of Mozilla's

Exit status: 0 done; 1 something failed; 2 the command line or the recipe is wrong; 130 interrupted,
143 or 129 by SIGTERM or SIGHUP.";

/// Paint a photo in the style of a painting.
///
/// The pixels of a picture are optimised until a VGG-19 network sees the photo's content and the painting's texture in
/// them (Gatys, Ecker and Bethge, CVPR 2016). The network's weights are inside this program; it needs no other.
#[derive(Debug, Parser)]
#[command(name = "impasto", version, max_term_width = 100, infer_subcommands = false, subcommand_required = true)]
#[command(
    after_help = AFTER_HELP
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Paint a photo in the style of one painting or several
    ///
    /// Ctrl-C (SIGTERM and SIGHUP too) stops after the running evaluation and writes the picture so far.
    #[command(allow_negative_numbers = true)]
    Paint(Box<PaintArguments>),
    /// Paint a picture with a style image's texture and nothing else (figure 1 of the paper, above)
    #[command(allow_negative_numbers = true, mut_arg("preset", |option| preset_of(option, TEXTURE_PRESET)))]
    Texture(Box<TextureArguments>),
    /// Paint what a layer of the network keeps of a photo (figure 1 of the paper, below)
    #[command(allow_negative_numbers = true, mut_arg("preset", |option| preset_of(option, RECONSTRUCT_PRESET)))]
    Reconstruct(Box<ReconstructArguments>),
    /// Paint a labelled sheet of pictures that differ in one choice or two (figures 4 to 6 of the paper)
    ///
    /// The single pictures lie in a folder beside the sheet, SHEET-pictures. Those that are there already, with the recipe
    /// that is asked for, are not painted again: a sweep that was stopped is gone on with by the same command.
    #[command(allow_negative_numbers = true, mut_arg("preset", |option| preset_of(option, SWEEP_PRESET)))]
    Sweep(Box<SweepArguments>),
    /// Paint many photos after many paintings: plan, run, status, report
    ///
    /// A picture is a task that can be painted anywhere, twice, in any order, and gives the same bytes.
    #[command(subcommand)]
    Batch(BatchCommand),
    /// Paint a film, whose strokes stay where they are and move with what they are on
    ///
    /// Each frame starts from the one before as it has moved, and is held to it. Films are read and written by ffmpeg, a program of its own;
    /// folders of frames need none. A film that was stopped goes on by the same command.
    #[command(allow_negative_numbers = true)]
    Video(Box<VideoArguments>),
    /// Go on with a run that was interrupted or killed; it ends in the same bytes as one that was never stopped
    Resume(ResumeArguments),
    /// List runs: which are finished, which can be gone on with
    Runs(RunsArguments),
    /// Open a page on this machine that paints, and is steered while it paints
    ///
    /// It prints the address, with the token that lets a browser in. Nothing leaves this machine; closing the page stops nothing.
    /// Ctrl-C stops the run that is painted with a checkpoint, and ends the studio.
    #[cfg(feature = "studio")]
    Studio(StudioArguments),
    /// What would `paint` with these options take? Prints its memory and time, and paints nothing
    #[command(allow_negative_numbers = true)]
    Plan(Box<PlanArguments>),
    /// Write a run on one page of HTML: pictures over time, curves, recipe, times
    ///
    /// The page holds everything and fetches nothing, so it can be sent and kept. A run that is not finished has one too.
    Report(ReportArguments),
    /// Print the recipe that a picture carries, or a preset's; `paint --recipe` repeats it
    Recipe {
        /// The picture
        #[arg(value_name = "PICTURE", required_unless_present_any = ["preset", "schema"], conflicts_with = "preset")]
        picture: Option<PathBuf>,
        /// Print the recipe of a preset: every option's value where it is left out
        #[arg(long, value_name = "NAME")]
        preset: Option<String>,
        /// Print the JSON schema of recipes, for editors and other programs: every field, its names and its range
        #[arg(long, conflicts_with_all = ["picture", "preset"])]
        schema: bool,
    },
    /// List, fetch, convert, normalise and verify the network's weights
    #[command(subcommand)]
    Weights(WeightsCommand),
    /// Does this build, on this processor, compute right? Prints the worst relative errors
    Selftest(SelftestArguments),
    /// List what can compute here: the processor and the GPUs, and which of them `--device auto` takes
    Devices(DevicesArguments),
    /// Time and memory of one evaluation: forward, losses and gradient
    Bench(BenchArguments),
    /// Print the completions for a shell
    Completions {
        /// Which shell
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

/// Options of `paint`.
#[derive(Args, Clone, Debug, Default)]
pub struct PaintArguments {
    /// The photo; may be left out where --recipe names one. `-` is standard input
    #[arg(value_name = "CONTENT", required_unless_present = "recipe")]
    pub content: Option<PathBuf>,
    /// The painting, or several to be mixed; may be left out where --recipe names them
    #[arg(value_name = "STYLE")]
    pub styles: Vec<PathBuf>,
    /// The picture to write: .png, .jpg, .webp or .tif [default: PHOTO-PAINTING.png, by their names; with --run-dir none].
    /// `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What is asked of the method.
    #[command(flatten)]
    pub recipe: RecipeArguments,
    /// How the run is kept.
    #[command(flatten)]
    pub keeping: KeepingArguments,
    /// How pictures are read and written.
    #[command(flatten)]
    pub files: FileArguments,
    /// How the program runs.
    #[command(flatten)]
    pub running: RunningArguments,
    /// What came through pipes.
    #[arg(skip)]
    pub held: HeldFiles,
}

impl PaintArguments {
    /// The files that were typed.
    pub fn inputs(&self) -> impl Iterator<Item = PathBuf> {
        self.content.clone().into_iter().chain(self.styles.clone()).chain(self.recipe.files())
    }

    /// What shall be painted.
    ///
    /// # Errors
    /// A size or a list of layers that cannot be read.
    pub fn order(&self) -> Result<Order, RecipeError> {
        Ok(Order { held: self.held.clone(), ..self.recipe.order(self.content.as_ref(), &self.styles)? })
    }
}

/// Options of `plan`.
#[derive(Args, Clone, Debug)]
pub struct PlanArguments {
    /// The photo; may be left out where --recipe names one. `-` is standard input
    #[arg(value_name = "CONTENT", required_unless_present = "recipe")]
    pub content: Option<PathBuf>,
    /// The painting, or several to be mixed; may be left out where --recipe names them
    #[arg(value_name = "STYLE")]
    pub styles: Vec<PathBuf>,
    /// What is asked of the method.
    #[command(flatten)]
    pub recipe: RecipeArguments,
    /// How pictures are read.
    #[command(flatten)]
    pub files: FileArguments,
    /// Where the network runs.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Memory that the network may take: 2GiB, 500MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub memory_limit: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl PlanArguments {
    /// The files that were typed.
    pub fn inputs(&self) -> impl Iterator<Item = PathBuf> {
        self.content.clone().into_iter().chain(self.styles.clone()).chain(self.recipe.files())
    }

    /// What would be painted.
    ///
    /// # Errors
    /// As [`PaintArguments::order`].
    pub fn order(&self) -> Result<Order, RecipeError> {
        self.recipe.order(self.content.as_ref(), &self.styles)
    }
}

/// Options of `selftest`.
#[derive(Args, Debug)]
pub struct SelftestArguments {
    /// Golden files (safetensors) [default: one inside the program]
    #[arg(value_name = "GOLDEN")]
    pub files: Vec<PathBuf>,
    /// Print one JSON object a file
    #[arg(long)]
    pub json: bool,
    /// Where the network runs.
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// Options of `devices`.
#[derive(Args, Debug)]
pub struct DevicesArguments {
    /// Print one JSON object a device
    #[arg(long)]
    pub json: bool,
}

/// Options of `bench`.
#[derive(Args, Debug)]
pub struct BenchArguments {
    /// Width and height in pixels
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    pub size: u32,
    /// Evaluations that are timed
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub iterations: u32,
    /// Evaluations before them that are not; 0 spares minutes at sizes where one takes minutes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub warm_up: u32,
    /// Where the network runs.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Memory that the network may take: 2GiB, 500MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub memory_limit: Option<u64>,
    /// Arithmetic of the network: f32, bf16 with sums in f32, mixed (f32 forward and bf16 on the way back), or f16, for GPUs
    #[arg(long, value_name = "KIND", default_value = "f32")]
    #[arg(value_parser = choice::<Precision>(&["f32", "bf16", "mixed", "f16"]))]
    pub precision: Precision,
    /// The network's weights: embedded, normalised, vgg19 as fetched, or a file
    #[arg(long, value_name = "embedded|normalised|vgg19|FILE", default_value = "embedded")]
    pub weights: String,
    /// Print a table of the layers too: time, share, and GFLOP/s of the same work done directly
    #[arg(long, conflicts_with = "json")]
    pub layers: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }
}
