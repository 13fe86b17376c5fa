//! A task may wait for another.

use super::{demand_done, edit_tasks, gallery, numbers, plan, run};

#[test]
fn a_task_waits_for_the_one_that_it_comes_after() {
    let workshop = gallery(4, 1);
    plan(&workshop, &[]);
    edit_tasks(&workshop, "batch", |task| {
        if task["number"] == 3 || task["number"] == 4 {
            task["after"] = (task["number"].as_u64().unwrap() - 1).into();
        }
    });
    let (status, _, said) = run(&workshop, "batch", &["--index", "4"]);
    assert!(status == Some(1) && said.contains("it waits for task 3, which is not done; do that first"), "{said}");
    let photo = workshop.bytes("photos/1.png");
    std::fs::write(workshop.path("photos/1.png"), "none").unwrap();
    let (status, lines, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "painted"), numbers(&lines, "unpainted")), (Some(1), vec![1], vec![2, 3, 4]));
    assert!(said.contains("it waits for task 3, which has failed"), "{said}");
    std::fs::write(workshop.path("photos/1.png"), photo).unwrap();
    let (status, lines, said) = run(&workshop, "batch", &[]);
    assert_eq!((status, numbers(&lines, "painted")), (Some(0), vec![2, 3, 4]), "{said}");
    demand_done(&workshop, "batch", 4);
}
