//! A run that goes on from a checkpoint ends in the same bytes as one that was never stopped, and no damaged checkpoint
//! is ever gone on from.

mod waves;

use std::path::Path;

use impasto::checkpoint::{Checkpoint, CheckpointError, Keeper, NAMES, Snapshot, newest};
use impasto::crc32c::crc32c;
use impasto::disk::RealDisk;
use impasto::picture::Picture;
use impasto::recipe::{OptimizerKind, PrecisionChoice, Recipe, Size, StyleLoss, parse_layers};
use impasto::resolve::ResolvedRecipe;
use impasto::{Control, Event, GuideImages, Images, Keeping, Outcome, PaintError, paint, paint_kept};
use impasto_vgg::{CpuEngine, CpuOptions, Weights};

fn waves(width: usize, height: usize, phase: f64) -> Picture {
    waves::waves(width, height, phase, 120.0)
}

/// Two scales, shallow layers; a history that is full long before the end, and more pairs than the diagonal waits for.
fn recipe(optimizer: OptimizerKind) -> ResolvedRecipe {
    let recipe = Recipe {
        size: Some(Size::Exact { width: 66, height: 64 }),
        levels: Some(2),
        coarse_iterations: Some(7),
        iterations: Some(15),
        history: Some(3),
        learning_rate: Some(4.0),
        optimizer: Some(optimizer),
        precision: Some(PrecisionChoice::Auto),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1,conv2_1").unwrap()),
        ..Recipe::default()
    };
    recipe.resolve().unwrap()
}

fn engine(threads: usize) -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(threads), ..CpuOptions::default() }).unwrap()
}

/// The outcome, the checkpoint after each evaluation, and each iteration's loss.
type Told = (Outcome, Vec<Vec<u8>>, Vec<f64>);

/// Runs, from a checkpoint or not; gives the outcome, the checkpoint after each evaluation, and each iteration's loss.
fn run(recipe: &ResolvedRecipe, from: Option<Checkpoint>, threads: usize) -> Result<Told, PaintError> {
    let (content, style) = (waves(66, 64, 0.0), waves(40, 50, 2.0));
    let images = Images { content: &content, styles: &[style], start: None, guides: GuideImages::default() };
    let (mut kept, mut losses) = (Vec::new(), Vec::new());
    let mut keep = |snapshot: &Snapshot<'_>| {
        let mut bytes = Vec::new();
        snapshot.write(&mut bytes).unwrap();
        kept.push(bytes);
    };
    let mut observer = |event: Event<'_>| {
        if let Event::Iteration(iteration) = event {
            losses.push(iteration.losses.total);
        }
        Control::Continue
    };
    let keeping = Keeping { from, keep: &mut keep };
    let outcome = paint_kept(recipe, &engine(threads), images, None, keeping, &mut observer)?;
    Ok((outcome, kept, losses))
}

fn decode(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::decode(bytes, Path::new("run/checkpoint-a"))
}

#[test]
fn from_every_evaluation_the_run_ends_in_the_same_bytes() {
    let (lbfgs, adam) = (OptimizerKind::Lbfgs, OptimizerKind::Adam);
    for (optimizer, style_loss, adam_average, adam_carried) in [
        (lbfgs, StyleLoss::Gram, 0.0, false),
        (adam, StyleLoss::Gram, 0.0, false),
        (lbfgs, StyleLoss::Wasserstein, 0.0, false),
        (adam, StyleLoss::MeanVariance, 0.8, true),
    ] {
        let recipe = ResolvedRecipe { style_loss, adam_average, adam_carried, ..recipe(optimizer) };
        let (whole, kept, losses) = run(&recipe, None, 2).unwrap();
        assert_eq!(kept.len(), 22);
        let (content, style) = (waves(66, 64, 0.0), waves(40, 50, 2.0));
        let images = Images { content: &content, styles: &[style], start: None, guides: GuideImages::default() };
        let plain = paint(&recipe, &engine(1), images, None, &mut |_| Control::Continue).unwrap();
        assert_eq!(plain, whole, "being kept changes nothing");
        for (done, bytes) in kept.iter().enumerate() {
            let checkpoint = decode(bytes).unwrap();
            assert_eq!(checkpoint.place.evaluations as usize, done + 1);
            let iterations = checkpoint.place.iterations as usize;
            let (resumed, later, rest) = run(&recipe, Some(checkpoint), 1).unwrap();
            assert_eq!(resumed, whole, "{optimizer:?}, from evaluation {}", done + 1);
            assert_eq!(later, kept[done + 1..], "{optimizer:?}: later checkpoints too");
            assert_eq!(rest, losses[iterations..], "{optimizer:?}: each iteration is told once");
        }
    }
}

#[test]
fn the_checkpoint_of_another_run_is_refused() {
    let lbfgs = recipe(OptimizerKind::Lbfgs);
    let (_, kept, _) = run(&lbfgs, None, 2).unwrap();
    let others = [
        ResolvedRecipe { style_weight: 7.0, ..lbfgs.clone() },
        ResolvedRecipe { size: Size::Exact { width: 64, height: 64 }, ..lbfgs.clone() },
    ];
    for other in others {
        assert_eq!(run(&other, Some(decode(&kept[3]).unwrap()), 2).unwrap_err(), PaintError::OtherRun);
    }
}

/// A small checkpoint with a history.
fn small() -> Vec<u8> {
    let recipe = Recipe {
        size: Some(Size::LongEdge(4)),
        levels: Some(1),
        iterations: Some(4),
        history: Some(3),
        precision: Some(PrecisionChoice::F32),
        content_layers: Some(parse_layers("", "conv1_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1").unwrap()),
        ..Recipe::default()
    };
    run(&recipe.resolve().unwrap(), None, 1).unwrap().1.pop().unwrap()
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused_in_a_sentence() {
    let bytes = small();
    assert!(decode(&bytes).is_ok());
    let refuse = |bytes: &[u8], place: &str| {
        let Err(error) = decode(bytes) else { panic!("{place} was not noticed") };
        let said = error.to_string();
        assert!(said.starts_with("run/checkpoint-a") && !said.contains('\n'), "{place}: {said}");
    };
    let mut flipped = bytes.clone();
    for bit in 0..8 * bytes.len() {
        flipped[bit / 8] ^= 1 << (bit % 8);
        refuse(&flipped, &format!("bit {bit}"));
        flipped[bit / 8] ^= 1 << (bit % 8);
    }
    for length in 0..bytes.len() {
        refuse(&bytes[..length], &format!("a cut at {length}"));
    }
    refuse(&[bytes.as_slice(), b"x"].concat(), "a byte more");
}

/// With the sum put right, so that the reader behind it is reached: whatever is in the bytes, no panic.
#[test]
fn hostile_bytes_behind_a_right_sum_never_panic() {
    let bytes = small();
    let body = bytes.len() - 4;
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    let mut taken = 0;
    for _ in 0..20_000 {
        let mut hostile = bytes[..body].to_vec();
        for _ in 0..=next(3) {
            let place = next(body);
            hostile[place] = [0, 0xff, 0x7f, 1, b'9'][next(5)];
        }
        hostile.truncate(if next(4) == 0 { next(body) } else { body });
        hostile.extend(crc32c(&hostile).to_le_bytes());
        taken += usize::from(decode(&hostile).is_ok());
    }
    assert!(taken > 100, "the test must get beyond the header: {taken}");
}

#[test]
fn other_versions_are_named() {
    let sealed = |mut body: Vec<u8>| {
        let sum = crc32c(&body);
        body.extend(sum.to_le_bytes());
        body
    };
    let bytes = small();
    let mut later = bytes[..bytes.len() - 4].to_vec();
    later[16] = 9;
    let said = decode(&sealed(later)).err().unwrap().to_string();
    assert!(said.contains("layout 9") && said.contains("reads 2"), "{said}");
    let text = format!("\"program\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let place = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let mut later = bytes[..bytes.len() - 4].to_vec();
    later[place + 11] = b'7';
    let said = decode(&sealed(later)).err().unwrap().to_string();
    assert!(said.contains("impasto 7.") && said.contains(env!("CARGO_PKG_VERSION")), "{said}");
}

#[test]
fn the_older_generation_is_taken_where_the_newer_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(OptimizerKind::Adam);
    let (content, style) = (waves(66, 64, 0.0), waves(40, 50, 2.0));
    let images = Images { content: &content, styles: &[style], start: None, guides: GuideImages::default() };
    let mut keeper = Keeper::new(&RealDisk, folder.path(), None);
    let mut keep = |snapshot: &Snapshot<'_>| keeper.save(snapshot).unwrap();
    let keeping = Keeping { from: None, keep: &mut keep };
    paint_kept(&recipe, &engine(2), images, None, keeping, &mut |_| Control::Continue).unwrap();
    let (place, checkpoint) = newest(folder.path()).newest.unwrap();
    assert_eq!(checkpoint.place.evaluations, 22);
    let path = folder.path().join(NAMES[place]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1000] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    let found = newest(folder.path());
    assert_eq!(found.newest.unwrap().1.place.evaluations, 21);
    assert!(found.refused[0].to_string().contains("is damaged"));
}
