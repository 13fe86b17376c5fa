//! Runs that are finished, and runs from a picture file: handed over, and gone on with.

use impasto::read::{ReadLimits, read_picture, read_recipe};
use serde_json::Value;

use crate::watched::Watched;
use crate::workshop::{Workshop, paint_arguments};

#[test]
fn a_finished_run_hands_its_picture_over() {
    let workshop = Workshop::new();
    workshop.paint("first.png", &["--run-dir", "run", "--quiet"]);
    let result = workshop.bytes("run/result.png");
    let before = workshop.files();
    // Asked for nothing, it writes nothing.
    let done = workshop.succeed(&["resume", "run", "--json"]);
    assert_eq!(workshop.files(), before);
    let done: Value = serde_json::from_str(done.trim_end()).unwrap();
    assert_eq!((&done["event"], &done["evaluations"], &done["width"]), (&"done".into(), &4.into(), &32.into()));
    assert!(done["output"].as_str().unwrap().ends_with("result.png") && done["loss"].is_number(), "{done}");

    let done = workshop.succeed(&["resume", "run", "-o", "new.png", "--json"]);
    let done: Value = serde_json::from_str(done.trim_end()).unwrap();
    assert_eq!(done["output"], "new.png");
    assert!(workshop.bytes("new.png") == result, "another picture");
    let output = workshop.run(&["resume", "run", "-o", "new.jpg"]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("its picture is new.jpg"));
    let picture = read_picture(&workshop.path("new.jpg"), &ReadLimits::default()).unwrap().picture;
    assert_eq!((picture.width, picture.height), (32, 24));
    assert_eq!(
        read_recipe(&workshop.path("new.jpg")).unwrap().trim_end(),
        read_recipe(&workshop.path("run/result.png")).unwrap().trim_end()
    );
    let complaints = [("nowhere/new.png", 1), ("new.gif", 2), ("run/inputs/content.png", 2)].map(|(name, status)| {
        workshop.complaints_about_refusal(workshop.command(&["resume", "run", "-o", name]), status, name)
    });
    assert!(complaints.iter().all(Vec::is_empty), "{complaints:?}");
}

#[test]
fn a_run_from_a_picture_file_and_weights_of_its_own_goes_on() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("private")).unwrap();
    workshop.draw("private/sketch.png", 40, 30, 3);
    workshop.succeed(&["weights", "convert", "normalised", "private/mine.safetensors", "--as", "f16"]);
    let files = ["--init", "private/sketch.png", "--weights", "private/mine.safetensors", "--iterations", "200"];
    workshop.paint("whole.png", &[&files[..], &["--quiet"]].concat());
    let kept = paint_arguments("out.png", &[&files[..], &["--run-dir", "run", "--checkpoint-every", "0"]].concat());
    Watched::after(&workshop, &kept, 3).kill(&workshop);
    let record = String::from_utf8(workshop.bytes("run/run.json")).unwrap();
    assert!(record.contains("\"init\": \"sketch.png\"") && record.contains("\"weights\": \"mine.safetensors\""));
    std::fs::remove_file(workshop.path("private/sketch.png")).unwrap();
    workshop.succeed(&["resume", "run", "--quiet"]);
    assert!(workshop.bytes("out.png") == workshop.bytes("whole.png"));
}
