//! Memory that the system refuses: a sentence before work, the same from `plan` and from `paint`, and never of a limit that
//! nobody set.

use std::process::Command;

use crate::workshop::{Workshop, paint_arguments};

/// The program with these arguments, started by a shell that sets a limit first.
fn limited(workshop: &Workshop, limit: &str, arguments: &[&str]) -> Command {
    let program = workshop.command(arguments);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
    command.arg(program.get_program()).args(program.get_args()).current_dir(workshop.path("."));
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// What `plan photo.png painting.png --size SIZE` says under a limit: whether it was well, and the text.
fn plan_within(workshop: &Workshop, limit: &str, size: &str) -> (bool, String) {
    let arguments = ["plan", "photo.png", "painting.png", "--size", size];
    let output = limited(workshop, limit, &arguments).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{limit}: {:?}: {said}", output.status);
    (output.status.success(), said)
}

/// Whether the program's limits are read here.
fn is_linux() -> bool {
    let is_linux = cfg!(target_os = "linux");
    if !is_linux {
        println!("skipped: what `ulimit` leaves is known on Linux alone");
    }
    is_linux
}

#[test]
fn whatever_the_address_space_it_paints_or_says_that_it_does_not_fit() {
    if !is_linux() {
        return;
    }
    let workshop = Workshop::new();
    let program_mib = std::fs::metadata(env!("CARGO_BIN_EXE_impasto")).unwrap().len() >> 20;
    // From what the program can hardly be loaded in to what is enough.
    let statuses: Vec<bool> = (5..16)
        .map(|step| 10 * step)
        .chain([170, 200, 250, 300, 400, 500, 600, 700, 800, 1000, 1400, 4000])
        .map(|limit_mib| {
            let limit = format!("-v {}", limit_mib << 10);
            let mut program = limited(&workshop, &limit, &paint_arguments("out.png", &[]));
            let output = program.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            match output.status.code() {
                Some(0) => true,
                Some(1) => {
                    assert_eq!(said.lines().count(), 1, "{limit_mib}: {said}");
                    assert!(said.contains("(ulimit -v)"), "{limit_mib}: {said}");
                    assert!(!said.contains("--memory-limit"), "{limit_mib}: {said}");
                    assert!(!workshop.path("out.png").exists());
                    false
                }
                // Too little for the program itself, as the system's loader says.
                Some(127) if limit_mib < 60 && said.contains("error while loading shared libraries") => false,
                // Less than the program's file has: the system ends it before its first instruction.
                None if limit_mib <= program_mib => false,
                _ => panic!("{limit_mib} MiB: {:?}: {said}", output.status),
            }
        })
        .collect();
    assert!(!statuses[0] && statuses[statuses.len() - 1], "{statuses:?}");
    assert!(statuses.is_sorted(), "more is never worse: {statuses:?}");
}

#[test]
fn what_does_not_fit_is_said_with_what_would() {
    if !is_linux() {
        return;
    }
    let workshop = Workshop::new();
    // The least for 3000x2250 is more than this, whatever else is free.
    let limit = "-v 2000000";
    let (fits, said) = plan_within(&workshop, limit, "3000");
    assert!(!fits && said.contains("3000x2250 needs at least") && said.contains("(ulimit -v)"), "{said}");
    assert!(!said.contains("--memory-limit") && !said.contains("the limit is"), "{said}");
    let painted = limited(&workshop, limit, &["paint", "photo.png", "painting.png", "--size", "3000", "-o", "out.png"]);
    let complaints = workshop.complaints_about_refusal(painted, 1, "3000x2250 needs at least");
    assert!(complaints.is_empty(), "plan and paint say the same: {complaints:?}");
    // The size that the sentence names does fit, and the next one by its own counting does not.
    let named = said.split_once("--size ").and_then(|(_, rest)| rest.split_once(' ')).map(|(size, _)| size.to_owned());
    let named: usize = named.expect("a size is named").parse().unwrap();
    assert!(named < 3000);
    assert!(plan_within(&workshop, limit, &named.to_string()).0, "--size {named} was said to fit");
    assert!(
        !plan_within(&workshop, limit, &(named + 3000 / 8).to_string()).0,
        "--size {named} was said to be the most"
    );
}

#[test]
fn a_limit_of_data_is_known_by_its_name() {
    if !is_linux() {
        return;
    }
    let workshop = Workshop::new();
    let (fits, said) = plan_within(&workshop, "-d 600000", "2000");
    assert!(!fits && said.contains("(ulimit -d)"), "{said}");
}

#[test]
fn a_limit_that_was_asked_for_is_named_as_that() {
    let workshop = Workshop::new();
    let arguments = ["plan", "photo.png", "painting.png", "--size", "512", "--memory-limit", "80MiB"];
    let complaints = workshop.complaints_about_refusal(workshop.command(&arguments), 1, "raise --memory-limit");
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn a_container_s_limit_bounds_what_is_planned() {
    let group = std::path::Path::new("/sys/fs/cgroup/memory/impasto-memory-limits");
    let has_group = std::fs::create_dir(group).is_ok();
    if !has_group || std::fs::write(group.join("memory.limit_in_bytes"), "900000000").is_err() {
        let _ = std::fs::remove_dir(group);
        return println!("skipped: no control group of version 1 can be made here");
    }
    let workshop = Workshop::new();
    let within = |arguments: &[&str]| {
        let program = workshop.command(arguments);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.display())]);
        command.arg(program.get_program()).args(program.get_args()).current_dir(workshop.path("."));
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (large, small) =
        (within(&["plan", "photo.png", "painting.png", "--size", "4096"]), within(&paint_arguments("out.png", &[])));
    std::fs::remove_dir(group).unwrap();
    assert!(large.0 == Some(1) && large.1.contains("in its control group"), "{large:?}");
    assert_eq!(small.0, Some(0), "{}", small.1);
}
