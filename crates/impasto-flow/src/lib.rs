//! Dense optical flow: how far each pixel of a picture has moved, where that can be trusted, and pictures warped by it.
//!
//! ```
//! use impasto_flow::{Method, Plane, agreement, flow, warp};
//!
//! // A texture, and the same moved to the right by two pixels.
//! let texture = |x: f32, y: f32| 120.0 + 60.0 * (0.4 * x + 0.2 * y).sin() + 40.0 * (0.3 * y - 0.1 * x).cos();
//! let drawn = |shift: f32| -> Vec<f32> {
//!     (0..48 * 40).map(|place| texture((place % 48) as f32 - shift, (place / 48) as f32)).collect()
//! };
//! let (before, after) = (drawn(0.0), drawn(2.0));
//! let planes = [&before, &after].map(|values| Plane::new(48, 40, values.clone()));
//! let [first, second] = planes;
//! let (first, second) = (first?, second?);
//!
//! // Of each pixel of the second picture: where it was in the first.
//! let back = flow(&second, &first, &Method::default())?;
//! let forth = flow(&first, &second, &Method::default())?;
//! let [dx, dy] = back.vectors[20 * 48 + 24];
//! assert!((dx + 2.0).abs() < 0.2 && dy.abs() < 0.2, "{dx} {dy}");
//!
//! // Where the flow and its inverse agree, the first picture can be carried into the second.
//! let trust = agreement(&back, &forth)?;
//! let carried = warp(&before, 48, 40, &back)?;
//! assert!(trust[20 * 48 + 24] == 1.0 && (carried[20 * 48 + 24] - after[20 * 48 + 24]).abs() < 8.0);
//! # Ok::<(), impasto_flow::FlowError>(())
//! ```
//!
//! The method is variational, coarse to fine, with warping: Brox, Bruhn, Papenberg and Weickert, "High Accuracy Optical Flow
//! Estimation Based on a Theory for Warping" (ECCV 2004), and between its steps the median of Sun, Roth and Black, "Secrets of
//! Optical Flow Estimation and Their Principles" (CVPR 2010). Everything is written once for f32 and f64; the latter is the
//! reference ([`reference_flow`]).
//!
//! **Architecture Invariant:** the number of threads changes no bit. Each value is computed from values that no thread is
//! writing meanwhile, and sums run in one order.
#![forbid(unsafe_code)]

mod agreement;
mod error;
mod field;
mod level;
mod median;
mod method;
mod plane;
mod pyramid;
mod sampling;
mod scalar;
mod solver;
mod warp;

pub use agreement::agreement;
pub use error::FlowError;
pub use field::Flow;
pub use method::Method;
pub use plane::Plane;
pub use pyramid::{flow, reference_flow};
pub use warp::{lies_inside, warp};
