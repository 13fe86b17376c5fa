//! Tasks that all machines paint to the same bytes.

use super::{demand_done, gallery, lines, numbers, plan_words};
use crate::workshop::Workshop;

fn with_isa(workshop: &Workshop, isa: Option<&str>, words: &[&str]) -> (Option<i32>, Vec<serde_json::Value>, String) {
    let mut command = workshop.command(words);
    isa.map(|isa| command.env("IMPASTO_ISA", isa));
    let output = command.output().unwrap();
    match words.contains(&"--json") {
        true => lines(output),
        false => (output.status.code(), Vec::new(), String::from_utf8(output.stderr).unwrap()),
    }
}

#[test]
fn a_portable_batch_is_painted_by_its_engine_alone() {
    let workshop = gallery(2, 1);
    let plan = |isa: Option<&str>, more: &[&str]| {
        with_isa(&workshop, isa, &plan_words("batch", &[["--portable"].as_slice(), more].concat()))
    };
    let (status, _, said) = plan(None, &["--style-loss", "wasserstein"]);
    assert_eq!(status, Some(2));
    for needle in ["IMPASTO_ISA", "--precision f32", "--style-loss"] {
        assert!(said.contains(needle), "{needle}: {said}");
    }
    assert!(!workshop.path("batch").exists(), "{said}");
    let (status, _, said) = plan(Some("portable"), &["--precision", "f32"]);
    assert_eq!(status, Some(0), "{said}");
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        return;
    }
    let run = ["batch", "run", "batch", "--json"];
    let (status, _, said) = with_isa(&workshop, None, &run);
    assert!(status == Some(1) && said.contains("IMPASTO_ISA=portable") && said.lines().count() == 1, "{said}");
    assert!(std::fs::read_dir(workshop.path("batch/failed")).unwrap().next().is_none(), "it is this machine's fault");
    let (status, lines, said) = with_isa(&workshop, Some("portable"), &run);
    assert_eq!((status, numbers(&lines, "painted")), (Some(0), vec![1, 2]), "{said}");
    assert!(lines.iter().filter(|line| line["event"] == "painted").all(|line| line["engine"] == "cpu portable"));
    demand_done(&workshop, "batch", 2);
}
