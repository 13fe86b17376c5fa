//! Several paintings: each with a share, a scale and a mask of its own; and what is matched within regions.

mod waves;

use impasto::checkpoint::Snapshot;
use impasto::recipe::{Balance, Recipe, RecipeError, Region, Size, StyleFit, StyleScale, parse_layers};
use impasto::run::{RegionImages, is_held_to_its_pixels, style_at};
use impasto::{
    Control, GuideImages, Images, Keeping, Outcome, PaintError, Picture, ResolvedRecipe, Scale, paint, paint_kept,
};
use impasto_vgg::{CpuEngine, CpuOptions, Weights};

const WIDTH: usize = 48;
const HEIGHT: usize = 32;

fn small() -> Recipe {
    Recipe {
        size: Some(Size::Exact { width: WIDTH as u32, height: HEIGHT as u32 }),
        iterations: Some(6),
        levels: Some(1),
        balance: Some(Balance::Plain),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1=0.5,conv2_1=2").unwrap()),
        ..Recipe::default()
    }
}

/// Stripes of two colours, one on each half.
fn halves(left: [f32; 3], right: [f32; 3]) -> Picture {
    let mut picture = Picture::filled(64, 64, [0.0; 3]).unwrap();
    for (place, value) in picture.values.iter_mut().enumerate() {
        let (channel, y, x) = (place / (64 * 64), place / 64 % 64, place % 64);
        let colour = if x < 32 { left } else { right }[channel];
        *value = colour * (0.6 + 0.4 * ((x + y) as f32 * 0.5).sin());
    }
    picture
}

/// White on the left.
fn left_mask() -> Picture {
    let plane: Vec<f32> = (0..64 * 64).map(|place| if place % 64 < 32 { 255.0 } else { 0.0 }).collect();
    Picture::new(64, 64, plane.repeat(3)).unwrap()
}

fn engine() -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(2), ..CpuOptions::default() }).unwrap()
}

fn painted(recipe: &ResolvedRecipe, styles: &[Picture], guides: GuideImages<'_>) -> Result<Outcome, PaintError> {
    let content = waves::waves(96, 64, 0.0, 100.0);
    let images = Images { content: &content, styles, start: None, guides };
    paint(recipe, &engine(), images, None, &mut |_| Control::Continue)
}

const RED: [f32; 3] = [230.0, 40.0, 30.0];
const BLUE: [f32; 3] = [30.0, 40.0, 230.0];

/// How much more red than blue there is in the columns of a picture, in the mean.
fn redness(picture: &Picture, columns: std::ops::Range<usize>) -> f64 {
    let mean = |channel| {
        let rows = picture.plane(channel).chunks_exact(picture.width);
        rows.flat_map(|row| row[columns.clone()].iter()).map(|&value| f64::from(value)).sum::<f64>()
            / (picture.height * columns.len()) as f64
    };
    mean(0) - mean(2)
}

#[test]
fn a_painting_s_own_mask_takes_a_part_of_it() {
    let styles = [halves(RED, BLUE)];
    let masks = [Some(left_mask())];
    let recipe = Recipe { style_masks: Some(vec![Some("left.png".into())]), ..small() }.resolve().unwrap();
    let guides = GuideImages { styles: &masks, ..GuideImages::default() };
    let masked = painted(&recipe, &styles, guides).unwrap();
    // As a region that is everywhere, and has the mask for its painting.
    let everywhere = Region {
        name: "all".into(),
        mask: Some("a".into()),
        painting_mask: Some("left.png".into()),
        ..Region::default()
    };
    let all = [RegionImages { mask: Picture::filled(5, 5, [255.0; 3]).unwrap(), painting_mask: masks[0].clone() }];
    let recipe = Recipe { regions: Some(vec![everywhere]), ..small() }.resolve().unwrap();
    let region = painted(&recipe, &styles, GuideImages { regions: &all, ..GuideImages::default() }).unwrap();
    assert_eq!(masked.picture, region.picture);
    let whole = painted(&small().resolve().unwrap(), &styles, GuideImages::default()).unwrap();
    let [masked, whole] = [masked, whole].map(|outcome| redness(&outcome.picture, 0..WIDTH));
    assert!(masked > whole + 10.0, "{masked} {whole}");
}

#[test]
fn a_mask_of_a_painting_that_cannot_be_is_said_before_work() {
    let recipe = Recipe { style_masks: Some(vec![Some("m.png".into())]), ..small() };
    let resolved = recipe.resolve().unwrap();
    let styles = [halves(RED, BLUE)];
    let black = [Some(Picture::filled(9, 9, [0.0; 3]).unwrap())];
    let refused = |masks: &[Option<Picture>]| {
        painted(&resolved, &styles, GuideImages { styles: masks, ..GuideImages::default() }).unwrap_err().to_string()
    };
    assert!(refused(&black).contains("--style-masks") && refused(&black).contains("painting 1"));
    assert!(refused(&[]).contains("give one for each") && refused(&[None]).contains("give one for each"));
    let two = [styles[0].clone(), styles[0].clone()];
    let white = [Some(left_mask())];
    let counted = painted(&resolved, &two, GuideImages { styles: &white, ..GuideImages::default() }).unwrap_err();
    assert!(matches!(counted, PaintError::Recipe(RecipeError::EachStyle { given: 1, styles: 2, .. })), "{counted}");
}

#[test]
fn each_painting_has_its_own_scale() {
    let styles = [halves(RED, BLUE), halves(BLUE, RED)];
    let run = |scale| {
        let recipe = Recipe { style_scale: Some(scale), ..small() }.resolve().unwrap();
        painted(&recipe, &styles, GuideImages::default())
    };
    let all = run(StyleScale::All(0.5)).unwrap();
    assert_eq!(run(StyleScale::Each(vec![0.5, 0.5])).unwrap(), all);
    for other in [vec![1.0, 0.5], vec![0.5, 1.0]] {
        assert_ne!(run(StyleScale::Each(other)).unwrap().picture, all.picture);
    }
    let refused = run(StyleScale::Each(vec![1.0, 0.5, 2.0])).unwrap_err().to_string();
    assert!(refused.contains("--style-scale has 3 scales for 2 style images"), "{refused}");
    for text in [r#"{"style_scale": 1}"#, r#"{"style_scale": [1, 0.5]}"#] {
        let resolved = Recipe::from_json(text).unwrap().resolve().unwrap();
        assert_eq!(Recipe::from_json(&resolved.to_json()).unwrap().resolve().unwrap(), resolved, "{text}");
    }
    assert!(Recipe::from_json(r#"{"style_scale": [1, 0]}"#).unwrap().resolve().is_err());
}

#[test]
fn a_small_painting_is_not_enlarged_unless_that_is_asked_for() {
    let small_painting = Picture::filled(100, 50, [9.0; 3]).unwrap();
    let scale = |width, height| Scale { width, height, evaluations: 1 };
    let recipe = |upscale| Recipe { upscale_style: Some(upscale), ..Recipe::default() }.resolve().unwrap();
    let size = |recipe: &ResolvedRecipe, scale| {
        let style = style_at(recipe, 0, &small_painting, scale).unwrap();
        (style.width, style.height, is_held_to_its_pixels(recipe, 0, &scale, (100, 50)))
    };
    assert_eq!(size(&recipe(true), scale(200, 150)), (200, 100, false));
    assert_eq!(size(&recipe(false), scale(200, 150)), (100, 50, true));
    assert_eq!(size(&recipe(false), scale(80, 60)), (80, 40, false));
    let cropped = |upscale| ResolvedRecipe { style_fit: StyleFit::Crop, ..recipe(upscale) };
    assert_eq!(size(&cropped(true), scale(200, 150)), (200, 150, false));
    // Three times as high as it is: a third of what was asked for.
    assert_eq!(size(&cropped(false), scale(200, 150)), (67, 50, true));
    // Recipes from before there was the choice enlarged.
    assert!(Recipe::from_json(r#"{"format": 4}"#).unwrap().resolve().unwrap().upscale_style);
}

#[test]
fn a_match_stays_in_its_region() {
    let region = |name: &str, painting| Region {
        name: name.into(),
        mask: Some(name.into()),
        painting: Some(painting),
        ..Region::default()
    };
    let recipe = Recipe {
        match_weight: Some(1.0),
        match_layers: Some(parse_layers("", "conv1_1,conv2_1").unwrap()),
        match_every: Some(2),
        ..small()
    };
    let right = Picture::new(64, 64, left_mask().values.iter().map(|value| 255.0 - value).collect()).unwrap();
    let masks = [left_mask(), right];
    // Two paintings; and one of which each region has a half.
    let (two, one) = (vec![halves(RED, RED), halves(BLUE, BLUE)], vec![halves(BLUE, RED)]);
    let of_part = |name: &str| Region { painting_mask: Some(name.into()), ..region(name, 1) };
    for (styles, regions) in [(two, [region("l", 1), region("r", 2)]), (one, [of_part("l"), of_part("r")])] {
        let of_painting = |mask: &Picture| (styles.len() == 1).then(|| mask.clone());
        let images = masks.clone().map(|mask| RegionImages { painting_mask: of_painting(&mask), mask });
        let recipe = Recipe { regions: Some(regions.to_vec()), ..recipe.clone() }.resolve().unwrap();
        let guides = GuideImages { regions: &images, ..GuideImages::default() };
        let mut looked_at = 0;
        let mut keep = |snapshot: &Snapshot<'_>| {
            for (matches, stride) in snapshot.matches.iter().zip([1, 2]) {
                // The painting has 48 x 48 pixels here, all of which are in the bank, or a half of them.
                let entries = (48 / stride) * (48 / stride) / if styles.len() == 1 { 2 } else { 1 };
                for (place, &index) in matches.indices.iter().enumerate() {
                    let is_left = place % (WIDTH / stride) < WIDTH / stride / 2;
                    assert_eq!((index as usize) < entries, is_left, "{} at {place}: {index}", matches.layer);
                    looked_at += 1;
                }
            }
        };
        let content = waves::waves(96, 64, 0.0, 100.0);
        let images = Images { content: &content, styles: &styles, start: None, guides };
        let keeping = Keeping { from: None, keep: &mut keep };
        paint_kept(&recipe, &engine(), images, None, keeping, &mut |_| Control::Continue).unwrap();
        assert_eq!(looked_at, 6 * WIDTH * HEIGHT * 5 / 4);
    }
}
