//! Regions as a user gives them: masks in files, labels, recipes that carry them, runs that are kept.

use std::fs;

use impasto::disk::RealDisk;
use impasto::read::{ReadLimits, read_picture};
use impasto::write::{WriteOptions, write_picture};
use impasto::{Picture, Recipe};

use crate::workshop::{Workshop, paint_arguments};

/// A workshop with masks of the left half and of the upper right quarter, labels of both, and a second painting.
fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.draw("second.png", 30, 30, 9);
    let paint = |name: &str, colour: &dyn Fn(usize, usize) -> [u8; 3]| {
        let pixels: Vec<u8> = (0..40 * 30).flat_map(|place| colour(place % 40, place / 40)).collect();
        let picture = Picture::from_rgb8(40, 30, &pixels).unwrap();
        write_picture(&RealDisk, &workshop.path(name), &picture, WriteOptions::default(), None).unwrap();
        let _ = fs::remove_file(workshop.path(&format!("{name}.recipe.json")));
    };
    let (is_left, is_upper) = (|x: usize| x < 20, |x: usize, y: usize| x >= 20 && y < 15);
    paint("left.png", &|x, _| [255 * u8::from(is_left(x)); 3]);
    paint("upper.png", &|x, y| [255 * u8::from(is_upper(x, y)); 3]);
    paint("black.png", &|_, _| [0; 3]);
    paint("labels.png", &|x, y| match (is_left(x), is_upper(x, y)) {
        (true, _) => [0x33, 0x66, 0xcc],
        (_, true) => [0xcc, 0x33, 0],
        _ => [255; 3],
    });
    workshop
}

const LEFT: &str = "name=left,mask=left.png";
const UPPER: &str = "name=upper,mask=upper.png,painting=2,painting-mask=left.png,weight=2";

/// Paints after both paintings.
fn paint(workshop: &Workshop, output: &str, more: &[&str]) -> Vec<u8> {
    let mut arguments = paint_arguments(output, more);
    arguments.insert(3, "second.png");
    workshop.succeed(&arguments);
    read_picture(&workshop.path(output), &ReadLimits::default()).unwrap().picture.to_rgb8()
}

#[test]
fn labels_and_masks_say_the_same_and_a_recipe_repeats_them() {
    let workshop = workshop();
    let masked = paint(&workshop, "masked.png", &["--region", LEFT, "--region", UPPER, "--rest", "photo"]);
    let of_labels = [
        "--regions",
        "labels.png",
        "--region",
        "name=left,colour=#3366cc",
        "--region",
        "name=upper,colour=#cc3300,painting=2,painting-mask=left.png,weight=2",
        "--rest",
        "photo",
    ];
    assert!(paint(&workshop, "labelled.png", &of_labels) == masked, "labels are other regions than masks");
    assert!(paint(&workshop, "whole.png", &[]) != masked);

    // The recipe names the masks without their folders, and they are found beside it.
    fs::create_dir(workshop.path("there")).unwrap();
    for name in ["photo.png", "painting.png", "second.png", "left.png", "upper.png", "masked.png"] {
        fs::copy(workshop.path(name), workshop.path(&format!("there/{name}"))).unwrap();
    }
    fs::remove_file(workshop.path("left.png")).unwrap();
    fs::remove_file(workshop.path("upper.png")).unwrap();
    workshop.succeed(&["paint", "--recipe", "there/masked.png", "-o", "again.png"]);
    let again = read_picture(&workshop.path("again.png"), &ReadLimits::default()).unwrap().picture;
    assert!(again.to_rgb8() == masked, "the recipe gives another picture");
    let text = impasto::read::read_recipe(&workshop.path("again.png")).unwrap();
    let regions = Recipe::from_json(&text).unwrap().regions.unwrap();
    assert_eq!((regions[1].mask.as_deref(), regions[1].painting), (Some("upper.png"), Some(2)));

    // Masks that lie in folders are given with them.
    let there = ["--region", "name=left,mask=there/left.png", "--region"];
    let there =
        [&there[..], &["name=upper,mask=there/upper.png,painting=2,painting-mask=there/left.png,weight=2"]].concat();
    assert!(paint(&workshop, "there.png", &[&there[..], &["--rest", "photo"]].concat()) == masked);
}

#[test]
fn a_kept_run_has_its_masks_and_goes_on_with_them() {
    let workshop = workshop();
    let options = ["--region", LEFT, "--emphasis", "upper.png", "--run-dir", "run", "--checkpoint-every", "0"];
    let whole = paint(&workshop, "whole.png", &options[..4]);
    let kept = paint(&workshop, "kept.png", &options);
    assert!(kept == whole);
    assert!(paint(&workshop, "plain.png", &options[..2]) != whole, "the emphasis changes nothing");
    let inputs: Vec<String> = fs::read_dir(workshop.path("run/inputs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in ["region-1.png", "emphasis.png"] {
        assert!(inputs.iter().any(|input| input == name), "{inputs:?}");
    }
    // Begun again from its own folder alone, it ends in the same picture.
    let record = fs::read_to_string(workshop.path("run/run.json")).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
    record["outcome"] = serde_json::Value::Null;
    record["output"] = serde_json::Value::Null;
    fs::write(workshop.path("run/run.json"), record.to_string()).unwrap();
    fs::remove_file(workshop.path("left.png")).unwrap();
    fs::remove_file(workshop.path("upper.png")).unwrap();
    workshop.succeed(&["resume", "run"]);
    let resumed = read_picture(&workshop.path("run/result.png"), &ReadLimits::default()).unwrap().picture;
    assert!(resumed.to_rgb8() == whole, "resumed, it is another picture");
    // A mask that has changed is another run.
    record["outcome"] = serde_json::Value::Null;
    fs::write(workshop.path("run/run.json"), record.to_string()).unwrap();
    fs::copy(workshop.path("black.png"), workshop.path("run/inputs/region-1.png")).unwrap();
    let complaints = workshop.complaints_about_refusal(workshop.command(&["resume", "run"]), 1, "has changed since");
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn what_cannot_be_is_one_sentence() {
    let workshop = workshop();
    let mut complaints = Vec::new();
    for (more, status, needle) in [
        (&["--region", "left.png"][..], 2, "left.png is no part of a region"),
        (&["--region", "name=a,mask=nowhere.png"], 1, "nowhere.png does not exist"),
        (&["--region", "name=a,mask=black.png"], 1, "region a: its mask is black"),
        (&["--region", "name=a,mask=left.png,painting=2"], 2, "there are 1"),
        (&["--region", "name=a,colour=#3366cc"], 2, "--regions FILE"),
        (&["--regions", "labels.png"], 2, "there are none that it is about"),
        (&["--regions", "labels.png", "--region", "name=a,colour=#00ff00"], 1, "region a: its mask is black"),
        (&["--rest", "photo"], 2, "--rest photo says something of regions"),
        (&["--emphasis", "nowhere.png"], 1, "nowhere.png does not exist"),
        (&["--style-masks", "left.png,none"], 2, "--style-masks has 2 masks for 1 style images"),
        (&["--style-masks", "black.png"], 1, "--style-masks: the mask of painting 1 is black"),
        (&["--style-masks", "nowhere.png"], 1, "nowhere.png does not exist"),
    ] {
        let command = workshop.command(&paint_arguments("out.png", more));
        complaints.extend(workshop.complaints_about_refusal(command, status, needle));
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn a_sweep_and_a_plan_know_regions() {
    let workshop = workshop();
    let sweep = [&paint_arguments("sheet.png", &["--region", LEFT])[1..], &["--vary", "style-weight=2,20"]].concat();
    workshop.succeed(&[&["sweep"], &sweep[..]].concat());
    let memory_mib = |more: &[&str]| {
        let words = ["plan", "photo.png", "painting.png", "--size", "512", "--levels", "1", "--json"];
        let plan: serde_json::Value =
            serde_json::from_str(workshop.succeed(&[&words[..], more].concat()).lines().last().unwrap()).unwrap();
        plan["memory_mib"].as_f64().unwrap()
    };
    // A plane a mask, and guides at the layers.
    let (with, without) = (memory_mib(&["--region", LEFT]), memory_mib(&[]));
    assert!(with > without && with < without + 100.0, "{with} MiB with a region, {without} without");
}
