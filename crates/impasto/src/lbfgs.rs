//! L-BFGS on pixels (Nocedal and Wright, "Numerical optimization", 2006, algorithms 7.4 and 7.5).
//!
//! From the last pairs of steps s and changes of the gradient y, H approximates the inverse of the second derivative;
//! the next step is -H g. With 1/r_i = s_i y_i and q = g at first:
//!
//! ```text
//!   newest to oldest   a_i = r_i s_i q       q = q - a_i y_i
//!   in between         q = scale P q         scale = s y / y P y of the newest pair
//!   oldest to newest   b_i = r_i y_i q       q = q + (a_i - b_i) s_i
//! ```
//!
//! P is the identity in the book, and here the [`Preconditioner`], if one is given: it knows that wide patterns are less
//! stiff than fine ones before any pair has shown it, and learns which places are.
//!
//! Done like this, a history of 100 pairs is read 400 times in single dependent sweeps. Here each loop is two sweeps over
//! all pairs at once, chunk by chunk: one for the scalar products with what q was before the loop, one for the sum.
//! What lies between, s_i y_j of every older i and newer j, is kept in a small table. Pairs are kept in bfloat16: half the
//! memory and half the time, and as many evaluations (docs/performance.md). H is that of the rounded pairs, exactly. Where an
//! engine keeps a copy of the pairs ([`Optimiser::attach`]), the sweeps are made there.
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

use std::collections::VecDeque;
use std::io;

use impasto_vgg::{History, Products, Vectors};
use rayon::prelude::*;

use crate::bfloat16::Bfloat16;
use crate::device_copy::DeviceCopy;
use crate::optimiser::{Optimiser, Rejection, Step};
use crate::preconditioner::Preconditioner;
use crate::state::{Damaged, StateReader, StateWriter};
use crate::trial::{Comparison, Trial, compare};
use crate::vectors::{
    CHUNK, add_and_finish, add_and_scale, all_finite, change_each, copy_into, dot, dot_chunks, dots, dots_with_rounded,
    zeros,
};

/// Root mean square of the first step at most, in units of 0..255.
const LONGEST_PLAIN_STEP: f64 = 8.0;

/// The share of the predicted fall that a step must bring (Armijo's condition).
const SUFFICIENT: f64 = 1e-4;

/// Steps in a row that may be cut before the history is dropped.
const PATIENCE: u32 = 4;

/// Least s y / (|s| |y|) of a pair that is remembered: H stays positive.
const LEAST_CURVATURE: f64 = 1e-8;

/// A step and what it did to the gradient.
#[derive(Clone, Debug)]
struct Pair {
    /// s.
    step: Vec<Bfloat16>,
    /// y.
    change: Vec<Bfloat16>,
    /// s_i y of this pair's y and every older pair's s_i, oldest first, then its own; filled when it is first used.
    older_steps_dot_change: Vec<f64>,
    /// s y.
    step_dot_change: f64,
    /// y P y.
    change_dot_change: f64,
}

/// The state of L-BFGS; all vectors have the picture's length.
#[derive(Debug)]
pub struct Lbfgs {
    capacity: usize,
    clamp: bool,
    /// The last good picture, its loss and gradient.
    position: Vec<f32>,
    loss: f64,
    gradient: Vec<f32>,
    /// Where the trial picture lies from there: `position + reach direction`, projected if bounds are kept.
    direction: Vec<f32>,
    reach: f64,
    /// Oldest first.
    pairs: VecDeque<Pair>,
    /// Room for the pair that comes next: the newest may be refused, so the oldest does not make room before it is in.
    spare: Option<Pair>,
    /// The pairs once more, where an engine keeps them.
    copy: DeviceCopy,
    /// P, if it is not the identity.
    preconditioner: Option<Preconditioner>,
    /// Room for a picture.
    scratch: Vec<f32>,
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
            capacity: history,
            clamp,
            position: Vec::new(),
            loss: f64::INFINITY,
            gradient: Vec::new(),
            direction: Vec::new(),
            reach: 1.0,
            pairs: VecDeque::new(),
            spare: None,
            copy: DeviceCopy::default(),
            preconditioner,
            scratch: Vec::new(),
            rejections: 0,
            plain_step: LONGEST_PLAIN_STEP,
        }
    }

    fn start(&mut self, picture: &[f32], loss: f64, gradient: &[f32]) {
        for vector in [&mut self.position, &mut self.gradient, &mut self.direction, &mut self.scratch] {
            *vector = zeros(picture.len());
        }
        self.arrive(picture, loss, gradient);
    }

    /// Makes `picture` the good one, and `direction` Z g.
    fn arrive(&mut self, picture: &[f32], loss: f64, gradient: &[f32]) {
        (self.loss, self.rejections) = (loss, 0);
        let clamp = self.clamp;
        let there = picture.par_chunks(CHUNK).zip(gradient.par_chunks(CHUNK));
        let good = self.position.par_chunks_mut(CHUNK).zip(self.gradient.par_chunks_mut(CHUNK));
        self.direction.par_chunks_mut(CHUNK).zip(good).zip(there).for_each(
            |((direction, (position, good_gradient)), (picture, gradient))| {
                position.copy_from_slice(picture);
                good_gradient.copy_from_slice(gradient);
                direction.copy_from_slice(gradient);
                hold_bounds(clamp, direction, picture, gradient);
            },
        );
    }

    /// Compares the picture that was tried to the last good one; the pair that would come of it is the spare one, and
    /// `scratch` its change of the gradient.
    fn compare(&mut self, picture: &[f32], gradient: &[f32]) -> Comparison {
        let length = picture.len();
        let pair = self.spare.get_or_insert_with(|| Pair {
            step: zeros(length),
            change: zeros(length),
            older_steps_dot_change: Vec::new(),
            step_dot_change: 0.0,
            change_dot_change: 0.0,
        });
        // Filled when it is first used.
        pair.older_steps_dot_change.clear();
        self.scratch.resize(length, 0.0);
        let trial = Trial { picture, gradient, position: &self.position, gradient_before: &self.gradient };
        compare(trial, &mut pair.step, &mut pair.change, &mut self.scratch)
    }

    /// Adds the pair that was compared, unless the loss does not curve upwards along it. Its row of the table and its
    /// y P y are still missing.
    fn remember(&mut self, comparison: Comparison) -> bool {
        let Comparison { step_square, change_square, step_dot_change, .. } = comparison;
        let lengths = (step_square * change_square).sqrt();
        if step_dot_change > LEAST_CURVATURE * lengths
            && let Some(mut pair) = self.spare.take()
        {
            (pair.step_dot_change, pair.change_dot_change) = (step_dot_change, change_square);
            if let Some(preconditioner) = &mut self.preconditioner {
                preconditioner.learn((&pair.step, step_square), (&pair.change, change_square));
            }
            self.copy.push(&pair.step, &pair.change);
            self.pairs.push_back(pair);
            self.forget_beyond_capacity();
            return true;
        }
        false
    }

    fn forget_beyond_capacity(&mut self) {
        if self.pairs.len() > self.capacity {
            self.spare = self.pairs.pop_front();
            for pair in &mut self.pairs {
                // The newest pair's row is empty yet.
                pair.older_steps_dot_change.drain(..1.min(pair.older_steps_dot_change.len()));
            }
        }
    }

    /// Drops the history.
    fn forget(&mut self) {
        self.pairs.clear();
        self.copy.clear();
    }

    fn steps(&self) -> Vec<&[Bfloat16]> {
        self.pairs.iter().map(|pair| pair.step.as_slice()).collect()
    }

    fn changes(&self) -> Vec<&[Bfloat16]> {
        self.pairs.iter().map(|pair| pair.change.as_slice()).collect()
    }

    /// Points `direction`, which is Z g, downhill from the good picture, and writes the next trial picture.
    /// `has_new_pair` says whether the newest pair has just come.
    fn aim(&mut self, picture: &mut [f32], has_new_pair: bool) {
        self.reach = 1.0;
        if !self.pairs.is_empty() {
            if self.apply_history(picture, has_new_pair) < 0.0 {
                return;
            }
            // Only rounding can do this: H is positive.
            self.forget();
        }
        self.follow_gradient();
        self.propose(picture);
    }

    /// direction = -Z P Z g, as far as the loss would last and the plain step allows.
    fn follow_gradient(&mut self) {
        copy_into(&mut self.direction, &self.gradient);
        self.hold_bounds();
        if let Some(preconditioner) = &mut self.preconditioner {
            preconditioner.apply(&mut self.direction);
            self.hold_bounds();
        }
        let length = (dot(&self.direction, &self.direction) / self.direction.len().max(1) as f64).sqrt();
        let slope = dot(&self.direction, &self.gradient);
        // No curvature is known. A loss that would fall in a straight line to 0 would get there at loss / slope (Polyak).
        self.reach = if slope > 0.0 { (self.plain_step / length).min(self.loss / slope) } else { 0.0 };
        change_each(&mut self.direction, |value| -value);
    }

    /// direction = -Z H Z g, and `picture` the whole step in it; gives the slope that way.
    fn apply_history(&mut self, picture: &mut [f32], has_new_pair: bool) -> f64 {
        // Taken out while the pairs are borrowed, and put back below.
        let (mut direction, mut preconditioner) = (std::mem::take(&mut self.direction), self.preconditioner.take());
        let (mut scratch, mut copy) = (std::mem::take(&mut self.scratch), std::mem::take(&mut self.copy));
        let count = self.pairs.len();

        // One sweep for the loop and for the newest pair's row of the table; beside it P y, whose small levels leave
        // threads without work.
        let change = &self.pairs[count - 1].change;
        let (products, change_dot_change) = rayon::join(
            || copy.multiply(Vectors::Steps, &direction).unwrap_or_else(|| self.first_products(&direction)),
            || match &mut preconditioner {
                Some(preconditioner) if has_new_pair => {
                    preconditioner.apply(&mut scratch);
                    Some(dot(change, &scratch))
                }
                _ => None,
            },
        );
        self.scratch = scratch;
        if let Some(change_dot_change) = change_dot_change {
            self.pairs[count - 1].change_dot_change = change_dot_change;
        }
        let Products { with_vector: mut alphas, with_newest_change } = products;
        self.pairs[count - 1].older_steps_dot_change = with_newest_change;
        let (steps, changes) = (self.steps(), self.changes());
        for newer in (0..count).rev() {
            let pair = &self.pairs[newer];
            alphas[newer] /= pair.step_dot_change;
            let alpha = alphas[newer];
            for (older, product) in pair.older_steps_dot_change[..newer].iter().enumerate() {
                alphas[older] -= alpha * product;
            }
        }
        let negated: Vec<f64> = alphas.iter().map(|alpha| -alpha).collect();
        let newest = &self.pairs[count - 1];
        let scale = (newest.step_dot_change / newest.change_dot_change) as f32;
        if !copy.add(Vectors::Changes, &negated, scale, &mut direction) {
            add_and_scale(&mut direction, &changes, &negated, scale);
        }
        if let Some(preconditioner) = &mut preconditioner {
            preconditioner.apply(&mut direction);
        }

        let products = copy.multiply(Vectors::Changes, &direction);
        let mut factors = products.map_or_else(|| dots(&changes, [&direction]), |products| products.with_vector);
        for newer in 0..count {
            let products = &self.pairs[newer].older_steps_dot_change[..newer];
            let from_older: f64 = factors[..newer].iter().zip(products).map(|(factor, product)| factor * product).sum();
            let beta = (factors[newer] + from_older) / self.pairs[newer].step_dot_change;
            factors[newer] = alphas[newer] - beta;
        }
        let is_added = copy.add(Vectors::Steps, &factors, 1.0, &mut direction);
        let left = if is_added { 0 } else { count };
        let slope =
            add_and_finish((&mut direction, picture), &steps[..left], &factors[..left], |range, direction, picture| {
                let (position, gradient) = (&self.position[range.clone()], &self.gradient[range]);
                direction.iter_mut().for_each(|value| *value = -*value);
                hold_bounds(self.clamp, direction, position, gradient);
                move_by(self.reach as f32, self.clamp, picture, position, direction);
                dot_chunks(direction, gradient)
            });
        (self.direction, self.preconditioner, self.copy) = (direction, preconditioner, copy);
        slope
    }

    /// The products of all steps with the direction and with the newest change.
    fn first_products(&self, direction: &[f32]) -> Products {
        let newest = &self.pairs[self.pairs.len() - 1].change;
        let products = dots_with_rounded(&self.steps(), newest, direction);
        let (with_newest_change, with_vector) = products.as_chunks::<2>().0.iter().map(|&[a, b]| (a, b)).unzip();
        Products { with_vector, with_newest_change }
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

    fn advance_on_pool(&mut self, picture: &mut [f32], loss: f64, gradient: &[f32]) -> Step {
        if self.position.is_empty() {
            if !loss.is_finite() || !all_finite(gradient) {
                return Step::Rejected(Rejection::NotFinite);
            }
            self.start(picture, loss, gradient);
            self.aim(picture, false);
            return Step::Accepted;
        }
        let comparison = self.compare(picture, gradient);
        let (finite, predicted_fall) = (loss.is_finite() && comparison.is_finite, comparison.predicted_fall);
        if !finite || loss > self.loss + SUFFICIENT * predicted_fall {
            self.cut(if finite { loss } else { f64::NAN }, predicted_fall);
            self.propose(picture);
            return Step::Rejected(if finite { Rejection::Grown } else { Rejection::NotFinite });
        }
        let has_new_pair = self.loss.is_finite() && self.remember(comparison);
        self.arrive(picture, loss, gradient);
        self.aim(picture, has_new_pair);
        Step::Accepted
    }

    /// Shortens the step after a rejection; drops the history when that has not helped.
    fn cut(&mut self, loss: f64, predicted_fall: f64) {
        self.rejections += 1;
        if self.rejections.is_multiple_of(PATIENCE) {
            self.forget();
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
        let preconditioner = if self.preconditioner.is_some() { Preconditioner::bytes(values) } else { 0 };
        let pairs = 2 * (self.capacity + 1) * size_of::<Bfloat16>();
        let pictures = 4 * size_of::<f32>();
        ((pairs + pictures) * values) as u64 + preconditioner
    }

    fn remembers(&self) -> usize {
        self.capacity
    }

    fn attach(&mut self, history: Box<dyn History>) {
        self.copy = DeviceCopy::of(history, self.pairs.iter().map(|pair| (&pair.step[..], &pair.change[..])));
    }

    fn step_length(&self) -> f64 {
        self.reach * (dot(&self.direction, &self.direction) / self.direction.len().max(1) as f64).sqrt()
    }

    fn save(&self, state: &mut StateWriter<'_>) -> io::Result<()> {
        state.count(u64::from(self.rejections))?;
        for number in [self.loss, self.reach, self.plain_step] {
            state.number(number)?;
        }
        for values in [&self.position, &self.gradient, &self.direction] {
            state.values(values)?;
        }
        state.count(self.pairs.len() as u64)?;
        for pair in &self.pairs {
            state.number(pair.step_dot_change)?;
            state.number(pair.change_dot_change)?;
            state.count(pair.older_steps_dot_change.len() as u64)?;
            for &product in &pair.older_steps_dot_change {
                state.number(product)?;
            }
            state.halves(&pair.step)?;
            state.halves(&pair.change)?;
        }
        match &self.preconditioner {
            Some(preconditioner) => preconditioner.save(state),
            None => Ok(()),
        }
    }

    fn restore(&mut self, values: usize, state: &mut StateReader<'_>) -> Result<(), Damaged> {
        self.rejections = state.count(u64::from(u32::MAX / 2))? as u32;
        (self.loss, self.reach, self.plain_step) = (state.number()?, state.number()?, state.number()?);
        (self.position, self.gradient, self.direction) =
            (state.values(values)?, state.values(values)?, state.values(values)?);
        self.forget();
        for place in 0..state.count(self.capacity as u64)? {
            let (step_dot_change, change_dot_change) = (state.number()?, state.number()?);
            // One product for each pair that is older, and whatever is left of the table's row.
            let products = state.count(self.capacity as u64 + 1)?;
            if products < place {
                return Err(Damaged);
            }
            let older_steps_dot_change = (0..products).map(|_| state.number()).collect::<Result<_, _>>()?;
            let (step, change) = (state.halves(values)?, state.halves(values)?);
            self.pairs.push_back(Pair { step, change, older_steps_dot_change, step_dot_change, change_dot_change });
        }
        match &mut self.preconditioner {
            Some(preconditioner) => preconditioner.restore(state),
            None => Ok(()),
        }
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
