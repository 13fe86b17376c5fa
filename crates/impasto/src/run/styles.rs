//! What the style of a picture is compared to in a stretch of a run: the style images' moments for each part, and what each weighs.

use impasto_vgg::Moments;

use super::PaintError;
use super::regions::{Masks, Part};
use super::scales::Scale;
use super::setting::Setting;
use super::style_moments::{MomentsKey, PartKey, PartMoments, StyleMoments};
use crate::objective::RegionStyle;
use crate::recipe::Colours;

impl Setting<'_> {
    /// The moments at a scale. A call that has to compute them computes those of all scales that follow too: they need other
    /// weights than the picture does, which an engine would make anew for each scale.
    pub fn moments_of(
        &self,
        known: &mut StyleMoments,
        index: usize,
        masks: Option<&Masks>,
    ) -> Result<(MomentsKey, PartMoments), PaintError> {
        let key = self.moments_key(masks);
        if let Some(found) = known.take(index, &key) {
            return Ok((key, found));
        }
        let moments = self.moments_at(self.scales[index], masks)?;
        for place in index + 1..self.scales.len() {
            let scale = self.scales[place];
            let masks = Masks::at(self.recipe, &self.images, scale)?;
            let key = self.moments_key(masks.as_ref());
            if !known.has(place, &key) {
                known.keep(place, key, self.moments_at(scale, masks.as_ref())?);
            }
        }
        Ok((key, moments))
    }

    /// What the style images' moments at a scale with these masks are of.
    pub fn moments_key(&self, masks: Option<&Masks>) -> MomentsKey {
        let blend = || PartKey::Blend(self.shares.clone());
        let numbers = self.now.painting_masks.iter().copied().chain([None]);
        let key_of = |(part, number): (Part<'_>, Option<u32>)| match part {
            Part::Region(region, _) => PartKey::Painting(region.style_index(), number),
            Part::Rest => PartKey::Painting(0, None),
            Part::Whole => blend(),
        };
        let parts = match masks {
            Some(masks) => masks.parts(self.recipe, &self.images).into_iter().zip(numbers).map(key_of).collect(),
            None => vec![blend()],
        };
        MomentsKey {
            layers: self.recipe.counted_style_layers().into_iter().map(|(layer, _)| layer).collect(),
            style_scale: self.recipe.style_scale.clone(),
            has_photos_colours: self.recipe.colours == Colours::PhotoBefore,
            parts,
        }
    }

    /// What the style of a scale is compared to: each part's style images, or those of the whole picture.
    pub fn moments_at(&self, scale: Scale, masks: Option<&Masks>) -> Result<PartMoments, PaintError> {
        let limit = self.memory_limit_bytes;
        let Some(masks) = masks else { return Ok(vec![self.blend_at(scale)?]) };
        let of_part = |part: Part<'_>| match part {
            Part::Whole => self.blend_at(scale),
            part => Ok(vec![(part.moments(self.recipe, self.engine, &self.paintings, scale, limit)?, 1.0)]),
        };
        masks.parts(self.recipe, &self.images).into_iter().map(of_part).collect()
    }

    /// Each style image's moments at a scale, with its share.
    fn blend_at(&self, scale: Scale) -> Result<Vec<(Vec<Moments>, f64)>, PaintError> {
        let limit = self.memory_limit_bytes;
        let counted = self.shares.iter().enumerate().filter(|&(_, &share)| share > 0.0);
        let of_style = |(place, &share): (usize, &f64)| {
            Ok((self.paintings.moments((self.recipe, self.engine), place, None, scale, limit)?, share))
        };
        counted.map(of_style).collect()
    }

    /// Moments with the weights of their parts; without moments the weights alone.
    pub fn region_styles(&self, masks: Option<&Masks>, moments: PartMoments) -> Vec<RegionStyle> {
        let mut moments = moments.into_iter();
        let mut next = || moments.next().unwrap_or_default();
        match masks {
            Some(masks) => {
                let parts = masks.parts(self.recipe, &self.images).into_iter().zip(&masks.areas);
                parts.map(|(part, &area)| part.style(self.recipe, next(), area)).collect()
            }
            None => vec![RegionStyle { styles: next(), share: 1.0, layers: self.recipe.style_layers.clone() }],
        }
    }
}
