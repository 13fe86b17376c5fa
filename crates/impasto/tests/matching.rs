//! Matched features in whole runs: the loss and its gradient, banks, what is matched when, checkpoints, what a run will take.

mod waves;

use std::path::Path;

use impasto::checkpoint::{Checkpoint, Snapshot};
use impasto::forecast::{memory_need, seconds};
use impasto::objective::matching::{add_to_banks, matched_taps};
use impasto::objective::{Objective, request, style_moments};
use impasto::picture::Picture;
use impasto::picture::turn::Turn;
use impasto::recipe::{Balance, MatchTurns, OptimizerKind, Recipe, Size, parse_layers};
use impasto::resolve::ResolvedRecipe;
use impasto::{Control, Event, GuideImages, Images, Keeping, Outcome, PaintError, paint, paint_kept, scales};
use impasto_vgg::reference::ReferenceEngine;
use impasto_vgg::{
    Bank, CpuEngine, CpuOptions, Engine, EngineDescription, EngineError, Layer, MatchedTap, Session, SessionRequest,
    Weights,
};

fn waves(width: usize, height: usize, phase: f64) -> Picture {
    waves::waves(width, height, phase, 120.0)
}

fn recipe() -> Recipe {
    Recipe {
        size: Some(Size::Exact { width: 66, height: 64 }),
        levels: Some(2),
        coarsest_px: Some(32),
        coarse_iterations: Some(7),
        balance: Some(Balance::Plain),
        iterations: Some(11),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1").unwrap()),
        match_weight: Some(3e3),
        match_layers: Some(parse_layers("", "conv1_2=0.5,conv2_1,pool2=2").unwrap()),
        match_every: Some(4),
        match_turns: Some(MatchTurns::Rotated),
        match_photo: Some(0.25),
        ..Recipe::default()
    }
}

fn engine(threads: usize) -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(threads), ..CpuOptions::default() }).unwrap()
}

/// The loss in f64 against central differences, with the matches held.
#[test]
fn the_gradient_of_a_matched_loss_is_its_derivative() {
    for centred in [true, false] {
        let layers = Some(parse_layers("", "conv1_2=0.5,conv2_1").unwrap());
        let (content_weight, style_weight) = (Some(0.0), Some(0.0));
        let (tv_weight, range_weight, match_centred) = (Some(0.0), Some(0.0), Some(centred));
        let typed = Recipe { content_weight, style_weight, tv_weight, range_weight, match_centred, ..recipe() };
        let recipe = Recipe { match_layers: layers, ..typed }.resolve().unwrap();
        let engine = ReferenceEngine::new(Weights::embedded());
        let style = waves(9, 7, 2.0);
        let mut banks = Vec::new();
        add_to_banks(&recipe, &engine, &style, None, None, &mut banks).unwrap();
        let matched_taps = matched_taps(&recipe, &[(9, 7)]);
        let mut session = engine.session(&SessionRequest { matched_taps, ..request(&recipe, 8, 6, None) }).unwrap();
        session.set_banks(&banks).unwrap();
        let picture: Vec<f32> = waves(8, 6, 0.5).values.iter().map(|value| (value * 64.0).round() / 64.0).collect();
        session.find_matches(&waves(8, 6, 0.0).values).unwrap();
        let mut objective = Objective::new(&recipe, &[]);
        let mut gradient = vec![0.0; picture.len()];
        let losses = objective.evaluate(session.as_mut(), &picture, &mut gradient).unwrap();
        assert!(losses.matched > 0.0 && losses.total == 3e3 * losses.matched, "{losses:?}");
        assert_eq!(losses.matched_layers.len(), 2);
        let sum = 0.5 * losses.matched_layers[0].loss + losses.matched_layers[1].loss;
        assert!((losses.matched - sum).abs() <= 1e-12);
        let largest = gradient.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
        let mut unused = vec![0.0; picture.len()];
        for place in (0..picture.len()).step_by(7) {
            let mut loss_at = |step: f32| {
                let mut moved = picture.clone();
                moved[place] += step;
                objective.evaluate(session.as_mut(), &moved, &mut unused).unwrap().total
            };
            let step = 1.0 / 4096.0;
            let difference = (loss_at(step) - loss_at(-step)) / (2.0 * f64::from(step));
            let error = (difference - f64::from(gradient[place])).abs();
            assert!(error <= 1e-4 * f64::from(largest), "{centred} {place}: {difference} {}", gradient[place]);
        }
    }
}

/// A bank has every turn, in as many entries as the session was opened for.
#[test]
fn banks_have_every_turn() {
    let (engine, style) = (engine(2), waves(70, 30, 1.0));
    for (turns, count) in [(MatchTurns::Upright, 1), (MatchTurns::Rotated, 4), (MatchTurns::Mirrored, 8)] {
        let recipe = Recipe { match_turns: Some(turns), ..recipe() }.resolve().unwrap();
        let taps = matched_taps(&recipe, &[(70, 30)]);
        let mut banks: Vec<Bank> = Vec::new();
        add_to_banks(&recipe, &engine, &style, None, None, &mut banks).unwrap();
        for (tap, bank) in taps.iter().zip(&banks) {
            let channels = tap.layer.channels();
            assert_eq!((bank.layer, bank.features.len()), (tap.layer, tap.entries * channels));
            assert_eq!(tap.entries, count * MatchedTap::samples(tap.layer, 30, 70));
        }
        // The last turn's part is what that turn's image has.
        let last = Turn::all(true).nth(count - 1).unwrap();
        let upright = Recipe { match_turns: Some(MatchTurns::Upright), ..recipe_again(&recipe) }.resolve().unwrap();
        let mut alone = Vec::new();
        add_to_banks(&upright, &engine, &style.turned(last), None, None, &mut alone).unwrap();
        for (bank, alone) in banks.iter().zip(&alone) {
            assert!(bank.features.ends_with(&alone.features), "{turns:?} {}", bank.layer);
        }
    }
    // Four quarters are four different pictures, each the one before turned once more.
    let quarters: Vec<Picture> = Turn::all(false).map(|turn| style.turned(turn)).collect();
    for pair in quarters.windows(2) {
        assert!(pair[0].turned(Turn { quarters: 1, mirrored: false }) == pair[1]);
    }
    // Two images, one after the other.
    let two = matched_taps(&recipe().resolve().unwrap(), &[(70, 30), (20, 20)]);
    let samples = |layer: Layer| MatchedTap::samples(layer, 30, 70) + MatchedTap::samples(layer, 20, 20);
    assert!(two.iter().all(|tap| tap.entries == 4 * samples(tap.layer)));
}

fn recipe_again(recipe: &ResolvedRecipe) -> Recipe {
    Recipe::from_json(&recipe.to_json()).unwrap()
}

/// The outcome, the checkpoint after each evaluation, and what was said of each.
type Told = (Outcome, Vec<Vec<u8>>, Vec<(bool, f64)>);

fn run(recipe: &ResolvedRecipe, from: Option<Checkpoint>, threads: usize) -> Result<Told, PaintError> {
    let (content, styles) = (waves(66, 64, 0.0), [waves(40, 50, 2.0), waves(30, 20, 1.0)]);
    let images = Images { content: &content, styles: &styles, start: None, guides: GuideImages::default() };
    let (mut kept, mut told) = (Vec::new(), Vec::new());
    let mut keep = |snapshot: &Snapshot<'_>| {
        let mut bytes = Vec::new();
        snapshot.write(&mut bytes).unwrap();
        kept.push(bytes);
    };
    let mut observer = |event: Event<'_>| {
        match event {
            Event::Iteration(iteration) => told.push((true, iteration.losses.total)),
            Event::StepRejected { loss, .. } => told.push((false, loss)),
            _ => {}
        }
        Control::Continue
    };
    let keeping = Keeping { from, keep: &mut keep };
    let outcome = paint_kept(recipe, &engine(threads), images, None, keeping, &mut observer)?;
    Ok((outcome, kept, told))
}

/// Matches that are held on the way, and those that are about to be found anew: all go on as they were.
#[test]
fn from_every_evaluation_the_run_ends_in_the_same_bytes() {
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let recipe = Recipe { optimizer: Some(optimizer), ..recipe() }.resolve().unwrap();
        let (whole, kept, _) = run(&recipe, None, 2).unwrap();
        assert_eq!(kept.len(), 18);
        for (done, bytes) in kept.iter().enumerate() {
            let checkpoint = Checkpoint::decode(bytes, Path::new("checkpoint-a")).unwrap();
            assert_eq!(checkpoint.matches.len(), 3);
            let (resumed, later, _) = run(&recipe, Some(checkpoint), 1).unwrap();
            assert_eq!(resumed, whole, "{optimizer:?}, from evaluation {}", done + 1);
            assert_eq!(later, kept[done + 1..], "{optimizer:?}: later checkpoints too");
        }
    }
}

/// A loss that has grown because features were matched anew is no reason to go back.
#[test]
fn a_new_match_is_a_new_loss() {
    // Matched from the photo at first, and from something else later: the loss grows there.
    let recipe = Recipe { levels: Some(1), match_photo: Some(0.0), ..recipe() }.resolve().unwrap();
    let (_, kept, told) = run(&recipe, None, 2).unwrap();
    for first in [4, 8] {
        // No pair of steps is left.
        assert!(kept[first].len() < kept[first - 1].len(), "evaluation {}", first + 1);
        assert!(told[first].0, "evaluation {} was the first of its matches, and rejected: {told:?}", first + 1);
    }
    // While matches are held, the loss falls.
    let held: Vec<f64> = told[..4].iter().filter(|told| told.0).map(|told| told.1).collect();
    assert!(held.windows(2).all(|pair| pair[1] < pair[0]), "{held:?}");
}

/// From the photo alone the matches are the same for ever; from the picture they change with it.
#[test]
fn what_is_matched_is_photo_and_picture() {
    let matches = |share| {
        let recipe = Recipe { levels: Some(1), match_photo: Some(share), ..recipe() }.resolve().unwrap();
        let (_, kept, _) = run(&recipe, None, 2).unwrap();
        let matches = |bytes: &Vec<u8>| Checkpoint::decode(bytes, Path::new("checkpoint-a")).unwrap().matches;
        kept.iter().map(matches).collect::<Vec<_>>()
    };
    let (of_photo, of_picture) = (matches(1.0), matches(0.0));
    assert!(of_photo.iter().all(|matches| *matches == of_photo[0]));
    assert!(of_picture[..4].iter().all(|matches| *matches == of_picture[0]));
    assert!(of_picture[4] != of_picture[3] && of_picture[8] != of_picture[7]);
}

/// The picture comes nearer to the painting's features: from the same start, with matches and without.
#[test]
fn matches_draw_the_picture_to_the_painting() {
    let matched = |weight| {
        let typed =
            Recipe { match_weight: Some(weight), content_weight: Some(1e-3), style_weight: Some(0.0), ..recipe() };
        let recipe = Recipe { iterations: Some(20), levels: Some(1), match_photo: Some(1.0), ..typed };
        run(&recipe.resolve().unwrap(), None, 2).unwrap().0.losses.unwrap().matched
    };
    // A photo is at least as far as that from another picture's features; and without a weight nothing is matched.
    let (drawn, hardly) = (matched(1e4), matched(1e-9));
    assert!(drawn < 0.6 * hardly, "{drawn} {hardly}");
    assert_eq!(matched(0.0), 0.0);
}

#[test]
fn what_a_run_with_matches_takes_is_said() {
    let engine = engine(2);
    let need = |weight, turns| {
        let recipe = Recipe { match_weight: Some(weight), match_turns: Some(turns), ..recipe() }.resolve().unwrap();
        let scales = scales(&recipe, 66, 64);
        let bytes = memory_need(&recipe, &engine, &scales, 66 * 64, &[(40, 50)], None).unwrap().bytes;
        (bytes, seconds(&recipe, &engine, &scales, &[(40, 50)]).unwrap())
    };
    let (without, one, eight) =
        (need(0.0, MatchTurns::Upright), need(1.0, MatchTurns::Upright), need(1.0, MatchTurns::Mirrored));
    // The full size's banks, in the session twice (panels of 64 entries) and once beside it.
    let entries = |layer: &str| {
        let layer = Layer::named(layer).unwrap();
        let (width, height) = (53, 66);
        MatchedTap::samples(layer, height, width) * layer.channels() * 4
    };
    let of_turn = (entries("conv1_2") + entries("conv2_1") + entries("pool2")) as u64;
    let grown = eight.0 - one.0;
    assert!((7 * 3 * of_turn..7 * 3 * of_turn + (1 << 18)).contains(&grown), "{grown} {of_turn}");
    assert!(one.0 > without.0 && one.1 > 0.0 && eight.1 > 0.0, "{without:?} {one:?} {eight:?}");
}

/// An engine that does not match is told before any work.
#[test]
fn where_the_engine_does_not_match_it_is_said_before_work() {
    let recipe = recipe().resolve().unwrap();
    let (content, style) = (waves(66, 64, 0.0), waves(40, 50, 2.0));
    let images = Images { content: &content, styles: &[style], start: None, guides: GuideImages::default() };
    let mut evaluations = 0;
    let mut observer = |event: Event<'_>| {
        evaluations += u32::from(matches!(event, Event::Iteration(_)));
        Control::Continue
    };
    let engine = Matchless(engine(1));
    let error = paint(&recipe, &engine, images, None, &mut observer).unwrap_err();
    assert!(matches!(error, PaintError::Engine(EngineError::NoMatching { .. })), "{error}");
    assert_eq!(evaluations, 0);
    let scales = scales(&recipe, 66, 64);
    let error = memory_need(&recipe, &engine, &scales, 66 * 64, &[(40, 50)], None).unwrap_err();
    assert!(error.to_string().contains("--device cpu"), "{error}");
}

struct Matchless(CpuEngine);

impl Engine for Matchless {
    fn describe(&self) -> EngineDescription {
        self.0.describe()
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        self.session_bytes(request)?;
        self.0.session(request)
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        match request.matched_taps.is_empty() {
            true => self.0.session_bytes(request),
            false => Err(EngineError::NoMatching { engine: "this one".into() }),
        }
    }
}

/// Recipes of the formats before have no matches, whatever the preset has by now.
#[test]
fn recipes_of_before_have_no_matches() {
    for format in [1, 2] {
        let json = format!(r#"{{"format": {format}, "version": "0.1.0"}}"#);
        let resolved = Recipe::from_json(&json).unwrap().resolve().unwrap();
        assert_eq!((resolved.match_weight, resolved.counted_match_layers().len()), (0.0, 0));
    }
}

/// A recipe that only matches needs a style image, and no moments of it.
#[test]
fn a_run_may_match_and_nothing_else() {
    let typed = Recipe { content_weight: Some(0.0), style_weight: Some(0.0), ..recipe() };
    let resolved = typed.resolve().unwrap();
    let (content, none) = (waves(66, 64, 0.0), []);
    let images = Images { content: &content, styles: &none, start: None, guides: GuideImages::default() };
    let error = paint(&resolved, &engine(1), images, None, &mut |_| Control::Continue).unwrap_err();
    assert!(matches!(error, PaintError::Recipe(_)), "{error}");
    let (outcome, _, _) = run(&resolved, None, 2).unwrap();
    assert!(outcome.losses.unwrap().matched > 0.0);
    assert!(style_moments(&resolved, &engine(1), &content.values, 66, 64, None).unwrap().is_empty());
    let error = Recipe { match_weight: Some(0.0), ..typed }.resolve().unwrap_err().to_string();
    assert!(error.contains("--match-weight"), "{error}");
}
