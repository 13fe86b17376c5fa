//! A film: every frame of every shot, in its order, pass after pass.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use impasto::digest;
use impasto::disk::{Lock, RealDisk, check_writable, create_folder, read_file, replace_file};
use impasto::picture::Picture;
use impasto::read::read_recipe;
use impasto::recipe::{Balance, Colours, Recipe};
use impasto::run::colours::ShownColours;
use impasto::write::{OutputFormat, WriteOptions, encode_picture};
use impasto::{Control, ResolvedRecipe};
use impasto_job::{Engines, Failure, Files, Order};

use crate::choices::Choices;
use crate::event::{FilmEvent, FilmObserver};
use crate::following::{Followed, following, following_again};
use crate::frames::{Frame, full_size, read_frame};
use crate::painting::Painter;
use crate::record::{FORMAT, FilmRecord, LOCK, frames_sha256, pass_folder};
use crate::shots::{Shot, find_shots};

/// The root mean square distance from the frame before, of 255, that costs as much as the whole loss of a painted picture, where the
/// steadiness is 1.
const UNIT: f64 = 32.0;

/// What a film is made of, and where it goes.
#[derive(Clone, Debug)]
pub struct FilmOrder {
    /// The frames, in their order: pictures of one size.
    pub frames: Vec<PathBuf>,
    /// The paintings and the recipe. Its photo is left out.
    pub order: Order,
    /// How frames are read.
    pub files: Files,
    /// What else was chosen.
    pub choices: Choices,
    /// The folder that the film is kept in, and gone on with.
    pub folder: PathBuf,
    /// The folder that painted frames go to at the end, as PNG of their own names.
    pub output: PathBuf,
    /// Bytes that the network may take; `None` for what is free.
    pub memory_limit_bytes: Option<u64>,
}

/// A film, of which every error of a choice has been said.
#[derive(Debug)]
pub struct Film {
    order: FilmOrder,
    recipe: ResolvedRecipe,
    inputs: Vec<String>,
    /// What painted frames are called.
    names: Vec<OsString>,
}

impl Film {
    /// What an order asks for.
    ///
    /// # Errors
    /// Everything about the choices that can be said before any work.
    pub fn new(order: FilmOrder) -> Result<Film, Failure> {
        order.choices.check()?;
        let Some(first) = order.frames.first() else {
            return Err(Failure::failed("the film has no frames; give one that has"));
        };
        let names = painted_names(&order.frames)?;
        if let Some(frame) = order.frames.iter().find(|frame| frame.parent() == Some(order.output.as_path())) {
            return Err(Failure::usage(format_args!(
                "--output {} is the folder of the frame {}; give another folder",
                order.output.display(),
                frame.display()
            )));
        }
        let resolved = Order { content: Some(first.clone()), ..order.order.clone() }.resolve()?;
        let recipe = resolved.recipe.clone();
        if !recipe.timeline.is_empty() {
            return Err(Failure::usage("a film takes no timeline, for each of its frames is painted in a few steps"));
        }
        let inputs = resolved.inputs().filter(|input| input != first);
        let inputs = inputs.map(|input| digest::sha256_of_file(&input).map_err(Failure::failed));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        Ok(Film { order, recipe, inputs, names })
    }

    /// The recipe of the film's pictures.
    #[must_use]
    pub fn recipe(&self) -> &ResolvedRecipe {
        &self.recipe
    }

    /// Where the painted frames lie once the film is done, in their order.
    #[must_use]
    pub fn delivered(&self) -> Vec<PathBuf> {
        self.names.iter().map(|name| self.order.output.join(name)).collect()
    }

    /// Width and height of painted frames in pixels.
    ///
    /// # Errors
    /// A first frame that cannot be read.
    pub fn size_px(&self) -> Result<(usize, usize), Failure> {
        let full = full_size(&self.recipe, &read_frame(&self.order.frames[0], &self.order.files.read)?);
        Ok((full.width, full.height))
    }

    /// Paints every frame that is not there yet, and writes all into the output's folder.
    ///
    /// # Errors
    /// What keeps the film from being done. Being stopped is one: then the same film goes on where it was stopped.
    pub fn perform(&self, engines: &mut Engines, observer: &mut FilmObserver<'_>) -> Result<(), Failure> {
        let folder = &self.order.folder;
        create_folder(&RealDisk, folder).map_err(Failure::failed)?;
        create_folder(&RealDisk, &self.order.output).map_err(Failure::failed)?;
        let _lock = Lock::take(&folder.join(LOCK)).map_err(Failure::failed)?;
        let mut record = self.begin(observer)?;
        let mut painter = Painter {
            order: &self.painted_order(),
            files: &self.order.files,
            memory_limit_bytes: self.order.memory_limit_bytes,
            engines,
            said: BTreeSet::new(),
        };
        for pass in 1..=self.order.choices.passes {
            let folder = pass_folder(folder, pass);
            create_folder(&RealDisk, &folder).map_err(Failure::failed)?;
            // What a killed program left of a frame.
            check_writable(&folder.join(&self.names[0]), 0).map_err(Failure::failed)?;
            for shot in 0..record.shots.len() {
                self.paint_shot(&mut painter, &mut record, (pass, shot), observer)?;
            }
        }
        self.deliver()
    }

    /// What frames are painted by: their colours are changed when the film is done, so that each follows what was painted.
    fn painted_order(&self) -> Order {
        let mut order = self.order.order.clone();
        if self.changes_colours() {
            (order.recipe.colours, order.recipe.original_colors) = (Some(Colours::Painting), None);
        }
        order
    }

    /// Whether the pictures that are shown have other colours than those that are painted.
    fn changes_colours(&self) -> bool {
        matches!(self.recipe.colours, Colours::Photo | Colours::Match)
    }

    /// In what the film that lies in the folder differs from this one, or why it cannot be told, as a part of a sentence; `None` where
    /// there is none, or it is this one.
    ///
    /// # Errors
    /// A frame that cannot be read.
    pub fn difference(&self) -> Result<Option<String>, Failure> {
        let wanted = self.wanted()?;
        Ok(match FilmRecord::read(&self.order.folder) {
            Ok(found) => found.and_then(|found| found.difference(&wanted)).map(|it| format!("its {it} other ones now")),
            Err(failure) => Some(failure.sentence),
        })
    }

    /// The record of this film, without its shots.
    fn wanted(&self) -> Result<FilmRecord, Failure> {
        let frames = &self.order.frames;
        Ok(FilmRecord {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            choices: self.order.choices.clone(),
            recipe: serde_json::from_str(&self.recipe.to_json()).map_err(Failure::failed)?,
            inputs: self.inputs.clone(),
            frames: frames.len(),
            frames_sha256: frames_sha256(frames, |frame| digest::sha256_of_file(frame).map_err(Failure::failed))?,
            shots: Vec::new(),
        })
    }

    /// The film's record: the one that is there, which has to be of this film, or a new one.
    fn begin(&self, observer: &mut FilmObserver<'_>) -> Result<FilmRecord, Failure> {
        let folder = &self.order.folder;
        let wanted = self.wanted()?;
        let found = FilmRecord::read(folder)?;
        if let Some(differs) = found.as_ref().and_then(|found| found.difference(&wanted)) {
            return Err(Failure::usage(format_args!(
                "{} holds another film, whose {differs} other than what is asked for; give another folder with --run-dir, or remove it",
                folder.display()
            )));
        }
        let mut record = found.unwrap_or(wanted);
        if record.shots.is_empty() {
            record.shots = self.find_shots(observer)?;
            record.write(folder)?;
        }
        let is_whole = record.shots.iter().map(|shot| shot.frames).sum::<usize>() == record.frames
            && record.shots.iter().all(|shot| shot.frames > 0 && shot.first < record.frames);
        if !is_whole {
            return Err(Failure::file(folder, "holds a film whose shots are not its frames; remove it"));
        }
        stop_if(observer(FilmEvent::Shots(&record.shots)))?;
        Ok(record)
    }

    /// Looks at every frame for cuts.
    fn find_shots(&self, observer: &mut FilmObserver<'_>) -> Result<Vec<Shot>, Failure> {
        let FilmOrder { frames, files, choices, .. } = &self.order;
        find_shots(frames, &files.read, choices.cuts, &mut |frame| {
            stop_if(observer(FilmEvent::Looked { frame, frames: frames.len() }))
        })
    }

    /// Paints what is missing of a shot in a pass.
    fn paint_shot(
        &self,
        painter: &mut Painter<'_>,
        record: &mut FilmRecord,
        (pass, place): (u32, usize),
        observer: &mut FilmObserver<'_>,
    ) -> Result<(), Failure> {
        let shot = record.shots[place];
        let frames = self.order.frames.len();
        for step in 0..shot.frames {
            // Every second pass goes from the end to the beginning.
            let frame = if pass % 2 == 1 { shot.first + step } else { shot.first + shot.frames - 1 - step };
            let path = self.painted_path(pass, frame);
            let was_there = path.exists();
            if !was_there {
                let bytes = match (pass, step) {
                    (1, 0) => self.paint_first(painter, record, (place, frame), observer)?,
                    (1, _) => {
                        let shot = record.shots[place];
                        self.paint_next(painter, (shot, frame), observer)?
                    }
                    // Where a later pass begins there is nothing new to follow.
                    (_, 0) => self.painted_bytes(pass - 1, frame)?,
                    (_, _) => {
                        let shot = record.shots[place];
                        self.paint_again(painter, (pass, shot, frame), observer)?
                    }
                };
                replace_file(&RealDisk, &path, &bytes).map_err(Failure::failed)?;
            }
            stop_if(observer(FilmEvent::Painted { pass, frame: frame + 1, frames, was_there }))?;
        }
        Ok(())
    }

    /// The first frame of a shot: a picture like any other. What its loss is, the others' temporal loss is measured by.
    fn paint_first(
        &self,
        painter: &mut Painter<'_>,
        record: &mut FilmRecord,
        (place, frame): (usize, usize),
        observer: &mut FilmObserver<'_>,
    ) -> Result<Vec<u8>, Failure> {
        self.tell_frame((1, frame), self.recipe.iterations, observer)?;
        let (finished, bytes) = painter.paint(&self.order.frames[frame], &Recipe::default(), None, observer)?;
        let loss = finished.outcome.losses.as_ref().map_or(0.0, |losses| losses.total);
        record.shots[place].weight = Some(self.order.choices.steadiness * loss / (UNIT * UNIT));
        // Before the frame is there, so that it never is without.
        record.write(&self.order.folder)?;
        Ok(bytes)
    }

    /// A frame that follows those before it.
    fn paint_next(
        &self,
        painter: &mut Painter<'_>,
        (shot, frame): (Shot, usize),
        observer: &mut FilmObserver<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let own = self.source(frame)?;
        let mut followed = Vec::new();
        for &back in self.order.choices.looks_back().iter().filter(|&&back| back <= frame - shot.first) {
            followed.push(self.followed(&own, 1, frame - back)?);
        }
        let (following, unknown) = following(&own, &followed, shot.weight.unwrap_or(0.0))?;
        let moved_px = followed[0].movement.back.mean_length_px();
        let evaluations = self.order.choices.evaluations(self.recipe.iterations, unknown, moved_px);
        self.tell_frame((1, frame), evaluations, observer)?;
        let varied = self.varied(shot, evaluations)?;
        Ok(painter.paint(&self.order.frames[frame], &varied, Some(following), observer)?.1)
    }

    /// A frame that was painted in the pass before, and follows its neighbour of this one.
    fn paint_again(
        &self,
        painter: &mut Painter<'_>,
        (pass, shot, frame): (u32, Shot, usize),
        observer: &mut FilmObserver<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let own = self.source(frame)?;
        let neighbour = if pass % 2 == 1 { frame - 1 } else { frame + 1 };
        let followed = self.followed(&own, pass, neighbour)?;
        let painted = self.painted(pass - 1, frame)?;
        let following = following_again(&painted, &followed, shot.weight.unwrap_or(0.0))?;
        let moved_px = followed.movement.back.mean_length_px();
        let evaluations = self.order.choices.evaluations(self.recipe.iterations, 0.0, moved_px);
        self.tell_frame((pass, frame), evaluations, observer)?;
        let varied = self.varied(shot, evaluations)?;
        Ok(painter.paint(&self.order.frames[frame], &varied, Some(following), observer)?.1)
    }

    /// What the recipe of a frame has of its own that follows others: one size, so many evaluations, and the weights of style layers that
    /// the shot's first frame has, so that they do not change with each photo.
    fn varied(&self, shot: Shot, evaluations: u32) -> Result<Recipe, Failure> {
        let mut varied = Recipe { levels: Some(1), iterations: Some(evaluations), ..Recipe::default() };
        if self.recipe.regions.is_empty() && self.recipe.balance == Balance::Painting {
            let text = read_recipe(&self.painted_path(1, shot.first)).map_err(Failure::failed)?;
            let first = Recipe::from_json(&text)?;
            (varied.balance, varied.style_layers) = (Some(Balance::Plain), first.style_layers);
        }
        Ok(varied)
    }

    fn tell_frame(
        &self,
        (pass, frame): (u32, usize),
        evaluations: u32,
        observer: &mut FilmObserver<'_>,
    ) -> Result<(), Failure> {
        let frames = self.order.frames.len();
        stop_if(observer(FilmEvent::Frame { pass, frame: frame + 1, frames, evaluations }))
    }

    fn source(&self, frame: usize) -> Result<Frame, Failure> {
        Frame::read(&self.order.frames[frame], &self.order.files.read, &self.recipe)
    }

    /// A painted frame, and how `own` follows it.
    fn followed(&self, own: &Frame, pass: u32, frame: usize) -> Result<Followed, Failure> {
        let movement = own.movement_since(&self.source(frame)?)?;
        Ok(Followed { painted: self.painted(pass, frame)?, movement })
    }

    fn painted_path(&self, pass: u32, frame: usize) -> PathBuf {
        pass_folder(&self.order.folder, pass).join(&self.names[frame])
    }

    fn painted_bytes(&self, pass: u32, frame: usize) -> Result<Vec<u8>, Failure> {
        read_file(&self.painted_path(pass, frame), self.order.files.read.file_mib).map_err(Failure::failed)
    }

    fn painted(&self, pass: u32, frame: usize) -> Result<Picture, Failure> {
        read_frame(&self.painted_path(pass, frame), &self.order.files.read)
    }

    /// Writes every frame of the last pass into the output's folder, in the colours that are to be shown.
    fn deliver(&self) -> Result<(), Failure> {
        let last = self.order.choices.passes;
        for (frame, name) in self.names.iter().enumerate() {
            let bytes = match self.changes_colours() {
                false => self.painted_bytes(last, frame)?,
                true => {
                    let painted = self.painted(last, frame)?;
                    let photo = read_frame(&self.order.frames[frame], &self.order.files.read)?;
                    let full = full_size(&self.recipe, &photo);
                    let shown = ShownColours::at(&self.recipe, &photo, full).map_err(Failure::failed)?.show(painted);
                    let options = WriteOptions::default();
                    encode_picture(&shown, OutputFormat::Png, options, None).map_err(Failure::failed)?
                }
            };
            replace_file(&RealDisk, &self.order.output.join(name), &bytes).map_err(Failure::failed)?;
        }
        Ok(())
    }
}

/// What painted frames are called: as the frames, as PNG.
fn painted_names(frames: &[PathBuf]) -> Result<Vec<OsString>, Failure> {
    let mut names = Vec::with_capacity(frames.len());
    let mut seen = BTreeSet::new();
    for frame in frames {
        let mut name = frame.file_stem().unwrap_or_default().to_owned();
        name.push(".png");
        if !seen.insert(name.clone()) {
            return Err(Failure::usage(format_args!(
                "two frames would both be painted as {}; give each a name of its own",
                Path::new(&name).display()
            )));
        }
        names.push(name);
    }
    Ok(names)
}

fn stop_if(control: Control) -> Result<(), Failure> {
    match control {
        Control::Continue => Ok(()),
        Control::Stop => Err(Failure::interrupted("interrupted; the same command goes on")),
    }
}
