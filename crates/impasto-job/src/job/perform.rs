//! The job is done: the run's folder is taken and the picture painted, recorded on the way; `painted.rs` writes it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use impasto::recipe::Balance;
use impasto::run::paintings::Paintings;
use impasto::run::{alpha_at, content_at};
use impasto::run_folder::{FORMAT, INPUTS, Inputs, LAYOUT, Reading, RunRecord, Saving};
use impasto::write::{OutputFormat, WriteOptions, encode_picture};
use impasto::{Keeping, ResolvedRecipe, Scale, paint_steered};
use impasto_vgg::Layer;

use super::Job;
use super::board::Board;
use super::event::{JobEvent, Observer};
use super::finished::Finished;
use super::handle::Handle;
use super::images::ReadImages;
use super::keeping::Kept;
use super::painted::Painted;
use super::prepared::Prepared;
use super::proportion::Proportion;
use super::recording::Recording;
use super::steering::Steering;
use crate::engine::engine_note;
use crate::failure::Failure;
use crate::machine::{machine, now};

/// Tells the handle of the job's end, however it ends.
struct EndOf(Handle);

impl Drop for EndOf {
    fn drop(&mut self) {
        self.0.end(None);
    }
}

impl Prepared {
    /// Does the job: paints, keeps the run, writes the picture.
    ///
    /// Being stopped is no error, nor is an engine that fails in the middle: [`Finished::failure`] has the sentence, and
    /// there is a picture.
    ///
    /// # Errors
    /// What keeps it from having a picture, or from writing it.
    pub fn perform(self, observer: &mut Observer<'_>) -> Result<Finished, Failure> {
        self.paint(observer)?.write()
    }

    /// The first half of [`Prepared::perform`]: paints and keeps the run. The picture is still to be written, which another thread may
    /// do while the next job is painted.
    ///
    /// # Errors
    /// What keeps it from having a picture.
    pub fn paint(mut self, observer: &mut Observer<'_>) -> Result<Painted, Failure> {
        let end = EndOf(self.handle.clone());
        let mut kept = self.take_folder()?;
        let goes_on = kept.as_ref().is_some_and(Kept::goes_on);
        if let Some(kept) = kept.as_mut().filter(|kept| kept.goes_on()) {
            let notes = kept.take_notes().into_iter().chain(kept.engine_note(&self.recipe));
            for note in notes {
                observer(JobEvent::Note(&note));
            }
            self.recipe = kept.recipe().clone();
        }
        observer(JobEvent::Started { goes_on });
        let Prepared { job, engine, images, scales, mut recipe, memory_limit, started, handle, .. } = self;
        let full = scales[scales.len() - 1];
        let clock = || started.elapsed().as_secs_f64();
        let recorder = kept.as_ref().map(|kept| kept.recorder(&clock)).transpose()?;
        let from = kept.as_mut().and_then(Kept::take_checkpoint);
        let iterations = from.as_ref().map_or(0, |from| from.place.iterations);
        let mut board = Board::open(job.log_dir.as_deref(), &recipe, iterations)?;
        let mut tell = |event: JobEvent<'_>| observer(event);
        let all = scales.iter().fold(0_u32, |sum, scale| sum.saturating_add(scale.evaluations));
        let recording = RefCell::new(Recording::new(&mut tell, &handle, &mut board, started, recorder, all));
        let (shown, begun) = (images.shown(), recipe.clone());
        let evaluations = from.as_ref().map_or(0, |from| from.place.evaluations);
        let ordered = kept.as_ref().map_or_else(|| in_proportion(&job), |kept| kept.in_proportion().cloned());
        let proportion = Proportion { ordered, engine: &*engine, images: shown, memory_limit };
        let mut steering = Steering::new(&handle, kept.as_mut(), proportion, &mut recipe, evaluations);
        let mut steer = |evaluation| steering.before(evaluation, &mut recording.borrow_mut());
        let keeping = Keeping { from, keep: &mut |snapshot| recording.borrow_mut().keep(snapshot) };
        let painted = paint_steered(&begun, &*engine, shown, memory_limit, keeping, &mut steer, &mut |event| {
            recording.borrow_mut().observe(event)
        });
        if let Ok(outcome) = &painted
            && outcome.evaluations < all
        {
            steering.stop(outcome.evaluations, &mut recording.borrow_mut());
        }
        let (seconds, is_kept) = recording.into_inner().settle();
        observer(JobEvent::Painted);
        let outcome = painted?;
        end.0.end(Some(&outcome));
        // A device that failed may have handed the run to the processor.
        recipe.engine = Some(engine_note(&*engine, &recipe, &scales));
        if let Some(sentence) = board.end(&outcome) {
            observer(JobEvent::Note(&sentence));
        }
        let alpha = images.alpha.as_ref().map(|alpha| alpha_at(&recipe, alpha, full));
        let alpha = alpha.transpose().map_err(Failure::failed)?;
        let (writing, exif) = (job.writing, images.exif);
        Ok(Painted { outcome, recipe, writing, alpha, exif, kept, is_kept, worked_s: seconds, started })
    }

    /// Takes the folder that the run is kept in, if it is.
    fn take_folder(&mut self) -> Result<Option<Kept>, Failure> {
        let Prepared { job, images, scales, recipe, .. } = self;
        let (Some(keeping), Some(inputs)) = (job.keeping.take(), images.inputs.take()) else { return Ok(None) };
        let full = scales[scales.len() - 1];
        if recipe.preset == "tutorial" && keeping.begun.is_none() {
            keep_resized(images, &inputs, recipe, full)?;
        }
        let wanted = record(job, inputs, keeping.saving, recipe, scales);
        let copies = std::mem::take(&mut images.copies);
        Kept::open(keeping, wanted, &copies, job.writing.bytes(full)).map(Some)
    }
}

/// The weights of style layers that a job has in proportion, if it has.
fn in_proportion(job: &Job) -> Option<BTreeMap<Layer, f64>> {
    let recipe = &job.order.recipe;
    (recipe.balance == Balance::Painting).then(|| recipe.style_layers.clone())
}

/// What `run.json` says of a job.
fn record(job: &Job, inputs: Inputs, saving: Saving, recipe: &ResolvedRecipe, scales: &[Scale]) -> RunRecord {
    RunRecord {
        format: FORMAT,
        layout: LAYOUT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        started: now(),
        machine: machine(recipe.engine.as_deref().unwrap_or_default()),
        recipe: recipe.clone(),
        scales: scales.to_vec(),
        inputs,
        reading: Reading { megapixels: job.limits.megapixels, lenient: job.limits.lenient },
        output: job.writing.given_file().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        depth: job.writing.options.bits,
        quality: job.writing.options.jpeg_quality,
        exif: job.writing.exif,
        saving,
        in_proportion: in_proportion(job),
        branch: None,
        outcome: None,
    }
}

/// As the port that the preset `tutorial` follows does: the images as the run sees them lie beside their copies.
fn keep_resized(read: &mut ReadImages, inputs: &Inputs, recipe: &ResolvedRecipe, full: Scale) -> Result<(), Failure> {
    let mut resized = vec![(&inputs.content.name, content_at(recipe, &read.content, full))];
    let paintings = Paintings::new(recipe, read.shown(), full).map_err(Failure::failed)?;
    resized.extend(inputs.styles.iter().enumerate().map(|(place, input)| (&input.name, paintings.at(place, full))));
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
