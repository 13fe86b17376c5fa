//! Runs that are kept: those of a terminal too, gone on with, painted larger, removed.

use std::sync::Arc;

use impasto::Control;
use impasto::recipe::Recipe;
use impasto_job::{DeviceChoice, Engines, Files, Job, KeepIn, Order};
use serde_json::json;

use crate::support::{Workshop, files, picture, recipe};

/// Paints a run as `impasto paint --run-dir` does; stops it after `stop_after` evaluations.
fn paint_in_terminal(workshop: &Workshop, name: &str, iterations: u32, stop_after: u32) {
    let folder = workshop.folder.path();
    std::fs::write(folder.join("other.png"), picture(40, 48, 3)).unwrap();
    std::fs::write(folder.join("swirl.png"), picture(44, 52, 7)).unwrap();
    let order = Order {
        content: Some(folder.join("other.png")),
        styles: vec![folder.join("swirl.png")],
        recipe: Recipe::from_json(&recipe(iterations).to_string()).unwrap(),
        ..Order::default()
    };
    let keep = KeepIn::folder(&workshop.runs().join(name));
    let mut engines = Engines::for_one_job(DeviceChoice::Cpu, Some(2), Arc::new(|_: &str| {}));
    let job = Job::new(&order, &Files::default(), Some(&keep)).unwrap();
    let mut made = 0;
    let observed = job.prepare(&mut engines).unwrap().perform(&mut |_| {
        made += 1;
        if made > stop_after { Control::Stop } else { Control::Continue }
    });
    observed.unwrap();
}

#[test]
fn a_run_of_a_terminal_is_like_any_other() {
    let workshop = Workshop::new();
    paint_in_terminal(&workshop, "of a terminal", 3, 1000);
    paint_in_terminal(&workshop, "stopped there", 30, 5);
    let client = workshop.client();
    let runs = client.get("/api/runs").json()["runs"].as_array().unwrap().clone();
    let named = |name: &str| runs.iter().find(|run| run["name"] == name).unwrap_or_else(|| panic!("{runs:?}")).clone();
    let (done, stopped) = (named("of a terminal"), named("stopped there"));
    assert_eq!((&done["state"], &stopped["state"]), (&json!("finished"), &json!("stopped")));
    assert_eq!((&done["content"]["name"], &done["styles"][0]["name"]), (&json!("other.png"), &json!("swirl.png")));
    assert_eq!(done["size"], json!({ "width": 53, "height": 64 }));
    let id = done["id"].as_str().unwrap();
    let shown = client.get(&format!("/api/images/{}?long_edge=20", done["content"]["id"].as_str().unwrap()));
    assert_eq!((shown.status, shown.header("content-type")), (200, Some("image/jpeg")));
    let newest = client.get(&format!("/api/runs/{id}/preview/{}.jpg", done["revision"]));
    assert_eq!(newest.status, 200);
    assert!(client.get(&format!("/api/runs/{id}")).json()["losses"]["total"].as_array().unwrap().len() > 1);

    let id = stopped["id"].as_str().unwrap();
    assert_eq!(client.post(&format!("/api/runs/{id}/resume"), &json!({})).status, 202);
    let finished = workshop.wait(id, &["finished"]);
    assert_eq!(finished["evaluation"], 30);
}

#[test]
fn a_run_that_a_terminal_paints_now_is_let_be() {
    let workshop = Workshop::new();
    paint_in_terminal(&workshop, "elsewhere", 30, 5);
    let _held = impasto::disk::Lock::take(&workshop.runs().join("elsewhere/.lock")).unwrap();
    let client = workshop.client();
    let run = client.get("/api/runs").json()["runs"][0].clone();
    assert_eq!((&run["state"], &run["elsewhere"]), (&json!("painting"), &json!(true)));
    let id = run["id"].as_str().unwrap();
    for path in ["stop", "pause", "resume", "step", "undo"] {
        let said = client.post(&format!("/api/runs/{id}/{path}"), &json!({}));
        assert!([404, 409].contains(&said.status), "{path}: {} {}", said.status, said.text());
    }
    assert_eq!(client.delete(&format!("/api/runs/{id}")).status, 409);
    assert!(workshop.runs().join("elsewhere/run.json").exists());
}

#[test]
fn the_picture_is_painted_on_at_twice_the_size() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let run = workshop.begin(3);
    assert_eq!(client.post(&format!("/api/runs/{run}/larger"), &json!({})).status, 409, "it has no picture yet");
    workshop.wait(&run, &["finished"]);
    let said = client.post(&format!("/api/runs/{run}/larger"), &json!({}));
    assert_eq!(said.status, 201, "{}", said.text());
    let larger = workshop.wait(said.json()["id"].as_str().unwrap(), &["finished"]);
    assert_eq!(larger["size"], json!({ "width": 128, "height": 107 }));
    assert_eq!((&larger["parent"], &larger["branched_at"]), (&json!(run), &json!(null)));
    assert_eq!(larger["content"]["id"], workshop.photo.as_str());
    assert_eq!(larger["name"], "photo after painting, larger");
    // The first one's picture is on the disk, and no longer in memory.
    let before = client.get(&format!("/api/runs/{run}")).json();
    assert!(before["revision"].as_u64().unwrap() > 0, "{before}");
}

#[test]
fn what_is_removed_is_gone_and_nothing_else_is() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let (one, other) = (workshop.begin(2), workshop.begin(2));
    workshop.wait(&one, &["finished"]);
    workshop.wait(&other, &["finished"]);
    let before = files(&workshop.runs());
    assert_eq!(client.delete(&format!("/api/runs/{one}")).status, 204);
    assert_eq!(client.delete(&format!("/api/runs/{one}")).status, 404);
    let after = files(&workshop.runs());
    let gone: Vec<_> = before.iter().filter(|file| !after.contains(file)).collect();
    assert!(!gone.is_empty() && gone.iter().all(|(path, _)| path.starts_with(workshop.runs().join("photo-painting"))));
    assert_eq!(client.get(&format!("/api/runs/{other}/export")).status, 200);
    let listed = client.get("/api/runs").json();
    assert_eq!(listed["runs"].as_array().unwrap().len(), 1);
}
