//! Where and how the picture will be written, and everything about it that can be said before any work.

use std::path::PathBuf;

use impasto::Scale;
use impasto::disk::{RealDisk, check_writable};
use impasto::picture::Picture;
use impasto::run_folder::{RESULT, look};
use impasto::write::{OutputFormat, WriteError, WriteOptions, sidecar_path, write_picture};

use super::keeping::folder_failure;
use crate::failure::Failure;
use crate::order::{ResolvedOrder, same_file};

/// Where and how the picture will be written.
#[derive(Debug)]
pub struct Writing {
    /// The file that was asked for.
    pub given: Option<PathBuf>,
    /// The folder of the run, where it is kept.
    pub run: Option<PathBuf>,
    /// How.
    pub options: WriteOptions,
}

impl Writing {
    /// The files that will be written, the one that people are told of first.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.given.clone().into_iter().chain(self.run.as_ref().map(|run| run.join(RESULT)))
    }

    /// The file that people are told of.
    pub fn path(&self) -> PathBuf {
        self.paths().next().unwrap_or_default()
    }

    /// Everything about the output that can be said before any work.
    pub(super) fn check(&self, order: &ResolvedOrder) -> Result<(), Failure> {
        if let Some(path) = &self.given {
            let format = OutputFormat::from_path(path).map_err(Failure::usage)?;
            format.check(1, 1, self.options).map_err(Failure::usage)?;
            for written in [path.clone(), sidecar_path(path)] {
                if let Some(input) = order.inputs().find(|input| same_file(input, &written)) {
                    return Err(Failure::usage(format_args!(
                        "--output {} would overwrite the input {}; choose another name",
                        path.display(),
                        input.display()
                    )));
                }
            }
            check_writable(path, 0).map_err(Failure::failed)?;
        }
        match &self.run {
            Some(run) => look(run).map(drop).map_err(folder_failure),
            None => Ok(()),
        }
    }

    /// What can be said of the picture's size before the run: the formats, the disk of the file that was asked for.
    pub fn check_scales(&self, scales: &[Scale]) -> Result<(), Failure> {
        let full = scales[scales.len() - 1];
        for path in self.paths() {
            let format = OutputFormat::from_path(&path).map_err(Failure::usage)?;
            format.check(full.width, full.height, self.options).map_err(|error| match error {
                WriteError::Size { .. } => Failure::usage(error),
                error => Failure::failed(error),
            })?;
        }
        match &self.given {
            Some(path) => check_writable(path, self.bytes(full)).map_err(Failure::failed),
            None => Ok(()),
        }
    }

    /// Bytes of the picture: uncompressed, and as much again for the headers.
    pub fn bytes(&self, full: Scale) -> u64 {
        3 * full.width as u64 * full.height as u64 * u64::from(self.options.bits) / 8 + (64 << 10)
    }

    /// Writes the picture.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn write(&self, picture: &Picture, recipe: &str) -> Result<(), WriteError> {
        self.paths().try_for_each(|path| write_picture(&RealDisk, &path, picture, self.options, Some(recipe)))
    }
}
