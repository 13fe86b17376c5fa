//! Dots: an evening by the water, in dots of divided colour.
//!
//! No paint is mixed on the palette: each dot takes the colour of its place turned some way round the circle of hues,
//! and here and there its complement, so that the eye mixes them. Dots come in three sizes, the largest below; they lean
//! along the water, up the trees and around the sun.

use crate::brush::{Brush, Painter};
use crate::canvas::Canvas;
use crate::chance::{Chance, fractal, noise};
use crate::colour::{Colour, Palette};
use crate::plane::{Point, along, angle_of, at_angle, bell, from_to, length, scattered, smoothstep, unit};

const SUN: Point = [0.66, 0.34];
/// Where the water begins.
const SHORE: f32 = 0.50;

/// The scene: colour and lie of the dots at each place.
struct Scene {
    sky: Palette,
    water: Palette,
    leaves: Palette,
    meadow: Palette,
    seed: u32,
}

/// What a place belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Sky,
    Hills,
    Water,
    Meadow,
    Trunk,
    Leaves,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            sky: Palette::new(&[0xfff2c0, 0xffd070, 0xff9a50, 0xf07080, 0xb070b8, 0x6a78c8, 0x4a90d0, 0x3a60b0]),
            water: Palette::new(&[0xffe090, 0xf49a60, 0xc870a0, 0x5a70c0, 0x2a88b8, 0x1a5a98, 0x243a80]),
            leaves: Palette::new(&[0x10302a, 0x1d5a34, 0x2f8a3c, 0x86b030, 0x244a70, 0x4a2a60]),
            meadow: Palette::new(&[0x1f6a3a, 0x6aa832, 0xc8c83a, 0xe8a030, 0x3a8a60, 0xd8506a, 0x2a5a70]),
            seed: 23,
        }
    }

    fn bank(&self, x: f32) -> f32 {
        0.86 - 0.22 * smoothstep(0.75, -0.1, x) + 0.03 * noise([x * 6.0, 0.5], self.seed)
    }

    fn hills(&self, x: f32) -> f32 {
        SHORE - 0.045 - 0.05 * noise([x * 3.0 + 2.0, 1.5], self.seed) - 0.015 * noise([x * 11.0, 2.5], self.seed)
    }

    fn part(&self, p: Point) -> Part {
        let ragged = 0.035 * fractal([p[0] * 13.0, p[1] * 13.0], 3, self.seed + 1);
        let crowns = [
            ([0.13, 0.20], 0.21),
            ([0.30, 0.10], 0.13),
            ([0.03, 0.42], 0.13),
            ([0.26, 0.34], 0.085),
            ([0.98, 0.22], 0.12),
            ([0.95, 0.38], 0.07),
        ];
        if crowns.iter().any(|&(centre, radius)| length(from_to(centre, p)) + ragged < radius) {
            return Part::Leaves;
        }
        let trunk = |foot: f32, lean: f32, width: f32| {
            (p[0] - foot - lean * (p[1] - 0.7) - 0.012 * noise([p[1] * 7.0, foot * 50.0], self.seed + 2)).abs()
                < width * (0.6 + 0.6 * p[1])
        };
        let on_bank = p[1] < self.bank(p[0]) + 0.05;
        if on_bank
            && (trunk(0.115, -0.05, 0.020)
                || trunk(0.25, 0.12, 0.011)
                || (trunk(0.965, 0.03, 0.010) && p[1] > 0.3 && p[1] < SHORE + 0.30))
        {
            return Part::Trunk;
        }
        if p[1] > self.bank(p[0]) {
            Part::Meadow
        } else if p[1] > SHORE {
            Part::Water
        } else if p[1] > self.hills(p[0]) {
            Part::Hills
        } else {
            Part::Sky
        }
    }

    fn colour(&self, p: Point) -> Colour {
        let from_sun = length(from_to(SUN, p));
        let mottle = fractal([p[0] * 7.0, p[1] * 7.0], 3, self.seed + 3);
        match self.part(p) {
            Part::Sky => {
                let cloud = fractal([p[0] * 3.0, p[1] * 9.0], 3, self.seed + 4);
                let light = self.sky.ramp(from_sun * 1.45 + 0.10 * cloud);
                light
                    .mix(Colour::hex(0xfff0c8), smoothstep(0.25, 0.8, cloud) * 0.7)
                    .lighter(0.15 * bell(from_sun / 0.06))
            }
            Part::Hills => {
                Colour::hex(0x5a50a0).mix(Colour::hex(0xd07868), bell(from_sun / 0.28)).lighter(0.08 * mottle)
            }
            Part::Water => {
                let depth = (p[1] - SHORE) / 0.4;
                let ripple = noise([p[0] * 8.0, p[1] * 46.0], self.seed + 5);
                let glitter = bell((p[0] - SUN[0] + 0.02 * ripple) / (0.05 + 0.13 * depth));
                let colour = self.water.ramp(0.35 + 0.6 * depth + 0.16 * ripple);
                colour.mix(
                    Colour::hex(0xffdc80),
                    smoothstep(
                        0.25,
                        0.6,
                        glitter * (0.62 + 0.55 * ripple) + 0.4 * noise([p[0] * 90.0, p[1] * 130.0], 3),
                    ),
                )
            }
            Part::Meadow => {
                let flowers = noise([p[0] * 15.0, p[1] * 22.0], self.seed + 6);
                let near = (p[1] - self.bank(p[0])) / 0.3;
                self.meadow
                    .ring(0.30 * mottle + 0.25 * near)
                    .mix(Colour::hex(0xf04860), smoothstep(0.35, 0.6, flowers))
                    .lighter(0.04 - 0.24 * near)
            }
            Part::Trunk => Colour::hex(0x3a2040).mix(Colour::hex(0xb05a3a), (0.35 + 0.6 * mottle).clamp(0.0, 1.0)),
            Part::Leaves => {
                let lit = fractal([p[0] * 16.0 + 5.0, p[1] * 16.0], 2, self.seed + 7);
                self.leaves
                    .ramp(0.36 + 0.55 * lit)
                    .lighter(-0.05)
                    .mix(Colour::hex(0xf8c850), 0.55 * smoothstep(0.2, 0.8, lit))
            }
        }
    }

    /// The direction in which a dot leans.
    fn lean(&self, p: Point) -> Point {
        match self.part(p) {
            Part::Sky => {
                let away = unit(from_to(SUN, p));
                [-away[1], away[0]]
            }
            Part::Hills | Part::Water => [1.0, 0.0],
            Part::Meadow => at_angle(-1.2 + 0.5 * noise([p[0] * 5.0, p[1] * 5.0], self.seed + 8)),
            Part::Trunk => [0.1, 1.0],
            Part::Leaves => at_angle(3.0 * noise([p[0] * 6.0, p[1] * 6.0], self.seed + 9) + angle_of([1.0, 0.4])),
        }
    }
}

/// Radius, coverage, and how far hues are turned, in shares of the circle.
const LAYERS: [(f32, f32, f32); 4] =
    [(0.0125, 3.0, 0.03), (0.0078, 1.5, 0.055), (0.0058, 1.0, 0.075), (0.0040, 0.42, 0.09)];

/// Paints the picture.
pub fn paint() -> Canvas {
    let scene = Scene::new();
    let mut chance = Chance::new(1886);
    let ground = Canvas::from_places(1.1, |p| {
        let weave = 0.4 * libm::sinf(p[0] * 1900.0) * libm::sinf(p[1] * 1900.0);
        (Colour::hex(0xe8d8b0).lighter(0.03 * weave), weave)
    });
    let mut painter = Painter::new(ground);
    for (radius, coverage, turn) in LAYERS {
        let spacing = radius * (core::f32::consts::PI / coverage).sqrt();
        let mut places = scattered(spacing, &mut chance);
        chance.shuffle(&mut places);
        for place in places {
            let seen = scene.colour(place);
            let colours = divided(seen, turn, &mut chance);
            let size = radius * chance.within(0.75, 1.2);
            let brush = Brush {
                load: 1.2 + 140.0 * radius,
                streaks: 0.03,
                taper_start: 0.5,
                taper_end: 0.5,
                dryness: 0.0,
                ..Brush::oil(size)
            };
            let lean = scene.lean(place);
            let half = size * chance.within(1.0, 1.5);
            painter.stroke(&[along(place, lean, -half), along(place, lean, half)], brush, colours, &mut chance);
        }
    }
    painter.canvas
}

/// The two paints of a dot: the colour seen, its hue turned by chance; one dot in twelve is the complement, at the same
/// lightness.
fn divided(seen: Colour, turn: f32, chance: &mut Chance) -> [Colour; 2] {
    let opposite = if chance.happens(0.08) { 0.42 } else { 0.0 };
    let turned =
        seen.turned(opposite + turn * chance.normal(), chance.within(0.85, 1.2)).lighter(0.055 * chance.normal());
    [turned, turned.turned(0.02 * chance.normal(), 1.0).lighter(0.03 * chance.normal())]
}
