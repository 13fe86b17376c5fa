//! What L-BFGS knows of the inverse of the second derivative, H (Nocedal and Wright, "Numerical optimization", 2006,
//! algorithm 7.4).
//!
//! From the last pairs of steps s and changes of the gradient y, H g is made as follows. With 1/r_i = s_i y_i and q = g at
//! first:
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
//! memory and half the time, and as many evaluations (docs/records/2026-11-24-optimiser.md). H is that of the rounded pairs, exactly. Where an
//! engine keeps a copy of the pairs ([`InverseHessian::attach`]), q goes there, and comes back as H g; the host meanwhile
//! learns, and makes y P y.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use impasto_vgg::{History, Products};

use crate::optimiser::device_copy::DeviceCopy;
use crate::optimiser::preconditioner::Preconditioner;
use crate::optimiser::state::{Damaged, StateReader, StateWriter};
use crate::optimiser::trial::{Comparison, Trial, compare};
use crate::picture::vectors::{add_and_finish, add_and_scale, copy_into, dots, dots_with_rounded, zeros};
use impasto_vgg::bfloat16::Bfloat16;

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

/// H; all vectors have the picture's length.
#[derive(Debug)]
pub struct InverseHessian {
    capacity: usize,
    /// Oldest first.
    pairs: VecDeque<Pair>,
    /// Room for the pair that comes next: the newest may be refused, so the oldest does not make room before it is in.
    spare: Option<Pair>,
    /// The pairs once more, where an engine keeps them.
    copy: DeviceCopy,
    /// P, if it is not the identity.
    preconditioner: Option<Preconditioner>,
    /// s s and y y of the newest pair, which the preconditioner has not learnt from yet.
    unlearnt: Option<(f64, f64)>,
    /// Whether the newest pair's y P y is still y y.
    is_unweighed: bool,
}

impl InverseHessian {
    /// H of no pair yet, which will be of the last `capacity`, and of pictures of the size that `preconditioner` was made
    /// for.
    pub fn new(capacity: usize, preconditioner: Option<Preconditioner>) -> InverseHessian {
        InverseHessian {
            capacity,
            pairs: VecDeque::new(),
            spare: None,
            copy: DeviceCopy::default(),
            preconditioner,
            unlearnt: None,
            is_unweighed: false,
        }
    }

    /// Pairs that it may remember.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether it has seen no curvature.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Compares a picture that was tried to the last good one; the pair that would come of it is the spare one.
    pub fn compare(&mut self, trial: Trial<'_>) -> Comparison {
        let length = trial.picture.len();
        let pair = self.spare.get_or_insert_with(|| Pair {
            step: zeros(length),
            change: zeros(length),
            older_steps_dot_change: Vec::new(),
            step_dot_change: 0.0,
            change_dot_change: 0.0,
        });
        // Filled when it is first used.
        pair.older_steps_dot_change.clear();
        compare(trial, &mut pair.step, &mut pair.change)
    }

    /// Adds the pair that was compared, unless the loss does not curve upwards along it.
    pub fn remember(&mut self, comparison: Comparison) {
        let Comparison { step_square, change_square, step_dot_change, .. } = comparison;
        let lengths = (step_square * change_square).sqrt();
        if step_dot_change > LEAST_CURVATURE * lengths
            && let Some(mut pair) = self.spare.take()
        {
            (pair.step_dot_change, pair.change_dot_change) = (step_dot_change, change_square);
            self.copy.push(&pair.step, &pair.change);
            self.pairs.push_back(pair);
            self.forget_beyond_capacity();
            (self.unlearnt, self.is_unweighed) = (Some((step_square, change_square)), true);
        }
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

    /// Drops all pairs.
    pub fn forget(&mut self) {
        self.pairs.clear();
        self.copy.clear();
    }

    /// Makes P times `vector` of it.
    pub fn precondition(&mut self, vector: &mut [f32]) {
        if let Some(preconditioner) = &mut self.preconditioner {
            preconditioner.apply(vector);
        }
    }

    /// Makes H times `vector` of it, or H times `other` where that is given; there must be a pair. `finish` has each chunk of
    /// it last, with that of `picture`; gives the sum of its answers.
    pub fn apply(
        &mut self,
        vector: &mut [f32],
        other: Option<&[f32]>,
        picture: &mut [f32],
        finish: impl Fn(Range<usize>, &mut [f32], &mut [f32]) -> f64 + Sync,
    ) -> f64 {
        if self.is_elsewhere() && self.apply_there(vector, other).is_some() {
            return add_and_finish::<Bfloat16>((vector, picture), &[], &[], finish);
        }
        if let Some(other) = other {
            copy_into(vector, other);
        }
        let factors = self.apply_but_last_sum(vector);
        add_and_finish((vector, picture), &steps(&self.pairs), &factors, finish)
    }

    /// Whether an engine keeps a copy of the pairs, so that H is made there.
    pub fn is_elsewhere(&self) -> bool {
        self.copy.is_there()
    }

    /// [`InverseHessian::apply`] where the copy is, without `finish`. Where that fails, `vector` is as it was.
    fn apply_there(&mut self, vector: &mut [f32], other: Option<&[f32]>) -> Option<()> {
        let mut copy = std::mem::take(&mut self.copy);
        let InverseHessian { pairs, preconditioner, unlearnt, .. } = &mut *self;
        let (products, ()) = rayon::join(
            || copy.first_products(other.unwrap_or(vector)),
            || {
                if let Some(preconditioner) = preconditioner {
                    learn(preconditioner, pairs, unlearnt);
                }
            },
        );
        let alphas = self.first_loop(products?);
        let negated = negated(&alphas);
        // Of the vector before it is scaled: y P y is not known yet.
        let InverseHessian { pairs, preconditioner, is_unweighed, .. } = &mut *self;
        let (products, square) = match preconditioner {
            None => (copy.second_products(&negated, None), None),
            Some(preconditioner) => {
                let change = pairs.back().map(|pair| &pair.change[..]).filter(|_| *is_unweighed);
                preconditioner.square_beside(change, |weighing| copy.second_products(&negated, Some(weighing)))
            }
        };
        self.take_square(square);
        let scale = self.scale();
        let products = products?.with_vector.into_iter().map(|product| f64::from(scale) * product);
        let is_done = copy.last_sum(&self.second_loop(&alphas, products.collect()), scale, vector);
        self.copy = copy;
        is_done.then_some(())
    }

    /// Makes of `vector` what H makes of it but for the last sum; gives the factors of its steps.
    fn apply_but_last_sum(&mut self, vector: &mut [f32]) -> Vec<f64> {
        let InverseHessian { pairs, preconditioner, unlearnt, is_unweighed, .. } = &mut *self;
        // One sweep for the loop and for the newest pair's row of the table; beside it y P y, whose small levels leave
        // threads without work.
        let (products, square) = rayon::join(
            || first_products(pairs, vector),
            || {
                let preconditioner = preconditioner.as_mut()?;
                learn(preconditioner, pairs, unlearnt);
                pairs.back().filter(|_| *is_unweighed).map(|pair| preconditioner.square(&pair.change))
            },
        );
        self.take_square(square);
        let alphas = self.first_loop(products);
        add_and_scale(vector, &changes(&self.pairs), &negated(&alphas), self.scale());
        self.precondition(vector);
        self.second_loop(&alphas, dots(&changes(&self.pairs), [vector]))
    }

    /// Takes the newest pair's y P y in, if it is not y y.
    fn take_square(&mut self, square: Option<f64>) {
        self.is_unweighed = false;
        if let (Some(square), Some(pair)) = (square, self.pairs.back_mut()) {
            pair.change_dot_change = square;
        }
    }

    /// s y / y P y of the newest pair.
    fn scale(&self) -> f32 {
        let newest = &self.pairs[self.pairs.len() - 1];
        (newest.step_dot_change / newest.change_dot_change) as f32
    }

    /// a of all pairs, from the products; fills the newest pair's row of the table.
    fn first_loop(&mut self, products: Products) -> Vec<f64> {
        let count = self.pairs.len();
        let Products { with_vector: mut alphas, with_newest_change } = products;
        self.pairs[count - 1].older_steps_dot_change = with_newest_change;
        for newer in (0..count).rev() {
            let pair = &self.pairs[newer];
            alphas[newer] /= pair.step_dot_change;
            let alpha = alphas[newer];
            for (older, product) in pair.older_steps_dot_change[..newer].iter().enumerate() {
                alphas[older] -= alpha * product;
            }
        }
        alphas
    }

    /// a - b of all pairs, from a and the products.
    fn second_loop(&self, alphas: &[f64], mut products: Vec<f64>) -> Vec<f64> {
        for newer in 0..self.pairs.len() {
            let row = &self.pairs[newer].older_steps_dot_change[..newer];
            let from_older: f64 = products[..newer].iter().zip(row).map(|(factor, product)| factor * product).sum();
            let beta = (products[newer] + from_older) / self.pairs[newer].step_dot_change;
            products[newer] = alphas[newer] - beta;
        }
        products
    }

    /// Gives an engine's empty history all pairs; from here on H is made there, as long as it works.
    pub fn attach(&mut self, history: Box<dyn History>) {
        self.copy = DeviceCopy::of(history, self.pairs.iter().map(|pair| (&pair.step[..], &pair.change[..])));
    }

    /// Bytes of a full history for pictures of `values` values.
    pub fn bytes(&self, values: usize) -> u64 {
        let preconditioner = if self.preconditioner.is_some() { Preconditioner::bytes(values) } else { 0 };
        let pairs = 2 * (self.capacity + 1) * size_of::<Bfloat16>();
        (pairs * values) as u64 + preconditioner
    }

    /// Writes all that H depends on.
    ///
    /// # Errors
    /// What the writer's target reports.
    pub fn save(&self, state: &mut StateWriter<'_>) -> io::Result<()> {
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
        self.save_preconditioner(state)
    }

    /// As [`InverseHessian::save`], of the H that [`InverseHessian::forget`] leaves.
    ///
    /// # Errors
    /// What the writer's target reports.
    pub fn save_without_pairs(&self, state: &mut StateWriter<'_>) -> io::Result<()> {
        state.count(0)?;
        self.save_preconditioner(state)
    }

    fn save_preconditioner(&self, state: &mut StateWriter<'_>) -> io::Result<()> {
        match &self.preconditioner {
            Some(preconditioner) => preconditioner.save(state),
            None => Ok(()),
        }
    }

    /// Becomes the H that was saved, for pictures of `values` values.
    ///
    /// # Errors
    /// A state that cannot be.
    pub fn restore(&mut self, values: usize, state: &mut StateReader<'_>) -> Result<(), Damaged> {
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

fn steps(pairs: &VecDeque<Pair>) -> Vec<&[Bfloat16]> {
    pairs.iter().map(|pair| pair.step.as_slice()).collect()
}

fn changes(pairs: &VecDeque<Pair>) -> Vec<&[Bfloat16]> {
    pairs.iter().map(|pair| pair.change.as_slice()).collect()
}

/// The products of all steps with the vector and with the newest change.
fn first_products(pairs: &VecDeque<Pair>, vector: &[f32]) -> Products {
    let newest = pairs.back().map_or(&[][..], |pair| &pair.change);
    let products = dots_with_rounded(&steps(pairs), newest, vector);
    let (with_newest_change, with_vector) = products.as_chunks::<2>().0.iter().map(|&[a, b]| (a, b)).unzip();
    Products { with_vector, with_newest_change }
}

/// Has the preconditioner learn from the newest pair, if it has not.
fn learn(preconditioner: &mut Preconditioner, pairs: &VecDeque<Pair>, unlearnt: &mut Option<(f64, f64)>) {
    if let (Some((step_square, change_square)), Some(pair)) = (unlearnt.take(), pairs.back()) {
        preconditioner.learn((&pair.step, step_square), (&pair.change, change_square));
    }
}

fn negated(factors: &[f64]) -> Vec<f64> {
    factors.iter().map(|factor| -factor).collect()
}
