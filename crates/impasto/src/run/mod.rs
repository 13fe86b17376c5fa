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
//! what an observer answers can only stop the run, never change a pixel.

pub mod balance;
pub mod checkpoint;
pub mod colours;
pub mod forecast;
mod matching;
pub mod scales;
pub mod start;

use impasto_vgg::{Bank, Engine, EngineError, History, SessionRequest};

use crate::objective::matching::{add_to_banks, matched_taps};
use crate::objective::{Losses, Objective, request, style_moments};
use crate::optimiser::{Optimiser, Rejection, Step, optimiser};
use crate::picture::{Picture, PictureError};
use crate::recipe::RecipeError;
use crate::recipe::precision::precision_of;
use crate::recipe::resolve::{ResolvedRecipe, style_shares};
use checkpoint::{Checkpoint, Place, Snapshot};
use colours::{Paintings, ShownColours};
use matching::Matching;
use start::{StartImages, carried_up, start_picture};

pub use crate::control::Control;
pub use balance::balanced;
use scales::style_size;
pub use scales::{Scale, alpha_at, content_at, scales, style_at};

/// The images of a run, of any size.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// The photo.
    pub content: &'a Picture,
    /// The paintings.
    pub styles: &'a [Picture],
    /// The picture that [`Start::File`](crate::recipe::Start::File) names, where the recipe starts from one.
    pub start: Option<&'a Picture>,
}

/// What happens in a run.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// Before any work: what will be done, coarse to fine. Time left can be told from it, since an evaluation takes
    /// time in proportion to the pixels.
    Started {
        /// The scales.
        scales: &'a [Scale],
    },
    /// The work at `scales[index]` begins.
    ScaleStarted {
        /// Place among the scales.
        index: usize,
        /// The scale.
        scale: Scale,
    },
    /// An evaluation was accepted.
    Iteration(Iteration<'a>),
    /// An evaluation was rejected, and the run went back to the last good picture; the sentence for people is
    /// [`Rejection`]'s.
    StepRejected {
        /// Evaluations done in the whole run.
        evaluations: u32,
        /// The loss that was rejected; may be no number.
        loss: f64,
        /// Why.
        rejection: Rejection,
    },
}

/// An accepted evaluation.
#[derive(Clone, Copy)]
pub struct Iteration<'a> {
    /// Accepted evaluations in the whole run, this one included.
    pub iteration: u32,
    /// Evaluations in the whole run, rejected ones included.
    pub evaluations: u32,
    /// Place among the scales.
    pub scale_index: usize,
    /// Evaluations at this scale.
    pub scale_evaluations: u32,
    /// Width of the picture now, in pixels.
    pub width: usize,
    /// Height of the picture now, in pixels.
    pub height: usize,
    /// The losses of the picture.
    pub losses: &'a Losses,
    optimiser: &'a dyn Optimiser,
    colours: &'a ShownColours,
}

impl Iteration<'_> {
    /// A copy of the picture, as it would be written now: for previews and pictures on the way.
    pub fn picture(&self) -> Picture {
        let picture = Picture { width: self.width, height: self.height, values: self.optimiser.shown().to_vec() };
        self.colours.show(picture)
    }

    /// The length of the step that comes next, in units of 0..255: its root mean square for L-BFGS, the learning rate
    /// for Adam.
    pub fn step_length(&self) -> f64 {
        self.optimiser.step_length()
    }
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

/// Why a run gave no picture.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PaintError {
    /// The recipe does not fit the images.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The engine could not do its work.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A picture could not be brought to size.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The recipe starts from an image that was not given.
    #[error("--init names a picture that was not given; give it, or start from content, noise or blend")]
    StartMissing,
    /// The checkpoint belongs to another run.
    #[error(
        "the checkpoint was made with another recipe or for images of another size; give the ones that the run began with"
    )]
    OtherRun,
    /// The very first loss is no number.
    #[error(
        "the loss of the starting picture is not a finite number, so there is no way down from it; lower --style-weight and --content-weight, or check the weights file"
    )]
    StartNotFinite,
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
    let recipe = &balanced(recipe, engine, images, memory_limit_bytes)?;
    let scales = scales(recipe, images.content.width, images.content.height);
    let full = scales[scales.len() - 1];
    let mut run = Run {
        recipe,
        engine,
        images,
        paintings: Paintings::new(recipe, images, full)?,
        memory_limit_bytes,
        shares: style_shares(recipe, images.styles.len(), recipe.looks_at_styles())?,
        scales: &scales,
        styles: vec![None; scales.len()],
        full_index: scales.len() - 1,
        observer,
        keep: keeping.keep,
        stopped: false,
        failure: None,
        iterations: 0,
        evaluations: 0,
        losses: None,
    };
    let mut from = keeping.from;
    if let Some(checkpoint) = &from {
        if !checkpoint.belongs_to(recipe, &scales) {
            return Err(PaintError::OtherRun);
        }
        (run.iterations, run.evaluations) = (checkpoint.place.iterations, checkpoint.place.evaluations);
        run.losses = checkpoint.losses.clone();
    }
    run.tell(Event::Started { scales: &scales });
    let mut painted: Option<Picture> = None;
    let first = from.as_ref().map_or(0, |checkpoint| checkpoint.place.scale_index);
    for (index, &scale) in scales.iter().enumerate().skip(first) {
        match run.paint_scale(index, scale, painted.as_ref(), from.take()) {
            Ok(picture) => painted = Some(picture),
            // The scale could not even begin: what the one before has painted is the picture so far.
            Err(PaintError::Engine(error)) if painted.is_some() => run.failure = Some(error),
            Err(error) => return Err(error),
        }
        if run.stopped || run.failure.is_some() {
            break;
        }
    }
    let picture = painted.ok_or(PaintError::StartMissing)?.resized(full.width, full.height)?;
    let picture = ShownColours::at(recipe, images.content, full)?.show(picture);
    let (interrupted, failure, losses) = (run.stopped, run.failure.take(), run.losses.take());
    Ok(Outcome { picture, interrupted, failure, iterations: run.iterations, evaluations: run.evaluations, losses })
}

/// The moments of each style image that counts, and its share.
type StyleMoments = Vec<(Vec<impasto_vgg::Moments>, f64)>;

/// What stays the same from scale to scale, and what is counted over all of them.
struct Run<'a> {
    recipe: &'a ResolvedRecipe,
    engine: &'a dyn Engine,
    images: Images<'a>,
    /// The style images, in the colours that count.
    paintings: Paintings<'a>,
    memory_limit_bytes: Option<u64>,
    shares: Vec<f64>,
    scales: &'a [Scale],
    /// The style images' moments and shares at each scale, from when they are computed to when they are used.
    styles: Vec<Option<StyleMoments>>,
    /// Place of the full size among the scales.
    full_index: usize,
    observer: &'a mut dyn FnMut(Event<'_>) -> Control,
    keep: &'a mut dyn FnMut(&Snapshot<'_>),
    stopped: bool,
    failure: Option<EngineError>,
    iterations: u32,
    evaluations: u32,
    losses: Option<Losses>,
}

impl Run<'_> {
    fn tell(&mut self, event: Event<'_>) {
        if (self.observer)(event) == Control::Stop {
            self.stopped = true;
        }
    }

    /// Each style image's moments at a scale, with its share.
    fn styles_at(&self, scale: Scale) -> Result<StyleMoments, PaintError> {
        let counted = self.shares.iter().enumerate().filter(|&(_, &share)| share > 0.0);
        counted
            .map(|(place, &share)| {
                let style = self.paintings.at(place, scale)?;
                let (width, height, limit) = (style.width, style.height, self.memory_limit_bytes);
                Ok((style_moments(self.recipe, self.engine, &style.values, width, height, limit)?, share))
            })
            .collect()
    }

    /// The banks that the style images give at a scale; none where nothing is matched.
    fn banks_at(&self, scale: Scale) -> Result<Vec<Bank>, PaintError> {
        let mut banks = Vec::new();
        if !self.recipe.counted_match_layers().is_empty() {
            for (place, _) in self.shares.iter().enumerate().filter(|&(_, &share)| share > 0.0) {
                let style = self.paintings.at(place, scale)?;
                add_to_banks(self.recipe, self.engine, &style, self.memory_limit_bytes, &mut banks)?;
            }
        }
        Ok(banks)
    }

    /// The style images that have a share.
    fn counted_styles(&self) -> impl Iterator<Item = &Picture> {
        self.images.styles.iter().zip(&self.shares).filter(|&(_, &share)| share > 0.0).map(|(style, _)| style)
    }

    /// The style images' moments at a scale. The first call computes those of all scales that follow too: they need other
    /// weights than the picture does, which an engine would make anew for each scale.
    fn styles_of(&mut self, index: usize) -> Result<StyleMoments, PaintError> {
        if self.styles[index].is_none() {
            for place in index..self.scales.len() {
                self.styles[place] = Some(self.styles_at(self.scales[place])?);
            }
        }
        Ok(self.styles[index].take().unwrap_or_default())
    }

    /// Paints one scale, from the checkpoint, else from what the scale before has painted, else from the recipe's start.
    fn paint_scale(
        &mut self,
        index: usize,
        scale: Scale,
        painted: Option<&Picture>,
        from: Option<Checkpoint>,
    ) -> Result<Picture, PaintError> {
        let content = content_at(self.recipe, self.images.content, scale)?;
        let done = from.as_ref().map_or(0, |checkpoint| checkpoint.place.scale_evaluations);
        let (mut optimiser, kept, from) = match from {
            Some(checkpoint) => (checkpoint.optimiser, checkpoint.matches, Some(checkpoint.picture)),
            None => (optimiser(self.recipe, scale.width, scale.height), Vec::new(), None),
        };
        let mut picture = match (from, painted) {
            (Some(kept), _) => kept,
            (None, Some(painted)) if (painted.width, painted.height) == (scale.width, scale.height) => painted.clone(),
            (None, Some(painted)) => carried_up(self.recipe, painted, &content)?,
            (None, None) => {
                let (style, file) = (self.images.styles.first(), self.images.start);
                let images = StartImages { content: &content, style, file };
                self.paintings.start(start_picture(self.recipe, images)?.ok_or(PaintError::StartMissing)?)
            }
        };
        self.tell(Event::ScaleStarted { index, scale });
        if self.stopped || done == scale.evaluations {
            if !optimiser.good().is_empty() {
                picture.values.copy_from_slice(optimiser.shown());
            }
            return Ok(picture);
        }
        let mut objective = Objective::new(self.recipe, &self.styles_of(index)?);
        let mut request = request(self.recipe, scale.width, scale.height, self.memory_limit_bytes);
        let is_full = index == self.full_index;
        request.precision = precision_of(self.recipe.precision, self.engine, is_full);
        let sizes = self.counted_styles().map(|style| style_size(self.recipe, &scale, (style.width, style.height)));
        request.matched_taps = matched_taps(self.recipe, &sizes.collect::<Vec<_>>());
        let banks = self.banks_at(scale)?;
        let mut session = self.engine.session(&request)?;
        session.set_content(&content.values)?;
        let mut matching = Matching::begin(self.recipe, &content, session.as_mut(), &banks, kept)?;
        drop(banks);
        if let Some(history) = self.history(optimiser.as_ref(), &request, scale.evaluations) {
            optimiser.attach(history);
        }
        // Where its colours are not wanted, the session has all that counts of the content image.
        let colours = ShownColours::new(self.recipe, content);

        let mut gradient = vec![0.0; picture.values.len()];
        for scale_evaluations in done + 1..=scale.evaluations {
            let session = session.as_mut();
            let matched = matching.before(scale_evaluations, session, &picture.values, optimiser.as_mut());
            let losses = match matched.and_then(|()| objective.evaluate(session, &picture.values, &mut gradient)) {
                Ok(losses) => losses,
                // Before this scale has a picture of its own, the one that the scale before has painted counts.
                Err(error) if !optimiser.good().is_empty() => {
                    self.failure = Some(error);
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            self.evaluations += 1;
            let step = optimiser.advance(&mut picture.values, losses.total, &gradient);
            self.report(index, scale, scale_evaluations, step, losses, optimiser.as_ref(), &colours);
            if optimiser.good().is_empty() {
                return Err(PaintError::StartNotFinite);
            }
            let (iterations, evaluations) = (self.iterations, self.evaluations);
            (self.keep)(&Snapshot {
                recipe: self.recipe,
                scale,
                place: Place { scale_index: index, scale_evaluations, iterations, evaluations },
                losses: self.losses.as_ref(),
                picture: &picture.values,
                optimiser: optimiser.as_ref(),
                matches: matching.held(),
            });
            if self.stopped {
                break;
            }
        }
        if !optimiser.good().is_empty() {
            picture.values.copy_from_slice(optimiser.shown());
        }
        Ok(picture)
    }

    /// Room on the engine's device for what the optimiser will remember at a scale, within what the session leaves of the
    /// memory limit; `None` where the engine has none.
    fn history(
        &self,
        optimiser: &dyn Optimiser,
        request: &SessionRequest,
        evaluations: u32,
    ) -> Option<Box<dyn History>> {
        let left = match request.memory_limit_bytes {
            Some(limit) => Some(limit.saturating_sub(self.engine.session_bytes(request).ok()?)),
            None => None,
        };
        self.engine.history(optimiser.remembers().min(evaluations as usize), request.picture_len(), left)
    }

    /// Counts an evaluation and tells what became of it.
    #[expect(clippy::too_many_arguments, reason = "all of them are one evaluation's circumstances")]
    fn report(
        &mut self,
        scale_index: usize,
        scale: Scale,
        scale_evaluations: u32,
        step: Step,
        losses: Losses,
        optimiser: &dyn Optimiser,
        colours: &ShownColours,
    ) {
        let evaluations = self.evaluations;
        match step {
            Step::Rejected(rejection) => {
                self.tell(Event::StepRejected { evaluations, loss: losses.total, rejection });
            }
            Step::Accepted => {
                self.iterations += 1;
                let (width, height) = (scale.width, scale.height);
                let iteration = Iteration {
                    iteration: self.iterations,
                    evaluations,
                    scale_index,
                    scale_evaluations,
                    width,
                    height,
                    losses: &losses,
                    optimiser,
                    colours,
                };
                self.tell(Event::Iteration(iteration));
                self.losses = Some(losses);
            }
        }
    }
}
