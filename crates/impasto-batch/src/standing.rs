//! What has become of a task, by what its files say and nothing else.

use impasto::digest::sha256_of_file;
use impasto::disk::DiskError;

use crate::digests::Digests;
use crate::folder::BatchFolder;
use crate::paths;
use crate::receipt::{FailureRecord, Receipt, read};
use crate::shot::PaintedFrames;
use crate::task::{Task, output_path};

/// What has become of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Its picture stands and is whole.
    Done(Box<Receipt>),
    /// It failed, and nothing has changed since.
    Failed(FailureRecord),
    /// It is to be done; why again, where it had been done.
    Left(Option<String>),
}

/// How closely a picture is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Its length.
    Quick,
    /// All its bytes.
    Whole,
}

impl Standing {
    /// What has become of this task, whose digest is `digest`.
    #[must_use]
    pub fn of(folder: &BatchFolder, task: &Task, digest: &str, look: Look, digests: &mut Digests) -> Standing {
        let receipt = read::<Receipt>(&folder.receipt(task.number));
        let why = match receipt {
            Some(receipt) => match difference(folder, task, digest, &receipt, look, digests) {
                None => return Standing::Done(Box::new(receipt)),
                Some(why) => Some(why),
            },
            None => None,
        };
        let failed = read::<FailureRecord>(&folder.failure(task.number));
        match failed.filter(|failed| failed.task == digest && failed.inputs == inputs(folder, task, digests)) {
            Some(failed) => Standing::Failed(failed),
            None => Standing::Left(why),
        }
    }
}

/// The digests of a task's files as they are, and of a shot's frames; `None` for one that cannot be read.
pub fn inputs(folder: &BatchFolder, task: &Task, digests: &mut Digests) -> Vec<Option<String>> {
    let root = folder.root();
    let mut sums: Vec<Option<String>> =
        task.inputs().map(|input| digests.of(&paths::from_text(root, &input.file)).ok()).collect();
    sums.extend(task.shot.as_ref().map(|shot| shot.digest(root, &task.content.file, digests)));
    sums
}

/// Why a receipt is not one of this task as it stands, if it is not.
fn difference(
    folder: &BatchFolder,
    task: &Task,
    digest: &str,
    receipt: &Receipt,
    look: Look,
    digests: &mut Digests,
) -> Option<String> {
    if receipt.task != digest {
        return Some("its task has changed since it was painted".to_owned());
    }
    if let Some(why) = damage(folder, task, receipt, look) {
        return Some(why);
    }
    if task.inputs().count() + usize::from(task.shot.is_some()) != receipt.inputs.len() {
        return Some("its receipt is of other files".to_owned());
    }
    for (input, painted) in task.inputs().zip(&receipt.inputs) {
        match digests.of(&paths::from_text(folder.root(), &input.file)) {
            Ok(found) if found != *painted => return Some(format!("{} has changed since", input.file)),
            Ok(_) => {}
            // What is gone says nothing against the picture, and could not be painted from.
            Err(DiskError::Missing { .. }) => {}
            Err(error) => return Some(error.to_string()),
        }
    }
    let (shot, painted) = (task.shot.as_ref()?, receipt.inputs.last()?);
    let found = shot.digest(folder.root(), &task.content.file, digests)?;
    (found != *painted).then(|| format!("frames in {} have changed since", shot.folder))
}

/// What is wrong with what was painted, if something is.
fn damage(folder: &BatchFolder, task: &Task, receipt: &Receipt, look: Look) -> Option<String> {
    let (path, output) = (output_path(folder.root(), task), &task.output);
    let is_whole = |found: Option<String>| found.as_ref() == Some(&receipt.output_sha256);
    let is_sound = if task.shot.is_some() {
        let Some(painted) = PaintedFrames::of(&path) else { return Some(format!("{output} is not there any more")) };
        let counted = (Some(painted.files.len()), painted.bytes) == (receipt.frames, receipt.output_bytes);
        counted && (look == Look::Quick || is_whole(painted.digest()))
    } else {
        let Ok(found) = path.metadata() else { return Some(format!("{output} is not there any more")) };
        let counted = found.is_file() && found.len() == receipt.output_bytes;
        counted && (look == Look::Quick || is_whole(sha256_of_file(&path).ok()))
    };
    (!is_sound).then(|| format!("{output} is damaged"))
}
