//! The command line as data.
//!
//! One definition: `--help`, the man page and the shell completions are all made from it. It says only what may be
//! typed; what a choice means, and whether it makes sense, is said by the recipe when it is resolved. That is why most
//! options are optional here: what is left out takes the value of the preset.

mod device;
mod figures;
mod report;
mod runs;
mod weights;

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use impasto::presets::PRESETS;
use impasto::recipe::{OptimizerKind, PrecisionChoice, Recipe, RecipeError, Size, Start, parse_layers};
use impasto_vgg::{Border, Pooling, Precision};
use serde::de::DeserializeOwned;

pub use device::{DeviceArguments, DeviceChoice};
pub use figures::{ReconstructArguments, SweepArguments, TextureArguments, Variation};
pub use report::ReportArguments;
pub use runs::{KeepingArguments, ResumeArguments, RunsArguments};
pub use weights::{ConvertArguments, FetchArguments, NormaliseArguments, VerifyArguments, WeightsCommand};

/// Paint a photo in the style of a painting.
///
/// The pixels of a picture are optimised until a VGG-19 network sees the photo's content and the painting's texture in
/// them (Gatys, Ecker and Bethge, CVPR 2016). The network's weights are inside this program; it needs no other.
#[derive(Debug, Parser)]
#[command(name = "impasto", version, max_term_width = 100, infer_subcommands = false, subcommand_required = true)]
#[command(
    after_help = "Environment:\n  IMPASTO_ISA=portable|avx2|avx512|neon  use this instruction set and no other\n\nExit status: 0 done; 1 something failed; 2 the command line or the recipe is wrong; 130 interrupted."
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
    /// Ctrl-C stops after the running evaluation and writes the picture so far.
    #[command(allow_negative_numbers = true)]
    Paint(Box<PaintArguments>),
    /// Paint a picture with a style image's texture and nothing else (figure 1 of the paper, above)
    #[command(allow_negative_numbers = true)]
    Texture(Box<TextureArguments>),
    /// Paint what a layer of the network keeps of a photo (figure 1 of the paper, below)
    #[command(allow_negative_numbers = true)]
    Reconstruct(Box<ReconstructArguments>),
    /// Paint a labelled sheet of pictures that differ in one choice or two (figures 4 to 6 of the paper)
    ///
    /// The single pictures lie in a folder beside the sheet, SHEET-pictures. Those that are there already, with the recipe
    /// that is asked for, are not painted again: a sweep that was stopped is gone on with by the same command.
    #[command(allow_negative_numbers = true)]
    Sweep(Box<SweepArguments>),
    /// Go on with a run that was interrupted or killed; it ends in the same bytes as one that was never stopped
    Resume(ResumeArguments),
    /// List runs: which are finished, which can be gone on with
    Runs(RunsArguments),
    /// What would `paint` with these options take? Prints its memory and time, and paints nothing
    #[command(allow_negative_numbers = true)]
    Plan(Box<PlanArguments>),
    /// Write a run on one page of HTML: pictures over time, curves, recipe, times
    ///
    /// The page holds everything and fetches nothing, so it can be sent and kept. A run that is not finished has one too.
    Report(ReportArguments),
    /// Print the recipe that a picture carries; `paint --recipe` repeats it
    Recipe {
        /// The picture
        #[arg(value_name = "PICTURE")]
        picture: PathBuf,
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
    /// The photo; may be left out where --recipe names one
    #[arg(value_name = "CONTENT", required_unless_present = "recipe")]
    pub content: Option<PathBuf>,
    /// The painting, or several to be mixed; may be left out where --recipe names them
    #[arg(value_name = "STYLE")]
    pub styles: Vec<PathBuf>,
    /// The picture to write: .png, .jpg, .webp or .tif; may be left out with --run-dir
    #[arg(short, long, value_name = "FILE", required_unless_present = "run_dir")]
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
}

/// Options of `plan`.
#[derive(Args, Debug)]
pub struct PlanArguments {
    /// The photo; may be left out where --recipe names one
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
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads())]
    pub threads: Option<usize>,
    /// Memory that the network may take: 2GiB, 500MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub memory_limit: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What goes into the recipe. What is left out comes from --recipe, else from the preset.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Recipe")]
pub struct RecipeArguments {
    /// Start from a recipe with a name [default: default]
    #[arg(long, value_name = "NAME", long_help = preset_help())]
    pub preset: Option<String>,
    /// Repeat the recipe of a picture or of a JSON file; other options vary it
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub recipe: Option<PathBuf>,
    /// Long edge in pixels (512), or width x height (400x300; the photo is cropped to fit)
    #[arg(long, value_name = "N|WxH")]
    pub size: Option<String>,
    /// Evaluations of loss and gradient at the full size
    #[arg(long, value_name = "N")]
    pub iterations: Option<u32>,
    /// Sizes to paint at, each half of the next
    #[arg(long, value_name = "N")]
    pub levels: Option<u32>,
    /// Evaluations at each size but the full one
    #[arg(long, value_name = "N")]
    pub coarse_iterations: Option<u32>,
    /// What moves the pixels
    #[arg(long, value_name = "NAME", value_parser = choice::<OptimizerKind>(&["lbfgs", "adam"]))]
    pub optimizer: Option<OptimizerKind>,
    /// Adam's step, in units of 0..255
    #[arg(long, value_name = "STEP")]
    pub learning_rate: Option<f64>,
    /// Steps that L-BFGS remembers
    #[arg(long, value_name = "N")]
    pub history: Option<u32>,
    /// How much more L-BFGS expects coarse structure to move than fine; 0 for the textbook's [default: the preset's]
    #[arg(long, value_name = "POWER")]
    pub coarse_emphasis: Option<f64>,
    /// Keep every pixel within 0..255 on the way
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub clamp: Option<bool>,
    /// Start from content, style, noise, blend or a picture file
    #[arg(long, value_name = "START")]
    pub init: Option<String>,
    /// Share of noise in a blend, 0 to 1
    #[arg(long, value_name = "SHARE")]
    pub noise_ratio: Option<f64>,
    /// Standard deviation of white noise, in units of 0..255
    #[arg(long, value_name = "UNITS")]
    pub noise_deviation: Option<f64>,
    /// Seed of the noise: another seed, another picture
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Factor of the content loss (alpha)
    #[arg(long, value_name = "FACTOR")]
    pub content_weight: Option<f64>,
    /// Factor of the style loss (beta)
    #[arg(long, value_name = "FACTOR")]
    pub style_weight: Option<f64>,
    /// Content layers, each with a weight if you like (conv4_2=1)
    #[arg(long, value_name = "LAYER[=W],...")]
    pub content_layers: Option<String>,
    /// Style layers, each with a weight if you like (conv1_1=0.2,conv2_1=0.2)
    #[arg(long, value_name = "LAYER[=W],...")]
    pub style_layers: Option<String>,
    /// Factor of the total variation: more is smoother
    #[arg(long, value_name = "FACTOR")]
    pub tv_weight: Option<f64>,
    /// Keep low-level noise out of the picture, as strongly as usual (1) or so many times that
    #[arg(long, value_name = "STRENGTH", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    #[arg(conflicts_with = "tv_weight")]
    pub denoise: Option<f64>,
    /// Factor of what lies outside 0..255, mean squared
    #[arg(long, value_name = "FACTOR")]
    pub range_weight: Option<f64>,
    /// How the network pools
    #[arg(long, value_name = "KIND", value_parser = choice::<Pooling>(&["avg", "max"]))]
    pub pool: Option<Pooling>,
    /// What the network sees beyond the picture's edge
    #[arg(long, value_name = "KIND", value_parser = choice::<Border>(&["zero", "replicate"]))]
    pub border: Option<Border>,
    /// Arithmetic of the products: f32, bf16 where the processor has it, or auto: both, as the loss falls
    #[arg(long, value_name = "KIND", value_parser = choice::<PrecisionChoice>(&["f32", "bf16", "auto"]))]
    pub precision: Option<PrecisionChoice>,
    /// The network's weights: embedded, normalised as the paper has them, vgg19 as fetched, or a file
    #[arg(long, value_name = "embedded|normalised|vgg19|FILE")]
    pub weights: Option<String>,
    /// Long edge of the painting as a multiple of the picture's: the scale of the brush
    #[arg(long, value_name = "FACTOR")]
    pub style_scale: Option<f64>,
    /// Share of each painting, in their order (2,1)
    #[arg(long, value_name = "SHARE,...", value_delimiter = ',')]
    pub style_blend: Option<Vec<f64>>,
    /// Keep the photo's colours and paint brightness alone
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub original_colors: Option<bool>,
}

/// How pictures are read and written.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Files")]
pub struct FileArguments {
    /// Bits a channel of a PNG: 8 or 16
    #[arg(long, value_name = "BITS", default_value = "8", value_parser = PossibleValuesParser::new(["8", "16"]))]
    pub depth: String,
    /// Quality of a JPEG, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 92, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: u8,
    /// Refuse images of more megapixels than this
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_megapixels: u64,
    /// Read what is left of a damaged image
    #[arg(long)]
    pub lenient: bool,
}

/// How the program runs; nothing here changes the picture, but for the rounding of another device.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Running")]
pub struct RunningArguments {
    /// Where the network runs.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads())]
    pub threads: Option<usize>,
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
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads())]
    pub threads: Option<usize>,
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
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads())]
    pub threads: Option<usize>,
    /// Memory that the network may take: 2GiB, 500MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub memory_limit: Option<u64>,
    /// Arithmetic of the products: f32, bf16 with sums in f32, or mixed: f32 forward and bf16 on the way back
    #[arg(long, value_name = "KIND", default_value = "f32", value_parser = choice::<Precision>(&["f32", "bf16", "mixed"]))]
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

impl RecipeArguments {
    /// What was typed, as a recipe; `recipe` itself is read elsewhere.
    ///
    /// # Errors
    /// A size or a list of layers that cannot be read.
    pub fn to_recipe(&self) -> Result<Recipe, RecipeError> {
        let layers = |option, text: &Option<String>| text.as_deref().map(|text| parse_layers(option, text)).transpose();
        Ok(Recipe {
            preset: self.preset.clone(),
            size: self.size.clone().map(Size::try_from).transpose()?,
            iterations: self.iterations,
            levels: self.levels,
            coarse_iterations: self.coarse_iterations,
            optimizer: self.optimizer,
            learning_rate: self.learning_rate,
            history: self.history,
            coarse_emphasis: self.coarse_emphasis,
            clamp: self.clamp,
            init: self.init.clone().map(Start::from),
            noise_ratio: self.noise_ratio,
            noise_deviation: self.noise_deviation,
            seed: self.seed,
            content_weight: self.content_weight,
            style_weight: self.style_weight,
            content_layers: layers("--content-layers", &self.content_layers)?,
            style_layers: layers("--style-layers", &self.style_layers)?,
            tv_weight: self.tv_weight,
            denoise: self.denoise,
            range_weight: self.range_weight,
            pool: self.pool,
            border: self.border,
            precision: self.precision,
            weights: self.weights.clone(),
            style_scale: self.style_scale,
            style_blend: self.style_blend.clone(),
            original_colors: self.original_colors,
            ..Recipe::default()
        })
    }
}

/// Each preset with what it is.
fn preset_help() -> String {
    let presets = PRESETS.iter().map(|preset| format!("\n- {}: {}", preset.name, preset.summary));
    format!("Start from a recipe with a name [default: {}]:{}", PRESETS[0].name, presets.collect::<String>())
}

/// One of `names`, which are the names that `T` has in a recipe's JSON.
fn choice<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| serde_json::from_value::<T>(serde_json::Value::String(name)))
}

fn threads() -> impl TypedValueParser<Value = usize> {
    clap::value_parser!(u64).range(1..=1024).map(|threads| threads as usize)
}

/// A number of bytes, written with its unit.
fn parse_memory(text: &str) -> Result<u64, String> {
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn memory_has_a_unit() {
        assert_eq!(parse_memory("2GiB"), Ok(2 << 30));
        assert_eq!(parse_memory("1.5 MiB"), Ok(3 << 19));
        assert_eq!(parse_memory("500MB"), Ok(500_000_000));
        for wrong in ["", "12", "-1GiB", "NaNGiB", "infGiB", "0MiB", "1e300GiB", "GiB"] {
            assert!(parse_memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_name_of_a_choice_is_a_name_of_the_recipe() {
        for (option, names) in
            [("--optimizer", ["lbfgs", "adam"]), ("--pool", ["avg", "max"]), ("--border", ["zero", "replicate"])]
        {
            for name in names {
                let typed = ["impasto", "paint", "c.png", "s.png", "-o", "o.png", option, name];
                assert!(Arguments::try_parse_from(typed).is_ok(), "{option} {name}");
            }
        }
    }
}
