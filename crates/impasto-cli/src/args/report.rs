//! Options of `report`.

use std::path::PathBuf;

use clap::Args;

/// Options of `report`.
#[derive(Args, Debug)]
pub struct ReportArguments {
    /// The run's folder, as given to --run-dir
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The page to write: .html [default: report.html in the run's folder]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Pictures on the way that the page holds at most, evenly spaced
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub pictures: u32,
    /// Long edge of the page's pictures at most, in pixels
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(16..=65_535))]
    pub picture_size: u32,
}
