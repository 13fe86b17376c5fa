//! Chance that repeats: a seeded generator, and noise as a function of a place.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::plane::{Point, smoothstep};

/// A seeded source of numbers.
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The source that belongs to `seed`.
    pub fn new(seed: u64) -> Chance {
        Chance(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in `low..high`.
    pub fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Close to normal, with mean 0 and standard deviation 1 (a sum of uniform numbers).
    pub fn normal(&mut self) -> f32 {
        (0..6).map(|_| self.unit()).sum::<f32>() * core::f32::consts::SQRT_2 - 3.0 * core::f32::consts::SQRT_2
    }

    /// True with the given probability.
    pub fn happens(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Any number, as a seed for [`noise`].
    pub fn seed(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// An index below `count`.
    pub fn index(&mut self, count: usize) -> usize {
        (self.unit() * count as f32) as usize % count
    }

    /// Puts a list into random order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.index(last + 1));
        }
    }
}

/// Mixes the bits of a lattice point and a seed (the finaliser of MurmurHash3).
fn hash(x: i32, y: i32, seed: u32) -> u32 {
    let mut bits = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77) ^ seed;
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85EB_CA6B);
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xC2B2_AE35);
    bits ^ (bits >> 16)
}

/// A number in 0..1 that belongs to an index and a seed.
pub fn fixed(index: usize, seed: u32) -> f32 {
    (hash(index as i32, 71, seed) >> 8) as f32 / (1u32 << 24) as f32
}

/// Gradient noise (Perlin): smooth, about -1..1, with features of the size 1.
pub fn noise(p: Point, seed: u32) -> f32 {
    let (floor_x, floor_y) = (p[0].floor(), p[1].floor());
    let (x, y) = (p[0] - floor_x, p[1] - floor_y);
    let corner = |dx: i32, dy: i32| {
        const DIAGONAL: f32 = core::f32::consts::FRAC_1_SQRT_2;
        let (ox, oy) = (x - dx as f32, y - dy as f32);
        let bits = hash(floor_x as i32 + dx, floor_y as i32 + dy, seed);
        let sign = |bit: u32, value: f32| if bits & bit == 0 { value } else { -value };
        match bits & 3 {
            0 => sign(4, ox),
            1 => sign(4, oy),
            _ => DIAGONAL * (sign(4, ox) + sign(8, oy)),
        }
    };
    let (u, v) = (smoothstep(0.0, 1.0, x), smoothstep(0.0, 1.0, y));
    let top = corner(0, 0) * (1.0 - u) + corner(1, 0) * u;
    let bottom = corner(0, 1) * (1.0 - u) + corner(1, 1) * u;
    1.5 * (top * (1.0 - v) + bottom * v)
}

/// Noise at several scales, each octave half the size and half the height of the one before; about -1..1.
pub fn fractal(p: Point, octaves: u32, seed: u32) -> f32 {
    let mut sum = 0.0;
    let mut scale = 1.0;
    for octave in 0..octaves {
        sum += noise([p[0] * scale, p[1] * scale], seed.wrapping_add(octave)) / scale;
        scale *= 2.0;
    }
    sum / 1.4
}
