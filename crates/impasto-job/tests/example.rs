//! `examples/paint.rs`, run as its reader would.

mod workshop;

use std::path::PathBuf;
use std::process::Command;

use workshop::Workshop;

/// The example beside this test: cargo builds both.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(std::path::Path::parent).unwrap();
    folder.join("examples").join(format!("paint{}", std::env::consts::EXE_SUFFIX))
}

#[test]
fn the_example_paints() {
    let workshop = Workshop::new();
    let painted = Command::new(example())
        .args([workshop.path("photo.png"), workshop.path("painting.png"), workshop.path("painted.png"), "32".into()])
        .env("VK_DRIVER_FILES", "/nonexistent/driver.json")
        .output()
        .unwrap();
    assert!(painted.status.success(), "{}", String::from_utf8_lossy(&painted.stderr));
    assert!(workshop.path("painted.png").exists());
    assert!(String::from_utf8_lossy(&painted.stdout).lines().count() > 10);
    let wrong = Command::new(example()).output().unwrap();
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("give a photo"));
}
