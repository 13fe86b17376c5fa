//! Pictures whose sides join: nothing that is optimised knows where the seam is.

mod waves;

use impasto::checkpoint::{Checkpoint, Snapshot};
use impasto::objective::wrap::Wrap;
use impasto::objective::{Objective, request, style_moments};
use impasto::recipe::{
    Balance, OptimizerKind, Recipe, Region, Seamless, Size, Start, TotalVariationForm, parse_layers,
};
use impasto::run::RegionImages;
use impasto::{Control, GuideImages, Images, Keeping, Outcome, Picture, ResolvedRecipe, paint_kept, scales};
use impasto_vgg::reference::ReferenceEngine;
use impasto_vgg::{CpuEngine, CpuOptions, Engine, Session, Weights};

fn waves(width: usize, height: usize, phase: f64) -> Picture {
    waves::waves(width, height, phase, 100.0)
}

fn small(seamless: Seamless) -> Recipe {
    Recipe {
        iterations: Some(5),
        levels: Some(1),
        balance: Some(Balance::Plain),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1=0.5,conv2_1=2").unwrap()),
        seamless: Some(seamless),
        ..Recipe::default()
    }
}

fn engine(threads: usize) -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(threads), ..CpuOptions::default() }).unwrap()
}

/// The objective of a recipe after one painting, and the session of a picture of this size.
fn opened(recipe: &ResolvedRecipe, engine: &dyn Engine, width: usize, height: usize) -> (Objective, Box<dyn Session>) {
    let style = waves(30, 26, 2.0);
    let moments = style_moments(recipe, engine, &style.values, 30, 26, None).unwrap();
    let wrap = Wrap::of(recipe, width, height);
    let objective = Objective::new(recipe, &[(moments, 1.0)]).wrapped(wrap);
    let mut asked = request(recipe, width, height, None);
    if let Some(wrap) = &wrap {
        wrap.widen(&mut asked);
    }
    let mut session = engine.session(&asked).unwrap();
    if let Some(wrap) = &wrap {
        session.set_masks(&wrap.masks(&vec![1.0; width * height])).unwrap();
        if asked.guides.emphasis {
            session.set_emphasis(&wrap.emphasis(None)).unwrap();
            session.set_content(&wrap.mirrored(&waves(width, height, 0.0).values)).unwrap();
        }
    }
    (objective, session)
}

/// A picture `[3, height, width]` moved around by so many pixels.
fn moved_around(picture: &[f32], width: usize, height: usize, (x, y): (usize, usize)) -> Vec<f32> {
    let place = |place: usize| {
        let (plane, at) = (place / (width * height), place % (width * height));
        let (from_y, from_x) = ((at / width + y) % height, (at % width + x) % width);
        picture[(plane * height + from_y) * width + from_x]
    };
    (0..picture.len()).map(place).collect()
}

#[test]
fn moving_a_picture_around_changes_no_loss() {
    let engine = ReferenceEngine::new(Weights::embedded());
    let (width, height) = (12, 8);
    for form in [TotalVariationForm::Mean, TotalVariationForm::Sum] {
        let mut recipe = small(Seamless::Both);
        (recipe.content_weight, recipe.tv_form) = (Some(0.0), Some(form));
        let recipe = recipe.resolve().unwrap();
        let (mut objective, mut session) = opened(&recipe, &engine, width, height);
        let picture = waves(width, height, 1.0).values;
        let mut evaluate = |picture: &[f32]| {
            let mut gradient = vec![0.0; picture.len()];
            (objective.evaluate(session.as_mut(), picture, &mut gradient).unwrap(), gradient)
        };
        let (losses, gradient) = evaluate(&picture);
        assert!(losses.style > 0.0 && losses.total_variation > 0.0);
        // By whole positions of conv2_1, which lie two pixels apart.
        for by in [(2, 0), (0, 2), (6, 4), (10, 6)] {
            let (there, moved) = evaluate(&moved_around(&picture, width, height, by));
            assert!(
                (there.total - losses.total).abs() <= 1e-9 * losses.total,
                "{by:?}: {} {}",
                there.total,
                losses.total
            );
            let most = gradient.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
            let back = moved_around(&moved, width, height, (width - by.0, height - by.1));
            let worst = back.iter().zip(&gradient).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
            assert!(worst <= 1e-5 * most, "{by:?}: {worst} of {most}");
        }
    }
}

#[test]
fn the_gradient_is_the_derivative() {
    let engine = ReferenceEngine::new(Weights::embedded());
    let (width, height) = (12, 9);
    for (seamless, form) in [(Seamless::X, TotalVariationForm::Mean), (Seamless::Both, TotalVariationForm::NinePoint)] {
        let height = if seamless == Seamless::X { height } else { 8 };
        let recipe = Recipe { tv_form: Some(form), ..small(seamless) }.resolve().unwrap();
        let (mut objective, mut session) = opened(&recipe, &engine, width, height);
        let picture = waves(width, height, 1.0).values;
        let mut gradient = vec![0.0; picture.len()];
        let losses = objective.evaluate(session.as_mut(), &picture, &mut gradient).unwrap();
        assert!(losses.content > 0.0 && losses.style > 0.0);
        let direction: Vec<f32> = (0..picture.len()).map(|place| ((place * 29 % 17) as f32 - 8.0) / 8.0).collect();
        let mut at = |step: f32| {
            let moved: Vec<f32> = picture.iter().zip(&direction).map(|(value, along)| value + step * along).collect();
            objective.evaluate(session.as_mut(), &moved, &mut vec![0.0; moved.len()]).unwrap().total
        };
        let step = 1.0 / 256.0;
        let difference = (at(step) - at(-step)) / (2.0 * f64::from(step));
        let along: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
        assert!((difference - along).abs() < 1e-4 * difference.abs(), "{seamless:?}: {difference} {along}");
    }
}

fn painted(
    recipe: &ResolvedRecipe,
    threads: usize,
    limit: Option<u64>,
    from: Option<Checkpoint>,
) -> (Outcome, Vec<Vec<u8>>) {
    let (content, styles) = (waves(96, 64, 0.0), [waves(40, 30, 2.0)]);
    let plane: Vec<f32> = (0..96 * 64).map(|place| if place % 96 < 40 { 255.0 } else { 0.0 }).collect();
    let left = RegionImages { mask: Picture::new(96, 64, plane.repeat(3)).unwrap(), painting_mask: None };
    let regions = if recipe.regions.is_empty() { Vec::new() } else { vec![left] };
    let guides = GuideImages { regions: &regions, ..GuideImages::default() };
    let images = Images { content: &content, styles: &styles, start: None, guides };
    let mut kept = Vec::new();
    let mut keep = |snapshot: &Snapshot<'_>| {
        let mut bytes = Vec::new();
        snapshot.write(&mut bytes).unwrap();
        kept.push(bytes);
    };
    let keeping = Keeping { from, keep: &mut keep };
    let outcome = paint_kept(recipe, &engine(threads), images, limit, keeping, &mut |_| Control::Continue).unwrap();
    (outcome, kept)
}

/// The mean difference of pixels across the sides, as a multiple of that of neighbours within the picture: left to right, and top
/// to bottom.
fn seams(picture: &Picture) -> [f64; 2] {
    let (width, height) = (picture.width, picture.height);
    let difference = |(one, other): (usize, usize)| f64::from((picture.values[one] - picture.values[other]).abs());
    let mean = |pairs: Vec<(usize, usize)>| pairs.iter().copied().map(difference).sum::<f64>() / pairs.len() as f64;
    let rows = || (0..3 * height).map(|row| row * width);
    let across = rows().map(|row| (row, row + width - 1)).collect();
    let within = rows().flat_map(|row| (row..row + width - 1).map(|place| (place, place + 1))).collect();
    let planes = || (0..3).map(|plane| plane * height * width);
    let over = planes().flat_map(|plane| (plane..plane + width).map(move |x| (x, x + (height - 1) * width))).collect();
    let upright = planes()
        .flat_map(|plane| (plane..plane + (height - 1) * width).map(move |place| (place, place + width)))
        .collect();
    [mean(across) / mean(within), mean(over) / mean(upright)]
}

#[test]
fn sides_that_join_differ_no_more_than_neighbours() {
    for (seamless, joins) in [
        (Seamless::None, [false; 2]),
        (Seamless::X, [true, false]),
        (Seamless::Y, [false, true]),
        (Seamless::Both, [true; 2]),
    ] {
        let recipe = Recipe {
            size: Some(Size::LongEdge(48)),
            iterations: Some(60),
            coarse_iterations: Some(40),
            levels: Some(2),
            coarsest_px: Some(16),
            init: Some(Start::Noise),
            content_weight: Some(0.0),
            style_layers: Some(parse_layers("", "conv1_1,conv2_1,conv3_1").unwrap()),
            ..small(seamless)
        };
        let found = seams(&painted(&recipe.resolve().unwrap(), 2, None, None).0.picture);
        for (found, joins) in found.into_iter().zip(joins) {
            assert!(if joins { found < 1.3 } else { found > 1.6 }, "{seamless:?}: {found}");
        }
    }
}

#[test]
fn same_bytes_for_any_threads_and_bands_and_from_any_checkpoint() {
    for (optimizer, match_weight) in
        [(OptimizerKind::Lbfgs, 0.0), (OptimizerKind::Adam, 0.0), (OptimizerKind::Lbfgs, 1.0)]
    {
        let mut recipe = Recipe {
            size: Some(Size::LongEdge(48)),
            levels: Some(2),
            coarsest_px: Some(16),
            coarse_iterations: Some(4),
            optimizer: Some(optimizer),
            match_weight: Some(match_weight),
            match_layers: Some(parse_layers("", "conv2_1").unwrap()),
            match_every: Some(2),
            ..small(Seamless::Both)
        };
        recipe.regions = Some(vec![Region { name: "left".into(), mask: Some("left.png".into()), ..Region::default() }]);
        let recipe = recipe.resolve().unwrap();
        let (whole, kept) = painted(&recipe, 2, None, None);
        assert_eq!((whole.picture.width, whole.picture.height, kept.len()), (48, 32, 9));
        let wrap = Wrap::of(&recipe, 48, 32).unwrap();
        let mut asked = request(&recipe, 48, 32, None);
        wrap.widen(&mut asked);
        let least = (1_u64..200).map(|step| step << 17).find(|&limit| {
            let asked = impasto_vgg::SessionRequest { memory_limit_bytes: Some(limit), ..asked.clone() };
            engine(1).session_bytes(&asked).is_ok()
        });
        // What is matched, and looked at in the painting, takes its own.
        let limit = if match_weight > 0.0 { None } else { least };
        assert_eq!(painted(&recipe, 1, limit, None).0, whole);
        for bytes in &kept {
            let checkpoint = Checkpoint::decode(bytes, std::path::Path::new("checkpoint")).unwrap();
            assert_eq!(painted(&recipe, 1, None, Some(checkpoint)).0, whole);
        }
    }
}

#[test]
fn sides_that_join_are_whole_positions_of_the_deepest_layer() {
    let recipe = Recipe { size: Some(Size::LongEdge(500)), seamless: Some(Seamless::X), ..Recipe::default() };
    let recipe = recipe.resolve().unwrap();
    let sizes: Vec<_> = scales(&recipe, 1000, 606).iter().map(|scale| (scale.width, scale.height)).collect();
    assert_eq!(sizes, [(256, 152), (496, 303)]);
    let exact = |width, height| {
        let size = Size::Exact { width, height };
        Recipe { size: Some(size), seamless: Some(Seamless::Both), ..Recipe::default() }.resolve()
    };
    assert!(exact(512, 304).is_ok());
    let refused = exact(512, 300).unwrap_err().to_string();
    assert!(refused.contains("512x300") && refused.contains("512x304"), "{refused}");
}
