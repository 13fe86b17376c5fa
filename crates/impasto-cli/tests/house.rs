//! The rules of the house that no compiler knows: where `unsafe` may stand, how long a file may be, and what readers of
//! strangers' files may not say. They look at the whole repository, so they run in it and nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

/// The files that may say `unsafe`, and why.
const UNSAFE_FILES: [(&str, &str); 8] = [
    ("crates/impasto-vgg/src/cpu/amx.rs", "tile registers"),
    ("crates/impasto-vgg/src/cpu/buffer.rs", "rows of one map, lent to several threads"),
    ("crates/impasto-vgg/src/cpu/neon.rs", "vector instructions"),
    ("crates/impasto-vgg/src/cpu/pages.rs", "slices of mapped memory"),
    ("crates/impasto-vgg/src/cpu/x86.rs", "vector instructions"),
    ("crates/impasto/tests/allocations.rs", "an allocator that notes"),
    ("crates/impasto-vgg/tests/attacks/memory.rs", "an allocator that counts"),
    ("crates/impasto-vgg/tests/guard_pages.rs", "an allocator that guards"),
];

/// The only crate that need not forbid it.
const UNSAFE_CRATE: &str = "crates/impasto-vgg";

/// Lines of a file, at most. The house wants some 400; here is where it ends.
const LENGTH_LIMIT: usize = 500;

/// Files that are longer, and why they are.
const LONG_FILES: [(&str, &str); 1] = [("crates/impasto/tests/images.rs", "formats of images, one after the other")];

/// What the readers of weights may not say: sizes go through `Size`, memory through `Budget` (`formats/budget.rs`).
const READERS: &str = "crates/impasto-vgg/src/formats";
const BANNED_IN_READERS: [&str; 9] = [
    " as usize",
    " as u64",
    "with_capacity(",
    ".reserve(",
    "reserve_exact(",
    "vec![0",
    ".read_to_end(",
    ".read_to_string(",
    "repeat(",
];
/// The one file of theirs that asks for memory, and a writer, whose input is ours.
const ALLOCATING_READERS: [&str; 2] = ["budget.rs", "write.rs"];

/// A file of Rust: its path in the repository, and its lines.
struct Source {
    path: String,
    lines: Vec<String>,
}

impl Source {
    /// Lines with their numbers, without what is said in comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().enumerate().map(|(place, line)| (place + 1, line.split("//").next().unwrap_or_default()))
    }
}

fn repository() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().ok()?;
    root.join("ARCHITECTURE.md").exists().then_some(root)
}

/// Every file of Rust in the repository; none, and a word about it, outside of one.
fn sources() -> Vec<Source> {
    let Some(root) = repository() else {
        println!("skipped: this crate does not stand in impasto's repository");
        return Vec::new();
    };
    let mut folders = vec![root.join("crates"), root.join("fuzz")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                sources.push(Source { path, lines: text.lines().map(str::to_owned).collect() });
            }
        }
    }
    assert!(sources.len() > 100, "only {} files were found", sources.len());
    sources
}

/// Whether a word stands in a line of code, outside of texts.
fn has_word(line: &str, word: &str) -> bool {
    let code: String = line.split('"').step_by(2).collect();
    code.split(|character: char| !character.is_alphanumeric() && character != '_').any(|part| part == word)
}

fn report(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn unsafe_stands_only_where_it_may_and_says_why_it_is_sound() {
    let mut complaints = Vec::new();
    for source in sources() {
        let may = UNSAFE_FILES.iter().any(|(path, _)| *path == source.path);
        for (number, _) in source.code().filter(|(_, line)| has_word(line, "unsafe")) {
            if !may {
                complaints.push(format!("{}:{number}: unsafe may not stand here", source.path));
            } else if !is_explained(&source, number) {
                complaints.push(format!("{}:{number}: no SAFETY line", source.path));
            }
        }
    }
    report(complaints);
}

/// Whether a `SAFETY:` stands above line `number`, with nothing between but comments, attributes and the beginning of the
/// same statement.
fn is_explained(source: &Source, number: usize) -> bool {
    let mut above = source.lines[..number - 1].iter().rev().map(|line| line.trim());
    let near =
        above.by_ref().take(6).take_while(|line| !line.ends_with(';') && !line.ends_with('}') && !line.is_empty());
    near.into_iter().any(|line| line.starts_with("//") && line.contains("SAFETY:"))
}

#[test]
fn every_other_crate_forbids_unsafe() {
    let mut complaints = Vec::new();
    for source in sources() {
        let is_root = source.path.ends_with("/src/lib.rs") || source.path.ends_with("/src/main.rs");
        if !is_root {
            continue;
        }
        let wanted =
            if source.path.starts_with(UNSAFE_CRATE) { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
        if !source.code().any(|(_, line)| line.trim() == wanted) {
            complaints.push(format!("{} does not say {wanted}", source.path));
        }
    }
    report(complaints);
}

#[test]
fn files_are_short_or_have_a_reason() {
    let mut complaints = Vec::new();
    for source in sources() {
        let length = source.lines.len();
        let has_reason = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        if length > LENGTH_LIMIT && !has_reason {
            complaints.push(format!("{} has {length} lines; split it by what it does", source.path));
        }
    }
    report(complaints);
}

#[test]
fn readers_of_weights_ask_for_memory_through_their_budget() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with(READERS)) {
        let may_allocate = ALLOCATING_READERS.iter().any(|name| source.path.ends_with(&format!("formats/{name}")));
        for (number, line) in source.code() {
            for banned in BANNED_IN_READERS {
                if line.contains(banned) && !may_allocate {
                    complaints.push(format!("{}:{number}: {banned}", source.path));
                }
            }
        }
    }
    report(complaints);
}

/// What the compiler does hold: the lints that the readers' folder turns into errors.
#[test]
fn readers_of_weights_refuse_unchecked_arithmetic() {
    let Some(module) = sources().into_iter().find(|source| source.path == format!("{READERS}/mod.rs")) else { return };
    let text = module.lines.join("\n");
    for lint in ["arithmetic_side_effects", "as_conversions", "indexing_slicing", "unwrap_used", "expect_used", "panic"]
    {
        assert!(text.contains(&format!("clippy::{lint}")), "{lint} is not denied");
    }
}
