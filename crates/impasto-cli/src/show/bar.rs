//! A progress bar on a terminal, with the picture as it forms above it where that was asked for.

use std::time::{Duration, Instant};

use impasto::picture::Picture;
use impasto_job::pace::{Plan, Progress, Speed};
use indicatif::{ProgressBar, ProgressStyle};

use super::preview::Preview;
use super::say::{Voice, say};
use super::words::describe;

/// How often the preview is drawn.
const PREVIEW_EVERY: Duration = Duration::from_secs(2);

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
        voice.step_before(&bar);
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Bar { bar, plan, speed: Speed::default(), preview: preview.map(|preview| (preview, None)) }
    }

    /// Shows one evaluation. `picture` makes the picture so far, for the preview.
    pub fn progress(&mut self, progress: &Progress, picture: impl FnOnce() -> Picture) {
        let each = self.speed.measure(progress);
        self.bar.set_message(describe(progress, &self.plan, each));
        self.bar.set_position(progress.evaluations);
        let Some((preview, last)) = &mut self.preview else { return };
        if last.is_some_and(|last| last.elapsed() < PREVIEW_EVERY) {
            return;
        }
        *last = Some(Instant::now());
        self.bar.suspend(|| preview.draw(&picture()));
    }

    /// Shows that the work at a size begins: until its first evaluation the paintings are looked at.
    pub fn prepare(&self, width: usize, height: usize) {
        self.bar.set_message(format!("looking at the paintings, {width}x{height}"));
        self.bar.tick();
    }

    /// Says one sentence above the bar.
    pub fn note(&self, sentence: &str) {
        self.bar.suspend(|| say(sentence));
    }

    /// Whether pictures are shown.
    pub fn has_preview(&self) -> bool {
        self.preview.is_some()
    }

    /// Takes the bar away; what was printed stays.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
