//! Starts: what they are made of, and that a seed is all that noise depends on.

use impasto::Picture;
use impasto::recipe::{BlendForm, Recipe, Start};
use impasto::start::{StartImages, carried_up, start_picture};
use impasto_vgg::MEAN_RGB;

fn start(recipe: Recipe, content: &Picture) -> Picture {
    let images = StartImages { content, style: None, file: None };
    start_picture(&recipe.resolve().unwrap(), images).unwrap().unwrap()
}

fn grey(width: usize, height: usize, value: f32) -> Picture {
    Picture::filled(width, height, [value; 3]).unwrap()
}

/// Mean and standard deviation of a channel.
fn statistics(plane: &[f32]) -> (f64, f64) {
    let count = plane.len() as f64;
    let mean = plane.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let variance = plane.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[test]
fn white_noise_has_the_mean_colour_and_the_deviation_asked_for() {
    let content = grey(200, 150, 9.0);
    for deviation in [0.001, 60.0] {
        let noise = Recipe { init: Some(Start::Noise), noise_deviation: Some(deviation), ..Recipe::default() };
        let noise = start(noise, &content);
        for (channel, mean) in MEAN_RGB.into_iter().enumerate() {
            let (found, spread) = statistics(noise.plane(channel));
            // Five standard errors of 30,000 draws; f32 holds values near 120 to 8e-6.
            assert!((found - f64::from(mean)).abs() < 5.0 * deviation / 173.0 + 1e-5, "{found} {mean}");
            assert!((spread / deviation - 1.0).abs() < 5.0 / 245.0, "{spread} {deviation}");
        }
    }
}

#[test]
fn a_blend_mixes_as_it_says() {
    let content = grey(200, 150, 200.0);
    let blend = |ratio, form| {
        let recipe =
            Recipe { init: Some(Start::Blend), noise_ratio: Some(ratio), blend_form: Some(form), ..Recipe::default() };
        start(recipe, &content)
    };
    for (channel, mean) in MEAN_RGB.into_iter().enumerate() {
        let mean = f64::from(mean);
        let cases = [
            (BlendForm::Centred, mean + 0.4 * (200.0 - mean)),
            // The port's own picture: 0.6 noise + 0.4 content, to which the mean is added when it is written.
            (BlendForm::Brightened, mean + 0.4 * 200.0),
        ];
        for (form, expected) in cases {
            let picture = blend(0.6, form);
            let (found, spread) = statistics(picture.plane(channel));
            assert!((found - expected).abs() < 0.3, "{form:?}: {found} {expected}");
            // A uniform distribution from -12 to 12.
            assert!((spread - 24.0 / 12.0_f64.sqrt()).abs() < 0.1, "{form:?}: {spread}");
            let furthest = picture.plane(channel).iter().map(|&value| (f64::from(value) - expected).abs());
            assert!((11.9..=12.001).contains(&furthest.fold(0.0, f64::max)), "{form:?}");
        }
    }
    assert_eq!(blend(0.0, BlendForm::Centred), content);
}

#[test]
fn a_seed_is_all_that_noise_depends_on() {
    let noise =
        |seed, init| start(Recipe { init: Some(init), seed: Some(seed), ..Recipe::default() }, &grey(16, 16, 100.0));
    for init in [Start::Noise, Start::Blend] {
        assert_eq!(noise(7, init.clone()), noise(7, init.clone()));
        let others = [0, 8, 7 + (1 << 32), u64::MAX];
        assert!(others.iter().all(|&seed| noise(seed, init.clone()) != noise(7, init.clone())));
    }
}

#[test]
fn an_image_that_is_missing_is_no_start() {
    let content = grey(4, 4, 1.0);
    for init in [Start::Style, Start::File("a.png".into())] {
        let recipe = Recipe { init: Some(init), ..Recipe::default() }.resolve().unwrap();
        let images = StartImages { content: &content, style: None, file: None };
        assert_eq!(start_picture(&recipe, images), Ok(None));
    }
    let style = grey(9, 30, 5.0);
    let recipe = Recipe { init: Some(Start::Style), ..Recipe::default() }.resolve().unwrap();
    let images = StartImages { content: &content, style: Some(&style), file: None };
    let picture = start_picture(&recipe, images).unwrap().unwrap();
    assert_eq!((picture.width, picture.height), (4, 4));
    assert!(picture.values.iter().all(|value| (value - 5.0).abs() < 1e-3));
}

#[test]
fn a_coarse_picture_is_carried_up_with_the_fine_structure_of_the_content() {
    let (width, height) = (31, 22);
    let mut content = grey(width, height, 0.0);
    for (place, value) in content.values.iter_mut().enumerate() {
        *value = ((place * 73) % 211) as f32;
    }
    let coarse = content.resized(16, 11).unwrap();
    let recipe = |init| Recipe { init: Some(init), ..Recipe::default() }.resolve().unwrap();
    let far = |a: &Picture, b: &Picture| -> f32 {
        a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    // Nothing painted yet: it is the start of the finer scale.
    let unpainted = carried_up(&recipe(Start::Content), &coarse, &content).unwrap();
    assert!(far(&unpainted, &content) < 1e-3, "{}", far(&unpainted, &content));
    // What was painted is added to it.
    let mut painted = coarse.clone();
    painted.values.iter_mut().for_each(|value| *value += 20.0);
    let carried = carried_up(&recipe(Start::Content), &painted, &content).unwrap();
    for (carried, content) in carried.values.iter().zip(&content.values) {
        assert!((carried - content - 20.0).abs() < 1e-2, "{carried} {content}");
    }
    // A run that does not start from the content has no claim to its structure.
    let enlarged = coarse.resized(width, height).unwrap();
    assert_eq!(carried_up(&recipe(Start::Noise), &coarse, &content).unwrap(), enlarged);
}
