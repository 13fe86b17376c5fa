//! What is read of JPEG files of every kind, against what libjpeg-turbo reads of them. `scripts/jpeg_matrix.sh` makes the files
//! and names their folder in `IMPASTO_JPEG_MATRIX`.

use std::path::Path;

use impasto::read::{ReadError, ReadLimits, decode_picture};

/// Levels of 0..=255 that a file may be off in the mean: both round, and no more.
const TOLERANCE: f64 = 0.5;

/// Width, height and RGB pixels of a PPM or PGM file as djpeg writes them: no comments, 255 levels.
fn pixels(bytes: &[u8]) -> (usize, usize, Vec<u8>) {
    let mut words = bytes.splitn(4, u8::is_ascii_whitespace);
    let mut word = || std::str::from_utf8(words.next().unwrap()).unwrap().to_owned();
    let (kind, width, height) = (word(), word().parse().unwrap(), word().parse().unwrap());
    let samples = words.next().unwrap().strip_prefix(b"255\n").unwrap();
    let rgb = if kind == "P5" { samples.iter().flat_map(|grey| [*grey; 3]).collect() } else { samples.to_vec() };
    (width, height, rgb)
}

#[test]
fn every_kind_of_jpeg_is_right_or_refused_by_name() {
    let Some(folder) = std::env::var_os("IMPASTO_JPEG_MATRIX") else {
        println!("skipped: scripts/jpeg_matrix.sh makes the files of this test");
        return;
    };
    let (mut read_right, mut refused, mut worst) = (0, 0, 0.0f64);
    let mut complaints = Vec::new();
    for entry in std::fs::read_dir(Path::new(&folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jpg") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let (width, height, expected) = pixels(&std::fs::read(path.with_extension("ppm")).unwrap());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match decode_picture(&bytes, &path, &ReadLimits::default()) {
            Ok(read) => {
                assert_eq!((read.picture.width, read.picture.height), (width, height), "{name}");
                let found = read.picture.to_rgb8();
                let sum: f64 = found.iter().zip(&expected).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
                let mean = sum / found.len() as f64;
                worst = worst.max(mean);
                read_right += 1;
                if mean > TOLERANCE || !read.notes.is_empty() {
                    complaints.push(format!("{name}: off by {mean:.2}, {:?}", read.notes));
                }
                // The same file without the marker of its end has all that it had.
                let without_end = decode_picture(&bytes[..bytes.len() - 2], &path, &ReadLimits::default());
                match without_end {
                    Ok(without_end) => {
                        let difference = without_end.picture.values.iter().zip(&read.picture.values);
                        let mean = difference.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / found.len() as f64;
                        if mean > TOLERANCE {
                            complaints.push(format!("{name}: off by {mean:.2} without its end"));
                        }
                    }
                    // An arithmetic coder leaves out the zeros at its end, so nobody knows what came last.
                    Err(ReadError::Truncated { .. }) if name.starts_with("arithmetic") => {}
                    Err(error) => complaints.push(format!("{name} without its end: {error}")),
                }
                // What ends earlier is never taken for whole.
                let cut = decode_picture(&bytes[..bytes.len() - 2 - bytes.len() / 20], &path, &ReadLimits::default());
                if cut.is_ok() {
                    complaints.push(format!("{name}: taken for whole without its last part"));
                }
            }
            Err(ReadError::Unsupported { .. }) => refused += 1,
            Err(error) => complaints.push(format!("{name}: {error}")),
        }
    }
    println!("{read_right} files read right, the worst off by {worst:.2}; {refused} refused by name");
    assert!(complaints.is_empty(), "{} wrong:\n{}", complaints.len(), complaints.join("\n"));
    assert!(read_right > 200, "only {read_right} files");
}
