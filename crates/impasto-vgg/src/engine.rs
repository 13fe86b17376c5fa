//! The one boundary: what a loss may ask of the network, and what it gives back.
//!
//! Every loss that matters here depends on a layer's features F (`[channels, positions]`) in one of two ways:
//!
//! 1. *moments*: the mean of each channel and the second raw moment F F^T / positions (the Gram matrix a position);
//! 2. *distances*: the sum of squared differences to a stored feature map of the content image.
//!
//! Both may be guided: moments by region, distances by an emphasis, see [`crate::guides`].
//!
//! There is a third for losses on directions: *matched distances*, to entries of a stored bank of features, see
//! [`crate::matching`].
//!
//! So an engine has two steps, and no feature map leaves it in the hot loop:
//!
//! ```text
//!             forward                            backward
//!   picture ----------> moments, distances ... gradients of both ----------> gradient at the pixels
//!                            (the losses, on the host, stand in between)
//! ```
//!
//! **Architecture Invariant:** nothing above this file knows which engine runs, and no engine knows a loss.

mod guided;

use serde::{Deserialize, Serialize};

use crate::error::EngineError;
use crate::guides::{Guides, TapGuides};
use crate::history::History;
use crate::layers::Layer;
use crate::matching::{Bank, MatchedDistance, MatchedTap, Matches};
use crate::profile::LayerTime;

/// How the five poolings reduce a 2x2 window; windows cut by the border hold what is in bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The mean (the paper's choice: smoother pictures).
    #[serde(rename = "avg")]
    Average,
    /// The largest (as VGG-19 was trained).
    Max,
}

/// What the first convolution sees beyond the picture's edge. Deeper layers always see zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// Zeros after the mean is subtracted, as trained.
    Zero,
    /// The picture's edge pixels, repeated: fewer artefacts along the edge.
    Replicate,
}

/// The arithmetic of the convolutions' products, and how maps are kept between them. Sums are always kept in f32 or better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 throughout.
    F32,
    /// Products of bfloat16 values, where the processor has them.
    Bf16,
    /// f32 on the way forward, so that moments and distances, and the losses with them, are as exact as there; products
    /// of bfloat16 values on the way back. (Where the processor has tile registers, what goes forward is multiplied in two
    /// parts of bfloat16, sixteen bits of each value: losses are then within some millionths of f32's.) Near a minimum a loss hangs on small differences of large moments: rounding
    /// those turns the gradient around, while rounding on the way back only blurs it, in proportion to its length.
    Mixed,
    /// f32 throughout, but for the maps between the layers, which take half the memory: features in IEEE half precision, at
    /// most 65504, and their gradients in bfloat16; f32 in its place on engines that do not keep maps so.
    F16,
}

/// The longest side of a picture in pixels. (A session for a square of it would take terabytes; what is counted of one, in
/// bytes and in floating-point operations, stays far within 64 bits.)
pub const SIDE_LIMIT_PX: usize = 1 << 18;

/// What a session is opened for. Taps must be free of duplicates; their order is the order of the answers.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRequest {
    /// Height of the picture in pixels, 1 to [`SIDE_LIMIT_PX`].
    pub height: usize,
    /// Width of the picture in pixels, 1 to [`SIDE_LIMIT_PX`].
    pub width: usize,
    /// How the poolings reduce.
    pub pooling: Pooling,
    /// What lies beyond the picture's edge.
    pub border: Border,
    /// Arithmetic of the products.
    pub precision: Precision,
    /// Layers whose moments are wanted.
    pub style_taps: Vec<Layer>,
    /// Layers whose distance to the content image is wanted.
    pub content_taps: Vec<Layer>,
    /// Layers whose features are matched to a bank. Not every engine does that.
    pub matched_taps: Vec<MatchedTap>,
    /// Regions of the style taps, and the emphasis of the content taps. Not every engine has them.
    pub guides: Guides,
    /// Whether [`Session::backward`] will be called. A session without a way back keeps nothing for it, which spares most
    /// of its memory.
    pub way_back: bool,
    /// Bytes that the session may take; `None` for what is free on the machine.
    pub memory_limit_bytes: Option<u64>,
}

/// Mean and second raw moment of one layer's features over all positions, or over those of a region.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// The layer.
    pub layer: Layer,
    /// Positions of the layer's map: height times width, whatever the region.
    pub positions: u64,
    /// `[channels]`: sum over positions of F, divided by the positions. Of a region: sum of t F, divided by the sum of t.
    pub mean: Vec<f64>,
    /// `[channels, channels]`, row-major and symmetric: F F^T divided by the positions. The paper's Gram matrix is this
    /// times the positions. Of a region: sum of t F F^T, divided by the sum of t.
    pub second: Vec<f64>,
}

/// How far one layer's features are from the content image's.
#[derive(Clone, Debug, PartialEq)]
pub struct Distance {
    /// The layer.
    pub layer: Layer,
    /// Elements that were summed over: channels times positions.
    pub elements: u64,
    /// Sum of (F - P)^2; with an emphasis e, sum of e (F - P)^2.
    pub sum_of_squares: f64,
}

/// What [`Session::forward`] sees of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// One for each style tap of the request, in its order; with regions, one for each tap and region
    /// ([`SessionRequest::moment_places`]).
    pub moments: Vec<Moments>,
    /// One for each content tap of the request, in its order.
    pub distances: Vec<Distance>,
    /// One for each matched tap of the request, in its order.
    pub matched: Vec<MatchedDistance>,
}

/// The derivative of a loss by one layer's moments.
#[derive(Clone, Debug, PartialEq)]
pub struct MomentGradients {
    /// `[channels]`: d loss / d mean. Empty where the loss does not depend on the mean.
    pub mean: Vec<f64>,
    /// `[channels, channels]`, symmetric: d loss / d second, each element taken as a variable of its own. Empty where
    /// the loss does not depend on the second moment.
    pub second: Vec<f64>,
}

/// The derivative of a loss by an [`Observation`]; the lists stand in the same order.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationGradients {
    /// By the moments of each style tap, or of each tap and region.
    pub moments: Vec<MomentGradients>,
    /// By the sum of squares of each content tap.
    pub distances: Vec<f64>,
    /// By the sum of each matched tap.
    pub matched: Vec<f64>,
}

/// One layer's features, brought out for inspection.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMap {
    /// The layer.
    pub layer: Layer,
    /// Height of the map.
    pub height: usize,
    /// Width of the map.
    pub width: usize,
    /// `[channels, height, width]`.
    pub values: Vec<f32>,
}

/// What an engine is, for people and for the recipe that a picture carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineDescription {
    /// `cpu`, `gpu`, `reference`.
    pub name: String,
    /// The instruction set in use, `amx`, `avx512`, `avx2`, `neon`, `portable`, or the GPU's name.
    pub isa: String,
    /// Threads in use, of the processor.
    pub threads: usize,
    /// Whether [`Precision::Bf16`] runs in hardware here; where it does not, f32 is used in its place.
    pub has_bf16: bool,
    /// Whether those products are faster than f32's here, which they are not on every processor that has them.
    pub gains_from_bf16: bool,
    /// Whether [`Precision::F16`] keeps maps in half the memory here; where it does not, f32 is used in its place.
    pub has_f16: bool,
    /// Whether sessions lie in the memory of a device of their own, and take nothing of the processor's.
    pub has_own_memory: bool,
    /// Whether sessions have regions and an emphasis ([`crate::guides`]).
    pub has_guides: bool,
}

/// A VGG-19 that runs somewhere. Engines are cheap to share; sessions hold the buffers.
pub trait Engine: Send + Sync {
    /// What it is.
    fn describe(&self) -> EngineDescription;

    /// Allocates everything that evaluations of this request need, once.
    ///
    /// # Errors
    /// A request that does not pass [`SessionRequest::check`], or takes more memory than its limit; matched taps, of an
    /// engine that does not match; regions or an emphasis, of an engine that has no guides.
    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError>;

    /// Bytes that a session for this request would take, the weights included, without opening it.
    ///
    /// # Errors
    /// As [`Engine::session`].
    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError>;

    /// Of [`Engine::session_bytes`], those that a session of other pixels with the same taps and precision uses too, where both stand beside
    /// each other: the weights as the engine has them.
    fn common_bytes(&self, request: &SessionRequest) -> u64 {
        let _ = request;
        0
    }

    /// Room for an optimiser's last `capacity` pairs of vectors of `values` values, within `memory_limit_bytes`, where the
    /// engine is nearer to them than the processor is; `None` where it is not, or has no room.
    fn history(&self, capacity: usize, values: usize, memory_limit_bytes: Option<u64>) -> Option<Box<dyn History>> {
        let _ = (capacity, values, memory_limit_bytes);
        None
    }

    /// Bytes that such a history would take of the engine's own memory; 0 where it keeps none.
    fn history_bytes(&self, capacity: usize, values: usize) -> u64 {
        let _ = (capacity, values);
        0
    }
}

/// A VGG-19 set up for pictures of one size. Pictures are `[3, height, width]`, RGB, in units of 0..255 (values beyond
/// are allowed); the mean is subtracted inside.
pub trait Session: Send {
    /// What it was opened for.
    fn request(&self) -> &SessionRequest;

    /// Computes and keeps the content taps' features of `image`: the P of later distances. What `forward` kept is lost.
    ///
    /// # Errors
    /// A picture of another size than the request's; a device that fails.
    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError>;

    /// The features of `image` at the matched taps, at [`crate::matching::sampled`] rows and columns of each: banks, or
    /// parts of some. What `forward` kept is lost.
    ///
    /// # Errors
    /// A picture of another size than the request's; a device that fails; an engine that does not match.
    fn sample(&mut self, image: &[f32]) -> Result<Vec<Bank>, EngineError> {
        let _ = image;
        Err(EngineError::SESSION_DOES_NOT_MATCH)
    }

    /// Takes the banks of the matched taps, in their order. Matches that were found in others are lost.
    ///
    /// # Errors
    /// What [`MatchedTap::check_banks`] refuses; an engine that does not match.
    fn set_banks(&mut self, banks: &[Bank]) -> Result<(), EngineError> {
        let _ = banks;
        Err(EngineError::SESSION_DOES_NOT_MATCH)
    }

    /// Matches the features of `image` at each matched tap, holds the matches for what follows, and gives a copy. In f32
    /// whatever the precision of the convolutions. What `forward` kept is lost.
    ///
    /// # Errors
    /// A picture of another size than the request's; no banks; a device that fails; an engine that does not match.
    fn find_matches(&mut self, image: &[f32]) -> Result<Vec<Matches>, EngineError> {
        let _ = image;
        Err(EngineError::SESSION_DOES_NOT_MATCH)
    }

    /// Holds matches that were found before. What `forward` kept is lost.
    ///
    /// # Errors
    /// What [`MatchedTap::check_matches`] refuses; no banks; an engine that does not match.
    fn set_matches(&mut self, matches: &[Matches]) -> Result<(), EngineError> {
        let _ = matches;
        Err(EngineError::SESSION_DOES_NOT_MATCH)
    }

    /// Takes the masks of all regions, `[regions, height, width]`, each value in 0..1, and brings them to the style taps. They
    /// may change between evaluations. What `forward` kept is lost.
    ///
    /// # Errors
    /// What [`SessionRequest::check_masks`] and [`SessionRequest::check_guides`] refuse; an engine that has no guides.
    fn set_masks(&mut self, masks: &[f32]) -> Result<(), EngineError> {
        let guides = self.request().pool_masks(masks)?;
        self.set_guides(guides)
    }

    /// As [`Session::set_masks`], by what each style tap is guided: for guides that do not come of pooled masks.
    ///
    /// # Errors
    /// What [`SessionRequest::check_guides`] refuses; an engine that has no guides.
    fn set_guides(&mut self, guides: Vec<TapGuides>) -> Result<(), EngineError> {
        let _ = guides;
        Err(EngineError::SESSION_HAS_NO_GUIDES)
    }

    /// Takes the emphasis, `[height, width]`, each value in 0..1, and brings it to the content taps. It may change between
    /// evaluations. What `forward` kept is lost.
    ///
    /// # Errors
    /// What [`SessionRequest::check_emphasis`] refuses; an engine that has no guides.
    fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        let _ = map;
        Err(EngineError::SESSION_HAS_NO_GUIDES)
    }

    /// Runs the network on `image` as far as the deepest tap, and keeps what `backward` will need.
    ///
    /// # Errors
    /// A picture of another size than the request's; content taps before their [`Session::set_content`]; matched taps before
    /// their matches; regions before their masks, an emphasis before it is given; a device that fails.
    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError>;

    /// Takes an observation back that nobody needs any more, so that the next [`Session::forward`] may fill its memory:
    /// fresh memory is slow.
    fn reuse(&mut self, observation: Observation) {
        drop(observation);
    }

    /// The gradient at the pixels of the last `forward`'s image: writes `[3, height, width]` into `pixel_gradient`.
    ///
    /// # Errors
    /// What [`SessionRequest::check_gradients`] refuses; no `forward` before it; a device that fails.
    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError>;

    /// One layer's features of `image`, any layer; for inspection and tests, not for the hot loop. What `forward` kept
    /// is lost.
    ///
    /// # Errors
    /// A picture of another size than the request's; a device that fails.
    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError>;

    /// Changes the arithmetic of later evaluations. The content taps' features stay as they were computed, in the
    /// arithmetic before, until the next [`Session::set_content`]; where an engine keeps them in another form from then on,
    /// it computes them anew in the next `forward`, which may find no memory for it.
    fn set_precision(&mut self, precision: Precision);

    /// Where the time of `forward` and `backward` went since the session was opened or [`Session::clear_times`] was
    /// called. Empty where an engine cannot tell.
    fn times(&self) -> Vec<LayerTime> {
        Vec::new()
    }

    /// Starts the times anew.
    fn clear_times(&mut self) {}
}

impl SessionRequest {
    /// The deepest layer that is tapped, if any is.
    pub fn deepest_tap(&self) -> Option<Layer> {
        self.tapped().max()
    }

    /// All layers that are tapped; some may come more than once.
    fn tapped(&self) -> impl Iterator<Item = Layer> {
        let matched = self.matched_taps.iter().map(|tap| tap.layer);
        self.style_taps.iter().chain(&self.content_taps).copied().chain(matched)
    }

    /// Whether a layer is tapped.
    pub fn is_tapped(&self, layer: Layer) -> bool {
        self.tapped().any(|tapped| tapped == layer)
    }

    /// Values in a picture of this size: 3 times height times width.
    pub fn picture_len(&self) -> usize {
        3 * self.height * self.width
    }

    /// Checks what every engine demands.
    ///
    /// # Errors
    /// A picture without pixels or with a side beyond [`SIDE_LIMIT_PX`], a layer twice among the taps of one kind, too many
    /// regions.
    pub fn check(&self) -> Result<(), EngineError> {
        if self.height == 0 || self.width == 0 {
            return Err(EngineError::Request("a picture needs at least one pixel; give a size of 1 or more".into()));
        }
        if self.height.max(self.width) > SIDE_LIMIT_PX {
            return Err(EngineError::Request(format!(
                "{}x{} is too large: a side has at most {SIDE_LIMIT_PX} pixels; lower the size",
                self.width, self.height
            )));
        }
        let matched = self.matched_taps.iter().map(|tap| tap.layer).collect();
        for taps in [&self.style_taps, &self.content_taps, &matched] {
            let mut sorted = taps.clone();
            sorted.sort_unstable();
            if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(EngineError::Request(format!("layer {} is listed twice; list it once", pair[0])));
            }
        }
        self.matched_taps.iter().try_for_each(MatchedTap::check)?;
        self.guides.check()
    }

    /// Checks the length of a picture against this request.
    ///
    /// # Errors
    /// A picture that is not `[3, height, width]`.
    pub fn check_picture(&self, image: &[f32]) -> Result<(), EngineError> {
        if image.len() == self.picture_len() {
            return Ok(());
        }
        Err(EngineError::Request(format!(
            "a picture of {}x{} has {} values and {} were given; pass [3, height, width]",
            self.width,
            self.height,
            self.picture_len(),
            image.len()
        )))
    }

    /// Checks the lengths of what [`Session::backward`] is given against this request.
    ///
    /// # Errors
    /// A request without a way back, lists that are longer or shorter than the taps (times the regions), matrices of another size than the
    /// taps' channels, a pixel gradient that is not `[3, height, width]`.
    pub fn check_gradients(&self, gradients: &ObservationGradients, pixel_gradient: &[f32]) -> Result<(), EngineError> {
        self.check_picture(pixel_gradient)?;
        if !self.way_back {
            return Err(EngineError::NO_WAY_BACK);
        }
        let lengths = [gradients.moments.len(), gradients.distances.len(), gradients.matched.len()];
        let moments = self.style_taps.len() * self.guides.moments_a_tap();
        if lengths != [moments, self.content_taps.len(), self.matched_taps.len()] {
            let message = "backward needs one gradient for each tap (and region) of its request, in the same order";
            return Err(EngineError::Request(message.into()));
        }
        for ((layer, _), by_moments) in self.moment_places().zip(&gradients.moments) {
            let channels = layer.channels();
            let fits = |length: usize, full: usize| length == 0 || length == full;
            if !fits(by_moments.mean.len(), channels) || !fits(by_moments.second.len(), channels * channels) {
                return Err(EngineError::Request(format!(
                    "the gradients at {layer} have {} and {} values; give {channels} for the mean and {channels} times {channels} for the second moment, or none",
                    by_moments.mean.len(),
                    by_moments.second.len()
                )));
            }
        }
        Ok(())
    }

    /// Checks that a session of `needed_bytes` keeps within this request's limit.
    ///
    /// # Errors
    /// More than the limit.
    pub fn check_memory(&self, needed_bytes: u64) -> Result<(), EngineError> {
        match self.memory_limit_bytes {
            Some(limit) if needed_bytes > limit => Err(EngineError::Memory {
                width: self.width,
                height: self.height,
                needed_mib: needed_bytes.div_ceil(1 << 20),
                limit_mib: limit >> 20,
            }),
            _ => Ok(()),
        }
    }
}
