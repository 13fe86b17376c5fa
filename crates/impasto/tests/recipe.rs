//! Recipes: presets hold the numbers of their sources, every error names its option, and JSON goes round.

use std::collections::BTreeMap;
use std::path::Path;

use impasto::presets::PRESETS;
use impasto::read::decode_recipe;
use impasto::recipe::{
    FORMAT, Recipe, RecipeError, Size, Start, StyleLoss, StyleScale, TotalVariationForm, parse_layers, text_from_bytes,
};
use impasto::resolve::{ResolvedRecipe, style_shares};
use impasto_vgg::{Layer, Pooling};

fn with(change: impl FnOnce(&mut Recipe)) -> Recipe {
    let mut recipe = Recipe::default();
    change(&mut recipe);
    recipe
}

fn of_preset(name: &str) -> ResolvedRecipe {
    with(|recipe| recipe.preset = Some(name.into())).resolve().unwrap()
}

#[test]
fn every_error_is_one_sentence_that_names_its_option() {
    let layer = |name: &str, weight: f64| Some(BTreeMap::from([(Layer::named(name).unwrap(), weight)]));
    let cases: Vec<(&str, Recipe)> = vec![
        ("--preset", with(|recipe| recipe.preset = Some("gatys".into()))),
        ("--weights", with(|recipe| recipe.weights = Some(String::new()))),
        ("--size", with(|recipe| recipe.size = Some(Size::LongEdge(0)))),
        ("--size", with(|recipe| recipe.size = Some(Size::LongEdge(65_536)))),
        ("--size", with(|recipe| recipe.size = Some(Size::Exact { width: 10, height: 0 }))),
        ("--iterations", with(|recipe| recipe.iterations = Some(0))),
        ("--levels", with(|recipe| recipe.levels = Some(0))),
        ("--levels", with(|recipe| recipe.levels = Some(17))),
        ("--coarse-iterations", with(|recipe| recipe.coarse_iterations = Some(0))),
        ("--history", with(|recipe| recipe.history = Some(0))),
        ("--learning-rate", with(|recipe| recipe.learning_rate = Some(0.0))),
        ("--learning-rate", with(|recipe| recipe.learning_rate = Some(f64::INFINITY))),
        ("--noise-ratio", with(|recipe| recipe.noise_ratio = Some(1.5))),
        ("--noise-deviation", with(|recipe| recipe.noise_deviation = Some(-1.0))),
        ("--content-weight", with(|recipe| recipe.content_weight = Some(-1.0))),
        ("--style-weight", with(|recipe| recipe.style_weight = Some(f64::NAN))),
        ("--match-weight", with(|recipe| recipe.match_weight = Some(f64::NAN))),
        ("--match-every", with(|recipe| recipe.match_every = Some(0))),
        ("--match-photo", with(|recipe| recipe.match_photo = Some(1.5))),
        ("--match-layers conv3_1", with(|recipe| recipe.match_layers = layer("conv3_1", -1.0))),
        ("--tv-weight", with(|recipe| recipe.tv_weight = Some(f64::INFINITY))),
        ("--denoise", with(|recipe| recipe.denoise = Some(-1.0))),
        ("--denoise", with(|recipe| recipe.denoise = Some(f64::NAN))),
        ("--range-weight", with(|recipe| recipe.range_weight = Some(f64::NEG_INFINITY))),
        ("--content-layers conv3_1", with(|recipe| recipe.content_layers = layer("conv3_1", f64::NAN))),
        ("--style-layers pool5", with(|recipe| recipe.style_layers = layer("pool5", -0.5))),
        ("--style-scale", with(|recipe| recipe.style_scale = Some(StyleScale::All(0.0)))),
        ("--style-blend", with(|recipe| recipe.style_blend = Some(vec![0.5, f64::NAN]))),
        ("--style-blend", with(|recipe| recipe.style_blend = Some(vec![0.0, 0.0]))),
        (
            "--style-blend",
            with(|recipe| {
                recipe.style_blend = Some(vec![1.0, 2.0, 3.0]);
                recipe.styles = Some(vec!["a.png".into(), "b.png".into()]);
            }),
        ),
        ("style image", with(|recipe| recipe.styles = Some(vec![]))),
        (
            "--content-weight",
            with(|recipe| {
                recipe.content_weight = Some(0.0);
                recipe.style_layers = Some(BTreeMap::new());
            }),
        ),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(option, recipe)| match recipe.resolve() {
            Ok(_) => Some(format!("{option}: no error")),
            Err(error) => {
                let sentence = error.to_string();
                let good = sentence.contains(option) && !sentence.contains('\n') && sentence.len() < 300;
                (!good).then(|| format!("{option}: {sentence}"))
            }
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn presets_hold_the_numbers_of_their_sources() {
    let authors = of_preset("authors");
    assert_eq!((authors.content_weight, authors.style_weight, authors.history), (1.0, 1e3, 100));
    assert_eq!((authors.pool, authors.init), (Pooling::Max, Start::Content));
    let tutorial = of_preset("tutorial");
    // Content: sum of squares / (4 size) x 0.001.
    assert_eq!(tutorial.content_weight, 0.001 / 4.0);
    assert_eq!(tutorial.style_layers.values().copied().collect::<Vec<_>>(), [0.5, 1.0, 1.5, 3.0, 4.0]);
    assert_eq!((tutorial.size, tutorial.iterations), (Size::Exact { width: 400, height: 300 }, 100));
    let johnson = of_preset("johnson");
    assert_eq!((johnson.content_weight, johnson.style_weight, johnson.tv_weight), (5.0, 100.0, 1e-3));
    assert_eq!((johnson.iterations, johnson.noise_deviation), (1000, 0.001));
    for preset in &PRESETS {
        for &(layer, _) in preset.content_layers.iter().chain(preset.style_layers) {
            assert!(Layer::named(layer).is_ok(), "{}: {layer}", preset.name);
        }
    }
}

#[test]
fn a_resolved_recipe_reads_back_as_itself() {
    for preset in &PRESETS {
        let mut recipe = with(|recipe| recipe.preset = Some(preset.name.into()));
        recipe.content = Some("photo.jpg".into());
        recipe.styles = Some(vec!["wave.png".into(), "night.png".into()]);
        recipe.style_blend = Some(vec![0.1, 1.0 / 3.0]);
        recipe.init = Some(Start::File("sketch.png".into()));
        recipe.style_layers = Some(parse_layers("--style-layers", "conv1_1=0.2,pool4").unwrap());
        let resolved = recipe.resolve().unwrap();
        let again = Recipe::from_json(&resolved.to_json()).unwrap().resolve().unwrap();
        assert_eq!(again, resolved, "{}", preset.name);
    }
}

#[test]
fn texts_that_are_no_recipe_are_refused_in_a_sentence() {
    let long = format!("\"{}\"", "x".repeat(270_000));
    let cases = [
        ("", "cannot be read"),
        ("[1, 2]", "not a JSON object"),
        ("{\"size\": 51.5}", "cannot be read"),
        ("{\"size\": 0}", "--size 0"),
        ("{\"size\": \"0\"}", "--size 0"),
        ("{\"style_layers\": {\"conv9_9\": 1}}", "conv9_9"),
        ("{\"iterations\": -4}", "cannot be read"),
        ("{\"version\": \"7.1.0\", \"glitter\": true}", "7.1.0"),
        ("{\"glitter\": true}", "glitter"),
        (long.as_str(), "262144"),
    ];
    for (text, expected) in cases {
        let sentence = Recipe::from_json(text).unwrap_err().to_string();
        assert!(sentence.contains(expected) && !sentence.contains('\n'), "{expected}: {sentence}");
    }
}

#[test]
fn lists_of_layers_are_read_as_typed() {
    let layers = parse_layers("--style-layers", " conv1_1=0.25 , conv5_1 ").unwrap();
    let named: Vec<_> = layers.iter().map(|(layer, weight)| (layer.name(), *weight)).collect();
    assert_eq!(named, [("conv1_1", 0.25), ("conv5_1", 1.0)]);
    assert!(parse_layers("--style-layers", "").unwrap().is_empty());
    for text in ["conv1_1=", "conv1_1=much", "conv9_1", "conv1_1,conv1_1", "conv1_1,,conv2_1", "conv1_1,"] {
        let sentence = parse_layers("--content-layers", text).unwrap_err().to_string();
        assert!(sentence.starts_with("--content-layers"), "{sentence}");
    }
}

#[test]
fn shares_sum_to_one() {
    let recipe = with(|recipe| recipe.style_blend = Some(vec![1.0, 3.0])).resolve().unwrap();
    assert_eq!(style_shares(&recipe, 2, true), Ok(vec![0.25, 0.75]));
    assert_eq!(style_shares(&recipe, 1, true), Err(RecipeError::BlendCount { shares: 2, styles: 1 }));
    let equal = Recipe::default().resolve().unwrap();
    assert_eq!(style_shares(&equal, 4, true), Ok(vec![0.25; 4]));
    assert_eq!(style_shares(&equal, 0, true), Err(RecipeError::NoStyle));
    assert_eq!(style_shares(&equal, 0, false), Ok(vec![]));
}

/// The factor that a total variation has for one pair of neighbours, in a picture of so many pairs.
fn factor_per_pair(recipe: &ResolvedRecipe, pairs: f64) -> f64 {
    match recipe.tv_form {
        TotalVariationForm::Sum => 0.5 * recipe.tv_weight,
        // The nine points' is a mean too, of other pairs, which are as many for every weight.
        TotalVariationForm::Mean | TotalVariationForm::NinePoint => recipe.tv_weight / pairs,
    }
}

#[test]
fn denoise_raises_the_total_variation_of_every_preset() {
    for preset in &PRESETS {
        let named = |change: fn(&mut Recipe)| {
            let mut recipe = with(change);
            recipe.preset = Some(preset.name.into());
            recipe.resolve().unwrap()
        };
        let denoised = [
            named(|_| {}),
            named(|recipe| recipe.denoise = Some(0.0)),
            named(|recipe| recipe.denoise = Some(1.0)),
            named(|recipe| recipe.denoise = Some(2.0)),
        ];
        // Pairs of neighbours in pictures of 64 and 4096 pixels a side, three channels.
        for pairs in [3.0 * 2.0 * 64.0 * 63.0, 3.0 * 2.0 * 4096.0 * 4095.0] {
            let [own, none, once, twice] = [0, 1, 2, 3].map(|place| factor_per_pair(&denoised[place], pairs));
            assert_eq!(own, none, "{}", preset.name);
            // Enough to be seen: by half of what was there, at least.
            assert!(once > 0.0 && once >= 1.5 * own && twice > once, "{}: {own} {once} {twice}", preset.name);
            assert!((twice - once - (once - own)).abs() < 1e-9 * twice, "{}: {own} {once} {twice}", preset.name);
        }
    }
}

#[test]
fn denoise_never_lowers_what_is_there_and_gives_way_to_a_tv_weight_typed_after_it() {
    for preset in &PRESETS {
        // A picture's recipe has the factors, and denoised again it has the same.
        let mut denoised = with(|recipe| recipe.denoise = Some(1.0));
        denoised.preset = Some(preset.name.into());
        let once = denoised.resolve().unwrap();
        let carried = Recipe::from_json(&once.to_json()).unwrap();
        let again = carried.varied_by(&with(|recipe| recipe.denoise = Some(1.0))).resolve().unwrap();
        assert_eq!(again, once, "{}", preset.name);
        // More than that stays.
        let strong = with(|recipe| recipe.tv_weight = Some(1e6));
        let kept = carried.varied_by(&strong).varied_by(&with(|recipe| recipe.denoise = Some(1.0)));
        assert_eq!(kept.resolve().unwrap().tv_weight, 1e6);
        // A recipe written by hand may have a denoise; what is typed after it counts.
        let typed = denoised.varied_by(&with(|recipe| recipe.tv_weight = Some(0.0))).resolve().unwrap();
        assert_eq!(typed.tv_weight, 0.0, "{}", preset.name);
    }
    let mixed = with(|recipe| (recipe.denoise, recipe.tv_form) = (Some(1.0), Some(TotalVariationForm::Sum)));
    assert_eq!(mixed.resolve(), Err(RecipeError::DenoiseForm { preset: "default" }));
}

#[test]
fn a_recipe_has_a_format_and_one_from_the_future_is_refused_by_both_numbers() {
    let carried: serde_json::Value = serde_json::from_str(&of_preset("default").to_json()).unwrap();
    assert_eq!(carried["format"], FORMAT);
    // Before there was a number, a picture's recipe had a version; what is written by hand has neither.
    for (text, format) in [
        ("{\"version\": \"0.1.0\"}", 1),
        ("{\"format\": 1}", 1),
        ("{}", FORMAT),
        ("{\"format\": null}", FORMAT),
        ("{\"format\": 2, \"version\": \"0.1.0\"}", 2),
    ] {
        assert_eq!(Recipe::from_json(text).unwrap().format, Some(format), "{text}");
    }
    let next = FORMAT + 1;
    let future = format!("{{\"format\": {next}, \"version\": \"7.1.0\", \"glitter\": true}}");
    let sentence = Recipe::from_json(&future).unwrap_err().to_string();
    for part in [format!("has format {next}"), format!("formats up to {FORMAT};"), "7.1.0".to_owned()] {
        assert!(sentence.contains(&part), "{sentence}");
    }
    for wrong in ["0", "-1", "1.5", "\"1\"", "[]"] {
        let error = Recipe::from_json(&format!("{{\"format\": {wrong}}}")).unwrap_err();
        assert!(error.to_string().contains("format"), "{wrong}: {error}");
    }
}

/// Format 1 knew Gram matrices alone; what it leaves open is no preset's to say.
#[test]
fn a_recipe_of_format_1_compares_gram_matrices() {
    let loss = |text: &str| Recipe::from_json(text).unwrap().style_loss;
    for text in ["{\"version\": \"0.1.0\"}", "{\"format\": 1}", "{\"format\": 1, \"style_loss\": null}"] {
        assert_eq!(loss(text), Some(StyleLoss::Gram), "{text}");
    }
    assert_eq!(loss("{}"), None);
    for (name, named) in StyleLoss::NAMES.iter().zip([StyleLoss::Gram, StyleLoss::Wasserstein, StyleLoss::MeanVariance])
    {
        assert_eq!(loss(&format!("{{\"style_loss\": \"{name}\"}}")), Some(named));
        assert_eq!(StyleLoss::named(name), Ok(named));
    }
    let wrong = Recipe::from_json("{\"style_loss\": \"waserstein\"}").unwrap_err().to_string();
    assert!(StyleLoss::NAMES.iter().all(|name| wrong.contains(name)), "{wrong}");
}

#[test]
fn a_field_that_is_not_known_is_told_from_the_nearest_that_is() {
    let nearest = |field: &str| match Recipe::from_json(&format!("{{\"{field}\": 1}}")) {
        Err(RecipeError::UnknownField { nearest, .. }) => nearest,
        other => panic!("{field}: {other:?}"),
    };
    for (typed, meant) in [
        ("sise", "size"),
        ("style-weight", "style_weight"),
        ("styleWeight", "style_weight"),
        ("iteration", "iterations"),
        ("original_colours", "original_colors"),
        ("content_layer", "content_layers"),
    ] {
        assert_eq!(nearest(typed).as_deref(), Some(meant), "{typed}");
    }
    assert_eq!(nearest("glitter"), None);
    let sentence = Recipe::from_json("{\"sise\": 1}").unwrap_err().to_string();
    assert!(sentence.contains("\"sise\"") && sentence.contains("\"size\""), "{sentence}");
}

/// What the schema says of a field, and what resolving says: at the ends of a range and beyond them.
#[test]
fn the_schema_has_every_field_and_the_ranges_that_are_checked() {
    let schema = Recipe::json_schema();
    let properties = schema["properties"].as_object().unwrap();
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(Recipe::default()) else { panic!() };
    assert_eq!(properties.keys().collect::<Vec<_>>(), fields.keys().collect::<Vec<_>>());
    assert_eq!(schema["additionalProperties"], false);
    let accepts = |field: &str, value: f64| {
        let number = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value}") };
        Recipe::from_json(&format!("{{\"{field}\": {number}}}")).and_then(|recipe| recipe.resolve()).is_ok()
    };
    let mut ranges = 0;
    for (field, property) in properties {
        assert!(property["description"].is_string(), "{field} is not explained");
        for (end, outwards) in [("minimum", -1.0), ("maximum", 1.0)] {
            let Some(bound) = property[end].as_f64() else { continue };
            let beyond = bound + outwards * if bound == bound.trunc() { 1.0 } else { 0.001 * bound };
            assert!(accepts(field, bound), "{field}: {bound} is in the schema's range");
            assert!(!accepts(field, beyond), "{field}: {beyond} is beyond the schema's range");
            ranges += 1;
        }
    }
    assert!(ranges > 20, "{ranges}");
}

#[test]
fn every_preset_and_every_name_of_a_choice_is_in_the_schema() {
    let schema = Recipe::json_schema();
    let property = |name: &str| schema["properties"][name].clone();
    for preset in &PRESETS {
        assert!(property("preset")["enum"].as_array().unwrap().contains(&preset.name.into()), "{}", preset.name);
        let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(of_preset(preset.name)) else { panic!() };
        for (field, value) in fields.iter().filter(|(_, value)| value.is_string()) {
            let names = property(field)["enum"].clone();
            assert!(names.is_null() || names.as_array().unwrap().contains(value), "{field}: {value}");
        }
        for layer in fields["style_layers"].as_object().unwrap().keys() {
            assert!(!property("style_layers")["properties"][layer].is_null(), "{layer}");
        }
    }
}

#[test]
fn a_recipe_is_read_however_its_text_was_saved() {
    let text = "{\"seed\": 7}\r\n";
    let units: Vec<u16> = text.encode_utf16().collect();
    let ways: [Vec<u8>; 4] = [
        [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat(),
        [&b"\xff\xfe"[..], &units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>()].concat(),
        [&b"\xfe\xff"[..], &units.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<u8>>()].concat(),
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
    ];
    for way in ways {
        let read = decode_recipe(&way, Path::new("it.recipe.json")).unwrap();
        assert_eq!(Recipe::from_json(&read).unwrap().seed, Some(7), "{:x?}", &way[..4]);
        // As `--recipe FILE` does.
        assert_eq!(text_from_bytes(&way).unwrap(), read);
    }
    let error = decode_recipe(b"\xff\xfe{\0\"", Path::new("it.recipe.json")).unwrap_err().to_string();
    assert!(
        error.starts_with("the recipe in it.recipe.json cannot be read (it is not text in UTF-8 or UTF-16)"),
        "{error}"
    );
}

#[test]
fn strength_is_a_factor_of_every_preset_s_style_weight() {
    for preset in &PRESETS {
        let weight = |strength: Option<f64>| {
            let recipe = Recipe { preset: Some(preset.name.into()), strength, ..Recipe::default() };
            recipe.resolve().unwrap().style_weight
        };
        assert_eq!((weight(None), weight(Some(1.0))), (preset.style_weight, preset.style_weight), "{}", preset.name);
        if preset.style_weight > 0.0 {
            let steps = [0.0, 0.5, 1.0, 1.5, 2.0].map(|strength| weight(Some(strength)));
            for pair in steps.windows(2) {
                assert!((pair[1] / pair[0] - 4.0).abs() < 0.05, "{}: {steps:?}", preset.name);
            }
        }
    }
    for strength in [-0.1, 2.1, f64::NAN] {
        let said = with(|recipe| recipe.strength = Some(strength)).resolve().unwrap_err().to_string();
        assert!(said.starts_with("--strength"), "{said}");
    }
    let both = Recipe { strength: Some(1.0), style_weight: Some(2.0), ..Recipe::default() };
    assert_eq!(both.resolve(), Err(RecipeError::StrengthAndWeight));
    // Over a picture's recipe, which has the weight, the one that is typed counts; and the recipe has what came of it.
    let carried = Recipe { strength: Some(2.0), ..Recipe::default() }.resolve().unwrap();
    let carried = Recipe::from_json(&carried.to_json()).unwrap();
    assert_eq!(carried.resolve().unwrap().style_weight, 240.0);
    let typed = |strength, style_weight| Recipe { strength, style_weight, ..Recipe::default() };
    assert_eq!(carried.varied_by(&typed(Some(1.0), None)).resolve().unwrap().style_weight, 15.0);
    assert_eq!(carried.varied_by(&typed(None, Some(7.0))).resolve().unwrap().style_weight, 7.0);
    assert_eq!(carried.varied_by(&typed(None, None)).resolve().unwrap().style_weight, 240.0);
    // A region's is a factor of its weight.
    let region = impasto::recipe::parse_region("name=a,mask=a.png,strength=1.25").unwrap();
    assert_eq!(region.weight, Some(2.0));
    assert!(impasto::recipe::parse_region("name=a,mask=a.png,strength=1,weight=2").is_err());
    assert!(impasto::recipe::parse_region("name=a,mask=a.png,strength=3").is_err());
}
