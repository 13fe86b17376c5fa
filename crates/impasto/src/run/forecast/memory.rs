//! The memory that a run takes, from the sizes of all that it holds.

use impasto_vgg::{Engine, EngineError, MatchedTap, SessionRequest};

use super::timeline;
use crate::objective::matching::{matched_taps, sample_request};
use crate::objective::wrap::Wrap;
use crate::objective::{style_loss_bytes, style_request};
use crate::optimiser::{Optimiser, optimiser};
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{Colours, Region, Rest};
use crate::run::evaluator::request_at;
use crate::run::matching::Banks;
use crate::run::multiscale::share_memory;
use crate::run::scales::{Scale, smaller_scales, style_size};

/// Memory of the program itself: its code, the weights inside it, threads.
const PROGRAM_BYTES: u64 = 56 << 20;

/// Most memory at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryNeed {
    /// The processor's, in bytes.
    pub bytes: u64,
    /// A GPU's own, in bytes; 0 where the network runs in the processor's.
    pub device_bytes: u64,
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
    for (place, &style) in style_sizes.iter().enumerate() {
        let (width, height) = style_size(recipe, place, full, style);
        let mut request = style_request(recipe, width, height, memory_limit_bytes);
        let is_masked = recipe.style_masks.iter().any(Option::is_some)
            || recipe.regions.iter().any(|region| region.painting_mask.is_some());
        request.guides.regions = usize::from(is_masked);
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
    let smaller = smaller_scales(recipe, full);
    let request_at = |scale: &Scale| {
        let wrap = Wrap::of(recipe, scale.width, scale.height);
        request_at((recipe, engine), (*scale, wrap), true, None, memory_limit_bytes)
    };
    let mut requests: Vec<SessionRequest> = std::iter::once(full).chain(&smaller).map(request_at).collect();
    requests[0].matched_taps = taps_at(recipe, full, style_sizes);
    share_memory(engine, &mut requests, memory_limit_bytes)?;
    let (mut of_sessions, mut of_smaller) = (0, 0);
    for request in &requests {
        of_sessions += engine.session_bytes(request)?;
    }
    for (request, scale) in requests[1..].iter().zip(&smaller) {
        of_sessions -= engine.common_bytes(request).min(of_sessions);
        let pixels = (scale.width * scale.height) as u64;
        // The picture brought down and its gradient, and what the losses there have of their own.
        let of_losses = target_bytes(recipe) * (recipe.regions.len() as u64).max(1) + style_loss_bytes(recipe);
        of_smaller += planes(2 * pixels) + guide_bytes(recipe, pixels) + of_losses;
    }
    let request = &requests[0];
    // As they come from the style images, and what was found in them, to be kept: the session has its own.
    let of_banks: u64 = request.matched_taps.iter().map(|tap| (tap.entries * tap.layer.channels()) as u64).sum();
    let found = |tap: &MatchedTap| {
        let (height, width) = tap.layer.map_size(request.height, request.width);
        (height * width) as u64
    };
    let of_banks = of_banks * Banks::copies(recipe.regions.len() + 1);
    let of_matches = 4 * (of_banks + request.matched_taps.iter().map(found).sum::<u64>());
    // It remembers no more pairs than there are evaluations.
    let optimiser = optimiser_of(recipe, recipe.history.min(full.evaluations));
    largest_session = largest_session.max(of_sessions);
    let of_sessions_here = if is_elsewhere { 0 } else { of_sessions };
    let of_picture = of_sessions_here + of_smaller + beside_the_session(recipe, full) + of_matches;
    // A history that does not fit beside the sessions is not kept there.
    let with_history = of_sessions + engine.history_bytes(optimiser.remembers(), values);
    if memory_limit_bytes.is_none_or(|limit| with_history <= limit) {
        largest_session = largest_session.max(with_history);
    }
    Ok(MemoryNeed {
        bytes: PROGRAM_BYTES + planes(image_pixels) + of_styles.max(of_picture),
        device_bytes: if is_elsewhere { largest_session } else { 0 },
    })
}

/// The matched taps at a scale, for style images of these sizes as they were read.
pub(super) fn taps_at(recipe: &ResolvedRecipe, scale: &Scale, style_sizes: &[(usize, usize)]) -> Vec<MatchedTap> {
    let size = |place: usize| style_size(recipe, place, scale, style_sizes[place]);
    if recipe.regions.is_empty() {
        return matched_taps(recipe, &(0..style_sizes.len()).map(size).collect::<Vec<_>>());
    }
    // Each region's painting, and the first for the rest.
    let places = recipe.regions.iter().map(Region::style_index).chain([0]).filter(|&place| place < style_sizes.len());
    matched_taps(recipe, &places.map(size).collect::<Vec<_>>())
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
    let pixels = (full.width * full.height) as u64;
    // Pairs of steps: one fewer than evaluations, of which the optimiser counts one beside its history.
    let history = recipe.history.min(full.evaluations.saturating_sub(2));
    let of_optimiser = optimiser_of(recipe, history).bytes(3 * full.width * full.height);
    let of_losses = target_bytes(recipe) * recipe.regions.len() as u64 + style_loss_bytes(recipe);
    planes(pictures * pixels) + guide_bytes(recipe, pixels) + of_optimiser + of_losses
}

/// A region's moments, their derivatives and its targets: three matrices in f64 a layer.
fn target_bytes(recipe: &ResolvedRecipe) -> u64 {
    let channels = recipe.counted_style_layers().into_iter().map(|(layer, _)| layer.channels() as u64);
    channels.map(|channels| 3 * 8 * channels * channels).sum()
}

/// A plane each: masks, the rest, what may move, and the emphasis.
fn guide_bytes(recipe: &ResolvedRecipe, pixels: u64) -> u64 {
    let masks = if recipe.regions.is_empty() { 0 } else { recipe.regions.len() as u64 + 2 };
    4 * (masks + u64::from(recipe.emphasis.is_some())) * pixels
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

#[cfg(test)]
mod tests {
    use impasto_vgg::{EngineDescription, Session};

    use super::*;
    use crate::recipe::{OptimizerKind, Recipe, StyleLoss};

    /// A card whose sessions take `SESSION` bytes, and whose history takes a byte a value.
    struct Card;
    const SESSION: u64 = 1 << 24;

    impl Engine for Card {
        fn describe(&self) -> EngineDescription {
            EngineDescription {
                name: "gpu".into(),
                isa: "card".into(),
                threads: 1,
                has_bf16: false,
                gains_from_bf16: false,
                has_f16: false,
                has_own_memory: true,
                has_guides: true,
            }
        }

        fn session(&self, _: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
            Err(EngineError::NO_CONTENT)
        }

        fn session_bytes(&self, _: &SessionRequest) -> Result<u64, EngineError> {
            Ok(SESSION)
        }

        fn history_bytes(&self, capacity: usize, values: usize) -> u64 {
            (capacity * values) as u64
        }
    }

    /// Two layers of 512 channels, each with four matrices of f64 and the eigenvalues' own room, beside three smaller ones.
    #[test]
    fn the_matrices_of_a_style_loss_are_counted() {
        let full = Scale { width: 64, height: 64, evaluations: 50 };
        let bytes = |style_loss| {
            let recipe = Recipe { style_loss: Some(style_loss), ..Recipe::default() }.resolve().unwrap();
            memory_beside_network(&recipe, &full, 4096)
        };
        let matrices = 8 * 512 * 512 * size_of::<f64>() as u64;
        let more = bytes(StyleLoss::Wasserstein) - bytes(StyleLoss::Gram);
        assert!((matrices..4 * matrices).contains(&more), "{more} of {matrices}");
        assert_eq!(bytes(StyleLoss::MeanVariance), bytes(StyleLoss::Gram));
    }

    /// Beside a session, which this card has: a picture and its gradient, three matrices a layer, and a mask for the rest beside
    /// that of a region.
    #[test]
    fn what_smaller_sizes_have_is_counted() {
        let scales = [Scale { width: 1024, height: 768, evaluations: 50 }];
        let bytes = |multiscale_weight, regions: usize| {
            let recipe = Recipe { multiscale_weight: Some(multiscale_weight), ..Recipe::default() };
            let mut recipe = recipe.resolve().unwrap();
            let region = Region { name: "sky".into(), ..Region::default() };
            recipe.regions = vec![region; regions];
            memory_need(&recipe, &Card, &scales, 4096, &[(64, 64)], None).unwrap().bytes
        };
        let layers = [64, 128, 256, 256, 512, 512, 512];
        let targets: u64 = layers.iter().map(|channels| 3 * 8 * channels * channels).sum();
        let pixels = 512 * 384;
        assert_eq!(bytes(1.0, 0) - bytes(0.0, 0), 2 * 3 * 4 * pixels + targets);
        assert_eq!(bytes(1.0, 2) - bytes(0.0, 2), 2 * 3 * 4 * pixels + 4 * 4 * pixels + 2 * targets);
    }

    #[test]
    fn no_more_pairs_are_counted_than_evaluations_make() {
        let bytes = |evaluations| {
            let recipe = Recipe { history: Some(10), ..Recipe::default() }.resolve().unwrap();
            memory_beside_network(&recipe, &Scale { width: 64, height: 64, evaluations }, 0)
        };
        // Two pictures in bfloat16.
        let pair = 2 * 2 * 3 * 64 * 64;
        assert_eq!(bytes(4) - bytes(3), pair);
        assert_eq!(bytes(12) - bytes(3), 9 * pair);
        assert_eq!(bytes(1000), bytes(12), "ten are remembered while another is made");
    }

    #[test]
    fn a_history_on_the_device_is_counted_where_it_fits() {
        let scales = [Scale { width: 64, height: 64, evaluations: 50 }];
        let bytes = |recipe: &Recipe, limit| {
            let recipe = recipe.resolve().unwrap();
            memory_need(&recipe, &Card, &scales, 4096, &[(64, 64)], limit).unwrap().device_bytes
        };
        let lbfgs = Recipe { optimizer: Some(OptimizerKind::Lbfgs), history: Some(80), ..Recipe::default() };
        // No more pairs than evaluations.
        let whole = SESSION + 50 * 3 * 64 * 64;
        assert_eq!(bytes(&lbfgs, None), whole);
        assert_eq!(bytes(&lbfgs, Some(whole)), whole);
        assert_eq!(bytes(&lbfgs, Some(whole - 1)), SESSION);
        let adam = Recipe { optimizer: Some(OptimizerKind::Adam), ..Recipe::default() };
        assert_eq!(bytes(&adam, None), SESSION);
    }
}
