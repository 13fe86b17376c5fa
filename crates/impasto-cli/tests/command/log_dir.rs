//! `--log-dir`. What the files hold is read back by TensorBoard itself in `.ci/tensorboard`.

use crate::workshop::{QUICK, Workshop, paint_arguments};

/// The event files in a folder of the workshop.
fn event_files(workshop: &Workshop, folder: &str) -> usize {
    let names = std::fs::read_dir(workshop.path(folder)).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("events.out.tfevents.")).count()
}

#[test]
fn a_log_changes_no_byte_of_the_picture() {
    let workshop = Workshop::new();
    workshop.paint("alone.png", &[]);
    workshop.paint("watched.png", &["--log-dir", "logs/deep"]);
    assert_eq!(workshop.bytes("alone.png"), workshop.bytes("watched.png"));
    assert_eq!(event_files(&workshop, "logs/deep"), 1);
}

#[test]
fn each_picture_of_several_has_a_folder_of_its_own() {
    let workshop = Workshop::new();
    let sweep =
        ["sweep", "photo.png", "painting.png", "-o", "sheet.png", "--vary", "seed=1,2", "--weights", "embedded"];
    workshop.succeed(&[&sweep, &QUICK[..], &["--log-dir", "logs", "--quiet"]].concat());
    for folder in ["logs/seed=1", "logs/seed=2"] {
        assert_eq!(event_files(&workshop, folder), 1, "{folder}");
    }
    let texture = ["texture", "painting.png", "-o", "one.png", "--weights", "embedded", "--log-dir", "one"];
    workshop.succeed(&[&texture, &QUICK[..]].concat());
    assert_eq!(event_files(&workshop, "one"), 1);
}

#[test]
fn a_folder_that_cannot_be_is_said_before_any_work() {
    let workshop = Workshop::new();
    let arguments = paint_arguments("out.png", &["--log-dir", "photo.png"]);
    let complaints = workshop.complaints_about_refusal(workshop.command(&arguments), 1, "could not be made");
    assert!(complaints.is_empty(), "{complaints:?}");
}
