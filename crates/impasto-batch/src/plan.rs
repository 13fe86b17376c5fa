//! From pairs and options to a file of tasks: everything that can be said before the first picture is said here.
//!
//! ```text
//!   films  -->  shots, each of which has its first frame for a photo  shots.rs
//!   pairs  -->  every image read once: size, SHA-256, sound or not          look.rs
//!          -->  a resolved recipe each; memory and time of each             forecast.rs
//!          -->  numbers and names: those of the tasks that were there stay  keep.rs
//!          -->  DIR/tasks.jsonl
//! ```

mod forecast;
mod keep;
mod look;
mod portable;
mod shots;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use impasto::ResolvedRecipe;
use impasto::disk::Lock;
use impasto::image_file::exif::KeptExif;
use impasto::recipe::Recipe;
use impasto_film::Choices;
use impasto_job::order::{OrderFiles, ResolvedOrder, file_name};
use impasto_job::{Engines, Failure, Files, Order};

use crate::folder::{BatchFolder, PICTURES};
use crate::pairs::{Pair, check_count};
use crate::paths::{real, to_text};
use crate::shot::TaskShot;
use crate::standing::{Look, Standing};
use crate::task::{Depth, FORMAT, Task, TaskInput, input};
use crate::tasks::{TaskList, write};
use forecast::Forecaster;
use keep::Kept;
use look::{Looked, Seen};
use shots::shots_of;

pub use shots::WantedFilm;

/// What shall be planned.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Which photo after which paintings.
    pub pairs: Vec<Pair>,
    /// Which films after which paintings.
    pub films: Vec<WantedFilm>,
    /// What was chosen of all films.
    pub choices: Choices,
    /// What was chosen, for all of them.
    pub recipe: Recipe,
    /// The recipe that is repeated, for all of them.
    pub recipe_file: Option<PathBuf>,
    /// How images are read and pictures are written; where they go is the batch's.
    pub files: Files,
    /// Whether pairs with an image that cannot be read are left out, and not an error.
    pub skips_unreadable: bool,
    /// Whether every machine shall paint the same bytes; then the name of the instruction set that was asked for, if one was.
    pub portable: Option<Option<String>>,
    /// Bytes that the network may take, for the forecast.
    pub memory_limit_bytes: Option<u64>,
    /// Threads, for the forecast.
    pub threads: usize,
}

/// What was planned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planned {
    /// Tasks in all.
    pub tasks: usize,
    /// Of them, those that were there before and are the same.
    pub same: usize,
    /// Of them, those that were there before and are others now.
    pub changed: usize,
    /// Of them, those that are done already.
    pub done: usize,
    /// Tasks that were there before and are no more; what they have painted stays.
    pub dropped: usize,
    /// Pairs that were left out.
    pub skipped: usize,
    /// Seconds that all that is not done takes, one picture after another.
    pub seconds: f64,
    /// The most memory that one takes, in MiB.
    pub memory_mib: f64,
    /// The most memory of a GPU that one takes, in MiB; 0 where it has none of its own.
    pub device_mib: f64,
    /// The only engine that may paint them, where there is one.
    pub engine: Option<String>,
}

/// Plans a batch in the folder. `tell` hears what a person should know.
///
/// # Errors
/// Everything about images, choices and names that can be said before the first picture; nothing is written then.
pub fn plan(
    root: &Path,
    intent: &Intent,
    engines: &mut Engines,
    tell: &mut dyn FnMut(&str),
) -> Result<Planned, Failure> {
    // Complained of by the name that was typed.
    BatchFolder::to_be(root)?;
    let root = real_folder(root);
    let folder = BatchFolder::to_be(&root)?;
    let wanted = wanted(&root, intent, tell)?;
    let all = wanted.len();
    let (pairs, looked) = without_unreadable(wanted, intent, tell)?;
    let skipped = all - pairs.len();
    let mut forecaster = Forecaster::open(&pairs[0].1, engines, intent.memory_limit_bytes, tell)?;
    let engine = match &intent.portable {
        Some(named) => Some(portable::engine(named.as_deref(), &pairs[0].1.recipe, &forecaster.describe())?),
        None => None,
    };
    let is_new = !folder.tasks().is_file();
    let lock = || Lock::take(&folder.lock()).map_err(Failure::failed);
    let mut held = if is_new { None } else { Some(lock()?) };
    let before = if is_new { None } else { Some(TaskList::open(&folder.tasks())?) };
    let mut kept = Kept::of(&folder, before.as_ref())?;
    let mut planned = Planned { skipped, engine: engine.clone(), ..Planned::default() };
    let (mut tasks, mut digests) = (Vec::new(), crate::digests::Digests::default());
    for (Wanted { pair, shot }, order) in pairs {
        let full = order_size(&order, &looked, &pair.content);
        let recipe = order.recipe_at(full.width, full.height);
        let forecast = forecaster.of(&recipe, &order, &looked)?;
        let files = order.files();
        let mut task = Task {
            format: FORMAT,
            number: 0,
            content: looked.input(&root, &files.content)?,
            styles: files.styles.iter().map(|path| looked.input(&root, path)).collect::<Result<_, _>>()?,
            start: files.start.as_deref().map(|path| looked.input(&root, path)).transpose()?,
            masks: files.masks.iter().map(|path| looked.input(&root, path)).collect::<Result<_, _>>()?,
            timeline_masks: timeline_masks(&root, &files, &looked)?,
            weights: files.weights.as_deref().map(|path| looked.input(&root, path)).transpose()?,
            output: String::new(),
            depth: if shot.is_some() { Depth::Eight } else { depth(&intent.files) },
            exif: if shot.is_some() { KeptExif::Nothing } else { intent.files.exif },
            megapixels: intent.files.read.megapixels,
            lenient: intent.files.read.lenient,
            engine: engine.clone(),
            after: None,
            memory_mib: forecast.memory_mib,
            threads: intent.threads,
            seconds: seconds(forecast.seconds, shot.as_ref(), &recipe),
            shot,
            recipe,
        };
        let old = kept.place(&mut task, &order)?;
        match old {
            Some(is_same) if is_same => planned.same += 1,
            Some(_) => planned.changed += 1,
            None => {}
        }
        planned.memory_mib = planned.memory_mib.max(forecast.memory_mib);
        planned.device_mib = planned.device_mib.max(forecast.device_mib);
        let standing = Standing::of(&folder, &task, &task.digest(), Look::Quick, &mut digests);
        match standing {
            Standing::Done(_) => planned.done += 1,
            _ => planned.seconds += task.seconds,
        }
        tasks.push(task);
    }
    tasks.sort_by_key(|task| task.number);
    forget_dropped(&mut tasks);
    planned.dropped = kept.left();
    planned.tasks = tasks.len();
    refuse_overwriting(&root, &tasks)?;
    folder.create()?;
    // Whatever is wrong leaves no folder behind, so a new one is taken last.
    if held.is_none() {
        held = Some(lock()?);
        if folder.tasks().is_file() {
            return Err(Failure::failed(format_args!(
                "another program has planned a batch in {} meanwhile; plan again",
                root.display()
            )));
        }
    }
    write(&folder.tasks(), &tasks)?;
    drop(held);
    Ok(planned)
}

/// A task waits for no task that is no more.
fn forget_dropped(tasks: &mut [Task]) {
    let numbers: BTreeSet<u32> = tasks.iter().map(|task| task.number).collect();
    for task in tasks {
        task.after = task.after.filter(|after| numbers.contains(after));
    }
}

/// The folder by its real name, be it there or not.
fn real_folder(root: &Path) -> PathBuf {
    root.canonicalize().unwrap_or_else(|_| real(root))
}

/// A picture that shall be painted, or a shot, whose photo is its first frame.
#[derive(Clone, Debug)]
pub struct Wanted {
    pair: Pair,
    shot: Option<TaskShot>,
}

/// What is wanted and what is ordered for it.
type Ordered = (Wanted, ResolvedOrder);

/// The pictures, then the shots.
fn wanted(root: &Path, intent: &Intent, tell: &mut dyn FnMut(&str)) -> Result<Vec<Wanted>, Failure> {
    let pictures = intent.pairs.iter().map(|pair| Wanted { pair: pair.clone(), shot: None });
    let wanted: Vec<Wanted> = pictures.chain(shots_of(root, intent, tell)?).collect();
    check_count(wanted.len()).map(|()| wanted)
}

/// Seconds of a task, of which the photo takes so many.
fn seconds(of_photo: f64, shot: Option<&TaskShot>, recipe: &ResolvedRecipe) -> f64 {
    let Some(shot) = shot else { return of_photo };
    // An estimate: how much moves is not known.
    let others = (shot.frames - 1) as f64 * shot.choices.usual_share(recipe.iterations);
    (10.0 * of_photo * (1.0 + others)).round() / 10.0
}

/// What is wanted whose images can be read, with what is ordered for each, and what the images are.
fn without_unreadable(
    wanted: Vec<Wanted>,
    intent: &Intent,
    tell: &mut dyn FnMut(&str),
) -> Result<(Vec<Ordered>, Looked), Failure> {
    let order = |pair: &Pair| {
        let order = Order {
            content: Some(pair.content.clone()),
            styles: pair.styles.clone(),
            recipe_file: intent.recipe_file.clone(),
            recipe: intent.recipe.clone(),
            ..Order::default()
        };
        order.resolve()
    };
    let mut ordered = Vec::new();
    for wanted in wanted {
        let order = order(&wanted.pair)?;
        ordered.push((wanted, order));
    }
    if let Some(note) = ordered.first().and_then(|(_, order)| order.recipe_note.as_deref()) {
        tell(note);
    }
    let images: BTreeSet<PathBuf> = ordered.iter().flat_map(|(_, order)| images_of(&order.files())).collect();
    // One name of each file is enough to see that it is text.
    let root = Path::new("/");
    images.iter().try_for_each(|image| to_text(root, &real(image)).map(drop))?;
    let mut looked = look::look(&images, intent.files.read);
    let unreadable: Vec<(PathBuf, String)> = looked.take_unreadable();
    if !unreadable.is_empty() {
        const SAID: usize = 20;
        unreadable.iter().take(SAID).for_each(|(_, sentence)| tell(sentence));
        if unreadable.len() > SAID {
            tell(&format!("and {} more cannot be read", unreadable.len() - SAID));
        }
        let names: BTreeSet<&PathBuf> = unreadable.iter().map(|(path, _)| path).collect();
        if !intent.skips_unreadable {
            let (count, all) = (unreadable.len(), images.len());
            return Err(Failure::failed(format_args!(
                "{count} of {all} images cannot be read, and nothing is planned; mend them or leave them out, or give --skip-unreadable"
            )));
        }
        ordered.retain(|(_, order)| images_of(&order.files()).iter().all(|image| !names.contains(image)));
    }
    if ordered.is_empty() {
        return Err(Failure::failed("no pair is left whose images can be read; mend them or name others"));
    }
    let weights = ordered.iter().filter_map(|(_, order)| order.files().weights).collect();
    looked.add_weights(&weights)?;
    Ok((ordered, looked))
}

/// The images among the files.
fn images_of(files: &OrderFiles) -> Vec<PathBuf> {
    let weights = files.weights.iter().count();
    let all: Vec<PathBuf> = files.all().cloned().collect();
    all[..all.len() - weights].to_vec()
}

/// The size of the picture.
fn order_size(order: &ResolvedOrder, looked: &Looked, content: &Path) -> impasto::Scale {
    let Seen { width, height, .. } = looked.seen(content);
    let scales = impasto::scales(&order.recipe, width, height);
    scales[scales.len() - 1]
}

fn timeline_masks(root: &Path, files: &OrderFiles, looked: &Looked) -> Result<Vec<Vec<TaskInput>>, Failure> {
    let all = |masks: &Vec<PathBuf>| masks.iter().map(|path| looked.input(root, path)).collect();
    files.timeline_masks.iter().map(all).collect()
}

fn depth(files: &Files) -> Depth {
    match (files.has_photos_bits, files.write.bits) {
        (true, _) => Depth::Photos,
        (false, 16) => Depth::Sixteen,
        _ => Depth::Eight,
    }
}

/// Refuses tasks of which one would write over what another reads.
fn refuse_overwriting(root: &Path, tasks: &[Task]) -> Result<(), Failure> {
    let mut inputs = BTreeMap::new();
    for task in tasks {
        for input in task.inputs() {
            let path = crate::paths::from_text(root, &input.file);
            if let Ok(path) = path.canonicalize() {
                inputs.insert(path, input.file.clone());
            }
        }
    }
    for task in tasks {
        let output = crate::task::output_path(root, task);
        if let Some(input) = output.canonicalize().ok().and_then(|path| inputs.get(&path)) {
            return Err(Failure::usage(format_args!(
                "the picture {PICTURES}/{} would overwrite the input {input}; give another folder with --out",
                file_name(&output)
            )));
        }
    }
    Ok(())
}

impl Looked {
    /// A file as a task has it.
    fn input(&self, root: &Path, path: &Path) -> Result<TaskInput, Failure> {
        input(root, path, self.sha256(path))
    }
}
