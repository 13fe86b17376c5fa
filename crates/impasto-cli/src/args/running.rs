//! Options of files, and of how the program runs.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use impasto::image_file::exif::KeptExif;
use impasto::read::ReadLimits;
use impasto::write::{OutputFormat, WriteOptions};
use impasto_job::{Destination, Files};

use super::DeviceArguments;
use super::recipe::choice;

/// How pictures are read and written.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Files")]
pub struct FileArguments {
    /// Bits a channel of a PNG or TIFF: 8, 16, or auto: 16 where the photo has more than 8
    #[arg(long, value_name = "BITS", default_value = "8", value_parser = PossibleValuesParser::new(["8", "16", "auto"]))]
    pub depth: String,
    /// Quality of a JPEG, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 92, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: u8,
    /// Keep what the photo's EXIF data say of camera, exposure, date and copyright; with =place, where it was taken too
    ///
    /// Serial numbers, makers' notes, comments and small copies of the photo are never kept. The picture is upright, whatever the photo
    /// was, and its EXIF data say so.
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "camera")]
    #[arg(value_parser = choice::<KeptExif>(&["camera", "place"]))]
    pub keep_exif: Option<KeptExif>,
    /// Format of a picture that goes down a pipe (-o -), which has no name that would say it: png, jpeg, webp or tiff
    #[arg(long, value_name = "NAME", value_parser = output_format())]
    pub format: Option<OutputFormat>,
    /// Refuse images of more megapixels than this
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_megapixels: u64,
    /// Read what is left of a damaged image
    #[arg(long)]
    pub lenient: bool,
}

impl FileArguments {
    /// The same as plain data, for a picture that goes to `output`.
    pub fn plain(&self, output: Option<Destination>) -> Files {
        let write = WriteOptions { bits: if self.depth == "16" { 16 } else { 8 }, jpeg_quality: self.quality };
        let read = ReadLimits { megapixels: self.max_megapixels, lenient: self.lenient, ..ReadLimits::default() };
        let (has_photos_bits, exif) = (self.depth == "auto", self.keep_exif.unwrap_or_default());
        Files { output, has_made_name: false, write, has_photos_bits, exif, read }
    }
}

/// How the program runs; nothing here changes the picture, but for the rounding of another device.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Running")]
pub struct RunningArguments {
    /// Where the network runs.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Memory that the network may take: 2GiB, 500MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub memory_limit: Option<u64>,
    /// Print one JSON object a line on standard output, and nothing else
    #[arg(long, conflicts_with_all = ["quiet", "preview"])]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long, conflicts_with = "preview")]
    pub quiet: bool,
    /// Show the picture as it forms, on a terminal that can
    #[arg(long)]
    pub preview: bool,
    /// Write losses, step length and pictures into this folder for TensorBoard (tensorboard --logdir DIR)
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,
}

impl RunningArguments {
    /// The same for one of several pictures: what is written of its run goes into a folder named after it.
    pub fn of_one(&self, output: &Path) -> RunningArguments {
        let log_dir = self.log_dir.as_ref().map(|folder| folder.join(output.file_stem().unwrap_or_default()));
        RunningArguments { log_dir, ..self.clone() }
    }
}

/// A format by its name.
pub fn output_format() -> impl TypedValueParser<Value = OutputFormat> {
    PossibleValuesParser::new(["png", "jpeg", "webp", "tiff"])
        .try_map(|name| OutputFormat::named(&name).ok_or("there is no format of this name"))
}

pub fn threads() -> impl TypedValueParser<Value = usize> {
    clap::value_parser!(u64).range(1..=1024).map(|threads| threads as usize)
}

/// A number of bytes, written with its unit.
pub fn parse_memory(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("MiB", 1 << 20), ("GiB", 1 << 30), ("MB", 1_000_000), ("GB", 1_000_000_000)];
    let bytes = UNITS.iter().find_map(|(unit, bytes)| {
        let number = text.strip_suffix(unit)?.trim().parse::<f64>().ok()?;
        let total = number * *bytes as f64;
        (total >= 1.0 && total < u64::MAX as f64).then_some(total as u64)
    });
    bytes.ok_or_else(|| "give a number with its unit: 500MiB, 2GiB, 500MB or 2GB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_a_unit() {
        assert_eq!(parse_memory("2GiB"), Ok(2 << 30));
        assert_eq!(parse_memory("1.5 MiB"), Ok(3 << 19));
        assert_eq!(parse_memory("500MB"), Ok(500_000_000));
        for wrong in ["", "12", "-1GiB", "NaNGiB", "infGiB", "0MiB", "1e300GiB", "GiB"] {
            assert!(parse_memory(wrong).is_err(), "{wrong}");
        }
    }
}
