//! Photos as they are, as a user has it: transparency, 16 bits, EXIF data.

use impasto::Picture;
use impasto::disk::RealDisk;
use impasto::picture::alpha::Alpha;
use impasto::read::{ReadLimits, ReadPicture, read_picture};
use impasto::write::{Carried, WriteOptions, write_carrying, write_picture};

use crate::workshop::{QUICK, Workshop, paint_arguments};

fn read(workshop: &Workshop, name: &str) -> ReadPicture {
    let limits = ReadLimits { keeps_transparency: true, ..ReadLimits::default() };
    read_picture(&workshop.path(name), &limits).unwrap()
}

/// A disc on nothing, `disc.png`.
fn draw_disc(workshop: &Workshop) -> Alpha {
    let (width, height) = (40, 30);
    let within = |place: usize| ((place % width) as f32 - 20.0).hypot((place / width) as f32 - 15.0) < 11.0;
    let alphas = (0..width * height).map(|place| if within(place) { 255.0 } else { 0.0 }).collect();
    let alpha = Alpha::new(width, height, alphas).unwrap();
    let values = (0..3 * width * height)
        .map(|place| if within(place % (width * height)) { (place * 7 % 200) as f32 } else { 0.0 });
    let picture = Picture::new(width, height, values.collect()).unwrap();
    let carried = Carried { alpha: Some(&alpha), ..Carried::default() };
    write_carrying(&RealDisk, &workshop.path("disc.png"), &picture, WriteOptions::default(), &carried).unwrap();
    alpha
}

fn paint<'words>(photo: &'words str, output: &'words str, more: &[&'words str]) -> Vec<&'words str> {
    let mut words = paint_arguments(output, more);
    words[1] = photo;
    words
}

#[test]
fn a_transparent_photo_gives_a_transparent_picture() {
    let workshop = Workshop::new();
    let alpha = draw_disc(&workshop).resized(32, 24).unwrap();
    let expected = alpha.to_bits8();
    for name in ["out.png", "out.webp", "out.tif"] {
        let output = workshop.run(&paint("disc.png", name, &[]));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains("stay so; --transparency white"), "{said}");
        let found = read(&workshop, name).alpha.unwrap_or_else(|| panic!("{name} has no transparency"));
        assert_eq!(found.to_bits8(), expected, "{name}");
    }
    assert!(read(&workshop, "out.png").picture == read(&workshop, "out.webp").picture);
    let output = workshop.run(&paint("disc.png", "out.jpg", &[]));
    assert!(String::from_utf8(output.stderr).unwrap().contains("become white, for a JPEG has none"));
    let jpeg = read(&workshop, "out.jpg");
    assert!(jpeg.alpha.is_none() && jpeg.picture.plane(0)[0] > 245.0);
    // What is put on white is as it was before: another picture, and whole.
    workshop.succeed(&paint("disc.png", "white.png", &["--transparency", "white"]));
    assert!(read(&workshop, "white.png").alpha.is_none());
    // A recipe of before means what it meant.
    std::fs::write(workshop.path("before.json"), "{\"format\": 3}").unwrap();
    workshop.succeed(&paint("disc.png", "before.png", &["--recipe", "before.json"]));
    assert!(read(&workshop, "before.png").alpha.is_none());
    assert!(read(&workshop, "before.png").picture == read(&workshop, "white.png").picture);
    // A picture that is nothing but a texture has no photo's edges.
    let texture = ["texture", "disc.png", "-o", "texture.png", "--style-layers", "conv1_1"];
    workshop.succeed(&[&texture, &QUICK[..6]].concat());
    assert!(read(&workshop, "texture.png").alpha.is_none());
}

#[test]
fn a_run_that_is_kept_has_the_same_file() {
    let workshop = Workshop::new();
    draw_disc(&workshop);
    workshop.succeed(&paint("disc.png", "alone.png", &[]));
    workshop.succeed(&paint("disc.png", "out.png", &["--run-dir", "run", "--keep-exif"]));
    assert!(workshop.bytes("out.png") == workshop.bytes("alone.png"));
    assert!(workshop.bytes("run/result.png") == workshop.bytes("alone.png"));
    // Handed over from the run's folder, it still has what lies under its gaps.
    workshop.succeed(&["resume", "run", "-o", "again.png"]);
    assert!(workshop.bytes("again.png") == workshop.bytes("alone.png"));
}

#[test]
fn sixteen_bits_come_out_where_they_went_in() {
    let workshop = Workshop::new();
    // Values that 8 bits do not have; the first evaluation is of the photo itself.
    let ramp: Vec<f32> = (0..64 * 4).map(|place| 100.0 + (place % 64) as f32 / 16.0).collect();
    let picture = Picture::new(64, 4, ramp.repeat(3)).unwrap();
    let options = WriteOptions { bits: 16, jpeg_quality: 92 };
    write_picture(&RealDisk, &workshop.path("ramp.png"), &picture, options, None).unwrap();
    let levels = |name: &str| {
        let samples = read(&workshop, name).picture.to_rgb16();
        samples[..3 * 64].iter().step_by(3).collect::<std::collections::BTreeSet<_>>().len()
    };
    for (output, depth, expected) in [
        ("16.png", "16", 64),
        ("auto.png", "auto", 64),
        ("auto.tif", "auto", 64),
        ("8.png", "8", 5),
        ("auto.webp", "auto", 5),
    ] {
        workshop.succeed(&paint("ramp.png", output, &["--size", "64", "--iterations", "1", "--depth", depth]));
        assert_eq!(levels(output), expected, "{output}");
    }
    workshop.succeed(&paint("photo.png", "8-auto.png", &["--depth", "auto"]));
    assert_eq!(read(&workshop, "8-auto.png").bits, 8);
    // A folder's result is a PNG: with a JPEG beside it both have 8 bits.
    workshop.succeed(&paint("ramp.png", "ramp.jpg", &["--run-dir", "run", "--depth", "auto"]));
    assert_eq!(read(&workshop, "run/result.png").bits, 8);
}

/// An EXIF block of a maker's name, ISO 400, and a place of one letter.
const EXIF: &[u8] = b"II*\0\x08\0\0\0\x03\0\x0f\x01\x02\0\x07\0\0\0\x32\0\0\0\x69\x87\x04\0\x01\0\0\0\x3a\0\0\0\x25\x88\x04\0\x01\0\0\0\x4c\0\0\0\
\0\0\0\0Kamera\0\0\x01\0\x27\x88\x03\0\x01\0\0\0\x90\x01\0\0\0\0\0\0\x01\0\x01\0\x02\0\x02\0\0\0N\0\0\0\0\0\0\0";

#[test]
fn exif_data_are_kept_where_that_is_asked_for_and_the_place_by_its_own_word() {
    let workshop = Workshop::new();
    // photo.jpg with an APP1 segment behind its first marker.
    workshop.draw("plain.jpg", 40, 30, 1);
    let plain = workshop.bytes("plain.jpg");
    let length = (EXIF.len() as u16 + 8).to_be_bytes();
    std::fs::write(
        workshop.path("photo.jpg"),
        [&plain[..2], b"\xff\xe1", &length, b"Exif\0\0", EXIF, &plain[2..]].concat(),
    )
    .unwrap();
    assert!(read(&workshop, "photo.jpg").exif.has_place());
    for output in ["out.png", "out.jpg", "out.webp", "out.tif"] {
        let exif = |more: &[&str]| {
            workshop.succeed(&paint("photo.jpg", output, more));
            read(&workshop, output).exif
        };
        assert!(exif(&[]).is_empty(), "{output}");
        let kept = exif(&["--keep-exif"]);
        assert!(!kept.is_empty() && !kept.has_place(), "{output}");
        assert_eq!(exif(&["--keep-exif=place"]), read(&workshop, "photo.jpg").exif, "{output}");
    }
    let output = workshop.run(&paint("photo.png", "none.png", &["--keep-exif"]));
    assert!(String::from_utf8(output.stderr).unwrap().contains("photo.png: it has no EXIF data to keep"));
    // A run remembers it, and is another without it.
    let words = paint("photo.jpg", "out.png", &["--run-dir", "run", "--keep-exif"]);
    workshop.succeed(&words);
    assert!(!read(&workshop, "run/result.png").exif.is_empty());
    assert!(String::from_utf8(workshop.bytes("run/run.json")).unwrap().contains("\"exif\": \"camera\""));
}
