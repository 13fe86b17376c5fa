//! Files by their names: the bare name, and whether two names are one file.

use std::path::Path;

/// The name without the folder.
#[must_use]
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Whether both are one file on disk, by whatever name.
#[must_use]
pub fn same_file(one: &Path, other: &Path) -> bool {
    match (std::fs::canonicalize(one), std::fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other || same_inode(&one, &other),
        _ => false,
    }
}

#[cfg(unix)]
fn same_inode(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |path: &Path| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    place(one).is_some() && place(one) == place(other)
}

#[cfg(not(unix))]
fn same_inode(_one: &Path, _other: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_known_by_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.png");
        std::fs::write(&file, "a").unwrap();
        let other = folder.path().join("b.png");
        std::fs::write(&other, "a").unwrap();
        assert!(same_file(&file, &folder.path().join(".").join("a.png")));
        assert!(!same_file(&file, &other));
        assert!(!same_file(&folder.path().join("c.png"), &folder.path().join("c.png")));
        #[cfg(unix)]
        {
            let (soft, hard) = (folder.path().join("soft.png"), folder.path().join("hard.png"));
            std::os::unix::fs::symlink(&file, &soft).unwrap();
            std::fs::hard_link(&file, &hard).unwrap();
            assert!(same_file(&file, &soft) && same_file(&file, &hard));
        }
    }
}
