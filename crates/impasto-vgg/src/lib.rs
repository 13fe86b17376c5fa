//! VGG-19, forward and back to the pixels.
//!
//! This crate is the engine room of impasto: a fixed network (Simonyan and Zisserman, 2014) whose weights never change,
//! run on a picture, observed at some of its layers, and differentiated back to the pixels. It knows nothing about
//! losses, optimisers or files of pictures.
//!
//! Where to look:
//! - [`layers`]: the network as data;
//! - [`engine`]: the boundary, a trait that every engine stands behind;
//! - [`reference`](mod@reference): the network in f64, loops only: the specification of every engine;
//! - [`cpu`]: the fast engine;
//! - [`fallback`]: an engine with another behind it, for when a device fails;
//! - [`guides`]: regions and emphasis: which positions of a layer count, and how much;
//! - [`history`]: what an optimiser remembers, kept where an engine can multiply it; [`bfloat16`]: in what numbers;
//! - [`matching`]: features that are drawn to a painting's;
//! - [`plan`]: the order of an engine's work, in bands that stream through all layers, and the memory that it takes;
//! - [`profile`]: where a session's time goes, by layer and kind of operation;
//! - [`weights`]: the weights, embedded or from a file;
//! - [`formats`]: the files that weights come in;
//! - [`normalise`]: the paper's normalised network;
//! - [`verify`]: what a set of weights is, told by its answer to a picture.

#![deny(unsafe_code)]

pub mod bfloat16;
pub mod cpu;
pub mod engine;
pub mod error;
pub mod fallback;
pub mod formats;
pub mod guides;
pub mod history;
pub mod layers;
pub mod matching;
pub mod normalise;
pub mod plan;
pub mod profile;
pub mod reference;
pub mod verify;
pub mod weights;

pub use cpu::{CpuEngine, CpuOptions, CpuSession};
pub use engine::{
    Border, Distance, Engine, EngineDescription, FeatureMap, MomentGradients, Moments, Observation,
    ObservationGradients, Pooling, Precision, Session, SessionRequest,
};
pub use error::EngineError;
pub use fallback::FallbackEngine;
pub use guides::{Guides, TapGuides};
pub use history::{History, Products, Vectors, Weighing};
pub use layers::{LAYERS, Layer, LayerInfo, LayerKind, MEAN_RGB, UnknownLayer};
pub use matching::{Bank, MatchedDistance, MatchedTap, Matches};
pub use normalise::{Calibration, MeanActivations, NormaliseError};
pub use plan::{Plan, Strategy};
pub use reference::ReferenceEngine;
pub use weights::{ConvolutionWeights, Weights, WeightsError};
