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
mod error;
mod event;
pub mod forecast;
mod lightness;
mod matching;
pub mod paintings;
mod regions;
pub mod scales;
pub mod start;

use impasto_vgg::{Engine, EngineError, History, Moments, Session, SessionRequest};

use crate::objective::matching::taps_of_banks;
use crate::objective::wrap::Wrap;
use crate::objective::{Losses, Objective, RegionStyle, request};
use crate::optimiser::{Optimiser, Step, optimiser};
use crate::picture::Picture;
use crate::recipe::precision::precision_of;
use crate::recipe::resolve::{ResolvedRecipe, style_shares};
use checkpoint::{Checkpoint, Place, Snapshot};
use colours::ShownColours;
use matching::{Banks, Matching};
use paintings::Paintings;
use start::{StartImages, carried_up, start_picture};

pub use crate::control::Control;
pub use balance::balanced;
pub use error::PaintError;
use event::Shown;
pub use event::{Event, Iteration};
pub use regions::{GuideImages, RegionImages};
use regions::{Held, Masks, Part, emphasis_at};
pub use scales::{Scale, alpha_at, content_at, is_held_to_its_pixels, scales, style_at};

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
    let mut images = images;
    if !engine.describe().has_guides && recipe.regions.is_empty() && recipe.emphasis.is_none() {
        images.guides.alpha = None;
    }
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
    let mut painted: Option<Painted> = None;
    let first = from.as_ref().map_or(0, |checkpoint| checkpoint.place.scale_index);
    for (index, &scale) in scales.iter().enumerate().skip(first) {
        match run.paint_scale(index, scale, painted.as_mut(), from.take()) {
            Ok(scale) => painted = Some(scale),
            // The scale could not even begin: what the one before has painted is the picture so far.
            Err(PaintError::Engine(error)) if painted.is_some() => run.failure = Some(error),
            Err(error) => return Err(error),
        }
        if run.stopped || run.failure.is_some() {
            break;
        }
    }
    let painted = painted.ok_or(PaintError::StartMissing)?.picture.resized(full.width, full.height)?;
    let mut picture = ShownColours::at(recipe, images.content, full)?.show(painted);
    if let Some(movable) = Masks::at(recipe, &images, full)?.and_then(|masks| masks.movable) {
        let photo = content_at(recipe, images.content, full)?;
        Held { photo: &photo, movable: &movable }.lay(&mut picture.values);
    }
    let (interrupted, failure, losses) = (run.stopped, run.failure.take(), run.losses.take());
    Ok(Outcome { picture, interrupted, failure, iterations: run.iterations, evaluations: run.evaluations, losses })
}

/// Shows a session the photo and the masks of a picture that joins itself.
fn show_wrapped(
    wrap: &Wrap,
    session: &mut dyn Session,
    content: &Picture,
    masks: Option<&Masks>,
    emphasis: Option<Vec<f32>>,
) -> Result<(), EngineError> {
    if session.request().guides.emphasis {
        session.set_emphasis(&wrap.emphasis(emphasis))?;
    }
    session.set_content(&wrap.mirrored(&content.values))?;
    masks.map_or(Ok(()), |masks| session.set_masks(&wrap.masks(&masks.values)))
}

/// A scale that is done.
struct Painted {
    /// What the optimiser has moved.
    picture: Picture,
    /// What is seen of it, where that is another.
    seen: Option<Picture>,
    /// What moves it at the next scale, where the optimiser goes on there.
    optimiser: Option<Box<dyn Optimiser>>,
}

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
    /// The style images' moments at each scale, from when they are computed to when they are used.
    styles: Vec<Option<Vec<RegionStyle>>>,
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

    /// What the style of a scale is compared to: each region's style images, or those of the whole picture.
    fn styles_at(&self, scale: Scale) -> Result<Vec<RegionStyle>, PaintError> {
        let limit = self.memory_limit_bytes;
        if let Some(masks) = Masks::at(self.recipe, &self.images, scale)? {
            let parts = masks.parts(self.recipe, &self.images).into_iter().zip(&masks.areas);
            let of_part = |(part, &area): (Part<'_>, &f64)| {
                let styles = match part {
                    Part::Whole => self.blend_at(scale)?,
                    part => vec![(part.moments(self.recipe, self.engine, &self.paintings, scale, limit)?, 1.0)],
                };
                Ok(part.style(self.recipe, styles, area))
            };
            return parts.map(of_part).collect();
        }
        let styles = self.blend_at(scale)?;
        Ok(vec![RegionStyle { styles, share: 1.0, layers: self.recipe.style_layers.clone() }])
    }

    /// Each style image's moments at a scale, with its share.
    fn blend_at(&self, scale: Scale) -> Result<Vec<(Vec<Moments>, f64)>, PaintError> {
        let limit = self.memory_limit_bytes;
        let counted = self.shares.iter().enumerate().filter(|&(_, &share)| share > 0.0);
        let of_style = |(place, &share): (usize, &f64)| {
            Ok((self.paintings.moments(self.engine, place, None, scale, limit)?, share))
        };
        counted.map(of_style).collect()
    }

    /// The banks that the style images give at a scale, of each part; none where nothing is matched.
    fn banks_at(&self, scale: Scale, masks: Option<&Masks>) -> Result<Banks, PaintError> {
        if self.recipe.counted_match_layers().is_empty() {
            return Ok(Banks::of_parts(self.recipe, Vec::new()));
        }
        let (limit, mut of_parts) = (self.memory_limit_bytes, Vec::new());
        for part in masks.map_or_else(|| vec![Part::Whole], |masks| masks.parts(self.recipe, &self.images)) {
            let paintings: Vec<_> = match part {
                Part::Whole => (0..self.shares.len())
                    .filter(|&place| self.shares[place] > 0.0)
                    .map(|place| (place, None))
                    .collect(),
                Part::Region(..) | Part::Rest => vec![part.painting()],
            };
            let mut banks = Vec::new();
            for (place, mask) in paintings {
                self.paintings.add_to_banks(self.engine, place, mask, scale, limit, &mut banks)?;
            }
            of_parts.push(banks);
        }
        Ok(Banks::of_parts(self.recipe, of_parts))
    }

    /// The style images' moments at a scale. The first call computes those of all scales that follow too: they need other
    /// weights than the picture does, which an engine would make anew for each scale.
    fn styles_of(&mut self, index: usize) -> Result<Vec<RegionStyle>, PaintError> {
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
        mut before: Option<&mut Painted>,
        from: Option<Checkpoint>,
    ) -> Result<Painted, PaintError> {
        let content = content_at(self.recipe, self.images.content, scale)?;
        let masks = Masks::at(self.recipe, &self.images, scale)?;
        let movable = masks.as_ref().and_then(|masks| masks.movable.as_deref());
        let done = from.as_ref().map_or(0, |checkpoint| checkpoint.place.scale_evaluations);
        let (mut optimiser, kept, from) = match from {
            Some(checkpoint) => (checkpoint.optimiser, checkpoint.matches, Some(checkpoint.picture)),
            None => {
                let carried = before.as_mut().and_then(|before| before.optimiser.take());
                let optimiser = carried.unwrap_or_else(|| optimiser(self.recipe, scale.width, scale.height));
                (optimiser, Vec::new(), None)
            }
        };
        let mut picture = match (from, before.as_ref().map(|before| before.seen.as_ref().unwrap_or(&before.picture))) {
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
            let held = movable.map(|movable| Held { photo: &content, movable });
            return self.painted(index, picture, optimiser.as_ref(), held.as_ref());
        }
        let wrap = Wrap::of(self.recipe, scale.width, scale.height);
        let mut objective = Objective::of_regions(self.recipe, &self.styles_of(index)?).wrapped(wrap);
        let mut request = request(self.recipe, scale.width, scale.height, self.memory_limit_bytes);
        let is_full = index == self.full_index;
        request.precision = precision_of(self.recipe.precision, self.engine, is_full);
        let banks = self.banks_at(scale, masks.as_ref())?;
        request.matched_taps = taps_of_banks(self.recipe, &banks.held);
        request.guides.regions = masks.as_ref().map_or(0, |masks| masks.areas.len());
        let emphasis = emphasis_at(self.recipe, &self.images, scale)?;
        request.guides.emphasis = emphasis.is_some();
        if let Some(wrap) = &wrap {
            wrap.widen(&mut request);
        }
        let mut session = self.engine.session(&request)?;
        match &wrap {
            Some(wrap) => show_wrapped(wrap, session.as_mut(), &content, masks.as_ref(), emphasis)?,
            None => {
                emphasis.map_or(Ok(()), |emphasis| session.set_emphasis(&emphasis))?;
                session.set_content(&content.values)?;
                masks.as_ref().map_or(Ok(()), |masks| session.set_masks(&masks.values))?;
            }
        }
        let mut matching =
            Matching::begin((self.recipe, wrap), &content, masks.as_ref(), session.as_mut(), banks, kept)?;
        if let Some(history) = self.history(optimiser.as_ref(), &request, picture.values.len(), scale.evaluations) {
            optimiser.attach(history);
        }
        let photo = movable.is_some().then(|| content.clone());
        let held = photo.as_ref().zip(movable).map(|(photo, movable)| Held { photo, movable });
        // Where its colours are not wanted, the session has all that counts of the content image.
        let colours = ShownColours::new(self.recipe, content);

        let mut gradient = vec![0.0; picture.values.len()];
        // What is seen, where that is not what the optimiser moves.
        let mut seen = vec![0.0; if held.is_some() { picture.values.len() } else { 0 }];
        for scale_evaluations in done + 1..=scale.evaluations {
            let session = session.as_mut();
            let matched = matching.before(scale_evaluations, session, &picture.values, optimiser.as_mut());
            let evaluated = matched.and_then(|()| match &held {
                Some(held) => {
                    seen.copy_from_slice(&picture.values);
                    held.lay(&mut seen);
                    let losses = objective.evaluate(session, &seen, &mut gradient)?;
                    held.take_back(&mut gradient);
                    Ok(losses)
                }
                None => objective.evaluate(session, &picture.values, &mut gradient),
            });
            let losses = match evaluated {
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
            let shown = Shown { optimiser: optimiser.as_ref(), colours: &colours, held: held.as_ref() };
            self.report(index, scale, scale_evaluations, step, losses, shown);
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
        self.painted(index, picture, optimiser.as_ref(), held.as_ref())
    }

    /// What is left of a scale. The optimiser itself goes, since its memory is as large as many pictures.
    fn painted(
        &self,
        index: usize,
        mut picture: Picture,
        optimiser: &dyn Optimiser,
        held: Option<&Held<'_>>,
    ) -> Result<Painted, PaintError> {
        if !optimiser.good().is_empty() {
            picture.values.copy_from_slice(optimiser.shown());
        }
        let seen = held.map(|held| {
            let mut seen = picture.clone();
            held.lay(&mut seen.values);
            seen
        });
        let optimiser = match self.scales.get(index + 1) {
            Some(next) => optimiser.carried_up((picture.width, picture.height), (next.width, next.height))?,
            None => None,
        };
        Ok(Painted { picture, seen, optimiser })
    }

    /// Room on the engine's device for what the optimiser will remember at a scale, within what the session leaves of the
    /// memory limit; `None` where the engine has none.
    fn history(
        &self,
        optimiser: &dyn Optimiser,
        request: &SessionRequest,
        values: usize,
        evaluations: u32,
    ) -> Option<Box<dyn History>> {
        let left = match request.memory_limit_bytes {
            Some(limit) => Some(limit.saturating_sub(self.engine.session_bytes(request).ok()?)),
            None => None,
        };
        self.engine.history(optimiser.remembers().min(evaluations as usize), values, left)
    }

    /// Counts an evaluation and tells what became of it.
    fn report(
        &mut self,
        scale_index: usize,
        scale: Scale,
        scale_evaluations: u32,
        step: Step,
        losses: Losses,
        shown: Shown<'_>,
    ) {
        let evaluations = self.evaluations;
        match step {
            Step::Rejected(rejection) => {
                self.tell(Event::StepRejected { evaluations, loss: losses.total, rejection });
            }
            Step::Accepted => {
                self.iterations += 1;
                let (iteration, Scale { width, height, .. }) = (self.iterations, scale);
                self.tell(Event::Iteration(Iteration {
                    iteration,
                    evaluations,
                    scale_index,
                    scale_evaluations,
                    width,
                    height,
                    losses: &losses,
                    shown,
                }));
                self.losses = Some(losses);
            }
        }
    }
}
