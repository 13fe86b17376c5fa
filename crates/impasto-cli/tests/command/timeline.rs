//! A recipe that changes on the way, as a user meets it: repeated, killed and gone on with, planned, varied, swept.

use std::process::Stdio;
use std::time::Duration;

use impasto::Recipe;
use impasto::digest::sha256;
use impasto::read::{ReadLimits, read_picture, read_recipe};
use impasto::run_folder::read_record;
use serde_json::Value;

use crate::kill::{TWO_SIZES, traces};
use crate::workshop::Workshop;

/// Evaluations of [`TWO_SIZES`].
const ALL: u32 = 14;

const TIMELINE: &str = r#"{
    "preset": "johnson", "balance": "plain",
    "timeline": [
        {"before_evaluation": 3, "set": {"style_weight": 40}},
        {"before_evaluation": 5, "set": {"regions": [{"name": "left", "mask": "left.png"}], "tv_weight": 5}},
        {"before_evaluation": 7, "set": {"style_scale": 0.7}},
        {"before_evaluation": 9, "set": {"rest": "photo"}},
        {"before_evaluation": 9, "set": {"style_layers": {"conv1_1": 2, "conv2_2": 1}}}
    ]
}"#;

/// A workshop with a recipe `changing.json`, and the mask that it names.
fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.draw("left.png", 40, 30, 3);
    std::fs::write(workshop.path("changing.json"), TIMELINE).unwrap();
    workshop
}

/// `paint photo.png painting.png --recipe RECIPE -o OUT` at two sizes, and more.
fn words<'word>(recipe: &'word str, output: &'word str, more: &[&'word str]) -> Vec<&'word str> {
    let images = ["paint", "photo.png", "painting.png", "--recipe", recipe, "-o", output];
    [&images[..], &TWO_SIZES, more].concat()
}

fn pixels(workshop: &Workshop, name: &str) -> Vec<u8> {
    read_picture(&workshop.path(name), &ReadLimits::default()).unwrap().picture.to_rgb8()
}

fn recipe(workshop: &Workshop, name: &str) -> Recipe {
    Recipe::from_json(&read_recipe(&workshop.path(name)).unwrap()).unwrap()
}

#[test]
fn a_recipe_changes_on_the_way_and_its_picture_repeats_it() {
    let workshop = workshop();
    // The layers of the options are meant throughout: the timeline's are the recipe's own to lose.
    let said = workshop.succeed(&words("changing.json", "out.png", &["--json", "--run-dir", "run"]));
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let applied = lines.iter().filter(|line| line["event"] == "applied");
    let before: Vec<u64> = applied.clone().map(|line| line["before_evaluation"].as_u64().unwrap()).collect();
    assert_eq!(before, [3, 5, 7, 9]);
    assert_eq!(applied.clone().next().unwrap()["set"], serde_json::json!({ "style_weight": 40.0 }));
    // A change stands before the evaluation that it counts for.
    let place = lines.iter().position(|line| line["before_evaluation"] == 7).unwrap();
    assert!(lines[..place].iter().all(|line| line["evaluations"].as_u64().unwrap_or(0) < 7), "{said}");

    let digest = sha256(&workshop.bytes("left.png"));
    let carried = recipe(&workshop, "out.png");
    let regions = carried.timeline.as_ref().unwrap()[1].set.regions.clone().unwrap();
    assert_eq!(regions[0].mask, Some(format!("{digest}.png")), "in a run's folder masks are named by their digests");
    assert_eq!(workshop.bytes(&format!("run/inputs/{digest}.png")), workshop.bytes("left.png"));
    assert_eq!(read_record(&workshop.path("run")).unwrap().recipe.timeline, carried.timeline.unwrap());
    let printed = Recipe::from_json(&workshop.succeed(&["recipe", "run/result.png"])).unwrap();
    assert_eq!(printed, recipe(&workshop, "out.png"));

    // The mask is found in the run's folder, whatever has become of the file that was given.
    std::fs::remove_file(workshop.path("left.png")).unwrap();
    let again = ["paint", "photo.png", "painting.png", "--recipe", "run/result.png", "-o"];
    workshop.succeed(&[&again[..], &["again.png", "--threads", "1"]].concat());
    assert!(pixels(&workshop, "again.png") == pixels(&workshop, "out.png"));
    let without = words("plain.json", "plain.png", &[]);
    std::fs::write(workshop.path("plain.json"), r#"{"preset": "johnson", "balance": "plain"}"#).unwrap();
    workshop.succeed(&without);
    assert!(pixels(&workshop, "plain.png") != pixels(&workshop, "out.png"));
}

#[test]
fn a_run_with_a_timeline_that_is_killed_ends_in_the_same_bytes() {
    let workshop = workshop();
    let kept = ["--checkpoint-every", "0", "--run-dir"];
    workshop.succeed(&words("changing.json", "whole.png", &[&kept[..], &["whole"]].concat()));
    let whole = traces(&workshop.path("whole"));
    let mut killed = 0;
    for done in [1, 2, 4, 6, 8, 9, 11] {
        let run = format!("killed-{done}");
        let mut command = workshop.command(&words("changing.json", "killed.png", &[&kept[..], &[&run]].concat()));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let lines = workshop.path(&run).join("metrics.jsonl");
        let written = || std::fs::read_to_string(&lines).map_or(0, |text| text.lines().count());
        while written() < done && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = child.kill();
        killed += u32::from(child.wait().unwrap().code().is_none());
        workshop.succeed(&["resume", &run, "--threads", if done % 2 == 0 { "1" } else { "2" }]);
        assert_eq!(traces(&workshop.path(&run)), whole, "killed after {done}");
    }
    assert!(killed > 0, "the runs were too quick to be killed");
}

#[test]
fn what_is_named_on_the_command_line_is_meant_throughout() {
    let workshop = workshop();
    let own = ["--style-weight", "7", "--style-scale", "1"];
    workshop.succeed(&words("changing.json", "out.png", &own));
    let left = recipe(&workshop, "out.png").timeline.unwrap();
    assert!(left.iter().all(|entry| entry.set.style_weight.is_none() && entry.set.style_scale.is_none()));
    assert_eq!(left.iter().map(|entry| entry.before_evaluation).collect::<Vec<_>>(), [5, 9], "layers were named too");

    // A sweep paints each of its values throughout, and the rest of the timeline stays.
    std::fs::write(
        workshop.path("swept.json"),
        r#"{"timeline": [{"before_evaluation": 3, "set": {"style_weight": 90, "tv_weight": 9}}]}"#,
    )
    .unwrap();
    for weight in ["5", "50"] {
        let of_one = format!("out-{weight}.png");
        workshop.succeed(&words("swept.json", &of_one, &["--style-weight", weight]));
        let left = recipe(&workshop, &of_one).timeline.unwrap();
        assert!(left.len() == 1 && left[0].set.style_weight.is_none() && left[0].set.tv_weight == Some(9.0));
    }
}

#[test]
fn a_plan_counts_what_a_timeline_adds() {
    let workshop = workshop();
    std::fs::write(workshop.path("plain.json"), r#"{"preset": "johnson", "balance": "plain"}"#).unwrap();
    let plan = |recipe: &str| -> Value {
        let words = [&["plan", "photo.png", "painting.png", "--recipe", recipe, "--json"][..], &TWO_SIZES].concat();
        serde_json::from_str(&workshop.succeed(&words)).unwrap()
    };
    let (plain, changing) = (plan("plain.json"), plan("changing.json"));
    assert_eq!(plain["evaluations"], ALL);
    assert_eq!(changing["evaluations"], ALL);
    // Masks of the regions and another layer.
    assert!(changing["memory_mib"].as_f64() > plain["memory_mib"].as_f64(), "{plain} {changing}");
}

#[test]
fn what_a_timeline_cannot_have_is_said_in_a_sentence() {
    let workshop = workshop();
    let refuse = |timeline: &str, needle: &str| {
        std::fs::write(workshop.path("wrong.json"), format!(r#"{{"timeline": {timeline}}}"#)).unwrap();
        let command = workshop.command(&words("wrong.json", "out.png", &[]));
        workshop.complaints_about_refusal(command, 2, needle)
    };
    let mut complaints = refuse(r#"[{"before_evaluation": 3, "set": {"size": 64}}]"#, "\"size\", which cannot change");
    complaints
        .extend(refuse(r#"[{"before_evaluation": 3, "set": {"tv_weight": -1}}]"#, "before evaluation 3: --tv-weight"));
    let outside = r#"[{"before_evaluation": 3, "set": {"regions": [{"name": "a", "mask": "../left.png"}]}}]"#;
    complaints.extend(refuse(outside, "names the file ../left.png"));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));

    let late = r#"{"timeline": [{"before_evaluation": 15, "set": {"tv_weight": 1}}]}"#;
    std::fs::write(workshop.path("late.json"), late).unwrap();
    let output = workshop.run(&words("late.json", "late.png", &[]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 changes of the timeline never count"), "{said}");
}
