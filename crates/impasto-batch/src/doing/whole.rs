//! A film is put together once the last of its shots is done, by whomever.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use impasto::Control;
use impasto::disk::{DiskError, Lock, RealDisk, copy_file, create_folder, remove_file_if_present};
use impasto_film::frames_in;
use impasto_job::machine::now;
use impasto_job::{Failure, FailureKind};
use serde_json::Value;

use super::event::{BatchEvent, Unjoined};
use super::{Doing, LOOK_EVERY, Share};
use crate::films::{DoneShot, PlannedFilm, WholeFilm, stems};
use crate::receipt::{self, FilmReceipt};
use crate::standing::Look;
use crate::task::output_path;

/// Painted frames that are to become a film.
#[derive(Clone, Debug)]
pub struct FramesToJoin<'a> {
    /// The frames in their order, PNG.
    pub frames: &'a [PathBuf],
    /// Width and height of the frames in pixels.
    pub size: (usize, usize),
    /// The film's folder in the batch.
    pub folder: &'a Path,
    /// [`PlannedFilm::making`].
    pub making: &'a Value,
    /// The film to write.
    pub output: &'a Path,
}

/// How a front end makes a film of frames: old or new at any moment. It gives what a person should know.
pub type Join<'a> = dyn FnMut(&FramesToJoin<'_>) -> Result<Vec<String>, Failure> + 'a;

impl Doing<'_, '_, '_, '_> {
    /// Puts together what is done of this program's films and not whole.
    pub(super) fn put_all_together(&mut self) -> Result<(), Failure> {
        for stem in stems(self.list, &self.positions) {
            if !self.tally.was_stopped {
                self.put_together(&stem, matches!(self.how.share, Share::All))?;
            }
        }
        Ok(())
    }

    /// Puts a film together where all its shots are done, it does not stand, and nobody else is at it.
    pub(super) fn put_together(&mut self, stem: &str, waits: bool) -> Result<(), Failure> {
        // Before much is read: after each shot, this is asked.
        let settled: BTreeSet<u32> = self.folder.settled().into_iter().collect();
        let mut shots = self.list.entries().iter().filter(|entry| entry.film.as_deref() == Some(stem));
        if !shots.all(|shot| settled.contains(&shot.number)) {
            return Ok(());
        }
        let whole = WholeFilm::of(self.folder, self.list, stem)?;
        if self.tally.unjoined.iter().any(|unjoined| unjoined.output == whole.output) {
            return Ok(());
        }
        let shots = whole.receipts(self.folder, self.list)?;
        // Of a task by itself no more is looked at than its own.
        let look = if matches!(self.how.share, Share::One(_)) { Look::Quick } else { Look::Whole };
        if !whole.is_all(&shots) || whole.film.is_ok() && whole.stands(self.folder, &shots, look) {
            return Ok(());
        }
        let claim = loop {
            match Lock::claim(&self.folder.film_claim(stem)) {
                Ok(Some(claim)) => break Some(claim),
                // Who has a share of its own needs none, and then two make the same.
                Err(DiskError::NoLocks { .. }) if self.how.share != Share::All => break None,
                Err(error) => return Err(Failure::failed(error)),
                Ok(None) if !waits || self.tally.was_stopped => return Ok(()),
                Ok(None) => {
                    self.told(BatchEvent::Waiting { tasks: 1 });
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        };
        let joined = self.joined(&whole);
        if claim.is_some() {
            remove_file_if_present(&RealDisk, &self.folder.film_claim(stem)).map_err(Failure::failed)?;
        }
        drop(claim);
        match joined {
            Ok(None) => {}
            Ok(Some(receipt)) => {
                self.tally.joined += 1;
                self.told(BatchEvent::Joined { receipt: &receipt });
            }
            Err(failure) if failure.kind == FailureKind::Interrupted => self.tally.was_stopped = true,
            Err(failure) => {
                let unjoined = Unjoined { output: whole.output, failure };
                self.told(BatchEvent::Unjoined { unjoined: &unjoined });
                self.tally.unjoined.push(unjoined);
            }
        }
        Ok(())
    }

    /// The receipt of a film whose claim is held; `None` where another program has made it meanwhile, or a shot is to be painted again.
    fn joined(&mut self, whole: &WholeFilm) -> Result<Option<FilmReceipt>, Failure> {
        let film = whole.film.as_ref().map_err(|why| Failure::failed(format_args!("{}: {why}", whole.output)))?;
        let shots = whole.shots(self.folder, self.list)?;
        if !whole.is_all(&shots) {
            let sentence = format!("{}: a shot of it is to be painted again; run the batch again", whole.output);
            self.told(BatchEvent::Note { number: None, sentence: &sentence });
            return Ok(None);
        }
        if whole.stands(self.folder, &shots, Look::Whole) {
            return Ok(None);
        }
        let mut frames = Vec::new();
        for (task, _) in &shots {
            frames.extend(frames_in(&output_path(self.folder.root(), task))?);
        }
        let output = self.folder.root().join(&whole.output);
        match &film.extension {
            Some(_) => self.encode(film, (&frames, &shots), &output)?,
            None => copy_frames(&frames, &output)?,
        }
        let unread = || Failure::file(&output, "cannot be read again; check the disk");
        let (output_bytes, sum) = whole.found(self.folder, Look::Whole).ok_or_else(unread)?;
        let receipt = FilmReceipt {
            format: receipt::FORMAT,
            made_of: whole.made_of(&shots),
            output: whole.output.clone(),
            output_sha256: sum.unwrap_or_default(),
            output_bytes,
            frames: frames.len(),
            shots: shots.len(),
            finished: now(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
        };
        receipt::write(&self.folder.film_receipt(&whole.stem), &receipt)?;
        Ok(Some(receipt))
    }

    fn encode(
        &mut self,
        film: &PlannedFilm,
        (frames, shots): (&[PathBuf], &[DoneShot]),
        output: &Path,
    ) -> Result<(), Failure> {
        let of_first = shots.first().map(|(task, receipt)| (task, (receipt.width, receipt.height)));
        let (name, size) = match of_first {
            Some((task, size)) => (task.shot.as_ref().map(|shot| shot.film.clone()).unwrap_or_default(), size),
            None => return Ok(()),
        };
        let folder = self.folder.films().join(name);
        let notes = (self.join)(&FramesToJoin { frames, size, folder: &folder, making: &film.making, output })?;
        for sentence in notes {
            if (self.observer)(BatchEvent::Note { number: None, sentence: &sentence }) == Control::Stop {
                self.tally.was_stopped = true;
            }
        }
        Ok(())
    }
}

/// Copies frames into a folder, which has no others then.
fn copy_frames(frames: &[PathBuf], folder: &Path) -> Result<(), Failure> {
    create_folder(&RealDisk, folder).map_err(Failure::failed)?;
    let places: Vec<PathBuf> = frames.iter().map(|frame| folder.join(frame.file_name().unwrap_or_default())).collect();
    for left in frames_in(folder)?.iter().filter(|found| !places.contains(found)) {
        remove_file_if_present(&RealDisk, left).map_err(Failure::failed)?;
    }
    for (frame, place) in frames.iter().zip(&places) {
        copy_file(&RealDisk, frame, place).map_err(Failure::failed)?;
    }
    Ok(())
}
