//! Files that can be written but not replaced, and places that the system forbids: asked of the system itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use impasto::disk::{DiskError, RealDisk, Way, check_writable, replace_file};
use impasto::picture::Picture;
use impasto::write::{WriteError, WriteOptions, check_picture_writable, write_picture};

const OLD: &[u8] = b"the old picture, which is longer than the new one";
const NEW: &[u8] = b"the new picture";

/// Runs a command of the system; `false`, with a message, where this user or machine may not.
fn may(words: &[&str], place: &Path) -> bool {
    let done = Command::new(words[0]).args(&words[1..]).arg(place).output();
    let done = done.is_ok_and(|output| output.status.success());
    if !done {
        println!("skipped: {} is not permitted here", words.join(" "));
    }
    done
}

/// A mount, for as long as this lives.
struct Mount(PathBuf);

impl Mount {
    fn bind(source: &Path, place: &Path) -> Option<Mount> {
        may(&["mount", "--bind", source.to_str()?], place).then(|| Mount(place.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_that_is_a_mount_of_its_own_is_written_over_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (behind, path) = (folder.path().join("behind.png"), folder.path().join("picture.png"));
    std::fs::write(&behind, OLD).unwrap();
    std::fs::write(&path, b"").unwrap();
    let Some(mount) = Mount::bind(&behind, &path) else { return };
    let way = check_writable(&path, 1 << 20).unwrap();
    assert!(matches!(&way, Way::WriteOver { reason } if reason.contains("mount")), "{way:?}");
    assert!(way.note(&path).unwrap().contains("picture.png can be written but not replaced"));
    replace_file(&RealDisk, &path, NEW).unwrap();
    assert_eq!(std::fs::read(&behind).unwrap(), NEW);
    assert_eq!(names(folder.path()), ["behind.png", "picture.png"], "nothing is left beside it");
    // A read-only one can neither be replaced nor written.
    assert!(may(&["mount", "-o", "remount,bind,ro"], &path));
    let error = check_writable(&path, 0).unwrap_err();
    assert!(matches!(error, DiskError::FileUnwritable { .. }), "{error}");
    assert!(replace_file(&RealDisk, &path, OLD).is_err());
    assert_eq!(std::fs::read(&behind).unwrap(), NEW);
    drop(mount);
    assert_eq!(check_writable(&path, 0).unwrap(), Way::Replace);
}

#[test]
fn a_writable_file_in_a_folder_that_is_not_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    std::fs::write(&path, OLD).unwrap();
    let writable = tempfile::tempdir().unwrap();
    let behind = writable.path().join("behind.png");
    std::fs::write(&behind, OLD).unwrap();
    // `docker run --read-only -v FILE:FILE`: the folder is of a read-only disk, the file of another.
    let Some(_folder) = Mount::bind(folder.path(), folder.path()) else { return };
    let Some(_file) = Mount::bind(&behind, &path) else { return };
    assert!(may(&["mount", "-o", "remount,bind,ro"], folder.path()));
    let way = check_writable(&path, 1 << 20).unwrap();
    assert!(matches!(&way, Way::WriteOver { reason } if reason.contains("Read-only")), "{way:?}");
    replace_file(&RealDisk, &path, NEW).unwrap();
    assert_eq!(std::fs::read(&behind).unwrap(), NEW);
    let error = check_writable(&folder.path().join("other.png"), 0).unwrap_err();
    assert!(matches!(error, DiskError::FolderUnwritable { .. }), "{error}");
    // Its recipe would have no place beside it.
    let picture = folder.path().join("picture.jpg");
    assert!(check_picture_writable(&picture, 0).is_err());
}

#[test]
fn an_immutable_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    std::fs::write(&path, OLD).unwrap();
    if !may(&["chattr", "+i"], &path) {
        return;
    }
    let checked = check_writable(&path, 0);
    let written = replace_file(&RealDisk, &path, NEW);
    assert!(may(&["chattr", "-i"], &path));
    assert!(matches!(checked, Err(DiskError::FileUnwritable { .. })), "{checked:?}");
    assert!(matches!(written, Err(DiskError::Unwritten { .. })), "{written:?}");
    assert_eq!(std::fs::read(&path).unwrap(), OLD);
}

#[test]
fn a_link_to_a_file_that_is_not_there_makes_it() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    std::fs::create_dir(inside("deep")).unwrap();
    symlink("deep/second.png", inside("first.png")).unwrap();
    symlink("../picture.png", inside("deep/second.png")).unwrap();
    check_writable(&inside("first.png"), 0).unwrap();
    for bytes in [OLD, NEW] {
        replace_file(&RealDisk, &inside("first.png"), bytes).unwrap();
        assert!(inside("first.png").is_symlink() && inside("deep/second.png").is_symlink());
        assert_eq!(std::fs::read(inside("picture.png")).unwrap(), bytes);
    }
    symlink("nowhere/picture.png", inside("lost.png")).unwrap();
    let error = check_writable(&inside("lost.png"), 0).unwrap_err();
    assert!(matches!(error, DiskError::NoFolder { .. }) && error.to_string().contains("nowhere"), "{error}");
    symlink("round.png", inside("round.png")).unwrap();
    let error = check_writable(&inside("round.png"), 0).unwrap_err();
    assert!(matches!(error, DiskError::FileUnwritable { .. }), "{error}");
}

#[test]
fn a_link_s_picture_has_its_recipe_by_both_names() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink("picture.jpg", inside("link.jpg")).unwrap();
    std::fs::write(inside("picture.jpg.recipe.json"), b"of another picture").unwrap();
    let picture = Picture::filled(8, 8, [90.0; 3]).unwrap();
    write_picture(&RealDisk, &inside("link.jpg"), &picture, WriteOptions::default(), Some("{new}")).unwrap();
    for name in ["link.jpg.recipe.json", "picture.jpg.recipe.json"] {
        assert_eq!(std::fs::read(inside(name)).unwrap(), b"{new}", "{name}");
    }
    assert!(inside("link.jpg").is_symlink());
}

#[test]
fn names_are_as_long_as_the_system_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let picture = Picture::filled(8, 8, [90.0; 3]).unwrap();
    for length in [230, 243, 244, 250, 255, 256, 300] {
        for (extension, longest) in [("png", 255), ("jpg", 243)] {
            let path = folder.path().join(format!("{}.{extension}", "a".repeat(length - 4)));
            let checked = check_picture_writable(&path, 0);
            let written = write_picture(&RealDisk, &path, &picture, WriteOptions::default(), Some("{}"));
            assert_eq!(checked.is_ok(), length <= longest, "{length} {extension}: {checked:?}");
            assert_eq!(written.is_ok(), length <= longest, "{length} {extension}: {written:?}");
            if let Err(error) = checked {
                let is_named = matches!(error, WriteError::Disk(DiskError::FileUnwritable { .. }));
                assert!(is_named && error.to_string().contains("File name too long"), "{error}");
            }
        }
    }
}

#[test]
fn a_disk_without_room_is_said_before() {
    let folder = tempfile::tempdir().unwrap();
    if !may(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"], folder.path()) {
        return;
    }
    let _mount = Mount(folder.path().to_owned());
    let path = folder.path().join("picture.png");
    check_writable(&path, 1 << 19).unwrap();
    let error = check_writable(&path, 3 << 20).unwrap_err();
    assert!(matches!(error, DiskError::NoSpace { needed_mib: 3, .. }), "{error}");
    assert!(names(folder.path()).is_empty());
}
