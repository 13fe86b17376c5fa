//! What of a task's fields cannot be, whoever wrote the line.

use std::path::Path;

use impasto::image_file::exif::KeptExif;

use super::{Depth, LARGEST_NUMBER, Task, TaskInput};
use crate::folder::{FILMS, PICTURES};
use crate::shot::{SHOT, stem_of};

impl Task {
    /// The digests of its files, and of a shot's frames.
    fn sums(&self) -> impl Iterator<Item = &str> {
        let frames = self.shot.iter().map(|shot| shot.sha256.as_str());
        self.inputs().map(|input| input.sha256.as_str()).chain(frames)
    }

    /// What of it is wrong, as half a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        let is_time = |number: f64| number.is_finite() && number >= 0.0;
        let is_named = |input: &TaskInput| !input.file.is_empty() && !input.file.contains('\0');
        let (number, after) = (self.number, self.after.unwrap_or(1));
        match () {
            () if !(1..=LARGEST_NUMBER).contains(&number) => {
                Err(format!("has a task of number {number}; numbers go from 1 to {LARGEST_NUMBER}"))
            }
            () if self.after.is_some() && !(1..number).contains(&after) => {
                Err(format!("has task {number} wait for task {after}; a task waits for one of a lower number"))
            }
            () if self.shot.is_none() && !is_output(&self.output) => Err(format!(
                "has a task that would write {:?}; a picture is {PICTURES}/NAME.png",
                self.output.chars().take(200).collect::<String>()
            )),
            () if self.shot.is_some() && stem_of(&self.output).is_none() => Err(format!(
                "has a task that would write {:?}; a shot is {FILMS}/NAME/{SHOT}000001",
                self.output.chars().take(200).collect::<String>()
            )),
            () if self.shot.is_some() && (self.depth, self.exif) != (Depth::Eight, KeptExif::Nothing) => {
                Err("has a shot with a depth or exif of its own; frames have 8 bits and no EXIF data".to_owned())
            }
            () if self.shot.is_some() && !self.recipe.timeline.is_empty() => {
                Err("has a shot with a timeline; films take none".to_owned())
            }
            () if !self.inputs().all(is_named) => Err("has a task with a file of no name".to_owned()),
            () if !self.sums().all(is_digest) => {
                Err("has a task with a sha256 that is no 64 hexadecimal digits".to_owned())
            }
            () if !is_time(self.memory_mib) || !is_time(self.seconds) => {
                Err("has a task whose memory_mib or seconds are no numbers from 0 on".to_owned())
            }
            () if self.threads == 0 || self.threads > 1024 => {
                Err("has a task whose threads are not 1 to 1024".to_owned())
            }
            () if self.megapixels == 0 => Err("has a task whose megapixels are 0".to_owned()),
            () if self.engine.as_ref().is_some_and(|engine| engine.is_empty() || engine.len() > 100) => {
                Err("has a task whose engine has no name".to_owned())
            }
            () => match self.files(Path::new("")).check(&self.recipe) {
                Ok(()) => self.shot.as_ref().map_or(Ok(()), |shot| shot.check(&self.content.file)),
                Err(failure) => Err(format!("has a task that cannot be done ({failure})")),
            },
        }
    }
}

/// A picture lies in its folder, whoever wrote the line.
fn is_output(output: &str) -> bool {
    let Some(name) = output.strip_prefix(PICTURES).and_then(|rest| rest.strip_prefix('/')) else { return false };
    let is_plain = |letter: char| !letter.is_control() && !"/\\:*?\"<>|".contains(letter);
    name.len() <= 255
        && name.len() > 4
        && name.ends_with(".png")
        && !name.starts_with('.')
        && name.chars().all(is_plain)
}
