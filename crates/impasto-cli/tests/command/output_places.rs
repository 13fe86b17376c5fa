//! Where a picture lands: where it was asked for, by a name of its images, or where nothing of it is lost.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use impasto::read::{ReadLimits, read_picture, read_recipe};
use serde_json::Value;

use crate::watched::{AHEAD, Ended, Watched};
use crate::workshop::{QUICK, Workshop, paint_arguments};

/// Evaluations after which a program of which a line was read is on its way still.
const LONG: &str = "60";
const _: () = assert!(1 + AHEAD < 60);

fn is_picture(path: &Path) -> bool {
    let read = read_picture(path, &ReadLimits::default());
    read.is_ok_and(|read| (read.picture.width, read.picture.height) == (32, 24)) && read_recipe(path).is_ok()
}

/// Paints, and puts a folder in the picture's place on the way; gives the exit status, the last line and what was said.
fn paint_into_a_folder(workshop: &Workshop, more: &[&str]) -> (Option<i32>, Value, String) {
    let watched = Watched::after(workshop, &paint_arguments("out.png", &[&["--iterations", LONG], more].concat()), 1);
    std::fs::create_dir(workshop.path("out.png")).unwrap();
    let Ended { status, lines, said } = watched.end();
    (status, serde_json::from_str(lines.last().unwrap()).unwrap(), said)
}

#[test]
fn a_picture_whose_place_is_taken_lands_beside_it() {
    let workshop = Workshop::new();
    std::fs::write(workshop.path("out-rescued.png"), "another's").unwrap();
    let (status, last, said) = paint_into_a_folder(&workshop, &[]);
    assert_eq!(status, Some(1), "{said}");
    let sentence = said.lines().last().unwrap();
    assert!(sentence.contains("out.png could not be written (Is a directory)"), "{said}");
    assert!(sentence.contains("the picture, of 60 evaluations, is out-rescued-2.png"), "{said}");
    assert_eq!((&last["event"], &last["output"]), (&"failed".into(), &"out-rescued-2.png".into()));
    assert!(is_picture(&workshop.path("out-rescued-2.png")));
    assert_eq!(workshop.bytes("out-rescued.png"), b"another's");
}

#[test]
fn a_sheet_whose_place_is_taken_lands_beside_it() {
    let workshop = Workshop::new();
    let sweep = ["sweep", "photo.png", "painting.png", "-o", "sheet.png", "--vary", "seed=1,2"];
    let long = QUICK.map(|word| if word == "4" { LONG } else { word });
    let words = [&sweep[..], &long[..]].concat();
    let watched = Watched::after(&workshop, &words, 1);
    std::fs::create_dir(workshop.path("sheet.png")).unwrap();
    let Ended { status, said, .. } = watched.end();
    assert_eq!(status, Some(1), "{said}");
    let sentence = said.lines().last().unwrap();
    assert!(sentence.contains("sheet.png could not be written (Is a directory)"), "{said}");
    assert!(sentence.ends_with("the sheet is sheet-rescued.png"), "{said}");
    let sheet = read_picture(&workshop.path("sheet-rescued.png"), &ReadLimits::default()).unwrap().picture;
    assert!(sheet.width > 64 && sheet.height > 24, "{} x {}", sheet.width, sheet.height);
}

#[test]
fn a_picture_whose_folder_is_gone_lands_in_the_temporary_folder() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("folder")).unwrap();
    let watched = Watched::after(&workshop, &paint_arguments("folder/out.jpg", &["--iterations", LONG]), 1);
    std::fs::remove_dir(workshop.path("folder")).unwrap();
    let Ended { status, said, .. } = watched.end();
    assert_eq!(status, Some(1), "{said}");
    let place = workshop.path("temporary/out-rescued.png");
    let sentence = said.lines().last().unwrap();
    assert!(sentence.contains("folder/out.jpg could not be written"), "{said}");
    assert!(sentence.contains(place.to_str().unwrap()), "{said}");
    assert!(is_picture(&place));
}

#[test]
fn a_run_that_is_kept_has_its_picture_and_is_finished() {
    let workshop = Workshop::new();
    let (status, last, said) = paint_into_a_folder(&workshop, &["--run-dir", "run"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.lines().last().unwrap().ends_with("the picture, of 60 evaluations, is run/result.png"), "{said}");
    assert_eq!(last["output"], "run/result.png");
    assert!(is_picture(&workshop.path("run/result.png")) && !workshop.path("out-rescued.png").exists());
    workshop.succeed(&["resume", "run", "-o", "handed-over.png", "--quiet"]);
    assert!(is_picture(&workshop.path("handed-over.png")));
}

#[test]
fn a_link_stays_and_what_it_names_is_written() {
    let workshop = Workshop::new();
    symlink("behind.png", workshop.path("link.png")).unwrap();
    for seed in ["1", "2"] {
        workshop.paint("link.png", &["--seed", seed]);
        assert!(workshop.path("link.png").is_symlink() && is_picture(&workshop.path("behind.png")));
    }
}

#[test]
fn without_a_name_it_is_made_of_both() {
    let workshop = Workshop::new();
    workshop.draw("other.png", 40, 30, 7);
    let quick = |more: &[&'static str]| {
        let words = paint_arguments("out.png", &[]);
        [&words[..3], more, &words[5..]].concat()
    };
    let cases = [(vec![], "photo-painting"), (vec![], "photo-painting-2"), (vec!["other.png"], "photo-painting-other")];
    for (more, name) in cases {
        let output = workshop.run(&quick(&more));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains(&format!("the picture will be {name}.png")), "{said}");
        assert!(is_picture(&workshop.path(&format!("{name}.png"))), "{name}");
    }
    let before = workshop.bytes("photo-painting.png");
    // A file that comes meanwhile is not touched either.
    let long: Vec<&str> = quick(&[]).into_iter().map(|word| if word == "4" { LONG } else { word }).collect();
    let watched = Watched::after(&workshop, &long, 1);
    std::fs::write(workshop.path("photo-painting-3.png"), "another's").unwrap();
    let Ended { status, lines, said } = watched.end();
    assert_eq!(status, Some(0), "{said}");
    assert!(lines.last().unwrap().contains("\"photo-painting-4.png\""), "{lines:?}");
    assert_eq!(workshop.bytes("photo-painting-3.png"), b"another's");
    assert!(workshop.bytes("photo-painting.png") == before && is_picture(&workshop.path("photo-painting-4.png")));
    // A run's folder has the picture; it needs no other.
    workshop.succeed(&quick(&["--run-dir", "run"]));
    assert!(is_picture(&workshop.path("run/result.png")) && !workshop.path("photo-painting-5.png").exists());
}

#[test]
fn long_names_are_written_or_refused_before_work() {
    let workshop = Workshop::new();
    let named = |length: usize, extension: &str| format!("{}.{extension}", "a".repeat(length - 4));
    let longest = named(255, "png");
    workshop.paint(&longest, &[]);
    assert!(is_picture(&workshop.path(&longest)));
    let complaints = [named(256, "png"), named(244, "jpg"), named(255, "tif")].map(|name| {
        workshop.complaints_about_refusal(workshop.command(&paint_arguments(&name, &[])), 1, "File name too long")
    });
    assert!(complaints.concat().is_empty(), "{}", complaints.concat().join("\n"));
}

#[test]
fn a_limit_of_file_sizes_is_said_before_work() {
    let workshop = Workshop::new();
    let program = workshop.command(&paint_arguments("out.png", &[]));
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 1 && exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args());
    command.current_dir(workshop.path("."));
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if cfg!(target_os = "linux") {
        let complaints = workshop.complaints_about_refusal(command, 1, "ulimit -f");
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}

#[test]
fn a_mount_of_its_own_is_written_over_and_said_before() {
    let workshop = Workshop::new();
    for name in ["behind.png", "out.png"] {
        std::fs::write(workshop.path(name), "old").unwrap();
    }
    let mut mount = Command::new("mount");
    mount.arg("--bind").args(["behind.png", "out.png"].map(|name| workshop.path(name)));
    if !mount.output().is_ok_and(|output| output.status.success()) {
        return println!("skipped: nothing can be mounted here");
    }
    // A run that is finished is handed over likewise.
    workshop.paint("first.png", &["--run-dir", "run", "--quiet"]);
    let painted = paint_arguments("out.png", &[]);
    let ways = [(&painted[..], "1/4"), (&["resume", "run", "-o", "out.png"], "impasto: run is finished")];
    let said = ways.map(|(words, first)| {
        let output = workshop.command(words).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success() && is_picture(&workshop.path("behind.png")), said, first)
    });
    assert!(Command::new("umount").arg(workshop.path("out.png")).status().unwrap().success());
    for (is_written, said, first) in said {
        let place = |needle: &str| said.lines().position(|line| line.contains(needle));
        let note = place("out.png can be written but not replaced");
        assert!(is_written && note.is_some() && note < place(first), "{said}");
    }
}

#[test]
fn another_s_file_in_a_sticky_folder_is_written_over_or_refused() {
    let workshop = Workshop::new();
    let allow = |name: &str, mode| {
        std::fs::set_permissions(workshop.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    std::fs::create_dir(workshop.path("sticky")).unwrap();
    std::fs::write(workshop.path("sticky/out.png"), "old").unwrap();
    allow(".", 0o755);
    allow("sticky", 0o1777);
    // Somebody else than whom the file and the folder belong to.
    let stranger = |name: &str| {
        let mut command = workshop.command(&paint_arguments(name, &[]));
        command.uid(65_534).gid(65_534);
        command
    };
    let mut trial = stranger("sticky/out.png");
    if !trial.arg("--version").output().is_ok_and(|output| output.status.code() == Some(2) || output.status.success()) {
        return println!("skipped: no program can be run as another user here");
    }
    allow("sticky/out.png", 0o644);
    let refused = workshop.complaints_about_refusal(stranger("sticky/out.png"), 1, "Permission denied");
    assert!(refused.is_empty(), "{refused:?}");
    allow("sticky/out.png", 0o666);
    let output = stranger("sticky/out.png").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("can be written but not replaced"), "{said}");
    assert!(is_picture(&workshop.path("sticky/out.png")));
}
