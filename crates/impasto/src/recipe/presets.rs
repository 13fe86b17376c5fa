//! Presets as data: each row is a whole recipe, with the numbers of the source that it names.
//!
//! A preset gives the value of every field that the user left out. Where a source states a loss in another form, the
//! conversion to impasto's forms stands beside the number.

use impasto_vgg::{Border, Pooling};

use crate::recipe::{
    Balance, BlendForm, ContentForm, MatchTurns, OptimizerKind, PrecisionChoice, Size, Start, StyleFit, StyleForm,
    StyleLoss, TotalVariationForm,
};

/// One row of the table of presets; the fields are those of [`crate::recipe::Recipe`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is documented once, in Recipe")]
pub struct Preset {
    /// What users type.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub summary: &'static str,
    pub size: Size,
    pub iterations: u32,
    pub levels: u32,
    pub scale_factor: f64,
    pub coarsest_px: u32,
    pub coarse_iterations: u32,
    pub coarsest_iterations: Option<u32>,
    pub multiscale_weight: f64,
    pub multiscale_px: u32,
    pub optimizer: OptimizerKind,
    pub learning_rate: f64,
    pub adam_beta_2: f64,
    pub adam_average: f64,
    pub adam_carried: bool,
    pub history: u32,
    pub coarse_emphasis: f64,
    pub clamp: bool,
    /// One of the starts that need no file.
    pub init: PresetStart,
    pub noise_ratio: f64,
    pub blend_form: BlendForm,
    pub noise_deviation: f64,
    pub content_weight: f64,
    pub style_weight: f64,
    pub content_layers: &'static [(&'static str, f64)],
    pub style_layers: &'static [(&'static str, f64)],
    pub balance: Balance,
    pub content_form: ContentForm,
    pub style_loss: StyleLoss,
    pub style_form: StyleForm,
    pub match_weight: f64,
    pub match_layers: &'static [(&'static str, f64)],
    pub match_every: u32,
    pub match_turns: MatchTurns,
    pub match_photo: f64,
    pub match_centred: bool,
    pub tv_weight: f64,
    pub tv_form: TotalVariationForm,
    /// What `denoise` 1 adds to `tv_weight`, in the preset's own form.
    pub denoise_weight: f64,
    pub range_weight: f64,
    pub pool: Pooling,
    pub border: Border,
    pub precision: PrecisionChoice,
    pub weights: &'static str,
    pub style_fit: StyleFit,
    pub upscale_style: bool,
}

/// The starts that a preset can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresetStart {
    /// [`Start::Content`].
    Content,
    /// [`Start::Noise`].
    Noise,
    /// [`Start::Blend`].
    Blend,
}

impl From<PresetStart> for Start {
    fn from(start: PresetStart) -> Start {
        match start {
            PresetStart::Content => Start::Content,
            PresetStart::Noise => Start::Noise,
            PresetStart::Blend => Start::Blend,
        }
    }
}

/// Content layer of every preset.
const CONTENT_LAYERS: &[(&str, f64)] = &[("conv4_2", 1.0)];

/// Matched layers of every preset.
const MATCH_LAYERS: &[(&str, f64)] = &[("conv2_1", 1.0), ("conv3_1", 1.0), ("conv4_1", 1.0)];

/// The paper's style layers, each with the same weight.
const fn style_layers(weight: f64) -> [(&'static str, f64); 5] {
    [("conv1_1", weight), ("conv2_1", weight), ("conv3_1", weight), ("conv4_1", weight), ("conv5_1", weight)]
}
const STYLE_LAYERS: [(&str, f64); 5] = style_layers(1.0);
const PAPER_STYLE_LAYERS: [(&str, f64); 5] = style_layers(0.2);
/// The paper's, and one between the deep ones: held at more places, statistics leave less room for what no painting has.
const DEFAULT_STYLE_LAYERS: [(&str, f64); 7] = [
    ("conv1_1", 0.2),
    ("conv2_1", 0.2),
    ("conv3_1", 0.2),
    ("conv3_3", 0.2),
    ("conv4_1", 0.2),
    ("conv4_2", 0.2),
    ("conv5_1", 0.2),
];
const CROWSON_STYLE_LAYERS: [(&str, f64); 5] =
    [("conv1_1", 256.0), ("conv2_1", 64.0), ("conv3_1", 16.0), ("conv4_1", 4.0), ("conv5_1", 1.0)];
const TUTORIAL_STYLE_LAYERS: [(&str, f64); 5] =
    [("conv1_1", 0.5), ("conv2_1", 1.0), ("conv3_1", 1.5), ("conv4_1", 3.0), ("conv5_1", 4.0)];

/// The authors' later notebook (leongatys/PytorchNeuralStyleTransfer). Content: mean squared difference x 1. Style: for
/// each layer the mean squared difference of Gram/positions x 1e3/N^2, which is 1e3 x 1/N^4 sum (g - a)^2.
const AUTHORS: Preset = Preset {
    name: "authors",
    summary: "the losses, pooling and optimiser of the authors' own later notebook: strong style",
    size: Size::LongEdge(512),
    iterations: 500,
    levels: 1,
    scale_factor: 2.0,
    coarsest_px: 32,
    coarse_iterations: 100,
    coarsest_iterations: None,
    multiscale_weight: 0.0,
    // A size that is looked at as a whole; up to twice it, pictures have their own size alone.
    multiscale_px: 384,
    optimizer: OptimizerKind::Lbfgs,
    learning_rate: 2.0,
    // Adam's authors', no average, and nothing to carry.
    adam_beta_2: 0.999,
    adam_average: 0.0,
    adam_carried: false,
    history: 100,
    coarse_emphasis: 0.65,
    clamp: false,
    init: PresetStart::Content,
    noise_ratio: 0.6,
    blend_form: BlendForm::Centred,
    noise_deviation: 60.0,
    content_weight: 1.0,
    style_weight: 1e3,
    content_layers: CONTENT_LAYERS,
    style_layers: &STYLE_LAYERS,
    balance: Balance::Plain,
    content_form: ContentForm::Mean,
    style_loss: StyleLoss::Gram,
    style_form: StyleForm::Mean,
    match_weight: 0.0,
    match_layers: MATCH_LAYERS,
    match_every: 10,
    match_turns: MatchTurns::Upright,
    match_photo: 0.0,
    match_centred: true,
    tv_weight: 0.0,
    tv_form: TotalVariationForm::Mean,
    // The default's, in proportion to the style weight.
    denoise_weight: 160.0,
    range_weight: 0.0,
    pool: Pooling::Max,
    border: Border::Zero,
    precision: PrecisionChoice::F32,
    weights: "embedded",
    style_fit: StyleFit::Scale,
    upscale_style: true,
};

/// What looks best for the least time: large forms and strokes from coarse pictures, every layer and every painting heard
/// alike, little noise, no frame along the edges (docs/records/2026-11-28-strength.md).
const DEFAULT: Preset = Preset {
    name: "default",
    summary: "strokes of the painting, drawing of the photo, in the least time",
    iterations: 60,
    levels: 16,
    coarsest_px: 80,
    coarse_iterations: 100,
    // One look at every size (docs/records/2026-11-29-sizes.md).
    multiscale_weight: 1.0,
    // As many evaluations as with 100, nearly, and much less work beside them (docs/records/2026-11-24-optimiser.md).
    history: 40,
    balance: Balance::Painting,
    style_weight: 15.0,
    style_layers: &DEFAULT_STYLE_LAYERS,
    tv_weight: 2.0,
    // Measured in docs/paper.md: what costs some 1% of style loss.
    denoise_weight: 12.0,
    range_weight: 2e4,
    pool: Pooling::Average,
    border: Border::Replicate,
    // On three pairs where f32 ends, in less time (docs/records/2026-11-26-precision-auto.md). The presets that reproduce others' settings stay
    // in f32, whose digits people compare.
    precision: PrecisionChoice::Auto,
    ..AUTHORS
};

/// Gram matrices with plain weights at less weight of the content, and features drawn to their nearest of the painting's, as a
/// finish of Neural Neighbor Style Transfer does (docs/records/2026-11-28-matched-features.md has what was tried).
const MATCHED: Preset = Preset {
    name: "matched",
    summary: "each place drawn to its nearest of the painting, beside the paper's style loss: whole strokes, colours by region",
    iterations: 60,
    levels: 2,
    coarsest_px: 32,
    coarse_iterations: 60,
    multiscale_weight: 0.0,
    content_weight: 0.3,
    balance: Balance::Plain,
    style_weight: 75.0,
    style_layers: &STYLE_LAYERS,
    tv_weight: 6.0,
    range_weight: 40.0,
    match_weight: 1e5,
    match_turns: MatchTurns::Rotated,
    ..DEFAULT
};

/// The default's look, in a third of its time.
const QUICK: Preset = Preset {
    name: "quick",
    summary: "the default's look in a third of its time",
    iterations: 20,
    coarse_iterations: 40,
    ..DEFAULT
};

/// What the default gains by time: more sizes, and more evaluations at them. At the full size more of them add a mesh in flat
/// places (docs/records/2026-11-28-strength.md).
const BEST: Preset = Preset {
    name: "best",
    summary: "more sizes and evaluations than the default, in three times its time",
    iterations: 100,
    scale_factor: 1.41,
    coarse_iterations: 200,
    ..DEFAULT
};

/// crowsonkb/style-transfer-pytorch: means and covariances by the Wasserstein distance x 256:64:16:4:1 / 341, content MSE x 0.015,
/// the nine-point variation x 2 of values in 0..1, Adam at 0.02 of them, sizes by the square root of 2.
///
/// Its weights are for torchvision's network, on values divided by 255 and by some 0.225: 57.4 times smaller. A network of
/// ReLUs takes that factor through all of its layers, but for its biases; so content and style are 57.4^2 = 3,295 times what they are
/// there, and the variation's weight is 2 / 255^2 x 3,295. All of it is 341 times that, so that layers have whole numbers: Adam does
/// not see a factor of the whole loss.
const CROWSON: Preset = Preset {
    name: "crowson",
    summary: "the method of crowsonkb/style-transfer-pytorch: the Wasserstein loss, Adam and averages over many sizes",
    iterations: 500,
    levels: 16,
    scale_factor: std::f64::consts::SQRT_2,
    coarsest_px: 90,
    coarse_iterations: 500,
    coarsest_iterations: Some(1000),
    optimizer: OptimizerKind::Adam,
    learning_rate: 5.1,
    adam_beta_2: 0.99,
    adam_average: 0.99,
    adam_carried: true,
    clamp: true,
    // The photo, and no fine structure of it at each finer size, which a start from `content` adds.
    init: PresetStart::Blend,
    noise_ratio: 0.0,
    content_weight: 5.115,
    style_weight: 1.0,
    style_layers: &CROWSON_STYLE_LAYERS,
    balance: Balance::Plain,
    style_loss: StyleLoss::Wasserstein,
    tv_weight: 34.56,
    tv_form: TotalVariationForm::NinePoint,
    denoise_weight: 34.56,
    range_weight: 0.0,
    pool: Pooling::Max,
    border: Border::Replicate,
    precision: PrecisionChoice::Auto,
    ..AUTHORS
};

/// Gatys, Ecker and Bethge, CVPR 2016: conv4_2 against five style layers at 1/5 each, alpha/beta = 1e-3, average
/// pooling, white noise, and the style image brought to the content image's size first.
const PAPER: Preset = Preset {
    name: "paper",
    summary: "the setting of Gatys, Ecker and Bethge, CVPR 2016: white noise, normalised weights",
    init: PresetStart::Noise,
    content_weight: 1e-3,
    style_weight: 1.0,
    style_layers: &PAPER_STYLE_LAYERS,
    // A position: eq. 1 to the letter leaves no style at this ratio (docs/paper.md has the numbers).
    content_form: ContentForm::Position,
    // Measured in docs/paper.md.
    denoise_weight: 1e-4,
    style_form: StyleForm::Paper,
    pool: Pooling::Average,
    weights: "normalised",
    style_fit: StyleFit::Crop,
    upscale_style: true,
    ..AUTHORS
};

/// The paper's figure 7: a photograph as the style image, the content image as the start, and a ratio of 1e-2.
const PHOTOREAL: Preset = Preset {
    name: "photoreal",
    summary: "figure 7 of the paper: from photograph to photograph, the content image as the start",
    init: PresetStart::Content,
    content_weight: 1e-2,
    ..PAPER
};

/// The paper's figure 1, upper row: the style loss alone, from white noise.
const TEXTURE: Preset = Preset {
    name: "texture",
    summary: "figure 1 of the paper, above: a picture with the statistics of the style image and nothing else",
    content_weight: 0.0,
    style_fit: StyleFit::Scale,
    upscale_style: true,
    ..PAPER
};

/// The paper's figure 1, lower row: the content loss alone, from white noise.
const RECONSTRUCTION: Preset = Preset {
    name: "reconstruction",
    summary: "figure 1 of the paper, below: what a layer of the network keeps of the content image",
    content_weight: 1.0,
    style_weight: 0.0,
    ..PAPER
};

/// A widely read TensorFlow port. Content: sum of squares / (4 size) x 0.001, which is the mean x 0.00025. Style: sum
/// of squares / (2 N M)^2, which is the paper's form.
const TUTORIAL: Preset = Preset {
    name: "tutorial",
    summary: "a widely read TensorFlow port: Adam, 100 steps from a noisy blend, 400x300",
    size: Size::Exact { width: 400, height: 300 },
    iterations: 100,
    optimizer: OptimizerKind::Adam,
    init: PresetStart::Blend,
    blend_form: BlendForm::Brightened,
    content_weight: 0.00025,
    style_weight: 1.0,
    style_layers: &TUTORIAL_STYLE_LAYERS,
    style_form: StyleForm::Paper,
    // Measured in docs/paper.md.
    denoise_weight: 5e5,
    pool: Pooling::Average,
    style_fit: StyleFit::Crop,
    upscale_style: true,
    ..AUTHORS
};

/// jcjohnson/neural-style. Content: 5 x mean squared difference. Style: 100 x the mean squared difference of
/// Gram/(N M), which is 1/N^4 sum (g - a)^2. Its total variation has the gradient x_i - x_j over neighbours, that of
/// half the sum of squares.
const JOHNSON: Preset = Preset {
    name: "johnson",
    summary: "jcjohnson/neural-style: 1000 evaluations from faint noise, with total variation",
    iterations: 1000,
    init: PresetStart::Noise,
    learning_rate: 10.0,
    noise_deviation: 0.001,
    content_weight: 5.0,
    style_weight: 100.0,
    tv_weight: 1e-3,
    tv_form: TotalVariationForm::Sum,
    // As much again.
    denoise_weight: 1e-3,
    ..AUTHORS
};

/// Every preset, the default first.
pub static PRESETS: [Preset; 12] =
    [DEFAULT, QUICK, BEST, MATCHED, CROWSON, AUTHORS, TUTORIAL, JOHNSON, PAPER, PHOTOREAL, TEXTURE, RECONSTRUCTION];

/// The preset that is called `name`, if there is one.
///
/// ```
/// assert_eq!(impasto::presets::preset("johnson").unwrap().tv_weight, 1e-3);
/// ```
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}
