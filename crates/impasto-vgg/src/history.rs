//! What an optimiser remembers, kept where an engine can multiply it: for engines whose memory is faster than the
//! processor's.
//!
//! L-BFGS remembers pairs of a step s and the change y that it made to the gradient, and reads all of them several times for
//! each step. What it asks of them are sweeps of two parts, which say nothing of what they are for:
//!
//! ```text
//!   multiply   vector goes there       products of it with all s, or with all y, come back
//!   add        factors go there        vector + sum of factor y, or factor s, over all pairs comes back
//! ```
//!
//! Whoever asks keeps the pairs too: a history is a copy, and may be gone at any time.

use std::fmt::Debug;

use crate::bfloat16::Bfloat16;
use crate::engine::EngineError;

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

/// The last pairs of vectors, all of one length. The same calls give the same bits, on the same machine.
///
/// After an error nothing is promised but that no vector was written: the history is to be dropped.
pub trait History: Debug + Send + Sync {
    /// Takes a pair in, in place of the oldest where there is no room.
    ///
    /// # Errors
    /// Vectors of another length than the history's; a device that fails.
    fn push(&mut self, step: &[Bfloat16], change: &[Bfloat16]) -> Result<(), EngineError>;

    /// Forgets all pairs.
    fn clear(&mut self);

    /// The products of one of the vectors of each pair with `vector` and with the newest pair's y. `vector` stays for
    /// [`History::add`].
    ///
    /// # Errors
    /// As [`History::push`].
    fn multiply(&mut self, vectors: Vectors, vector: &[f32]) -> Result<Products, EngineError>;

    /// Writes `scale (vector + sum of factor times one of the vectors of each pair, oldest first)` into `vector`, which must
    /// be what [`History::multiply`] was last given. It is written only where there is no error.
    ///
    /// # Errors
    /// As [`History::push`]; another number of factors than of pairs.
    fn add(&mut self, vectors: Vectors, factors: &[f64], scale: f32, vector: &mut [f32]) -> Result<(), EngineError>;
}
