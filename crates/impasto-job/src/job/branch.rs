//! A branch: a run that has another's past and a future of its own.
//!
//! ```text
//!   parent   recipe, its timeline up to evaluation n, | its timeline after n
//!   branch   recipe, its timeline up to evaluation n, | the change before n + 1
//! ```
//!
//! So a branch is a run like any other, which its recipe repeats from the beginning. What its parent has kept only spares work: a
//! state at or before n is taken over, and painted on from there. The branch is a folder with everything that it needs; it goes on by
//! [`Job::resume`](super::Job::resume).

use std::path::{Path, PathBuf};

use impasto::checkpoint::{Checkpoint, LAST_STATE, NAMES, read_checkpoint};
use impasto::digest;
use impasto::disk::{Lock, RealDisk, create_folder, read_file};
use impasto::read::{ReadLimits, read_picture};
use impasto::recipe::{ChangedFields, TimelineEntry};
use impasto::recorder::begin_branch;
use impasto::run::{ChangedGuides, changes_loss, check_regions};
use impasto::run_folder::{BranchOf, Input, Inputs, LOCK, RunRecord, look, read_record};
use impasto::{Recipe, ResolvedRecipe};

use super::Job;
use super::change::Change;
use super::changed_masks::{MaskReader, Naming};
use super::inputs::demand_same;
use super::keeping::folder_failure;
use super::proportion::Proportion;
use crate::engine::Engines;
use crate::failure::Failure;
use crate::machine::now;

/// Where a branch leaves its parent, and what is other from there on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branch {
    /// The last evaluation that both have; `None` for the newest that the parent has kept a state of.
    pub after_evaluation: Option<u32>,
    /// What is other from the next evaluation on; what the parent's timeline changes later is left out.
    pub change: Option<Change>,
    /// Evaluations at the full size that the branch makes beyond its parent's.
    pub more_evaluations: u32,
}

/// A branch that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branched {
    /// The last evaluation that it has in common with its parent.
    pub after_evaluation: u32,
    /// The evaluation after which it goes on; 0 where it begins anew.
    pub goes_on_after: u32,
}

/// Makes the folder of a branch of the run in the folder `parent`, which may be painting. The engine looks at the paintings where
/// regions come to a run whose weights were ordered in proportion to them.
///
/// # Errors
/// A folder that is no run, or that is not free; a branch without evaluations of its own; every error of its change.
pub fn branch(parent: &Path, folder: &Path, branch: &Branch, engines: &mut Engines) -> Result<Branched, Failure> {
    let record = read_record(parent).map_err(folder_failure)?;
    if look(folder).map_err(folder_failure)?.is_some() {
        return Err(Failure::usage(format_args!(
            "{} holds a run; give a branch a folder of its own",
            folder.display()
        )));
    }
    let states = states(parent);
    let all = record.scales.iter().fold(0_u32, |sum, scale| sum.saturating_add(scale.evaluations));
    let newest = states.iter().map(|state| state.place.evaluations).max();
    let kept = record.outcome.as_ref().map(|outcome| outcome.evaluations).or(newest);
    let after = branch.after_evaluation.or(kept).unwrap_or(0);
    if after > all {
        return Err(Failure::usage(format_args!("the run has {all} evaluations; there is nothing after {after}")));
    }
    if after == all && branch.more_evaluations == 0 {
        return Err(Failure::usage("the branch would begin at the run's end; give it more evaluations of its own"));
    }

    let mut recipe = record.recipe.clone();
    recipe.timeline = recipe.timeline_until(after).to_vec();
    recipe.iterations = recipe.iterations.saturating_add(branch.more_evaluations);
    let mut scales = record.scales.clone();
    if let Some(full) = scales.last_mut() {
        full.evaluations = full.evaluations.saturating_add(branch.more_evaluations);
    }
    let before = recipe.at_evaluation(after);
    let mut copies = Vec::new();
    let mut inputs = copied(parent, &record.inputs, &recipe, &mut copies)?;
    if let Some(change) = &branch.change {
        let (set, more) =
            read(parent, &RunRecord { recipe: recipe.clone(), ..record.clone() }, after, change, engines, &mut copies)?;
        inputs.changed_masks.extend(more.into_iter().filter(|input| !record.inputs.changed_masks.contains(input)));
        recipe.add_change(TimelineEntry { before_evaluation: after.saturating_add(1), set });
        // Its text may have become too long.
        Recipe::from_json(&recipe.to_json())?.resolve()?;
    }
    let forgets = changes_loss(&before, &recipe.at_evaluation(after.saturating_add(1)));
    let usable = states.into_iter().filter(|state| {
        // The last state knows nothing of its loss, as it is after a change.
        let done = state.place.evaluations;
        done <= after && (done < all || forgets)
    });
    let state = usable.max_by_key(|state| state.place.evaluations).and_then(|state| state.under(&recipe, &scales));
    let goes_on_after = state.as_ref().map_or(0, |state| state.place.evaluations);

    let absolute = std::path::absolute(parent).unwrap_or_else(|_| parent.to_owned());
    let branch = Some(BranchOf { parent: absolute, after_evaluation: after });
    let record = RunRecord { recipe, scales, inputs, started: now(), output: None, outcome: None, branch, ..record };
    create_folder(&RealDisk, folder).map_err(Failure::failed)?;
    let _lock = Lock::take(&folder.join(LOCK)).map_err(Failure::failed)?;
    begin_branch(&RealDisk, folder, &record, &copies, (parent, state.as_ref())).map_err(Failure::failed)?;
    Ok(Branched { after_evaluation: after, goes_on_after })
}

/// Every whole state that a run has kept. One that is damaged is as good as none: the branch is then painted from an earlier one.
fn states(parent: &Path) -> Vec<Checkpoint> {
    NAMES.iter().chain([&LAST_STATE]).filter_map(|name| read_checkpoint(parent, name).ok()).collect()
}

/// The inputs that a branch has in common with its parent, and copies of their files.
fn copied(
    parent: &Path,
    inputs: &Inputs,
    recipe: &ResolvedRecipe,
    copies: &mut Vec<(PathBuf, Vec<u8>)>,
) -> Result<Inputs, Failure> {
    let mut named = Vec::new();
    for entry in &recipe.timeline {
        entry.set.clone().rename_masks(&mut |name| {
            named.push(name.to_owned());
            Ok::<_, Failure>(name.to_owned())
        })?;
    }
    let mut inputs = inputs.clone();
    inputs.changed_masks.retain(|input| named.contains(&input.name));
    let Inputs { content, styles, start, masks, changed_masks, .. } = &inputs;
    for input in [content].into_iter().chain(styles).chain(start).chain(masks).chain(changed_masks) {
        copies.push((input.file.clone(), bytes_of(parent, input)?));
    }
    Ok(inputs)
}

/// A file that a run has kept.
fn bytes_of(parent: &Path, input: &Input) -> Result<Vec<u8>, Failure> {
    let path = Job::inside(parent, input)?;
    let bytes = read_file(&path, ReadLimits::default().file_mib).map_err(Failure::failed)?;
    demand_same(&path, &digest::sha256(&bytes), input)?;
    Ok(bytes)
}

/// A branch's change after so many evaluations of what the record says, and its masks.
fn read(
    parent: &Path,
    record: &RunRecord,
    after: u32,
    change: &Change,
    engines: &mut Engines,
    copies: &mut Vec<(PathBuf, Vec<u8>)>,
) -> Result<(ChangedFields, Vec<Input>), Failure> {
    let order = Job::order_of_run(parent, record)?;
    let (changed, mut set) = record.recipe.at_evaluation(u32::MAX).changed(&change.set)?;
    let masks = order.timeline_masks.last().unwrap_or(&order.masks).clone();
    let masks = masks.changed_by(&set, &mut |name| Ok(PathBuf::from(name)))?;
    let limits =
        ReadLimits { megapixels: record.reading.megapixels, lenient: record.reading.lenient, ..ReadLimits::default() };
    let mut reader = MaskReader::new(&change.held, limits, Naming::Digests);
    let guides = reader.read(&mut set, &changed, &masks)?;
    if let Some(regions) = &guides.regions {
        let size = |path: &PathBuf| {
            read_picture(path, &limits).map(|read| (read.picture.width, read.picture.height)).map_err(Failure::failed)
        };
        let styles_px = order.styles.iter().map(size).collect::<Result<Vec<_>, _>>()?;
        check_regions(&changed, size(&order.content)?, &styles_px, regions)?;
        weigh(parent, record, after, engines, &mut set, &guides)?;
    }
    copies.append(&mut reader.copies);
    Ok((set, reader.inputs))
}

/// Weighs a change's regions by their paintings, where the run's weights were ordered in proportion.
fn weigh(
    parent: &Path,
    record: &RunRecord,
    after: u32,
    engines: &mut Engines,
    set: &mut ChangedFields,
    guides: &ChangedGuides,
) -> Result<(), Failure> {
    let Some(ordered) = record.in_proportion.clone() else { return Ok(()) };
    // Prepared like the run itself, which is not begun: nothing is written.
    let record = RunRecord { output: None, outcome: None, ..record.clone() };
    let recipe = record.recipe.clone();
    let prepared = Job::of_run(parent, record, None)?.prepare(engines)?;
    let proportion = Proportion {
        ordered: Some(ordered),
        engine: &*prepared.engine,
        images: prepared.images.shown(),
        memory_limit: prepared.memory_limit,
    };
    proportion.weigh(&recipe, after.saturating_add(1), set, guides)
}
