//! What a person or a script sees of a batch while it is painted.

use std::time::{Duration, Instant};

use impasto_batch::{BatchEvent, FilmReceipt, Receipt, Share, Tally, Task, TaskList, Unpainted};
use impasto_job::Failure;
use impasto_job::machine::peak_mib;
use impasto_job::pace::{Progress, duration};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::output::Output;
use super::say::{Voice, say};
use super::words::tasks as tasks_in_words;

/// How often a log that is no terminal gets a line within a picture.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Steps of the bar for a second of work.
const STEPS_A_SECOND: f64 = 10.0;

/// How a batch is shown.
pub struct BatchShow {
    how: How,
    voice: Voice,
    has_films: bool,
    /// Tasks in all, and those that are settled.
    tasks: usize,
    settled: usize,
    stood: usize,
    /// Seconds of work by the forecast: in all, settled, and of these painted by this program.
    all_s: f64,
    settled_s: f64,
    painted_s: f64,
    /// Forecast seconds by number; those of tasks that are settled are taken out.
    forecast_s: std::collections::BTreeMap<u32, f64>,
    current: Option<Current>,
    started: Instant,
    /// When the first picture was begun.
    begun: Option<Instant>,
    last_line: Option<Instant>,
    is_waiting: bool,
}

/// The picture that is painted.
struct Current {
    output: String,
    seconds: f64,
    share: f64,
}

enum How {
    Json(Output),
    Quiet,
    Bar(ProgressBar),
    Lines,
}

#[derive(Serialize)]
struct BegunLine<'run> {
    event: &'static str,
    number: u32,
    output: &'run str,
    goes_on: bool,
}

#[derive(Serialize)]
struct StandsLine {
    event: &'static str,
    number: u32,
}

#[derive(Serialize)]
struct PaintedLine<'run> {
    event: &'static str,
    number: u32,
    output: &'run str,
    width: usize,
    height: usize,
    evaluations: u32,
    loss: Option<f64>,
    engine: &'run str,
    seconds: f64,
}

#[derive(Serialize)]
struct FrameLine {
    event: &'static str,
    number: u32,
    painted: usize,
    of: usize,
}

#[derive(Serialize)]
struct JoinedLine<'run> {
    event: &'static str,
    output: &'run str,
    frames: usize,
    shots: usize,
}

#[derive(Serialize)]
struct UnjoinedLine<'run> {
    event: &'static str,
    output: &'run str,
    reason: &'run str,
}

#[derive(Serialize)]
struct UnpaintedLine<'run> {
    event: &'static str,
    number: u32,
    output: &'run str,
    reason: &'run str,
    was_tried: bool,
}

#[derive(Serialize)]
struct LastLine {
    event: &'static str,
    tasks: usize,
    stood: usize,
    painted: usize,
    unpainted: usize,
    was_stopped: bool,
    seconds: f64,
    peak_mib: Option<f64>,
}

impl BatchShow {
    /// For these tasks of the list.
    ///
    /// # Errors
    /// No such task.
    pub fn new(
        list: &TaskList,
        share: Share,
        is_json: bool,
        is_quiet: bool,
        output: Output,
        voice: &Voice,
    ) -> Result<BatchShow, Failure> {
        let entries = share.positions(list)?.into_iter().map(|position| &list.entries()[position]);
        let forecast_s: std::collections::BTreeMap<u32, f64> =
            entries.map(|entry| (entry.number, entry.seconds.max(0.1))).collect();
        let all_s = forecast_s.values().sum();
        let how = match () {
            () if is_json => How::Json(output),
            () if is_quiet => How::Quiet,
            () if console::Term::stderr().is_term() => {
                let bar = ProgressBar::new((STEPS_A_SECOND * all_s) as u64);
                voice.step_before(&bar);
                let style = ProgressStyle::with_template("{wide_bar}  {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                How::Bar(bar)
            }
            () => How::Lines,
        };
        Ok(BatchShow {
            how,
            voice: voice.clone(),
            has_films: list.has_films(),
            tasks: forecast_s.len(),
            settled: 0,
            stood: 0,
            all_s,
            settled_s: 0.0,
            painted_s: 0.0,
            forecast_s,
            current: None,
            started: Instant::now(),
            begun: None,
            last_line: None,
            is_waiting: false,
        })
    }

    /// Shows an event.
    pub fn see(&mut self, event: BatchEvent<'_>) {
        match event {
            BatchEvent::Note { sentence, .. } => self.note(sentence),
            BatchEvent::Stands { number } => {
                self.stood += 1;
                self.settle(number);
                if let How::Json(output) = &mut self.how {
                    output.json(&StandsLine { event: "stands", number });
                }
            }
            BatchEvent::Begun { task, goes_on } => self.begin(task, goes_on),
            BatchEvent::Iteration { progress, of, .. } => self.progress(progress, of),
            BatchEvent::Evaluated { .. } => {}
            BatchEvent::Frame { number, painted, of } => self.frame(number, painted, of),
            BatchEvent::Joined { receipt } => self.joined(receipt),
            BatchEvent::Unjoined { unjoined } => {
                if let How::Json(output) = &mut self.how {
                    let (picture, reason) = (&unjoined.output, &unjoined.failure.sentence);
                    output.json(&UnjoinedLine { event: "unjoined", output: picture, reason });
                }
            }
            BatchEvent::Painted { receipt } => self.painted(receipt),
            BatchEvent::Unpainted { unpainted } => self.unpainted(unpainted),
            BatchEvent::Waiting { tasks } => {
                if !std::mem::replace(&mut self.is_waiting, true) {
                    let tasks = tasks_in_words(tasks, self.has_films);
                    self.note(&format!("still being painted by other programs: {tasks}; waiting"));
                }
            }
        }
        self.draw();
    }

    /// The end; `None` where the whole batch failed.
    ///
    /// # Errors
    /// Standard output could not be written.
    pub fn finish(self, tally: Option<&Tally>) -> Result<(), Failure> {
        let Some(tally) = tally else { return self.clear() };
        let seconds = self.started.elapsed().as_secs_f64();
        let Tally { tasks, stood, painted, unpainted, was_stopped, .. } = tally;
        match self.how {
            How::Json(mut output) => {
                output.json(&LastLine {
                    event: "batch",
                    tasks: *tasks,
                    stood: *stood,
                    painted: *painted,
                    unpainted: unpainted.len(),
                    was_stopped: *was_stopped,
                    seconds,
                    peak_mib: peak_mib(),
                });
                output.finish()
            }
            How::Quiet => Ok(()),
            How::Bar(bar) => {
                bar.finish_and_clear();
                say(&sum(tally, self.has_films, seconds));
                Ok(())
            }
            How::Lines => {
                say(&sum(tally, self.has_films, seconds));
                Ok(())
            }
        }
    }

    fn clear(self) -> Result<(), Failure> {
        match self.how {
            How::Json(mut output) => output.finish(),
            How::Bar(bar) => {
                bar.finish_and_clear();
                Ok(())
            }
            How::Quiet | How::Lines => Ok(()),
        }
    }

    fn begin(&mut self, task: &Task, goes_on: bool) {
        if self.begun.is_none() {
            self.begun = Some(Instant::now());
            if self.stood > 0 {
                self.note(&format!("{} of {} are done already", self.stood, self.tasks));
            }
        }
        self.is_waiting = false;
        self.current = Some(Current { output: task.output.clone(), seconds: task.seconds.max(0.1), share: 0.0 });
        self.last_line = Some(Instant::now());
        match &mut self.how {
            How::Json(output) => {
                output.json(&BegunLine { event: "begun", number: task.number, output: &task.output, goes_on });
            }
            How::Lines => {
                let goes_on = if goes_on { ", goes on" } else { "" };
                say(&format!(
                    "task {}, {}{goes_on} ({} of {} done)",
                    task.number, task.output, self.settled, self.tasks
                ));
            }
            How::Quiet | How::Bar(_) => {}
        }
    }

    fn progress(&mut self, progress: &Progress, of: u64) {
        if let Some(current) = &mut self.current {
            current.share = progress.evaluations as f64 / of.max(1) as f64;
        }
        if matches!(self.how, How::Lines) && self.last_line.is_some_and(|last| last.elapsed() >= LINE_EVERY) {
            self.last_line = Some(Instant::now());
            say(&format!("{}  {}/{of}  loss {:.4e}", self.words(), progress.evaluations, progress.loss));
        }
    }

    fn frame(&mut self, number: u32, painted: usize, of: usize) {
        if let Some(current) = &mut self.current {
            current.share = painted as f64 / of.max(1) as f64;
        }
        match &mut self.how {
            How::Json(output) => output.json(&FrameLine { event: "frame", number, painted, of }),
            How::Lines if self.last_line.is_some_and(|last| last.elapsed() >= LINE_EVERY) => {
                self.last_line = Some(Instant::now());
                say(&format!("{}  frame {painted}/{of}", self.words()));
            }
            How::Lines | How::Bar(_) | How::Quiet => {}
        }
    }

    fn joined(&mut self, receipt: &FilmReceipt) {
        let FilmReceipt { output: film, frames, shots, .. } = receipt;
        match &mut self.how {
            How::Json(output) => {
                output.json(&JoinedLine { event: "joined", output: film, frames: *frames, shots: *shots });
            }
            How::Bar(_) | How::Lines | How::Quiet => self.note(&format!("{film}: {frames} frames of {shots} shots")),
        }
    }

    fn painted(&mut self, receipt: &Receipt) {
        self.painted_s += self.forecast_s.get(&receipt.number).copied().unwrap_or(0.0);
        self.settle(receipt.number);
        if let How::Json(output) = &mut self.how {
            output.json(&PaintedLine {
                event: "painted",
                number: receipt.number,
                output: &receipt.output,
                width: receipt.width,
                height: receipt.height,
                evaluations: receipt.evaluations,
                loss: receipt.loss,
                engine: &receipt.engine,
                seconds: receipt.seconds,
            });
        }
    }

    fn unpainted(&mut self, unpainted: &Unpainted) {
        self.settle(unpainted.number);
        let Unpainted { number, output: picture, failure, was_tried } = unpainted;
        match &mut self.how {
            How::Json(output) => output.json(&UnpaintedLine {
                event: "unpainted",
                number: *number,
                output: picture,
                reason: &failure.sentence,
                was_tried: *was_tried,
            }),
            // All are said at the end; one that fails now is worth knowing at once.
            How::Bar(_) | How::Lines if *was_tried => self.note(&format!("task {number} failed: {failure}")),
            How::Bar(_) | How::Lines | How::Quiet => {}
        }
    }

    fn settle(&mut self, number: u32) {
        self.settled += 1;
        self.settled_s += self.forecast_s.get(&number).copied().unwrap_or(0.0);
        self.current = self.current.take().filter(|current| current.share < 1.0);
    }

    fn draw(&self) {
        if let How::Bar(bar) = &self.how {
            let current = self.current.as_ref().map_or(0.0, |current| current.share * current.seconds);
            bar.set_position((STEPS_A_SECOND * (self.settled_s + current)) as u64);
            bar.set_message(self.words());
        }
    }

    /// How far it is: `12 of 200  pictures/a-x.png  about 2 h left`.
    fn words(&self) -> String {
        let mut words = vec![format!("{} of {}", self.settled, self.tasks)];
        let current = self.current.as_ref();
        words.extend(current.map(|current| current.output.clone()));
        let here_s = self.painted_s + current.map_or(0.0, |current| current.share * current.seconds);
        let left_s = (self.all_s - self.settled_s - current.map_or(0.0, |it| it.share * it.seconds)).max(0.0);
        // By the pace of this program, once there is one; by the forecast before.
        let pace = self.begun.filter(|_| here_s > 1.0).map_or(1.0, |begun| begun.elapsed().as_secs_f64() / here_s);
        words.push(format!("about {} left", duration(left_s * pace)));
        words.join("  ")
    }

    fn note(&self, sentence: &str) {
        match self.how {
            How::Quiet => {}
            How::Bar(_) => self.voice.note(sentence),
            How::Json(_) | How::Lines => say(sentence),
        }
    }
}

/// What a person is told at the end.
fn sum(tally: &Tally, has_films: bool, seconds: f64) -> String {
    let Tally { tasks, stood, painted, unpainted, .. } = tally;
    let mut parts =
        vec![format!("{painted} of {} painted in {}", tasks_in_words(*tasks, has_films), duration(seconds))];
    if *stood > 0 {
        parts.push(format!("{stood} were done already"));
    }
    if !unpainted.is_empty() {
        parts.push(format!("{} are not", unpainted.len()));
    }
    parts.join(", ")
}
