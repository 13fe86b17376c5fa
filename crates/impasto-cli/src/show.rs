//! What a person or a script sees of a run: a progress bar, a line now and then, JSON lines, or nothing.
//!
//! Standard output is for what was asked for (a recipe, JSON lines, a report); standard error is for people.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use impasto::picture::Picture;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;
use crate::pace::{Plan, Progress, Speed, describe, duration};
use crate::preview::Preview;

/// How often a log that is no terminal gets a line.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often the preview is drawn.
const PREVIEW_EVERY: Duration = Duration::from_secs(2);

/// Says one sentence on standard error. A reader that has gone away is no reason to stop.
pub fn say(sentence: &str) {
    // A file name may hold anything; a sentence stays on its line.
    let line: String = sentence.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
    let _ = writeln!(io::stderr().lock(), "impasto: {line}");
}

/// Says what happens at any time, beside a bar that steps aside for it. Copies are one.
#[derive(Clone)]
pub struct Voice {
    is_quiet: bool,
    bar: Arc<OnceLock<ProgressBar>>,
}

impl Voice {
    /// One that says things, or one that keeps quiet.
    pub fn new(is_quiet: bool) -> Voice {
        Voice { is_quiet, bar: Arc::default() }
    }

    /// Says one sentence on standard error.
    pub fn note(&self, sentence: &str) {
        match self.bar.get() {
            _ if self.is_quiet => {}
            Some(bar) => bar.suspend(|| say(sentence)),
            None => say(sentence),
        }
    }
}

/// Standard output, a line at a time. The first error is kept and said at the end; a reader that has gone away
/// (`| head`) is none.
#[derive(Default)]
pub struct Output {
    error: Option<io::Error>,
}

impl Output {
    /// One JSON object on a line.
    pub fn json(&mut self, object: &impl Serialize) {
        // Numbers and texts: this cannot fail.
        self.line(&serde_json::to_string(object).unwrap_or_default());
    }

    /// One line of text.
    pub fn line(&mut self, text: &str) {
        self.bytes(format!("{text}\n").as_bytes());
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            let mut stdout = io::stdout().lock();
            self.error = stdout.write_all(bytes).and_then(|()| stdout.flush()).err();
        }
    }

    /// Whether all of it arrived.
    ///
    /// # Errors
    /// Standard output could not be written, as on a full disk.
    pub fn finish(&mut self) -> Result<(), Failure> {
        match self.error.take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::failed(format_args!(
                "standard output could not be written ({error}); check where it goes"
            ))),
            _ => Ok(()),
        }
    }
}

/// One `iteration` line of `--json`.
#[derive(Serialize)]
struct IterationLine {
    event: &'static str,
    iteration: u64,
    evaluations: u64,
    loss: f64,
    content: f64,
    style: f64,
    seconds: f64,
    width: usize,
    height: usize,
}

/// The last line of `--json`.
#[derive(Serialize)]
pub struct DoneLine<'run> {
    /// `done`, `interrupted`, or `failed` where the engine could not go on; there is a picture in each case.
    pub event: &'static str,
    /// The picture's path as typed.
    pub output: &'run str,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Accepted evaluations, all sizes.
    pub iterations: u32,
    /// Evaluations of loss and gradient, all sizes, rejected ones included.
    pub evaluations: u32,
    /// The loss of the picture that was written; null where it was interrupted before the first evaluation.
    pub loss: Option<f64>,
    /// Seconds from the start until the picture was on disk.
    pub seconds: f64,
    /// Most memory that was held at once, in MiB; null where the system does not say.
    pub peak_mib: Option<f64>,
}

/// How a run is shown.
pub enum Show {
    /// JSON lines on standard output.
    Json(Output),
    /// Nothing.
    Quiet,
    /// A bar on a terminal, with a preview where asked for.
    Bar(Box<Bar>),
    /// A line now and then, for logs.
    Lines {
        /// What is to be done.
        plan: Plan,
        /// How fast it goes.
        speed: Speed,
        /// When the last line was written.
        last: Option<Instant>,
    },
}

/// A progress bar, and the preview above it.
pub struct Bar {
    bar: ProgressBar,
    plan: Plan,
    speed: Speed,
    preview: Option<(Preview, Option<Instant>)>,
}

impl Bar {
    /// A bar for this plan, which steps aside for the voice.
    pub fn new(plan: Plan, preview: Option<Preview>, voice: &Voice) -> Bar {
        let bar = ProgressBar::new(plan.evaluations());
        let bar = voice.bar.get_or_init(|| bar).clone();
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Bar { bar, plan, speed: Speed::default(), preview: preview.map(|preview| (preview, None)) }
    }
}

impl Show {
    /// Shows one evaluation. `picture` makes the picture so far, for the preview.
    pub fn progress(&mut self, progress: &Progress, picture: impl FnOnce() -> Picture) {
        match self {
            Show::Json(output) => output.json(&IterationLine {
                event: "iteration",
                iteration: progress.iteration,
                evaluations: progress.evaluations,
                loss: progress.loss,
                content: progress.content,
                style: progress.style,
                seconds: progress.seconds,
                width: progress.width,
                height: progress.height,
            }),
            Show::Quiet => {}
            Show::Bar(shown) => {
                let each = shown.speed.measure(progress);
                shown.bar.set_message(describe(progress, &shown.plan, each));
                shown.bar.set_position(progress.evaluations);
                let Some((preview, last)) = &mut shown.preview else { return };
                if last.is_some_and(|last| last.elapsed() < PREVIEW_EVERY) {
                    return;
                }
                *last = Some(Instant::now());
                shown.bar.suspend(|| preview.draw(&picture()));
            }
            Show::Lines { plan, speed, last } => {
                let each = speed.measure(progress);
                let is_last = progress.evaluations == plan.evaluations();
                if is_last || last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    *last = Some(Instant::now());
                    let (done, all) = (progress.evaluations, plan.evaluations());
                    let (width, height) = (progress.width, progress.height);
                    let rest = describe(progress, plan, each);
                    let _ = writeln!(io::stderr().lock(), "{done}/{all}  {width}x{height}  {rest}");
                }
            }
        }
    }

    /// Shows that the work at a size begins: until its first evaluation the paintings are looked at.
    pub fn prepare(&self, width: usize, height: usize) {
        if let Show::Bar(shown) = self {
            shown.bar.set_message(format!("looking at the paintings, {width}x{height}"));
            shown.bar.tick();
        }
    }

    /// Whether a person reads along, and not a script or no one.
    pub fn is_for_people(&self) -> bool {
        matches!(self, Show::Bar(_) | Show::Lines { .. })
    }

    /// Says something that a person should know, such as that an image had transparent pixels.
    pub fn note(&self, sentence: &str) {
        match self {
            Show::Quiet => {}
            Show::Bar(shown) => shown.bar.suspend(|| say(sentence)),
            Show::Json(_) | Show::Lines { .. } => say(sentence),
        }
    }

    /// Lines for a log.
    pub fn lines(plan: Plan) -> Show {
        Show::Lines { plan, speed: Speed::default(), last: None }
    }

    /// Whether pictures are shown.
    pub fn has_preview(&self) -> bool {
        matches!(self, Show::Bar(shown) if shown.preview.is_some())
    }

    /// Takes the bar away; what was printed stays.
    pub fn clear(&self) {
        if let Show::Bar(shown) = self {
            shown.bar.finish_and_clear();
        }
    }

    /// The last line.
    ///
    /// # Errors
    /// Standard output could not be written.
    pub fn finish(self, done: &DoneLine<'_>) -> Result<(), Failure> {
        match self {
            Show::Json(mut output) => {
                output.json(done);
                output.finish()
            }
            Show::Quiet => Ok(()),
            Show::Bar(_) | Show::Lines { .. } => {
                let _ = writeln!(io::stderr().lock(), "{}", summary(done));
                Ok(())
            }
        }
    }
}

/// What a person is told at the end.
fn summary(done: &DoneLine<'_>) -> String {
    let loss = done.loss.map_or(String::new(), |loss| format!(", loss {loss:.4e}"));
    let (width, height, evaluations) = (done.width, done.height, done.evaluations);
    format!("{}  {width}x{height}, {evaluations} evaluations in {}{loss}", done.output, duration(done.seconds))
}
