//! A stretch of a run: evaluations by one recipe, over one scale or many, until the end or the next change.
//!
//! Between two stretches goes what a checkpoint has (the picture, the optimiser, the matches), and beside it what need not be made
//! anew: the engine's session and the losses with their targets, where the change leaves them as they are.

use impasto_vgg::Matches;

use super::PaintError;
use super::change::Difference;
use super::checkpoint::{Checkpoint, Place, Snapshot};
use super::colours::ShownColours;
use super::course::Course;
use super::event::{Event, Shown};
use super::matching::{Banks, Matching};
use super::open::Open;
use super::regions::{Held, Masks, Part};
use super::scales::{Scale, content_at};
use super::setting::Setting;
use super::start::{StartImages, carried_up, start_picture};
use crate::objective::wrap::Wrap;
use crate::optimiser::{Optimiser, optimiser};
use crate::picture::Picture;

/// A scale that is done.
pub(super) struct Painted {
    /// What the optimiser has moved.
    pub picture: Picture,
    /// What is seen of it, where that is another.
    seen: Option<Picture>,
    /// What moves it at the next scale, where the optimiser goes on there.
    optimiser: Option<Box<dyn Optimiser>>,
}

/// Where a stretch begins.
pub(super) enum Beginning {
    /// At the beginning of a scale, after what the scale before has painted.
    Scale { index: usize, before: Option<Painted> },
    /// In the middle of one.
    Middle(Box<Middle>),
}

/// The middle of a scale.
pub(super) struct Middle {
    index: usize,
    /// Evaluations at this scale.
    done: u32,
    /// What is evaluated next.
    picture: Picture,
    optimiser: Box<dyn Optimiser>,
    matches: Vec<Matches>,
    /// What the stretch before has used; nothing where the run is gone on with.
    open: Option<Open>,
    /// The banks that count; nothing where they are to be made.
    banks: Option<Banks>,
}

/// How a stretch has ended.
pub(super) enum Ended {
    /// The run is at its end, was stopped, or cannot go on.
    Run(Painted),
    /// A change comes.
    Changing(Beginning),
}

/// How the work at a scale has ended.
enum EndedScale {
    Painted(Painted),
    Changing(Box<Middle>),
}

impl Middle {
    /// Where a checkpoint was taken.
    pub fn of_checkpoint(checkpoint: Checkpoint) -> Middle {
        Middle {
            index: checkpoint.place.scale_index,
            done: checkpoint.place.scale_evaluations,
            picture: checkpoint.picture,
            optimiser: checkpoint.optimiser,
            matches: checkpoint.matches,
            open: None,
            banks: None,
        }
    }

    /// Forgets what a change has made worthless.
    fn change(&mut self, difference: Difference) {
        if difference.loss {
            self.optimiser.take_other_loss();
        }
        if difference.banks {
            self.matches.clear();
            self.banks = None;
        }
    }
}

impl Beginning {
    /// Takes a change in: in the middle of a scale, what was known of another loss is forgotten.
    pub fn change(&mut self, difference: Difference, scales: &[Scale]) {
        if let Some(middle) = self.middle(scales) {
            middle.change(difference);
        }
    }

    /// The middle of the scale, where there is something left to do at it.
    fn middle(&mut self, scales: &[Scale]) -> Option<&mut Middle> {
        match self {
            Beginning::Middle(middle) if middle.done < scales[middle.index].evaluations => Some(middle),
            _ => None,
        }
    }

    /// Whether a scale is at its end that a change does not reach any more.
    pub fn ends_scale(&mut self, scales: &[Scale]) -> bool {
        matches!(self, Beginning::Middle(_)) && self.middle(scales).is_none()
    }
}

impl Setting<'_> {
    /// Paints until the end of the run or the next change.
    pub fn paint(&self, course: &mut Course<'_>, from: Beginning) -> Result<Ended, PaintError> {
        let mut from = from;
        loop {
            let (index, mut before, middle) = match from {
                Beginning::Scale { index, before } => (index, before, None),
                Beginning::Middle(middle) => (middle.index, None, Some(middle)),
            };
            let painted = match (self.paint_scale(course, index, before.as_mut(), middle), before) {
                (Ok(EndedScale::Painted(painted)), _) => painted,
                (Ok(EndedScale::Changing(middle)), _) => return Ok(Ended::Changing(Beginning::Middle(middle))),
                // The scale could not even begin: what the one before has painted is the picture so far.
                (Err(PaintError::Engine(error)), Some(before)) => {
                    course.failure = Some(error);
                    before
                }
                (Err(error), _) => return Err(error),
            };
            if course.stopped || course.failure.is_some() || index + 1 == self.scales.len() {
                return Ok(Ended::Run(painted));
            }
            let is_changing = course.is_changing(self.now.next_change());
            if course.stopped {
                return Ok(Ended::Run(painted));
            }
            from = Beginning::Scale { index: index + 1, before: Some(painted) };
            if is_changing {
                return Ok(Ended::Changing(from));
            }
        }
    }

    /// Paints one scale: on from its middle, else from what the scale before has painted, else from the recipe's start.
    fn paint_scale(
        &self,
        course: &mut Course<'_>,
        index: usize,
        before: Option<&mut Painted>,
        middle: Option<Box<Middle>>,
    ) -> Result<EndedScale, PaintError> {
        let scale = self.scales[index];
        let content = content_at(self.recipe, self.images.content, scale)?;
        let masks = Masks::at(self.recipe, &self.images, scale)?;
        let middle = middle.map_or_else(|| self.begin_scale(index, &content, before).map(Box::new), Ok)?;
        let Middle { done, mut picture, mut optimiser, matches, open, banks, .. } = *middle;
        let is_changed = open.is_some();
        if !is_changed {
            course.tell(Event::ScaleStarted { index, scale });
        }
        let movable = masks.as_ref().and_then(|masks| masks.movable.as_deref());
        if course.stopped || done == scale.evaluations {
            let held = movable.map(|movable| Held { photo: &content, movable });
            return self.painted(index, picture, optimiser.as_ref(), held.as_ref()).map(EndedScale::Painted);
        }
        let wrap = Wrap::of(self.recipe, scale.width, scale.height);
        let banks = banks.map_or_else(|| self.banks_at(scale, masks.as_ref()), Ok);
        let begun = banks.and_then(|banks| {
            let mut open = self.open(course, (index, wrap), &content, (masks.as_ref(), &banks), open)?;
            let session = open.own.session.as_mut();
            let matching = Matching::begin((self.recipe, wrap), &content, masks.as_ref(), session, banks, matches)?;
            Ok((open, matching))
        });
        let (mut open, mut matching) = match begun {
            Ok(begun) => begun,
            // What a change asks for cannot be had: the picture is the one so far.
            Err(PaintError::Engine(error)) if is_changed => {
                course.failure = Some(error);
                let held = movable.map(|movable| Held { photo: &content, movable });
                return self.painted(index, picture, optimiser.as_ref(), held.as_ref()).map(EndedScale::Painted);
            }
            Err(error) => return Err(error),
        };
        if !is_changed && let Some(history) = self.history(optimiser.as_ref(), open.own.session.request(), scale) {
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
            if course.is_changing(self.now.next_change()) {
                let (done, (matches, banks)) = (scale_evaluations - 1, matching.into_held());
                let (open, banks) = (Some(open), Some(banks));
                let middle = Middle { index, done, picture, optimiser, matches, open, banks };
                return Ok(EndedScale::Changing(Box::new(middle)));
            }
            if course.stopped {
                break;
            }
            let session = open.own.session.as_mut();
            let matched = matching.before(scale_evaluations, session, &picture.values, optimiser.as_mut());
            let evaluated =
                matched.and_then(|()| open.evaluate(&picture.values, (&mut seen, held.as_ref()), &mut gradient));
            let losses = match evaluated {
                Ok(losses) => losses,
                // Before this scale has a picture of its own, the one that the scale before has painted counts.
                Err(error) if !optimiser.good().is_empty() => {
                    course.failure = Some(error);
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            course.evaluations += 1;
            let step = optimiser.advance(&mut picture.values, losses.total, &gradient);
            let shown = Shown { optimiser: optimiser.as_ref(), colours: &colours, held: held.as_ref() };
            course.report(index, scale, scale_evaluations, step, losses, shown);
            if optimiser.good().is_empty() {
                return Err(PaintError::StartNotFinite);
            }
            let (iterations, evaluations) = (course.iterations, course.evaluations);
            (course.keep)(&Snapshot {
                recipe: &self.now.whole,
                scale,
                place: Place { scale_index: index, scale_evaluations, iterations, evaluations },
                losses: course.losses.as_ref(),
                picture: &picture.values,
                optimiser: optimiser.as_ref(),
                matches: matching.held(),
            });
            if course.stopped {
                break;
            }
        }
        self.painted(index, picture, optimiser.as_ref(), held.as_ref()).map(EndedScale::Painted)
    }

    /// The beginning of a scale.
    fn begin_scale(
        &self,
        index: usize,
        content: &Picture,
        mut before: Option<&mut Painted>,
    ) -> Result<Middle, PaintError> {
        let Scale { width, height, .. } = self.scales[index];
        let carried = before.as_mut().and_then(|before| before.optimiser.take());
        let optimiser = carried.unwrap_or_else(|| optimiser(self.recipe, width, height));
        let picture = match before.map(|before| before.seen.as_ref().unwrap_or(&before.picture)) {
            Some(painted) if (painted.width, painted.height) == (width, height) => painted.clone(),
            Some(painted) => carried_up(self.recipe, painted, content)?,
            None => {
                let (style, file) = (self.images.styles.first(), self.images.start);
                let images = StartImages { content, style, file };
                self.paintings.start(start_picture(self.recipe, images)?.ok_or(PaintError::StartMissing)?)
            }
        };
        Ok(Middle { index, done: 0, picture, optimiser, matches: Vec::new(), open: None, banks: None })
    }

    /// The banks that the style images give at a scale, of each part; none where nothing is matched.
    fn banks_at(&self, scale: Scale, masks: Option<&Masks>) -> Result<Banks, PaintError> {
        if self.recipe.counted_match_layers().is_empty() {
            return Ok(Banks::of_parts(self.recipe, Vec::new()));
        }
        let counted = || (0..self.shares.len()).filter(|&place| self.shares[place] > 0.0);
        let (limit, mut of_parts) = (self.memory_limit_bytes, Vec::new());
        for part in masks.map_or_else(|| vec![Part::Whole], |masks| masks.parts(self.recipe, &self.images)) {
            let paintings: Vec<_> = match part {
                Part::Whole => counted().map(|place| (place, None)).collect(),
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
}
