//! Optimisers against functions whose minimum is known, a textbook L-BFGS, and functions that misbehave.

use impasto::adam::Adam;
use impasto::bfloat16::Bfloat16;
use impasto::lbfgs::Lbfgs;
use impasto::optimiser::{Optimiser, Rejection, Step};
use impasto::preconditioner::Preconditioner;
use impasto::pyramid::Pyramid;

/// sum of weights x (x - centre)^2 / 2, with weights from 1 to `condition`.
struct Bowl {
    weights: Vec<f64>,
    centre: Vec<f64>,
}

impl Bowl {
    fn new(values: usize, condition: f64) -> Bowl {
        let share = |place: usize| place as f64 / (values - 1).max(1) as f64;
        Bowl {
            weights: (0..values).map(|place| condition.powf(share(place))).collect(),
            centre: (0..values).map(|place| 400.0 * (share(place * 7 % values)) - 70.0).collect(),
        }
    }

    fn at(&self, picture: &[f32]) -> (f64, Vec<f32>) {
        let mut loss = 0.0;
        let gradient = picture.iter().zip(self.weights.iter().zip(&self.centre)).map(|(&value, (weight, centre))| {
            let away = f64::from(value) - centre;
            loss += weight * away * away / 2.0;
            (weight * away) as f32
        });
        let gradient = gradient.collect();
        (loss, gradient)
    }
}

/// Runs `evaluations`; the losses of accepted pictures.
fn run(
    optimiser: &mut dyn Optimiser,
    mut picture: Vec<f32>,
    evaluations: usize,
    mut objective: impl FnMut(usize, &[f32]) -> (f64, Vec<f32>),
) -> Vec<f64> {
    let mut accepted = Vec::new();
    for evaluation in 0..evaluations {
        let (loss, gradient) = objective(evaluation, &picture);
        if optimiser.advance(&mut picture, loss, &gradient) == Step::Accepted {
            accepted.push(loss);
        }
    }
    accepted
}

#[test]
fn a_pair_that_is_refused_does_not_drive_out_the_oldest() {
    let bowl = Bowl::new(8, 50.0);
    let mut lbfgs = Lbfgs::new(1, false, None);
    let mut picture = vec![100.0; 8];
    let (mut before, mut gradient_before) = (Vec::new(), Vec::new());
    let mut loss = 0.0;
    for _ in 0..3 {
        let at = bowl.at(&picture);
        (loss, before, gradient_before) = (at.0, picture.clone(), at.1);
        assert_eq!(lbfgs.advance(&mut picture, loss, &gradient_before), Step::Accepted);
    }
    // Falls as it should, but curves downwards.
    let gradient: Vec<f32> = (picture.iter().zip(&before))
        .zip(&gradient_before)
        .map(|((value, before), gradient)| gradient - 0.01 * (value - before))
        .collect();
    let start = picture.clone();
    assert_eq!(lbfgs.advance(&mut picture, loss / 2.0, &gradient), Step::Accepted);
    // The pair that it has bends the step away from the gradient.
    let step: Vec<f32> = picture.iter().zip(&start).map(|(value, start)| value - start).collect();
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let cosine = product(&step, &gradient) / (product(&step, &step) * product(&gradient, &gradient)).sqrt();
    assert!((-0.999..0.0).contains(&cosine), "{cosine}");
}

#[test]
fn lbfgs_finds_the_bottom_of_a_bowl_and_never_climbs() {
    let bowl = Bowl::new(60, 1000.0);
    let mut lbfgs = Lbfgs::new(20, false, None);
    let losses = run(&mut lbfgs, vec![100.0; 60], 150, |_, picture| bowl.at(picture));
    assert!(losses.is_sorted_by(|before, after| after <= before), "{losses:?}");
    assert!(losses.last().unwrap() < &(1e-6 * losses[0]), "{losses:?}");
    for (value, centre) in lbfgs.good().iter().zip(&bowl.centre) {
        assert!((f64::from(*value) - centre).abs() < 0.5, "{value} {centre}");
    }
}

#[test]
fn lbfgs_follows_a_curved_valley() {
    // Rosenbrock's function in units of 10: its minimum is at (10, 10).
    let valley = |picture: &[f32]| {
        let (x, y) = (f64::from(picture[0]) / 10.0, f64::from(picture[1]) / 10.0);
        let (bend, left) = (y - x * x, 1.0 - x);
        let slopes = [(-400.0 * x * bend - 2.0 * left) / 10.0, 200.0 * bend / 10.0];
        (100.0 * bend * bend + left * left, slopes.map(|slope| slope as f32).to_vec())
    };
    let mut lbfgs = Lbfgs::new(10, false, None);
    let losses = run(&mut lbfgs, vec![-12.0, 10.0], 120, |_, picture| valley(picture));
    assert!(losses.is_sorted_by(|before, after| after <= before));
    let good = lbfgs.good();
    assert!((good[0] - 10.0).abs() < 0.05 && (good[1] - 10.0).abs() < 0.1, "{good:?} {losses:?}");
}

/// The two-loop recursion as the book writes it (algorithm 7.4), in f64.
fn textbook_step(pairs: &[(Vec<f64>, Vec<f64>)], gradient: &[f64]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut direction = gradient.to_vec();
    let mut alphas = Vec::new();
    for (step, change) in pairs.iter().rev() {
        let alpha = dot(step, &direction) / dot(step, change);
        direction.iter_mut().zip(change).for_each(|(value, change)| *value -= alpha * change);
        alphas.push(alpha);
    }
    let (step, change) = &pairs[pairs.len() - 1];
    let scale = dot(step, change) / dot(change, change);
    direction.iter_mut().for_each(|value| *value *= scale);
    for ((step, change), alpha) in pairs.iter().zip(alphas.iter().rev()) {
        let beta = dot(change, &direction) / dot(step, change);
        direction.iter_mut().zip(step).for_each(|(value, step)| *value += (alpha - beta) * step);
    }
    direction.iter().map(|value| -value).collect()
}

#[test]
fn lbfgs_takes_the_steps_of_the_textbook() {
    const HISTORY: usize = 5;
    let bowl = Bowl::new(40, 50.0);
    let mut lbfgs = Lbfgs::new(HISTORY, false, None);
    let mut picture = vec![30.0_f32; 40];
    let mut before: Option<(Vec<f64>, Vec<f64>)> = None;
    let mut pairs: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    let less = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
    // Pairs are kept in bfloat16.
    let kept = |values: &[f64]| values.iter().map(|&value| f64::from(Bfloat16::from(value as f32).wide())).collect();
    for evaluation in 0..14 {
        let (loss, gradient) = bowl.at(&picture);
        let (here, slope) = (wide(&picture), wide(&gradient));
        if lbfgs.advance(&mut picture, loss, &gradient) != Step::Accepted {
            continue;
        }
        if let Some((place, gradient)) = &before {
            pairs.push((kept(&less(&here, place)), kept(&less(&slope, gradient))));
            pairs.drain(..pairs.len().saturating_sub(HISTORY));
            let expected = textbook_step(&pairs, &slope);
            let found = less(&wide(&picture), &here);
            let size = expected.iter().map(|value| value.abs()).fold(0.0, f64::max);
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-3 * size + 1e-4, "{evaluation}: {found} {expected}");
            }
        }
        before = Some((here, slope));
    }
    assert_eq!(pairs.len(), HISTORY);
}

#[test]
fn clamped_lbfgs_finds_the_best_picture_within_bounds() {
    // Coupled values, so that a held bound matters to its neighbours: each pulls towards the next.
    let bowl = Bowl::new(30, 20.0);
    let coupled = |picture: &[f32]| {
        let (mut loss, mut gradient) = bowl.at(picture);
        for place in 1..picture.len() {
            let pull = f64::from(picture[place]) - f64::from(picture[place - 1]);
            loss += 0.1 * pull * pull;
            gradient[place] += (0.2 * pull) as f32;
            gradient[place - 1] -= (0.2 * pull) as f32;
        }
        (loss, gradient)
    };
    let mut lbfgs = Lbfgs::new(20, true, None);
    let mut all_within = true;
    let losses = run(&mut lbfgs, vec![128.0; 30], 200, |_, picture| {
        all_within &= picture.iter().all(|value| (0.0..=255.0).contains(value));
        coupled(picture)
    });
    assert!(all_within && losses.is_sorted_by(|before, after| after <= before));
    let good = lbfgs.good();
    let (_, gradient) = coupled(good);
    let held = good.iter().filter(|&&value| value <= 0.0 || value >= 255.0).count();
    assert!(held > 3 && held < 25, "{held} of 30 values are at a bound");
    for (&value, &slope) in good.iter().zip(&gradient) {
        // Karush, Kuhn and Tucker: no slope inside, an outward one at a bound.
        let inward = if value <= 0.0 {
            slope.min(0.0)
        } else if value >= 255.0 {
            slope.max(0.0)
        } else {
            slope
        };
        assert!(inward.abs() < 0.05, "{value} {slope}");
    }
}

#[test]
fn every_optimiser_survives_bad_losses_at_every_evaluation() {
    let bowl = Bowl::new(25, 30.0);
    let kinds = ["nan loss", "infinite loss", "nan gradient", "huge loss", "nan from here on"];
    for bad_at in 1..40 {
        for kind in kinds {
            for name in ["lbfgs", "clamped lbfgs", "adam"] {
                let mut optimiser: Box<dyn Optimiser> = match name {
                    "adam" => Box::new(Adam::new(2.0, false)),
                    name => Box::new(Lbfgs::new(10, name == "clamped lbfgs", None)),
                };
                let mut picture = vec![128.0; 25];
                let mut good_loss = f64::INFINITY;
                for evaluation in 0..60 {
                    let (mut loss, mut gradient) = bowl.at(&picture);
                    let bad = evaluation == bad_at || (evaluation > bad_at && kind == "nan from here on");
                    if bad {
                        match kind {
                            "infinite loss" => loss = f64::INFINITY,
                            "nan gradient" => gradient[24] = f32::NAN,
                            "huge loss" => loss = 1e30,
                            _ => loss = f64::NAN,
                        }
                    }
                    let good = optimiser.good().to_vec();
                    let step = optimiser.advance(&mut picture, loss, &gradient);
                    let expected = if kind == "huge loss" { Rejection::Grown } else { Rejection::NotFinite };
                    if bad {
                        assert_eq!(step, Step::Rejected(expected), "{name}, {kind} at {bad_at}");
                        assert_eq!(optimiser.good(), good, "{name}, {kind} at {bad_at}");
                    }
                    if step == Step::Accepted {
                        good_loss = loss;
                    }
                    assert!(picture.iter().all(|value| value.is_finite()), "{name}, {kind} at {bad_at}");
                }
                assert_eq!(bowl.at(optimiser.good()).0, good_loss, "{name}, {kind} at {bad_at}");
            }
        }
    }
}

#[test]
fn a_bad_start_is_never_good() {
    for mut optimiser in [Box::new(Lbfgs::new(3, false, None)) as Box<dyn Optimiser>, Box::new(Adam::new(1.0, false))] {
        let step = optimiser.advance(&mut [1.0, 2.0], f64::NAN, &[0.0, 0.0]);
        assert_eq!(step, Step::Rejected(Rejection::NotFinite));
        assert!(optimiser.good().is_empty());
    }
}

#[test]
fn a_flat_loss_stays_where_it_is() {
    for mut optimiser in [Box::new(Lbfgs::new(3, false, None)) as Box<dyn Optimiser>, Box::new(Adam::new(1.0, false))] {
        let mut picture = vec![10.0, 20.0];
        for _ in 0..5 {
            optimiser.advance(&mut picture, 1.0, &[0.0, 0.0]);
        }
        assert_eq!(picture, [10.0, 20.0]);
    }
}

#[test]
fn adam_takes_the_papers_steps() {
    // Kingma and Ba: the first step has the length of the rate, whatever the gradient; a constant gradient keeps it.
    let mut adam = Adam::new(2.0, false);
    let mut picture = vec![100.0, 100.0];
    for step in 1..=3 {
        adam.advance(&mut picture, 1.0, &[1e-3, -50.0]);
        let moved = 2.0 * step as f32;
        assert!((picture[0] - (100.0 - moved)).abs() < 1e-3 && (picture[1] - (100.0 + moved)).abs() < 1e-3);
    }
    // By hand, gradients 1 then 3: m = 0.1, 0.39; v = 0.001, 0.009999.
    let mut adam = Adam::new(1.0, false);
    let mut picture = vec![0.0];
    adam.advance(&mut picture, 1.0, &[1.0]);
    adam.advance(&mut picture, 1.0, &[3.0]);
    let expected = -1.0 - (0.39 / 0.19) / (0.009999_f64 / 0.001999).sqrt();
    assert!((f64::from(picture[0]) - expected).abs() < 1e-6, "{picture:?} {expected}");
}

/// Two steps by hand with another beta 2: mean square 0.0199 and 0.01 * (0.99 + 9) over their corrections.
#[test]
fn adams_beta_2_is_what_it_is_told() {
    let mut adam = Adam::new(1.0, false).with_beta_2(0.99);
    let mut picture = vec![0.0];
    adam.advance(&mut picture, 1.0, &[1.0]);
    adam.advance(&mut picture, 1.0, &[3.0]);
    let expected = -1.0 - (0.39 / 0.19) / (0.0999_f64 / 0.0199).sqrt();
    assert!((f64::from(picture[0]) - expected).abs() < 1e-6, "{picture:?} {expected}");
}

/// Kingma and Ba's average with its correction, from all pictures that were evaluated; a rejected one is not among them.
#[test]
fn an_average_of_pictures_weighs_each_by_its_age() {
    let bowl = Bowl::new(12, 20.0);
    let mut adam = Adam::new(2.0, false).with_average(0.9);
    assert!(adam.shown().is_empty());
    let mut picture = vec![128.0; 12];
    let mut seen: Vec<Vec<f32>> = Vec::new();
    for evaluation in 0..30 {
        let (loss, gradient) = bowl.at(&picture);
        let loss = if evaluation == 20 { f64::NAN } else { loss };
        let here = picture.clone();
        if adam.advance(&mut picture, loss, &gradient) == Step::Accepted {
            seen.push(here);
        }
        let weights: Vec<f64> = (0..seen.len()).rev().map(|age| 0.9_f64.powi(age as i32)).collect();
        let total: f64 = weights.iter().sum();
        for (place, &shown) in adam.shown().iter().enumerate() {
            let sum: f64 = seen.iter().zip(&weights).map(|(seen, weight)| weight * f64::from(seen[place])).sum();
            assert!((f64::from(shown) - sum / total).abs() < 1e-3, "{evaluation}: {shown} {}", sum / total);
        }
    }
    assert_eq!(seen.len(), 29);
    assert_ne!(adam.shown(), adam.good());
    assert_eq!(Adam::new(2.0, false).bytes(100) + 400, adam.bytes(100));
}

#[test]
fn adam_goes_on_at_the_next_size_with_what_it_has_learnt() {
    // Slopes that are the same everywhere are so at any size, so that the finer one takes the step that the coarse one would.
    let steps = |adam: &mut dyn Optimiser, picture: &mut [f32], slopes: &[f32]| {
        for &slope in slopes {
            let gradient = vec![slope; picture.len()];
            assert_eq!(adam.advance(picture, 1.0, &gradient), Step::Accepted);
        }
    };
    let slopes = [1.0, -0.5, 3.0];
    let (mut coarse, mut fine) = (vec![100.0; 3 * 4 * 3], vec![100.0; 3 * 8 * 6]);
    let mut adam = Adam::new(2.0, false).with_average(0.9).carried(true);
    steps(&mut adam, &mut coarse, &slopes);
    let mut carried = adam.carried_up((4, 3), (8, 6)).unwrap().unwrap();
    assert!(carried.good().is_empty() && carried.shown().is_empty());
    let before = coarse[0];
    steps(&mut adam, &mut coarse, &[0.25]);
    steps(carried.as_mut(), &mut fine, &[0.25]);
    let step = coarse[0] - before;
    assert!(step.abs() > 0.1);
    fine.iter().for_each(|value| assert!((value - 100.0 - step).abs() < 1e-3, "{value} {step}"));
    // The average is of the new size's pictures alone.
    assert_eq!(carried.shown(), vec![100.0; fine.len()]);

    let mut anew = Adam::new(2.0, false);
    assert!(anew.clone().carried(true).carried_up((4, 3), (8, 6)).unwrap().is_none(), "nothing is learnt yet");
    steps(&mut anew, &mut coarse, &slopes);
    assert!(anew.carried_up((4, 3), (8, 6)).unwrap().is_none());
}

#[test]
fn clamped_adam_stays_within_bounds() {
    let bowl = Bowl::new(30, 5.0);
    let mut adam = Adam::new(5.0, true);
    run(&mut adam, vec![128.0; 30], 300, |_, picture| {
        assert!(picture.iter().all(|value| (0.0..=255.0).contains(value)));
        bowl.at(picture)
    });
    for (&value, &centre) in adam.good().iter().zip(&bowl.centre) {
        assert!((f64::from(value) - centre.clamp(0.0, 255.0)).abs() < 2.0, "{value} {centre}");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let bowl = Bowl::new(19_920, 100.0);
    let with = |threads: usize, adam: bool| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut optimiser: Box<dyn Optimiser> = match adam {
                true => Box::new(Adam::new(2.0, true).with_average(0.9)),
                false => Box::new(Lbfgs::new(6, true, Some(Preconditioner::new(80, 83, 1.0)))),
            };
            run(optimiser.as_mut(), vec![90.0; 19_920], 20, |_, picture| bowl.at(picture));
            [optimiser.good(), optimiser.shown()].concat()
        })
    };
    for adam in [true, false] {
        let one = with(1, adam);
        assert!(one.iter().any(|value| *value != 90.0));
        assert_eq!(one, with(2, adam));
        assert_eq!(one, with(5, adam));
    }
}

#[test]
fn a_pyramid_takes_the_place_of_the_scaling_in_the_textbook() {
    let (width, height) = (17, 12);
    let count = 3 * width * height;
    let bowl = Bowl::new(count, 50.0);
    let mut pyramid = Pyramid::new(width, height, 1.0);
    let mut lbfgs = Lbfgs::new(5, false, Some(Preconditioner::new(width, height, 1.0)));
    let mut picture = vec![30.0_f32; count];
    // One pair: H g = (I - r s y') scale P (I - r y s') g + r s s' g.
    let mut seen: Vec<(Vec<f32>, Vec<f32>)> = Vec::new();
    while seen.len() < 2 {
        let (loss, gradient) = bowl.at(&picture);
        let here = picture.clone();
        if lbfgs.advance(&mut picture, loss, &gradient) == Step::Accepted {
            seen.push((here, gradient));
        }
    }
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
    let less = |a: &[f32], b: &[f32]| {
        // Pairs are kept in bfloat16.
        a.iter().zip(b).map(|(a, b)| Bfloat16::from(a - b).wide()).collect::<Vec<f32>>()
    };
    let (step, change) = (less(&seen[1].0, &seen[0].0), less(&seen[1].1, &seen[0].1));
    let gradient = &seen[1].1;
    let mut weighed_change = change.clone();
    pyramid.apply(&mut weighed_change);
    let scale = dot(&step, &change) / dot(&change, &weighed_change);
    let alpha = dot(&step, gradient) / dot(&step, &change);
    let mut middle: Vec<f32> = gradient.iter().zip(&change).map(|(g, y)| g - alpha as f32 * y).collect();
    pyramid.apply(&mut middle);
    let beta = scale * dot(&change, &middle) / dot(&step, &change);
    let expected: Vec<f64> = middle
        .iter()
        .zip(&step)
        .map(|(&middle, &step)| -(scale * f64::from(middle) + (alpha - beta) * f64::from(step)))
        .collect();
    let size = expected.iter().map(|value| value.abs()).fold(0.0, f64::max);
    for ((after, before), expected) in picture.iter().zip(&seen[1].0).zip(&expected) {
        assert!((f64::from(after - before) - expected).abs() < 1e-3 * size + 1e-4);
    }
}
