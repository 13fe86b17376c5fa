//! What is wrong with a recipe, each a sentence.

use impasto_vgg::Layer;

use super::{FORMAT, RECIPE_LIMIT_BYTES};

/// What to do about a field that is not known.
fn way_out(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => {
            format!("the nearest that it knows is \"{nearest}\", so rename the field or remove it, or update impasto")
        }
        None => "update impasto or remove the field".to_owned(),
    }
}

/// `, "gram" is the nearest`.
fn is_nearest(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!(", \"{nearest}\" is the nearest"))
}

/// `, but authors`.
fn but(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!(", but {nearest}"))
}

/// What is wrong with a recipe, in a sentence that names the option and the way out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RecipeError {
    /// A size that is not `N` or `WxH`, or has no pixels.
    #[error(
        "--size {0} is not a size; give the long edge in pixels (512) or width x height (400x300), each from 1 to 65535"
    )]
    Size(String),
    /// A preset that there is none of.
    #[error("there is no preset \"{name}\"{}; --preset takes {known}", but(nearest.as_deref()))]
    UnknownPreset {
        /// What was asked for.
        name: String,
        /// The preset whose name is nearest, where one is near.
        nearest: Option<String>,
        /// What there is, comma-separated.
        known: String,
    },
    /// A style loss that there is none of.
    #[error("there is no style loss \"{name}\"{}; --style-loss takes {known}", is_nearest(nearest.as_deref()))]
    UnknownStyleLoss {
        /// What was asked for.
        name: String,
        /// The loss whose name is nearest, where one is near.
        nearest: Option<String>,
        /// What there is, comma-separated.
        known: String,
    },
    /// A choice of colours that there is none of.
    #[error("there are no colours \"{name}\"{}; --colours takes {known}", is_nearest(nearest.as_deref()))]
    UnknownColours {
        /// What was asked for.
        name: String,
        /// The choice whose name is nearest, where one is near.
        nearest: Option<String>,
        /// What there is, comma-separated.
        known: String,
    },
    /// Two options that say different things of one matter.
    #[error(
        "--original-colors{} and --colours {colours} ask for different colours; leave one of them out", if *original { "" } else { "=false" }
    )]
    ColoursTwice {
        /// What `--original-colors` says.
        original: bool,
        /// What `--colours` says.
        colours: &'static str,
    },
    /// A number that is not one or is outside its range.
    #[error("{option} {value} is out of range; give {allowed}")]
    OutOfRange {
        /// The option.
        option: String,
        /// What was given.
        value: f64,
        /// What may be given, in words.
        allowed: &'static str,
    },
    /// A strength of denoising beside a form of total variation that it is not counted in.
    #[error(
        "--denoise is counted in the form of total variation that the preset {preset} has, and the recipe names another; leave tv_form out of it, or give --tv-weight instead"
    )]
    DenoiseForm {
        /// The preset.
        preset: &'static str,
    },
    /// A list of layers that cannot be read.
    #[error(
        "{option} {text} is not a list of layers; write the names with commas between them, each with a weight if you like (conv1_1=0.2,conv2_1)"
    )]
    LayerList {
        /// The option.
        option: String,
        /// What was given.
        text: String,
    },
    /// A layer that VGG-19 does not have.
    #[error("{option}: {source}")]
    UnknownLayer {
        /// The option.
        option: String,
        /// Which, and what there is.
        source: impasto_vgg::UnknownLayer,
    },
    /// A layer that stands twice in a list.
    #[error("{option} lists {layer} twice; list it once")]
    LayerTwice {
        /// The option.
        option: String,
        /// Which layer.
        layer: Layer,
    },
    /// Weights in proportion beside a content loss that grows with the picture.
    #[error(
        "--balance painting has no meaning beside the content form paper, which grows with the picture; set content_form to mean or position, or give --balance plain"
    )]
    BalanceForm,
    /// A strength beside a factor of the style loss.
    #[error("--strength and --style-weight set the same thing; leave one of them out")]
    StrengthAndWeight,
    /// A part of a typed region that is none.
    #[error(
        "--region: {part} is no part of a region{}; give name=NAME,mask=FILE and where you like painting=N, painting-mask=FILE, weight=FACTOR or strength=0..2, colour=#RRGGBB, each once",
        is_nearest(nearest.as_deref())
    )]
    RegionPart {
        /// The part.
        part: String,
        /// The key that is nearest, where one is near.
        nearest: Option<String>,
    },
    /// A value of a region that cannot be.
    #[error("region {region}: {key}={value} cannot be; give {wanted}")]
    RegionValue {
        /// The region's name.
        region: String,
        /// What the value is of.
        key: String,
        /// The value.
        value: String,
        /// What may be given, in words.
        wanted: &'static str,
    },
    /// A region without a name, or with another's.
    #[error("region \"{name}\": each region needs a name of its own; give name=NAME")]
    RegionName {
        /// The name.
        name: String,
    },
    /// A region without a place in the picture, or with two.
    #[error(
        "region {region} needs a mask, or else a colour in the image that --regions names; give mask=FILE, or colour=#RRGGBB and --regions FILE"
    )]
    RegionMask {
        /// The region's name.
        region: String,
    },
    /// A region of a painting that there is none of.
    #[error(
        "region {region} is of painting {painting}, and there are {styles}; give a number from 1 to {styles}, or another painting"
    )]
    RegionPainting {
        /// The region's name.
        region: String,
        /// The painting's number.
        painting: u32,
        /// How many there are.
        styles: usize,
    },
    /// More regions than an engine takes.
    #[error("{regions} regions are too many; give at most {most}")]
    TooManyRegions {
        /// How many there are.
        regions: usize,
        /// How many there may be.
        most: usize,
    },
    /// An option that says something of regions where there are none.
    #[error(
        "{option} says something of regions, and there are none that it is about; give --region name=NAME,mask=FILE or --region name=NAME,colour=#RRGGBB too"
    )]
    NoRegions {
        /// The option.
        option: &'static str,
    },
    /// Regions beside matched features.
    #[error("matched features know of no regions; give --match-weight 0, or no --region")]
    RegionsOfMatches,
    /// Neither content nor style nor matched features have any weight.
    #[error(
        "nothing is left to paint, since no content layer, no style layer and no matched layer has a weight above 0; raise --content-weight, --style-weight or --match-weight, or list layers with --content-layers, --style-layers or --match-layers"
    )]
    NothingToPaint,
    /// Shares of style images that do not fit the images.
    #[error(
        "--style-blend has {shares} shares for {styles} style images; give one share for each image, in their order"
    )]
    BlendCount {
        /// Shares given.
        shares: usize,
        /// Style images given.
        styles: usize,
    },
    /// Shares that are all 0.
    #[error("--style-blend has no share above 0; give at least one image a share")]
    BlendEmpty,
    /// No style image where one is needed.
    #[error(
        "a style image is missing; give at least one, or set --style-weight 0 and --match-weight 0 to leave style out"
    )]
    NoStyle,
    /// An empty name for the weights.
    #[error("--weights is empty; give embedded, normalised, vgg19 or a weights file")]
    NoWeights,
    /// A field in a timeline that cannot change.
    #[error(
        "the timeline sets \"{field}\", which cannot change while a picture is painted; set it in the recipe itself, outside the timeline"
    )]
    Unchangeable {
        /// The field.
        field: String,
    },
    /// A change of nothing.
    #[error("the change sets nothing; give at least one field of a recipe in \"set\"")]
    EmptyChange,
    /// Changes in another order than that of their evaluations.
    #[error(
        "the timeline has a change before evaluation {before_evaluation} where {last} is the least that can come; give evaluations from 1 on, in their order"
    )]
    TimelineOrder {
        /// The evaluation of the change.
        before_evaluation: u32,
        /// The evaluation of the change before it, or 1.
        last: u32,
    },
    /// A change that cannot be.
    #[error("the timeline's change before evaluation {before_evaluation}: {error}")]
    TimelineEntry {
        /// Its evaluation.
        before_evaluation: u32,
        /// What is wrong with it.
        error: Box<RecipeError>,
    },
    /// A text that is too long to be a recipe.
    #[error(
        "the recipe has {bytes} bytes, more than the {RECIPE_LIMIT_BYTES} that a recipe may have; give a recipe that impasto wrote"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A text that is not a recipe.
    #[error("the recipe cannot be read: {0}; give a recipe as `impasto recipe` prints it")]
    Json(String),
    /// A field from another version.
    #[error(
        "the recipe, written by impasto {written_by}, has a field \"{field}\" that impasto {} does not know; {}",
        env!("CARGO_PKG_VERSION"),
        way_out(nearest.as_deref())
    )]
    UnknownField {
        /// The field.
        field: String,
        /// The version that wrote it, or `(unknown version)`.
        written_by: String,
        /// The known field whose name is nearest, where one is near.
        nearest: Option<String>,
    },
    /// A recipe of a format that is yet to come.
    #[error(
        "the recipe, written by impasto {written_by}, has format {found}, and impasto {} reads formats up to {FORMAT}; update impasto",
        env!("CARGO_PKG_VERSION")
    )]
    Format {
        /// Its format.
        found: u64,
        /// The version that wrote it, or `(unknown version)`.
        written_by: String,
    },
}
