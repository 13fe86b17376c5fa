//! What is counted over a whole run, and whom it tells.

use std::collections::VecDeque;

use impasto_vgg::EngineError;

use super::PaintError;
use super::change::{Difference, Now, Steer, Steered};
use super::checkpoint::Snapshot;
use super::event::{Event, Iteration, Shown};
use super::scales::Scale;
use super::style_moments::StyleMoments;
use crate::control::Control;
use crate::objective::Losses;
use crate::optimiser::Step;

/// What is counted over a whole run, and whom it tells.
pub(super) struct Course<'a> {
    pub observer: &'a mut dyn FnMut(Event<'_>) -> Control,
    pub keep: &'a mut dyn FnMut(&Snapshot<'_>),
    pub steer: &'a mut dyn FnMut(u32) -> Steer,
    /// The evaluation that whoever steers was asked for last.
    asked: u32,
    /// What was answered, as far as it is not laid yet.
    steered: VecDeque<Steered>,
    /// The style images' moments, from when they are computed to when they are used.
    pub moments: StyleMoments,
    pub stopped: bool,
    pub failure: Option<EngineError>,
    pub iterations: u32,
    pub evaluations: u32,
    pub losses: Option<Losses>,
}

impl<'a> Course<'a> {
    /// The beginning of a run of so many scales.
    pub fn new(
        observer: &'a mut dyn FnMut(Event<'_>) -> Control,
        keep: &'a mut dyn FnMut(&Snapshot<'_>),
        steer: &'a mut dyn FnMut(u32) -> Steer,
        scales: usize,
    ) -> Course<'a> {
        Course {
            observer,
            keep,
            steer,
            asked: 0,
            steered: VecDeque::new(),
            moments: StyleMoments::new(scales),
            stopped: false,
            failure: None,
            iterations: 0,
            evaluations: 0,
            losses: None,
        }
    }

    pub fn tell(&mut self, event: Event<'_>) {
        if (self.observer)(event) == Control::Stop {
            self.stopped = true;
        }
    }

    /// Asks whoever steers about the next evaluation, once. Gives whether there is a change before it.
    pub fn is_changing(&mut self, next_change: Option<u32>) -> bool {
        let next = self.evaluations.saturating_add(1);
        if !self.stopped && self.asked < next {
            self.asked = next;
            match (self.steer)(next) {
                Steer::GoOn(changes) => self.steered.extend(changes),
                Steer::Stop => self.stopped = true,
            }
        }
        !self.stopped && (!self.steered.is_empty() || next_change.is_some_and(|change| change <= next))
    }

    /// Lays every change before the next evaluation; gives what is another by them.
    pub fn change(&mut self, now: &mut Now<'_>) -> Result<Difference, PaintError> {
        let next = self.evaluations.saturating_add(1);
        let mut applied = Vec::new();
        let mut difference = now.lay_due(next, &mut |set| applied.push(set.clone()))?;
        for steered in std::mem::take(&mut self.steered) {
            let (set, of_steered) = now.lay_steered(next, steered)?;
            difference = difference.and(of_steered);
            applied.push(set);
        }
        applied.iter().for_each(|set| self.tell(Event::Changed { before_evaluation: next, set }));
        Ok(difference)
    }

    /// Counts an evaluation and tells what became of it.
    pub fn report(
        &mut self,
        scale_index: usize,
        scale: Scale,
        scale_evaluations: u32,
        step: Step,
        losses: Losses,
        shown: Shown<'_>,
    ) {
        let evaluations = self.evaluations;
        match step {
            Step::Rejected(rejection) => {
                self.tell(Event::StepRejected { evaluations, loss: losses.total, rejection });
            }
            Step::Accepted => {
                self.iterations += 1;
                let (iteration, Scale { width, height, .. }) = (self.iterations, scale);
                self.tell(Event::Iteration(Iteration {
                    iteration,
                    evaluations,
                    scale_index,
                    scale_evaluations,
                    width,
                    height,
                    losses: &losses,
                    shown,
                }));
                self.losses = Some(losses);
            }
        }
    }
}
