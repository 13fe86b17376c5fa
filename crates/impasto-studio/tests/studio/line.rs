//! The line: one run is painted, sixteen wait, and nobody's going away changes that.

use std::io::Write;

use serde_json::json;

use crate::support::{Client, Stream, TOKEN, Workshop, read_answer};

/// Long enough that it never ends by itself here.
const FOR_EVER: u32 = 1_000_000;

#[test]
fn sixteen_wait_and_the_next_is_refused() {
    let mut workshop = Workshop::new();
    let client = workshop.client();
    let mut events = Stream::open(&client, "/api/events");
    let first = workshop.begin(FOR_EVER);
    events.find("iteration", |_| true);
    let waiting: Vec<String> = (0..16).map(|_| workshop.begin(FOR_EVER)).collect();
    // Ten thousand more, on one connection.
    let body = workshop.order(3).to_string();
    let request = client.head(
        "POST",
        "/api/runs",
        &[("content-type", "application/json"), ("content-length", &body.len().to_string())],
    );
    let mut stream = client.connect();
    for _ in 0..10_000 {
        stream.write_all([request.as_bytes(), body.as_bytes()].concat().as_slice()).unwrap();
        let said = read_answer(&mut stream);
        assert_eq!(said.status, 429, "{}", said.text());
        assert!(said.json()["error"].as_str().unwrap().starts_with("16 runs wait already"));
    }
    let runs = client.get("/api/runs").json();
    let runs = runs["runs"].as_array().unwrap();
    let count = |state: &str| runs.iter().filter(|run| run["state"] == state).count();
    assert_eq!((runs.len(), count("painting"), count("waiting")), (17, 1, 16));
    let place = |run: &str| client.get(&format!("/api/runs/{run}")).json()["place_in_line"].clone();
    assert_eq!((place(&waiting[0]), place(&waiting[15]), place(&first)), (json!(1), json!(16), json!(null)));

    // Stopped before it began, it leaves the line, and the others move up; later it stands in line again.
    assert_eq!(client.post(&format!("/api/runs/{}/stop", waiting[3]), &json!({})).json()["state"], "stopped");
    assert_eq!((place(&waiting[3]), place(&waiting[4])), (json!(null), json!(4)));
    assert_eq!(client.delete(&format!("/api/runs/{}", waiting[4])).status, 204);
    assert_eq!(client.get(&format!("/api/runs/{}", waiting[4])).status, 404);
    assert_eq!(client.post(&format!("/api/runs/{}/resume", waiting[3]), &json!({})).status, 202);
    assert_eq!(place(&waiting[3]), json!(15));

    // The next begins when the first ends.
    assert_eq!(client.post(&format!("/api/runs/{first}/stop"), &json!({})).status, 202);
    workshop.wait(&waiting[0], &["painting"]);
    events.find("iteration", |told| told["id"] == waiting[0].as_str());
    assert_eq!(workshop.wait(&first, &["stopped"])["state"], "stopped");

    // The server ends: what was painted is kept, and another server goes on with it.
    workshop.close();
    workshop.open();
    let detail = workshop.wait(&waiting[0], &["stopped"]);
    assert!(detail["evaluation"].as_u64().unwrap() > 0, "{detail}");
    assert_eq!(detail["name"], "photo after painting");
    assert!(detail["revision"].as_u64().unwrap() > 0, "its picture is on the disk: {detail}");
    let said = workshop.client().post(&format!("/api/runs/{}/resume", waiting[0]), &json!({}));
    assert_eq!(said.status, 202, "{}", said.text());
    workshop.wait(&waiting[0], &["painting"]);
}

#[test]
fn a_reload_and_a_second_browser_see_the_same_and_who_leaves_stops_nothing() {
    let workshop = Workshop::new();
    let one = Client::browser(workshop.address(), TOKEN);
    let said = one.post("/api/runs", &workshop.order(FOR_EVER));
    assert_eq!(said.status, 201, "{}", said.text());
    let run = said.json()["id"].as_str().unwrap().to_owned();
    let mut events = Stream::open(&one, &format!("/api/events?run={run}"));
    assert_eq!(events.find("snapshot", |_| true)["run"]["id"], run.as_str());
    let seen = events.find("iteration", |_| true)["evaluation"].as_u64().unwrap();
    drop(events);
    // Reloaded, and opened in another browser: a stream begins with how all stands, and goes on.
    let other = Client::browser(workshop.address(), TOKEN);
    for client in [&one, &other] {
        let mut events = Stream::open(client, "/api/events");
        let snapshot = events.find("snapshot", |_| true);
        assert_eq!(snapshot["runs"][0]["id"], run.as_str());
        assert!(snapshot["runs"][0]["evaluation"].as_u64().unwrap() >= seen);
        events.find("iteration", |told| told["evaluation"].as_u64().unwrap() > seen);
    }
    assert_eq!(other.get(&format!("/api/runs/{run}")).json()["state"], "painting");
    assert_eq!(other.post(&format!("/api/runs/{run}/stop"), &json!({})).status, 202);
    workshop.wait(&run, &["stopped"]);
}

#[test]
fn a_run_that_cannot_be_read_fails_alone() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let stem = workshop.runs().join(".studio/images").join(&workshop.painting);
    let lost = stem.join("painting.png");
    let kept = std::fs::read(&lost).unwrap();
    let mut events = Stream::open(&client, "/api/events");
    std::fs::write(&lost, b"\x89PNG and nothing").unwrap();
    let run = workshop.begin(3);
    let told = events.find("error", |told| told["id"] == run.as_str());
    assert!(told["error"].as_str().unwrap().contains("painting.png"), "{told}");
    std::fs::write(&lost, kept).unwrap();
    let next = workshop.begin(3);
    workshop.wait(&next, &["finished"]);
    let failed = client.get(&format!("/api/runs/{run}")).json();
    assert_eq!((&failed["state"], &failed["error"]), (&json!("failed"), &told["error"]));
    assert_eq!(client.post(&format!("/api/runs/{run}/resume"), &json!({})).status, 202, "mended, it is painted");
    workshop.wait(&run, &["finished"]);
}
