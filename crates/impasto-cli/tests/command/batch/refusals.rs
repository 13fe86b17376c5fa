//! Everything that is wrong is said before anything is written, in one sentence.

use super::{edit_tasks, gallery, plan, plan_words};
use crate::workshop::Workshop;

#[test]
fn a_wrong_plan_is_one_sentence_and_leaves_nothing() {
    let workshop = gallery(1, 1);
    std::fs::create_dir(workshop.path("empty")).unwrap();
    std::fs::create_dir(workshop.path("other")).unwrap();
    std::fs::write(workshop.path("other/letters.txt"), "mine").unwrap();
    std::fs::write(workshop.path("short.csv"), "photos/0.png\n").unwrap();
    let many = "photos/0.png,paintings/0.png\n".repeat(100_001);
    std::fs::write(workshop.path("many.csv"), many).unwrap();
    let plan = |words: &str| ["batch plan", words, "--size 32 --iterations 1"].join(" ");
    let cases = [
        (plan("empty --styles paintings --out new"), 2, "the folder empty has no images"),
        (plan("none.png --styles paintings --out new"), 2, "none.png does not exist"),
        (plan("photos/*.jpg --styles paintings --out new"), 2, "photos/*.jpg matches no file"),
        (plan("photos --out new"), 2, "name paintings, with --styles"),
        (plan("--styles paintings --out new"), 2, "name photos"),
        (plan("photos --styles paintings --pairs some --out new"), 2, "--pairs some is neither"),
        (plan("photos --styles paintings --pairs short.csv --out new"), 2, "give the list or the names"),
        (plan("--pairs short.csv --out new"), 2, "short.csv: line 1 has no painting"),
        (plan("--pairs none.csv --out new"), 2, "none.csv does not exist"),
        (plan("--pairs many.csv --out new"), 2, "100001 pictures are more than the 100000"),
        (plan("photos --styles paintings --out other"), 2, "other has other things in it (letters.txt)"),
        (plan("photos --styles paintings --out photo.png"), 2, "--out photo.png is no folder"),
        (plan("photos --styles paintings --out new --format jpeg"), 2, "--format"),
        (plan("photos --styles paintings --out new --style-weight -1"), 2, "--style-weight"),
        (plan("photos --styles paintings --out new --init none.png"), 1, "images cannot be read"),
        (plan("photos --styles paintings --out new --weights none.mat"), 1, "none.mat"),
        ("batch run photos".to_owned(), 1, "is not the folder of a batch"),
        ("batch status none".to_owned(), 1, "is not the folder of a batch"),
        ("batch run batch --shard 5/4".to_owned(), 2, "1/4 to 4/4"),
        ("batch run batch --index 0".to_owned(), 2, "--index"),
    ];
    let mut complaints = Vec::new();
    for (words, status, needle) in &cases {
        let words: Vec<&str> = words.split(' ').collect();
        let before = workshop.files();
        let output = workshop.run(&words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_right =
            output.status.code() == Some(*status) && said.lines().last().is_some_and(|it| it.contains(needle));
        if !is_right || said.contains("panicked") || workshop.files() != before || workshop.path("new").exists() {
            complaints.push(format!("{words:?}: {:?} {said}", output.status.code()));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_file_of_tasks_that_is_wrong_is_named_with_its_line() {
    let workshop = gallery(2, 1);
    plan(&workshop, &[]);
    let good = workshop.bytes("batch/tasks.jsonl");
    let refused = |needle: &str| {
        let complaints = workshop.complaints_about_refusal(workshop.command(&["batch", "run", "batch"]), 2, needle);
        assert!(complaints.is_empty(), "{complaints:?}");
        std::fs::write(workshop.path("batch/tasks.jsonl"), &good).unwrap();
    };
    let set = |field: &str, value: serde_json::Value| {
        edit_tasks(&workshop, "batch", |task| {
            if task["number"] == 2 {
                task[field] = value.clone();
            }
        });
    };
    set("format", 2.into());
    refused("line 2, has a task of format 2, and this impasto reads formats up to 1");
    set("output", "../0-0.png".into());
    refused("line 2, has a task that would write");
    set("output", "pictures/0-0.PNG".into());
    refused("line 2, has a task that would write");
    set("number", 1.into());
    refused("line 2, has task 1 behind task 1");
    set("styles", serde_json::json!([]));
    refused("line 2, has a task that cannot be done");
    set("recipe", serde_json::json!({"preset": "none"}));
    refused("line 2, has a wrong task");
    std::fs::write(workshop.path("batch/tasks.jsonl"), "").unwrap();
    refused("has no task");
}

#[test]
fn a_picture_never_overwrites_an_image_that_it_is_made_of() {
    let workshop = gallery(1, 1);
    plan(&workshop, &[]);
    workshop.succeed(&["batch", "run", "batch", "--quiet"]);
    let mut words =
        vec!["batch", "plan", "photos", "batch/pictures/0-0.png", "--styles", "paintings", "--out", "batch"];
    words.extend(["--size", "32", "--iterations", "1"]);
    let complaints = workshop.complaints_about_refusal(workshop.command(&words), 2, "would overwrite the input");
    assert!(complaints.is_empty(), "{complaints:?}");
    edit_tasks(&workshop, "batch", |task| task["content"]["file"] = "pictures/0-0.png".into());
    let complaints =
        workshop.complaints_about_refusal(workshop.command(&["batch", "run", "batch"]), 2, "would overwrite the input");
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_text_is_refused_by_name() {
    use std::os::unix::ffi::OsStrExt;
    let workshop = gallery(1, 1);
    let odd = workshop.path("photos").join(std::ffi::OsStr::from_bytes(b"\xff.png"));
    std::fs::copy(workshop.path("photos/0.png"), odd).unwrap();
    let words = plan_words("batch", &[]);
    let complaints = workshop.complaints_about_refusal(workshop.command(&words), 2, "is no text in UTF-8");
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_without_locks_asks_for_shards() {
    let workshop = gallery(2, 1);
    plan(&workshop, &[]);
    let run = |more: &[&str]| {
        let program = workshop.command(&[["batch", "run", "batch", "--quiet"].as_slice(), more].concat());
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK", "-o", "/dev/null"]);
        command.arg(program.get_program()).args(program.get_args()).current_dir(workshop.path("."));
        command.output().map(|output| (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let Ok((status, said)) = run(&[]) else {
        println!("skipped: strace is not here");
        return;
    };
    if said.contains("strace:") {
        println!("skipped: strace may not trace here");
        return;
    }
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("000001.claim cannot be locked") && said.contains("--shard"), "{said}");
    for shard in ["1/2", "2/2"] {
        assert_eq!(run(&["--shard", shard]).unwrap().0, Some(0));
    }
    assert_eq!(Workshop::succeed(&workshop, &["batch", "status", "batch"]).trim(), "2 of 2 done");
}
