//! Regions at a scale: masks that share the picture out, what each is painted after, and what of the picture may move.
//!
//! ```text
//!   masks of the recipe's regions --to the scale--> t_r;  where they sum to more than 1 they are divided by their sum
//!   the rest, 1 - sum t_r:  painted after the first painting, or the photo as it is
//!   a_r = mean of t_r over the picture: the share of the area that the region's style loss counts by
//! ```
//!
//! With a rest that is the photo, the picture is photo + m (x - photo): x is what the optimiser moves, and m falls from 1
//! to 0 within a few pixels inside the regions' edge. So what lies in the rest is the photo to the bit, whatever the optimiser does.

use impasto_vgg::{Engine, Moments};

use super::lightness::{LEAST_LIGHTNESS, lightness};
use super::paintings::Paintings;
use super::scales::{Scale, alpha_at, content_at, extreme_scales, scales, style_size};
use super::temporal::Temporal;
use super::{Images, PaintError};
use crate::objective::RegionStyle;
use crate::picture::Picture;
use crate::picture::alpha::Alpha;
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{Region, Rest, Seamless, check_paintings};

/// The images of one of a recipe's regions.
#[derive(Clone, Debug)]
pub struct RegionImages {
    /// The mask over the picture, of any size: white inside, black outside.
    pub mask: Picture,
    /// The mask over its painting, of any size.
    pub painting_mask: Option<Picture>,
}

/// The images that say where something counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuideImages<'a> {
    /// One for each of the recipe's regions, in their order.
    pub regions: &'a [RegionImages],
    /// Where the drawing is kept: white keeps it, black lets it go. Where the recipe names one.
    pub emphasis: Option<&'a Picture>,
    /// How much there is of each pixel of the photo: where there is nothing, no loss looks. An engine without guides looks
    /// everywhere.
    pub alpha: Option<&'a Alpha>,
    /// Masks over the style images, of any size, in their order; none at all where the recipe has none.
    pub styles: &'a [Option<Picture>],
    /// What each entry of the recipe's timeline brings with it; may be empty where none brings anything.
    pub changed: &'a [ChangedGuides],
    /// What the picture is held to, where it is a frame of a film.
    pub temporal: Option<Temporal<'a>>,
}

/// The images that come with a change.
#[derive(Clone, Debug, Default)]
pub struct ChangedGuides {
    /// Those of every region from there on, where the change sets regions or their labels.
    pub regions: Option<Vec<RegionImages>>,
    /// Where the drawing is kept from there on, where the change sets an emphasis.
    pub emphasis: Option<Picture>,
}

/// What stands in a place of the session's masks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a> {
    Region(&'a Region, &'a RegionImages),
    /// What no region has, painted after the first painting.
    Rest,
    /// All that there is of a photo with gaps, or of a picture that joins itself, where the recipe has no regions: painted after all
    /// paintings.
    Whole,
}

impl Images<'_> {
    /// Says what of a recipe's regions these images cannot give.
    ///
    /// # Errors
    /// A mask or a painting that is missing; a mask that is black.
    pub(crate) fn check_guides(&self, recipe: &ResolvedRecipe) -> Result<(), PaintError> {
        let guides = &self.guides;
        let masked: Vec<bool> = guides.styles.iter().map(Option::is_some).collect();
        if guides.regions.len() != recipe.regions.len()
            || guides.emphasis.is_some() != recipe.emphasis.is_some()
            || !masked.into_iter().eq(recipe.style_masks.iter().map(Option::is_some))
        {
            return Err(PaintError::MaskMissing);
        }
        for (place, mask) in guides.styles.iter().enumerate().take(self.styles.len()) {
            if let Some(mask) = mask {
                let style = &self.styles[place];
                let (least, _) = extreme_scales(recipe, (self.content.width, self.content.height));
                let (width, height) = style_size(recipe, place, &least, (style.width, style.height));
                if is_black(&lightness(&mask.resized(width, height)?)) {
                    return Err(PaintError::BlackStyleMask { painting: place + 1, width, height });
                }
            }
        }
        let styles: Vec<(usize, usize)> = self.styles.iter().map(|style| (style.width, style.height)).collect();
        check_regions(recipe, (self.content.width, self.content.height), &styles, guides.regions)
    }

    /// A mask over the photo, at a scale: brought to the photo's proportions, and cropped where that is.
    fn mask_at(&self, recipe: &ResolvedRecipe, mask: &Picture, scale: Scale) -> Result<Picture, PaintError> {
        mask_at(recipe, (self.content.width, self.content.height), mask, scale)
    }
}

/// As [`Images::mask_at`], for a photo of this width and height.
fn mask_at(
    recipe: &ResolvedRecipe,
    (width, height): (usize, usize),
    mask: &Picture,
    scale: Scale,
) -> Result<Picture, PaintError> {
    let same_shape = mask.width * height == mask.height * width;
    let mask = if same_shape { mask.clone() } else { mask.resized(width, height)? };
    Ok(content_at(recipe, &mask, scale)?)
}

/// Says what of a recipe's regions these images cannot give, for a photo and paintings of these widths and heights.
///
/// # Errors
/// A mask or a painting that is missing; a mask that is black.
pub fn check_regions(
    recipe: &ResolvedRecipe,
    content_px: (usize, usize),
    styles_px: &[(usize, usize)],
    regions: &[RegionImages],
) -> Result<(), PaintError> {
    if regions.len() != recipe.regions.len() {
        return Err(PaintError::MaskMissing);
    }
    if !recipe.regions.is_empty() && recipe.looks_at_styles() {
        check_paintings(&recipe.regions, styles_px.len())?;
    }
    let (least, full) = extreme_scales(recipe, content_px);
    for (region, images) in recipe.regions.iter().zip(regions) {
        for scale in [least, full] {
            if is_black(&lightness(&mask_at(recipe, content_px, &images.mask, scale)?)) {
                let Scale { width, height, .. } = scale;
                return Err(PaintError::BlackMask { region: region.name.clone(), kind: "mask", width, height });
            }
        }
        if let (Some(mask), Some(&style_px)) = (&images.painting_mask, styles_px.get(region.style_index())) {
            let (width, height) = style_size(recipe, region.style_index(), &least, style_px);
            if is_black(&lightness(&mask.resized(width, height)?)) {
                let kind = "painting-mask";
                return Err(PaintError::BlackMask { region: region.name.clone(), kind, width, height });
            }
        }
    }
    Ok(())
}

/// Masks at a scale.
#[derive(Clone)]
pub(super) struct Masks {
    /// `[regions, height, width]`: each region's, and the rest's where that is painted and there is any.
    pub values: Vec<f32>,
    /// The share of the area of each.
    pub areas: Vec<f64>,
    /// `[height, width]`: how much of what is painted is seen; `None` where all of it is.
    pub movable: Option<Vec<f32>>,
}

impl Masks {
    /// The masks at a scale; `None` where all of it is one: no regions, no gaps, no margin of sides that join.
    pub fn at(recipe: &ResolvedRecipe, images: &Images<'_>, scale: Scale) -> Result<Option<Masks>, PaintError> {
        let opaque = opaque_at(recipe, images, scale)?;
        if recipe.regions.is_empty() && opaque.is_none() && recipe.seamless == Seamless::None {
            return Ok(None);
        }
        let positions = scale.width * scale.height;
        let mut values = Vec::with_capacity(positions * (recipe.regions.len() + 1));
        for region in images.guides.regions {
            values.extend(lightness(&images.mask_at(recipe, &region.mask, scale)?));
        }
        let mut rest = share_out(&mut values, positions);
        let movable = match recipe.rest {
            Rest::Photo => {
                let full = scales(recipe, images.content.width, images.content.height);
                let full_px = full[full.len() - 1].width;
                let feather_px = recipe.rest_feather_px * scale.width as f64 / full_px as f64;
                Some(faded(&rest, scale, feather_px))
            }
            Rest::Painting => {
                // Nothing is left of it where the regions have all that there is of the photo.
                if let Some(opaque) = &opaque {
                    multiply(&mut rest, opaque);
                }
                if !is_black(&rest) {
                    values.extend(rest);
                }
                None
            }
        };
        if let Some(opaque) = opaque {
            values.chunks_exact_mut(positions).for_each(|mask| multiply(mask, &opaque));
        }
        let area = |mask: &[f32]| mask.iter().map(|&value| f64::from(value)).sum::<f64>() / positions as f64;
        let areas = values.chunks_exact(positions).map(area).collect();
        Ok(Some(Masks { values, areas, movable }))
    }

    /// What stands in each place.
    pub fn parts<'a>(&self, recipe: &'a ResolvedRecipe, images: &Images<'a>) -> Vec<Part<'a>> {
        if recipe.regions.is_empty() {
            return vec![Part::Whole];
        }
        let regions = recipe.regions.iter().zip(images.guides.regions);
        let regions = regions.map(|(region, images)| Part::Region(region, images));
        regions.chain([Part::Rest]).take(self.areas.len()).collect()
    }
}

/// The emphasis at a scale, `[height, width]`.
pub(super) fn emphasis_at(
    recipe: &ResolvedRecipe,
    images: &Images<'_>,
    scale: Scale,
) -> Result<Option<Vec<f32>>, PaintError> {
    let map = images.guides.emphasis.map(|map| images.mask_at(recipe, map, scale)).transpose()?;
    let map = map.map(|map| lightness(&map));
    Ok(match (map, opaque_at(recipe, images, scale)?) {
        (Some(mut map), Some(opaque)) => {
            multiply(&mut map, &opaque);
            Some(map)
        }
        (map, opaque) => map.or(opaque),
    })
}

/// 1 where there is something of the photo, 0 in its gaps, `[height, width]`; `None` where it has none, or is nothing else.
fn opaque_at(recipe: &ResolvedRecipe, images: &Images<'_>, scale: Scale) -> Result<Option<Vec<f32>>, PaintError> {
    let Some(alpha) = images.guides.alpha else { return Ok(None) };
    let there = |value: &f32| f32::from(u8::from(f64::from(*value) > 255.0 * LEAST_LIGHTNESS));
    let opaque: Vec<f32> = alpha_at(recipe, alpha, scale)?.values.iter().map(there).collect();
    Ok((opaque.contains(&0.0) && !is_black(&opaque)).then_some(opaque))
}

fn multiply(mask: &mut [f32], factors: &[f32]) {
    mask.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
}

impl<'a> Part<'a> {
    /// The moments at a scale of what the part is painted after.
    pub fn moments(
        &self,
        recipe: &ResolvedRecipe,
        engine: &dyn Engine,
        paintings: &Paintings<'_>,
        scale: Scale,
        memory_limit_bytes: Option<u64>,
    ) -> Result<Vec<Moments>, PaintError> {
        if !recipe.looks_at_styles() {
            return Ok(Vec::new());
        }
        let (place, mask) = self.painting();
        paintings.moments((recipe, engine), place, mask, scale, memory_limit_bytes)
    }

    /// The place of its painting, and the mask over that, where it has one of its own.
    pub fn painting(&self) -> (usize, Option<&'a Picture>) {
        match self {
            Part::Region(region, images) => (region.style_index(), images.painting_mask.as_ref()),
            Part::Rest | Part::Whole => (0, None),
        }
    }

    /// What the part is compared to, where it has this share of the area.
    pub fn style(&self, recipe: &ResolvedRecipe, styles: Vec<(Vec<Moments>, f64)>, area: f64) -> RegionStyle {
        let (weight, layers) = match self {
            Part::Region(region, _) => (region.weight.unwrap_or(1.0), region.style_layers.as_ref()),
            Part::Rest | Part::Whole => (1.0, None),
        };
        let layers = layers.unwrap_or(&recipe.style_layers).clone();
        RegionStyle { styles, share: weight * area, layers }
    }
}

/// What the optimiser moves, laid over the photo.
pub(super) struct Held<'a> {
    pub photo: &'a Picture,
    /// `[height, width]`
    pub movable: &'a [f32],
}

impl Held<'_> {
    /// What was moved becomes what is seen: `photo + m (moved - photo)`.
    pub fn lay(&self, picture: &mut [f32]) {
        let positions = self.movable.len();
        for (place, value) in picture.iter_mut().enumerate() {
            let (photo, share) = (self.photo.values[place], self.movable[place % positions]);
            *value = if share == 0.0 { photo } else { photo + share * (*value - photo) };
        }
    }

    /// The gradient by what is seen becomes that by what is moved.
    pub fn take_back(&self, gradient: &mut [f32]) {
        let positions = self.movable.len();
        gradient.iter_mut().enumerate().for_each(|(place, value)| *value *= self.movable[place % positions]);
    }
}

/// Divides masks `[regions, positions]` by their sum where it is more than 1, and gives what is left of 1.
fn share_out(masks: &mut [f32], positions: usize) -> Vec<f32> {
    let mut rest = Vec::with_capacity(positions);
    for place in 0..positions {
        let sum: f32 = masks.iter().skip(place).step_by(positions).sum();
        if sum > 1.0 {
            masks.iter_mut().skip(place).step_by(positions).for_each(|value| *value /= sum);
        }
        let left = 1.0 - sum;
        rest.push(if left > LEAST_LIGHTNESS as f32 { left } else { 0.0 });
    }
    rest
}

fn is_black(mask: &[f32]) -> bool {
    mask.iter().all(|&value| value == 0.0)
}

/// How much of what is painted is seen: 0 in the rest, 1 from so many pixels inside the edge on.
fn faded(rest: &[f32], scale: Scale, feather_px: f64) -> Vec<f32> {
    let covered: Vec<f32> = rest.iter().map(|rest| 1.0 - rest).collect();
    let radius = feather_px.round() as usize;
    if radius == 0 {
        return covered;
    }
    let (width, height) = (scale.width, scale.height);
    // Means over a square of 2 radius + 1, as far as it lies in the picture: a half on a straight edge.
    let along = |map: &dyn Fn(usize, usize) -> f32, lines: usize, length: usize| -> Vec<f32> {
        let mut out = Vec::with_capacity(lines * length);
        let mut sums = vec![0.0_f64; length + 1];
        for line in 0..lines {
            for place in 0..length {
                sums[place + 1] = sums[place] + f64::from(map(line, place));
            }
            for place in 0..length {
                let (from, to) = (place.saturating_sub(radius), (place + radius + 1).min(length));
                out.push(((sums[to] - sums[from]) / (to - from) as f64) as f32);
            }
        }
        out
    };
    let rows = along(&|y, x| covered[y * width + x], height, width);
    let columns = along(&|x, y| rows[y * width + x], width, height);
    let at = |place: usize| {
        let mean = columns[place % width * height + place / width];
        (2.0 * mean - 1.0).clamp(0.0, covered[place])
    };
    (0..covered.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    #[test]
    fn masks_share_what_they_both_have_and_leave_the_rest() {
        let mut masks = vec![1.0, 0.5, 0.0, 1.0, /* the second */ 1.0, 0.25, 0.0, 0.0];
        let rest = share_out(&mut masks, 4);
        assert_eq!(masks, [0.5, 0.5, 0.0, 1.0, 0.5, 0.25, 0.0, 0.0]);
        assert_eq!(rest, [0.0, 0.25, 1.0, 0.0]);
    }

    #[test]
    fn a_region_counts_by_its_share_of_the_picture() {
        let region = |name: &str| Region { name: name.into(), mask: Some(name.into()), ..Region::default() };
        let mask = |share: usize| {
            let plane: Vec<f32> = (0..96).map(|place| if place % 12 < share { 255.0 } else { 0.0 }).collect();
            RegionImages { mask: Picture::new(12, 8, plane.repeat(3)).unwrap(), painting_mask: None }
        };
        let (content, regions) = (Picture::filled(12, 8, [90.0; 3]).unwrap(), [mask(3), mask(9)]);
        let guides = GuideImages { regions: &regions, ..GuideImages::default() };
        let images = Images { content: &content, styles: &[], start: None, guides };
        let scale = Scale { width: 12, height: 8, evaluations: 1 };
        for (rest, areas) in [(Rest::Painting, &[0.125, 0.625, 0.25][..]), (Rest::Photo, &[0.125, 0.625])] {
            let recipe =
                Recipe { regions: Some(vec![region("a"), region("b")]), rest: Some(rest), ..Recipe::default() };
            let recipe = recipe.resolve().unwrap();
            let masks = Masks::at(&recipe, &images, scale).unwrap().unwrap();
            // A quarter is in both, and shared.
            assert_eq!((masks.areas.as_slice(), masks.movable.is_some()), (areas, rest == Rest::Photo));
            let parts = masks.parts(&recipe, &images);
            assert_eq!(matches!(parts.last(), Some(Part::Rest)), rest == Rest::Painting);
            assert_eq!(parts[1].style(&recipe, Vec::new(), masks.areas[1]).share, 0.625);
        }
    }

    #[test]
    fn the_photo_comes_back_within_a_feather_inside_the_edge() {
        let scale = Scale { width: 40, height: 3, evaluations: 1 };
        let rest: Vec<f32> = (0..120).map(|place| f32::from(u8::from(place % 40 < 20))).collect();
        for feather_px in [0.0, 4.0] {
            let seen = faded(&rest, scale, feather_px);
            let row = &seen[40..80];
            assert!(row[..20].iter().all(|&share| share == 0.0), "{row:?}");
            let inside = 20 + feather_px as usize;
            assert!(row[inside..].iter().all(|&share| share == 1.0), "{row:?}");
            assert!(row.windows(2).all(|pair| pair[0] <= pair[1]));
            assert!(feather_px == 0.0 || row[20] < 0.3 && row[21] > row[20], "{row:?}");
        }
    }

    #[test]
    fn what_is_held_is_the_photo_to_the_bit() {
        let photo = Picture::new(2, 1, vec![0.1, 100.0, 7.3, 1e-7, 255.0, 3.0]).unwrap();
        let held = Held { photo: &photo, movable: &[0.0, 0.5] };
        let mut seen = vec![f32::NAN, 200.0, f32::INFINITY, 0.0, -9.0, 9.0];
        held.lay(&mut seen);
        assert_eq!([seen[0], seen[2], seen[4]], [0.1, 7.3, 255.0]);
        assert_eq!([seen[1], seen[5]], [150.0, 6.0]);
        let mut gradient = vec![2.0; 6];
        held.take_back(&mut gradient);
        assert_eq!(gradient, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    }
}
