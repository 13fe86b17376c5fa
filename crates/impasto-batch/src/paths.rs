//! Paths of files as tasks have them: from the batch's folder where both lie in one tree, so that the tree may be mounted elsewhere,
//! else absolute; with `/` everywhere.

use std::path::{Component, Path, PathBuf};

use impasto_job::Failure;

/// The path with every folder that is there by its real name. The file itself keeps its name, link or not.
pub fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let Some(folder) = path.parent() else { return path };
    let mut above = folder;
    loop {
        if let Ok(real) = above.canonicalize() {
            let rest = path.strip_prefix(above).unwrap_or(&path);
            return real.join(rest);
        }
        match above.parent() {
            Some(parent) => above = parent,
            None => return path,
        }
    }
}

/// A file as a task of the batch in `root` names it; both by [`real`].
///
/// # Errors
/// A name that is no text in UTF-8.
pub fn to_text(root: &Path, file: &Path) -> Result<String, Failure> {
    let (ours, theirs): (Vec<_>, Vec<_>) = (root.components().collect(), file.components().collect());
    let common = ours.iter().zip(&theirs).take_while(|(one, other)| one == other).count();
    let is_one_tree = ours[..common].iter().any(|part| matches!(part, Component::Normal(_)));
    let up = ours[common..].iter().map(|_| Component::ParentDir);
    let from_root: PathBuf = up.chain(theirs[common..].iter().copied()).collect();
    let path = if is_one_tree { from_root.as_path() } else { file };
    let text = path.to_str().ok_or_else(|| {
        Failure::usage(format_args!(
            "{} has a name that is no text in UTF-8, which a list of tasks cannot hold; give it another name",
            file.display()
        ))
    })?;
    Ok(if std::path::MAIN_SEPARATOR == '\\' { text.replace('\\', "/") } else { text.to_owned() })
}

/// The file that a task of the batch in `root` names.
pub fn from_text(root: &Path, text: &str) -> PathBuf {
    root.join(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn files_of_one_tree_are_named_from_the_folder() {
        let text = |root: &str, file: &str| to_text(Path::new(root), Path::new(file)).unwrap();
        assert_eq!(text("/data/batch", "/data/photos/a.png"), "../photos/a.png");
        assert_eq!(text("/data/batch", "/data/batch/in/a.png"), "in/a.png");
        assert_eq!(text("/tmp/batch", "/home/a.png"), "/home/a.png");
        assert_eq!(from_text(Path::new("/data/batch"), "../photos/a.png"), Path::new("/data/batch/../photos/a.png"));
        assert_eq!(from_text(Path::new("/data/batch"), "/home/a.png"), Path::new("/home/a.png"));
        use std::os::unix::ffi::OsStrExt;
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"/data/\xff.png"));
        assert!(to_text(Path::new("/data/batch"), odd).unwrap_err().sentence.contains("UTF-8"));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_real_as_far_as_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let real_root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real_root.join("there")).unwrap();
        std::os::unix::fs::symlink(real_root.join("there"), real_root.join("link")).unwrap();
        assert_eq!(real(&real_root.join("link/a/b.png")), real_root.join("there/a/b.png"));
        assert_eq!(real(&real_root.join("link")), real_root.join("link"));
    }
}
