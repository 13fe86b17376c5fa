//! The style images' moments at the scales of a run, from when they are computed (`styles.rs`) to when they are used; each by a key, so
//! that a change finds those that it leaves as they are.

use impasto_vgg::{Layer, Moments};

/// What each part of a picture is painted after: style images' moments, with their shares.
pub(super) type PartMoments = Vec<Vec<(Vec<Moments>, f64)>>;

/// What moments are of. Those of one key are the same to the bit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MomentsKey {
    /// The style layers that count.
    pub layers: Vec<Layer>,
    pub style_scale: f64,
    /// Whether the style images have the photo's colours.
    pub has_photos_colours: bool,
    pub parts: Vec<PartKey>,
}

/// What a part of a picture is painted after.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PartKey {
    /// All style images with these shares.
    Blend(Vec<f64>),
    /// One, or what of it lies in the mask of this number.
    Painting(usize, Option<u32>),
}

/// The moments of scales that are not begun yet.
pub(super) struct StyleMoments {
    scales: Vec<Option<(MomentsKey, PartMoments)>>,
}

impl StyleMoments {
    /// None yet, of so many scales.
    pub fn new(scales: usize) -> StyleMoments {
        StyleMoments { scales: vec![None; scales] }
    }

    /// The moments of this key at a scale, which are then gone; `None` where there are none.
    pub fn take(&mut self, index: usize, key: &MomentsKey) -> Option<PartMoments> {
        self.scales[index].take_if(|(found, _)| found == key).map(|(_, moments)| moments)
    }

    /// Whether there are moments of this key at a scale.
    pub fn has(&self, index: usize, key: &MomentsKey) -> bool {
        self.scales[index].as_ref().is_some_and(|(found, _)| found == key)
    }

    /// Keeps moments of a scale in place of those that were there.
    pub fn keep(&mut self, index: usize, key: MomentsKey, moments: PartMoments) {
        self.scales[index] = Some((key, moments));
    }
}
