//! A copy of L-BFGS's pairs where an engine can multiply them, for as long as the engine works.
//!
//! The optimiser keeps its pairs itself: for checkpoints, and for the sweep in which the copy's device fails, which is then
//! made on the host. From there on there is no copy.

use impasto_vgg::bfloat16::Bfloat16;
use impasto_vgg::{EngineError, History, Products, Vectors};

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

    /// As [`History::multiply`]; `None` where the host has to do it.
    pub fn multiply(&mut self, vectors: Vectors, vector: &[f32]) -> Option<Products> {
        self.with(|history| history.multiply(vectors, vector))
    }

    /// As [`History::add`]; `false` where the host has to do it.
    pub fn add(&mut self, vectors: Vectors, factors: &[f64], scale: f32, vector: &mut [f32]) -> bool {
        self.with(|history| history.add(vectors, factors, scale, vector)).is_some()
    }

    fn with<R>(&mut self, work: impl FnOnce(&mut dyn History) -> Result<R, EngineError>) -> Option<R> {
        let result = work(self.history.as_deref_mut()?);
        // Why it failed, the engine's session tells if it matters: nothing is lost here.
        result.inspect_err(|_| self.history = None).ok()
    }
}
