//! The folder of a run, from a job's side: may the run begin there, or does it go on; and how it ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use impasto::checkpoint::{Checkpoint, CheckpointError, newest};
use impasto::disk::{Lock, RealDisk, check_writable, create_folder, remove_abandoned, replace_file};
use impasto::recorder::{Recorder, Resumption, begin_folder, remove_checkpoints, write_record};
use impasto::run_folder::{
    FRAMES, FrameSchedule, INPUTS, Input, LOCK, RESULT, RunFolderError, RunOutcome, RunRecord, Saving, look,
};
use impasto::{Outcome, ResolvedRecipe};
use impasto_vgg::Layer;

use crate::failure::Failure;
use crate::machine::now;
use crate::shell::quoted;

/// Seconds between checkpoints where nothing else is asked for.
const CHECKPOINT_EVERY_S: f64 = 30.0;

/// A folder that a run is kept in, and what is written there on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepIn {
    /// The folder: new, empty, or of the same run not finished yet, which is gone on with.
    pub folder: PathBuf,
    /// Pictures on the way; `None` for the preset's own, which has some with `tutorial` alone.
    pub frames: Option<FrameSchedule>,
    /// Seconds between checkpoints; `None` for 30, or longer where the disk is slow.
    pub checkpoint_every_s: Option<f64>,
    /// Whether the state at the end stays, so that a branch can begin there: some pictures in f32.
    pub keeps_last_state: bool,
}

impl KeepIn {
    /// A folder with nothing but checkpoints on the way.
    #[must_use]
    pub fn folder(folder: &Path) -> KeepIn {
        KeepIn { folder: folder.to_owned(), frames: None, checkpoint_every_s: None, keeps_last_state: false }
    }
}

/// Where a run shall be kept.
#[derive(Debug)]
pub struct Keeping {
    /// The folder.
    pub folder: PathBuf,
    /// What is written on the way.
    pub saving: Saving,
    /// The run that is to be gone on with, where one was named.
    pub begun: Option<RunRecord>,
}

impl Keeping {
    /// A run in this folder, new or not.
    ///
    /// # Errors
    /// A folder that cannot take it.
    pub fn of_options(keep: &KeepIn, preset: &str) -> Result<Keeping, Failure> {
        let folder = keep.folder.as_path();
        if let Some(RunRecord { outcome: Some(_), .. }) = look(folder).map_err(folder_failure)? {
            return Err(finished(folder));
        }
        Ok(Keeping { folder: folder.to_owned(), saving: saving(keep, preset), begun: None })
    }

    /// The run in this folder.
    pub fn of_run(folder: &Path, record: RunRecord) -> Keeping {
        Keeping { folder: folder.to_owned(), saving: record.saving, begun: Some(record) }
    }
}

/// What is written on the way.
fn saving(keep: &KeepIn, preset: &str) -> Saving {
    let presets_own = if preset == "tutorial" { FrameSchedule::Tutorial } else { FrameSchedule::None };
    Saving {
        frames: keep.frames.unwrap_or(presets_own),
        checkpoint_every_s: keep.checkpoint_every_s.unwrap_or(CHECKPOINT_EVERY_S),
        // Who names a time means it.
        checkpoint_may_wait: keep.checkpoint_every_s.is_none(),
        keeps_last_state: keep.keeps_last_state,
    }
}

/// A folder that is not what it should be: the command line is wrong where it names somebody's folder.
pub fn folder_failure(error: RunFolderError) -> Failure {
    match error {
        RunFolderError::NotEmpty { .. } => Failure::usage(format_args!("--run-dir: {error}")),
        error => Failure::failed(error),
    }
}

fn finished(folder: &Path) -> Failure {
    Failure::usage(format_args!(
        "--run-dir {} holds a finished run, and its picture is {}; give another folder to paint again",
        folder.display(),
        folder.join(RESULT).display()
    ))
}

/// A run's folder, which is this program's while it holds this.
pub struct Kept {
    folder: PathBuf,
    _lock: Lock,
    record: RunRecord,
    /// Where the run goes on: the generation and the checkpoint.
    from: Option<(usize, Checkpoint)>,
    /// Whether the run was begun earlier, and where it goes on then.
    goes_on: bool,
    notes: Vec<String>,
}

impl Kept {
    /// Takes the folder and begins the run there, or finds where it goes on. `wanted` is what would be begun;
    /// `result_bytes` what the picture will take.
    ///
    /// # Errors
    /// A folder in use, or of another run; checkpoints none of which can be gone on from.
    pub fn open(
        keeping: Keeping,
        wanted: RunRecord,
        copies: &[(PathBuf, Vec<u8>)],
        result_bytes: u64,
    ) -> Result<Kept, Failure> {
        let folder = keeping.folder;
        create_folder(&RealDisk, &folder).map_err(Failure::failed)?;
        let lock = Lock::take(&folder.join(LOCK)).map_err(Failure::failed)?;
        // Since the first look another program may have come and gone.
        let found = look(&folder).map_err(folder_failure)?;
        check_writable(&folder.join(RESULT), result_bytes).map_err(Failure::failed)?;
        // A program that was killed while it wrote may have left files anywhere.
        [INPUTS, FRAMES].iter().for_each(|inside| remove_abandoned(&folder.join(inside)));
        let Some(found) = found else {
            begin_folder(&RealDisk, &folder, &wanted, copies).map_err(Failure::failed)?;
            return Ok(Kept { folder, _lock: lock, record: wanted, from: None, goes_on: false, notes: Vec::new() });
        };
        if found.outcome.is_some() {
            return Err(finished(&folder));
        }
        if let Some(differs) = difference(&found, &wanted) {
            return Err(Failure::usage(format_args!(
                "--run-dir {} holds another run, whose {differs} other than what is asked for; give another folder, or go on with that one by `impasto resume {}`",
                folder.display(),
                quoted(&folder)
            )));
        }
        let mut kept = Kept { folder, _lock: lock, record: wanted, from: None, goes_on: true, notes: Vec::new() };
        kept.record = RunRecord { output: kept.record.output, saving: kept.record.saving, ..found };
        kept.find_checkpoint()?;
        write_record(&RealDisk, &kept.folder, &kept.record).map_err(Failure::failed)?;
        Ok(kept)
    }

    fn find_checkpoint(&mut self) -> Result<(), Failure> {
        let found = newest(&self.folder);
        let folder = self.folder.display();
        match (&found.newest, found.refused.first()) {
            (None, Some(refused)) => return Err(Failure::failed(refused)),
            (None, None) => self.notes.push(format!("{folder} has no checkpoint yet; the run begins again")),
            (Some((_, checkpoint)), refused) => {
                self.notes.extend(refused.map(|error| match error {
                    CheckpointError::Damaged { path } => {
                        format!("{} is damaged; the other checkpoint is taken", path.display())
                    }
                    error => format!("{error}; the other checkpoint is taken"),
                }));
                let all: u64 = self.record.scales.iter().map(|scale| u64::from(scale.evaluations)).sum();
                let done = checkpoint.place.evaluations;
                self.notes.push(format!("{folder} goes on after evaluation {done} of {all}"));
            }
        }
        self.from = found.newest;
        Ok(())
    }

    /// Writes the run down from where it begins or goes on.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn recorder<'run>(&self, clock: &'run dyn Fn() -> f64) -> Result<Recorder<'run>, Failure> {
        let from =
            self.from.as_ref().map(|(generation, checkpoint)| Resumption { generation: *generation, checkpoint });
        Recorder::new(&RealDisk, &self.folder, &self.record, from, clock).map_err(Failure::failed)
    }

    /// Writes a change down: its masks, then the recipe with it.
    ///
    /// # Errors
    /// What the disk refuses; the run is then what it was.
    pub fn change(
        &mut self,
        recipe: &ResolvedRecipe,
        inputs: Vec<Input>,
        copies: &[(PathBuf, Vec<u8>)],
    ) -> Result<(), Failure> {
        for (path, bytes) in copies {
            replace_file(&RealDisk, &self.folder.join(path), bytes).map_err(Failure::failed)?;
        }
        let mut record = RunRecord { recipe: recipe.clone(), ..self.record.clone() };
        let masks = &mut record.inputs.changed_masks;
        for input in inputs {
            if !masks.contains(&input) {
                masks.push(input);
            }
        }
        write_record(&RealDisk, &self.folder, &record).map_err(Failure::failed)?;
        self.record = record;
        Ok(())
    }

    /// The checkpoint to go on from.
    pub fn take_checkpoint(&mut self) -> Option<Checkpoint> {
        self.from.take().map(|(_, checkpoint)| checkpoint)
    }

    /// Whether the run was begun by an earlier program.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Where the run goes on, a sentence each.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// The recipe as the run has it, which may call the same images by other names than `asked`.
    pub fn recipe(&self) -> &ResolvedRecipe {
        &self.record.recipe
    }

    /// The style layers' weights as they were ordered in proportion to paintings, if they were.
    pub fn in_proportion(&self) -> Option<&BTreeMap<Layer, f64>> {
        self.record.in_proportion.as_ref()
    }

    /// What is to be said where the run goes on on another engine than it began on.
    pub fn engine_note(&self, asked: &ResolvedRecipe) -> Option<String> {
        let (began, goes_on) = (self.record.recipe.engine.as_ref()?, asked.engine.as_ref()?);
        (began != goes_on).then(|| format!("the run began on {began} and goes on on {goes_on}: not to the same bytes"))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The picture is on the disk: says so in `run.json`, and removes what is needed no more.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn finish(mut self, outcome: &Outcome, seconds: f64) -> Result<(), Failure> {
        self.record.outcome = Some(RunOutcome {
            iterations: outcome.iterations,
            evaluations: outcome.evaluations,
            loss: outcome.losses.as_ref().map(|losses| losses.total),
            seconds,
            finished: now(),
        });
        write_record(&RealDisk, &self.folder, &self.record).map_err(Failure::failed)?;
        remove_checkpoints(&RealDisk, &self.folder).map_err(Failure::failed)
    }
}

/// In what the run that was found differs from the one that is asked for, if it does.
fn difference(found: &RunRecord, wanted: &RunRecord) -> Option<&'static str> {
    // The engine is a note for people; the images' names may differ where their bytes do not.
    let bare = |recipe: &ResolvedRecipe| ResolvedRecipe {
        engine: None,
        content: None,
        styles: None,
        version: String::new(),
        ..recipe.clone()
    };
    let sums = |record: &RunRecord| {
        let inputs = &record.inputs;
        let images = [&inputs.content].into_iter().chain(&inputs.styles).chain(&inputs.start).chain(&inputs.weights);
        images.map(|input| input.sha256.clone()).collect::<Vec<_>>()
    };
    match () {
        () if sums(found) != sums(wanted) => Some("images or weights are"),
        () if bare(&found.recipe) != bare(&wanted.recipe) => Some("recipe is"),
        () if (found.depth, found.quality) != (wanted.depth, wanted.quality) => Some("--depth or --quality is"),
        () if found.exif != wanted.exif => Some("--keep-exif is"),
        () => None,
    }
}
