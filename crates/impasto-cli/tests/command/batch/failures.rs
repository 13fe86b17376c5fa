//! A task that fails stops no other; a scheduler can tell what to try again.

use super::{demand_done, gallery, numbers, plan, run};

#[test]
fn a_task_that_fails_is_said_and_the_others_go_on() {
    let workshop = gallery(3, 1);
    plan(&workshop, &[]);
    let photo = workshop.bytes("photos/1.png");
    std::fs::write(workshop.path("photos/1.png"), &photo[..200]).unwrap();
    let (status, lines, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "painted"), numbers(&lines, "unpainted")), (Some(1), vec![1, 3], vec![2]));
    assert!(said.contains("task 2, pictures/1-0.png: ") && said.contains("ends before its picture does"), "{said}");
    assert!(said.lines().last().unwrap().contains("1 of 3 pictures failed, 2 are done in batch"), "{said}");
    let listed = workshop.succeed(&["batch", "status", "batch"]);
    assert!(listed.contains("2  pictures/1-0.png  failed: ") && listed.contains("2 of 3 done, 1 failed"), "{listed}");
    assert!(std::fs::read_dir(workshop.path("batch/running")).unwrap().next().is_none(), "nothing was painted of it");
    // Nothing has changed, so nothing is tried.
    let (status, lines, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "begun"), lines[1]["was_tried"].as_bool()), (Some(1), vec![], Some(false)));
    assert!(said.contains("--retry-failed tries the one that failed before again"), "{said}");
    let (status, lines, _) = run(&workshop, "batch", &["--retry-failed"]);
    assert_eq!((status, lines[1]["was_tried"].as_bool()), (Some(1), Some(true)));
    // A task by its number: done, failed, none.
    assert_eq!(run(&workshop, "batch", &["--index", "1"]).0, Some(0));
    let (status, _, said) = run(&workshop, "batch", &["--index", "2"]);
    assert!(status == Some(1) && said.lines().last().unwrap().contains("pictures/1-0.png: "), "{said}");
    let (status, _, said) = run(&workshop, "batch", &["--index", "4"]);
    assert!(status == Some(2) && said.contains("the batch has tasks 1 to 3"), "{said}");
    // The photo is mended: it need not be asked for.
    std::fs::write(workshop.path("photos/1.png"), photo).unwrap();
    let (status, lines, _) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "painted")), (Some(0), vec![2]));
    demand_done(&workshop, "batch", 3);
}

#[test]
fn a_place_that_takes_no_picture_fails_its_task_alone() {
    let workshop = gallery(2, 1);
    plan(&workshop, &[]);
    std::fs::create_dir(workshop.path("batch/pictures/0-0.png")).unwrap();
    let (status, lines, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "painted")), (Some(1), vec![2]), "{said}");
    assert!(said.contains("0-0.png is not a file"), "{said}");
    std::fs::remove_dir(workshop.path("batch/pictures/0-0.png")).unwrap();
    assert_eq!(run(&workshop, "batch", &["--retry-failed"]).0, Some(0));
    demand_done(&workshop, "batch", 2);
}
