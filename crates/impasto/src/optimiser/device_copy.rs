//! A copy of L-BFGS's pairs where an engine can multiply them, for as long as the engine works.
//!
//! The optimiser keeps its pairs itself: for checkpoints, and for the step in which the copy's device fails, whose sums are
//! then made on the host. From there on there is no copy. What a copy answers is `None` or `false` where there is none.

use impasto_vgg::bfloat16::Bfloat16;
use impasto_vgg::{EngineError, History, Products, Vectors, Weighing};

/// The copy, if there is one.
#[derive(Debug, Default)]
pub struct DeviceCopy {
    history: Option<Box<dyn History>>,
}

impl DeviceCopy {
    /// A copy of these pairs of a step and a change, oldest first, in an empty `history` with room for all that will be
    /// remembered.
    pub fn of<'a>(
        history: Box<dyn History>,
        pairs: impl IntoIterator<Item = (&'a [Bfloat16], &'a [Bfloat16])>,
    ) -> DeviceCopy {
        let mut copy = DeviceCopy { history: Some(history) };
        pairs.into_iter().for_each(|(step, change)| copy.push(step, change));
        copy
    }

    /// Takes a pair in, and lets the oldest go where there is no room.
    pub fn push(&mut self, step: &[Bfloat16], change: &[Bfloat16]) {
        self.with(|history| history.push(step, change));
    }

    /// Forgets all pairs.
    pub fn clear(&mut self) {
        if let Some(history) = &mut self.history {
            history.clear();
        }
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.history.is_some()
    }

    /// The products of all steps with `vector`, which stays there, and with the newest change.
    pub fn first_products(&mut self, vector: &[f32]) -> Option<Products> {
        self.with(|history| {
            history.load(vector)?;
            history.multiply(Vectors::Steps)
        })
    }

    /// Adds all changes, each times its factor, to the vector there and weighs it; then its products with all changes.
    pub fn second_products(&mut self, factors: &[f64], weighing: Option<Weighing<'_>>) -> Option<Products> {
        self.with(|history| {
            history.add(Vectors::Changes, factors, 1.0)?;
            if let Some(weighing) = weighing {
                history.weigh(weighing)?;
            }
            history.multiply(Vectors::Changes)
        })
    }

    /// Scales the vector there, adds all steps to it, each times its factor, and writes it into `vector`.
    pub fn last_sum(&mut self, factors: &[f64], scale: f32, vector: &mut [f32]) -> bool {
        let done = self.with(|history| {
            history.add(Vectors::Steps, factors, scale)?;
            history.read(vector)
        });
        done.is_some()
    }

    fn with<R>(&mut self, work: impl FnOnce(&mut dyn History) -> Result<R, EngineError>) -> Option<R> {
        let result = work(self.history.as_deref_mut()?);
        // Why it failed, the engine's session tells if it matters: nothing is lost here.
        result.inspect_err(|_| self.history = None).ok()
    }
}
