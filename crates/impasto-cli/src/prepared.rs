//! A job that could begin: its engine is open, its images are read, and what it takes of memory is known. `paint` goes on
//! from here; `plan` says what it sees and leaves it at that.

use impasto::{ResolvedRecipe, Scale};
use impasto_vgg::{Engine, EngineError};

use crate::engine::{load_weights, open_engine};
use crate::failure::Failure;
use crate::forecast::Intended;
use crate::job::{Job, ReadImages};
use crate::show::Voice;

/// A job with everything that it needs.
pub struct Prepared {
    /// What is painted, and where it goes.
    pub job: Job,
    /// What paints.
    pub engine: Box<dyn Engine>,
    /// The images.
    pub read: ReadImages,
    /// The sizes, coarse to fine.
    pub scales: Vec<Scale>,
    /// The recipe, for the full size.
    pub recipe: ResolvedRecipe,
    /// Bytes that the network may take; `None` for what is free.
    pub memory_limit: Option<u64>,
    /// What a person should know of weights and images.
    pub notes: Vec<String>,
}

impl Prepared {
    /// Opens the engine and reads everything; `voice` says what a person should know of the engine.
    ///
    /// # Errors
    /// Everything that keeps the job from beginning, but for the folders that it writes to.
    pub fn new(job: Job, voice: &Voice) -> Result<Prepared, Failure> {
        let (weights, mut notes) = load_weights(&job.order.weights)?;
        let engine = open_engine(&weights, job.running.device.threads, job.running.device.device, voice)?;
        let read = job.read_images(&mut notes)?;
        let scales = impasto::scales(&job.order.recipe, read.content.width, read.content.height);
        job.writing.check_scales(&scales)?;
        let full = scales[scales.len() - 1];
        let recipe = job.order.recipe_at(full.width, full.height);
        let mut prepared = Prepared { job, engine, read, scales, recipe, memory_limit: None, notes };
        prepared.memory_limit = prepared.intended().network_limit(prepared.job.running.memory_limit)?;
        prepared.intended().memory_need(prepared.memory_limit)?;
        Ok(prepared)
    }

    /// What a forecast looks at.
    pub fn intended(&self) -> Intended<'_> {
        let read = &self.read;
        Intended {
            recipe: &self.recipe,
            engine: &*self.engine,
            scales: &self.scales,
            images: read.styles.iter().chain([&read.content]).chain(&read.start).collect(),
            styles: &read.styles,
        }
    }

    /// Memory and time; evaluates a small picture.
    ///
    /// # Errors
    /// The engine's.
    pub fn forecast(&self) -> Result<impasto::forecast::Forecast, EngineError> {
        self.intended().forecast(self.memory_limit)
    }
}
