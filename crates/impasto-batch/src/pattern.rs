//! Wildcards, for shells that leave them to the program: `*` for any letters, `?` for one, in any part of a path.

use std::path::{Component, Path, PathBuf};

/// Whether a path has wildcards.
pub fn has_wildcards(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?'])
}

/// The files and folders that a path with wildcards means, in the order of their names. Names that begin with a point are meant only
/// where the pattern begins so.
pub fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let text = part.as_os_str().to_string_lossy();
        found = match part {
            Component::Normal(_) if text.contains(['*', '?']) => {
                found.iter().flat_map(|folder| matching_in(folder, &text)).collect()
            }
            part => found.into_iter().map(|path| path.join(part)).filter(|path| path.exists()).collect(),
        };
    }
    found
}

fn matching_in(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let pattern: Vec<char> = pattern.chars().collect();
    let entries = std::fs::read_dir(listed).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name())
        .filter(|name| {
            let name: Vec<char> = name.to_string_lossy().chars().collect();
            matches(&pattern, &name) && (name.first() != Some(&'.') || pattern.first() == Some(&'.'))
        })
        .collect();
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// Whether a name is of a pattern. Of several stars only the last is tried again, which is enough.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut place, mut at, mut star) = (0, 0, None);
    while at < name.len() {
        match pattern.get(place) {
            Some('*') => {
                star = Some((place, at));
                place += 1;
            }
            Some(letter) if *letter == '?' || *letter == name[at] => (place, at) = (place + 1, at + 1),
            _ => match star {
                Some((of_star, taken)) => {
                    star = Some((of_star, taken + 1));
                    (place, at) = (of_star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[place..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_patterns() {
        let is = |pattern: &str, name: &str| {
            matches(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
        };
        for (pattern, name) in [
            ("*.png", "a.png"),
            ("a*b*c", "a-b-b-c"),
            ("?.png", "\u{e4}.png"),
            ("*", ""),
            ("**a", "bca"),
            ("a?c*", "abc"),
        ] {
            assert!(is(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.png", "a.jpg"), ("?", ""), ("?", "ab"), ("a*b", "acd"), ("", "a")] {
            assert!(!is(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_reach_through_folders() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one/a.png", "two/b.png", "two/.c.png", "two/d.jpg"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "a").unwrap();
        }
        let found = matching(&folder.path().join("*/*.png"));
        assert_eq!(found, ["one/a.png", "two/b.png"].map(|name| folder.path().join(name)));
        assert!(matching(&folder.path().join("three/*.png")).is_empty());
    }
}
