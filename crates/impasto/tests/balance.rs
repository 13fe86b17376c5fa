//! Weights in proportion, against what they mean: computed here from the engine's own moments and distances.

mod waves;

use impasto::recipe::{Balance, ContentForm, Recipe, RecipeError, Size, StyleForm, StyleLoss, parse_layers};
use impasto::run::balanced;
use impasto::{Control, GuideImages, Images, Picture, ResolvedRecipe, paint};
use impasto_vgg::{Border, CpuEngine, CpuOptions, Engine, Layer, Moments, Pooling, Precision, SessionRequest, Weights};

const SIDE: usize = 48;

fn recipe() -> Recipe {
    Recipe {
        balance: Some(Balance::Painting),
        size: Some(Size::Exact { width: SIDE as u32, height: SIDE as u32 }),
        content_layers: Some(parse_layers("", "conv2_2").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1=1,conv2_1=3,conv3_1=0").unwrap()),
        iterations: Some(3),
        levels: Some(1),
        pool: Some(Pooling::Average),
        border: Some(Border::Zero),
        content_form: Some(ContentForm::Mean),
        style_form: Some(StyleForm::Mean),
        ..Recipe::default()
    }
}

fn engine() -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions::default()).unwrap()
}

/// Moments of a picture at layers, by a session of this test's own.
fn moments(engine: &dyn Engine, picture: &Picture, layers: &[&str]) -> Vec<Moments> {
    let request = SessionRequest {
        height: picture.height,
        width: picture.width,
        pooling: Pooling::Average,
        border: Border::Zero,
        precision: Precision::F32,
        style_taps: layers.iter().map(|name| Layer::named(name).unwrap()).collect(),
        content_taps: Vec::new(),
        matched_taps: Vec::new(),
        guides: impasto_vgg::Guides::default(),
        way_back: false,
        memory_limit_bytes: None,
    };
    engine.session(&request).unwrap().forward(&picture.values).unwrap().moments
}

fn plain(recipe: &Recipe, content: &Picture, style: &Picture) -> ResolvedRecipe {
    let images = Images { content, styles: std::slice::from_ref(style), start: None, guides: GuideImages::default() };
    balanced(&recipe.resolve().unwrap(), &engine(), images, None).unwrap()
}

fn weight(recipe: &ResolvedRecipe, layer: &str) -> f64 {
    recipe.style_layers[&Layer::named(layer).unwrap()]
}

/// A painting with a `contrast`-th of another's differences from grey.
fn painting(contrast: f64) -> Picture {
    waves::waves(SIDE, SIDE, 2.0, 100.0 * contrast)
}

#[test]
fn each_layer_counts_in_proportion_to_what_it_would_be_without_features() {
    let (engine, content) = (engine(), waves::waves(SIDE, SIDE, 0.0, 100.0));
    let painting = painting(1.0);
    let content_moments = &moments(&engine, &content, &["conv2_2"])[0];
    // The mean over channels and positions of (F - mean)^2.
    let channels = content_moments.mean.len();
    let variance = (0..channels)
        .map(|channel| content_moments.second[channel * channels + channel] - content_moments.mean[channel].powi(2))
        .sum::<f64>()
        / channels as f64;
    for (loss, form) in [
        (StyleLoss::Gram, StyleForm::Mean),
        (StyleLoss::Gram, StyleForm::Paper),
        (StyleLoss::Wasserstein, StyleForm::Mean),
        (StyleLoss::MeanVariance, StyleForm::Mean),
    ] {
        let recipe = Recipe { style_loss: Some(loss), style_form: Some(form), ..recipe() };
        let plain = plain(&recipe, &content, &painting);
        assert_eq!(plain.balance, Balance::Plain);
        for (layer, share) in [("conv1_1", 1.0), ("conv2_1", 3.0)] {
            let style = &moments(&engine, &painting, &[layer])[0];
            let count = style.mean.len() as f64;
            let squares: f64 = style.second.iter().map(|value| value * value).sum();
            let trace: f64 = style.second.iter().step_by(style.mean.len() + 1).sum();
            let of_nothing = match (loss, form) {
                (StyleLoss::Gram, StyleForm::Mean) => squares / count.powi(4),
                (StyleLoss::Gram, StyleForm::Paper) => squares / (4.0 * count.powi(2)),
                _ => trace / count,
            };
            let proportion = weight(&plain, layer) * of_nothing / (share * variance);
            // Weights have three digits.
            assert!((proportion - 1.0).abs() < 0.0051, "{loss:?} {form:?} {layer}: {proportion}");
        }
        assert_eq!(weight(&plain, "conv3_1"), 0.0, "a layer without a weight keeps none");
    }
}

#[test]
fn a_soft_painting_weighs_as_much_as_a_loud_one() {
    let content = waves::waves(SIDE, SIDE, 0.0, 100.0);
    let [loud, soft] = [1.0, 0.2].map(|contrast| plain(&recipe(), &content, &painting(contrast)));
    // Its features are smaller, so its layers weigh more; plain weights would be the same.
    for layer in ["conv1_1", "conv2_1"] {
        assert!(weight(&soft, layer) > 1.1 * weight(&loud, layer), "{layer}");
    }
}

#[test]
fn what_is_painted_is_what_the_plain_recipe_paints() {
    let (content, painting) = (waves::waves(SIDE, SIDE, 0.0, 100.0), painting(0.5));
    let images = Images {
        content: &content,
        styles: std::slice::from_ref(&painting),
        start: None,
        guides: GuideImages::default(),
    };
    let [in_proportion, in_plain] = [recipe().resolve().unwrap(), plain(&recipe(), &content, &painting)]
        .map(|recipe| paint(&recipe, &engine(), images, None, &mut |_| Control::Continue).unwrap());
    assert_eq!(in_proportion, in_plain);
    let other = Recipe { balance: Some(Balance::Plain), ..recipe() }.resolve().unwrap();
    assert_ne!(in_plain.picture, paint(&other, &engine(), images, None, &mut |_| Control::Continue).unwrap().picture);
}

#[test]
fn flat_images_have_weights_that_are_numbers() {
    let flat = |value| Picture { width: SIDE, height: SIDE, values: vec![value; 3 * SIDE * SIDE] };
    let content = waves::waves(SIDE, SIDE, 0.0, 100.0);
    for (content, style) in [(flat(0.0), flat(255.0)), (flat(128.0), painting(1.0)), (content, flat(0.0))] {
        let plain = plain(&recipe(), &content, &style);
        assert!(plain.style_layers.values().all(|weight| weight.is_finite()), "{:?}", plain.style_layers);
    }
}

#[test]
fn proportions_of_a_loss_that_grows_with_the_picture_are_refused() {
    let recipe = Recipe { content_form: Some(ContentForm::Paper), ..recipe() };
    assert_eq!(recipe.resolve().unwrap_err(), RecipeError::BalanceForm);
}
