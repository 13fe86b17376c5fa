//! Names of pictures: of a photo and its paintings, such that no two are one on any disk.

use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a name that are kept, so that a number and an extension have room in the 255 of most file systems.
const LIMIT_BYTES: usize = 200;

/// Names that are taken, as a disk sees them that tells no capital letters from small ones.
#[derive(Debug, Default)]
pub struct Names {
    taken: BTreeSet<String>,
    /// The number that a stem had last.
    numbers: BTreeMap<String, u64>,
}

impl Names {
    /// Takes a name with its extension; gives whether it was free.
    pub fn take(&mut self, name: &str) -> bool {
        self.taken.insert(name.to_lowercase())
    }

    /// `STEM`, or with the first number that is free, for a folder.
    pub fn give_folder(&mut self, stem: &str) -> String {
        let stem = fit(stem);
        let numbered = (2..).map(|number: u64| format!("{stem}-{number}"));
        // One of endlessly many is free.
        let free = [stem.clone()].into_iter().chain(numbered).find(|name| self.take(name));
        free.unwrap_or(stem)
    }

    /// `STEM.png`, or with the first number that is free.
    pub fn give(&mut self, stem: &str) -> String {
        let stem = fit(stem);
        let mut name = format!("{stem}.png");
        let mut number = self.numbers.get(&stem).copied().unwrap_or(1);
        while !self.take(&name) {
            number += 1;
            name = format!("{stem}-{number}.png");
        }
        self.numbers.insert(stem, number);
        name
    }
}

/// The stem, short enough, and without letters that some file systems or shells do not take.
fn fit(stem: &str) -> String {
    let is_odd = |letter: char| letter.is_control() || "/\\:*?\"<>|".contains(letter);
    let plain: String = stem.chars().map(|letter| if is_odd(letter) { '_' } else { letter }).collect();
    let end = (0..=LIMIT_BYTES.min(plain.len())).rev().find(|end| plain.is_char_boundary(*end));
    let plain = &plain[..end.unwrap_or_default()];
    // A name that begins with a point is hidden, and one that begins with a dash is taken for an option.
    match plain.starts_with(['.', '-']) || plain.is_empty() {
        true => format!("_{plain}"),
        false => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_alone_are_one() {
        let mut names = Names::default();
        let given = ["photo-waves", "Photo-Waves", "photo-waves", "\u{c4}pfel", "\u{e4}pfel", "a\nb/c", "", ".x"];
        let given = given.map(|stem| names.give(stem));
        let expected = [
            "photo-waves.png",
            "Photo-Waves-2.png",
            "photo-waves-3.png",
            "\u{c4}pfel.png",
            "\u{e4}pfel-2.png",
            "a_b_c.png",
            "_.png",
            "_.x.png",
        ];
        assert_eq!(given, expected);
        assert!(names.give(&"\u{e4}".repeat(300)).len() <= LIMIT_BYTES + 4);
        let folders = ["film", "Film", "film", "..", "photo-waves.png"].map(|stem| names.give_folder(stem));
        assert_eq!(folders, ["film", "Film-2", "film-3", "_..", "photo-waves.png-2"]);
    }
}
