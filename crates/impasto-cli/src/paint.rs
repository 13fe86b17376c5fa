//! `impasto paint`: from the command line to a picture on disk.
//!
//! ```text
//!   options, --recipe  -->  recipe, paths        every error of a choice, the output's name and folder: said first
//!   files              -->  weights, pictures
//!   run                -->  events --> show      Ctrl-C stops it
//!   picture + recipe   -->  output               the old file or the new one, never half
//! ```

use std::path::Path;
use std::time::Instant;

use impasto::disk::{RealDisk, check_writable};
use impasto::read::{ReadLimits, read_picture};
use impasto::write::{OutputFormat, WriteError, WriteOptions, sidecar_path, write_picture};
use impasto::{Control, Event, Images, Outcome, PaintError, Picture, Rejection, Scale};
use impasto_vgg::Engine;

use crate::args::{FileArguments, PaintArguments};
use crate::engine::{load_weights, open_engine};
use crate::failure::{Failure, Status};
use crate::forecast::{self, Intended};
use crate::interrupt;
use crate::measure::peak_mib;
use crate::order::{Order, same_file};
use crate::preview::Preview;
use crate::show::{Bar, DoneLine, Output, Plan, Progress, Show, Stage};

/// The least width and height of an image that is painted, or painted from, in pixels.
const LEAST_SIDE_PX: usize = 2;

/// A loss that is so many times the last good one is said to have exploded.
const EXPLOSION: f64 = 10.0;

/// Paints.
///
/// # Errors
/// See [`Failure`]; being interrupted is one, after the picture so far was written.
pub fn paint(arguments: &PaintArguments, output: Output) -> Result<(), Failure> {
    let started = Instant::now();
    let mut order = Order::read(arguments)?;
    let writing = Writing::check(arguments, &order)?;
    let (weights, mut notes) = load_weights(&order.recipe.weights)?;
    let engine = open_engine(weights, arguments.running.threads)?;
    let description = engine.describe();
    order.recipe.engine = Some(format!("{} {}", description.name, description.isa));

    interrupt::catch()?;
    let limits = read_limits(&arguments.files);
    let mut read = |path: &Path| -> Result<Picture, Failure> {
        let read = read_picture(path, &limits).map_err(Failure::failed)?;
        notes.extend(read.notes);
        check_drawing(path, &read.picture)?;
        Ok(read.picture)
    };
    let content = read(&order.content)?;
    let styles = order.styles.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let start = order.start.as_deref().map(&mut read).transpose()?;

    let scales = impasto::scales(&order.recipe, content.width, content.height);
    check_scales(&scales, &writing)?;
    let full = scales[scales.len() - 1];
    order.recipe = order.recipe_at(full.width, full.height);
    let read = styles.iter().chain([&content]).chain(&start).collect();
    let intended = Intended { recipe: &order.recipe, engine: &engine, scales: &scales, images: read, styles: &styles };
    let memory_limit = intended.network_limit(arguments.running.memory_limit)?;
    intended.memory_bytes(memory_limit)?;
    let mut show = show(arguments, &scales, output);
    notes.iter().for_each(|note| show.note(note));
    if show.is_for_people() {
        show.note(&forecast::sentence(&intended.forecast(memory_limit)?));
    }

    let images = Images { content: &content, styles: &styles, start: start.as_ref() };
    let mut observer = Observer { show: &mut show, started, good_loss: f64::INFINITY, rejections: Vec::new() };
    let outcome = impasto::paint(&order.recipe, &engine, images, memory_limit, &mut |event| {
        observer.observe(event);
        if interrupt::requested() { Control::Stop } else { Control::Continue }
    });
    show.clear();
    let outcome = outcome.map_err(paint_failure)?;
    let recipe = order.recipe.to_json();
    write_picture(&RealDisk, writing.path, &outcome.picture, writing.options, Some(&recipe))
        .map_err(Failure::failed)?;
    finish(show, &outcome, writing.path, started)
}

/// Where and how the picture will be written.
struct Writing<'run> {
    path: &'run Path,
    format: OutputFormat,
    options: WriteOptions,
}

impl Writing<'_> {
    /// Everything about the output that can be said before any work.
    fn check<'run>(arguments: &'run PaintArguments, order: &Order) -> Result<Writing<'run>, Failure> {
        let path = arguments.output.as_path();
        let format = OutputFormat::from_path(path).map_err(Failure::usage)?;
        let files = &arguments.files;
        let options = WriteOptions { bits: if files.depth == "16" { 16 } else { 8 }, jpeg_quality: files.quality };
        format.check(1, 1, options).map_err(Failure::usage)?;
        for written in [path.to_owned(), sidecar_path(path)] {
            if let Some(input) = order.inputs().find(|input| same_file(input, &written)) {
                return Err(Failure::usage(format_args!(
                    "--output {} would overwrite the input {}; choose another name",
                    path.display(),
                    input.display()
                )));
            }
        }
        check_writable(path, 0).map_err(Failure::failed)?;
        Ok(Writing { path, format, options })
    }
}

/// What can be said of the picture's size before the run: the format, the disk.
fn check_scales(scales: &[Scale], writing: &Writing<'_>) -> Result<(), Failure> {
    let full = scales[scales.len() - 1];
    writing.format.check(full.width, full.height, writing.options).map_err(|error| match error {
        WriteError::Size { .. } => Failure::usage(error),
        error => Failure::failed(error),
    })?;
    // Uncompressed, and as much again for the headers.
    let bytes = 3 * full.width as u64 * full.height as u64 * u64::from(writing.options.bits) / 8 + (64 << 10);
    check_writable(writing.path, bytes).map_err(Failure::failed)
}

/// An image of one row or column has neither drawing nor texture: it was given by mistake.
pub fn check_drawing(path: &Path, picture: &Picture) -> Result<(), Failure> {
    if picture.width.min(picture.height) >= LEAST_SIDE_PX {
        return Ok(());
    }
    let size = format!("{} x {}", picture.width, picture.height);
    Err(Failure::file(path, format_args!("has {size} pixels, too few to see anything in; give a larger image")))
}

pub fn read_limits(files: &FileArguments) -> ReadLimits {
    ReadLimits { megapixels: files.max_megapixels, lenient: files.lenient, ..ReadLimits::default() }
}

fn paint_failure(error: PaintError) -> Failure {
    match error {
        PaintError::Recipe(error) => Failure::from(error),
        PaintError::Engine(error) => Failure::from(error),
        error => Failure::failed(error),
    }
}

/// How this run is shown, from the options and from where standard error goes.
fn show(arguments: &PaintArguments, scales: &[Scale], output: Output) -> Show {
    let stages = scales.iter().map(|scale| Stage {
        pixels: scale.width as u64 * scale.height as u64,
        evaluations: u64::from(scale.evaluations),
    });
    let plan = Plan(stages.collect());
    let running = &arguments.running;
    if running.json {
        return Show::Json(output);
    }
    if running.quiet {
        return Show::Quiet;
    }
    let preview = if running.preview { Preview::on_this_terminal() } else { None };
    let shown = match console::Term::stderr().is_term() {
        true => Show::Bar(Box::new(Bar::new(plan, preview))),
        false => Show::lines(plan),
    };
    if running.preview && !shown.has_preview() {
        shown.note(
            "--preview needs a terminal with 24-bit colour, kitty, Ghostty, iTerm2 or WezTerm; painting without it",
        );
    }
    shown
}

/// Turns the run's events into what is shown.
struct Observer<'run> {
    show: &'run mut Show,
    started: Instant,
    /// The loss of the last good picture; none yet is beyond every loss.
    good_loss: f64,
    /// Kinds of rejected steps that were said already.
    rejections: Vec<Rejection>,
}

impl Observer<'_> {
    fn observe(&mut self, event: Event<'_>) {
        let seconds = self.started.elapsed().as_secs_f64();
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
                    seconds,
                    width: iteration.width,
                    height: iteration.height,
                };
                self.good_loss = progress.loss;
                self.show.progress(&progress, || iteration.picture());
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
}

/// The last line, and the exit status.
fn finish(show: Show, outcome: &Outcome, output: &Path, started: Instant) -> Result<(), Failure> {
    let seconds = started.elapsed().as_secs_f64();
    let done = DoneLine {
        event: if outcome.interrupted { "interrupted" } else { "done" },
        output: &output.to_string_lossy(),
        width: outcome.picture.width,
        height: outcome.picture.height,
        iterations: outcome.iterations,
        evaluations: outcome.evaluations,
        loss: outcome.losses.as_ref().map(|losses| losses.total),
        seconds,
        peak_mib: peak_mib(),
    };
    show.finish(&done)?;
    if outcome.interrupted {
        let sentence = format!(
            "interrupted after {} evaluations; the picture so far is {}",
            outcome.evaluations,
            output.display()
        );
        return Err(Failure { status: Status::Interrupted, sentence });
    }
    Ok(())
}
