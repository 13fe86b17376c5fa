//! Oklab, a space of colours in which equal distances look alike (Björn Ottosson, "A perceptual color space for image
//! processing", 2020), from and to sRGB (IEC 61966-2-1).
//!
//! Logarithms and roots are libm's, written in Rust: the same bits on every machine.

/// Linear red, green and blue to cone responses.
const TO_CONES: [[f64; 3]; 3] = [
    [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
    [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
    [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
];

/// Cubic roots of cone responses to lightness, a and b.
const TO_LAB: [[f64; 3]; 3] = [
    [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
    [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
    [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
];

/// The inverse of [`TO_LAB`].
const FROM_LAB: [[f64; 3]; 3] = [
    [1.0, 0.396_337_777_4, 0.215_803_757_3],
    [1.0, -0.105_561_345_8, -0.063_854_172_8],
    [1.0, -0.089_484_177_5, -1.291_485_548_0],
];

/// The inverse of [`TO_CONES`].
const FROM_CONES: [[f64; 3]; 3] = [
    [4.076_741_662_1, -3.307_711_591_3, 0.230_969_929_2],
    [-1.268_438_004_6, 2.609_757_401_1, -0.341_319_396_5],
    [-0.004_196_086_3, -0.703_418_614_7, 1.707_614_701_0],
];

/// Lightness 0..1, a and b of red, green and blue 0..255 in sRGB.
pub fn to_oklab(srgb: [f32; 3]) -> [f64; 3] {
    let cones = times(&TO_CONES, srgb.map(|value| linear(f64::from(value) / 255.0)));
    times(&TO_LAB, cones.map(libm::cbrt))
}

/// Red, green and blue in sRGB, 0..255 or beyond it, of lightness, a and b.
pub fn from_oklab(lab: [f64; 3]) -> [f32; 3] {
    let cones = times(&FROM_LAB, lab).map(|root| root * root * root);
    times(&FROM_CONES, cones).map(|light| (255.0 * encoded(light)) as f32)
}

fn times(matrix: &[[f64; 3]; 3], vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2])
}

/// sRGB's curve from a value 0..1 to light. Below 0 it is mirrored, so that nothing is lost there.
fn linear(value: f64) -> f64 {
    let size = value.abs();
    let light = if size <= 0.040_45 { size / 12.92 } else { libm::pow((size + 0.055) / 1.055, 2.4) };
    light.copysign(value)
}

/// The way back.
fn encoded(light: f64) -> f64 {
    let size = light.abs();
    let value = if size <= 0.003_130_8 { 12.92 * size } else { 1.055 * libm::pow(size, 1.0 / 2.4) - 0.055 };
    value.copysign(light)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ottosson's own table, from XYZ, has L = 1 for white; red, green and blue as colour libraries print them.
    #[test]
    fn known_colours() {
        for (srgb, lab) in [
            ([255.0, 255.0, 255.0], [1.0, 0.0, 0.0]),
            ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            ([255.0, 0.0, 0.0], [0.627_96, 0.224_86, 0.125_85]),
            ([0.0, 255.0, 0.0], [0.866_44, -0.233_89, 0.179_50]),
            ([0.0, 0.0, 255.0], [0.452_01, -0.032_46, -0.311_53]),
        ] {
            for (found, expected) in to_oklab(srgb).into_iter().zip(lab) {
                assert!((found - expected).abs() < 2e-5, "{srgb:?}: {:?}", to_oklab(srgb));
            }
        }
    }

    #[test]
    fn there_and_back() {
        for red in (-51..=306).step_by(51) {
            for green in (0..=255).step_by(15) {
                for blue in [0, 3, 10, 128, 255] {
                    let srgb = [red as f32, green as f32, blue as f32];
                    let back = from_oklab(to_oklab(srgb));
                    let worst = srgb.iter().zip(back).map(|(value, back)| (value - back).abs()).fold(0.0, f32::max);
                    assert!(worst < 2e-3, "{srgb:?} {back:?}");
                }
            }
        }
    }
}
