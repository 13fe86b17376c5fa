//! Killed before each open, write, fsync, rename and unlink that a kept run makes: what is there is whole, and the same
//! command ends in the same bytes.
//!
//! strace counts calls a thread; a run writes on one thread, and each case demands that the kill came (status 137 to a
//! shell), so that no case passes without having happened.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use impasto::checkpoint::newest;
use impasto::read::{ReadLimits, read_picture};
use impasto::run_folder::{RECORD, RESULT, read_record};

use crate::kill::traces;
use crate::workshop::Workshop;

const CALLS: [&str; 5] = ["openat", "write", "fsync", "rename", "unlink"];

/// A run of four evaluations with a checkpoint after each but the last: the third replaces the first.
const PAINT: [&str; 22] = [
    "paint",
    "photo.png",
    "painting.png",
    "--run-dir",
    "run",
    "--size",
    "16",
    "--levels",
    "1",
    "--iterations",
    "4",
    "--style-layers",
    "conv1_1",
    "--content-layers",
    "conv1_1",
    "--save-every",
    "4",
    "--checkpoint-every",
    "0",
    "--threads",
    "1",
    "--quiet",
];

fn strace(workshop: &Workshop, options: &[&str]) -> Command {
    let painting = workshop.command(&PAINT);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(options).arg(painting.get_program()).args(painting.get_args());
    command.current_dir(painting.get_current_dir().unwrap());
    for (name, value) in painting.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Of each call, how many come before the run's folder is first touched, and how many there are in all.
fn counted(workshop: &Workshop) -> Vec<(&'static str, usize, usize)> {
    let log = workshop.path("log");
    let traced = format!("trace={}", CALLS.join(","));
    let status = strace(workshop, &["-o", log.to_str().unwrap(), "-e", &traced]).status().unwrap();
    assert!(status.success());
    let text = std::fs::read_to_string(&log).unwrap();
    // The thread that writes is the one that opens the lock.
    let opens_lock = |line: &str| line.contains("\"run/.lock\"");
    let thread = text.lines().find(|line| opens_lock(line)).and_then(|line| line.split_whitespace().next()).unwrap();
    let own: Vec<&str> = text.lines().filter(|line| line.split_whitespace().next() == Some(thread)).collect();
    let first = own.iter().position(|line| opens_lock(line)).unwrap();
    let is = |line: &str, call: &str| line.contains(&format!(" {call}("));
    CALLS
        .iter()
        .map(|&call| {
            let count = |lines: &[&str]| lines.iter().filter(|line| is(line, call)).count();
            (call, count(&own[..first]), count(&own))
        })
        .collect()
}

/// Whatever has its final name is whole.
fn demand_whole(folder: &Path, place: &str) {
    if folder.join(RECORD).exists() {
        read_record(folder).unwrap();
    }
    assert!(newest(folder).refused.is_empty(), "{place}: a checkpoint is in parts");
    if folder.join(RESULT).exists() {
        read_picture(&folder.join(RESULT), &ReadLimits::default()).unwrap();
    }
}

#[test]
fn killed_before_each_system_call_a_run_goes_on() {
    if Command::new("strace").arg("--version").output().is_err() {
        println!("skipped: there is no strace here");
        return;
    }
    let workshop = Workshop::new();
    let folder = workshop.path("run");
    let counts = counted(&workshop);
    let whole = traces(&folder);
    let mut killed = 0;
    for (call, before, all) in counts {
        assert!(all > before, "{call}: {before}, {all}");
        for when in before + 1..=all {
            std::fs::remove_dir_all(&folder).unwrap();
            let place = format!("before {call} {when} of {all}");
            let (traced, injected) = (format!("trace={call}"), format!("inject={call}:signal=SIGKILL:when={when}"));
            let status = strace(&workshop, &["-o", "/dev/null", "-e", &traced, "-e", &injected]).status().unwrap();
            assert_eq!(status.signal(), Some(9), "{place}: {status}, and it should have been killed");
            killed += 1;
            std::fs::create_dir_all(&folder).unwrap();
            demand_whole(&folder, &place);
            let is_finished = read_record(&folder).is_ok_and(|record| record.outcome.is_some());
            workshop.succeed(if is_finished { &["resume", "run"] } else { &PAINT });
            assert_eq!(traces(&folder), whole, "{place}");
        }
    }
    println!("killed before each of {killed} system calls");
    assert!(killed > 60, "{killed}");
}
