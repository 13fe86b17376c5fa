//! Writing pictures: round trips, the colour tag, the recipe that travels along, what is refused before work.

use std::path::Path;

use impasto::disk::RealDisk;
use impasto::picture::Picture;
use impasto::read::{ReadError, ReadLimits, read_picture, read_recipe};
use impasto::write::{OutputFormat, WriteError, WriteOptions, encode_picture, sidecar_path, write_picture};

fn worst_difference(picture: &Picture, expected: &Picture) -> f32 {
    assert_eq!((picture.width, picture.height), (expected.width, expected.height));
    let pairs = picture.values.iter().zip(&expected.values);
    pairs.map(|(value, expected)| (value - expected).abs()).fold(0.0, f32::max)
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = r#"{"preset":"authors","note":"Öl auf Leinwand"}"#;
    // Values between the steps, and beyond the range.
    let values = (0..3 * 31 * 17).map(|index| index as f32 * 0.173 - 3.0).collect();
    let picture = Picture::new(31, 17, values).unwrap();
    let rounded = Picture::from_rgb8(31, 17, &picture.to_rgb8()).unwrap();
    for (name, bits, tolerance) in [
        ("a.png", 8, 0.0),
        ("b.png", 16, 0.0),
        ("c.tif", 8, 0.0),
        ("d.TIFF", 16, 0.0),
        ("e.webp", 8, 0.0),
        ("f.jpg", 8, 12.0),
    ] {
        let path = folder.path().join(name);
        let options = WriteOptions { bits, jpeg_quality: 100 };
        write_picture(&RealDisk, &path, &picture, options, Some(recipe)).unwrap();
        let read = read_picture(&path, &ReadLimits::default()).unwrap();
        assert!(read.notes.is_empty(), "{name}: {:?}", read.notes);
        if bits == 16 {
            assert_eq!(read.picture.to_rgb16(), picture.to_rgb16(), "{name}");
        } else {
            let worst = worst_difference(&read.picture, &rounded);
            assert!(worst <= tolerance, "{name}: {worst}");
        }
        assert_eq!(read_recipe(&path).unwrap(), recipe, "{name}");
        assert_eq!(sidecar_path(&path).exists(), !name.ends_with("png"), "{name}");
        // The same picture is the same bytes: nothing tells when it was written.
        let format = OutputFormat::from_path(&path).unwrap();
        let again = encode_picture(&picture, format, options, Some(recipe)).unwrap();
        assert_eq!(again, std::fs::read(&path).unwrap(), "{name}");
    }
    // A picture without a recipe takes away the sidecar of the one that it replaces.
    let path = folder.path().join("f.jpg");
    write_picture(&RealDisk, &path, &picture, WriteOptions::default(), None).unwrap();
    assert!(!sidecar_path(&path).exists());
    assert!(matches!(read_recipe(&path), Err(ReadError::NoRecipe { .. })));
    // No temporary file is left.
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with('.')));
}

#[test]
fn written_files_say_that_they_are_srgb() {
    let picture = Picture::filled(4, 4, [10.0, 20.0, 30.0]).unwrap();
    let encode = |format| encode_picture(&picture, format, WriteOptions::default(), None).unwrap();
    let png = encode(OutputFormat::Png);
    assert!(png.windows(4).any(|name| name == b"sRGB"));
    for format in [OutputFormat::Jpeg, OutputFormat::WebP, OutputFormat::Tiff] {
        // An ICC profile has "acsp" at its byte 36; its description names sRGB in UTF-16.
        let bytes = encode(format);
        let name: Vec<u8> = "sRGB".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert!(bytes.windows(4).any(|word| word == b"acsp"), "{format:?}");
        assert!(bytes.windows(8).any(|word| word == name), "{format:?}");
    }
}

#[test]
fn recipes_are_found_where_other_programs_left_them() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = r#"{"size":"512"}"#;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    // Text under other names, and under this one in a chunk of another kind.
    let mut others = Vec::new();
    let mut encoder = png::Encoder::new(&mut others, 1, 1);
    encoder.add_itxt_chunk("other".into(), recipe.into()).unwrap();
    encoder.add_text_chunk("impasto".into(), recipe.into()).unwrap();
    encoder.write_header().unwrap().write_image_data(&[0]).unwrap();
    assert!(matches!(read_recipe(&write("none.png", &others)), Err(ReadError::NoRecipe { .. })));
    // Compressed, and behind the pixels.
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0; 3]).unwrap();
    let mut chunk = png::text_metadata::ITXtChunk::new("impasto", recipe);
    chunk.compressed = true;
    writer.write_text_chunk(&chunk).unwrap();
    writer.finish().unwrap();
    assert_eq!(read_recipe(&write("behind.png", &bytes)).unwrap(), recipe);
    // A recipe by itself.
    assert_eq!(read_recipe(&write("own.json", b" {\"size\":\"512\"}")).unwrap(), " {\"size\":\"512\"}");
    // More text than is read, compressed a thousand to one.
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    let mut bomb = png::text_metadata::ITXtChunk::new("impasto", "{".repeat((1 << 20) + 1));
    bomb.compressed = true;
    writer.write_text_chunk(&bomb).unwrap();
    writer.write_image_data(&[0; 3]).unwrap();
    writer.finish().unwrap();
    assert!(matches!(read_recipe(&write("bomb.png", &bytes)), Err(ReadError::RecipeText { .. })));
}

#[test]
fn wishes_that_no_file_can_meet_are_refused_before_work() {
    for name in ["picture", "picture.gif", "picture.heic", ".png", "picture.png.txt"] {
        let error = OutputFormat::from_path(Path::new(name)).unwrap_err().to_string();
        assert!(error.starts_with(name) && error.contains(".png, .jpg, .jpeg, .webp, .tif or .tiff"), "{error}");
    }
    let options = |bits, jpeg_quality| WriteOptions { bits, jpeg_quality };
    let refused = |format: OutputFormat, width, options| format.check(width, 10, options).unwrap_err();
    assert!(matches!(refused(OutputFormat::Jpeg, 10, options(16, 90)), WriteError::Bits { .. }));
    assert!(matches!(refused(OutputFormat::Png, 10, options(12, 90)), WriteError::Bits { .. }));
    assert!(matches!(refused(OutputFormat::Jpeg, 10, options(8, 0)), WriteError::Quality { .. }));
    assert!(matches!(refused(OutputFormat::Jpeg, 10, options(8, 101)), WriteError::Quality { .. }));
    assert!(matches!(refused(OutputFormat::WebP, 16_384, options(8, 90)), WriteError::Size { .. }));
    assert!(matches!(refused(OutputFormat::Jpeg, 65_536, options(8, 90)), WriteError::Size { .. }));
    assert!(OutputFormat::Png.check(100_000, 10, options(16, 90)).is_ok());
}
