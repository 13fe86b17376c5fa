//! Regions: parts of a picture that are painted after paintings of their own, a rest that stays the photo, an emphasis.

mod waves;

use impasto::checkpoint::Checkpoint;
use impasto::objective::{Objective, RegionStyle, request, style_moments};
use impasto::picture::alpha::Alpha;
use impasto::recipe::{Balance, Colours, OptimizerKind, Recipe, RecipeError, Region, Rest, Size, parse_layers};
use impasto::run::RegionImages;
use impasto::{Control, GuideImages, Images, Keeping, Outcome, PaintError, Picture, ResolvedRecipe, paint, paint_kept};
use impasto_vgg::reference::ReferenceEngine;
use impasto_vgg::{CpuEngine, CpuOptions, Engine, Weights};

const WIDTH: usize = 40;
const HEIGHT: usize = 34;

fn waves(width: usize, height: usize, phase: f64) -> Picture {
    waves::waves(width, height, phase, 100.0)
}

fn region(name: &str, painting: u32) -> Region {
    Region { name: name.into(), mask: Some(format!("{name}.png")), painting: Some(painting), ..Region::default() }
}

fn small() -> Recipe {
    Recipe {
        size: Some(Size::Exact { width: WIDTH as u32, height: HEIGHT as u32 }),
        iterations: Some(5),
        levels: Some(1),
        balance: Some(Balance::Plain),
        content_layers: Some(parse_layers("", "conv2_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1=0.5,conv2_1=2").unwrap()),
        ..Recipe::default()
    }
}

fn engine(threads: usize) -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(threads), ..CpuOptions::default() }).unwrap()
}

/// A mask of this size by a function of the place, 0..1.
fn mask(width: usize, height: usize, value: impl Fn(usize, usize) -> f64) -> Picture {
    let plane: Vec<f32> =
        (0..width * height).map(|place| (255.0 * value(place % width, place / width)) as f32).collect();
    Picture::new(width, height, plane.repeat(3)).unwrap()
}

fn over(mask: Picture) -> RegionImages {
    RegionImages { mask, painting_mask: None }
}

/// Left and right, with a slope between them that both share.
fn halves() -> Vec<RegionImages> {
    let left = |x: usize| (1.3 - x as f64 / 20.0).clamp(0.0, 1.0);
    vec![
        over(mask(WIDTH, HEIGHT, |x, _| left(x))),
        over(mask(2 * WIDTH, 2 * HEIGHT, |x, y| if y < 60 { 1.0 - left(x / 2) } else { 0.0 })),
    ]
}

fn painted(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    regions: &[RegionImages],
    limit: Option<u64>,
) -> Result<Outcome, PaintError> {
    let (content, styles) = (waves(80, 68, 0.0), [waves(40, 30, 2.0), waves(30, 44, 4.0)]);
    let images = Images {
        content: &content,
        styles: &styles,
        start: None,
        guides: GuideImages { regions, ..GuideImages::default() },
    };
    paint(recipe, engine, images, limit, &mut |_| Control::Continue)
}

#[test]
fn the_gradient_of_regions_is_the_derivative() {
    let mut recipe = small();
    recipe.regions = Some(vec![region("a", 1), region("b", 2)]);
    recipe.rest = Some(Rest::Photo);
    let recipe = recipe.resolve().unwrap();
    let engine = ReferenceEngine::new(Weights::embedded());
    let moments = |phase| {
        let style = waves(30, 26, phase);
        style_moments(&recipe, &engine, &style.values, 30, 26, None).unwrap()
    };
    let style = |phase, share, layers| RegionStyle {
        styles: vec![(moments(phase), 1.0)],
        share,
        layers: parse_layers("", layers).unwrap(),
    };
    let styles = [style(2.0, 0.3, "conv1_1=0.5,conv2_1=2"), style(4.0, 0.9, "conv1_1=0,conv2_1=1")];
    let mut objective = Objective::of_regions(&recipe, &styles);
    let (width, height) = (18, 13);
    let mut session = engine.session(&request(&recipe, width, height, None)).unwrap();
    let masks: Vec<f32> = (0..2 * width * height).map(|place| (place * 37 % 11) as f32 / 10.0).collect();
    session.set_masks(&masks).unwrap();
    session.set_content(&waves(width, height, 0.0).values).unwrap();

    let picture = waves(width, height, 1.0).values;
    let mut gradient = vec![0.0; picture.len()];
    let losses = objective.evaluate(session.as_mut(), &picture, &mut gradient).unwrap();
    // What is told by layer and in sum is what is minimised.
    let style = losses.style_layers.iter().map(|layer| layer.loss).collect::<Vec<_>>();
    assert!(style.iter().all(|&loss| loss > 0.0) && losses.style > 0.0);
    let rest = losses.total - recipe.content_weight * losses.content - recipe.style_weight * losses.style;
    let expected = recipe.tv_weight * losses.total_variation + recipe.range_weight * losses.range;
    assert!((rest - expected).abs() < 1e-9 * losses.total);

    let direction: Vec<f32> = (0..picture.len()).map(|place| ((place * 29 % 17) as f32 - 8.0) / 8.0).collect();
    let mut at = |step: f32| {
        let moved: Vec<f32> = picture.iter().zip(&direction).map(|(value, along)| value + step * along).collect();
        objective.evaluate(session.as_mut(), &moved, &mut vec![0.0; moved.len()]).unwrap().total
    };
    let step = 1.0 / 256.0;
    let difference = (at(step) - at(-step)) / (2.0 * f64::from(step));
    let along: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
    assert!((difference - along).abs() < 1e-4 * difference.abs(), "{difference} {along}");
}

#[test]
fn a_region_of_everything_is_the_picture_without_regions() {
    let plain = painted(&small_of_one_painting(None), &engine(2), &[], None).unwrap();
    let all = painted(&small_of_one_painting(Some(1.0)), &engine(2), &[over(mask(7, 5, |_, _| 1.0))], None).unwrap();
    assert_eq!(all, plain);
    // Twice the weight is another picture, and another sum.
    let twice = painted(&small_of_one_painting(Some(2.0)), &engine(2), &[over(mask(7, 5, |_, _| 1.0))], None).unwrap();
    assert_ne!(twice.picture, plain.picture);
}

/// After the second painting alone, as a region or without one.
fn small_of_one_painting(weight: Option<f64>) -> ResolvedRecipe {
    let mut recipe = Recipe { style_blend: Some(vec![0.0, 1.0]), ..small() };
    recipe.regions = weight.map(|weight| vec![Region { weight: Some(weight), ..region("all", 2) }]);
    recipe.resolve().unwrap()
}

#[test]
fn same_bytes_for_any_threads_and_bands_and_from_any_checkpoint() {
    for (optimizer, rest) in [(OptimizerKind::Lbfgs, Rest::Painting), (OptimizerKind::Adam, Rest::Photo)] {
        let mut recipe = Recipe { levels: Some(2), coarsest_px: Some(16), coarse_iterations: Some(4), ..small() };
        recipe.regions = Some(vec![region("a", 1), Region { weight: Some(1.5), ..region("b", 2) }]);
        (recipe.optimizer, recipe.rest, recipe.emphasis) = (Some(optimizer), Some(rest), Some("e.png".into()));
        recipe.balance = Some(Balance::Painting);
        let recipe = recipe.resolve().unwrap();
        let (content, styles) = (waves(80, 68, 0.0), [waves(40, 30, 2.0), waves(30, 44, 4.0)]);
        let (regions, emphasis) = (halves(), mask(20, 17, |x, _| x as f64 / 20.0));
        let guides = GuideImages { regions: &regions, emphasis: Some(&emphasis), ..GuideImages::default() };
        let images = Images { content: &content, styles: &styles, start: None, guides };
        let run = |from: Option<Checkpoint>, threads, limit| {
            let mut kept = Vec::new();
            let mut keep = |snapshot: &impasto::checkpoint::Snapshot<'_>| {
                let mut bytes = Vec::new();
                snapshot.write(&mut bytes).unwrap();
                kept.push(bytes);
            };
            let keeping = Keeping { from, keep: &mut keep };
            let outcome =
                paint_kept(&recipe, &engine(threads), images, limit, keeping, &mut |_| Control::Continue).unwrap();
            (outcome, kept)
        };
        let (whole, kept) = run(None, 2, None);
        assert_eq!(kept.len(), 9);
        let request = request(&recipe, WIDTH, HEIGHT, None);
        let free = engine(1).session_bytes(&request).unwrap();
        let least = (1..=free).rev().step_by(1 << 18).take_while(|&limit| {
            engine(1)
                .session_bytes(&impasto_vgg::SessionRequest { memory_limit_bytes: Some(limit), ..request.clone() })
                .is_ok()
        });
        let least = least.last().unwrap();
        assert_eq!(run(None, 1, Some(least)).0, whole, "in {least} bytes instead of {free}");
        for bytes in &kept {
            let checkpoint = Checkpoint::decode(bytes, std::path::Path::new("checkpoint")).unwrap();
            assert_eq!(run(Some(checkpoint), 1, None).0, whole);
        }
    }
}

#[test]
fn the_rest_that_stays_is_the_photo_to_the_bit() {
    // Whatever colours the picture is shown in.
    for colours in [Colours::Painting, Colours::Match, Colours::Photo, Colours::PhotoBefore] {
        let mut recipe = Recipe { rest: Some(Rest::Photo), rest_feather_px: Some(3.0), ..small() };
        (recipe.regions, recipe.colours) = (Some(vec![region("left", 1)]), Some(colours));
        let recipe = recipe.resolve().unwrap();
        let photo = waves(WIDTH, HEIGHT, 0.0);
        let regions = [over(mask(WIDTH, HEIGHT, |x, _| f64::from(u8::from(x < 20))))];
        let styles = [waves(40, 30, 2.0)];
        let guides = GuideImages { regions: &regions, ..GuideImages::default() };
        let images = Images { content: &photo, styles: &styles, start: None, guides };
        let mut on_the_way = None;
        let outcome = paint(&recipe, &engine(2), images, None, &mut |event| {
            if let impasto::Event::Iteration(iteration) = event {
                on_the_way = Some(iteration.picture());
            }
            Control::Continue
        })
        .unwrap();
        assert_eq!(on_the_way.as_ref(), Some(&outcome.picture), "{colours:?}");
        let mut moved = 0;
        for (place, (value, was)) in outcome.picture.values.iter().zip(&photo.values).enumerate() {
            match place % WIDTH < 20 {
                true => moved += usize::from(value != was),
                false => assert_eq!(value, was, "{colours:?} at {place}"),
            }
        }
        assert!(moved > 3 * HEIGHT * 17, "{colours:?}: {moved}");
    }
}

/// A photo without colours.
fn grey_waves(width: usize, height: usize) -> Picture {
    let plane = waves(width, height, 0.0).plane(0).to_vec();
    Picture::new(width, height, plane.repeat(3)).unwrap()
}

/// Stripes of one colour and black.
fn striped(colour: [f32; 3]) -> Picture {
    let mut picture = Picture::filled(96, 96, colour).unwrap();
    for (place, value) in picture.values.iter_mut().enumerate() {
        *value *= 0.6 + 0.4 * ((place % 96 + place / 96 % 96) as f32 * 0.5).sin();
    }
    picture
}

#[test]
fn colours_of_two_regions_do_not_mix() {
    let (width, height, edge) = (128, 96, 64);
    let recipe = Recipe {
        size: Some(Size::Exact { width: width as u32, height: height as u32 }),
        iterations: Some(60),
        coarse_iterations: Some(40),
        regions: Some(vec![region("red", 1), region("blue", 2)]),
        ..Recipe::default()
    };
    let recipe = recipe.resolve().unwrap();
    let photo = grey_waves(width, height);
    let styles = [striped([230.0, 40.0, 30.0]), striped([30.0, 40.0, 230.0])];
    let regions =
        [true, false].map(|is_left| over(mask(width, height, |x, _| f64::from(u8::from((x < edge) == is_left)))));
    let guides = GuideImages { regions: &regions, ..GuideImages::default() };
    let images = Images { content: &photo, styles: &styles, start: None, guides };
    let painted = paint(&recipe, &engine(2), images, None, &mut |_| Control::Continue).unwrap().picture;
    let (mut foreign, mut all) = (0.0, 0.0);
    for place in 0..width * height {
        let chroma = f64::from(painted.plane(0)[place] - painted.plane(2)[place]);
        let beyond = place % width >= edge + 16;
        if beyond || place % width < edge - 16 {
            let own = if beyond { -chroma } else { chroma };
            foreign += if own < 0.0 { own * own } else { 0.0 };
            all += own * own;
        }
    }
    assert!(foreign <= 0.01 * all, "{} of the chroma is foreign", foreign / all);
    // It is chroma that was painted: the stripes' own is 200 at their brightest.
    assert!((all / (3.0 / 4.0 * (width * height) as f64)).sqrt() > 60.0, "{all}");
}

#[test]
fn a_painting_s_mask_takes_a_part_of_it() {
    // The painting is red on its left, blue on its right; only the blue counts.
    let (red, blue) = (striped([230.0, 40.0, 30.0]), striped([30.0, 40.0, 230.0]));
    let mut painting = red.clone();
    for (place, value) in painting.values.iter_mut().enumerate().filter(|(place, _)| place % 96 >= 48) {
        *value = blue.values[place];
    }
    let recipe = Recipe {
        size: Some(Size::LongEdge(64)),
        iterations: Some(50),
        regions: Some(vec![Region { painting_mask: Some("p.png".into()), ..region("all", 1) }]),
        ..Recipe::default()
    };
    let recipe = recipe.resolve().unwrap();
    let photo = grey_waves(64, 64);
    let right = mask(96, 96, |x, _| f64::from(u8::from(x >= 48)));
    let regions = [RegionImages { mask: mask(8, 8, |_, _| 1.0), painting_mask: Some(right) }];
    let guides = GuideImages { regions: &regions, ..GuideImages::default() };
    let images = Images { content: &photo, styles: &[painting], start: None, guides };
    let painted = paint(&recipe, &engine(2), images, None, &mut |_| Control::Continue).unwrap().picture;
    let mean = |channel| painted.plane(channel).iter().sum::<f32>() / 4096.0;
    assert!(mean(2) > 2.0 * mean(0), "red {} blue {}", mean(0), mean(2));
}

#[test]
fn what_cannot_be_is_said_before_work() {
    let with = |regions: Vec<Region>| Recipe { regions: Some(regions), ..small() };
    let refused = |recipe: Recipe, sentence: &str| {
        let said = recipe.resolve().unwrap_err().to_string();
        assert!(said.contains(sentence), "{said}");
    };
    refused(with(vec![Region::default()]), "needs a name");
    refused(with(vec![region("a", 1), region("a", 2)]), "a name of its own");
    refused(with(vec![Region { mask: None, ..region("a", 1) }]), "needs a mask");
    refused(with(vec![Region { colour: Some("#3366cc".into()), ..region("a", 1) }]), "needs a mask, or else");
    refused(with(vec![Region { colour: Some("blue".into()), mask: None, ..region("a", 1) }]), "#rrggbb");
    refused(with(vec![region("a", 0)]), "from 1 on");
    refused(with(vec![Region { weight: Some(f64::NAN), ..region("a", 1) }]), "weight=NaN");
    refused(Recipe { rest: Some(Rest::Photo), ..small() }, "there are none");
    refused(Recipe { region_labels: Some("l.png".into()), ..with(vec![region("a", 1)]) }, "--regions");
    refused(Recipe { match_weight: Some(1.0), ..with(vec![region("a", 1)]) }, "--match-weight 0");
    let named = Recipe { styles: Some(vec!["one.png".into()]), ..with(vec![region("a", 2)]) };
    refused(named, "painting 2, and there are 1");

    let recipe = with(vec![region("a", 3)]).resolve().unwrap();
    let white = || [over(mask(4, 4, |_, _| 1.0))];
    let failed =
        |recipe: &ResolvedRecipe, regions: &[RegionImages]| painted(recipe, &engine(1), regions, None).unwrap_err();
    assert!(matches!(
        failed(&recipe, &white()),
        PaintError::Recipe(RecipeError::RegionPainting { painting: 3, styles: 2, .. })
    ));
    let recipe = with(vec![region("sky", 1)]).resolve().unwrap();
    assert_eq!(failed(&recipe, &[]), PaintError::MaskMissing);
    let said = failed(&recipe, &[over(mask(4, 4, |_, _| 0.0))]).to_string();
    assert!(said.starts_with("region sky: its mask is black"), "{said}");
    let [white] = white();
    let said = failed(&recipe, &[RegionImages { painting_mask: Some(mask(4, 4, |_, _| 0.0)), ..white }]).to_string();
    assert!(said.starts_with("region sky: its painting-mask is black"), "{said}");
}

#[test]
fn regions_are_read_as_typed() {
    let read = impasto::recipe::parse_region;
    let sky = read("name=sky, mask=a/sky.png,painting=2,painting-mask=stars.png,weight=1.5").unwrap();
    assert_eq!((sky.name.as_str(), sky.mask.as_deref(), sky.style_index()), ("sky", Some("a/sky.png"), 1));
    assert_eq!((sky.painting_mask.as_deref(), sky.weight), (Some("stars.png"), Some(1.5)));
    assert_eq!(read("name=a,colour=#3366cc").unwrap().label_colour(), Ok(Some([0x33, 0x66, 0xcc])));
    for (text, part) in [
        ("sky.png", "sky.png"),
        ("name=", "name="),
        ("name=a,maske=b", "\"mask\" is the nearest"),
        ("name=a,name=b", "name=b"),
        ("name=a,painting=two", "painting=two"),
        ("name=a,weight=heavy", "weight=heavy"),
    ] {
        let said = read(text).unwrap_err().to_string();
        assert!(said.contains(part), "{text}: {said}");
    }
    // And come back from a recipe's text.
    let recipe = Recipe { regions: Some(vec![sky]), rest: Some(Rest::Photo), ..small() }.resolve().unwrap();
    assert_eq!(Recipe::from_json(&recipe.to_json()).unwrap().resolve().unwrap(), recipe);
}

#[test]
fn no_loss_looks_into_the_gaps_of_a_photo() {
    // What the network sees of the gap's edge moves, two pixels deep; what lies further in is never looked at.
    let recipe = Recipe {
        // Whose steps are gradients: a rounding of a tile stays one.
        optimizer: Some(OptimizerKind::Lbfgs),
        coarse_emphasis: Some(0.0),
        tv_weight: Some(0.0),
        range_weight: Some(0.0),
        content_layers: Some(parse_layers("", "conv1_2").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1").unwrap()),
        ..small()
    };
    let recipe = recipe.resolve().unwrap();
    let photo = waves(WIDTH, HEIGHT, 0.0);
    let is_gap = |place: usize| place % WIDTH >= 20;
    let values = (0..WIDTH * HEIGHT).map(|place| if is_gap(place) { 0.0 } else { 200.0 }).collect();
    let alpha = Alpha::new(WIDTH, HEIGHT, values).unwrap();
    let styles = [waves(40, 30, 2.0), waves(30, 44, 4.0)];
    let painted = |alpha: Option<&Alpha>| {
        let guides = GuideImages { alpha, ..GuideImages::default() };
        let images = Images { content: &photo, styles: &styles, start: None, guides };
        paint(&recipe, &engine(2), images, None, &mut |_| Control::Continue).unwrap().picture
    };
    let (everywhere, without_gaps) = (painted(None), painted(Some(&alpha)));
    for (place, (value, was)) in without_gaps.values.iter().zip(&photo.values).enumerate() {
        if place % WIDTH >= 23 {
            assert!((value - was).abs() < 1e-3, "at {place}: {value}, was {was}");
        }
    }
    let moved = |picture: &Picture, is_there: &dyn Fn(usize) -> bool| {
        let pairs = picture.values.iter().zip(&photo.values).enumerate();
        pairs.filter(|&(place, (value, was))| is_there(place) && (value - was).abs() > 1e-2).count()
    };
    assert!(moved(&everywhere, &is_gap) > 1500);
    assert!(moved(&without_gaps, &|place| !is_gap(place)) > 1500);
    // A photo without gaps, or that is nothing else, is painted as it is.
    for alpha in [255.0, 1.0, 0.0].map(|value| Alpha::new(WIDTH, HEIGHT, vec![value; WIDTH * HEIGHT]).unwrap()) {
        assert_eq!(painted(Some(&alpha)), everywhere);
    }
}

#[test]
fn regions_may_have_all_that_there_is_of_a_photo() {
    // Its right half is a gap, so that the rest of a region of its left half is nothing.
    let recipe = Recipe { regions: Some(vec![region("left", 1)]), ..small() }.resolve().unwrap();
    let photo = waves(WIDTH, HEIGHT, 0.0);
    let is_left = |place: usize| place % WIDTH < 20;
    let values = (0..WIDTH * HEIGHT).map(|place| if is_left(place) { 255.0 } else { 0.0 }).collect();
    let alpha = Alpha::new(WIDTH, HEIGHT, values).unwrap();
    let regions = [over(mask(WIDTH, HEIGHT, |x, _| f64::from(u8::from(x < 20))))];
    let guides = GuideImages { regions: &regions, alpha: Some(&alpha), ..GuideImages::default() };
    let images = Images { content: &photo, styles: &[waves(40, 30, 2.0)], start: None, guides };
    let outcome = paint(&recipe, &engine(2), images, None, &mut |_| Control::Continue).unwrap();
    assert_eq!((outcome.evaluations, outcome.failure), (5, None));
}
