//! Where and how the picture will be written, and everything about it that can be said before any work.

use std::path::{Path, PathBuf};

use impasto::Scale;
use impasto::disk::{RealDisk, free_name};
use impasto::image_file::exif::{Exif, KeptExif};
use impasto::picture::Picture;
use impasto::rescue::rescue_picture;
use impasto::run_folder::{RESULT, look};
use impasto::write::{
    Carried, OutputFormat, WriteError, WriteOptions, check_picture_writable, sidecar_path, write_carrying,
};

use super::destination::Destination;
use super::keeping::folder_failure;
use crate::failure::Failure;
use crate::order::{ResolvedOrder, same_file};

/// Where and how the picture will be written.
#[derive(Debug)]
pub struct Writing {
    /// Where it was asked for.
    pub given: Option<Destination>,
    /// Where the name was made, what it was made of: the picture takes the next number where a file has come meanwhile.
    pub made_of: Option<String>,
    /// The folder of the run, where it is kept.
    pub run: Option<PathBuf>,
    /// How.
    pub options: WriteOptions,
    /// Whether samples have 16 bits where the photo's have and every format does.
    pub has_photos_bits: bool,
    /// What of the photo's EXIF data it has.
    pub exif: KeptExif,
}

impl Writing {
    /// The file that was asked for, if one was.
    pub fn given_file(&self) -> Option<&PathBuf> {
        self.given.as_ref().and_then(Destination::file)
    }

    /// The files that will be written, the one that people are told of first.
    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.given_file().cloned().into_iter().chain(self.run.as_ref().map(|run| run.join(RESULT)))
    }

    /// The formats that will be written.
    fn formats(&self) -> Result<Vec<OutputFormat>, WriteError> {
        let of_stream = match &self.given {
            Some(Destination::Stream(stream)) => Some(Ok(stream.format())),
            _ => None,
        };
        of_stream.into_iter().chain(self.paths().map(|path| OutputFormat::from_path(&path))).collect()
    }

    /// Whether a format that will be written has transparency.
    pub(super) fn has_transparency(&self) -> bool {
        self.formats().is_ok_and(|formats| formats.iter().any(|format| format.has_transparency()))
    }

    /// What is to be said of EXIF data that are to be kept.
    pub(super) fn exif_note(&self, order: &ResolvedOrder, exif: &Exif) -> Option<String> {
        let is_missing = !self.exif.is_nothing() && self.exif.of(exif).is_none();
        let photo = order.held.spoken(&order.content).display();
        is_missing.then(|| format!("{photo}: it has no EXIF data to keep"))
    }

    /// Takes as many bits as the photo's samples have, where that was asked for.
    pub(super) fn heed_photos_bits(&mut self, bits: u8) {
        let has_room = self.formats().is_ok_and(|formats| formats.iter().all(|format| format.has_16_bits()));
        if self.has_photos_bits {
            self.options.bits = if has_room { bits } else { 8 };
        }
    }

    /// Everything about the output that can be said before any work.
    pub(super) fn check(&self, order: &ResolvedOrder) -> Result<(), Failure> {
        let formats = self.formats().map_err(Failure::usage)?;
        formats.iter().try_for_each(|format| format.check(1, 1, self.options)).map_err(Failure::usage)?;
        if let Some(path) = self.given_file() {
            for written in [path.clone(), sidecar_path(path)] {
                if let Some(input) = order.inputs().find(|input| same_file(input, &written)) {
                    return Err(Failure::usage(format_args!(
                        "--output {} would overwrite the input {}; choose another name",
                        path.display(),
                        input.display()
                    )));
                }
            }
            check_picture_writable(path, 0).map_err(Failure::failed)?;
        }
        match &self.run {
            Some(run) => look(run).map(drop).map_err(folder_failure),
            None => Ok(()),
        }
    }

    /// What can be said of the picture's size before the run: the formats, the disk of the file that was asked for. Gives what
    /// a person should know of how it will be written.
    pub fn check_scales(&self, scales: &[Scale]) -> Result<Vec<String>, Failure> {
        let full = scales[scales.len() - 1];
        for format in self.formats().map_err(Failure::usage)? {
            format.check(full.width, full.height, self.options).map_err(|error| match error {
                WriteError::Size { .. } => Failure::usage(error),
                error => Failure::failed(error),
            })?;
        }
        let path = match &self.given {
            Some(Destination::File(path)) => path,
            Some(Destination::Stream(stream)) => return Ok(stream.note().into_iter().collect()),
            None => return Ok(Vec::new()),
        };
        let way = check_picture_writable(path, self.bytes(full)).map_err(Failure::failed)?;
        let named = format!("the picture will be {}; -o gives it another name", path.display());
        Ok(way.note(path).into_iter().chain(self.made_of.as_ref().map(|_| named)).collect())
    }

    /// Bytes of the picture: uncompressed, and as much again for the headers.
    pub fn bytes(&self, full: Scale) -> u64 {
        3 * full.width as u64 * full.height as u64 * u64::from(self.options.bits) / 8 + (64 << 10)
    }

    /// Writes the picture everywhere, and where one place fails, to the others nevertheless; if it is nowhere then, beside the
    /// first of them or in the folder for temporary files.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn write(&self, picture: &Picture, carried: &Carried<'_>) -> Result<Written, Failure> {
        let (mut places, mut failed) = (Vec::new(), None);
        let result = self.run.as_ref().map(|run| run.join(RESULT));
        for path in self.paths().map(|path| self.spared(path)) {
            match write_carrying(&RealDisk, &path, picture, self.options, carried) {
                Ok(()) => places.push(path),
                Err(error) => failed = failed.or(Some((path, Failure::failed(error)))),
            }
        }
        // Last, since it may wait for its reader for as long as that likes.
        if let Some(Destination::Stream(stream)) = &self.given {
            let name = PathBuf::from(stream.name());
            match stream.write(picture, self.options, carried) {
                Ok(()) => places.insert(0, name),
                Err(error) => failed = Some((name, error)),
            }
        }
        let Some((path, error)) = failed else { return Ok(Written { place: first(places), trouble: None }) };
        let is_in_run = result.is_some_and(|result| places.contains(&result));
        if places.is_empty() {
            places.extend(rescue_picture(&RealDisk, &path, picture, self.options, carried));
        }
        match places.is_empty() {
            false => Ok(Written { place: first(places), trouble: Some(Trouble { error, is_in_run }) }),
            true => Err(Failure::failed(format_args!(
                "{error}; nor did the folder or {} take it under another name",
                std::env::temp_dir().display()
            ))),
        }
    }

    /// Writes the picture of a run that is finished where it was asked for; it is in the run's folder in any case.
    ///
    /// # Errors
    /// What the disk or the stream refuses.
    pub fn hand_over(&self, picture: &Picture, carried: &Carried<'_>) -> Result<(), Failure> {
        match &self.given {
            Some(Destination::File(path)) => {
                write_carrying(&RealDisk, path, picture, self.options, carried).map_err(Failure::failed)
            }
            Some(Destination::Stream(stream)) => stream.write(picture, self.options, carried),
            None => Ok(()),
        }
    }

    /// The name, or the next that is free where it was made and may not be another's.
    fn spared(&self, path: PathBuf) -> PathBuf {
        match &self.made_of {
            Some(stem) if Some(&path) == self.given_file() && path.symlink_metadata().is_ok() => {
                free_name(path.parent().unwrap_or(Path::new("")), stem, "png").unwrap_or(path)
            }
            _ => path,
        }
    }
}

/// The place that people are told of.
fn first(places: Vec<PathBuf>) -> PathBuf {
    places.into_iter().next().unwrap_or_default()
}

/// A picture that is on the disk.
pub struct Written {
    /// Where.
    pub place: PathBuf,
    /// Why that is not, or not only, where it was asked for.
    pub trouble: Option<Trouble>,
}

/// A place that a picture could not be written to.
pub struct Trouble {
    /// What the disk or the stream refused.
    pub error: Failure,
    /// Whether the picture is whole in the run's folder.
    pub is_in_run: bool,
}
