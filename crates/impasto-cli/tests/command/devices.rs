//! `--device` and `impasto devices`: on a GPU, without one, and where it is lost in the middle.
//!
//! Mesa's software Vulkan (lavapipe) is enough. Where no GPU is found, the tests that need one say so and pass, unless
//! IMPASTO_REQUIRE_GPU is set, as .ci/run does once it has installed lavapipe.

use std::path::PathBuf;
use std::process::Command;

use impasto::read::read_recipe;
use serde_json::Value;

use crate::workshop::{NO_DRIVER, Workshop, paint_arguments};

/// The program on this machine's GPUs.
fn command(workshop: &Workshop, arguments: &[&str]) -> Command {
    let mut command = workshop.command(arguments);
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        match std::env::var_os(variable) {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
    }
    command
}

fn succeed(mut command: Command) -> (String, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{:?}: {said}", command.get_args().collect::<Vec<_>>());
    (String::from_utf8(output.stdout).unwrap(), said)
}

fn json(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// A workshop, where there is a GPU; else a word about it.
fn workshop_with_gpu() -> Option<Workshop> {
    let workshop = Workshop::new();
    if json(&succeed(command(&workshop, &["devices", "--json"])).0).iter().any(|row| row["device"] == "gpu:0") {
        return Some(workshop);
    }
    assert!(std::env::var_os("IMPASTO_REQUIRE_GPU").is_none(), "a GPU is required, and none was found");
    println!("skipped: no GPU was found, not even one of software (apt-get install mesa-vulkan-drivers)");
    None
}

/// The last line of `paint --json`.
fn painted(stdout: &str) -> Value {
    json(stdout).pop().unwrap()
}

/// Whether two losses are within 0.1% of each other.
fn is_near(one: &Value, other: &Value) -> bool {
    let (one, other) = (one["loss"].as_f64().unwrap(), other["loss"].as_f64().unwrap());
    (one - other).abs() <= 1e-3 * other
}

#[test]
fn devices_lists_the_processor_first_and_auto_takes_one() {
    let workshop = Workshop::new();
    let (stdout, _) = succeed(command(&workshop, &["devices", "--json"]));
    let rows = json(&stdout);
    assert_eq!((&rows[0]["device"], &rows[0]["kind"]), (&"cpu".into(), &"processor".into()));
    assert_eq!(rows.iter().filter(|row| row["auto"] == true).count(), 1);
    for (place, row) in rows.iter().enumerate().skip(1) {
        assert_eq!(row["device"], format!("gpu:{}", place - 1));
        assert!(row["kind"] != "software" || row["auto"] == false, "auto takes no software: {row}");
        assert!(row["binding_limit_mib"].as_u64().unwrap() >= 128, "{row}");
    }
    let (table, _) = succeed(command(&workshop, &["devices"]));
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), rows.len() + 2, "headings, devices, and what auto takes: {table}");
    let taken = rows.iter().find(|row| row["auto"] == true).unwrap()["device"].as_str().unwrap();
    assert!(lines[lines.len() - 1].starts_with(&format!("--device auto takes {taken}")), "{table}");
}

#[test]
fn drivers_print_nothing_between() {
    let Some(workshop) = workshop_with_gpu() else { return };
    // No session at all, as over ssh, and a folder that is no absolute path.
    for session in [None, Some("run")] {
        let quick = paint_arguments("out.png", &["--device", "gpu", "--quiet"]);
        for arguments in [&["devices"][..], &quick] {
            let mut command = command(&workshop, arguments);
            // Whoever calls this test may have silenced the layer that would print.
            command.env_remove("NODEVICE_SELECT").env_remove("XDG_RUNTIME_DIR");
            command.envs(session.map(|folder| ("XDG_RUNTIME_DIR", folder)));
            assert_eq!(succeed(command).1, "", "{arguments:?}, {session:?}");
        }
    }
}

#[test]
fn without_a_gpu_auto_is_silent_and_gpu_says_what_is_missing() {
    if cfg!(not(target_os = "linux")) {
        println!("skipped: only Vulkan's drivers can be hidden");
        return;
    }
    let workshop = Workshop::new();
    let hidden = |arguments: &[&str]| workshop.command(arguments);
    assert_eq!(succeed(hidden(&paint_arguments("cpu.png", &["--device", "cpu", "--quiet"]))).1, "");
    assert_eq!(succeed(hidden(&paint_arguments("auto.png", &["--device", "auto", "--quiet"]))).1, "");
    assert_eq!(workshop.bytes("auto.png"), workshop.bytes("cpu.png"));
    let mut complaints = Vec::new();
    for device in ["gpu", "gpu:0"] {
        for arguments in [
            paint_arguments("out.png", &["--device", device]),
            vec!["selftest", "--device", device],
            vec!["bench", "--device", device],
            vec!["plan", "photo.png", "painting.png", "--device", device],
        ] {
            let needle =
                "no GPU can be used here, for no Vulkan loader (libvulkan.so.1) with a graphics driver was found";
            complaints.extend(workshop.complaints_about_refusal(hidden(&arguments), 1, needle));
        }
    }
    for device in ["cuda", "gpu:", "gpu:-1", ""] {
        let arguments = paint_arguments("out.png", &["--device", device]);
        complaints.extend(workshop.complaints_about_refusal(hidden(&arguments), 2, "impasto devices"));
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert_eq!(hidden(&[]).get_envs().filter(|(_, value)| value.is_some_and(|value| value == NO_DRIVER)).count(), 2);
}

#[test]
fn a_gpu_that_is_not_there_is_refused() {
    let Some(workshop) = workshop_with_gpu() else { return };
    let refused = command(&workshop, &paint_arguments("out.png", &["--device", "gpu:99"]));
    let complaints = workshop.complaints_about_refusal(refused, 1, "there is no gpu:99 here");
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// The embedded file and one by its name; impasto-gpu's tests have all of them.
#[test]
fn selftest_is_right_on_the_gpu() {
    let Some(workshop) = workshop_with_gpu() else { return };
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../impasto-vgg/tests/data/golden");
    let file = golden.join("tight_avg_40x32.safetensors").to_str().unwrap().to_owned();
    let (lines, _) = succeed(command(&workshop, &["selftest", "--device", "gpu", "--json", &file]));
    let lines = json(&lines);
    assert!(lines.len() == 1 && lines[0]["ok"] == true && lines[0]["file"] == file.as_str(), "{lines:#?}");
    let (said, _) = succeed(command(&workshop, &["selftest", "--device", "gpu"]));
    assert!(said.starts_with("engine gpu, ") && said.contains("\nok "), "{said}");
}

/// Two sizes, of 4 and of 8 evaluations. With Adam, whose steps do not hang on the last bits of a loss as those of a line
/// search do: so runs on two engines can be held against each other after a few steps.
const WHOLE: [&str; 20] = [
    // Nothing goes to the device before the painting's moments.
    "--balance",
    "plain",
    "--size",
    "64x64",
    "--levels",
    "2",
    "--coarse-iterations",
    "4",
    "--iterations",
    "8",
    "--optimizer",
    "adam",
    "--learning-rate",
    "4",
    "--style-layers",
    "conv1_1,conv2_1,conv3_1",
    "--content-layers",
    "conv3_2",
    "--precision",
    "f32",
];

#[test]
fn a_whole_run_ends_where_the_processor_s_does_and_in_the_same_bytes_twice() {
    let Some(workshop) = workshop_with_gpu() else { return };
    let paint = |output: &str, device: &str| {
        let mut more = WHOLE.to_vec();
        more.extend(["--json", "--device", device]);
        painted(&succeed(command(&workshop, &paint_arguments(output, &more))).0)
    };
    let (cpu, gpu) = (paint("cpu.png", "cpu"), paint("gpu.png", "gpu"));
    assert!(is_near(&gpu, &cpu), "{gpu} and {cpu}");
    assert_eq!(gpu["evaluations"], cpu["evaluations"]);
    let recipe: Value = serde_json::from_str(&read_recipe(&workshop.path("gpu.png")).unwrap()).unwrap();
    assert!(recipe["engine"].as_str().unwrap().starts_with("gpu "), "{recipe}");
    paint("again.png", "gpu:0");
    assert_eq!(workshop.bytes("again.png"), workshop.bytes("gpu.png"));
}

#[test]
fn bench_and_plan_speak_of_the_gpu() {
    let Some(workshop) = workshop_with_gpu() else { return };
    let bench = ["bench", "--size", "48", "--iterations", "1", "--json", "--device", "gpu"];
    let figures = json(&succeed(command(&workshop, &bench)).0).pop().unwrap();
    assert_eq!(figures["engine"], "gpu");
    assert!(figures["median_s"].as_f64().unwrap() > 0.0, "{figures}");
    let plan = ["plan", "photo.png", "painting.png", "--size", "48", "--json", "--device", "gpu"];
    let plan = json(&succeed(command(&workshop, &plan)).0).pop().unwrap();
    assert!(plan["memory_mib"].as_f64().unwrap() > 0.0 && plan["seconds"].as_f64().unwrap() > 0.0, "{plan}");
}

/// A run whose device is lost at an evaluation: what a debug build can rehearse (src/rehearsal.rs).
#[cfg(debug_assertions)]
fn lose(workshop: &Workshop, output: &str, device: &str, at: usize) -> std::process::Output {
    let mut more = WHOLE.to_vec();
    more.extend(["--json", "--device", device]);
    let mut command = command(workshop, &paint_arguments(output, &more));
    command.env("IMPASTO_REHEARSE_LOSS", at.to_string()).env("IMPASTO_REHEARSE_AUTO", "1");
    command.output().unwrap()
}

/// Evaluations of the way forward: 1 and 2 are the style image's, then 4 at the coarse size, 8 at the full one.
#[cfg(debug_assertions)]
const LOSSES: [usize; 4] = [4, 6, 7, 10];

#[test]
#[cfg(debug_assertions)]
fn a_gpu_that_is_lost_leaves_the_picture_so_far() {
    let Some(workshop) = workshop_with_gpu() else { return };
    for at in LOSSES {
        let output = lose(&workshop, "out.png", "gpu", at);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{at}: {said}");
        // Notes of steps that were taken back may stand before it.
        let said = said.lines().last().unwrap();
        assert!(
            said.contains("was lost") && said.contains("the picture so far, of ") && said.contains("out.png"),
            "{said}"
        );
        let last = painted(&String::from_utf8(output.stdout).unwrap());
        assert_eq!((&last["event"], &last["width"]), (&"failed".into(), &64.into()));
        assert!(last["evaluations"].as_u64().unwrap() < at as u64, "{last}");
        std::fs::remove_file(workshop.path("out.png")).unwrap();
    }
    // A run that is kept can be gone on with, and that is said.
    let mut more = WHOLE.to_vec();
    more.extend(["--device", "gpu", "--run-dir", "run", "--checkpoint-every", "0"]);
    let mut kept = command(&workshop, &paint_arguments("out.png", &more));
    let output = kept.env("IMPASTO_REHEARSE_LOSS", "10").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("; `impasto resume run` goes on"), "{said}");
    succeed(command(&workshop, &["resume", "run", "--device", "cpu"]));
    std::fs::remove_file(workshop.path("out.png")).unwrap();
    // Before anything was painted there is nothing to write.
    let output = lose(&workshop, "out.png", "gpu", 1);
    assert_eq!((output.status.code(), workshop.path("out.png").exists()), (Some(1), false));
}

#[test]
#[cfg(debug_assertions)]
fn with_auto_the_run_goes_on_with_the_processor() {
    let Some(workshop) = workshop_with_gpu() else { return };
    let mut more = WHOLE.to_vec();
    more.extend(["--json", "--device", "cpu"]);
    let cpu = painted(&succeed(command(&workshop, &paint_arguments("cpu.png", &more))).0);
    for at in [1].into_iter().chain(LOSSES) {
        let output = lose(&workshop, "out.png", "auto", at);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{at}: {said}");
        assert!(said.contains("was lost") && said.contains("going on with the processor"), "{said}");
        let done = painted(&String::from_utf8(output.stdout).unwrap());
        assert_eq!((&done["event"], &done["evaluations"]), (&"done".into(), &12.into()));
        assert!(is_near(&done, &cpu), "{at}: {done} and {cpu}");
        let recipe: Value = serde_json::from_str(&read_recipe(&workshop.path("out.png")).unwrap()).unwrap();
        assert!(recipe["engine"].as_str().unwrap().contains(", then cpu "), "{recipe}");
    }
}
