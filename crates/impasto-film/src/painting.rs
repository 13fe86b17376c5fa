//! One frame, painted as a job of its own.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use impasto::Control;
use impasto::recipe::Recipe;
use impasto::write::OutputFormat;
use impasto_job::{Destination, Ending, Engines, Failure, Files, Finished, Following, Job, JobEvent, Order, Stream};

use crate::event::{FilmEvent, FilmObserver};

/// Bytes of a picture, as they come.
#[derive(Clone, Default)]
struct Sink {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What paints frames.
pub struct Painter<'film> {
    /// What every frame is painted by; its photo is left out.
    pub order: &'film Order,
    /// How frames are read.
    pub files: &'film Files,
    /// Bytes that the network may take; `None` for what is free.
    pub memory_limit_bytes: Option<u64>,
    /// The engines.
    pub engines: &'film mut Engines,
    /// Sentences that were said.
    pub said: BTreeSet<String>,
}

impl Painter<'_> {
    /// Paints a frame; gives how it ended, and the bytes of its PNG. `varied` is what this frame's recipe has of its own.
    pub fn paint(
        &mut self,
        photo: &Path,
        varied: &Recipe,
        following: Option<Following>,
        observer: &mut FilmObserver<'_>,
    ) -> Result<(Finished, Vec<u8>), Failure> {
        let recipe = self.order.recipe.varied_by(varied);
        let order = Order { content: Some(photo.to_owned()), recipe, ..self.order.clone() };
        let sink = Sink::default();
        // Only what is whole comes to the disk.
        let stream = Stream::new(&photo.to_string_lossy(), OutputFormat::Png, sink.clone());
        let files = Files { output: Some(Destination::Stream(stream)), ..self.files.clone() };
        let mut job = Job::new(&order, &files, None)?;
        job.memory_limit_bytes = self.memory_limit_bytes;
        if let Some(following) = following {
            job.follow(following)?;
        }
        let prepared = job.prepare(self.engines)?;
        for note in prepared.notes() {
            if self.said.insert(note.clone()) {
                observer(FilmEvent::Note(note));
            }
        }
        let said = &mut self.said;
        let finished = prepared.perform(&mut |event| match event {
            JobEvent::Note(note) if said.insert(note.to_owned()) => observer(FilmEvent::Note(note)),
            JobEvent::Note(_) => Control::Continue,
            event => observer(FilmEvent::Job(event)),
        })?;
        match (finished.ending(), &finished.outcome.failure) {
            (Ending::Done, _) => {}
            (_, Some(failure)) => return Err(Failure::failed(format_args!("{failure}; the same command goes on"))),
            _ => return Err(Failure::interrupted("interrupted; the same command goes on")),
        }
        let bytes = std::mem::take(&mut *sink.bytes.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((finished, bytes))
    }
}
