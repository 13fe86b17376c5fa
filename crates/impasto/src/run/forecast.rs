//! What a run will take, said before it begins: memory from the sizes of all that it holds, time from one small evaluation.
//!
//! ```text
//!   memory   the images as read  +  the larger of   a style image's session
//!                                                   the picture's session, its planes of pixels, the optimiser, the
//!                                                   matrices of its style loss
//!   time     sum over scales of  evaluations x (seconds whatever the size + pixels x seconds a pixel)
//!                              + matches x (share of an evaluation + products x seconds a product)
//!            (measured at 192 x 192 and, where that is quick, at 384 x 384; then scaled)
//! ```
//!
//! This is the only file of the library that looks at a clock; nothing that it finds goes into the picture.

mod timeline;

use std::time::Instant;

use impasto_vgg::{Bank, Engine, EngineError, MatchedTap, Moments, Precision, SessionRequest};

use crate::objective::matching::{matched_taps, sample_request};
use crate::objective::{Objective, RegionStyle, request, style_loss_bytes, style_moments, style_request};
use crate::optimiser::{Optimiser, optimiser};
use crate::recipe::precision::precision_of;
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{Colours, OptimizerKind, Rest, StyleLoss};
use crate::run::scales::{Scale, style_size};

pub use crate::recipe::history::{HISTORY_BYTES, LEAST_HISTORY, affordable_history};

/// Side of the picture that is timed, in pixels.
const SAMPLE_SIDE_PX: usize = 192;

/// Side of the second picture that is timed, in pixels, and how quick the first has to be for that: an engine that is done
/// with it in this time has most of it from what does not grow with the picture, or is quick enough for another.
const LARGE_SAMPLE_SIDE_PX: usize = 384;
const QUICK_SAMPLE_S: f64 = 0.05;

/// Side of the picture whose style losses are timed beside each other, in pixels: one that takes little else.
const LOSS_SAMPLE_SIDE_PX: usize = 64;

/// Memory of the program itself: its code, the weights inside it, threads.
const PROGRAM_BYTES: u64 = 56 << 20;

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

/// Most memory at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryNeed {
    /// The processor's, in bytes.
    pub bytes: u64,
    /// A GPU's own, in bytes; 0 where the network runs in the processor's.
    pub device_bytes: u64,
}

/// What a run will take.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Most memory at once.
    pub memory: MemoryNeed,
    /// Time to the picture, in seconds, without the reading and writing of files.
    pub seconds: f64,
}

/// The memory that a run takes at most, whatever its timeline changes. `image_pixels` counts the pixels of all images that were read,
/// `style_sizes` are the widths and heights of the style images among them.
///
/// # Errors
/// A picture for which even the least memory is more than the limit.
pub fn memory_need(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    scales: &[Scale],
    image_pixels: u64,
    style_sizes: &[(usize, usize)],
    memory_limit_bytes: Option<u64>,
) -> Result<MemoryNeed, EngineError> {
    let mut most = MemoryNeed::default();
    for recipe in timeline::kinds(recipe) {
        let need = memory_by_one(&recipe, engine, scales, image_pixels, style_sizes, memory_limit_bytes)?;
        most = MemoryNeed { bytes: most.bytes.max(need.bytes), device_bytes: most.device_bytes.max(need.device_bytes) };
    }
    Ok(most)
}

/// As [`memory_need`], of a recipe that does not change.
fn memory_by_one(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    scales: &[Scale],
    image_pixels: u64,
    style_sizes: &[(usize, usize)],
    memory_limit_bytes: Option<u64>,
) -> Result<MemoryNeed, EngineError> {
    let Some(full) = scales.last() else { return Ok(MemoryNeed { bytes: PROGRAM_BYTES, device_bytes: 0 }) };
    let (mut of_styles, mut largest_session) = (0, 0);
    let is_elsewhere = engine.describe().has_own_memory;
    let mut session_bytes = |request: &SessionRequest| {
        let bytes = engine.session_bytes(request)?;
        largest_session = bytes.max(largest_session);
        Ok::<u64, EngineError>(if is_elsewhere { 0 } else { bytes })
    };
    for &style in style_sizes {
        let (width, height) = style_size(recipe, full, style);
        let mut request = style_request(recipe, width, height, memory_limit_bytes);
        request.guides.regions = usize::from(recipe.regions.iter().any(|region| region.painting_mask.is_some()));
        if !request.style_taps.is_empty() {
            of_styles = session_bytes(&request)?.max(of_styles) + planes((width * height) as u64);
        }
        let request = sample_request(recipe, width, height, memory_limit_bytes);
        if !request.matched_taps.is_empty() {
            // The image at this size, and turned.
            of_styles = session_bytes(&request)?.max(of_styles) + planes(2 * (width * height) as u64);
        }
    }
    let values = 3 * full.width * full.height;
    let mut request = request(recipe, full.width, full.height, memory_limit_bytes);
    request.precision = precision_of(recipe.precision, engine, true);
    request.matched_taps = taps_at(recipe, full, style_sizes);
    // As they come from the style images, and what was found in them, to be kept: the session has its own.
    let of_banks: u64 = request.matched_taps.iter().map(|tap| (tap.entries * tap.layer.channels()) as u64).sum();
    let found = |tap: &MatchedTap| {
        let (height, width) = tap.layer.map_size(full.height, full.width);
        (height * width) as u64
    };
    let of_matches = 4 * (of_banks + request.matched_taps.iter().map(found).sum::<u64>());
    // It remembers no more pairs than there are evaluations.
    let optimiser = optimiser_of(recipe, recipe.history.min(full.evaluations));
    let of_picture = session_bytes(&request)? + beside_the_session(recipe, full) + of_matches;
    // A history that does not fit beside the session is not kept there.
    let with_history = engine.session_bytes(&request)? + engine.history_bytes(optimiser.remembers(), values);
    if memory_limit_bytes.is_none_or(|limit| with_history <= limit) {
        largest_session = largest_session.max(with_history);
    }
    Ok(MemoryNeed {
        bytes: PROGRAM_BYTES + planes(image_pixels) + of_styles.max(of_picture),
        device_bytes: if is_elsewhere { largest_session } else { 0 },
    })
}

/// The matched taps at a scale, for style images of these sizes as they were read.
fn taps_at(recipe: &ResolvedRecipe, scale: &Scale, style_sizes: &[(usize, usize)]) -> Vec<MatchedTap> {
    let sizes: Vec<(usize, usize)> = style_sizes.iter().map(|&size| style_size(recipe, scale, size)).collect();
    matched_taps(recipe, &sizes)
}

/// What of the processor's memory a run takes beside the network at its full size. `image_pixels` counts the pixels of all
/// images that were read.
pub fn memory_beside_network(recipe: &ResolvedRecipe, full: &Scale, image_pixels: u64) -> u64 {
    let most = timeline::kinds(recipe).iter().map(|recipe| beside_the_session(recipe, full)).max();
    PROGRAM_BYTES + planes(image_pixels) + most.unwrap_or_default()
}

/// What stands beside the picture's session: the picture, its gradient, the picture that is handed out, the content image
/// where its colours are wanted or it is mixed in, the optimiser, the matrices of the style loss.
fn beside_the_session(recipe: &ResolvedRecipe, full: &Scale) -> u64 {
    let mixes_photo = recipe.match_photo > 0.0 && !recipe.counted_match_layers().is_empty();
    // It is mixed with the picture in another.
    // The photo is held, and what is seen is not what moves.
    let holds_photo = recipe.rest == Rest::Photo;
    let content = u64::from(recipe.colours == Colours::Photo) + 2 * u64::from(holds_photo);
    let pictures = 3 + content + 2 * u64::from(mixes_photo);
    // A plane each: masks, the rest, what may move, and the emphasis.
    let masks = if recipe.regions.is_empty() { 0 } else { recipe.regions.len() as u64 + 2 };
    let maps = 4 * (masks + u64::from(recipe.emphasis.is_some()));
    let pixels = (full.width * full.height) as u64;
    // Pairs of steps: one fewer than evaluations, of which the optimiser counts one beside its history.
    let history = recipe.history.min(full.evaluations.saturating_sub(2));
    let of_optimiser = optimiser_of(recipe, history).bytes(3 * full.width * full.height);
    // Another region's moments, their derivatives and its targets: three matrices in f64.
    let channels = recipe.counted_style_layers().into_iter().map(|(layer, _)| layer.channels() as u64);
    let of_region: u64 = channels.map(|channels| 3 * 8 * channels * channels).sum();
    let regions = recipe.regions.len() as u64 * of_region;
    planes(pictures * pixels) + maps * pixels + of_optimiser + style_loss_bytes(recipe) + regions
}

/// Bytes of pictures of so many pixels.
fn planes(pixels: u64) -> u64 {
    12 * pixels
}

/// The recipe's optimiser with this history.
fn optimiser_of(recipe: &ResolvedRecipe, history: u32) -> Box<dyn Optimiser> {
    // Made for a picture of a few pixels and asked about one of many, so that nothing large is allocated here.
    optimiser(&ResolvedRecipe { history, ..recipe.clone() }, 8, 8)
}

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
        let styles = style_sizes.iter().map(|&size| style_size(recipe, scale, size));
        let of_styles: f64 = styles.map(|(width, height)| STYLE_TIME * pace.seconds(width * height)).sum();
        let of_losses = f64::from(scale.evaluations) * of_loss;
        let of_matches = matching.map_or(0.0, |matching| {
            let matches = f64::from(scale.evaluations.div_ceil(recipe.match_every));
            matches * matching.seconds(scale, &taps_at(recipe, scale, style_sizes), &pace)
        });
        evaluations * pace.seconds(scale.width * scale.height) + of_losses + of_styles + of_matches
    };
    Ok(scales.iter().enumerate().map(of_scale).sum())
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
mod tests;
