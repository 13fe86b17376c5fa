//! The taps of a session: what they see of the features, and what they give to the gradient.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::FeatureRows;
use super::distance::ContentTarget;
use super::guides::{Guide, RegionGuides};
use super::injection::{ContentPull, Injection, MomentPanel, MomentPull, inject};
use super::isa::InstructionSet;
use super::matching::MatchedFeatures;
use super::moments::MomentSums;
use crate::engine::{Distance, FeatureMap, Moments, Observation, ObservationGradients, Precision, SessionRequest};
use crate::guides::{TapGuides, pooled};
use crate::layers::Layer;

/// All taps of a request, in its order.
#[derive(Debug)]
pub struct Taps {
    set: InstructionSet,
    style: Vec<StyleTap>,
    content: Vec<ContentTap>,
    matched: Vec<MatchedFeatures>,
}

#[derive(Debug)]
struct StyleTap {
    layer: Layer,
    height: usize,
    width: usize,
    /// `None` where there are no regions, or none yet.
    guides: Option<RegionGuides>,
    /// By region; one where there are none.
    regions: Vec<RegionTap>,
}

/// The moments of one region, and their way back.
#[derive(Debug)]
struct RegionTap {
    sums: MomentSums,
    panel: MomentPanel,
}

impl StyleTap {
    /// The regions with their guides.
    fn regions(&self) -> impl Iterator<Item = (&RegionTap, Option<Guide<'_>>)> {
        let guide = |region| self.guides.as_ref().map(|guides| guides.region(region));
        self.regions.iter().enumerate().map(move |(region, tap)| (tap, guide(region)))
    }

    /// As [`StyleTap::regions`].
    fn regions_mut(&mut self) -> impl IndexedParallelIterator<Item = (&mut RegionTap, Option<Guide<'_>>)> {
        let guides = &self.guides;
        let guide = move |region| guides.as_ref().map(|guides| guides.region(region));
        self.regions.par_iter_mut().enumerate().map(move |(region, tap)| (tap, guide(region)))
    }

    /// The moments of each region; the sums are spent. Runs on the current rayon pool.
    fn moments(&mut self) -> Vec<Moments> {
        let (layer, positions) = (self.layer, self.positions());
        let of_all = positions as f64;
        let regions = self.regions_mut();
        let moments = |(region, guide): (&mut RegionTap, Option<Guide<'_>>)| {
            region.sums.finish(layer, positions, guide.map_or(of_all, |guide| guide.sum))
        };
        regions.map(moments).collect()
    }

    fn positions(&self) -> u64 {
        (self.height * self.width) as u64
    }
}

#[derive(Debug)]
struct ContentTap {
    layer: Layer,
    elements: u64,
    target: ContentTarget,
    twice_weight: f32,
}

/// Bytes that the style and content taps of a request take.
pub fn bytes(request: &SessionRequest) -> u64 {
    let style = request.style_taps.iter().map(|layer| {
        let (channels, (height, width)) = (layer.channels(), layer.map_size(request.height, request.width));
        let of_moments = MomentSums::bytes(channels) + MomentPanel::bytes(channels);
        let of_guides = RegionGuides::bytes(request.guides.regions, height, width);
        request.guides.moments_a_tap() as u64 * of_moments + of_guides
    });
    let content = request.content_taps.iter().map(|layer| {
        let (height, width) = layer.map_size(request.height, request.width);
        let emphasis = if request.guides.emphasis { height * width * size_of::<f32>() } else { 0 };
        FeatureRows::bytes(layer.channels(), height, width, height) + emphasis as u64
    });
    style.sum::<u64>() + content.sum::<u64>()
}

impl Taps {
    /// The taps of a request, all sums and targets zero.
    pub fn new(set: InstructionSet, request: &SessionRequest) -> Taps {
        let size = |layer: Layer| layer.map_size(request.height, request.width);
        let style = request.style_taps.iter().map(|&layer| {
            let (height, width) = size(layer);
            let region = |_| RegionTap {
                sums: MomentSums::new(layer.channels()),
                panel: MomentPanel::new(set, layer.channels()),
            };
            let regions = (0..request.guides.moments_a_tap()).map(region).collect();
            StyleTap { layer, height, width, guides: None, regions }
        });
        let content = request.content_taps.iter().map(|&layer| {
            let (height, width) = size(layer);
            ContentTap {
                layer,
                elements: (layer.channels() * height * width) as u64,
                target: ContentTarget::new(layer.channels(), height, width),
                twice_weight: 0.0,
            }
        });
        let matched = request.matched_taps.iter().map(|&tap| MatchedFeatures::new(set, request, tap));
        Taps { set, style: style.collect(), content: content.collect(), matched: matched.collect() }
    }

    /// Starts all sums again from nothing. Runs on the current rayon pool.
    pub fn clear(&mut self) {
        for region in self.style.iter_mut().flat_map(|tap| &mut tap.regions) {
            region.sums.clear();
        }
    }

    /// Takes rows of a layer's features in.
    pub fn observe(&mut self, layer: Layer, features: &FeatureRows, rows: Range<usize>) {
        for tap in self.style.iter_mut().filter(|tap| tap.layer == layer) {
            let set = self.set;
            tap.regions_mut().for_each(|(region, guide)| region.sums.add(set, features, guide, rows.clone()));
        }
        for tap in self.content.iter_mut().filter(|tap| tap.layer == layer) {
            tap.target.add(self.set, features, rows.clone());
        }
        for tap in self.matched.iter_mut().filter(|matched| matched.tap().layer == layer) {
            tap.observe(self.set, features, rows.clone());
        }
    }

    /// Takes rows of a layer's features in as the content image's.
    pub fn set_content(&mut self, layer: Layer, features: &FeatureRows, rows: Range<usize>) {
        for tap in self.content.iter_mut().filter(|tap| tap.layer == layer) {
            tap.target.set(features, rows.clone());
        }
    }

    /// Takes guides that have passed their check.
    pub fn set_guides(&mut self, guides: Vec<TapGuides>) {
        for (tap, TapGuides { values, .. }) in self.style.iter_mut().zip(guides) {
            tap.guides = Some(RegionGuides::new(tap.regions.len(), tap.height, tap.width, values));
        }
    }

    /// Takes an emphasis `[height, width]` over the picture that has passed its check.
    pub fn set_emphasis(&mut self, map: &[f32], height: usize, width: usize) {
        for tap in &mut self.content {
            tap.target.emphasis = Some(pooled(map, height, width, tap.layer));
        }
    }

    /// What has been observed; the sums are spent. Runs on the current rayon pool.
    pub fn observation(&mut self) -> Observation {
        let distance = |tap: &ContentTap| Distance {
            layer: tap.layer,
            elements: tap.elements,
            sum_of_squares: tap.target.sum_of_squares(),
        };
        Observation {
            moments: self.style.iter_mut().flat_map(StyleTap::moments).collect(),
            distances: self.content.iter().map(distance).collect(),
            matched: self.matched.iter().map(MatchedFeatures::distance).collect(),
        }
    }

    /// Takes the derivatives in that [`Taps::inject`] works with, and the precision of its products. Runs on the current
    /// rayon pool.
    pub fn set_gradients(&mut self, gradients: &ObservationGradients, precision: Precision) {
        let mut by_moments = gradients.moments.as_slice();
        for tap in &mut self.style {
            let (of_tap, rest) = by_moments.split_at(tap.regions.len());
            by_moments = rest;
            let of_all = tap.positions() as f64;
            tap.regions_mut().zip(of_tap).for_each(|((region, guide), by_moments)| {
                region.panel.fill(by_moments, guide.map_or(of_all, |guide| guide.sum), precision);
            });
        }
        for (tap, by_distance) in self.content.iter_mut().zip(&gradients.distances) {
            tap.twice_weight = (2.0 * by_distance) as f32;
        }
        for (tap, &by_distance) in self.matched.iter_mut().zip(&gradients.matched) {
            tap.set_weight(by_distance);
        }
    }

    /// Sets rows of a layer's gradient to what its taps give.
    pub fn inject(&self, layer: Layer, features: &FeatureRows, gradient: &mut FeatureRows, rows: Range<usize>) {
        let style = self.style.iter().find(|tap| tap.layer == layer);
        let content = self.content.iter().find(|tap| tap.layer == layer);
        let regions = style.into_iter().flat_map(StyleTap::regions);
        let moments: Vec<MomentPull<'_>> =
            regions.map(|(region, guide)| MomentPull { panel: &region.panel, guide }).collect();
        let content = content.map(|tap| ContentPull {
            target: &tap.target.map,
            twice_weight: tap.twice_weight,
            emphasis: tap.target.emphasis.as_deref(),
        });
        let injection = Injection { moments: &moments, content };
        let is_first = moments.is_empty() && content.is_none();
        if !is_first {
            inject(self.set, injection, features, gradient, rows.clone());
        }
        if let Some(tap) = self.matched.iter().find(|matched| matched.tap().layer == layer) {
            tap.inject(self.set, features, gradient, rows, is_first);
        }
    }

    /// The matched tap at a layer.
    pub fn matched(&mut self, layer: Layer) -> Option<&mut MatchedFeatures> {
        self.matched.iter_mut().find(|matched| matched.tap().layer == layer)
    }

    /// All matched taps, in the request's order.
    pub fn all_matched(&mut self) -> &mut [MatchedFeatures] {
        &mut self.matched
    }

    /// The content features of the first content tap, as planes.
    pub fn content_map(&self) -> Option<FeatureMap> {
        let ContentTap { layer, target, .. } = self.content.first()?;
        let map = &target.map;
        let (height, width) = (map.height(), map.width());
        let mut values = Vec::with_capacity(map.channels() * height * width);
        for (block, lane) in (0..map.blocks()).flat_map(|block| (0..super::isa::LANES).map(move |lane| (block, lane))) {
            for y in 0..height {
                values.extend(map.row(block, y).iter().map(|line| line.0[lane]));
            }
        }
        Some(FeatureMap { layer: *layer, height, width, values })
    }
}
