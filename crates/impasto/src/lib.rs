//! Paint a photo in the style of a painting: the method of Gatys, Ecker and Bethge (CVPR 2016).
//!
//! A [`Recipe`] is what a user chooses; resolved, every choice has its value, from a preset where the recipe leaves it open.
//! [`paint`] takes the resolved recipe, the images and an engine, tells what happens in events, and gives a picture.
//!
//! ```
//! use impasto::recipe::{Recipe, Size, parse_layers};
//! use impasto::write::{OutputFormat, WriteOptions, encode_picture};
//! use impasto::{Control, Event, GuideImages, Images, Picture, paint};
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
//! let images = Images { content: &photo, styles: &[painting], start: None, guides: GuideImages::default() };
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
//! Where to look next, in the order of the way. A folder uses only folders of the lines above its own:
//!
//! - [`picture`], [`recipe`], [`disk`]: pixels as numbers; what can be chosen, and every error of a choice; the one door to files;
//! - [`image_file`], [`objective`], [`optimiser`]: untrusted bytes to pictures and back; what is minimised; how;
//! - [`run`]: sizes, evaluations, events, checkpoints; [`run::forecast`] says before it what it will take of memory and time.
//!   [`selftest`]: does an engine compute right;
//! - [`record`]: runs that are kept, gone on with and looked at; [`weights`]: weights other than the embedded ones.
//!
//! The library prints nothing, exits nothing and does not panic on input: errors are typed, each a sentence that names the file
//! or option and the way out. The network and its engines are the crate [`impasto_vgg`].
#![forbid(unsafe_code)]

mod control;
pub mod disk;
pub mod image_file;
pub mod objective;
pub mod optimiser;
pub mod picture;
pub mod recipe;
pub mod record;
pub mod run;
pub mod selftest;
pub mod weights;

#[doc(hidden)]
pub use impasto_vgg::bfloat16;

pub use control::Control;
#[doc(hidden)]
pub use disk::crc32c;
pub use disk::digest;
pub use image_file::{read, rescue, write};
pub use objective::loss;
pub use optimiser::{Rejection, adam, diagonal, lbfgs, preconditioner, pyramid, state};
pub use picture::{Picture, resize, sheet};
pub use recipe::resolve::{self, ResolvedRecipe};
pub use recipe::{Recipe, RecipeError, precision, presets};
pub use record::{recorder, run_folder, tensorboard};
pub use run::scales::{Scale, scales};
pub use run::{
    ChangedGuides, Event, GuideImages, Images, Iteration, Keeping, Outcome, PaintError, Steer, Steered, Temporal,
    checkpoint, forecast, paint, paint_kept, paint_steered, start,
};
pub use weights::{calibration, fetch};
