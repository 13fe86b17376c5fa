//! How far each pixel moves for how much its gradient changes, learnt on the way.
//!
//! If the second derivative were diagonal, b_i of pixel i, every step s and its change of the gradient y would have
//! y_i = b_i s_i. It is not, but the mean squares over many pairs still tell stiff places from soft ones. So two pictures
//! of sums are kept, of the squares of s and of y over the pair's length (only their shapes count) and over the three
//! colours, in which older pairs fade; and
//!
//! ```text
//!   D_i = sqrt(sum s^2 / sum y^2)     over the 3 x 3 pixels around i
//! ```
//!
//! stands for 1/b_i, up to a common factor that L-BFGS finds by itself. D is kept within fixed bounds, so it is positive,
//! and it is 1 until enough pairs have been seen.

use std::io;
use std::ops::Range;

use impasto_vgg::cpu::isa::{Isa, Task};
use rayon::prelude::*;

use crate::optimiser::state::{Damaged, StateReader, StateWriter};
use crate::picture::vectors::{CHUNK, LEAST_ROWS, instruction_set};
use impasto_vgg::bfloat16::Bfloat16;

/// What is left of a pair's share when the next one comes.
const FADING: f32 = 0.9;

/// Pairs before D is anything but 1.
const LEAST_PAIRS: u64 = 10;

/// The bounds of the square root of D.
const ROOT_BOUNDS: (f32, f32) = (0.3, 3.0);

/// D for pictures of one size.
#[derive(Clone, Debug)]
pub struct Diagonal {
    width: usize,
    height: usize,
    pairs: u64,
    /// `[height, width]`: faded sums of squares.
    steps: Vec<f32>,
    changes: Vec<f32>,
    /// `[height, width]`: the square root of D; empty as long as D is 1.
    root: Vec<f32>,
}

impl Diagonal {
    /// D = 1 for pictures of `width` x `height` pixels.
    pub fn new(width: usize, height: usize) -> Diagonal {
        let empty = Vec::new;
        Diagonal { width, height, pairs: 0, steps: empty(), changes: empty(), root: empty() }
    }

    /// Takes in a pair of pictures `[3, height, width]` with the sums of their squares, both above 0.
    pub fn learn(&mut self, (step, step_square): (&[Bfloat16], f64), (change, change_square): (&[Bfloat16], f64)) {
        let pixels = self.width * self.height;
        self.pairs += 1;
        self.steps.resize(pixels, 0.0);
        self.changes.resize(pixels, 0.0);
        let factor = |square: f64| (1.0 / square.sqrt()) as f32;
        rayon::join(
            || add_squares(&mut self.steps, step, factor(step_square)),
            || add_squares(&mut self.changes, change, factor(change_square)),
        );
        self.settle();
    }

    /// The square root of D, `[height, width]`; empty as long as D is 1.
    pub fn root(&self) -> &[f32] {
        &self.root
    }

    /// Bytes that it takes for pictures of `values` values: three planes.
    pub fn bytes(values: usize) -> u64 {
        4 * values as u64
    }

    /// Writes what D depends on.
    ///
    /// # Errors
    /// What the writer's target reports.
    pub fn save(&self, state: &mut StateWriter<'_>) -> io::Result<()> {
        state.count(self.pairs)?;
        state.values(&self.steps)?;
        state.values(&self.changes)
    }

    /// Becomes the D that was saved.
    ///
    /// # Errors
    /// A state that cannot be.
    pub fn restore(&mut self, state: &mut StateReader<'_>) -> Result<(), Damaged> {
        self.pairs = state.count(u64::from(u32::MAX))?;
        let pixels = if self.pairs > 0 { self.width * self.height } else { 0 };
        (self.steps, self.changes) = (state.values(pixels)?, state.values(pixels)?);
        self.settle();
        Ok(())
    }

    /// D from the sums.
    fn settle(&mut self) {
        if self.pairs < LEAST_PAIRS {
            self.root.clear();
            return;
        }
        let (width, height, steps, changes) = (self.width, self.height, &self.steps, &self.changes);
        self.root.resize(width * height, 1.0);
        let set = instruction_set();
        self.root.par_chunks_mut(width).with_min_len(LEAST_ROWS).enumerate().for_each_init(
            || (vec![0.0; width + 2], vec![0.0; width + 2]),
            |(step_columns, change_columns), (row, root)| {
                let rows = row.saturating_sub(1)..(row + 2).min(height);
                set.run(RootOfRow { steps, step_columns, changes, change_columns, rows, root });
            },
        );
    }
}

/// A row of the square root of D.
struct RootOfRow<'a> {
    steps: &'a [f32],
    changes: &'a [f32],
    /// Room for two columns more than a row has.
    step_columns: &'a mut [f32],
    change_columns: &'a mut [f32],
    /// The row and those beside it.
    rows: Range<usize>,
    root: &'a mut [f32],
}

impl Task for RootOfRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let RootOfRow { steps, changes, step_columns, change_columns, rows, root } = self;
        add_rows(step_columns, steps, root.len(), rows.clone());
        add_rows(change_columns, changes, root.len(), rows);
        let around = sums_of_three(step_columns).zip(sums_of_three(change_columns));
        for (root, (step, change)) in root.iter_mut().zip(around) {
            // Where neither has anything to say, nothing is known.
            let ratio = if change > 0.0 { step / change } else { 1.0 };
            *root = ratio.sqrt().sqrt().clamp(ROOT_BOUNDS.0, ROOT_BOUNDS.1);
        }
    }
}

/// Sums of some rows of a plane, with a zero on either side.
#[inline(always)]
fn add_rows(columns: &mut [f32], plane: &[f32], width: usize, rows: Range<usize>) {
    columns.fill(0.0);
    for row in rows {
        for (column, value) in columns[1..].iter_mut().zip(&plane[row * width..][..width]) {
            *column += value;
        }
    }
}

/// The sums of three columns beside each other.
#[inline(always)]
fn sums_of_three(columns: &[f32]) -> impl Iterator<Item = f32> {
    let columns = columns.iter().zip(&columns[1..]).zip(&columns[2..]);
    columns.map(|((before, here), behind)| before + here + behind)
}

/// Lets the sums fade and adds the squares of `factor` times the picture's values, the three colours together.
fn add_squares(sums: &mut [f32], picture: &[Bfloat16], factor: f32) {
    let (pixels, set) = (sums.len(), instruction_set());
    let (red, rest) = picture.split_at(pixels);
    let (green, blue) = rest.split_at(pixels);
    let colours = red.par_chunks(CHUNK).zip(green.par_chunks(CHUNK)).zip(blue.par_chunks(CHUNK));
    sums.par_chunks_mut(CHUNK)
        .zip(colours)
        .for_each(|(sums, ((red, green), blue))| set.run(AddSquares { sums, colours: [red, green, blue], factor }));
}

/// A chunk of [`add_squares`].
struct AddSquares<'a> {
    sums: &'a mut [f32],
    colours: [&'a [Bfloat16]; 3],
    factor: f32,
}

impl Task for AddSquares<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let AddSquares { sums, colours: [red, green, blue], factor } = self;
        for (sum, ((red, green), blue)) in sums.iter_mut().zip(red.iter().zip(green).zip(blue)) {
            // Scaled before it is squared: the square of a large change of the gradient is beyond an f32.
            let [red, green, blue] = [red, green, blue].map(|value| factor * value.wide());
            *sum = FADING * *sum + (red * red + green * green + blue * blue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of a diagonal second derivative that differs between the left and the right half.
    fn learnt(left: f32, right: f32, pairs: usize) -> (Diagonal, Vec<f32>) {
        let (width, height) = (16, 5);
        let mut diagonal = Diagonal::new(width, height);
        for pair in 0..pairs {
            let step: Vec<f32> = (0..3 * width * height).map(|place| 1.0 + ((place * 7 + pair) % 5) as f32).collect();
            let stiffness = |place: usize| if place % width < width / 2 { left } else { right };
            let change: Vec<f32> = step.iter().enumerate().map(|(place, step)| stiffness(place) * step).collect();
            let square = |values: &[f32]| values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
            let rounded = |values: &[f32]| values.iter().map(|&value| Bfloat16::from(value)).collect::<Vec<_>>();
            diagonal.learn((&rounded(&step), square(&step)), (&rounded(&change), square(&change)));
        }
        let root = if diagonal.root().is_empty() { vec![1.0; width * height] } else { diagonal.root().to_vec() };
        (diagonal, root)
    }

    #[test]
    fn soft_places_move_further_in_proportion() {
        let (_, root) = learnt(1.0, 4.0, 12);
        // The square root of D, away from the seam: its ratio is that of the square roots of the stiffness.
        let (soft, stiff) = (root[34], root[44]);
        assert!((soft / stiff - 2.0).abs() < 0.02, "{soft} {stiff}");
    }

    #[test]
    fn it_is_one_until_enough_pairs_were_seen_and_bounded_ever_after() {
        assert!(learnt(1.0, 4.0, LEAST_PAIRS as usize - 1).1.iter().all(|&root| root == 1.0));
        let (_, root) = learnt(1.0, 1e9, 12);
        assert!(root.iter().all(|root| (ROOT_BOUNDS.0..=ROOT_BOUNDS.1).contains(root)), "{root:?}");
        assert!(root.contains(&ROOT_BOUNDS.1));
    }

    #[test]
    fn changes_whose_squares_are_beyond_an_f32_teach_the_same() {
        // Large weights of the style make such gradients.
        assert_eq!(learnt(2_f32.powi(96), 2_f32.powi(98), 12).1, learnt(1.0, 4.0, 12).1);
    }
}
