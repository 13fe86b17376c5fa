//! Banks, matches and samples of a walk.

use impasto_vgg::{Bank, EngineError, Layer, Matches};

use super::Walk;

impl Walk {
    /// Takes the banks of the matched taps, which have passed their check.
    pub fn set_banks(&mut self, banks: &[Bank]) -> Result<(), EngineError> {
        let device = &self.shared.device;
        self.matched.iter().zip(banks).try_for_each(|(tap, bank)| tap.set_bank(device, bank))
    }

    /// Holds matches that have passed their check.
    pub fn set_matches(&mut self, matches: &[Matches]) -> Result<(), EngineError> {
        let device = &self.shared.device;
        self.matched.iter_mut().zip(matches).try_for_each(|(tap, matches)| tap.set_matches(device, matches))
    }

    /// The features of `image` at the matched taps' samples.
    pub fn sample(&mut self, image: &[f32]) -> Result<Vec<Bank>, EngineError> {
        self.look(image, self.deepest_matched(), |seen, layer, features, rows| {
            let mut taps = seen.matched.iter().filter(|tap| tap.shape.layer == layer);
            taps.try_for_each(|tap| tap.sample(seen.pipelines, seen.recorder, features, rows.clone()))
        })?;
        self.matched.iter().map(|tap| tap.samples(&mut self.recorder, &self.readable)).collect()
    }

    /// Matches the features of `image`: their mean first, then each position's match. Where a map is kept in full height, it
    /// waits for that; others are computed once more.
    pub fn find_matches(&mut self, image: &[f32]) -> Result<Vec<Matches>, EngineError> {
        self.matched.iter().for_each(|tap| tap.clear_means(&mut self.recorder));
        self.look(image, self.deepest_matched(), |seen, layer, features, rows| {
            let mut taps = seen.matched.iter().filter(|tap| tap.shape.layer == layer);
            taps.try_for_each(|tap| tap.add_means(seen.pipelines, seen.recorder, features, rows.clone()))
        })?;
        let mut deepest_again = None;
        for tap in &mut self.matched {
            tap.finish_means(&self.shared.device, &mut self.recorder, &self.readable)?;
            match &self.maps[tap.shape.layer.index()].features {
                Some(features) if features.rows as usize == tap.shape.height => {
                    let rows = 0..tap.shape.height;
                    tap.find(&self.shared.pipelines, &mut self.recorder, features, rows)?;
                }
                _ => deepest_again = deepest_again.max(Some(tap.shape.layer)),
            }
        }
        self.look(image, deepest_again, |seen, layer, features, rows| {
            let taps = seen.matched.iter().filter(|tap| tap.shape.layer == layer);
            let mut taps = taps.filter(|tap| (features.rows as usize) < tap.shape.height);
            taps.try_for_each(|tap| tap.find(seen.pipelines, seen.recorder, features, rows.clone()))
        })?;
        self.matched.iter().map(|tap| tap.matches(&mut self.recorder, &self.readable)).collect()
    }

    fn deepest_matched(&self) -> Option<Layer> {
        self.request.matched_taps.iter().map(|tap| tap.layer).max()
    }
}
