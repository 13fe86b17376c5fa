//! What a frame follows: painted frames, carried along with what has moved.

use impasto::picture::Picture;
use impasto_flow::warp;
use impasto_job::{Failure, Following};

use crate::frames::{Frame, Movement, flow_failure};

/// Pixels over which a start fades from what is carried to the photo.
const FADE_PX: usize = 2;

/// The least number of trusted pixels that a map of colours is made of.
const LEAST_KNOWN: f64 = 64.0;

/// What a map of colours is held back by, in squares of 0..255.
const RIDGE: f64 = 25.0;

/// A painted frame, and how the one at hand follows it.
pub struct Followed {
    /// The frame as it was painted.
    pub painted: Picture,
    /// Where each pixel of the frame at hand was in it.
    pub movement: Movement,
}

/// What a frame follows of these, the most trusted first, and the share of its pixels that are in none of them. Each is asked only where
/// none before it knows (Ruder et al. 2016, eq. 9). `weight` is what the temporal loss counts for.
///
/// The frame is held only to what can be trusted. It starts from what else is carried along what moves around it too, where the photo has
/// the same colours there: on borders of movements, and in grounds too smooth to tell, strokes that may lie a little off are nearer to
/// strokes than the photo is.
pub fn following(frame: &Frame, followed: &[Followed], weight: f64) -> Result<(Following, f64), Failure> {
    let (width, height) = (frame.picture.width, frame.picture.height);
    let (mut weights, mut known) = (vec![0.0_f32; width * height], vec![0.0_f32; width * height]);
    let mut carried = frame.picture.clone();
    for is_trusted in [true, false] {
        for Followed { painted, movement } in followed {
            let (flow, shares) = match is_trusted {
                true => (&movement.back, &movement.weights),
                false => (&movement.filled, &movement.alike),
            };
            let values = warp(&painted.values, width, height, flow).map_err(flow_failure)?;
            for (place, &share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
                if known[place] == 0.0 {
                    known[place] = share;
                    weights[place] = if is_trusted { share } else { 0.0 };
                    for value in (place..values.len()).step_by(width * height) {
                        carried.values[value] = values[value];
                    }
                }
            }
        }
    }
    let ground = in_painted_colours(&frame.picture, &carried, &weights);
    let start = mixed(&ground, &carried, &faded(&known, width, height));
    let unknown = known.iter().filter(|&&known| known == 0.0).count() as f64 / known.len() as f64;
    Ok((Following { start, held_to: carried, weights, weight }, unknown))
}

/// What a frame follows that was painted in a pass before: `own`, and half of its neighbour where that is trusted (section 3.4 there).
pub fn following_again(own: &Picture, neighbour: &Followed, weight: f64) -> Result<Following, Failure> {
    let (width, height) = (own.width, own.height);
    let values = warp(&neighbour.painted.values, width, height, &neighbour.movement.back).map_err(flow_failure)?;
    let held_to = Picture { width, height, values };
    let weights = neighbour.movement.weights.clone();
    let halves: Vec<f32> = faded(&weights, width, height).iter().map(|share| 0.5 * share).collect();
    Ok(Following { start: mixed(own, &held_to, &halves), held_to, weights, weight })
}

/// The photo in the colours that painted frames have for such colours: so what comes into sight starts near to what it will be.
///
/// The affine map that brings the photo nearest to what is carried, where that is trusted.
fn in_painted_colours(photo: &Picture, carried: &Picture, weights: &[f32]) -> Picture {
    let Some(map) = affine_map(photo, carried, weights) else { return photo.clone() };
    let mut mapped = photo.clone();
    let pixels = weights.len();
    for place in 0..pixels {
        let colour = [0, 1, 2].map(|channel| f64::from(photo.values[channel * pixels + place]));
        for (channel, row) in map.iter().enumerate() {
            let value = row[0] * colour[0] + row[1] * colour[1] + row[2] * colour[2] + row[3];
            mapped.values[channel * pixels + place] = value.clamp(0.0, 255.0) as f32;
        }
    }
    mapped
}

/// The rows `[r, g, b, 1]` of the map from a photo's colours to those of another picture that leaves the least squares; `None` where too
/// little counts to tell.
fn affine_map(photo: &Picture, other: &Picture, weights: &[f32]) -> Option<[[f64; 4]; 3]> {
    let pixels = weights.len();
    let (mut square, mut product, mut count) = ([[0.0; 4]; 4], [[0.0; 4]; 3], 0.0);
    for (place, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        let at = |picture: &Picture, channel: usize| f64::from(picture.values[channel * pixels + place]);
        let from = [at(photo, 0), at(photo, 1), at(photo, 2), 1.0];
        count += f64::from(weight);
        for row in 0..4 {
            for column in 0..4 {
                square[row][column] += f64::from(weight) * from[row] * from[column];
            }
            for (channel, product) in product.iter_mut().enumerate() {
                product[row] += f64::from(weight) * at(other, channel) * from[row];
            }
        }
    }
    if count < LEAST_KNOWN {
        return None;
    }
    // Photos of few colours leave the map open: then it changes colours as little as it may.
    (0..3).for_each(|channel| square[channel][channel] += RIDGE * count);
    let map = product.map(|product| solved(square, product));
    map.iter().flatten().all(|value| value.is_finite()).then_some(map)
}

/// x of A x = b, for a positive definite A: Gauss without exchanges.
fn solved(mut a: [[f64; 4]; 4], mut b: [f64; 4]) -> [f64; 4] {
    for pivot in 0..4 {
        for row in pivot + 1..4 {
            let (factor, above) = (a[row][pivot] / a[pivot][pivot], a[pivot]);
            a[row].iter_mut().zip(above).skip(pivot).for_each(|(value, above)| *value -= factor * above);
            b[row] -= factor * b[pivot];
        }
    }
    for row in (0..4).rev() {
        let known: f64 = (row + 1..4).map(|column| a[row][column] * b[column]).sum();
        b[row] = (b[row] - known) / a[row][row];
    }
    b
}

/// One picture, and of the other these shares.
fn mixed(one: &Picture, other: &Picture, shares: &[f32]) -> Picture {
    let mut mixed = one.clone();
    for (plane, other) in mixed.values.chunks_exact_mut(shares.len()).zip(other.values.chunks_exact(shares.len())) {
        for ((value, other), share) in plane.iter_mut().zip(other).zip(shares) {
            *value += (other - *value) * share;
        }
    }
    mixed
}

/// Weights that fall within a few pixels inside their border, so that a start has no seam there.
fn faded(weights: &[f32], width: usize, height: usize) -> Vec<f32> {
    let around = |place: usize, length: usize| place.saturating_sub(FADE_PX)..(place + FADE_PX + 1).min(length);
    let mut across = vec![0.0; weights.len()];
    for (place, mean) in across.iter_mut().enumerate() {
        let (x, y) = (place % width, place / width);
        let columns = around(x, width);
        let count = columns.len() as f32;
        *mean = weights[y * width + columns.start..y * width + columns.end].iter().sum::<f32>() / count;
    }
    let mut faded = vec![0.0; weights.len()];
    for (place, faded) in faded.iter_mut().enumerate() {
        let (x, y) = (place % width, place / width);
        let rows = around(y, height);
        let count = rows.len() as f32;
        let mean = rows.map(|y| across[y * width + x]).sum::<f32>() / count;
        // Half of the window lies outside at the border.
        *faded = weights[place].min((2.0 * mean - 1.0).max(0.0));
    }
    faded
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_flow::Flow;

    const WIDTH: usize = 12;
    const HEIGHT: usize = 8;

    fn followed(colour: f32, trusted: impl Fn(usize) -> bool) -> Followed {
        let vectors = vec![[0.0; 2]; WIDTH * HEIGHT];
        let weights: Vec<f32> =
            (0..WIDTH * HEIGHT).map(|place| if trusted(place % WIDTH) { 1.0 } else { 0.0 }).collect();
        let (back, alike) = (Flow { width: WIDTH, height: HEIGHT, vectors }, vec![0.0; WIDTH * HEIGHT]);
        let movement = Movement { filled: back.clone(), back, weights, alike };
        Followed { painted: Picture::filled(WIDTH, HEIGHT, [colour; 3]).unwrap(), movement }
    }

    #[test]
    fn each_is_asked_where_none_before_it_knows() {
        let frame = Frame::of(Picture::filled(WIDTH, HEIGHT, [10.0; 3]).unwrap()).unwrap();
        let two = [followed(50.0, |x| x < 4), followed(90.0, |x| x < 8)];
        let (following, unknown) = following(&frame, &two, 3.0).unwrap();
        assert!((unknown - 1.0 / 3.0).abs() < 1e-9, "{unknown}");
        let row: Vec<f32> = following.held_to.values[4 * WIDTH..5 * WIDTH].to_vec();
        assert_eq!(row, [50.0, 50.0, 50.0, 50.0, 90.0, 90.0, 90.0, 90.0, 10.0, 10.0, 10.0, 10.0]);
        assert_eq!(following.weights.iter().sum::<f32>(), (8 * HEIGHT) as f32);
        assert_eq!(following.weight, 3.0);
        let start = &following.start.values[4 * WIDTH..5 * WIDTH];
        assert_eq!(start[..5], [50.0, 50.0, 50.0, 50.0, 90.0]);
        // A photo of one colour: what comes into sight begins as what is beside it.
        assert!(start[8..].iter().all(|value| (50.0..=90.0).contains(value)), "{start:?}");
    }

    #[test]
    fn what_comes_into_sight_has_the_colours_that_such_colours_have() {
        // Painted frames are the photo with red and blue exchanged, and brighter.
        let mut photo = Picture::filled(WIDTH, HEIGHT, [0.0; 3]).unwrap();
        let pixels = WIDTH * HEIGHT;
        // Each channel has a rhythm of its own, so that none can be told from the others.
        for (place, value) in photo.values.iter_mut().enumerate() {
            *value = if (place % pixels) >> (place / pixels) & 1 == 0 { 20.0 } else { 200.0 };
        }
        let mut two = [followed(0.0, |x| x < 9)];
        for place in 0..pixels {
            for channel in 0..3 {
                two[0].painted.values[channel * pixels + place] = photo.values[(2 - channel) * pixels + place] + 20.0;
            }
        }
        let expected = two[0].painted.clone();
        let start = following(&Frame::of(photo).unwrap(), &two, 1.0).unwrap().0.start;
        let off = start.values.iter().zip(&expected.values).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(off < 1.0, "{off}");
        // Too little is known: the photo as it is.
        let frame = Frame::of(Picture::filled(WIDTH, HEIGHT, [70.0; 3]).unwrap()).unwrap();
        let start = following(&frame, &[followed(200.0, |x| x < 1)], 1.0).unwrap().0.start;
        assert_eq!(start.values[5], 70.0);
    }

    #[test]
    fn what_is_alike_is_started_from_and_not_held_to() {
        let frame = Frame::of(Picture::filled(WIDTH, HEIGHT, [10.0; 3]).unwrap()).unwrap();
        let mut one = followed(50.0, |x| x < 4);
        one.movement.alike = vec![1.0; WIDTH * HEIGHT];
        let (following, unknown) = following(&frame, &[one], 3.0).unwrap();
        assert_eq!((following.start.values[5], following.weights[5], unknown), (50.0, 0.0, 0.0));
        assert_eq!((following.start.values[1], following.weights[1]), (50.0, 1.0));
    }

    #[test]
    fn a_later_pass_takes_half_of_its_neighbour() {
        let own = Picture::filled(WIDTH, HEIGHT, [20.0; 3]).unwrap();
        let following = following_again(&own, &followed(60.0, |x| x < 6), 1.0).unwrap();
        assert_eq!(following.start.values[4 * WIDTH], 40.0);
        assert_eq!(following.start.values[4 * WIDTH + 9], 20.0);
    }
}
