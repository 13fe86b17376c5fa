//! What a run works on and its losses, as numbers: for another implementation to start from the same and be compared.
//!
//! ```sh
//! cargo run --release --example trace -- CONTENT STYLE RECIPE.json OUT.safetensors
//! ```
//!
//! where the recipe may be as short as `{"preset": "tutorial", "iterations": 21}`. It has one size (`"levels": 1`). The
//! file holds `content`, `style` and `start` as the run has them, cropped and scaled, `[3, height, width]` in f32, RGB
//! 0..255; for each accepted evaluation, in f64, `total`, `content_loss`, `style_loss` and `style_loss.LAYER`, before
//! weights but the total; and the resolved recipe as the metadata `recipe`.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::Path;

use impasto::objective::Losses;
use impasto::read::{ReadLimits, read_picture};
use impasto::recipe::{Size, StyleFit, StyleScale};
use impasto::start::{StartImages, start_picture};
use impasto::{Control, Event, GuideImages, Images, Picture, Recipe, ResolvedRecipe, paint};
use impasto_vgg::{CpuEngine, CpuOptions, Weights};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [content, style, recipe, output] = &arguments[..] else {
        return Err("give a content image, a style image, a recipe file and the file to write".into());
    };
    let read = |path: &str| read_picture(Path::new(path), &ReadLimits::default()).map(|read| read.picture);
    let recipe = Recipe::from_json(&std::fs::read_to_string(recipe)?)?.resolve()?;
    let (content, style) = sized(&recipe, &read(content)?, &read(style)?)?;
    let start = start_picture(&recipe, StartImages { content: &content, style: Some(&style), file: None })?;
    let start = start.ok_or("start from content, style, noise or blend")?;

    let engine = CpuEngine::new(Weights::embedded(), CpuOptions::default())?;
    let images =
        Images { content: &content, styles: std::slice::from_ref(&style), start: None, guides: GuideImages::default() };
    let mut curve: Vec<Losses> = Vec::new();
    paint(&recipe, &engine, images, None, &mut |event| {
        if let Event::Iteration(iteration) = event {
            curve.push(iteration.losses.clone());
        }
        Control::Continue
    })?;
    write(output, &recipe, &[("content", &content), ("style", &style), ("start", &start)], &curve)
}

/// The images at the size of the run; only recipes where both have one size.
fn sized(recipe: &ResolvedRecipe, content: &Picture, style: &Picture) -> Result<(Picture, Picture), Box<dyn Error>> {
    match recipe {
        ResolvedRecipe { size: Size::Exact { width, height }, style_fit: StyleFit::Crop, levels: 1, .. }
            if recipe.style_scale == StyleScale::All(1.0) =>
        {
            let (width, height) = (*width as usize, *height as usize);
            Ok((content.cropped_to_fit(width, height)?, style.cropped_to_fit(width, height)?))
        }
        _ => Err("give a recipe of one level whose size is WxH and whose style image is cropped to it".into()),
    }
}

fn write(
    path: &str,
    recipe: &ResolvedRecipe,
    pictures: &[(&str, &Picture)],
    curve: &[Losses],
) -> Result<(), Box<dyn Error>> {
    let mut tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, picture) in pictures {
        let bytes = picture.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensors.insert((*name).to_owned(), (Dtype::F32, vec![3, picture.height, picture.width], bytes));
    }
    let mut series = |name: String, value: &dyn Fn(&Losses) -> f64| {
        let bytes = curve.iter().flat_map(|losses| value(losses).to_le_bytes()).collect();
        tensors.insert(name, (Dtype::F64, vec![curve.len()], bytes));
    };
    series("total".to_owned(), &|losses| losses.total);
    series("content_loss".to_owned(), &|losses| losses.content);
    series("style_loss".to_owned(), &|losses| losses.style);
    for (place, layer) in curve.iter().take(1).flat_map(|losses| losses.style_layers.iter().enumerate()) {
        series(format!("style_loss.{}", layer.layer.name()), &|losses| losses.style_layers[place].loss);
    }
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    let metadata = HashMap::from([("recipe".to_owned(), recipe.to_json())]);
    Ok(std::fs::write(path, safetensors::serialize(views, Some(metadata))?)?)
}
