//! The dials: the value of each, from a recipe.

use impasto::ResolvedRecipe;
use impasto::fetch::release;
use impasto::presets::preset;
use impasto::recipe::{ChangedFields, Start};
use impasto_job::engine::weights_file;
use serde_json::{Map, Value, json};

/// The fields that a change may set, besides the strength.
const FIELDS: [&str; 15] = [
    "style_weight",
    "content_weight",
    "tv_weight",
    "range_weight",
    "match_weight",
    "style_scale",
    "style_blend",
    "colours",
    "style_layers",
    "content_layers",
    "regions",
    "region_labels",
    "emphasis",
    "rest",
    "rest_feather_px",
];

/// Every field of a recipe that may change, masks by their identifiers.
pub fn values(recipe: &ResolvedRecipe) -> Map<String, Value> {
    match orderable(recipe) {
        Value::Object(fields) => fields.into_iter().filter(|(field, _)| FIELDS.contains(&field.as_str())).collect(),
        _ => Map::new(),
    }
}

/// The value of each dial.
pub fn controls(recipe: &ResolvedRecipe) -> Map<String, Value> {
    let counts = |field: &str| field != "match_weight" || recipe.match_weight > 0.0;
    let mut controls: Map<String, Value> = values(recipe).into_iter().filter(|(field, _)| counts(field)).collect();
    if let Some(preset) = preset(&recipe.preset)
        && preset.style_weight > 0.0
        && recipe.style_weight > 0.0
    {
        // The other way round than `strength` becomes a weight, to the digits that a person types.
        let strength = 1.0 + (recipe.style_weight / preset.style_weight).log2() / 4.0;
        controls.insert("strength".to_owned(), json!((strength * 100.0).round() / 100.0));
    }
    let styles = recipe.styles.as_ref().map_or(0, Vec::len);
    if recipe.style_blend.is_empty() && styles > 0 {
        controls.insert("style_blend".to_owned(), json!(vec![1.0 / styles as f64; styles]));
    }
    controls
}

/// A recipe as it may be ordered again: masks by their identifiers, and no files.
pub fn orderable(recipe: &ResolvedRecipe) -> Value {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(recipe) else { return Value::Null };
    for file in ["content", "styles", "engine"] {
        fields.remove(file);
    }
    if let Start::File(_) = recipe.init {
        fields.remove("init");
    }
    if weights_file(&recipe.weights).is_some() && release(&recipe.weights).is_none() {
        fields.remove("weights");
    }
    name_masks(&mut fields);
    if let Some(Value::Array(entries)) = fields.get_mut("timeline") {
        entries.iter_mut().filter_map(|entry| entry["set"].as_object_mut()).for_each(name_masks);
    }
    Value::Object(fields)
}

/// A change as clients have it.
pub fn told(set: &ChangedFields) -> Value {
    let mut told = serde_json::to_value(set).unwrap_or_default();
    told.as_object_mut().into_iter().for_each(name_masks);
    told
}

/// Names masks by their identifiers, in a recipe, a change or a region.
fn name_masks(fields: &mut Map<String, Value>) {
    for mask in ["region_labels", "emphasis", "mask", "painting_mask"] {
        if let Some(name) = fields.get(mask).and_then(Value::as_str).map(mask_id) {
            fields.insert(mask.to_owned(), name.into());
        }
    }
    if let Some(Value::Array(regions)) = fields.get_mut("regions") {
        regions.iter_mut().filter_map(Value::as_object_mut).for_each(name_masks);
    }
}

/// A mask's file, named by digest, as the identifier that clients have for it.
fn mask_id(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().trim_end_matches(".png").to_owned()
}

#[cfg(test)]
mod tests {
    use impasto::Recipe;

    use super::*;

    #[test]
    fn the_strength_is_the_one_that_was_chosen() {
        for strength in [0.0, 0.25, 1.0, 1.3, 2.0] {
            let recipe = Recipe { strength: Some(strength), ..Recipe::default() }.resolve().unwrap();
            assert_eq!(controls(&recipe)["strength"], json!(strength), "{strength}");
        }
    }

    #[test]
    fn a_recipe_can_be_ordered_again() {
        let recipe = Recipe { content: Some("a.png".into()), ..Recipe::default() }.resolve().unwrap();
        let again = orderable(&recipe);
        assert!(again.get("content").is_none() && again.get("style_weight").is_some());
        assert!(Recipe::from_json(&again.to_string()).unwrap().resolve().is_ok());
    }
}
