//! Matched features in a run: the banks that a painting gives, and the loss of what was matched to them.
//!
//! ```text
//!   matched loss of a layer = 1/M sum_i [1 - cos(f_i, v_n(i))]           M positions; impasto_vgg::matching has f, v and n
//! ```
//!
//! A bank has the features of each style image at the size that the scale brings it to, in each of the turns that the recipe
//! asks for, one after another: at most 64 x 64 positions of each, spread evenly, and of those the ones inside its mask. Shares of several
//! style images do not change it, but for those of 0.

use impasto_vgg::guides::pooled;
use impasto_vgg::matching::sampled;
use impasto_vgg::{Bank, Engine, EngineError, MatchedDistance, MatchedTap, SessionRequest};

use crate::picture::Picture;
use crate::picture::turn::Turn;
use crate::recipe::MatchTurns;
use crate::recipe::resolve::ResolvedRecipe;

/// The loss of one layer, and its derivative by the layer's sum.
///
/// ```
/// # use impasto_vgg::{Layer, MatchedDistance};
/// let distance = MatchedDistance { layer: Layer::named("conv3_1").unwrap(), positions: 8, sum: 2.0 };
/// assert_eq!(impasto::objective::matching::loss(&distance), (0.25, 0.125));
/// ```
pub fn loss(distance: &MatchedDistance) -> (f64, f64) {
    let factor = 1.0 / distance.positions as f64;
    (factor * distance.sum, factor)
}

/// The turns that a style image is looked at in.
fn turns(recipe: &ResolvedRecipe) -> impl Iterator<Item = Turn> {
    let count = match recipe.match_turns {
        MatchTurns::Upright => 1,
        MatchTurns::Rotated => 4,
        MatchTurns::Mirrored => 8,
    };
    Turn::all(true).take(count)
}

/// The matched taps of a recipe, with banks of style images of these widths and heights (as the scale brings them to size).
pub fn matched_taps(recipe: &ResolvedRecipe, style_sizes: &[(usize, usize)]) -> Vec<MatchedTap> {
    let tap = |(layer, _)| {
        let samples = style_sizes.iter().map(|&(width, height)| MatchedTap::samples(layer, height, width));
        // A turn by a quarter has as many.
        let entries = turns(recipe).count() * samples.sum::<usize>();
        MatchedTap { layer, entries, centred: recipe.match_centred }
    };
    recipe.counted_match_layers().into_iter().map(tap).collect()
}

/// What to ask of an engine to sample a style image of this size.
pub fn sample_request(
    recipe: &ResolvedRecipe,
    width: usize,
    height: usize,
    memory_limit_bytes: Option<u64>,
) -> SessionRequest {
    let request = super::style_request(recipe, width, height, memory_limit_bytes);
    let tap = |(layer, _)| MatchedTap { layer, entries: 1, centred: false };
    let matched_taps = recipe.counted_match_layers().into_iter().map(tap).collect();
    SessionRequest { style_taps: Vec::new(), matched_taps, ..request }
}

/// The matched taps of a recipe with these banks.
pub fn taps_of_banks(recipe: &ResolvedRecipe, banks: &[Bank]) -> Vec<MatchedTap> {
    let entries = |bank: &Bank| bank.features.len() / bank.layer.channels();
    banks
        .iter()
        .map(|bank| MatchedTap { layer: bank.layer, entries: entries(bank), centred: recipe.match_centred })
        .collect()
}

/// Adds the features of a style image, which has the size that the scale brings it to, to the banks; these are empty before
/// the first. Where there is a mask `[height, width]` over it, in values of 0..1, those count of which at least a half lies inside, or the
/// ones that are most inside.
///
/// # Errors
/// What the engine reports.
pub fn add_to_banks(
    recipe: &ResolvedRecipe,
    engine: &dyn Engine,
    style: &Picture,
    mask: Option<&[f32]>,
    memory_limit_bytes: Option<u64>,
    banks: &mut Vec<Bank>,
) -> Result<(), EngineError> {
    for turn in turns(recipe) {
        let turned = style.turned(turn);
        let request = sample_request(recipe, turned.width, turned.height, memory_limit_bytes);
        let mut sampled = engine.session(&request)?.sample(&turned.values)?;
        if let Some(mask) = mask {
            let mask = Picture { width: style.width, height: style.height, values: mask.to_vec() }.turned(turn);
            sampled.iter_mut().for_each(|bank| keep_inside(bank, &mask));
        }
        if banks.is_empty() {
            *banks = sampled;
        } else {
            for (bank, more) in banks.iter_mut().zip(sampled) {
                bank.features.extend(more.features);
            }
        }
    }
    Ok(())
}

/// Leaves of a bank that was sampled of a style image the entries inside a mask of that image's size, one plane.
fn keep_inside(bank: &mut Bank, mask: &Picture) {
    let channels = bank.layer.channels();
    let (height, width) = bank.layer.map_size(mask.height, mask.width);
    let guide = pooled(&mask.values, mask.height, mask.width, bank.layer);
    let inside: Vec<f32> =
        sampled(height).flat_map(|y| sampled(width).map(move |x| y * width + x)).map(|place| guide[place]).collect();
    let least = inside.iter().copied().fold(0.0, f32::max).min(0.5);
    let entries = bank.features.chunks_exact(channels).zip(&inside);
    bank.features = entries.filter(|&(_, &inside)| inside >= least).flat_map(|(entry, _)| entry.to_vec()).collect();
}
