//! Ctrl-C: the picture so far is written, whole, and the exit status is 130.

use impasto::read::{ReadLimits, read_picture};
use serde_json::Value;

use crate::watched::{Ended, Watched};
use crate::workshop::{Workshop, paint_arguments};

/// Starts a run that would take hours, and presses Ctrl-C `times` times after its first evaluation.
fn interrupted(workshop: &Workshop, more: &[&str], times: usize) -> (Option<i32>, Vec<Value>, String) {
    let arguments = paint_arguments("out.png", &[&["--iterations", "1000000"], more].concat());
    let mut watched = Watched::start(workshop, &arguments);
    let first = watched.line().unwrap();
    for _ in 0..times {
        watched.signal("INT");
    }
    let Ended { status, lines, said } = watched.end();
    let lines = [first].into_iter().chain(lines).map(|line| serde_json::from_str(&line).expect(&line));
    (status, lines.collect(), said)
}

#[test]
fn the_picture_so_far_is_written() {
    let workshop = Workshop::new();
    std::fs::write(workshop.path("out.png"), "the old picture").unwrap();
    let (status, lines, said) = interrupted(&workshop, &[], 1);
    assert_eq!(status, Some(130), "{said}");
    assert!(said.lines().all(|line| line.starts_with("impasto: ")), "{said}");
    assert!(said.contains("the picture so far is out.png") && !said.contains("panicked"), "{said}");
    let last = lines.last().unwrap();
    assert_eq!(last["event"], "interrupted");
    // The running evaluation has a line of its own, unless its step was taken back.
    let counted = |line: &serde_json::Value| line["evaluations"].as_u64().unwrap();
    let (done, told) = (counted(last), counted(&lines[lines.len() - 2]));
    assert!(done == told || done == told + 1, "it stops after the running evaluation: {done}, {told}");
    let picture = read_picture(&workshop.path("out.png"), &ReadLimits::default()).unwrap().picture;
    assert_eq!((picture.width, picture.height), (32, 24));
    assert_eq!(workshop.files().len(), 3, "photo, painting and picture, no temporary file");
    assert!(workshop.succeed(&["recipe", "out.png"]).contains("\"iterations\": 1000000"));
}

#[test]
fn at_a_coarse_size_it_has_the_full_size_and_further_presses_change_nothing() {
    let workshop = Workshop::new();
    let more = ["--size", "96", "--levels", "2", "--coarse-iterations", "1000000"];
    let (status, _, said) = interrupted(&workshop, &more, 3);
    assert_eq!(status, Some(130), "{said}");
    let picture = read_picture(&workshop.path("out.png"), &ReadLimits::default()).unwrap().picture;
    assert_eq!((picture.width, picture.height), (96, 72));
}
