//! Which positions of a painting speak for a region of it.
//!
//! Pooled like the network pools, a mask leaks: a deep position at its edge sees what lies beyond. So a painting's guide takes
//! only positions that see nothing but the region, as far as there are any: in a small region the deep layers have none.
//! (Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", 2017, "inside" and "all" guides.)

use impasto_vgg::guides::{TapGuides, guide_sum, pooled};
use impasto_vgg::{LAYERS, Layer, LayerKind};

/// The share of a region's positions that has to be left for only those to count.
const LEAST_INSIDE: f64 = 0.05;

/// The guides of a painting `[height, width]` of pixels, at these taps, for a mask of that size in 0..1.
pub fn of_painting(taps: &[Layer], mask: &[f32], height: usize, width: usize) -> Vec<TapGuides> {
    let guide = |&layer: &Layer| {
        let pooled = pooled(mask, height, width, layer);
        let inside = inside(mask, height, width, layer);
        let has_enough = guide_sum(&inside) >= LEAST_INSIDE * guide_sum(&pooled) && guide_sum(&inside) > 0.0;
        TapGuides { layer, values: if has_enough { inside } else { pooled } }
    };
    taps.iter().map(guide).collect()
}

/// The least of the mask that each position of a layer sees.
fn inside(mask: &[f32], height: usize, width: usize, layer: Layer) -> Vec<f32> {
    let (mut map, mut height, mut width) = (mask.to_vec(), height, width);
    for info in &LAYERS[..=layer.index()] {
        match info.kind {
            LayerKind::Convolution { .. } => map = eroded(&map, height, width),
            LayerKind::Pooling => {
                map = halved(&map, height, width);
                (height, width) = (height.div_ceil(2), width.div_ceil(2));
            }
        }
    }
    map
}

/// What a 3x3 convolution sees, of what lies in bounds.
fn eroded(map: &[f32], height: usize, width: usize) -> Vec<f32> {
    let least = |length: usize, at: &dyn Fn(usize, usize) -> f32, lines: usize| {
        let mut out = Vec::with_capacity(length * lines);
        for line in 0..lines {
            for place in 0..length {
                let near = place.saturating_sub(1)..(place + 2).min(length);
                out.push(near.fold(f32::INFINITY, |least, place| least.min(at(line, place))));
            }
        }
        out
    };
    let along = least(width, &|y, x| map[y * width + x], height);
    // Columns stand as rows in what comes of this.
    let across = least(height, &|x, y| along[y * width + x], width);
    (0..height * width).map(|place| across[place % width * height + place / width]).collect()
}

/// What a 2x2 pooling sees, of what lies in bounds.
fn halved(map: &[f32], height: usize, width: usize) -> Vec<f32> {
    let mut halved = Vec::with_capacity(height.div_ceil(2) * width.div_ceil(2));
    for y in (0..height).step_by(2) {
        for x in (0..width).step_by(2) {
            let rows = y..(y + 2).min(height);
            let least =
                |y: usize| map[y * width + x..y * width + (x + 2).min(width)].iter().copied().fold(1.0, f32::min);
            halved.push(rows.map(least).fold(1.0, f32::min));
        }
    }
    halved
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A position sees so many pixels to each side of the one in its corner, and no more.
    #[test]
    fn what_a_position_sees_is_its_receptive_field() {
        let (height, width) = (64, 96);
        for (name, before, after, stride) in [("conv1_1", 1, 1, 1), ("conv2_1", 4, 5, 2), ("conv3_1", 10, 13, 4)] {
            let layer = Layer::named(name).unwrap();
            let mut mask = vec![1.0; height * width];
            mask[30 * width + 40] = 0.0;
            let guide = inside(&mask, height, width, layer);
            let map_width = width / stride;
            for (place, &value) in guide.iter().enumerate() {
                let (y, x) = (place / map_width * stride, place % map_width * stride);
                let sees = |at: usize, pixel: usize| pixel + before >= at && pixel <= at + after;
                assert_eq!(value == 0.0, sees(y, 30) && sees(x, 40), "{name} {y} {x}");
            }
        }
    }

    #[test]
    fn where_too_little_is_left_all_that_sees_the_region_counts() {
        let (height, width) = (64, 64);
        let mask: Vec<f32> = (0..height * width).map(|place| f32::from(u8::from(place % width < 20))).collect();
        let [shallow, deep] = ["conv1_1", "conv4_1"].map(|name| Layer::named(name).unwrap());
        let guides = of_painting(&[shallow, deep], &mask, height, width);
        // One column at the edge sees beyond.
        assert_eq!(guide_sum(&guides[0].values), 19.0 * 64.0);
        assert_eq!(guides[1].values, pooled(&mask, height, width, deep));
        assert!(guide_sum(&guides[1].values) > 0.0);
    }
}
