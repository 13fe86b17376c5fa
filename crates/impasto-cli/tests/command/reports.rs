//! What people report of other programs, tried here: files that are another thing, lines from other programs, machines that
//! keep a program short. docs/records/2026-11-28-reports-of-users.md has each with its source.

use std::process::Command;

use serde_json::{Map, Value};

use crate::workshop::{QUICK, Workshop, paint_arguments};

/// Places of VGG-19's sixteen convolutions in torchvision's list of layers.
const PLACES: [usize; 16] = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34];

/// The weights of a safetensors file under other names: `name` makes one of a convolution's place and of `weight` or `bias`.
fn renamed(bytes: &[u8], name: impl Fn(usize, &str) -> String) -> Vec<u8> {
    let header_bytes = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Map<String, Value> = serde_json::from_slice(&bytes[8..8 + header_bytes]).unwrap();
    let mut names: Vec<&String> = header.keys().filter(|name| name.ends_with(".bias")).collect();
    names.sort();
    let mut new = Map::new();
    for (stem, place) in names.iter().map(|name| name.trim_end_matches(".bias")).zip(PLACES) {
        for part in ["weight", "bias"] {
            new.insert(name(place, part), header[&format!("{stem}.{part}")].clone());
        }
    }
    let mut text = serde_json::to_vec(&new).unwrap();
    text.resize(text.len().next_multiple_of(8), b' ');
    [&(text.len() as u64).to_le_bytes()[..], &text, &bytes[8 + header_bytes..]].concat()
}

#[test]
fn weights_under_the_names_of_wrapped_networks_are_read() {
    let workshop = Workshop::new();
    workshop.succeed(&["weights", "convert", "embedded", "f32.safetensors", "--as", "f32"]);
    let bytes = workshop.bytes("f32.safetensors");
    let verify = |name: &str| -> Value {
        serde_json::from_str(&workshop.succeed(&["weights", "verify", name, "--json"])).unwrap()
    };
    let expected = verify("f32.safetensors")["answer"].clone();
    for prefix in ["features.", "module.features.", "features.module.", "cnn.features.module.", "", "net."] {
        std::fs::write(
            workshop.path("named.safetensors"),
            renamed(&bytes, |place, part| format!("{prefix}{place}.{part}")),
        )
        .unwrap();
        assert_eq!(verify("named.safetensors")["answer"], expected, "{prefix:?}");
    }
    // A list that VGG-19 does not fill is none of its.
    let other = |name: &dyn Fn(usize, &str) -> String, needle: &str| {
        std::fs::write(workshop.path("other.safetensors"), renamed(&bytes, name)).unwrap();
        let verify = workshop.command(&["weights", "verify", "other.safetensors"]);
        let complaints = workshop.complaints_about_refusal(verify, 1, needle);
        assert!(complaints.is_empty(), "{complaints:?}");
    };
    other(&|place, part| format!("classifier.{}.{part}", place % 34 + place / 34 * 100), "no tensor \"conv1_1.bias\"");
    // Tensors as VGG-16, VGG-13 and a network with batch normalisation have them, as far as names go.
    other(&|place, part| format!("features.{}.{part}", if place == 16 { 17 } else { place }), "is VGG-16, and impasto");
    other(&|place, part| format!("features.{}.{part}", if place == 16 { 15 } else { place }), "is VGG-13, and impasto");
    let normalised = |place: usize, part: &str| match (place, part) {
        (2, "bias") => "features.1.running_mean".to_owned(),
        _ => format!("features.{}.{part}", if place == 2 { 3 } else { place }),
    };
    other(&normalised, "batch normalisation");
}

#[test]
fn what_was_saved_in_a_file_s_place_is_named() {
    let workshop = Workshop::new();
    let write = |name: &str, text: &str| std::fs::write(workshop.path(name), text).unwrap();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n";
    let page = format!("\n<!DOCTYPE html><html><head><title>Quota exceeded</title></head>{}", " ".repeat(200));
    let mut complaints = Vec::new();
    for (name, text, needle) in [("lfs", pointer, "git lfs pull"), ("page", &page, "web page")] {
        for extension in ["safetensors", "pth", "mat", "h5"] {
            let name = format!("{name}.{extension}");
            write(&name, text);
            let verify = workshop.command(&["weights", "verify", &name]);
            complaints.extend(workshop.complaints_about_refusal(verify, 1, needle));
        }
        let name = format!("{name}.jpg");
        write(&name, text);
        let paint = workshop.command(&["paint", &name, "painting.png", "-o", "out.png"]);
        complaints.extend(workshop.complaints_about_refusal(paint, 1, needle));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let said = workshop.run(&["paint", "lfs.jpg", "painting.png", "-o", "out.png"]).stderr;
    assert!(!String::from_utf8(said).unwrap().contains("convert it"), "a pointer cannot be converted");
}

#[test]
fn lines_of_other_programs_are_answered_with_ours() {
    let workshop = Workshop::new();
    let cases: [(&str, Vec<&str>); 8] = [
        ("PHOTO PAINTING", vec!["--content", "photo.png", "--styles", "painting.png", "--output", "out.png"]),
        ("PHOTO PAINTING", vec!["-style_image", "painting.png", "-content_image", "photo.png"]),
        ("--output", vec!["photo.png", "painting.png", "-output_image", "out.png"]),
        ("--output", vec!["photo.png", "painting.png", "\u{2014}output", "out.png"]),
        ("--size", vec!["photo.png", "painting.png", "-o", "out.png", "-image_size", "64"]),
        ("--device", vec!["photo.png", "painting.png", "-o", "out.png", "-gpu", "-1"]),
        ("spaces between", vec!["photo.png", "painting.png,photo.png", "-o", "out.png"]),
        ("end its name in .png", vec!["photo.png", "painting.png", "-o", "out.jgp"]),
    ];
    let refused = cases.iter().flat_map(|(needle, words)| {
        workshop.complaints_about_refusal(workshop.command(&[&["paint"], &words[..]].concat()), 2, needle)
    });
    let complaints: Vec<String> = refused.collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn names_of_any_script_are_painted_and_told() {
    let workshop = Workshop::new();
    for name in ["\u{30c6}\u{30b9}\u{30c8} \u{2665}.png", "\u{e9}t\u{e9}.png"] {
        std::fs::copy(workshop.path("photo.png"), workshop.path(name)).unwrap();
    }
    let (photo, out) = ("\u{30c6}\u{30b9}\u{30c8} \u{2665}.png", "\u{e9}t\u{e9}-out.png");
    let arguments = [&["paint", photo, "\u{e9}t\u{e9}.png", "-o", out, "--json"], &QUICK[..]].concat();
    let mut command = workshop.command(&arguments);
    let output = command.env("LC_ALL", "POSIX").env("LANG", "C").output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["output"], out);
    workshop.succeed(&["paint", "--recipe", out, "-o", "again.png"]);
    assert!(workshop.bytes("again.png") == workshop.bytes(out));
}

#[cfg(target_os = "linux")]
#[test]
fn without_an_environment_or_most_processors_it_paints() {
    let workshop = Workshop::new();
    let program = workshop.command(&paint_arguments("out.png", &["--device", "cpu"]));
    let mut bare = Command::new(program.get_program());
    bare.args(program.get_args()).env_clear().current_dir(workshop.path("."));
    let output = bare.env("HOME", "/nonexistent").env("TMPDIR", "/nonexistent").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // A batch system gives a job some of the processors: so many threads are started.
    let bench = workshop.command(&["bench", "--size", "16", "--iterations", "1", "--warm-up", "0", "--json"]);
    let mut bound = Command::new("taskset");
    bound.args(["-c", "0"]).arg(bench.get_program()).args(bench.get_args()).args(["--device", "cpu"]);
    let Ok(output) = bound.output() else { return println!("skipped: there is no taskset here") };
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["threads"], 1, "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_weights_is_refused_and_not_waited_for() {
    let workshop = Workshop::new();
    assert!(Command::new("mkfifo").arg(workshop.path("pipe")).status().unwrap().success());
    let paint = paint_arguments("out.png", &["--weights", "./pipe"]);
    for arguments in [&paint[..], &["weights", "verify", "./pipe"]] {
        let output = workshop.command(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("it is a pipe or a device"), "{said}");
    }
}
