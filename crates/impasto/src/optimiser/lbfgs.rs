//! L-BFGS on pixels (Nocedal and Wright, "Numerical optimization", 2006, algorithms 7.4 and 7.5).
//!
//! The next step is -H g: from the last pairs of steps and changes of the gradient, H approximates the inverse of the second
//! derivative (`inverse_hessian.rs`).
//!
//! **Step control.** A step is taken whole and accepted if the loss falls enough (Armijo's condition). If the loss grows
//! or is no number, the picture goes back and the step is cut: to the minimum of the parabola through what is known, or
//! to a tenth. After `PATIENCE` cuts the history is dropped and the gradient alone is followed, for shorter and
//! shorter steps. No evaluation is ever repeated.
//!
//! **Bounds.** With `clamp` every trial picture is projected onto 0..255 (Gafni and Bertsekas' two-metric projection):
//! values that lie on a bound and whose gradient pushes outwards are held; with Z zeroing those, the step is -Z H Z g,
//! which descends since Z H Z is positive on the rest. The pair that is remembered is the step as it was taken, after the
//! projection, so pairs stay those of one function.

use std::io;

use impasto_vgg::History;
use rayon::prelude::*;

use crate::optimiser::inverse_hessian::InverseHessian;
use crate::optimiser::preconditioner::Preconditioner;
use crate::optimiser::state::{Damaged, StateReader, StateWriter};
use crate::optimiser::trial::Trial;
use crate::optimiser::{Optimiser, Rejection, Step};
use crate::picture::vectors::{CHUNK, all_finite, change_each, copy_into, dot, dot_chunks, zeros};

/// Root mean square of the first step at most, in units of 0..255.
const LONGEST_PLAIN_STEP: f64 = 8.0;

/// The share of the predicted fall that a step must bring (Armijo's condition).
const SUFFICIENT: f64 = 1e-4;

/// Steps in a row that may be cut before the history is dropped.
const PATIENCE: u32 = 4;

/// The state of L-BFGS; all vectors have the picture's length.
#[derive(Debug)]
pub struct Lbfgs {
    clamp: bool,
    /// The last good picture, its loss and gradient.
    position: Vec<f32>,
    loss: f64,
    gradient: Vec<f32>,
    /// Where the trial picture lies from there: `position + reach direction`, projected if bounds are kept.
    direction: Vec<f32>,
    reach: f64,
    /// H.
    inverse: InverseHessian,
    /// Rejections since the last accepted picture.
    rejections: u32,
    /// Root mean square, at most, of a step that follows the gradient alone.
    plain_step: f64,
}

impl Lbfgs {
    /// L-BFGS that remembers `history` steps; `clamp` keeps every value within 0..255; pictures are of the size that
    /// `preconditioner` was made for.
    pub fn new(history: usize, clamp: bool, preconditioner: Option<Preconditioner>) -> Lbfgs {
        Lbfgs {
            clamp,
            position: Vec::new(),
            loss: f64::INFINITY,
            gradient: Vec::new(),
            direction: Vec::new(),
            reach: 1.0,
            inverse: InverseHessian::new(history, preconditioner),
            rejections: 0,
            plain_step: LONGEST_PLAIN_STEP,
        }
    }

    fn start(&mut self, picture: &[f32], loss: f64, gradient: &[f32]) -> bool {
        for vector in [&mut self.position, &mut self.gradient, &mut self.direction] {
            *vector = zeros(picture.len());
        }
        self.arrive(picture, loss, gradient, |_| {})
    }

    /// Makes `picture` the good one, while `beside` does something with H. Gives whether `direction` is Z g; where that is
    /// g and goes elsewhere to become the direction, it is not copied first.
    fn arrive(
        &mut self,
        picture: &[f32],
        loss: f64,
        gradient: &[f32],
        beside: impl FnOnce(&mut InverseHessian) + Send,
    ) -> bool {
        (self.loss, self.rejections) = (loss, 0);
        let is_written = self.clamp || !self.inverse.is_elsewhere();
        let Lbfgs { clamp, position, gradient: good_gradient, direction, inverse, .. } = self;
        let copy = || {
            let there = picture.par_chunks(CHUNK).zip(gradient.par_chunks(CHUNK));
            let good = position.par_chunks_mut(CHUNK).zip(good_gradient.par_chunks_mut(CHUNK));
            direction.par_chunks_mut(CHUNK).zip(good).zip(there).for_each(
                |((direction, (position, good_gradient)), (picture, gradient))| {
                    position.copy_from_slice(picture);
                    good_gradient.copy_from_slice(gradient);
                    if is_written {
                        direction.copy_from_slice(gradient);
                        hold_bounds(*clamp, direction, picture, gradient);
                    }
                },
            );
        };
        rayon::join(|| beside(inverse), copy);
        is_written
    }

    /// Points `direction`, which is Z g or, if it is not written yet, g, downhill from the good picture, and writes the next
    /// trial picture.
    fn aim(&mut self, picture: &mut [f32], is_written: bool) {
        self.reach = 1.0;
        if !self.inverse.is_empty() {
            if self.apply_inverse(picture, is_written) < 0.0 {
                return;
            }
            // Only rounding can do this: H is positive.
            self.inverse.forget();
        }
        self.follow_gradient();
        self.propose(picture);
    }

    /// direction = -Z P Z g, as far as the loss would last and the plain step allows.
    fn follow_gradient(&mut self) {
        copy_into(&mut self.direction, &self.gradient);
        self.hold_bounds();
        self.inverse.precondition(&mut self.direction);
        self.hold_bounds();
        let length = (dot(&self.direction, &self.direction) / self.direction.len().max(1) as f64).sqrt();
        let slope = dot(&self.direction, &self.gradient);
        // No curvature is known. A loss that would fall in a straight line to 0 would get there at loss / slope (Polyak).
        self.reach = if slope > 0.0 { (self.plain_step / length).min(self.loss / slope) } else { 0.0 };
        change_each(&mut self.direction, |value| -value);
    }

    /// direction = -Z H Z g, and `picture` the whole step in it; gives the slope that way.
    fn apply_inverse(&mut self, picture: &mut [f32], is_written: bool) -> f64 {
        let Lbfgs { position, gradient, direction, inverse, clamp, reach, .. } = self;
        let unwritten = (!is_written).then_some(&gradient[..]);
        inverse.apply(direction, unwritten, picture, |range, direction, picture| {
            let (position, gradient) = (&position[range.clone()], &gradient[range]);
            direction.iter_mut().for_each(|value| *value = -*value);
            hold_bounds(*clamp, direction, position, gradient);
            move_by(*reach as f32, *clamp, picture, position, direction);
            dot_chunks(direction, gradient)
        })
    }

    /// Zeroes the direction where a value is held by its bound.
    fn hold_bounds(&mut self) {
        let (clamp, position) = (self.clamp, self.position.par_chunks(CHUNK));
        let chunks = self.direction.par_chunks_mut(CHUNK).zip(position).zip(self.gradient.par_chunks(CHUNK));
        chunks.for_each(|((direction, position), gradient)| hold_bounds(clamp, direction, position, gradient));
    }

    /// Writes the trial picture: `position + reach direction`.
    fn propose(&self, picture: &mut [f32]) {
        let (reach, clamp) = (self.reach as f32, self.clamp);
        let chunks = picture.par_chunks_mut(CHUNK).zip(self.position.par_chunks(CHUNK));
        chunks.zip(self.direction.par_chunks(CHUNK)).for_each(|((picture, position), direction)| {
            move_by(reach, clamp, picture, position, direction);
        });
    }

    fn save_beside_pairs(&self, rejections: u32, loss: f64, state: &mut StateWriter<'_>) -> io::Result<()> {
        state.count(u64::from(rejections))?;
        for number in [loss, self.reach, self.plain_step] {
            state.number(number)?;
        }
        [&self.position, &self.gradient, &self.direction].iter().try_for_each(|values| state.values(values))
    }

    fn advance_on_pool(&mut self, picture: &mut [f32], loss: f64, gradient: &[f32]) -> Step {
        if self.position.is_empty() {
            if !loss.is_finite() || !all_finite(gradient) {
                return Step::Rejected(Rejection::NotFinite);
            }
            let is_written = self.start(picture, loss, gradient);
            self.aim(picture, is_written);
            return Step::Accepted;
        }
        let trial = Trial { picture, gradient, position: &self.position, gradient_before: &self.gradient };
        let comparison = self.inverse.compare(trial);
        let (finite, predicted_fall) = (loss.is_finite() && comparison.is_finite, comparison.predicted_fall);
        if !finite || loss > self.loss + SUFFICIENT * predicted_fall {
            self.cut(if finite { loss } else { f64::NAN }, predicted_fall);
            self.propose(picture);
            return Step::Rejected(if finite { Rejection::Grown } else { Rejection::NotFinite });
        }
        let is_pair = self.loss.is_finite();
        let is_written = self.arrive(picture, loss, gradient, |inverse| {
            if is_pair {
                inverse.remember(comparison);
            }
        });
        self.aim(picture, is_written);
        Step::Accepted
    }

    /// Shortens the step after a rejection; drops the history when that has not helped.
    fn cut(&mut self, loss: f64, predicted_fall: f64) {
        self.rejections += 1;
        if self.rejections.is_multiple_of(PATIENCE) {
            self.inverse.forget();
            self.plain_step /= 10.0;
            self.follow_gradient();
            return;
        }
        let share = match loss.is_finite() {
            // The minimum of the parabola with this value and slope at 0 and this loss at 1.
            true => (-0.5 * predicted_fall / (loss - self.loss - predicted_fall)).clamp(0.1, 0.5),
            false => 0.1,
        };
        self.reach *= if share.is_finite() { share } else { 0.1 };
    }
}

impl Optimiser for Lbfgs {
    fn advance(&mut self, picture: &mut [f32], loss: f64, gradient: &[f32]) -> Step {
        // All of it on the pool: from outside, each sweep would be handed to it anew, and waited for.
        rayon::scope(|_| self.advance_on_pool(picture, loss, gradient))
    }

    fn good(&self) -> &[f32] {
        &self.position
    }

    fn bytes(&self, values: usize) -> u64 {
        let pictures = 3 * size_of::<f32>();
        (pictures * values) as u64 + self.inverse.bytes(values)
    }

    fn forget(&mut self) {
        // A loss that is no lower than any other: what comes is accepted, and makes no pair.
        (self.loss, self.rejections) = (f64::INFINITY, 0);
        self.inverse.forget();
    }

    fn remembers(&self) -> usize {
        self.inverse.capacity()
    }

    fn attach(&mut self, history: Box<dyn History>) {
        self.inverse.attach(history);
    }

    fn step_length(&self) -> f64 {
        self.reach * (dot(&self.direction, &self.direction) / self.direction.len().max(1) as f64).sqrt()
    }

    fn save(&self, state: &mut StateWriter<'_>) -> io::Result<()> {
        self.save_beside_pairs(self.rejections, self.loss, state)?;
        self.inverse.save(state)
    }

    fn save_for_other_loss(&self, state: &mut StateWriter<'_>) -> io::Result<()> {
        // As `forget` would leave it.
        self.save_beside_pairs(0, f64::INFINITY, state)?;
        self.inverse.save_without_pairs(state)
    }

    fn restore(&mut self, values: usize, state: &mut StateReader<'_>) -> Result<(), Damaged> {
        self.rejections = state.count(u64::from(u32::MAX / 2))? as u32;
        (self.loss, self.reach, self.plain_step) = (state.number()?, state.number()?, state.number()?);
        (self.position, self.gradient, self.direction) =
            (state.values(values)?, state.values(values)?, state.values(values)?);
        self.inverse.restore(values, state)
    }
}

/// Zeroes `vector` where a value lies on a bound and its gradient pushes it outwards.
fn hold_bounds(clamp: bool, vector: &mut [f32], position: &[f32], gradient: &[f32]) {
    if !clamp {
        return;
    }
    for ((value, &position), &gradient) in vector.iter_mut().zip(position).zip(gradient) {
        let is_held = (position <= 0.0 && gradient > 0.0) || (position >= 255.0 && gradient < 0.0);
        *value = if is_held { 0.0 } else { *value };
    }
}

/// `picture` = `position + reach direction`, within the bounds where they are kept.
fn move_by(reach: f32, clamp: bool, picture: &mut [f32], position: &[f32], direction: &[f32]) {
    for ((value, position), direction) in picture.iter_mut().zip(position).zip(direction) {
        let moved = position + reach * direction;
        *value = if clamp { moved.clamp(0.0, 255.0) } else { moved };
    }
}
