//! What holds for every image that a job reads: the name of its copy, that it is what it was, that there is something to see in it.

use std::path::Path;

use impasto::picture::Picture;
use impasto::run_folder::Input;

use crate::failure::Failure;

/// The least width and height of an image that is painted, or painted from, in pixels.
const LEAST_SIDE_PX: usize = 2;

/// Letters of an extension that a copy keeps.
const EXTENSION_LIMIT: usize = 5;

/// `content` and `Photo.JPG` make `content.jpg`.
pub(super) fn copy_name(role: &str, path: &Path) -> String {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let is_plain = |it: &String| it.len() <= EXTENSION_LIMIT && it.chars().all(|letter| letter.is_ascii_alphanumeric());
    match extension.filter(is_plain) {
        Some(extension) => format!("{role}.{extension}"),
        None => role.to_owned(),
    }
}

/// A run goes on with the very files that it began with.
pub(super) fn demand_same(path: &Path, sha256: &str, expected: &Input) -> Result<(), Failure> {
    match sha256 == expected.sha256 {
        true => Ok(()),
        false => Err(Failure::file(
            path,
            format_args!(
                "has changed since the run began; put the {} back whose SHA-256 is {}",
                expected.name, expected.sha256
            ),
        )),
    }
}

/// An image of one row or column has neither drawing nor texture: it was given by mistake.
pub(super) fn check_drawing(path: &Path, picture: &Picture) -> Result<(), Failure> {
    if picture.width.min(picture.height) >= LEAST_SIDE_PX {
        return Ok(());
    }
    let size = format!("{} x {}", picture.width, picture.height);
    Err(Failure::file(path, format_args!("has {size} pixels, too few to see anything in; give a larger image")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_a_plain_extension() {
        assert_eq!(copy_name("content", Path::new("a/Photo of.JPG")), "content.jpg");
        assert_eq!(copy_name("style-1", Path::new("painting")), "style-1");
        assert_eq!(copy_name("start", Path::new("a.p/b.x y")), "start");
        assert_eq!(copy_name("start", Path::new("a.waytoolong")), "start");
    }
}
