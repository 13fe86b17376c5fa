//! Whirls: a night of whirling lights over fields, in thick curling strokes.
//!
//! The sky is a *stream function*: strokes follow its contour lines, and colours change across them, so that every light
//! is a whirl of coloured rings. The land below has its own stream function, its hills. The picture is painted four
//! times, each time with a smaller brush and more of it where there is more to see; each stroke takes the colour of
//! the place where it starts, varied by chance.

use crate::brush::{Brush, Painter};
use crate::canvas::Canvas;
use crate::chance::{Chance, fractal, noise};
use crate::colour::{Colour, Palette};
use crate::plane::{Point, TURN, along, angle_of, at_angle, bell, from_to, length, scattered, smoothstep, unit};

/// A light in the sky.
struct Whirl {
    centre: Point,
    radius: f32,
    /// How strongly it bends the stream; negative turns the other way.
    strength: f32,
    /// Where its rings begin in the palette of lights.
    hue: f32,
}

const WHIRLS: [Whirl; 8] = [
    Whirl { centre: [0.29, 0.27], radius: 0.165, strength: 1.0, hue: 0.0 },
    Whirl { centre: [0.63, 0.40], radius: 0.125, strength: -0.9, hue: 0.35 },
    Whirl { centre: [0.84, 0.15], radius: 0.135, strength: 1.0, hue: 0.08 },
    Whirl { centre: [0.06, 0.53], radius: 0.085, strength: -0.6, hue: 0.6 },
    Whirl { centre: [0.55, 0.10], radius: 0.070, strength: -0.6, hue: 0.15 },
    Whirl { centre: [0.93, 0.46], radius: 0.080, strength: 0.6, hue: 0.5 },
    Whirl { centre: [0.04, 0.10], radius: 0.080, strength: -0.6, hue: 0.3 },
    Whirl { centre: [0.37, 0.52], radius: 0.060, strength: 0.5, hue: 0.1 },
];

/// The scene: what colour is where, and which way a stroke runs there.
struct Scene {
    night: Palette,
    lights: Palette,
    fields: Palette,
    /// What each whirl turns around: the wind moves it off the whirl's centre.
    eyes: Vec<Point>,
    seed: u32,
}

impl Scene {
    fn new() -> Scene {
        let mut scene = Scene {
            eyes: Vec::new(),
            night: Palette::new(&[
                0x0a1440, 0x14307e, 0x1f57ae, 0x123a6e, 0x2d86b8, 0x173f8f, 0x2a2a78, 0x54a9b8, 0x0d2258, 0x3c55b5,
            ]),
            lights: Palette::new(&[
                0xfffbe0, 0xffe670, 0xffba10, 0xf07010, 0xfff0a0, 0xffa820, 0xe04818, 0xf8dc60, 0x70c8a8, 0x2f88c8,
            ]),
            fields: Palette::new(&[
                0x1c3a2c, 0x5d7a24, 0xd9a520, 0x8f2f1c, 0x2d5a3a, 0xe8c24a, 0xb5531c, 0x183048, 0x9aa83a, 0xd2691e,
            ]),
            seed: 11,
        };
        scene.eyes = WHIRLS.iter().map(|whirl| scene.eye(whirl)).collect();
        scene
    }

    /// The stream's extremum near a whirl's centre, climbed to in small steps.
    fn eye(&self, whirl: &Whirl) -> Point {
        (0..200).fold(whirl.centre, |p, _| {
            let [x, y] = self.direction(p);
            along(p, [-y, x], 0.0008 * whirl.strength.signum())
        })
    }

    /// The land's upper edge, and that of each hill in it: y at `x` for the hill number `hill`.
    fn hill(&self, hill: f32, x: f32) -> f32 {
        let lift = noise([x * (2.2 + 0.3 * hill) + 7.0 * hill, hill * 3.7], self.seed);
        0.64 + 0.075 * hill + (0.055 + 0.006 * hill) * lift
    }

    /// How far below the land's edge a place is; negative in the sky.
    fn below_horizon(&self, p: Point) -> f32 {
        p[1] - self.hill(0.0, p[0])
    }

    /// The stream function: strokes follow its contours.
    fn stream(&self, p: Point) -> f32 {
        if self.below_horizon(p) > 0.0 {
            let rows = 0.02 * noise([p[0] * 5.0, p[1] * 8.0], self.seed + 5);
            return p[1] - self.hill(self.hill_number(p), p[0]) + rows;
        }
        let wind = fractal([p[0] * 2.6, p[1] * 3.6], 2, self.seed + 1);
        let whirls: f32 =
            WHIRLS.iter().map(|w| 0.16 * w.strength * bell(length(from_to(w.centre, p)) / w.radius)).sum();
        0.55 * p[1] + 0.06 * wind + whirls
    }

    /// Which hill a place of the land is on.
    fn hill_number(&self, p: Point) -> f32 {
        (1..6).rev().map(|hill| hill as f32).find(|&hill| p[1] > self.hill(hill, p[0])).unwrap_or(0.0)
    }

    /// The direction of a stroke, of length 1.
    fn direction(&self, p: Point) -> Point {
        let step = 0.002;
        let dx = self.stream([p[0] + step, p[1]]) - self.stream([p[0] - step, p[1]]);
        let dy = self.stream([p[0], p[1] + step]) - self.stream([p[0], p[1] - step]);
        unit([dy, -dx])
    }

    fn colour(&self, p: Point) -> Colour {
        if self.below_horizon(p) > 0.0 { self.land(p) } else { self.sky(p) }
    }

    fn land(&self, p: Point) -> Colour {
        let hill = self.hill_number(p);
        let depth = p[1] - self.hill(hill, p[0]);
        let furrow = noise([p[0] * 3.0 + hill * 5.0, depth * 24.0], self.seed + 2);
        let patch = noise([p[0] * 4.0, hill * 2.3], self.seed + 3);
        let colour = self.fields.ring(0.23 * hill + 0.16 * patch + 0.13 * furrow);
        // Each hill's brow catches the light; its foot lies in shade.
        colour.lighter(0.16 * bell(depth / 0.02) - 0.14 * smoothstep(0.03, 0.10, depth))
    }

    fn sky(&self, p: Point) -> Colour {
        let stream = self.stream(p);
        let band = stream * 4.2 + 0.35 * fractal([p[0] * 3.0, p[1] * 3.0], 3, self.seed + 4);
        let mut colour = self.night.ring(band);
        let above = -self.below_horizon(p);
        let glow = 0.5 + 0.5 * noise([p[0] * 9.0, p[1] * 60.0], self.seed + 7);
        let dusk = Colour::hex(0xf0a848).mix(Colour::hex(0x58b0b0), smoothstep(0.01, 0.06, above));
        colour = colour.mix(dusk, bell(above / 0.06) * smoothstep(0.25, 0.6, glow));
        for (whirl, &eye) in WHIRLS.iter().zip(&self.eyes) {
            let reach = self.reach(whirl, eye, p, stream);
            let turn = angle_of(from_to(eye, p)) / TURN;
            let spiral = reach * 1.05 + whirl.strength.signum() * turn * 0.18;
            let wobble = 0.10 * noise([p[0] * 22.0, p[1] * 22.0], self.seed + 6);
            let light = self.lights.ramp((spiral * 0.72 + wobble).max(0.0) + 0.12 * whirl.hue);
            let rings = 0.66 + 0.34 * libm::cosf(reach * 15.0 + turn * TURN);
            // Blue and orange mixed are mud: a ring is one or the other.
            let share = (1.0 - smoothstep(0.45, 1.30, reach)) * rings;
            colour = colour.mix(light, smoothstep(0.36, 0.50, share));
        }
        colour
    }

    /// How far out in a whirl a place is, 1 at its radius: by the contours of the stream, so that rings lie along the
    /// strokes, but not much nearer than it looks.
    fn reach(&self, whirl: &Whirl, eye: Point, p: Point, stream: f32) -> f32 {
        let fall = (self.stream(eye) - stream) / (0.16 * whirl.strength);
        let by_stream = (-libm::logf((1.0 - fall).clamp(1e-4, 1.0))).sqrt();
        by_stream.max(0.95 * length(from_to(eye, p)) / whirl.radius)
    }

    /// How much there is to see at a place, 0..1: fine strokes gather there.
    fn detail(&self, p: Point) -> f32 {
        let lights = WHIRLS.iter().map(|w| bell(length(from_to(w.centre, p)) / (0.9 * w.radius))).sum::<f32>();
        (0.35 + lights + bell(self.below_horizon(p) / 0.03)).min(1.0)
    }

    /// A stroke through `middle`, along the stream both ways, until `length` is walked or the colour is another.
    fn path(&self, middle: Point, length: f32, colour: Colour) -> Vec<Point> {
        let mut path = self.half_path(middle, -0.5 * length, colour);
        path.reverse();
        path.push(middle);
        path.extend(self.half_path(middle, 0.5 * length, colour));
        path
    }

    /// The way from `start` along the stream, against it where `length` is negative.
    fn half_path(&self, start: Point, length: f32, colour: Colour) -> Vec<Point> {
        let step = 0.003f32.copysign(length);
        let land = self.below_horizon(start) > 0.0;
        let mut path = Vec::new();
        let mut p = start;
        while path.len() as f32 * step.abs() < length.abs() {
            p = along(p, self.direction(p), step);
            let left = (self.below_horizon(p) > 0.0) != land || self.colour(p).distance(colour) > 0.22;
            if left && path.len() > 2 {
                break;
            }
            path.push(p);
        }
        path
    }
}

/// One layer of paint.
struct Layer {
    half_width: f32,
    /// Length of a stroke in half widths.
    length: f32,
    /// How often the layer covers the canvas.
    coverage: f32,
    /// Strokes are left out where there is little to see: 0 nowhere, 1 everywhere but in the whirls.
    selective: f32,
    /// How much the strokes differ in lightness.
    variety: f32,
}

const LAYERS: [Layer; 5] = [
    Layer { half_width: 0.024, length: 9.0, coverage: 2.4, selective: 0.0, variety: 0.035 },
    Layer { half_width: 0.0135, length: 14.0, coverage: 2.0, selective: 0.0, variety: 0.05 },
    Layer { half_width: 0.0080, length: 20.0, coverage: 1.5, selective: 0.25, variety: 0.06 },
    Layer { half_width: 0.0048, length: 26.0, coverage: 0.9, selective: 0.55, variety: 0.075 },
    Layer { half_width: 0.0028, length: 30.0, coverage: 0.28, selective: 0.7, variety: 0.10 },
];

/// Paints the picture.
pub fn paint() -> Canvas {
    let scene = Scene::new();
    let mut chance = Chance::new(1889);
    let ground = Canvas::from_places(1.35, |p| {
        let weave = 0.25 * (libm::sinf(p[0] * 2400.0) * libm::sinf(p[1] * 2400.0));
        (scene.colour(p).mix(Colour::hex(0x2a1a30), 0.55), weave)
    });
    let mut painter = Painter::new(ground);
    for layer in LAYERS {
        let area = 2.0 * layer.half_width * layer.half_width * layer.length;
        let mut starts = scattered((area / layer.coverage).sqrt(), &mut chance);
        chance.shuffle(&mut starts);
        for start in starts {
            let keep = 1.0 - layer.selective * (1.0 - scene.detail(start));
            if chance.happens(keep) {
                lay(&scene, &layer, start, &mut painter, &mut chance);
            }
        }
    }
    for (whirl, &eye) in WHIRLS.iter().zip(&scene.eyes) {
        light(whirl, eye, &mut painter, &mut chance);
    }
    painter.canvas
}

/// The heart of a whirl: short strokes of pure light around its eye.
fn light(whirl: &Whirl, eye: Point, painter: &mut Painter, chance: &mut Chance) {
    let paints = Palette::new(&[0xfffdf0, 0xfff2a8, 0xffd840, 0xffb020]);
    for ring in (0..7).rev() {
        let radius = whirl.radius * 0.055 * ring as f32;
        for _ in 0..(2 + 2 * ring) {
            let from = TURN * chance.unit();
            let arc = if ring == 0 { 5.0 } else { chance.within(0.5, 1.6) };
            let around = |step: i32| at_angle(from + arc * step as f32 / 8.0);
            let path: Vec<Point> = (0..=8).map(|step| along(eye, around(step), radius.max(0.003))).collect();
            let paint = paints.ramp(0.16 * ring as f32 + 0.18 * chance.normal()).lighter(0.03 * chance.normal());
            let brush = Brush::oil(whirl.radius * chance.within(0.022, 0.04));
            painter.stroke(&path, brush, [paint, paint.lighter(-0.06)], chance);
        }
    }
}

/// One stroke of a layer.
fn lay(scene: &Scene, layer: &Layer, start: Point, painter: &mut Painter, chance: &mut Chance) {
    let seen = scene.colour(start);
    let mut vary = |colour: Colour| {
        let turned = colour.turned(0.03 * chance.normal(), 1.08 + 0.12 * chance.normal());
        turned.lighter(layer.variety * chance.normal())
    };
    let colours = [vary(seen), vary(seen)];
    let path = scene.path(start, layer.length * layer.half_width * chance.within(0.6, 1.3), seen);
    let half_width = layer.half_width * chance.within(0.75, 1.2);
    painter.stroke(&path, Brush::oil(half_width), colours, chance);
}
