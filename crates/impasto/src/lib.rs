//! Paint a photo in the style of a painting.
#![forbid(unsafe_code)]

pub mod adam;
pub mod bfloat16;
pub mod calibration;
pub mod checkpoint;
mod colour;
pub mod crc32c;
pub mod diagonal;
pub mod digest;
pub mod disk;
pub mod fetch;
pub mod forecast;
pub mod lbfgs;
mod lettering;
pub mod loss;
pub mod objective;
pub mod optimiser;
pub mod picture;
pub mod preconditioner;
pub mod presets;
pub mod pyramid;
pub mod read;
pub mod recipe;
pub mod recorder;
pub mod resize;
pub mod resolve;
pub mod run;
pub mod run_folder;
pub mod selftest;
pub mod sheet;
pub mod start;
pub mod state;
pub mod tensorboard;
pub mod vectors;
pub mod write;

pub use optimiser::Rejection;
pub use picture::Picture;
pub use recipe::{Recipe, RecipeError};
pub use resolve::ResolvedRecipe;
pub use run::{Control, Event, Images, Iteration, Keeping, Outcome, PaintError, Scale, paint, paint_kept, scales};
