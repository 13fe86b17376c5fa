//! A recipe with a timeline, as a forecast looks at it: by the recipes that count one after the other, as far as they differ in what
//! an evaluation takes.

use impasto_vgg::Layer;

use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{Colours, Rest, StyleScale};
use crate::run::scales::Scale;

/// What memory and time of an evaluation hang on, of what a timeline can change.
#[derive(PartialEq)]
struct Kind {
    layers: [Vec<Layer>; 3],
    regions: usize,
    painting_masks: usize,
    has_emphasis: bool,
    rest: Rest,
    colours: Colours,
    style_scale: StyleScale,
}

impl Kind {
    fn of(recipe: &ResolvedRecipe) -> Kind {
        let names = |layers: Vec<(Layer, f64)>| layers.into_iter().map(|(layer, _)| layer).collect();
        Kind {
            layers: [
                names(recipe.counted_style_layers()),
                names(recipe.counted_content_layers()),
                names(recipe.counted_match_layers()),
            ],
            regions: recipe.regions.len(),
            painting_masks: recipe.regions.iter().filter(|region| region.painting_mask.is_some()).count(),
            has_emphasis: recipe.emphasis.is_some(),
            rest: recipe.rest,
            colours: recipe.colours,
            style_scale: recipe.style_scale.clone(),
        }
    }
}

/// Of each kind of recipe that counts in a run, one.
pub(super) fn kinds(recipe: &ResolvedRecipe) -> Vec<ResolvedRecipe> {
    let mut kinds: Vec<(Kind, ResolvedRecipe)> = Vec::new();
    for evaluation in [0].into_iter().chain(recipe.timeline.iter().map(|entry| entry.before_evaluation)) {
        let counts = recipe.at_evaluation(evaluation);
        let kind = Kind::of(&counts);
        if kinds.iter().all(|(known, _)| *known != kind) {
            kinds.push((kind, counts));
        }
    }
    kinds.into_iter().map(|(_, recipe)| recipe).collect()
}

/// Of each kind of recipe that counts in a run, one, with the evaluations that are made by it at each scale.
pub(super) fn stretches(recipe: &ResolvedRecipe, scales: &[Scale]) -> Vec<(ResolvedRecipe, Vec<Scale>)> {
    let mut kinds: Vec<(Kind, ResolvedRecipe, Vec<Scale>)> = Vec::new();
    let all = scales.iter().fold(0_u32, |sum, scale| sum.saturating_add(scale.evaluations));
    let mut changes: Vec<u32> = recipe.timeline.iter().map(|entry| entry.before_evaluation.min(all + 1)).collect();
    changes.push(all.saturating_add(1));
    let mut from = 1;
    for before in changes {
        if before > from {
            let counts = recipe.at_evaluation(from);
            let (kind, part) = (Kind::of(&counts), evaluations_within(scales, from, before));
            match kinds.iter_mut().find(|(known, ..)| *known == kind) {
                Some((_, _, sum)) => {
                    sum.iter_mut().zip(part).for_each(|(sum, part)| sum.evaluations += part.evaluations);
                }
                None => kinds.push((kind, counts, part)),
            }
            from = before;
        }
    }
    kinds.into_iter().map(|(_, recipe, scales)| (recipe, scales)).collect()
}

/// The scales with those of their evaluations that lie within `from..before` of the whole run.
fn evaluations_within(scales: &[Scale], from: u32, before: u32) -> Vec<Scale> {
    let mut first = 1_u32;
    let within = |scale: &Scale| {
        let end = first.saturating_add(scale.evaluations);
        let evaluations = end.min(before).saturating_sub(first.max(from));
        first = end;
        Scale { evaluations, ..*scale }
    };
    scales.iter().map(within).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    #[test]
    fn each_evaluation_is_counted_once_by_what_counts_for_it() {
        let text = r#"{"format": 5, "timeline": [
            {"before_evaluation": 1, "set": {"style_weight": 3}},
            {"before_evaluation": 3, "set": {"style_layers": {"conv1_1": 1}}},
            {"before_evaluation": 7, "set": {"style_weight": 7}},
            {"before_evaluation": 9, "set": {"style_scale": 2}},
            {"before_evaluation": 12, "set": {"style_scale": 1}},
            {"before_evaluation": 99, "set": {"style_scale": 3}}
        ]}"#;
        let recipe = Recipe::from_json(text).unwrap().resolve().unwrap();
        let scale = |width, evaluations| Scale { width, height: 8, evaluations };
        let stretches = stretches(&recipe, &[scale(8, 5), scale(16, 10)]);
        let counted: Vec<(usize, f64, Vec<u32>)> = stretches
            .iter()
            .map(|(recipe, scales)| {
                let evaluations = scales.iter().map(|scale| scale.evaluations).collect();
                (recipe.style_layers.len(), recipe.style_scale.of(0), evaluations)
            })
            .collect();
        let all = Recipe::default().resolve().unwrap().style_layers.len();
        // 1 and 2; 3 to 8 and 12 to 15; 9 to 11.
        assert_eq!(counted, [(all, 1.0, vec![2, 0]), (1, 1.0, vec![3, 7]), (1, 2.0, vec![0, 3])]);
        // A run may be shorter than its timeline: what it cannot reach is counted in memory alone.
        assert_eq!(kinds(&recipe).len(), 4);
    }
}
