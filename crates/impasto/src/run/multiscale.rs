//! Losses of smaller sizes: what counts of a picture where it is brought down, beside what counts at its own size.
//!
//! ```text
//!   picture ---------------------------> losses of its size        gradient <---------------- its
//!      \-- by a half ------------------> losses of that size            + w R^T <------------ its      R: objective/brought_down.rs
//!      \-- by a quarter, and so on ----> ...                            + w R^T <------------ its
//! ```
//!
//! All that a recipe has counts at each size, as in a picture that was painted there, but for matched features. Nothing is kept from
//! one evaluation to the next, so checkpoints know nothing of it.

use std::borrow::Cow;

use impasto_vgg::{Engine, EngineError, SessionRequest};

use super::PaintError;
use super::evaluator::{Evaluator, Size};
use super::regions::{Masks, emphasis_at};
use super::scales::{Scale, content_at, smaller_scales};
use super::setting::Setting;
use crate::objective::Losses;
use crate::objective::brought_down::BroughtDown;
use crate::objective::wrap::Wrap;
use crate::recipe::resolve::ResolvedRecipe;

/// A smaller size of a picture, with what evaluates there.
pub(super) struct Smaller {
    evaluator: Evaluator,
    weight: f64,
    down: BroughtDown,
    /// The picture brought down, and the gradient by it: kept, for fresh memory is slow.
    picture: Vec<f32>,
    gradient: Vec<f32>,
}

impl Smaller {
    /// Of a picture of the first size, brought down to the second.
    pub fn new(recipe: &ResolvedRecipe, evaluator: Evaluator, (from, to): (&Scale, &Scale)) -> Smaller {
        let joins = (recipe.seamless.joins_x(), recipe.seamless.joins_y());
        let values = 3 * to.width * to.height;
        Smaller {
            evaluator,
            weight: recipe.multiscale_weight,
            down: BroughtDown::new((from.width, from.height), (to.width, to.height), joins),
            picture: vec![0.0; values],
            gradient: vec![0.0; values],
        }
    }

    pub fn into_evaluator(self) -> Evaluator {
        self.evaluator
    }

    /// Adds what is lost at this size, and its gradient by the picture.
    pub fn add(&mut self, picture: &[f32], gradient: &mut [f32], losses: &mut Losses) -> Result<(), EngineError> {
        self.down.apply(picture, &mut self.picture);
        let Evaluator { session, objective, .. } = &mut self.evaluator;
        let loss = objective.evaluate(session.as_mut(), &self.picture, &mut self.gradient)?.total;
        self.down.take_back(&self.gradient, self.weight as f32, gradient);
        losses.multiscale += loss;
        losses.total += self.weight * loss;
        Ok(())
    }
}

impl Setting<'_> {
    /// The smaller sizes that count beside a scale, with their images.
    pub fn smaller_sizes(&self, scale: &Scale) -> Result<Vec<Size<'_>>, PaintError> {
        let of_scale = |scale: Scale| {
            Ok(Size {
                scale,
                wrap: Wrap::of(self.recipe, scale.width, scale.height),
                index: None,
                content: Cow::Owned(content_at(self.recipe, self.images.content, scale)?),
                masks: Masks::at(self.recipe, &self.images, scale)?.map(Cow::Owned),
                emphasis: emphasis_at(self.recipe, &self.images, scale)?,
                banks: &[],
            })
        };
        smaller_scales(self.recipe, scale).into_iter().map(of_scale).collect()
    }
}

/// Gives each of several sessions that stand beside each other its part of the memory, by its pixels; the first, which is the largest,
/// has what the others leave. What they have in common is there once.
///
/// # Errors
/// Less memory than they take at least.
pub(super) fn share_memory(
    engine: &dyn Engine,
    requests: &mut [SessionRequest],
    limit_bytes: Option<u64>,
) -> Result<(), EngineError> {
    let (Some(limit), [own, smaller @ ..]) = (limit_bytes, requests) else { return Ok(()) };
    let pixels = |request: &SessionRequest| (request.width * request.height) as u64;
    let all: u64 = pixels(own) + smaller.iter().map(pixels).sum::<u64>();
    let mut left = limit;
    for request in smaller {
        let common = engine.common_bytes(request);
        let share = u128::from(limit.saturating_sub(common)) * u128::from(pixels(request)) / u128::from(all.max(1));
        request.memory_limit_bytes = Some(common + share as u64);
        let bytes = match engine.session_bytes(request) {
            // A small one has more beside its maps.
            Err(EngineError::Memory { needed_mib, .. }) => {
                request.memory_limit_bytes = Some(needed_mib << 20);
                engine.session_bytes(request)?
            }
            bytes => bytes?,
        };
        left = left.saturating_sub(bytes.saturating_sub(common));
    }
    own.memory_limit_bytes = Some(left);
    match engine.session_bytes(own) {
        Err(EngineError::Memory { width, height, needed_mib, .. }) => Err(EngineError::Memory {
            width,
            height,
            needed_mib: needed_mib + (limit - left).div_ceil(1 << 20),
            limit_mib: limit >> 20,
        }),
        answer => answer.map(drop),
    }
}
