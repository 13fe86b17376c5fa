//! Waves: a rising sea under a low sun, in the manner of a woodblock print.
//!
//! A wave is a family of curves, from its crest (`sink` 0) to its foot (`sink` 1), drawn as broken ribbons of ink. Where
//! the sea rises, the crest runs ahead of its foot and bends over:
//!
//! ```text
//!     x = t - hook * rise^2          rise: 0 in the trough .. 1 at the peak, along t
//!     y = base - height * (rise - bend * rise^5)
//! ```
//!
//! Foam is rows of outlined discs along the crest, and claws that reach out of it; spray is dots.

use crate::brush::{Brush, Painter};
use crate::canvas::{Canvas, PIXEL};
use crate::chance::{Chance, fixed, fractal, noise};
use crate::colour::{Colour, Palette};
use crate::plane::{Point, TURN, along, angle_of, at_angle, bell, from_to, length, smoothstep};

/// The colour of outlines.
const OUTLINE: u32 = 0x0e1c3a;

/// One row of waves.
struct Wave {
    /// Height of the still water, y.
    base: f32,
    /// Height of the peaks.
    height: f32,
    /// From peak to peak.
    wavelength: f32,
    /// Where the first peak is, in wavelengths.
    phase: f32,
    /// How far the peak runs ahead.
    hook: f32,
    /// How far the row reaches down.
    depth: f32,
    /// Size of foam and of lines: 1 in the foreground.
    nearness: f32,
    seed: u32,
}

const WAVES: [Wave; 6] = [
    Wave { base: 0.475, height: 0.045, wavelength: 0.19, phase: 0.3, hook: 0.02, depth: 0.10, nearness: 0.35, seed: 1 },
    Wave {
        base: 0.530,
        height: 0.080,
        wavelength: 0.27,
        phase: 0.75,
        hook: 0.04,
        depth: 0.14,
        nearness: 0.45,
        seed: 2,
    },
    Wave {
        base: 0.620,
        height: 0.330,
        wavelength: 0.82,
        phase: 0.43,
        hook: 0.20,
        depth: 0.22,
        nearness: 0.85,
        seed: 3,
    },
    Wave {
        base: 0.735,
        height: 0.130,
        wavelength: 0.41,
        phase: 0.12,
        hook: 0.08,
        depth: 0.20,
        nearness: 0.70,
        seed: 4,
    },
    Wave {
        base: 0.850,
        height: 0.240,
        wavelength: 0.74,
        phase: 0.02,
        hook: 0.15,
        depth: 0.26,
        nearness: 0.95,
        seed: 5,
    },
    Wave { base: 0.985, height: 0.130, wavelength: 0.50, phase: 0.62, hook: 0.08, depth: 0.16, nearness: 1.0, seed: 6 },
];

impl Wave {
    /// How high the sea stands at `t`: 0 in a trough, up to 1 at a peak. No two peaks are alike.
    fn rise(&self, t: f32) -> f32 {
        let place = t / self.wavelength - self.phase;
        let peak = (place + 0.5).floor() as i32;
        let size = 0.72 + 0.28 * fixed((peak + 64) as usize, self.seed);
        size * libm::powf(0.5 + 0.5 * libm::cosf(TURN * place), 1.7)
    }

    /// The curve number `sink` at `t`.
    fn at(&self, t: f32, sink: f32) -> Point {
        let rise = self.rise(t);
        let fade = 1.0 - sink;
        let ripple = 0.006 * self.nearness * noise([t * 14.0, sink * 5.0], self.seed);
        let x = t - self.hook * rise * rise * fade * fade.sqrt();
        let bent = rise - 0.42 * fade * libm::powf(rise, 6.0);
        [x, self.base + self.depth * sink - self.height * bent * libm::powf(fade, 1.15) + ripple]
    }

    /// The way along curve number `sink` from `from` to `to`.
    fn path(&self, from: f32, to: f32, sink: f32) -> Vec<Point> {
        let steps = ((to - from) / 0.004).ceil().max(2.0) as usize;
        (0..=steps).map(|step| self.at(from + (to - from) * step as f32 / steps as f32, sink)).collect()
    }
}

/// Paints the picture.
pub fn paint() -> Canvas {
    let mut chance = Chance::new(1831);
    let mut painter = Painter::new(Canvas::from_places(0.75, sky));
    clouds(&mut painter, &mut chance);
    let water = Palette::new(&[0xd8e6dc, 0x8fbcc8, 0x3f86b4, 0x1c5390, 0x14356e, 0x0f2450, 0x1a4a80, 0x2f7a98]);
    for wave in &WAVES {
        ribbons(wave, &water, &mut painter, &mut chance);
        foam(wave, &mut painter, &mut chance);
        claws(wave, &mut painter, &mut chance);
        spray(wave, &mut painter, &mut chance);
    }
    grain(&mut painter.canvas);
    painter.canvas
}

/// Sky, sun and far mountains, as printed from graded blocks.
fn sky(p: Point) -> (Colour, f32) {
    let ramp = Palette::new(&[0x1f3566, 0x4a6a94, 0xb9b49a, 0xf0d9a4, 0xf4b878, 0xe88a60]);
    let wood = fractal([p[0] * 3.0, p[1] * 46.0], 3, 70);
    let mut colour = ramp.ramp(p[1] / 0.5 + 0.05 * wood).lighter(0.03 * wood);
    let from_sun = length(from_to([0.70, 0.27], p));
    let sun = Colour::hex(0xd8341f).mix(Colour::hex(0xf0903a), smoothstep(0.18, 0.40, p[1]));
    colour = colour.mix(Colour::hex(0xffe9b0), 0.6 * bell(from_sun / 0.19));
    if from_sun + 0.002 * wood < 0.105 {
        colour = sun.lighter(0.04 * wood - 0.08 * smoothstep(0.096, 0.104, from_sun));
    }
    for (range, foot) in [(0u32, 0x8f88b0u32), (1, 0x5d6f9c)] {
        let seed = 80 + range;
        let lift = 0.06 * noise([p[0] * 3.1 + 5.0, 0.5], seed) + 0.018 * fractal([p[0] * 13.0, 1.5], 3, seed);
        let below = p[1] - (0.385 + 0.035 * range as f32 - lift);
        if below > 0.0 {
            let crest = Colour::hex(0x2f3f74).mix(Colour::hex(foot), smoothstep(0.0, 0.07, below));
            colour = crest.mix(Colour::hex(0xf0c8a0), 0.75 * smoothstep(0.03, 0.12, below)).lighter(0.035 * wood);
        }
    }
    (colour, 0.0)
}

/// Long banks of cloud, each a handful of tapering ribbons.
fn clouds(painter: &mut Painter, chance: &mut Chance) {
    let tints = Palette::new(&[0xfdf3d8, 0xf6d2b0, 0xe8a890, 0xa9a8c0, 0x6f86b0]);
    for _ in 0..26 {
        let (x, y) = (chance.within(-0.2, 1.0), 0.03 + 0.33 * chance.unit());
        let (span, seed) = (chance.within(0.15, 0.5), chance.seed());
        for row in 0..5 {
            let inset = span * (0.08 * row as f32 + 0.1 * chance.unit());
            let dip = |t: f32| 0.010 * noise([t * 7.0, row as f32 * 0.4], seed);
            let steps = 40;
            let path: Vec<Point> = (0..=steps)
                .map(|step| x + inset + (span - 1.5 * inset) * step as f32 / steps as f32)
                .map(|t| [t, y + 0.0058 * row as f32 + dip(t)])
                .collect();
            let tint = tints.ramp(0.22 * row as f32 + 0.12 * chance.normal() + 0.9 * (0.16 - y).max(0.0));
            let brush = Brush { opacity: 0.8, ..Brush::line(chance.within(0.0022, 0.0048)) };
            painter.stroke(&path, brush, [tint, tint.lighter(-0.06)], chance);
        }
    }
}

/// The body of a wave: a ground of ribbons laid edge to edge, then broken lines of darker and lighter ink over it.
fn ribbons(wave: &Wave, water: &Palette, painter: &mut Painter, chance: &mut Chance) {
    let rows = 64;
    for row in 0..rows {
        let sink = row as f32 / rows as f32;
        let tone = water.ramp(0.12 + 0.62 * sink.sqrt()).lighter(0.02 * chance.normal());
        let brush = Brush { opacity: 1.0, dryness: 0.0, taper_start: 0.0, taper_end: 0.0, ..Brush::line(0.0115) };
        painter.stroke(&wave.path(-0.3, 1.4, sink), brush, [tone, tone.lighter(-0.03)], chance);
    }
    let lines = (70.0 + 120.0 * wave.nearness) as usize;
    for line in 0..lines {
        let sink = 0.02 + 0.97 * (line as f32 + chance.unit()) / lines as f32;
        let mut t = chance.within(-0.3, -0.1);
        while t < 1.35 {
            let span = wave.wavelength * chance.within(0.12, 0.75);
            let steep = wave.rise(t + 0.5 * span);
            let place = chance.unit() * (0.35 + 0.65 * sink.sqrt()) - 0.25 * steep * chance.unit();
            let tone = water.ramp(place).turned(0.02 * chance.normal(), 1.1).lighter(0.03 * chance.normal());
            let width = wave.nearness * chance.within(0.0012, 0.0050);
            painter.stroke(&wave.path(t, t + span, sink), Brush::line(width), [tone, tone.lighter(-0.07)], chance);
            t += span * chance.within(0.7, 1.3);
        }
    }
    let crest = Brush { taper_start: 0.0, taper_end: 0.0, dryness: 0.0, ..Brush::line(1.6 * PIXEL * wave.nearness) };
    let outline = Colour::hex(OUTLINE);
    painter.stroke(&wave.path(-0.3, 1.4, 0.0), crest, [outline, outline], chance);
}

/// Rows of foam along the crest, the lowest first: each row's outlines, then its discs.
fn foam(wave: &Wave, painter: &mut Painter, chance: &mut Chance) {
    let tints = Palette::new(&[0xfffaf0, 0xf4f0e2, 0xdfe9e6, 0xc3dbe2]);
    for row in (0..5).rev() {
        let mut discs: Vec<(Point, f32)> = Vec::new();
        let mut t = -0.3;
        while t < 1.4 {
            let rise = wave.rise(t);
            let radius =
                wave.nearness * (0.0045 + 0.013 * rise) * chance.within(0.55, 1.15) * (1.0 - 0.09 * row as f32);
            if rise * chance.within(0.8, 1.25) > 0.16 + 0.11 * row as f32 {
                let sink = 0.030 * row as f32 * chance.within(0.6, 1.2);
                discs.push((wave.at(t, sink), radius));
            }
            // The curve is longer than t where it bends over.
            let stretch = length(from_to(wave.at(t, 0.0), wave.at(t + 0.001, 0.0))) / 0.001;
            t += 1.15 * radius / stretch.max(0.3);
        }
        let disc = Brush { opacity: 1.0, load: 0.9, streaks: 0.02, ..Brush::line(0.0) };
        let outline = Colour::hex(OUTLINE).mix(Colour::hex(0x3a78a8), 0.15 * row as f32);
        for &(centre, radius) in &discs {
            painter.dab(centre, radius + 1.1 * PIXEL * wave.nearness, disc, [outline, outline], chance);
        }
        for &(centre, radius) in &discs {
            let tint = tints.ramp(0.2 * row as f32 + 0.25 * chance.unit());
            painter.dab(centre, radius, disc, [tint.lighter(-0.09), tint], chance);
            let core = along(centre, [0.35, 0.35], radius);
            let shade = Colour::hex(0x8fb8cc).lighter(0.04 * chance.normal());
            painter.dab(core, 0.33 * radius, Brush { opacity: 0.75, ..disc }, [shade, tint], chance);
        }
    }
}

/// Claws of foam that curl out of a steep crest.
fn claws(wave: &Wave, painter: &mut Painter, chance: &mut Chance) {
    let mut t = -0.3;
    while t < 1.4 {
        let rise = wave.rise(t);
        if rise > 0.42 {
            let start = wave.at(t, 0.01);
            let forward = angle_of(from_to(wave.at(t + 0.004, 0.0), start));
            let reach = wave.nearness * chance.within(0.022, 0.062) * (0.4 + rise);
            let mut heading = forward + chance.within(-0.9, 0.5);
            let bend = -chance.within(0.10, 0.22);
            let mut path = vec![start];
            let mut tip = start;
            for step in 0..18 {
                tip = along(tip, at_angle(heading), reach / 18.0);
                heading += bend * (0.4 + 0.09 * step as f32);
                path.push(tip);
            }
            let width = wave.nearness * chance.within(0.0022, 0.0046);
            let brush = Brush { taper_start: 0.1, taper_end: 0.9, dryness: 0.0, opacity: 1.0, ..Brush::line(width) };
            let outline = Colour::hex(OUTLINE);
            let wider = Brush { half_width: width + 1.2 * PIXEL * wave.nearness, ..brush };
            painter.stroke(&path, wider, [outline, outline], chance);
            let white = Colour::hex(0xfbf6ea);
            painter.stroke(&path, brush, [white, white.lighter(-0.05)], chance);
        }
        t += 0.017 * wave.nearness * chance.within(0.5, 1.4);
    }
}

/// Drops thrown ahead of and above the peaks.
fn spray(wave: &Wave, painter: &mut Painter, chance: &mut Chance) {
    for _ in 0..(1500.0 * wave.nearness) as usize {
        let t = chance.within(-0.2, 1.35);
        if wave.rise(t) < chance.within(0.3, 1.0) {
            continue;
        }
        let throw = wave.height * (0.10 * chance.normal().abs() + 0.02);
        let place = along(wave.at(t, 0.0), at_angle(chance.within(2.2, 5.2)), throw);
        let tint = Colour::hex(0xfdf8ea).lighter(-0.05 * chance.unit());
        let radius = wave.nearness * PIXEL * chance.within(0.5, 2.8);
        painter.dab(place, radius, Brush { opacity: 0.95, ..Brush::line(0.0) }, [tint, tint], chance);
    }
}

/// The block's wood and the paper's fibres, over all.
fn grain(canvas: &mut Canvas) {
    for (index, (colour, thickness)) in canvas.colour.iter_mut().zip(&mut canvas.thickness).enumerate() {
        let p = crate::canvas::place_of(index);
        let bend = 0.015 * noise([p[0] * 2.0, p[1] * 5.0], 90);
        let wood =
            noise([p[0] * 4.0, (p[1] + bend) * 150.0], 91) + 0.6 * noise([p[0] * 9.0, (p[1] + bend) * 310.0], 92);
        let fibre = fractal([p[0] * 230.0, p[1] * 230.0], 2, 93);
        *colour = colour.lighter(0.022 * wood + 0.016 * fibre);
        *thickness = 0.5 * *thickness + 0.4 * fibre + 0.25 * wood;
    }
}
