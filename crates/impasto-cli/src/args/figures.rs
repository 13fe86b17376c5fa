//! Options of the commands that paint the paper's figures: `texture`, `reconstruct`, `sweep`.

use std::path::PathBuf;

use clap::Args;
use impasto_vgg::Layer;

use super::{FileArguments, RecipeArguments, RunningArguments};

/// The preset of `texture` where none is named.
pub const TEXTURE_PRESET: &str = "texture";
/// The preset of `reconstruct` where none is named.
pub const RECONSTRUCT_PRESET: &str = "reconstruction";
/// The preset of `sweep` where none is named.
pub const SWEEP_PRESET: &str = "paper";

/// Options of `texture`.
#[derive(Args, Debug)]
pub struct TextureArguments {
    /// The style image
    #[arg(value_name = "STYLE")]
    pub style: PathBuf,
    /// The picture to write: .png, .jpg, .webp or .tif
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Paint five pictures, from conv1_1 alone to all five layers; the deepest layer goes into each one's name
    #[arg(long, conflicts_with = "style_layers")]
    pub all_layers: bool,
    /// What is asked of the method.
    #[command(flatten)]
    pub recipe: RecipeArguments,
    /// How pictures are read and written.
    #[command(flatten)]
    pub files: FileArguments,
    /// How the program runs.
    #[command(flatten)]
    pub running: RunningArguments,
}

/// Options of `reconstruct`.
#[derive(Args, Debug)]
pub struct ReconstructArguments {
    /// The photo
    #[arg(value_name = "CONTENT")]
    pub content: PathBuf,
    /// The picture to write: .png, .jpg, .webp or .tif
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The layer that is looked at [default: conv4_2]
    #[arg(long, value_name = "LAYER", value_parser = layer, conflicts_with = "content_layers")]
    pub layer: Option<Layer>,
    /// Paint five pictures, from conv1_2, conv2_2, conv3_2, conv4_2 and conv5_2; the layer goes into each one's name
    #[arg(long, conflicts_with_all = ["layer", "content_layers"])]
    pub all_layers: bool,
    /// What is asked of the method.
    #[command(flatten)]
    pub recipe: RecipeArguments,
    /// How pictures are read and written.
    #[command(flatten)]
    pub files: FileArguments,
    /// How the program runs.
    #[command(flatten)]
    pub running: RunningArguments,
}

/// Options of `sweep`.
#[derive(Args, Debug)]
pub struct SweepArguments {
    /// The photo
    #[arg(value_name = "CONTENT")]
    pub content: PathBuf,
    /// The painting, or several to be mixed
    #[arg(value_name = "STYLE", required = true)]
    pub styles: Vec<PathBuf>,
    /// The sheet to write: .png, .jpg, .webp or .tif
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// What differs, and its values; given twice, the first goes down and the second across
    ///
    /// ratio (content to style: 1e-4,1e-3), content-weight, style-weight, strength, tv-weight, style-scale, blend (of two paintings, the share of the second:
    /// 0,0.25,0.5,0.75,1), content-layer
    /// (conv2_2,conv4_2), style-loss (gram,wasserstein,mean-variance), colours (painting,photo,match,photo-before), seed (1,2), init (content,style,noise:1,noise:2).
    #[arg(long, value_name = "NAME=VALUE,...", required = true, value_parser = Variation::parse)]
    pub vary: Vec<Variation>,
    /// Pictures in a row, where one thing differs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub columns: Option<u32>,
    /// What is asked of the method.
    #[command(flatten)]
    pub recipe: RecipeArguments,
    /// How pictures are read and written.
    #[command(flatten)]
    pub files: FileArguments,
    /// How the program runs.
    #[command(flatten)]
    pub running: RunningArguments,
}

/// Something that differs from picture to picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variation {
    /// Its name.
    pub name: String,
    /// Its values, as typed.
    pub values: Vec<String>,
}

impl Variation {
    /// Names that may be varied.
    pub const NAMES: [&str; 12] = [
        "ratio",
        "content-weight",
        "style-weight",
        "strength",
        "tv-weight",
        "style-scale",
        "blend",
        "content-layer",
        "style-loss",
        "colours",
        "seed",
        "init",
    ];

    /// Reads `NAME=VALUE,...`.
    fn parse(text: &str) -> Result<Variation, String> {
        let (name, values) = text.split_once('=').ok_or("give a name and values: ratio=1e-4,1e-3")?;
        if !Variation::NAMES.contains(&name) {
            return Err(format!("{name} cannot be varied; give one of {}", Variation::NAMES.join(", ")));
        }
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        if values.iter().any(String::is_empty) {
            return Err(format!("{name} has an empty value; give values with commas between them"));
        }
        let is_twice = |(place, value): (usize, &String)| values[..place].contains(value);
        if values.iter().enumerate().any(is_twice) {
            return Err(format!("{name} has a value twice; give each once"));
        }
        Ok(Variation { name: name.to_owned(), values })
    }
}

fn layer(text: &str) -> Result<Layer, String> {
    Layer::named(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variation_is_a_name_and_values() {
        let read = Variation::parse("init=content, noise:1").unwrap();
        assert_eq!((read.name.as_str(), read.values), ("init", vec!["content".to_owned(), "noise:1".to_owned()]));
        for wrong in ["ratio", "ratio=", "ratio=1,", "ratio=1,1", "colour=1", "=1"] {
            assert!(Variation::parse(wrong).is_err(), "{wrong}");
        }
    }
}
