//! A job that could begin: its engine is open, its images are read, and what it takes of memory is known.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use impasto::forecast::Forecast;
use impasto::run::{balanced, is_held_to_its_pixels};
use impasto::{Picture, ResolvedRecipe, Scale};
use impasto_vgg::cpu::memory::free;
use impasto_vgg::{Engine, EngineError};

use super::Job;
use super::board::Board;
use super::change::{Desk, Fits};
use super::forecast::Intended;
use super::handle::Handle;
use super::images::ReadImages;
use crate::engine::{Engines, engine_note, precision_note};
use crate::failure::Failure;
use crate::order::ResolvedOrder;

/// A job with everything that it needs.
pub struct Prepared {
    pub(super) job: Job,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) images: ReadImages,
    pub(super) scales: Vec<Scale>,
    pub(super) recipe: ResolvedRecipe,
    pub(super) memory_limit: Option<u64>,
    pub(super) started: Instant,
    pub(super) handle: Handle,
    notes: Vec<String>,
}

impl Job {
    /// Opens the engine and reads everything.
    ///
    /// # Errors
    /// Everything that keeps the job from beginning, but for the folder that the run is kept in.
    pub fn prepare(mut self, engines: &mut Engines) -> Result<Prepared, Failure> {
        let started = Instant::now();
        let (engine, mut notes) = engines.open(&self.order.weights, self.order.recipe.weights_input)?;
        let (images, of_images) = match self.read_ahead.take() {
            Some(read) => read,
            None => self.read_all()?,
        };
        notes.extend(self.order.recipe_note.take());
        notes.extend(of_images);
        self.writing.heed_photos_bits(images.bits);
        notes.extend(self.writing.exif_note(&self.order, &images.exif));
        let scales = impasto::scales(&self.order.recipe, images.content.width, images.content.height);
        notes.extend(self.writing.check_scales(&scales)?);
        let full = scales[scales.len() - 1];
        notes.extend(small_paintings(&self.order, &images.styles, full));
        let recipe = self.order.recipe_at(full.width, full.height);
        let (asked_limit, handle) = (self.memory_limit_bytes, Handle::default());
        let mut prepared =
            Prepared { job: self, engine, images, scales, recipe, memory_limit: None, started, handle, notes };
        prepared.memory_limit = prepared.intended().network_limit(asked_limit, free())?;
        let (engine, limit) = (&*prepared.engine, prepared.memory_limit);
        prepared.recipe = balanced(&prepared.recipe, engine, prepared.images.shown(), limit)?;
        prepared.recipe.engine = Some(engine_note(&*prepared.engine, &prepared.recipe, &prepared.scales));
        Board::prepare(prepared.job.log_dir.as_deref())?;
        prepared.notes.extend(precision_note(&*prepared.engine, &prepared.recipe));
        prepared.notes.extend(late_changes(&prepared.recipe, &prepared.scales));
        prepared.handle.set_desk(prepared.desk());
        Ok(prepared)
    }
}

/// A sentence for each painting that has fewer pixels than the picture asks for, and is not enlarged.
fn small_paintings(order: &ResolvedOrder, styles: &[Picture], full: Scale) -> Vec<String> {
    let recipe = &order.recipe;
    let paintings = order.styles.iter().zip(styles).enumerate();
    let is_small = |(place, (_, style)): &(usize, (&PathBuf, &Picture))| {
        recipe.looks_at_styles() && is_held_to_its_pixels(recipe, *place, &full, (style.width, style.height))
    };
    let sentence = |(_, (path, style)): (usize, (&PathBuf, &Picture))| {
        format!(
            "{}: its {}x{} pixels are fewer than the picture asks for, so its strokes become finer; --upscale-style enlarges it",
            order.held.spoken(path).display(),
            style.width,
            style.height
        )
    };
    paintings.filter(is_small).map(sentence).collect()
}

impl Prepared {
    /// What a person should know of weights, images and engine, a sentence each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The sizes that will be painted at, coarse to fine; at least one.
    #[must_use]
    pub fn scales(&self) -> &[Scale] {
        &self.scales
    }

    /// The size of the picture.
    #[must_use]
    pub fn full(&self) -> Scale {
        self.scales[self.scales.len() - 1]
    }

    /// The recipe, for this size and engine.
    #[must_use]
    pub fn recipe(&self) -> &ResolvedRecipe {
        &self.recipe
    }

    /// For other threads: stops the job, and asks for its newest picture.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Memory and time; evaluates a small picture, which takes a second or so.
    ///
    /// # Errors
    /// The engine's.
    pub fn forecast(&self) -> Result<Forecast, EngineError> {
        self.intended().forecast(self.memory_limit)
    }

    /// Where changes wait for the job.
    fn desk(&self) -> Desk {
        let (order, images) = (&self.job.order, &self.images);
        let fits = Fits {
            engine: Arc::clone(&self.engine),
            limits: self.job.limits,
            scales: self.scales.clone(),
            content_px: (images.content.width, images.content.height),
            style_sizes: images.styles.iter().map(|style| (style.width, style.height)).collect(),
            image_pixels: images.all().iter().map(|image| (image.width * image.height) as u64).sum(),
            memory_limit: self.memory_limit,
        };
        let masks = order.timeline_masks.last().unwrap_or(&order.masks);
        Desk::new(fits, self.recipe.clone(), masks.clone())
    }

    /// What a forecast looks at.
    fn intended(&self) -> Intended<'_> {
        let images = &self.images;
        Intended {
            order: &self.job.order,
            recipe: &self.recipe,
            engine: &*self.engine,
            scales: &self.scales,
            images: images.all(),
            styles: &images.styles,
        }
    }
}

/// What is to be said of changes that come after the last evaluation.
fn late_changes(recipe: &ResolvedRecipe, scales: &[Scale]) -> Option<String> {
    let all = scales.iter().fold(0_u32, |sum, scale| sum.saturating_add(scale.evaluations));
    let late = recipe.timeline.len() - recipe.timeline_until(all).len();
    (late > 0).then(|| {
        format!("{late} changes of the timeline never count, for they come after the last evaluation, which is {all}")
    })
}

impl fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Prepared").field("job", &self.job).field("scales", &self.scales).finish_non_exhaustive()
    }
}
