//! A studio in a folder of its own, and a client that writes each byte of its requests itself.

#![allow(dead_code, reason = "each test has its own use of it")]

mod client;
mod stream;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use impasto::Picture;
use impasto::write::{OutputFormat, WriteOptions, encode_picture};
use impasto_job::DeviceChoice;
use impasto_studio::{Options, Server, serve};
use serde_json::{Value, json};
use tempfile::TempDir;

#[allow(unused_imports, reason = "each test has its own use of it")]
pub use client::{Answer, Client, chunked, read_answer};
pub use stream::Stream;

/// Longer than anything here takes, on a machine that is busy.
pub const LONG: Duration = Duration::from_secs(120);

pub const TOKEN: &str = "a-token-for-tests-0123456789";

/// A studio with a photo and a painting.
pub struct Workshop {
    pub folder: TempDir,
    pub server: Option<Server>,
    pub photo: String,
    pub painting: String,
}

impl Workshop {
    pub fn new() -> Workshop {
        let folder = tempfile::tempdir().unwrap();
        let mut workshop = Workshop { folder, server: None, photo: String::new(), painting: String::new() };
        workshop.open();
        let client = workshop.client();
        // It looks around first: the shipped pictures are put on the shelf, then the devices are known.
        while client.get("/api/studio").json()["devices"] == json!([]) {
            std::thread::sleep(Duration::from_millis(10));
        }
        workshop.photo = client.image("photo.png", &picture(48, 40, 1));
        workshop.painting = client.image("painting.png", &picture(44, 52, 5));
        workshop
    }

    /// Begins a server on the folder.
    pub fn open(&mut self) {
        let silence = Arc::new(|_: &str| {});
        let options = Options {
            port: Some(0),
            token: Some(TOKEN.to_owned()),
            device: DeviceChoice::Cpu,
            threads: Some(2),
            ..Options::of(self.runs(), silence)
        };
        self.server = Some(serve(options).unwrap());
    }

    /// Ends the server.
    pub fn close(&mut self) {
        self.server.take().unwrap().stop();
    }

    pub fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    pub fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().address()
    }

    /// A script.
    pub fn client(&self) -> Client {
        Client::script(self.address(), TOKEN)
    }

    /// What is ordered: tiny, with few layers, done in a moment.
    pub fn order(&self, iterations: u32) -> Value {
        json!({ "content": self.photo, "styles": [self.painting], "recipe": recipe(iterations), "device": "cpu" })
    }

    /// Puts a run in line and gives its identifier.
    pub fn begin(&self, iterations: u32) -> String {
        let said = self.client().post("/api/runs", &self.order(iterations));
        assert_eq!(said.status, 201, "{}", said.text());
        said.json()["id"].as_str().unwrap().to_owned()
    }

    /// A run, once it is in one of these states.
    pub fn wait(&self, run: &str, states: &[&str]) -> Value {
        let client = self.client();
        let begun = Instant::now();
        loop {
            let detail = client.get(&format!("/api/runs/{run}")).json();
            if states.iter().any(|state| detail["state"] == *state) {
                return detail;
            }
            assert!(detail["state"] != "failed" && begun.elapsed() < LONG, "{detail}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A recipe that is done in a moment.
pub fn recipe(iterations: u32) -> Value {
    json!({
        "size": "64", "levels": 1, "iterations": iterations, "balance": "plain",
        "style_layers": { "conv1_1": 1.0, "conv2_1": 1.0 }, "content_layers": { "conv2_2": 1.0 },
    })
}

/// A PNG with something to see in it.
pub fn picture(width: usize, height: usize, frequency: usize) -> Vec<u8> {
    let pixels = (0..width * height).flat_map(|position| {
        let (x, y) = (position % width, position / width);
        [x * 6 * frequency, y * 5 * frequency, (x * y * frequency) / 2].map(|value| (value % 256) as u8)
    });
    let picture = Picture::from_rgb8(width, height, &pixels.collect::<Vec<_>>()).unwrap();
    encode_picture(&picture, OutputFormat::Png, WriteOptions::default(), None).unwrap()
}

/// Every file below a folder, with its length.
pub fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => files.push((entry.path(), entry.metadata().unwrap().len())),
            }
        }
    }
    files.sort();
    files
}
