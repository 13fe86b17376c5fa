//! What stays the same in a run between two changes.

use impasto_vgg::Engine;

use super::change::Now;
use super::paintings::Paintings;
use super::scales::Scale;
use super::{Images, PaintError};
use crate::recipe::resolve::{ResolvedRecipe, style_shares};

/// What stays the same between two changes.
pub(super) struct Setting<'a> {
    pub now: &'a Now<'a>,
    pub recipe: &'a ResolvedRecipe,
    pub engine: &'a dyn Engine,
    pub images: Images<'a>,
    /// The style images, in the colours that count.
    pub paintings: Paintings<'a>,
    pub memory_limit_bytes: Option<u64>,
    /// The style images' shares.
    pub shares: Vec<f64>,
    pub scales: &'a [Scale],
}

impl<'a> Setting<'a> {
    /// What counts now.
    pub fn new(
        now: &'a Now<'a>,
        engine: &'a dyn Engine,
        images: Images<'a>,
        memory_limit_bytes: Option<u64>,
        scales: &'a [Scale],
    ) -> Result<Setting<'a>, PaintError> {
        let (recipe, images) = (&now.recipe, now.images(images));
        let paintings = Paintings::new(recipe, images, scales[scales.len() - 1])?;
        let shares = style_shares(recipe, images.styles.len(), recipe.looks_at_styles())?;
        Ok(Setting { now, recipe, engine, images, paintings, memory_limit_bytes, shares, scales })
    }
}
