//! Painting: the JSON lines, the bytes, the recipe's way round, the formats.

use impasto::read::{ReadLimits, read_picture};
use serde_json::Value;

use crate::workshop::{Workshop, paint_arguments};

/// The names of a JSON object's fields, as they stand.
pub fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

fn size_of(workshop: &Workshop, name: &str) -> (usize, usize) {
    let picture = read_picture(&workshop.path(name), &ReadLimits::default()).unwrap().picture;
    (picture.width, picture.height)
}

#[test]
fn json_lines_are_iterations_and_last_done() {
    let workshop = Workshop::new();
    let stdout = workshop.paint("out.png", &["--json", "--levels", "2", "--size", "96", "--coarse-iterations", "3"]);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let (done, iterations) = lines.split_last().unwrap();
    let names = ["event", "iteration", "evaluations", "loss", "content", "style", "seconds", "width", "height"];
    let mut before = 0;
    for (place, line) in iterations.iter().enumerate() {
        assert_eq!(sorted(&keys(line)), sorted(&names));
        assert_eq!((&line["event"], line["iteration"].as_u64()), (&"iteration".into(), Some(place as u64 + 1)));
        // An evaluation that the optimiser takes back has no line, but is counted.
        let evaluations = line["evaluations"].as_u64().unwrap();
        assert!(evaluations > before && evaluations > place as u64, "{line}");
        before = evaluations;
        let size = if evaluations <= 3 { (48, 36) } else { (96, 72) };
        assert_eq!((line["width"].as_u64(), line["height"].as_u64()), (Some(size.0), Some(size.1)));
        assert!(line["loss"].as_f64().unwrap() > 0.0 && line["style"].as_f64().unwrap() > 0.0);
    }
    let loss = |line: &Value| line["loss"].as_f64().unwrap();
    for side in [48, 96] {
        let at_size: Vec<&Value> = iterations.iter().filter(|line| line["width"] == side).collect();
        assert!(at_size.len() > 1 && loss(at_size[at_size.len() - 1]) < loss(at_size[0]), "the loss falls at {side}");
    }
    let names = ["event", "output", "width", "height", "iterations", "evaluations", "loss", "seconds", "peak_mib"];
    assert_eq!(sorted(&keys(done)), sorted(&names));
    assert_eq!((&done["event"], &done["output"]), (&"done".into(), &"out.png".into()));
    assert_eq!((done["width"].as_u64(), done["height"].as_u64()), (Some(96), Some(72)));
    assert_eq!(done["evaluations"], 7, "3 at the coarse size and 4 at the full one");
    assert_eq!(done["iterations"], iterations.len());
    assert_eq!(done["loss"], iterations[iterations.len() - 1]["loss"]);
    if cfg!(target_os = "linux") {
        assert!(done["peak_mib"].as_f64().unwrap() > 1.0);
    }
    assert_eq!(size_of(&workshop, "out.png"), (96, 72));
}

#[test]
fn one_command_gives_one_picture_whatever_the_threads() {
    let workshop = Workshop::new();
    workshop.paint("first.png", &["--size", "48"]);
    for (name, threads) in [("again.png", "2"), ("one.png", "1"), ("three.png", "3")] {
        workshop.paint(name, &["--size", "48", "--threads", threads]);
        assert!(workshop.bytes("first.png") == workshop.bytes(name), "{name} differs");
    }
    // The comparison can fail: one more evaluation is another picture.
    workshop.paint("longer.png", &["--size", "48", "--iterations", "5"]);
    assert!(workshop.bytes("first.png") != workshop.bytes("longer.png"));
}

#[test]
fn a_seed_is_a_picture() {
    let workshop = Workshop::new();
    for (name, seed) in [("a.png", "1"), ("b.png", "1"), ("c.png", "2")] {
        workshop.paint(name, &["--init", "noise", "--seed", seed]);
    }
    assert!(workshop.bytes("a.png") == workshop.bytes("b.png"));
    assert!(workshop.bytes("a.png") != workshop.bytes("c.png"));
}

#[test]
fn a_picture_s_recipe_repeats_it() {
    let workshop = Workshop::new();
    for name in ["out.png", "out.jpg", "out.webp", "out.tif"] {
        let again = format!("again_{name}");
        workshop.paint(name, &["--style-weight", "7.5", "--tv-weight", "0.25", "--init", "blend", "--seed", "3"]);
        let recipe: Value = serde_json::from_str(&workshop.succeed(&["recipe", name])).unwrap();
        assert_eq!((&recipe["style_weight"], &recipe["seed"]), (&7.5.into(), &3.into()), "{name}");
        assert_eq!(recipe["content"], "photo.png", "{name}");
        // The images are those that the recipe names.
        workshop.succeed(&["paint", "--recipe", name, "-o", &again]);
        assert!(workshop.bytes(name) == workshop.bytes(&again), "{name} differs");
        // An option varies it.
        workshop.succeed(&["paint", "--recipe", name, "-o", &again, "--style-weight", "8"]);
        assert!(workshop.bytes(name) != workshop.bytes(&again), "{name} is the same");
    }
    // The text that `recipe` prints is a recipe, and images may be given anew, from anywhere.
    std::fs::create_dir(workshop.path("sub")).unwrap();
    std::fs::write(workshop.path("sub/recipe.json"), workshop.succeed(&["recipe", "out.png"])).unwrap();
    workshop.succeed(&["paint", "photo.png", "painting.png", "--recipe", "sub/recipe.json", "-o", "sub/out.png"]);
    assert!(workshop.bytes("out.png") == workshop.bytes("sub/out.png"));
    // Images that lie beside the recipe are found there.
    let away = tempfile::tempdir().unwrap();
    let (recipe, output) = (workshop.path("out.png"), away.path().join("out.png"));
    let mut command = workshop.command(&["paint", "--recipe"]);
    command.arg(&recipe).arg("-o").arg(&output).current_dir(away.path());
    assert!(command.output().unwrap().status.success());
    assert!(workshop.bytes("out.png") == std::fs::read(output).unwrap());
}

#[test]
fn sizes_and_depths_are_as_ordered() {
    let workshop = Workshop::new();
    workshop.paint("edge.png", &["--size", "24"]);
    assert_eq!(size_of(&workshop, "edge.png"), (24, 18));
    workshop.paint("exact.png", &["--size", "17x31"]);
    assert_eq!(size_of(&workshop, "exact.png"), (17, 31));
    workshop.paint("deep.png", &["--depth", "16"]);
    // Byte 24 of a PNG is the depth of its samples.
    assert_eq!((workshop.bytes("edge.png")[24], workshop.bytes("deep.png")[24]), (8, 16));
    workshop.paint("good.jpg", &["--quality", "95"]);
    workshop.paint("small.jpg", &["--quality", "10"]);
    assert!(workshop.bytes("small.jpg").len() < workshop.bytes("good.jpg").len());
}

#[test]
fn every_preset_and_optimiser_paints() {
    let workshop = Workshop::new();
    for preset in ["default", "authors", "tutorial", "johnson"] {
        let name = format!("{preset}.png");
        workshop.paint(&name, &["--preset", preset, "--iterations", "1"]);
        let recipe: Value = serde_json::from_str(&workshop.succeed(&["recipe", &name])).unwrap();
        assert_eq!(recipe["preset"], preset);
    }
    workshop.paint("adam.png", &["--optimizer", "adam", "--learning-rate", "5", "--clamp"]);
    workshop.paint("lbfgs.png", &["--optimizer", "lbfgs", "--clamp=false"]);
    assert!(workshop.bytes("adam.png") != workshop.bytes("lbfgs.png"));
}

#[test]
fn several_paintings_are_mixed() {
    let workshop = Workshop::new();
    workshop.draw("other.png", 50, 50, 9);
    let mix = |output, shares| {
        let mut arguments = paint_arguments(output, &["--style-blend", shares]);
        arguments.insert(3, "other.png");
        workshop.succeed(&arguments);
    };
    mix("even.png", "1,1");
    mix("first.png", "1,0");
    workshop.paint("alone.png", &[]);
    assert!(workshop.bytes("even.png") != workshop.bytes("first.png"));
    let pixels = |name: &str| read_picture(&workshop.path(name), &ReadLimits::default()).unwrap().picture;
    assert!(pixels("first.png") == pixels("alone.png"), "a share of 0 is no painting");
}

#[test]
fn a_log_gets_lines_and_quiet_gets_nothing() {
    let workshop = Workshop::new();
    let output = workshop.run(&paint_arguments("out.png", &[]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout.is_empty() && !said.contains('\x1b') && !said.contains('\r'), "{said:?}");
    assert!(said.contains("1/4") && said.contains("loss") && said.contains("out.png"), "{said}");
    let output = workshop.run(&paint_arguments("out.png", &["--quiet"]));
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
    // No terminal, no preview: said, and painted nevertheless.
    let output = workshop.run(&paint_arguments("out.png", &["--preview"]));
    assert!(output.status.success() && String::from_utf8(output.stderr).unwrap().contains("--preview"));
}

#[test]
fn an_old_output_is_replaced_and_a_stale_recipe_goes_with_it() {
    let workshop = Workshop::new();
    workshop.paint("out.jpg", &["--seed", "1"]);
    workshop.paint("out.jpg", &["--seed", "2"]);
    let recipe: Value = serde_json::from_str(&workshop.succeed(&["recipe", "out.jpg"])).unwrap();
    assert_eq!(recipe["seed"], 2);
    let names: Vec<_> =
        workshop.files().into_keys().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["out.jpg", "out.jpg.recipe.json", "painting.png", "photo.png"]);
}
