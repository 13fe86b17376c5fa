//! Has a run's events written down, and tells the front end of them.

use std::time::Instant;

use impasto::checkpoint::Snapshot;
use impasto::recorder::Recorder;
use impasto::{Control, Event, Rejection};

use super::board::Board;
use super::event::{JobEvent, Observer};
use super::handle::Handle;

use crate::pace::Progress;

/// A loss that is so many times the last good one is said to have exploded.
const EXPLOSION: f64 = 10.0;

/// Watches one run.
pub struct Recording<'run> {
    observer: &'run mut Observer<'run>,
    handle: &'run Handle,
    board: &'run mut Board,
    started: Instant,
    recorder: Option<Recorder<'run>>,
    /// Evaluations of the whole run.
    evaluations: u32,
    /// The loss of the last good picture; none yet is beyond every loss.
    good_loss: f64,
    /// Kinds of rejected steps that were said already.
    rejections: Vec<Rejection>,
    /// Whether it was said that lines and frames, or checkpoints, could not be written.
    complained: [bool; 2],
    /// Whether the state of the last evaluation is in a checkpoint.
    is_kept: bool,
    /// Whether the front end has said stop.
    is_stopping: bool,
}

impl<'run> Recording<'run> {
    /// A recording of a run that begins or goes on now.
    pub fn new(
        observer: &'run mut Observer<'run>,
        handle: &'run Handle,
        board: &'run mut Board,
        started: Instant,
        recorder: Option<Recorder<'run>>,
        evaluations: u32,
    ) -> Recording<'run> {
        let (good_loss, rejections) = (f64::INFINITY, Vec::new());
        let complained = [false; 2];
        Recording {
            observer,
            handle,
            board,
            started,
            recorder,
            evaluations,
            good_loss,
            rejections,
            complained,
            is_kept: true,
            is_stopping: false,
        }
    }

    /// Tells of an event, writes it down, and says whether the run goes on.
    pub fn observe(&mut self, event: Event<'_>) -> Control {
        match event {
            Event::Started { .. } => {}
            Event::Changed { before_evaluation, set } => self.tell(JobEvent::Applied { before_evaluation, set }),
            Event::ScaleStarted { index, scale } => self.tell(JobEvent::ScaleStarted { index, scale }),
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
                self.handle.offer(&iteration);
                self.tell(JobEvent::Iteration { progress, iteration: &iteration });
                if let Some(Err(error)) = self.recorder.as_mut().map(|recorder| recorder.record(&iteration)) {
                    self.complain(0, &error);
                }
                let seconds = self.recorder.as_ref().map_or(progress.seconds, Recorder::seconds);
                if let Some(sentence) = self.board.iteration(&iteration, seconds) {
                    self.tell(JobEvent::Note(&sentence));
                }
            }
            // A step that is taken back since it was too long is a part of the method; one that explodes is news.
            Event::StepRejected { evaluations, loss, rejection } => {
                let has_exploded = loss.is_nan() || loss >= EXPLOSION * self.good_loss;
                if has_exploded && !self.rejections.contains(&rejection) {
                    self.rejections.push(rejection);
                    self.tell(JobEvent::Note(&format!("evaluation {evaluations}: {rejection}")));
                }
                self.tell(JobEvent::Rejected { evaluations });
            }
        }
        if self.is_stopping() { Control::Stop } else { Control::Continue }
    }

    /// Tells the front end of something.
    pub fn tell(&mut self, event: JobEvent<'_>) {
        if (self.observer)(event) == Control::Stop {
            self.is_stopping = true;
        }
    }

    /// Whether the front end or another thread has said stop.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping || self.handle.is_stopping()
    }

    /// Writes a checkpoint where one is due, and in any case where the run is about to stop or to wait; and waits.
    pub fn keep(&mut self, snapshot: &Snapshot<'_>) {
        let evaluations = snapshot.place.evaluations;
        let waits = evaluations < self.evaluations && !self.is_stopping() && self.handle.has_to_wait();
        let is_asked = self.handle.takes_checkpoint();
        self.keep_now(snapshot, waits || is_asked || self.is_stopping());
        if is_asked && self.is_kept && self.recorder.is_some() {
            self.tell(JobEvent::Kept { evaluations });
        }
        if waits {
            self.tell(JobEvent::Paused { evaluations });
            if !self.is_stopping() {
                self.handle.wait();
            }
            self.tell(JobEvent::WentOn);
        }
    }

    fn keep_now(&mut self, snapshot: &Snapshot<'_>, now: bool) {
        let Some(recorder) = &mut self.recorder else { return };
        match recorder.keep(snapshot, now) {
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
            self.tell(JobEvent::Note(&format!("{error}; the run goes on, and tries again")));
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
