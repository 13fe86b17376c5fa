//! Losses of smaller sizes: what a run counts beside its own size is what runs of those sizes count.

mod waves;

use impasto::checkpoint::{Checkpoint, Snapshot};
use impasto::forecast::memory_need;
use impasto::objective::brought_down::BroughtDown;
use impasto::objective::{Losses, request};
use impasto::picture::alpha::Alpha;
use impasto::recipe::{Balance, OptimizerKind, Recipe, Region, Rest, Seamless, Size, Start, parse_layers};
use impasto::run::RegionImages;
use impasto::run::scales::smaller_scales;
use impasto::{
    Control, Event, GuideImages, Images, Keeping, Outcome, PaintError, Picture, Temporal, paint_kept, scales,
};
use impasto_vgg::{CpuEngine, CpuOptions, Engine, EngineError, Weights};

const FULL: (usize, usize) = (136, 140);
const HALF: (usize, usize) = (68, 70);
const QUARTER: (usize, usize) = (34, 35);
const WEIGHT: f64 = 0.75;

fn waves(width: usize, height: usize, phase: f64) -> Picture {
    waves::waves(width, height, phase, 90.0)
}

fn engine(threads: usize) -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(threads), ..CpuOptions::default() }).unwrap()
}

/// One size is painted, and two smaller ones count.
fn small() -> Recipe {
    Recipe {
        size: Some(exact(FULL)),
        iterations: Some(5),
        levels: Some(1),
        multiscale_weight: Some(WEIGHT),
        multiscale_px: Some(35),
        balance: Some(Balance::Plain),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1=0.5,conv2_1=2").unwrap()),
        init: Some(Start::File("start.png".into())),
        ..Recipe::default()
    }
}

fn exact((width, height): (usize, usize)) -> Size {
    Size::Exact { width: width as u32, height: height as u32 }
}

/// What a run told: what came of it, the losses, the pictures and the lengths of the next steps after each evaluation, the checkpoints.
struct Told {
    outcome: Outcome,
    losses: Vec<Losses>,
    pictures: Vec<Picture>,
    steps: Vec<f64>,
    /// The number of each accepted evaluation.
    evaluations: Vec<u32>,
    checkpoints: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Default)]
struct Beside<'a> {
    guides: GuideImages<'a>,
    content: Option<&'a Picture>,
    limit_bytes: Option<u64>,
    from: Option<&'a [u8]>,
}

fn run(recipe: &Recipe, engine: &dyn Engine, start: &Picture, beside: Beside<'_>) -> Result<Told, PaintError> {
    let (content, styles) = (waves(272, 280, 0.0), [waves(180, 150, 2.0), waves(90, 140, 4.0)]);
    let content = beside.content.unwrap_or(&content);
    let images = Images { content, styles: &styles, start: Some(start), guides: beside.guides };
    let (mut losses, mut pictures, mut steps, mut checkpoints) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut evaluations = Vec::new();
    let mut keep = |snapshot: &Snapshot<'_>| {
        let mut bytes = Vec::new();
        snapshot.write(&mut bytes).unwrap();
        checkpoints.push(bytes);
    };
    let from = beside.from.map(|bytes| Checkpoint::decode(bytes, "checkpoint-a".as_ref()).unwrap());
    let keeping = Keeping { from, keep: &mut keep };
    let recipe = recipe.resolve().unwrap();
    let outcome = paint_kept(&recipe, engine, images, beside.limit_bytes, keeping, &mut |event| {
        if let Event::Iteration(iteration) = event {
            losses.push(iteration.losses.clone());
            pictures.push(iteration.picture());
            steps.push(iteration.step_length());
            evaluations.push(iteration.evaluations);
        }
        Control::Continue
    })?;
    Ok(Told { outcome, losses, pictures, steps, evaluations, checkpoints })
}

fn painted(recipe: &Recipe, start: &Picture) -> Told {
    run(recipe, &engine(2), start, Beside::default()).unwrap()
}

/// The losses of a picture in a run of its own size alone.
fn losses_at(recipe: &Recipe, size: (usize, usize), start: &Picture, beside: Beside<'_>) -> Losses {
    let alone = Recipe {
        size: Some(exact(size)),
        multiscale_weight: Some(0.0),
        match_weight: Some(0.0),
        iterations: Some(1),
        ..recipe.clone()
    };
    run(&alone, &engine(2), start, beside).unwrap().losses.remove(0)
}

fn mask(inside: impl Fn(usize, usize) -> bool) -> Picture {
    let (width, height) = (272, 280);
    let plane: Vec<f32> =
        (0..width * height).map(|place| if inside(place % width, place / width) { 255.0 } else { 0.0 }).collect();
    Picture::new(width, height, plane.repeat(3)).unwrap()
}

fn region(name: &str, painting: u32) -> Region {
    Region { name: name.into(), mask: Some(format!("{name}.png")), painting: Some(painting), ..Region::default() }
}

/// Recipes of every kind that has to do with sizes, with what each is given beside the images.
fn with_every_kind(check: &mut dyn FnMut(&str, &Recipe, Beside<'_>)) {
    check("plain", &small(), Beside::default());
    check("Adam", &Recipe { optimizer: Some(OptimizerKind::Adam), ..small() }, Beside::default());
    let shares =
        Recipe { style_blend: Some(vec![0.3, 0.7]), tv_weight: Some(3.0), range_weight: Some(50.0), ..small() };
    check("shares", &shares, Beside::default());
    let masks =
        [mask(|x, _| x < 130), mask(|x, y| x > 180 && y > 20)].map(|mask| RegionImages { mask, painting_mask: None });
    let guides = GuideImages { regions: &masks, ..GuideImages::default() };
    for rest in [Rest::Painting, Rest::Photo] {
        let regions = Some(vec![region("left", 2), region("right", 1)]);
        // Of a photo that stays the drawing is not looked at here.
        let content_weight = Some(if rest == Rest::Photo { 0.0 } else { 1.0 });
        let recipe = Recipe { regions, rest: Some(rest), content_weight, ..small() };
        check("regions", &recipe, Beside { guides, ..Beside::default() });
    }
    let kept = mask(|x, y| (x / 40 + y / 40) % 2 == 0);
    let guides = GuideImages { emphasis: Some(&kept), ..GuideImages::default() };
    let emphasis = Recipe { emphasis: Some("kept.png".into()), ..small() };
    check("emphasis", &emphasis, Beside { guides, ..Beside::default() });
    let gaps = Alpha::new(272, 280, mask(|x, y| x + y > 90).values[..272 * 280].to_vec()).unwrap();
    let guides = GuideImages { alpha: Some(&gaps), ..GuideImages::default() };
    check("gaps", &small(), Beside { guides, ..Beside::default() });
    let (before, weights) = (waves(272, 280, 1.0), vec![0.5; 272 * 280]);
    let temporal = Some(Temporal { picture: &before, weights: &weights, weight: 3.0 });
    check(
        "a film",
        &small(),
        Beside { guides: GuideImages { temporal, ..GuideImages::default() }, ..Beside::default() },
    );
    check("matched", &Recipe { match_weight: Some(40.0), match_every: Some(2), ..small() }, Beside::default());
}

#[test]
fn what_counts_at_smaller_sizes_is_what_runs_of_those_sizes_count() {
    let start = waves(FULL.0, FULL.1, 3.0);
    with_every_kind(&mut |name, recipe, beside| {
        let one = Recipe { iterations: Some(1), ..recipe.clone() };
        let Told { mut losses, pictures, .. } = run(&one, &engine(2), &start, beside).unwrap();
        let losses = losses.remove(0);
        let own = Recipe { multiscale_weight: Some(0.0), ..one };
        let own = run(&own, &engine(2), &start, beside).unwrap().losses.remove(0);
        // What is seen: where a part stays the photo, that is brought down with the rest, and put over itself there.
        let seen = &pictures[0];
        let content = (recipe.rest == Some(Rest::Photo)).then_some(seen);
        let smaller = [HALF, QUARTER].map(|size| {
            let start = seen.resized(size.0, size.1).unwrap();
            losses_at(recipe, size, &start, Beside { content, ..beside }).total
        });
        let expected = smaller[0] + smaller[1];
        assert!(smaller.iter().all(|loss| *loss > 0.0), "{name}");
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-5 * expected;
        assert!(near(losses.multiscale, expected), "{name}: {} for {expected}", losses.multiscale);
        assert!(near(losses.total, own.total + WEIGHT * expected), "{name}: {} for {}", losses.total, own.total);
        assert_eq!((losses.style, losses.content, own.multiscale), (own.style, own.content, 0.0), "{name}");
    });
}

/// The columns of the map that brings a line of `from` pixels to `to`, by the resizing of pictures.
fn columns(from: usize, to: usize) -> Vec<Vec<f64>> {
    let column = |place: usize| {
        let mut line = Picture::filled(from, 1, [100.0; 3]).unwrap();
        line.values[place] += 50.0;
        let resized = line.resized(to, 1).unwrap();
        resized.values[..to].iter().map(|value| (f64::from(*value) - 100.0) / 50.0).collect()
    };
    (0..from).map(column).collect()
}

/// A first step of L-BFGS goes straight down: along the own size's gradient and those of smaller sizes, brought up by the transposed map.
#[test]
fn the_first_step_goes_down_all_sizes_gradients() {
    let start = waves(FULL.0, FULL.1, 3.0);
    let plain = Recipe { coarse_emphasis: Some(0.0), iterations: Some(2), tv_weight: Some(0.0), ..small() };
    let step = |recipe: &Recipe, size: (usize, usize)| -> Vec<f64> {
        let sized = Recipe { size: Some(exact(size)), ..recipe.clone() };
        let told = painted(&sized, &start.resized(size.0, size.1).unwrap());
        let moved = told.pictures[1].values.iter().zip(&told.pictures[0].values);
        moved.map(|(after, before)| f64::from(after - before)).collect()
    };
    // Adam's first step is g / (|g| + eps) of each value, so gradients are found by the losses themselves.
    let gradient = |size: (usize, usize)| -> Vec<f64> {
        let alone = Recipe { multiscale_weight: Some(0.0), ..plain.clone() };
        let direction = step(&alone, size);
        // The slope of the loss along the step gives the gradient's length.
        let start = start.resized(size.0, size.1).unwrap();
        let length = direction.iter().map(|value| value * value).sum::<f64>().sqrt();
        let along = |by: f64| {
            let values = start
                .values
                .iter()
                .zip(&direction)
                .map(|(value, step)| (f64::from(*value) + by * step / length) as f32);
            let moved = Picture::new(size.0, size.1, values.collect()).unwrap();
            losses_at(&plain, size, &moved, Beside::default()).total
        };
        let slope = (along(4.0) - along(-4.0)) / 8.0;
        direction.iter().map(|value| slope * value / length).collect()
    };
    let mut expected = gradient(FULL);
    for size in [HALF, QUARTER] {
        let (across, down) = (columns(FULL.0, size.0), columns(FULL.1, size.1));
        let smaller = gradient(size);
        for (place, value) in expected.iter_mut().enumerate() {
            let (plane, y, x) = (place / (FULL.0 * FULL.1), place / FULL.0 % FULL.1, place % FULL.0);
            let rows = smaller[plane * size.0 * size.1..][..size.0 * size.1].chunks(size.0).zip(&down[y]);
            let of_row = |row: &[f64]| row.iter().zip(&across[x]).map(|(value, tap)| value * tap).sum::<f64>();
            *value += WEIGHT * rows.map(|(row, tap)| if *tap == 0.0 { 0.0 } else { tap * of_row(row) }).sum::<f64>();
        }
    }
    let found = step(&plain, FULL);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = |a: &[f64]| -dot(a, &expected) / (dot(a, a) * dot(&expected, &expected)).sqrt();
    println!(
        "cosine to minus the gradient {}, alone {}",
        cosine(&found),
        cosine(&step(&Recipe { multiscale_weight: Some(0.0), ..plain.clone() }, FULL))
    );
    assert!(cosine(&found) > 0.9999, "{}", cosine(&found));
    let alone = Recipe { multiscale_weight: Some(0.0), ..plain.clone() };
    assert!(cosine(&step(&alone, FULL)) < 0.99, "smaller sizes change where it goes");
}

/// What does not move is not stepped along either.
#[test]
fn a_rest_that_stays_the_photo_takes_no_part_in_a_step() {
    let masks = [RegionImages { mask: mask(|x, _| x < 130), painting_mask: None }];
    let guides = GuideImages { regions: &masks, ..GuideImages::default() };
    let recipe = Recipe {
        regions: Some(vec![region("left", 2)]),
        rest: Some(Rest::Photo),
        rest_feather_px: Some(0.0),
        iterations: Some(6),
        coarse_emphasis: Some(0.0),
        ..small()
    };
    let told = run(&recipe, &engine(2), &waves(FULL.0, FULL.1, 3.0), Beside { guides, ..Beside::default() }).unwrap();
    let mut steps = 0;
    for place in (1..told.pictures.len()).filter(|&place| told.evaluations[place] == told.evaluations[place - 1] + 1) {
        let moved = told.pictures[place - 1].values.iter().zip(&told.pictures[place].values);
        let squares: f64 = moved.map(|(before, after)| f64::from(after - before).powi(2)).sum();
        let (seen, step) = ((squares / (3 * FULL.0 * FULL.1) as f64).sqrt(), told.steps[place - 1]);
        // But for what is half held along the edge.
        assert!((seen - step).abs() < 1e-2 * seen, "{seen} is seen of a step of {step}");
        steps += 1;
    }
    assert!(steps > 0);
}

#[test]
fn threads_memory_and_going_on_change_no_byte() {
    let start = waves(FULL.0, FULL.1, 3.0);
    with_every_kind(&mut |name, recipe, beside| {
        let whole = run(recipe, &engine(2), &start, beside).unwrap();
        assert_eq!(run(recipe, &engine(1), &start, beside).unwrap().outcome, whole.outcome, "{name}: threads");
        for (done, bytes) in whole.checkpoints.iter().enumerate().skip(1).step_by(2) {
            let from = Beside { from: Some(bytes), ..beside };
            assert_eq!(run(recipe, &engine(2), &start, from).unwrap().outcome, whole.outcome, "{name}: from {done}");
        }
        // Down to what the sentence says.
        let limited =
            |limit_bytes| run(recipe, &engine(2), &start, Beside { limit_bytes: Some(limit_bytes), ..beside });
        let Err(PaintError::Engine(EngineError::Memory { width, needed_mib, limit_mib: 1, .. })) = limited(1 << 20)
        else {
            panic!("{name}: a MiB is enough");
        };
        assert!(width >= QUARTER.0, "{name}");
        let mut least = needed_mib;
        // An image's own session may need less than the picture's, and is asked for first.
        let told = loop {
            match limited(least << 20) {
                Ok(told) => break told,
                Err(PaintError::Engine(EngineError::Memory { needed_mib, .. })) if needed_mib > least => {
                    least = needed_mib
                }
                Err(error) => panic!("{name}, {least} MiB: {error}"),
            }
        };
        assert_eq!(told.outcome, whole.outcome, "{name}: memory");
    });
}

#[test]
fn sides_that_join_join_at_smaller_sizes_too() {
    // Whole numbers of conv2_1's positions at every size.
    let (width, height) = (144, 152);
    let recipe = Recipe {
        size: Some(exact((width, height))),
        seamless: Some(Seamless::Both),
        content_weight: Some(0.0),
        iterations: Some(1),
        multiscale_px: Some(70),
        ..small()
    };
    let start = waves(width, height, 3.0);
    let moved = |by_x: usize, by_y: usize| {
        let values = (0..start.values.len()).map(|place| {
            let (plane, y, x) = (place / (width * height), place / width % height, place % width);
            start.values[(plane * height + (y + by_y) % height) * width + (x + by_x) % width]
        });
        Picture::new(width, height, values.collect()).unwrap()
    };
    let loss = |recipe: &Recipe, start: &Picture| painted(recipe, start).losses[0].multiscale;
    let one = loss(&recipe, &start);
    let other = loss(&recipe, &moved(52, 76));
    assert!(one > 0.0 && (one - other).abs() < 1e-4 * one, "{one} {other}");
    let open = Recipe { seamless: Some(Seamless::None), ..recipe };
    let (one, other) = (loss(&open, &start), loss(&open, &moved(52, 76)));
    assert!((one - other).abs() > 1e-3 * one, "{one} {other}");
}

#[test]
fn smaller_sizes_count_from_a_long_edge_on() {
    let sizes = |recipe: Recipe, width, height| -> Vec<(usize, usize)> {
        let recipe = Recipe { size: Some(Size::Exact { width, height }), ..recipe }.resolve().unwrap();
        let full = *scales(&recipe, 100, 100).last().unwrap();
        smaller_scales(&recipe, &full).iter().map(|scale| (scale.width, scale.height)).collect()
    };
    let default = Recipe::default;
    assert_eq!(sizes(default(), 512, 512), []);
    assert_eq!(sizes(default(), 766, 500), [], "pictures up to 766 pixels are as they were");
    assert_eq!(sizes(default(), 768, 500), [(384, 250)]);
    assert_eq!(sizes(default(), 1023, 681), [(512, 341)]);
    assert_eq!(sizes(default(), 4096, 2304), [(2048, 1152), (1024, 576), (512, 288)]);
    assert_eq!(sizes(default(), 4096, 100), [(2048, 50)], "not below 32 pixels");
    assert_eq!(sizes(Recipe { multiscale_weight: Some(0.0), ..default() }, 4096, 2304), []);
    assert_eq!(sizes(Recipe { multiscale_px: Some(1024), ..default() }, 4096, 2304).len(), 2);
    // Presets that reproduce others look at their own size alone.
    for name in ["authors", "tutorial", "johnson", "paper", "photoreal", "texture", "reconstruction", "crowson"] {
        assert_eq!(sizes(Recipe { preset: Some(name.into()), ..default() }, 4096, 2304), [], "{name}");
    }
    let start = waves(FULL.0, FULL.1, 3.0);
    let none = painted(&Recipe { multiscale_weight: Some(0.0), ..small() }, &start);
    assert_eq!(painted(&Recipe { multiscale_px: Some(71), ..small() }, &start).outcome.picture, none.outcome.picture);
    assert_ne!(painted(&small(), &start).outcome.picture, none.outcome.picture);
}

/// What is said of memory holds all sessions at once, their common weights once.
#[test]
fn memory_that_is_said_has_room_for_every_size() {
    let engine = engine(2);
    let need = |weight: f64, limit: Option<u64>| {
        let recipe = Recipe { size: Some(exact((1024, 768))), multiscale_weight: Some(weight), ..Recipe::default() };
        let recipe = recipe.resolve().unwrap();
        memory_need(&recipe, &engine, &scales(&recipe, 1024, 768), 1 << 20, &[(512, 512)], limit)
    };
    let (alone, both) = (need(0.0, None).unwrap().bytes, need(1.0, None).unwrap().bytes);
    assert!(both > alone && both < alone + alone / 3, "{} and {} MiB", alone >> 20, both >> 20);
    // As the sentences say it, one after the other: the painting's session is asked for first.
    let least = |weight: f64| {
        let mut least = 1;
        while let Err(error) = need(weight, Some(least << 20)) {
            let EngineError::Memory { needed_mib, limit_mib, .. } = error else { panic!("{error}") };
            assert!(limit_mib == least && needed_mib > least, "{error}");
            least = needed_mib;
        }
        least
    };
    let (alone, both) = (least(0.0), least(1.0));
    let recipe = Recipe::default().resolve().unwrap();
    let common = engine.common_bytes(&request(&recipe, 512, 384, None)) >> 20;
    println!("a size alone takes {alone} MiB at least, all of them {both}; weights {common}");
    assert!(both > alone && both < alone + common, "{alone} {both}; the weights, {common} MiB, are there once");
    assert!(need(1.0, Some((both - 1) << 20)).is_err(), "a MiB less is said to be enough");
}

#[test]
fn a_map_down_is_public_and_linear() {
    let mut map = BroughtDown::new((6, 4), (3, 2), (false, false));
    let picture: Vec<f32> = (0..72).map(|place| place as f32).collect();
    let (mut down, mut twice) = (vec![0.0; 18], vec![0.0; 18]);
    map.apply(&picture, &mut down);
    map.apply(&picture.iter().map(|value| 2.0 * value).collect::<Vec<_>>(), &mut twice);
    assert!(down.iter().zip(&twice).all(|(one, two)| (2.0 * one - two).abs() < 1e-4));
}
