//! The timeline of a recipe: what it may be, what varies it, what its weights mean.

mod changes;
mod waves;

use impasto::recipe::{Balance, ChangedFields, Colours, OptimizerKind, Recipe, parse_layers};
use impasto::run::RegionImages;
use impasto::{ChangedGuides, GuideImages, Images, PaintError, ResolvedRecipe};

use changes::{Change, change, engine, mask, none, recipe, regions, run, waves, with};

#[test]
fn what_cannot_change_is_said_before_any_work() {
    let said = |timeline: &str| {
        let text = format!(r#"{{"styles": ["a", "b"], "timeline": {timeline}}}"#);
        Recipe::from_json(&text).and_then(|recipe| recipe.resolve()).unwrap_err().to_string()
    };
    for field in ["size", "optimizer", "seed", "levels", "precision", "weights", "iterations", "init", "timeline"] {
        let sentence = said(&format!(r#"[{{"before_evaluation": 3, "set": {{"{field}": 1}}}}]"#));
        assert!(sentence.contains(&format!("\"{field}\", which cannot change")), "{sentence}");
    }
    let sentences = [
        (r#"[{"before_evaluation": 3, "set": {"style_wieght": 1}}]"#, "style_weight"),
        (r#"[{"before_evaluation": 3, "set": {}}]"#, "before evaluation 3: the change sets nothing"),
        (r#"[{"before_evaluation": 0, "set": {"tv_weight": 1}}]"#, "before evaluation 0"),
        (
            r#"[{"before_evaluation": 9, "set": {"tv_weight": 1}}, {"before_evaluation": 8, "set": {"tv_weight": 2}}]"#,
            "before evaluation 8 where 9 is the least",
        ),
        (r#"[{"before_evaluation": 3, "set": {"style_weight": -1}}]"#, "before evaluation 3: --style-weight -1"),
        (r#"[{"before_evaluation": 3, "set": {"strength": 3}}]"#, "--strength 3"),
        (r#"[{"before_evaluation": 3, "set": {"strength": 1, "style_weight": 2}}]"#, "set the same thing"),
        (r#"[{"before_evaluation": 3, "set": {"style_blend": [1]}}]"#, "has 1 shares for 2"),
        (r#"[{"before_evaluation": 3, "set": {"rest": "photo"}}]"#, "there are none"),
        (
            r#"[{"before_evaluation": 3, "set": {"style_layers": {}, "content_layers": {}}}]"#,
            "nothing is left to paint",
        ),
        (r#"[{"before_evaluation": 3, "after": 1, "set": {"tv_weight": 1}}]"#, "unknown field `after`"),
    ];
    for (timeline, part) in sentences {
        let sentence = said(timeline);
        assert!(sentence.contains(part), "{sentence}");
    }
    let black = mask(|_, _| false);
    let mut dark = regions(3, None);
    dark.guides.regions.as_mut().unwrap()[1].mask = black;
    let plain = recipe(OptimizerKind::Adam);
    let error = run(&with(&plain, std::slice::from_ref(&dark)), std::slice::from_ref(&dark), &[], None, &engine(1));
    assert!(matches!(error.unwrap_err(), PaintError::BlackMask { region, .. } if region == "corner"));
    let missing = Change { guides: ChangedGuides::default(), ..regions(3, None) };
    let error = run(&with(&plain, std::slice::from_ref(&missing)), &[missing], &[], None, &engine(1));
    assert_eq!(error.unwrap_err(), PaintError::MaskMissing);
}

#[test]
fn a_timeline_is_a_recipe_again_and_is_varied_with_it() {
    let text = r#"{"preset": "default", "timeline": [
        {"before_evaluation": 5, "set": {"strength": 1, "tv_weight": 2, "original_colors": true}},
        {"before_evaluation": 9, "set": {"denoise": 1}}
    ]}"#;
    let recipe = Recipe::from_json(text).unwrap();
    let resolved = recipe.resolve().unwrap();
    let presets_own = Recipe::default().resolve().unwrap().style_weight;
    let set = &resolved.timeline[0].set;
    assert_eq!((set.style_weight, set.strength), (Some(presets_own), None));
    assert_eq!((set.colours, set.original_colors), (Some(Colours::Photo), None));
    assert_eq!(Recipe::from_json(&resolved.to_json()).unwrap().resolve().unwrap(), resolved);
    let effect = |evaluation| resolved.at_evaluation(evaluation);
    assert!(effect(4).colours == Colours::Painting && effect(5).original_colors && effect(8).tv_weight == 2.0);
    let denoised = Recipe { denoise: Some(1.0), ..Recipe::default() }.resolve().unwrap();
    assert_eq!(effect(9).tv_weight, denoised.tv_weight);
    // What is named now is meant throughout.
    let varied = |over: Recipe| recipe.varied_by(&over).timeline.map_or(0, |timeline| timeline.len());
    assert_eq!(varied(Recipe { seed: Some(1), ..Recipe::default() }), 2);
    assert_eq!(varied(Recipe { tv_weight: Some(1.0), ..Recipe::default() }), 1);
    let over = Recipe { style_weight: Some(3.0), colours: Some(Colours::Painting), ..Recipe::default() };
    let left = recipe.varied_by(&over).timeline.unwrap();
    assert_eq!(left[0].set, ChangedFields { tv_weight: Some(2.0), ..none() });
    assert_eq!(varied(Recipe { timeline: Some(Vec::new()), ..Recipe::default() }), 0);
}

/// Weights in proportion mean in a timeline what they mean in the recipe, whenever they come.
#[test]
fn a_timeline_in_proportion_is_measured_as_the_recipe_is() {
    let engine = engine(2);
    let (content, styles) = (waves(48, 40, 0.0), [waves(40, 50, 2.0), waves(36, 30, 4.0)]);
    let in_proportion = Recipe { balance: Some(Balance::Painting), ..recipe(OptimizerKind::Lbfgs) };
    let plain = |recipe: &ResolvedRecipe, regions: &[RegionImages], changed: &[ChangedGuides]| {
        let guides = GuideImages { regions, changed, ..GuideImages::default() };
        let images = Images { content: &content, styles: &styles, start: None, guides };
        impasto::run::balanced(recipe, &engine, images, None).unwrap()
    };
    // A layer among them that the recipe does not begin with.
    let style_layers = Some(parse_layers("", "conv1_1=2,conv2_1=0.5,conv3_1").unwrap());
    let changes = [change(3, ChangedFields { style_layers: style_layers.clone(), ..none() }), regions(6, None)];
    let guides: Vec<ChangedGuides> = changes.iter().map(|change| change.guides.clone()).collect();
    let measured = plain(&with(&in_proportion, &changes), &[], &guides);
    assert_eq!(measured.balance, Balance::Plain);

    let begun = Recipe { style_layers, ..in_proportion.clone() }.resolve().unwrap();
    assert_eq!(measured.timeline[0].set.style_layers, Some(plain(&begun, &[], &[]).style_layers));
    let begun = ResolvedRecipe { regions: changes[1].set.regions.clone().unwrap(), ..begun };
    let masks = changes[1].guides.regions.clone().unwrap();
    assert_eq!(measured.timeline[1].set.regions, Some(plain(&begun, &masks, &[]).regions));
    assert_eq!(measured.style_layers, plain(&in_proportion.resolve().unwrap(), &[], &[]).style_layers);
}

/// What docs/runs.md shows can be painted by: a reader types it.
#[test]
fn the_recipe_of_the_documents_is_one() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/runs.md")).unwrap();
    let example = page.split("\n\n").find(|part| part.contains("\"timeline\":") && part.starts_with("    {")).unwrap();
    let recipe = Recipe::from_json(example).unwrap().resolve().unwrap();
    assert_eq!(recipe.timeline.len(), 2);
    assert!(!Recipe::means_former_default(example), "it is of today");
}
