//! Between the handle and the run: changes that were taken go onto the disk, then into the run.

use impasto::ResolvedRecipe;
use impasto::recipe::TimelineEntry;
use impasto::run::{Steer, Steered};

use super::change::Taken;
use super::event::JobEvent;
use super::handle::Handle;
use super::keeping::Kept;
use super::recording::Recording;

/// Steers one run by its handle.
pub(super) struct Steering<'run> {
    handle: &'run Handle,
    kept: Option<&'run mut Kept>,
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
        recipe: &'run mut ResolvedRecipe,
        evaluations: u32,
    ) -> Steering<'run> {
        if let Some(desk) = handle.desk() {
            desk.begin(recipe, evaluations.saturating_add(1));
        }
        Steering { handle, kept, recipe, has_begun: false }
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
        let Some(desk) = self.handle.desk() else { return Steer::GoOn(Vec::new()) };
        let Some(taken) = desk.hand_over(evaluation) else { return Steer::GoOn(Vec::new()) };
        let mut whole = self.recipe.clone();
        whole.add_change(TimelineEntry { before_evaluation: evaluation, set: taken.set.clone() });
        let Taken { set, guides, inputs, copies } = taken;
        let written = self.kept.as_mut().map_or(Ok(()), |kept| kept.change(&whole, inputs, &copies));
        let changes = match written {
            Ok(()) => {
                *self.recipe = whole;
                vec![Steered { set, guides }]
            }
            Err(failure) => {
                recording.tell(JobEvent::Refused { set: &set, failure: &failure });
                Vec::new()
            }
        };
        desk.settle(self.recipe);
        Steer::GoOn(changes)
    }
}
