//! `impasto report`: the page of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use impasto::Recipe;
use impasto::disk::RealDisk;
use impasto::recorder::{begin_folder, write_record};
use impasto::run_folder::{
    FORMAT, FrameSchedule, Input, Inputs, LAYOUT, Machine, Metrics, Reading, RunOutcome, RunRecord, Saving, frame_path,
};
use impasto_vgg::Layer;

use crate::workshop::Workshop;

/// A name that wants out of every place that a name may stand in.
const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;]]>--><!--.png";

fn input(name: &str, file: &str) -> Input {
    Input { name: name.to_owned(), file: PathBuf::from(file), sha256: "00".repeat(32) }
}

fn record(name: &str) -> RunRecord {
    let recipe = Recipe { content: Some(name.to_owned()), styles: Some(vec![name.to_owned()]), ..Recipe::default() };
    let recipe = recipe.resolve().unwrap();
    let content = impasto::Picture::filled(64, 48, [0.0; 3]).unwrap();
    RunRecord {
        format: FORMAT,
        layout: LAYOUT,
        program: "0.1.0".to_owned(),
        started: "2026-11-24T22:10:03Z".to_owned(),
        machine: Machine {
            system: "linux".to_owned(),
            architecture: "x86_64".to_owned(),
            processor: Some(name.to_owned()),
            processors: 2,
            engine: "cpu avx2".to_owned(),
        },
        scales: impasto::scales(&recipe, content.width, content.height),
        recipe,
        inputs: Inputs {
            content: input(name, "inputs/content.png"),
            styles: vec![input(name, "inputs/style-1.png")],
            start: None,
            masks: Vec::new(),
            changed_masks: Vec::new(),
            weights: None,
        },
        reading: Reading { megapixels: 256, lenient: false },
        output: None,
        depth: 8,
        quality: 92,
        exif: Default::default(),
        saving: Saving {
            frames: FrameSchedule::Every(1),
            checkpoint_every_s: 60.0,
            checkpoint_may_wait: true,
            keeps_last_state: false,
        },
        in_proportion: None,
        branch: None,
        outcome: None,
    }
}

fn metrics(iteration: u32) -> Metrics {
    let of = |name: &str, loss| (Layer::named(name).unwrap(), loss);
    let loss = 1e6 / f64::from(iteration);
    Metrics {
        iteration,
        evaluations: iteration,
        loss,
        content: loss / 10.0,
        style: loss / 100.0,
        matched: None,
        total_variation: 3.0,
        range: 0.0,
        multiscale: None,
        content_layers: BTreeMap::from([of("conv4_2", loss / 10.0)]),
        style_layers: BTreeMap::from([of("conv1_1", 2.0 * loss), of("conv5_1", loss / 1e5)]),
        step_length: 1.0,
        scale: usize::from(iteration > 2),
        width: 64,
        height: 48,
        seconds: f64::from(iteration),
    }
}

/// A run in the folder `run` with so many evaluations, each with a picture.
fn run(workshop: &Workshop, record: &RunRecord, evaluations: u32) {
    let folder = workshop.path("run");
    let copies = [("inputs/content.png", "photo.png"), ("inputs/style-1.png", "painting.png")];
    let copies = copies.map(|(path, name)| (PathBuf::from(path), workshop.bytes(name)));
    begin_folder(&RealDisk, &folder, record, &copies).unwrap();
    let lines = (1..=evaluations).map(|iteration| serde_json::to_string(&metrics(iteration)).unwrap() + "\n");
    std::fs::write(folder.join("metrics.jsonl"), lines.collect::<String>()).unwrap();
    for iteration in 1..=evaluations {
        std::fs::copy(workshop.path("photo.png"), frame_path(&folder, iteration)).unwrap();
    }
}

/// The page, which must be well formed, hold no address but its own pictures, and no element that a name made.
fn page(workshop: &Workshop, more: &[&str]) -> String {
    workshop.succeed(&[&["report", "run"], more].concat());
    let page = String::from_utf8(workshop.bytes("run/report.html")).unwrap();
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(&page, options).unwrap();
    let mut scripts = 0;
    for element in document.descendants().filter(|node| node.is_element()) {
        for attribute in element.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on"), "{name}={value}");
            let is_address = ["src", "href", "action", "data", "poster", "srcset", "xlink:href"].contains(&name);
            assert!(!is_address || value.starts_with("data:image/jpeg;base64,"), "{name}={value}");
        }
        let name = element.tag_name().name();
        assert!(!["link", "iframe", "object", "embed", "base", "form", "a"].contains(&name), "{name}");
        scripts += usize::from(name == "script");
    }
    assert_eq!(scripts, 2);
    assert!(page.contains("default-src &#39;none&#39;"));
    for address in ["http:", "https:", "//cdn", "@import", "url("] {
        assert!(!page.contains(address), "{address}");
    }
    page
}

fn count(page: &str, needle: &str) -> usize {
    page.matches(needle).count()
}

#[test]
fn a_finished_run_is_a_page_with_its_pictures_curves_and_times() {
    let workshop = Workshop::new();
    let mut record = record("photo.png");
    run(&workshop, &record, 6);
    std::fs::copy(workshop.path("painting.png"), workshop.path("run/result.png")).unwrap();
    let finished = "2026-11-24T22:10:09Z".to_owned();
    record.outcome = Some(RunOutcome { iterations: 6, evaluations: 6, loss: Some(1.0), seconds: 6.0, finished });
    write_record(&RealDisk, &workshop.path("run"), &record).unwrap();
    let page = page(&workshop, &[]);
    // The last picture on the way is the result; the photo and the painting stand beside.
    assert_eq!(count(&page, "<img src=\"data:image/jpeg;base64,"), 5 + 1 + 2);
    for said in ["finished", "6 s", "conv5_1", "Step length", "avx2", "64×48", "style weight", "1 s</td>"] {
        assert!(page.contains(said), "{said}");
    }
    assert_eq!(count(&page, "data-chart"), 4);
}

#[test]
fn few_pictures_of_many_are_taken_when_asked() {
    let workshop = Workshop::new();
    run(&workshop, &record("photo.png"), 9);
    let page = page(&workshop, &["--pictures", "3", "--picture-size", "16"]);
    assert_eq!(count(&page, "<img"), 3 + 2);
    for iteration in [1, 5, 9] {
        assert!(page.contains(&format!("alt=\"iteration {iteration}\"")), "{iteration}");
    }
    assert!(page.contains("width=\"16\" height=\"12\"") && page.contains("3 of 9 pictures"));
}

#[test]
fn a_run_without_anything_yet_is_a_page() {
    let workshop = Workshop::new();
    run(&workshop, &record("photo.png"), 0);
    let page = page(&workshop, &[]);
    for said in ["no picture yet", "No evaluation is done yet", "stopped"] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn a_damaged_picture_is_said_and_the_others_are_shown() {
    let workshop = Workshop::new();
    run(&workshop, &record("photo.png"), 3);
    std::fs::write(workshop.path("run/frames/000002.png"), "no picture").unwrap();
    let page = page(&workshop, &[]);
    assert_eq!(count(&page, "<img"), 2 + 2);
    assert!(page.contains("000002.png"));
}

#[test]
fn hostile_names_stay_text() {
    let workshop = Workshop::new();
    run(&workshop, &record(HOSTILE), 3);
    let page = page(&workshop, &[]);
    assert_eq!(count(&page, "<script>alert"), 0);
    assert_eq!(count(&page, "<img"), 3 + 2);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn what_is_no_run_or_no_page_is_said() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("empty")).unwrap();
    let cases: [(&[&str], i32, &str); 4] = [
        (&["report", "nowhere"], 1, "nowhere"),
        (&["report", "empty"], 1, "run.json"),
        (&["report", "photo.png"], 1, "photo.png"),
        (&["report", "run", "-o", "run/run.json"], 2, ".html"),
    ];
    run(&workshop, &record("photo.png"), 1);
    for (arguments, status, needle) in cases {
        let complaints = workshop.complaints_about_refusal(workshop.command(arguments), status, needle);
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}
