//! Whole runs through the network in f64, at sizes that it can bear.

mod tampered;
mod waves;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use impasto::recipe::{OptimizerKind, PrecisionChoice, Recipe, Size, Start, StyleFit, parse_layers};
use impasto::{Control, Event, GuideImages, Images, Outcome, PaintError, Picture, ResolvedRecipe, paint, scales};
use impasto_vgg::reference::ReferenceEngine;
use impasto_vgg::{Engine, EngineError, Observation, Weights};

use tampered::{Call, Tampered};

fn waves(width: usize, height: usize, phase: f64) -> Picture {
    waves::waves(width, height, phase, 100.0)
}

/// Shallow layers and few evaluations: seconds, not minutes, in f64.
fn small() -> Recipe {
    Recipe {
        size: Some(Size::LongEdge(24)),
        iterations: Some(5),
        levels: Some(1),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1,conv2_1").unwrap()),
        ..Recipe::default()
    }
}

fn engine() -> ReferenceEngine {
    ReferenceEngine::new(Weights::embedded())
}

fn run(recipe: &ResolvedRecipe, engine: &dyn Engine) -> Result<(Outcome, Vec<String>), PaintError> {
    let (content, style) = (waves(48, 36, 0.0), waves(30, 40, 2.0));
    let mut told = Vec::new();
    let mut observer = |event: Event<'_>| {
        told.push(match event {
            Event::Started { scales } => format!("started {}", scales.len()),
            Event::ScaleStarted { index, scale } => format!("scale {index} {}x{}", scale.width, scale.height),
            Event::Iteration(iteration) => {
                assert_eq!(iteration.picture().values.len(), 3 * iteration.width * iteration.height);
                format!("iteration {} of {}", iteration.iteration, iteration.evaluations)
            }
            Event::StepRejected { evaluations, .. } => format!("rejected {evaluations}"),
            Event::Changed { before_evaluation, .. } => format!("changed {before_evaluation}"),
        });
        Control::Continue
    };
    let images = Images { content: &content, styles: &[style], start: None, guides: GuideImages::default() };
    let outcome = paint(recipe, engine, images, None, &mut observer)?;
    Ok((outcome, told))
}

#[test]
fn a_run_tells_what_it_does_and_lowers_the_loss() {
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let recipe = Recipe { optimizer: Some(optimizer), ..small() }.resolve().unwrap();
        let (outcome, told) = run(&recipe, &engine()).unwrap();
        assert_eq!(told[..3], ["started 1", "scale 0 24x18", "iteration 1 of 1"]);
        assert_eq!((outcome.picture.width, outcome.picture.height, outcome.evaluations), (24, 18, 5));
        assert!(!outcome.interrupted);
        let one = Recipe { iterations: Some(1), ..small() }.resolve().unwrap();
        let start = run(&one, &engine()).unwrap().0;
        assert_eq!(start.picture, waves(48, 36, 0.0).resized(24, 18).unwrap());
        assert!(outcome.losses.unwrap().total < 0.7 * start.losses.unwrap().total, "{optimizer:?}");
    }
}

#[test]
fn scales_halve_and_evaluations_are_counted_at_the_full_size() {
    let recipe = Recipe { levels: Some(5), coarse_iterations: Some(7), size: Some(Size::LongEdge(301)), ..small() };
    let sizes: Vec<_> = scales(&recipe.resolve().unwrap(), 602, 400)
        .iter()
        .map(|scale| (scale.width, scale.height, scale.evaluations))
        .collect();
    // 301x200 in eighths has a short edge of 25 pixels: left out.
    assert_eq!(sizes, [(76, 50, 7), (151, 100, 7), (301, 200, 5)]);
    let longer = Recipe { coarsest_iterations: Some(9), ..recipe.clone() }.resolve().unwrap();
    let evaluations: Vec<_> = scales(&longer, 602, 400).iter().map(|scale| scale.evaluations).collect();
    assert_eq!(evaluations, [9, 7, 5]);
    let one = Recipe { levels: Some(1), coarsest_iterations: Some(9), ..recipe.clone() }.resolve().unwrap();
    assert_eq!(scales(&one, 602, 400)[0].evaluations, 5, "the full size is no coarse one");
    let exact = Recipe { size: Some(Size::Exact { width: 20, height: 90 }), ..small() };
    assert_eq!(scales(&exact.resolve().unwrap(), 5, 5).len(), 1);

    let two = Recipe { size: Some(Size::LongEdge(70)), levels: Some(2), coarse_iterations: Some(3), ..small() };
    let two = Recipe { size: Some(Size::Exact { width: 64, height: 66 }), iterations: Some(2), ..two };
    let (outcome, told) = run(&two.resolve().unwrap(), &engine()).unwrap();
    let started: Vec<_> = told.iter().filter(|line| line.starts_with("scale")).collect();
    assert_eq!(started, ["scale 0 32x33", "scale 1 64x66"]);
    assert_eq!((outcome.evaluations, outcome.picture.width, outcome.picture.height), (5, 64, 66));
}

#[test]
fn how_many_sizes_are_painted_follows_from_the_full_one() {
    let sizes = |edge, scale_factor, coarsest_px| {
        let some =
            Recipe { levels: Some(16), scale_factor: Some(scale_factor), coarsest_px: Some(coarsest_px), ..small() };
        let recipe = Recipe { size: Some(Size::LongEdge(edge)), ..some }.resolve().unwrap();
        scales(&recipe, 400, 300).iter().map(|scale| (scale.width, scale.height)).collect::<Vec<_>>()
    };
    assert_eq!(sizes(512, 2.0, 96), [(128, 96), (256, 192), (512, 384)]);
    assert_eq!(sizes(512, 2.0, 97), [(256, 192), (512, 384)]);
    assert_eq!(sizes(4096, 2.0, 96).len(), 6);
    assert_eq!(sizes(80, 2.0, 96), [(80, 60)], "the full size is painted whatever it is");
    let sizes_of = |recipe: Recipe| scales(&recipe.resolve().unwrap(), 400, 300).len();
    let default = || Recipe { size: Some(Size::LongEdge(200)), ..Recipe::default() };
    // 200x150 in halves has a short edge of 75 pixels, the default's least is 80.
    assert_eq!(sizes_of(default()), 1);
    assert_eq!(sizes_of(Recipe { levels: Some(2), ..default() }), 2, "who asks for two sizes gets them");
    assert_eq!(sizes_of(Recipe { levels: Some(2), coarsest_px: Some(76), ..default() }), 1);
    // ceil(384 / 1.5) = 256, ceil(384 / 2.25) = 171, ceil(384 / 3.375) = 114.
    assert_eq!(sizes(512, 1.5, 96), [(152, 114), (228, 171), (342, 256), (512, 384)]);
}

#[test]
fn the_same_run_gives_the_same_bytes_and_another_seed_others() {
    let recipe = |seed, init| Recipe { seed: Some(seed), init: Some(init), ..small() }.resolve().unwrap();
    for init in [Start::Noise, Start::Blend] {
        let first = run(&recipe(1, init.clone()), &engine()).unwrap().0;
        assert_eq!(first, run(&recipe(1, init.clone()), &engine()).unwrap().0);
        assert_ne!(first.picture, run(&recipe(2, init), &engine()).unwrap().0.picture);
    }
}

#[test]
fn stopping_gives_the_picture_so_far_at_the_full_size() {
    let (content, style) = (waves(64, 66, 0.0), waves(40, 40, 1.0));
    let recipe = Recipe {
        size: Some(Size::LongEdge(66)),
        levels: Some(2),
        coarse_iterations: Some(4),
        iterations: Some(3),
        original_colors: Some(true),
        ..small()
    };
    let recipe = recipe.resolve().unwrap();
    // Told at: started, scale, 4 iterations, scale, 3 iterations.
    for stop_at in 0..9 {
        let mut told = 0;
        let mut observer = |_: Event<'_>| {
            told += 1;
            if told > stop_at { Control::Stop } else { Control::Continue }
        };
        let images = Images {
            content: &content,
            styles: std::slice::from_ref(&style),
            start: None,
            guides: GuideImages::default(),
        };
        let outcome = paint(&recipe, &engine(), images, None, &mut observer).unwrap();
        assert!(outcome.interrupted, "{stop_at}");
        assert_eq!((outcome.picture.width, outcome.picture.height), (64, 66), "{stop_at}");
        assert_eq!(outcome.evaluations, [0, 0, 1, 2, 3, 4, 4, 5, 6][stop_at], "{stop_at}");
        assert_eq!(outcome.losses.is_some(), outcome.evaluations > 0);
    }
}

#[test]
fn original_colours_keep_the_photos_hue() {
    let recipe = Recipe { original_colors: Some(true), ..small() }.resolve().unwrap();
    let painted = run(&recipe, &engine()).unwrap().0.picture;
    let photo = waves(48, 36, 0.0).resized(24, 18).unwrap();
    assert_ne!(painted, photo);
    for position in 0..24 * 18 {
        let difference = |picture: &Picture, channel| picture.plane(channel)[position] - picture.plane(1)[position];
        for channel in [0, 2] {
            assert!((difference(&painted, channel) - difference(&photo, channel)).abs() < 1e-3);
        }
    }
}

#[test]
fn style_images_count_by_their_shares() {
    let (content, styles) = (waves(24, 18, 0.0), [waves(30, 40, 2.0), waves(24, 24, 5.0)]);
    let with = |shares: Vec<f64>, styles: &[Picture], fit| {
        let recipe = Recipe { style_blend: Some(shares), style_fit: Some(fit), ..small() }.resolve().unwrap();
        paint(
            &recipe,
            &engine(),
            Images { content: &content, styles, start: None, guides: GuideImages::default() },
            None,
            &mut |_| Control::Continue,
        )
    };
    let first = with(vec![], &styles[..1], StyleFit::Scale).unwrap().picture;
    assert_eq!(with(vec![2.0, 0.0], &styles, StyleFit::Scale).unwrap().picture, first);
    assert_ne!(with(vec![2.0, 1.0], &styles, StyleFit::Scale).unwrap().picture, first);
    assert_ne!(with(vec![], &styles[..1], StyleFit::Crop).unwrap().picture, first);
    let error = with(vec![1.0], &styles, StyleFit::Scale).unwrap_err().to_string();
    assert!(error.contains("--style-blend"), "{error}");
    let error = with(vec![], &[], StyleFit::Scale).unwrap_err().to_string();
    assert!(error.contains("style image"), "{error}");
}

#[test]
fn a_start_from_a_file_needs_the_file() {
    let (content, style, sketch) = (waves(24, 18, 0.0), waves(30, 40, 2.0), waves(50, 50, 1.0));
    let recipe = Recipe { init: Some(Start::File("sketch.png".into())), iterations: Some(1), ..small() };
    let recipe = recipe.resolve().unwrap();
    let with = |start| {
        let images =
            Images { content: &content, styles: std::slice::from_ref(&style), start, guides: GuideImages::default() };
        paint(&recipe, &engine(), images, None, &mut |_| Control::Continue)
    };
    assert_eq!(with(Some(&sketch)).unwrap().picture, sketch.cropped_to_fit(24, 18).unwrap());
    assert_eq!(with(None), Err(PaintError::StartMissing));
}

/// An engine whose loss takes this value at one evaluation, counted over all sessions.
fn faulty(bad_at: usize, value: f64) -> Tampered {
    let count = AtomicUsize::new(0);
    Tampered::with(move |call, _| {
        // The style image's session has no content: it is not counted.
        if let Call::Forward(observation) = call
            && let Some(distance) = observation.distances.first_mut()
            && count.fetch_add(1, Ordering::Relaxed) + 1 == bad_at
        {
            distance.sum_of_squares = value;
        }
        Ok(())
    })
}

/// An engine that opens sessions and goes forward and back so many times, and then no more.
fn ending(calls: usize) -> Tampered {
    let calls_left = AtomicUsize::new(calls);
    Tampered::with(move |call, _| {
        if let Call::Content = call {
            return Ok(());
        }
        let left = calls_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| EngineError::Device("the device was lost".into()))
    })
}

#[test]
fn a_device_that_ends_anywhere_leaves_the_picture_so_far() {
    let (content, style) = (waves(66, 66, 0.0), waves(40, 44, 2.0));
    let recipe = Recipe {
        size: Some(Size::LongEdge(64)),
        levels: Some(2),
        coarse_iterations: Some(2),
        iterations: Some(2),
        content_layers: Some(parse_layers("", "conv1_2").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1").unwrap()),
        ..Recipe::default()
    };
    let recipe = recipe.resolve().unwrap();
    let images =
        Images { content: &content, styles: std::slice::from_ref(&style), start: None, guides: GuideImages::default() };
    // What an observer sees of a whole run: the picture after each accepted evaluation.
    let mut seen = Vec::new();
    let whole = paint(&recipe, &engine(), images, None, &mut |event| {
        if let Event::Iteration(iteration) = event {
            seen.push((iteration.evaluations, iteration.picture()));
        }
        Control::Continue
    });
    let whole = whole.unwrap();
    assert_eq!(whole.failure, None);
    let full = (whole.picture.width, whole.picture.height);
    let (mut calls, mut failed) = (0, 0);
    loop {
        let engine = ending(calls);
        calls += 1;
        match paint(&recipe, &engine, images, None, &mut |_| Control::Continue) {
            // Nothing was painted yet.
            Err(error) => assert!(matches!(error, PaintError::Engine(EngineError::Device(_))), "{error}"),
            Ok(outcome) if outcome.failure.is_none() => {
                assert_eq!(outcome, whole);
                break;
            }
            Ok(outcome) => {
                failed += 1;
                assert!(!outcome.interrupted);
                let (_, last) = seen.iter().rfind(|(evaluations, _)| *evaluations <= outcome.evaluations).unwrap();
                assert_eq!(outcome.picture, last.resized(full.0, full.1).unwrap(), "after {} calls", calls - 1);
            }
        }
    }
    // The second evaluation, forward and back; then the finer size's: the picture's session, two evaluations. The style
    // image's sessions, of both sizes, come before anything is painted.
    assert_eq!(failed, 2 + 1 + 4);
}

/// An engine that says it has bfloat16 products, and notes what is asked of it.
fn noting(noted: Arc<Mutex<Vec<String>>>) -> Tampered {
    let mut engine = Tampered::with(move |call, precision| {
        match call {
            Call::Content => noted.lock().unwrap().push(format!("content {precision:?}")),
            Call::Forward(Observation { distances, .. }) => {
                if !distances.is_empty() {
                    noted.lock().unwrap().push(format!("{precision:?}"));
                }
            }
            Call::Session | Call::Backward => {}
        }
        Ok(())
    });
    engine.claims_bf16 = true;
    engine
}

#[test]
fn precision_is_bfloat16_at_coarse_sizes_and_the_losses_are_f32_at_the_full_one() {
    let noted_for = |precision| {
        let size = Some(Size::Exact { width: 64, height: 66 });
        let sizes = Recipe { size, levels: Some(2), coarse_iterations: Some(3), iterations: Some(5), ..small() };
        let recipe = Recipe { precision: Some(precision), ..sizes }.resolve().unwrap();
        let noted = Arc::default();
        let (outcome, _) = run(&recipe, &noting(Arc::clone(&noted))).unwrap();
        assert_eq!(outcome.evaluations, 8);
        let noted = noted.lock().unwrap();
        noted.join(" ")
    };
    let evaluated =
        |precision: &str, times: usize| format!("content {precision}{}", format!(" {precision}").repeat(times));
    let both = |coarse, full| format!("{} {}", evaluated(coarse, 3), evaluated(full, 5));
    assert_eq!(noted_for(PrecisionChoice::Auto), both("Bf16", "Mixed"));
    assert_eq!(noted_for(PrecisionChoice::F32), both("F32", "F32"));
    assert_eq!(noted_for(PrecisionChoice::Bf16), both("Bf16", "Bf16"));
    let recipe = Recipe { precision: Some(PrecisionChoice::Auto), ..small() }.resolve().unwrap();
    let plain = Recipe { precision: Some(PrecisionChoice::F32), ..small() }.resolve().unwrap();
    // The reference has no such products: nothing changes.
    assert_eq!(run(&recipe, &engine()).unwrap(), run(&plain, &engine()).unwrap());
}

#[test]
fn a_bad_loss_at_any_evaluation_leaves_a_good_picture_and_is_told() {
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let recipe = Recipe { optimizer: Some(optimizer), iterations: Some(6), ..small() }.resolve().unwrap();
        let start = {
            let one = ResolvedRecipe { iterations: 1, ..recipe.clone() };
            run(&one, &engine()).unwrap().0.losses.unwrap().total
        };
        for (bad_at, value) in [(2, f64::NAN), (4, f64::INFINITY), (5, 1e25), (6, f64::NAN)] {
            let (outcome, told) = run(&recipe, &faulty(bad_at, value)).unwrap();
            let rejected: Vec<_> = told.iter().filter(|line| line.starts_with("rejected")).collect();
            assert_eq!(rejected, [&format!("rejected {bad_at}")], "{optimizer:?}, {value} at {bad_at}");
            assert_eq!((outcome.evaluations, outcome.iterations), (6, 5));
            assert!(outcome.picture.values.iter().all(|value| value.is_finite()));
            assert!(outcome.losses.unwrap().total <= start);
        }
        assert_eq!(run(&recipe, &faulty(1, f64::NAN)).unwrap_err(), PaintError::StartNotFinite);
    }
}
