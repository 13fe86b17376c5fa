//! What a person or a script sees of a run: a progress bar, a line now and then, JSON lines, or nothing.
//!
//! Standard output is for what was asked for (a recipe, JSON lines, a report); standard error is for people.

mod bar;
mod batch;
mod film;
mod json;
mod output;
mod preview;
mod say;
mod words;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use impasto::picture::Picture;
use impasto::recipe::ChangedFields;
use impasto_job::Failure;
use impasto_job::pace::{Plan, Progress, Speed, duration};

use json::{AppliedLine, IterationLine};
use words::describe;

pub use bar::Bar;
pub use batch::BatchShow;
pub use film::{FilmDone, FilmShow};
pub use json::DoneLine;
pub use output::Output;
pub use preview::Preview;
pub use say::{Voice, say};
pub use words::{batch_forecast, forecast_sentence, mib, tasks};

/// How often a log that is no terminal gets a line.
const LINE_EVERY: Duration = Duration::from_secs(10);

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

impl Show {
    /// Shows one evaluation. `picture` makes the picture so far, for the preview.
    pub fn progress(&mut self, progress: &Progress, picture: impl FnOnce() -> Picture) {
        match self {
            Show::Json(output) => output.json(&IterationLine::from(progress)),
            Show::Quiet => {}
            Show::Bar(bar) => bar.progress(progress, picture),
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
        if let Show::Bar(bar) = self {
            bar.prepare(width, height);
        }
    }

    /// Shows that the recipe changes, by its timeline.
    pub fn change(&mut self, before_evaluation: u32, set: &ChangedFields) {
        match self {
            Show::Json(output) => output.json(&AppliedLine { event: "applied", before_evaluation, set }),
            Show::Quiet => {}
            Show::Bar(_) | Show::Lines { .. } => {
                let set = serde_json::to_string(set).unwrap_or_default();
                self.note(&format!("from evaluation {before_evaluation} on: {set}"));
            }
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
            Show::Bar(bar) => bar.note(sentence),
            Show::Json(_) | Show::Lines { .. } => say(sentence),
        }
    }

    /// Lines for a log.
    pub fn lines(plan: Plan) -> Show {
        Show::Lines { plan, speed: Speed::default(), last: None }
    }

    /// Whether pictures are shown.
    pub fn has_preview(&self) -> bool {
        matches!(self, Show::Bar(bar) if bar.has_preview())
    }

    /// Takes the bar away; what was printed stays.
    pub fn clear(&self) {
        if let Show::Bar(bar) = self {
            bar.clear();
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
