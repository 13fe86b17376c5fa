//! A run is steered while it is painted, and what came of it can be painted again without anybody.

use serde_json::{Value, json};

use crate::support::{Client, Stream, Workshop};

const FOR_EVER: u32 = 1_000_000;

/// Asks a run to do something, and demands that it is taken.
fn tell(client: &Client, run: &str, what: &str, body: &Value) -> Value {
    let said = client.post(&format!("/api/runs/{run}/{what}"), body);
    assert_eq!(said.status, 202, "{what}: {}", said.text());
    said.json()
}

#[test]
fn changes_count_from_the_next_evaluation_and_can_be_painted_again() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let run = workshop.begin(40);
    let mut events = Stream::open(&client, &format!("/api/events?run={run}"));
    tell(&client, &run, "pause", &json!({}));
    let paused = workshop.wait(&run, &["paused"]);
    let made = paused["evaluation"].as_u64().unwrap();
    assert!(made < 40, "{made}");
    let before = paused["controls"]["style_weight"].as_f64().unwrap();

    tell(&client, &run, "step", &json!({}));
    events.find("state", |state| state["state"] == "paused" && state["evaluation"] == made + 1);

    let taken = tell(&client, &run, "params", &json!({ "set": { "strength": 1.5, "content_weight": 0.5 } }));
    assert_eq!(taken["before_evaluation"], made + 2);
    let changed = client.get(&format!("/api/runs/{run}")).json();
    assert_eq!((&changed["controls"]["strength"], &changed["controls"]["content_weight"]), (&json!(1.5), &json!(0.5)));
    assert_eq!((&changed["can_undo"], &changed["can_redo"]), (&json!(true), &json!(false)));
    tell(&client, &run, "step", &json!({}));
    let applied = events.find("applied", |_| true);
    assert_eq!(applied["before_evaluation"], made + 2);
    events.find("state", |state| state["state"] == "paused" && state["evaluation"] == made + 2);

    // Undone, made again and undone: each another entry.
    let taken = tell(&client, &run, "undo", &json!({}));
    assert_eq!(taken["before_evaluation"], made + 3);
    let undone = client.get(&format!("/api/runs/{run}")).json();
    assert_eq!(undone["controls"]["style_weight"].as_f64(), Some(before));
    assert_eq!((&undone["can_undo"], &undone["can_redo"]), (&json!(false), &json!(true)));
    tell(&client, &run, "step", &json!({}));
    events.find("state", |state| state["state"] == "paused" && state["evaluation"] == made + 3);
    tell(&client, &run, "redo", &json!({}));
    assert_eq!(client.post(&format!("/api/runs/{run}/redo"), &json!({})).status, 409);

    tell(&client, &run, "resume", &json!({}));
    let finished = workshop.wait(&run, &["finished"]);
    let timeline = finished["timeline"].as_array().unwrap();
    let counted: Vec<u64> = timeline.iter().map(|entry| entry["before_evaluation"].as_u64().unwrap()).collect();
    assert_eq!(counted, [made + 2, made + 3, made + 4]);
    assert_eq!(timeline[1]["set"]["style_weight"].as_f64(), Some(before));

    // The recipe that it ended with, ordered again by a script that steers nothing.
    let again = json!({ "content": workshop.photo, "styles": [workshop.painting], "recipe": finished["recipe"], "device": "cpu" });
    let again = client.post("/api/runs", &again).json()["id"].as_str().unwrap().to_owned();
    workshop.wait(&again, &["finished"]);
    let picture = |run: &str| {
        let bytes = client.get(&format!("/api/runs/{run}/export?format=png16")).body;
        impasto::read::decode_picture(&bytes, "export".as_ref(), &Default::default()).unwrap().picture
    };
    assert!(picture(&run) == picture(&again), "the same recipe gives another picture");
}

#[test]
fn what_is_asked_before_a_run_begins_counts_from_its_beginning() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let first = workshop.begin(FOR_EVER);
    workshop.wait(&first, &["painting"]);
    let run = workshop.begin(5);
    let taken = tell(&client, &run, "params", &json!({ "set": { "content_weight": 3 } }));
    assert_eq!(taken["before_evaluation"], Value::Null);
    tell(&client, &run, "pause", &json!({}));
    assert_eq!(
        client.post(&format!("/api/runs/{run}/params"), &json!({ "set": { "content_weight": -3 } })).status,
        400
    );
    tell(&client, &first, "stop", &json!({}));
    let paused = workshop.wait(&run, &["paused"]);
    assert_eq!((&paused["evaluation"], &paused["controls"]["content_weight"]), (&json!(0), &json!(3.0)));
    tell(&client, &run, "resume", &json!({}));
    let finished = workshop.wait(&run, &["finished"]);
    assert_eq!(finished["timeline"], json!([{ "before_evaluation": 1, "set": { "content_weight": 3.0 } }]));
}

#[test]
fn a_region_can_be_drawn_while_it_is_painted() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let mask = |from: usize| {
        let pixels: Vec<u8> = (0..48 * 40).flat_map(|place| [if place % 48 < from { 255 } else { 0 }; 3]).collect();
        let picture = impasto::Picture::from_rgb8(48, 40, &pixels).unwrap();
        let png = impasto::write::encode_picture(&picture, impasto::write::OutputFormat::Png, Default::default(), None);
        client.send("POST", "/api/masks", &[], &png.unwrap()).json()["id"].as_str().unwrap().to_owned()
    };
    let (half, third) = (mask(24), mask(16));
    let run = workshop.begin(30);
    tell(&client, &run, "pause", &json!({}));
    workshop.wait(&run, &["paused"]);
    let regions = |mask: &str| json!({ "set": { "regions": [{ "name": "left", "mask": mask }], "rest": "photo" } });
    tell(&client, &run, "params", &regions(&half));
    tell(&client, &run, "step", &json!({}));
    workshop.wait(&run, &["paused"]);
    tell(&client, &run, "params", &regions(&third));
    let seen = client.get(&format!("/api/runs/{run}")).json();
    assert_eq!(seen["controls"]["regions"][0]["mask"], third.as_str());
    tell(&client, &run, "undo", &json!({}));
    tell(&client, &run, "resume", &json!({}));
    let finished = workshop.wait(&run, &["finished"]);
    assert_eq!(finished["controls"]["regions"][0]["mask"], half.as_str());
    for wrong in ["0".repeat(64).as_str(), "/etc/passwd", "../x.png"] {
        let said = client.post(&format!("/api/runs/{run}/params"), &regions(wrong));
        assert!([400, 404].contains(&said.status), "{wrong}: {}", said.status);
    }
}

#[test]
fn what_cannot_change_is_said_and_changes_nothing() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let run = workshop.begin(FOR_EVER);
    workshop.wait(&run, &["painting"]);
    for set in [
        json!({ "size": "128" }),
        json!({ "seed": 7 }),
        json!({ "strength": 9 }),
        json!({ "style_weight": "much" }),
        json!({ "style_layers": { "conv9_9": 1 } }),
        json!({ "style_blend": [1, 2, 3] }),
        json!({}),
    ] {
        let said = client.post(&format!("/api/runs/{run}/params"), &json!({ "set": set }));
        assert_eq!(said.status, 400, "{set}: {}", said.text());
    }
    let seen = client.get(&format!("/api/runs/{run}")).json();
    assert_eq!((&seen["timeline"], &seen["state"], &seen["can_undo"]), (&json!([]), &json!("painting"), &json!(false)));
    tell(&client, &run, "stop", &json!({}));
    workshop.wait(&run, &["stopped"]);
    for what in ["params", "pause", "step", "undo"] {
        let body = if what == "params" { json!({ "set": { "strength": 1.2 } }) } else { json!({}) };
        assert_eq!(client.post(&format!("/api/runs/{run}/{what}"), &body).status, 409, "{what}");
    }
}

#[test]
fn a_branch_has_its_parents_past_and_a_future_of_its_own() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let run = workshop.begin(60);
    tell(&client, &run, "pause", &json!({}));
    workshop.wait(&run, &["paused"]);
    tell(&client, &run, "step", &json!({}));
    tell(&client, &run, "step", &json!({}));
    let mut paused = workshop.wait(&run, &["paused"]);
    while paused["evaluation"].as_u64().unwrap() < 3 {
        tell(&client, &run, "step", &json!({}));
        paused = workshop.wait(&run, &["paused"]);
    }
    let said = client.post(&format!("/api/runs/{run}/branch"), &json!({ "set": { "strength": 1.8 } }));
    assert_eq!(said.status, 201, "{}", said.text());
    let branch = said.json()["id"].as_str().unwrap().to_owned();
    let waiting = client.get(&format!("/api/runs/{branch}")).json();
    assert_eq!((&waiting["parent"], &waiting["state"]), (&json!(run), &json!("waiting")));
    let at = waiting["branched_at"].as_u64().unwrap();
    assert!(at > 0, "{waiting}");
    tell(&client, &run, "resume", &json!({}));
    workshop.wait(&run, &["finished"]);
    let finished = workshop.wait(&branch, &["finished"]);
    assert_eq!(finished["timeline"][0]["before_evaluation"], at + 1);
    assert_eq!((&finished["controls"]["strength"], &finished["evaluation"]), (&json!(1.8), &json!(60)));
    // Of a run that is done, a branch goes on for as long again.
    let said = client.post(&format!("/api/runs/{run}/branch"), &json!({ "set": { "content_weight": 2 } }));
    assert_eq!(said.status, 201, "{}", said.text());
    let longer = workshop.wait(said.json()["id"].as_str().unwrap(), &["finished"]);
    assert_eq!((&longer["branched_at"], &longer["evaluation"]), (&json!(60), &json!(120)));
    assert_eq!(client.post(&format!("/api/runs/{run}/branch"), &json!({ "set": { "seed": 2 } })).status, 400);
    assert_eq!(client.post(&format!("/api/runs/{run}/branch"), &json!({ "from": 1000 })).status, 400);
}
