//! Points, paths and ramps. All places are in the unit square, x to the right and y down; lengths are shares of the
//! picture's side.

/// A place or a vector in the unit square.
pub type Point = [f32; 2];

/// A full turn in radians.
pub const TURN: f32 = core::f32::consts::TAU;

/// `a + scale * b`.
pub fn along(a: Point, b: Point, scale: f32) -> Point {
    [a[0] + scale * b[0], a[1] + scale * b[1]]
}

/// The vector from `a` to `b`.
pub fn from_to(a: Point, b: Point) -> Point {
    [b[0] - a[0], b[1] - a[1]]
}

/// The length of a vector.
pub fn length(v: Point) -> f32 {
    (v[0] * v[0] + v[1] * v[1]).sqrt()
}

/// A vector of length 1 in the direction of `v`; to the right where `v` has none.
pub fn unit(v: Point) -> Point {
    let length = length(v);
    if length > 1e-12 { [v[0] / length, v[1] / length] } else { [1.0, 0.0] }
}

/// The vector of length 1 at an angle in radians.
pub fn at_angle(angle: f32) -> Point {
    [libm::cosf(angle), libm::sinf(angle)]
}

/// The angle of a vector in radians, -pi..pi.
pub fn angle_of(v: Point) -> f32 {
    libm::atan2f(v[1], v[0])
}

/// From 0 at `low` to 1 at `high` with level ends.
pub fn smoothstep(low: f32, high: f32, value: f32) -> f32 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A bell of height 1 at 0: e^(-x^2).
pub fn bell(x: f32) -> f32 {
    libm::expf(-x * x)
}

/// One place by chance in each cell of a grid of about `spacing`, which covers the unit square and a margin around it.
pub fn scattered(spacing: f32, chance: &mut crate::chance::Chance) -> Vec<Point> {
    const MARGIN: f32 = 0.04;
    let cells = ((1.0 + 2.0 * MARGIN) / spacing).ceil() as usize;
    let mut place = |cell: usize| (cell as f32 + chance.unit()) / cells as f32 * (1.0 + 2.0 * MARGIN) - MARGIN;
    (0..cells * cells).map(|cell| [place(cell % cells), place(cell / cells)]).collect()
}
