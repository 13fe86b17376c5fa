//! Turns a run's events into what is shown, and has the recorder write them down.

use std::time::Instant;

use impasto::checkpoint::Snapshot;
use impasto::recorder::Recorder;
use impasto::{Event, Rejection};

use crate::board::Board;
use crate::interrupt;
use crate::pace::Progress;
use crate::show::Show;

/// A loss that is so many times the last good one is said to have exploded.
const EXPLOSION: f64 = 10.0;

/// Watches one run.
pub struct Observer<'run> {
    show: &'run mut Show,
    board: &'run mut Board,
    started: Instant,
    recorder: Option<Recorder<'run>>,
    /// The loss of the last good picture; none yet is beyond every loss.
    good_loss: f64,
    /// Kinds of rejected steps that were said already.
    rejections: Vec<Rejection>,
    /// Whether it was said that lines and frames, or checkpoints, could not be written.
    complained: [bool; 2],
    /// Whether the state of the last evaluation is in a checkpoint.
    is_kept: bool,
}

impl<'run> Observer<'run> {
    /// An observer of a run that begins or goes on now.
    pub fn new(
        show: &'run mut Show,
        board: &'run mut Board,
        started: Instant,
        recorder: Option<Recorder<'run>>,
    ) -> Observer<'run> {
        let (good_loss, rejections) = (f64::INFINITY, Vec::new());
        Observer { show, board, started, recorder, good_loss, rejections, complained: [false; 2], is_kept: true }
    }

    /// Shows an event and writes it down.
    pub fn observe(&mut self, event: Event<'_>) {
        match event {
            Event::Started { .. } => {}
            Event::ScaleStarted { scale, .. } => self.show.prepare(scale.width, scale.height),
            Event::Iteration(iteration) => {
                let progress = Progress {
                    iteration: u64::from(iteration.iteration),
                    evaluations: u64::from(iteration.evaluations),
                    loss: iteration.losses.total,
                    content: iteration.losses.content,
                    style: iteration.losses.style,
                    seconds: self.started.elapsed().as_secs_f64(),
                    width: iteration.width,
                    height: iteration.height,
                };
                self.good_loss = progress.loss;
                self.show.progress(&progress, || iteration.picture());
                if let Some(Err(error)) = self.recorder.as_mut().map(|recorder| recorder.record(&iteration)) {
                    self.complain(0, &error);
                }
                let seconds = self.recorder.as_ref().map_or(progress.seconds, Recorder::seconds);
                self.board.iteration(&iteration, seconds).iter().for_each(|sentence| self.show.note(sentence));
            }
            // A step that is taken back since it was too long is a part of the method; one that explodes is news.
            Event::StepRejected { evaluations, loss, rejection } => {
                let has_exploded = loss.is_nan() || loss >= EXPLOSION * self.good_loss;
                if has_exploded && !self.rejections.contains(&rejection) {
                    self.rejections.push(rejection);
                    self.show.note(&format!("evaluation {evaluations}: {rejection}"));
                }
            }
        }
    }

    /// Writes a checkpoint where one is due, and in any case where the run is about to stop.
    pub fn keep(&mut self, snapshot: &Snapshot<'_>) {
        let Some(recorder) = &mut self.recorder else { return };
        match recorder.keep(snapshot, interrupt::requested()) {
            Ok(is_kept) => self.is_kept = is_kept,
            Err(error) => {
                self.is_kept = false;
                self.complain(1, &error);
            }
        }
    }

    /// Says once of each kind that something could not be written.
    fn complain(&mut self, kind: usize, error: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.complained[kind], true) {
            self.show.note(&format!("{error}; the run goes on, and tries again"));
        }
    }

    /// The run has ended: the rest of its lines. Gives the seconds of work, and whether its last state is kept.
    pub fn settle(mut self) -> (f64, bool) {
        if let Some(Err(error)) = self.recorder.as_mut().map(Recorder::settle) {
            self.complain(0, &error);
        }
        (self.recorder.map_or(0.0, |recorder| recorder.seconds()), self.is_kept)
    }
}
