//! The files that somebody means who names files, folders and patterns.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use impasto::disk::is_temporary;
use impasto_job::Failure;

use crate::paths::real;
use crate::pattern::{has_wildcards, matching};

/// Ends of names that images have, of kinds too that are refused by name when they are read.
const IMAGES: [&str; 21] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "webp", "tif", "tiff", "bmp", "gif", "heic", "heif", "avif", "jxl", "jp2",
    "psd", "dng", "cr2", "nef", "arw", "svg",
];

/// The files that `named` means, in the order in which they are named; those of a folder or a pattern in the order of their names. A
/// folder means the images right in it: what by its name is none is passed over, and `tell` hears it. A file that was meant twice
/// counts once, unless `keeps_twice`.
///
/// # Errors
/// What is not there, a folder or a pattern without images.
pub fn gather(named: &[PathBuf], keeps_twice: bool, tell: &mut dyn FnMut(&str)) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for name in named {
        // A file may be called so.
        if has_wildcards(name) && !name.exists() {
            let found: Vec<PathBuf> = matching(name).into_iter().filter(|path| path.is_file()).collect();
            if found.is_empty() {
                return Err(Failure::usage(format_args!("{} matches no file; check the pattern", name.display())));
            }
            files.extend(found);
        } else if name.is_dir() {
            files.extend(images_in(name, tell)?);
        } else if name.is_file() {
            files.push(name.clone());
        } else {
            let what = if name.exists() { "is no file that can be read twice" } else { "does not exist" };
            return Err(Failure::usage(format_args!("{} {what}; name files or folders of images", name.display())));
        }
    }
    if !keeps_twice {
        let mut seen = BTreeSet::new();
        files.retain(|file| seen.insert(real(file)));
    }
    Ok(files)
}

/// The images right in a folder.
fn images_in(folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<Vec<PathBuf>, Failure> {
    let unreadable =
        |error| Failure::failed(format_args!("the folder {} cannot be listed ({error}); check it", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(unreadable)?.flatten().map(|entry| entry.path());
    let is_hidden = |name: &str| name.starts_with('.') || is_temporary(name);
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.is_file() && !path.file_name().is_some_and(|name| is_hidden(&name.to_string_lossy())))
        .collect();
    files.sort();
    let (images, others): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|path| is_image_by_name(path));
    if images.is_empty() {
        return Err(Failure::usage(format_args!("the folder {} has no images in it; name another", folder.display())));
    }
    if let [first, rest @ ..] = others.as_slice() {
        let rest = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        tell(&format!("{}{rest} are passed over, for by their names they are no images", first.display()));
    }
    Ok(images)
}

fn is_image_by_name(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| IMAGES.contains(&extension.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_patterns_and_files_are_gathered() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("empty")).unwrap();
        for name in ["b.PNG", "a.jpg", "notes.txt", ".hidden.png", "odd*.png"] {
            std::fs::write(at(name), "a").unwrap();
        }
        let mut said = Vec::new();
        let mut gathered = |named: &[PathBuf], twice: bool| {
            let files = gather(named, twice, &mut |sentence| said.push(sentence.to_owned()));
            files.map(|files| {
                files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
            })
        };
        let all: Result<Vec<String>, Failure> = gathered(&[folder.path().to_owned(), at("a.jpg")], false);
        assert_eq!(all.unwrap(), ["a.jpg", "b.PNG", "odd*.png"]);
        assert_eq!(gathered(&[at("*.jpg"), at("a.jpg")], true).unwrap(), ["a.jpg", "a.jpg"]);
        assert_eq!(gathered(&[at("odd*.png")], false).unwrap(), ["odd*.png"]);
        assert_eq!(gathered(&[at("notes.txt")], false).unwrap(), ["notes.txt"], "who names a file means it");
        for (wrong, needle) in
            [("none.png", "does not exist"), ("*.gif", "matches no file"), ("empty", "has no images")]
        {
            let failure = gathered(&[at(wrong)], false).unwrap_err();
            assert!(failure.sentence.contains(needle), "{failure}");
        }
        assert!(said.len() == 1 && said[0].contains("notes.txt are passed over"), "{said:?}");
    }
}
