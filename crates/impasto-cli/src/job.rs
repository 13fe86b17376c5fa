//! A job: what is painted, from which files, to which, and where it is kept; from the options of `paint` or from the
//! folder of a run.

use std::path::{Component, Path, PathBuf};

use impasto::disk::{RealDisk, check_writable, read_file};
use impasto::picture::Picture;
use impasto::read::{ReadLimits, decode_picture};
use impasto::run_folder::{INPUTS, Input, Inputs, RESULT, RunRecord, look};
use impasto::write::{OutputFormat, WriteError, WriteOptions, sidecar_path, write_picture};
use impasto::{Scale, digest};

use crate::args::{FileArguments, PaintArguments, ResumeArguments, RunningArguments};
use crate::engine::weights_file;
use crate::failure::Failure;
use crate::keeping::{Keeping, folder_failure, saving};
use crate::order::{Order, file_name, same_file};

/// The least width and height of an image that is painted, or painted from, in pixels.
const LEAST_SIDE_PX: usize = 2;

/// Letters of an extension that a copy keeps.
const EXTENSION_LIMIT: usize = 5;

/// What is painted, from which files, to which.
pub struct Job {
    /// The recipe and the images.
    pub order: Order,
    /// What an image may ask for.
    pub limits: ReadLimits,
    /// Where the picture goes.
    pub writing: Writing,
    /// How the program runs.
    pub running: RunningArguments,
    /// Where the run is kept, if it is.
    pub keeping: Option<Keeping>,
}

/// The images of a job, and for a run that is kept what `run.json` says of them and the bytes to be copied.
pub struct ReadImages {
    pub content: Picture,
    pub styles: Vec<Picture>,
    pub start: Option<Picture>,
    pub inputs: Option<Inputs>,
    pub copies: Vec<(PathBuf, Vec<u8>)>,
}

impl Job {
    /// What the options of `paint` ask for.
    ///
    /// # Errors
    /// Everything about the choices and the output that can be said before any work.
    pub fn of_options(arguments: &PaintArguments) -> Result<Job, Failure> {
        let order = Order::read(arguments)?;
        let keeping = match &arguments.keeping.run_dir {
            Some(folder) => Some(Keeping::of_options(folder, saving(&arguments.keeping, &order.recipe.preset))?),
            None => Keeping::refuse_without_folder(&arguments.keeping).map(|()| None)?,
        };
        let files = &arguments.files;
        let options = WriteOptions { bits: if files.depth == "16" { 16 } else { 8 }, jpeg_quality: files.quality };
        let writing = Writing { given: arguments.output.clone(), run: arguments.keeping.run_dir.clone(), options };
        writing.check(&order)?;
        Ok(Job { order, limits: read_limits(files), writing, running: arguments.running.clone(), keeping })
    }

    /// What the run in this folder has still to do.
    ///
    /// # Errors
    /// A folder that is no run, or one that says what cannot be.
    pub fn of_run(record: RunRecord, arguments: &ResumeArguments) -> Result<Job, Failure> {
        let folder = arguments.run.as_path();
        let inside = |input: &Input| match input.file.components().all(|part| matches!(part, Component::Normal(_))) {
            true => Ok(folder.join(&input.file)),
            false => Err(Failure::file(
                folder,
                format_args!("says that {} lies outside; images of a run lie in its folder", input.name),
            )),
        };
        let inputs = &record.inputs;
        let content = inside(&inputs.content)?;
        let styles = inputs.styles.iter().map(inside).collect::<Result<Vec<_>, _>>()?;
        let start = inputs.start.as_ref().map(inside).transpose()?;
        let weights = match &inputs.weights {
            Some(weights) => weights.file.to_string_lossy().into_owned(),
            None => record.recipe.weights.clone(),
        };
        let order = Order::of_run(&record.recipe, content, styles, start, weights)?;
        let given = arguments.output.clone().or_else(|| record.output.clone());
        let options = WriteOptions { bits: record.depth, jpeg_quality: record.quality };
        let writing = Writing { given, run: Some(folder.to_owned()), options };
        writing.check(&order)?;
        let (megapixels, lenient) = (record.reading.megapixels, record.reading.lenient);
        let limits = ReadLimits { megapixels, lenient, ..ReadLimits::default() };
        let keeping = Keeping::of_run(folder, record);
        Ok(Job { order, limits, writing, running: arguments.running.clone(), keeping: Some(keeping) })
    }

    /// Reads the images; those of a run have to be what they were.
    ///
    /// # Errors
    /// An image that cannot be read or has changed.
    pub fn read_images(&self, notes: &mut Vec<String>) -> Result<ReadImages, Failure> {
        let mut reader = Reader { job: self, notes, copies: Vec::new() };
        let expected = self.keeping.as_ref().and_then(|keeping| keeping.begun.as_ref()).map(|begun| &begun.inputs);
        let order = &self.order;
        let (content, content_input) = reader.read(&order.content, "content", expected.map(|it| &it.content))?;
        let (mut styles, mut style_inputs) = (Vec::new(), Vec::new());
        for (place, path) in order.styles.iter().enumerate() {
            let expected = expected.and_then(|it| it.styles.get(place));
            let (style, input) = reader.read(path, &format!("style-{}", place + 1), expected)?;
            styles.push(style);
            style_inputs.extend(input);
        }
        let start = order.start.as_deref();
        let expected_start = expected.and_then(|it| it.start.as_ref());
        let start = start.map(|path| reader.read(path, "start", expected_start)).transpose()?;
        let (start, start_input) = start.map_or((None, None), |(start, input)| (Some(start), input));
        let copies = std::mem::take(&mut reader.copies);
        let inputs = match content_input {
            Some(content) => {
                let weights = self.weights_input(expected.and_then(|it| it.weights.as_ref()))?;
                Some(Inputs { content, styles: style_inputs, start: start_input, weights })
            }
            None => None,
        };
        Ok(ReadImages { content, styles, start, inputs, copies })
    }

    /// What `run.json` says of the weights' file, where there is one.
    fn weights_input(&self, expected: Option<&Input>) -> Result<Option<Input>, Failure> {
        let Some(path) = weights_file(&self.order.weights) else { return Ok(None) };
        let sha256 = digest::sha256_of_file(&path).map_err(Failure::failed)?;
        if let Some(expected) = expected {
            demand_same(&path, &sha256, expected)?;
            return Ok(Some(expected.clone()));
        }
        let file = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        Ok(Some(Input { name: file_name(&path), file, sha256 }))
    }
}

/// Reads images one by one.
struct Reader<'job> {
    job: &'job Job,
    notes: &'job mut Vec<String>,
    copies: Vec<(PathBuf, Vec<u8>)>,
}

impl Reader<'_> {
    /// The picture, and where the run is kept what `run.json` says of it. `role` names the copy.
    fn read(&mut self, path: &Path, role: &str, expected: Option<&Input>) -> Result<(Picture, Option<Input>), Failure> {
        let bytes = read_file(path, self.job.limits.file_mib).map_err(Failure::failed)?;
        let input = match (&self.job.keeping, expected) {
            (None, _) => None,
            (Some(_), Some(expected)) => {
                demand_same(path, &digest::sha256(&bytes), expected)?;
                Some(expected.clone())
            }
            (Some(_), None) => {
                let file = Path::new(INPUTS).join(copy_name(role, path));
                Some(Input { name: file_name(path), file, sha256: digest::sha256(&bytes) })
            }
        };
        let read = decode_picture(&bytes, path, &self.job.limits).map_err(Failure::failed)?;
        self.notes.extend(read.notes);
        check_drawing(path, &read.picture)?;
        if let (Some(input), None) = (&input, expected) {
            self.copies.push((input.file.clone(), bytes));
        }
        Ok((read.picture, input))
    }
}

/// `content` and `Photo.JPG` make `content.jpg`.
fn copy_name(role: &str, path: &Path) -> String {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let is_plain = |it: &String| it.len() <= EXTENSION_LIMIT && it.chars().all(|letter| letter.is_ascii_alphanumeric());
    match extension.filter(is_plain) {
        Some(extension) => format!("{role}.{extension}"),
        None => role.to_owned(),
    }
}

/// A run goes on with the very files that it began with.
fn demand_same(path: &Path, sha256: &str, expected: &Input) -> Result<(), Failure> {
    match sha256 == expected.sha256 {
        true => Ok(()),
        false => Err(Failure::file(
            path,
            format_args!(
                "has changed since the run began; put the {} back whose SHA-256 is {}",
                expected.name, expected.sha256
            ),
        )),
    }
}

/// Where and how the picture will be written.
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
    fn check(&self, order: &Order) -> Result<(), Failure> {
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

/// An image of one row or column has neither drawing nor texture: it was given by mistake.
fn check_drawing(path: &Path, picture: &Picture) -> Result<(), Failure> {
    if picture.width.min(picture.height) >= LEAST_SIDE_PX {
        return Ok(());
    }
    let size = format!("{} x {}", picture.width, picture.height);
    Err(Failure::file(path, format_args!("has {size} pixels, too few to see anything in; give a larger image")))
}

fn read_limits(files: &FileArguments) -> ReadLimits {
    ReadLimits { megapixels: files.max_megapixels, lenient: files.lenient, ..ReadLimits::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_a_plain_extension() {
        assert_eq!(copy_name("content", Path::new("a/Photo of.JPG")), "content.jpg");
        assert_eq!(copy_name("style-1", Path::new("painting")), "style-1");
        assert_eq!(copy_name("start", Path::new("a.p/b.x y")), "start");
        assert_eq!(copy_name("start", Path::new("a.waytoolong")), "start");
    }
}
