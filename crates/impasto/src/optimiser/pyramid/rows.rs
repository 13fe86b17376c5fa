//! A row of the pyramid's sweeps at a time, each a [`Task`] for the network's own dispatch.

use impasto_vgg::cpu::isa::{Isa, Task};

use crate::picture::vectors::{Element, dot_of_chunk};

/// |R v|^2 of a row of a picture v.
pub struct SquareOfRow<'a, A> {
    pub values: &'a [A],
    pub root: &'a [f32],
    /// Room for a row.
    pub rooted: &'a mut [f32],
}

impl<A: Element> Task for SquareOfRow<'_, A> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> f64 {
        let SquareOfRow { values, root, rooted } = self;
        rooted.iter_mut().zip(values).for_each(|(rooted, value)| *rooted = value.wide());
        rooted.iter_mut().zip(root).for_each(|(rooted, root)| *rooted *= root);
        dot_of_chunk(rooted, rooted)
    }
}

/// Values of one colour, `[height, width]`.
#[derive(Clone, Copy)]
pub struct Plane<'a, A = f32> {
    pub width: usize,
    pub height: usize,
    pub values: &'a [A],
}

impl<'a, A> Plane<'a, A> {
    /// Row `y`.
    pub fn row(&self, y: usize) -> &'a [A] {
        &self.values[y * self.width..][..self.width]
    }
}

/// Row `y` of D R of a plane.
pub struct HalvedRow<'a, A = f32> {
    pub fine: Plane<'a, A>,
    pub root: &'a [f32],
    pub y: usize,
    /// Room for three columns more than the plane has.
    pub column_sums: &'a mut [f32],
    pub coarse: &'a mut [f32],
}

impl<A: Element> Task for HalvedRow<'_, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let HalvedRow { fine, root, y, column_sums, coarse } = self;
        // One column of zeros before the row and two behind it stand for what is beyond the edge.
        column_sums.fill(0.0);
        for (offset, tap) in TAPS.into_iter().enumerate() {
            let Some(y) = (2 * y + offset).checked_sub(1).filter(|&y| y < fine.height) else { continue };
            let columns = column_sums[1..].iter_mut().zip(fine.row(y));
            match root.is_empty() {
                true => columns.for_each(|(sum, value)| *sum += tap * value.wide()),
                false => {
                    let root = &root[y * fine.width..][..fine.width];
                    columns.zip(root).for_each(|((sum, value), root)| *sum += tap * (value.wide() * root));
                }
            }
        }
        let (pairs, _) = column_sums.as_chunks::<2>();
        for (coarse, (here, next)) in coarse.iter_mut().zip(pairs.iter().zip(&pairs[1..])) {
            // Twice the filter's sum: wide patterns keep their length as their samples become a quarter.
            *coarse = 2.0 * (TAPS[0] * (here[0] + next[1]) + TAPS[1] * (here[1] + next[0]));
        }
    }
}

/// The filter along one side.
pub const TAPS: [f32; 4] = [0.125, 0.375, 0.375, 0.125];

/// Row `y` of R (fine_weight R fine + D^T (coarse_weight coarse)) in one plane.
pub struct WeighedRow<'a> {
    pub fine: &'a mut [f32],
    pub fine_weight: f32,
    pub y: usize,
    pub coarse: Plane<'a>,
    pub coarse_weight: f32,
    /// Room for two columns more than the coarse plane has.
    pub column_sums: &'a mut [f32],
    /// The row's part of it.
    pub root: &'a [f32],
}

impl Task for WeighedRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let WeighedRow { fine, fine_weight, y, coarse, coarse_weight, column_sums, root } = self;
        // An even row is the second of its own coarse row's four and the last of the one before; an odd row the third of its
        // own and the first of the next.
        let own = y / 2;
        let other = if y.is_multiple_of(2) { own.checked_sub(1) } else { Some(own + 1) };
        column_sums.fill(0.0);
        for (coarse_y, tap) in [(Some(own), TAPS[1]), (other, TAPS[0])] {
            let Some(coarse_y) = coarse_y.filter(|&coarse_y| coarse_y < coarse.height) else { continue };
            let factor = 2.0 * coarse_weight * tap;
            for (sum, value) in column_sums[1..].iter_mut().zip(coarse.row(coarse_y)) {
                *sum += factor * value;
            }
        }
        fine.iter_mut().zip(root).for_each(|(value, root)| *value *= root);
        // Two columns have one coarse column for their own; the other lies before the even and behind the odd one.
        let weighed = |fine: f32, own: f32, other: f32| fine_weight * fine + (TAPS[1] * own + TAPS[0] * other);
        let (before, (own, behind)) = (&column_sums[..], (&column_sums[1..], &column_sums[2..]));
        let width = fine.len();
        let (fine_pairs, last) = fine.as_chunks_mut::<2>();
        for (fine, (&before, (&own, &behind))) in fine_pairs.iter_mut().zip(before.iter().zip(own.iter().zip(behind))) {
            *fine = [weighed(fine[0], own, before), weighed(fine[1], own, behind)];
        }
        if let [last] = last {
            *last = weighed(*last, own[width / 2], before[width / 2]);
        }
        fine.iter_mut().zip(root).for_each(|(value, root)| *value *= root);
    }
}

#[cfg(test)]
mod tests {
    use impasto_vgg::cpu::isa::InstructionSet;

    use super::super::tests::noise;
    use super::*;

    #[test]
    fn rows_are_the_same_numbers_on_every_instruction_set() {
        let (width, height) = (61, 47);
        let (fine, root) = (noise(width * height, 5), noise(width * height, 9));
        let (coarse_width, coarse_height) = (31, 24);
        let coarse = noise(coarse_width * coarse_height, 7);
        let rows_of = |set: InstructionSet| {
            let mut rows = Vec::new();
            for y in 0..coarse_height {
                let mut row = vec![0.0; coarse_width];
                let (column_sums, coarse) = (&mut vec![0.0; width + 3], &mut row);
                set.run(HalvedRow {
                    fine: Plane { width, height, values: &fine },
                    root: &root,
                    y,
                    column_sums,
                    coarse,
                });
                rows.extend(row);
            }
            for y in 0..height {
                let mut row = fine[y * width..][..width].to_vec();
                let coarse = Plane { width: coarse_width, height: coarse_height, values: &coarse };
                let (root, column_sums) = (&root[y * width..][..width], &mut vec![0.0; coarse_width + 2]);
                let (fine, fine_weight, coarse_weight) = (&mut row, 0.7, 1.3);
                set.run(WeighedRow { fine, fine_weight, y, coarse, coarse_weight, column_sums, root });
                rows.extend(row);
            }
            rows.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let sets = InstructionSet::available();
        let of_first = rows_of(sets[0]);
        assert!(sets.iter().all(|&set| rows_of(set) == of_first), "{sets:?}");
    }
}
