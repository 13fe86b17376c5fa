//! Matched features: each position of a picture is drawn to its nearest among the positions of a painting.
//!
//! A *bank* is a list of features B_j (`[entries, channels]`) of one layer. With F_i the picture's features at position i, m
//! their mean over all positions and b the mean of the bank's entries, a position's *match* is
//!
//! ```text
//!   n(i) = argmax_j cos(F_i - m, B_j - b)          the first of equal ones
//! ```
//!
//! Matches are found once and held for some evaluations, m with them: m is the *centre*. What an evaluation sees of them is
//! a distance of each tap, and the loss that it goes into moves the features along its derivative:
//!
//! ```text
//!   D = sum_i [1 - cos(f_i, v_n(i))]       dD/dF_i = -(v - cos(f_i, v) f_i / |f_i|) / |f_i|,  v of length 1
//!
//!   centred:     f_i = F_i - m   v_j = (B_j - b) / |B_j - b|
//!   as it is:    f_i = F_i       v_j = B_j / |B_j|
//! ```
//!
//! Where f_i is no longer than [`LEAST_NORM`] there is no direction: its cosine is 0, and nothing moves it. A bank's entry
//! without length has the cosine 0 with everything.
//!
//! Neural Neighbor Style Transfer (Kolkin et al., 2022) matches centred features in all of its passes. In the last one, which
//! takes layers one by one as here, the loss is centred too, with the mean of every single evaluation where here it is the
//! match's; in those before, which join all layers in one column, it is not.

use crate::error::EngineError;
use crate::layers::Layer;

/// Lengths up to this have no direction. Features are of the order of 1 to 1000.
pub const LEAST_NORM: f64 = 1e-4;

/// Rows, and columns, of a layer's map that [`crate::Session::sample`] looks at, at most.
pub const SAMPLES_A_SIDE: usize = 64;

/// A layer at which features are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchedTap {
    /// The layer.
    pub layer: Layer,
    /// Entries of its bank, at least 1.
    pub entries: usize,
    /// Whether the distance is one of centred features.
    pub centred: bool,
}

/// Features of one layer that a picture's are matched to.
#[derive(Clone, Debug, PartialEq)]
pub struct Bank {
    /// The layer.
    pub layer: Layer,
    /// `[entries, channels]`.
    pub features: Vec<f32>,
}

/// What each position of one layer was matched to.
#[derive(Clone, Debug, PartialEq)]
pub struct Matches {
    /// The layer.
    pub layer: Layer,
    /// `[channels]`: the mean of the picture's features when they were matched.
    pub centre: Vec<f32>,
    /// `[positions]`, row by row: entries of the bank.
    pub indices: Vec<u32>,
}

/// How far one layer's features are from what they were matched to.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchedDistance {
    /// The layer.
    pub layer: Layer,
    /// Positions that were summed over.
    pub positions: u64,
    /// Sum over positions of 1 - cos(f_i, v_n(i)).
    pub sum: f64,
}

/// Rows (or columns) of a map of `length` of them that are sampled: all, or [`SAMPLES_A_SIDE`] spread evenly, each in the
/// middle of its share.
pub fn sampled(length: usize) -> impl Iterator<Item = usize> + Clone {
    let count = length.min(SAMPLES_A_SIDE);
    (0..count).map(move |place| (2 * place + 1) * length / (2 * count))
}

impl MatchedTap {
    /// Positions that [`crate::Session::sample`] takes of a layer of a picture of this size.
    #[must_use]
    pub fn samples(layer: Layer, height: usize, width: usize) -> usize {
        let (height, width) = layer.map_size(height, width);
        height.min(SAMPLES_A_SIDE) * width.min(SAMPLES_A_SIDE)
    }

    /// Checks a request's taps.
    ///
    /// # Errors
    /// No entries, or more than a `u32` counts.
    pub fn check(&self) -> Result<(), EngineError> {
        match self.entries {
            0 => Err(EngineError::Request(format!("the bank at {} has no entries; give 1 or more", self.layer))),
            entries if u32::try_from(entries).is_err() => Err(EngineError::Request(format!(
                "the bank at {} has {entries} entries; give at most {}",
                self.layer,
                u32::MAX
            ))),
            _ => Ok(()),
        }
    }

    /// Checks the banks of a session with these taps.
    ///
    /// # Errors
    /// Other layers than the taps', or in another order; banks of another length; a value that is not finite.
    pub fn check_banks(taps: &[MatchedTap], banks: &[Bank]) -> Result<(), EngineError> {
        same_layers(taps, banks.iter().map(|bank| bank.layer))?;
        for (tap, bank) in taps.iter().zip(banks) {
            let wanted = tap.entries.saturating_mul(tap.layer.channels());
            if bank.features.len() != wanted {
                return Err(EngineError::Request(format!(
                    "the bank at {} has {} values and {wanted} were asked for; pass [entries, channels]",
                    tap.layer,
                    bank.features.len()
                )));
            }
            if !bank.features.iter().all(|value| value.is_finite()) {
                return Err(EngineError::Request(format!(
                    "the bank at {} holds a value that is no finite number; give another style image or other weights",
                    tap.layer
                )));
            }
        }
        Ok(())
    }

    /// Checks the matches that a session with these taps is given, for pictures of this size.
    ///
    /// # Errors
    /// Other layers than the taps', or in another order; centres and indices of another length; an index beyond its bank.
    pub fn check_matches(
        taps: &[MatchedTap],
        matches: &[Matches],
        height: usize,
        width: usize,
    ) -> Result<(), EngineError> {
        same_layers(taps, matches.iter().map(|matches| matches.layer))?;
        for (tap, matches) in taps.iter().zip(matches) {
            let (height, width) = tap.layer.map_size(height, width);
            let (channels, positions) = (tap.layer.channels(), height * width);
            if (matches.centre.len(), matches.indices.len()) != (channels, positions) {
                return Err(EngineError::Request(format!(
                    "the matches at {} have {} and {} values; give {channels} for the centre and {positions} for the positions",
                    tap.layer,
                    matches.centre.len(),
                    matches.indices.len()
                )));
            }
            if let Some(beyond) = matches.indices.iter().find(|&&index| index as usize >= tap.entries) {
                return Err(EngineError::Request(format!(
                    "a match at {} is entry {beyond} of a bank of {}; match again",
                    tap.layer, tap.entries
                )));
            }
        }
        Ok(())
    }
}

fn same_layers(taps: &[MatchedTap], layers: impl ExactSizeIterator<Item = Layer>) -> Result<(), EngineError> {
    if layers.len() == taps.len() && taps.iter().map(|tap| tap.layer).eq(layers) {
        return Ok(());
    }
    Err(EngineError::Request("one is needed for each matched tap of the request, in the same order".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_evenly_within_the_map() {
        assert_eq!(sampled(5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(sampled(64).collect::<Vec<_>>(), (0..64).collect::<Vec<_>>());
        assert_eq!(sampled(128).take(3).collect::<Vec<_>>(), [1, 3, 5]);
        for length in [65, 100, 127, 1000, 1 << 18] {
            let places: Vec<usize> = sampled(length).collect();
            assert_eq!(places.len(), SAMPLES_A_SIDE);
            let steps = || places.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(steps().min().unwrap() + 1 >= steps().max().unwrap(), "{length}");
            // As far from one edge as from the other.
            assert!((places[0] as i64 - (length - 1 - places[63]) as i64).abs() <= 1, "{length}");
        }
    }
}
