//! A job: what is painted, from which files, to which, and where it is kept; from an order or from the folder of a run.
//!
//! ```text
//!   Order, Files, KeepIn   -->  Job        every error of a choice, the output's name and folder: said before any work
//!   a run's folder         -->  Job
//!   Job + Engines          -->  Prepared   engine open, images read, memory known; a forecast where it is asked for
//!   Prepared               -->  events ... Finished      recorded and kept on the way; Control::Stop ends it early
//! ```

mod board;
mod branch;
mod change;
mod changed_masks;
mod destination;
mod event;
mod finished;
mod following;
mod forecast;
mod handle;
mod images;
mod inputs;
mod keeping;
mod painted;
mod perform;
mod prepared;
mod proportion;
mod recording;
mod resume;
mod steering;
mod writing;

use std::path::PathBuf;

use impasto::image_file::exif::KeptExif;
use impasto::read::ReadLimits;
use impasto::write::WriteOptions;

use crate::failure::Failure;
use crate::order::{Order, ResolvedOrder};
use images::ReadImages;
use keeping::Keeping;
use writing::Writing;

pub use branch::{Branch, Branched, branch};
pub use change::Change;
pub use destination::{Destination, Stream};
pub use event::{JobEvent, Observer};
pub use finished::{Ending, Finished};
pub use following::Following;
pub use handle::{Handle, NewestPicture};
pub use keeping::{KeepIn, folder_failure};
pub use painted::Painted;

pub use prepared::Prepared;
pub use resume::{FinishedRun, Resumed};

/// How pictures are read and written.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Where the picture goes; may be left out where the run is kept in a folder.
    pub output: Option<Destination>,
    /// Whether `output` is [`ResolvedOrder::picture_name`], so that the picture takes the next number where a file of that name
    /// has come meanwhile.
    pub has_made_name: bool,
    /// How it is written.
    pub write: WriteOptions,
    /// Whether it has samples of 16 bits, whatever `write` says, exactly where the photo's have more than 8 and every format that is
    /// written has them.
    pub has_photos_bits: bool,
    /// What of the photo's EXIF data it has.
    pub exif: KeptExif,
    /// What an image may ask for.
    pub read: ReadLimits,
}

/// What is painted, from which files, to which.
#[derive(Debug)]
pub struct Job {
    order: ResolvedOrder,
    limits: ReadLimits,
    writing: Writing,
    keeping: Option<Keeping>,
    following: Option<Following>,
    /// Bytes that the network may take; `None` for what is free.
    pub memory_limit_bytes: Option<u64>,
    /// Folder for TensorBoard's event files.
    pub log_dir: Option<PathBuf>,
    /// The images, and what is to be said of them, where they were read ahead.
    read_ahead: Option<(ReadImages, Vec<String>)>,
}

impl Job {
    /// What an order asks for.
    ///
    /// # Errors
    /// Everything about the choices and the output that can be said before any work.
    pub fn new(order: &Order, files: &Files, keep: Option<&KeepIn>) -> Result<Job, Failure> {
        Job::of_resolved(order.resolve()?, files, keep)
    }

    /// As [`Job::new`], of an order that is resolved.
    ///
    /// # Errors
    /// As [`Job::new`].
    pub fn of_resolved(order: ResolvedOrder, files: &Files, keep: Option<&KeepIn>) -> Result<Job, Failure> {
        let keeping = keep.map(|keep| Keeping::of_options(keep, &order.recipe.preset)).transpose()?;
        let run = keep.map(|keep| keep.folder.clone());
        let (given, made_of) = (files.output.clone(), files.has_made_name.then(|| order.picture_stem()));
        let (has_photos_bits, exif) = (files.has_photos_bits, files.exif);
        let writing = Writing { given, made_of, run, options: files.write, has_photos_bits, exif };
        writing.check(&order)?;
        Ok(Job {
            order,
            limits: files.read,
            writing,
            keeping,
            following: None,
            memory_limit_bytes: None,
            log_dir: None,
            read_ahead: None,
        })
    }

    /// The resolved recipe and its files.
    #[must_use]
    pub fn order(&self) -> &ResolvedOrder {
        &self.order
    }
}
