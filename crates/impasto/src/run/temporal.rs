//! What a picture is held to beside its photo: the frame before of a film, carried along with what has moved.

use super::scales::{Scale, alpha_at, content_at};
use super::{Images, PaintError};
use crate::objective::HeldTo;
use crate::picture::Picture;
use crate::picture::alpha::Alpha;
use crate::recipe::resolve::ResolvedRecipe;

/// A picture that the painted one is held to: the loss has `weight` times the mean of w (x - picture)^2.
///
/// It stands beside the recipe, as images do, and so does its weight: which frames it was made of is a film's affair, whose record
/// names all of them. Whoever keeps checkpoints of a run with one has to give the same again.
#[derive(Clone, Copy, Debug)]
pub struct Temporal<'a> {
    /// The picture that it is held to, of the photo's proportions.
    pub picture: &'a Picture,
    /// w: of each of its pixels how much it is held, `[height, width]` of that picture, 0..1.
    pub weights: &'a [f32],
    /// What the mean counts for in the loss, 0 or more.
    pub weight: f64,
}

impl Images<'_> {
    /// What a picture is held to at a scale, as the photo is brought to it.
    pub(super) fn held_to_at(&self, recipe: &ResolvedRecipe, scale: Scale) -> Result<Option<HeldTo>, PaintError> {
        let Some(temporal) = self.guides.temporal else { return Ok(None) };
        let (width, height) = (temporal.picture.width, temporal.picture.height);
        let weights = Alpha::new(width, height, temporal.weights.to_vec()).map_err(|_| PaintError::TemporalWeights)?;
        let mut weights = alpha_at(recipe, &weights, scale)?.values;
        // The filter overshoots.
        weights.iter_mut().for_each(|weight| *weight = weight.clamp(0.0, 1.0));
        let picture = content_at(recipe, temporal.picture, scale)?.values;
        Ok(Some(HeldTo { picture, weights, weight: temporal.weight }))
    }
}
