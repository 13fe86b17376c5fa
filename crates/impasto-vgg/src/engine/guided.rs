//! What a request says of guides, and whether masks, guides and an emphasis fit it.

use super::SessionRequest;
use crate::error::{EngineError, GuideKind};
use crate::guides::{LEAST_SUM, TapGuides, guide_sum, pooled};
use crate::layers::Layer;

impl SessionRequest {
    /// The layer and the region of each entry of an observation's moments, in their order: all regions of the first style
    /// tap, then those of the second. Without regions the region is 0.
    pub fn moment_places(&self) -> impl Iterator<Item = (Layer, usize)> {
        let regions = self.guides.moments_a_tap();
        self.style_taps.iter().flat_map(move |&layer| (0..regions).map(move |region| (layer, region)))
    }

    /// Masks `[regions, height, width]` of the picture, brought to each style tap.
    ///
    /// # Errors
    /// Masks of another length, a value that is not in 0..1.
    pub fn pool_masks(&self, masks: &[f32]) -> Result<Vec<TapGuides>, EngineError> {
        self.check_masks(masks)?;
        let guides = self.style_taps.iter().map(|&layer| {
            let regions = masks.chunks_exact(self.height * self.width);
            TapGuides { layer, values: regions.flat_map(|mask| pooled(mask, self.height, self.width, layer)).collect() }
        });
        Ok(guides.collect())
    }

    /// Checks masks against this request.
    ///
    /// # Errors
    /// As [`SessionRequest::pool_masks`].
    pub fn check_masks(&self, masks: &[f32]) -> Result<(), EngineError> {
        self.check_has_regions()?;
        let wanted = self.guides.regions * self.height * self.width;
        if masks.len() != wanted {
            return Err(EngineError::MaskLength { what: GuideKind::Masks, wanted, given: masks.len() });
        }
        let regions = masks.chunks_exact(self.height * self.width).enumerate();
        regions.into_iter().try_for_each(|(region, mask)| check_values(mask, Some(region)))
    }

    /// Checks guides against this request.
    ///
    /// # Errors
    /// Other layers than the style taps, or in another order; guides of another length, a value that is not in 0..1; a region
    /// that a tap sees nothing of ([`EngineError::EmptyRegion`]).
    pub fn check_guides(&self, guides: &[TapGuides]) -> Result<(), EngineError> {
        self.check_has_regions()?;
        if !guides.iter().map(|guides| guides.layer).eq(self.style_taps.iter().copied()) {
            let message = "guides are needed for each style tap of the request, in the same order";
            return Err(EngineError::Request(message.into()));
        }
        for TapGuides { layer, values } in guides {
            let (height, width) = layer.map_size(self.height, self.width);
            let wanted = self.guides.regions * height * width;
            if values.len() != wanted {
                return Err(EngineError::MaskLength { what: GuideKind::GuidesAt(*layer), wanted, given: values.len() });
            }
            let regions = values.chunks_exact(height * width).enumerate();
            regions.into_iter().try_for_each(|(region, guide)| check_values(guide, Some(region)))?;
        }
        (0..self.guides.regions).try_for_each(|region| self.check_is_seen(region, guides))
    }

    fn check_has_regions(&self) -> Result<(), EngineError> {
        if self.guides.regions == 0 { Err(EngineError::NO_REGIONS) } else { Ok(()) }
    }

    /// Checks that every tap sees something of a region.
    fn check_is_seen(&self, region: usize, guides: &[TapGuides]) -> Result<(), EngineError> {
        let sees = |guides: &&TapGuides| {
            let positions = guides.values.len() / self.guides.regions;
            guide_sum(&guides.values[region * positions..][..positions]) > LEAST_SUM
        };
        let (seen_by, unseen_by): (Vec<&TapGuides>, Vec<&TapGuides>) = guides.iter().partition(sees);
        if unseen_by.is_empty() {
            return Ok(());
        }
        let layers = |guides: Vec<&TapGuides>| guides.into_iter().map(|guides| guides.layer).collect();
        Err(EngineError::EmptyRegion { region, unseen_by: layers(unseen_by), seen_by: layers(seen_by) })
    }

    /// Checks an emphasis `[height, width]` against this request.
    ///
    /// # Errors
    /// A request without emphasis, a map of another length, a value that is not in 0..1.
    pub fn check_emphasis(&self, map: &[f32]) -> Result<(), EngineError> {
        if !self.guides.emphasis {
            return Err(EngineError::NO_EMPHASIS_ASKED);
        }
        let wanted = self.height * self.width;
        if map.len() != wanted {
            return Err(EngineError::MaskLength { what: GuideKind::Emphasis, wanted, given: map.len() });
        }
        check_values(map, None)
    }
}

/// Checks that all values are in 0..1; `region` is whose they are, `None` for the emphasis.
fn check_values(values: &[f32], region: Option<usize>) -> Result<(), EngineError> {
    match values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        Some(&value) => Err(EngineError::MaskValue { region, value }),
        None => Ok(()),
    }
}
