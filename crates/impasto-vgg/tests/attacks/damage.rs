//! The files of the real libraries, cut at every byte and flipped at every byte: a sentence, or weights that are finite.

use std::fs;
use std::path::Path;

use crate::{fault_of_sentence, read, read_within_limits};

/// The files that `scripts/make_weight_files.py` made, by name.
fn library_files() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/weights");
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("readable").path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 20, "the files are there");
    files
}

/// Reads a damaged file: what comes out is finite weights or a sentence.
fn check(name: &str, damage: &str, bytes: &[u8]) {
    let (outcome, fault) = read_within_limits(bytes);
    assert_eq!(fault, None, "{name}, {damage}");
    match outcome {
        Ok(file) => {
            for convolution in &file.convolutions {
                let finite = convolution.kernel().iter().chain(&convolution.bias).all(|value| value.is_finite());
                assert!(finite, "{name}, {damage}: not finite");
            }
        }
        Err(error) => {
            let sentence = error.to_string();
            assert_eq!(fault_of_sentence(&sentence), None, "{name}, {damage}: {sentence}");
        }
    }
}

#[test]
fn files_that_are_cut_anywhere() {
    for (name, bytes) in library_files() {
        let whole = read(&bytes).unwrap_or_else(|error| panic!("{name} {error}"));
        for len in 0..bytes.len() {
            match read_within_limits(&bytes[..len]).0 {
                Err(error) => assert_eq!(fault_of_sentence(&error.to_string()), None, "{name} cut at {len}"),
                // An HDF5 file may end in unused space, a MATLAB file after any variable; the kernels are all there.
                Ok(cut) => {
                    assert!(name.ends_with(".h5") || name.ends_with(".mat"), "{name} cut at {len} was read");
                    for (cut, whole) in cut.convolutions.iter().zip(&whole.convolutions) {
                        assert_eq!(cut.kernel(), whole.kernel(), "{name} cut at {len}");
                    }
                }
            }
        }
    }
}

/// Places in a file that say something: not in the middle of a run of zeros, of which HDF5 files are full.
fn places(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    (0..bytes.len()).filter(|&at| bytes[at.saturating_sub(7)..(at + 8).min(bytes.len())].iter().any(|&byte| byte != 0))
}

#[test]
fn files_with_any_byte_changed() {
    for (name, mut bytes) in library_files() {
        for at in places(&bytes.clone()) {
            let original = bytes[at];
            for changed in [original ^ 0x01, original ^ 0x80, 0xff] {
                bytes[at] = changed;
                check(&name, &format!("byte {at} is {changed:#04x}"), &bytes);
            }
            bytes[at] = original;
        }
    }
}

/// Length fields are two, four or eight bytes wide: runs of ones and of zeros over them.
#[test]
fn files_with_any_word_at_its_extremes() {
    for (name, bytes) in library_files() {
        for (width, fill) in [(4, 0x00), (4, 0x7f), (8, 0x7f), (8, 0xff)] {
            for at in places(&bytes).filter(|at| at % 2 == 0 && at + width <= bytes.len()) {
                let mut damaged = bytes.clone();
                damaged[at..at + width].fill(fill);
                check(&name, &format!("{width} bytes at {at} are {fill:#04x}"), &damaged);
            }
        }
    }
}
