//! `selftest` and `bench`.

use std::path::Path;

use serde_json::Value;

use crate::workshop::Workshop;

fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../impasto-vgg/tests/data/golden");
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn the_embedded_file_is_right_on_every_instruction_set_that_there_is() {
    let workshop = Workshop::new();
    let mut right = Vec::new();
    for isa in ["portable", "avx2", "avx512", "neon"] {
        let output = workshop.command(&["selftest"]).env("IMPASTO_ISA", isa).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        match output.status.code() {
            Some(0) => {
                assert!(stdout.contains(&format!("engine cpu, {isa}")) && stdout.contains("\nok "), "{stdout}");
                right.push(isa);
            }
            Some(2) if isa != "portable" => println!("skipped: {stderr}"),
            other => panic!("{isa}: status {other:?}: {stdout}{stderr}"),
        }
    }
    assert!(right.contains(&"portable"));
    for isa in of_this_processor() {
        assert!(right.contains(&isa), "this processor has {isa}, and impasto does not use it");
    }
}

/// Instruction sets that this processor has, asked of it anew.
#[cfg(target_arch = "x86_64")]
fn of_this_processor() -> Vec<&'static str> {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
    [("avx2", avx2), ("avx512", avx512)].into_iter().filter(|(_, has)| *has).map(|(isa, _)| isa).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn of_this_processor() -> Vec<&'static str> {
    Vec::new()
}

/// Files of the Wasserstein loss and of regions; their features are the regions' moments.
#[test]
fn selftest_takes_files_of_other_losses() {
    let folder = std::env::var_os("IMPASTO_GOLDEN").map(std::path::PathBuf::from);
    let beside = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden"));
    let file = beside.join("losses/max_57x43.safetensors");
    if !file.exists() {
        println!("skipped: there is no {}", file.display());
        return;
    }
    let line = Workshop::new().succeed(&["selftest", "--json", file.to_str().unwrap()]);
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["ok"], true, "{line}");
    let features = line["features"].as_f64().unwrap();
    assert!(features > 0.0 && features <= 2e-5, "{line}");
    assert!(line["losses"].as_f64().unwrap() > 0.0 && line["gradient_l2"].as_f64().unwrap() > 0.0, "{line}");
}

#[test]
fn selftest_json_is_a_line_a_file() {
    let workshop = Workshop::new();
    let files = ["tight_avg_57x23.safetensors", "avg_64x48.safetensors"].map(golden);
    let stdout = workshop.succeed(&["selftest", "--json", &files[0], &files[1]]);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for (line, file) in lines.iter().zip(&files) {
        let mut keys = crate::paint::keys(line);
        keys.sort_unstable();
        assert_eq!(keys, ["features", "file", "gradient_l2", "gradient_max", "losses", "ok"]);
        assert_eq!((&line["file"], &line["ok"]), (&file.as_str().into(), &true.into()));
        assert!(line["features"].as_f64().unwrap() <= 2e-5 && line["losses"].as_f64().unwrap() <= 1e-5);
    }
    assert!(lines[0]["gradient_max"].as_f64().unwrap() <= 1e-4);
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let workshop = Workshop::new();
    let output = workshop.run(&["selftest", "--json", "missing.safetensors", &golden("tight_avg_40x32.safetensors")]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout.lines().count() == 1 && stdout.contains("\"ok\":true"), "{stdout}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("missing.safetensors does not exist"));
}

#[test]
fn a_golden_file_that_this_build_does_not_reach_fails() {
    let workshop = Workshop::new();
    let mut bytes = std::fs::read(golden("tight_avg_40x32.safetensors")).unwrap();
    let bound = bytes.windows(8).position(|window| window == b"max 1e-4").unwrap();
    bytes[bound..bound + 8].copy_from_slice(b"max 1e-9");
    std::fs::write(workshop.path("strict.safetensors"), bytes).unwrap();
    let output = workshop.run(&["selftest", "--json", "strict.safetensors"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("\"ok\":false"));
    assert!(String::from_utf8(output.stderr).unwrap().contains("computes wrong"));
}

#[test]
fn bench_prints_its_figures() {
    let workshop = Workshop::new();
    let stdout = workshop.succeed(&["bench", "--size", "24", "--iterations", "2", "--threads", "1", "--json"]);
    let figures: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((figures["size"].as_u64(), figures["threads"].as_u64()), (Some(24), Some(1)));
    let (median, least) = (figures["median_s"].as_f64().unwrap(), figures["min_s"].as_f64().unwrap());
    assert!(0.0 < least && least <= median, "{figures}");
    assert!(figures["isa"].is_string() && !figures["peak_mib"].is_null() || !cfg!(target_os = "linux"));
    let table = workshop.succeed(&["bench", "--size", "24", "--iterations", "1", "--layers"]);
    for row in ["24x24", "forward   conv1_1", "observe   conv5_1", "backward  conv4_2", "everything else"] {
        assert!(table.contains(row), "{row}: {table}");
    }
}

/// Threads, and bands as a memory limit makes them, change no bit of a gradient.
#[test]
fn bench_tells_whether_two_runs_did_the_same() {
    let workshop = Workshop::new();
    let sum = |more: &[&str]| {
        let bench = ["bench", "--size", "600", "--warm-up", "0", "--iterations", "1", "--json"];
        let figures: Value = serde_json::from_str(&workshop.succeed(&[&bench, more].concat())).unwrap();
        figures["gradient_crc32c"].as_str().unwrap().to_owned()
    };
    let all = sum(&["--threads", "2"]);
    assert_eq!(all.len(), 8);
    assert_eq!(sum(&["--threads", "1", "--memory-limit", "626MiB"]), all);
    assert_ne!(sum(&["--precision", "f32", "--weights", "normalised"]), all);
}

#[test]
fn plan_says_what_paint_takes_and_paints_nothing() {
    let workshop = Workshop::new();
    let before = workshop.files();
    let options = ["--size", "96", "--iterations", "2"];
    let plan = |more: &[&str]| {
        workshop.succeed(&[&["plan", "photo.png", "painting.png", "--levels", "1"], &options[..], more].concat())
    };
    let said = plan(&[]);
    assert!(said.contains("96x72: 2 evaluations\nabout ") && said.contains("iB, about "), "{said}");
    let line: Value = serde_json::from_str(&plan(&["--json"])).unwrap();
    assert_eq!((line["width"].as_u64(), line["height"].as_u64()), (Some(96), Some(72)));
    assert_eq!((line["evaluations"].as_u64(), line["history"].as_u64()), (Some(2), Some(40)));
    assert_eq!(workshop.files(), before);

    let painted = workshop.succeed(
        &[&["paint", "photo.png", "painting.png", "-o", "out.png", "--json", "--levels", "1"], &options[..]].concat(),
    );
    let done: Value = serde_json::from_str(painted.lines().last().unwrap()).unwrap();
    if let Some(peak) = done["peak_mib"].as_f64() {
        let planned = line["memory_mib"].as_f64().unwrap();
        assert!((0.75..1.25).contains(&(planned / peak)), "planned {planned} MiB, took {peak}");
    }
    // Time is the machine's, and other work's beside it: only its magnitude can be held to anything.
    let (planned, took) = (line["seconds"].as_f64().unwrap(), done["seconds"].as_f64().unwrap());
    assert!(planned < 20.0 * took && took < 50.0 * planned, "planned {planned} s, took {took}");
}

#[test]
fn a_large_picture_gets_a_shorter_history_unless_one_is_named() {
    let workshop = Workshop::new();
    let history = |more: &[&str]| {
        let plan = ["plan", "photo.png", "painting.png", "--json", "--iterations", "1", "--size", "2048x2048"];
        let line: Value = serde_json::from_str(&workshop.succeed(&[&plan, more].concat())).unwrap();
        line["history"].as_u64()
    };
    assert_eq!(history(&[]), Some(26));
    assert_eq!(history(&["--history", "40"]), Some(40));
}
