//! Matched features, as [`crate::matching`] defines them: loops only.

use super::Map;
use crate::matching::{Bank, LEAST_NORM, MatchedTap, Matches, sampled};

/// The features of a layer at the positions that are sampled, row by row: `[samples, channels]`.
pub fn sample(map: &Map) -> Vec<f32> {
    let mut features = Vec::new();
    for y in sampled(map.height) {
        for x in sampled(map.width) {
            features.extend((0..map.channels).map(|channel| map.at(channel, y, x) as f32));
        }
    }
    features
}

/// The match of each position of a map.
pub fn find_matches(map: &Map, bank: &Bank) -> Matches {
    let positions = map.positions() as f64;
    let mean = |channel| (map.channel(channel).iter().sum::<f64>() / positions) as f32;
    let centre: Vec<f32> = (0..map.channels).map(mean).collect();
    let directions = directions(bank, map.channels, true);
    let nearest = |position| {
        let feature = feature(map, position, Some(&centre));
        let mut best = (f64::NEG_INFINITY, 0);
        for (entry, direction) in directions.iter().enumerate() {
            let score = dot(&feature, direction);
            if score > best.0 {
                best = (score, entry as u32);
            }
        }
        best.1
    };
    let indices = (0..map.positions()).map(nearest).collect();
    Matches { layer: bank.layer, centre, indices }
}

/// The cosine of a centred position with a centred entry, for tests that ask how near two entries come.
pub fn cosine(map: &Map, position: usize, bank: &Bank, centre: &[f32], entry: usize) -> f64 {
    let feature = feature(map, position, Some(centre));
    dot(&feature, &directions(bank, map.channels, true)[entry]) / length(&feature)
}

/// D: the sum of 1 - cos over all positions.
pub fn distance(map: &Map, tap: &MatchedTap, bank: &Bank, matches: &Matches) -> f64 {
    let directions = directions(bank, map.channels, tap.centred);
    let mut sum = 0.0;
    for (position, &entry) in matches.indices.iter().enumerate() {
        let feature = feature(map, position, tap.centred.then_some(&matches.centre[..]));
        let norm = length(&feature);
        let cosine = if norm > LEAST_NORM { dot(&feature, &directions[entry as usize]) / norm } else { 0.0 };
        sum += 1.0 - cosine;
    }
    sum
}

/// `weight` times dD/dF, added to `gradient`.
pub fn add_gradient(map: &Map, tap: &MatchedTap, bank: &Bank, matches: &Matches, weight: f64, gradient: &mut Map) {
    let directions = directions(bank, map.channels, tap.centred);
    for (position, &entry) in matches.indices.iter().enumerate() {
        let feature = feature(map, position, tap.centred.then_some(&matches.centre[..]));
        let (norm, direction) = (length(&feature), &directions[entry as usize]);
        if norm <= LEAST_NORM {
            continue;
        }
        let cosine = dot(&feature, direction) / norm;
        for channel in 0..map.channels {
            let slope = -(direction[channel] - cosine * feature[channel] / norm) / norm;
            gradient.values[channel * map.positions() + position] += weight * slope;
        }
    }
}

/// The features at one position, less the centre where there is one.
fn feature(map: &Map, position: usize, centre: Option<&[f32]>) -> Vec<f64> {
    let centre = |channel: usize| centre.map_or(0.0, |centre| f64::from(centre[channel]));
    (0..map.channels).map(|channel| map.channel(channel)[position] - centre(channel)).collect()
}

/// The bank's entries, less their mean where they are centred, each of length 1 (or 0).
fn directions(bank: &Bank, channels: usize, centred: bool) -> Vec<Vec<f64>> {
    let entries: Vec<&[f32]> = bank.features.chunks_exact(channels).collect();
    let mean = |channel: usize| {
        let sum: f64 = entries.iter().map(|entry| f64::from(entry[channel])).sum();
        if centred { sum / entries.len() as f64 } else { 0.0 }
    };
    let mean: Vec<f64> = (0..channels).map(mean).collect();
    let direction = |entry: &&[f32]| {
        let mut values: Vec<f64> = entry.iter().zip(&mean).map(|(&value, mean)| f64::from(value) - mean).collect();
        let norm = length(&values);
        let factor = if norm > LEAST_NORM { 1.0 / norm } else { 0.0 };
        values.iter_mut().for_each(|value| *value *= factor);
        values
    };
    entries.iter().map(direction).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn length(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}
