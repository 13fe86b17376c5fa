//! What earlier versions wrote is read for ever: recipes mean what they meant, and a run that was left half-done ends in the
//! picture that the program which began it would have made.
//!
//! The expected values are those of the earlier program, not of this one: `tests/data/before-formats/README.md`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use impasto::digest::sha256;
use impasto::read::{ReadLimits, read_picture};
use impasto::recipe::FORMAT;
use impasto::run_folder::read_record;
use serde_json::Value;

use crate::workshop::{Workshop, files_of};

/// The fields that a recipe has gained since, and what those without them meant.
fn gained(field: &str, kept: &Value) -> Option<Value> {
    match field {
        "format" => Some(FORMAT.into()),
        "style_loss" => Some("gram".into()),
        "balance" => Some("plain".into()),
        "scale_factor" => Some(2.0.into()),
        "coarsest_px" => Some(32.into()),
        // Without a weight no smaller size counts.
        "multiscale_weight" => Some(0.0.into()),
        "multiscale_px" => Some(384.into()),
        "adam_beta_2" => Some(0.999.into()),
        "adam_average" => Some(0.0.into()),
        "adam_carried" => Some(false.into()),
        "colours" => Some(if kept["original_colors"] == true { "photo" } else { "painting" }.into()),
        "transparency" => Some("white".into()),
        "rest" => Some("painting".into()),
        "rest_feather_px" => Some(8.0.into()),
        "upscale_style" => Some(true.into()),
        "seamless" => Some("none".into()),
        // Without a weight nothing is matched, whatever the others say.
        "match_weight" => Some(0.0.into()),
        "match_layers" => Some(serde_json::json!({ "conv2_1": 1.0, "conv3_1": 1.0, "conv4_1": 1.0 })),
        "match_every" => Some(10.into()),
        "match_turns" => Some("upright".into()),
        "match_photo" => Some(0.0.into()),
        "match_centred" => Some(true.into()),
        _ => None,
    }
}

/// The version that wrote the half-done runs.
const WRITTEN_BY: &str = "0.1.0";

fn before_formats() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/before-formats")
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The names of the kept recipes.
fn names() -> Vec<String> {
    let entries = std::fs::read_dir(before_formats().join("recipes")).unwrap();
    let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = files.map(|file| file.split('.').next().unwrap().to_owned()).collect();
    names.into_iter().collect()
}

/// What the program takes a kept recipe for. `run.json` has it before any work is done, so nothing is painted.
fn resolved(workshop: &Workshop, name: &str) -> Result<Value, String> {
    let file = format!("{name}.json");
    let kept = before_formats().join("recipes").join(&file);
    std::fs::copy(&kept, workshop.path(&file)).unwrap();
    let recipe = json(&kept);
    let mut words = vec!["paint"];
    let images = [("content", "photo.png"), ("styles", "painting.png")];
    words.extend(images.iter().filter(|(field, _)| recipe[field].is_null()).map(|(_, image)| image));
    words.extend(["--recipe", &file, "--device", "cpu", "--run-dir", name, "--json"]);
    let mut command = workshop.command(&words);
    command.env("IMPASTO_ISA", "portable").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let record = workshop.path(name).join("run.json");
    let mut ended = false;
    while !record.exists() && !ended {
        ended = child.try_wait().unwrap().is_some();
        std::thread::sleep(Duration::from_millis(2));
    }
    // One that has ended by itself is past that.
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    match record.exists() {
        true => Ok(json(&record)["recipe"].take()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// In what a recipe differs from the kept one.
fn differences(name: &str, kept: &Value, found: &Value) -> Vec<String> {
    let fields = |recipe: &Value| recipe.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let differs = |field: &&String| match field.as_str() {
        "version" => found[field.as_str()] != env!("CARGO_PKG_VERSION"),
        // `null` and a field that is not there are two things.
        field => kept.get(field).cloned().or_else(|| gained(field, kept)).as_ref() != found.get(field),
    };
    let all: BTreeSet<String> = fields(kept).union(&fields(found)).cloned().collect();
    let told = |field: &String| format!("{name}: {field} was {:?} and is {:?}", kept.get(field), found.get(field));
    all.iter().filter(differs).map(told).collect()
}

#[test]
fn recipes_mean_what_they_meant() {
    let workshop = Workshop::new();
    workshop.draw("second.png", 30, 30, 3);
    let names = names();
    assert!(names.len() >= 74, "recipes are missing: {names:?}");
    let mut complaints = Vec::new();
    for name in &names {
        let kept = json(&before_formats().join("recipes").join(format!("{name}.resolved.json")));
        match resolved(&workshop, name) {
            Ok(found) => complaints.extend(differences(name, &kept, &found)),
            Err(said) => complaints.push(format!("{name} is refused: {said}")),
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Puts a kept run into the workshop, under its own name.
fn lay_out(workshop: &Workshop, name: &str) {
    let kept = before_formats().join("half-done-runs").join(name);
    for (path, bytes) in files_of(&kept) {
        let copy = workshop.path(name).join(path.strip_prefix(&kept).unwrap());
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::write(copy, bytes).unwrap();
    }
}

#[test]
fn half_done_runs_end_as_they_would_have() {
    let workshop = Workshop::new();
    let finished = json(&before_formats().join("half-done-runs/finished.json"));
    for name in ["lbfgs", "adam"] {
        lay_out(&workshop, name);
        let listed: Value = serde_json::from_str(&workshop.succeed(&["runs", "--json", name])).unwrap();
        assert_eq!((&listed["state"], &listed["of"]), (&"stopped".into(), &20.into()), "{name}");
        let mut command = workshop.command(&["resume", name, "--device", "cpu"]);
        // The instruction set that it began on, which every processor has.
        let output = command.env("IMPASTO_ISA", "portable").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        if env!("CARGO_PKG_VERSION") != WRITTEN_BY {
            // Another version's numbers may differ, so it goes on with no run but its own.
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(&format!("was written by impasto {WRITTEN_BY}")), "{said}");
            continue;
        }
        assert_eq!(output.status.code(), Some(0), "{name}: {said}");
        assert!(said.contains(" goes on after evaluation ") && !said.contains("not to the same bytes"), "{said}");
        let expected = &finished[name]["portable"];
        let outcome = read_record(&workshop.path(name)).unwrap().outcome.unwrap();
        assert_eq!(expected["iterations"], outcome.iterations, "{name}");
        assert_eq!(expected["evaluations"], outcome.evaluations, "{name}");
        assert_eq!(expected["loss"].as_f64(), outcome.loss, "{name}");
        let picture = read_picture(&workshop.path(name).join("result.png"), &ReadLimits::default()).unwrap().picture;
        assert_eq!(expected["pixels_sha256"], sha256(&picture.to_rgb8()), "{name}");
    }
}
