//! Films through ffmpeg, a program of its own: what a film is, its frames as pictures, and pictures as a film.

mod decode;
mod encode;
mod probe;
mod programs;
mod times;

pub use decode::{Wanted, decode};
pub use encode::{Encoded, encode};
pub use probe::{ColourTags, Footage, probe};
pub use programs::demand;
pub use times::{Rate, parse_seconds};
