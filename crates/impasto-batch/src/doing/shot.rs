//! A shot of a film is painted, frame by frame. Its film's folder lies where a picture's run would, so that a shot that was stopped or
//! killed goes on at its frame.
//!
//! ```text
//!   RUN/pass-1/000001.png ...  ->  films/NAME/shot-000001/000001.png ...  ->  done/N.json  ->  RUN and the claim go
//! ```

use std::path::Path;
use std::time::Instant;

use impasto::Control;
use impasto::disk::{Lock, RealDisk, check_writable, create_folder, remove_abandoned, remove_file_if_present};
use impasto::read::{ReadLimits, read_recipe};
use impasto::recipe::Recipe;
use impasto_film::record::{NAME as FILM_RECORD, pass_folder};
use impasto_film::{Choices, Film, FilmEvent, FilmOrder, frames_in};
use impasto_job::machine::now;
use impasto_job::{Failure, Files, JobEvent};
use serde::{Deserialize, Serialize};

use super::Doing;
use super::event::BatchEvent;
use super::finishing::{End, failed, remove_run, settle};
use crate::digests::Digests;
use crate::receipt::{self, Receipt};
use crate::shot::{PaintedFrames, TaskShot};
use crate::standing;
use crate::task::{Task, output_path};

/// What has been done of a shot, in its run's folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Work {
    /// Seconds of work.
    seconds: f64,
    /// Evaluations that were made.
    evaluations: u32,
}

/// The name of [`Work`] in the run's folder.
const WORK: &str = "work.json";

impl Doing<'_, '_, '_, '_> {
    /// Paints a shot whose claim is held, to its end.
    pub(super) fn begin_shot(
        &mut self,
        place: usize,
        (task, shot, digest): (&Task, &TaskShot, &str),
        claim: Option<Lock>,
    ) -> Result<(), Failure> {
        let end = match self.painted_shot(task, shot, digest) {
            Ok(receipt) => {
                settle(self.folder, task, claim.is_some())?;
                End::Painted(Box::new(receipt))
            }
            Err(failure) => failed(self.folder, task, digest, claim.is_some(), failure)?,
        };
        drop(claim);
        let is_painted = matches!(end, End::Painted(_));
        self.settled((self.positions[place], Ok(end)))?;
        match crate::shot::stem_of(&task.output) {
            Some(stem) if is_painted => self.put_together(stem, false),
            _ => Ok(()),
        }
    }

    /// The receipt of a shot that is now painted.
    fn painted_shot(&mut self, task: &Task, shot: &TaskShot, digest: &str) -> Result<Receipt, Failure> {
        let (root, run) = (self.folder.root(), self.folder.run(task.number, digest));
        for other in self.folder.runs(task.number) {
            if other != run {
                remove_run(&other)?;
            }
        }
        self.note_changes(task);
        // Not remembered from earlier: what is painted is what is compared at the end.
        let before = standing::inputs(self.folder, task, &mut Digests::default());
        let film = self.film(task, shot, &run)?;
        if let Some(why) = film.difference()? {
            let sentence = format!("{}: {why}; it is begun anew", task.output);
            self.told(BatchEvent::Note { number: Some(task.number), sentence: &sentence });
            remove_run(&run)?;
        }
        let output = output_path(root, task);
        create_folder(&RealDisk, &output).map_err(Failure::failed)?;
        remove_abandoned(&output);
        for frame in film.delivered().iter().take(1) {
            check_writable(frame, 0).map_err(Failure::failed)?;
        }
        let goes_on = run.join(FILM_RECORD).exists();
        let work = self.perform(&film, task, &run, goes_on)?;
        let delivered = film.delivered();
        for left in frames_in(&output)?.iter().filter(|frame| !delivered.contains(frame)) {
            remove_file_if_present(&RealDisk, left).map_err(Failure::failed)?;
        }
        let inputs: Option<Vec<String>> = before.iter().cloned().collect();
        let inputs = inputs.filter(|_| before == standing::inputs(self.folder, task, &mut Digests::default()));
        let changed = || Failure::failed("files have changed while it was painted; run the batch again");
        self.receipt((task, digest), &run, (inputs.ok_or_else(changed)?, &film, &work))
    }

    /// The film that is this shot.
    fn film(&mut self, task: &Task, shot: &TaskShot, run: &Path) -> Result<Film, Failure> {
        let root = self.folder.root();
        let read = ReadLimits { megapixels: task.megapixels, lenient: task.lenient, ..ReadLimits::default() };
        Film::new(FilmOrder {
            frames: shot.source(root, &task.content.file, &mut self.digests)?,
            order: task.files(root).order(&task.recipe)?,
            files: Files { read, ..Files::default() },
            choices: Choices { cuts: false, ..shot.choices.clone() },
            folder: run.to_owned(),
            output: output_path(root, task),
            memory_limit_bytes: self.how.memory_limit_bytes,
        })
    }

    /// Paints what is left; gives what was done over all the times.
    fn perform(&mut self, film: &Film, task: &Task, run: &Path, goes_on: bool) -> Result<Work, Failure> {
        let number = task.number;
        self.told(BatchEvent::Begun { task, goes_on });
        let mut work = receipt::read::<Work>(&run.join(WORK)).unwrap_or_default();
        let (mut since, mut evaluations) = (Instant::now(), 0);
        let observer = &mut *self.observer;
        let mut unwritten = None;
        let shots =
            |frames: usize| frames.saturating_mul(task.shot.as_ref().map_or(1, |it| it.choices.passes) as usize);
        let mut painted = 0;
        let performed = film.perform(self.engines, &mut |event| match event {
            FilmEvent::Note(sentence) => observer(BatchEvent::Note { number: Some(number), sentence }),
            FilmEvent::Job(JobEvent::Iteration { progress, .. }) => {
                evaluations = progress.evaluations as u32;
                observer(BatchEvent::Evaluated { number })
            }
            FilmEvent::Painted { frames, was_there, .. } => {
                painted += 1;
                if !was_there {
                    work.evaluations += std::mem::take(&mut evaluations);
                    work.seconds += since.elapsed().as_secs_f64();
                    since = Instant::now();
                    unwritten = receipt::write(&run.join(WORK), &work).err();
                }
                let stops = unwritten.is_some();
                match observer(BatchEvent::Frame { number, painted, of: shots(frames) }) {
                    Control::Continue if !stops => Control::Continue,
                    _ => Control::Stop,
                }
            }
            FilmEvent::Looked { .. } | FilmEvent::Shots(_) | FilmEvent::Frame { .. } | FilmEvent::Job(_) => {
                Control::Continue
            }
        });
        match unwritten {
            Some(failure) => Err(failure),
            None => performed.map(|()| work),
        }
    }

    fn receipt(
        &self,
        (task, digest): (&Task, &str),
        run: &Path,
        (inputs, film, work): (Vec<String>, &Film, &Work),
    ) -> Result<Receipt, Failure> {
        let output = output_path(self.folder.root(), task);
        let unread = || Failure::file(&output, "cannot be read again; check the disk");
        let painted = PaintedFrames::of(&output).ok_or_else(unread)?;
        let (width, height) = film.size_px()?;
        let [begun_on, engine] = engines(task, run, &painted);
        let receipt = Receipt {
            format: receipt::FORMAT,
            number: task.number,
            task: digest.to_owned(),
            inputs,
            output: task.output.clone(),
            output_sha256: painted.digest().ok_or_else(unread)?,
            output_bytes: painted.bytes,
            width,
            height,
            frames: Some(painted.files.len()),
            evaluations: work.evaluations,
            loss: None,
            // What stands behind the engine's name differs with a frame's sizes.
            begun_on: (begun_on.split(',').next() != engine.split(',').next()).then_some(begun_on),
            engine,
            seconds: work.seconds,
            finished: now(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
        };
        receipt::write(&self.folder.receipt(task.number), &receipt)?;
        Ok(receipt)
    }
}

/// The engines that painted the first frame, and what was painted last.
fn engines(task: &Task, run: &Path, painted: &PaintedFrames) -> [String; 2] {
    let passes = task.shot.as_ref().map_or(1, |shot| shot.choices.passes);
    let first = painted.files.first().and_then(|path| path.file_name()).unwrap_or_default();
    let last = painted.files.last().and_then(|path| path.file_name()).unwrap_or_default();
    // Every second pass goes from the end to the beginning.
    let ends = if passes % 2 == 1 { last } else { first };
    [pass_folder(run, 1).join(first), pass_folder(run, passes).join(ends)].map(|frame| {
        let recipe = read_recipe(&frame).ok().and_then(|text| Recipe::from_json(&text).ok());
        recipe.and_then(|recipe| recipe.engine).unwrap_or_default()
    })
}
