//! Checkpoints: everything that the rest of a run depends on, in a file.
//!
//! ```text
//!   16 bytes   "impasto checkpnt"
//!    8 bytes   version of this layout
//!    8 bytes   length of the header
//!   header     JSON: program, recipe, place in the run, losses, size of the picture
//!   values     the picture that is evaluated next, [3, height, width], f32
//!   state      the optimiser's own (L-BFGS with its history)
//!   matches    where the recipe has any: for each layer its centre, f32, and an entry for each position, u32
//!    4 bytes   CRC-32C of all of the above, so that every single flipped bit is noticed
//! ```
//!
//! Numbers are little-endian. There is no state of a random generator: noise is drawn once, for the start, from the
//! recipe's seed. Two generations lie beside each other ([`NAMES`]); the older is replaced, in one step, so that one is
//! whole at any moment. A reader takes the newer of those that are whole.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use impasto_vgg::Matches;
use serde::{Deserialize, Serialize};

use crate::disk::crc32c::crc32c;
use crate::disk::{Disk, DiskError, open_file, read_file, stage_written};
use crate::objective::Losses;
use crate::optimiser::state::{Damaged, StateReader, StateWriter};
use crate::optimiser::{Optimiser, optimiser};
use crate::picture::Picture;
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{RECIPE_LIMIT_BYTES, Recipe};
use crate::run::scales::Scale;

const MAGIC: &[u8; 16] = b"impasto checkpnt";

/// The version of the layout that this program writes, and the only one that it reads.
const LAYOUT_VERSION: u64 = 2;

/// The format of the header that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// The format of a header from before there was a number.
fn first_format() -> u32 {
    1
}

/// Names of the two generations in a run's folder.
pub const NAMES: [&str; 2] = ["checkpoint-a", "checkpoint-b"];

/// The state at the end of a finished run, without what was known of its loss; where it was asked for.
pub const LAST_STATE: &str = "last-state";

/// Bytes that a header may have: the recipe, twice over.
const HEADER_LIMIT_BYTES: u64 = 2 * RECIPE_LIMIT_BYTES as u64;

/// Largest file that is read, in MiB: a history of 100 at 8192 x 8192.
const FILE_LIMIT_MIB: u64 = 160 << 10;

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Place among the scales.
    pub scale_index: usize,
    /// Evaluations at this scale.
    pub scale_evaluations: u32,
    /// Accepted evaluations in the whole run.
    pub iterations: u32,
    /// Evaluations in the whole run.
    pub evaluations: u32,
}

/// The state of a run between two evaluations, where it lies.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    /// The recipe.
    pub recipe: &'a ResolvedRecipe,
    /// The present scale.
    pub scale: Scale,
    /// How far the run has come.
    pub place: Place,
    /// The losses of the last good picture.
    pub losses: Option<&'a Losses>,
    /// The picture that is evaluated next, `[3, height, width]`.
    pub picture: &'a [f32],
    /// The optimiser.
    pub optimiser: &'a dyn Optimiser,
    /// What features were matched to; empty where none are.
    pub matches: &'a [Matches],
}

/// A state to go on from.
pub struct Checkpoint {
    /// The recipe of the run.
    pub recipe: ResolvedRecipe,
    /// How far the run has come.
    pub place: Place,
    /// The losses of the last good picture.
    pub losses: Option<Losses>,
    /// The picture that is evaluated next.
    pub picture: Picture,
    /// The optimiser.
    pub optimiser: Box<dyn Optimiser>,
    /// What features were matched to; empty where none are.
    pub matches: Vec<Matches>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    /// [`FORMAT`].
    #[serde(default = "first_format")]
    format: u32,
    program: String,
    recipe: serde_json::Value,
    place: Place,
    losses: Option<Losses>,
    width: usize,
    height: usize,
}

/// As much of a header as every format has.
#[derive(Deserialize)]
struct HeaderFormat {
    #[serde(default = "first_format")]
    format: u32,
}

/// A checkpoint that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not a checkpoint at all.
    #[error("{} is not a checkpoint of impasto; give the folder of a run", path.display())]
    Other {
        /// The file.
        path: PathBuf,
    },
    /// Written by a program that this one does not continue.
    #[error("{} was written by another version of impasto (layout {found}, and this one reads {LAYOUT_VERSION}); go on with the version that began the run", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// The layout's version.
        found: u64,
    },
    /// A header of a format that is yet to come.
    #[error("{} has format {found}, and this impasto reads formats up to {FORMAT}; go on with the version that began the run", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Written by another version, whose numbers may differ.
    #[error("{} was written by impasto {found}, and this is {}; go on with the version that began the run", path.display(), env!("CARGO_PKG_VERSION"))]
    Program {
        /// The file.
        path: PathBuf,
        /// The version.
        found: String,
    },
    /// Bytes have changed or are missing.
    #[error("{} is damaged, and no other checkpoint is whole; remove them, and the run begins again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It could not be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Snapshot<'_> {
    /// Writes the checkpoint.
    ///
    /// # Errors
    /// What the target reports.
    pub fn write(&self, target: &mut dyn io::Write) -> io::Result<()> {
        self.write_with(target, &|state| self.optimiser.save(state))
    }

    /// Writes the state that a change of the loss would leave: without what was known of the loss before, which is most of it.
    ///
    /// # Errors
    /// What the target reports.
    pub fn write_for_other_loss(&self, target: &mut dyn io::Write) -> io::Result<()> {
        self.write_with(target, &|state| self.optimiser.save_for_other_loss(state))
    }

    fn write_with(
        &self,
        target: &mut dyn io::Write,
        optimiser: &dyn Fn(&mut StateWriter<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let header = Header {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            recipe: serde_json::to_value(self.recipe)?,
            place: self.place,
            losses: self.losses.cloned(),
            width: self.scale.width,
            height: self.scale.height,
        };
        let header = serde_json::to_vec(&header)?;
        let mut state = StateWriter::new(target);
        state.bytes(MAGIC)?;
        state.count(LAYOUT_VERSION)?;
        state.count(header.len() as u64)?;
        state.bytes(&header)?;
        state.values(self.picture)?;
        optimiser(&mut state)?;
        for matches in self.matches {
            state.values(&matches.centre)?;
            state.indices(&matches.indices)?;
        }
        state.finish()
    }

    /// Whether the scale's last evaluation is done.
    #[must_use]
    pub(crate) fn ends_scale(&self) -> bool {
        self.place.scale_evaluations == self.scale.evaluations
    }
}

impl Checkpoint {
    /// Reads a checkpoint; `path` is named in errors.
    ///
    /// # Errors
    /// See [`CheckpointError`]. Any bytes may be given; no more memory is taken than they have.
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Checkpoint, CheckpointError> {
        let damaged = |_: Damaged| CheckpointError::Damaged { path: path.to_owned() };
        let mut state = StateReader::new(bytes);
        if state.bytes(MAGIC.len()).map_err(damaged)? != MAGIC {
            return Err(CheckpointError::Other { path: path.to_owned() });
        }
        let layout = state.count(u64::MAX).map_err(damaged)?;
        if layout != LAYOUT_VERSION {
            return Err(CheckpointError::Layout { path: path.to_owned(), found: layout });
        }
        let (summed, sum) = bytes.split_last_chunk::<4>().ok_or(Damaged).map_err(damaged)?;
        if crc32c(summed) != u32::from_le_bytes(*sum) {
            return Err(damaged(Damaged));
        }
        let mut state = StateReader::new(summed);
        state.bytes(MAGIC.len() + 8).map_err(damaged)?;
        let header = header_text(&mut state).map_err(damaged)?;
        let format: HeaderFormat = serde_json::from_slice(header).map_err(|_| damaged(Damaged))?;
        if format.format > FORMAT {
            return Err(CheckpointError::Format { path: path.to_owned(), found: format.format });
        }
        let header: Header = serde_json::from_slice(header).map_err(|_| damaged(Damaged))?;
        if header.program != env!("CARGO_PKG_VERSION") {
            let found = header.program.chars().filter(|letter| !letter.is_control()).take(40).collect();
            return Err(CheckpointError::Program { path: path.to_owned(), found });
        }
        read_body(header, state).map_err(damaged)
    }

    /// This state as one of a run with this recipe and these scales, which has the same past and may have another future; `None`
    /// where it has another past. A run's last scale may be longer.
    #[must_use]
    pub fn under(mut self, recipe: &ResolvedRecipe, scales: &[Scale]) -> Option<Checkpoint> {
        self.recipe.iterations = recipe.iterations;
        self.belongs_to(recipe, scales).then(|| Checkpoint { recipe: recipe.clone(), ..self })
    }

    /// Writes it down as the first generation in this folder; it is of one of these scales.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn save(&self, disk: &dyn Disk, folder: &Path, scales: &[Scale]) -> Result<(), DiskError> {
        let Some(&scale) = scales.get(self.place.scale_index) else { return Ok(()) };
        Keeper::new(disk, folder, None).save(&Snapshot {
            recipe: &self.recipe,
            scale,
            place: self.place,
            losses: self.losses.as_ref(),
            picture: &self.picture.values,
            optimiser: self.optimiser.as_ref(),
            matches: &self.matches,
        })
    }

    /// Whether it can be a state of the run with this recipe and these scales.
    #[must_use]
    pub(crate) fn belongs_to(&self, recipe: &ResolvedRecipe, scales: &[Scale]) -> bool {
        // The engine is a note for people.
        let bare = |recipe: &ResolvedRecipe| ResolvedRecipe {
            engine: None,
            // What comes later may have been changed since.
            timeline: recipe.timeline_until(self.place.evaluations).to_vec(),
            ..recipe.clone()
        };
        let Some(scale) = scales.get(self.place.scale_index) else { return false };
        let before: u64 = scales[..self.place.scale_index].iter().map(|scale| u64::from(scale.evaluations)).sum();
        bare(&self.recipe) == bare(recipe)
            && (self.picture.width, self.picture.height) == (scale.width, scale.height)
            && (1..=scale.evaluations).contains(&self.place.scale_evaluations)
            && u64::from(self.place.evaluations) == before + u64::from(self.place.scale_evaluations)
            && self.place.iterations <= self.place.evaluations
    }
}

fn header_text<'bytes>(state: &mut StateReader<'bytes>) -> Result<&'bytes [u8], Damaged> {
    let length = state.count(HEADER_LIMIT_BYTES)?;
    state.bytes(length as usize)
}

fn read_body(header: Header, mut state: StateReader<'_>) -> Result<Checkpoint, Damaged> {
    let recipe = Recipe::from_json(&header.recipe.to_string()).and_then(|recipe| recipe.resolve());
    let recipe = recipe.map_err(|_| Damaged)?;
    let (width, height) = (header.width, header.height);
    let count = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3)).ok_or(Damaged)?;
    // The bytes are there, or nothing of that size is made.
    let picture = Picture::new(width, height, state.values(count)?).map_err(|_| Damaged)?;
    let mut optimiser = optimiser(&recipe, width, height);
    optimiser.restore(count, &mut state)?;
    let matched =
        recipe.at_evaluation(header.place.evaluations).counted_match_layers().into_iter().map(|(layer, _)| {
            let (map_height, map_width) = layer.map_size(height, width);
            let centre = state.values(layer.channels())?;
            Ok(Matches { layer, centre, indices: state.indices(map_height * map_width)? })
        });
    let matches = matched.collect::<Result<_, Damaged>>()?;
    state.end()?;
    Ok(Checkpoint { recipe, place: header.place, losses: header.losses, picture, optimiser, matches })
}

/// Writes checkpoints of one run, the two generations in turn.
pub struct Keeper<'disk> {
    disk: &'disk dyn Disk,
    folder: PathBuf,
    /// Place in [`NAMES`] of the one that is written next.
    next: usize,
}

impl<'disk> Keeper<'disk> {
    /// A keeper in this folder; `last` is the generation that the run goes on from, which stays until another is whole.
    #[must_use]
    pub fn new(disk: &'disk dyn Disk, folder: &Path, last: Option<usize>) -> Keeper<'disk> {
        Keeper { disk, folder: folder.to_owned(), next: last.map_or(0, |last| 1 - last.min(1)) }
    }

    /// Writes a checkpoint over the older generation.
    ///
    /// # Errors
    /// [`DiskError`]; then both generations are what they were, and the next try writes over the same one.
    pub fn save(&mut self, snapshot: &Snapshot<'_>) -> Result<(), DiskError> {
        let path = self.folder.join(NAMES[self.next]);
        stage_written(self.disk, &path, &mut |target| snapshot.write(target))?.commit()?;
        self.next = 1 - self.next;
        Ok(())
    }
}

/// Writes the last state of a run into its folder.
///
/// # Errors
/// What the disk refuses.
pub fn save_last_state(disk: &dyn Disk, folder: &Path, snapshot: &Snapshot<'_>) -> Result<(), DiskError> {
    let write = &mut |target: &mut dyn io::Write| snapshot.write_for_other_loss(target);
    stage_written(disk, &folder.join(LAST_STATE), write)?.commit()
}

/// The checkpoint in one file of a run's folder.
///
/// # Errors
/// See [`CheckpointError`].
pub fn read_checkpoint(folder: &Path, name: &str) -> Result<Checkpoint, CheckpointError> {
    let path = folder.join(name);
    Checkpoint::decode(&read_file(&path, FILE_LIMIT_MIB)?, &path)
}

/// What [`newest`] found.
pub struct Found {
    /// The newer of the whole checkpoints, with its place in [`NAMES`]; `None` where there is none.
    pub newest: Option<(usize, Checkpoint)>,
    /// Why the others were left.
    pub refused: Vec<CheckpointError>,
}

/// Looks for checkpoints in the folder of a run. The older is read only where the newer is not whole: a checkpoint may be
/// as large as the rest of the memory.
#[must_use]
pub fn newest(folder: &Path) -> Found {
    let mut found = Found { newest: None, refused: Vec::new() };
    let mut generations: Vec<(Option<u32>, usize)> =
        NAMES.iter().enumerate().map(|(place, name)| (evaluations_told(&folder.join(name)), place)).collect();
    // One that does not even tell how far it has come is looked at first, so that it is named.
    generations.sort_by_key(|&(evaluations, _)| std::cmp::Reverse(evaluations.map_or(u64::MAX, u64::from)));
    for (_, place) in generations {
        match read_checkpoint(folder, NAMES[place]) {
            Err(CheckpointError::Disk(DiskError::Missing { .. })) => {}
            Err(error) => found.refused.push(error),
            Ok(checkpoint) => {
                found.newest = Some((place, checkpoint));
                break;
            }
        }
    }
    found
}

/// How far the run had come by what the header says; the sum is not looked at.
fn evaluations_told(path: &Path) -> Option<u32> {
    let (file, _) = open_file(path).ok()?;
    let mut beginning = Vec::new();
    file.take(MAGIC.len() as u64 + 16 + HEADER_LIMIT_BYTES).read_to_end(&mut beginning).ok()?;
    let mut state = StateReader::new(&beginning);
    let is_ours = state.bytes(MAGIC.len()).ok()? == MAGIC && state.count(u64::MAX).ok()? == LAYOUT_VERSION;
    is_ours.then_some(())?;
    let header: Header = serde_json::from_slice(header_text(&mut state).ok()?).ok()?;
    Some(header.place.evaluations)
}
