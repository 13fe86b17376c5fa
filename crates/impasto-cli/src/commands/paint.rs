//! `impasto paint` and `impasto resume`: from the command line to a picture on disk.
//!
//! ```text
//!   options, --recipe  -->  Job        every error of a choice, the output's name and folder: said first
//!   a run's folder     -->  Job
//!   Job, engines       -->  Prepared   notes and a forecast are shown
//!   Prepared           -->  events     shown; a signal stops it     -->  the last line, the exit status
//! ```

use std::time::Instant;

use impasto::{Control, Scale};
use impasto_job::job::FinishedRun;
use impasto_job::machine::peak_mib;
use impasto_job::pace::Plan;
use impasto_job::{Ending, Engines, Failure, Finished, Job, JobEvent, Prepared, Resumed};

use crate::args::{PaintArguments, ResumeArguments, RunningArguments};
use crate::commands::destination::destination;
use crate::commands::engines;
use crate::commands::piped::read_piped;
use crate::interrupt;
use crate::show::{Bar, DoneLine, Output, Preview, Show, Voice, forecast_sentence, say};

/// Paints.
///
/// # Errors
/// See [`Failure`]; being interrupted is one, after the picture so far was written.
pub fn paint(arguments: &PaintArguments, output: Output) -> Result<(), Failure> {
    let voice = Voice::new(arguments.running.quiet);
    let held = read_piped(arguments.inputs())?;
    let mut engines = engines::for_one(arguments.running.device, &voice);
    paint_on(&mut engines, &voice, &PaintArguments { held, ..arguments.clone() }, output)
}

/// As [`paint`], on engines that may be open already.
///
/// # Errors
/// As [`paint`].
pub fn paint_on(
    engines: &mut Engines,
    voice: &Voice,
    arguments: &PaintArguments,
    output: Output,
) -> Result<(), Failure> {
    let keep = arguments.keeping.keep_in()?;
    let order = arguments.order()?;
    let destination = |output| destination(output, arguments.files.format, arguments.running.json);
    let mut files = arguments.files.plain(arguments.output.as_deref().map(destination).transpose()?);
    if files.output.is_none() && keep.is_none() {
        let name = order.resolve()?.picture_name().ok_or_else(|| {
            Failure::usage("the current folder has a thousand pictures of these images; give a name with --output")
        })?;
        (files.output, files.has_made_name) = (Some(name.into()), true);
    }
    let job = Job::new(&order, &files, keep.as_ref())?;
    carry_out(job, engines, voice, &arguments.running, output)
}

/// Goes on with a run.
///
/// # Errors
/// See [`Failure`].
pub fn resume(arguments: &ResumeArguments, output: Output) -> Result<(), Failure> {
    let running = &arguments.running;
    let destination = |output| destination(output, arguments.format, running.json);
    let output_place = arguments.output.as_deref().map(destination).transpose()?;
    match Job::resume(&arguments.run, output_place)? {
        Resumed::Finished(run) => hand_over(*run, arguments, output),
        Resumed::Job(job) => {
            let voice = Voice::new(running.quiet);
            carry_out(*job, &mut engines::for_one(running.device, &voice), &voice, running, output)
        }
    }
}

/// A finished run has nothing to do; its picture goes where it was asked for.
fn hand_over(run: FinishedRun, arguments: &ResumeArguments, output: Output) -> Result<(), Failure> {
    let started = Instant::now();
    let ((width, height), outcome) = (run.size_px(), run.outcome.clone());
    let is_quiet = arguments.running.quiet;
    let place = run.hand_over(&mut |note| {
        if !is_quiet {
            say(note)
        }
    })?;
    if arguments.running.json {
        let done = DoneLine {
            event: "done",
            output: &place.to_string_lossy(),
            width,
            height,
            iterations: outcome.iterations,
            evaluations: outcome.evaluations,
            loss: outcome.loss,
            seconds: started.elapsed().as_secs_f64(),
            peak_mib: peak_mib(),
        };
        return Show::Json(output).finish(&done);
    }
    if !is_quiet {
        say(&format!("{} is finished; its picture is {}", arguments.run.display(), place.display()));
    }
    Ok(())
}

/// From a job to its last line.
fn carry_out(
    mut job: Job,
    engines: &mut Engines,
    voice: &Voice,
    running: &RunningArguments,
    output: Output,
) -> Result<(), Failure> {
    interrupt::catch()?;
    (job.memory_limit_bytes, job.log_dir) = (running.memory_limit, running.log_dir.clone());
    let prepared = job.prepare(engines)?;
    let mut show = show(running, prepared.scales(), output, voice);
    prepared.notes().iter().for_each(|note| show.note(note));
    let forecast = match show.is_for_people() {
        true => Some(forecast_sentence(&prepared.forecast()?)),
        false => None,
    };
    let finished = perform(prepared, &mut show, forecast)?;
    finish(show, &finished)
}

/// Does the job, and shows what happens.
fn perform(prepared: Prepared, show: &mut Show, forecast: Option<String>) -> Result<Finished, Failure> {
    prepared.perform(&mut |event| {
        match event {
            JobEvent::Note(sentence) => show.note(sentence),
            JobEvent::Started { goes_on: false } => forecast.iter().for_each(|forecast| show.note(forecast)),
            JobEvent::ScaleStarted { scale, .. } => show.prepare(scale.width, scale.height),
            JobEvent::Iteration { progress, iteration } => show.progress(&progress, || iteration.picture()),
            JobEvent::Painted => show.clear(),
            JobEvent::Applied { before_evaluation, set } => show.change(before_evaluation, set),
            JobEvent::Started { goes_on: true } | JobEvent::Rejected { .. } => {}
            // Nobody has a handle of this job.
            JobEvent::Refused { .. } | JobEvent::Paused { .. } | JobEvent::WentOn | JobEvent::Kept { .. } => {}
        }
        if interrupt::requested() { Control::Stop } else { Control::Continue }
    })
}

/// How this run is shown, from the options and from where standard error goes.
fn show(running: &RunningArguments, scales: &[Scale], output: Output, voice: &Voice) -> Show {
    let plan = Plan::of(scales);
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

/// The last line, and how the command ends.
fn finish(show: Show, finished: &Finished) -> Result<(), Failure> {
    let outcome = &finished.outcome;
    let done = DoneLine {
        event: match finished.ending() {
            Ending::Failed => "failed",
            Ending::Interrupted => "interrupted",
            Ending::Done => "done",
        },
        output: &finished.output.to_string_lossy(),
        width: outcome.picture.width,
        height: outcome.picture.height,
        iterations: outcome.iterations,
        evaluations: outcome.evaluations,
        loss: outcome.losses.as_ref().map(|losses| losses.total),
        seconds: finished.seconds,
        peak_mib: peak_mib(),
    };
    // That a run was stopped is said rather than that the terminal, by which it was, takes no last line.
    let shown = show.finish(&done);
    finished.failure().map_or(shown, Err)
}
