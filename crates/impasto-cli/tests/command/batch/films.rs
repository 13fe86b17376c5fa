//! Films as shots of a batch. Where there is no ffmpeg, what needs it is passed over, and said.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{edit_tasks, lines, numbers, run};
use crate::workshop::{Workshop, files_of};

/// Options under which a frame takes a moment. The number of sizes is left open, as people do.
const QUICK: [&str; 8] =
    ["--size", "32", "--iterations", "4", "--style-layers", "conv1_1,conv2_1", "--content-layers", "conv2_2"];

/// A workshop with a folder of frames, `frames/f8.png` to `frames/f12.png`: a shot of three and one of two.
fn with_frames() -> Workshop {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("frames")).unwrap();
    for number in 8..13 {
        workshop.draw(&format!("frames/f{number}.png"), 40, 30, if number < 11 { 1 } else { 9 });
    }
    workshop
}

fn plan_words<'words>(film: &'words str, more: &[&'words str]) -> Vec<&'words str> {
    let mut words = vec!["batch", "plan", "--films", film, "--styles", "painting.png", "--out", "batch"];
    words.extend(QUICK);
    words.extend(more);
    words
}

fn video_words<'words>(film: &'words str, output: &'words str, more: &[&'words str]) -> Vec<&'words str> {
    let mut words = vec!["video", film, "painting.png", "-o", output, "--quiet"];
    words.extend(QUICK);
    words.extend(more);
    words
}

/// The files below a folder of the workshop, by their names, whatever folder within it they lie in.
fn frames(workshop: &Workshop, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let files = files_of(&workshop.path(folder)).into_iter();
    files.map(|(path, bytes)| (path.file_name().unwrap().to_string_lossy().into_owned(), bytes)).collect()
}

fn tasks(workshop: &Workshop) -> Vec<Value> {
    let text = String::from_utf8(workshop.bytes("batch/tasks.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn has_ffmpeg() -> bool {
    let is_there = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !is_there {
        println!("skipped: there is no ffmpeg here");
    }
    is_there
}

#[test]
fn shots_by_shares_and_a_kill_have_the_bytes_of_a_film_by_one_program() {
    let workshop = with_frames();
    workshop.succeed(&video_words("frames", "whole", &["--passes", "2"]));
    let whole = frames(&workshop, "whole");
    workshop.succeed(&plan_words("frames", &["--passes", "2"]));
    let planned = tasks(&workshop);
    let shot = |place: usize, field: &str| planned[place]["shot"][field].clone();
    assert_eq!(planned.len(), 2);
    assert_eq!([0, 1].map(|place| shot(place, "first")), [json!(1), json!(4)]);
    assert_eq!([0, 1].map(|place| shot(place, "frames")), [json!(3), json!(2)]);
    assert_eq!([0, 1].map(|place| shot(place, "last")), [json!("f10.png"), json!("f12.png")]);
    assert_eq!(
        [0, 1].map(|place| planned[place]["output"].clone()),
        [1, 4].map(|first| json!(format!("films/frames-painting/shot-{first:06}")))
    );
    // The second share first: the film is not whole then, and that is no failure.
    let (status, told, _) = run(&workshop, "batch", &["--shard", "2/2"]);
    assert_eq!(
        (status, numbers(&told, "painted"), told.iter().filter(|it| it["event"] == "joined").count()),
        (Some(0), vec![2], 0)
    );
    // Killed when its second frame is there.
    let mut child = workshop.command(&["batch", "run", "batch", "--shard", "1/2", "--quiet"]).spawn().unwrap();
    let begun = Instant::now();
    let is_there = || files_of(&workshop.path("batch/running")).keys().any(|path| path.ends_with("pass-1/f9.png"));
    while !is_there() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!workshop.path("batch/done/000001.json").exists(), "it was killed too late");
    let status = workshop.succeed(&["batch", "status", "batch"]);
    assert!(
        status.contains("shot-000001  stopped after") && status.contains("1 of 2 shots done, not put together"),
        "{status}"
    );
    let (status, told, said) = run(&workshop, "batch", &["--index", "1"]);
    assert_eq!((status, numbers(&told, "painted")), (Some(0), vec![1]), "{said}");
    let begun: Vec<&Value> = told.iter().filter(|it| it["event"] == "begun").collect();
    assert_eq!(begun[0]["goes_on"], true);
    let joined: Vec<&Value> = told.iter().filter(|it| it["event"] == "joined").collect();
    assert_eq!(
        joined,
        [&json!({"event": "joined", "output": "films/frames-painting-frames", "frames": 5, "shots": 2})]
    );
    assert!(frames(&workshop, "batch/films/frames-painting-frames") == whole);
    assert!(frames(&workshop, "batch/films/frames-painting") == whole);
    assert!(files_of(&workshop.path("batch/running")).is_empty());
    let status = workshop.succeed(&["batch", "status", "batch", "--whole"]);
    assert!(status.contains("2 of 2 shots done, put together") && status.contains("2 of 2 done"), "{status}");
    workshop.succeed(&["batch", "report", "batch"]);
    let page = String::from_utf8(workshop.bytes("batch/report.html")).unwrap();
    // Three frames of one, both of the other.
    assert_eq!((page.matches("<figure>").count(), page.matches("<img ").count()), (2, 5));
}

#[test]
fn damage_and_changes_are_noticed_in_films_too() {
    let workshop = with_frames();
    workshop.succeed(&plan_words("frames", &[]));
    assert_eq!(run(&workshop, "batch", &[]).0, Some(0));
    let whole = frames(&workshop, "batch/films");
    let again = |expected: &[u64], needle: &str| {
        let (status, told, said) = run(&workshop, "batch", &[]);
        assert_eq!((status, numbers(&told, "painted")), (Some(0), expected.to_vec()), "{needle}: {said}");
        assert!(said.contains(needle), "{needle}: {said}");
        assert_eq!(numbers(&told, "stands").len() + expected.len(), 2);
    };
    again(&[], "");
    // A bit of a frame, a frame that is gone, and one that was never there.
    let path = |name: &str| workshop.path(&format!("batch/films/frames-painting/{name}"));
    let mut bytes = std::fs::read(path("shot-000001/f9.png")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path("shot-000001/f9.png"), &bytes).unwrap();
    again(&[1], "films/frames-painting/shot-000001 is damaged");
    std::fs::remove_file(path("shot-000004/f12.png")).unwrap();
    again(&[2], "films/frames-painting/shot-000004 is damaged");
    std::fs::write(path("shot-000004/f13.png"), &bytes).unwrap();
    again(&[2], "shot-000004 is damaged");
    assert!(frames(&workshop, "batch/films") == whole);
    // The whole film, and nothing of its shots.
    std::fs::remove_file(workshop.path("batch/films/frames-painting-frames/f8.png")).unwrap();
    let (status, told, _) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&told, "stands").len(), told[2]["event"].as_str()), (Some(0), 2, Some("joined")));
    assert!(frames(&workshop, "batch/films") == whole);
    // A choice, and a frame; both make another film.
    edit_tasks(&workshop, "batch", |task| {
        if task["number"] == 1 {
            task["shot"]["choices"]["steadiness"] = 0.5.into();
        }
    });
    again(&[1], "its task has changed");
    workshop.draw("frames/f12.png", 40, 30, 10);
    again(&[2], "frames in ../frames have changed since they were planned");
    let changed = frames(&workshop, "batch/films/frames-painting-frames");
    assert!(changed["f12.png"] != whole["f12.png"] && changed["f8.png"] == whole["f8.png"]);
    // What is gone says nothing against what is painted. What is missing is not made up for by its neighbour.
    std::fs::remove_file(workshop.path("frames/f9.png")).unwrap();
    again(&[], "");
    std::fs::remove_file(path("shot-000001/f8.png")).unwrap();
    let (status, told, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&told, "unpainted")), (Some(1), vec![1]));
    assert!(said.contains("are not those that were planned"), "{said}");
}

#[test]
fn a_shot_that_is_wrong_is_named_with_its_line() {
    let workshop = with_frames();
    workshop.succeed(&plan_words("frames", &[]));
    let good = workshop.bytes("batch/tasks.jsonl");
    let cases: [(&str, Value, &str); 12] = [
        ("/shot/film", json!("../a"), "no plain name"),
        ("/shot/folder", json!(""), "no name"),
        ("/shot/folder", json!("../other"), "does not lie in its folder"),
        ("/shot/first", json!(0), "count from 1"),
        ("/shot/every", json!(0), "count from 1"),
        ("/shot/frames", json!(0), "count from 1"),
        ("/shot/frames", json!(u64::MAX), "ends behind frame"),
        ("/shot/last", json!("a/b"), "no plain name"),
        ("/shot/sha256", json!("0"), "sha256"),
        ("/shot/choices/passes", json!(0), "--passes"),
        ("/shot/choices/cuts", json!(true), "cuts"),
        ("/output", json!("films/../shot-000001"), "would write"),
    ];
    for (place, value, needle) in cases {
        edit_tasks(&workshop, "batch", |task| {
            if task["number"] == 2 {
                *task.pointer_mut(place).unwrap() = value.clone();
            }
        });
        let complaints = workshop.complaints_about_refusal(workshop.command(&["batch", "run", "batch"]), 2, needle);
        assert!(complaints.is_empty(), "{complaints:?}");
        std::fs::write(workshop.path("batch/tasks.jsonl"), &good).unwrap();
    }
    // More frames than there are: the task fails, and the other is done.
    edit_tasks(&workshop, "batch", |task| {
        if task["number"] == 2 {
            task["shot"]["frames"] = 20.into();
        }
    });
    let (status, told, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&told, "painted"), numbers(&told, "unpainted")), (Some(1), vec![1], vec![2]));
    assert!(said.contains("are not those that were planned"), "{said}");
}

#[test]
fn a_wrong_plan_of_films_is_one_sentence() {
    let workshop = with_frames();
    std::fs::create_dir(workshop.path("empty")).unwrap();
    std::fs::create_dir(workshop.path("sizes")).unwrap();
    workshop.draw("sizes/1.png", 40, 30, 1);
    workshop.draw("sizes/2.png", 41, 30, 1);
    std::fs::write(workshop.path("film.mov"), "by its name").unwrap();
    let cases: [(i32, &str, Vec<&str>); 10] = [
        (2, "IMPASTO_ISA", plan_words("frames", &["--portable"])),
        (
            2,
            "is a film by its name; name films with --films",
            vec!["batch", "plan", "film.mov", "--styles", "painting.png", "--out", "batch"],
        ),
        (2, "does not exist", plan_words("none.mp4", &[])),
        (1, "has no pictures", plan_words("empty", &[])),
        (1, "in that time", plan_words("frames", &["--from", "1:00"])),
        (2, "--to", plan_words("frames", &["--from", "2", "--to", "1"])),
        (2, "--passes", plan_words("frames", &["--passes", "0"])),
        (2, "--depth", plan_words("frames", &["--depth", "16"])),
        (1, "bring all to one size", plan_words("sizes", &[])),
        (
            2,
            "name films with --films",
            vec!["batch", "plan", "photo.png", "--styles", "painting.png", "--out", "batch", "--no-cuts"],
        ),
    ];
    let mut complaints = Vec::new();
    for (status, needle, words) in cases {
        let output = workshop.run(&words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_right =
            output.status.code() == Some(status) && said.lines().last().is_some_and(|it| it.contains(needle));
        if !is_right || said.contains("panicked") || workshop.path("batch/tasks.jsonl").exists() {
            complaints.push(format!("{words:?}: {:?} {said}", output.status.code()));
        }
    }
    let mut command = workshop.command(&plan_words("photo.png", &[]));
    let output = command.env("PATH", "").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(1) || !said.contains("install ffmpeg") {
        complaints.push(said);
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn films_planned_anew_keep_their_names_and_what_is_done() {
    let workshop = with_frames();
    std::fs::create_dir(workshop.path("more")).unwrap();
    std::fs::rename(workshop.path("frames"), workshop.path("more/frames")).unwrap();
    let workshop_with_two = || {
        std::fs::create_dir_all(workshop.path("frames")).unwrap();
        workshop.draw("frames/a.png", 40, 30, 2);
        workshop.draw("frames/b.png", 40, 30, 3);
    };
    workshop_with_two();
    let outputs =
        || tasks(&workshop).iter().map(|task| task["output"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    workshop.succeed(&plan_words("more/frames", &["--no-cuts"]));
    assert_eq!(outputs(), ["films/frames-painting/shot-000001"]);
    assert_eq!(run(&workshop, "batch", &[]).0, Some(0));
    // A photo, and a second film of the same name.
    let mut words = plan_words("more/frames", &["--no-cuts", "--json"]);
    words.insert(4, "frames");
    words.insert(2, "photo.png");
    let (status, told, said) = lines(workshop.run(&words));
    assert_eq!(
        (status, &told[0]["tasks"], &told[0]["same"], &told[0]["done"]),
        (Some(0), &json!(3), &json!(1), &json!(1)),
        "{said}"
    );
    assert_eq!(
        outputs(),
        ["films/frames-painting/shot-000001", "pictures/photo-painting.png", "films/frames-2-painting/shot-000001"]
    );
    let (status, told, said) = run(&workshop, "batch", &[]);
    // A picture is written beside what is painted next.
    let mut painted = numbers(&told, "painted");
    painted.sort_unstable();
    assert_eq!((status, numbers(&told, "stands"), painted), (Some(0), vec![1], vec![2, 3]), "{said}");
    workshop.succeed(&video_words("frames", "alone", &["--no-cuts"]));
    assert!(frames(&workshop, "batch/films/frames-2-painting-frames") == frames(&workshop, "alone"));
    // Found shots are other tasks, and the whole is made anew of them; frames of the former ones go.
    workshop.succeed(&plan_words("more/frames", &["--every", "2"]));
    let (status, told, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&told, "painted").len()), (Some(0), 2), "{said}");
    let names: Vec<String> = frames(&workshop, "batch/films/frames-painting-frames").into_keys().collect();
    assert_eq!(names, ["f10.png", "f12.png", "f8.png"]);
}

#[test]
fn a_film_is_put_together_with_its_sound_by_whoever_has_ffmpeg() {
    if !has_ffmpeg() {
        return;
    }
    let workshop = Workshop::new();
    let film = workshop.path("film.mp4");
    let words = "-v error -y -f lavfi -i testsrc=s=40x30:r=30000/1001:d=0.2 -f lavfi -i smptebars=s=40x30:r=30000/1001:d=0.1 -f lavfi -i sine=d=0.3 \
        -filter_complex [0][1]concat=n=2,format=yuv420p[v] -map [v] -map 2:a -c:v libx264 -colorspace bt709 -color_primaries bt709 -color_trc bt709 -c:a aac";
    let made = Command::new("ffmpeg").args(words.split_whitespace()).arg(&film).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let more = ["--every", "2", "--colours", "photo"];
    workshop.succeed(&video_words("film.mp4", "whole.mp4", &more));
    workshop.succeed(&plan_words("film.mp4", &more));
    assert_eq!(tasks(&workshop).len(), 2, "a cut lies between");
    // All that is needed lies in the batch's folder now.
    std::fs::remove_file(&film).unwrap();
    std::fs::remove_dir_all(workshop.path("whole-film/source")).unwrap();
    let without = lines(workshop.command(&["batch", "run", "batch", "--json"]).env("PATH", "").output().unwrap());
    assert_eq!((without.0, numbers(&without.1, "painted")), (Some(1), vec![1, 2]), "{}", without.2);
    assert!(without.2.contains("its shots are done") && without.2.contains("install ffmpeg"), "{}", without.2);
    let unjoined: Vec<&Value> = without.1.iter().filter(|it| it["event"] == "unjoined").collect();
    assert_eq!(unjoined.len(), 1);
    let (status, told, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&told, "stands"), numbers(&told, "painted")), (Some(0), vec![1, 2], vec![]), "{said}");
    assert!(frames(&workshop, "batch/films/film-painting") == frames(&workshop, "whole-film/painted"));
    let probed = |film: PathBuf| {
        let words = ["-v", "error", "-count_frames", "-show_entries"];
        let entries = "stream=codec_name,width,height,r_frame_rate,nb_read_frames,color_space,color_transfer,sample_rate,duration";
        let output = Command::new("ffprobe").args(words).arg(entries).arg(film).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let joined = probed(workshop.path("batch/films/film-painting.mp4"));
    assert!(joined.contains("codec_name=aac") && joined.contains("r_frame_rate=15000/1001"), "{joined}");
    assert_eq!(joined, probed(workshop.path("whole.mp4")));
    // It stands, until somebody changes it.
    assert!(run(&workshop, "batch", &[]).1.iter().all(|it| it["event"] != "joined"));
    let mut damaged = workshop.bytes("batch/films/film-painting.mp4");
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(workshop.path("batch/films/film-painting.mp4"), damaged).unwrap();
    let status = workshop.succeed(&["batch", "status", "batch", "--whole"]);
    assert!(status.contains("2 of 2 shots done, not put together"), "{status}");
    assert!(run(&workshop, "batch", &[]).1.iter().any(|it| it["event"] == "joined"));
    // A task by itself looks at the length alone.
    std::fs::write(workshop.path("batch/films/film-painting.mp4"), "no film").unwrap();
    assert!(run(&workshop, "batch", &["--index", "2"]).1.iter().any(|it| it["event"] == "joined"));
    assert_eq!(probed(workshop.path("batch/films/film-painting.mp4")), joined);
}
