//! Changes of a job that paints: taken from any thread, checked there and then, and given to the run before its next evaluation.
//!
//! ```text
//!   other thread   change: read, decode, check; number of the evaluation that it counts for   -->  waiting
//!   the job        before that evaluation:  waiting  -->  masks and run.json onto the disk  -->  laid over the recipe
//! ```
//!
//! What was taken together is one entry of the timeline, so that a dial that is dragged does not fill it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use impasto::forecast::memory_need;
use impasto::read::ReadLimits;
use impasto::recipe::{ChangedFields, RECIPE_LIMIT_BYTES, RecipeError, TimelineEntry};
use impasto::run::{ChangedGuides, check_regions};
use impasto::run_folder::Input;
use impasto::{Recipe, ResolvedRecipe, Scale};
use impasto_vgg::Engine;

use super::changed_masks::{MaskReader, Naming};
use crate::failure::Failure;
use crate::order::{HeldFiles, MaskFiles};

/// A change of a job that paints.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// What is other from the next evaluation on, in the units of [`Prepared::recipe`](super::Prepared::recipe). Masks are named by
    /// their paths; the recipe will have them by their digests.
    pub set: ChangedFields,
    /// Those of the masks whose bytes are here already, by the names that `set` has for them.
    pub held: HeldFiles,
}

impl From<ChangedFields> for Change {
    fn from(set: ChangedFields) -> Change {
        Change { set, held: HeldFiles::default() }
    }
}

/// A change that was taken and does not count yet.
pub(super) struct Taken {
    /// With weights in place of dials, and masks by their digests.
    pub set: ChangedFields,
    /// Its masks.
    pub guides: ChangedGuides,
    /// What `run.json` says of their files.
    pub inputs: Vec<Input>,
    /// Where copies of them go in the run's folder, and their bytes.
    pub copies: Vec<(PathBuf, Vec<u8>)>,
}

impl Taken {
    /// This, and then `next`.
    fn then(mut self, next: Taken) -> Taken {
        let Taken { set, guides, inputs, copies } = next;
        self.inputs.extend(inputs);
        self.copies.extend(copies);
        Taken {
            set: self.set.then(set),
            guides: ChangedGuides {
                regions: guides.regions.or(self.guides.regions),
                emphasis: guides.emphasis.or(self.guides.emphasis),
            },
            ..self
        }
    }
}

/// What a change has to fit to.
pub(super) struct Fits {
    pub engine: Arc<dyn Engine>,
    pub limits: ReadLimits,
    pub scales: Vec<Scale>,
    /// Width and height of the photo, in pixels.
    pub content_px: (usize, usize),
    /// Widths and heights of the paintings.
    pub style_sizes: Vec<(usize, usize)>,
    /// Pixels of all images that were read.
    pub image_pixels: u64,
    pub memory_limit: Option<u64>,
}

/// Where changes wait.
pub(super) struct Desk {
    fits: Fits,
    state: Mutex<State>,
}

struct State {
    /// The recipe with every change that was taken.
    recipe: ResolvedRecipe,
    /// Files of the masks that count by then.
    masks: MaskFiles,
    /// The evaluation that is made next.
    next: u32,
    waiting: Vec<Taken>,
}

impl Desk {
    /// A desk of a job with this recipe and these masks.
    pub fn new(fits: Fits, recipe: ResolvedRecipe, masks: MaskFiles) -> Desk {
        Desk { fits, state: Mutex::new(State { recipe, masks, next: 1, waiting: Vec::new() }) }
    }

    /// The run begins, or goes on, with this evaluation and this recipe.
    pub fn begin(&self, recipe: &ResolvedRecipe, next: u32) {
        let mut state = self.lock();
        (state.recipe, state.next) = (recipe.clone(), next);
        let waiting: Vec<TimelineEntry> = state.waiting.iter().map(|taken| entry(taken, next)).collect();
        waiting.into_iter().for_each(|entry| state.recipe.add_change(entry));
    }

    /// The recipe with every change that was taken.
    pub fn recipe(&self) -> ResolvedRecipe {
        self.lock().recipe.clone()
    }

    /// Takes a change; gives the evaluation that it will count for.
    pub fn take(&self, change: &Change) -> Result<u32, Failure> {
        let evaluations = self.fits.scales.iter().fold(0_u32, |sum, scale| sum.saturating_add(scale.evaluations));
        let before = {
            let state = self.lock();
            if state.next > evaluations {
                return Err(Failure::usage(
                    "the run has begun its last evaluation or was stopped; nothing can change any more",
                ));
            }
            (state.recipe.at_evaluation(state.next), state.masks.clone())
        };
        // Files are read and decoded while the run goes on.
        let ReadChange { set, masks, guides, inputs, copies } = read_change(change, &before.0, before.1, &self.fits)?;
        self.check_memory(&before.0.changed(&set)?.0, &guides)?;
        let mut state = self.lock();
        let next = state.next;
        if next > evaluations {
            return Err(Failure::usage(
                "the run has begun its last evaluation or was stopped; nothing can change any more",
            ));
        }
        // Another change may have come meanwhile.
        let (_, set) = state.recipe.at_evaluation(next).changed(&set)?;
        let mut whole = state.recipe.clone();
        whole.add_change(TimelineEntry { before_evaluation: next, set: set.clone() });
        let text = whole.to_json();
        if text.len() > RECIPE_LIMIT_BYTES {
            return Err(RecipeError::TooLong { bytes: text.len() }.into());
        }
        // Changes that were to come later have to fit to it too.
        Recipe::from_json(&text)?.resolve()?;
        (state.recipe, state.masks) = (whole, masks);
        state.waiting.push(Taken { set, guides, inputs, copies });
        Ok(next)
    }

    /// What has been taken, as one change, which is this evaluation's; after the largest number nothing is taken any more.
    pub fn hand_over(&self, evaluation: u32) -> Option<Taken> {
        let mut state = self.lock();
        state.next = evaluation.saturating_add(1);
        std::mem::take(&mut state.waiting).into_iter().reduce(Taken::then)
    }

    /// The run has this recipe now; what has been taken meanwhile comes over it.
    pub fn settle(&self, recipe: &ResolvedRecipe) {
        let mut state = self.lock();
        let next = state.next;
        let waiting: Vec<TimelineEntry> = state.waiting.iter().map(|taken| entry(taken, next)).collect();
        state.recipe = recipe.clone();
        waiting.into_iter().for_each(|entry| state.recipe.add_change(entry));
    }

    /// Nothing can change any more.
    pub fn close(&self) {
        self.lock().next = u32::MAX;
    }

    /// Whether there is memory for what a change asks for.
    fn check_memory(&self, changed: &ResolvedRecipe, guides: &ChangedGuides) -> Result<(), Failure> {
        let Fits { engine, scales, style_sizes, image_pixels, memory_limit, .. } = &self.fits;
        let of_masks =
            guides.regions.iter().flatten().flat_map(|region| [Some(&region.mask), region.painting_mask.as_ref()]);
        let masks = of_masks.flatten().chain(&guides.emphasis).map(|mask| (mask.width * mask.height) as u64);
        let pixels = image_pixels + masks.sum::<u64>();
        memory_need(changed, &**engine, scales, pixels, style_sizes, *memory_limit).map(drop).map_err(Failure::from)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(taken: &Taken, before_evaluation: u32) -> TimelineEntry {
    TimelineEntry { before_evaluation, set: taken.set.clone() }
}

impl fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        formatter
            .debug_struct("Desk")
            .field("next", &state.next)
            .field("waiting", &state.waiting.len())
            .finish_non_exhaustive()
    }
}

/// A change whose masks are read.
struct ReadChange {
    /// With weights in place of dials, and masks by their digests.
    set: ChangedFields,
    /// The files of all masks that count after it.
    masks: MaskFiles,
    /// The images.
    guides: ChangedGuides,
    /// What `run.json` says of the files.
    inputs: Vec<Input>,
    /// Where copies go in the run's folder, and their bytes.
    copies: Vec<(PathBuf, Vec<u8>)>,
}

/// Reads a change that comes while the recipe `before` and these masks count.
///
/// # Errors
/// Every error of the change and of its masks.
fn read_change(change: &Change, before: &ResolvedRecipe, masks: MaskFiles, fits: &Fits) -> Result<ReadChange, Failure> {
    let (changed, mut set) = before.changed(&change.set)?;
    let masks = masks.changed_by(&set, &mut |name| Ok(PathBuf::from(name)))?;
    let mut reader = MaskReader::new(&change.held, fits.limits, Naming::Digests);
    let guides = reader.read(&mut set, &changed, &masks)?;
    if let Some(regions) = &guides.regions {
        check_regions(&changed, fits.content_px, &fits.style_sizes, regions)?;
    }
    let MaskReader { inputs, copies, .. } = reader;
    Ok(ReadChange { set, masks, guides, inputs, copies })
}
