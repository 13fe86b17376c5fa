//! A full disk, a read-only one: the run goes on or stops in a sentence, and its last good checkpoint is whole.

use std::path::{Path, PathBuf};
use std::process::Command;

use impasto::checkpoint::newest;
use impasto::disk::is_temporary;
use impasto::run_folder::{RECORD, RESULT};

use crate::kill::{TWO_SIZES, traces};
use crate::watched::{AHEAD, Ended, Watched};
use crate::workshop::{Workshop, files_of};

/// A disk of its own, for as long as this lives.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, with a message, where this user may not mount one.
    pub fn mount(path: PathBuf, size: &str) -> Option<SmallDisk> {
        std::fs::create_dir_all(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(path));
        }
        println!("skipped: no disk can be mounted here");
        None
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        let written = std::io::copy(&mut std::io::repeat(1), &mut filler);
        assert!(written.is_err(), "a small disk fills up");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn paint<'words>(folder: &'words str, more: &[&'words str]) -> Vec<&'words str> {
    let mut words = vec!["paint", "photo.png", "painting.png", "--run-dir", folder, "--checkpoint-every", "0"];
    words.extend(TWO_SIZES);
    words.extend(more);
    words
}

/// As [`paint`], but so long that a program of which five lines were read is on its way still.
fn paint_for_longer<'words>(folder: &'words str, more: &[&'words str]) -> Vec<&'words str> {
    const { assert!(5 + AHEAD < 60) };
    let mut words = paint(folder, more);
    let place = words.iter().position(|word| *word == "--iterations").unwrap();
    words[place + 1] = "60";
    words
}

/// Halts the program where it is not in the middle of a file that would take or give room later.
fn halt_between_writes(watched: &Watched, folder: &Path) {
    loop {
        watched.signal("STOP");
        while !watched.is_halted() {
            std::thread::yield_now();
        }
        if !files_of(folder).keys().any(|path| is_temporary(path.file_name().unwrap().to_str().unwrap())) {
            return;
        }
        watched.signal("CONT");
    }
}

#[test]
fn a_disk_too_small_for_checkpoints_does_not_stop_a_run() {
    let workshop = Workshop::new();
    // Two generations and the one that is being written are some 400 KiB when the history is full.
    let Some(disk) = SmallDisk::mount(workshop.path("disk"), "size=340k") else { return };
    workshop.succeed(&paint("whole", &["--quiet"]));
    let output = workshop.run(&paint("disk/run", &[]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("No space left on device").count(), 1, "said once: {said}");
    assert!(said.contains("the run goes on"), "{said}");
    assert_eq!(traces(&workshop.path("disk/run")), traces(&workshop.path("whole")));
    drop(disk);
}

#[test]
fn a_disk_that_fills_up_keeps_the_last_checkpoint() {
    let workshop = Workshop::new();
    let Some(disk) = SmallDisk::mount(workshop.path("disk"), "size=2m") else { return };
    workshop.succeed(&paint_for_longer("whole", &["--quiet"]));
    let watched = Watched::after(&workshop, &paint_for_longer("disk/run", &[]), 5);
    halt_between_writes(&watched, &workshop.path("disk"));
    disk.fill();
    watched.signal("CONT");
    let Ended { status, said, .. } = watched.end();
    assert_eq!(status, Some(1), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains(RESULT) && last.contains("No space left") && last.contains("impasto resume"), "{said}");
    assert!(last.contains("temporary/result-rescued.png"), "what is painted is not lost: {said}");
    assert!(workshop.path("temporary/result-rescued.png").exists());
    let found = newest(&workshop.path("disk/run"));
    assert!(found.newest.is_some() && found.refused.is_empty(), "the last good checkpoint is whole");
    // With no room it says so before it works; with room it goes on.
    let refused = workshop.run(&["resume", "disk/run", "--quiet"]);
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stderr));
    assert!(newest(&workshop.path("disk/run")).newest.is_some());
    std::fs::remove_file(workshop.path("disk/filler")).unwrap();
    workshop.succeed(&["resume", "disk/run", "--quiet"]);
    assert_eq!(traces(&workshop.path("disk/run")), traces(&workshop.path("whole")));
}

#[test]
fn a_read_only_disk_is_named_and_left_alone() {
    let workshop = Workshop::new();
    let Some(disk) = SmallDisk::mount(workshop.path("disk"), "size=8m") else { return };
    workshop.succeed(&paint_for_longer("whole", &["--quiet"]));
    Watched::after(&workshop, &paint_for_longer("disk/run", &[]), 5).kill(&workshop);
    disk.remount("ro");
    let before = files_of(&workshop.path("disk"));
    for words in [paint("disk/other", &[]), paint_for_longer("disk/run", &[]), vec!["resume", "disk/run"]] {
        let output = workshop.run(&words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.lines().last().unwrap().contains("Read-only file system"), "{said}");
    }
    let listed = workshop.succeed(&["runs", "disk"]);
    assert!(listed.contains("stopped at"), "a run can be looked at: {listed}");
    assert_eq!(files_of(&workshop.path("disk")), before);
    disk.remount("rw");
    workshop.succeed(&["resume", "disk/run", "--quiet"]);
    assert_eq!(traces(&workshop.path("disk/run")), traces(&workshop.path("whole")));
}

/// Permissions, for users who are not root.
#[test]
fn a_folder_that_takes_no_files_is_named() {
    let workshop = Workshop::new();
    let path = Path::new("/proc/self/run");
    let complaints = workshop.complaints_about_refusal(
        workshop.command(&paint(path.to_str().unwrap(), &["--quiet"])),
        1,
        "the folder /proc/self/run could not be made",
    );
    assert!(complaints.is_empty(), "{complaints:?}");
    assert!(!path.join(RECORD).exists());
}
