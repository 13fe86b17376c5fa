//! Images that users met and that came out wrong or were refused (`tests/data/found`), with their neighbours: each has what
//! another decoder makes of it (`scripts/make_found_images.py`), or is refused by its name.

use std::path::{Path, PathBuf};

use impasto::read::{ReadError, ReadLimits, ReadPicture, decode_picture, read_picture};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/found")
}

fn read(name: &str) -> Result<ReadPicture, ReadError> {
    read_picture(&folder().join(name), &ReadLimits::default())
}

/// What is said of it, without its name.
fn notes(name: &str) -> Vec<String> {
    let start = format!("{}: ", folder().join(name).display());
    let notes = read(name).unwrap().notes;
    notes.into_iter().map(|note| note.strip_prefix(&start).unwrap().to_owned()).collect()
}

/// What is wrong with an image: its size, or a field of it whose mean is off.
fn complaint(name: &str, expected: &Value) -> Option<String> {
    let picture = match read(name) {
        Ok(read) => read.picture,
        Err(error) => return Some(error.to_string()),
    };
    let number = |key: &str| expected[key].as_f64().unwrap();
    if (picture.width as f64, picture.height as f64) != (number("width"), number("height")) {
        return Some(format!("{name} has {} x {} pixels", picture.width, picture.height));
    }
    // The fields are 4 across and 3 down, and both sides are multiples of twelve.
    let (width, height) = (picture.width / 4, picture.height / 3);
    for (place, field) in expected["fields"].as_array().unwrap().iter().enumerate() {
        let (left, top) = (place % 4 * width, place / 4 * height);
        for channel in 0..3 {
            let rows = picture.plane(channel).chunks(picture.width).skip(top).take(height);
            let sum: f64 = rows.flat_map(|row| &row[left..left + width]).map(|value| f64::from(*value)).sum();
            let (mean, right) = (sum / (width * height) as f64, field[channel].as_f64().unwrap());
            if (mean - right).abs() > number("tolerance") {
                return Some(format!("{name}: field {place}, channel {channel}: {mean:.1} for {right}"));
            }
        }
    }
    None
}

#[test]
fn found_images_are_what_other_decoders_make_of_them() {
    let values: Value = serde_json::from_slice(&std::fs::read(folder().join("values.json")).unwrap()).unwrap();
    let images = values.as_object().unwrap();
    assert!(images.len() > 25, "{}", images.len());
    let complaints: Vec<String> = images.iter().filter_map(|(name, expected)| complaint(name, expected)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn what_was_chosen_or_changed_is_said() {
    assert_eq!(notes("pages_small_first.tif"), ["it has 2 pages, and page 2, the largest, was taken"]);
    assert_eq!(notes("pages_alike.tif"), ["it has 2 pages, and the first was taken"]);
    assert_eq!(notes("page_inside.tif"), ["the largest of its pictures was taken, which is not its first page"]);
    assert_eq!(notes("gama_linear16.png"), ["its colours were converted from the gamma of its gAMA chunk (1) to sRGB"]);
    for name in ["moves.gif", "moves.png", "moves.webp"] {
        assert_eq!(notes(name), ["it is an animation, of which the first picture was taken"], "{name}");
    }
    // Copies of the picture in smaller sizes, other pictures behind it, a film behind it, an end that is missing, an
    // orientation in whichever type: no reason for a word.
    let ordinary = [
        "pyramid_big.tif",
        "two_pictures.mpo.jpg",
        "motion.jpg",
        "no_eoi.jpg",
        "no_eoi_trailer.jpg",
        "arithmetic.jpg",
        "orient6_byte.jpg",
        "orient6_long.jpg",
        "bmp24_reserved.bmp",
        "photo.png",
    ];
    for name in ordinary {
        assert_eq!(notes(name), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn raw_photos_are_refused_as_such() {
    for name in ["sensor_inside.nef", "small.dng"] {
        let error = read(name).unwrap_err();
        assert!(matches!(error, ReadError::RawPhoto { .. }), "{error}");
        assert!(error.to_string().contains(" is a raw photo; develop it first"), "{error}");
    }
    // Those that are no TIFF, and Canon's, which say so in their first bytes alone.
    let starts: [&[u8]; 6] = [
        b"FUJIFILMCCD-RAW 0201",
        b"II*\0\x10\0\0\0CR\x02\0",
        b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"II\x1a\0\0\0HEAPCCDR",
    ];
    for start in starts {
        let error = decode_picture(start, Path::new("photo.jpg"), &ReadLimits::default()).unwrap_err();
        assert!(matches!(error, ReadError::RawPhoto { .. }), "{error}");
    }
}

#[test]
fn what_is_no_image_that_is_read_is_named() {
    let refused = |bytes: &[u8]| {
        let error = decode_picture(bytes, Path::new("it"), &ReadLimits::default()).unwrap_err().to_string();
        error.strip_prefix("it is ").unwrap().split(", which impasto does not read; convert").next().unwrap().to_owned()
    };
    assert_eq!(refused(b"\0\0\0\x1cftypheix\0\0\0\0mif1heix"), "an HEIC image");
    assert_eq!(refused(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif"), "an AVIF image");
    assert_eq!(refused(b"\0\0\0\x18ftypmp42\0\0\0\0"), "a video");
    assert_eq!(refused(b"\0\0\0\x0cJXL \r\n\x87\n"), "a JPEG XL image");
    assert_eq!(refused(b"\xff\x4f\xff\x51\0\x29"), "a JPEG 2000 image");
    assert_eq!(refused(b"8BPS\0\x01"), "a Photoshop document");
    assert_eq!(refused(b"%PDF-1.7\n"), "a PDF document");
    assert_eq!(refused(b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg xmlns="), "an SVG drawing");
    assert_eq!(refused(b"<!DOCTYPE html>\n<html><head>"), "a web page, not the image on it; save the image itself");
    assert_eq!(refused(b"P6\n2 2\n255\n"), "a PNM image");
    assert_eq!(refused(b"\x76\x2f\x31\x01\x02\0\0\0"), "an OpenEXR image");
    let apple = std::fs::read(folder().join("iphone_cgbi.png")).unwrap();
    assert_eq!(refused(&apple), "a PNG of Apple's own kind (CgBI, as inside iPhone apps)");
    let error = decode_picture(b"BM is how it begins", Path::new("it"), &ReadLimits::default()).unwrap_err();
    assert!(matches!(error, ReadError::NotAnImage { .. }), "{error}");
}

/// A sound JPEG whose frame header has been given another number or other bits.
fn with_frame(marker: u8, bits: u8) -> String {
    let mut bytes = std::fs::read(folder().join("noninterleaved420.jpg")).unwrap();
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 1] = marker;
    bytes[frame + 4] = bits;
    let error = decode_picture(&bytes, Path::new("it.jpg"), &ReadLimits::default()).unwrap_err();
    assert!(matches!(error, ReadError::Unsupported { .. }), "{error}");
    error.to_string()
}

#[test]
fn kinds_of_jpeg_that_are_not_read_are_named() {
    assert!(with_frame(0xc1, 12).contains("(12 bits a sample); save it anew"));
    assert!(with_frame(0xc3, 8).contains("(lossless JPEG)"));
    assert!(with_frame(0xf7, 8).contains("(JPEG-LS)"));
    assert!(with_frame(0xc5, 8).contains("(hierarchical JPEG)"));
}

#[test]
fn a_jpeg_without_its_end_is_whole_if_all_its_rows_are_there() {
    let limits = ReadLimits::default();
    let bytes = std::fs::read(folder().join("no_eoi.jpg")).unwrap();
    let whole = decode_picture(&bytes, Path::new("it"), &limits).unwrap().picture;
    let lenient = decode_picture(&bytes, Path::new("it"), &ReadLimits { lenient: true, ..limits }).unwrap();
    assert_eq!((&lenient.picture, lenient.notes), (&whole, vec![]));
    // Two bytes less may be padding; many less are rows.
    for cut in bytes.len() - 400..bytes.len() - 2 {
        match decode_picture(&bytes[..cut], Path::new("it"), &limits) {
            Err(ReadError::Truncated { .. }) => {}
            Err(error) => panic!("{cut}: {error}"),
            Ok(read) => panic!("{cut} of {}: taken for whole, {} pixels", bytes.len(), read.picture.width),
        }
    }
    let error = read("cut.jpg").unwrap_err();
    assert!(matches!(error, ReadError::Truncated { .. }), "{error}");
}

#[test]
fn scans_without_number_are_refused() {
    // A scan more is sound: it brings the same again. Each of these takes a few bytes and all of the picture.
    let bytes = std::fs::read(folder().join("arithmetic.jpg")).unwrap();
    let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    let (start, rest) = bytes.split_at(scan);
    let header_end = 2 + usize::from(rest[3]);
    for (count, is_read) in [(3, true), (600, false)] {
        let many = [start, &rest[..header_end].repeat(count), &rest[header_end..]].concat();
        match decode_picture(&many, Path::new("it"), &ReadLimits::default()) {
            Ok(read) => assert!(is_read && read.picture.width == 96, "{count}"),
            Err(error) => assert!(!is_read && error.to_string().contains("(more than 500 scans)"), "{error}"),
        }
    }
}
