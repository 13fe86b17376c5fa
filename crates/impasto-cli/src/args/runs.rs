//! Options of runs that are kept in a folder: those of `paint`, and the commands `resume` and `runs`.

use std::path::PathBuf;

use clap::Args;
use impasto::run_folder::FrameSchedule;
use impasto::write::OutputFormat;
use impasto_job::{Failure, KeepIn};

use super::RunningArguments;
use super::running::output_format;

/// How a run is kept.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Keeping the run")]
pub struct KeepingArguments {
    /// Keep the run in this folder: recipe, images, losses, checkpoints, result.png; `impasto resume DIR` goes on
    ///
    /// A run that is in the folder already, of the same recipe and images and not finished, is gone on with.
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// A picture every N iterations, in DIR/frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub save_every: Option<u32>,
    /// Pictures by a schedule: tutorial (after iterations 1 to 5, 10, 20, then every 20) [default for --preset tutorial]
    #[arg(long, value_name = "NAME", value_parser = ["tutorial"], conflicts_with = "save_every")]
    pub save_schedule: Option<String>,
    /// Seconds between checkpoints [default: 30, or longer where the disk is slow]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub checkpoint_every: Option<f64>,
}

impl KeepingArguments {
    /// The folder as plain data, where the run is kept.
    ///
    /// # Errors
    /// Pictures on the way and checkpoints need a folder.
    pub fn keep_in(&self) -> Result<Option<KeepIn>, Failure> {
        let Some(folder) = &self.run_dir else { return self.refuse_without_folder().map(|()| None) };
        let frames = match (self.save_every, &self.save_schedule) {
            (Some(count), _) => Some(FrameSchedule::Every(count)),
            (None, Some(_)) => Some(FrameSchedule::Tutorial),
            (None, None) => None,
        };
        Ok(Some(KeepIn {
            folder: folder.clone(),
            frames,
            checkpoint_every_s: self.checkpoint_every,
            keeps_last_state: false,
        }))
    }

    fn refuse_without_folder(&self) -> Result<(), Failure> {
        let asked = [
            ("--save-every", self.save_every.is_some()),
            ("--save-schedule", self.save_schedule.is_some()),
            ("--checkpoint-every", self.checkpoint_every.is_some()),
        ];
        match asked.into_iter().find(|(_, is_asked)| *is_asked) {
            Some((option, _)) => Err(Failure::usage(format_args!(
                "{option} needs a folder to write to; give one with --run-dir, which keeps the run there"
            ))),
            None => Ok(()),
        }
    }
}

/// Options of `resume`.
#[derive(Args, Debug)]
pub struct ResumeArguments {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Write the picture to this file instead of the one that `paint` was given; it is in RUN/result.png in any case
    ///
    /// A finished run has its picture written there too. `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Format of a picture that goes down a pipe (-o -): png, jpeg, webp or tiff
    #[arg(long, value_name = "NAME", requires = "output", value_parser = output_format())]
    pub format: Option<OutputFormat>,
    /// How the program runs.
    #[command(flatten)]
    pub running: RunningArguments,
}

/// Options of `runs`.
#[derive(Args, Debug)]
pub struct RunsArguments {
    /// A folder with runs in it, or a run
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Print one JSON object a run
    #[arg(long)]
    pub json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=1e9).contains(seconds));
    seconds.ok_or_else(|| "give a number of seconds, 0 for a checkpoint after each evaluation".to_owned())
}
