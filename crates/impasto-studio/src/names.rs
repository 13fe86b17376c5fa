//! Identifiers, and names of files: what a client says never becomes a path.

use std::fmt;

use impasto::digest::sha256;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// Hexadecimal digits of a run's identifier.
const RUN_DIGITS: usize = 16;

/// Letters of a file's name before its extension.
const STEM_LETTERS: usize = 60;

/// The SHA-256 of a picture's or a mask's bytes, 64 lower-case hexadecimal digits: its identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct Digest(String);

/// A run's identifier, 16 lower-case hexadecimal digits: the beginning of the SHA-256 of its folder's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct RunId(String);

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(sha256(bytes))
    }

    /// What a client said.
    ///
    /// # Errors
    /// It is no identifier; then there is nothing of it.
    pub fn parse(text: &str) -> Result<Digest, Problem> {
        match is_hexadecimal(text, 64) {
            true => Ok(Digest(text.to_owned())),
            false => Err(Problem::missing("there is no image of this identifier; send it to /api/images first")),
        }
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RunId {
    /// Of the run in a folder of this name.
    pub fn of(folder_name: &str) -> RunId {
        RunId(sha256(folder_name.as_bytes())[..RUN_DIGITS].to_owned())
    }

    /// What a client said.
    ///
    /// # Errors
    /// It is no identifier; then there is nothing of it.
    pub fn parse(text: &str) -> Result<RunId, Problem> {
        match is_hexadecimal(text, RUN_DIGITS) {
            true => Ok(RunId(text.to_owned())),
            false => Err(no_run()),
        }
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// There is no such run.
pub fn no_run() -> Problem {
    Problem::missing("there is no run of this identifier; /api/runs lists them")
}

fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|letter| matches!(letter, b'0'..=b'9' | b'a'..=b'f'))
}

/// The name of a file without its folder and its extension, of letters and digits that every system takes; `other` where nothing
/// is left of it.
pub fn plain_stem(name: &str, other: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    };
    let plain = stem.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' });
    let plain: String = plain.take(STEM_LETTERS).collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    match parts.join("-") {
        stem if stem.is_empty() => other.to_owned(),
        stem if is_reserved(&stem) => format!("{stem}-{other}"),
        stem => stem,
    }
}

/// Whether Windows keeps a name for itself.
fn is_reserved(stem: &str) -> bool {
    let stem = stem.to_ascii_lowercase();
    let has_number = |start: &str| stem.strip_prefix(start).is_some_and(|rest| rest.chars().count() == 1);
    ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || has_number("com") || has_number("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        for (name, stem) in [
            ("photo.jpg", "photo"),
            ("../../etc/passwd", "passwd"),
            ("C:\\photos\\Größe 1.JPG", "Größe-1"),
            ("..", "image"),
            ("", "image"),
            (".png", "png"),
            ("a\0b\n.png", "a-b"),
            ("con.png", "con-image"),
            ("LPT1", "LPT1-image"),
            ("compass.png", "compass"),
        ] {
            assert_eq!(plain_stem(name, "image"), stem, "{name:?}");
        }
        assert_eq!(plain_stem(&"x".repeat(500), "image").len(), STEM_LETTERS);
    }

    #[test]
    fn identifiers_are_digits_alone() {
        let run = RunId::of("photo-painting");
        assert_eq!(RunId::parse(run.as_str()), Ok(run.clone()));
        let digest = Digest::of(b"abc");
        assert_eq!(Digest::parse(digest.as_str()), Ok(digest.clone()));
        for wrong in ["", "..", "../0123456789abc", "0123456789ABCDEF", "0123456789abcde", "0123456789abcdefg"] {
            assert!(RunId::parse(wrong).is_err() && Digest::parse(wrong).is_err(), "{wrong}");
        }
    }
}
