//! The specification behind the boundary that every engine stands behind.

use std::sync::Arc;

use super::{Map, Network, guides, matching, moment_gradient, moments};
use crate::engine::{
    Distance, Engine, EngineDescription, FeatureMap, MomentGradients, Moments, Observation, ObservationGradients,
    Precision, Session, SessionRequest,
};
use crate::error::EngineError;
use crate::guides::TapGuides;
use crate::layers::Layer;
use crate::matching::{Bank, MatchedDistance, MatchedTap, Matches};
use crate::weights::Weights;

/// The specification behind the engine boundary; slow, for tests and small pictures.
#[derive(Clone, Debug)]
pub struct ReferenceEngine {
    weights: Arc<Weights>,
}

impl ReferenceEngine {
    /// An engine with these weights.
    pub fn new(weights: Arc<Weights>) -> ReferenceEngine {
        ReferenceEngine { weights }
    }
}

impl Engine for ReferenceEngine {
    fn describe(&self) -> EngineDescription {
        EngineDescription {
            name: "reference".into(),
            isa: "portable".into(),
            threads: 1,
            has_bf16: false,
            gains_from_bf16: false,
            has_f16: false,
            has_own_memory: false,
            has_guides: true,
        }
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        let needed = self.session_bytes(request)?;
        request.check_memory(needed)?;
        let network = Network { weights: self.weights.clone(), pooling: request.pooling, border: request.border };
        Ok(Box::new(ReferenceSession {
            network,
            request: request.clone(),
            content: None,
            banks: None,
            matches: None,
            guides: None,
            emphasis: None,
            maps: None,
        }))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        request.check()?;
        // Every map, once more for the content image, and the gradient at its largest, twice.
        let elements = |layer: Layer| {
            let (height, width) = layer.map_size(request.height, request.width);
            (layer.channels() * height * width) as u64
        };
        let layers = || Layer::all().take_while(|&layer| Some(layer) <= request.deepest_tap());
        let maps: u64 = layers().map(elements).sum();
        let content: u64 = request.content_taps.iter().copied().map(elements).sum();
        let banks: u64 = request.matched_taps.iter().map(|tap| (tap.entries * tap.layer.channels()) as u64).sum();
        let gradient = layers().map(elements).max().unwrap_or(0);
        let positions = |layer: &Layer| elements(*layer) / layer.channels() as u64;
        let guides = request.guides.regions as u64 * request.style_taps.iter().map(positions).sum::<u64>();
        let emphasis = u64::from(request.guides.emphasis) * request.content_taps.iter().map(positions).sum::<u64>();
        Ok(8 * (maps + content + 2 * banks + 2 * gradient + guides + emphasis))
    }
}

struct ReferenceSession {
    network: Network,
    request: SessionRequest,
    /// The content image's maps at the content taps, in their order.
    content: Option<Vec<Map>>,
    /// The banks of the matched taps and what was matched to them, in their order.
    banks: Option<Vec<Bank>>,
    matches: Option<Vec<Matches>>,
    /// For each style tap and region, in the order of the moments.
    guides: Option<Vec<Vec<f64>>>,
    /// For each content tap.
    emphasis: Option<Vec<Vec<f64>>>,
    /// What the last `forward` saw.
    maps: Option<Vec<Map>>,
}

impl ReferenceSession {
    /// The matched taps with their banks and matches.
    fn matched(&self) -> impl Iterator<Item = (&MatchedTap, (&Bank, &Matches))> {
        let pairs = self.banks.iter().flatten().zip(self.matches.iter().flatten());
        self.request.matched_taps.iter().zip(pairs)
    }

    /// Checks that what `forward` needs has been given.
    fn check_order(&self) -> Result<(), EngineError> {
        let SessionRequest { content_taps, matched_taps, guides, .. } = &self.request;
        if self.content.is_none() && !content_taps.is_empty() {
            return Err(EngineError::NO_CONTENT);
        }
        if self.matches.is_none() && !matched_taps.is_empty() {
            return Err(EngineError::NO_MATCHES);
        }
        if self.guides.is_none() && guides.regions > 0 {
            return Err(EngineError::NO_MASKS);
        }
        if self.emphasis.is_none() && guides.emphasis {
            return Err(EngineError::NO_EMPHASIS);
        }
        Ok(())
    }

    /// The moments of each style tap, and of each of its regions where there are some.
    fn moments(&self, maps: &[Map]) -> Vec<Moments> {
        let map = |layer: Layer| &maps[layer.index()];
        match &self.guides {
            None => self.request.style_taps.iter().map(|&layer| moments(layer, map(layer))).collect(),
            Some(all) => {
                let places = self.request.moment_places().zip(all);
                places.map(|((layer, _), guide)| guides::moments(layer, map(layer), guide)).collect()
            }
        }
    }

    /// The derivative by the features of each layer of what its moments give.
    fn moment_gradients(&self, maps: &[Map], gradients: &[MomentGradients]) -> Vec<Option<Map>> {
        let mut at_layers: Vec<Option<Map>> = vec![None; maps.len()];
        for (place, ((layer, _), by_moments)) in self.request.moment_places().zip(gradients).enumerate() {
            let (map, direct) = (&maps[layer.index()], &mut at_layers[layer.index()]);
            match &self.guides {
                None => *direct = Some(moment_gradient(map, by_moments)),
                Some(all) => {
                    let direct = direct.get_or_insert_with(|| Map::zeros(map.channels, map.height, map.width));
                    guides::add_moment_gradient(map, &all[place], by_moments, direct);
                }
            }
        }
        at_layers
    }

    /// All maps that the taps need; none where there is no tap.
    fn run(&self, image: &[f32]) -> Result<Vec<Map>, EngineError> {
        self.request.check_picture(image)?;
        let SessionRequest { height, width, .. } = self.request;
        let deepest = self.request.deepest_tap();
        Ok(deepest.map_or(Vec::new(), |deepest| self.network.forward(image, height, width, deepest)))
    }
}

impl Session for ReferenceSession {
    fn request(&self) -> &SessionRequest {
        &self.request
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.maps = None;
        let maps = self.run(image)?;
        self.content = Some(self.request.content_taps.iter().map(|layer| maps[layer.index()].clone()).collect());
        Ok(())
    }

    fn sample(&mut self, image: &[f32]) -> Result<Vec<Bank>, EngineError> {
        self.maps = None;
        let maps = self.run(image)?;
        let layers = self.request.matched_taps.iter().map(|tap| tap.layer);
        Ok(layers.map(|layer| Bank { layer, features: matching::sample(&maps[layer.index()]) }).collect())
    }

    fn set_banks(&mut self, banks: &[Bank]) -> Result<(), EngineError> {
        MatchedTap::check_banks(&self.request.matched_taps, banks)?;
        (self.matches, self.maps) = (None, None);
        self.banks = Some(banks.to_vec());
        Ok(())
    }

    fn find_matches(&mut self, image: &[f32]) -> Result<Vec<Matches>, EngineError> {
        self.maps = None;
        let maps = self.run(image)?;
        let banks = self.banks.as_ref().ok_or(EngineError::NO_BANKS)?;
        let matches = banks.iter().map(|bank| matching::find_matches(&maps[bank.layer.index()], bank));
        Ok(self.matches.insert(matches.collect()).clone())
    }

    fn set_matches(&mut self, matches: &[Matches]) -> Result<(), EngineError> {
        let SessionRequest { height, width, .. } = self.request;
        MatchedTap::check_matches(&self.request.matched_taps, matches, height, width)?;
        self.banks.as_ref().ok_or(EngineError::NO_BANKS)?;
        self.maps = None;
        self.matches = Some(matches.to_vec());
        Ok(())
    }

    fn set_masks(&mut self, masks: &[f32]) -> Result<(), EngineError> {
        let guides = self.request.pool_masks(masks)?;
        self.set_guides(guides)?;
        // Once more, without a rounding at each pooling.
        let SessionRequest { height, width, .. } = self.request;
        let mask = |region: usize| &masks[region * height * width..][..height * width];
        let guides =
            self.request.moment_places().map(|(layer, region)| guides::brought_to(mask(region), height, width, layer));
        self.guides = Some(guides.collect());
        Ok(())
    }

    fn set_guides(&mut self, guides: Vec<TapGuides>) -> Result<(), EngineError> {
        self.request.check_guides(&guides)?;
        self.maps = None;
        let regions = self.request.guides.regions;
        let guides = guides.iter().flat_map(|TapGuides { values, .. }| values.chunks_exact(values.len() / regions));
        self.guides = Some(guides.map(|guide| guide.iter().copied().map(f64::from).collect()).collect());
        Ok(())
    }

    fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        self.request.check_emphasis(map)?;
        self.maps = None;
        let SessionRequest { height, width, .. } = self.request;
        let layers = self.request.content_taps.iter();
        self.emphasis = Some(layers.map(|&layer| guides::brought_to(map, height, width, layer)).collect());
        Ok(())
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        self.maps = None;
        self.check_order()?;
        let maps = self.run(image)?;
        let moments = self.moments(&maps);
        let targets = self.content.iter().flatten().enumerate();
        let distances = self.request.content_taps.iter().zip(targets).map(|(&layer, (tap, target))| {
            let map = &maps[layer.index()];
            let sum_of_squares = match &self.emphasis {
                Some(emphasis) => guides::distance(map, target, &emphasis[tap]),
                None => map.values.iter().zip(&target.values).map(|(f, p)| (f - p) * (f - p)).sum(),
            };
            Distance { layer, elements: map.values.len() as u64, sum_of_squares }
        });
        let distances = distances.collect();
        let matched = self.matched().map(|(tap, (bank, matches))| {
            let map = &maps[tap.layer.index()];
            let sum = matching::distance(map, tap, bank, matches);
            MatchedDistance { layer: tap.layer, positions: map.positions() as u64, sum }
        });
        let matched = matched.collect();
        self.maps = Some(maps);
        Ok(Observation { moments, distances, matched })
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        self.request.check_gradients(gradients, pixel_gradient)?;
        let maps = self.maps.as_ref().ok_or(EngineError::NO_FORWARD)?;
        if maps.is_empty() {
            pixel_gradient.fill(0.0);
            return Ok(());
        }
        let mut at_layers = self.moment_gradients(maps, &gradients.moments);
        let targets = self.content.iter().flatten().enumerate();
        for ((layer, (tap, target)), factor) in self.request.content_taps.iter().zip(targets).zip(&gradients.distances)
        {
            let emphasis = self.emphasis.as_ref().map(|emphasis| &emphasis[tap]);
            let map = &maps[layer.index()];
            let direct =
                at_layers[layer.index()].get_or_insert_with(|| Map::zeros(map.channels, map.height, map.width));
            for (index, element) in direct.values.iter_mut().enumerate() {
                let e = emphasis.map_or(1.0, |emphasis| emphasis[index % map.positions()]);
                *element += e * 2.0 * factor * (map.values[index] - target.values[index]);
            }
        }
        for ((tap, (bank, matches)), &weight) in self.matched().zip(&gradients.matched) {
            let map = &maps[tap.layer.index()];
            let direct =
                at_layers[tap.layer.index()].get_or_insert_with(|| Map::zeros(map.channels, map.height, map.width));
            matching::add_gradient(map, tap, bank, matches, weight, direct);
        }
        let gradient = self.network.backward(maps, &at_layers);
        pixel_gradient.iter_mut().zip(&gradient.values).for_each(|(out, &value)| *out = value as f32);
        Ok(())
    }

    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError> {
        self.maps = None;
        self.request.check_picture(image)?;
        let mut maps = self.network.forward(image, self.request.height, self.request.width, layer);
        let map = maps.pop().expect("the layer itself is among its maps");
        let values = map.values.iter().map(|&value| value as f32).collect();
        Ok(FeatureMap { layer, height: map.height, width: map.width, values })
    }

    fn set_precision(&mut self, _precision: Precision) {
        // f64 is the specification of every precision.
    }
}
