//! Pictures and recipes through pipes: `-` is standard input and standard output, a named pipe is what a shell makes of
//! `<(...)` and `>(...)`.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use impasto::read::{ReadLimits, decode_picture, decode_recipe, read_picture, read_recipe};
use impasto::{Picture, Recipe};

use crate::workshop::{QUICK, Workshop};

/// Runs with these bytes on standard input.
fn run_with_input(workshop: &Workshop, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = workshop.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that refuses does not read to the end.
    let feeding = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The picture that a program wrote to standard output.
fn piped_picture(output: &Output) -> Picture {
    assert!(output.status.success(), "{}", said(output));
    decode_picture(&output.stdout, Path::new("piped"), &ReadLimits::default()).unwrap().picture
}

fn picture_of(workshop: &Workshop, name: &str) -> Picture {
    read_picture(&workshop.path(name), &ReadLimits::default()).unwrap().picture
}

/// `paint CONTENT STYLE -o OUTPUT` with [`QUICK`] and more.
fn words<'word>(content: &'word str, style: &'word str, output: &'word str, more: &[&'word str]) -> Vec<&'word str> {
    [&["paint", content, style, "-o", output][..], &QUICK[..], more].concat()
}

fn named_pipe(workshop: &Workshop, name: &str) {
    assert!(Command::new("mkfifo").arg(workshop.path(name)).status().unwrap().success());
}

#[test]
fn what_comes_through_standard_input_is_painted_like_the_file() {
    let workshop = Workshop::new();
    workshop.draw("start.png", 40, 30, 3);
    workshop.paint("plain.png", &[]);
    workshop.paint("started.png", &["--init", "start.png"]);
    let plain = picture_of(&workshop, "plain.png");
    let cases = [
        (words("-", "painting.png", "-", &[]), "photo.png", &plain),
        (words("photo.png", "/dev/stdin", "/dev/stdout", &[]), "painting.png", &plain),
        (words("photo.png", "painting.png", "-", &["--init", "-"]), "start.png", &picture_of(&workshop, "started.png")),
        (vec!["paint", "photo.png", "painting.png", "-o", "-", "--recipe", "-"], "plain.png", &plain),
    ];
    for (words, input, expected) in cases {
        let output = run_with_input(&workshop, &words, &workshop.bytes(input));
        assert!(piped_picture(&output) == *expected, "{words:?}: another picture");
    }
    // A recipe's text comes through as well, and is printed again.
    let recipe = read_recipe(&workshop.path("plain.png")).unwrap();
    let words = ["paint", "photo.png", "painting.png", "-o", "-", "--recipe", "-"];
    assert!(piped_picture(&run_with_input(&workshop, &words, recipe.as_bytes())) == plain);
    let printed = run_with_input(&workshop, &["recipe", "-"], &workshop.bytes("plain.png"));
    assert_eq!(String::from_utf8(printed.stdout).unwrap().trim_end(), recipe.trim_end());
    // What a plan says is of the size that came through.
    let words = [&["plan", "-", "painting.png"], &QUICK[..]].concat();
    let plan = run_with_input(&workshop, &words, &workshop.bytes("photo.png"));
    assert!(String::from_utf8_lossy(&plan.stdout).starts_with("32x24: 4 evaluations"), "{}", said(&plan));
}

#[test]
fn the_picture_says_that_its_photo_had_no_name() {
    let workshop = Workshop::new();
    let output = run_with_input(&workshop, &words("-", "painting.png", "-", &[]), &workshop.bytes("photo.png"));
    let text = decode_recipe(&output.stdout, Path::new("piped")).unwrap();
    assert_eq!(Recipe::from_json(&text).unwrap().content.as_deref(), Some("-"));
    std::fs::write(workshop.path("piped.png"), &output.stdout).unwrap();
    let again = ["paint", "--recipe", "piped.png", "-o", "again.png"];
    let complaints = workshop.complaints_about_refusal(workshop.command(&again), 2, "give CONTENT on the command line");
    assert!(complaints.is_empty(), "{complaints:?}");
    workshop.succeed(&["paint", "photo.png", "painting.png", "--recipe", "piped.png", "-o", "again.png"]);
    assert!(picture_of(&workshop, "again.png") == piped_picture(&output));
    // A name is made of it all the same.
    let unnamed = [&["paint", "-", "painting.png"], &QUICK[..]].concat();
    let output = run_with_input(&workshop, &unnamed, &workshop.bytes("photo.png"));
    assert!(output.status.success() && workshop.path("piped-painting.png").exists(), "{}", said(&output));
}

#[test]
fn named_pipes_are_read_once_and_written_in_place() {
    let workshop = Workshop::new();
    workshop.paint("plain.png", &[]);
    for pipe in ["photo", "painting", "out"] {
        named_pipe(&workshop, pipe);
    }
    let feeding = ["photo", "painting"].map(|name| {
        let (pipe, bytes) = (workshop.path(name), workshop.bytes(&format!("{name}.png")));
        thread::spawn(move || std::fs::write(pipe, bytes).unwrap())
    });
    let out = workshop.path("out");
    let reading = thread::spawn(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(out).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    });
    // Kept as a run too: the copies are what came through.
    let lines = workshop.succeed(&words("photo", "painting", "out", &["--run-dir", "run", "--json"]));
    feeding.into_iter().for_each(|feeding| feeding.join().unwrap());
    let bytes = reading.join().unwrap();
    assert!(bytes == workshop.bytes("run/result.png") && lines.lines().last().unwrap().contains("\"output\":\"out\""));
    let piped = decode_picture(&bytes, Path::new("piped"), &ReadLimits::default()).unwrap().picture;
    assert!(piped == picture_of(&workshop, "plain.png"));
    assert!(workshop.bytes("run/inputs/content") == workshop.bytes("photo.png"));
    assert!(impasto::disk::is_pipe(&workshop.path("out")), "the pipe was replaced");
}

#[test]
fn the_format_of_a_stream_is_named() {
    let workshop = Workshop::new();
    let starts: [(&str, &[u8]); 4] =
        [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF"), ("tiff", b"II*\0")];
    for (format, start) in starts {
        let output = workshop.run(&words("photo.png", "painting.png", "-", &["--format", format]));
        assert!(output.stdout.starts_with(start), "{format}: {}", said(&output));
        assert_eq!(said(&output).contains("has no place for the recipe"), format != "png", "{}", said(&output));
    }
    assert!(workshop.files().keys().all(|path| !path.to_string_lossy().contains("recipe.json")));
}

#[test]
fn a_run_hands_its_picture_to_a_stream() {
    let workshop = Workshop::new();
    let output = workshop.run(&words("photo.png", "painting.png", "-", &["--run-dir", "run"]));
    assert!(output.status.success() && output.stdout == workshop.bytes("run/result.png"), "{}", said(&output));
    let record = String::from_utf8(workshop.bytes("run/run.json")).unwrap();
    assert!(!record.contains("standard output") && record.contains("\"output\": null"), "{record}");
    let before = workshop.files();
    let output = workshop.run(&["resume", "run", "-o", "-"]);
    assert!(output.status.success() && output.stdout == workshop.bytes("run/result.png"), "{}", said(&output));
    let output = workshop.run(&["resume", "run", "-o", "-", "--format", "jpeg"]);
    assert!(output.stdout.starts_with(b"\xff\xd8\xff"), "{}", said(&output));
    assert_eq!(workshop.files(), before);
}

#[test]
fn a_texture_and_a_reconstruction_go_down_a_stream() {
    let workshop = Workshop::new();
    let quick = ["--size", "32", "--levels", "1", "--iterations", "2", "--quiet"];
    for command in ["texture", "reconstruct"] {
        workshop.succeed(&[&[command, "photo.png", "-o", "file.png"], &quick[..]].concat());
        let output =
            run_with_input(&workshop, &[&[command, "-", "-o", "-"], &quick[..]].concat(), &workshop.bytes("photo.png"));
        assert!(piped_picture(&output) == picture_of(&workshop, "file.png"), "{command}: another picture");
    }
}

#[test]
fn a_sweep_of_what_came_through_a_pipe_paints_it() {
    let workshop = Workshop::new();
    let sweep =
        [&["sweep", "-", "painting.png", "-o", "sheet.png", "--vary", "seed=1", "--quiet"], &QUICK[..]].concat();
    let picture = |input: &str| {
        let output = run_with_input(&workshop, &sweep, &workshop.bytes(input));
        assert!(output.status.success(), "{}", said(&output));
        workshop.bytes("sheet-pictures/seed=1.png")
    };
    workshop.draw("other.png", 40, 30, 7);
    assert!(picture("photo.png") != picture("other.png"), "the picture of another photo was taken for this one's");
}

#[test]
fn a_picture_whose_reader_is_gone_is_kept() {
    let workshop = Workshop::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = workshop.command(&words("photo.png", "painting.png", "-", &[]));
    let output = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let sentence = said.lines().last().unwrap();
    assert!(sentence.contains("standard output did not take the whole picture (Broken pipe)"), "{said}");
    assert!(sentence.ends_with("is standard output-rescued.png"), "{said}");
    workshop.paint("plain.png", &[]);
    assert!(picture_of(&workshop, "standard output-rescued.png") == picture_of(&workshop, "plain.png"));
}

#[test]
fn what_no_pipe_can_be_is_refused() {
    let workshop = Workshop::new();
    std::fs::write(workshop.path("words"), "no picture").unwrap();
    let sweep = ["sweep", "photo.png", "painting.png", "--vary", "seed=1,2", "-o", "-"];
    let cases = [
        (2, "standard input is given twice", words("-", "-", "out.png", &[])),
        (2, "standard input is given twice", words("photo.png", "-", "out.png", &["--init", "/dev/stdin"])),
        (1, "standard input is empty", words("-", "painting.png", "out.png", &[])),
        (1, "standard input carries no recipe", words("photo.png", "painting.png", "out.png", &["--recipe", "-"])),
        (2, "--json", words("photo.png", "painting.png", "-", &["--json"])),
        (2, "--all-layers", vec!["texture", "photo.png", "-o", "-", "--all-layers"]),
        (2, "--all-layers", vec!["reconstruct", "photo.png", "-o", "/dev/stdout", "--all-layers"]),
        (2, "--output - is a pipe", sweep.to_vec()),
        (2, "--format", words("photo.png", "painting.png", "out.png", &["--format", "jpeg"])),
        (2, "--format", words("photo.png", "painting.png", "out", &["--format", "png"])),
        (2, "gif", words("photo.png", "painting.png", "-", &["--format", "gif"])),
        (2, "16 bits", words("photo.png", "painting.png", "-", &["--format", "jpeg", "--depth", "16"])),
        (1, "is not a file", words("/dev/null", "painting.png", "out.png", &[])),
    ];
    let refused = cases.iter().flat_map(|(status, needle, words)| {
        workshop.complaints_about_refusal(workshop.command(words), *status, needle)
    });
    let complaints: Vec<String> = refused.collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let output = run_with_input(&workshop, &words("-", "painting.png", "out.png", &[]), &workshop.bytes("words"));
    assert!(said(&output).contains("standard input is not an image"), "{}", said(&output));
}

#[test]
fn a_terminal_is_neither_read_nor_written() {
    let workshop = Workshop::new();
    let program = workshop.command(&[]);
    let on_a_terminal = |arguments: &str| {
        let line = format!("{} {arguments}", program.get_program().to_string_lossy());
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(workshop.path("."));
        let output = command.stdin(Stdio::null()).output().ok()?;
        Some((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    for (arguments, needle) in [
        ("paint photo.png painting.png -o -", "standard output is a terminal"),
        ("paint - painting.png -o out.png", "standard input is a terminal"),
    ] {
        let Some((status, shown)) = on_a_terminal(arguments) else {
            return println!("skipped: there is no program `script` here that would make a terminal");
        };
        assert!(status == Some(2) && shown.contains(needle), "{status:?}: {shown}");
    }
}
