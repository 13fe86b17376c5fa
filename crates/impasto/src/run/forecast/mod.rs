//! What a run will take, said before it begins: memory from the sizes of all that it holds, time from one small evaluation.
//!
//! ```text
//!   memory   the images as read  +  the larger of   a style image's session
//!                                                   the picture's session, its planes of pixels, the optimiser, the
//!                                                   matrices of its style loss
//!   time     sum over scales of  evaluations x (seconds whatever the size + pixels x seconds a pixel)
//!            with those of smaller sizes, where their losses count
//!                              + matches x (share of an evaluation + products x seconds a product)
//!            (measured at 192 x 192 and, where that is quick, at 384 x 384; then scaled)
//! ```
//!
//! `time.rs` is the only file of the library that looks at a clock; nothing that it finds goes into the picture.

mod memory;
mod time;
mod timeline;

pub use crate::recipe::history::{HISTORY_BYTES, LEAST_HISTORY, affordable_history};
pub use memory::{MemoryNeed, memory_beside_network, memory_need};
pub use time::seconds;

/// What a run will take.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Most memory at once.
    pub memory: MemoryNeed,
    /// Time to the picture, in seconds, without the reading and writing of files.
    pub seconds: f64,
}
