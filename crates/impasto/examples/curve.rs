//! The objective after each evaluation, for measuring optimisers: a line for each accepted evaluation, with what the
//! optimiser itself took.
//!
//! ```sh
//! cargo run --release --example curve -- CONTENT STYLE RECIPE.json
//! ```
//!
//! where the recipe may be as short as `{"preset": "authors", "pool": "avg", "size": "384", "iterations": 300}`.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use impasto::read::{ReadLimits, read_picture};
use impasto::{Control, Event, GuideImages, Images, Recipe, paint};
use impasto_vgg::{CpuEngine, CpuOptions, Weights};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [content, style, recipe] = &arguments[..] else {
        return Err("give a content image, a style image and a recipe file".into());
    };
    let read = |path: &str| read_picture(Path::new(path), &ReadLimits::default()).map(|read| read.picture);
    let (content, style) = (read(content)?, read(style)?);
    let recipe = Recipe::from_json(&std::fs::read_to_string(recipe)?)?.resolve()?;
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions::default())?;
    let images = Images { content: &content, styles: &[style], start: None, guides: GuideImages::default() };
    let begun = Instant::now();
    let mut observer = |event: Event<'_>| {
        match event {
            Event::Iteration(now) => println!(
                "{:4} of {:4} evaluations, {}x{}: {:.1} ({:.2} s)",
                now.iteration,
                now.evaluations,
                now.width,
                now.height,
                now.losses.total,
                begun.elapsed().as_secs_f64()
            ),
            Event::StepRejected { evaluations, loss, rejection } => {
                println!("     of {evaluations:4} evaluations: {loss:.1} rejected: {rejection}");
            }
            Event::Started { .. } | Event::ScaleStarted { .. } | Event::Changed { .. } => {}
        }
        Control::Continue
    };
    paint(&recipe, &engine, images, None, &mut observer)?;
    Ok(())
}
