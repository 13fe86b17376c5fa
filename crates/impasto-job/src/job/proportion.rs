//! Regions that come to a run whose weights were ordered in proportion to paintings: each is weighed by its own painting, as it would
//! be had the run begun with it.
//!
//! The run's recipe has plain weights by then. What a layer was ordered to weigh, times what its plain weight has become since, is put
//! in proportion once more.

use std::collections::BTreeMap;

use impasto::recipe::{Balance, ChangedFields, Rest, TimelineEntry};
use impasto::run::balanced;
use impasto::{ChangedGuides, GuideImages, Images, ResolvedRecipe};
use impasto_vgg::{Engine, Layer};

use crate::failure::Failure;

/// What a run was ordered in proportion to.
pub(super) struct Proportion<'run> {
    /// The style layers' weights as they were ordered; `None` where they were plain.
    pub ordered: Option<BTreeMap<Layer, f64>>,
    pub engine: &'run dyn Engine,
    pub images: Images<'run>,
    pub memory_limit: Option<u64>,
}

impl Proportion<'_> {
    /// Gives each region of a change that has no weights of its own those of its painting. `recipe` is the run's before the change.
    ///
    /// # Errors
    /// The engine's.
    pub fn weigh(
        &self,
        recipe: &ResolvedRecipe,
        evaluation: u32,
        set: &mut ChangedFields,
        guides: &ChangedGuides,
    ) -> Result<(), Failure> {
        let (Some(ordered), Some(regions)) = (&self.ordered, &set.regions) else { return Ok(()) };
        if regions.iter().all(|region| region.style_layers.is_some()) {
            return Ok(());
        }
        let (begun, now) = (recipe.at_evaluation(0), recipe.at_evaluation(evaluation));
        let layers = set.style_layers.as_ref().unwrap_or(&now.style_layers);
        let by_now = |(layer, weight): (&Layer, &f64)| {
            let (begun, now) = (begun.style_layers.get(layer)?, layers.get(layer)?);
            (*begun > 0.0).then(|| (*layer, weight * now / begun))
        };
        let style_layers: BTreeMap<Layer, f64> = ordered.iter().filter_map(by_now).collect();
        let region_labels = set.region_labels.clone().or(now.region_labels);
        let of_regions = ChangedFields { regions: set.regions.clone(), region_labels, ..ChangedFields::default() };
        let in_proportion = ResolvedRecipe {
            balance: Balance::Painting,
            style_layers,
            match_weight: now.match_weight,
            regions: Vec::new(),
            region_labels: None,
            rest: Rest::Painting,
            emphasis: None,
            timeline: vec![TimelineEntry { before_evaluation: 1, set: of_regions }],
            ..begun
        };
        let changed = std::slice::from_ref(guides);
        let guides = GuideImages { changed, alpha: self.images.guides.alpha, ..GuideImages::default() };
        let images = Images { guides, ..self.images };
        let plain = balanced(&in_proportion, self.engine, images, self.memory_limit)?;
        let weighed = plain.timeline.into_iter().flat_map(|entry| entry.set.regions).flatten();
        for (region, weighed) in set.regions.iter_mut().flatten().zip(weighed) {
            region.style_layers = region.style_layers.take().or(weighed.style_layers);
        }
        Ok(())
    }
}
