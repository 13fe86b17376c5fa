//! The taps of a session: what they see of the features, and what they give to the gradient.

use std::ops::Range;

use super::buffer::FeatureRows;
use super::distance::ContentTarget;
use super::injection::{ContentPull, Injection, MomentPanel, inject};
use super::isa::InstructionSet;
use super::matching::MatchedFeatures;
use super::moments::MomentSums;
use crate::engine::{Distance, FeatureMap, Observation, ObservationGradients, Precision, SessionRequest};
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
    positions: u64,
    sums: MomentSums,
    panel: MomentPanel,
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
        let channels = layer.channels();
        MomentSums::bytes(channels) + MomentPanel::bytes(channels)
    });
    let content = request.content_taps.iter().map(|layer| {
        let (height, width) = layer.map_size(request.height, request.width);
        FeatureRows::bytes(layer.channels(), height, width, height)
    });
    style.sum::<u64>() + content.sum::<u64>()
}

impl Taps {
    /// The taps of a request, all sums and targets zero.
    pub fn new(set: InstructionSet, request: &SessionRequest) -> Taps {
        let size = |layer: Layer| layer.map_size(request.height, request.width);
        let style = request.style_taps.iter().map(|&layer| {
            let (height, width) = size(layer);
            StyleTap {
                layer,
                positions: (height * width) as u64,
                sums: MomentSums::new(layer.channels()),
                panel: MomentPanel::new(set, layer.channels()),
            }
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
        self.style.iter_mut().for_each(|tap| tap.sums.clear());
    }

    /// Takes rows of a layer's features in.
    pub fn observe(&mut self, layer: Layer, features: &FeatureRows, rows: Range<usize>) {
        for tap in self.style.iter_mut().filter(|tap| tap.layer == layer) {
            tap.sums.add(self.set, features, rows.clone());
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

    /// What has been observed; the sums are spent. Runs on the current rayon pool.
    pub fn observation(&mut self) -> Observation {
        let distance = |tap: &ContentTap| Distance {
            layer: tap.layer,
            elements: tap.elements,
            sum_of_squares: tap.target.sum_of_squares(),
        };
        Observation {
            moments: self.style.iter_mut().map(|tap| tap.sums.finish(tap.layer, tap.positions)).collect(),
            distances: self.content.iter().map(distance).collect(),
            matched: self.matched.iter().map(MatchedFeatures::distance).collect(),
        }
    }

    /// Takes the derivatives in that [`Taps::inject`] works with, and the precision of its products. Runs on the current
    /// rayon pool.
    pub fn set_gradients(&mut self, gradients: &ObservationGradients, precision: Precision) {
        for (tap, by_moments) in self.style.iter_mut().zip(&gradients.moments) {
            tap.panel.fill(by_moments, tap.positions, precision);
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
        let injection = Injection {
            panel: style.map(|tap| &tap.panel),
            content: content.map(|tap| ContentPull { target: &tap.target.map, twice_weight: tap.twice_weight }),
        };
        let is_first = injection.panel.is_none() && injection.content.is_none();
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
