//! Between the handle and the run: changes that were taken go onto the disk, then into the run.

use impasto::ResolvedRecipe;
use impasto::recipe::TimelineEntry;
use impasto::run::{Steer, Steered};

use super::change::Taken;
use super::event::JobEvent;
use super::handle::Handle;
use super::keeping::Kept;
use super::proportion::Proportion;
use super::recording::Recording;

/// Steers one run by its handle.
pub(super) struct Steering<'run> {
    handle: &'run Handle,
    kept: Option<&'run mut Kept>,
    proportion: Proportion<'run>,
    /// The recipe with all changes that count.
    recipe: &'run mut ResolvedRecipe,
    /// Whether an evaluation was made.
    has_begun: bool,
}

impl<'run> Steering<'run> {
    /// Steers a run that begins, or goes on, after so many evaluations.
    pub fn new(
        handle: &'run Handle,
        kept: Option<&'run mut Kept>,
        proportion: Proportion<'run>,
        recipe: &'run mut ResolvedRecipe,
        evaluations: u32,
    ) -> Steering<'run> {
        if let Some(desk) = handle.desk() {
            desk.begin(recipe, evaluations.saturating_add(1));
        }
        Steering { handle, kept, proportion, recipe, has_begun: false }
    }

    /// What changes before this evaluation, if it is made at all.
    pub fn before(&mut self, evaluation: u32, recording: &mut Recording<'_>) -> Steer {
        // Later pauses are waited for where there is a state to be kept.
        if !std::mem::replace(&mut self.has_begun, true) && self.handle.has_to_wait() {
            recording.tell(JobEvent::Paused { evaluations: evaluation - 1 });
            self.handle.wait();
            recording.tell(JobEvent::WentOn);
        }
        if recording.is_stopping() {
            return Steer::Stop;
        }
        Steer::GoOn(self.take(evaluation, false, recording).into_iter().collect())
    }

    /// The run has stopped after so many evaluations: what was taken and does not count yet is written down, so that it counts where
    /// the run goes on.
    pub fn stop(&mut self, evaluations: u32, recording: &mut Recording<'_>) {
        drop(self.take(evaluations.saturating_add(1), true, recording));
    }

    /// What has been taken, written down for this evaluation; where it is the last word, nothing is taken any more.
    fn take(&mut self, evaluation: u32, is_last: bool, recording: &mut Recording<'_>) -> Option<Steered> {
        let desk = self.handle.desk()?;
        let Taken { mut set, guides, inputs, copies } = desk.hand_over(if is_last { u32::MAX } else { evaluation })?;
        let mut whole = self.recipe.clone();
        let weighed = self.proportion.weigh(&whole, evaluation, &mut set, &guides);
        whole.add_change(TimelineEntry { before_evaluation: evaluation, set: set.clone() });
        let written = weighed.and_then(|()| match &mut self.kept {
            Some(kept) => kept.change(&whole, inputs, &copies),
            None => Ok(()),
        });
        let change = match written {
            Ok(()) => {
                *self.recipe = whole;
                Some(Steered { set, guides })
            }
            Err(failure) => {
                recording.tell(JobEvent::Refused { set: &set, failure: &failure });
                None
            }
        };
        desk.settle(self.recipe);
        change
    }
}
