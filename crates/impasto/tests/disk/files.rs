//! Single files, pictures with their recipes, and places that cannot be written.

use std::path::{Path, PathBuf};

use impasto::disk::{
    Disk, DiskError, RealDisk, check_writable, create_folder, read_file, remove_file_if_present, replace_file,
    stage_file,
};
use impasto::picture::Picture;
use impasto::write::{WriteOptions, encode_picture, sidecar_path, write_picture};

use crate::faulty::FaultyDisk;

const OLD: &[u8] = b"the old picture";

fn new_bytes() -> Vec<u8> {
    (0..200u8).collect()
}

fn target() -> PathBuf {
    PathBuf::from("folder/picture.png")
}

#[test]
fn each_failing_operation_leaves_the_old_file_or_the_new_one() {
    for for_ever in [false, true] {
        for seed in 0..200 {
            let disk = FaultyDisk::new(seed);
            disk.put(&target(), OLD);
            let fails_at = seed as usize % 20;
            disk.fail_at(fails_at, for_ever);
            let done = replace_file(&disk, &target(), &new_bytes());
            let found = disk.contents(&target()).unwrap();
            let place = format!("seed {seed}, operation {fails_at}, for ever {for_ever}: {done:?}");
            match &done {
                Ok(()) | Err(DiskError::Unconfirmed { .. }) => assert_eq!(found, new_bytes(), "{place}"),
                Err(DiskError::Unwritten { .. }) => assert_eq!(found, OLD, "{place}"),
                Err(_) => panic!("{place}"),
            }
            assert_eq!(done.is_ok(), disk.operations() <= fails_at, "{place}");
            // A disk that fails once lets the temporary file be removed.
            if !for_ever {
                assert_eq!(disk.names(), [target()], "{place}");
            }
        }
    }
}

#[test]
fn a_power_cut_leaves_the_old_file_or_the_new_one() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..20_000 {
        let disk = FaultyDisk::new(seed);
        disk.put(&target(), OLD);
        // The power goes before an operation of the seed's choice; what comes later never happens.
        let cut_at = seed as usize % 24;
        disk.fail_at(cut_at, true);
        let done = replace_file(&disk, &target(), &new_bytes());
        let found = disk.after_power_cut().contents(&target()).unwrap();
        if done.is_ok() {
            assert_eq!(found, new_bytes(), "seed {seed}: what was reported as written is not there");
        }
        if found == OLD {
            old += 1;
        } else {
            assert_eq!(found, new_bytes(), "seed {seed}: neither the old file nor the new one");
            new += 1;
        }
    }
    assert!(old > 1_000 && new > 1_000, "the test must see both: {old} old, {new} new");
}

#[test]
fn a_file_in_a_new_folder_is_not_lost_with_the_folder() {
    let path = Path::new("new/deep/picture.png");
    let (mut written, mut failed) = (0, 0);
    for seed in 0..2_000 {
        let disk = FaultyDisk::new(seed);
        disk.fail_at(seed as usize % 30, seed % 2 == 0);
        let done = create_folder(&disk, Path::new("new/deep")).and_then(|()| replace_file(&disk, path, OLD));
        let found = disk.after_power_cut().contents(path);
        assert!(found.as_deref().is_none_or(|found| found == OLD), "seed {seed}: half a file");
        match done {
            Ok(()) => assert!(found.is_some(), "seed {seed}: what was reported as written is not there"),
            Err(DiskError::FolderUnmade { .. } | DiskError::Unconfirmed { .. } | DiskError::Unwritten { .. }) => {
                failed += 1
            }
            Err(error) => panic!("seed {seed}: {error}"),
        }
        written += u32::from(found.is_some());
    }
    assert!(written > 500 && failed > 500, "the test must see both: {written}, {failed}");
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    create_folder(&RealDisk, &deep).unwrap();
    create_folder(&RealDisk, &deep).unwrap();
    assert!(deep.is_dir());
    std::fs::write(folder.path().join("file"), OLD).unwrap();
    for taken in ["file", "file/below"] {
        let made = create_folder(&RealDisk, &folder.path().join(taken));
        assert!(matches!(made, Err(DiskError::FolderUnmade { .. })), "{taken}: {made:?}");
    }
}

/// The checker is checked: a program that renames before it has confirmed the bytes is caught.
#[test]
fn the_faulty_disk_catches_a_missing_sync() {
    let broken = (0..200).any(|seed| {
        let disk = FaultyDisk::new(seed);
        disk.put(&target(), OLD);
        let temporary = PathBuf::from("folder/temporary");
        let mut file = disk.create_new(&temporary).unwrap();
        let bytes = new_bytes();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            rest = &rest[file.write(rest).unwrap_or(0)..];
        }
        disk.replace(&temporary, &target()).unwrap();
        disk.sync_folder(Path::new("folder")).unwrap();
        let found = disk.after_power_cut().contents(&target()).unwrap();
        found != OLD && found != bytes
    });
    assert!(broken);
}

#[test]
fn a_picture_never_lies_beside_the_recipe_of_another() {
    let path = PathBuf::from("folder/picture.jpg");
    let paint = |shade: f32| Picture::filled(8, 8, [shade; 3]).unwrap();
    let options = WriteOptions::default();
    let encode = |shade| {
        let format = impasto::write::OutputFormat::Jpeg;
        encode_picture(&paint(shade), format, options, None).unwrap()
    };
    let (old, new) = (encode(50.0), encode(150.0));
    for seed in 0..2_000 {
        let disk = FaultyDisk::new(seed);
        disk.put(&path, &old);
        disk.put(&sidecar_path(&path), b"{old}");
        disk.fail_at(seed as usize % 60, seed % 2 == 0);
        let done = write_picture(&disk, &path, &paint(150.0), options, Some("{new}"));
        for found in [disk.clone(), disk.after_power_cut()] {
            let picture = found.contents(&path).unwrap();
            let recipe = found.contents(&sidecar_path(&path));
            assert!(picture == old || picture == new, "seed {seed}");
            let belongs = match recipe.as_deref() {
                Some(b"{old}") => picture == old,
                Some(b"{new}") => picture == new,
                None => done.is_err(),
                Some(_) => false,
            };
            assert!(belongs, "seed {seed}: {recipe:?}");
        }
    }
}

#[test]
fn on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    replace_file(&RealDisk, &path, OLD).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), OLD);
    replace_file(&RealDisk, &path, &new_bytes()).unwrap();
    assert_eq!(read_file(&path, 1).unwrap(), new_bytes());
    replace_file(&RealDisk, &path, b"").unwrap();
    assert_eq!(read_file(&path, 1).unwrap(), b"");
    // Not committed: as if it had never been.
    drop(stage_file(&RealDisk, &path, OLD).unwrap());
    assert_eq!(read_file(&path, 1).unwrap(), b"");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    remove_file_if_present(&RealDisk, &path).unwrap();
    remove_file_if_present(&RealDisk, &path).unwrap();
    assert!(matches!(read_file(&path, 1), Err(DiskError::Missing { .. })));
    assert!(matches!(read_file(folder.path(), 1), Err(DiskError::NotAFile { .. })));
    std::fs::write(&path, vec![0; (1 << 20) + 1]).unwrap();
    assert!(matches!(read_file(&path, 1), Err(DiskError::TooLarge { limit_mib: 1, .. })));
}

#[test]
#[cfg(unix)]
fn links_stay_links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("picture.png"), folder.path().join("latest.png"));
    std::fs::write(&file, OLD).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    symlink("picture.png", &link).unwrap();
    replace_file(&RealDisk, &link, b"new").unwrap();
    assert!(link.is_symlink());
    assert_eq!(std::fs::read(&file).unwrap(), b"new");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn places_that_cannot_be_written_are_found_before_work() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    std::fs::write(inside("file"), b"").unwrap();
    check_writable(&inside("new.png"), 1 << 20).unwrap();
    check_writable(&inside("file"), 1 << 20).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    assert!(matches!(check_writable(&inside("missing/new.png"), 0), Err(DiskError::NoFolder { .. })));
    assert!(matches!(check_writable(&inside("file/new.png"), 0), Err(DiskError::NoFolder { .. })));
    assert!(matches!(check_writable(folder.path(), 0), Err(DiskError::NotAFile { .. })));
    assert!(matches!(check_writable(Path::new("/"), 0), Err(DiskError::NotAFile { .. })));
    #[cfg(unix)]
    assert!(matches!(check_writable(&inside("new.png"), u64::MAX), Err(DiskError::NoSpace { .. })));
    #[cfg(target_os = "linux")]
    {
        // Root may write almost everywhere, but nobody makes files there.
        let error = check_writable(Path::new("/proc/self/new.png"), 0).unwrap_err();
        assert!(matches!(error, DiskError::FolderUnwritable { .. }), "{error}");
        assert!(!error.to_string().contains("os error"), "{error}");
    }
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_a_living_one_holds_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    std::fs::write(inside(".impasto-999999-0.tmp"), b"half a pict").unwrap();
    std::fs::write(inside(".impasto-notes.txt"), b"the user's").unwrap();
    let staged = stage_file(&RealDisk, &inside("picture.png"), OLD).unwrap();
    check_writable(&inside("other.png"), 0).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(!names.contains(&".impasto-999999-0.tmp".to_owned()), "{names:?}");
    assert!(names.contains(&".impasto-notes.txt".to_owned()), "{names:?}");
    staged.commit().unwrap();
    assert_eq!(std::fs::read(inside("picture.png")).unwrap(), OLD);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
