//! One size of the pyramid: the flow that is known, refined by warping.
//!
//! The energy is that of Brox et al. 2004, with I_1 and I_2 the pictures, w = (u, v) the flow and P(s) = sqrt(s + e^2):
//!
//! ```text
//!   sum  P(|I_2(x + w) - I_1(x)|^2)  +  gradients P(|grad I_2(x + w) - grad I_1(x)|^2)  +  smoothness g P(|grad u|^2 + |grad v|^2)
//! ```
//!
//! with g = 1 / (1 + (|grad I_1| / edge)^2): where the picture has an edge, movements on its two sides hold each other less, so that a
//! figure does not take a smooth ground along (as Wedel, Cremers, Pock and Bischof do, "Structure- and Motion-Adaptive Regularization for
//! High Accuracy Optic Flow", ICCV 2009).
//!
//! Each warping step linearises I_2 and its gradient around the flow so far; each of its equations takes the factors 1 / P of the
//! increment so far, and is solved for the increment.

use rayon::prelude::*;

use crate::field::Field;
use crate::median::median;
use crate::method::Method;
use crate::plane::Plane;
use crate::scalar::Scalar;
use crate::solver::{Equations, solve};

/// e of P: differences well below it count squared, those above it by themselves.
const EPSILON: f64 = 1e-3;

/// The least g: even across an edge, movements are not free of each other.
const LEAST_HOLD: f64 = 0.02;

/// A picture of the pyramid with its derivatives.
pub struct Level<T> {
    picture: Plane<T>,
    slopes: [Plane<T>; 2],
    /// The second derivatives: to the right twice, mixed, downwards twice.
    bends: [Plane<T>; 3],
}

/// What linearises the differences of the two pictures around a flow, at each pixel.
struct Linear<T> {
    /// Of the picture and of its two slopes: the difference, and its derivatives by u and v.
    terms: [[Plane<T>; 3]; 3],
    /// 1 where the flow leads into the picture, else 0: what is not there says nothing.
    inside: Plane<T>,
}

impl<T: Scalar> Level<T> {
    /// A picture with its derivatives.
    pub fn new(picture: Plane<T>) -> Level<T> {
        let slopes = picture.slopes();
        let [right, mixed] = slopes[0].slopes();
        let [_, down] = slopes[1].slopes();
        Level { picture, slopes, bends: [right, mixed, down] }
    }

    /// The flow from this picture to another of its size, from one that is near.
    pub fn refine(&self, other: &Level<T>, method: &Method, from: Field<T>) -> Field<T> {
        let (mut field, hold) = (from, self.hold(method));
        for _ in 0..method.warps {
            let linear = self.linearised(other, &field);
            let mut increment = Field::still(self.picture.width, self.picture.height);
            for _ in 0..method.reweightings {
                let [u, v] = solve(&equations(&linear, (&field, &hold), &increment, method), method.sweeps);
                increment = Field { u, v };
            }
            let moved = |plane: &Plane<T>, step: &Plane<T>| {
                let values = plane.values.iter().zip(&step.values).map(|(&value, &step)| value + step).collect();
                median(&Plane { values, ..*plane })
            };
            field = Field { u: moved(&field.u, &increment.u), v: moved(&field.v, &increment.v) };
        }
        field
    }

    /// Half of the smoothness times g, of each pixel.
    fn hold(&self, method: &Method) -> Plane<T> {
        let over_edge = T::of(1.0 / (method.edge * method.edge));
        let (one, least, half) = (T::of(1.0), T::of(LEAST_HOLD), T::of(0.5 * method.smoothness));
        joined(&self.slopes[0], &self.slopes[1], |right, down| {
            let hold = one / (one + (right * right + down * down) * over_edge);
            half * if hold > least { hold } else { least }
        })
    }

    fn linearised(&self, other: &Level<T>, field: &Field<T>) -> Linear<T> {
        let (width, height) = (self.picture.width, self.picture.height);
        let carried = |plane: &Plane<T>| {
            Plane::by_rows(width, height, |y, row| {
                let (u, v) = (field.u.row(y), field.v.row(y));
                for (x, value) in row.iter_mut().enumerate() {
                    *value = plane.cubic(T::of(x as f64) + u[x], T::of(y as f64) + v[x]);
                }
            })
        };
        let inside = Plane::by_rows(width, height, |y, row| {
            let (u, v) = (field.u.row(y), field.v.row(y));
            let within = |place: T, length: usize| place >= T::default() && place <= T::of((length - 1) as f64);
            for (x, value) in row.iter_mut().enumerate() {
                let is_inside = within(T::of(x as f64) + u[x], width) && within(T::of(y as f64) + v[x], height);
                *value = if is_inside { T::of(1.0) } else { T::default() };
            }
        });
        let slopes = [carried(&other.slopes[0]), carried(&other.slopes[1])];
        let [right, mixed, down] = [carried(&other.bends[0]), carried(&other.bends[1]), carried(&other.bends[2])];
        // The mean of both pictures' derivatives is nearer to that in the middle of the way.
        let mean = |one: &Plane<T>, other: &Plane<T>| joined(one, other, |one, other| T::of(0.5) * (one + other));
        let difference = |one: &Plane<T>, other: &Plane<T>| joined(one, other, |one, other| one - other);
        let mixed = mean(&mixed, &self.bends[1]);
        let terms = [
            [
                difference(&carried(&other.picture), &self.picture),
                mean(&slopes[0], &self.slopes[0]),
                mean(&slopes[1], &self.slopes[1]),
            ],
            [difference(&slopes[0], &self.slopes[0]), mean(&right, &self.bends[0]), mixed.clone()],
            [difference(&slopes[1], &self.slopes[1]), mixed, mean(&down, &self.bends[2])],
        ];
        Linear { terms, inside }
    }
}

fn joined<T: Scalar>(one: &Plane<T>, other: &Plane<T>, join: impl Fn(T, T) -> T) -> Plane<T> {
    let values = one.values.iter().zip(&other.values).map(|(&one, &other)| join(one, other)).collect();
    Plane { values, ..*one }
}

/// 1 / P(s).
fn factor<T: Scalar>(square: T) -> T {
    T::of(1.0) / (square + T::of(EPSILON * EPSILON)).root()
}

/// The equations for the increment, whose factors are those of the increment so far.
fn equations<T: Scalar>(
    linear: &Linear<T>,
    (field, hold): (&Field<T>, &Plane<T>),
    so_far: &Field<T>,
    method: &Method,
) -> Equations<T> {
    let (width, height) = (field.u.width, field.u.height);
    let all = |plane: &Plane<T>, step: &Plane<T>| joined(plane, step, |value, step| value + step);
    let [to_right, below] = stiffness(&all(&field.u, &so_far.u), &all(&field.v, &so_far.v), hold);
    let still = || Plane { width, height, values: vec![T::default(); width * height] };
    let [mut a, mut b, mut c, mut p, mut q] = [still(), still(), still(), still(), still()];
    let rows = a.values.par_chunks_mut(width).zip(b.values.par_chunks_mut(width)).zip(c.values.par_chunks_mut(width));
    let rows = rows.zip(p.values.par_chunks_mut(width)).zip(q.values.par_chunks_mut(width)).enumerate();
    rows.for_each(|(y, ((((a, b), c), p), q))| {
        for x in 0..width {
            let of_data = linear.at(y * width + x, so_far, T::of(method.gradients));
            (a[x], b[x], c[x]) = (of_data.a, of_data.b, of_data.c);
            p[x] = of_data.p + pull(&field.u, &to_right, &below, (x, y));
            q[x] = of_data.q + pull(&field.v, &to_right, &below, (x, y));
        }
    });
    Equations { a, b, c, p, q, to_right, below }
}

/// What the pictures say of one pixel's increment.
struct OfData<T> {
    a: T,
    b: T,
    c: T,
    p: T,
    q: T,
}

impl<T: Scalar> Linear<T> {
    fn at(&self, place: usize, so_far: &Field<T>, gradients: T) -> OfData<T> {
        let (du, dv) = (so_far.u.values[place], so_far.v.values[place]);
        let term = |[difference, by_u, by_v]: &[Plane<T>; 3]| {
            (difference.values[place], by_u.values[place], by_v.values[place])
        };
        let [picture, slope_x, slope_y] = [term(&self.terms[0]), term(&self.terms[1]), term(&self.terms[2])];
        let left = |(difference, by_u, by_v): (T, T, T)| difference + by_u * du + by_v * dv;
        let (of_picture, of_x, of_y) = (left(picture), left(slope_x), left(slope_y));
        let inside = self.inside.values[place];
        let one = inside * factor(of_picture * of_picture);
        let two = inside * gradients * factor(of_x * of_x + of_y * of_y);
        let sum = |of: fn((T, T, T)) -> T| one * of(picture) + two * (of(slope_x) + of(slope_y));
        OfData {
            a: sum(|(_, by_u, _)| by_u * by_u),
            b: sum(|(_, _, by_v)| by_v * by_v),
            c: sum(|(_, by_u, by_v)| by_u * by_v),
            p: -sum(|(difference, by_u, _)| difference * by_u),
            q: -sum(|(difference, _, by_v)| difference * by_v),
        }
    }
}

/// How the neighbours pull at a pixel of the flow so far.
fn pull<T: Scalar>(plane: &Plane<T>, to_right: &Plane<T>, below: &Plane<T>, (x, y): (usize, usize)) -> T {
    let (width, place) = (plane.width, y * plane.width + x);
    let own = plane.values[place];
    let mut pulled = T::default();
    if x + 1 < width {
        pulled += to_right.values[place] * (plane.values[place + 1] - own);
    }
    if x > 0 {
        pulled += to_right.values[place - 1] * (plane.values[place - 1] - own);
    }
    if y + 1 < plane.height {
        pulled += below.values[place] * (plane.values[place + width] - own);
    }
    if y > 0 {
        pulled += below.values[place - width] * (plane.values[place - width] - own);
    }
    pulled
}

/// How much neighbours hold each other: the mean of both pixels' factors times what `hold` says, to the right and below.
fn stiffness<T: Scalar>(u: &Plane<T>, v: &Plane<T>, hold: &Plane<T>) -> [Plane<T>; 2] {
    let (width, height) = (u.width, u.height);
    let slope = |plane: &Plane<T>, x: usize, y: usize| {
        let at = |x: usize, y: usize| plane.values[y * width + x];
        let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
        let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
        let across = T::of(0.5) * (at(right, y) - at(left, y));
        let down = T::of(0.5) * (at(x, below) - at(x, above));
        across * across + down * down
    };
    let factors = Plane::by_rows(width, height, |y, row| {
        for (x, value) in row.iter_mut().enumerate() {
            *value = hold.values[y * width + x] * factor(slope(u, x, y) + slope(v, x, y));
        }
    });
    let to_right = Plane::by_rows(width, height, |y, row| {
        let factors = factors.row(y);
        for x in 0..width - 1 {
            row[x] = factors[x] + factors[x + 1];
        }
    });
    let below = Plane::by_rows(width, height, |y, row| {
        if y + 1 < height {
            for (x, value) in row.iter_mut().enumerate() {
                *value = factors.row(y)[x] + factors.row(y + 1)[x];
            }
        }
    });
    [to_right, below]
}
