//! Everything that a user can get wrong is one sentence on standard error and the right exit status; nothing is left
//! behind, nothing panics.

use impasto::Picture;
use impasto::disk::RealDisk;
use impasto::write::{WriteOptions, write_picture};

use crate::workshop::{Workshop, paint_arguments};

/// Runs every case, each `(status, what the sentence holds, arguments)`, and reports all that are wrong at once.
fn refuse_all(workshop: &Workshop, cases: &[(i32, &str, Vec<&str>)]) {
    let complaints: Vec<String> = cases
        .iter()
        .flat_map(|(status, needle, arguments)| {
            workshop.complaints_about_refusal(workshop.command(arguments), *status, needle)
        })
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A PNG that declares this size and ends there; its checksum is right.
fn png_of_declared_size(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut checksum = u32::MAX;
    for &byte in &header {
        checksum ^= u32::from(byte);
        for _ in 0..8 {
            checksum = checksum >> 1 ^ if checksum & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    [b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d".as_slice(), &header, &(!checksum).to_be_bytes()].concat()
}

fn workshop_with_bad_images() -> Workshop {
    let workshop = Workshop::new();
    let write = |name: &str, bytes: &[u8]| std::fs::write(workshop.path(name), bytes).unwrap();
    write("empty.png", b"");
    write("words.jpg", b"this is a text that someone has named .jpg, and no picture at all");
    write("huge.png", &png_of_declared_size(100_000, 100_000));
    write("wide.png", &png_of_declared_size(60_000, 60_000));
    workshop.draw("whole.jpg", 64, 64, 3);
    let whole = workshop.bytes("whole.jpg");
    write("truncated.jpg", &whole[..whole.len() / 2]);
    let dot = Picture::filled(1, 1, [9.0; 3]).unwrap();
    write_picture(&RealDisk, &workshop.path("dot.png"), &dot, WriteOptions::default(), None).unwrap();
    std::fs::create_dir(workshop.path("folder.png")).unwrap();
    workshop
}

#[test]
fn images() {
    let workshop = workshop_with_bad_images();
    let mut cases = Vec::new();
    for (name, needle) in [
        ("missing.png", "does not exist"),
        ("empty.png", "is empty"),
        ("words.jpg", "is not an image"),
        ("truncated.jpg", "--lenient"),
        ("dot.png", "1 x 1"),
        ("huge.png", "100000 x 100000"),
        ("wide.png", "--max-megapixels"),
        ("folder.png", "folder.png"),
    ] {
        cases.push((1, needle, vec!["paint", name, "painting.png", "-o", "out.png"]));
        cases.push((1, needle, vec!["paint", "photo.png", name, "-o", "out.png"]));
        cases.push((1, needle, vec!["paint", "photo.png", "painting.png", "--init", name, "-o", "out.png"]));
        cases.push((1, needle, vec!["plan", "photo.png", "painting.png", "--init", name]));
    }
    refuse_all(&workshop, &cases);
}

#[test]
fn what_is_left_of_a_damaged_image_is_painted_when_asked_for() {
    let workshop = workshop_with_bad_images();
    let mut arguments = paint_arguments("out.png", &["--lenient"]);
    arguments[1] = "truncated.jpg";
    workshop.succeed(&arguments);
    assert!(workshop.path("out.png").exists());
}

#[test]
fn outputs() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("folder.png")).unwrap();
    std::fs::write(workshop.path("recipe.json"), "{}").unwrap();
    let paint = |output| vec!["paint", "photo.png", "painting.png", "-o", output];
    let mut cases = vec![
        (2, "which format", paint("out.gif")),
        (2, "which format", paint("out")),
        (1, "does not exist", vec!["paint", "photo.png", "missing.png"]),
        (2, "would overwrite the input photo.png", paint("photo.png")),
        (2, "would overwrite the input painting.png", paint("./painting.png")),
        (1, "does not exist", paint("nowhere/out.png")),
        (1, "photo.png", paint("photo.png/out.png")),
        (1, "folder.png", paint("folder.png")),
        (2, "16 bit", [paint("out.jpg"), vec!["--depth", "16"]].concat()),
        (2, "--depth", [paint("out.png"), vec!["--depth", "9"]].concat()),
        (2, "--quality", [paint("out.jpg"), vec!["--quality", "0"]].concat()),
    ];
    if cfg!(target_os = "linux") {
        // Nobody may write here, not even the administrator.
        cases.push((1, "/proc", paint("/proc/out.png")));
    }
    refuse_all(&workshop, &cases);
}

#[test]
fn choices() {
    let workshop = Workshop::new();
    let mut cases = Vec::new();
    for (status, needle, more) in [
        (2, "conv9_1", vec!["--style-layers", "conv9_1"]),
        (2, "conv9_1", vec!["--content-layers", "conv4_2,conv9_1=2"]),
        (2, "twice", vec!["--style-layers", "conv1_1,conv1_1=3"]),
        (2, "--style-layers", vec!["--style-layers", "conv1_1=heavy"]),
        (2, "--style-layers", vec!["--style-layers", "conv1_1=NaN"]),
        (2, "--size 0", vec!["--size", "0"]),
        (2, "--size 0x300", vec!["--size", "0x300"]),
        (2, "--size big", vec!["--size", "big"]),
        (2, "--size 65536", vec!["--size", "65536"]),
        (2, "--size -5", vec!["--size", "-5"]),
        (2, "--iterations", vec!["--iterations", "0"]),
        (2, "--iterations", vec!["--iterations", "many"]),
        (2, "--levels", vec!["--levels", "0"]),
        (2, "--history", vec!["--history", "0"]),
        (2, "--seed", vec!["--seed", "-1"]),
        (2, "--threads", vec!["--threads", "0"]),
        (2, "--optimizer", vec!["--optimizer", "sgd"]),
        (2, "--pool", vec!["--pool", "median"]),
        (2, "--border", vec!["--border", "gold"]),
        (2, "--precision", vec!["--precision", "f8"]),
        (2, "no preset \"van-gogh\"", vec!["--preset", "van-gogh"]),
        (1, "impasto weights fetch vgg19", vec!["--weights", "vgg19"]),
        (2, "--style-blend has 2 shares for 1 style", vec!["--style-blend", "1,2"]),
        (2, "nothing is left to paint", vec!["--style-weight", "0", "--content-weight", "0"]),
        (2, "--memory-limit", vec!["--memory-limit", "much"]),
        (1, "--memory-limit", vec!["--memory-limit", "1MiB"]),
        (2, "--preview", vec!["--json", "--preview"]),
        (2, "--quiet", vec!["--json", "--quiet"]),
        (1, "nowhere.safetensors", vec!["--weights", "nowhere.safetensors"]),
        (1, "photo.png", vec!["--weights", "photo.png"]),
    ] {
        cases.push((status, needle, paint_arguments("out.png", &more)));
    }
    refuse_all(&workshop, &cases);
}

#[test]
fn numbers_that_are_none() {
    let workshop = Workshop::new();
    let options = [
        "--learning-rate",
        "--noise-ratio",
        "--content-weight",
        "--style-weight",
        "--match-weight",
        "--match-photo",
        "--tv-weight",
        "--range-weight",
        "--style-scale",
        "--style-blend",
        "--noise-deviation",
        "--coarse-emphasis",
    ];
    let values = ["NaN", "inf", "-inf", "-1", "1e999", "1,5", ""];
    let typed = options.iter().flat_map(|option| values.map(|value| (option, format!("{option}={value}"))));
    // Shares are a list, and may have a comma.
    let typed: Vec<_> = typed.filter(|(_, typed)| typed != "--style-blend=1,5").collect();
    let cases: Vec<_> =
        typed.iter().map(|(option, typed)| (2, **option, paint_arguments("out.png", &[typed]))).collect();
    refuse_all(&workshop, &cases);
}

#[test]
fn recipes() {
    let workshop = Workshop::new();
    let write = |name: &str, text: &str| std::fs::write(workshop.path(name), text).unwrap();
    write("field.json", r#"{"sise": "512"}"#);
    write("type.json", r#"{"iterations": "many"}"#);
    write("broken.json", r#"{"iterations": 3"#);
    write("list.json", "[1, 2]");
    write("long.json", &format!(r#"{{"preset": "{}"}}"#, "a".repeat(300_000)));
    write("layer.json", r#"{"style_layers": {"conv9_1": 1}}"#);
    write("zero.json", r#"{"size": "0"}"#);
    std::fs::write(workshop.path("bytes.json"), [0xff, 0xfe, 0x00]).unwrap();
    write("no_images.json", r#"{"preset": "authors"}"#);
    let mut cases: Vec<(i32, &str, Vec<&str>)> = Vec::new();
    for (status, needle, name) in [
        (2, "sise", "field.json"),
        (2, "type.json", "type.json"),
        (2, "broken.json", "broken.json"),
        (2, "not a JSON object", "list.json"),
        (2, "long.json", "long.json"),
        (2, "conv9_1", "layer.json"),
        (2, "--size 0", "zero.json"),
        (1, "bytes.json", "bytes.json"),
        (1, "does not exist", "missing.json"),
        (1, "carries no recipe", "photo.png"),
    ] {
        cases.push((status, needle, vec!["paint", "photo.png", "painting.png", "--recipe", name, "-o", "out.png"]));
    }
    cases.push((2, "the photo is missing", vec!["paint", "--recipe", "no_images.json", "-o", "out.png"]));
    cases.push((2, "style image is missing", vec!["paint", "photo.png", "-o", "out.png"]));
    let both = vec!["paint", "photo.png", "painting.png", "--recipe", "x.json", "--preset", "authors", "-o", "out.png"];
    cases.push((2, "--preset", both));
    cases.push((1, "carries no recipe", vec!["recipe", "photo.png"]));
    cases.push((1, "does not exist", vec!["recipe", "missing.png"]));
    refuse_all(&workshop, &cases);
}

#[test]
fn commands() {
    let workshop = Workshop::new();
    std::fs::write(workshop.path("words.safetensors"), "no tensors, but words").unwrap();
    let cases = [
        (2, "pant", vec!["pant", "photo.png"]),
        (2, "CONTENT", vec!["paint", "-o", "out.png"]),
        (2, "--sise", vec!["paint", "photo.png", "painting.png", "-o", "out.png", "--sise", "3"]),
        (2, "elvish2", vec!["completions", "elvish2"]),
        (2, "--size", vec!["bench", "--size", "0"]),
        (2, "--iterations", vec!["bench", "--size", "16", "--iterations", "0"]),
        (1, "--memory-limit", vec!["bench", "--size", "64", "--memory-limit", "1MiB"]),
        (1, "words.safetensors", vec!["selftest", "--json", "words.safetensors"]),
        (1, "does not exist", vec!["selftest", "--json", "missing.safetensors"]),
    ];
    refuse_all(&workshop, &cases);
}

#[test]
fn an_instruction_set_that_is_not_there() {
    let workshop = Workshop::new();
    let mut complaints = Vec::new();
    for isa in ["sse9", "AVX512"] {
        for arguments in [paint_arguments("out.png", &[]), vec!["selftest", "--json"], vec!["bench", "--size", "16"]] {
            let mut command = workshop.command(&arguments);
            command.env("IMPASTO_ISA", isa);
            complaints.extend(workshop.complaints_about_refusal(command, 2, "portable"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_failed_run_leaves_the_old_picture_as_it_was() {
    let workshop = Workshop::new();
    std::fs::write(workshop.path("out.png"), "the old picture").unwrap();
    refuse_all(&workshop, &[(1, "does not exist", vec!["paint", "missing.png", "painting.png", "-o", "out.png"])]);
    assert_eq!(workshop.bytes("out.png"), b"the old picture");
}
