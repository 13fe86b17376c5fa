//! Colours of pictures: matched by mean and covariance in Oklab, and what a run does with them.

mod waves;

use impasto::picture::colour::{ColourMap, ColourStatistics};
use impasto::read::{ReadLimits, read_picture};
use impasto::recipe::{Colours, Recipe, RecipeError, Size, Start, StyleFit, parse_layers};
use impasto::{Control, Event, GuideImages, Images, Picture, paint};
use impasto_vgg::Weights;
use impasto_vgg::reference::ReferenceEngine;

/// Oklab of a pixel in f64, written anew from Ottosson's page; values beyond 0..255 are taken as they are.
fn oklab(srgb: [f64; 3]) -> [f64; 3] {
    let light = srgb.map(|value| {
        let size = value.abs() / 255.0;
        value.signum() * if size > 0.04045 { ((size + 0.055) / 1.055).powf(2.4) } else { size / 12.92 }
    });
    let [r, g, b] = light;
    let l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b).cbrt();
    let m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b).cbrt();
    let s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b).cbrt();
    [
        0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
    ]
}

/// Mean and covariance, in two passes, of values that are not brought into 0..255 before.
fn statistics(picture: &Picture) -> ([f64; 3], [[f64; 3]; 3]) {
    let positions = picture.width * picture.height;
    let at = |position: usize| oklab([0, 1, 2].map(|channel| f64::from(picture.plane(channel)[position])));
    let mut mean = [0.0; 3];
    for position in 0..positions {
        at(position).iter().zip(&mut mean).for_each(|(value, mean)| *mean += value / positions as f64);
    }
    let mut covariance = [[0.0; 3]; 3];
    for position in 0..positions {
        let colour = at(position);
        for row in 0..3 {
            for column in 0..3 {
                covariance[row][column] +=
                    (colour[row] - mean[row]) * (colour[column] - mean[column]) / positions as f64;
            }
        }
    }
    (mean, covariance)
}

fn matched(picture: &Picture, photo: &Picture) -> Picture {
    ColourMap::between(&ColourStatistics::of(picture), &ColourStatistics::of(photo)).apply(picture.clone())
}

/// Noise around a colour, with channels that go together, from a generator of a line.
fn noise(width: usize, height: usize, seed: u64, colour: [f32; 3], spread: [f32; 3]) -> Picture {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut picture = Picture::filled(width, height, colour).unwrap();
    let positions = width * height;
    for position in 0..positions {
        let together = next();
        for (channel, spread) in spread.iter().enumerate() {
            let value = &mut picture.values[channel * positions + position];
            *value = (*value + spread * (0.7 * together + 0.3 * next())).clamp(0.0, 255.0);
        }
    }
    picture
}

fn asset(name: &str) -> Option<Picture> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets").join(name);
    let picture = path.exists().then(|| read_picture(&path, &ReadLimits::default()).unwrap().picture)?;
    Some(picture.resized_to_long_edge(160).unwrap())
}

fn pictures() -> Vec<Picture> {
    let mut pictures = vec![
        waves::waves(48, 36, 0.0, 100.0),
        noise(40, 30, 1, [120.0, 90.0, 60.0], [90.0, 70.0, 50.0]),
        noise(31, 17, 2, [40.0, 60.0, 160.0], [30.0, 60.0, 90.0]),
        noise(20, 20, 3, [200.0, 210.0, 190.0], [50.0, 40.0, 60.0]),
    ];
    pictures.extend(
        ["astronaut.png", "chelsea.png", "coffee.png", "whirls.jpg", "glass.jpg"].into_iter().filter_map(asset),
    );
    pictures
}

#[test]
fn matched_colours_have_the_photos_mean_and_covariance() {
    let pictures = pictures();
    for (number, picture) in pictures.iter().enumerate() {
        for (other, photo) in pictures.iter().enumerate() {
            let (mean, covariance) = statistics(&matched(picture, photo));
            let (wanted_mean, wanted) = statistics(photo);
            let norm = wanted.iter().flatten().map(|value| value * value).sum::<f64>().sqrt();
            let pairs = covariance.iter().flatten().zip(wanted.iter().flatten());
            let apart = pairs.map(|(found, wanted)| (found - wanted).powi(2)).sum::<f64>().sqrt();
            assert!(apart < 1e-3 * norm, "{number} to {other}: {apart} of {norm}");
            for (found, wanted) in mean.iter().zip(wanted_mean) {
                assert!((found - wanted).abs() < 1e-5, "{number} to {other}: {mean:?} {wanted_mean:?}");
            }
        }
    }
}

/// The map of two small pictures, from NumPy's eigenvalues in f64 (`docs/records/2026-11-28-colour.md` has the script).
#[test]
fn the_map_is_the_formulas() {
    let values = |factor: usize, step: usize| (0..36).map(|place| ((place * factor + step) % 256) as f32).collect();
    let painted = Picture::new(4, 3, values(37, 11)).unwrap();
    let photo = Picture::new(4, 3, values(91, 50)).unwrap();
    let map = ColourMap::between(&ColourStatistics::of(&painted), &ColourStatistics::of(&photo));
    let expected = [
        [1.0895896060048609, 0.324437534337609, 0.102389949478326],
        [0.324437534337609, 1.5667545901843114, 0.1760890518657664],
        [0.102389949478326, 0.1760890518657664, 0.7820583300558799],
    ];
    for (found, expected) in map.matrix.iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() < 1e-9, "{:?}", map.matrix);
    }
}

#[test]
fn a_picture_in_its_own_colours_stays() {
    for picture in pictures() {
        let same = matched(&picture, &picture);
        let worst =
            picture.values.iter().zip(&same.values).map(|(value, same)| (value - same).abs()).fold(0.0, f32::max);
        assert!(worst < 0.01, "{worst}");
    }
}

#[test]
fn grey_photos_and_pictures_of_one_colour_give_numbers() {
    let grey = {
        let mut grey = noise(40, 30, 4, [120.0; 3], [100.0; 3]);
        let first = grey.plane(0).to_vec();
        grey.values.chunks_exact_mut(first.len()).for_each(|plane| plane.copy_from_slice(&first));
        grey
    };
    let flat = |colour| Picture::filled(9, 7, colour).unwrap();
    let colourful = noise(40, 30, 1, [120.0, 90.0, 60.0], [90.0, 70.0, 50.0]);
    let odd = [grey.clone(), flat([0.0; 3]), flat([255.0; 3]), flat([200.0, 10.0, 30.0]), flat([127.5; 3])];
    let far = Picture::new(2, 1, vec![-4e9, 300.0, f32::NAN, 12.0, f32::INFINITY, f32::NEG_INFINITY]).unwrap();
    let all: Vec<&Picture> = odd.iter().chain([&colourful, &far]).collect();
    for picture in &all {
        for photo in &all {
            let result = matched(picture, photo);
            assert!(result.values.iter().all(|value| value.is_finite()), "{:?}", &result.values[..3]);
        }
    }
    // After a grey photo colours are gone, but for what the ridge keeps of them.
    let result = matched(&colourful, &grey);
    let apart =
        |channel: usize| result.plane(channel).iter().zip(result.plane(1)).map(|(it, green)| (it - green).abs());
    let most = apart(0).chain(apart(2)).fold(0.0, f32::max);
    assert!(most < 2.0, "{most}");
    // A picture of one colour has the photo's mean colour then.
    let (mean, _) = statistics(&matched(&flat([200.0, 10.0, 30.0]), &colourful));
    assert!(mean.iter().zip(statistics(&colourful).0).all(|(found, wanted)| (found - wanted).abs() < 1e-5));
}

#[test]
fn same_bytes_for_any_number_of_threads() {
    let (picture, photo) = (noise(211, 97, 5, [90.0; 3], [80.0; 3]), noise(50, 60, 6, [150.0, 100.0, 80.0], [60.0; 3]));
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        // The sums themselves too, whose last bits do not show in pixels.
        pool.install(|| (ColourStatistics::of(&picture), matched(&picture, &photo)))
    };
    let alone = with_threads(1);
    for threads in [2, 3, 8] {
        assert_eq!(with_threads(threads), alone, "{threads} threads");
    }
}

/// Shallow layers and few evaluations, in f64; the photo and the painting have the picture's size, so that nothing is resized.
fn small(colours: Option<Colours>) -> Recipe {
    Recipe {
        size: Some(Size::LongEdge(24)),
        iterations: Some(4),
        levels: Some(1),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1,conv2_1").unwrap()),
        style_fit: Some(StyleFit::Crop),
        colours,
        ..Recipe::default()
    }
}

/// The picture as shown at the last evaluation, and the final one.
fn run(recipe: Recipe, photo: &Picture, paintings: &[Picture]) -> (Picture, Picture) {
    let images = Images { content: photo, styles: paintings, start: None, guides: GuideImages::default() };
    let mut shown = None;
    let engine = ReferenceEngine::new(Weights::embedded());
    let outcome = paint(&recipe.resolve().unwrap(), &engine, images, None, &mut |event| {
        if let Event::Iteration(iteration) = event {
            shown = Some(iteration.picture());
        }
        Control::Continue
    });
    (shown.unwrap(), outcome.unwrap().picture)
}

fn photo() -> Picture {
    noise(24, 18, 7, [110.0, 140.0, 170.0], [60.0, 50.0, 40.0])
}

fn paintings() -> [Picture; 2] {
    [
        noise(24, 18, 8, [170.0, 110.0, 50.0], [70.0, 60.0, 40.0]),
        noise(24, 18, 9, [60.0, 120.0, 90.0], [40.0, 70.0, 30.0]),
    ]
}

#[test]
fn pictures_on_the_way_have_the_final_ones_colours() {
    for colours in [Colours::Painting, Colours::Photo, Colours::Match, Colours::PhotoBefore] {
        let (shown, picture) = run(small(Some(colours)), &photo(), &paintings());
        assert_eq!(shown, picture, "{colours:?}");
    }
}

#[test]
fn a_matched_run_is_the_painted_one_in_the_photos_colours() {
    let (_, painted) = run(small(None), &photo(), &paintings());
    assert_eq!(run(small(Some(Colours::Painting)), &photo(), &paintings()).1, painted);
    assert_eq!(run(small(Some(Colours::Match)), &photo(), &paintings()).1, matched(&painted, &photo()));
    let original = Recipe { original_colors: Some(true), ..small(None) };
    assert_eq!(run(small(Some(Colours::Photo)), &photo(), &paintings()), run(original, &photo(), &paintings()));
}

#[test]
fn photo_before_paints_with_paintings_that_were_recoloured() {
    let recoloured = paintings().map(|painting| {
        let mut matched = matched(&painting, &photo());
        matched.values.iter_mut().for_each(|value| *value = value.clamp(0.0, 255.0));
        matched
    });
    for init in [Start::Content, Start::Style] {
        let of = |colours| Recipe { init: Some(init.clone()), style_blend: Some(vec![2.0, 1.0]), ..small(colours) };
        let (_, before) = run(of(Some(Colours::PhotoBefore)), &photo(), &paintings());
        assert_eq!(before, run(of(None), &photo(), &recoloured).1, "{init:?}");
        assert_ne!(before, run(of(None), &photo(), &paintings()).1, "{init:?}");
    }
}

#[test]
fn two_names_of_one_choice_have_to_agree() {
    let resolved = |colours, original_colors| Recipe { colours, original_colors, ..Recipe::default() }.resolve();
    let colours =
        |colours, original| resolved(colours, original).map(|recipe| (recipe.colours, recipe.original_colors));
    use Colours::{Match, Painting, Photo, PhotoBefore};
    assert_eq!(colours(None, None), Ok((Painting, false)));
    assert_eq!(colours(None, Some(true)), Ok((Photo, true)));
    assert_eq!(colours(Some(Photo), None), Ok((Photo, true)));
    assert_eq!(colours(Some(Photo), Some(true)), Ok((Photo, true)));
    for other in [Painting, Match, PhotoBefore] {
        assert_eq!(colours(Some(other), None), Ok((other, false)));
        assert_eq!(colours(Some(other), Some(false)), Ok((other, false)));
        let error = RecipeError::ColoursTwice { original: true, colours: other.name() };
        assert_eq!(colours(Some(other), Some(true)), Err(error));
    }
    let error = colours(Some(Photo), Some(false)).unwrap_err().to_string();
    assert!(error.contains("--original-colors=false") && error.contains("--colours photo"), "{error}");
    // What is typed over a picture's recipe, which has both, counts alone.
    let carried = Recipe::from_json(&resolved(Some(Match), None).unwrap().to_json()).unwrap();
    let varied = |colours, original_colors| {
        carried.varied_by(&Recipe { colours, original_colors, ..Recipe::default() }).resolve().unwrap().colours
    };
    assert_eq!(varied(None, None), Match);
    assert_eq!(varied(None, Some(true)), Photo);
    assert_eq!(varied(None, Some(false)), Painting);
    assert_eq!(varied(Some(PhotoBefore), None), PhotoBefore);
}
