//! What the preset `default` was for recipes that carry no format: they mean what they meant.

use serde_json::{Map, Value, json};

/// What it added to the total variation, and a `denoise` of 1 on top.
const TV_WEIGHT: f64 = 6.0;
const DENOISE_WEIGHT: f64 = 12.0;

/// Whether a recipe means the preset `default` of before: it names no format, and nothing that came with or after today's.
pub(super) fn is_meant(object: &Map<String, Value>) -> bool {
    let is_default = is_absent(object, "preset") || object["preset"] == "default";
    // With these it is a recipe of today that somebody wrote by hand.
    is_default && ["format", "balance", "strength", "regions"].iter().all(|field| is_absent(object, field))
}

/// Gives a recipe that [means it](is_meant) the values that the preset had, where it has none of its own.
pub(super) fn fill(object: &mut Map<String, Value>) {
    if !is_meant(object) {
        return;
    }
    let own = object.get("tv_weight").and_then(Value::as_f64).unwrap_or(TV_WEIGHT);
    let is_mean = is_absent(object, "tv_form") || object["tv_form"] == "mean";
    let strength =
        object.get("denoise").and_then(Value::as_f64).filter(|strength| is_mean && (0.0..=1e6).contains(strength));
    if let Some(strength) = strength {
        object.insert("tv_weight".to_owned(), own.max(TV_WEIGHT + strength * DENOISE_WEIGHT).into());
        object.remove("denoise");
    }
    let layers = json!({ "conv1_1": 1.0, "conv2_1": 1.0, "conv3_1": 1.0, "conv4_1": 1.0, "conv5_1": 1.0 });
    let values = [
        ("iterations", 80.into()),
        ("levels", 2.into()),
        ("scale_factor", 2.0.into()),
        ("coarsest_px", 32.into()),
        ("coarse_iterations", 120.into()),
        ("multiscale_weight", 0.into()),
        ("balance", "plain".into()),
        ("style_weight", 75.0.into()),
        ("style_layers", layers),
        ("tv_weight", TV_WEIGHT.into()),
        ("range_weight", 40.0.into()),
    ];
    for (field, value) in values {
        if is_absent(object, field) {
            object.insert(field.to_owned(), value);
        }
    }
}

fn is_absent(object: &Map<String, Value>, field: &str) -> bool {
    object.get(field).is_none_or(Value::is_null)
}
