//! Every loss against central finite differences, by itself and through the network in f64.

use impasto::loss::{self, Joins};
use impasto::objective::{HeldTo, Objective, request, style_moments};
use impasto::recipe::{Balance, ContentForm, Recipe, StyleForm, StyleLoss, TotalVariationForm, parse_layers};
use impasto_vgg::reference::ReferenceEngine;
use impasto_vgg::{Border, Distance, Engine, Layer, MomentGradients, Moments, Pooling, Weights};
use proptest::prelude::*;

/// Steps of the differences at pixels: a power of two, so that f32 holds every value exactly.
const PIXEL_STEP: f32 = 1.0 / 256.0;

/// The same through the network, where a longer step would turn some maximum over to another activation.
const NETWORK_STEP: f32 = 1.0 / 16_384.0;

fn numbers(seed: u64, count: usize, scale: f64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            scale * ((state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5)
        })
        .collect()
}

/// Values between -40 and 295, in multiples of the step.
fn pixels(seed: u64, count: usize) -> Vec<f32> {
    numbers(seed, count, 335.0).into_iter().map(|value| ((value + 127.5) * 256.0).round() as f32 / 256.0).collect()
}

fn moments(seed: u64, channels: usize) -> Moments {
    let mut second = numbers(seed, channels * channels, 60.0);
    for row in 0..channels {
        for column in 0..row {
            second[row * channels + column] = second[column * channels + row];
        }
    }
    Moments { layer: Layer::named("conv1_1").unwrap(), positions: 12, mean: numbers(seed + 1, channels, 9.0), second }
}

/// Largest |analytic - difference|, relative to the largest |difference|.
fn error_of_pixel_gradient(picture: &[f32], analytic: &[f32], value: impl Fn(&[f32]) -> f64) -> f64 {
    let mut moved = picture.to_vec();
    let differences: Vec<f64> = (0..picture.len())
        .map(|place| {
            moved[place] = picture[place] + PIXEL_STEP;
            let above = value(&moved);
            moved[place] = picture[place] - PIXEL_STEP;
            let below = value(&moved);
            moved[place] = picture[place];
            (above - below) / (2.0 * f64::from(PIXEL_STEP))
        })
        .collect();
    let largest = differences.iter().fold(1e-12, |largest: f64, difference| largest.max(difference.abs()));
    let worst =
        differences.iter().zip(analytic).map(|(difference, &analytic)| (difference - f64::from(analytic)).abs());
    worst.fold(0.0, f64::max) / largest
}

proptest! {
    #[test]
    fn content_has_the_gradient_of_its_differences(sum in 0.0..1e6_f64, elements in 1..100_000_u64) {
        let distance = |sum_of_squares| Distance { layer: Layer::named("conv4_2").unwrap(), elements, sum_of_squares };
        for form in [ContentForm::Paper, ContentForm::Position, ContentForm::Mean] {
            let (_, derivative) = loss::content(form, &distance(sum));
            let value = |sum| loss::content(form, &distance(sum)).0;
            let difference = (value(sum + 0.5) - value(sum - 0.5)) / 1.0;
            prop_assert!((derivative - difference).abs() <= 1e-7 * difference.abs());
        }
    }

    #[test]
    fn style_has_the_gradient_of_its_differences(seed in 0..1000_u64, channels in 1..9_usize, weight in 0.1..9.0_f64) {
        let target = moments(seed + 7, channels).second;
        for form in [StyleForm::Paper, StyleForm::Mean] {
            let picture = moments(seed, channels);
            let mut gradients = MomentGradients { mean: vec![1.0], second: vec![] };
            loss::gram(form, &picture, &target, weight, &mut gradients);
            prop_assert!(gradients.mean.is_empty());
            let value = |place: usize, by: f64| {
                let mut moved = picture.clone();
                moved.second[place] += by;
                let mut unused = MomentGradients { mean: vec![], second: vec![] };
                weight * loss::gram(form, &moved, &target, weight, &mut unused)
            };
            for place in 0..channels * channels {
                let difference = (value(place, 0.5) - value(place, -0.5)) / 1.0;
                prop_assert!((gradients.second[place] - difference).abs() <= 1e-9 * (1.0 + difference.abs()));
            }
        }
    }

    #[test]
    fn total_variation_has_the_gradient_of_its_differences(
        seed in 0..1000_u64, width in 1..7_usize, height in 1..7_usize, weight in 0.1..9.0_f64, x: bool, y: bool,
    ) {
        let (picture, joins) = (pixels(seed, 3 * width * height), Joins { x, y });
        for form in [TotalVariationForm::Sum, TotalVariationForm::Mean, TotalVariationForm::NinePoint] {
            let mut gradient = vec![0.0; picture.len()];
            loss::total_variation(form, &picture, (width, height), joins, weight, &mut gradient);
            let error = error_of_pixel_gradient(&picture, &gradient, |moved| {
                weight * loss::total_variation(form, moved, (width, height), joins, 0.0, &mut vec![0.0; moved.len()])
            });
            prop_assert!(error < 1e-5, "{error}");
        }
    }

    #[test]
    fn range_has_the_gradient_of_its_differences(seed in 0..1000_u64, count in 1..200_usize, weight in 0.1..9.0_f64) {
        let picture = pixels(seed, count);
        let mut gradient = vec![0.0; count];
        loss::range(&picture, weight, &mut gradient);
        let value = |moved: &[f32]| weight * loss::range(moved, 0.0, &mut vec![0.0; moved.len()]);
        // A value within a step of the border has a kink between the two points: half a step's slope.
        let error = error_of_pixel_gradient(&picture, &gradient, value);
        let kink = f64::from(PIXEL_STEP) / 40.0;
        prop_assert!(error < 1e-5 + kink, "{error}");
    }

    #[test]
    fn temporal_has_the_gradient_of_its_differences(seed in 0..1000_u64, count in 1..70_usize, weight in 0.1..9.0_f64) {
        let (picture, held_to) = (pixels(seed, 3 * count), pixels(seed + 1, 3 * count));
        let weights: Vec<f32> = numbers(seed + 2, count, 1.0).iter().map(|number| (number + 0.5) as f32).collect();
        let mut gradient = vec![0.0; picture.len()];
        loss::temporal(&picture, &held_to, &weights, weight, &mut gradient);
        let value = |moved: &[f32]| {
            weight * loss::temporal(moved, &held_to, &weights, 0.0, &mut vec![0.0; moved.len()])
        };
        let error = error_of_pixel_gradient(&picture, &gradient, value);
        prop_assert!(error < 1e-5, "{error}");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_style_loss() {
    let (picture, target) = (moments(3, 256), moments(5, 256).second);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut gradients = MomentGradients { mean: vec![], second: vec![] };
        let loss = pool.install(|| loss::gram(StyleForm::Paper, &picture, &target, 0.7, &mut gradients));
        (loss, gradients)
    };
    let of_one = with(1);
    for threads in [2, 3, 5] {
        assert!(with(threads) == of_one, "{threads} threads");
    }
}

#[test]
fn pixel_losses_are_the_sums_that_they_are_said_to_be() {
    // 2 x 2 pixels; only red differs: 1 2 / 4 8. Differences: 1, 4, 3, 6.
    let mut picture = vec![0.0; 12];
    picture[..4].copy_from_slice(&[1.0, 2.0, 4.0, 8.0]);
    let squares = 1.0 + 16.0 + 9.0 + 36.0;
    let mut gradient = vec![0.0; 12];
    assert_eq!(
        loss::total_variation(TotalVariationForm::Sum, &picture, (2, 2), Joins::default(), 1.0, &mut gradient),
        squares / 2.0
    );
    let mean = loss::total_variation(TotalVariationForm::Mean, &picture, (2, 2), Joins::default(), 1.0, &mut gradient);
    assert!((mean - squares / 12.0).abs() < 1e-12);
    assert_eq!(
        loss::total_variation(TotalVariationForm::Mean, &[5.0; 3], (1, 1), Joins::default(), 1.0, &mut [0.0; 3]),
        0.0
    );
    picture[11] = -2.0;
    picture[10] = 258.0;
    assert!((loss::range(&picture, 1.0, &mut gradient) - (4.0 + 9.0) / 12.0).abs() < 1e-12);
    // The first pixel is not held, the second by half, the last whole: 0.5 (2 - 3)^2 + (8 - 5)^2 in red, and 6^2 in blue.
    let mut held_to = picture.clone();
    (held_to[0], held_to[1], held_to[3], held_to[11]) = (77.0, 3.0, 5.0, 4.0);
    let (weights, mut gradient) = ([0.0, 0.5, 1.0, 1.0], vec![1.0; 12]);
    let temporal = loss::temporal(&picture, &held_to, &weights, 2.0, &mut gradient);
    assert!((temporal - (0.5 + 9.0 + 36.0) / 12.0).abs() < 1e-12, "{temporal}");
    // 1 + 2 x 2 w (x - p) / 12.
    let slopes = [gradient[0], gradient[1], gradient[3], gradient[11]];
    assert_eq!(slopes, [1.0, 1.0 - 1.0 / 6.0, 2.0, -1.0]);
}

/// The nine-point form as it is published: on a picture that is continued by its border, direction by direction.
#[test]
fn nine_points_are_the_means_over_a_continued_picture() {
    for (width, height) in [(1, 1), (1, 4), (5, 1), (2, 2), (6, 5)] {
        let picture = pixels(11, 3 * width * height);
        let continued = |colour: usize, y: usize, x: usize| {
            let (y, x) = (y.clamp(1, height) - 1, x.clamp(1, width) - 1);
            f64::from(picture[(colour * height + y) * width + x])
        };
        let mean =
            |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>, down: usize, from: usize, to: usize| {
                let (mut sum, mut count) = (0.0, 0.0);
                for (colour, y) in (0..3).flat_map(|colour| rows.clone().map(move |y| (colour, y))) {
                    for x in columns.clone() {
                        sum += (continued(colour, y + down, x + to) - continued(colour, y, x + from)).powi(2);
                        count += 1.0;
                    }
                }
                sum / count
            };
        let straight = mean(1..height + 1, 1..width + 1, 0, 0, 1) + mean(1..height + 1, 1..width + 1, 1, 0, 0);
        let slanted = mean(0..height + 1, 0..width + 1, 1, 0, 1) + mean(0..height + 1, 0..width + 1, 1, 1, 0);
        let expected = 2.0 * (straight / 3.0 + slanted / 12.0);
        let mut gradient = vec![0.0; picture.len()];
        let found = loss::total_variation(
            TotalVariationForm::NinePoint,
            &picture,
            (width, height),
            Joins::default(),
            1.0,
            &mut gradient,
        );
        assert!((found - expected).abs() <= 1e-12 * expected, "{width}x{height}: {found} {expected}");
    }
}

#[test]
fn losses_do_not_depend_on_the_number_of_threads() {
    let (width, height) = (301, 97);
    let picture = pixels(3, 3 * width * height);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut gradient = vec![0.5; picture.len()];
            let variation = loss::total_variation(
                TotalVariationForm::Mean,
                &picture,
                (width, height),
                Joins::default(),
                3.0,
                &mut gradient,
            );
            let nine = loss::total_variation(
                TotalVariationForm::NinePoint,
                &picture,
                (width, height),
                Joins::default(),
                3.0,
                &mut gradient,
            );
            let range = loss::range(&picture, 2.0, &mut gradient);
            let weights: Vec<f32> = picture[..width * height].iter().map(|value| value.abs() / 300.0).collect();
            let held_to = pixels(4, picture.len());
            let temporal = loss::temporal(&picture, &held_to, &weights, 2.0, &mut gradient);
            (variation, nine, range, temporal, gradient)
        })
    };
    assert_eq!(with(1), with(3));
}

/// The whole objective, through the network in f64, against differences along random directions.
#[test]
fn whole_objective_has_the_gradient_of_its_differences() {
    let engine = ReferenceEngine::new(Weights::embedded());
    let forms = [
        (ContentForm::Paper, StyleForm::Paper, TotalVariationForm::Sum, Pooling::Average, Border::Zero),
        (ContentForm::Mean, StyleForm::Mean, TotalVariationForm::Mean, Pooling::Max, Border::Replicate),
    ];
    let style_losses = [StyleLoss::Gram, StyleLoss::Wasserstein, StyleLoss::MeanVariance];
    let cases = style_losses.into_iter().flat_map(|loss| forms.map(|forms| (loss, forms)));
    for (style_loss, (content_form, style_form, tv_form, pool, border)) in cases {
        let recipe = Recipe {
            content_layers: Some(parse_layers("", "conv2_2=0.5,pool2=2").unwrap()),
            style_layers: Some(parse_layers("", "conv1_1=0.2,conv2_1=3,conv3_1").unwrap()),
            balance: Some(Balance::Plain),
            content_form: Some(content_form),
            style_loss: Some(style_loss),
            style_form: Some(style_form),
            tv_form: Some(tv_form),
            tv_weight: Some(7.0),
            range_weight: Some(1e3),
            style_weight: Some(40.0),
            pool: Some(pool),
            border: Some(border),
            ..Recipe::default()
        };
        let recipe = recipe.resolve().unwrap();
        let (width, height) = (13, 9);
        let style_of = |seed, width, height| {
            style_moments(&recipe, &engine, &pixels(seed, 3 * width * height), width, height, None).unwrap()
        };
        let styles = [(style_of(1, 11, 14), 0.25), (style_of(2, 9, 9), 0.75)];
        let weights = numbers(6, width * height, 1.0).iter().map(|number| (number + 0.5) as f32).collect();
        let held_to = HeldTo { picture: pixels(5, 3 * width * height), weights, weight: 3e-3 };
        let mut objective = Objective::new(&recipe, &styles).held_to(Some(held_to));
        let mut session = engine.session(&request(&recipe, width, height, None)).unwrap();
        session.set_content(&pixels(3, 3 * width * height)).unwrap();
        let picture = pixels(4, 3 * width * height);
        let mut gradient = vec![0.0; picture.len()];
        let losses = objective.evaluate(session.as_mut(), &picture, &mut gradient).unwrap();
        assert!(
            losses.range > 0.0
                && losses.total_variation > 0.0
                && losses.temporal > 0.0
                && losses.style_layers.len() == 3
        );

        let norm = gradient.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        for seed in 10..16 {
            let signs: Vec<f32> = numbers(seed, picture.len(), 2.0).iter().map(|sign| sign.signum() as f32).collect();
            let slope: f64 = gradient.iter().zip(&signs).map(|(&value, &sign)| f64::from(value * sign)).sum();
            let mut value = |step: f32| {
                let moved: Vec<f32> = picture.iter().zip(&signs).map(|(value, sign)| value + step * sign).collect();
                objective.evaluate(session.as_mut(), &moved, &mut vec![0.0; moved.len()]).unwrap().total
            };
            let difference = (value(NETWORK_STEP) - value(-NETWORK_STEP)) / (2.0 * f64::from(NETWORK_STEP));
            assert!(
                (slope - difference).abs() < 1e-3 * norm,
                "{style_loss:?} {pool:?}: {slope} {difference} of {norm}"
            );
        }
    }
}

/// The total is the weighted sum of what is reported, and a target blended from one image alone is that image's.
#[test]
fn reported_losses_add_up() {
    let engine = ReferenceEngine::new(Weights::embedded());
    let recipe = Recipe { preset: Some("johnson".into()), pool: Some(Pooling::Average), ..Recipe::default() };
    let recipe = recipe.resolve().unwrap();
    let (width, height) = (17, 16);
    let content = pixels(8, 3 * width * height);
    let style = style_moments(&recipe, &engine, &content, width, height, None).unwrap();
    let other = style_moments(&recipe, &engine, &pixels(9, content.len()), width, height, None).unwrap();
    let mut session = engine.session(&request(&recipe, width, height, None)).unwrap();
    session.set_content(&content).unwrap();
    let mut gradient = vec![0.0; content.len()];

    let mut own = Objective::new(&recipe, &[(style.clone(), 1.0), (other.clone(), 0.0)]);
    let losses = own.evaluate(session.as_mut(), &content, &mut gradient).unwrap();
    assert_eq!((losses.content, losses.style), (0.0, 0.0));

    let mut both = Objective::new(&recipe, &[(style, 0.5), (other, 0.5)]);
    let losses = both.evaluate(session.as_mut(), &pixels(10, content.len()), &mut gradient).unwrap();
    let total = 5.0 * losses.content + 100.0 * losses.style + 1e-3 * losses.total_variation;
    assert!((losses.total - total).abs() <= 1e-12 * total, "{losses:?}");
    assert!(losses.content > 0.0 && losses.style > 0.0 && losses.range == 0.0);
    let layers: f64 = losses.style_layers.iter().map(|layer| layer.loss).sum();
    assert!((layers - losses.style).abs() <= 1e-12 * layers);
}
