//! Options of `weights`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use impasto_vgg::formats::{ChannelOrder, StoredAs};

use super::recipe::choice;
use super::running::threads;

/// What to do with weights.
#[derive(Debug, Subcommand)]
pub enum WeightsCommand {
    /// List the weights that --weights knows by name
    List {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Fetch full-precision weights into the cache folder
    ///
    /// What has arrived is kept when the connection breaks or Ctrl-C stops it, and the next fetch goes on from there.
    /// The file's length and SHA-256 are checked before it gets its name. A proxy is taken from ALL_PROXY, HTTPS_PROXY or
    /// HTTP_PROXY; SSL_CERT_FILE names certificates to trust instead of Mozilla's; IMPASTO_CACHE names another folder.
    Fetch(FetchArguments),
    /// Write weights of any format as safetensors
    Convert(ConvertArguments),
    /// Rescale each filter by its mean activation over a folder of images, as the paper does
    Normalise(NormaliseArguments),
    /// Check names, shapes and values, run the network, and compare its answer with the embedded weights'
    Verify(VerifyArguments),
}

/// Options of `weights fetch`.
#[derive(Args, Debug)]
pub struct FetchArguments {
    /// Which: vgg19
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Fetch from here; may be given several times, the first that has the file is taken
    #[arg(long, value_name = "URL")]
    pub url: Vec<String>,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

/// Options of `weights convert`.
#[derive(Args, Debug)]
pub struct ConvertArguments {
    /// embedded, normalised, vgg19 or a file (.safetensors, .mat, .pth, .h5)
    #[arg(value_name = "FROM")]
    pub from: String,
    /// The file to write, .safetensors
    #[arg(value_name = "TO")]
    pub to: PathBuf,
    /// Order of the channels that the first layer of the weights' file sees, where the file does not show it
    #[arg(long, value_name = "ORDER", value_parser = choice::<ChannelOrder>(&["rgb", "bgr"]))]
    pub weights_input: Option<ChannelOrder>,
    /// How values are stored: held is as they are in memory, and loses nothing
    #[arg(long = "as", value_name = "KIND", default_value = "held", value_parser = stored_as())]
    pub stored_as: StoredAs,
}

/// Options of `weights normalise`.
#[derive(Args, Debug)]
pub struct NormaliseArguments {
    /// The folder of images
    #[arg(long, value_name = "FOLDER")]
    pub images: PathBuf,
    /// The file to write, .safetensors
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The weights to normalise: embedded, vgg19 or a file
    #[arg(long, value_name = "embedded|vgg19|FILE", default_value = "embedded")]
    pub weights: String,
    /// Order of the channels that the first layer of the weights' file sees, where the file does not show it
    #[arg(long, value_name = "ORDER", value_parser = choice::<ChannelOrder>(&["rgb", "bgr"]))]
    pub weights_input: Option<ChannelOrder>,
    /// Bring larger images down to this long edge, in pixels
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(16..=65_535))]
    pub size: u32,
    /// How values are stored
    #[arg(long = "as", value_name = "KIND", default_value = "held", value_parser = stored_as())]
    pub stored_as: StoredAs,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads())]
    pub threads: Option<usize>,
}

/// Options of `weights verify`.
#[derive(Args, Debug)]
pub struct VerifyArguments {
    /// embedded, normalised, vgg19 or a file
    #[arg(value_name = "WEIGHTS")]
    pub weights: String,
    /// Order of the channels that the first layer of the weights' file sees, where the file does not show it
    #[arg(long, value_name = "ORDER", value_parser = choice::<ChannelOrder>(&["rgb", "bgr"]))]
    pub weights_input: Option<ChannelOrder>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

fn stored_as() -> impl TypedValueParser<Value = StoredAs> {
    PossibleValuesParser::new(["held", "f32", "f16", "bf16"]).map(|name| match name.as_str() {
        "f32" => StoredAs::F32,
        "f16" => StoredAs::F16,
        "bf16" => StoredAs::Bf16,
        _ => StoredAs::Held,
    })
}
