//! What is damaged or has changed is noticed, said, and painted again; nothing else is.

use super::{demand_done, gallery, numbers, pictures, plan, run};

#[test]
fn damage_and_changes_are_noticed() {
    let workshop = gallery(3, 2);
    plan(&workshop, &[]);
    assert_eq!(run(&workshop, "batch", &[]).0, Some(0));
    let whole = pictures(&workshop, "batch");
    // A bit of one, the end of another, a third away, and a receipt that is no JSON.
    let damaged = workshop.path("batch/pictures/0-0.png");
    let mut bytes = whole["0-0.png"].clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, &bytes).unwrap();
    std::fs::write(workshop.path("batch/pictures/0-1.png"), &whole["0-1.png"][..100]).unwrap();
    std::fs::remove_file(workshop.path("batch/pictures/1-0.png")).unwrap();
    std::fs::write(workshop.path("batch/done/000004.json"), "{").unwrap();
    // A quick look sees lengths alone.
    let status = |more: &[&str]| workshop.succeed(&[["batch", "status", "batch"].as_slice(), more].concat());
    assert!(status(&[]).contains("3 of 6 done, 3 left"), "{}", status(&[]));
    assert!(status(&["--whole"]).contains("2 of 6 done, 4 left"), "{}", status(&["--whole"]));
    let (status, lines, said) = run(&workshop, "batch", &[]);
    assert_eq!(
        (status, numbers(&lines, "painted"), numbers(&lines, "stands")),
        (Some(0), vec![1, 2, 3, 4], vec![5, 6])
    );
    assert!(said.contains("0-0.png is damaged; it is painted again"), "{said}");
    assert!(said.contains("1-0.png is not there any more"), "{said}");
    assert!(pictures(&workshop, "batch") == whole);
    demand_done(&workshop, "batch", 6);
    // What a program leaves that is killed right behind a receipt goes with the next.
    std::fs::create_dir_all(workshop.path("batch/running/000001-0a1b2c3d/inputs")).unwrap();
    std::fs::write(workshop.path("batch/running/000002.claim"), "").unwrap();
    assert_eq!(numbers(&run(&workshop, "batch", &[]).1, "stands").len(), 6);
    demand_done(&workshop, "batch", 6);
    // A photo that has changed: its pictures are painted of what it is now.
    workshop.draw("photos/2.png", 42, 30, 30);
    let (status, lines, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "painted")), (Some(0), vec![5, 6]));
    assert!(said.contains("../photos/2.png has changed since it was planned; it is painted as it is now"), "{said}");
    let changed = pictures(&workshop, "batch");
    let others: Vec<_> = whole.keys().filter(|name| whole[*name] != changed[*name]).collect();
    assert_eq!(others, ["2-0.png", "2-1.png"]);
    // One that is gone says nothing against its pictures.
    std::fs::remove_file(workshop.path("photos/2.png")).unwrap();
    let (status, lines, _) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "stands").len()), (Some(0), 6));
    // A task that somebody has edited is another.
    super::edit_tasks(&workshop, "batch", |task| {
        if task["number"] == 2 {
            task["recipe"]["iterations"] = 3.into();
        }
    });
    let (status, lines, _) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "painted")), (Some(0), vec![2]));
}
