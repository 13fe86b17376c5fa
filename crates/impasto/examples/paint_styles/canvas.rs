//! The canvas: colour and thickness of the paint at every place, and the light that falls on it.

use rayon::prelude::*;

use crate::colour::Colour;
use crate::plane::Point;

/// Side of a finished picture in pixels.
const PICTURE_SIDE_PX: usize = 768;
/// Canvas cells on each side of a picture's pixel: edges are smoothed by averaging them.
const OVERSAMPLING: usize = 2;
/// Side of the canvas in cells.
pub const SIDE: usize = PICTURE_SIDE_PX * OVERSAMPLING;
/// One picture pixel, as a share of the picture's side.
pub const PIXEL: f32 = 1.0 / PICTURE_SIDE_PX as f32;

/// A square picture in the making, [`SIDE`] cells on each side, row after row.
pub struct Canvas {
    /// The colour of each cell.
    pub colour: Vec<Colour>,
    /// How thick the paint lies, in picture pixels.
    pub thickness: Vec<f32>,
    /// How strongly relief shows in the light: 0 flat, 1 thick oil.
    pub relief: f32,
}

impl Canvas {
    /// A canvas on which each cell's colour and thickness are a function of its place.
    pub fn from_places(relief: f32, cell: impl Fn(Point) -> (Colour, f32) + Sync) -> Canvas {
        let cells: Vec<_> = (0..SIDE * SIDE).into_par_iter().map(|index| cell(place_of(index))).collect();
        let (colour, thickness) = cells.into_iter().unzip();
        Canvas { colour, thickness, relief }
    }

    /// The picture: lit from the upper left, averaged over each pixel's cells, as 8-bit sRGB.
    pub fn develop(&self) -> image::RgbImage {
        let lit: Vec<[f32; 3]> = (0..SIDE * SIDE).into_par_iter().map(|index| self.lit(index).linear()).collect();
        let side = PICTURE_SIDE_PX as u32;
        image::RgbImage::from_fn(side, side, |x, y| {
            let mut sum = [0.0f32; 3];
            for row in 0..OVERSAMPLING {
                for column in 0..OVERSAMPLING {
                    let index = (y as usize * OVERSAMPLING + row) * SIDE + x as usize * OVERSAMPLING + column;
                    sum.iter_mut().zip(lit[index]).for_each(|(sum, value)| *sum += value);
                }
            }
            image::Rgb(sum.map(|value| encode(value / (OVERSAMPLING * OVERSAMPLING) as f32)))
        })
    }

    /// A cell's colour in the light: slopes towards the upper left are lighter, those away from it darker, and steep
    /// ones that face the light shine a little.
    fn lit(&self, index: usize) -> Colour {
        let (x, y) = (index % SIDE, index / SIDE);
        let thickness = |dx: isize, dy: isize| {
            let x = x.saturating_add_signed(dx).min(SIDE - 1);
            self.thickness[y.saturating_add_signed(dy).min(SIDE - 1) * SIDE + x]
        };
        // A wide and a narrow difference: the ridge of a stroke and the furrow of a bristle.
        let slope_x = 0.6 * (thickness(1, 0) - thickness(-1, 0)) + 0.4 * (thickness(3, 0) - thickness(-3, 0));
        let slope_y = 0.6 * (thickness(0, 1) - thickness(0, -1)) + 0.4 * (thickness(0, 3) - thickness(0, -3));
        let towards_light = self.relief * (0.6 * slope_x + 0.8 * slope_y);
        let shade = towards_light / (1.0 + 0.8 * towards_light.abs());
        let shine = (shade - 0.35).max(0.0);
        let colour = self.colour[index].lighter(0.17 * shade + 0.25 * shine);
        colour.turned(0.0, 1.0 - 0.5 * shine)
    }
}

/// The middle of a cell in the unit square.
pub fn place_of(index: usize) -> Point {
    [((index % SIDE) as f32 + 0.5) / SIDE as f32, ((index / SIDE) as f32 + 0.5) / SIDE as f32]
}

/// A linear-light value as an 8-bit sRGB value.
fn encode(value: f32) -> u8 {
    let curved = if value <= 0.003_130_8 { 12.92 * value } else { 1.055 * libm::powf(value, 1.0 / 2.4) - 0.055 };
    (curved * 255.0 + 0.5) as u8
}
