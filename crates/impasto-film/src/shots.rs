//! Where a shot ends: between two frames of which the one cannot be told from the other by movement.

use std::ops::Range;
use std::path::PathBuf;

use impasto::picture::Picture;
use impasto::picture::resize::long_edge_size;
use impasto::read::ReadLimits;
use impasto_flow::warp;
use impasto_job::Failure;
use serde::{Deserialize, Serialize};

use crate::frames::{Frame, flow_failure, read_frame};

/// Frames are compared at this long edge, in pixels.
const LONG_EDGE_PX: usize = 96;

/// A pixel is explained where its luminance, carried along, is off by no more than this, of 255.
const TOLERANCE: f32 = 24.0;

/// Where less of a frame is explained by the one before, there is a cut between them.
const EXPLAINED: f64 = 0.4;

/// Frames from one cut to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// Its first frame, counted from 0.
    pub first: usize,
    /// How many it has.
    pub frames: usize,
    /// What the temporal loss counts for in it; follows from the loss of its first frame once that is painted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

impl Shot {
    /// Its frames among those of the film.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.first..self.first.saturating_add(self.frames)
    }
}

/// The shots of these frames, each of which is looked at; with `looks_for_cuts` false all are one shot. `looked` hears of each how many
/// were looked at, and may end it.
///
/// # Errors
/// A frame that cannot be read, or has another size than those before it; what `looked` says.
pub fn find_shots(
    frames: &[PathBuf],
    limits: &ReadLimits,
    looks_for_cuts: bool,
    looked: &mut dyn FnMut(usize) -> Result<(), Failure>,
) -> Result<Vec<Shot>, Failure> {
    let (mut cuts, mut before, mut size) = (Vec::new(), None::<Frame>, None);
    for (place, path) in frames.iter().enumerate() {
        let picture = read_frame(path, limits)?;
        let of_this = (picture.width, picture.height);
        if *size.get_or_insert(of_this) != of_this {
            return Err(Failure::file(
                path,
                format_args!(
                    "has {} x {} pixels, unlike the frames before it; bring all to one size",
                    of_this.0, of_this.1
                ),
            ));
        }
        if looks_for_cuts {
            let after = small(&picture)?;
            if let Some(before) = &before
                && is_cut(explained(before, &after)?)
            {
                cuts.push(place);
            }
            before = Some(after);
        }
        looked(place + 1)?;
    }
    Ok(shots_between(&cuts, frames.len()))
}

/// A small copy of a frame, to be compared.
pub fn small(picture: &Picture) -> Result<Frame, Failure> {
    let edge = LONG_EDGE_PX.min(picture.long_edge());
    let (width, height) = long_edge_size(picture.width, picture.height, edge);
    Frame::of(picture.resized(width, height).map_err(Failure::failed)?)
}

/// The share of a frame that movement explains by the one before it, 0..1.
///
/// # Errors
/// Frames of two sizes.
pub fn explained(before: &Frame, after: &Frame) -> Result<f64, Failure> {
    let movement = after.movement_since(before)?;
    let (width, height) = (after.luminance.width, after.luminance.height);
    let carried = warp(&before.luminance.values, width, height, &movement.back).map_err(flow_failure)?;
    let pixels = carried.iter().zip(&after.luminance.values).zip(&movement.weights);
    let is_explained =
        |((carried, value), weight): &((&f32, &f32), &f32)| **weight > 0.0 && (*carried - *value).abs() <= TOLERANCE;
    Ok(pixels.filter(is_explained).count() as f64 / (width * height) as f64)
}

/// The shots of so many frames with cuts before these, which ascend.
#[must_use]
pub fn shots_between(cuts: &[usize], frames: usize) -> Vec<Shot> {
    let inside = cuts.iter().copied().filter(|&cut| 0 < cut && cut < frames);
    let firsts: Vec<usize> = std::iter::once(0).chain(inside).collect();
    let ends = firsts.iter().copied().skip(1).chain([frames]);
    firsts.iter().zip(ends).map(|(&first, end)| Shot { first, frames: end - first, weight: None }).collect()
}

/// Whether so little is explained that there is a cut.
#[must_use]
pub fn is_cut(explained: f64) -> bool {
    explained < EXPLAINED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves(shift: f32, slope: f32, base: f32) -> Frame {
        let colour = |place: usize| {
            let (x, y) = ((place % 64) as f32 + shift, (place / 64) as f32);
            base + 50.0 * (0.35 * x + slope * y).sin() + 40.0 * (0.2 * y - slope * x).cos()
        };
        let plane: Vec<f32> = (0..64 * 48).map(colour).collect();
        Frame::of(Picture::new(64, 48, [plane.clone(), plane.clone(), plane].concat()).unwrap()).unwrap()
    }

    #[test]
    fn movement_is_no_cut_and_another_picture_is() {
        let before = waves(0.0, 0.3, 120.0);
        assert!(!is_cut(explained(&before, &waves(2.5, 0.3, 120.0)).unwrap()));
        assert!(!is_cut(explained(&before, &before).unwrap()));
        assert!(is_cut(explained(&before, &waves(31.0, -1.7, 90.0)).unwrap()));
    }

    #[test]
    fn shots_lie_between_cuts() {
        let shot = |first, frames| Shot { first, frames, weight: None };
        assert_eq!(shots_between(&[3, 7], 9), [shot(0, 3), shot(3, 4), shot(7, 2)]);
        assert_eq!(shots_between(&[], 2), [shot(0, 2)]);
        assert_eq!(shots_between(&[0, 5], 5), [shot(0, 5)]);
    }
}
