//! Films: folders of frames, and what ffmpeg reads and writes. Tests that need ffmpeg say so where it is not there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::workshop::{Workshop, files_of};

/// Options under which a frame takes a moment.
const QUICK: [&str; 10] = [
    "--size",
    "32",
    "--levels",
    "1",
    "--iterations",
    "4",
    "--style-layers",
    "conv1_1,conv2_1",
    "--content-layers",
    "conv2_2",
];

fn video<'word>(film: &'word str, output: &'word str, more: &[&'word str]) -> Vec<&'word str> {
    let mut words = vec!["video", film, "painting.png", "-o", output];
    words.extend(QUICK);
    words.extend(more);
    words
}

/// A workshop with a folder of frames, `frames/f8.png` to `frames/f11.png`.
fn with_frames() -> Workshop {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path("frames")).unwrap();
    for number in 8..12 {
        workshop.draw(&format!("frames/f{number}.png"), 40, 30, 1);
    }
    workshop
}

/// Whether there is ffmpeg; says so where there is none.
fn has_ffmpeg() -> bool {
    let is_there = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !is_there {
        println!("skipped: there is no ffmpeg here");
    }
    is_there
}

/// Makes a film with ffmpeg from `words`, in the workshop.
fn make(workshop: &Workshop, words: &str, film: &str) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y"]).args(words.split(' ')).arg(workshop.path(film));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What ffprobe says of the streams of a film: lines of `key=value`.
fn probed(workshop: &Workshop, film: &str) -> Vec<String> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-count_frames", "-show_streams"]).arg(workshop.path(film));
    let output = command.output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_of_frames_becomes_another() {
    let workshop = with_frames();
    let mut command = workshop.command(&video("frames", "out", &["--json"]));
    // Nothing of it asks for ffmpeg.
    let output = command.env("PATH", "").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(names(&workshop.path("out")), ["f10.png", "f11.png", "f8.png", "f9.png"]);
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], serde_json::json!({"event": "shots", "first_frames": [1]}));
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!((of("frame"), of("painted"), of("done")), (4, 4, 1));
    let last = &lines[lines.len() - 1];
    assert_eq!((&last["output"], &last["frames"], &last["shots"]), (&"out".into(), &4.into(), &1.into()));
    // Its pictures are those of paint, as far as nothing came before them.
    workshop.succeed(&["paint", "frames/f8.png", "painting.png", "-o", "one.png", "--recipe", "out/f8.png"]);
    let pixels = |name: &str| impasto::read::read_picture(&workshop.path(name), &Default::default()).unwrap().picture;
    assert_eq!(pixels("one.png"), pixels("out/f8.png"));
    // A frame that follows another is not repeated by itself.
    let alone = ["paint", "frames/f9.png", "painting.png", "-o", "two.png", "--recipe", "out/f9.png"];
    let complaints = workshop.complaints_about_refusal(workshop.command(&alone), 2, "--init");
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn a_film_that_was_killed_goes_on_to_the_same_bytes() {
    let workshop = with_frames();
    workshop.succeed(&video("frames", "whole", &["--quiet"]));
    let mut child = workshop.command(&video("frames", "killed", &["--quiet"])).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !workshop.path("killed-film/pass-1/f9.png").exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    workshop.succeed(&video("frames", "killed", &["--quiet"]));
    let bytes = |folder: &str| {
        let folder = workshop.path(folder);
        let files = files_of(&folder).into_iter();
        files.map(|(path, bytes)| (path.strip_prefix(&folder).unwrap().to_owned(), bytes)).collect::<Vec<_>>()
    };
    assert!(bytes("killed") == bytes("whole"));
    assert_eq!(names(&workshop.path("killed-film/pass-1")).len(), 4, "nothing is left of what was being written");
}

#[test]
fn what_is_no_film_is_refused() {
    let workshop = with_frames();
    fs::create_dir(workshop.path("empty")).unwrap();
    let cases: [(i32, &str, Vec<&str>); 7] = [
        (1, "has no pictures", video("empty", "out", &[])),
        (1, "in that time", video("frames", "out", &["--from", "1:00"])),
        (2, "--from", video("frames", "out", &["--from", "2", "--to", "1"])),
        (2, "--to", video("frames", "out", &["--to", "soon"])),
        (2, "--steadiness", video("frames", "out", &["--steadiness", "-1"])),
        (2, "--passes", video("frames", "out", &["--passes", "0"])),
        (2, "unknown", video("frames", "out", &["--preset", "unknown"])),
    ];
    for (status, needle, words) in cases {
        let complaints = workshop.complaints_about_refusal(workshop.command(&words), status, needle);
        assert!(complaints.is_empty(), "{complaints:?}");
    }
    // Without ffmpeg, before any work.
    for (film, output) in [("frames", "out.mp4"), ("photo.png", "out.mp4"), ("photo.png", "out")] {
        let mut command = workshop.command(&video(film, output, &[]));
        command.env("PATH", "");
        let complaints = workshop.complaints_about_refusal(command, 1, "install ffmpeg");
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}

#[test]
fn a_film_is_taken_apart_whole_whatever_its_folder_is_called() {
    if !has_ffmpeg() {
        return;
    }
    let workshop = Workshop::new();
    let film = "100% %d.mp4";
    make(&workshop, "-f lavfi -i testsrc=size=32x24:rate=5:duration=1", film);
    // What an ffmpeg has written that outlived a program that was killed.
    let source = workshop.path("50%d-film/source");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("000009.png"), "of another film").unwrap();
    let words = video(film, "50%d.mp4", &["--quiet"]);
    workshop.succeed(&words);
    assert_eq!(names(&source).len(), 5);
    // A frame that was lost or damaged is taken again.
    let whole = [2, 3].map(|number| fs::read(source.join(format!("{number:06}.png"))).unwrap());
    fs::remove_file(source.join("000002.png")).unwrap();
    fs::copy(source.join("000001.png"), source.join("000003.png")).unwrap();
    let again = workshop.run(&video(film, "50%d.mp4", &[]));
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && said.contains("not as they were taken"), "{said}");
    assert_eq!([2, 3].map(|number| fs::read(source.join(format!("{number:06}.png"))).unwrap()), whole);
    // The film itself is never what is written.
    let before = workshop.bytes(film);
    for output in [film, "./100% %d.mp4", "painting.png"] {
        let words = video(film, output, &[]);
        let complaints = workshop.complaints_about_refusal(workshop.command(&words), 2, "would overwrite the input");
        assert!(complaints.is_empty(), "{complaints:?}");
    }
    assert_eq!(workshop.bytes(film), before);
}

#[test]
fn a_film_keeps_its_rate_its_sound_and_its_colours() {
    if !has_ffmpeg() {
        return;
    }
    let workshop = Workshop::new();
    make(
        &workshop,
        "-f lavfi -i testsrc=s=64x48:r=30000/1001:d=0.2 -f lavfi -i sine=d=0.2 -c:v libx264 -pix_fmt yuv420p -colorspace bt709 -color_primaries bt709 -color_trc bt709 -c:a aac",
        "film.mp4",
    );
    let painted = workshop.command(&video("film.mp4", "out.mp4", &["--rate", "7", "--every", "2"])).output().unwrap();
    let said = String::from_utf8_lossy(&painted.stderr);
    assert!(painted.status.success() && said.contains("--rate is for frames from a folder"), "{said}");
    let lines = probed(&workshop, "out.mp4");
    // 6 frames, of which every second.
    for line in [
        "nb_read_frames=3",
        "codec_name=aac",
        "width=32",
        "height=24",
        "r_frame_rate=15000/1001",
        "color_space=bt709",
        "color_transfer=bt709",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line}: {lines:?}");
    }
    // Its own frames are taken from its folder, and another part of it is another film.
    let complaints =
        workshop.complaints_about_refusal(workshop.command(&video("film.mp4", "out.mp4", &[])), 2, "--run-dir");
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn films_of_every_kind_are_read() {
    if !has_ffmpeg() {
        return;
    }
    let workshop = Workshop::new();
    let once = |film: &str, output: &str, more: &[&str]| {
        let output = workshop.run(&video(film, output, more));
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // Odd sizes, no sound.
    make(&workshop, "-f lavfi -i testsrc=s=32x23:r=10:d=0.2 -c:v ffv1 -pix_fmt bgr0", "odd.mkv");
    let (status, said) = once("odd.mkv", "odd.mp4", &[]);
    assert!(status == Some(0) && said.contains("even sizes"), "{said}");
    let lines = probed(&workshop, "odd.mp4");
    assert!(lines.contains(&"height=22".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line == "codec_type=audio"));
    // A broken end: what is there is painted.
    make(&workshop, "-f lavfi -i testsrc=s=40x30:r=10:d=0.4 -c:v mjpeg -q:v 2", "long.mkv");
    let whole = workshop.bytes("long.mkv");
    fs::write(workshop.path("broken.mkv"), &whole[..whole.len() * 2 / 3]).unwrap();
    let (status, said) = once("broken.mkv", "broken", &[]);
    assert_eq!(status, Some(0), "{said}");
    let count = names(&workshop.path("broken")).len();
    assert!((1..4).contains(&count), "{count}");
    // Turned by a quarter: its pictures are upright.
    make(&workshop, "-f lavfi -i testsrc=s=40x30:r=10:d=0.1 -c:v libx264 -pix_fmt yuv420p", "lying.mp4");
    let lying = workshop.path("lying.mp4").display().to_string();
    make(&workshop, &format!("-i {lying} -c copy -metadata:s:v rotate=90"), "turned.mp4");
    let (status, said) = once("turned.mp4", "turned", &[]);
    assert_eq!(status, Some(0), "{said}");
    let upright =
        impasto::read::read_picture(&workshop.path("turned/000001.png"), &Default::default()).unwrap().picture;
    assert_eq!((upright.width, upright.height), (24, 32));
    // What is none.
    make(&workshop, "-f lavfi -i sine=d=0.1 -c:a flac", "sound.flac");
    fs::write(workshop.path("text.mp4"), "no film").unwrap();
    for (film, needle, more) in [
        ("sound.flac", "no pictures that move", &[][..]),
        ("text.mp4", "no film", &[]),
        ("nothing.mp4", "not there", &[]),
    ] {
        let complaints = workshop.complaints_about_refusal(workshop.command(&video(film, "none.mp4", more)), 1, needle);
        assert!(complaints.is_empty(), "{complaints:?}");
    }
    let (status, said) = once("long.mkv", "late.mp4", &["--from", "20"]);
    assert!(status == Some(1) && said.contains("gives no frames") && !workshop.path("late.mp4").exists(), "{said}");
}
