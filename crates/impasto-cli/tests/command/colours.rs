//! `--colours`, as a user has it.

use impasto::picture::colour::ColourStatistics;
use impasto::read::{ReadLimits, read_picture, read_recipe};
use impasto::recipe::Colours;
use impasto::{Picture, Recipe};

use crate::workshop::{QUICK, Workshop, paint_arguments};

fn read(workshop: &Workshop, name: &str) -> Picture {
    read_picture(&workshop.path(name), &ReadLimits::default()).unwrap().picture
}

fn colours(workshop: &Workshop, name: &str) -> (Colours, bool) {
    let recipe = Recipe::from_json(&read_recipe(&workshop.path(name)).unwrap()).unwrap().resolve().unwrap();
    (recipe.colours, recipe.original_colors)
}

#[test]
fn each_choice_paints_and_is_in_the_recipe() {
    let workshop = Workshop::new();
    workshop.paint("plain.png", &[]);
    for (name, choice) in
        Colours::NAMES.into_iter().zip([Colours::Painting, Colours::Photo, Colours::Match, Colours::PhotoBefore])
    {
        let output = format!("of-{name}.png");
        workshop.paint(&output, &["--colours", name]);
        assert_eq!(colours(&workshop, &output), (choice, choice == Colours::Photo));
        assert_eq!(read(&workshop, &output) == read(&workshop, "plain.png"), choice == Colours::Painting, "{name}");
    }
    // The other spelling, and the name of before.
    workshop.paint("other.png", &["--colors", "match"]);
    assert!(workshop.bytes("other.png") == workshop.bytes("of-match.png"));
    workshop.paint("original.png", &["--original-colors"]);
    assert!(workshop.bytes("original.png") == workshop.bytes("of-photo.png"));
    // A picture's recipe repeats it, and an option over it counts alone.
    workshop.succeed(&["paint", "photo.png", "painting.png", "-o", "again.png", "--recipe", "of-match.png"]);
    assert!(workshop.bytes("again.png") == workshop.bytes("of-match.png"));
    workshop.paint("varied.png", &["--recipe", "of-match.png", "--original-colors"]);
    assert_eq!(colours(&workshop, "varied.png"), (Colours::Photo, true));
}

#[test]
fn pictures_on_the_way_have_the_photos_colours_too() {
    let workshop = Workshop::new();
    let more = ["--run-dir", "run", "--save-every", "1", "--colours", "match"];
    workshop.succeed(&[&["paint", "photo.png", "painting.png"], &QUICK[..], &more].concat());
    let photo = ColourStatistics::of(&read(&workshop, "photo.png").resized(32, 24).unwrap());
    let frames: Vec<_> =
        std::fs::read_dir(workshop.path("run/frames")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(frames.len() > 1);
    for frame in frames.iter().chain([&workshop.path("run/result.png")]) {
        let own = ColourStatistics::of(&read_picture(frame, &ReadLimits::default()).unwrap().picture);
        for (own, photo) in own.mean.iter().zip(photo.mean) {
            // In 8 bits, and cut at black and white.
            assert!((own - photo).abs() < 0.02, "{}: {own} {photo}", frame.display());
        }
    }
}

#[test]
fn a_sweep_varies_them() {
    let workshop = Workshop::new();
    let sweep = ["sweep", "photo.png", "painting.png", "-o", "sheet.png", "--weights", "embedded"];
    workshop.succeed(&[&sweep, &QUICK[..], &["--vary", "colours=painting,photo,match,photo-before"]].concat());
    let pictures = Colours::NAMES.map(|name| format!("sheet-pictures/colours={name}.png"));
    for (place, picture) in pictures.iter().enumerate() {
        assert_eq!(colours(&workshop, picture).0.name(), Colours::NAMES[place]);
        assert!(pictures[..place].iter().all(|other| read(&workshop, other) != read(&workshop, picture)), "{picture}");
    }
}

#[test]
fn what_contradicts_itself_is_one_sentence() {
    let workshop = Workshop::new();
    let sweep = ["sweep", "photo.png", "painting.png", "-o", "sheet.png"];
    let cases = [
        (
            "--original-colors and --colours match ask",
            paint_arguments("out.png", &["--colours", "match", "--original-colors"]),
        ),
        (
            "--original-colors=false and --colours photo",
            paint_arguments("out.png", &["--colours", "photo", "--original-colors=false"]),
        ),
        ("photo-before", paint_arguments("out.png", &["--colours", "before"])),
        ("\"match\" is the nearest", [&sweep[..], &["--vary", "colours=photo,matched"]].concat()),
        ("leave them out", [&sweep[..], &["--vary", "colours=photo,match", "--original-colors"]].concat()),
    ];
    for (needle, words) in cases {
        let complaints = workshop.complaints_about_refusal(workshop.command(&words), 2, needle);
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}
