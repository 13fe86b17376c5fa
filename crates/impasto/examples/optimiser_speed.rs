//! What L-BFGS itself takes beside the evaluations: the time of a step with a full history, and the memory.
//!
//! ```sh
//! cargo run --release -p impasto --example optimiser_speed -- 256x256 384x288 512x512 1024x1024
//! ```
//!
//! Pictures and slopes are made up, and that is not timed; the histories are the default preset's and the presets' that follow
//! others, as they are cut at that size.
#![forbid(unsafe_code)]

use std::error::Error;
use std::time::Instant;

use impasto::optimiser::{Step, optimiser};
use impasto::recipe::Size;
use impasto::{Recipe, ResolvedRecipe};

/// Steps that are timed once the history is full.
const TIMED: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    println!("size history median_s least_s mib");
    for size in std::env::args().skip(1) {
        let Size::Exact { width, height } = size.parse()? else { return Err("give sizes as WIDTHxHEIGHT".into()) };
        let (width, height) = (width as usize, height as usize);
        for preset in ["default", "authors"] {
            let recipe = Recipe { preset: Some(preset.into()), ..Recipe::default() };
            let recipe = recipe.resolve()?.with_affordable_history(width, height);
            let (times, mib) = times_of_steps(&recipe, width, height)?;
            println!("{size} {} {:.4} {:.4} {mib}", recipe.history, times[TIMED / 2], times[0]);
        }
    }
    Ok(())
}

/// The seconds of [`TIMED`] steps with a full history, least first, and the optimiser's memory in MiB.
fn times_of_steps(recipe: &ResolvedRecipe, width: usize, height: usize) -> Result<(Vec<f64>, u64), Box<dyn Error>> {
    let mut lbfgs = optimiser(recipe, width, height);
    let values = 3 * width * height;
    let (mut picture, mut gradient) = (vec![0.0_f32; values], vec![0.0_f32; values]);
    let mut times = Vec::new();
    for round in 0..recipe.history as usize + TIMED {
        place_in_a_bowl(round, &mut picture, &mut gradient);
        // Falls so fast that every step is accepted.
        let loss = 1e20 - 1e17 * round as f64;
        let started = Instant::now();
        if lbfgs.advance(&mut picture, loss, &gradient) != Step::Accepted {
            return Err("a step was rejected, so the time would not be that of a step".into());
        }
        times.push(started.elapsed().as_secs_f64());
    }
    let mut timed = times.split_off(recipe.history as usize);
    timed.sort_by(f64::total_cmp);
    Ok((timed, lbfgs.bytes(values) >> 20))
}

/// A picture of its own for each round, and its slope in a bowl of stiffness from 1 to 3000: every pair curves upwards.
fn place_in_a_bowl(round: usize, picture: &mut [f32], gradient: &mut [f32]) {
    for (place, (value, slope)) in picture.iter_mut().zip(gradient).enumerate() {
        let stiffness =
            [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0][place * 31 % 7] * (1.0 + (place % 101) as f32 / 50.0);
        *value = ((place * 7 + place / 17 + round * 13) % 199) as f32;
        *slope = stiffness * (*value - 100.0);
    }
}
