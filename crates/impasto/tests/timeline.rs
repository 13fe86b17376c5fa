//! A recipe that changes while it paints: what a change is, and that a replay, a run that was steered, and one that is gone on with
//! from any checkpoint all end in the same bytes.

mod changes;
mod waves;

use std::sync::Mutex;

use impasto::recipe::{ChangedFields, Colours, OptimizerKind, Recipe, Size, StyleScale, parse_layers};
use impasto::{ChangedGuides, Control, GuideImages, Images, PaintError};
use impasto_vgg::{CpuEngine, Engine, EngineDescription, EngineError, Session, SessionRequest};

use changes::{COARSE, Change, FULL, change, decode, engine, none, recipe, regions, run, timelines, waves, with};

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

/// At the full size the coarse one counts beside it, with all that changes.
#[test]
fn a_replay_with_smaller_sizes_ends_in_the_same_bytes() {
    let engine = engine(2);
    let plain = Recipe {
        size: Some(Size::Exact { width: 96, height: 80 }),
        multiscale_weight: Some(1.0),
        multiscale_px: Some(48),
        ..recipe(OptimizerKind::Lbfgs)
    };
    for (name, changes) in timelines() {
        let recipe = with(&plain, &changes);
        let whole = run(&recipe, &changes, &[], None, &engine).unwrap();
        assert!(whole.outcome.losses.as_ref().unwrap().multiscale > 0.0, "{name}");
        let of_before = with(&Recipe { multiscale_weight: Some(0.0), ..plain.clone() }, &changes);
        let alone = run(&of_before, &changes, &[], None, &engine).unwrap();
        assert_ne!(whole.outcome.picture, alone.outcome.picture, "{name}");
        for done in [5, 8] {
            let resumed = run(&recipe, &changes, &[], Some(decode(&whole.checkpoints[done])), &engine).unwrap();
            assert_eq!(resumed.outcome, whole.outcome, "{name}, from evaluation {}", done + 1);
        }
    }
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
            for done in [1, 4, 7] {
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
    let counted = |changes: &[Change]| {
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
