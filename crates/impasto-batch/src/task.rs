//! A task: everything that a picture depends on, on one line of JSON.

mod check;
mod digest;

use std::path::{Path, PathBuf};

use impasto::ResolvedRecipe;
use impasto::image_file::exif::KeptExif;
use impasto::read::ReadLimits;
use impasto::write::WriteOptions;
use impasto_job::order::{OrderFiles, ResolvedOrder};
use impasto_job::{Failure, Files, Job, KeepIn};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::digest::digest;
use crate::paths;
use crate::shot::TaskShot;

/// The format of tasks that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// The largest number of a task, of which names have six digits.
pub const LARGEST_NUMBER: u32 = 999_999;

/// Bits a channel of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// 8.
    #[default]
    #[serde(rename = "8")]
    Eight,
    /// 16.
    #[serde(rename = "16")]
    Sixteen,
    /// 16 where the photo has more than 8.
    #[serde(rename = "auto")]
    Photos,
}

/// A file that a picture is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskInput {
    /// Where it lies: from the batch's folder, or absolute; with `/`.
    pub file: String,
    /// The SHA-256 that it had when the task was planned, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// A picture that is to be painted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// 1.
    pub format: u32,
    /// Its number, from 1; it stays when the batch is planned anew.
    pub number: u32,
    /// The photo.
    pub content: TaskInput,
    /// The paintings, in their order.
    pub styles: Vec<TaskInput>,
    /// The picture to start from, where the recipe names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<TaskInput>,
    /// Masks, in the order of [`OrderFiles::masks`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masks: Vec<TaskInput>,
    /// Masks after each change of the recipe's timeline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline_masks: Vec<Vec<TaskInput>>,
    /// The weights, where they are a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<TaskInput>,
    /// The picture: `pictures/NAME.png`. Of a shot the folder of its frames: `films/NAME/shot-000001`.
    pub output: String,
    /// Bits a channel.
    pub depth: Depth,
    /// What of the photo's EXIF data the picture has.
    pub exif: KeptExif,
    /// The most megapixels of an image that is read.
    pub megapixels: u64,
    /// Whether what is left of a damaged image is read.
    pub lenient: bool,
    /// The only engine that may do it, as in `cpu avx2`; none where any may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The number of a task that has to be done before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u32>,
    /// Memory that it takes at once, in MiB, as it was forecast.
    pub memory_mib: f64,
    /// Threads that the forecast is for.
    pub threads: usize,
    /// Seconds that it takes, as they were forecast on the machine that planned it.
    pub seconds: f64,
    /// The shot of a film, of which `content` is the first frame; none where a picture is to be painted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shot: Option<TaskShot>,
    /// The whole recipe; its images are named without their folders.
    pub recipe: ResolvedRecipe,
}

impl Task {
    /// Reads a line, and gives its digest too.
    ///
    /// # Errors
    /// What is wrong with it, as half a sentence with the way out.
    pub fn parse(line: &str) -> Result<(Task, String), String> {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("is no task in JSON ({error})"))?;
        match value.get("format").and_then(Value::as_u64) {
            Some(found) if found > u64::from(FORMAT) => {
                return Err(format!(
                    "has a task of format {found}, and this impasto reads formats up to {FORMAT}; use a newer one"
                ));
            }
            Some(1..) => {}
            _ => return Err("has no task with a format".to_owned()),
        }
        let digest = digest(&value);
        let task: Task = serde_json::from_value(value).map_err(|error| format!("has a wrong task ({error})"))?;
        task.check()?;
        Ok((task, digest))
    }

    /// The line, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        // Texts, finite numbers and maps keyed by names: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What the picture depends on, as one digest: not what was forecast, nor the number, nor what the files' bytes were.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(&serde_json::to_value(self).unwrap_or_default())
    }

    /// The files, in a fixed order.
    pub fn inputs(&self) -> impl Iterator<Item = &TaskInput> {
        let images = [&self.content].into_iter().chain(&self.styles).chain(&self.start).chain(&self.masks);
        images.chain(self.timeline_masks.iter().flatten()).chain(&self.weights)
    }

    /// Where the files lie, for the batch in `root`.
    #[must_use]
    pub fn files(&self, root: &Path) -> OrderFiles {
        let path = |input: &TaskInput| paths::from_text(root, &input.file);
        let all = |inputs: &Vec<TaskInput>| inputs.iter().map(path).collect();
        OrderFiles {
            content: path(&self.content),
            styles: all(&self.styles),
            start: self.start.as_ref().map(path),
            masks: all(&self.masks),
            timeline_masks: self.timeline_masks.iter().map(all).collect(),
            weights: self.weights.as_ref().map(path),
        }
    }

    /// The job, begun in this folder; the picture is that of the run.
    ///
    /// # Errors
    /// As [`Job::new`].
    pub fn job(&self, root: &Path, run: &Path) -> Result<Job, Failure> {
        let order = ResolvedOrder::of_files(&self.recipe, &self.files(root))?;
        let write = WriteOptions { bits: if self.depth == Depth::Sixteen { 16 } else { 8 }, ..WriteOptions::default() };
        let read = ReadLimits { megapixels: self.megapixels, lenient: self.lenient, ..ReadLimits::default() };
        let (has_photos_bits, exif) = (self.depth == Depth::Photos, self.exif);
        let files = Files { output: None, has_made_name: false, write, has_photos_bits, exif, read };
        Job::of_resolved(order, &files, Some(&KeepIn::folder(run)))
    }

    /// The photo and the paintings by their names, as people say it.
    #[must_use]
    pub fn title(&self) -> String {
        let name = |input: &TaskInput| input.file.rsplit('/').next().unwrap_or_default().to_owned();
        let styles: Vec<String> = self.styles.iter().map(name).collect();
        let content = match &self.shot {
            Some(shot) => format!("{}, {} frames from {}", shot.film, shot.frames, name(&self.content)),
            None => name(&self.content),
        };
        match styles.is_empty() {
            true => content,
            false => format!("{content} after {}", styles.join(", ")),
        }
    }
}

/// A file as a task has it.
///
/// # Errors
/// As [`paths::to_text`].
pub fn input(root: &Path, path: &Path, sha256: String) -> Result<TaskInput, Failure> {
    Ok(TaskInput { file: paths::to_text(root, &paths::real(path))?, sha256 })
}

/// Where the picture of a task lies.
pub fn output_path(root: &Path, task: &Task) -> PathBuf {
    paths::from_text(root, &task.output)
}

#[cfg(test)]
pub mod tests {
    use impasto::Recipe;
    use impasto::digest::sha256;
    use impasto::recipe::{Start, parse_layers};
    use impasto_film::Choices;
    use proptest::prelude::*;

    use super::*;

    /// A task of a photo and a painting.
    pub fn task(number: u32) -> Task {
        let file = |name: &str| TaskInput { file: format!("../in/{name}"), sha256: sha256(name.as_bytes()) };
        let recipe = Recipe {
            content: Some("photo.png".to_owned()),
            styles: Some(vec!["painting.png".to_owned()]),
            style_layers: Some(parse_layers("--style-layers", "conv1_1").unwrap()),
            ..Recipe::default()
        };
        Task {
            format: FORMAT,
            number,
            content: file("photo.png"),
            styles: vec![file("painting.png")],
            start: None,
            masks: Vec::new(),
            timeline_masks: Vec::new(),
            weights: None,
            output: format!("pictures/photo-painting-{number}.png"),
            depth: Depth::Eight,
            exif: KeptExif::Nothing,
            megapixels: 256,
            lenient: false,
            engine: None,
            after: None,
            memory_mib: 300.5,
            threads: 2,
            seconds: 12.25,
            shot: None,
            recipe: recipe.resolve().unwrap(),
        }
    }

    #[test]
    fn a_line_reads_back() {
        let task = task(7);
        let (read, digest) = Task::parse(&task.line()).unwrap();
        assert_eq!((&read, digest), (&task, task.digest()));
        assert_eq!(task.title(), "photo.png after painting.png");
    }

    #[test]
    fn a_digest_is_of_what_the_picture_depends_on() {
        let one = task(7);
        let other = TaskInput { sha256: sha256(b"other"), ..one.content.clone() };
        let mut newer = one.recipe.clone();
        newer.version = "99".to_owned();
        for same in [
            Task { number: 8, ..one.clone() },
            Task { after: Some(3), ..one.clone() },
            Task { memory_mib: 1.0, threads: 1, seconds: 1.0, ..one.clone() },
            Task { content: other, ..one.clone() },
            Task { recipe: newer, ..one.clone() },
        ] {
            assert_eq!(same.digest(), one.digest(), "{same:?}");
        }
        let mut recipe = one.recipe.clone();
        recipe.seed += 1;
        for another in [
            Task { recipe, ..one.clone() },
            Task { output: "pictures/other.png".to_owned(), ..one.clone() },
            Task { depth: Depth::Sixteen, ..one.clone() },
            Task { styles: vec![one.content.clone()], ..one.clone() },
            Task { engine: Some("cpu avx2".to_owned()), ..one.clone() },
        ] {
            assert_ne!(another.digest(), one.digest(), "{another:?}");
        }
    }

    #[test]
    fn a_shot_is_told_from_a_picture_and_from_other_shots() {
        let picture = task(7);
        assert!(!picture.line().contains("shot"), "a picture's line is what it was before there were shots");
        let choices = Choices { cuts: false, ..Choices::default() };
        let shot = TaskShot {
            film: "film".to_owned(),
            folder: "../in".to_owned(),
            first: 1,
            every: 1,
            frames: 9,
            last: "z.png".to_owned(),
            sha256: sha256(b"frames"),
            choices: choices.clone(),
        };
        let of = |shot: TaskShot| Task {
            shot: Some(shot),
            output: "films/film-a/shot-000001".to_owned(),
            ..picture.clone()
        };
        let one = of(shot.clone());
        let (read, digest) = Task::parse(&one.line()).unwrap();
        assert_eq!((&read, digest), (&one, one.digest()));
        assert_eq!(one.title(), "film, 9 frames from photo.png after painting.png");
        assert_eq!(of(TaskShot { sha256: sha256(b"others"), ..shot.clone() }).digest(), one.digest());
        for another in [
            TaskShot { frames: 8, ..shot.clone() },
            TaskShot { choices: Choices { passes: 2, ..choices }, ..shot.clone() },
            TaskShot { every: 2, ..shot },
        ] {
            assert_ne!(of(another).digest(), one.digest());
        }
        let wrong = [
            (Task { depth: Depth::Sixteen, ..one.clone() }, "8 bits"),
            (Task { output: picture.output.clone(), ..one.clone() }, "a shot is films/NAME"),
            (Task { output: one.output.clone(), ..picture.clone() }, "a picture is pictures/NAME"),
        ];
        for (task, needle) in wrong {
            let said = Task::parse(&task.line()).unwrap_err();
            assert!(said.contains(needle), "{needle}: {said}");
        }
    }

    #[test]
    fn each_field_is_checked() {
        let one = task(7);
        let mut start = one.recipe.clone();
        start.init = Start::File("start.png".into());
        let bad = |file: &str, sha256: &str| TaskInput { file: file.to_owned(), sha256: sha256.to_owned() };
        let output = |output: &str| Task { output: output.to_owned(), ..one.clone() };
        let digest = one.content.sha256.as_str();
        let cases = [
            (Task { number: 0, ..one.clone() }, "number 0"),
            (Task { number: 1_000_000, ..one.clone() }, "number 1000000"),
            (Task { after: Some(7), ..one.clone() }, "wait for task 7"),
            (Task { after: Some(0), ..one.clone() }, "wait for task 0"),
            (output("../a.png"), "would write"),
            (output("pictures/../a.png"), "would write"),
            (output("pictures/a/b.png"), "would write"),
            (output("pictures/.png"), "would write"),
            (output("pictures/a.jpg"), "would write"),
            (output("pictures/a\nb.png"), "would write"),
            (output("/etc/a.png"), "would write"),
            (Task { content: bad("", digest), ..one.clone() }, "no name"),
            (Task { content: bad("a", "A"), ..one.clone() }, "sha256"),
            (Task { content: bad("a", &digest.to_uppercase()), ..one.clone() }, "sha256"),
            (Task { memory_mib: -1.0, ..one.clone() }, "memory_mib"),
            (Task { threads: 0, ..one.clone() }, "threads"),
            (Task { megapixels: 0, ..one.clone() }, "megapixels"),
            (Task { engine: Some(String::new()), ..one.clone() }, "engine"),
            (Task { styles: Vec::new(), ..one.clone() }, "other files"),
            (Task { recipe: start, ..one.clone() }, "other files"),
            (Task { format: 2, ..one.clone() }, "formats up to 1"),
        ];
        for (task, needle) in cases {
            let said = Task::parse(&task.line()).unwrap_err();
            assert!(said.contains(needle), "{needle}: {said}");
        }
        let with = |text: &str| one.line().replacen('{', text, 1);
        for (line, needle) in [
            (String::new(), "no task in JSON"),
            ("[1]".to_owned(), "no task with a format"),
            ("{}".to_owned(), "no task with a format"),
            (with("{\"colour\":1,"), "unknown field `colour`"),
            (one.line().replace("\"iterations\":", "\"iterations\":-"), "wrong task"),
            (one.line().replace("\"seconds\":12.25", "\"seconds\":1e999"), "no task in JSON"),
        ] {
            let said = Task::parse(&line).unwrap_err();
            assert!(said.contains(needle), "{needle}: {said}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        /// Whatever somebody does to a line: it is refused, or read as it stands.
        #[test]
        fn a_line_with_a_changed_part_is_refused_or_read(at in any::<prop::sample::Index>(), length in 0_usize..6, text in ".{0,6}") {
            let letters: Vec<char> = task(7).line().chars().collect();
            let start = at.index(letters.len());
            let end = (start + length).min(letters.len());
            let line: String = letters[..start].iter().copied().chain(text.chars()).chain(letters[end..].iter().copied()).collect();
            if let Ok((read, digest)) = Task::parse(&line) {
                let (again, _) = Task::parse(&read.line()).unwrap();
                prop_assert_eq!(&again, &read);
                prop_assert_eq!(digest.len(), 64);
            }
        }
    }
}
