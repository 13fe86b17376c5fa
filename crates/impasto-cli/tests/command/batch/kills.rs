//! Batches that are killed at random moments, by several programs at once and by shares in any order: the same bytes, each task
//! painted once, nothing left behind. A few kills here; `scripts/batch_series.sh` makes more.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use impasto::digest::sha256;
use serde_json::Value;

use super::{demand_done, gallery, numbers, pictures, plan_words, run};
use crate::kill::Random;
use crate::workshop::Workshop;

fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// Options of pictures that take a moment each, with a checkpoint now and then.
const SMALL: [&str; 4] = ["--size", "64", "--iterations", "12"];

/// Programs of a long batch are killed within this time.
const LONGEST: Duration = Duration::from_secs(6);

fn start(workshop: &Workshop, more: &[&str]) -> Child {
    let mut command = workshop.command(&[["batch", "run", "batch", "--json"].as_slice(), more].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The whole lines of a program that has ended, perhaps in the middle of one.
fn whole_lines(child: Child) -> (Vec<Value>, bool) {
    let output = child.wait_with_output().unwrap();
    let killed = output.status.signal() == Some(9);
    assert!(killed || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(), killed)
}

/// The tasks that have a receipt whose picture is whole.
fn done(workshop: &Workshop) -> BTreeSet<u64> {
    let receipts = std::fs::read_dir(workshop.path("batch/done")).into_iter().flatten().flatten();
    let number = |path: &Path| {
        let receipt: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let picture = std::fs::read(workshop.path("batch").join(receipt["output"].as_str()?)).ok()?;
        (receipt["output_sha256"] == sha256(&picture)).then(|| receipt["number"].as_u64())?
    };
    receipts.filter_map(|entry| number(&entry.path())).collect()
}

#[test]
fn wherever_a_batch_is_killed_it_ends_in_the_same_bytes() {
    let (paintings, kills, seed) =
        (asked("IMPASTO_BATCH_PAINTINGS", 4), asked("IMPASTO_BATCH_KILLS", 3), asked("IMPASTO_SEED", 1));
    let workshop = gallery(2, paintings as usize);
    let tasks = 2 * paintings as usize;
    workshop.succeed(&plan_words("whole", &SMALL));
    let begun = Instant::now();
    let (status, lines, said) = run(&workshop, "whole", &[]);
    let took = begun.elapsed();
    assert_eq!((status, numbers(&lines, "painted").len()), (Some(0), tasks), "{said}");
    let whole = pictures(&workshop, "whole");
    let mut random = Random(seed);
    let (mut killed, mut batches, mut painted_twice, mut gone_on) = (0, 0, 0, 0);
    while killed < kills {
        workshop.succeed(&plan_words("batch", &SMALL));
        let mut told = BTreeSet::new();
        loop {
            let before = done(&workshop);
            let programs = 1 + random.below(2);
            let part = format!("{}/2", 1 + random.below(2));
            let share: &[&str] = if random.below(4) == 0 { &["--shard", &part] } else { &[] };
            let mut children: Vec<Child> = (0..programs).map(|_| start(&workshop, share)).collect();
            let is_killing = killed < kills;
            if is_killing {
                // Before its first picture, in the middle of one, or after the last; of a long batch, some time from its start.
                let window = took.min(LONGEST);
                std::thread::sleep(Duration::from_micros(random.below(window.as_micros() as u64)));
                children.iter_mut().for_each(|child| child.kill().unwrap());
            }
            let mut here = BTreeSet::new();
            for child in children {
                let (lines, was_killed) = whole_lines(child);
                killed += u64::from(was_killed);
                gone_on += lines.iter().filter(|line| line["goes_on"] == true).count();
                for number in numbers(&lines, "painted") {
                    painted_twice += usize::from(!told.insert(number));
                }
                for number in numbers(&lines, "begun") {
                    assert!(!before.contains(&number), "task {number} had been done");
                    // Two programs at once: one of them has each.
                    painted_twice += usize::from(!here.insert(number) && !was_killed);
                }
            }
            if done(&workshop).len() == tasks && (!is_killing || killed >= kills || random.below(2) == 0) {
                break;
            }
        }
        assert_eq!(run(&workshop, "batch", &[]).0, Some(0));
        assert!(pictures(&workshop, "batch") == whole, "seed {seed}, batch {batches}");
        demand_done(&workshop, "batch", tasks);
        std::fs::remove_dir_all(workshop.path("batch")).unwrap();
        batches += 1;
    }
    assert_eq!(painted_twice, 0, "seed {seed}");
    println!(
        "seed {seed}: {batches} batches of {tasks}, {killed} kills, {gone_on} pictures gone on with: same bytes, each painted once"
    );
}

#[test]
fn programs_at_once_and_shares_in_any_order_paint_each_task_once() {
    let workshop = gallery(2, 3);
    workshop.succeed(&plan_words("batch", &SMALL));
    let children: Vec<Child> = (0..2).map(|_| start(&workshop, &[])).collect();
    let mut painted: Vec<u64> =
        children.into_iter().flat_map(|child| numbers(&whole_lines(child).0, "painted")).collect();
    painted.sort_unstable();
    assert_eq!(painted, [1, 2, 3, 4, 5, 6]);
    demand_done(&workshop, "batch", 6);
    let whole = pictures(&workshop, "batch");
    std::fs::remove_dir_all(workshop.path("batch")).unwrap();
    workshop.succeed(&plan_words("batch", &SMALL));
    for (shard, expected) in [("3/3", [3, 6]), ("1/3", [1, 4]), ("2/3", [2, 5])] {
        let (status, lines, said) = run(&workshop, "batch", &["--shard", shard, "--threads", "1"]);
        assert_eq!((status, numbers(&lines, "painted")), (Some(0), expected.to_vec()), "{said}");
    }
    assert!(pictures(&workshop, "batch") == whole);
    demand_done(&workshop, "batch", 6);
}

/// Between its look at a task and its claim of it a program may wait for as long as the system likes.
#[cfg(target_os = "linux")]
#[test]
fn a_task_that_is_done_between_look_and_claim_is_not_painted_again() {
    let workshop = gallery(1, 1);
    workshop.succeed(&plan_words("batch", &SMALL));
    let program = workshop.command(&["batch", "run", "batch", "--json"]);
    let mut slow = std::process::Command::new("strace");
    slow.args(["-f", "-qq", "-e", "trace=flock", "-e", "inject=flock:delay_enter=4000000:when=1", "-o", "/dev/null"]);
    slow.arg(program.get_program()).args(program.get_args()).current_dir(workshop.path("."));
    let Ok(slow) = slow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() else {
        println!("skipped: strace is not here");
        return;
    };
    let claim = workshop.path("batch/running/000001.claim");
    let until = Instant::now() + Duration::from_secs(60);
    while !claim.exists() && !workshop.path("batch/done/000001.json").exists() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (status, lines, said) = run(&workshop, "batch", &[]);
    assert_eq!(status, Some(0), "{said}");
    let output = slow.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("strace:") {
        println!("skipped: strace may not trace here");
        return;
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let slow: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(output.status.success(), "{said}");
    let painted = [numbers(&lines, "painted"), numbers(&slow, "painted")].concat();
    assert_eq!(painted, [1], "one of the two: {lines:?} {slow:?}");
    demand_done(&workshop, "batch", 1);
}
