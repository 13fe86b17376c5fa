//! The colours of one picture under the brightness of another.

use rayon::prelude::*;

use crate::picture::Picture;

/// Red's, green's and blue's part of brightness (ITU-R BT.601, as jcjohnson/neural-style's YUV).
const BRIGHTNESS: [f32; 3] = [0.299, 0.587, 0.114];

/// `painted` in the colours of `photo`, which has its size: each pixel of the photo is shifted along grey until it is
/// as bright as the painted one. This is what taking Y from the one and U, V from the other does, written in RGB:
/// U and V depend on differences to Y alone.
///
/// Values may lie beyond 0..255, in and out.
pub(crate) fn with_colours_of(photo: &Picture, mut painted: Picture) -> Picture {
    let positions = painted.width * painted.height;
    let (red, rest) = painted.values.split_at_mut(positions);
    let (green, blue) = rest.split_at_mut(positions);
    let planes = red.par_iter_mut().zip(green.par_iter_mut()).zip(blue.par_iter_mut());
    planes.enumerate().with_min_len(1 << 12).for_each(|(position, ((red, green), blue))| {
        let colour = [0, 1, 2].map(|channel| photo.values[channel * positions + position]);
        let brightness = |rgb: [f32; 3]| -> f32 { rgb.iter().zip(BRIGHTNESS).map(|(value, part)| value * part).sum() };
        let shift = brightness([*red, *green, *blue]) - brightness(colour);
        [*red, *green, *blue] = colour.map(|value| value + shift);
    });
    painted
}
