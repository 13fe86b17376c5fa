//! The sizes that a picture is painted at, coarse to fine, and what the images are at each.

use serde::{Deserialize, Serialize};

use crate::picture::resize::long_edge_size;
use crate::picture::{Picture, PictureError};
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{Size, StyleFit};

/// Coarser scales than the full one are left out where their short edge would fall below this, in pixels: the deepest
/// layers would see nothing there.
const COARSEST_SHORT_EDGE_PX: usize = 32;

/// One size that the picture is painted at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Evaluations of loss and gradient that will be done at this size.
    pub evaluations: u32,
}

impl Scale {
    /// This size times `numerator / denominator`, at least a pixel each way.
    #[must_use]
    pub fn scaled_down(&self, numerator: usize, denominator: usize) -> Scale {
        let side = |pixels: usize| (pixels * numerator / denominator).max(1);
        Scale { width: side(self.width), height: side(self.height), ..*self }
    }
}

/// The scales of a run on a content image of this size, coarse to fine.
pub fn scales(recipe: &ResolvedRecipe, content_width: usize, content_height: usize) -> Vec<Scale> {
    let (width, height) = match recipe.size {
        Size::LongEdge(edge) => long_edge_size(content_width, content_height, edge as usize),
        Size::Exact { width, height } => (width as usize, height as usize),
    };
    let full = Scale { width, height, evaluations: recipe.iterations };
    let coarse = (1..recipe.levels)
        .rev()
        .map(|halvings| Scale {
            width: width.div_ceil(1 << halvings),
            height: height.div_ceil(1 << halvings),
            evaluations: recipe.coarse_iterations,
        })
        .filter(|scale| scale.width.min(scale.height) >= COARSEST_SHORT_EDGE_PX);
    coarse.chain([full]).collect()
}

/// The content image as the run sees it at a scale: resized, or cropped to fit.
///
/// # Errors
/// Where there is no memory for that many pixels.
pub fn content_at(recipe: &ResolvedRecipe, content: &Picture, scale: Scale) -> Result<Picture, PictureError> {
    match recipe.size {
        Size::LongEdge(_) => content.resized(scale.width, scale.height),
        Size::Exact { .. } => content.cropped_to_fit(scale.width, scale.height),
    }
}

/// A style image as the run sees it at a scale: resized, or cropped to fit.
///
/// # Errors
/// Where there is no memory for that many pixels.
pub fn style_at(recipe: &ResolvedRecipe, style: &Picture, scale: Scale) -> Result<Picture, PictureError> {
    let (width, height) = style_size(recipe, &scale, (style.width, style.height));
    match recipe.style_fit {
        StyleFit::Scale => style.resized(width, height),
        StyleFit::Crop => style.cropped_to_fit(width, height),
    }
}

/// The size that a style image is brought to for a picture of this size.
pub(crate) fn style_size(recipe: &ResolvedRecipe, scale: &Scale, (width, height): (usize, usize)) -> (usize, usize) {
    let enlarged = |side: usize| ((side as f64 * recipe.style_scale).round() as usize).max(1);
    match recipe.style_fit {
        StyleFit::Scale => long_edge_size(width, height, enlarged(scale.width.max(scale.height))),
        StyleFit::Crop => (enlarged(scale.width), enlarged(scale.height)),
    }
}
