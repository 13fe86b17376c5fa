//! Colours in Oklab (Ottosson 2020): lightness and two opponent axes, in which a mix of two paints looks like a mix and
//! a step looks as large in the blues as in the yellows.

use crate::plane::{TURN, at_angle};

/// Lightness 0..1; green-red and blue-yellow, about -0.3..0.3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour {
    /// Lightness, 0 black to 1 white.
    pub light: f32,
    /// Green (negative) to red.
    pub red: f32,
    /// Blue (negative) to yellow.
    pub yellow: f32,
}

impl Colour {
    /// The colour of an sRGB number such as `0xE0A030`.
    pub fn hex(rgb: u32) -> Colour {
        let linear = |shift: u32| {
            let value = ((rgb >> shift) & 255) as f32 / 255.0;
            if value <= 0.04045 { value / 12.92 } else { libm::powf((value + 0.055) / 1.055, 2.4) }
        };
        let (r, g, b) = (linear(16), linear(8), linear(0));
        let l = libm::cbrtf(0.412_221_47 * r + 0.536_332_55 * g + 0.051_445_995 * b);
        let m = libm::cbrtf(0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b);
        let s = libm::cbrtf(0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b);
        Colour {
            light: 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
            red: 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            yellow: 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        }
    }

    /// Linear-light sRGB, each 0..1.
    pub fn linear(self) -> [f32; 3] {
        let cube = |value: f32| value * value * value;
        let l = cube(self.light + 0.396_337_78 * self.red + 0.215_803_76 * self.yellow);
        let m = cube(self.light - 0.105_561_346 * self.red - 0.063_854_17 * self.yellow);
        let s = cube(self.light - 0.089_484_18 * self.red - 1.291_485_5 * self.yellow);
        [
            (4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s).clamp(0.0, 1.0),
            (-1.268_438 * l + 2.609_757_4 * m - 0.341_319_4 * s).clamp(0.0, 1.0),
            (-0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s).clamp(0.0, 1.0),
        ]
    }

    /// This colour at `share` 0, the other at 1.
    pub fn mix(self, other: Colour, share: f32) -> Colour {
        let blend = |a: f32, b: f32| a + (b - a) * share;
        Colour {
            light: blend(self.light, other.light),
            red: blend(self.red, other.red),
            yellow: blend(self.yellow, other.yellow),
        }
    }

    /// Lighter by `amount` (darker where negative).
    pub fn lighter(self, amount: f32) -> Colour {
        Colour { light: (self.light + amount).clamp(0.0, 1.0), ..self }
    }

    /// The hue turned by `turns` of the circle and the chroma multiplied by `chroma`.
    pub fn turned(self, turns: f32, chroma: f32) -> Colour {
        let [cos, sin] = at_angle(turns * TURN);
        Colour {
            light: self.light,
            red: chroma * (cos * self.red - sin * self.yellow),
            yellow: chroma * (sin * self.red + cos * self.yellow),
        }
    }

    /// How far apart two colours look.
    pub fn distance(self, other: Colour) -> f32 {
        let (l, r, y) = (self.light - other.light, self.red - other.red, self.yellow - other.yellow);
        (l * l + r * r + y * y).sqrt()
    }
}

/// Colours in a row, to be looked up smoothly.
pub struct Palette(Vec<Colour>);

impl Palette {
    /// The palette of some sRGB numbers.
    pub fn new(colours: &[u32]) -> Palette {
        Palette(colours.iter().map(|&rgb| Colour::hex(rgb)).collect())
    }

    /// The colour at `place`, 0 the first and 1 the last, mixed from its two neighbours.
    pub fn ramp(&self, place: f32) -> Colour {
        let place = place.clamp(0.0, 1.0) * (self.0.len() - 1) as f32;
        let left = (place as usize).min(self.0.len() - 2);
        self.0[left].mix(self.0[left + 1], place - left as f32)
    }

    /// The colour at `place` on a ring: after the last comes the first, one turn is 1.
    pub fn ring(&self, place: f32) -> Colour {
        let place = (place - place.floor()) * self.0.len() as f32;
        let left = place as usize % self.0.len();
        self.0[left].mix(self.0[(left + 1) % self.0.len()], place - place.floor())
    }

    /// One of the colours, unmixed.
    pub fn pick(&self, index: usize) -> Colour {
        self.0[index % self.0.len()]
    }
}
