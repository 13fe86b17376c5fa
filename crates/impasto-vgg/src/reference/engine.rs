//! The specification behind the boundary that every engine stands behind.

use std::sync::Arc;

use super::{Map, Network, matching, moment_gradient, moments};
use crate::engine::{
    Distance, Engine, EngineDescription, FeatureMap, Observation, ObservationGradients, Precision, Session,
    SessionRequest,
};
use crate::error::EngineError;
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
        Ok(8 * (maps + content + 2 * banks + 2 * gradient))
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
    /// What the last `forward` saw.
    maps: Option<Vec<Map>>,
}

impl ReferenceSession {
    /// The matched taps with their banks and matches.
    fn matched(&self) -> impl Iterator<Item = (&MatchedTap, (&Bank, &Matches))> {
        let pairs = self.banks.iter().flatten().zip(self.matches.iter().flatten());
        self.request.matched_taps.iter().zip(pairs)
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

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        self.maps = None;
        let content = match &self.content {
            Some(content) => content.as_slice(),
            None if self.request.content_taps.is_empty() => &[],
            None => return Err(EngineError::NO_CONTENT),
        };
        if self.matches.is_none() && !self.request.matched_taps.is_empty() {
            return Err(EngineError::NO_MATCHES);
        }
        let maps = self.run(image)?;
        let style = self.request.style_taps.iter();
        let moments = style.map(|&layer| moments(layer, &maps[layer.index()])).collect();
        let distances = self.request.content_taps.iter().zip(content).map(|(&layer, target)| {
            let features = &maps[layer.index()].values;
            let squares = features.iter().zip(&target.values).map(|(f, p)| (f - p) * (f - p));
            Distance { layer, elements: features.len() as u64, sum_of_squares: squares.sum() }
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
        let mut at_layers: Vec<Option<Map>> = vec![None; maps.len()];
        for (layer, by_moments) in self.request.style_taps.iter().zip(&gradients.moments) {
            at_layers[layer.index()] = Some(moment_gradient(&maps[layer.index()], by_moments));
        }
        let targets = self.content.iter().flatten();
        for ((layer, target), factor) in self.request.content_taps.iter().zip(targets).zip(&gradients.distances) {
            let map = &maps[layer.index()];
            let direct =
                at_layers[layer.index()].get_or_insert_with(|| Map::zeros(map.channels, map.height, map.width));
            for (index, element) in direct.values.iter_mut().enumerate() {
                *element += 2.0 * factor * (map.values[index] - target.values[index]);
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
