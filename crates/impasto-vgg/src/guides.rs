//! Guides: which positions of a layer count, and how much.
//!
//! A *region* has a *mask* over the picture, values in 0..1. At a layer the mask becomes a *guide* t, a value a position: the
//! mask pooled by averages exactly where the network pools (2x2, stride 2, an odd last row or column over what is in
//! bounds), whatever the pooling of the features. A session with regions has moments for each style tap and each region:
//!
//! ```text
//!   second_r = sum_i t_i F_i F_i^T / sum_i t_i     mean_r = sum_i t_i F_i / sum_i t_i
//!   d loss / dF_i = sum_r t_i / sum_i t_i [ d loss / d mean_r + 2 d loss / d second_r F_i ]
//! ```
//!
//! They are linear in t: what regions share that add up to 1 everywhere, weighted by their sums, is the moments of all
//! positions. A guide that is 1 everywhere gives the bytes that no guide gives. (Gatys et al., "Controlling Perceptual
//! Factors in Neural Style Transfer", 2017, has the same with the squares of its guides.)
//!
//! An *emphasis* is one map over the picture, values in 0..1, brought to each content tap in the same way: e. Distances are
//! then sum_i e_i |F_i - P_i|^2. Nothing is divided by the sum of e, so that an emphasis of 1 everywhere is the distance as it
//! is, and one of 1 in a part leaves that part's pull as it is.

pub use crate::error::GuideKind;

use crate::error::EngineError;
use crate::layers::Layer;

/// Regions that a session has at most.
pub const REGION_LIMIT: usize = 256;

/// A guide whose sum is no more than this sees nothing: what is divided by it would leave f32's range on its way back. (One
/// pixel of 1/65535, pooled four times, is 6e-8.)
pub const LEAST_SUM: f64 = 1e-12;

/// The guides that a session is opened for; what they are comes later, and may change between evaluations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guides {
    /// Regions of the style taps, at most [`REGION_LIMIT`]; 0 for moments over all positions.
    pub regions: usize,
    /// Whether the content taps' distances are weighted by an emphasis.
    pub emphasis: bool,
}

/// What guides one style tap.
#[derive(Clone, Debug, PartialEq)]
pub struct TapGuides {
    /// The layer.
    pub layer: Layer,
    /// `[regions, height, width]` of the layer's map, each value in 0..1.
    pub values: Vec<f32>,
}

/// A map `[height, width]` over the picture, brought to a layer: pooled by averages where the network pools.
#[must_use]
pub fn pooled(map: &[f32], height: usize, width: usize, layer: Layer) -> Vec<f32> {
    let (mut map, mut height, mut width) = (map.to_vec(), height, width);
    for _ in 0..layer.info().halvings {
        map = halved(&map, height, width);
        (height, width) = (height.div_ceil(2), width.div_ceil(2));
    }
    map
}

/// A map after one pooling.
fn halved(map: &[f32], height: usize, width: usize) -> Vec<f32> {
    let mut halved = Vec::with_capacity(height.div_ceil(2) * width.div_ceil(2));
    for y in (0..height).step_by(2) {
        let rows = y..(y + 2).min(height);
        for x in (0..width).step_by(2) {
            let columns = x..(x + 2).min(width);
            let mut sum = 0.0;
            for y in rows.clone() {
                map[y * width..][columns.clone()].iter().for_each(|&value| sum += f64::from(value));
            }
            halved.push((sum / (rows.len() * columns.len()) as f64) as f32);
        }
    }
    halved
}

/// The sum of a guide: what its region's moments are divided by.
#[must_use]
pub fn guide_sum(guide: &[f32]) -> f64 {
    guide.iter().map(|&value| f64::from(value)).sum()
}

impl Guides {
    /// Moments of each style tap: one a region, or one over all positions.
    #[must_use]
    pub fn moments_a_tap(self) -> usize {
        self.regions.max(1)
    }

    /// Checks a request's guides.
    ///
    /// # Errors
    /// More regions than [`REGION_LIMIT`].
    pub(crate) fn check(self) -> Result<(), EngineError> {
        if self.regions <= REGION_LIMIT {
            return Ok(());
        }
        Err(EngineError::Request(format!("{} regions are too many; give at most {REGION_LIMIT}", self.regions)))
    }
}

/// Of moments (or what comes for each) in the order of [`crate::SessionRequest::moment_places`], those of one region, one for each style tap.
pub fn moments_of_region<M>(moments: &[M], guides: Guides, region: usize) -> impl Iterator<Item = &M> {
    moments.iter().skip(region).step_by(guides.moments_a_tap())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_last_row_or_column_is_pooled_over_what_is_in_bounds() {
        let map: Vec<f32> = [1.0, 0.0, 0.5, 0.0, 0.0, 1.0, 0.25, 0.75, 0.5].to_vec();
        let layer = |name| Layer::named(name).unwrap();
        assert_eq!(pooled(&map, 3, 3, layer("conv1_2")), map);
        assert_eq!(pooled(&map, 3, 3, layer("conv2_1")), [0.25, 0.75, 0.5, 0.5]);
        assert_eq!(pooled(&map, 3, 3, layer("pool2")), [0.5]);
        assert_eq!(pooled(&[1.0], 1, 1, layer("pool5")), [1.0]);
        // A column, and a row: windows of two.
        assert_eq!(pooled(&[1.0, 0.0, 0.5], 3, 1, layer("pool1")), [0.5, 0.5]);
        assert_eq!(pooled(&[1.0, 0.0, 0.5], 1, 3, layer("pool1")), [0.5, 0.5]);
    }

    #[test]
    fn ones_stay_ones_at_every_size() {
        for (height, width) in [(1, 1), (3, 5), (37, 45), (64, 48)] {
            let deepest = Layer::all().next_back().unwrap();
            assert!(pooled(&vec![1.0; height * width], height, width, deepest).iter().all(|&value| value == 1.0));
        }
    }
}
