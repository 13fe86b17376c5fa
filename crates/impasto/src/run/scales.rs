//! The sizes that a picture is painted at, coarse to fine, and what the images are at each.

use serde::{Deserialize, Serialize};

use crate::picture::alpha::Alpha;
use crate::picture::resize::long_edge_size;
use crate::picture::{Picture, PictureError};
use crate::recipe::resolve::{LEAST_SHORT_EDGE_PX, ResolvedRecipe};
use crate::recipe::{Size, StyleFit};

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

    /// The size that is `factor` to the power of `steps` times smaller, rounded up to whole pixels.
    fn coarser(&self, factor: f64, steps: u32, evaluations: u32) -> Scale {
        // Powers by products, which are the same bits on every machine.
        let divisor = (0..steps).fold(1.0, |product, _| product * factor);
        let side = |pixels: usize| (pixels as f64 / divisor).ceil() as usize;
        Scale { width: side(self.width), height: side(self.height), evaluations }
    }

    /// This size, or where its long edge is more than `long_edge_px`, the size of this shape with that.
    pub(crate) fn within(&self, long_edge_px: usize) -> Scale {
        let (width, height) = long_edge_size(self.width, self.height, long_edge_px.min(self.width.max(self.height)));
        Scale { width, height, ..*self }
    }
}

/// The scales of a run on a content image of this size, coarse to fine.
pub fn scales(recipe: &ResolvedRecipe, content_width: usize, content_height: usize) -> Vec<Scale> {
    let (width, height) = match recipe.size {
        Size::LongEdge(edge) => long_edge_size(content_width, content_height, edge as usize),
        Size::Exact { width, height } => (width as usize, height as usize),
    };
    let full = Scale { width, height, evaluations: recipe.iterations };
    let coarse = (1..recipe.levels).map(|steps| full.coarser(recipe.scale_factor, steps, recipe.coarse_iterations));
    let large_enough = |scale: &Scale| scale.width.min(scale.height) >= recipe.coarsest_px as usize;
    let joining = |scale: Scale| {
        let (width, height) = recipe.joining(scale.width, scale.height);
        Scale { width, height, ..scale }
    };
    let sizes = std::iter::once(full).chain(coarse.take_while(large_enough));
    let mut scales: Vec<Scale> = sizes.map(joining).collect();
    scales.reverse();
    if let ([coarsest, _, ..], Some(evaluations)) = (scales.as_mut_slice(), recipe.coarsest_iterations) {
        coarsest.evaluations = evaluations;
    }
    scales
}

/// The smaller sizes whose losses count at a scale beside its own, the largest first: halves of halves, as long as the long edge has
/// `multiscale_px`.
///
/// ```
/// use impasto::recipe::Recipe;
/// use impasto::run::scales::{Scale, smaller_scales};
/// let recipe = Recipe::default().resolve()?;
/// let full = Scale { width: 2048, height: 1366, evaluations: 60 };
/// let sizes: Vec<_> = smaller_scales(&recipe, &full).iter().map(|size| (size.width, size.height)).collect();
/// assert_eq!(sizes, [(1024, 683), (512, 342)]);
/// # Ok::<(), impasto::recipe::RecipeError>(())
/// ```
#[must_use]
pub fn smaller_scales(recipe: &ResolvedRecipe, scale: &Scale) -> Vec<Scale> {
    let counts = recipe.multiscale_weight > 0.0
        && !(recipe.counted_style_layers().is_empty() && recipe.counted_content_layers().is_empty());
    let is_large = |size: &Scale| {
        size.width.max(size.height) >= recipe.multiscale_px as usize
            && size.width.min(size.height) >= LEAST_SHORT_EDGE_PX as usize
    };
    let halves = (1..u32::MAX).map(|steps| scale.coarser(2.0, steps, scale.evaluations)).take_while(is_large);
    let joining = |size: Scale| {
        let (width, height) = recipe.joining(size.width, size.height);
        Scale { width, height, ..size }
    };
    if counts { halves.map(joining).collect() } else { Vec::new() }
}

/// The smallest and the largest of the sizes at which anything of a picture is evaluated, for a photo of this width and height.
pub(super) fn extreme_scales(recipe: &ResolvedRecipe, (width, height): (usize, usize)) -> (Scale, Scale) {
    let all = scales(recipe, width, height);
    let full = all[all.len() - 1];
    let smaller = smaller_scales(recipe, &full).pop().filter(|smaller| smaller.width < all[0].width);
    (smaller.unwrap_or(all[0]), full)
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

/// The content image's alpha at a scale, as [`content_at`] has the image.
///
/// # Errors
/// Where there is no memory for that many pixels.
pub fn alpha_at(recipe: &ResolvedRecipe, alpha: &Alpha, scale: Scale) -> Result<Alpha, PictureError> {
    match recipe.size {
        Size::LongEdge(_) => alpha.resized(scale.width, scale.height),
        Size::Exact { .. } => alpha.cropped_to_fit(scale.width, scale.height),
    }
}

/// The style image in this place as the run sees it at a scale: resized, or cropped to fit.
///
/// # Errors
/// Where there is no memory for that many pixels.
pub fn style_at(recipe: &ResolvedRecipe, place: usize, style: &Picture, scale: Scale) -> Result<Picture, PictureError> {
    let (width, height) = style_size(recipe, place, &scale, (style.width, style.height));
    match recipe.style_fit {
        StyleFit::Scale => style.resized(width, height),
        StyleFit::Crop => style.cropped_to_fit(width, height),
    }
}

/// The size that the style image in this place is brought to for a picture of this size. Where it is not to be enlarged
/// beyond its own pixels, it has those at most, in the same shape.
pub(crate) fn style_size(
    recipe: &ResolvedRecipe,
    place: usize,
    scale: &Scale,
    (width, height): (usize, usize),
) -> (usize, usize) {
    let brush = recipe.style_scale.of(place);
    let enlarged = |side: usize| ((side as f64 * brush).round() as usize).max(1);
    match recipe.style_fit {
        StyleFit::Scale => {
            let long_edge = enlarged(scale.width.max(scale.height));
            let most = if recipe.upscale_style { long_edge } else { width.max(height) };
            long_edge_size(width, height, long_edge.min(most))
        }
        StyleFit::Crop => {
            let (wanted_width, wanted_height) = (enlarged(scale.width), enlarged(scale.height));
            let times = (wanted_width as f64 / width as f64).max(wanted_height as f64 / height as f64);
            if recipe.upscale_style || times <= 1.0 {
                return (wanted_width, wanted_height);
            }
            let side = |pixels: usize| ((pixels as f64 / times).round() as usize).max(1);
            (side(wanted_width), side(wanted_height))
        }
    }
}

/// Whether the picture asks for more pixels of the style image in this place than it has, and does not get them.
#[must_use]
pub fn is_held_to_its_pixels(recipe: &ResolvedRecipe, place: usize, full: &Scale, size: (usize, usize)) -> bool {
    let free = ResolvedRecipe { upscale_style: true, ..recipe.clone() };
    style_size(recipe, place, full, size) != style_size(&free, place, full, size)
}
