//! Optimisers: what moves the pixels, one evaluation at a time.
//!
//! An optimiser never calls the objective; it is told. So a run can be counted, shown, stopped and checkpointed between
//! any two evaluations, and none is wasted:
//!
//! ```text
//!   picture --objective--> loss, gradient --advance--> the next picture to evaluate, accepted or rejected
//!      ^                                                  |
//!      +--------------------------------------------------+
//! ```
//!
//! *Accepted* means that the evaluated picture is the new good one. *Rejected* means that its loss is not a number or
//! has grown beyond what the method allows: the optimiser goes back to the last good picture and proposes a shorter
//! step from there. The good picture's loss is therefore always known.

pub mod adam;
mod choose;
mod device_copy;
pub mod diagonal;
mod inverse_hessian;
pub mod lbfgs;
pub mod preconditioner;
pub mod pyramid;
pub mod state;
mod trial;

use std::fmt;
use std::io;

use impasto_vgg::History;
use serde::{Deserialize, Serialize};

use crate::picture::PictureError;
use state::{Damaged, StateReader, StateWriter};

pub use choose::optimiser;

/// What an optimiser thought of an evaluated picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// It is the good picture now.
    Accepted,
    /// The optimiser went back to the last good picture.
    Rejected(Rejection),
}

/// Why a picture was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Its loss or a part of its gradient is not a finite number.
    NotFinite,
    /// Its loss has grown.
    Grown,
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Rejection::NotFinite => {
                "the loss is not a finite number; back to the last good picture, with a shorter step"
            }
            Rejection::Grown => "the loss has grown; back to the last good picture, with a shorter step",
        })
    }
}

/// Something that lowers a loss by moving the values of a picture. Its state is plain data.
pub trait Optimiser: Send {
    /// Takes in the loss and the gradient at `picture`, and moves `picture` to where the next evaluation shall be. The
    /// first call's picture is the start.
    ///
    /// All pictures and gradients have the start's length.
    fn advance(&mut self, picture: &mut [f32], loss: f64, gradient: &[f32]) -> Step;

    /// The picture that was accepted last; empty before the first.
    fn good(&self) -> &[f32];

    /// The picture to show, to carry up to the next size and to write: the one that was accepted last, or an average of those that
    /// were; empty before the first.
    fn shown(&self) -> &[f32] {
        self.good()
    }

    /// Bytes that its state takes for pictures of `values` values, once its history is full.
    fn bytes(&self, values: usize) -> u64;

    /// The loss is another from here on: forgets what was known of the one before, its last value too, and takes the next
    /// picture as it comes. Where the optimiser has only averages of gradients, it keeps them.
    fn forget(&mut self) {}

    /// The recipe changes the loss: [`Optimiser::forget`], and where losses are compared only to notice explosions, the ones before
    /// are no measure any more.
    fn take_other_loss(&mut self) {
        self.forget();
    }

    /// This optimiser for the next size, with what it has learnt at `from` brought to `to`, both width and height in pixels; `None`
    /// where it begins anew there.
    ///
    /// # Errors
    /// Where there is no memory for that many pixels.
    fn carried_up(&self, from: (usize, usize), to: (usize, usize)) -> Result<Option<Box<dyn Optimiser>>, PictureError> {
        let _ = (from, to);
        Ok(None)
    }

    /// How many pairs of vectors it remembers at most, for an engine's [`History`]; 0 where it has no use for one.
    fn remembers(&self) -> usize {
        0
    }

    /// Is given an empty history of an engine, with room for all that it will remember of pictures of this size: from here
    /// on it may do its sums there, as long as the engine works.
    fn attach(&mut self, history: Box<dyn History>) {
        drop(history);
    }

    /// The length of the step that was proposed last, in units of 0..255: the root mean square over all values for
    /// L-BFGS, the learning rate for Adam.
    fn step_length(&self) -> f64;

    /// Writes everything that the steps to come depend on and that [`optimiser`] does not give: for
    /// [`restore`](Optimiser::restore).
    ///
    /// # Errors
    /// What the writer's target reports.
    fn save(&self, state: &mut StateWriter<'_>) -> io::Result<()>;

    /// As [`save`](Optimiser::save), of the optimiser as it is after [`take_other_loss`](Optimiser::take_other_loss): little where
    /// most of it is what was known of the loss.
    ///
    /// # Errors
    /// What the writer's target reports.
    fn save_for_other_loss(&self, state: &mut StateWriter<'_>) -> io::Result<()>;

    /// Becomes the optimiser that [`save`](Optimiser::save) was called on, where both were made for the same recipe;
    /// for pictures of `values` values.
    ///
    /// # Errors
    /// A state that cannot be.
    fn restore(&mut self, values: usize, state: &mut StateReader<'_>) -> Result<(), Damaged>;
}
