//! What a recipe chooses by name.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RecipeError, nearest};

/// Which optimiser moves the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// L-BFGS: few evaluations, much memory.
    Lbfgs,
    /// Adam: many evaluations, little memory.
    Adam,
}

/// The arithmetic of the network's products, and how its maps are kept; sums are f32 or better in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionChoice {
    /// f32 throughout.
    F32,
    /// Products of bfloat16 values throughout, where the processor has them; f32 where it has not.
    Bf16,
    /// f32 products, and maps in 16 bits a value: half the memory, on GPUs; f32 elsewhere.
    F16,
    /// Where they are faster too: such products at every size but the full one, and there on the way back only, with
    /// losses as exact as in f32. Elsewhere f32 throughout.
    Auto,
}

/// The picture that the optimiser starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Start {
    /// The content image.
    Content,
    /// The (first) style image, scaled and cropped to fit.
    Style,
    /// White noise around the mean colour.
    Noise,
    /// Content mixed with noise; r is the noise ratio and [`BlendForm`] says how.
    Blend,
    /// Any picture, scaled and cropped to fit.
    File(PathBuf),
}

/// How content and noise are mixed in [`Start::Blend`]; r is the noise ratio, mean the network's mean colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BlendForm {
    /// mean + r uniform(-20, 20) + (1 - r) (content - mean).
    Centred,
    /// mean + r uniform(-20, 20) + (1 - r) content: brighter by (1 - r) mean, as a widely read port of the method to
    /// TensorFlow does, which mixes before it subtracts the mean.
    Brightened,
}

/// How a content layer's distance becomes a loss; N channels, M positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContentForm {
    /// 1/2 sum (F - P)^2 (the paper, eq. 1, to the letter): grows with the picture.
    Paper,
    /// 1/(2 M) sum (F - P)^2: eq. 1 a position, as the style loss has its Gram matrices a position.
    Position,
    /// 1/(N M) sum (F - P)^2: does not change with the picture's size.
    Mean,
}

/// What of a layer's features the style loss compares ([`crate::loss`] has the formulas).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StyleLoss {
    /// Gram matrices, the paper's; [`StyleForm`] says how.
    Gram,
    /// Mean and covariance: how far features have to move to have the style's. [`StyleForm`] has no say.
    Wasserstein,
    /// Mean and variance of each channel by itself. [`StyleForm`] has no say.
    MeanVariance,
}

impl StyleLoss {
    /// The names, as recipes have them.
    pub const NAMES: [&str; 3] = ["gram", "wasserstein", "mean-variance"];

    /// The style loss of a name.
    ///
    /// ```
    /// use impasto::recipe::StyleLoss;
    /// assert_eq!(StyleLoss::named("mean-variance"), Ok(StyleLoss::MeanVariance));
    /// let error = StyleLoss::named("waserstein").unwrap_err().to_string();
    /// assert!(error.contains("\"wasserstein\" is the nearest"), "{error}");
    /// ```
    ///
    /// # Errors
    /// A name that there is none of.
    pub fn named(name: &str) -> Result<StyleLoss, RecipeError> {
        match name {
            "gram" => Ok(StyleLoss::Gram),
            "wasserstein" => Ok(StyleLoss::Wasserstein),
            "mean-variance" => Ok(StyleLoss::MeanVariance),
            _ => Err(RecipeError::UnknownStyleLoss {
                name: name.chars().filter(|letter| !letter.is_control()).take(40).collect(),
                nearest: nearest(name, StyleLoss::NAMES).map(str::to_owned),
                known: StyleLoss::NAMES.join(", "),
            }),
        }
    }
}

/// How a style layer's Gram matrices become a loss where [`StyleLoss::Gram`] is chosen; g and a are the Gram matrices a
/// position of picture and style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StyleForm {
    /// 1/(4 N^2) sum (g - a)^2 (the paper, eq. 4, where both images have one size).
    Paper,
    /// 1/N^4 sum (g - a)^2: the mean square of (g - a)/N (the authors' later code, and jcjohnson/neural-style).
    Mean,
}

/// Whose colours the picture has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Colours {
    /// The painting's, as they were painted.
    Painting,
    /// The photo's chroma under the painted lightness.
    Photo,
    /// As painted, with their mean and covariance brought to the photo's ([`crate::picture::colour`]).
    Match,
    /// As painted, after a painting whose mean and covariance were brought to the photo's before.
    PhotoBefore,
}

impl Colours {
    /// The names, as recipes have them.
    pub const NAMES: [&str; 4] = ["painting", "photo", "match", "photo-before"];

    /// The choice of a name.
    ///
    /// ```
    /// use impasto::recipe::Colours;
    /// assert_eq!(Colours::named("photo-before"), Ok(Colours::PhotoBefore));
    /// let error = Colours::named("matched").unwrap_err().to_string();
    /// assert!(error.contains("\"match\" is the nearest"), "{error}");
    /// ```
    ///
    /// # Errors
    /// A name that there is none of.
    pub fn named(name: &str) -> Result<Colours, RecipeError> {
        match name {
            "painting" => Ok(Colours::Painting),
            "photo" => Ok(Colours::Photo),
            "match" => Ok(Colours::Match),
            "photo-before" => Ok(Colours::PhotoBefore),
            _ => Err(RecipeError::UnknownColours {
                name: name.chars().filter(|letter| !letter.is_control()).take(40).collect(),
                nearest: nearest(name, Colours::NAMES).map(str::to_owned),
                known: Colours::NAMES.join(", "),
            }),
        }
    }

    /// The name, as recipes have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Colours::NAMES[self as usize]
    }
}

/// What becomes of a photo's transparent parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transparency {
    /// They stay transparent; a run sees the colours around them in their place ([`crate::picture::alpha`]).
    Keep,
    /// They are put on white, and the picture is whole.
    White,
}

/// What the weights of content and style layers are factors of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// The losses themselves (the paper, eq. 7). A painting of little contrast has small Gram matrices, and so says little.
    Plain,
    /// The losses in proportion: each style layer's to what it would be at a picture without features, content to what it
    /// would be at one with the photo's mean features everywhere. So one strength is one strength, whatever the painting is, and every
    /// layer is heard. It becomes plain weights before the run, which the picture's recipe has.
    Painting,
}

/// In which turns a style image's features are matched to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MatchTurns {
    /// As it is.
    Upright,
    /// As it is and turned by one, two and three quarters.
    Rotated,
    /// Those four, and their mirror images.
    Mirrored,
}

/// How total variation is counted over all pairs of neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TotalVariationForm {
    /// 1/2 sum of squared differences of horizontal and vertical neighbours (jcjohnson/neural-style).
    Sum,
    /// The mean squared difference of horizontal and vertical neighbours: does not change with the picture's size.
    Mean,
    /// 2/3 of the mean squared difference of horizontal and of vertical neighbours, and 1/6 of that of slanted ones each way
    /// (crowsonkb/style-transfer-pytorch, whose values are in 0..1: divide a weight of theirs by 255^2).
    NinePoint,
}

/// How a style image is brought to size before its statistics are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StyleFit {
    /// Its long edge becomes the picture's times the style scale; its proportions are kept.
    Scale,
    /// It is scaled and cropped to the picture's size times the style scale.
    Crop,
}

impl From<String> for Start {
    fn from(text: String) -> Start {
        match text.as_str() {
            "content" => Start::Content,
            "style" => Start::Style,
            "noise" => Start::Noise,
            "blend" => Start::Blend,
            _ => Start::File(PathBuf::from(text)),
        }
    }
}

impl From<Start> for String {
    fn from(start: Start) -> String {
        match start {
            Start::Content => "content".into(),
            Start::Style => "style".into(),
            Start::Noise => "noise".into(),
            Start::Blend => "blend".into(),
            Start::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}
