//! A recipe that changes while it paints: what a change is, and that a replay, a run that was steered, and one that is gone on with
//! from any checkpoint all end in the same bytes.

mod waves;

use std::path::Path;
use std::sync::Mutex;

use impasto::checkpoint::{Checkpoint, Snapshot};
use impasto::recipe::{
    Balance, ChangedFields, Colours, OptimizerKind, Recipe, Region, Rest, Size, StyleScale, TimelineEntry, parse_layers,
};
use impasto::run::RegionImages;
use impasto::{
    ChangedGuides, Control, Event, GuideImages, Images, Keeping, Outcome, PaintError, Picture, ResolvedRecipe, Steer,
    Steered, paint_steered,
};
use impasto_vgg::{CpuEngine, CpuOptions, Engine, EngineDescription, EngineError, Session, SessionRequest, Weights};

/// Evaluations at the coarse size and at the full one.
const COARSE: u32 = 4;
const FULL: u32 = 8;

fn waves(width: usize, height: usize, phase: f64) -> Picture {
    waves::waves(width, height, phase, 120.0)
}

fn recipe(optimizer: OptimizerKind) -> Recipe {
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

fn engine(threads: usize) -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(threads), ..CpuOptions::default() }).unwrap()
}

/// A mask that is white where `inside` is.
fn mask(inside: impl Fn(usize, usize) -> bool) -> Picture {
    let plane: Vec<f32> = (0..48 * 40).map(|place| if inside(place % 48, place / 48) { 255.0 } else { 0.0 }).collect();
    Picture::new(48, 40, plane.repeat(3)).unwrap()
}

fn region(name: &str, painting: u32, painting_mask: bool) -> Region {
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
struct Change {
    before: u32,
    set: ChangedFields,
    guides: ChangedGuides,
}

fn change(before: u32, set: ChangedFields) -> Change {
    Change { before, set, guides: ChangedGuides::default() }
}

fn none() -> ChangedFields {
    ChangedFields::default()
}

/// The left half after the second painting, and a corner after a part of the first.
fn regions(before: u32, rest: Option<Rest>) -> Change {
    let regions = Some(vec![region("left", 2, false), region("corner", 1, true)]);
    let part = mask(|x, y| x + y < 40);
    let images = vec![
        RegionImages { mask: mask(|x, _| x < 24), painting_mask: None },
        RegionImages { mask: mask(|x, y| x >= 30 && y < 14), painting_mask: Some(part) },
    ];
    let guides = ChangedGuides { regions: Some(images), emphasis: None };
    Change { before, set: ChangedFields { regions, rest, ..none() }, guides }
}

fn emphasis(before: u32) -> Change {
    let guides = ChangedGuides { regions: None, emphasis: Some(mask(|x, y| (x / 8 + y / 8) % 2 == 0)) };
    Change { before, set: ChangedFields { emphasis: Some("kept.png".into()), ..none() }, guides }
}

/// Timelines of every kind of change, at evaluations of both sizes: by what they are.
fn timelines() -> Vec<(&'static str, Vec<Change>)> {
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
                change(2, ChangedFields { style_scale: Some(StyleScale::All(0.5)), ..none() }),
                change(8, ChangedFields { style_scale: Some(StyleScale::All(1.5)), ..none() }),
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
                change(COARSE + 1, ChangedFields { style_scale: Some(StyleScale::All(0.7)), ..none() }),
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
                change(
                    7,
                    ChangedFields { style_weight: Some(9000.0), style_scale: Some(StyleScale::All(0.6)), ..none() },
                ),
            ],
        ),
    ]
}

fn with(recipe: &Recipe, changes: &[Change]) -> ResolvedRecipe {
    let entry = |change: &Change| TimelineEntry { before_evaluation: change.before, set: change.set.clone() };
    Recipe { timeline: Some(changes.iter().map(entry).collect()), ..recipe.clone() }.resolve().unwrap()
}

/// What a run told: its outcome, its checkpoints, and whether each evaluation was accepted.
#[derive(Debug, PartialEq)]
struct Told {
    outcome: Outcome,
    checkpoints: Vec<Vec<u8>>,
    accepted: Vec<bool>,
    /// Of each change the evaluation before which it was told.
    changed: Vec<u32>,
}

/// Paints, with the changes of the recipe's timeline and those that are steered.
fn run(
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

fn decode(bytes: &[u8]) -> Checkpoint {
    Checkpoint::decode(bytes, Path::new("run/checkpoint-a")).unwrap()
}

#[test]
fn a_replay_ends_in_the_same_bytes_from_every_checkpoint() {
    let engines = [engine(1), engine(2)];
    let mut rejected_before_a_change = 0;
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let plain = recipe(optimizer);
        let unchanged = run(&plain.resolve().unwrap(), &[], &[], None, &engines[1]).unwrap();
        for (name, changes) in timelines() {
            let recipe = with(&plain, &changes);
            let whole = run(&recipe, &changes, &[], None, &engines[1]).unwrap();
            assert_ne!(whole.outcome.picture, unchanged.outcome.picture, "{optimizer:?}, {name}: it changes something");
            let counted: Vec<u32> = changes.iter().map(|it| it.before).filter(|&it| it <= COARSE + FULL).collect();
            assert_eq!(whole.changed, counted, "{optimizer:?}, {name}");
            let after_rejected = counted.iter().filter(|&&before| before > 1 && !whole.accepted[before as usize - 2]);
            rejected_before_a_change += after_rejected.count();
            for (done, bytes) in whole.checkpoints.iter().enumerate() {
                let resumed = run(&recipe, &changes, &[], Some(decode(bytes)), &engines[0]).unwrap();
                let from = format!("{optimizer:?}, {name}, from evaluation {}", done + 1);
                assert_eq!(resumed.outcome, whole.outcome, "{from}");
                assert_eq!(resumed.checkpoints, whole.checkpoints[done + 1..], "{from}: later checkpoints");
                assert_eq!(resumed.accepted, whole.accepted[done + 1..], "{from}");
            }
        }
    }
    assert!(rejected_before_a_change > 0, "a change comes right after an evaluation that was taken back");
}

#[test]
fn a_run_that_was_steered_is_repeated_by_its_recipe() {
    let engines = [engine(1), engine(2)];
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let plain = recipe(optimizer);
        for (name, changes) in timelines() {
            let steered = run(&plain.resolve().unwrap(), &[], &changes, None, &engines[0]).unwrap();
            let recipe = with(&plain, &changes);
            let replayed = run(&recipe, &changes, &[], None, &engines[1]).unwrap();
            assert_eq!(steered.outcome, replayed.outcome, "{optimizer:?}, {name}");
            // One that was killed goes on with the changes that were written since its checkpoint.
            for done in [1, 3, 4, 5, 7, 9] {
                let checkpoint = decode(&steered.checkpoints[done]);
                let resumed = run(&recipe, &changes, &[], Some(checkpoint), &engines[1]).unwrap();
                assert_eq!(resumed.outcome, steered.outcome, "{optimizer:?}, {name}, from {}", done + 1);
            }
        }
    }
}

/// A change that was written and not made yet when the program ended, and one that comes after the run was taken up again.
#[test]
fn a_timeline_and_steering_go_together() {
    let engine = engine(2);
    let plain = recipe(OptimizerKind::Lbfgs);
    let written = change(6, ChangedFields { style_weight: Some(90.0), ..none() });
    let steered = [regions(6, None), change(8, ChangedFields { style_scale: Some(StyleScale::All(0.5)), ..none() })];
    let begun = run(&plain.resolve().unwrap(), &[], &[], None, &engine).unwrap();
    let recipe = with(&plain, std::slice::from_ref(&written));
    let from = Some(decode(&begun.checkpoints[4]));
    let gone_on = run(&recipe, std::slice::from_ref(&written), &steered, from, &engine).unwrap();
    assert_eq!(gone_on.changed, [6, 6, 8]);
    let all = [written, steered[0].clone(), steered[1].clone()];
    let replayed = run(&with(&plain, &all), &all, &[], None, &engine).unwrap();
    assert_eq!(gone_on.outcome, replayed.outcome);
}

/// What a checkpoint was taken of cannot be changed any more.
#[test]
fn the_checkpoint_of_another_past_is_refused() {
    let engine = engine(2);
    let plain = recipe(OptimizerKind::Lbfgs);
    let late = change(7, ChangedFields { style_weight: Some(90.0), ..none() });
    let early = change(5, ChangedFields { style_weight: Some(90.0), ..none() });
    let whole =
        run(&with(&plain, std::slice::from_ref(&late)), std::slice::from_ref(&late), &[], None, &engine).unwrap();
    let try_it =
        |changes: &[Change]| run(&with(&plain, changes), changes, &[], Some(decode(&whole.checkpoints[4])), &engine);
    assert_eq!(try_it(std::slice::from_ref(&early)).unwrap_err(), PaintError::OtherRun);
    // What was still to come may be another, or nothing.
    assert!(try_it(&[]).is_ok());
    assert_eq!(try_it(&[late]).unwrap().outcome, whole.outcome);
}

/// A change is no more and no less than this: the state is taken up by another recipe, and L-BFGS knows nothing of its loss.
#[test]
fn a_change_is_another_recipe_from_there_on() {
    let engine = engine(2);
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let plain = recipe(optimizer);
        let begun = run(&plain.resolve().unwrap(), &[], &[], None, &engine).unwrap();
        for (name, changes) in timelines() {
            // Those that bring masks are compared to a recipe with masks below.
            let is_plain = |change: &Change| change.guides.regions.is_none() && change.guides.emphasis.is_none();
            let Some(Change { set, .. }) = changes.first().filter(|change| is_plain(change)) else { continue };
            let single = [change(7, set.clone())];
            let changed = run(&with(&plain, &single), &single, &[], None, &engine).unwrap();
            let (other, _) = plain.resolve().unwrap().changed(set).unwrap();
            let mut checkpoint = decode(&begun.checkpoints[5]);
            checkpoint.recipe = other.clone();
            checkpoint.optimiser.take_other_loss();
            let by_hand = run(&other, &[], &[], Some(checkpoint), &engine).unwrap();
            assert_eq!(changed.outcome, by_hand.outcome, "{optimizer:?}, {name}");
        }
    }
}

#[test]
fn before_the_first_evaluation_it_is_the_recipe() {
    let engine = engine(2);
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let plain = recipe(optimizer);
        for (name, changes) in timelines() {
            let first = Change { before: 1, ..changes[0].clone() };
            let by_timeline =
                run(&with(&plain, std::slice::from_ref(&first)), std::slice::from_ref(&first), &[], None, &engine)
                    .unwrap();
            let (other, _) = plain.resolve().unwrap().changed(&first.set).unwrap();
            let (content, styles) = (waves(48, 40, 0.0), [waves(40, 50, 2.0), waves(36, 30, 4.0)]);
            let ChangedGuides { regions, emphasis } = &first.guides;
            let regions = regions.as_deref().unwrap_or(&[]);
            let guides = GuideImages { regions, emphasis: emphasis.as_ref(), ..GuideImages::default() };
            let images = Images { content: &content, styles: &styles, start: None, guides };
            let plain = impasto::paint(&other, &engine, images, None, &mut |_| Control::Continue).unwrap();
            assert_eq!(by_timeline.outcome, plain, "{optimizer:?}, {name}");
        }
    }
}

/// What only the eye sees leaves the optimiser alone, and so does what sets nothing new.
#[test]
fn what_leaves_the_loss_alone_forgets_nothing() {
    let engine = engine(2);
    let plain = recipe(OptimizerKind::Lbfgs);
    let begun = run(&plain.resolve().unwrap(), &[], &[], None, &engine).unwrap();
    let same = [
        change(3, ChangedFields { style_weight: Some(40.0), ..none() }),
        change(7, ChangedFields { colours: Some(Colours::Photo), ..none() }),
        change(10, ChangedFields { colours: Some(Colours::Painting), ..none() }),
    ];
    let changed = run(&with(&plain, &same), &same, &[], None, &engine).unwrap();
    assert_eq!(changed.outcome, begun.outcome);
    let forgotten = [same[1].clone(), change(8, ChangedFields { style_weight: Some(40.1), ..none() })];
    assert_ne!(
        run(&with(&plain, &forgotten), &forgotten, &[], None, &engine).unwrap().outcome.losses,
        begun.outcome.losses
    );
}

/// A style that counts a thousand times more is no explosion.
#[test]
fn adam_goes_on_after_a_great_change() {
    let engine = engine(2);
    let plain = recipe(OptimizerKind::Adam);
    let great = [change(7, ChangedFields { style_weight: Some(4e5), ..none() })];
    let changed = run(&with(&plain, &great), &great, &[], None, &engine).unwrap();
    assert!(changed.accepted.iter().all(|&accepted| accepted), "{:?}", changed.accepted);
}

/// An engine that notes what sessions it is asked for.
struct Noting {
    inner: CpuEngine,
    sessions: Mutex<Vec<SessionRequest>>,
}

impl Engine for Noting {
    fn describe(&self) -> EngineDescription {
        self.inner.describe()
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        self.sessions.lock().unwrap().push(request.clone());
        self.inner.session(request)
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        self.inner.session_bytes(request)
    }
}

#[test]
fn a_change_makes_anew_what_it_touches() {
    let noting = Noting { inner: engine(2), sessions: Mutex::default() };
    let plain = recipe(OptimizerKind::Lbfgs);
    // Sessions of pictures, and of paintings.
    let mut counted = |changes: &[Change]| {
        run(&with(&plain, changes), changes, &[], None, &noting).unwrap();
        let sessions = std::mem::take(&mut *noting.sessions.lock().unwrap());
        let (of_pictures, of_paintings): (Vec<_>, Vec<_>) = sessions.into_iter().partition(|request| request.way_back);
        (of_pictures.len(), of_paintings.len())
    };
    let layers = |text: &str| Some(parse_layers("", text).unwrap());
    // A picture's at each size, and both paintings' at each.
    assert_eq!(counted(&[change(20, ChangedFields { tv_weight: Some(1.0), ..none() })]), (2, 4));
    let set = |set: ChangedFields| [change(3, set.clone()), change(7, ChangedFields { tv_weight: Some(9.0), ..set })];
    let weights = ChangedFields { style_weight: Some(1.0), content_weight: Some(9.0), ..none() };
    assert_eq!(counted(&set(weights)), (2, 4), "weights");
    assert_eq!(
        counted(&set(ChangedFields { style_layers: layers("conv1_1=9,conv2_1"), ..none() })),
        (2, 4),
        "layers' weights"
    );
    assert_eq!(
        counted(&set(ChangedFields { content_layers: layers("conv2_1=2"), ..none() })),
        (2, 4),
        "content's weight"
    );
    // At the coarse size both, and the full one's, which were there already; nothing more at the full size.
    assert_eq!(counted(&set(ChangedFields { style_scale: Some(StyleScale::All(0.5)), ..none() })), (2, 8), "the brush");
    assert_eq!(counted(&set(ChangedFields { style_blend: Some(vec![1.0, 0.0]), ..none() })), (2, 6), "shares");
    // The picture's session has other taps in the middle of the coarse size.
    assert_eq!(
        counted(&set(ChangedFields { style_layers: layers("conv1_1,conv3_1"), ..none() })),
        (3, 8),
        "other layers"
    );
    assert_eq!(counted(&set(ChangedFields { content_layers: layers("conv1_1"), ..none() })), (3, 4), "other content");
    // Regions of two paintings and the rest, three parts at each size.
    assert_eq!(counted(&[regions(3, None)]), (3, 10), "regions");
    let moved = Change { before: 7, ..regions(7, None) };
    assert_eq!(counted(&[regions(3, None), moved]), (3, 10), "the same regions again");
}

#[test]
fn what_cannot_change_is_said_before_any_work() {
    let said = |timeline: &str| {
        let text = format!(r#"{{"styles": ["a", "b"], "timeline": {timeline}}}"#);
        Recipe::from_json(&text).and_then(|recipe| recipe.resolve()).unwrap_err().to_string()
    };
    for field in ["size", "optimizer", "seed", "levels", "precision", "weights", "iterations", "init", "timeline"] {
        let sentence = said(&format!(r#"[{{"before_evaluation": 3, "set": {{"{field}": 1}}}}]"#));
        assert!(sentence.contains(&format!("\"{field}\", which cannot change")), "{sentence}");
    }
    let sentences = [
        (r#"[{"before_evaluation": 3, "set": {"style_wieght": 1}}]"#, "style_weight"),
        (r#"[{"before_evaluation": 3, "set": {}}]"#, "before evaluation 3: the change sets nothing"),
        (r#"[{"before_evaluation": 0, "set": {"tv_weight": 1}}]"#, "before evaluation 0"),
        (
            r#"[{"before_evaluation": 9, "set": {"tv_weight": 1}}, {"before_evaluation": 8, "set": {"tv_weight": 2}}]"#,
            "before evaluation 8 where 9 is the least",
        ),
        (r#"[{"before_evaluation": 3, "set": {"style_weight": -1}}]"#, "before evaluation 3: --style-weight -1"),
        (r#"[{"before_evaluation": 3, "set": {"strength": 3}}]"#, "--strength 3"),
        (r#"[{"before_evaluation": 3, "set": {"strength": 1, "style_weight": 2}}]"#, "set the same thing"),
        (r#"[{"before_evaluation": 3, "set": {"style_blend": [1]}}]"#, "has 1 shares for 2"),
        (r#"[{"before_evaluation": 3, "set": {"rest": "photo"}}]"#, "there are none"),
        (
            r#"[{"before_evaluation": 3, "set": {"style_layers": {}, "content_layers": {}}}]"#,
            "nothing is left to paint",
        ),
        (r#"[{"before_evaluation": 3, "after": 1, "set": {"tv_weight": 1}}]"#, "unknown field `after`"),
    ];
    for (timeline, part) in sentences {
        let sentence = said(timeline);
        assert!(sentence.contains(part), "{sentence}");
    }
    let black = mask(|_, _| false);
    let mut dark = regions(3, None);
    dark.guides.regions.as_mut().unwrap()[1].mask = black;
    let plain = recipe(OptimizerKind::Adam);
    let error = run(&with(&plain, std::slice::from_ref(&dark)), std::slice::from_ref(&dark), &[], None, &engine(1));
    assert!(matches!(error.unwrap_err(), PaintError::BlackMask { region, .. } if region == "corner"));
    let missing = Change { guides: ChangedGuides::default(), ..regions(3, None) };
    let error = run(&with(&plain, std::slice::from_ref(&missing)), &[missing], &[], None, &engine(1));
    assert_eq!(error.unwrap_err(), PaintError::MaskMissing);
}

#[test]
fn a_timeline_is_a_recipe_again_and_is_varied_with_it() {
    let text = r#"{"preset": "default", "timeline": [
        {"before_evaluation": 5, "set": {"strength": 1, "tv_weight": 2, "original_colors": true}},
        {"before_evaluation": 9, "set": {"denoise": 1}}
    ]}"#;
    let recipe = Recipe::from_json(text).unwrap();
    let resolved = recipe.resolve().unwrap();
    let presets_own = Recipe::default().resolve().unwrap().style_weight;
    let set = &resolved.timeline[0].set;
    assert_eq!((set.style_weight, set.strength), (Some(presets_own), None));
    assert_eq!((set.colours, set.original_colors), (Some(Colours::Photo), None));
    assert_eq!(Recipe::from_json(&resolved.to_json()).unwrap().resolve().unwrap(), resolved);
    let effect = |evaluation| resolved.at_evaluation(evaluation);
    assert!(effect(4).colours == Colours::Painting && effect(5).original_colors && effect(8).tv_weight == 2.0);
    let denoised = Recipe { denoise: Some(1.0), ..Recipe::default() }.resolve().unwrap();
    assert_eq!(effect(9).tv_weight, denoised.tv_weight);
    // What is named now is meant throughout.
    let varied = |over: Recipe| recipe.varied_by(&over).timeline.map_or(0, |timeline| timeline.len());
    assert_eq!(varied(Recipe { seed: Some(1), ..Recipe::default() }), 2);
    assert_eq!(varied(Recipe { tv_weight: Some(1.0), ..Recipe::default() }), 1);
    let over = Recipe { style_weight: Some(3.0), colours: Some(Colours::Painting), ..Recipe::default() };
    let left = recipe.varied_by(&over).timeline.unwrap();
    assert_eq!(left[0].set, ChangedFields { tv_weight: Some(2.0), ..none() });
    assert_eq!(varied(Recipe { timeline: Some(Vec::new()), ..Recipe::default() }), 0);
}

/// Weights in proportion mean in a timeline what they mean in the recipe, whenever they come.
#[test]
fn a_timeline_in_proportion_is_measured_as_the_recipe_is() {
    let engine = engine(2);
    let (content, styles) = (waves(48, 40, 0.0), [waves(40, 50, 2.0), waves(36, 30, 4.0)]);
    let in_proportion = Recipe { balance: Some(Balance::Painting), ..recipe(OptimizerKind::Lbfgs) };
    let plain = |recipe: &ResolvedRecipe, regions: &[RegionImages], changed: &[ChangedGuides]| {
        let guides = GuideImages { regions, changed, ..GuideImages::default() };
        let images = Images { content: &content, styles: &styles, start: None, guides };
        impasto::run::balanced(recipe, &engine, images, None).unwrap()
    };
    // A layer among them that the recipe does not begin with.
    let style_layers = Some(parse_layers("", "conv1_1=2,conv2_1=0.5,conv3_1").unwrap());
    let changes = [change(3, ChangedFields { style_layers: style_layers.clone(), ..none() }), regions(6, None)];
    let guides: Vec<ChangedGuides> = changes.iter().map(|change| change.guides.clone()).collect();
    let measured = plain(&with(&in_proportion, &changes), &[], &guides);
    assert_eq!(measured.balance, Balance::Plain);

    let begun = Recipe { style_layers, ..in_proportion.clone() }.resolve().unwrap();
    assert_eq!(measured.timeline[0].set.style_layers, Some(plain(&begun, &[], &[]).style_layers));
    let begun = ResolvedRecipe { regions: changes[1].set.regions.clone().unwrap(), ..begun };
    let masks = changes[1].guides.regions.clone().unwrap();
    assert_eq!(measured.timeline[1].set.regions, Some(plain(&begun, &masks, &[]).regions));
    assert_eq!(measured.style_layers, plain(&in_proportion.resolve().unwrap(), &[], &[]).style_layers);
}
