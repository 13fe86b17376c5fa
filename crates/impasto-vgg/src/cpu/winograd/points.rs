//! The transforms of Winograd's minimal filtering F(4x4, 3x3), as matrices and as the few operations they take.
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
//! finite points but p_j, row j of G holds 1, p_j, p_j^2 divided by that polynomial's value in p_j:
//!
//! ```text
//!         | a2b2   0     -a2-b2   0      1  0 |         | 1/a2b2   0     0     |           | 1  1   1   1   1  0 |
//!         | 0     -ab2   -b2      a      1  0 |         | 1/n      a/n   a2/n  |    A^T =  | 0  a  -a   b  -b  0 |
//!   B^T = | 0      ab2   -b2     -a      1  0 |    G =  | 1/n     -a/n   a2/n  |           | 0  a2  a2  b2  b2 0 |
//!         | 0     -a2b   -a2      b      1  0 |         | 1/m      b/m   b2/m  |           | 0  a3 -a3  b3 -b3 1 |
//!         | 0      a2b   -a2     -b      1  0 |         | 1/m     -b/m   b2/m  |
//!         | 0      a2b2   0     -a2-b2   0  1 |         | 0        0     1     |    n = 2 a2 (a2 - b2), m = 2 b2 (b2 - a2)
//! ```

use crate::cpu::isa::Isa;

/// Outputs of a tile in each direction.
pub const TILE: usize = 4;
/// Inputs of a tile in each direction, and points.
pub const SPAN: usize = 6;
/// Points in two dimensions.
pub const POINTS: usize = SPAN * SPAN;

const A: f64 = 0.75;
const B: f64 = 1.5;
const A2: f64 = A * A;
const B2: f64 = B * B;

/// G: what a filter is multiplied with, `[point][tap]`.
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

/// G g G^T for one filter `[ky * 3 + kx]`: `[point_y * 6 + point_x]`.
pub fn transform_filter(filter: &[f64; 9]) -> [f64; POINTS] {
    let mut points = [0.0; POINTS];
    for (row, g_row) in FILTER.iter().enumerate() {
        let columns: [f64; 3] = std::array::from_fn(|kx| (0..3).map(|ky| g_row[ky] * filter[ky * 3 + kx]).sum());
        for (column, g_column) in FILTER.iter().enumerate() {
            points[row * SPAN + column] = (0..3).map(|kx| g_column[kx] * columns[kx]).sum();
        }
    }
    points
}

/// B^T d, in twelve operations.
#[inline(always)]
pub fn transform_input<I: Isa>(isa: I, d: [I::Vector; SPAN]) -> [I::Vector; SPAN] {
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

/// A^T m, in twelve operations.
#[inline(always)]
pub fn transform_output<I: Isa>(isa: I, m: [I::Vector; SPAN]) -> [I::Vector; TILE] {
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
