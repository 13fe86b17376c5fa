//! Paint a photo in the style of a painting: the method of Gatys, Ecker and Bethge (CVPR 2016).
//!
//! A [`Recipe`] is what a user chooses; resolved, every choice has its value, from a preset where the recipe leaves it open.
//! [`paint`] takes the resolved recipe, the images and an engine, tells what happens in events, and gives a picture.
//!
//! ```
//! use impasto::recipe::{Recipe, Size, parse_layers};
//! use impasto::write::{OutputFormat, WriteOptions, encode_picture};
//! use impasto::{Control, Event, Images, Picture, paint};
//! use impasto_vgg::{CpuEngine, CpuOptions, Weights};
//!
//! // Pictures come from files by `impasto::read::read_picture`, or from pixels: three bytes each, row by row.
//! let stripes: Vec<u8> = (0..48 * 32).flat_map(|place| [(place % 7 * 36) as u8, 90, 140]).collect();
//! let photo = Picture::filled(48, 32, [200.0, 180.0, 90.0])?;
//! let painting = Picture::from_rgb8(48, 32, &stripes)?;
//!
//! let recipe = Recipe {
//!     preset: Some("default".into()),
//!     size: Some(Size::LongEdge(32)),
//!     iterations: Some(3),
//!     // The fewer layers, the sooner it is done.
//!     style_layers: Some(parse_layers("--style-layers", "conv1_1,conv2_1")?),
//!     content_layers: Some(parse_layers("--content-layers", "conv2_2")?),
//!     ..Recipe::default()
//! }
//! .resolve()?;
//!
//! let engine = CpuEngine::new(Weights::embedded(), CpuOptions::default())?;
//! let images = Images { content: &photo, styles: &[painting], start: None };
//! let painted = paint(&recipe, &engine, images, None, &mut |event| {
//!     if let Event::Iteration(iteration) = event {
//!         println!("{}: {}", iteration.evaluations, iteration.losses.total);
//!     }
//!     Control::Continue
//! })?;
//!
//! // The bytes of a file that carries its recipe; `impasto::write::write_picture` puts them on a disk, whole or not at all.
//! let png = encode_picture(&painted.picture, OutputFormat::Png, WriteOptions::default(), Some(&recipe.to_json()))?;
//! assert!(png.starts_with(b"\x89PNG") && painted.picture.width == 32);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where to look next:
//!
//! - [`recipe`], [`presets`], [`resolve`]: what can be chosen, and every error of a choice;
//! - [`read`], [`write`](mod@write), [`picture`], [`disk`]: untrusted bytes to pictures, and pictures to files;
//! - [`run`]: sizes, evaluations, events; [`forecast`] says before it what it will take of memory and time;
//! - [`checkpoint`], [`recorder`], [`run_folder`], [`tensorboard`]: runs that are kept, gone on with and looked at;
//! - [`objective`], [`loss`]: what is minimised; [`optimiser`], [`lbfgs`], [`adam`] and [`preconditioner`]: how;
//! - [`selftest`]: does an engine compute right; [`fetch`], [`calibration`]: weights other than the embedded ones;
//! - [`sheet`]: labelled sheets of pictures.
//!
//! The library prints nothing, exits nothing and does not panic on input: errors are typed, each a sentence that names the file
//! or option and the way out. The network and its engines are the crate [`impasto_vgg`].
#![forbid(unsafe_code)]

pub mod adam;
pub mod calibration;
pub mod checkpoint;
mod colour;
#[doc(hidden)]
pub mod crc32c;
mod device_copy;
pub mod diagonal;
pub mod digest;
pub mod disk;
pub mod fetch;
pub mod forecast;
mod inverse_hessian;
pub mod lbfgs;
mod lettering;
pub mod loss;
pub mod objective;
pub mod optimiser;
pub mod picture;
pub mod precision;
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
mod trial;
mod vectors;
pub mod write;

#[doc(hidden)]
pub use impasto_vgg::bfloat16;
pub use optimiser::Rejection;
pub use picture::Picture;
pub use recipe::{Recipe, RecipeError};
pub use resolve::ResolvedRecipe;
pub use run::{Control, Event, Images, Iteration, Keeping, Outcome, PaintError, Scale, paint, paint_kept, scales};
