//! Files of new names, and pictures that are rescued.

use std::path::Path;

use impasto::disk::{RealDisk, free_name, write_new_file};
use impasto::picture::Picture;
use impasto::read::{ReadLimits, read_picture, read_recipe};
use impasto::rescue::rescue_picture;
use impasto::write::{Carried, WriteOptions};

use crate::faulty::FaultyDisk;

#[test]
fn a_new_file_touches_none_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    std::fs::write(inside("a.png"), b"first").unwrap();
    std::fs::write(inside("a-2.png"), b"second").unwrap();
    assert_eq!(free_name(folder.path(), "a", "png"), Some(inside("a-3.png")));
    assert_eq!(write_new_file(&RealDisk, folder.path(), "a", "png", b"third").unwrap(), inside("a-3.png"));
    for (name, bytes) in [("a.png", "first"), ("a-2.png", "second"), ("a-3.png", "third")] {
        assert_eq!(std::fs::read(inside(name)).unwrap(), bytes.as_bytes());
    }
}

#[test]
fn a_new_file_is_whole_or_not_there() {
    let (mut whole, mut none) = (0, 0);
    for seed in 0..500 {
        let disk = FaultyDisk::new(seed);
        disk.fail_at(seed as usize % 30, false);
        match write_new_file(&disk, Path::new("folder"), "a", "png", &[7; 100]) {
            Ok(path) => {
                assert_eq!(disk.contents(&path).unwrap(), [7; 100], "seed {seed}");
                whole += 1;
            }
            Err(_) => {
                assert!(disk.names().is_empty(), "seed {seed}");
                none += 1;
            }
        }
    }
    assert!(whole > 50 && none > 50, "the test must see both: {whole}, {none}");
}

#[test]
fn a_picture_is_rescued_beside_its_place_with_its_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let picture = Picture::filled(8, 6, [90.0; 3]).unwrap();
    let rescue = |name: &str| {
        rescue_picture(
            &RealDisk,
            &folder.path().join(name),
            &picture,
            WriteOptions::default(),
            &Carried { recipe: Some("{\"size\": \"8\"}"), ..Carried::default() },
        )
    };
    assert_eq!(rescue("painted.jpg"), Some(folder.path().join("painted-rescued.png")));
    let second = rescue("painted.jpg").unwrap();
    assert_eq!(second, folder.path().join("painted-rescued-2.png"));
    let read = read_picture(&second, &ReadLimits::default()).unwrap().picture;
    assert_eq!((read.width, read.height), (8, 6));
    assert!(read_recipe(&second).unwrap().contains("size"));
    let long = rescue(&format!("{}.png", "a".repeat(251))).unwrap();
    assert!(long.starts_with(folder.path()) && long.exists());
}
