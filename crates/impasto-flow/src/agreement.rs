//! Where a flow can be trusted.

use rayon::prelude::*;

use crate::error::FlowError;
use crate::field::Flow;
use crate::sampling::place_of;

/// Of each pixel 1 where its flow can be trusted, 0 where not, `[height, width]`: the weights of Ruder, Dosovitskiy and Brox,
/// "Artistic Style Transfer for Videos" (GCPR 2016), section 3.2, after Sundaram, Brox and Keutzer (ECCV 2010).
///
/// `flow` leads from each pixel of this picture into the other, `inverse` from the other into this one. With b the flow's vector and f
/// the inverse's at the place that b leads to, a pixel is not there in the other picture where
///
/// ```text
///   |f + b|^2  >  0.01 (|f|^2 + |b|^2) + 0.5
/// ```
///
/// and it lies on a border of movements, where a flow is not to be trusted, where
///
/// ```text
///   |grad b_x|^2 + |grad b_y|^2  >  0.01 |b|^2 + 0.002
/// ```
///
/// What leads out of the picture cannot be trusted either.
///
/// # Errors
/// Two flows of two sizes.
pub fn agreement(flow: &Flow, inverse: &Flow) -> Result<Vec<f32>, FlowError> {
    let (width, height) = (flow.width, flow.height);
    if (width, height) != (inverse.width, inverse.height) {
        return Err(FlowError::Sizes { one: (width, height), other: (inverse.width, inverse.height) });
    }
    let mut weights = vec![0.0; width * height];
    weights.par_chunks_mut(width).enumerate().for_each(|(y, row)| {
        for (x, weight) in row.iter_mut().enumerate() {
            *weight = if comes_back(flow, inverse, (x, y)) && !on_border(flow, (x, y)) { 1.0 } else { 0.0 };
        }
    });
    Ok(weights)
}

/// Whether the inverse leads back from where the flow leads to.
fn comes_back(flow: &Flow, inverse: &Flow, (x, y): (usize, usize)) -> bool {
    let [bx, by] = flow.vectors[y * flow.width + x];
    let (to_x, to_y) = (x as f32 + bx, y as f32 + by);
    let (right, bottom) = (flow.width as f32 - 1.0, flow.height as f32 - 1.0);
    if !(0.0..=right).contains(&to_x) || !(0.0..=bottom).contains(&to_y) {
        return false;
    }
    let [fx, fy] = linear(inverse, to_x, to_y);
    let left = square(fx + bx, fy + by);
    left <= 0.01 * (square(fx, fy) + square(bx, by)) + 0.5
}

/// Whether the flow changes as it does on a border of movements.
fn on_border(flow: &Flow, (x, y): (usize, usize)) -> bool {
    let at = |x: usize, y: usize| flow.vectors[y * flow.width + x];
    let [bx, by] = at(x, y);
    let (left, right) = (x.saturating_sub(1), (x + 1).min(flow.width - 1));
    let (above, below) = (y.saturating_sub(1), (y + 1).min(flow.height - 1));
    let slope = |one: [f32; 2], other: [f32; 2], distance: usize| {
        let distance = distance.max(1) as f32;
        square((other[0] - one[0]) / distance, (other[1] - one[1]) / distance)
    };
    let slopes = slope(at(left, y), at(right, y), right - left) + slope(at(x, above), at(x, below), below - above);
    slopes > 0.01 * square(bx, by) + 0.002
}

fn square(x: f32, y: f32) -> f32 {
    x * x + y * y
}

/// A flow's vector between pixels.
fn linear(flow: &Flow, x: f32, y: f32) -> [f32; 2] {
    let ((column, across), (line, down)) = (place_of(x, flow.width), place_of(y, flow.height));
    let (next, below) = ((column + 1).min(flow.width - 1), (line + 1).min(flow.height - 1));
    let at = |x: usize, y: usize| flow.vectors[y * flow.width + x];
    let mixed = |one: [f32; 2], other: [f32; 2], share: f32| {
        [one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share]
    };
    mixed(mixed(at(column, line), at(next, line), across), mixed(at(column, below), at(next, below), across), down)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(vector: [f32; 2]) -> Flow {
        Flow { width: 20, height: 16, vectors: vec![vector; 320] }
    }

    #[test]
    fn what_comes_back_is_trusted() {
        let weights = agreement(&all([2.0, 1.0]), &all([-2.0, -1.0])).unwrap();
        assert_eq!(weights[5 * 20 + 5], 1.0);
        // It leads out of the picture.
        assert_eq!((weights[19], weights[15 * 20]), (0.0, 0.0));
    }

    #[test]
    fn the_bounds_are_the_papers() {
        // |f + b|^2 = e^2 with f = -b but for e, at b = (4, 0): the bound is 0.01 (16 + (4 - e)^2) + 0.5.
        for (error, expected) in [(0.86, 1.0), (0.88, 0.0)] {
            let bound = 0.01_f32 * (16.0 + (4.0 - error) * (4.0 - error)) + 0.5;
            assert_eq!(error * error <= bound, expected == 1.0, "the test's own numbers");
            let weights = agreement(&all([4.0, 0.0]), &all([error - 4.0, 0.0])).unwrap();
            assert_eq!(weights[8 * 20 + 5], expected, "{error}");
        }
        // A border: a slope of s pixels a pixel at b = 0: s^2 against 0.002.
        for (slope, expected) in [(0.044, 1.0), (0.046, 0.0)] {
            let vector = |place: usize, sign: f32| [0.0, sign * slope * ((place % 20) as f32 - 10.0)];
            let sloped =
                |sign: f32| Flow { vectors: (0..320).map(|place| vector(place, sign)).collect(), ..all([0.0; 2]) };
            let weights = agreement(&sloped(1.0), &sloped(-1.0)).unwrap();
            assert_eq!(weights[8 * 20 + 10], expected, "{slope}");
        }
    }
}
