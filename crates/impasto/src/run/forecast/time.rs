//! The time that a run takes, from an evaluation or two of small pictures.

use std::time::Instant;

use impasto_vgg::{Bank, Engine, EngineError, MatchedTap, Moments, Precision, SessionRequest};

use super::memory::taps_at;
use super::timeline;
use crate::objective::matching::{matched_taps, sample_request};
use crate::objective::wrap::Wrap;
use crate::objective::{Objective, RegionStyle, request, style_moments};
use crate::recipe::precision::precision_of;
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{OptimizerKind, StyleLoss};
use crate::run::scales::{Scale, smaller_scales, style_size};

/// Side of the picture that is timed, in pixels.
const SAMPLE_SIDE_PX: usize = 192;

/// Side of the second picture that is timed, in pixels, and how quick the first has to be for that: an engine that is done
/// with it in this time has most of it from what does not grow with the picture, or is quick enough for another.
const LARGE_SAMPLE_SIDE_PX: usize = 384;
const QUICK_SAMPLE_S: f64 = 0.05;

/// Side of the picture whose style losses are timed beside each other, in pixels: one that takes little else.
const LOSS_SAMPLE_SIDE_PX: usize = 64;

/// Time of an evaluation by its precision, relative to f32's (where bfloat16 is used at all it is faster).
const BF16_TIME: f64 = 0.63;
const MIXED_TIME: f64 = 0.82;

/// What L-BFGS adds to the time of an evaluation, whatever it remembers, and for each pair; Adam adds next to nothing.
const LBFGS_TIME: f64 = 0.015;
const LBFGS_PAIR_TIME: f64 = 0.0007;

/// What L-BFGS adds where an engine is quick and has its own memory, and the history in it (H200: 13 to 19% at 2048 to 512,
/// more below). Beside a slow card the processor's part is small.
const LBFGS_TIME_ELSEWHERE: f64 = 0.2;

/// Time of the style images' moments, a pixel, relative to an evaluation's: forward only.
const STYLE_TIME: f64 = 0.45;

/// The time that a run takes, in seconds: evaluates a small picture a few times, which takes a second or so.
///
/// # Errors
/// What the engine reports.
pub fn seconds(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    scales: &[Scale],
    style_sizes: &[(usize, usize)],
) -> Result<f64, EngineError> {
    let stretches = timeline::stretches(recipe, scales);
    stretches.iter().map(|(recipe, scales)| seconds_by_one(recipe, engine, scales, style_sizes)).sum()
}

/// As [`seconds`], of a recipe that does not change.
fn seconds_by_one(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    scales: &[Scale],
    style_sizes: &[(usize, usize)],
) -> Result<f64, EngineError> {
    let sampled = precision_of(recipe.precision, engine, true);
    // As if it had been f32, which all shares of time are relative to.
    let with_grams = ResolvedRecipe { style_loss: StyleLoss::Gram, ..recipe.clone() };
    let pace = Pace::of(&with_grams, engine, sampled)?.over(time_of(sampled));
    // What another loss takes more is the processor's, whatever the size and the precision.
    let of_loss = match recipe.style_loss {
        StyleLoss::Gram => 0.0,
        _ => {
            let [own, grams] = [recipe, &with_grams].map(|it| Sample::of(it, engine, sampled, LOSS_SAMPLE_SIDE_PX));
            (own?.seconds - grams?.seconds).max(0.0)
        }
    };
    let with_optimiser = match recipe.optimizer {
        OptimizerKind::Lbfgs if engine.describe().has_own_memory && pace.is_quick() => LBFGS_TIME_ELSEWHERE,
        OptimizerKind::Lbfgs => LBFGS_TIME + LBFGS_PAIR_TIME * f64::from(recipe.history),
        OptimizerKind::Adam => 0.0,
    };
    let matching = MatchPace::of(recipe, engine)?;
    let of_scale = |(index, scale): (usize, &Scale)| {
        if scale.evaluations == 0 {
            return 0.0;
        }
        let is_full = index + 1 == scales.len();
        let time = time_of(precision_of(recipe.precision, engine, is_full));
        let evaluations = f64::from(scale.evaluations) * (time + with_optimiser);
        let sizes: Vec<Scale> = std::iter::once(*scale).chain(smaller_scales(recipe, scale)).collect();
        let styles_at = |scale: &Scale| -> f64 {
            let styles = style_sizes.iter().enumerate().map(|(place, &size)| style_size(recipe, place, scale, size));
            styles.map(|(width, height)| STYLE_TIME * pace.seconds(width * height)).sum()
        };
        let of_styles: f64 = sizes.iter().map(styles_at).sum();
        let of_losses = f64::from(scale.evaluations) * of_loss * sizes.len() as f64;
        let of_matches = matching.map_or(0.0, |matching| {
            let parts = (recipe.regions.len() + 1) as f64;
            let matches = parts * f64::from(scale.evaluations.div_ceil(recipe.match_every));
            matches * matching.seconds(scale, &taps_at(recipe, scale, style_sizes), &pace)
        });
        let of_evaluation: f64 = sizes.iter().map(|size| pace.seconds(seen_pixels(recipe, size))).sum();
        evaluations * of_evaluation + of_losses + of_styles + of_matches
    };
    Ok(scales.iter().enumerate().map(of_scale).sum())
}

/// Pixels that the network sees of a picture at a scale.
fn seen_pixels(recipe: &ResolvedRecipe, scale: &Scale) -> usize {
    let wrap = Wrap::of(recipe, scale.width, scale.height);
    wrap.map_or(scale.width * scale.height, |wrap| wrap.seen_width() * wrap.seen_height())
}

/// Time of an evaluation by its precision, relative to f32's.
fn time_of(precision: Precision) -> f64 {
    match precision {
        // What shorter maps gain in time depends on the GPU: nothing is counted on.
        Precision::F32 | Precision::F16 => 1.0,
        Precision::Mixed => MIXED_TIME,
        Precision::Bf16 => BF16_TIME,
    }
}

/// How the time of an evaluation grows with the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    /// Whatever the size, in seconds.
    fixed_s: f64,
    pixel_s: f64,
}

impl Pace {
    /// As two pictures show it, or one.
    fn of(recipe: &ResolvedRecipe, engine: &dyn Engine, precision: Precision) -> Result<Pace, EngineError> {
        let small = Sample::of(recipe, engine, precision, SAMPLE_SIDE_PX)?;
        // Where there is no room for the larger one, the small one has to do.
        let large = Pace::through(small)
            .is_quick()
            .then(|| Sample::of(recipe, engine, precision, LARGE_SAMPLE_SIDE_PX).ok())
            .flatten();
        Ok(large.map_or_else(|| Pace::through(small), |large| Pace::between(small, large)))
    }

    /// In proportion to the pixels.
    fn through(sample: Sample) -> Pace {
        Pace { fixed_s: 0.0, pixel_s: sample.seconds / sample.pixels as f64 }
    }

    /// The line through both. Neither part of it is negative, whatever was at work beside the one or the other.
    fn between(small: Sample, large: Sample) -> Pace {
        let pixel_s = (large.seconds - small.seconds) / (large.pixels - small.pixels) as f64;
        let fixed_s = small.seconds - pixel_s * small.pixels as f64;
        if pixel_s > 0.0 && fixed_s > 0.0 { Pace { fixed_s, pixel_s } } else { Pace::through(large) }
    }

    fn over(self, divisor: f64) -> Pace {
        Pace { fixed_s: self.fixed_s / divisor, pixel_s: self.pixel_s / divisor }
    }

    /// Whether the first of the pictures is done in [`QUICK_SAMPLE_S`].
    fn is_quick(self) -> bool {
        self.seconds(SAMPLE_SIDE_PX * SAMPLE_SIDE_PX) <= QUICK_SAMPLE_S
    }

    /// The time of an evaluation of so many pixels.
    fn seconds(self, pixels: usize) -> f64 {
        self.fixed_s + self.pixel_s * pixels as f64
    }
}

/// How long it takes to match a picture's features.
#[derive(Clone, Copy, Debug)]
struct MatchPace {
    product_s: f64,
}

/// Time of the features that are matched, relative to an evaluation's: forward only, and of some maps twice.
const MATCHED_FORWARD_TIME: f64 = 0.5;

/// Products of a position with an entry, a channel each, that a picture's matches take.
fn products(width: usize, height: usize, taps: &[MatchedTap]) -> f64 {
    let of_tap = |tap: &MatchedTap| {
        let (map_height, map_width) = tap.layer.map_size(height, width);
        (map_height * map_width) as f64 * (tap.entries * tap.layer.channels()) as f64
    };
    taps.iter().map(of_tap).sum()
}

impl MatchPace {
    /// As the difference between matches in a bank of few entries and in one of many shows it; `None` where nothing is
    /// matched.
    fn of(recipe: &ResolvedRecipe, engine: &dyn Engine) -> Result<Option<MatchPace>, EngineError> {
        if recipe.counted_match_layers().is_empty() {
            return Ok(None);
        }
        let side = SAMPLE_SIDE_PX;
        let picture: Vec<f32> = (0..3 * side * side).map(|place| (place * 37 % 251) as f32).collect();
        let time = |entries: usize| -> Result<(f64, f64), EngineError> {
            let taps: Vec<MatchedTap> =
                matched_taps(recipe, &[(side, side)]).into_iter().map(|tap| MatchedTap { entries, ..tap }).collect();
            let mut request = sample_request(recipe, side, side, None);
            request.matched_taps.clone_from(&taps);
            let mut session = engine.session(&request)?;
            let bank = |tap: &MatchedTap| Bank {
                layer: tap.layer,
                features: (0..entries * tap.layer.channels()).map(|place| (place * 41 % 251) as f32).collect(),
            };
            session.set_banks(&taps.iter().map(bank).collect::<Vec<_>>())?;
            let mut seconds = f64::INFINITY;
            for _ in 0..2 {
                let started = Instant::now();
                session.find_matches(&picture)?;
                seconds = started.elapsed().as_secs_f64().min(seconds);
            }
            Ok((products(side, side, &taps), seconds))
        };
        let [few, many] = [time(64)?, time(1024)?];
        Ok(Some(MatchPace { product_s: ((many.1 - few.1) / (many.0 - few.0)).max(0.0) }))
    }

    /// The time of a match at a scale.
    fn seconds(self, scale: &Scale, taps: &[MatchedTap], pace: &Pace) -> f64 {
        let of_forward = MATCHED_FORWARD_TIME * pace.seconds(scale.width * scale.height);
        of_forward + self.product_s * products(scale.width, scale.height, taps)
    }
}

/// A picture that was timed.
#[derive(Clone, Copy, Debug)]
struct Sample {
    pixels: usize,
    seconds: f64,
}

impl Sample {
    /// The faster of two evaluations of a square of this side.
    fn of(
        recipe: &ResolvedRecipe,
        engine: &dyn Engine,
        precision: Precision,
        side: usize,
    ) -> Result<Sample, EngineError> {
        let picture: Vec<f32> = (0..3 * side * side).map(|place| (place * 37 % 251) as f32).collect();
        let moments: Vec<Moments> = style_moments(recipe, engine, &picture, side, side, None)?;
        let request = SessionRequest { precision, ..request(recipe, side, side, None) };
        let style = RegionStyle { styles: vec![(moments, 1.0)], share: 1.0, layers: recipe.style_layers.clone() };
        let mut objective = Objective::of_regions(recipe, &vec![style; request.guides.moments_a_tap()]);
        let mut session = engine.session(&request)?;
        if request.guides.emphasis {
            session.set_emphasis(&vec![1.0; side * side])?;
        }
        session.set_content(&picture)?;
        if request.guides.regions > 0 {
            session.set_masks(&strips(request.guides.regions, side))?;
        }
        let mut gradient = vec![0.0; picture.len()];
        let mut seconds = f64::INFINITY;
        for _ in 0..2 {
            let started = Instant::now();
            objective.evaluate(session.as_mut(), &picture, &mut gradient)?;
            seconds = started.elapsed().as_secs_f64().min(seconds);
        }
        Ok(Sample { pixels: side * side, seconds })
    }
}

/// Masks of strips side by side, as many as there are regions: `[regions, side, side]`.
fn strips(regions: usize, side: usize) -> Vec<f32> {
    let region_of = |x: usize| x * regions / side;
    let mask =
        |region: usize| (0..side * side).map(move |place| f32::from(u8::from(region_of(place % side) == region)));
    // More regions than columns: the last ones have no strip, and see everything instead.
    (0..regions)
        .flat_map(|region| {
            let mask: Vec<f32> = mask(region).collect();
            if mask.contains(&1.0) { mask } else { vec![1.0; side * side] }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_grow_with_the_picture_is_not_scaled() {
        let sample = |side: usize, seconds| Sample { pixels: side * side, seconds };
        // An H100's evaluations at 256, 512 and 2048 (docs/records/2026-11-26-gpu-h100.md).
        let pace = Pace::between(sample(256, 0.0055), sample(512, 0.01165));
        assert!((pace.seconds(2048 * 2048) - 0.137).abs() < 0.01, "{pace:?}");
        // Something else was at work: the larger one counts.
        for (small, large) in [(0.02, 0.02), (0.02, 0.01), (0.001, 0.02)] {
            let pace = Pace::between(sample(192, small), sample(384, large));
            assert_eq!(pace, Pace::through(sample(384, large)));
        }
        assert_eq!(pace.over(2.0).seconds(100), pace.seconds(100) / 2.0);
    }
}
