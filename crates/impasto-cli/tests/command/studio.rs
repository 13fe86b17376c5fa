//! The studio as it is started and ended on a command line. What it does in between is tested in its own crate.

#[path = "../../../impasto-studio/tests/support/client.rs"]
#[allow(dead_code, reason = "each test has its own use of it")]
mod client;

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use impasto::checkpoint::newest;
use serde_json::json;

use crate::workshop::Workshop;
use client::Client;

const TOKEN: &str = "a-token-for-tests-0123456789";

/// Longer than anything here takes, on a machine that is busy.
const LONG: Duration = Duration::from_secs(120);

#[test]
fn ctrl_c_in_the_middle_keeps_the_run() {
    let workshop = Workshop::new();
    let words = ["studio", "--no-open", "--port", "0", "--device", "cpu", "--threads", "2", "--token", TOKEN];
    let mut child =
        workshop.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("http://").and_then(|rest| rest.split('/').next());
    let address: SocketAddr = address.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
    assert!(line.contains(&format!("token={TOKEN}")), "{line}");

    let client = Client::script(address, TOKEN);
    let [content, style] = ["photo.png", "painting.png"].map(|name| client.image(name, &workshop.bytes(name)));
    let recipe = json!({
        "size": "32", "levels": 1, "iterations": 100_000,
        "style_layers": { "conv1_1": 1.0 }, "content_layers": { "conv2_1": 1.0 },
    });
    let begun = client.post("/api/runs", &json!({ "content": content, "styles": [style], "recipe": recipe })).json();
    let id = begun["id"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    let since = Instant::now();
    while client.get(&format!("/api/runs/{id}")).json()["evaluation"].as_u64().is_none_or(|done| done < 3) {
        assert!(since.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert!(said.contains("stopping after the running evaluation"), "{said}");

    let runs = std::fs::read_dir(workshop.path("runs")).unwrap().map(|entry| entry.unwrap().path());
    let run = runs.into_iter().find(|folder| folder.join("run.json").exists()).expect("the run is kept");
    let kept = newest(&run).newest.expect("a checkpoint").1.place.evaluations;
    assert!(kept >= 3, "{kept}");
    let listed = workshop.succeed(&["runs", "runs"]);
    assert!(listed.contains(&run.file_name().unwrap().to_string_lossy().into_owned()), "{listed}");
}

#[test]
fn a_port_that_is_taken_is_said() {
    let workshop = Workshop::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let command = workshop.command(&["studio", "--no-open", "--device", "cpu", "--port", &port]);
    let complaints = workshop.complaints_about_refusal(command, 1, &port);
    assert!(complaints.is_empty(), "{complaints:?}");
}
