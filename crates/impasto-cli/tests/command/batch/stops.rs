//! A batch that is stopped, by a person or by a scheduler, goes on within its picture.

use std::process::Stdio;

use super::{demand_done, gallery, numbers, pictures, plan, run};

#[test]
fn a_batch_that_is_stopped_goes_on_within_its_picture() {
    let workshop = gallery(2, 1);
    plan(&workshop, &["--iterations", "150"]);
    assert_eq!(run(&workshop, "batch", &[]).0, Some(0));
    let whole = pictures(&workshop, "batch");
    for (signal, status) in [("TERM", 143), ("INT", 130)] {
        std::fs::remove_dir_all(workshop.path("batch")).unwrap();
        plan(&workshop, &["--iterations", "150"]);
        let mut command = workshop.command(&["batch", "run", "batch", "--json"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let metrics = || {
            let runs = std::fs::read_dir(workshop.path("batch/running")).into_iter().flatten().flatten();
            runs.map(|run| run.path().join("metrics.jsonl")).any(|path| path.metadata().is_ok_and(|it| it.len() > 0))
        };
        while !metrics() {
            std::thread::yield_now();
        }
        let sent = std::process::Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let (ended, lines, said) = super::lines(child.wait_with_output().unwrap());
        assert_eq!(ended, Some(status), "{said}");
        assert!(said.contains("what is painted is kept") && said.contains("the same command goes on"), "{said}");
        assert_eq!(lines.last().unwrap()["was_stopped"], true);
        let done = numbers(&lines, "painted").len();
        assert_eq!(pictures(&workshop, "batch").len(), done, "no picture so far among the whole ones");
        assert!(workshop.succeed(&["batch", "status", "batch"]).contains("stopped after"), "{said}");
        let (ended, lines, said) = run(&workshop, "batch", &[]);
        assert_eq!(ended, Some(0), "{said}");
        let begun = lines.iter().find(|line| line["event"] == "begun").unwrap();
        assert!(begun["goes_on"] == true && said.contains("goes on after evaluation"), "{begun} {said}");
        assert!(pictures(&workshop, "batch") == whole);
        demand_done(&workshop, "batch", 2);
    }
}
