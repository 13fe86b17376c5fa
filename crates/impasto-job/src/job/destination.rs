//! Where a picture goes: to a file, or down a stream.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use impasto::Picture;
use impasto::write::{Carried, OutputFormat, WriteOptions, encode_carrying};

use crate::failure::Failure;

/// Where a picture goes, beside the folder that its run is kept in.
#[derive(Clone, Debug)]
pub enum Destination {
    /// A file, .png, .jpg, .webp or .tif, which is the old one or the new one at any moment.
    File(PathBuf),
    /// A stream, which takes the bytes in their order and gives none back.
    Stream(Stream),
}

impl Destination {
    /// What people call it: a file's path, a stream's name.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Destination::File(path) => path,
            Destination::Stream(stream) => Path::new(&stream.name),
        }
    }

    /// The file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Destination::File(path) => Some(path),
            Destination::Stream(_) => None,
        }
    }
}

impl From<PathBuf> for Destination {
    fn from(path: PathBuf) -> Destination {
        Destination::File(path)
    }
}

/// A stream that takes one picture. A PNG carries its recipe down it; with the other formats there is no place for one. Clones
/// are one.
#[derive(Clone)]
pub struct Stream {
    name: String,
    format: OutputFormat,
    sink: Arc<Mutex<dyn Write + Send>>,
}

impl Stream {
    /// A stream that people call `name`, for a picture of that format.
    pub fn new(name: &str, format: OutputFormat, sink: impl Write + Send + 'static) -> Stream {
        Stream { name: name.to_owned(), format, sink: Arc::new(Mutex::new(sink)) }
    }

    /// What people call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What a person should know of a picture that goes down it, as a sentence.
    pub(super) fn note(&self) -> Option<String> {
        let sentence = "has no place for the recipe, which only a PNG carries down a pipe; --format png keeps it";
        (self.format != OutputFormat::Png).then(|| format!("a {:?} through {} {sentence}", self.format, self.name))
    }

    /// The format of the picture.
    pub(super) fn format(&self) -> OutputFormat {
        self.format
    }

    /// Writes the picture down it.
    ///
    /// # Errors
    /// The encoder's, or a sentence that says that the stream was broken.
    pub(super) fn write(&self, picture: &Picture, options: WriteOptions, carried: &Carried<'_>) -> Result<(), Failure> {
        let bytes = encode_carrying(picture, self.format, options, carried).map_err(Failure::failed)?;
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.write_all(&bytes).and_then(|()| sink.flush()).map_err(|error| {
            let error = error.to_string();
            let reason = error.split(" (os error").next().unwrap_or_default();
            Failure::failed(format_args!("{} did not take the whole picture ({reason}); see what reads it", self.name))
        })
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").field("name", &self.name).field("format", &self.format).finish_non_exhaustive()
    }
}
