//! Marbled: inks floated on water, stirred and combed, as on the endpapers of old books.
//!
//! The bath is a list of movements of the water's surface (Lu, Jaffer et al., "Mathematical Marbling", 2012). Each can
//! be run backwards exactly: to find the colour of a place, walk the list from its end and undo each movement, until
//! the place comes to lie within a drop of ink.

use crate::canvas::Canvas;
use crate::chance::{Chance, fixed, fractal, noise};
use crate::colour::{Colour, Palette};
use crate::plane::{Point, TURN, along, at_angle, from_to, length, smoothstep};

/// One movement of the surface.
enum Movement {
    /// A drop of ink spreads at a place and pushes all else outwards, keeping its area.
    Drop { centre: Point, radius: f32, ink: usize },
    /// A comb is drawn along `direction`: teeth `spacing` apart drag the surface by up to `pull`.
    Comb { direction: Point, spacing: f32, pull: f32, sharpness: f32, shift: f32 },
    /// A stick stirs around a place: the surface turns by up to `angle`, less with the distance.
    Stir { centre: Point, radius: f32, angle: f32 },
    /// The bath is rocked: the surface sways across `direction` in a wave.
    Sway { direction: Point, wavelength: f32, amplitude: f32, phase: f32 },
}

/// Where a place was before a movement, or the drop in which it lay.
enum Origin {
    Moved(Point),
    /// In the drop of this ink, at this share of its radius.
    Drop(usize, f32),
}

impl Movement {
    fn undo(&self, p: Point) -> Origin {
        match *self {
            Movement::Drop { centre, radius, ink } => {
                let away = from_to(centre, p);
                let distance = length(away);
                if distance < radius {
                    return Origin::Drop(ink, distance / radius);
                }
                let share = (1.0 - (radius / distance) * (radius / distance)).max(0.0).sqrt();
                Origin::Moved(along(centre, away, share))
            }
            Movement::Comb { direction, spacing, pull, sharpness, shift } => {
                let across = (-p[0] * direction[1] + p[1] * direction[0]) / spacing + shift;
                let from_tooth = (across - across.floor() - 0.5).abs();
                let drag = pull * libm::expf(-sharpness * from_tooth);
                Origin::Moved(along(p, direction, -drag))
            }
            Movement::Stir { centre, radius, angle } => {
                let away = from_to(centre, p);
                let distance = length(away) / radius;
                let [cos, sin] = at_angle(-angle * libm::expf(-distance * distance));
                Origin::Moved([centre[0] + cos * away[0] - sin * away[1], centre[1] + sin * away[0] + cos * away[1]])
            }
            Movement::Sway { direction, wavelength, amplitude, phase } => {
                let across = (-p[0] * direction[1] + p[1] * direction[0]) / wavelength;
                Origin::Moved(along(p, direction, -amplitude * libm::sinf(TURN * (across + phase))))
            }
        }
    }
}

/// Throws the drops: large ones first, then ever smaller ones, each ink in its turn.
fn drops(chance: &mut Chance) -> Vec<Movement> {
    let mut movements = Vec::new();
    for (count, radius, inks) in [
        (30, 0.14, &[0usize, 1, 2, 8, 3][..]),
        (70, 0.075, &[3, 4, 0, 5, 1, 6][..]),
        (110, 0.042, &[5, 6, 7, 4, 2, 8][..]),
        (130, 0.024, &[6, 7, 0, 9, 3][..]),
        (150, 0.012, &[7, 6, 9, 0, 5][..]),
    ] {
        for _ in 0..count {
            let centre = [chance.within(-0.1, 1.1), chance.within(-0.1, 1.1)];
            let ink = inks[chance.index(inks.len())];
            movements.push(Movement::Drop { centre, radius: radius * chance.within(0.6, 1.3), ink });
        }
    }
    movements
}

/// Stirs and combs what was thrown.
fn stirring(movements: &mut Vec<Movement>) {
    let slanted = at_angle(0.42);
    movements.push(Movement::Sway { direction: [1.0, 0.0], wavelength: 0.8, amplitude: 0.05, phase: 0.1 });
    movements.push(Movement::Comb { direction: slanted, spacing: 0.24, pull: 0.34, sharpness: 7.0, shift: 0.2 });
    movements.push(Movement::Comb {
        direction: [-slanted[0], -slanted[1]],
        spacing: 0.24,
        pull: 0.30,
        sharpness: 7.0,
        shift: 0.7,
    });
    for (centre, radius, angle) in [
        ([0.27, 0.30], 0.17, 4.6),
        ([0.74, 0.22], 0.12, -4.2),
        ([0.66, 0.68], 0.20, 5.0),
        ([0.18, 0.78], 0.13, -4.4),
        ([0.95, 0.88], 0.11, 3.8),
        ([0.47, 0.50], 0.07, -3.6),
        ([0.42, 0.95], 0.09, 3.6),
        ([0.98, 0.47], 0.09, -3.4),
        ([0.03, 0.50], 0.08, 3.4),
        ([0.50, 0.06], 0.08, 3.4),
    ] {
        movements.push(Movement::Stir { centre, radius, angle });
    }
    movements.push(Movement::Comb {
        direction: at_angle(1.9),
        spacing: 0.055,
        pull: 0.028,
        sharpness: 5.0,
        shift: 0.0,
    });
}

/// Paints the picture.
pub fn paint() -> Canvas {
    let inks = Palette::new(&[
        0x14213d, 0x1b4d7a, 0x8c1c2b, 0xe0a92e, 0x1f7a74, 0xd9542b, 0xf6ead0, 0xf2c9a0, 0x5a2a5e, 0x0b0f1c,
    ]);
    let mut movements = drops(&mut Chance::new(1540));
    stirring(&mut movements);
    Canvas::from_places(0.5, |p| {
        // Water is never still: a fine tremor roughens each border between two inks.
        let tremor = [noise([p[0] * 60.0, p[1] * 60.0], 1), noise([p[0] * 60.0, p[1] * 60.0], 2)];
        let mut place = along(p, tremor, 0.0012);
        let mut drop = (8, 0.5);
        for movement in movements.iter().rev() {
            match movement.undo(place) {
                Origin::Moved(before) => place = before,
                Origin::Drop(ink, reach) => {
                    drop = (ink, reach);
                    break;
                }
            }
        }
        finish(p, place, drop, &inks)
    })
}

/// The look of ink `drop.0` on paper at `p`, which lay at `place` in its drop, `drop.1` of the radius from its middle.
fn finish(p: Point, place: Point, drop: (usize, f32), inks: &Palette) -> (Colour, f32) {
    let (ink, reach) = drop;
    // The pigment gathers at the rim of its drop, and is drawn out into threads by all that moved it.
    let cloud = fractal([place[0] * 30.0 + ink as f32, place[1] * 30.0], 4, 3);
    let grain = fractal([p[0] * 260.0, p[1] * 260.0], 2, 4);
    let fibre = noise([p[0] * 90.0 + 2.0 * noise([p[0] * 9.0, p[1] * 9.0], 6), p[1] * 330.0], 5);
    let rim = smoothstep(0.80, 1.0, reach);
    let neighbour = inks.pick(ink + 1 + (fixed(ink, 9) * 3.0) as usize);
    let colour = inks.pick(ink).mix(neighbour, (0.10 + 0.16 * cloud).clamp(0.0, 0.4));
    let colour = colour.lighter(0.055 * cloud - 0.07 * rim + 0.022 * grain + 0.012 * fibre);
    (colour.turned(0.012 * cloud, 1.05), 0.5 * grain + 0.35 * fibre + 0.5 * rim)
}
