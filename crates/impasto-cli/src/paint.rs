//! `impasto paint` and `impasto resume`: from the command line to a picture on disk.
//!
//! ```text
//!   options, --recipe  -->  job: recipe, paths   every error of a choice, the output's name and folder: said first
//!   a run's folder     -->  job
//!   files              -->  weights, pictures
//!   run                -->  events --> observer: shown, and written into the run's folder        Ctrl-C stops it
//!   picture + recipe   -->  output               the old file or the new one, never half
//! ```

use std::cell::RefCell;
use std::path::Path;
use std::time::Instant;

use impasto::disk::RealDisk;
use impasto::read::{ReadLimits, read_picture, read_recipe};
use impasto::recorder::remove_checkpoints;
use impasto::run::{content_at, style_at};
use impasto::run_folder::{INPUTS, Inputs, LAYOUT, RESULT, Reading, RunOutcome, RunRecord, Saving, read_record};
use impasto::write::{OutputFormat, WriteOptions, encode_picture, write_picture};
use impasto::{Control, Images, Keeping, Outcome, PaintError, ResolvedRecipe, Scale, paint_kept};

use crate::args::{PaintArguments, ResumeArguments, RunningArguments};
use crate::board::Board;
use crate::engine::{engine_note, precision_note};
use crate::failure::{Failure, Status};
use crate::forecast;
use crate::interrupt;
use crate::job::{Job, ReadImages};
use crate::keeping::{Kept, folder_failure};
use crate::machine::{machine, now};
use crate::measure::peak_mib;
use crate::observer::Observer;
use crate::pace::{Plan, Stage};
use crate::prepared::Prepared;
use crate::preview::Preview;
use crate::show::{Bar, DoneLine, Output, Show, Voice, say};

/// Paints.
///
/// # Errors
/// See [`Failure`]; being interrupted is one, after the picture so far was written.
pub fn paint(arguments: &PaintArguments, output: Output) -> Result<(), Failure> {
    carry_out(Job::of_options(arguments)?, output)
}

/// Goes on with a run.
///
/// # Errors
/// See [`Failure`].
pub fn resume(arguments: &ResumeArguments, output: Output) -> Result<(), Failure> {
    let record = read_record(&arguments.run).map_err(folder_failure)?;
    match record.outcome.clone() {
        Some(outcome) => hand_over(record, &outcome, arguments, output),
        None => carry_out(Job::of_run(record, arguments)?, output),
    }
}

/// A finished run has nothing to do; its picture goes where it was asked for.
fn hand_over(
    record: RunRecord,
    outcome: &RunOutcome,
    arguments: &ResumeArguments,
    output: Output,
) -> Result<(), Failure> {
    let started = Instant::now();
    let ResumeArguments { run, output: given, running } = arguments;
    let result = run.join(RESULT);
    let full = record.scales.last().copied();
    if let Some(given) = given {
        let job = Job::of_run(record, arguments)?;
        // What this program has written itself may be as large as it likes.
        let limits = ReadLimits { megapixels: u64::MAX, ..ReadLimits::default() };
        let picture = read_picture(&result, &limits).map_err(Failure::failed)?.picture;
        let recipe = read_recipe(&result).map_err(Failure::failed)?;
        write_picture(&RealDisk, given, &picture, job.writing.options, Some(&recipe)).map_err(Failure::failed)?;
    }
    // Killed at its very end, a run keeps what it needs no more.
    remove_checkpoints(&RealDisk, run).map_err(Failure::failed)?;
    let place = given.as_ref().unwrap_or(&result);
    if running.json {
        let done = DoneLine {
            event: "done",
            output: &place.to_string_lossy(),
            width: full.map_or(0, |full| full.width),
            height: full.map_or(0, |full| full.height),
            iterations: outcome.iterations,
            evaluations: outcome.evaluations,
            loss: outcome.loss,
            seconds: started.elapsed().as_secs_f64(),
            peak_mib: peak_mib(),
        };
        return Show::Json(output).finish(&done);
    }
    if !running.quiet {
        say(&format!("{} is finished; its picture is {}", run.display(), place.display()));
    }
    Ok(())
}

fn carry_out(job: Job, output: Output) -> Result<(), Failure> {
    let started = Instant::now();
    let voice = Voice::new(job.running.quiet);
    interrupt::catch()?;
    let mut prepared = Prepared::new(job, &voice)?;
    prepared.recipe.engine = Some(engine_note(&*prepared.engine, &prepared.recipe, &prepared.scales));
    Board::prepare(prepared.job.running.log_dir.as_deref())?;
    let show = show(&prepared.job.running, &prepared.scales, output, &voice);
    prepared.notes.extend(precision_note(&*prepared.engine, &prepared.recipe));
    prepared.notes.iter().for_each(|note| show.note(note));
    let forecast = match show.is_for_people() {
        true => Some(forecast::sentence(&prepared.forecast()?)),
        false => None,
    };
    let kept = take_folder(&mut prepared)?;
    match &kept {
        Some(kept) if kept.goes_on() => prepared.recipe = kept.recipe(&prepared.recipe, &show),
        _ => forecast.iter().for_each(|forecast| show.note(forecast)),
    }
    perform(prepared, kept, started, show)
}

/// Takes the folder that the run is kept in, if it is.
fn take_folder(prepared: &mut Prepared) -> Result<Option<Kept>, Failure> {
    let Prepared { job, read, scales, recipe, .. } = prepared;
    let (Some(keeping), Some(inputs)) = (job.keeping.take(), read.inputs.take()) else { return Ok(None) };
    let full = scales[scales.len() - 1];
    if recipe.preset == "tutorial" && keeping.begun.is_none() {
        keep_resized(read, &inputs, recipe, full)?;
    }
    let wanted = record(job, inputs, keeping.saving, recipe, scales);
    let copies = std::mem::take(&mut read.copies);
    Kept::open(keeping, wanted, &copies, job.writing.bytes(full)).map(Some)
}

/// What `run.json` says of a job.
fn record(job: &Job, inputs: Inputs, saving: Saving, recipe: &ResolvedRecipe, scales: &[Scale]) -> RunRecord {
    RunRecord {
        layout: LAYOUT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        started: now(),
        machine: machine(recipe.engine.as_deref().unwrap_or_default()),
        recipe: recipe.clone(),
        scales: scales.to_vec(),
        inputs,
        reading: Reading { megapixels: job.limits.megapixels, lenient: job.limits.lenient },
        output: job.writing.given.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        depth: job.writing.options.bits,
        quality: job.writing.options.jpeg_quality,
        saving,
        outcome: None,
    }
}

/// As the port that the preset `tutorial` follows does: the images as the run sees them lie beside their copies.
fn keep_resized(read: &mut ReadImages, inputs: &Inputs, recipe: &ResolvedRecipe, full: Scale) -> Result<(), Failure> {
    let mut resized = vec![(&inputs.content.name, content_at(recipe, &read.content, full))];
    let styles = inputs.styles.iter().zip(&read.styles);
    resized.extend(styles.map(|(input, style)| (&input.name, style_at(recipe, style, full))));
    for (place, (name, picture)) in resized.into_iter().enumerate() {
        let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
        let named = |name: String| Path::new(INPUTS).join(name);
        let path = named(format!("resized_{stem}.png"));
        let is_taken = read.copies.iter().any(|(taken, _)| *taken == path);
        let path = if is_taken { named(format!("resized_{stem}-{place}.png")) } else { path };
        let picture = picture.map_err(Failure::failed)?;
        let bytes = encode_picture(&picture, OutputFormat::Png, WriteOptions::default(), None);
        read.copies.push((path, bytes.map_err(Failure::failed)?));
    }
    Ok(())
}

/// Paints, writes the picture, says how it went.
fn perform(prepared: Prepared, mut kept: Option<Kept>, started: Instant, mut show: Show) -> Result<(), Failure> {
    let Prepared { job, engine, read, scales, mut recipe, memory_limit, .. } = prepared;
    let clock = || started.elapsed().as_secs_f64();
    let recorder = kept.as_ref().map(|kept| kept.recorder(&clock)).transpose()?;
    let from = kept.as_mut().and_then(Kept::take_checkpoint);
    let iterations = from.as_ref().map_or(0, |from| from.place.iterations);
    let mut board = Board::open(job.running.log_dir.as_deref(), &recipe, iterations)?;
    let observer = RefCell::new(Observer::new(&mut show, &mut board, started, recorder));
    let images = Images { content: &read.content, styles: &read.styles, start: read.start.as_ref() };
    let keeping = Keeping { from, keep: &mut |snapshot| observer.borrow_mut().keep(snapshot) };
    let painted = paint_kept(&recipe, &*engine, images, memory_limit, keeping, &mut |event| {
        observer.borrow_mut().observe(event);
        if interrupt::requested() { Control::Stop } else { Control::Continue }
    });
    let (seconds, is_kept) = observer.into_inner().settle();
    show.clear();
    let outcome = painted.map_err(paint_failure)?;
    // A device that failed may have handed the run to the processor.
    recipe.engine = Some(engine_note(&*engine, &recipe, &scales));
    board.end(&outcome).iter().for_each(|sentence| show.note(sentence));
    job.writing.write(&outcome.picture, &recipe.to_json()).map_err(|error| match &kept {
        Some(kept) => Failure::failed(format_args!(
            "{error}; then `impasto resume {}` goes on from the last checkpoint",
            kept.folder().display()
        )),
        None => Failure::failed(error),
    })?;
    let way_on = kept.as_ref().map(|kept| way_on(kept.folder(), is_kept, &outcome));
    if let Some(kept) = kept.filter(|_| !outcome.interrupted && outcome.failure.is_none()) {
        kept.finish(&outcome, seconds)?;
    }
    finish(show, &outcome, &job.writing.path(), started, way_on)
}

/// How a run that has stopped is gone on with.
fn way_on(folder: &Path, is_kept: bool, outcome: &Outcome) -> String {
    let resume = format!("`impasto resume {}`", folder.display());
    if is_kept {
        return format!("{resume} goes on");
    }
    match outcome.failure {
        // Only who stops it asks for a checkpoint there and then.
        Some(_) => format!("{resume} goes on from the last checkpoint"),
        None => {
            format!("its checkpoint could not be written, so {resume} goes on from an earlier one, if there is one")
        }
    }
}

fn paint_failure(error: PaintError) -> Failure {
    match error {
        PaintError::Recipe(error) => Failure::from(error),
        PaintError::Engine(error) => Failure::from(error),
        error => Failure::failed(error),
    }
}

/// How this run is shown, from the options and from where standard error goes.
fn show(running: &RunningArguments, scales: &[Scale], output: Output, voice: &Voice) -> Show {
    let stages = scales.iter().map(|scale| Stage {
        pixels: scale.width as u64 * scale.height as u64,
        evaluations: u64::from(scale.evaluations),
    });
    let plan = Plan(stages.collect());
    if running.json {
        return Show::Json(output);
    }
    if running.quiet {
        return Show::Quiet;
    }
    let preview = if running.preview { Preview::on_this_terminal() } else { None };
    let shown = match console::Term::stderr().is_term() {
        true => Show::Bar(Box::new(Bar::new(plan, preview, voice))),
        false => Show::lines(plan),
    };
    if running.preview && !shown.has_preview() {
        shown.note(
            "--preview needs a terminal with 24-bit colour, kitty, Ghostty, iTerm2 or WezTerm; painting without it",
        );
    }
    shown
}

/// The last line, and the exit status.
fn finish(
    show: Show,
    outcome: &Outcome,
    output: &Path,
    started: Instant,
    way_on: Option<String>,
) -> Result<(), Failure> {
    let done = DoneLine {
        event: match &outcome.failure {
            Some(_) => "failed",
            None if outcome.interrupted => "interrupted",
            None => "done",
        },
        output: &output.to_string_lossy(),
        width: outcome.picture.width,
        height: outcome.picture.height,
        iterations: outcome.iterations,
        evaluations: outcome.evaluations,
        loss: outcome.losses.as_ref().map(|losses| losses.total),
        seconds: started.elapsed().as_secs_f64(),
        peak_mib: peak_mib(),
    };
    show.finish(&done)?;
    let way_on = way_on.map_or(String::new(), |way_on| format!("; {way_on}"));
    let (evaluations, output) = (outcome.evaluations, output.display());
    if let Some(failure) = &outcome.failure {
        return Err(Failure::failed(format_args!(
            "{failure}; the picture so far, of {evaluations} evaluations, is {output}{way_on}"
        )));
    }
    if outcome.interrupted {
        let sentence = format!("interrupted after {evaluations} evaluations; the picture so far is {output}{way_on}");
        return Err(Failure { status: Status::Interrupted, sentence });
    }
    Ok(())
}
