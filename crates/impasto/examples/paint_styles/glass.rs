//! Glass: a leaded window with a rose of cells in the middle of it, lit from behind.
//!
//! The panes are the Voronoi cells of seeds set in sunflower spirals: each next seed a golden angle on, and farther
//! out, so that panes grow from buds at the rose's heart to large ones at the window's edge. A pane's colour comes from
//! the ring that it is in; streaks, bubbles and ripples run through it, and the lead stands out in relief.

use crate::canvas::Canvas;
use crate::chance::{Chance, fixed, fractal, noise};
use crate::colour::{Colour, Palette};
use crate::plane::{Point, TURN, along, at_angle, from_to, length, scattered, smoothstep, unit};

/// The golden angle, as a share of a turn.
const GOLDEN: f32 = 0.381_966;

/// A rose of panes.
struct Rose {
    centre: Point,
    radius: f32,
    panes: usize,
    /// Where its rings begin in the palette.
    hue: f32,
}

const ROSES: [Rose; 4] = [
    Rose { centre: [0.40, 0.43], radius: 0.36, panes: 150, hue: 0.02 },
    Rose { centre: [0.84, 0.80], radius: 0.20, panes: 60, hue: 0.42 },
    Rose { centre: [0.88, 0.20], radius: 0.15, panes: 40, hue: 0.68 },
    Rose { centre: [0.12, 0.90], radius: 0.15, panes: 40, hue: 0.30 },
];

/// A pane: its seed, and what its glass is like.
struct Pane {
    seed: Point,
    colour: Colour,
    /// The direction in which its streaks run.
    streak: Point,
    /// The rose that it belongs to; the ground comes after the last rose.
    rose: usize,
}

/// The window: its panes, and for each tile of the picture those that can be near.
struct Window {
    panes: Vec<Pane>,
    near: Vec<Vec<usize>>,
}

/// Tiles on each side, for the search of the nearest panes.
const TILES: usize = 24;

impl Window {
    fn new(chance: &mut Chance) -> Window {
        let rings = Palette::new(&[
            0xffe9a0, 0xf6b21c, 0xe8641a, 0xc41f24, 0x8a1248, 0x4b1a78, 0x1f2f9c, 0x1560b8, 0x18a0b0, 0x1c8a50,
            0x8fbf3a, 0xf4d84a,
        ]);
        let ground = Palette::new(&[0x0f2f80, 0x1848a8, 0x123a6a, 0x146c8c, 0x2a1f6e, 0x1d7fc0, 0x4a2a86, 0x0c6070]);
        let mut panes = Vec::new();
        for (number, rose) in ROSES.iter().enumerate() {
            for pane in 0..rose.panes {
                let share = (pane as f32 + 0.5) / rose.panes as f32;
                let reach = libm::powf(share, 0.62);
                let outward = at_angle(TURN * GOLDEN * pane as f32);
                let place = along(rose.centre, outward, rose.radius * reach);
                let ring = (reach * 5.0).floor() / 5.0;
                let spread = 0.045 * (fixed(pane, 5) - 0.5) + if pane % 3 == 0 { 0.09 } else { 0.0 };
                let colour = rings.ring(rose.hue + 0.86 * ring + spread);
                let streak = if pane % 2 == 0 { outward } else { [-outward[1], outward[0]] };
                panes.push(Pane { seed: place, colour: vary(colour, chance), streak, rose: number });
            }
        }
        let mut around = scattered(0.062, chance);
        around.extend((0..24).map(|edge| at_angle(TURN * edge as f32 / 24.0)).map(|p| along([0.5, 0.5], p, 0.78)));
        for place in around {
            let clear = ROSES.iter().all(|rose| length(from_to(rose.centre, place)) > 1.06 * rose.radius);
            if clear {
                let flow = fractal([place[0] * 2.4, place[1] * 2.4], 2, 21);
                let mut colour = ground.ring(1.3 * flow + 0.1 * chance.unit());
                if chance.happens(0.16) {
                    colour = rings.ring(chance.unit());
                }
                let streak = at_angle(TURN * flow);
                panes.push(Pane { seed: place, colour: vary(colour, chance), streak, rose: ROSES.len() });
            }
        }
        let near = (0..TILES * TILES).map(|tile| nearby(&panes, tile)).collect();
        Window { panes, near }
    }

    /// The pane at a place, the way to the nearest lead's middle, and whether that lead parts two roses.
    fn pane(&self, p: Point) -> (&Pane, f32, bool) {
        let tile = |value: f32| ((value * TILES as f32) as usize).min(TILES - 1);
        let near = &self.near[tile(p[1].max(0.0)) * TILES + tile(p[0].max(0.0))];
        let distance = |&pane: &usize| length(from_to(self.panes[pane].seed, p));
        let nearest = near.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0);
        let own = &self.panes[nearest];
        let mut edge = (1.0f32, false);
        for &other in near.iter().filter(|&&other| other != nearest) {
            let other = &self.panes[other];
            let between = from_to(own.seed, other.seed);
            let middle = along(own.seed, between, 0.5);
            let direction = unit(between);
            let to_edge = from_to(p, middle);
            let away = to_edge[0] * direction[0] + to_edge[1] * direction[1];
            // A lead between two roses is wider: it wins over a thin one that is a little nearer.
            let parts = own.rose != other.rose;
            let rank = away - if parts { 0.004 } else { 0.0 };
            if rank < edge.0 {
                edge = (rank, parts);
            }
        }
        (own, edge.0 + if edge.1 { 0.004 } else { 0.0 }, edge.1)
    }
}

/// The panes that can be the nearest, or next to the nearest, within a tile.
fn nearby(panes: &[Pane], tile: usize) -> Vec<usize> {
    let middle = [((tile % TILES) as f32 + 0.5) / TILES as f32, ((tile / TILES) as f32 + 0.5) / TILES as f32];
    let mut all: Vec<usize> = (0..panes.len()).collect();
    let distance = |pane: usize| length(from_to(panes[pane].seed, middle));
    all.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    all.truncate(40);
    all
}

/// No two sheets of glass are alike.
fn vary(colour: Colour, chance: &mut Chance) -> Colour {
    colour.turned(0.02 * chance.normal(), 1.08 + 0.1 * chance.normal()).lighter(0.06 * chance.normal())
}

/// Paints the picture.
pub fn paint() -> Canvas {
    let window = Window::new(&mut Chance::new(1220));
    Canvas::from_places(0.8, |p| {
        // The glazier's hand: no lead is quite straight.
        let hand = [noise([p[0] * 9.0, p[1] * 9.0], 31), noise([p[0] * 9.0, p[1] * 9.0], 32)];
        let bent = along(p, hand, 0.006);
        let (pane, edge, parts) = window.pane(bent);
        let half_width = (if parts { 0.0085 } else { 0.0042 }) * (1.0 + 0.25 * noise([p[0] * 24.0, p[1] * 24.0], 33));
        if edge < half_width { lead(p, edge / half_width, parts) } else { glass(p, pane, edge - half_width) }
    })
}

/// The lead at `across` of its half width: a rounded bar, dull and scratched.
fn lead(p: Point, across: f32, parts: bool) -> (Colour, f32) {
    let patina = fractal([p[0] * 70.0, p[1] * 70.0], 3, 41);
    let colour = Colour::hex(0x1a1a20).mix(Colour::hex(0x4c4a50), (0.3 + 0.5 * patina).clamp(0.0, 1.0));
    let height = if parts { 7.0 } else { 4.0 };
    (colour, height * (1.0 - across * across).max(0.0).sqrt() + 0.5 * patina)
}

/// A pane's glass at a place, `inside` from its lead.
fn glass(p: Point, pane: &Pane, inside: f32) -> (Colour, f32) {
    let [sx, sy] = pane.streak;
    let local = from_to(pane.seed, p);
    let lengthwise = local[0] * sx + local[1] * sy;
    let across = local[1] * sx - local[0] * sy;
    let kind = fixed((pane.seed[0] * 4096.0) as usize, 51);
    let waver = noise([lengthwise * 18.0, across * 18.0], 52) * 0.35;
    let streaks = fractal([lengthwise * 11.0 + 9.0 * kind, across * 60.0 + waver * 4.0], 3, 53);
    let cloud = fractal([p[0] * 16.0, p[1] * 16.0], 3, 54);
    let hammered = noise([p[0] * 95.0, p[1] * 95.0], 55) + 0.5 * noise([p[0] * 190.0, p[1] * 190.0], 57);
    let daylight = 1.0 - 0.9 * length(from_to([0.42, 0.40], p));
    // Paint fired on by hand darkens a pane towards its lead.
    let fired = 1.0 - smoothstep(0.0, 0.016 + 0.006 * noise([p[0] * 40.0, p[1] * 40.0], 56), inside);
    let glow = smoothstep(0.010, 0.05, inside);
    let light = 0.12 * streaks + 0.07 * cloud + 0.07 * daylight - 0.15 * fired + 0.10 * glow + 0.02 * hammered;
    let colour = pane.colour.turned(0.05 * streaks + 0.035 * cloud, 1.08).lighter(light);
    let mut thickness = (0.5 + 0.6 * kind) * hammered + 1.4 * streaks;
    let (bubble, shine) = bubbles(p);
    thickness += 2.2 * bubble;
    (colour.lighter(0.16 * shine), thickness)
}

/// Bubbles in the glass: their bulge, and the spark in each.
fn bubbles(p: Point) -> (f32, f32) {
    let cells = 46.0;
    let (column, row) = ((p[0] * cells).floor(), (p[1] * cells).floor());
    let number = (row * cells + column) as usize;
    if fixed(number, 61) > 0.3 {
        return (0.0, 0.0);
    }
    let at = |seed: u32| 0.3 + 0.4 * fixed(number, seed);
    let away = from_to([column + at(62), row + at(63)], [p[0] * cells, p[1] * cells]);
    let reach = length(away) / (0.08 + 0.12 * fixed(number, 64));
    (1.0 - smoothstep(0.6, 1.0, reach), 1.0 - smoothstep(0.0, 0.6, length(along(away, [1.0, 1.0], 0.04)) / 0.10))
}
