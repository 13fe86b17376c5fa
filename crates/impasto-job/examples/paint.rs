//! The smallest front end: paints PHOTO after PAINTING into OUTPUT, and says each evaluation's loss.
//!
//! ```sh
//! cargo run --release -p impasto-job --example paint -- photo.jpg painting.jpg painted.png 256
//! ```
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::Arc;

use impasto::{Control, Recipe};
use impasto_job::{DeviceChoice, Engines, Failure, Files, Job, JobEvent, Order};

fn main() -> Result<(), Failure> {
    paint(&std::env::args().skip(1).collect::<Vec<_>>())
}

/// Paints what the arguments say: PHOTO PAINTING OUTPUT SIZE.
pub fn paint(arguments: &[String]) -> Result<(), Failure> {
    let [photo, painting, output, size] = arguments else {
        return Err(Failure::usage("give a photo, a painting, the picture to write, and its size in pixels"));
    };
    let recipe = Recipe { size: Some(size.parse()?), ..Recipe::default() };
    let order = Order { content: Some(photo.into()), styles: vec![painting.into()], recipe, ..Order::default() };
    let files = Files { output: Some(PathBuf::from(output).into()), ..Files::default() };
    let job = Job::new(&order, &files, None)?;

    let mut engines = Engines::for_one_job(DeviceChoice::Cpu, None, Arc::new(|note: &str| eprintln!("{note}")));
    let finished = job.prepare(&mut engines)?.perform(&mut |event| {
        if let JobEvent::Iteration { progress, .. } = event {
            println!("{} {:.4e}", progress.evaluations, progress.loss);
        }
        Control::Continue
    })?;
    finished.failure().map_or(Ok(()), Err)
}
