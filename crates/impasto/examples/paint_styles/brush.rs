//! A brush: it lays a stroke of paint along a path, bristle by bristle.
//!
//! ```text
//!        start                          end        across: -1 left edge .. 1 right edge
//!         ,---------------------------.            lengthwise: 0 start .. 1 end
//!        (  ========================== ==  =       the paint stands highest at the edges, where the brush pushed it,
//!         `---------------------------'            has a furrow for each bristle, and runs dry towards the end
//! ```

use crate::canvas::{Canvas, SIDE};
use crate::chance::{Chance, noise};
use crate::colour::Colour;
use crate::plane::{Point, along, from_to, length, smoothstep, unit};

/// What a brush is like. Lengths are shares of the picture's side.
#[derive(Clone, Copy, Debug)]
pub struct Brush {
    /// Half the stroke's width.
    pub half_width: f32,
    /// Thickness of the paint in picture pixels.
    pub load: f32,
    /// How much of the paint below is covered, 0..1.
    pub opacity: f32,
    /// How much the bristles differ in lightness.
    pub streaks: f32,
    /// Share of the bristles that have run dry at the stroke's end, 0..1.
    pub dryness: f32,
    /// Share of the length over which the stroke narrows to a point at its start.
    pub taper_start: f32,
    /// Share of the length over which the stroke narrows to a point at its end.
    pub taper_end: f32,
}

impl Brush {
    /// A loaded oil brush of the given half width.
    pub fn oil(half_width: f32) -> Brush {
        let load = 1.5 + 90.0 * half_width;
        Brush { half_width, load, opacity: 0.93, streaks: 0.045, dryness: 0.5, taper_start: 0.06, taper_end: 0.25 }
    }

    /// A fine round brush that leaves an even line, pointed at both ends.
    pub fn line(half_width: f32) -> Brush {
        Brush { half_width, load: 0.4, opacity: 0.95, streaks: 0.015, dryness: 0.1, taper_start: 0.35, taper_end: 0.5 }
    }
}

/// A canvas and the hand that paints on it.
pub struct Painter {
    /// What is painted on.
    pub canvas: Canvas,
    /// For each cell, the number of the last stroke that painted it: a stroke paints a cell once.
    last_stroke: Vec<u32>,
    strokes: u32,
}

/// How far apart the brush is set down along and across a stroke, in cells.
const STEP_CELLS: f32 = 0.6;

impl Painter {
    /// A painter before a primed canvas.
    pub fn new(canvas: Canvas) -> Painter {
        Painter { last_stroke: vec![0; canvas.colour.len()], canvas, strokes: 0 }
    }

    /// Lays a stroke along `path` in the two colours that the brush was dipped into.
    pub fn stroke(&mut self, path: &[Point], brush: Brush, colours: [Colour; 2], chance: &mut Chance) {
        let total: f32 = path.windows(2).map(|pair| length(from_to(pair[0], pair[1]))).sum();
        if total <= 0.0 {
            return;
        }
        self.strokes += 1;
        let seed = chance.seed();
        let mut walked = 0.0;
        let mut normals: Vec<Point> = path.windows(2).map(|pair| normal(pair[0], pair[1])).collect();
        normals.push(normals[normals.len() - 1]);
        for (leg, pair) in path.windows(2).enumerate() {
            let leg_length = length(from_to(pair[0], pair[1]));
            let steps = (leg_length * SIDE as f32 / STEP_CELLS).ceil().max(1.0) as usize;
            for step in 0..steps {
                let share = step as f32 / steps as f32;
                let centre = along(pair[0], from_to(pair[0], pair[1]), share);
                // Turning the normal along the leg keeps bends free of notches.
                let turned = along(normals[leg], from_to(normals[leg], normals[leg + 1]), share);
                let walked = walked + share * leg_length;
                self.touch(centre, unit(turned), [walked, walked / total], brush, colours, seed);
            }
            walked += leg_length;
        }
    }

    /// A round dab.
    pub fn dab(&mut self, centre: Point, radius: f32, brush: Brush, colours: [Colour; 2], chance: &mut Chance) {
        let path = [[centre[0] - radius, centre[1]], [centre[0] + radius, centre[1]]];
        let round = Brush { half_width: radius, taper_start: 0.5, taper_end: 0.5, dryness: 0.0, ..brush };
        self.stroke(&path, round, colours, chance);
    }

    /// Sets the brush down once: a line of bristles across the path. `walked` is the way from the start, as a share of
    /// the picture's side and of the stroke's length.
    fn touch(&mut self, centre: Point, normal: Point, walked: [f32; 2], brush: Brush, colours: [Colour; 2], seed: u32) {
        let width = brush.half_width * profile(walked[1], brush);
        let count = (2.0 * width * SIDE as f32 / STEP_CELLS).ceil() as i32;
        for bristle in 0..=count {
            let across = if count == 0 { 0.0 } else { 2.0 * bristle as f32 / count as f32 - 1.0 };
            let place = along(centre, normal, across * width);
            if !(0.0..1.0).contains(&place[0]) || !(0.0..1.0).contains(&place[1]) {
                continue;
            }
            let cell = (place[1] * SIDE as f32) as usize * SIDE + (place[0] * SIDE as f32) as usize;
            if self.last_stroke[cell] != self.strokes {
                self.last_stroke[cell] = self.strokes;
                self.deposit(cell, across, walked, brush, colours, seed);
            }
        }
    }

    /// Paints one cell.
    fn deposit(&mut self, cell: usize, across: f32, walked: [f32; 2], brush: Brush, colours: [Colour; 2], seed: u32) {
        // Bristles are some 1.5 pixels apart whatever the brush, and keep their character for a long way.
        let bristles = across * brush.half_width * SIDE as f32 / 3.0;
        let bristle = noise([bristles, walked[0] * 14.0], seed);
        let dry = brush.dryness * smoothstep(0.35, 1.0, walked[1]);
        if 0.5 + 0.5 * noise([bristles * 0.8, walked[0] * 40.0], seed ^ 0x5bd1) < dry * (0.4 + 0.6 * across.abs()) {
            return;
        }
        let dipped = smoothstep(-0.5, 0.7, across * 0.7 + noise([bristles * 0.35, walked[0] * 9.0], seed ^ 0x27d4));
        let colour = colours[0].mix(colours[1], dipped).lighter(brush.streaks * bristle);
        let edge = across.abs();
        let ridge = 0.55 + 0.45 * smoothstep(0.3, 0.85, edge) - 0.8 * smoothstep(0.85, 1.0, edge);
        let blob = 1.0 + 0.35 * smoothstep(0.9, 1.0, walked[1]);
        let fresh = brush.load * ridge * blob * (1.0 + 0.45 * bristle);
        self.canvas.colour[cell] = self.canvas.colour[cell].mix(colour, brush.opacity);
        self.canvas.thickness[cell] = fresh + 0.35 * self.canvas.thickness[cell];
    }
}

/// A stroke's width at `share` of its length, 1 the full width: round at the ends, or pointed.
fn profile(share: f32, brush: Brush) -> f32 {
    let end = |distance: f32, taper: f32| {
        let open = (distance / taper.max(1e-3)).min(1.0);
        (open * (2.0 - open)).sqrt()
    };
    end(share, brush.taper_start) * end(1.0 - share, brush.taper_end)
}

/// The unit vector to the left of the way from `a` to `b`.
fn normal(a: Point, b: Point) -> Point {
    let [x, y] = unit(from_to(a, b));
    [-y, x]
}
