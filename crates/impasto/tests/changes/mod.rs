//! Changes of every kind, and runs with them.

#![allow(dead_code, reason = "each test has its own use of it")]

use std::path::Path;

use impasto::checkpoint::{Checkpoint, Snapshot};
use impasto::recipe::{
    Balance, ChangedFields, Colours, OptimizerKind, Recipe, Region, Rest, Size, TimelineEntry, parse_layers,
};
use impasto::run::RegionImages;
use impasto::{
    ChangedGuides, Control, Event, GuideImages, Images, Keeping, Outcome, PaintError, Picture, ResolvedRecipe, Steer,
    Steered, paint_steered,
};
use impasto_vgg::{CpuEngine, CpuOptions, Engine, Weights};

/// Evaluations at the coarse size and at the full one.
pub const COARSE: u32 = 4;
pub const FULL: u32 = 8;

pub fn waves(width: usize, height: usize, phase: f64) -> Picture {
    crate::waves::waves(width, height, phase, 120.0)
}

pub fn recipe(optimizer: OptimizerKind) -> Recipe {
    Recipe {
        size: Some(Size::Exact { width: 48, height: 40 }),
        levels: Some(2),
        coarsest_px: Some(20),
        coarse_iterations: Some(COARSE),
        iterations: Some(FULL),
        history: Some(3),
        learning_rate: Some(4.0),
        optimizer: Some(optimizer),
        balance: Some(Balance::Plain),
        style_weight: Some(40.0),
        match_every: Some(3),
        match_layers: Some(parse_layers("", "conv2_1").unwrap()),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1,conv2_1").unwrap()),
        ..Recipe::default()
    }
}

pub fn engine(threads: usize) -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(threads), ..CpuOptions::default() }).unwrap()
}

/// A mask that is white where `inside` is.
pub fn mask(inside: impl Fn(usize, usize) -> bool) -> Picture {
    let plane: Vec<f32> = (0..48 * 40).map(|place| if inside(place % 48, place / 48) { 255.0 } else { 0.0 }).collect();
    Picture::new(48, 40, plane.repeat(3)).unwrap()
}

pub fn region(name: &str, painting: u32, painting_mask: bool) -> Region {
    Region {
        name: name.into(),
        mask: Some(format!("{name}.png")),
        painting: Some(painting),
        painting_mask: painting_mask.then(|| "part.png".to_owned()),
        ..Region::default()
    }
}

/// A change and what comes with it.
#[derive(Clone)]
pub struct Change {
    pub before: u32,
    pub set: ChangedFields,
    pub guides: ChangedGuides,
}

pub fn change(before: u32, set: ChangedFields) -> Change {
    Change { before, set, guides: ChangedGuides::default() }
}

pub fn none() -> ChangedFields {
    ChangedFields::default()
}

/// The left half after the second painting, and a corner after a part of the first.
pub fn regions(before: u32, rest: Option<Rest>) -> Change {
    let regions = Some(vec![region("left", 2, false), region("corner", 1, true)]);
    let part = mask(|x, y| x + y < 40);
    let images = vec![
        RegionImages { mask: mask(|x, _| x < 24), painting_mask: None },
        RegionImages { mask: mask(|x, y| x >= 30 && y < 14), painting_mask: Some(part) },
    ];
    let guides = ChangedGuides { regions: Some(images), emphasis: None };
    Change { before, set: ChangedFields { regions, rest, ..none() }, guides }
}

pub fn emphasis(before: u32) -> Change {
    let guides = ChangedGuides { regions: None, emphasis: Some(mask(|x, y| (x / 8 + y / 8) % 2 == 0)) };
    Change { before, set: ChangedFields { emphasis: Some("kept.png".into()), ..none() }, guides }
}

/// Timelines of every kind of change, at evaluations of both sizes: by what they are.
pub fn timelines() -> Vec<(&'static str, Vec<Change>)> {
    let layers = |text: &str| Some(parse_layers("", text).unwrap());
    vec![
        (
            "weights",
            vec![
                change(3, ChangedFields { style_weight: Some(400.0), ..none() }),
                change(7, ChangedFields { content_weight: Some(3.0), tv_weight: Some(20.0), ..none() }),
                change(9, ChangedFields { strength: Some(0.3), denoise: Some(2.0), range_weight: Some(1.0), ..none() }),
            ],
        ),
        (
            "brush",
            vec![
                change(2, ChangedFields { style_scale: Some(0.5), ..none() }),
                change(8, ChangedFields { style_scale: Some(1.5), ..none() }),
            ],
        ),
        (
            "shares",
            vec![
                change(3, ChangedFields { style_blend: Some(vec![0.2, 0.8]), ..none() }),
                change(9, ChangedFields { style_blend: Some(vec![1.0, 0.0]), ..none() }),
            ],
        ),
        (
            "layers",
            vec![
                change(3, ChangedFields { style_layers: layers("conv1_1,conv3_1"), ..none() }),
                change(6, ChangedFields { style_layers: layers("conv1_1=3,conv3_1=0.2"), ..none() }),
                change(8, ChangedFields { content_layers: layers("conv1_2,conv2_1=0.5"), ..none() }),
                change(10, ChangedFields { content_weight: Some(0.0), ..none() }),
            ],
        ),
        (
            "colours",
            vec![
                change(3, ChangedFields { colours: Some(Colours::PhotoBefore), ..none() }),
                change(7, ChangedFields { original_colors: Some(true), ..none() }),
                change(9, ChangedFields { colours: Some(Colours::Match), ..none() }),
            ],
        ),
        (
            "regions",
            vec![
                regions(3, None),
                change(6, ChangedFields { rest: Some(Rest::Photo), ..none() }),
                change(8, ChangedFields { rest_feather_px: Some(0.0), ..none() }),
                change(10, ChangedFields { regions: Some(Vec::new()), rest: Some(Rest::Painting), ..none() }),
            ],
        ),
        ("emphasis", vec![emphasis(3), change(7, ChangedFields { emphasis: Some(String::new()), ..none() })]),
        (
            "matches",
            vec![
                change(2, ChangedFields { match_weight: Some(50.0), ..none() }),
                change(6, ChangedFields { style_blend: Some(vec![0.0, 1.0]), ..none() }),
                change(8, ChangedFields { style_weight: Some(20.0), ..none() }),
                change(11, ChangedFields { match_weight: Some(0.0), ..none() }),
            ],
        ),
        (
            "the ends of sizes",
            vec![
                change(1, ChangedFields { tv_weight: Some(3.0), ..none() }),
                change(COARSE, ChangedFields { style_weight: Some(80.0), ..none() }),
                change(COARSE + 1, ChangedFields { style_scale: Some(0.7), ..none() }),
                change(COARSE + FULL, ChangedFields { content_weight: Some(2.0), ..none() }),
                change(COARSE + FULL + 1, ChangedFields { content_weight: Some(9.0), ..none() }),
            ],
        ),
        (
            "two at once",
            vec![
                regions(6, Some(Rest::Photo)),
                change(6, ChangedFields { style_weight: Some(4000.0), ..none() }),
                change(7, ChangedFields { style_weight: Some(1.0), ..none() }),
                change(7, ChangedFields { style_weight: Some(9000.0), style_scale: Some(0.6), ..none() }),
            ],
        ),
    ]
}

pub fn with(recipe: &Recipe, changes: &[Change]) -> ResolvedRecipe {
    let entry = |change: &Change| TimelineEntry { before_evaluation: change.before, set: change.set.clone() };
    Recipe { timeline: Some(changes.iter().map(entry).collect()), ..recipe.clone() }.resolve().unwrap()
}

/// What a run told: its outcome, its checkpoints, and whether each evaluation was accepted.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub outcome: Outcome,
    pub checkpoints: Vec<Vec<u8>>,
    pub accepted: Vec<bool>,
    /// Of each change the evaluation before which it was told.
    pub changed: Vec<u32>,
}

/// Paints, with the changes of the recipe's timeline and those that are steered.
pub fn run(
    recipe: &ResolvedRecipe,
    changes: &[Change],
    steered: &[Change],
    from: Option<Checkpoint>,
    engine: &dyn Engine,
) -> Result<Told, PaintError> {
    let (content, styles) = (waves(48, 40, 0.0), [waves(40, 50, 2.0), waves(36, 30, 4.0)]);
    let changed: Vec<ChangedGuides> = changes.iter().map(|change| change.guides.clone()).collect();
    let guides = GuideImages { changed: &changed, ..GuideImages::default() };
    let images = Images { content: &content, styles: &styles, start: None, guides };
    let (mut checkpoints, mut accepted, mut told, mut asked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut keep = |snapshot: &Snapshot<'_>| {
        let mut bytes = Vec::new();
        snapshot.write(&mut bytes).unwrap();
        checkpoints.push(bytes);
    };
    let mut observer = |event: Event<'_>| {
        match event {
            Event::Iteration(_) => accepted.push(true),
            Event::StepRejected { .. } => accepted.push(false),
            Event::Changed { before_evaluation, .. } => told.push(before_evaluation),
            Event::Started { .. } | Event::ScaleStarted { .. } => {}
        }
        Control::Continue
    };
    let mut steer = |evaluation: u32| {
        asked.push(evaluation);
        let due = steered.iter().filter(|change| change.before == evaluation);
        Steer::GoOn(due.map(|change| Steered { set: change.set.clone(), guides: change.guides.clone() }).collect())
    };
    let first = from.as_ref().map_or(0, |from| from.place.evaluations) + 1;
    let keeping = Keeping { from, keep: &mut keep };
    let outcome = paint_steered(recipe, engine, images, None, keeping, &mut steer, &mut observer)?;
    assert_eq!(asked, (first..=COARSE + FULL).collect::<Vec<_>>(), "each evaluation is asked for once");
    Ok(Told { outcome, checkpoints, accepted, changed: told })
}

pub fn decode(bytes: &[u8]) -> Checkpoint {
    Checkpoint::decode(bytes, Path::new("run/checkpoint-a")).unwrap()
}
