//! A run: a resolved recipe and the images become a picture, told as events.
//!
//! ```text
//!   for each scale, coarse to fine:
//!     content, styles --resize--> this scale's targets
//!     picture: the start, or what the scale before has painted, carried up
//!     evaluations times:  picture --objective--> losses, gradient --optimiser--> next picture      (events, cancel)
//! ```
//!
//! A run is a pure function of recipe, images and engine: it looks at no clock and no file. Front ends draw events;
//! what an observer answers can only stop the run, never change a pixel. What changes on the way is in the recipe's timeline, or
//! comes by whoever steers the run, to be written there (`change.rs`); between two changes is a stretch (`stretch.rs`).

pub mod balance;
mod change;
pub mod checkpoint;
pub mod colours;
mod course;
mod error;
mod evaluator;
mod event;
pub mod forecast;
mod lightness;
mod matching;
mod multiscale;
mod open;
pub mod paintings;
mod regions;
pub mod scales;
mod setting;
mod showing;
pub mod start;
mod stretch;
mod style_moments;
mod styles;
mod temporal;

use impasto_vgg::{Engine, EngineError};

use crate::objective::Losses;
use crate::picture::Picture;
use crate::recipe::resolve::ResolvedRecipe;
use change::Now;
use checkpoint::{Checkpoint, Snapshot};
use colours::ShownColours;
use course::Course;
use setting::Setting;
use stretch::{Beginning, Ended, Middle};

pub use crate::control::Control;
pub use balance::balanced;
pub use change::{Steer, Steered, changes_loss};
pub use error::PaintError;
pub use event::{Event, Iteration};
pub use regions::{ChangedGuides, GuideImages, RegionImages, check_regions};
use regions::{Held, Masks};
pub use scales::{Scale, alpha_at, content_at, is_held_to_its_pixels, scales, style_at};
pub use temporal::Temporal;

/// The images of a run, of any size.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// The photo.
    pub content: &'a Picture,
    /// The paintings.
    pub styles: &'a [Picture],
    /// The picture that [`Start::File`](crate::recipe::Start::File) names, where the recipe starts from one.
    pub start: Option<&'a Picture>,
    /// Masks, where the recipe has regions or an emphasis.
    pub guides: GuideImages<'a>,
}

/// How a run is kept, so that it can go on after it was stopped.
pub struct Keeping<'a> {
    /// Where to go on; `None` to begin.
    pub from: Option<Checkpoint>,
    /// Is shown the state after each evaluation, and may write it down.
    pub keep: &'a mut dyn FnMut(&Snapshot<'_>),
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The picture at its full size; values may lie beyond 0..255.
    pub picture: Picture,
    /// Whether an observer stopped the run. The picture is then the one so far, carried up to the full size where it
    /// was stopped at a coarse one.
    pub interrupted: bool,
    /// Why the engine could not go on, where it failed after the first accepted evaluation. The picture is then the one
    /// so far, likewise.
    pub failure: Option<EngineError>,
    /// Accepted evaluations.
    pub iterations: u32,
    /// Evaluations, rejected ones included.
    pub evaluations: u32,
    /// The losses of the last accepted picture; `None` where the run was stopped before there was one.
    pub losses: Option<Losses>,
}

/// Paints. `memory_limit_bytes` bounds what the engine's sessions may take; `None` for what is free.
///
/// The same recipe, images and engine give the same picture, for any number of threads.
///
/// # Errors
/// See [`PaintError`]. Being stopped is no error: [`Outcome::interrupted`].
pub fn paint(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    images: Images<'_>,
    memory_limit_bytes: Option<u64>,
    observer: &mut dyn FnMut(Event<'_>) -> Control,
) -> Result<Outcome, PaintError> {
    let keeping = Keeping { from: None, keep: &mut |_| {} };
    paint_kept(recipe, engine, images, memory_limit_bytes, keeping, observer)
}

/// As [`paint`], from a checkpoint on where one is given, and telling its state after each evaluation.
///
/// A run that goes on from a checkpoint ends in the same bytes as the run that the checkpoint was taken of.
///
/// # Errors
/// See [`PaintError`].
pub fn paint_kept(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    images: Images<'_>,
    memory_limit_bytes: Option<u64>,
    keeping: Keeping<'_>,
    observer: &mut dyn FnMut(Event<'_>) -> Control,
) -> Result<Outcome, PaintError> {
    let mut steer = |_| Steer::GoOn(Vec::new());
    paint_steered(recipe, engine, images, memory_limit_bytes, keeping, &mut steer, observer)
}

/// As [`paint_kept`], by a recipe that changes on the way: `steer` is asked before each evaluation, by its number over the whole run
/// from 1 on, once.
///
/// A run of the same recipe with the changes in its timeline ends in the same bytes.
///
/// # Errors
/// See [`PaintError`]; a change that [`ResolvedRecipe::changed`] or the reading of masks would have refused ends the run.
pub fn paint_steered(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    images: Images<'_>,
    memory_limit_bytes: Option<u64>,
    keeping: Keeping<'_>,
    steer: &mut dyn FnMut(u32) -> Steer,
    observer: &mut dyn FnMut(Event<'_>) -> Control,
) -> Result<Outcome, PaintError> {
    let mut images = images;
    if !engine.describe().has_guides && recipe.regions.is_empty() && recipe.emphasis.is_none() {
        images.guides.alpha = None;
    }
    let recipe = &balanced(recipe, engine, images, memory_limit_bytes)?;
    let scales = scales(recipe, images.content.width, images.content.height);
    let full = scales[scales.len() - 1];
    let mut course = Course::new(observer, keeping.keep, steer, scales.len());
    let mut from = Beginning::Scale { index: 0, before: None };
    if let Some(checkpoint) = keeping.from {
        if !checkpoint.belongs_to(recipe, &scales) {
            return Err(PaintError::OtherRun);
        }
        (course.iterations, course.evaluations) = (checkpoint.place.iterations, checkpoint.place.evaluations);
        course.losses = checkpoint.losses.clone();
        from = Beginning::Middle(Box::new(Middle::of_checkpoint(checkpoint)));
    }
    let mut now = Now::after(recipe, images, course.evaluations)?;
    course.tell(Event::Started { scales: &scales });
    // At the end of a scale no change reaches it any more.
    if !from.ends_scale(&scales) && course.is_changing(now.next_change()) {
        from.change(course.change(&mut now)?, &scales);
    }
    let painted = loop {
        let ended = Setting::new(&now, engine, images, memory_limit_bytes, &scales)?.paint(&mut course, from)?;
        match ended {
            Ended::Run(painted) => break painted,
            Ended::Changing(at) => from = at,
        }
        from.change(course.change(&mut now)?, &scales);
    };
    let (recipe, images) = (&now.recipe, now.images(images));
    let painted = painted.picture.resized(full.width, full.height)?;
    let mut picture = ShownColours::at(recipe, images.content, full)?.show(painted);
    if let Some(movable) = Masks::at(recipe, &images, full)?.and_then(|masks| masks.movable) {
        let photo = content_at(recipe, images.content, full)?;
        Held { photo: &photo, movable: &movable }.lay(&mut picture.values);
    }
    let Course { stopped: interrupted, failure, iterations, evaluations, losses, .. } = course;
    Ok(Outcome { picture, interrupted, failure, iterations, evaluations, losses })
}
