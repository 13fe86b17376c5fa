//! SIGTERM and SIGHUP end a run as Ctrl-C does: picture and checkpoint are kept, and the exit status says which it was.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use impasto::checkpoint::newest;
use impasto::read::{ReadLimits, read_picture};
use serde_json::Value;

use crate::watched::{Ended, Watched};
use crate::workshop::{Workshop, paint_arguments};

/// Signals and the statuses that go with them.
const SIGNALS: [(&str, i32); 3] = [("TERM", 143), ("HUP", 129), ("INT", 130)];

/// Those that a program started here can be ended by: under `nohup` a hangup is ignored, by the program too.
fn signals() -> impl Iterator<Item = (&'static str, i32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    // SIGHUP is the first signal.
    let ignores_hangup = ignored & 1 == 1;
    if ignores_hangup {
        println!("skipped: SIGHUP, which is ignored here, as under nohup");
    }
    SIGNALS.into_iter().filter(move |&(signal, _)| !(ignores_hangup && signal == "HUP"))
}

#[test]
fn each_keeps_picture_and_checkpoint_and_has_its_status() {
    for (signal, expected) in signals() {
        let workshop = Workshop::new();
        let arguments = paint_arguments("out.png", &["--iterations", "1000000", "--run-dir", "run"]);
        let watched = Watched::after(&workshop, &arguments, 2);
        watched.signal(signal);
        let Ended { status, lines, said } = watched.end();
        assert_eq!(status, Some(expected), "{signal}: {said}");
        assert!(said.contains("the picture so far is out.png") && said.contains("impasto resume run"), "{said}");
        let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        assert_eq!(last["event"], "interrupted", "{signal}");
        let picture = read_picture(&workshop.path("out.png"), &ReadLimits::default()).unwrap().picture;
        assert_eq!((picture.width, picture.height), (32, 24));
        let found = newest(&workshop.path("run"));
        let kept = found.newest.expect("a checkpoint").1.place.evaluations;
        assert_eq!(Some(u64::from(kept)), last["evaluations"].as_u64(), "{signal}: of the last evaluation");
    }
}

#[test]
fn a_second_one_of_another_kind_does_not_end_it_half_way() {
    let workshop = Workshop::new();
    let watched = Watched::after(&workshop, &paint_arguments("out.png", &["--iterations", "1000000"]), 1);
    for signal in ["TERM", "HUP", "TERM", "INT"] {
        watched.signal(signal);
    }
    let Ended { status, said, .. } = watched.end();
    // Of signals that wait together the system does not say which was the first.
    assert!(matches!(status, Some(129 | 130 | 143)), "{status:?}: {said}");
    assert!(said.contains("the picture so far is out.png"), "{said}");
    assert!(read_picture(&workshop.path("out.png"), &ReadLimits::default()).is_ok());
}

#[test]
fn nohup_goes_on_after_a_hangup() {
    let workshop = Workshop::new();
    let program = workshop.command(&paint_arguments("out.png", &["--iterations", "400", "--json"]));
    let mut command = Command::new("nohup");
    command.arg(program.get_program()).args(program.get_args()).current_dir(workshop.path("."));
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().is_some_and(|line| line.contains("iteration")));
    for _ in 0..2 {
        assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    }
    let last = lines.last().unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(0), None), "{last}");
    assert!(last.contains("\"done\"") && last.contains("\"evaluations\":400"), "{last}");
}

#[test]
fn a_closed_terminal_leaves_the_picture() {
    // As a terminal that is gone: nobody reads what is said any more.
    if !signals().any(|(signal, _)| signal == "HUP") {
        return;
    }
    let workshop = Workshop::new();
    let mut command = workshop.command(&paint_arguments("out.png", &["--iterations", "1000000", "--json"]));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop((stdout, child.stderr.take()));
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(129));
    assert!(read_picture(&workshop.path("out.png"), &ReadLimits::default()).is_ok());
}

#[test]
fn a_sweep_stops_at_any_of_them() {
    for (signal, expected) in signals() {
        let workshop = Workshop::new();
        let words = ["sweep", "photo.png", "painting.png", "-o", "sheet.png", "--vary", "seed=1,2"];
        let quick = ["--size", "32", "--levels", "1", "--iterations", "1000000", "--weights", "embedded"];
        let mut command = workshop.command(&[&words[..], &quick].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.starts_with("1/1000000")), "the first evaluation is done");
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success()
        );
        let said: Vec<String> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(expected), "{said:?}");
        assert!(said.last().unwrap().contains("interrupted at picture 1 of 2"), "{said:?}");
    }
}
