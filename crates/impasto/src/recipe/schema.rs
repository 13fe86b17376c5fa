//! The JSON schema of a recipe, from its type: what serde reads, with each field's documentation.

use impasto_vgg::LAYERS;
use schemars::{Schema, SchemaGenerator, json_schema, schema_for};
use serde_json::Value;

use super::Recipe;
use super::presets::PRESETS;

/// The whole schema.
pub fn of_recipe() -> Value {
    schema_for!(Recipe).to_value()
}

/// `512` as a number or a text, or `400x300`.
pub fn size(_: &mut SchemaGenerator) -> Schema {
    let pattern = "^[0-9]{1,5}(x[0-9]{1,5})?$";
    let types = ["string", "integer", "null"];
    json_schema!({ "type": types, "pattern": pattern, "minimum": 1, "maximum": 65_535, "examples": [512, "400x300"] })
}

/// A name of a start, or a file.
pub fn start(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "examples": ["content", "style", "noise", "blend", "sketch.png"] })
}

/// A preset's name.
pub fn preset(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<Value> = PRESETS.iter().map(|preset| preset.name.into()).chain([Value::Null]).collect();
    json_schema!({ "enum": names })
}

/// A weight for each of some layers.
pub fn layers(_: &mut SchemaGenerator) -> Schema {
    let weight = json_schema!({ "type": "number", "minimum": 0.0, "maximum": 1e12 });
    let layers: serde_json::Map<String, Value> =
        LAYERS.iter().map(|layer| (layer.name.to_owned(), weight.clone().to_value())).collect();
    json_schema!({ "type": ["object", "null"], "properties": layers, "additionalProperties": false })
}

/// How the network pools.
pub fn pooling(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["avg", "max", null] })
}

/// What lies beyond the picture's edge.
pub fn border(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["zero", "replicate", null] })
}

/// The order of a first layer's channels.
pub fn channel_order(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["rgb", "bgr", null] })
}
