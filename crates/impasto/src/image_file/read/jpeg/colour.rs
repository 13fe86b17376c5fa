//! What stored samples mean: colour differences made into colours, inks as they were meant.

/// Red, green and blue of brightness and two colour differences (JFIF, after ITU-R BT.601).
fn rgb([y, blue_difference, red_difference]: [u8; 3]) -> [u8; 3] {
    let [y, cb, cr] = [y, blue_difference, red_difference].map(f32::from);
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    // What is beyond 0..=255 is brought there by the conversion.
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|value| (value + 0.5) as u8)
}

/// Turns stored colour differences into RGB.
pub(super) fn rgb_from_stored(samples: &mut [u8]) {
    for pixel in samples.chunks_exact_mut(3) {
        pixel.copy_from_slice(&rgb([pixel[0], pixel[1], pixel[2]]));
    }
}

/// Turns stored CMYK or YCCK samples into inks, 255 being all of the ink.
///
/// YCCK is CMYK whose first three inks went through the transform of RGB to YCbCr: C = 255 - R and so on. Adobe's
/// programs store every ink inverted (0 is all of it) and write a segment by which one can tell.
pub(super) fn inks_from_stored(samples: &mut [u8], is_ycck: bool, is_inverted: bool) {
    for pixel in samples.chunks_exact_mut(4) {
        if is_ycck {
            let colours = rgb([pixel[0], pixel[1], pixel[2]]);
            for (sample, value) in pixel.iter_mut().zip(colours) {
                *sample = 255 - value;
            }
        }
        if is_inverted {
            for sample in pixel {
                *sample = 255 - *sample;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_come_out_right() {
        // Adobe, CMYK: 255 is no ink.
        let mut samples = [255, 0, 255, 55];
        inks_from_stored(&mut samples, false, true);
        assert_eq!(samples, [0, 255, 0, 200]);
        // Adobe, YCCK: Y = 255, no colour difference: R = G = B = 255, stored inks 0, inverted: all of the ink.
        let mut samples = [255, 128, 128, 255];
        inks_from_stored(&mut samples, true, true);
        assert_eq!(samples, [255, 255, 255, 0]);
        // Y, Cb, Cr of pure red (BT.601): 76, 85, 255; C = 255 - R = 0.
        let mut samples = [76, 85, 255, 7];
        inks_from_stored(&mut samples, true, false);
        assert!(samples[0] <= 1 && samples[1] >= 254 && samples[2] >= 254 && samples[3] == 7, "{samples:?}");
    }
}
