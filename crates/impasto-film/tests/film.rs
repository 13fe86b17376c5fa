//! Whole films, small and shallow: what follows what, and that a film which was stopped ends in the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use impasto::Control;
use impasto::disk::RealDisk;
use impasto::picture::Picture;
use impasto::read::{ReadLimits, read_picture, read_recipe};
use impasto::recipe::{Colours, PrecisionChoice, Recipe, Size, TimelineEntry, parse_layers};
use impasto::write::{WriteOptions, write_picture};
use impasto_film::record::{FilmRecord, pass_folder};
use impasto_film::{Choices, Film, FilmEvent, FilmOrder};
use impasto_job::{DeviceChoice, Engines, Failure, FailureKind, Files, Order};
use tempfile::TempDir;

const WIDTH: usize = 48;
const HEIGHT: usize = 36;

struct Studio {
    folder: TempDir,
}

/// A frame of a scene, `shift` pixels further to the right.
fn frame(scene: f32, shift: f32) -> Picture {
    let mut picture = Picture::filled(WIDTH, HEIGHT, [0.0; 3]).unwrap();
    for (channel, plane) in picture.values.chunks_exact_mut(WIDTH * HEIGHT).enumerate() {
        for (place, value) in plane.iter_mut().enumerate() {
            let (x, y) = ((place % WIDTH) as f32 - shift, (place / WIDTH) as f32);
            let phase = scene + channel as f32;
            *value =
                120.0 + 60.0 * (0.4 * x + 0.25 * y + phase).sin() + 50.0 * (0.31 * y - 0.15 * x * scene + phase).cos();
        }
    }
    picture
}

impl Studio {
    /// Frames by their scene and shift, and a painting.
    fn new(frames: &[(f32, f32)]) -> Studio {
        let studio = Studio { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(studio.path("source")).unwrap();
        let write = |name: &str, picture: &Picture| {
            write_picture(&RealDisk, &studio.path(name), picture, WriteOptions::default(), None).unwrap();
        };
        for (place, &(scene, shift)) in frames.iter().enumerate() {
            write(&format!("source/{place}.png"), &frame(scene, shift));
        }
        write("painting.png", &frame(4.0, 11.0));
        studio
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn frames(&self) -> Vec<PathBuf> {
        let count = fs::read_dir(self.path("source")).unwrap().count();
        (0..count).map(|place| self.path(&format!("source/{place}.png"))).collect()
    }

    fn order(&self, name: &str, choices: Choices) -> FilmOrder {
        let recipe = Recipe {
            size: Some(Size::LongEdge(40)),
            iterations: Some(10),
            levels: Some(1),
            style_layers: Some(parse_layers("", "conv1_1,conv2_1").unwrap()),
            content_layers: Some(parse_layers("", "conv2_1").unwrap()),
            ..Recipe::default()
        };
        FilmOrder {
            frames: self.frames(),
            order: Order { styles: vec![self.path("painting.png")], recipe, ..Order::default() },
            files: Files::default(),
            choices,
            folder: self.path(&format!("{name}-film")),
            output: self.path(name),
            memory_limit_bytes: None,
        }
    }
}

fn perform(order: FilmOrder, stop_after: Option<usize>, threads: Option<usize>) -> Result<Vec<String>, Failure> {
    let mut engines = Engines::for_many_jobs(DeviceChoice::Cpu, threads, Arc::new(|_: &str| {}));
    let (mut told, mut painted) = (Vec::new(), 0);
    Film::new(order)?.perform(&mut engines, &mut |event| {
        match event {
            FilmEvent::Shots(shots) => told.push(format!("{} shots", shots.len())),
            FilmEvent::Frame { pass, frame, evaluations, .. } => told.push(format!("{pass}: {frame} in {evaluations}")),
            FilmEvent::Painted { was_there: true, frame, .. } => told.push(format!("{frame} was there")),
            FilmEvent::Painted { .. } => painted += 1,
            _ => {}
        }
        if stop_after == Some(painted) { Control::Stop } else { Control::Continue }
    })?;
    Ok(told)
}

fn bytes_in(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| (file.file_name().unwrap().into(), fs::read(file).unwrap())).collect()
}

fn picture(path: &Path) -> Picture {
    read_picture(path, &ReadLimits::default()).unwrap().picture
}

/// The root mean square difference of two pictures.
fn apart(one: &Picture, other: &Picture) -> f64 {
    let squares = one.values.iter().zip(&other.values).map(|(one, other)| f64::from(one - other).powi(2));
    (squares.sum::<f64>() / one.values.len() as f64).sqrt()
}

#[test]
fn a_film_that_is_stopped_ends_in_the_same_bytes() {
    let studio = Studio::new(&[(1.0, 0.0), (1.0, 1.3), (1.0, 2.6)]);
    // Enough that what a frame is held to counts: its first step does not see it yet.
    let choices = Choices { long_term: true, passes: 2, frame_iterations: Some(5), ..Choices::default() };
    let told = perform(studio.order("whole", choices.clone()), None, Some(1)).unwrap();
    assert_eq!(told[..2], ["1 shots", "1: 1 in 10"]);
    // The second pass goes from the end to the beginning, and has nothing to do for its first.
    assert!(told[4].starts_with("2: 2 in") && told[5].starts_with("2: 1 in") && told.len() == 6, "{told:?}");
    let whole = bytes_in(&studio.path("whole"));
    assert_eq!(whole.len(), 3);
    for stop_after in [0, 1, 1, 2] {
        let stopped = perform(studio.order("stopped", choices.clone()), Some(stop_after), Some(2)).unwrap_err();
        assert_eq!(stopped.kind, FailureKind::Interrupted);
    }
    let told = perform(studio.order("stopped", choices), None, Some(2)).unwrap();
    assert!(told.iter().filter(|line| line.ends_with("was there")).count() >= 3, "{told:?}");
    assert_eq!(bytes_in(&studio.path("stopped")), whole);
}

#[test]
fn strokes_move_with_what_they_are_on() {
    let studio = Studio::new(&[(1.0, 0.0), (1.0, 2.0)]);
    let painted = |name: &str, steadiness| {
        let choices = Choices { steadiness, frame_iterations: Some(10), ..Choices::default() };
        let mut order = studio.order(name, choices);
        // The bound is for f32: processors that gain from bfloat16 paint other pictures.
        order.order.recipe.precision = Some(PrecisionChoice::F32);
        perform(order, None, None).unwrap();
        let frames = ["0.png", "1.png"].map(|frame| picture(&studio.path(name).join(frame)));
        // Frames are 40 pixels wide for 48: what was at x is at x + 2 x 40 / 48.
        let shift = 2.0 * 40.0 / 48.0;
        let width = frames[0].width;
        let (mut sum, mut count) = (0.0, 0.0);
        for (place, value) in frames[1].values.iter().enumerate() {
            let x = (place % width) as f32 - shift;
            if x >= 1.0 {
                let row = place / width * width;
                let (left, share) = (x as usize, x.fract());
                let before = frames[0].values[row + left] * (1.0 - share) + frames[0].values[row + left + 1] * share;
                sum += f64::from(value - before).powi(2);
                count += 1.0;
            }
        }
        (sum / count).sqrt()
    };
    let (held, free) = (painted("held", 1.0), painted("free", 0.0));
    println!("off what moved: {held:.2} held, {free:.2} free");
    assert!(held < 0.75 * free, "{held} {free}");
}

#[test]
fn shots_know_nothing_of_each_other() {
    let studio = Studio::new(&[(1.0, 0.0), (1.0, 1.0), (-6.5, 20.0), (-6.5, 21.0)]);
    let told = perform(studio.order("all", Choices::default()), None, None).unwrap();
    assert_eq!((told[0].as_str(), told[3].as_str()), ("2 shots", "1: 3 in 10"));
    let mut second = studio.order("second", Choices::default());
    second.frames.drain(..2);
    perform(second, None, None).unwrap();
    assert_eq!(bytes_in(&studio.path("all"))[2..], bytes_in(&studio.path("second"))[..]);
    // As one shot they do.
    let told = perform(studio.order("one", Choices { cuts: false, ..Choices::default() }), None, None).unwrap();
    assert_eq!(told[0], "1 shots");
}

#[test]
fn the_first_frame_is_a_picture_and_the_others_are_their_films() {
    let studio = Studio::new(&[(1.0, 0.0), (1.0, 0.0)]);
    let order = studio.order("film", Choices::default());
    let folder = order.folder.clone();
    perform(order, None, None).unwrap();
    let recipes = ["0.png", "1.png"].map(|name| read_recipe(&pass_folder(&folder, 1).join(name)).unwrap());
    let [first, second] = recipes.map(|text| Recipe::from_json(&text).unwrap());
    assert_eq!((first.iterations, first.style_layers), (Some(10), second.style_layers));
    // Nothing has moved: a few evaluations, from where the first has ended.
    assert_eq!(second.iterations, Some(1));
    assert_eq!(String::from(second.init.unwrap()), "the frame before");
    let pictures = ["0.png", "1.png"].map(|name| picture(&studio.path("film").join(name)));
    assert!(apart(&pictures[0], &pictures[1]) < 1.0);
    assert!(FilmRecord::read(&folder).unwrap().unwrap().shots[0].weight.unwrap() > 0.0);
}

#[test]
fn colours_are_changed_when_the_film_is_done() {
    let studio = Studio::new(&[(1.0, 0.0), (1.0, 1.0)]);
    let plain = studio.order("plain", Choices::default());
    let mut photos = studio.order("photos", Choices::default());
    photos.order.recipe.colours = Some(Colours::Photo);
    let folders = [plain.folder.clone(), photos.folder.clone()].map(|folder| pass_folder(&folder, 1));
    perform(plain, None, None).unwrap();
    perform(photos, None, None).unwrap();
    let [plain, photos] = folders.map(|folder| picture(&folder.join("1.png")));
    assert_eq!(plain, photos, "what is painted is the same");
    let shown = picture(&studio.path("photos").join("1.png"));
    let source = picture(&studio.path("source/1.png")).resized(shown.width, shown.height).unwrap();
    let chroma = |picture: &Picture, place: usize| picture.plane(0)[place] - picture.plane(1)[place];
    let off = |picture: &Picture| {
        let of =
            (0..picture.plane(0).len()).map(|place| f64::from((chroma(picture, place) - chroma(&source, place)).abs()));
        of.sum::<f64>() / picture.plane(0).len() as f64
    };
    assert!(off(&shown) < 0.3 * off(&plain), "{} {}", off(&shown), off(&plain));
}

#[test]
fn what_cannot_be_is_said_before_any_work() {
    let studio = Studio::new(&[(1.0, 0.0), (1.0, 1.0)]);
    let refused = |order: FilmOrder, needle: &str| {
        let folder = order.folder.clone();
        let failure = perform(order, None, None).unwrap_err();
        assert!(failure.sentence.contains(needle), "{failure}");
        assert!(!pass_folder(&folder, 1).exists(), "{failure}");
    };
    let order = |name: &str| studio.order(name, Choices::default());
    refused(FilmOrder { frames: Vec::new(), ..order("a") }, "no frames");
    refused(FilmOrder { output: studio.path("source"), ..order("b") }, "another folder");
    let twice = vec![studio.path("source/0.png"), studio.path("source/0.png")];
    refused(FilmOrder { frames: twice, ..order("c") }, "name of its own");
    refused(FilmOrder { choices: Choices { passes: 0, ..Choices::default() }, ..order("d") }, "--passes");
    let mut timed = order("e");
    timed.order.recipe.timeline = Some(vec![TimelineEntry { before_evaluation: 2, set: Default::default() }]);
    let failure = Film::new(timed).unwrap_err();
    assert!(failure.sentence.contains("timeline"), "{failure}");
    let small = frame(1.0, 0.0).resized(24, 18).unwrap();
    write_picture(&RealDisk, &studio.path("source/2.png"), &small, WriteOptions::default(), None).unwrap();
    refused(order("f"), "24 x 18 pixels");
}

#[test]
fn another_film_in_the_folder_is_refused() {
    let studio = Studio::new(&[(1.0, 0.0)]);
    perform(studio.order("film", Choices::default()), None, None).unwrap();
    for (change, needle) in [(0, "choices are"), (1, "recipe is"), (2, "paintings are"), (3, "frames are")] {
        let mut order = studio.order("film", Choices::default());
        match change {
            0 => order.choices.steadiness = 2.0,
            1 => order.order.recipe.iterations = Some(11),
            2 => order.order.styles = vec![studio.path("source/0.png")],
            _ => order.frames = vec![studio.path("painting.png")],
        }
        let failure = perform(order, None, None).unwrap_err();
        assert!(failure.kind == FailureKind::Usage && failure.sentence.contains(needle), "{failure}");
    }
}
