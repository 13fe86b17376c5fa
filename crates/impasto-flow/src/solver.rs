//! The linear equations of one step, solved by successive over-relaxation (Young, 1950).
//!
//! ```text
//!   (a + S) du + c dv - sum_n s_n du_n = p        S = sum_n s_n over the four neighbours n
//!   c du + (b + S) dv - sum_n s_n dv_n = q
//! ```
//!
//! Pixels are coloured like a chessboard, and each colour lies in planes of its own: a sweep writes one colour and reads the other, so
//! that rows are independent of each other and the bits do not depend on threads.

use rayon::prelude::*;

use crate::plane::Plane;
use crate::scalar::Scalar;

/// How far each step goes beyond what it solves.
const RELAXATION: f64 = 1.9;

/// The equations of all pixels, `[height, width]` each.
pub struct Equations<T> {
    /// a.
    pub a: Plane<T>,
    /// b.
    pub b: Plane<T>,
    /// c.
    pub c: Plane<T>,
    /// p.
    pub p: Plane<T>,
    /// q.
    pub q: Plane<T>,
    /// s of the neighbour to the right; 0 in the last column.
    pub to_right: Plane<T>,
    /// s of the neighbour below; 0 in the last row.
    pub below: Plane<T>,
}

/// One colour's half of a plane: of row y the pixels (x + y) % 2 = colour, in columns x / 2.
struct Half<T> {
    values: Vec<T>,
}

/// What a sweep over one colour reads of its equations.
struct Coefficients<T> {
    c: Half<T>,
    p: Half<T>,
    q: Half<T>,
    left: Half<T>,
    right: Half<T>,
    above: Half<T>,
    below: Half<T>,
    /// 1 / (a + S).
    over_a: Half<T>,
    /// 1 / (b + S).
    over_b: Half<T>,
}

/// Columns of a half.
fn half_width(width: usize) -> usize {
    width.div_ceil(2)
}

/// One colour of a plane of values; a place that a narrow row lacks has 0.
fn half<T: Scalar>((width, height): (usize, usize), colour: usize, at: impl Fn(usize, usize) -> T + Sync) -> Half<T> {
    let columns = half_width(width);
    let mut values = vec![T::default(); columns * height];
    values.par_chunks_mut(columns).enumerate().for_each(|(y, row)| {
        for (column, value) in row.iter_mut().enumerate() {
            let x = 2 * column + (y + colour) % 2;
            if x < width {
                *value = at(x, y);
            }
        }
    });
    Half { values }
}

/// Solves the equations with so many sweeps, from nothing on.
pub fn solve<T: Scalar>(equations: &Equations<T>, sweeps: u32) -> [Plane<T>; 2] {
    let (width, height) = (equations.a.width, equations.a.height);
    let coefficients = [0, 1].map(|colour| coefficients(equations, colour));
    let nothing = || vec![T::default(); half_width(width) * height];
    let mut u = [nothing(), nothing()];
    let mut v = [nothing(), nothing()];
    for _ in 0..sweeps {
        for (colour, coefficients) in coefficients.iter().enumerate() {
            let ([u0, u1], [v0, v1]) = (&mut u, &mut v);
            let (own, other) = if colour == 0 { ((u0, v0), (u1, v1)) } else { ((u1, v1), (u0, v0)) };
            sweep(coefficients, colour, (width, height), (own.0, own.1), (other.0, other.1));
        }
    }
    [u, v].map(|halves| {
        let columns = half_width(width);
        Plane::by_rows(width, height, |y, row| {
            for (x, value) in row.iter_mut().enumerate() {
                *value = halves[(x + y) % 2][y * columns + x / 2];
            }
        })
    })
}

fn coefficients<T: Scalar>(equations: &Equations<T>, colour: usize) -> Coefficients<T> {
    let (width, height) = (equations.a.width, equations.a.height);
    let none = T::default();
    let right = |x: usize, y: usize| equations.to_right.values[y * width + x];
    let below = |x: usize, y: usize| equations.below.values[y * width + x];
    let left = |x: usize, y: usize| if x > 0 { right(x - 1, y) } else { none };
    let above = |x: usize, y: usize| if y > 0 { below(x, y - 1) } else { none };
    let all = |x: usize, y: usize| left(x, y) + right(x, y) + above(x, y) + below(x, y);
    // A picture of one pixel has no neighbours, and may have no data.
    let over = |sum: T| if sum > none { T::of(1.0) / sum } else { none };
    let size = (width, height);
    let plain = |plane: &Plane<T>| half(size, colour, |x, y| plane.values[y * width + x]);
    Coefficients {
        c: plain(&equations.c),
        p: plain(&equations.p),
        q: plain(&equations.q),
        left: half(size, colour, left),
        right: half(size, colour, right),
        above: half(size, colour, above),
        below: half(size, colour, below),
        over_a: half(size, colour, |x, y| over(equations.a.values[y * width + x] + all(x, y))),
        over_b: half(size, colour, |x, y| over(equations.b.values[y * width + x] + all(x, y))),
    }
}

/// One sweep over the pixels of a colour.
fn sweep<T: Scalar>(
    coefficients: &Coefficients<T>,
    colour: usize,
    (width, height): (usize, usize),
    (own_u, own_v): (&mut [T], &mut [T]),
    (other_u, other_v): (&[T], &[T]),
) {
    let columns = half_width(width);
    let rows = own_u.par_chunks_mut(columns).zip(own_v.par_chunks_mut(columns)).enumerate().with_min_len(8);
    rows.for_each(|(y, (u, v))| {
        let row = RowOf { coefficients, start: y * columns, columns };
        let around = |other| Around::new(other, (y, columns), height, (y + colour) % 2 == 1);
        row.relax((u, v), &around(other_u), &around(other_v));
    });
}

/// The neighbours of a row's pixels, which are all of the other colour.
struct Around<'a, T> {
    above: &'a [T],
    here: &'a [T],
    below: &'a [T],
    /// Whether the row's first pixel stands in column 1: then a left neighbour has its pixel's number, and a right one the next.
    starts_odd: bool,
}

impl<'a, T: Scalar> Around<'a, T> {
    fn new(other: &'a [T], (y, columns): (usize, usize), height: usize, starts_odd: bool) -> Around<'a, T> {
        let row = |y: usize| &other[y * columns..(y + 1) * columns];
        Around { above: row(y.saturating_sub(1)), here: row(y), below: row((y + 1).min(height - 1)), starts_odd }
    }
}

/// The equations of one row of one colour.
struct RowOf<'a, T> {
    coefficients: &'a Coefficients<T>,
    start: usize,
    columns: usize,
}

impl<T: Scalar> RowOf<'_, T> {
    fn relax(&self, (u, v): (&mut [T], &mut [T]), around_u: &Around<'_, T>, around_v: &Around<'_, T>) {
        let last = self.columns - 1;
        match around_u.starts_odd {
            // But for the ends, the same loop over shifted rows.
            true => {
                let shifted = |row: &[T], column: usize| (row[column], row[(column + 1).min(last)]);
                self.relax_with((u, v), around_u, around_v, shifted);
            }
            false => {
                let shifted = |row: &[T], column: usize| (row[column.saturating_sub(1)], row[column]);
                self.relax_with((u, v), around_u, around_v, shifted);
            }
        }
    }

    #[inline(always)]
    fn relax_with(
        &self,
        (u, v): (&mut [T], &mut [T]),
        around_u: &Around<'_, T>,
        around_v: &Around<'_, T>,
        sides: impl Fn(&[T], usize) -> (T, T),
    ) {
        let of = |half: &Half<T>, column: usize| half.values[self.start + column];
        let (beyond, kept) = (T::of(RELAXATION), T::of(1.0 - RELAXATION));
        let it = self.coefficients;
        for column in 0..self.columns {
            let weights = [of(&it.left, column), of(&it.right, column), of(&it.above, column), of(&it.below, column)];
            let sum = |around: &Around<'_, T>| {
                let (left, right) = sides(around.here, column);
                weights[0] * left
                    + weights[1] * right
                    + weights[2] * around.above[column]
                    + weights[3] * around.below[column]
            };
            let c = of(&it.c, column);
            u[column] = kept * u[column]
                + beyond * (of(&it.p, column) + sum(around_u) - c * v[column]) * of(&it.over_a, column);
            v[column] = kept * v[column]
                + beyond * (of(&it.q, column) + sum(around_v) - c * u[column]) * of(&it.over_b, column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equations that are unlike everywhere.
    fn equations(width: usize, height: usize) -> Equations<f64> {
        let wave = |step: f64, base: f64| {
            Plane::by_rows(width, height, move |y, row: &mut [f64]| {
                for (x, value) in row.iter_mut().enumerate() {
                    *value = base + (step * (3 * x + 7 * y + 1) as f64).sin();
                }
            })
        };
        let mut to_right = wave(0.9, 1.5);
        let mut below = wave(1.3, 1.7);
        (0..height).for_each(|y| to_right.values[y * width + width - 1] = 0.0);
        (0..width).for_each(|x| below.values[(height - 1) * width + x] = 0.0);
        let (a, b, c) = (wave(0.3, 2.5), wave(0.5, 2.2), wave(0.7, 0.0));
        Equations { a, b, c, p: wave(1.1, 0.0), q: wave(0.2, 0.0), to_right, below }
    }

    #[test]
    fn the_solution_solves_every_equation() {
        for (width, height) in [(8, 6), (7, 5), (1, 4), (5, 1)] {
            let it = equations(width, height);
            let [u, v] = solve(&it, 600);
            for y in 0..height {
                for x in 0..width {
                    let at = |plane: &Plane<f64>, x: usize, y: usize| plane.values[y * width + x];
                    let mut left = [at(&it.a, x, y) * at(&u, x, y) + at(&it.c, x, y) * at(&v, x, y), 0.0];
                    left[1] = at(&it.c, x, y) * at(&u, x, y) + at(&it.b, x, y) * at(&v, x, y);
                    let mut neighbour = |weight: f64, nx: usize, ny: usize| {
                        left[0] += weight * (at(&u, x, y) - at(&u, nx, ny));
                        left[1] += weight * (at(&v, x, y) - at(&v, nx, ny));
                    };
                    if x > 0 {
                        neighbour(at(&it.to_right, x - 1, y), x - 1, y);
                    }
                    if x + 1 < width {
                        neighbour(at(&it.to_right, x, y), x + 1, y);
                    }
                    if y > 0 {
                        neighbour(at(&it.below, x, y - 1), x, y - 1);
                    }
                    if y + 1 < height {
                        neighbour(at(&it.below, x, y), x, y + 1);
                    }
                    assert!((left[0] - at(&it.p, x, y)).abs() < 1e-9, "{width}x{height} at {x},{y}: {}", left[0]);
                    assert!((left[1] - at(&it.q, x, y)).abs() < 1e-9, "{width}x{height} at {x},{y}: {}", left[1]);
                }
            }
        }
    }
}
