//! What an optimiser remembers, kept where an engine can multiply it: for engines whose memory is faster than the
//! processor's.
//!
//! L-BFGS remembers pairs of a step s and the change y that it made to the gradient, and reads all of them several times for
//! each step. Whoever asks keeps the pairs too: a history is a copy, and may be gone at any time. Beside the pairs there is
//! one vector, which goes there once, is worked on where it is, and comes back once:
//!
//! ```text
//!   load       vector goes there
//!   multiply   products of it with all s, or with all y, come back
//!   add        scale vector + sum of factor y, or factor s, over all pairs, takes its place
//!   weigh      P vector takes its place
//!   read       vector comes back
//! ```

use std::fmt::Debug;

use crate::bfloat16::Bfloat16;
use crate::error::EngineError;

/// One of the two vectors of every pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectors {
    /// The steps, s.
    Steps,
    /// The changes of the gradient, y.
    Changes,
}

/// What [`History::multiply`] gives, oldest pair first.
#[derive(Clone, Debug, PartialEq)]
pub struct Products {
    /// With the vector.
    pub with_vector: Vec<f64>,
    /// With the newest pair's y.
    pub with_newest_change: Vec<f64>,
}

/// An operator P on pictures `[3, height, width]` that weighs each colour's frequencies and places:
///
/// ```text
///   P = R (w_0 I + D^T (w_1 I + D^T (w_2 I + ... w_n I ...) D) D) R
/// ```
///
/// D halves both sides, rounded up, by twice the filter (1 3 3 1) / 8 along each: value (y, x) of what comes of it is over
/// rows 2y - 1 to 2y + 2 and columns 2x - 1 to 2x + 2, zeros being beyond the edge; D^T is its transpose. R multiplies each
/// place by its value in `root`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighing<'a> {
    /// Width of the picture in pixels.
    pub width: usize,
    /// Height of the picture in pixels.
    pub height: usize,
    /// w_0 to w_n; at least w_0.
    pub level_weights: &'a [f32],
    /// `[height, width]`; empty where R is the identity.
    pub root: &'a [f32],
}

/// The last pairs of vectors, all of one length, and one vector more. The same calls give the same bits, on the same machine.
///
/// After an error nothing is promised but that nothing of the caller's was written: the history is to be dropped.
pub trait History: Debug + Send + Sync {
    /// Takes a pair in, in place of the oldest where there is no room.
    ///
    /// # Errors
    /// Vectors of another length than the history's; a device that fails.
    fn push(&mut self, step: &[Bfloat16], change: &[Bfloat16]) -> Result<(), EngineError>;

    /// Forgets all pairs.
    fn clear(&mut self);

    /// Takes the vector in.
    ///
    /// # Errors
    /// As [`History::push`].
    fn load(&mut self, vector: &[f32]) -> Result<(), EngineError>;

    /// The products of one of the vectors of each pair with the vector and with the newest pair's y.
    ///
    /// # Errors
    /// No pairs, or no vector yet; a device that fails.
    fn multiply(&mut self, vectors: Vectors) -> Result<Products, EngineError>;

    /// Makes `scale vector + sum of factor times one of the vectors of each pair, oldest first` the vector.
    ///
    /// # Errors
    /// As [`History::multiply`]; another number of factors than of pairs.
    fn add(&mut self, vectors: Vectors, factors: &[f64], scale: f32) -> Result<(), EngineError>;

    /// Makes P times the vector the vector.
    ///
    /// # Errors
    /// As [`History::multiply`]; a picture or a root of another size than the vector's, no weight, more levels than a
    /// side can be halved.
    fn weigh(&mut self, weighing: Weighing<'_>) -> Result<(), EngineError>;

    /// Writes the vector into `vector`, unless there is an error.
    ///
    /// # Errors
    /// As [`History::push`]; no vector yet.
    fn read(&mut self, vector: &mut [f32]) -> Result<(), EngineError>;
}
