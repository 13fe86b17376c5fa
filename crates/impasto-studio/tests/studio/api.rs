//! The interface itself: its documentation, its errors, its page.

use std::collections::BTreeSet;
use std::sync::Arc;

use impasto_job::DeviceChoice;
use impasto_studio::{Options, routes, serve};
use serde_json::{Value, json};

use crate::support::{Client, TOKEN, Workshop, picture};

/// Every `$ref` in a document.
fn references<'value>(value: &'value Value, found: &mut BTreeSet<&'value str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_documentation_lists_every_route_and_every_type() {
    let workshop = Workshop::new();
    let document = workshop.client().get("/api/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut found = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        found.extend(methods.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let known: BTreeSet<String> = routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(found, known);
    let mut references_found = BTreeSet::new();
    references(&document, &mut references_found);
    assert!(references_found.len() > 15, "{references_found:?}");
    for reference in references_found {
        let place = reference.trim_start_matches('#');
        assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
    }
    let run = &document["components"]["schemas"]["RunInfo"]["properties"];
    assert!(run["evaluation"]["description"].is_string() && run["place_in_line"].is_object(), "{run}");
}

/// What a studio has to choose from, once it has looked around.
fn choices(client: &Client) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let studio = client.get("/api/studio").json();
        if studio["devices"] != json!([]) {
            return studio;
        }
        assert!(begun.elapsed() < crate::support::LONG, "{studio}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn what_there_is_to_choose_from() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let studio = choices(&client);
    assert_eq!(studio["limits"], json!({ "upload_mib": 64, "megapixels": 50, "waiting": 16 }));
    // The processor was chosen, so no driver of a GPU is asked.
    assert_eq!(studio["devices"].as_array().unwrap().len(), 1);
    assert_eq!(studio["devices"][0]["id"], json!("cpu"));
    assert_eq!(studio["presets"][0]["name"], "default");
    assert!(studio["presets"][0]["values"]["size"].is_string(), "{}", studio["presets"][0]);
    let example = &studio["examples"][0];
    for side in ["content", "style"] {
        let id = example[side]["id"].as_str().unwrap();
        assert_eq!(client.get(&format!("/api/images/{id}?long_edge=64")).header("content-type"), Some("image/jpeg"));
    }
    assert_eq!(client.get("/api/health").json()["ok"], true);
}

#[test]
fn where_nothing_was_chosen_there_is_the_best_and_the_processor() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        port: Some(0),
        token: Some(TOKEN.to_owned()),
        device: DeviceChoice::Auto,
        ..Options::of(folder.path().join("runs"), Arc::new(|_: &str| {}))
    };
    let server = serve(options).unwrap();
    let devices = choices(&Client::script(server.address(), TOKEN))["devices"].clone();
    assert_eq!((&devices[0]["id"], &devices[1]["id"]), (&json!("auto"), &json!("cpu")));
    server.stop();
}

#[test]
fn an_image_is_its_bytes() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let bytes = picture(30, 20, 2);
    let said = client.send("POST", "/api/images?name=..%2F..%2Fmein%20Bild%C3%A4.jpeg", &[], &bytes);
    let info = said.json();
    assert_eq!(info["id"], impasto::digest::sha256(&bytes).as_str());
    // What it is called is its stem and what it is; no folder of it is left.
    assert_eq!(info["name"], "mein-Bildä.png");
    assert_eq!((&info["width"], &info["height"], &info["has_alpha"]), (&json!(30), &json!(20), &json!(false)));
    let again = client.send("POST", "/api/images?name=other.png", &[], &bytes).json();
    assert_eq!(again, info);
    let missing = client.get(&format!("/api/images/{}", "0".repeat(64)));
    assert_eq!((missing.status, missing.json()["error"].is_string()), (404, true));
    for (bytes, status) in
        [(&b""[..], 400), (b"text that is no image", 415), (b"\x89PNG\r\n\x1a\nbroken", 400), (&bytes[..100], 400)]
    {
        let said = client.send("POST", "/api/images", &[], bytes);
        assert_eq!(said.status, status, "{}", said.text());
        assert!(said.json()["error"].as_str().unwrap().len() > 20);
    }
}

#[test]
fn errors_are_sentences_in_json() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let id = workshop.begin(2);
    workshop.wait(&id, &["finished"]);
    let mut order = workshop.order(2);
    order["recipe"]["style_weight"] = json!(-1);
    for (said, status) in [
        (client.get("/nothing"), 404),
        (client.get("/api/runs/0123456789abcdef"), 404),
        (client.get("/api/runs/xyz"), 404),
        (client.delete("/api/images"), 405),
        (client.post("/api/runs", &json!([])), 400),
        (client.post("/api/runs", &order), 400),
        (client.send("POST", "/api/runs", &[("content-type", "application/json")], b"{"), 400),
        (client.post(&format!("/api/runs/{id}/params"), &json!({ "set": { "seed": 3 } })), 400),
        (client.get("/api/images/0?long_edge=64&long_edge=64"), 400),
        (client.get("/api/events?run=nothing"), 404),
    ] {
        assert_eq!(said.status, status, "{}", said.text());
        let sentence = said.json()["error"].as_str().unwrap().to_owned();
        assert!(sentence.len() > 15 && !sentence.contains('\n'), "{sentence}");
    }
}

#[test]
fn the_page_comes_with_the_cookie() {
    let workshop = Workshop::new();
    let stranger = Client::stranger(workshop.address());
    let door = stranger.get("/");
    assert_eq!((door.status, door.header("content-type")), (401, Some("text/html; charset=utf-8")));
    assert!(door.text().contains("terminal") && !door.text().contains(TOKEN));
    assert_eq!(stranger.get("/?token=wrong").status, 401);
    assert_eq!(stranger.get("/?token=wrong").header("set-cookie"), None);
    let browser = Client::browser(workshop.address(), TOKEN);
    let page = browser.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = page.text();
    // Nothing of it is elsewhere, and every file that it names is there.
    assert!(!text.contains("http://") && !text.contains("https://"));
    let files: Vec<&str> = text.split(['"', '\'']).filter(|part| part.starts_with('/')).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(browser.get(file).status, 200, "{file}");
    }
    assert_eq!(browser.get("/modules/nothing.js").status, 404);
    assert_eq!(browser.get("/modules/main").status, 404);
}
