//! The losses that know mean and covariance: against golden files, finite differences, and what is true of any distance
//! between normal distributions.

use std::path::{Path, PathBuf};

use impasto::loss::{MeanVariance, RIDGE, Wasserstein};
use impasto::objective::{Objective, request, style_moments};
use impasto::recipe::{OptimizerKind, Recipe, Size, StyleLoss, parse_layers};
use impasto::selftest::GoldenFile;
use impasto::{Control, Event, GuideImages, Images, Picture, paint};
use impasto_vgg::cpu::isa::InstructionSet;
use impasto_vgg::{CpuEngine, CpuOptions, Engine, Layer, MomentGradients, Moments, Weights};
use proptest::prelude::*;

fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
        })
        .collect()
}

/// Features `[channels][positions]` as a network has them: neighbours alike, none below 0.
fn features(seed: u64, channels: usize, positions: usize) -> Vec<Vec<f64>> {
    let raw = numbers(seed, channels * positions);
    let mixed = |channel: usize, place: usize| {
        let value = |channel: usize| raw[channel % channels * positions + place];
        (20.0 * (value(channel) + 0.6 * value(channel + 1) + 0.2)).max(0.0)
    };
    (0..channels).map(|channel| (0..positions).map(|place| mixed(channel, place)).collect()).collect()
}

fn moments_of(features: &[Vec<f64>]) -> Moments {
    let positions = features[0].len() as f64;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / positions;
    let second = features.iter().flat_map(|row| features.iter().map(|column| product(row, column))).collect();
    let mean = features.iter().map(|row| row.iter().sum::<f64>() / positions).collect();
    Moments { layer: Layer::named("conv1_1").unwrap(), positions: positions as u64, mean, second }
}

/// Trace of the covariance.
fn trace(moments: &Moments) -> f64 {
    let channels = moments.mean.len();
    (0..channels).map(|channel| moments.second[channel * (channels + 1)] - moments.mean[channel].powi(2)).sum()
}

fn no_gradients() -> MomentGradients {
    MomentGradients { mean: vec![], second: vec![] }
}

/// Either loss as a function, with its gradients.
fn evaluate(loss: StyleLoss, style: &Moments, picture: &Moments, weight: f64) -> (f64, MomentGradients) {
    let mut gradients = no_gradients();
    let value = match loss {
        StyleLoss::Wasserstein => Wasserstein::new(style).loss(picture, weight, &mut gradients),
        _ => MeanVariance::new(style).loss(picture, weight, &mut gradients),
    };
    (value, gradients)
}

const BOTH: [StyleLoss; 2] = [StyleLoss::Wasserstein, StyleLoss::MeanVariance];

/// The golden files of losses beside the repository; none, and a word about it, where there are none.
fn golden_files() -> Vec<PathBuf> {
    let named = std::env::var_os("IMPASTO_GOLDEN").map(PathBuf::from);
    let beside = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden"));
    let Ok(entries) = std::fs::read_dir(beside.join("losses")) else {
        println!("skipped: there is no {}", beside.join("losses").display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_instruction_set_keeps_the_bounds_of_the_golden_files() {
    let mut wrong = Vec::new();
    let files = golden_files();
    for isa in InstructionSet::available().into_iter().map(|set| set.name().to_owned()) {
        if files.is_empty() {
            continue;
        }
        let options = CpuOptions { threads: Some(2), isa: Some(isa.clone()) };
        let engine = CpuEngine::new(Weights::embedded(), options).unwrap();
        for file in &files {
            let report = GoldenFile::read(&std::fs::read(file).unwrap()).unwrap().compare(&engine).unwrap();
            println!("{isa} {}: {report:?}", file.display());
            if !(report.ok && report.losses > 0.0 && report.gradient_l2 > 0.0) {
                wrong.push((isa.clone(), file, report));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

proptest! {
    /// Central differences by each moment, the second ones two by two, as the matrix is symmetric.
    #[test]
    fn gradients_are_the_derivatives(seed in 0..1000_u64, channels in 1..7_usize, positions in 1..20_usize) {
        let style = moments_of(&features(seed + 5000, channels, 30));
        let picture = moments_of(&features(seed, channels, positions));
        for loss in BOTH {
            let (_, gradients) = evaluate(loss, &style, &picture, 3.0);
            // Below the ridge the slopes bend: that is how short a step has to be.
            let ridge = RIDGE * trace(&style) / channels as f64;
            prop_assume!(trace(&style) > 1.0);
            let length = picture.mean.iter().map(|mean| mean * mean).sum::<f64>().sqrt();
            let (step, step_of_mean) = (0.03 * ridge, 0.03 * ridge / (1.0 + 2.0 * length));
            let mut moved = picture.clone();
            let mut difference = |step: f64, change: &dyn Fn(&mut Moments, f64)| {
                let mut at = |by: f64| {
                    moved.clone_from(&picture);
                    change(&mut moved, by);
                    3.0 * evaluate(loss, &style, &moved, 1.0).0
                };
                (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * step)
            };
            let largest = gradients.second.iter().chain(&gradients.mean).fold(0.0, |most: f64, it| most.max(it.abs()));
            for row in 0..channels {
                // What rounding takes below 0 is 0 in the other loss: a bend where a channel does not vary.
                let variance = picture.second[row * (channels + 1)] - picture.mean[row].powi(2);
                if loss == StyleLoss::MeanVariance && variance < ridge {
                    continue;
                }
                let by_mean = difference(step_of_mean, &|moments, by| moments.mean[row] += by);
                let expected = gradients.mean[row];
                prop_assert!((by_mean - expected).abs() < 1e-4 * largest + 1e-6, "{loss:?} mean {by_mean} {expected}");
                for column in 0..=row {
                    let (here, there) = (row * channels + column, column * channels + row);
                    let by_pair = difference(step, &|moments, by| {
                        moments.second[here] += by;
                        moments.second[there] = moments.second[here];
                    });
                    let both = if here == there { 1.0 } else { 2.0 };
                    let expected = both * gradients.second[here];
                    let off = (by_pair - expected).abs();
                    prop_assert!(off < 1e-4 * largest + 1e-6, "{loss:?} second {by_pair} {expected}");
                }
            }
        }
    }

    #[test]
    fn a_style_is_no_distance_from_itself(seed in 0..1000_u64, channels in 1..40_usize, positions in 1..60_usize) {
        let style = moments_of(&features(seed, channels, positions));
        prop_assume!(trace(&style) > 1e-6);
        let scale = style.second.iter().step_by(channels + 1).sum::<f64>() / channels as f64;
        for loss in BOTH {
            let (value, gradients) = evaluate(loss, &style, &style, 1.0);
            prop_assert!((0.0..=1e-10 * scale).contains(&value), "{loss:?} {value}");
            let largest = gradients.second.iter().fold(0.0, |most: f64, it| most.max(it.abs()));
            prop_assert!(largest < 1e-5, "{loss:?} {largest}");
        }
    }

    /// Where the two have the same ridge, which is the style's.
    #[test]
    fn it_is_as_far_there_as_back(seed in 0..1000_u64, channels in 1..20_usize, positions in 3..60_usize) {
        let one = features(seed, channels, positions);
        let mut other = features(seed + 3000, channels, positions + 3);
        let (one, scale) = (moments_of(&one), (trace(&moments_of(&one)) / trace(&moments_of(&other))).sqrt());
        prop_assume!(scale.is_finite() && scale > 0.0);
        other.iter_mut().flatten().for_each(|value| *value *= scale);
        let other = moments_of(&other);
        for loss in BOTH {
            let (there, back) = (evaluate(loss, &one, &other, 1.0).0, evaluate(loss, &other, &one, 1.0).0);
            prop_assert!((there - back).abs() <= 1e-9 * there, "{loss:?} {there} {back}");
        }
    }

    /// Reflections of all channels, which any rotation is made of: I - 2 v v^T / |v|^2 on both.
    #[test]
    fn rotated_channels_are_as_far_apart(seed in 0..1000_u64, channels in 2..20_usize, positions in 2..40_usize) {
        let direction = numbers(seed + 17, channels);
        let length: f64 = direction.iter().map(|value| value * value).sum();
        let turned = |features: &[Vec<f64>]| {
            let mut turned = features.to_vec();
            for place in 0..features[0].len() {
                let along: f64 = features.iter().zip(&direction).map(|(row, value)| row[place] * value).sum();
                for (row, value) in turned.iter_mut().zip(&direction) {
                    row[place] -= 2.0 * value * along / length;
                }
            }
            moments_of(&turned)
        };
        let (one, other) = (features(seed, channels, positions), features(seed + 3000, channels, 30));
        let plain = evaluate(StyleLoss::Wasserstein, &moments_of(&one), &moments_of(&other), 1.0).0;
        let after = evaluate(StyleLoss::Wasserstein, &turned(&one), &turned(&other), 1.0).0;
        prop_assert!((plain - after).abs() <= 1e-9 * plain, "{plain} {after}");
    }
}

/// Where channels vary by themselves the covariances are diagonal, and both losses are one, which the formula says without any matrix.
#[test]
fn with_diagonal_covariances_both_losses_are_one() {
    let diagonal = |mean: &[f64], variances: &[f64]| {
        let channels = mean.len();
        let second = (0..channels * channels).map(|place| {
            let (row, column) = (place / channels, place % channels);
            mean[row] * mean[column] + if row == column { variances[row] } else { 0.0 }
        });
        let second = second.collect();
        Moments { layer: Layer::named("conv1_1").unwrap(), positions: 9, mean: mean.to_vec(), second }
    };
    let (means, variances) = ([[1.0, -2.0, 0.5], [0.0, 3.0, 0.5]], [[4.0, 0.25, 9.0], [1.0, 0.0, 2.25]]);
    let [style, picture] = [0, 1].map(|which| diagonal(&means[which], &variances[which]));
    let ridge = RIDGE * variances[0].iter().sum::<f64>() / 3.0;
    let with_ridge = variances.map(|of| of.map(|variance| variance + ridge));
    let expected: f64 = (0..3)
        .map(|c| (means[0][c] - means[1][c]).powi(2) + (with_ridge[0][c].sqrt() - with_ridge[1][c].sqrt()).powi(2))
        .sum::<f64>()
        / 3.0;
    let [(wasserstein, slopes), (plain, other)] = BOTH.map(|loss| evaluate(loss, &style, &picture, 2.0));
    assert!((wasserstein - expected).abs() < 1e-12 && (plain - expected).abs() < 1e-12, "{wasserstein} {plain}");
    for (one, other) in slopes.second.iter().zip(&other.second).chain(slopes.mean.iter().zip(&other.mean)) {
        assert!((one - other).abs() < 1e-9, "{slopes:?} {other:?}");
    }
}

/// conv5_1 of a small picture: 512 channels, 12 positions. A covariance over few positions is that of few features turned into
/// many channels, so a turn that packs them gives the same distance from matrices that have full rank.
#[test]
fn fewer_positions_than_channels_are_exact() {
    let (channels, few, positions) = (96, 6, 12);
    let spread = |seed| {
        let features = features(seed, few, positions);
        // Each of the few stands in sixteen channels alike: a quarter of it in each, so that lengths stay.
        let rows = (0..channels).map(|channel| features[channel % few].iter().map(|value| value / 4.0).collect());
        (moments_of(&features), moments_of(&rows.collect::<Vec<Vec<f64>>>()))
    };
    let ((few_style, style), (few_picture, picture)) = (spread(1), spread(2));
    // The ridge of the packed ones is another, a share of what it is added to; what is missing is added by hand.
    let (wanted, own) = (RIDGE * trace(&style) / channels as f64, RIDGE * trace(&few_style) / few as f64);
    let missing = (wanted - own) / (1.0 + RIDGE);
    let raised = |mut moments: Moments| {
        (0..few).for_each(|channel| moments.second[channel * (few + 1)] += missing);
        moments
    };
    let (packed, _) = evaluate(StyleLoss::Wasserstein, &raised(few_style), &raised(few_picture), 1.0);
    // The other channels have the ridge alone, in both.
    let expected = packed * few as f64 / channels as f64;
    let (found, gradients) = evaluate(StyleLoss::Wasserstein, &style, &picture, 1.0);
    assert!((found - expected).abs() <= 1e-9 * expected, "{found} {expected}");
    assert!(gradients.second.iter().all(|value| value.is_finite()));
}

#[test]
fn a_flat_picture_or_painting_gives_numbers() {
    let channels = 64;
    let flat = |level: f64| {
        let mean: Vec<f64> = numbers(3, channels).iter().map(|value| (level * value).max(0.0)).collect();
        let second = mean.iter().flat_map(|row| mean.iter().map(move |column| row * column)).collect();
        Moments { layer: Layer::named("conv1_1").unwrap(), positions: 100, mean, second }
    };
    let rough = moments_of(&features(4, channels, 200));
    let black = flat(0.0);
    for (style, picture) in [
        (&flat(9.0), &rough),
        (&rough, &flat(9.0)),
        (&flat(9.0), &flat(5.0)),
        (&flat(9.0), &flat(9.0)),
        (&black, &black),
        (&rough, &black),
        (&black, &rough),
    ] {
        for loss in BOTH {
            let (value, gradients) = evaluate(loss, style, picture, 1.0);
            assert!(value.is_finite() && value >= 0.0, "{loss:?} {value}");
            let largest = gradients.second.iter().chain(&gradients.mean).fold(0.0, |most: f64, it| most.max(it.abs()));
            // NaN would not be below it.
            assert!(largest < 1e7, "{loss:?} {largest}");
            assert!(gradients.second.iter().all(|it| it.is_finite()) && gradients.mean.iter().all(|it| it.is_finite()));
        }
    }
    // Two flat pictures are apart by their means alone.
    let (one, other) = (flat(9.0), flat(5.0));
    let apart: f64 = one.mean.iter().zip(&other.mean).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / channels as f64;
    for loss in BOTH {
        let (value, _) = evaluate(loss, &one, &other, 1.0);
        assert!((value - apart).abs() <= 1e-9 * apart, "{loss:?} {value} {apart}");
    }
}

/// Where features hardly vary around large means, the engine's f32 sums leave covariances with eigenvalues below 0.
#[test]
fn rounded_moments_give_numbers() {
    let rounded = |seed, depth: f64| {
        let mut features = features(seed, 40, 60);
        features.iter_mut().flatten().for_each(|value| *value = 300.0 + depth * *value);
        let mut moments = moments_of(&features);
        let values = moments.second.iter_mut().chain(&mut moments.mean);
        values.for_each(|value| *value = f64::from(*value as f32));
        moments
    };
    for (style, picture) in [(1e-4, 1e-4), (1e-4, 1.0), (1.0, 1e-4), (1e-3, 1e-5)] {
        let (style, picture) = (rounded(1, style), rounded(2, picture));
        for loss in BOTH {
            let (value, gradients) = evaluate(loss, &style, &picture, 1.0);
            assert!(value.is_finite() && value >= 0.0, "{loss:?} {value}");
            assert!(gradients.second.iter().chain(&gradients.mean).all(|it| it.is_finite()), "{loss:?}");
        }
    }
}

#[test]
fn what_is_no_number_stays_none() {
    let sound = moments_of(&features(1, 8, 30));
    for bad in [f64::NAN, f64::INFINITY] {
        let mut broken = sound.clone();
        broken.second[9] = bad;
        for loss in BOTH {
            for (style, picture) in [(&sound, &broken), (&broken, &sound), (&broken, &broken)] {
                let (value, gradients) = evaluate(loss, style, picture, 1.0);
                let lengths = (gradients.mean.len(), gradients.second.len());
                assert!(!value.is_finite() && lengths == (8, 64), "{loss:?} {value} {lengths:?}");
            }
            // What was broken once does not stay so.
            let mut target = Wasserstein::new(&sound);
            let mut gradients = no_gradients();
            assert!(target.loss(&broken, 1.0, &mut gradients).is_nan());
            assert!(gradients.mean.iter().all(|value| value.is_nan()));
            assert!(target.loss(&sound, 1.0, &mut gradients).is_finite());
        }
    }
}

fn waves(width: usize, height: usize, phase: f64) -> Picture {
    let mut picture = Picture::filled(width, height, [0.0; 3]).unwrap();
    for (place, value) in picture.values.iter_mut().enumerate() {
        let (channel, y, x) = (place / (width * height), place / width % height, place % width);
        let angle = phase + (0.4 + 0.1 * phase) * x as f64 + 0.27 * y as f64 * (1.0 + channel as f64);
        *value = (127.0 + 100.0 * angle.sin()) as f32;
    }
    picture
}

fn recipe(loss: StyleLoss, optimizer: OptimizerKind) -> Recipe {
    Recipe {
        preset: Some("authors".into()),
        size: Some(Size::LongEdge(32)),
        iterations: Some(25),
        optimizer: Some(optimizer),
        style_loss: Some(loss),
        style_weight: Some(1e4),
        ..Recipe::default()
    }
}

/// All five layers, 512 channels too: the same bytes whatever the threads.
#[test]
fn threads_change_no_bit() {
    let recipe = recipe(StyleLoss::Wasserstein, OptimizerKind::Lbfgs).resolve().unwrap();
    let (content, style) = (waves(48, 36, 0.0), waves(40, 44, 2.0));
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let options = CpuOptions { threads: Some(threads), isa: None };
            let engine = CpuEngine::new(Weights::embedded(), options).unwrap();
            let style = style_moments(&recipe, &engine, &style.values, 40, 44, None).unwrap();
            let mut objective = Objective::new(&recipe, &[(style, 1.0)]);
            let mut session = engine.session(&request(&recipe, 48, 36, None)).unwrap();
            session.set_content(&content.values).unwrap();
            let mut gradient = vec![0.0; content.values.len()];
            let losses = objective.evaluate(session.as_mut(), &content.values, &mut gradient).unwrap();
            // A second time, over memory that is used.
            assert_eq!(objective.evaluate(session.as_mut(), &content.values, &mut gradient).unwrap(), losses);
            (losses, gradient)
        })
    };
    let of_one = with(1);
    assert!(of_one.0.style > 0.0);
    for threads in [2, 3] {
        assert!(with(threads) == of_one, "{threads} threads");
    }
}

/// The target of several paintings has the weighted means of their moments: what one painting would have that shows each on
/// its share of the positions.
#[test]
fn several_paintings_mix_by_their_moments() {
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions::default()).unwrap();
    let recipe = Recipe {
        style_layers: Some(parse_layers("", "conv1_1,conv2_1").unwrap()),
        ..recipe(StyleLoss::Wasserstein, OptimizerKind::Lbfgs)
    };
    let recipe = recipe.resolve().unwrap();
    let moments = |phase| style_moments(&recipe, &engine, &waves(40, 44, phase).values, 40, 44, None).unwrap();
    let (one, other) = (moments(1.0), moments(2.0));
    let mixed: Vec<Moments> = one
        .iter()
        .zip(&other)
        .map(|(one, other)| {
            let mix = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| 0.25 * a + 0.75 * b).collect();
            Moments { mean: mix(&one.mean, &other.mean), second: mix(&one.second, &other.second), ..one.clone() }
        })
        .collect();
    let mut session = engine.session(&request(&recipe, 48, 36, None)).unwrap();
    let picture = waves(48, 36, 0.0);
    session.set_content(&picture.values).unwrap();
    let mut style = |styles: &[(Vec<Moments>, f64)]| {
        let mut gradient = vec![0.0; picture.values.len()];
        Objective::new(&recipe, styles).evaluate(session.as_mut(), &picture.values, &mut gradient).unwrap().style
    };
    let (of_both, of_mixed) = (style(&[(one.clone(), 0.25), (other, 0.75)]), style(&[(mixed, 1.0)]));
    assert!((of_both - of_mixed).abs() <= 1e-12 * of_mixed, "{of_both} {of_mixed}");
    assert!((of_both - style(&[(one, 1.0)])).abs() > 1e-3 * of_both);
}

#[test]
fn a_run_brings_the_loss_down() {
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions::default()).unwrap();
    let (content, style) = (waves(48, 36, 0.0), waves(40, 44, 2.0));
    let images =
        Images { content: &content, styles: std::slice::from_ref(&style), start: None, guides: GuideImages::default() };
    for loss in BOTH {
        for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
            let mut losses = Vec::new();
            let mut observer = |event: Event<'_>| {
                if let Event::Iteration(iteration) = event {
                    losses.push(iteration.losses.total);
                }
                Control::Continue
            };
            paint(&recipe(loss, optimizer).resolve().unwrap(), &engine, images, None, &mut observer).unwrap();
            let (first, last) = (losses[0], losses[losses.len() - 1]);
            println!("{loss:?} {optimizer:?}: {first} to {last}");
            assert!(last < 0.5 * first, "{loss:?} {optimizer:?}: {first} to {last}");
        }
    }
}
