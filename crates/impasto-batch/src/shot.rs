//! A shot of a film: what a task has beside a picture's, the frames that it is made of, and those that were painted.

use std::path::{Path, PathBuf};

use impasto::digest::sha256_of_file;
use impasto_film::record::frames_sha256;
use impasto_film::{Choices, frames_in};
use impasto_job::Failure;
use serde::{Deserialize, Serialize};

use crate::digests::Digests;
use crate::folder::FILMS;
use crate::paths;

/// How the name of a shot's folder begins; its first frame follows.
pub const SHOT: &str = "shot-";

/// The most frames of a film.
const MOST_FRAMES: usize = 10_000_000;

/// A shot of a film that is to be painted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskShot {
    /// The film's name in the batch: that of its folder in `films`.
    pub film: String,
    /// The folder that its frames lie in, named as files are.
    pub folder: String,
    /// Its first frame, counted from 1 among the pictures of that folder in the order of their names.
    pub first: usize,
    /// One of so many pictures there is a frame.
    pub every: usize,
    /// How many frames it has.
    pub frames: usize,
    /// The name of its last frame.
    pub last: String,
    /// SHA-256 of the SHA-256s that its frames had when it was planned, one behind the other in their hexadecimal digits.
    pub sha256: String,
    /// What was chosen of the film. A shot has no cuts.
    pub choices: Choices,
}

impl TaskShot {
    /// What of it is wrong, as half a sentence. `content` is the task's photo: the first frame.
    pub fn check(&self, content: &str) -> Result<(), String> {
        let first = content.strip_prefix(&self.folder).and_then(|rest| rest.strip_prefix('/'));
        let is_bare = |name: &str| !name.is_empty() && !name.contains(['/', '\\', '\0']);
        let ends = (self.frames.max(1) - 1).checked_mul(self.every).and_then(|steps| steps.checked_add(self.first));
        match () {
            () if !is_plain(&self.film) => Err("has a shot of a film of no plain name".to_owned()),
            () if self.folder.is_empty() || self.folder.contains('\0') => {
                Err("has a shot whose frames lie in a folder of no name".to_owned())
            }
            () if self.first == 0 || self.every == 0 || self.frames == 0 => {
                Err("has a shot whose first, every or frames are 0; they count from 1".to_owned())
            }
            () if ends.is_none_or(|last| last > MOST_FRAMES) => {
                Err(format!("has a shot that ends behind frame {MOST_FRAMES}; make several films of it"))
            }
            () if !first.is_some_and(is_bare) => {
                Err("has a shot whose first frame, its content, does not lie in its folder".to_owned())
            }
            () if !is_bare(&self.last) => Err("has a shot whose last frame has no plain name".to_owned()),
            () if self.choices.cuts => Err("has a shot in which cuts are looked for; a shot has none".to_owned()),
            () => self.choices.check().map_err(|failure| format!("has a shot that cannot be painted ({failure})")),
        }
    }

    /// Its frames in their order, for the batch in `root`.
    ///
    /// # Errors
    /// A folder that cannot be listed, or whose pictures are not those that were planned.
    pub fn source(&self, root: &Path, content: &str, digests: &mut Digests) -> Result<Vec<PathBuf>, Failure> {
        let folder = paths::from_text(root, &self.folder);
        let listed = digests.frames_in(&folder)?;
        let wanted = listed.iter().skip(self.first - 1).step_by(self.every).take(self.frames);
        let frames: Vec<PathBuf> = wanted.cloned().collect();
        let name = |path: Option<&PathBuf>| Some(path?.file_name()?.to_string_lossy().into_owned());
        let is_planned = frames.len() == self.frames
            && name(frames.first()).is_some_and(|name| content.ends_with(&format!("/{name}")))
            && name(frames.last()).is_some_and(|name| name == self.last);
        match is_planned {
            true => Ok(frames),
            false => Err(Failure::failed(format_args!(
                "the frames in {} are not those that were planned; put them back, or plan the film anew",
                folder.display()
            ))),
        }
    }

    /// SHA-256 of the SHA-256s of its frames as they are; `None` where they are not there.
    pub fn digest(&self, root: &Path, content: &str, digests: &mut Digests) -> Option<String> {
        let frames = self.source(root, content, digests).ok()?;
        frames_sha256(&frames, |frame| digests.of(frame)).ok()
    }
}

/// The painted frames of a shot, or of a whole film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaintedFrames {
    /// The files in their order.
    pub files: Vec<PathBuf>,
    /// Bytes of all.
    pub bytes: u64,
}

impl PaintedFrames {
    /// Those in a folder; `None` where there is none.
    pub fn of(folder: &Path) -> Option<PaintedFrames> {
        let files = frames_in(folder).ok()?;
        let lengths = files.iter().map(|file| file.metadata().map(|found| found.len()));
        let bytes = lengths.sum::<Result<u64, _>>().ok()?;
        Some(PaintedFrames { files, bytes })
    }

    /// SHA-256 of the SHA-256s of all; `None` where one cannot be read.
    pub fn digest(&self) -> Option<String> {
        frames_sha256(&self.files, sha256_of_file).ok()
    }
}

/// The film after its paintings and the shot, of `films/FILM-PAINTING/shot-000001`; `None` for what is no shot's folder.
pub fn stem_of(output: &str) -> Option<&str> {
    let (stem, shot) = output.strip_prefix(FILMS)?.strip_prefix('/')?.split_once('/')?;
    let first = shot.strip_prefix(SHOT)?;
    let is_number = (6..=8).contains(&first.len()) && first.bytes().all(|digit| digit.is_ascii_digit());
    (is_plain(stem) && is_number).then_some(stem)
}

/// The folder of a shot: a path from the batch's folder.
pub fn output_of(stem: &str, first: usize) -> String {
    format!("{FILMS}/{stem}/{SHOT}{first:06}")
}

/// Whether a name stays in its folder on every system.
fn is_plain(name: &str) -> bool {
    let is_plain = |letter: char| !letter.is_control() && !"/\\:*?\"<>|".contains(letter);
    !name.is_empty() && name.len() <= 240 && !name.starts_with('.') && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use impasto::digest::sha256;

    use super::*;

    #[test]
    fn a_shot_lies_in_the_folder_of_its_film() {
        assert_eq!(stem_of(&output_of("film-painting", 25)), Some("film-painting"));
        for wrong in [
            "films/a",
            "films/a/shot-1",
            "films/a/b/shot-000001",
            "films/../shot-000001",
            "films/a/shot-00000x",
            "films/a/shot-000001/b",
            "films//shot-000001",
            "pictures/a/shot-000001",
            "/films/a/shot-000001",
        ] {
            assert_eq!(stem_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_shot_is_of_the_frames_that_were_planned() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| std::fs::write(folder.path().join("in").join(name), name).unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        (1..=11).for_each(|number| write(&format!("f{number}.png")));
        let shot = TaskShot {
            film: "in".to_owned(),
            folder: "in".to_owned(),
            first: 2,
            every: 3,
            frames: 4,
            last: "f11.png".to_owned(),
            sha256: sha256(b""),
            choices: Choices { cuts: false, ..Choices::default() },
        };
        shot.check("in/f2.png").unwrap();
        let names = |content: &str| {
            let frames = shot.source(folder.path(), content, &mut Digests::default());
            frames.map(|frames| frames.iter().map(|it| it.file_name().unwrap().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(names("in/f2.png").unwrap(), ["f2.png", "f5.png", "f8.png", "f11.png"]);
        assert!(names("in/f3.png").unwrap_err().sentence.contains("not those that were planned"));
        let before = shot.digest(folder.path(), "in/f2.png", &mut Digests::default());
        std::fs::write(folder.path().join("in/f5.png"), "other").unwrap();
        let after = shot.digest(folder.path(), "in/f2.png", &mut Digests::default());
        assert!(before.is_some() && after.is_some() && before != after);
        std::fs::remove_file(folder.path().join("in/f7.png")).unwrap();
        assert!(names("in/f2.png").is_err());
        assert_eq!(shot.digest(folder.path(), "in/f2.png", &mut Digests::default()), None);
    }
}
