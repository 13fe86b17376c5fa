//! Options of `batch`: many pictures, planned, painted, looked at.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use impasto_batch::Share;

use super::running::parse_memory;
use super::{DeviceArguments, FileArguments, FilmArguments, RecipeArguments};

/// Exit statuses, where a scheduler reads them.
const AFTER_RUN_HELP: &str = "\
Exit status: 0 all of it is done, now or before; 1 a picture failed, or this machine cannot paint them: try again, here or elsewhere;
2 the tasks cannot be read or the options are wrong: trying again is no use; 130, 143 or 129 stopped, and the same command goes on.";

/// What is done with a batch.
#[derive(Debug, Subcommand)]
pub enum BatchCommand {
    /// Write the tasks of photos after paintings into a folder: everything that each picture depends on, a line each
    ///
    /// Every image is looked at, and everything that is wrong is said before anything is written. In a folder that has tasks already, those
    /// that are asked for again stay what they are.
    #[command(allow_negative_numbers = true)]
    Plan(Box<BatchPlanArguments>),
    /// Paint what is left of a batch
    ///
    /// As many programs as you like may do so at once, on several machines that share the folder: each picture is painted by one of them.
    /// Stopped or killed, it is gone on with by the same command, within a picture too.
    #[command(after_help = AFTER_RUN_HELP)]
    Run(BatchRunArguments),
    /// What has become of a batch: done, running, failed, left
    Status(BatchStatusArguments),
    /// Write all pictures of a batch on one page of HTML
    Report(BatchReportArguments),
}

/// Options of `batch plan`.
#[derive(Args, Clone, Debug)]
pub struct BatchPlanArguments {
    /// Photos: files, folders of images, patterns ('photos/*.jpg')
    #[arg(value_name = "PHOTO")]
    pub photos: Vec<PathBuf>,
    /// Films, of any kind that ffmpeg reads, or folders of frames: each shot becomes a task
    #[arg(long, value_name = "FILM", num_args = 1..)]
    pub films: Vec<PathBuf>,
    /// Paintings: files, folders of images, patterns
    #[arg(long, value_name = "PAINTING", num_args = 1..)]
    pub styles: Vec<PathBuf>,
    /// Each photo after each painting (all), the first after the first and so on (zip), or the rows of a file: PHOTO,PAINTING
    ///
    /// A file in CSV names its images from its own folder on. More paintings in a row are mixed in one picture.
    #[arg(long, value_name = "all|zip|FILE.csv", default_value = "all")]
    pub pairs: PathBuf,
    /// The folder of the batch: new, empty, or of a batch that is to be planned anew
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Leave out the pairs with an image that cannot be read, instead of planning nothing
    #[arg(long)]
    pub skip_unreadable: bool,
    /// See to it that all machines paint the same bytes: says what has to be chosen, and other engines refuse the tasks
    #[arg(long)]
    pub portable: bool,
    /// What is asked of the method, for all pictures.
    #[command(flatten)]
    pub recipe: RecipeArguments,
    /// How pictures are read and written.
    #[command(flatten)]
    pub files: FileArguments,
    /// What is asked of films.
    #[command(flatten)]
    pub film_choices: FilmArguments,
    /// What the forecast is for.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Memory that the network may take: 2GiB, 500MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub memory_limit: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Options of `batch run`.
#[derive(Args, Clone, Debug)]
pub struct BatchRunArguments {
    /// The folder of the batch
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Paint the task of this number and no other, though it failed before
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "shard")]
    pub index: Option<u32>,
    /// Paint every N-th task, beginning with the I-th: 1/4, 2/4, 3/4 and 4/4 are all
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<Share>,
    /// Try those again that failed
    #[arg(long)]
    pub retry_failed: bool,
    /// Where the network runs.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Memory that the network may take: 2GiB, 500MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub memory_limit: Option<u64>,
    /// Print one JSON object a line on standard output
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

impl BatchRunArguments {
    /// Which tasks.
    pub fn share(&self) -> Share {
        self.index.map(Share::One).or(self.shard).unwrap_or_default()
    }
}

/// Options of `batch status`.
#[derive(Args, Clone, Debug)]
pub struct BatchStatusArguments {
    /// The folder of the batch
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Look at all bytes of the pictures, as `batch run` does, and not at their lengths alone
    #[arg(long)]
    pub whole: bool,
    /// Print one JSON object a task, and one for all of them
    #[arg(long)]
    pub json: bool,
}

/// Options of `batch report`.
#[derive(Args, Clone, Debug)]
pub struct BatchReportArguments {
    /// The folder of the batch
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The page to write: .html [default: report.html in the batch's folder]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Pictures that the page holds at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub pictures: u32,
    /// Long edge of the page's pictures at most, in pixels
    #[arg(long, value_name = "N", default_value_t = 384, value_parser = clap::value_parser!(u32).range(16..=65_535))]
    pub picture_size: u32,
}

/// Reads `I/N`.
fn shard(text: &str) -> Result<Share, String> {
    let numbers = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    match numbers {
        Some((part, of)) if (1..=of).contains(&part) => Ok(Share::Part { part, of }),
        _ => Err("give a part and of how many, counted from 1: 1/4 to 4/4".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_part_of_many() {
        assert_eq!(shard("2/4"), Ok(Share::Part { part: 2, of: 4 }));
        for wrong in ["", "2", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }
}
