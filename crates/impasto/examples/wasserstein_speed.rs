//! What the Wasserstein loss costs, and the two ways to it: eigenvalues, or Newton's iteration.
//!
//! `cargo run --release -p impasto --example wasserstein_speed [PHOTO PAINTING SIZE]`
//!
//! The moments are a network's, at a content start and after a step that is as long as an optimiser's in the middle of a run. For
//! each layer: milliseconds of the loss as it is painted with; of Newton and Schulz's coupled iteration for the inverse root, from
//! nothing and from the last evaluation's; and how far each of them is from the first, in the loss and in T, in f64 and in f32.

use std::path::Path;
use std::time::Instant;

use faer::linalg::solvers::SelfAdjointEigen;
use faer::traits::ComplexField;
use faer::{Mat, Side};
use impasto::loss::{RIDGE, Wasserstein};
use impasto::objective::{Objective, request, style_moments};
use impasto::read::{ReadLimits, read_picture};
use impasto::recipe::{Recipe, StyleLoss};
use impasto_vgg::{CpuEngine, CpuOptions, Engine, MomentGradients, Moments, Weights};

/// Iterations at most.
const LIMIT: usize = 60;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [photo, painting, size] = &arguments[..] else { return Err("give PHOTO PAINTING SIZE".into()) };
    let side: usize = size.parse()?;
    let recipe = Recipe { style_loss: Some(StyleLoss::Wasserstein), ..Recipe::default() }.resolve()?;
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions::default())?;
    let read = |path: &str| read_picture(Path::new(path), &ReadLimits::default());
    let moments = |values: &[f32]| style_moments(&recipe, &engine, values, side, side, None);
    let square = |path: &str| read(path).map(|read| read.picture.resized(side, side));
    let (photo, painting) = (square(photo)??, square(painting)??);
    // A tenth of the way from the photo to the painting is a picture in the middle; a thousandth more, the next.
    let mixed = |share: f32| -> Vec<f32> {
        photo.values.iter().zip(&painting.values).map(|(a, b)| a + share * (b - a)).collect()
    };
    let style = moments(&painting.values)?;
    for loss in [StyleLoss::Gram, StyleLoss::Wasserstein, StyleLoss::MeanVariance] {
        let recipe = Recipe { style_loss: Some(loss), ..Recipe::default() }.resolve()?;
        let mut objective = Objective::new(&recipe, &[(style.clone(), 1.0)]);
        let mut session = engine.session(&request(&recipe, side, side, None))?;
        session.set_content(&photo.values)?;
        let mut gradient = vec![0.0; photo.values.len()];
        let mut seconds = Vec::new();
        objective.evaluate(&mut *session, &photo.values, &mut gradient)?;
        let before = processor_seconds();
        for share in 0..8 {
            let picture = mixed(0.1 + 0.001 * share as f32);
            let start = Instant::now();
            objective.evaluate(&mut *session, &picture, &mut gradient)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let worked = (processor_seconds() - before) / 8.0;
        let (median, least) = (seconds[4], seconds[0]);
        println!("{loss:?}: an evaluation takes {median:.4} s (least {least:.4}), {worked:.4} s of processors");
    }
    let (before, after) = (moments(&mixed(0.1))?, moments(&mixed(0.101))?);
    println!(
        "layer channels positions | loss | eigen ms (eigenvalues of C alone) | f64: cold ms, iterations, loss, T | warm ms, iterations, loss, T | f32 cold, warm"
    );
    for ((style, before), after) in style.iter().zip(&before).zip(&after) {
        layer(style, before, after);
    }
    Ok(())
}

/// Seconds that all threads of this process have worked, as Linux counts them, in hundredths; 0 elsewhere. Other programs take none of
/// it.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may have spaces: state, ..., the twelfth and thirteenth are user's and system's ticks.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn layer(style: &Moments, before: &Moments, after: &Moments) {
    let channels = style.mean.len();
    let mut target = Wasserstein::new(style);
    let mut gradients = MomentGradients { mean: vec![], second: vec![] };
    let mut value = 0.0;
    let times: Vec<f64> = (0..7)
        .map(|_| {
            let start = Instant::now();
            value = target.loss(after, 1.0, &mut gradients);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let eigen = times.iter().fold(f64::INFINITY, |least: f64, &time| least.min(time));
    let expected = exact(style, after);
    let start = Instant::now();
    let inner = covariance(after, ridge(style));
    SelfAdjointEigen::new(inner.as_ref(), Side::Lower).expect("covariances decompose");
    let alone = start.elapsed().as_secs_f64() * 1e3;
    print!("{} {channels} {} | {value:.1} | {eigen:.2} ({alone:.2}) |", style.layer, after.positions);
    report::<f64>(style, before, after, &expected);
    report::<f32>(style, before, after, &expected);
    println!();
}

/// The sum of roots and T, by eigenvalues.
fn exact(style: &Moments, picture: &Moments) -> (f64, Mat<f64>) {
    let root = root(style);
    let inner = &root * covariance(picture, ridge(style)) * &root;
    let eigen = SelfAdjointEigen::new(inner.as_ref(), Side::Lower).expect("covariances decompose");
    let least = ridge(style).powi(2);
    let values: Vec<f64> = eigen.S().column_vector().iter().map(|value| value.max(least)).collect();
    let scaled =
        Mat::from_fn(values.len(), values.len(), |row, column| eigen.U()[(row, column)] * values[column].powf(-0.25));
    let map = &root * scaled;
    (values.iter().map(|value| value.sqrt()).sum(), &map * map.transpose())
}

fn ridge(style: &Moments) -> f64 {
    let channels = style.mean.len();
    (0..channels).map(|c| style.second[c * (channels + 1)] - style.mean[c].powi(2)).sum::<f64>() * RIDGE
        / channels as f64
}

fn covariance(moments: &Moments, ridge: f64) -> Mat<f64> {
    let channels = moments.mean.len();
    Mat::from_fn(channels, channels, |row, column| {
        let spread = moments.second[row * channels + column] - moments.mean[row] * moments.mean[column];
        spread + if row == column { ridge } else { 0.0 }
    })
}

/// S^1/2.
fn root(style: &Moments) -> Mat<f64> {
    let covariance = covariance(style, ridge(style));
    let eigen = SelfAdjointEigen::new(covariance.as_ref(), Side::Lower).expect("covariances decompose");
    let channels = style.mean.len();
    let least = ridge(style);
    let scaled = Mat::from_fn(channels, channels, |row, column| {
        eigen.U()[(row, column)] * eigen.S().column_vector()[column].max(least).powf(0.25)
    });
    &scaled * scaled.transpose()
}

/// The iteration in one arithmetic, from nothing and from the picture before.
fn report<T: ComplexField + Into<f64> + FromF64>(
    style: &Moments,
    before: &Moments,
    after: &Moments,
    expected: &(f64, Mat<f64>),
) {
    let root = root(style);
    let inner = |picture: &Moments| -> Mat<T> {
        let inner = &root * covariance(picture, ridge(style)) * &root;
        Mat::from_fn(inner.nrows(), inner.ncols(), |row, column| T::from_f64_rounded(inner[(row, column)]))
    };
    let (first, second) = (inner(before), inner(after));
    let (_, start, _) = newton(&first, None);
    for (name, start) in [("cold", None), ("warm", Some(&start))] {
        let clock = Instant::now();
        let (sum, inverse, iterations) = newton(&second, start);
        let seconds = clock.elapsed().as_secs_f64();
        let inverse = Mat::from_fn(root.nrows(), root.ncols(), |row, column| inverse[(row, column)].clone().into());
        let map = &root * inverse * &root;
        let off = (&map - &expected.1).norm_l2() / expected.1.norm_l2();
        let loss = (sum - expected.0).abs() / expected.0;
        print!(" {name} {:.2} {iterations} {loss:.1e} {off:.1e} |", seconds * 1e3);
    }
}

/// Rounding to an arithmetic.
trait FromF64 {
    fn from_f64_rounded(value: f64) -> Self;
}
impl FromF64 for f64 {
    fn from_f64_rounded(value: f64) -> f64 {
        value
    }
}
impl FromF64 for f32 {
    fn from_f64_rounded(value: f64) -> f32 {
        value as f32
    }
}

/// The trace of the root of `matrix`, its inverse root, and the iterations that were made. From nothing: Denman and Beavers' pair in Newton and Schulz's
/// form, which is stable. From an inverse root Z nearby: Z (3 I - Z A Z) / 2, made symmetric each time.
fn newton<T: ComplexField + Into<f64> + FromF64>(matrix: &Mat<T>, start: Option<&Mat<T>>) -> (f64, Mat<T>, usize) {
    let size = matrix.nrows();
    let number = |value: f64| T::from_f64_rounded(value);
    let identity =
        |factor: f64| Mat::<T>::from_fn(size, size, |row, column| number(if row == column { factor } else { 0.0 }));
    let trace = |matrix: &Mat<T>| (0..size).map(|place| -> f64 { matrix[(place, place)].clone().into() }).sum::<f64>();
    // How far from the identity, a row; the iterations end where that stops getting less.
    let distance = |matrix: &Mat<T>| -> f64 {
        let off = |row: usize, column: usize| -> f64 {
            let value: f64 = matrix[(row, column)].clone().into();
            value - if row == column { 1.0 } else { 0.0 }
        };
        (0..size * size).map(|place| off(place / size, place % size).powi(2)).sum::<f64>().sqrt()
    };
    let half = number(0.5);
    if let Some(start) = start {
        let (mut inverse, mut last) = (start.clone(), f64::INFINITY);
        for iteration in 0..LIMIT {
            let product = &inverse * matrix * &inverse;
            let now = distance(&product);
            if now.is_nan() || now >= 0.9 * last || now > 1e3 {
                let root = matrix * &inverse;
                return (trace(&root), inverse, iteration);
            }
            last = now;
            let next = &inverse * (identity(3.0) - product);
            inverse = Mat::from_fn(size, size, |row, column| {
                let (here, there): (f64, f64) =
                    (next[(row, column)].clone().into(), next[(column, row)].clone().into());
                number(0.25 * (here + there))
            });
        }
        let root = matrix * &inverse;
        return (trace(&root), inverse, LIMIT);
    }
    let scale: f64 = (0..size * size)
        .map(|place| {
            let value: f64 = matrix[(place / size, place % size)].clone().into();
            value * value
        })
        .sum::<f64>()
        .sqrt();
    let scaled = |matrix: &Mat<T>, by: f64| {
        Mat::from_fn(size, size, |row, column| {
            let value: f64 = matrix[(row, column)].clone().into();
            number(value * by)
        })
    };
    let (mut root, mut inverse, mut last) = (scaled(matrix, 1.0 / scale), identity(1.0), f64::INFINITY);
    let mut iterations = 0;
    while iterations < LIMIT {
        let product = &inverse * &root;
        let now = distance(&product);
        if now.is_nan() || (now >= last && now < 1.0) {
            break;
        }
        last = now;
        let step = scaled(&(identity(3.0) - product), half.clone().into());
        (root, inverse) = (&root * &step, &step * &inverse);
        iterations += 1;
    }
    (trace(&root) * scale.sqrt(), scaled(&inverse, 1.0 / scale.sqrt()), iterations)
}
