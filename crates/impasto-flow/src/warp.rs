//! Pictures carried along a flow.

use rayon::prelude::*;

use crate::error::FlowError;
use crate::field::Flow;
use crate::sampling::{cubic_weights, place_of};

/// Planes `[n, height, width]` of another picture as they lie under a flow: each pixel has the value at the place that its vector
/// leads to, by Catmull and Rom's cubic between pixels. Beyond the edge lies what lies on it ([`lies_inside`] says where).
///
/// A cubic may overshoot: values stay within those of the four pixels around the place.
///
/// # Errors
/// Values that are not planes of the flow's size.
pub fn warp(planes: &[f32], width: usize, height: usize, flow: &Flow) -> Result<Vec<f32>, FlowError> {
    if (flow.width, flow.height) != (width, height) || flow.vectors.len() != width * height {
        return Err(FlowError::Sizes { one: (width, height), other: (flow.width, flow.height) });
    }
    let pixels = width * height;
    if pixels == 0 || !planes.len().is_multiple_of(pixels) {
        return Err(FlowError::Values { width, height, found: planes.len() });
    }
    let mut carried = vec![0.0; planes.len()];
    carried.par_chunks_mut(width).enumerate().for_each(|(row, to)| {
        let (plane, y) = (row / height, row % height);
        let plane = &planes[plane * pixels..][..pixels];
        for (x, (to, &[dx, dy])) in to.iter_mut().zip(&flow.vectors[y * width..]).enumerate() {
            *to = between(plane, (width, height), x as f32 + dx, y as f32 + dy);
        }
    });
    Ok(carried)
}

/// The value of a plane at a place, by a cubic, within the values of the four pixels around it.
fn between(plane: &[f32], (width, height): (usize, usize), x: f32, y: f32) -> f32 {
    let ((column, across), (line, down)) = (place_of(x, width), place_of(y, height));
    let (across, down) = (cubic_weights(across), cubic_weights(down));
    let at = |line: usize, column: usize| plane[line * width + column];
    let lines = [0, 1, 2, 3].map(|step| (line + step).saturating_sub(1).min(height - 1));
    let columns = [0, 1, 2, 3].map(|step| (column + step).saturating_sub(1).min(width - 1));
    let mut value = 0.0;
    for (&line, &weight) in lines.iter().zip(&down) {
        let row = columns.map(|column| at(line, column));
        value += weight * (across[0] * row[0] + across[1] * row[1] + across[2] * row[2] + across[3] * row[3]);
    }
    let [near, right, below, opposite] =
        [(1, 1), (1, 2), (2, 1), (2, 2)].map(|(line, column)| at(lines[line], columns[column]));
    let least = near.min(right).min(below).min(opposite);
    let most = near.max(right).max(below).max(opposite);
    value.max(least).min(most)
}

/// Of each pixel whether its vector leads to a place inside the picture: at least on the outermost pixels' centres.
#[must_use]
pub fn lies_inside(flow: &Flow) -> Vec<bool> {
    let (right, bottom) = (flow.width as f32 - 1.0, flow.height as f32 - 1.0);
    let inside = |(place, &[dx, dy]): (usize, &[f32; 2])| {
        let (x, y) = ((place % flow.width) as f32 + dx, (place / flow.width) as f32 + dy);
        (0.0..=right).contains(&x) && (0.0..=bottom).contains(&y)
    };
    flow.vectors.iter().enumerate().map(inside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_steps_move_pixels_and_halves_lie_between() {
        let plane: Vec<f32> = (0..30).map(|place| (place * place % 17) as f32).collect();
        let all = |vector| Flow { width: 6, height: 5, vectors: vec![vector; 30] };
        assert_eq!(warp(&plane, 6, 5, &all([0.0, 0.0])).unwrap(), plane);
        let moved = warp(&plane, 6, 5, &all([1.0, -1.0])).unwrap();
        assert_eq!(moved[2 * 6 + 3], plane[6 + 4]);
        // Beyond the edge.
        assert_eq!(moved[5], plane[5]);
        assert!(!lies_inside(&all([1.0, -1.0]))[5] && lies_inside(&all([1.0, -1.0]))[6]);
        let slope: Vec<f32> = (0..30).map(|place| (place % 6) as f32).collect();
        assert!((warp(&slope, 6, 5, &all([0.5, 0.0])).unwrap()[2 * 6 + 2] - 2.5).abs() < 1e-6);
    }

    #[test]
    fn an_edge_does_not_ring() {
        let edge: Vec<f32> = (0..64).map(|place| if place % 8 < 4 { 10.0 } else { 200.0 }).collect();
        for step in 1..10 {
            let flow = Flow { width: 8, height: 8, vectors: vec![[step as f32 / 10.0, 0.0]; 64] };
            assert!(warp(&edge, 8, 8, &flow).unwrap().iter().all(|value| (10.0..=200.0).contains(value)));
        }
    }

    #[test]
    fn sizes_have_to_fit() {
        let flow = Flow { width: 2, height: 2, vectors: vec![[0.0; 2]; 4] };
        assert!(warp(&[0.0; 4], 4, 1, &flow).is_err());
        assert!(warp(&[0.0; 5], 2, 2, &flow).is_err());
    }
}
