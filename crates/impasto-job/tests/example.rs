//! `examples/paint.rs`, run as its reader would.

mod workshop;

#[path = "../examples/paint.rs"]
#[expect(dead_code, reason = "its main is not called")]
mod example;

use workshop::Workshop;

#[test]
fn the_example_paints() {
    let workshop = Workshop::new();
    let names = ["photo.png", "painting.png", "painted.png"].map(|name| workshop.path(name).display().to_string());
    let arguments: Vec<String> = names.into_iter().chain(["32".to_owned()]).collect();
    example::paint(&arguments).unwrap();
    assert!(workshop.path("painted.png").exists());
    let missing = example::paint(&[]).unwrap_err();
    assert!(missing.sentence.starts_with("give a photo"), "{missing}");
}
