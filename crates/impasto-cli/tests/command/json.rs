//! docs/json.md has every field that `--json` prints, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::workshop::{Workshop, paint_arguments};

/// The fields under each heading of the third level.
fn documented(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut heading = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("### ") {
            heading = name.replace('`', "");
            assert!(fields.insert(heading.clone(), BTreeSet::new()).is_none(), "{heading} stands there twice");
        } else if line.starts_with("| `") {
            // Names stand between backquotes, every other part of the cell.
            let names = line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2);
            fields.get_mut(&heading).unwrap().extend(names.map(str::to_owned));
        }
    }
    fields
}

fn names(line: &str) -> BTreeSet<String> {
    let object: Value = serde_json::from_str(line).expect(line);
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_field_of_every_command_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: this crate does not stand in impasto's repository");
        return;
    };
    let documented = documented(&text);
    let workshop = Workshop::new();
    let painted = workshop.paint("out.png", &["--run-dir", "run", "--json"]);
    let (iterations, done) = painted.trim_end().rsplit_once('\n').unwrap();
    let timeline = r#"{"timeline": [{"before_evaluation": 2, "set": {"tv_weight": 1}}]}"#;
    std::fs::write(workshop.path("timeline.json"), timeline).unwrap();
    let changing = workshop.paint("changing.png", &["--recipe", "timeline.json", "--json"]);
    let applied = changing.lines().find(|line| line.contains("applied")).unwrap();
    let mut printed = vec![
        ("iteration", iterations.to_owned()),
        ("applied", applied.to_owned()),
        ("done, interrupted, failed", done.to_owned()),
        ("done, interrupted, failed", workshop.succeed(&["resume", "run", "--json"])),
    ];
    for (heading, words) in [
        ("plan", "plan photo.png painting.png --size 32 --iterations 1"),
        ("bench", "bench --size 24 --iterations 1"),
        ("selftest", "selftest"),
        ("devices", "devices"),
        ("runs", "runs run"),
        ("weights list", "weights list"),
        ("weights verify", "weights verify embedded"),
    ] {
        let words: Vec<&str> = words.split(' ').chain(["--json"]).collect();
        printed.push((heading, workshop.succeed(&words)));
    }
    printed.extend(of_batches(&workshop));
    let sketch =
        ["texture", "painting.png", "-o", "t.png", "--size", "32", "--iterations", "2", "--weights", "embedded"];
    let texture = workshop.succeed(&[&sketch, ["--style-layers", "conv1_1", "--json"].as_slice()].concat());
    printed.push(("iteration", texture.lines().next().unwrap().to_owned()));
    std::fs::create_dir(workshop.path("frames")).unwrap();
    workshop.draw("frames/1.png", 40, 30, 1);
    let film = "video frames painting.png -o film --size 32 --iterations 1 --style-layers conv1_1 --json";
    let film = workshop.succeed(&film.split(' ').collect::<Vec<_>>());
    printed.extend(["shots", "frame", "painted", "done of a film"].into_iter().zip(film.lines().map(str::to_owned)));
    printed.extend(of_films(&workshop));
    let mut seen = BTreeSet::new();
    for (heading, lines) in &printed {
        seen.insert((*heading).to_owned());
        assert!(lines.lines().count() > 0, "{heading} printed nothing");
        for line in lines.lines() {
            assert_eq!(&names(line), &documented[*heading], "{heading}: {line}");
        }
    }
    assert_eq!(seen, documented.keys().cloned().collect(), "every heading is a command that was run");
}

/// The lines of a batch of three pictures: one is damaged, and one had been done.
fn of_batches(workshop: &Workshop) -> Vec<(&'static str, String)> {
    std::fs::copy(workshop.path("photo.png"), workshop.path("other.png")).unwrap();
    std::fs::copy(workshop.path("photo.png"), workshop.path("third.png")).unwrap();
    let words =
        "batch plan photo.png other.png third.png --styles painting.png --out batch --size 16 --iterations 1 --json";
    let planned = workshop.succeed(&words.split(' ').collect::<Vec<_>>());
    workshop.succeed(&["batch", "run", "batch", "--index", "1", "--quiet"]);
    std::fs::write(workshop.path("other.png"), "damaged").unwrap();
    let ran = workshop.run(&["batch", "run", "batch", "--json"]);
    let lines = String::from_utf8(ran.stdout).unwrap();
    let of =
        |event: &str| lines.lines().find(|line| line.contains(&format!("\"event\":\"{event}\""))).unwrap().to_owned();
    let status = workshop.succeed(&["batch", "status", "batch", "--json"]);
    let (tasks, all) = status.trim_end().rsplit_once('\n').unwrap();
    vec![
        ("batch plan", planned),
        ("batch run: begun", of("begun")),
        ("batch run: painted", of("painted")),
        ("batch run: stands", of("stands")),
        ("batch run: unpainted", of("unpainted")),
        ("batch run: batch", of("batch")),
        ("batch status: task", tasks.to_owned()),
        ("batch status: batch", all.to_owned()),
    ]
}

/// The lines of a batch of a film, which is put together when what stands in its place has gone.
fn of_films(workshop: &Workshop) -> Vec<(&'static str, String)> {
    let words =
        "batch plan --films frames --styles painting.png --out films --size 32 --iterations 1 --style-layers conv1_1";
    workshop.succeed(&words.split(' ').collect::<Vec<_>>());
    let place = workshop.path("films/films/frames-painting-frames");
    std::fs::write(&place, "in the way").unwrap();
    let run = || String::from_utf8(workshop.run(&["batch", "run", "films", "--json"]).stdout).unwrap();
    let refused = run();
    std::fs::remove_file(&place).unwrap();
    let lines = refused + &run() + &workshop.succeed(&["batch", "status", "films", "--json"]);
    let of =
        |event: &str| lines.lines().find(|line| line.contains(&format!("\"event\":\"{event}\""))).unwrap().to_owned();
    vec![
        ("batch run: frame", of("frame")),
        ("batch run: painted", of("painted")),
        ("batch run: joined", of("joined")),
        ("batch run: unjoined", of("unjoined")),
        ("batch status: task", of("task")),
        ("batch status: film", of("film")),
    ]
}

#[test]
fn weights_that_are_in_no_file_have_no_path() {
    let workshop = Workshop::new();
    let lines = workshop.succeed(&["weights", "list", "--json"]);
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.iter().all(|row| row["path"].is_null()), "{lines}");
    let embedded: Vec<bool> = rows.iter().map(|row| row["embedded"].as_bool().unwrap()).collect();
    assert_eq!(embedded, [true, true, false]);
    // A file of that name in the cache folder is what was fetched.
    std::fs::create_dir(workshop.path("cache")).unwrap();
    std::fs::write(workshop.path("cache/imagenet-vgg-verydeep-19.mat"), "").unwrap();
    let lines = workshop.succeed(&["weights", "list", "--json"]);
    let fetched: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert!(fetched["path"].as_str().unwrap().ends_with("imagenet-vgg-verydeep-19.mat"), "{fetched}");
    assert_eq!(workshop.run(&paint_arguments("out.png", &["--weights", "vgg19"])).status.code(), Some(1));
}
