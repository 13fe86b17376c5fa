//! Runs in a folder: what lies there, how they are stopped, gone on with, refused and listed.

use impasto::checkpoint::newest;
use impasto::digest::sha256;
use impasto::read::{ReadLimits, read_picture};
use impasto::run_folder::{Metrics, frames, last_metrics, read_metrics, read_record};
use serde_json::Value;

use crate::kill::traces;
use crate::watched::{AHEAD, Ended, Watched};
use crate::workshop::{QUICK, Workshop, paint_arguments};

/// `paint` into the folder `run`, without -o.
fn paint<'words>(more: &[&'words str]) -> Vec<&'words str> {
    let words = paint_arguments("", more);
    let mut words: Vec<&str> = words.into_iter().filter(|word| !["-o", ""].contains(word)).collect();
    words.extend(["--run-dir", "run"]);
    words
}

#[test]
fn a_run_has_its_layout() {
    let workshop = Workshop::new();
    let more = ["-o", "out.jpg", "--save-every", "2", "--json", "--iterations", "5"];
    // Layers have a weight of 1, so that their losses sum to the style's.
    let plain = ["--iterations", "5", "--balance", "plain"];
    let told = workshop.succeed(&[paint(&plain).as_slice(), &more[..5]].concat());
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let run = workshop.path("run");
    let record = read_record(&run).unwrap();
    assert_eq!(record.recipe.iterations, 5);
    assert_eq!(record.inputs.content.name, "photo.png");
    for input in [&record.inputs.content, &record.inputs.styles[0]] {
        assert_eq!(sha256(&std::fs::read(run.join(&input.file)).unwrap()), input.sha256);
        assert_eq!(std::fs::read(run.join(&input.file)).unwrap(), workshop.bytes(&input.name));
    }
    let outcome = record.outcome.unwrap();
    assert_eq!((outcome.evaluations, record.scales[0].evaluations), (5, 5));
    // What was told and what was written down are the same.
    let lines = read_metrics(&run).unwrap();
    assert_eq!(lines.len(), told.len() - 1);
    for (line, told) in lines.iter().zip(&told) {
        assert_eq!(
            (line.loss, u64::from(line.iteration)),
            (told["loss"].as_f64().unwrap(), told["iteration"].as_u64().unwrap())
        );
        assert_eq!(line.style_layers.values().sum::<f64>(), line.style);
        assert_eq!((line.style_layers.len(), line.content_layers.len(), line.width, line.height), (2, 1, 32, 24));
    }
    assert_eq!(told.last().unwrap()["output"], "out.jpg");
    let text = String::from_utf8(workshop.bytes("run/metrics.jsonl")).unwrap();
    assert!(text.lines().all(|line| line.contains("\"conv2_1\":")), "layers have their names");
    assert_eq!(
        frames(&run).into_iter().map(|frame| frame.0).collect::<Vec<_>>(),
        [2, 4].map(|it| it.min(outcome.iterations))
    );
    assert!(workshop.path("out.jpg").exists());
    // The picture is the one of a run that is not kept.
    workshop.paint("plain.png", &plain);
    assert_eq!(workshop.bytes("run/result.png"), workshop.bytes("plain.png"));
    assert!(newest(&run).newest.is_none(), "a finished run has no checkpoints");
}

#[test]
fn the_preset_tutorial_writes_what_the_port_writes() {
    let workshop = Workshop::new();
    let small = ["--preset", "tutorial", "--size", "40x30", "--iterations", "105"];
    let layers = ["--style-layers", "conv1_1", "--content-layers", "conv1_1"];
    let words = [&["paint", "photo.png", "painting.png", "--run-dir", "run"], small.as_slice(), &layers].concat();
    // Checkpoints by the clock are far away: what is there are the schedule's.
    let far = [words.as_slice(), &["--checkpoint-every", "1000000"]].concat();
    Watched::after(&workshop, &far, 25).kill(&workshop);
    let run = workshop.path("run");
    let done = newest(&run).newest.unwrap().1.place.iterations;
    let told = last_metrics(&run).unwrap().iteration;
    // A line is told, then written down, then the checkpoint is: any of them may have been the last thing done.
    assert!((24..=25 + AHEAD as u32).contains(&told), "{told}");
    assert!(done > 0 && (done == told / 20 * 20 || done == (told - 1) / 20 * 20), "{done} of {told}");
    workshop.succeed(&[words.as_slice(), &["--quiet"]].concat());
    let expected = [1, 2, 3, 4, 5, 10, 20, 40, 60, 80, 100];
    assert_eq!(frames(&run).into_iter().map(|frame| frame.0).collect::<Vec<_>>(), expected);
    for name in ["resized_photo.png", "resized_painting.png"] {
        let picture = read_picture(&run.join("inputs").join(name), &ReadLimits::default()).unwrap().picture;
        assert_eq!((picture.width, picture.height), (40, 30), "{name}");
    }
    let lines = read_metrics(&run).unwrap();
    assert_eq!(lines.iter().map(|line| line.iteration).collect::<Vec<_>>(), (1..=105).collect::<Vec<_>>());
}

#[test]
fn the_tutorials_schedule_goes_with_every_preset() {
    let workshop = Workshop::new();
    let words = paint(&["--save-schedule", "tutorial", "--iterations", "25", "--optimizer", "adam", "--quiet"]);
    workshop.succeed(&words);
    let run = workshop.path("run");
    assert_eq!(read_metrics(&run).unwrap().len(), 25);
    assert_eq!(frames(&run).into_iter().map(|frame| frame.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 10, 20]);
}

#[test]
fn ctrl_c_leaves_picture_and_checkpoint_of_the_last_iterate() {
    let workshop = Workshop::new();
    let words = paint(&["--iterations", "300"]);
    workshop.succeed(&[words.as_slice(), &["--quiet"]].concat());
    std::fs::rename(workshop.path("run"), workshop.path("whole")).unwrap();
    let interrupted = |words: &[&str], lines: usize| {
        let watched = Watched::after(&workshop, words, lines);
        watched.signal("INT");
        watched.end()
    };
    let Ended { status, said, .. } = interrupted(&words, 3);
    assert_eq!(status, Some(130), "{said}");
    assert!(said.contains("`impasto resume run` goes on"), "{said}");
    let run = workshop.path("run");
    let checkpoint = newest(&run).newest.unwrap().1;
    let last = last_metrics(&run).unwrap();
    assert!((3..300).contains(&checkpoint.place.iterations));
    assert_eq!(checkpoint.place.iterations, last.iteration);
    assert_eq!(checkpoint.losses.unwrap().total, last.loss);
    assert!(read_picture(&run.join("result.png"), &ReadLimits::default()).is_ok());
    let listed: Value = serde_json::from_str(&workshop.succeed(&["runs", "--json", "run"])).unwrap();
    assert_eq!((listed["state"].as_str(), listed["of"].as_u64()), (Some("stopped"), Some(300)));
    // Work of so long ago, so that a clock that begins again would show.
    let lines = read_metrics(&run).unwrap().into_iter();
    let lines = lines.map(|line| Metrics { seconds: line.seconds + 1000.0, ..line });
    let text: String = lines.map(|line| serde_json::to_string(&line).unwrap() + "\n").collect();
    std::fs::write(run.join("metrics.jsonl"), text).unwrap();
    // Once more, then to the end by the command that began it.
    assert_eq!(interrupted(&["resume", "run"], 2).status, Some(130));
    let output = workshop.run(&words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("run goes on after evaluation"), "{said}");
    let (lines, outcome) = (read_metrics(&run).unwrap(), read_record(&run).unwrap().outcome.unwrap());
    assert!(lines.windows(2).all(|pair| pair[0].seconds <= pair[1].seconds), "{lines:?}");
    assert!(lines[0].seconds > 1000.0 && outcome.seconds >= lines[lines.len() - 1].seconds, "{}", outcome.seconds);
    assert_eq!(traces(&run), traces(&workshop.path("whole")));
}

#[test]
fn one_program_works_on_a_run_at_a_time() {
    let workshop = Workshop::new();
    let words = paint(&["--iterations", "1000000"]);
    let watched = Watched::after(&workshop, &words, 1);
    for second in [&["resume", "run"], words.as_slice()] {
        let output = workshop.run(second);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("another program is working on run; wait for it to end"), "{said}");
    }
    assert!(workshop.succeed(&["runs"]).contains("running, at "));
    watched.kill(&workshop);
    assert!(workshop.succeed(&["runs"]).contains("stopped at "), "the lock goes with its holder");
}

#[test]
fn damaged_checkpoints_are_named_and_the_other_is_taken() {
    let workshop = Workshop::new();
    let words = paint(&["--iterations", "300", "--checkpoint-every", "0"]);
    workshop.succeed(&[words.as_slice(), &["--quiet"]].concat());
    std::fs::rename(workshop.path("run"), workshop.path("whole")).unwrap();
    Watched::after(&workshop, &words, 6).kill(&workshop);
    let run = workshop.path("run");
    let (place, checkpoint) = newest(&run).newest.unwrap();
    let names = ["checkpoint-a", "checkpoint-b"];
    let damage = |name: &str, at: usize| {
        let mut bytes = std::fs::read(run.join(name)).unwrap();
        bytes[at] ^= 8;
        std::fs::write(run.join(name), bytes).unwrap();
    };
    let older = std::fs::read(run.join(names[1 - place])).unwrap();
    damage(names[place], 3000);
    damage(names[1 - place], 3000);
    let complaints =
        workshop.complaints_about_refusal(workshop.command(&["resume", "run"]), 1, "is damaged, and no other");
    assert!(complaints.is_empty(), "{complaints:?}");
    // The layout's version, in the byte behind the magic number.
    damage(names[1 - place], 16);
    std::fs::remove_file(run.join(names[place])).unwrap();
    let complaints =
        workshop.complaints_about_refusal(workshop.command(&["resume", "run"]), 1, "another version of impasto");
    assert!(complaints.is_empty(), "{complaints:?}");
    std::fs::write(run.join(names[1 - place]), older).unwrap();
    std::fs::write(run.join(names[place]), b"impasto checkpnt half").unwrap();
    let output = workshop.run(&["resume", "run"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let before = checkpoint.place.evaluations - 1;
    assert!(said.contains(&format!("{} is damaged; the other checkpoint is taken", names[place])), "{said}");
    assert!(said.contains(&format!("goes on after evaluation {before} of 300")), "{said}");
    assert_eq!(traces(&run), traces(&workshop.path("whole")));
}

#[test]
fn what_is_no_run_or_another_run_is_refused() {
    let workshop = Workshop::new();
    let words = paint(&["--iterations", "300", "--checkpoint-every", "0"]);
    Watched::after(&workshop, &words, 3).kill(&workshop);
    workshop.draw("other.png", 40, 30, 2);
    std::fs::create_dir(workshop.path("mine")).unwrap();
    std::fs::write(workshop.path("mine/letter.txt"), "dear").unwrap();
    let with = |more: &[&'static str]| [words.as_slice(), more].concat();
    let mut other = words.clone();
    other[1] = "other.png";
    let elsewhere = |folder: &'static str| {
        let mut words = words.clone();
        let place = words.iter().position(|word| *word == "--run-dir").unwrap();
        words[place + 1] = folder;
        words
    };
    let plain = |more: &[&'static str]| {
        [&["paint", "photo.png", "painting.png", "-o", "o.png"], QUICK.as_slice(), more].concat()
    };
    let table: Vec<(Vec<&str>, i32, &str)> = vec![
        (with(&["--seed", "7"]), 2, "holds another run, whose recipe is"),
        (other, 2, "holds another run, whose images or weights are"),
        (with(&["--depth", "16"]), 2, "--depth or --quality"),
        (elsewhere("mine"), 2, "other things in it (letter.txt)"),
        (elsewhere("photo.png"), 1, "photo.png is not a folder"),
        (plain(&["--save-every", "2"]), 2, "--save-every needs a folder"),
        (plain(&["--save-schedule", "tutorial"]), 2, "--save-schedule needs a folder"),
        (plain(&["--checkpoint-every", "2"]), 2, "--run-dir"),
        (vec!["resume", "mine"], 1, "there is no run.json in it"),
        (vec!["resume", "nowhere"], 1, "nowhere does not exist"),
        (vec!["runs", "nowhere"], 1, "nowhere is not a folder"),
    ];
    for (words, status, needle) in table {
        let complaints = workshop.complaints_about_refusal(workshop.command(&words), status, needle);
        assert!(complaints.is_empty(), "{complaints:?}");
    }
    let record = workshop.bytes("run/run.json");
    let text = String::from_utf8(record.clone()).unwrap();
    let tampered = [
        (text.replace("inputs/content.png", "../photo.png"), "lies outside"),
        (text.replace("inputs/content.png", "/etc/hostname"), "lies outside"),
        (text.replace("\"layout\": 1", "\"layout\": 2"), "has layout 2, and this impasto reads 1"),
        (text.replace("\"seed\": 0", "\"seed\": 1"), "made with another recipe"),
        ("{".to_owned(), "cannot be read"),
    ];
    for (text, needle) in tampered {
        assert_ne!(text.as_bytes(), record, "{needle}");
        std::fs::write(workshop.path("run/run.json"), text).unwrap();
        let output = workshop.run(&["resume", "run", "--quiet"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(needle) && said.lines().count() == 1, "{said}");
        // `runs` says what it can.
        assert!(workshop.run(&["runs"]).status.success());
    }
    std::fs::write(workshop.path("run/run.json"), record).unwrap();
    workshop.draw("run/inputs/content.png", 40, 30, 3);
    let needle = "has changed since the run began; put the photo.png back";
    let complaints = workshop.complaints_about_refusal(workshop.command(&["resume", "run"]), 1, needle);
    assert!(complaints.is_empty(), "{complaints:?}");
    std::fs::copy(workshop.path("photo.png"), workshop.path("run/inputs/content.png")).unwrap();
    workshop.succeed(&["resume", "run", "--quiet"]);
    // Finished: nothing is painted over, and going on has nothing to do.
    let done = workshop.files();
    assert_eq!(workshop.run(&words).status.code(), Some(2));
    workshop.succeed(&["resume", "run"]);
    assert_eq!(workshop.files(), done);
}

#[test]
fn runs_are_listed() {
    let workshop = Workshop::new();
    let quiet = [paint(&[]).as_slice(), &["--quiet"]].concat();
    workshop.succeed(&quiet);
    std::fs::create_dir(workshop.path("all")).unwrap();
    std::fs::rename(workshop.path("run"), workshop.path("all/first")).unwrap();
    let watched = Watched::after(&workshop, &paint(&["--iterations", "1000000", "--preset", "tutorial"]), 2);
    watched.signal("INT");
    watched.end();
    std::fs::rename(workshop.path("run"), workshop.path("all/second")).unwrap();
    std::fs::create_dir(workshop.path("all/nothing")).unwrap();
    let listed = workshop.succeed(&["runs", "all"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "{listed}");
    let both: Vec<Value> =
        workshop.succeed(&["runs", "all", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| both.iter().find(|line| line["run"] == format!("all/{name}").as_str()).unwrap();
    assert_eq!((of("first")["state"].as_str(), of("first")["evaluations"].as_u64()), (Some("finished"), Some(4)));
    assert_eq!((of("second")["state"].as_str(), of("second")["preset"].as_str()), (Some("stopped"), Some("tutorial")));
    assert!(of("second")["loss"].is_number() && of("second")["of"] == 1_000_000);
    let finished = lines.iter().find(|line| line.starts_with("all/first")).unwrap();
    assert!(finished.contains("finished, 4 evaluations") && finished.ends_with(" UTC"), "{finished}");
}
