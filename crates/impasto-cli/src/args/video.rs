//! Options of `video`.

use std::path::PathBuf;

use clap::Args;
use impasto_film::Choices;

use super::DeviceArguments;
use super::recipe::RecipeArguments;
use super::running::parse_memory;
use crate::ffmpeg::{Rate, parse_seconds};

/// Options of `video`.
#[derive(Args, Clone, Debug)]
pub struct VideoArguments {
    /// The film, of any kind that ffmpeg reads; or a folder of frames, in the order of their names
    #[arg(value_name = "FILM")]
    pub film: PathBuf,
    /// The painting, or several to be mixed; may be left out where --recipe names them
    #[arg(value_name = "STYLE")]
    pub styles: Vec<PathBuf>,
    /// The film to write (.mp4, .mov, .mkv, .webm, or another that ffmpeg writes), or a folder for the painted frames
    #[arg(short, long, value_name = "FILE|DIR")]
    pub output: PathBuf,
    /// What is asked of each picture.
    #[command(flatten)]
    pub recipe: RecipeArguments,
    /// What is asked of the film.
    #[command(flatten)]
    pub film_choices: FilmArguments,
    /// The folder that the film is kept in, and gone on with [default: beside the output, its name with -film]
    #[arg(long, value_name = "DIR", help_heading = "Film")]
    pub run_dir: Option<PathBuf>,
    /// Where the network runs.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Memory that the network may take: 2GiB, 500MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub memory_limit: Option<u64>,
    /// Print one JSON object a line on standard output, and nothing else
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

/// What is asked of a film.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Film")]
pub struct FilmArguments {
    /// Begin here: seconds, or 0:01:30
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub from: Option<f64>,
    /// End here: seconds, or 0:01:30
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub to: Option<f64>,
    /// Paint one of so many frames; the film has so many times fewer a second
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub every: u32,
    /// Frames a second, where they come from a folder and go into a film [default: 24]
    #[arg(long, value_name = "N", value_parser = |text: &str| Rate::parse(text).ok_or("give a number, 24 or 30000/1001"))]
    pub rate: Option<Rate>,
    /// How much strokes hold to the frame before: 0 lets them boil, 1 is usual
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub steadiness: f64,
    /// Look 2 and 4 frames back too, for what was hidden for a moment; takes three times as long to see what has moved
    #[arg(long)]
    pub long_term: bool,
    /// Go through the film so many times, forth and back in turn
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub passes: u32,
    /// Evaluations of every frame but the first of a shot [default: by how much has moved]
    #[arg(long, value_name = "N")]
    pub frame_iterations: Option<u32>,
    /// Take the film as one shot, and look for no cuts
    #[arg(long)]
    pub no_cuts: bool,
}

impl FilmArguments {
    /// Whether something other than what is usual is asked for.
    pub fn are_given(&self) -> bool {
        let usual = (None, 1, None, None);
        self.choices() != Choices::default() || (self.rate, self.every, self.from, self.to) != usual
    }

    /// What is asked of how it is painted, as plain data.
    pub fn choices(&self) -> Choices {
        Choices {
            steadiness: self.steadiness,
            long_term: self.long_term,
            passes: self.passes,
            cuts: !self.no_cuts,
            frame_iterations: self.frame_iterations,
        }
    }
}
