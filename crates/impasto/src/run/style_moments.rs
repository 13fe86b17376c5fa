//! The style images' moments at the scales of a run: computed when they are first needed, and anew where a change asks for others.

use impasto_vgg::{Layer, Moments};

use super::PaintError;
use super::regions::Masks;
use super::stretch::Stretch;
use crate::recipe::Colours;

/// What each part of a picture is painted after: style images' moments, with their shares.
pub(super) type PartMoments = Vec<Vec<(Vec<Moments>, f64)>>;

/// What moments are of. Those of one key are the same to the bit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MomentsKey {
    /// The style layers that count.
    layers: Vec<Layer>,
    style_scale: f64,
    has_photos_colours: bool,
    parts: Vec<PartKey>,
}

/// What a part of a picture is painted after.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PartKey {
    /// All style images with these shares.
    Blend(Vec<f64>),
    /// One, or what of it lies in the mask of this number.
    Painting(usize, Option<u32>),
}

/// The moments of scales that are not begun yet.
pub(super) struct StyleMoments {
    scales: Vec<Option<(MomentsKey, PartMoments)>>,
}

impl StyleMoments {
    /// None yet, of so many scales.
    pub fn new(scales: usize) -> StyleMoments {
        StyleMoments { scales: vec![None; scales] }
    }

    /// The moments at a scale. A call that has to compute them computes those of all scales that follow too: they need other
    /// weights than the picture does, which an engine would make anew for each scale.
    pub fn take(
        &mut self,
        stretch: &Stretch<'_>,
        index: usize,
        masks: Option<&Masks>,
    ) -> Result<(MomentsKey, PartMoments), PaintError> {
        let key = stretch.moments_key(masks);
        if let Some(found) = self.scales[index].take_if(|(found, _)| *found == key) {
            return Ok(found);
        }
        let moments = stretch.moments_at(stretch.scales[index], masks)?;
        for place in index + 1..stretch.scales.len() {
            let scale = stretch.scales[place];
            let masks = Masks::at(stretch.recipe, &stretch.images, scale)?;
            let key = stretch.moments_key(masks.as_ref());
            if self.scales[place].as_ref().is_none_or(|(found, _)| *found != key) {
                self.scales[place] = Some((key, stretch.moments_at(scale, masks.as_ref())?));
            }
        }
        Ok((key, moments))
    }
}

impl MomentsKey {
    /// The key of these parts.
    pub fn new(stretch: &Stretch<'_>, parts: Vec<PartKey>) -> MomentsKey {
        let layers = stretch.recipe.counted_style_layers().into_iter().map(|(layer, _)| layer).collect();
        let has_photos_colours = stretch.recipe.colours == Colours::PhotoBefore;
        MomentsKey { layers, style_scale: stretch.recipe.style_scale, has_photos_colours, parts }
    }
}
