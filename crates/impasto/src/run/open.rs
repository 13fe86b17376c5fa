//! What evaluates at a scale: a session with the losses of the picture's own size, and those of smaller sizes.

use std::borrow::Cow;

use impasto_vgg::{EngineError, History, SessionRequest};

use super::PaintError;
use super::course::Course;
use super::evaluator::{Evaluator, Size};
use super::matching::Banks;
use super::multiscale::{Smaller, share_memory};
use super::regions::{Held, Masks, emphasis_at};
use super::scales::Scale;
use super::setting::Setting;
use crate::objective::Losses;
use crate::objective::wrap::Wrap;
use crate::optimiser::Optimiser;
use crate::picture::Picture;

/// What evaluates at a scale.
pub(super) struct Open {
    /// At the picture's own size.
    pub own: Evaluator,
    /// At smaller ones.
    smaller: Vec<Smaller>,
}

impl Open {
    /// The losses at a picture, or at what is `seen` of it where a part is held; writes the gradient by the picture.
    pub fn evaluate(
        &mut self,
        picture: &[f32],
        (seen, held): (&mut [f32], Option<&Held<'_>>),
        gradient: &mut [f32],
    ) -> Result<Losses, EngineError> {
        let Some(held) = held else { return self.evaluate_seen(picture, gradient) };
        seen.copy_from_slice(picture);
        held.lay(seen);
        let losses = self.evaluate_seen(seen, gradient)?;
        held.take_back(gradient);
        Ok(losses)
    }

    fn evaluate_seen(&mut self, seen: &[f32], gradient: &mut [f32]) -> Result<Losses, EngineError> {
        let Evaluator { session, objective, .. } = &mut self.own;
        let mut losses = objective.evaluate(session.as_mut(), seen, gradient)?;
        self.smaller.iter_mut().try_for_each(|smaller| smaller.add(seen, gradient, &mut losses))?;
        Ok(losses)
    }
}

impl Setting<'_> {
    /// Sessions and losses for this scale: those that there are, as far as they fit.
    pub fn open(
        &self,
        course: &mut Course<'_>,
        (index, wrap): (usize, Option<Wrap>),
        content: &Picture,
        (masks, banks): (Option<&Masks>, &Banks),
        open: Option<Open>,
    ) -> Result<Open, PaintError> {
        let scale = self.scales[index];
        let own = Size {
            scale,
            wrap,
            index: Some(index),
            content: Cow::Borrowed(content),
            masks: masks.map(Cow::Borrowed),
            emphasis: emphasis_at(self.recipe, &self.images, scale)?,
            banks: &banks.held,
        };
        let sizes = self.smaller_sizes(&scale)?;
        let is_full = index + 1 == self.scales.len();
        let all = std::iter::once(&own).chain(&sizes);
        let mut requests: Vec<SessionRequest> = all.map(|size| self.request(size, is_full)).collect();
        share_memory(self.engine, &mut requests, self.memory_limit_bytes)?;
        // Before others are opened those that do not fit make room.
        let known = open.into_iter().flat_map(Open::into_evaluators).zip(&requests);
        let known: Vec<_> = known.map(|(evaluator, request)| evaluator.parts_for(request)).collect();
        let mut known = known.into_iter();
        let known_own = known.next();
        let mut smaller = Vec::with_capacity(sizes.len());
        for (size, request) in sizes.iter().zip(&requests[1..]) {
            let evaluator = self.evaluator(&mut course.moments, size, request, known.next())?;
            smaller.push(Smaller::new(self.recipe, evaluator, (&scale, &size.scale)));
        }
        // The largest last: what the others leave is its own.
        let own = self.evaluator(&mut course.moments, &own, &requests[0], known_own)?;
        Ok(Open { own, smaller })
    }

    /// Room on the engine's device for what the optimiser will remember at a scale, within what the session leaves of the
    /// memory limit; `None` where the engine has none.
    pub fn history(
        &self,
        optimiser: &dyn Optimiser,
        request: &SessionRequest,
        scale: Scale,
    ) -> Option<Box<dyn History>> {
        let left = match request.memory_limit_bytes {
            Some(limit) => Some(limit.saturating_sub(self.engine.session_bytes(request).ok()?)),
            None => None,
        };
        let values = 3 * scale.width * scale.height;
        self.engine.history(optimiser.remembers().min(scale.evaluations as usize), values, left)
    }
}

impl Open {
    /// The own size's first.
    fn into_evaluators(self) -> impl Iterator<Item = Evaluator> {
        std::iter::once(self.own).chain(self.smaller.into_iter().map(Smaller::into_evaluator))
    }
}
