//! Words of commands that people copy.

use std::path::Path;

/// A path, or another word, as a shell takes it for one word and no option.
///
/// ```
/// use impasto_job::shell::quoted;
/// assert_eq!(quoted("runs/town-1"), "runs/town-1");
/// assert_eq!(quoted("-rf"), "./-rf");
/// # #[cfg(unix)]
/// assert_eq!(quoted("50% done"), "'50% done'");
/// ```
#[must_use]
pub fn quoted(word: impl AsRef<Path>) -> String {
    let word = word.as_ref().display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
    let is_plain = |letter: char| is_plain(letter) || cfg!(windows) && "\\:".contains(letter);
    let word = if word.starts_with('-') { format!("./{word}") } else { word };
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        // No file has such marks in its name there.
        false if cfg!(windows) => format!("\"{word}\""),
        // Between these nothing means anything but the mark itself.
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn words_are_a_shell_s() {
        assert_eq!(quoted("photo.jpg"), "photo.jpg");
        assert_eq!(quoted("my photo.jpg"), "'my photo.jpg'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("$(reboot).png"), "'$(reboot).png'");
        assert_eq!(quoted("-rf"), "./-rf");
        assert_eq!(quoted("-r f"), "'./-r f'");
        assert_eq!(quoted(""), "''");
    }
}
