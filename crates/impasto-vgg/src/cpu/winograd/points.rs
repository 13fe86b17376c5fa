//! The transforms of Winograd's minimal filtering F(4x4, 3x3) and F(4x6, 3x3), as matrices and as the few operations they
//! take.
//!
//! Four outputs y of a three-tap filter g over six inputs d (Lavin and Gray, "Fast Algorithms for Convolutional Neural
//! Networks", 2016, eq. 7; matrices after Cook and Toom) are
//!
//! ```text
//!   y = A^T [ (G g) * (B^T d) ]        six products instead of twelve
//! ```
//!
//! and in two dimensions each matrix works on columns, then on rows: 36 products instead of 144. The points of
//! interpolation are 0, +-a, +-b and infinity. With a = 3/4 and b = 3/2 the features of VGG-19 come out within 9e-7 of
//! the largest element; the usual 0, +-1, +-2, infinity loses 2.5e-6. Row j of B^T is the polynomial with zeros in all
//! finite points but p_j (the last row in all), row j of G holds 1, p_j, p_j^2 divided by that polynomial's value in p_j, row i
//! of A^T each point to the power i:
//!
//! ```text
//!         | a2b2   0     -a2-b2   0      1  0 |         | 1/a2b2   0     0     |           | 1  1   1   1   1  0 |
//!         | 0     -ab2   -b2      a      1  0 |         | 1/n      a/n   a2/n  |    A^T =  | 0  a  -a   b  -b  0 |
//!   B^T = | 0      ab2   -b2     -a      1  0 |    G =  | 1/n     -a/n   a2/n  |           | 0  a2  a2  b2  b2 0 |
//!         | 0     -a2b   -a2      b      1  0 |         | 1/m      b/m   b2/m  |           | 0  a3 -a3  b3 -b3 1 |
//!         | 0      a2b   -a2     -b      1  0 |         | 1/m     -b/m   b2/m  |
//!         | 0      a2b2   0     -a2-b2   0  1 |         | 0        0     1     |    n = 2 a2 (a2 - b2), m = 2 b2 (b2 - a2)
//! ```
//!
//! Six outputs take eight products, made in the same way with the points 0, +-1/2, +-1, +-7/4 and infinity. From left to right
//! a tile may have six outputs at that price, 48 products for 24 outputs instead of 54, and no band of rows has to end
//! elsewhere for it. Rounding costs twice as much as in F(4x4, 3x3), in the mean of random features; in F(6x6, 3x3), which
//! would take 43, five times as much.

use crate::cpu::isa::Isa;

/// Rows of a tile's outputs, and columns of a square tile's.
pub const TILE: usize = 4;
/// Rows of a tile's inputs, and columns of a square tile's: the points of F(4, 3).
pub const SPAN: usize = 6;
/// Columns of an oblong tile's outputs.
pub const OBLONG_TILE: usize = 6;
/// Columns of an oblong tile's inputs: the points of F(6, 3).
pub const OBLONG_SPAN: usize = 8;
/// Points in two dimensions, of an oblong tile.
pub const MOST_POINTS: usize = SPAN * OBLONG_SPAN;

/// How many outputs a tile has beside each other. Below each other there are [`TILE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileShape {
    /// Four: F(4x4, 3x3).
    Square,
    /// Six: F(4x6, 3x3).
    Oblong,
}

impl TileShape {
    /// Columns of its outputs.
    pub fn columns(self) -> usize {
        match self {
            TileShape::Square => TILE,
            TileShape::Oblong => OBLONG_TILE,
        }
    }

    /// Points in one row, as many as it has columns of inputs.
    pub fn row_points(self) -> usize {
        self.columns() + 2
    }

    /// Points in two dimensions.
    pub fn points(self) -> usize {
        SPAN * self.row_points()
    }
}

const A: f64 = 0.75;
const B: f64 = 1.5;
const A2: f64 = A * A;
const B2: f64 = B * B;

/// G of F(4, 3): what a filter is multiplied with, `[point][tap]`.
const FILTER: [[f64; 3]; SPAN] = {
    let (n, m) = (2.0 * A2 * (A2 - B2), 2.0 * B2 * (B2 - A2));
    [
        [1.0 / (A2 * B2), 0.0, 0.0],
        [1.0 / n, A / n, A2 / n],
        [1.0 / n, -A / n, A2 / n],
        [1.0 / m, B / m, B2 / m],
        [1.0 / m, -B / m, B2 / m],
        [0.0, 0.0, 1.0],
    ]
};

/// The points of F(6, 3) but 0 and infinity, each with either sign.
const OBLONG_POINTS: [f64; 3] = [0.5, 1.0, 1.75];
/// Their squares.
const OBLONG_SQUARES: [f64; 3] = {
    let [p, q, r] = OBLONG_POINTS;
    [p * p, q * q, r * r]
};

/// G of F(6, 3).
const OBLONG_FILTER: [[f64; 3]; OBLONG_SPAN] = {
    let mut rows = [[0.0; 3]; OBLONG_SPAN];
    rows[0][0] = -1.0 / (OBLONG_SQUARES[0] * OBLONG_SQUARES[1] * OBLONG_SQUARES[2]);
    let mut i = 0;
    while i < 3 {
        let (p, p2) = (OBLONG_POINTS[i], OBLONG_SQUARES[i]);
        let n = 2.0 * p2 * (p2 - OBLONG_SQUARES[(i + 1) % 3]) * (p2 - OBLONG_SQUARES[(i + 2) % 3]);
        rows[2 * i + 1] = [1.0 / n, p / n, p2 / n];
        rows[2 * i + 2] = [1.0 / n, -p / n, p2 / n];
        i += 1;
    }
    rows[OBLONG_SPAN - 1][2] = 1.0;
    rows
};

/// G g G^T for one filter `[ky * 3 + kx]`: `[point_y * row_points + point_x]`, the rest is zero.
pub fn transform_filter(filter: &[f64; 9], shape: TileShape) -> [f64; MOST_POINTS] {
    let across: &[[f64; 3]] = match shape {
        TileShape::Square => &FILTER,
        TileShape::Oblong => &OBLONG_FILTER,
    };
    let mut points = [0.0; MOST_POINTS];
    for (g_row, points) in FILTER.iter().zip(points.chunks_exact_mut(across.len())) {
        let columns: [f64; 3] = std::array::from_fn(|kx| (0..3).map(|ky| g_row[ky] * filter[ky * 3 + kx]).sum());
        for (g_column, point) in across.iter().zip(points) {
            *point = (0..3).map(|kx| g_column[kx] * columns[kx]).sum();
        }
    }
    points
}

/// B^T d of F(4, 3) or F(6, 3), as many inputs as there are.
#[inline(always)]
pub fn transform_input<I: Isa, const INPUTS: usize>(isa: I, d: [I::Vector; INPUTS]) -> [I::Vector; INPUTS] {
    const { assert!(INPUTS == SPAN || INPUTS == OBLONG_SPAN, "no other filtering is made here") };
    let mut points = [isa.splat(0.0); INPUTS];
    if let (Some(d), Some(points)) = (d.first_chunk(), points.first_chunk_mut()) {
        *points = transform_eight(isa, *d);
    } else if let (Some(d), Some(points)) = (d.first_chunk(), points.first_chunk_mut()) {
        *points = transform_six(isa, *d);
    }
    points
}

/// A^T m of F(4, 3) or F(6, 3), for as many outputs as are asked for.
#[inline(always)]
pub fn transform_output<I: Isa, const INPUTS: usize, const OUTPUTS: usize>(
    isa: I,
    m: [I::Vector; INPUTS],
) -> [I::Vector; OUTPUTS] {
    const { assert!(OUTPUTS + 2 == INPUTS && (INPUTS == SPAN || INPUTS == OBLONG_SPAN), "no other filtering is made here") };
    let mut outputs = [isa.splat(0.0); OUTPUTS];
    if let (Some(m), Some(outputs)) = (m.first_chunk(), outputs.first_chunk_mut()) {
        *outputs = six_outputs(isa, *m);
    } else if let (Some(m), Some(outputs)) = (m.first_chunk(), outputs.first_chunk_mut()) {
        *outputs = four_outputs(isa, *m);
    }
    outputs
}

/// B^T d of F(4, 3), in twelve operations.
#[inline(always)]
fn transform_six<I: Isa>(isa: I, d: [I::Vector; SPAN]) -> [I::Vector; SPAN] {
    let [a, b] = [isa.splat(A as f32), isa.splat(B as f32)];
    let [a2, b2] = [isa.splat(A2 as f32), isa.splat(B2 as f32)];
    let [a2b2, a2_plus_b2] = [isa.splat((A2 * B2) as f32), isa.splat((A2 + B2) as f32)];
    // Points +-a share d4 - b2 d2 and d3 - b2 d1, points +-b the same with a2.
    let even_a = isa.neg_mul_add(b2, d[2], d[4]);
    let odd_a = isa.neg_mul_add(b2, d[1], d[3]);
    let even_b = isa.neg_mul_add(a2, d[2], d[4]);
    let odd_b = isa.neg_mul_add(a2, d[1], d[3]);
    [
        isa.mul_add(a2b2, d[0], isa.neg_mul_add(a2_plus_b2, d[2], d[4])),
        isa.mul_add(a, odd_a, even_a),
        isa.neg_mul_add(a, odd_a, even_a),
        isa.mul_add(b, odd_b, even_b),
        isa.neg_mul_add(b, odd_b, even_b),
        isa.mul_add(a2b2, d[1], isa.neg_mul_add(a2_plus_b2, d[3], d[5])),
    ]
}

/// B^T d of F(6, 3), in 24 operations.
#[inline(always)]
fn transform_eight<I: Isa>(isa: I, d: [I::Vector; OBLONG_SPAN]) -> [I::Vector; OBLONG_SPAN] {
    let [p2, q2, r2] = OBLONG_SQUARES;
    // Points +-p share d6 - (q2 + r2) d4 + q2 r2 d2 and d5 - (q2 + r2) d3 + q2 r2 d1.
    let mut points = [isa.splat(0.0); OBLONG_SPAN];
    for i in 0..3 {
        let (other, another) = (OBLONG_SQUARES[(i + 1) % 3], OBLONG_SQUARES[(i + 2) % 3]);
        let [sum, product] = [isa.splat((other + another) as f32), isa.splat((other * another) as f32)];
        let even = isa.mul_add(product, d[2], isa.neg_mul_add(sum, d[4], d[6]));
        let odd = isa.mul_add(product, d[1], isa.neg_mul_add(sum, d[3], d[5]));
        let point = isa.splat(OBLONG_POINTS[i] as f32);
        points[2 * i + 1] = isa.mul_add(point, odd, even);
        points[2 * i + 2] = isa.neg_mul_add(point, odd, even);
    }
    let [sum, pairs, product] =
        [p2 + q2 + r2, p2 * q2 + q2 * r2 + r2 * p2, p2 * q2 * r2].map(|value| isa.splat(value as f32));
    points[0] = isa.neg_mul_add(product, d[0], isa.mul_add(pairs, d[2], isa.neg_mul_add(sum, d[4], d[6])));
    points[7] = isa.neg_mul_add(product, d[1], isa.mul_add(pairs, d[3], isa.neg_mul_add(sum, d[5], d[7])));
    points
}

/// A^T m of F(4, 3), in twelve operations.
#[inline(always)]
fn four_outputs<I: Isa>(isa: I, m: [I::Vector; SPAN]) -> [I::Vector; TILE] {
    let [a, b] = [isa.splat(A as f32), isa.splat(B as f32)];
    let [a2, b2] = [isa.splat(A2 as f32), isa.splat(B2 as f32)];
    let [a3, b3] = [isa.splat((A2 * A) as f32), isa.splat((B2 * B) as f32)];
    let [sum_a, difference_a] = [isa.add(m[1], m[2]), isa.sub(m[1], m[2])];
    let [sum_b, difference_b] = [isa.add(m[3], m[4]), isa.sub(m[3], m[4])];
    [
        isa.add(m[0], isa.add(sum_a, sum_b)),
        isa.mul_add(a, difference_a, isa.mul(b, difference_b)),
        isa.mul_add(a2, sum_a, isa.mul(b2, sum_b)),
        isa.mul_add(a3, difference_a, isa.mul_add(b3, difference_b, m[5])),
    ]
}

/// A^T m of F(6, 3), in 24 operations.
#[inline(always)]
fn six_outputs<I: Isa>(isa: I, m: [I::Vector; OBLONG_SPAN]) -> [I::Vector; OBLONG_TILE] {
    let sums = [isa.add(m[1], m[2]), isa.add(m[3], m[4]), isa.add(m[5], m[6])];
    let differences = [isa.sub(m[1], m[2]), isa.sub(m[3], m[4]), isa.sub(m[5], m[6])];
    let [p, q, r] = OBLONG_POINTS;
    let [p2, q2, r2] = OBLONG_SQUARES;
    let [p3, q3, r3] = [p2 * p, q2 * q, r2 * r];
    [
        isa.add(isa.add(m[0], sums[0]), isa.add(sums[1], sums[2])),
        weighted(isa, [p, q, r], differences),
        weighted(isa, [p2, q2, r2], sums),
        weighted(isa, [p3, q3, r3], differences),
        weighted(isa, [p2 * p2, q2 * q2, r2 * r2], sums),
        isa.add(weighted(isa, [p3 * p2, q3 * q2, r3 * r2], differences), m[7]),
    ]
}

/// Three values by three constants, added up.
#[inline(always)]
fn weighted<I: Isa>(isa: I, weights: [f64; 3], values: [I::Vector; 3]) -> I::Vector {
    let [first, second, third] = weights.map(|weight| weight as f32);
    let sum = isa.mul_add(isa.splat(second), values[1], isa.mul(isa.splat(third), values[2]));
    isa.mul_add(isa.splat(first), values[0], sum)
}
