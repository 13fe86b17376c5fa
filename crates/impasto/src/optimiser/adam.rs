//! Adam (Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1) on pixels.
//!
//! ```text
//!   m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2
//!   x = x - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
//! ```
//!
//! With `clamp` each new picture is projected onto 0..255; a step that the border cuts short needs no other change,
//! since Adam's memory is of gradients alone.
//!
//! The picture that is shown may be the average of those that were accepted, which is calmer than the last (Polyak and Juditsky,
//! 1992; as crowsonkb/style-transfer-pytorch does, with the decay 0.99), each weighing `average` times the next, with weights that sum to 1:
//!
//! ```text
//!   shown = shown + (1 - average) / (1 - average^t) (x - shown)
//! ```
//!
//! At a finer size Adam may go on with m and v enlarged, and with t (crowsonkb/style-transfer-pytorch does): then no first steps are
//! of full length. The average begins anew there.
//!
//! Adam's loss goes up and down by nature, so a picture is rejected only where its loss is not finite or exceeds
//! `EXPLODED` times the largest of the start's and the last good one: then Adam goes back to the last good picture,
//! forgets its averages, and halves its rate.

use std::io;

use rayon::prelude::*;

use crate::optimiser::state::{Damaged, StateReader, StateWriter};
use crate::optimiser::{Optimiser, Rejection, Step};
use crate::picture::{Picture, PictureError};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// How many times larger than before a loss counts as an explosion.
const EXPLODED: f64 = 100.0;

/// Values that a thread moves in one go.
const CHUNK: usize = 1 << 14;

/// Adam's state; all vectors have the picture's length.
#[derive(Clone, Debug)]
pub struct Adam {
    rate: f64,
    clamp: bool,
    beta_2: f64,
    /// Decay of the average that is shown; 0 for the last good picture itself.
    average: f64,
    /// Whether it goes on at the next size.
    carried: bool,
    /// Pictures in that average.
    averaged: i32,
    /// That average; empty where there is none.
    shown: Vec<f32>,
    /// Steps since the averages were empty.
    steps: i32,
    mean: Vec<f32>,
    mean_square: Vec<f32>,
    good: Vec<f32>,
    good_loss: f64,
    start_loss: f64,
}

impl Adam {
    /// Adam with the step `rate`, in units of 0..255; `clamp` keeps every value within them. It forgets squares of slopes as
    /// its authors had it, and shows its last picture.
    pub fn new(rate: f64, clamp: bool) -> Adam {
        let empty = Vec::new;
        Adam {
            rate,
            clamp,
            beta_2: BETA_2,
            average: 0.0,
            carried: false,
            averaged: 0,
            shown: empty(),
            steps: 0,
            mean: empty(),
            mean_square: empty(),
            good: empty(),
            good_loss: f64::INFINITY,
            start_loss: f64::INFINITY,
        }
    }

    /// The same with another decay of the mean square of slopes.
    #[must_use]
    pub fn with_beta_2(self, beta_2: f64) -> Adam {
        Adam { beta_2, ..self }
    }

    /// The same, showing an average of its pictures with this decay; 0 shows the last.
    #[must_use]
    pub fn with_average(self, average: f64) -> Adam {
        Adam { average, ..self }
    }

    /// The same, going on at the next size with its averages of slopes enlarged where `carried` is true.
    #[must_use]
    pub fn carried(self, carried: bool) -> Adam {
        Adam { carried, ..self }
    }

    fn has_exploded(&self, loss: f64) -> bool {
        !self.good.is_empty() && loss > EXPLODED * self.start_loss.max(self.good_loss)
    }

    fn save_with(&self, good_loss: f64, start_loss: f64, state: &mut StateWriter<'_>) -> io::Result<()> {
        state.count(u64::from(self.steps.unsigned_abs()))?;
        for number in [self.rate, good_loss, start_loss] {
            state.number(number)?;
        }
        for values in [&self.mean, &self.mean_square, &self.good] {
            state.values(values)?;
        }
        // Without an average it is the state of before there were any.
        if self.average > 0.0 {
            state.count(u64::from(self.averaged.unsigned_abs()))?;
            state.values(&self.shown)?;
        }
        Ok(())
    }

    fn go_back(&mut self, picture: &mut [f32]) {
        self.rate /= 2.0;
        self.steps = 0;
        self.mean.fill(0.0);
        self.mean_square.fill(0.0);
        if !self.good.is_empty() {
            picture.copy_from_slice(&self.good);
        }
    }

    fn accept(&mut self, picture: &[f32], loss: f64) {
        // A start, or another loss.
        if self.start_loss == f64::INFINITY {
            self.start_loss = loss;
        }
        if self.good.is_empty() {
            self.mean.resize(picture.len(), 0.0);
            self.mean_square.resize(picture.len(), 0.0);
            self.good.resize(picture.len(), 0.0);
        }
        self.good.copy_from_slice(picture);
        self.good_loss = loss;
        self.add_to_average(picture);
    }

    fn add_to_average(&mut self, picture: &[f32]) {
        if self.average == 0.0 {
            return;
        }
        self.shown.resize(picture.len(), 0.0);
        self.averaged = self.averaged.saturating_add(1);
        let share = (1.0 - self.average) / (1.0 - libm::pow(self.average, f64::from(self.averaged)));
        self.shown.par_chunks_mut(CHUNK).zip(picture.par_chunks(CHUNK)).for_each(|(shown, picture)| {
            for (shown, &value) in shown.iter_mut().zip(picture) {
                *shown = (f64::from(*shown) + share * (f64::from(value) - f64::from(*shown))) as f32;
            }
        });
    }
}

impl Optimiser for Adam {
    fn advance(&mut self, picture: &mut [f32], loss: f64, gradient: &[f32]) -> Step {
        if !loss.is_finite() || !gradient.par_chunks(CHUNK).all(|chunk| chunk.iter().all(|value| value.is_finite())) {
            self.go_back(picture);
            return Step::Rejected(Rejection::NotFinite);
        }
        if self.has_exploded(loss) {
            self.go_back(picture);
            return Step::Rejected(Rejection::Grown);
        }
        self.accept(picture, loss);
        self.steps = self.steps.saturating_add(1);
        // Transcendental functions come from libm, so that their bits are the same everywhere.
        let correction_1 = 1.0 - libm::pow(BETA_1, f64::from(self.steps));
        let correction_2 = 1.0 - libm::pow(self.beta_2, f64::from(self.steps));
        let (rate, clamp, beta_2) = (self.rate, self.clamp, self.beta_2);
        picture
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(self.mean.par_chunks_mut(CHUNK).zip(self.mean_square.par_chunks_mut(CHUNK)))
            .for_each(|((picture, gradient), (means, mean_squares))| {
                for index in 0..picture.len() {
                    let slope = f64::from(gradient[index]);
                    let mean = BETA_1 * f64::from(means[index]) + (1.0 - BETA_1) * slope;
                    let mean_square = beta_2 * f64::from(mean_squares[index]) + (1.0 - beta_2) * slope * slope;
                    (means[index], mean_squares[index]) = (mean as f32, mean_square as f32);
                    let step = rate * (mean / correction_1) / ((mean_square / correction_2).sqrt() + EPSILON);
                    let moved = (f64::from(picture[index]) - step) as f32;
                    picture[index] = if clamp { moved.clamp(0.0, 255.0) } else { moved };
                }
            });
        Step::Accepted
    }

    // Adam compares losses only to notice explosions, which no change of arithmetic comes near.
    fn good(&self) -> &[f32] {
        &self.good
    }

    fn shown(&self) -> &[f32] {
        if self.average == 0.0 { &self.good } else { &self.shown }
    }

    fn take_other_loss(&mut self) {
        (self.start_loss, self.good_loss) = (f64::INFINITY, f64::INFINITY);
    }

    fn carried_up(&self, from: (usize, usize), to: (usize, usize)) -> Result<Option<Box<dyn Optimiser>>, PictureError> {
        // Without an accepted picture there is nothing to carry.
        if !self.carried || self.good.is_empty() {
            return Ok(None);
        }
        let enlarged = |values: &[f32]| {
            let coarse = Picture { width: from.0, height: from.1, values: values.to_vec() };
            coarse.resized(to.0, to.1).map(|fine| fine.values)
        };
        let mean = enlarged(&self.mean)?;
        // What enlarges overshoots, and a square does not lie below 0.
        let mut mean_square = enlarged(&self.mean_square)?;
        mean_square.iter_mut().for_each(|square| *square = square.max(0.0));
        let fresh = Adam::new(self.rate, self.clamp).with_beta_2(self.beta_2).with_average(self.average);
        Ok(Some(Box::new(Adam { carried: true, steps: self.steps, mean, mean_square, ..fresh })))
    }

    fn bytes(&self, values: usize) -> u64 {
        let vectors = if self.average == 0.0 { 3 } else { 4 };
        vectors * 4 * values as u64
    }

    fn step_length(&self) -> f64 {
        self.rate
    }

    fn save(&self, state: &mut StateWriter<'_>) -> io::Result<()> {
        self.save_with(self.good_loss, self.start_loss, state)
    }

    fn save_for_other_loss(&self, state: &mut StateWriter<'_>) -> io::Result<()> {
        self.save_with(f64::INFINITY, f64::INFINITY, state)
    }

    fn restore(&mut self, values: usize, state: &mut StateReader<'_>) -> Result<(), Damaged> {
        self.steps = state.count(i32::MAX as u64)? as i32;
        (self.rate, self.good_loss, self.start_loss) = (state.number()?, state.number()?, state.number()?);
        (self.mean, self.mean_square, self.good) =
            (state.values(values)?, state.values(values)?, state.values(values)?);
        if self.average > 0.0 {
            self.averaged = state.count(i32::MAX as u64)? as i32;
            self.shown = state.values(values)?;
        }
        Ok(())
    }
}
