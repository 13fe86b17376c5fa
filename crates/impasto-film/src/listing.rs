//! The frames in a folder, in their order.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use impasto_job::Failure;

/// Ends of names that frames have.
const PICTURES: [&str; 8] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "gif"];

/// The pictures of a folder, in the order of their names, numbers by their value. Hidden ones are none.
///
/// # Errors
/// A folder that cannot be listed.
pub fn frames_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unread = |error: std::io::Error| Failure::file(folder, format_args!("cannot be read ({error})"));
    let mut frames = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if PICTURES.contains(&extension.as_str()) && !is_hidden {
            frames.push(path);
        }
    }
    frames.sort_by(|one, other| by_names(&one.to_string_lossy(), &other.to_string_lossy()));
    Ok(frames)
}

/// The order of names: letter by letter, but runs of digits by their value.
fn by_names(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.chars().peekable(), other.chars().peekable());
    loop {
        match (one.peek().copied(), other.peek().copied()) {
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let number = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>| {
                    let mut digits = String::new();
                    while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                        digits.push(digit);
                    }
                    digits.trim_start_matches('0').to_owned()
                };
                let (a, b) = (number(&mut one), number(&mut other));
                match a.len().cmp(&b.len()).then_with(|| a.cmp(&b)) {
                    Ordering::Equal => {}
                    unequal => return unequal,
                }
            }
            (a, b) if a == b && a.is_some() => {
                one.next();
                other.next();
            }
            (a, b) => return a.cmp(&b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_by_their_value() {
        let mut names = ["f10.png", "f9.png", "f009b.png", "f1.png", "e2.png"];
        names.sort_by(|one, other| by_names(one, other));
        assert_eq!(names, ["e2.png", "f1.png", "f9.png", "f009b.png", "f10.png"]);
    }
}
