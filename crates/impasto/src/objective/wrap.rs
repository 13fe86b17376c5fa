//! A picture that joins itself: what the network sees of it beyond its edges is its other side.
//!
//! ```text
//!            margin         picture          margin
//!          | ... y z | a b c   ...   x y z | a b c ... |        what the network sees
//!              0               1                 0             what of its features counts
//! ```
//!
//! The margin is as wide as a position of the deepest layer sees beyond itself, and sides that join are whole numbers of the deepest
//! layer's positions, so that every position that counts sees what it would see on a torus, to the bit of no border at all: the losses do
//! not change where the picture is moved around by a whole position. The derivative by a margin's pixel belongs to the pixel that it
//! copies.
//!
//! A photo does not join itself. Towards its edges the content loss lets go of it, so that there is room for what joins them.

use impasto_vgg::{LAYERS, Layer, LayerKind, SessionRequest};

use crate::recipe::Seamless;
use crate::recipe::resolve::ResolvedRecipe;

/// The share of a side within which the photo's drawing comes to count, from an edge that joins.
const FADE: f64 = 0.125;

/// How a picture `[planes, height, width]` is continued beyond its edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrap {
    /// Width of the picture, in pixels.
    pub width: usize,
    /// Height of the picture, in pixels.
    pub height: usize,
    /// Pixels on the left and as many on the right, where those sides join; else 0.
    pub margin_x: usize,
    /// Pixels above and as many below, where those sides join; else 0.
    pub margin_y: usize,
}

/// Pixels that a position of this layer sees beyond those that are its own, on the side where they are more.
#[must_use]
pub fn sight_px(layer: Layer) -> usize {
    let (mut before, mut after, mut step) = (0, 0, 1);
    for info in &LAYERS[..=layer.index()] {
        match info.kind {
            LayerKind::Convolution { .. } => (before, after) = (before + step, after + step),
            LayerKind::Pooling => (after, step) = (after + step, 2 * step),
        }
    }
    before.max(after + 1 - step)
}

impl Wrap {
    /// How a picture of this size is continued; `None` where the recipe does not ask for it.
    #[must_use]
    pub fn of(recipe: &ResolvedRecipe, width: usize, height: usize) -> Option<Wrap> {
        let margin = recipe.counted_layers().map(sight_px).max().unwrap_or(0).next_multiple_of(recipe.joint_unit_px());
        let along = |joins: bool| if joins { margin } else { 0 };
        let (margin_x, margin_y) = (along(recipe.seamless.joins_x()), along(recipe.seamless.joins_y()));
        (recipe.seamless != Seamless::None).then_some(Wrap { width, height, margin_x, margin_y })
    }

    /// What the network sees, in pixels.
    #[must_use]
    pub fn seen_width(&self) -> usize {
        self.width + 2 * self.margin_x
    }

    /// What the network sees, in pixels.
    #[must_use]
    pub fn seen_height(&self) -> usize {
        self.height + 2 * self.margin_y
    }

    /// Asks for a session of what the network sees, with the guides by which the margin does not count.
    pub fn widen(&self, request: &mut SessionRequest) {
        (request.width, request.height) = (self.seen_width(), self.seen_height());
        request.guides.regions = request.guides.regions.max(1);
        request.guides.emphasis = !request.content_taps.is_empty();
    }

    /// Planes as the network sees them.
    #[must_use]
    pub fn extended(&self, planes: &[f32]) -> Vec<f32> {
        let row = |y: usize| (y + self.height * self.margin_y - self.margin_y) % self.height;
        self.continued(planes, row, |x| (x + self.width * self.margin_x - self.margin_x) % self.width)
    }

    /// Planes continued by their mirror images: a photo, whose other side would be an edge that nobody has drawn.
    #[must_use]
    pub fn mirrored(&self, planes: &[f32]) -> Vec<f32> {
        let mirror = |place: usize, margin: usize, length: usize| {
            let place = (place + 2 * length * margin - margin) % (2 * length);
            place.min(2 * length - 1 - place)
        };
        self.continued(planes, |y| mirror(y, self.margin_y, self.height), |x| mirror(x, self.margin_x, self.width))
    }

    /// Masks `[regions, height, width]` as the network sees them: nothing of the margin counts.
    #[must_use]
    pub fn masks(&self, masks: &[f32]) -> Vec<f32> {
        let mut seen = vec![0.0; masks.len() / (self.width * self.height) * self.seen_width() * self.seen_height()];
        for (own, seen) in masks.chunks_exact(self.width * self.height).zip(seen.chunks_exact_mut(self.seen_pixels())) {
            for (y, row) in own.chunks_exact(self.width).enumerate() {
                let begin = (y + self.margin_y) * self.seen_width() + self.margin_x;
                seen[begin..begin + self.width].copy_from_slice(row);
            }
        }
        seen
    }

    /// The picture in the middle of planes that the network sees.
    #[must_use]
    pub fn inside(&self, seen: &[f32]) -> Vec<f32> {
        let rows = |plane| {
            let rows = <[f32]>::chunks_exact(plane, self.seen_width()).skip(self.margin_y).take(self.height);
            rows.flat_map(|row| row[self.margin_x..][..self.width].iter().copied())
        };
        seen.chunks_exact(self.seen_pixels()).flat_map(rows).collect()
    }

    /// Where the photo's drawing counts, as the network sees it: `emphasis` `[height, width]`, less towards edges that join, nothing in
    /// the margin.
    #[must_use]
    pub fn emphasis(&self, emphasis: Option<Vec<f32>>) -> Vec<f32> {
        let mut map = emphasis.unwrap_or_else(|| vec![1.0; self.width * self.height]);
        let fade = |place: usize, length: usize, margin: usize| {
            let to_edge = place.min(length - 1 - place) as f64 + 0.5;
            if margin == 0 { 1.0 } else { (to_edge / (FADE * length as f64)).min(1.0) }
        };
        for (place, value) in map.iter_mut().enumerate() {
            let (y, x) = (place / self.width, place % self.width);
            *value *= (fade(x, self.width, self.margin_x) * fade(y, self.height, self.margin_y)) as f32;
        }
        self.masks(&map)
    }

    /// The derivative by what the network sees becomes that by the picture: each copy's is added to its own.
    pub fn fold(&self, seen: &[f32], gradient: &mut [f32]) {
        gradient.fill(0.0);
        let planes = gradient.chunks_exact_mut(self.width * self.height).zip(seen.chunks_exact(self.seen_pixels()));
        for (gradient, seen) in planes {
            for (y, row) in seen.chunks_exact(self.seen_width()).enumerate() {
                let own = (y + self.height * self.margin_y - self.margin_y) % self.height;
                let own = &mut gradient[own * self.width..][..self.width];
                for (x, &value) in row.iter().enumerate() {
                    own[(x + self.width * self.margin_x - self.margin_x) % self.width] += value;
                }
            }
        }
    }

    fn seen_pixels(&self) -> usize {
        self.seen_width() * self.seen_height()
    }

    fn continued(&self, planes: &[f32], row: impl Fn(usize) -> usize, column: impl Fn(usize) -> usize) -> Vec<f32> {
        let columns: Vec<usize> = (0..self.seen_width()).map(column).collect();
        let mut seen = Vec::with_capacity(planes.len() / (self.width * self.height) * self.seen_pixels());
        for plane in planes.chunks_exact(self.width * self.height) {
            for y in 0..self.seen_height() {
                let own = &plane[row(y) * self.width..][..self.width];
                seen.extend(columns.iter().map(|&x| own[x]));
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRAP: Wrap = Wrap { width: 3, height: 2, margin_x: 2, margin_y: 0 };

    #[test]
    fn a_position_sees_so_far() {
        // Of the network's table: kernels of 3 and windows of 2.
        for (name, px) in
            [("conv1_1", 1), ("conv1_2", 2), ("conv2_1", 4), ("conv3_1", 10), ("conv4_2", 38), ("conv5_1", 70)]
        {
            assert_eq!(sight_px(Layer::named(name).unwrap()), px, "{name}");
        }
    }

    #[test]
    fn beyond_an_edge_lies_the_other_side() {
        let picture = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(WRAP.extended(&picture), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0, 5.0, 6.0, 4.0, 5.0, 6.0, 4.0, 5.0]);
        assert_eq!(WRAP.inside(&WRAP.extended(&picture)), picture);
        assert_eq!(WRAP.mirrored(&picture), [2.0, 1.0, 1.0, 2.0, 3.0, 3.0, 2.0, 5.0, 4.0, 4.0, 5.0, 6.0, 6.0, 5.0]);
        assert_eq!(WRAP.masks(&picture), [0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 4.0, 5.0, 6.0, 0.0, 0.0]);
        // A margin that is wider than the picture goes around it more than once.
        let narrow = Wrap { width: 2, height: 1, margin_x: 5, margin_y: 0 };
        assert_eq!(narrow.extended(&[1.0, 2.0]), [2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0]);
    }

    #[test]
    fn each_copys_derivative_goes_to_its_own() {
        let mut gradient = [9.0; 6];
        WRAP.fold(&[1.0; 14], &mut gradient);
        // The first and the second column have one copy or two.
        assert_eq!(gradient, [2.0, 3.0, 2.0, 2.0, 3.0, 2.0]);
    }
}
