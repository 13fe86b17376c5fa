//! The documentation in OpenAPI 3.1, from the table of routes and the types that they take and give.

use serde_json::{Map, Value, json};

use super::table::{Content, Route, generator};

/// The whole document.
pub fn document(routes: &[Route]) -> Value {
    let mut generator = generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let mut content = |content: &Content| match content {
            Content::Nothing => Value::Null,
            Content::Json(schema) => json!({ "application/json": { "schema": schema(&mut generator) } }),
            Content::Other(kind) => json!({ *kind: { "schema": { "type": "string", "format": "binary" } } }),
        };
        let (body, answer) = (content(&route.body), content(&route.answer));
        let mut operation = json!({
            "summary": route.about,
            "parameters": parameters(route),
            "responses": { route.status.to_string(): response("What was asked for.", answer), "default": { "$ref": "#/components/responses/Problem" } },
        });
        if !body.is_null() {
            operation["requestBody"] = json!({ "required": true, "content": body });
        }
        let method = route.method.as_str().to_lowercase();
        if let Some(path) = paths.entry(route.path).or_insert_with(|| json!({})).as_object_mut() {
            path.insert(method, operation);
        }
    }
    let schemas = Value::Object(generator.take_definitions(true));
    let problem = json!({ "type": "object", "required": ["error"], "properties": { "error": { "type": "string", "description": "One sentence." } } });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "impasto studio",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A script sends `Authorization: Bearer TOKEN`, and with what changes anything `X-Impasto: 1` or a JSON body.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": response("Refused or failed, and why.", json!({ "application/json": { "schema": problem } })) },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "token": [] }],
    })
}

fn response(about: &str, content: Value) -> Value {
    if content.is_null() {
        json!({ "description": about })
    } else {
        json!({ "description": about, "content": content })
    }
}

/// What stands in braces in the path, and the names in the query.
fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let in_path =
        in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = route.query.iter().map(
        |(name, about)| json!({ "name": name, "in": "query", "description": about, "schema": { "type": "string" } }),
    );
    in_path.chain(in_query).collect()
}
