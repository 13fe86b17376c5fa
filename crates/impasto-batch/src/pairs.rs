//! Which photo is painted after which painting.

use std::path::{Path, PathBuf};

use impasto::disk::read_file;
use impasto_job::Failure;

use crate::csv::rows;
use crate::tasks::MOST_TASKS;

/// The longest list of pairs that is read, in MiB.
const LIST_LIMIT_MIB: u64 = 64;

/// A photo and the paintings that it is painted after, together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The photo.
    pub content: PathBuf,
    /// The paintings, mixed in one picture.
    pub styles: Vec<PathBuf>,
}

/// How photos and paintings go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Each photo after each painting.
    All,
    /// The first after the first, the second after the second.
    Zip,
}

/// The pairs of photos and paintings, photo by photo.
///
/// # Errors
/// Counts that differ where they may not; more pairs than a batch may have.
pub fn pairs(photos: &[PathBuf], paintings: &[PathBuf], pairing: Pairing) -> Result<Vec<Pair>, Failure> {
    let pair = |content: &PathBuf, style: &PathBuf| Pair { content: content.clone(), styles: vec![style.clone()] };
    let (content, styles) = (photos.len(), paintings.len());
    match pairing {
        Pairing::Zip if content != styles => Err(Failure::usage(format_args!(
            "--pairs zip needs as many paintings as photos, and there are {content} photos and {styles} paintings"
        ))),
        Pairing::Zip => check_count(content)
            .map(|()| photos.iter().zip(paintings).map(|(content, style)| pair(content, style)).collect()),
        Pairing::All => {
            check_count(content.saturating_mul(styles))?;
            let of_photo = |content| paintings.iter().map(move |style| pair(content, style));
            Ok(photos.iter().flat_map(of_photo).collect())
        }
    }
}

/// The pairs of a list in CSV: a photo, then the paintings that it is painted after, files from the list's folder on. A first line
/// `photo,painting` is a heading.
///
/// # Errors
/// A list that cannot be read; a row that is wrong, by its line.
pub fn pairs_of_list(list: &Path) -> Result<Vec<Pair>, Failure> {
    let wrong = |what: String| Failure::usage(format_args!("--pairs {}: {what}", list.display()));
    let bytes = read_file(list, LIST_LIMIT_MIB).map_err(Failure::usage)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is no text in UTF-8; save it as such".to_owned()))?;
    let mut rows = rows(&text).map_err(wrong)?;
    let is_heading = |fields: &[String]| {
        let (photo, painting) = (fields.first().map(|it| it.trim()), fields.get(1).map(|it| it.trim()));
        photo.is_some_and(|it| it.eq_ignore_ascii_case("photo"))
            && painting.is_some_and(|it| it.eq_ignore_ascii_case("painting"))
    };
    if rows.first().is_some_and(|(_, fields)| is_heading(fields)) {
        rows.remove(0);
    }
    if rows.is_empty() {
        return Err(wrong("it has no pair; write a line PHOTO,PAINTING each".to_owned()));
    }
    check_count(rows.len())?;
    let folder = list.parent().unwrap_or(Path::new(""));
    let pair = |(line, fields): (usize, Vec<String>)| {
        let mut files = fields.iter().map(|field| field.trim()).map(|field| match field.is_empty() {
            true => None,
            false => Some(folder.join(field)),
        });
        let content = files.next().flatten().ok_or_else(|| wrong(format!("line {line} has no photo; write one")))?;
        // A table has as many columns as its longest row.
        let styles: Vec<PathBuf> = files.flatten().collect();
        for file in std::iter::once(&content).chain(&styles) {
            if !file.is_file() {
                return Err(wrong(format!("line {line} names {}, which is no file", file.display())));
            }
        }
        match styles.is_empty() {
            true => Err(wrong(format!("line {line} has no painting; write one behind the photo"))),
            false => Ok(Pair { content, styles }),
        }
    };
    rows.into_iter().map(pair).collect()
}

/// Whether a batch may have so many tasks.
///
/// # Errors
/// None, or more than it may.
pub fn check_count(count: usize) -> Result<(), Failure> {
    match count {
        0 => Err(Failure::usage("there is no pair to paint; name photos, or films, and paintings")),
        1..=MOST_TASKS => Ok(()),
        _ => Err(Failure::usage(format_args!(
            "{count} pictures are more than the {MOST_TASKS} of a batch; make several batches of them"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    fn names(pairs: &[Pair]) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        pairs.iter().map(|pair| [&pair.content].into_iter().chain(&pair.styles).map(name).collect::<String>()).collect()
    }

    #[test]
    fn photos_go_with_paintings() {
        let (photos, paintings) = (files(&["a", "b"]), files(&["x", "y", "z"]));
        let all = pairs(&photos, &paintings, Pairing::All).unwrap();
        assert_eq!(names(&all), ["ax", "ay", "az", "bx", "by", "bz"]);
        assert_eq!(names(&pairs(&photos, &paintings[..2], Pairing::Zip).unwrap()), ["ax", "by"]);
        let said = |failure: Failure| failure.sentence;
        assert!(said(pairs(&photos, &paintings, Pairing::Zip).unwrap_err()).contains("2 photos and 3 paintings"));
        let (many, more) = (files(&["a"; 1001]), files(&["x"; 100]));
        assert!(
            said(pairs(&many, &more, Pairing::All).unwrap_err()).contains("100100 pictures are more than the 100000")
        );
        assert!(pairs(&[], &paintings, Pairing::All).is_err());
    }

    #[test]
    fn a_list_names_files_beside_itself() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "x", "y"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let list = folder.path().join("pairs.csv");
        let read = |text: &str| {
            std::fs::write(&list, text).unwrap();
            pairs_of_list(&list)
        };
        assert_eq!(names(&read("Photo,Painting,\na,x,\n\nb,x,y\n").unwrap()), ["ax", "bxy"]);
        for (text, needle) in [
            ("", "no pair"),
            ("photo,painting\n", "no pair"),
            ("a,x\nb\n", "line 2 has no painting"),
            ("a,x\n,x\n", "line 2 has no photo"),
            ("a,x\nb,z\n", "line 2 names"),
            ("a,\"x\n", "line 1 has a quote"),
        ] {
            let said = read(text).unwrap_err().sentence;
            assert!(said.contains(needle), "{needle}: {said}");
        }
    }
}
