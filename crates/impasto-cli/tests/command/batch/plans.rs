//! What is planned is painted: the very bytes of single commands; and planned anew, what is done stays done.

use serde_json::Value;

use super::{demand_done, gallery, numbers, pictures, plan, plan_words, run};
use crate::workshop::QUICK;

fn tasks(workshop: &crate::workshop::Workshop) -> Vec<Value> {
    let text = std::fs::read_to_string(workshop.path("batch/tasks.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A person copies the command that is named.
#[cfg(unix)]
#[test]
fn what_a_plan_says_can_be_typed() {
    let workshop = gallery(1, 1);
    let said = workshop.succeed(&plan_words("50% done", &[]));
    assert!(said.contains("1 picture in 50% done"), "{said}");
    let command = said.lines().last().unwrap().strip_prefix("impasto ").unwrap();
    let script = format!("\"$IMPASTO\" {command} --device cpu");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script]).env("IMPASTO", env!("CARGO_BIN_EXE_impasto")).current_dir(workshop.path(""));
    let typed = shell.output().unwrap();
    let said = String::from_utf8_lossy(&typed.stderr);
    assert!(typed.status.success() && said.contains("1 of 1 picture painted"), "{said}");
}

#[test]
fn a_batch_has_the_bytes_of_single_commands() {
    let workshop = gallery(2, 2);
    let said = plan(&workshop, &["--depth", "16"]);
    assert!(said.contains("4 pictures in batch") && said.contains("at once") && said.contains("batch run"), "{said}");
    // Photos may be anywhere from the batch, as long as the whole tree goes along.
    let all = tasks(&workshop);
    assert_eq!(all[1]["content"]["file"], "../photos/0.png");
    assert_eq!((&all[1]["output"], &all[1]["number"]), (&"pictures/0-1.png".into(), &2.into()));
    assert!(all.iter().all(|task| task["seconds"].as_f64() >= Some(0.0) && task["memory_mib"].as_f64() > Some(10.0)));
    std::fs::create_dir(workshop.path("elsewhere")).unwrap();
    for name in ["photos", "paintings", "batch"] {
        std::fs::rename(workshop.path(name), workshop.path("elsewhere").join(name)).unwrap();
    }
    let (status, lines, said) = run(&workshop, "elsewhere/batch", &[]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(numbers(&lines, "painted"), [1, 2, 3, 4]);
    demand_done(&workshop, "elsewhere/batch", 4);
    for (name, bytes) in pictures(&workshop, "elsewhere/batch") {
        let (photo, painting) = name.trim_end_matches(".png").split_once('-').unwrap();
        let (photo, painting) =
            (format!("elsewhere/photos/{photo}.png"), format!("elsewhere/paintings/{painting}.png"));
        let words = ["paint", &photo, &painting, "-o", "single.png", "--depth", "16", "--quiet"];
        workshop.succeed(&[words.as_slice(), &QUICK].concat());
        assert!(workshop.bytes("single.png") == bytes, "{name}");
    }
    let before = workshop.files();
    let (status, lines, _) = run(&workshop, "elsewhere/batch", &["--threads", "1"]);
    assert_eq!((status, numbers(&lines, "stands").len(), numbers(&lines, "begun").len()), (Some(0), 4, 0));
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["stood"], &last["painted"]), (&"batch".into(), &4.into(), &0.into()));
    assert_eq!(workshop.files(), before);
    let said = workshop.succeed(&["batch", "status", "elsewhere/batch", "--whole"]);
    assert_eq!(said.trim(), "4 of 4 done");
    workshop.succeed(&["batch", "report", "elsewhere/batch"]);
    let page = std::fs::read_to_string(workshop.path("elsewhere/batch/report.html")).unwrap();
    assert_eq!(page.matches("<figure>").count(), 4);
    assert!(roxmltree::Document::parse(page.trim_start_matches("<!DOCTYPE html>")).is_ok(), "{page}");
}

#[test]
fn a_batch_that_is_planned_anew_keeps_what_is_done() {
    let workshop = gallery(2, 1);
    plan(&workshop, &[]);
    assert_eq!(run(&workshop, "batch", &[]).0, Some(0));
    let before = tasks(&workshop);
    // A third photo that comes first by its name, and the second is gone.
    workshop.draw("photos/-a.png", 44, 30, 5);
    std::fs::remove_file(workshop.path("photos/1.png")).unwrap();
    let said = plan(&workshop, &[]);
    assert!(said.contains("2 pictures in batch (1 as they were, 1 done already, 1 of before are no more"), "{said}");
    let after = tasks(&workshop);
    assert_eq!(after[0]["output"], before[0]["output"]);
    assert_eq!((&after[1]["number"], &after[1]["output"]), (&3.into(), &"pictures/_-a-0.png".into()));
    let (status, lines, _) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "painted"), numbers(&lines, "stands")), (Some(0), vec![3], vec![1]));
    assert!(workshop.path("batch/pictures/1-0.png").exists() && workshop.path("batch/done/000002.json").exists());
    // A number that was there and is no more has nothing left to do.
    assert_eq!(run(&workshop, "batch", &["--index", "2"]).0, Some(0));
    // Another recipe: all are painted again, under their numbers and names.
    let old = pictures(&workshop, "batch");
    let said = plan(&workshop, &["--iterations", "2"]);
    assert!(said.contains("2 to be painted anew"), "{said}");
    let (status, lines, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "painted")), (Some(0), vec![1, 3]));
    assert!(said.contains("its task has changed since it was painted; it is painted again"), "{said}");
    let new = pictures(&workshop, "batch");
    assert!(new.keys().eq(old.keys()) && new["0-0.png"] != old["0-0.png"] && new["1-0.png"] == old["1-0.png"]);
}

#[test]
fn pairs_come_from_lists_and_patterns_under_names_of_their_own() {
    let workshop = gallery(2, 2);
    let odd = ["photos/A.png", "photos/a.png", "photos/b\nc.png", "photos/\u{e4} \u{4e2d}.png"];
    for (place, name) in odd.iter().enumerate() {
        workshop.draw(name, 40, 30, 10 + place);
    }
    let list = "photo,painting\nphotos/A.png,paintings/0.png\nphotos/a.png,paintings/0.png\n\
                \"photos/b\nc.png\",paintings/0.png,paintings/1.png\nphotos/\u{e4} \u{4e2d}.png,paintings/1.png\n";
    std::fs::write(workshop.path("pairs.csv"), list).unwrap();
    let mut words = vec!["batch", "plan", "--pairs", "pairs.csv", "--out", "batch", "--json"];
    words.extend(QUICK);
    let planned: Value = serde_json::from_str(&workshop.succeed(&words)).unwrap();
    assert_eq!((&planned["event"], &planned["tasks"]), (&"planned".into(), &4.into()));
    assert_eq!(run(&workshop, "batch", &[]).0, Some(0));
    let names: Vec<String> = pictures(&workshop, "batch").into_keys().collect();
    assert_eq!(names, ["A-0.png", "a-0-2.png", "b_c-0-1.png", "\u{e4} \u{4e2d}-1.png"]);
    let recipe = workshop.succeed(&["recipe", "batch/pictures/b_c-0-1.png"]);
    let recipe: Value = serde_json::from_str(&recipe).unwrap();
    assert_eq!(recipe["styles"], serde_json::json!(["0.png", "1.png"]));
    // One by one, and by a pattern that no shell has replaced.
    let mut words =
        vec!["batch", "plan", "photos/?.png", "--styles", "paintings/*.png", "--pairs", "zip", "--out", "zip"];
    words.extend(QUICK);
    let refused = workshop.run(&words);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("4 photos and 2 paintings"), "{refused:?}");
    words[2] = "photos/[01].png";
    assert!(String::from_utf8_lossy(&workshop.run(&words).stderr).contains("does not exist"));
    std::fs::remove_file(workshop.path("photos/A.png")).unwrap();
    std::fs::remove_file(workshop.path("photos/a.png")).unwrap();
    words[2] = "photos/?.png";
    assert!(workshop.succeed(&words).contains("2 pictures in zip"));
    // What by its name is no image is passed over in a folder; what is none in spite of its name is not.
    std::fs::write(workshop.path("photos/notes.txt"), "notes").unwrap();
    std::fs::write(workshop.path("photos/broken.png"), "no image").unwrap();
    let output = workshop.run(&plan_words("other", &[]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("notes.txt are passed over") && said.contains("broken.png is not an image"), "{said}");
    assert!(said.contains("1 of 7 images cannot be read, and nothing is planned"), "{said}");
    assert!(!workshop.path("other").exists());
    let said = workshop.succeed(&plan_words("other", &["--skip-unreadable"]));
    assert!(said.contains("8 pictures in other (2 left out"), "{said}");
}
