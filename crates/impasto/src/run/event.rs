//! What a run tells of itself while it goes on.

use super::colours::ShownColours;
use super::regions::Held;
use super::scales::Scale;
use crate::objective::Losses;
use crate::optimiser::{Optimiser, Rejection};
use crate::picture::Picture;
use crate::recipe::ChangedFields;

/// What happens in a run.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// Before any work: what will be done, coarse to fine. Time left can be told from it, since an evaluation takes
    /// time in proportion to the pixels.
    Started {
        /// The scales.
        scales: &'a [Scale],
    },
    /// The work at `scales[index]` begins.
    ScaleStarted {
        /// Place among the scales.
        index: usize,
        /// The scale.
        scale: Scale,
    },
    /// The recipe changes.
    Changed {
        /// The evaluation that is made next, over the whole run from 1 on.
        before_evaluation: u32,
        /// What is other from there on.
        set: &'a ChangedFields,
    },
    /// An evaluation was accepted.
    Iteration(Iteration<'a>),
    /// An evaluation was rejected, and the run went back to the last good picture; the sentence for people is
    /// [`Rejection`]'s.
    StepRejected {
        /// Evaluations done in the whole run.
        evaluations: u32,
        /// The loss that was rejected; may be no number.
        loss: f64,
        /// Why.
        rejection: Rejection,
    },
}

/// An accepted evaluation.
#[derive(Clone, Copy)]
pub struct Iteration<'a> {
    /// Accepted evaluations in the whole run, this one included.
    pub iteration: u32,
    /// Evaluations in the whole run, rejected ones included.
    pub evaluations: u32,
    /// Place among the scales.
    pub scale_index: usize,
    /// Evaluations at this scale.
    pub scale_evaluations: u32,
    /// Width of the picture now, in pixels.
    pub width: usize,
    /// Height of the picture now, in pixels.
    pub height: usize,
    /// The losses of the picture.
    pub losses: &'a Losses,
    pub(super) shown: Shown<'a>,
}

/// What a picture on the way is made of.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub optimiser: &'a dyn Optimiser,
    pub colours: &'a ShownColours,
    pub held: Option<&'a Held<'a>>,
}

impl Iteration<'_> {
    /// A copy of the picture, as it would be written now: for previews and pictures on the way.
    pub fn picture(&self) -> Picture {
        let values = self.shown.optimiser.shown().to_vec();
        let mut picture = self.shown.colours.show(Picture { width: self.width, height: self.height, values });
        if let Some(held) = self.shown.held {
            held.lay(&mut picture.values);
        }
        picture
    }

    /// The length of the step that comes next, in units of 0..255: its root mean square for L-BFGS, the learning rate
    /// for Adam.
    pub fn step_length(&self) -> f64 {
        self.shown.optimiser.step_length()
    }
}
