//! Event files for TensorBoard: the curves and pictures of a run, to be watched while it paints.
//!
//! A file is a row of records (TensorFlow's TFRecord), each a protocol buffer of its own; all numbers little-endian:
//!
//! ```text
//!   record   u64 length | u32 masked(length's 8 bytes) | payload | u32 masked(payload)
//!   masked   crc32c rotated right by 15 bits, + 0xa282ead8, so that a sum over bytes that hold sums is no weak one
//!
//!   Event    1 wall_time double | 2 step varint | 3 file_version text | 5 Summary | 7 SessionLog
//!   Summary  1 Value, repeated          Value  1 tag text | 2 simple_value float | 4 Image
//!   Image    1 height | 2 width | 3 colorspace (3 is RGB) | 4 the bytes of a PNG
//!   SessionLog  1 status (1 is START: readers drop what they have of this step and later ones)
//! ```
//!
//! In a protocol buffer a field is its key, number x 8 + wire type, and its value: wire type 0 a varint (seven bits a
//! byte, the lowest first, the top bit set but on the last), 1 eight bytes, 2 a varint length and so many bytes,
//! 5 four bytes.
//!
//! A run writes, at each accepted evaluation ("step" is its iteration), `loss/total`, `loss/content`, `loss/style` and
//! where they count `loss/matched`, `loss/total_variation`, `loss/range` and `loss/multiscale`; `style/LAYER`, the paper's E_l, and `content/LAYER` for each
//! layer, before weights; `optimiser/step_length` or for Adam `optimiser/learning_rate`, in units of 0..255;
//! `time/seconds`; and now and then `picture`. Every start has a file of its own. No clock is read here: the front end
//! hands the time in.

use std::fs;
use std::path::{Path, PathBuf};

use crate::disk::crc32c::crc32c;
use crate::disk::{Disk, DiskError, Log, create_folder};
use crate::image_file::write::{OutputFormat, WriteError, WriteOptions, encode_picture};
use crate::picture::Picture;
use crate::recipe::OptimizerKind;
use crate::recipe::resolve::ResolvedRecipe;
use crate::run::Iteration;

/// A picture goes into the file at the first evaluation of each size, at the end, and every so many iterations.
const PICTURE_EVERY: u32 = 20;

/// The tag of pictures.
const PICTURE_TAG: &str = "picture";

/// The format's version, in the first event of each file.
const FILE_VERSION: &[u8] = b"brain.Event:2";

/// When something happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// The iteration: accepted evaluations so far.
    pub step: u32,
    /// Seconds since 1970 began, UTC.
    pub wall_time_s: f64,
}

/// An event file that is being written. What was appended is in the file when a call returns, for a TensorBoard that
/// looks on.
struct EventFile {
    log: Log,
}

impl EventFile {
    /// A new file in `folder`, which is made where it is missing. Steps from `start.step` on that other files of the
    /// folder hold are replaced by this one's.
    ///
    /// # Errors
    /// [`DiskError`].
    fn create(disk: &dyn Disk, folder: &Path, start: Moment) -> Result<EventFile, DiskError> {
        create_folder(disk, folder)?;
        let mut beginning = record(&event(Moment { step: 0, ..start }, |event| event.bytes(3, FILE_VERSION)));
        beginning.extend(record(&event(start, |event| {
            event.message(7, |session_log| session_log.varint(1, 1));
        })));
        Ok(EventFile { log: Log::create(disk, &free_path(folder, start.wall_time_s), &beginning)? })
    }

    /// Appends one value a tag.
    ///
    /// # Errors
    /// [`DiskError::Unappended`].
    fn scalars<Tag: AsRef<str>>(&mut self, at: Moment, values: &[(Tag, f64)]) -> Result<(), DiskError> {
        self.append(at, |summary| {
            for (tag, value) in values {
                summary.message(1, |scalar| {
                    scalar.bytes(1, tag.as_ref().as_bytes());
                    scalar.float(2, *value as f32);
                });
            }
        })
    }

    /// Appends a picture, as an 8-bit PNG.
    ///
    /// # Errors
    /// [`WriteError`].
    fn picture(&mut self, at: Moment, tag: &str, picture: &Picture) -> Result<(), WriteError> {
        let png = encode_picture(picture, OutputFormat::Png, WriteOptions::default(), None)?;
        self.append(at, |summary| {
            summary.message(1, |value| {
                value.bytes(1, tag.as_bytes());
                value.message(4, |image| {
                    image.varint(1, picture.height as u64);
                    image.varint(2, picture.width as u64);
                    image.varint(3, 3);
                    image.bytes(4, &png);
                });
            });
        })?;
        Ok(())
    }

    fn append(&mut self, at: Moment, fill: impl FnOnce(&mut Message)) -> Result<(), DiskError> {
        self.log.append(&record(&event(at, |event| event.message(5, fill))))
    }
}

/// What a run writes into its event file.
pub struct RunLog {
    file: EventFile,
    has_total_variation: bool,
    has_range: bool,
    step_tag: &'static str,
    /// The step of the last picture that was written.
    pictured: Option<u32>,
}

impl RunLog {
    /// A new file in `folder` for a run of this recipe whose next iteration is `start.step`.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn create(disk: &dyn Disk, folder: &Path, recipe: &ResolvedRecipe, start: Moment) -> Result<RunLog, DiskError> {
        Ok(RunLog {
            file: EventFile::create(disk, folder, start)?,
            has_total_variation: recipe.tv_weight > 0.0,
            has_range: recipe.range_weight > 0.0,
            step_tag: match recipe.optimizer {
                OptimizerKind::Lbfgs => "optimiser/step_length",
                OptimizerKind::Adam => "optimiser/learning_rate",
            },
            pictured: None,
        })
    }

    /// Writes an accepted evaluation down; `seconds` since the start of the run.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn iteration(&mut self, iteration: &Iteration<'_>, seconds: f64, wall_time_s: f64) -> Result<(), WriteError> {
        let at = Moment { step: iteration.iteration, wall_time_s };
        self.file.scalars(at, &self.values(iteration, seconds))?;
        if iteration.scale_evaluations == 1 || iteration.iteration.is_multiple_of(PICTURE_EVERY) {
            self.picture(at, &iteration.picture())?;
        }
        Ok(())
    }

    /// Writes the picture that the run ended with, if it is not there already.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn end(&mut self, at: Moment, picture: &Picture) -> Result<(), WriteError> {
        if self.pictured == Some(at.step) { Ok(()) } else { self.picture(at, picture) }
    }

    fn picture(&mut self, at: Moment, picture: &Picture) -> Result<(), WriteError> {
        self.pictured = Some(at.step);
        self.file.picture(at, PICTURE_TAG, picture)
    }

    fn values(&self, iteration: &Iteration<'_>, seconds: f64) -> Vec<(String, f64)> {
        let losses = iteration.losses;
        let of_run = [
            ("loss/total", true, losses.total),
            ("loss/content", !losses.content_layers.is_empty(), losses.content),
            ("loss/style", !losses.style_layers.is_empty(), losses.style),
            ("loss/matched", !losses.matched_layers.is_empty(), losses.matched),
            ("loss/total_variation", self.has_total_variation, losses.total_variation),
            ("loss/range", self.has_range, losses.range),
            ("loss/multiscale", losses.multiscale != 0.0, losses.multiscale),
            (self.step_tag, true, iteration.step_length()),
            ("time/seconds", true, seconds),
        ];
        let of_run = of_run.into_iter().filter(|value| value.1).map(|(tag, _, value)| (tag.to_owned(), value));
        let content = losses.content_layers.iter().map(|of| (format!("content/{}", of.layer.name()), of.loss));
        let style = losses.style_layers.iter().map(|of| (format!("style/{}", of.layer.name()), of.loss));
        of_run.chain(content).chain(style).collect()
    }
}

/// A name that TensorBoard takes for an event file's and that no file has. It reads a folder's files by name, so the
/// time stands first.
fn free_path(folder: &Path, wall_time_s: f64) -> PathBuf {
    let start = format!("events.out.tfevents.{:010}.impasto.{}", wall_time_s as u64, std::process::id());
    let mut number = 0;
    loop {
        let path = folder.join(format!("{start}.{number}"));
        if fs::symlink_metadata(&path).is_err() {
            return path;
        }
        number += 1;
    }
}

/// A record with this payload.
fn record(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let sum = |bytes: &[u8]| crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    [&length[..], &sum(&length), payload, &sum(payload)].concat()
}

fn event(at: Moment, fill: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut event = Message(Vec::new());
    event.double(1, at.wall_time_s);
    event.varint(2, u64::from(at.step));
    fill(&mut event);
    event.0
}

/// A protocol buffer that is being written, field by field.
struct Message(Vec<u8>);

impl Message {
    /// A zero is not written: it is what a reader takes an absent field for.
    fn varint(&mut self, field: u8, value: u64) {
        if value > 0 {
            self.key(field, 0);
            self.bare_varint(value);
        }
    }

    fn double(&mut self, field: u8, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.key(field, 2);
        self.bare_varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn float(&mut self, field: u8, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }

    fn message(&mut self, field: u8, fill: impl FnOnce(&mut Message)) {
        let mut inner = Message(Vec::new());
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn key(&mut self, field: u8, wire_type: u8) {
        self.0.push(field << 3 | wire_type);
    }

    fn bare_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::disk::digest::hexadecimal;

    /// Written by Google's protocol buffer library for Python and framed by TensorBoard's own `RecordWriter`:
    /// `Event(wall_time=1.5, file_version="brain.Event:2")`, then at step 300 the session's start and one scalar.
    const WRITTEN_BY_TENSORBOARD: [&str; 3] = [
        "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c",
        "100000000000000095fbfe1809000000000000f83f10ac023a020801713b788a",
        "2100000000000000017becf609000000000000f83f10ac022a130a110a0a6c6f73732f746f74616c150000803e4342b85f",
    ];

    #[test]
    fn the_bytes_are_those_of_tensorboard_s_own_writer() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new").join("deep");
        let at = Moment { step: 300, wall_time_s: 1.5 };
        let mut file = EventFile::create(&RealDisk, &folder, at).unwrap();
        file.scalars(at, &[("loss/total", 0.25)]).unwrap();
        let written: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(written.len(), 1);
        assert_eq!(hexadecimal(&fs::read(&written[0]).unwrap()), WRITTEN_BY_TENSORBOARD.concat());
    }

    #[test]
    fn each_start_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = Moment { step: 1, wall_time_s: 1e9 };
        let _files = [0; 3].map(|_| EventFile::create(&RealDisk, folder.path(), at).unwrap());
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 3);
        assert!(names.iter().all(|name| name.to_string_lossy().starts_with("events.out.tfevents.1000000000.")));
    }

    #[test]
    fn whole_numbers_take_seven_bits_a_byte() {
        // Protocol buffers, "Encoding": 150 is 96 01.
        let mut message = Message(Vec::new());
        message.varint(1, 150);
        message.varint(2, 0);
        assert_eq!(message.0, [0x08, 0x96, 0x01]);
    }
}
