//! docs/presets.md holds every preset's every value. It is written from the presets: `IMPASTO_WRITE_DOCS=1 cargo test -p
//! impasto --test presets` writes it anew.

use std::collections::BTreeSet;
use std::path::Path;

use impasto::Recipe;
use impasto::presets::PRESETS;
use serde_json::{Map, Value};

/// Fields that are no choice of a preset.
const NOT_CHOSEN: [&str; 6] = ["format", "version", "engine", "content", "styles", "preset"];

/// Fields that a recipe has and the command line has no option for.
const RECIPE_ALONE: [&str; 9] = [
    "adam_average",
    "adam_beta_2",
    "adam_carried",
    "coarsest_iterations",
    "blend_form",
    "content_form",
    "style_form",
    "tv_form",
    "style_fit",
];

const HEAD: &str = "\
# Presets

What an option is where it is left out: the preset's value. `--preset` names one (the first column where it is not given;
`texture`, `reconstruct` and `sweep` have presets of their own, as their `--help` says), and `impasto recipe --preset NAME`
prints one as JSON. What each option means, `impasto paint --help` says; fields without `--` can be set in a JSON recipe alone,
and `crates/impasto/src/recipe/mod.rs` says what they mean. The history is cut for pictures that are too large for it.

This page is written from the presets by a test (`crates/impasto/tests/presets.rs`).

";

fn fields(name: &str) -> Map<String, Value> {
    let recipe = Recipe { preset: Some(name.to_owned()), ..Recipe::default() }.resolve().unwrap();
    match serde_json::from_str(&recipe.to_json()).unwrap() {
        Value::Object(fields) => fields,
        other => panic!("a recipe is an object: {other}"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => {
            format!("{}", number.as_f64().unwrap())
        }
        Value::Object(layers) => {
            let layers = layers.iter().map(|(layer, weight)| format!("{layer}={}", shown(weight)));
            layers.collect::<Vec<_>>().join(", ")
        }
        Value::Array(shares) if shares.is_empty() => "equal shares".to_owned(),
        other => other.to_string(),
    }
}

fn document() -> String {
    let presets: Vec<Map<String, Value>> = PRESETS.iter().map(|preset| fields(preset.name)).collect();
    let mut text = HEAD.to_owned();
    for preset in &PRESETS {
        text += &format!("- `{}`: {}\n", preset.name, preset.summary);
    }
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let names = PRESETS.iter().map(|preset| format!("`{}`", preset.name));
    text.push('\n');
    text += &row([String::new()].into_iter().chain(names).collect());
    text += &row(vec!["---".to_owned(); PRESETS.len() + 1]);
    let fields: BTreeSet<&String> = presets.iter().flat_map(|preset| preset.keys()).collect();
    for field in fields.into_iter().filter(|field| !NOT_CHOSEN.contains(&field.as_str())) {
        let name = match RECIPE_ALONE.contains(&field.as_str()) {
            true => format!("`{field}`"),
            false => format!("`--{}`", field.replace('_', "-")),
        };
        text += &row([name]
            .into_iter()
            .chain(presets.iter().map(|preset| preset.get(field).map_or("as the others".to_owned(), shown)))
            .collect());
    }
    let denoise = PRESETS.iter().map(|preset| format!("{}", preset.denoise_weight));
    text += &row(["`--denoise` adds, to `--tv-weight`,".to_owned()].into_iter().chain(denoise).collect());
    text
}

#[test]
fn the_document_has_every_preset_s_values() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !root.join("ARCHITECTURE.md").exists() {
        println!("skipped: this crate does not stand in impasto's repository");
        return;
    }
    let path = root.join("docs/presets.md");
    let text = document();
    if std::env::var_os("IMPASTO_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/presets.md is not what the presets are; IMPASTO_WRITE_DOCS=1 writes it anew");
}
