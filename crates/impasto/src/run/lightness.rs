//! How light each pixel of a mask is.

use crate::picture::Picture;

/// Less of a mask than this is none of it.
pub(super) const LEAST_LIGHTNESS: f64 = 1.0 / 512.0;

/// Lightness of each pixel, 0 for black to 1 for white, `[height, width]`.
pub(super) fn lightness(picture: &Picture) -> Vec<f32> {
    let [red, green, blue] = [0, 1, 2].map(|channel| picture.plane(channel));
    let of_pixel = |place: usize| {
        let [red, green, blue] = [red, green, blue].map(|plane| f64::from(plane[place]));
        let lightness = (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0;
        // Less than half a level of a mask's file is a rounding of what brought it to size.
        match lightness {
            ..LEAST_LIGHTNESS => 0.0,
            lightness if lightness > 1.0 - LEAST_LIGHTNESS => 1.0,
            lightness => lightness as f32,
        }
    };
    (0..red.len()).map(of_pixel).collect()
}
