//! A job: from files to a kept picture, for any front end.
//!
//! A front end says what shall be painted ([`Order`]), how files are read and written ([`Files`]), and where the run is kept
//! ([`KeepIn`]). It gets every error of a choice before any work, then events, then a picture on disk:
//!
//! ```
//! use impasto::recipe::{Recipe, Size, parse_layers};
//! use impasto::{Control, Picture};
//! use impasto_job::{DeviceChoice, Engines, Files, Job, JobEvent, Order};
//! use std::sync::Arc;
//!
//! # let folder = tempfile::tempdir()?;
//! # let (photo, painting) = (folder.path().join("photo.png"), folder.path().join("painting.png"));
//! # for (path, colour) in [(&photo, [200.0, 180.0, 90.0]), (&painting, [30.0, 90.0, 160.0])] {
//! #     let options = impasto::write::WriteOptions::default();
//! #     impasto::write::write_picture(&impasto::disk::RealDisk, path, &Picture::filled(48, 32, colour)?, options, None)?;
//! # }
//! // What shall be painted. What the recipe leaves open comes from its preset.
//! let order = Order {
//!     content: Some(photo),
//!     styles: vec![painting],
//!     recipe: Recipe {
//!         size: Some(Size::LongEdge(32)),
//!         iterations: Some(3),
//!         // The fewer layers, the sooner it is done.
//!         style_layers: Some(parse_layers("--style-layers", "conv1_1,conv2_1")?),
//!         content_layers: Some(parse_layers("--content-layers", "conv2_2")?),
//!         ..Recipe::default()
//!     },
//!     ..Order::default()
//! };
//! let files = Files { output: Some(folder.path().join("painted.png").into()), ..Files::default() };
//! // Every error of a choice is said here, before any work.
//! let job = Job::new(&order, &files, None)?;
//!
//! // The engine stays open for the next job; what it has to say at any time, it says to this voice.
//! let voice = Arc::new(|sentence: &str| eprintln!("{sentence}"));
//! let mut engines = Engines::for_many_jobs(DeviceChoice::Cpu, None, voice);
//! let prepared = job.prepare(&mut engines)?;
//! println!("{} at {:?}", prepared.recipe().preset, prepared.full());
//!
//! // Another thread may stop the job by its handle, and ask for its newest picture.
//! let handle = prepared.handle();
//! let finished = prepared.perform(&mut |event| {
//!     if let JobEvent::Iteration { progress, .. } = event {
//!         println!("{}: {}", progress.evaluations, progress.loss);
//!     }
//!     Control::Continue
//! })?;
//! assert!(finished.failure().is_none() && finished.output.exists() && !handle.is_stopping());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where to look next, in the order of the way. A folder uses only what stands on the lines above its own:
//!
//! - [`Failure`], [`pace`], [`machine`], [`shell`]: one sentence and its kind; how far a run is; the machine and the time of day;
//!   a path in a command that is named;
//! - [`engine`]: what computes: chosen, opened once, kept from job to job;
//! - [`order`]: an order resolved: every choice has its value, every file its place;
//! - [`job`]: a job from its order to its picture; [`runs`]: runs that are kept, listed and drawn on a page.
//!
//! **Architecture Invariant:** nothing here prints, exits, handles a signal or knows a command line; there is no state outside of
//! what a front end holds but rayon's own pool of threads.
#![forbid(unsafe_code)]

pub mod engine;
mod failure;
pub mod job;
pub mod machine;
pub mod order;
pub mod pace;
pub mod runs;
pub mod shell;

pub use engine::{DeviceChoice, Engines, Voice};
pub use failure::{Failure, FailureKind};
pub use job::{Branch, Branched, Change, Destination, Stream, branch};
pub use job::{
    Ending, Files, Finished, Following, Handle, Job, JobEvent, KeepIn, NewestPicture, Painted, Prepared, Resumed,
};
pub use order::Order;
