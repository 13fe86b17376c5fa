//! The preset `tutorial` against the same steps done in PyTorch.
//!
//! `data/tutorial_64x48.safetensors` was written by `scripts/compare_tutorial.py write assets/chelsea.png
//! assets/waves.jpg`: images, start and losses of 20 steps in float64, none of it from impasto.

use std::path::PathBuf;

use impasto::objective::Losses;
use impasto::recipe::{Recipe, Size, Start};
use impasto::{Control, Event, GuideImages, Images, Picture, paint};
use impasto_vgg::{CpuEngine, CpuOptions, Weights};
use safetensors::{Dtype, SafeTensors};

const FILE: &[u8] = include_bytes!("data/tutorial_64x48.safetensors");

/// How far a loss may be from PyTorch's, relatively: at the start, where only rounding differs, and after any step.
const AT_START: f64 = 1e-5;
const AFTER_STEPS: f64 = 1e-2;

fn picture(file: &SafeTensors<'_>, name: &str) -> Picture {
    let tensor = file.tensor(name).unwrap();
    let values = match tensor.dtype() {
        Dtype::U8 => tensor.data().iter().map(|&value| f32::from(value)).collect(),
        _ => tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
    };
    Picture::new(tensor.shape()[2], tensor.shape()[1], values).unwrap()
}

fn series(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    file.tensor(name).unwrap().data().as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

/// The losses at the start and after each step.
fn painted(file: &SafeTensors<'_>, evaluations: usize) -> Vec<Losses> {
    let (content, style, start) = (picture(file, "content"), picture(file, "style"), picture(file, "start"));
    let recipe = Recipe {
        preset: Some("tutorial".to_owned()),
        size: Some(Size::Exact { width: content.width as u32, height: content.height as u32 }),
        iterations: Some(evaluations as u32),
        init: Some(Start::File(PathBuf::from("start"))),
        ..Recipe::default()
    };
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions::default()).unwrap();
    let images = Images { content: &content, styles: &[style], start: Some(&start), guides: GuideImages::default() };
    let mut curve = Vec::new();
    let mut observer = |event: Event<'_>| {
        if let Event::Iteration(iteration) = event {
            curve.push(iteration.losses.clone());
        }
        Control::Continue
    };
    paint(&recipe.resolve().unwrap(), &engine, images, None, &mut observer).unwrap();
    curve
}

#[test]
fn twenty_steps_have_pytorch_s_losses() {
    let file = SafeTensors::deserialize(FILE).unwrap();
    let expected = |name: &str| series(&file, name);
    let curve = painted(&file, expected("total").len());
    assert_eq!(curve.len(), 21);
    let mut compared: Vec<(String, Vec<f64>, Vec<f64>)> = vec![
        ("total".to_owned(), curve.iter().map(|losses| losses.total).collect(), expected("total")),
        // impasto's content loss is the mean, the port's a quarter of it.
        ("content".to_owned(), curve.iter().map(|losses| losses.content / 4.0).collect(), expected("content_loss")),
        ("style".to_owned(), curve.iter().map(|losses| losses.style).collect(), expected("style_loss")),
    ];
    for place in 0..5 {
        let name = format!("style_loss.{}", curve[0].style_layers[place].layer.name());
        let ours = curve.iter().map(|losses| losses.style_layers[place].loss).collect();
        compared.push((name.clone(), ours, expected(&name)));
    }
    for (name, ours, theirs) in &compared {
        for (step, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let allowed = if step == 0 { AT_START } else { AFTER_STEPS };
            let difference = (ours - theirs).abs() / theirs;
            assert!(difference <= allowed, "{name} after {step} steps: {ours}, not {theirs} ({difference:.1e})");
        }
    }
}

#[test]
fn the_start_is_the_port_s_blend() {
    // Its noise is of another generator; what it is mixed from is the same: mean + 0.6 noise + 0.4 content.
    let file = SafeTensors::deserialize(FILE).unwrap();
    let content = picture(&file, "content");
    let recipe = Recipe { preset: Some("tutorial".to_owned()), ..Recipe::default() }.resolve().unwrap();
    let images = impasto::start::StartImages { content: &content, style: None, file: None };
    let ours = impasto::start::start_picture(&recipe, images).unwrap().unwrap();
    for start in [ours, picture(&file, "start")] {
        let noise: Vec<f64> = (0..3 * 64 * 48)
            .map(|place| {
                let mean = [123.68, 116.779, 103.939][place / (64 * 48)];
                (f64::from(start.values[place]) - mean - 0.4 * f64::from(content.values[place])) / 0.6
            })
            .collect();
        assert!(noise.iter().all(|noise| noise.abs() <= 20.0 + 1e-4));
        // Five standard errors of 9,216 uniform draws.
        let mean = noise.iter().sum::<f64>() / noise.len() as f64;
        assert!(mean.abs() < 5.0 * 20.0 / (3.0 * noise.len() as f64).sqrt(), "{mean}");
        assert!(noise.iter().any(|&noise| noise > 19.0) && noise.iter().any(|&noise| noise < -19.0));
    }
}
