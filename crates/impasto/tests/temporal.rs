//! Pictures that are held to another, as frames of a film are, through whole runs.

mod waves;

use impasto::recipe::{Recipe, Size, Start, parse_layers};
use impasto::{Control, GuideImages, Images, Outcome, PaintError, Picture, Temporal, paint};
use impasto_vgg::Weights;
use impasto_vgg::reference::ReferenceEngine;

const WIDTH: usize = 32;
const HEIGHT: usize = 33;

/// Two sizes, so that the coarse one is held too.
fn painted(temporal: Option<Temporal<'_>>, start: Option<&Picture>) -> Result<Outcome, PaintError> {
    let init = start.map(|_| Start::File("the frame before".into()));
    let recipe = Recipe {
        size: Some(Size::LongEdge(HEIGHT as u32)),
        iterations: Some(6),
        levels: Some(2),
        coarse_iterations: Some(4),
        coarsest_px: Some(16),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1,conv2_1").unwrap()),
        init,
        ..Recipe::default()
    };
    let (content, style) = (waves::waves(WIDTH, HEIGHT, 0.0, 100.0), waves::waves(30, 40, 2.0, 100.0));
    let guides = GuideImages { temporal, ..GuideImages::default() };
    let images = Images { content: &content, styles: &[style], start, guides };
    let engine = ReferenceEngine::new(Weights::embedded());
    paint(&recipe.resolve().unwrap(), &engine, images, None, &mut |_| Control::Continue)
}

/// The root mean square distance of two pictures over the rows that count.
fn apart(one: &Picture, other: &Picture, rows: std::ops::Range<usize>) -> f64 {
    let counts = |place: usize| rows.contains(&(place / WIDTH % HEIGHT));
    let of: Vec<f64> = (0..one.values.len())
        .filter(|&place| counts(place))
        .map(|place| f64::from(one.values[place] - other.values[place]).powi(2))
        .collect();
    (of.iter().sum::<f64>() / of.len() as f64).sqrt()
}

#[test]
fn a_picture_is_held_where_the_weights_say() {
    let before = waves::waves(WIDTH, HEIGHT, 1.3, 80.0);
    // The upper half.
    let weights: Vec<f32> = (0..WIDTH * HEIGHT).map(|place| if place / WIDTH < 16 { 1.0 } else { 0.0 }).collect();
    let free = painted(None, None).unwrap();
    let held = painted(Some(Temporal { picture: &before, weights: &weights, weight: 1e3 }), None).unwrap();
    assert_eq!(free.losses.as_ref().unwrap().temporal, 0.0);
    assert!(held.losses.as_ref().unwrap().temporal > 0.0);
    let (above, below) = (0..14, 20..HEIGHT);
    let upper = [&free, &held].map(|outcome| apart(&outcome.picture, &before, above.clone()));
    let lower = [&free, &held].map(|outcome| apart(&outcome.picture, &before, below.clone()));
    println!("to the picture that it is held to: above {upper:?}, below {lower:?}");
    assert!(upper[1] < 0.25 * upper[0], "{upper:?}");
    assert!(lower[1] > 0.6 * lower[0], "{lower:?}");
}

#[test]
fn what_is_held_to_its_start_stays() {
    let before = waves::waves(WIDTH, HEIGHT, 1.3, 80.0);
    let weights = vec![1.0; WIDTH * HEIGHT];
    let held = Temporal { picture: &before, weights: &weights, weight: 1e7 };
    let stays = painted(Some(held), Some(&before)).unwrap();
    let leaves = painted(Some(Temporal { weight: 0.0, ..held }), Some(&before)).unwrap();
    let (stays, leaves) = (apart(&stays.picture, &before, 0..HEIGHT), apart(&leaves.picture, &before, 0..HEIGHT));
    println!("{stays} {leaves}");
    assert!(stays < 1.5 && leaves > 8.0, "{stays} {leaves}");
}

#[test]
fn a_weight_of_nothing_changes_no_byte() {
    let before = waves::waves(WIDTH, HEIGHT, 1.3, 80.0);
    let weights = vec![0.0; WIDTH * HEIGHT];
    let held = painted(Some(Temporal { picture: &before, weights: &weights, weight: 1e3 }), None).unwrap();
    assert_eq!(held, painted(None, None).unwrap());
}

#[test]
fn weights_of_another_size_are_refused() {
    let before = waves::waves(WIDTH, HEIGHT, 1.3, 80.0);
    let error = painted(Some(Temporal { picture: &before, weights: &[1.0; 7], weight: 1.0 }), None).unwrap_err();
    assert!(matches!(error, PaintError::TemporalWeights), "{error}");
}
