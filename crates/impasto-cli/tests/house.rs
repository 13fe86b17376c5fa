//! The rules of the house that no compiler knows: where `unsafe` may stand, which folder may use which, how long a file may
//! be, and what readers of strangers' files may not say. They look at the whole repository, so they run in it and nowhere else.

#[path = "house/circles.rs"]
mod circles;

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

/// The rooms of each crate, folders and files right below `src`, with the floor that each stands on. A room may use what
/// stands on a lower floor, and nothing on its own or above; `lib.rs` and `main.rs` alone see all.
const ROOMS: [(&str, &[(&str, u8)]); 9] = [
    (
        "crates/impasto",
        &[
            ("control", 1),
            ("disk", 1),
            ("picture", 1),
            ("recipe", 1),
            ("image_file", 2),
            ("objective", 2),
            ("optimiser", 2),
            ("run", 3),
            ("selftest", 3),
            ("record", 4),
            ("weights", 4),
        ],
    ),
    (
        "crates/impasto-vgg",
        &[
            ("bfloat16", 1),
            ("layers", 1),
            ("error", 2),
            ("profile", 2),
            ("weights", 2),
            ("guides", 3),
            ("history", 3),
            ("matching", 3),
            ("formats", 3),
            ("engine", 4),
            ("fallback", 5),
            ("normalise", 5),
            ("plan", 5),
            ("cpu", 6),
            ("reference", 6),
            ("verify", 7),
        ],
    ),
    (
        "crates/impasto-gpu",
        &[
            ("device", 1),
            ("storage", 1),
            ("adapter", 2),
            ("faults", 2),
            ("maps", 2),
            ("pipelines", 2),
            ("shape", 3),
            ("stopwatch", 3),
            ("weights", 3),
            ("recorder", 4),
            ("bindings", 5),
            ("shared", 5),
            ("upload", 5),
            ("guides", 6),
            ("history", 6),
            ("sums", 6),
            ("content", 7),
            ("matching", 7),
            ("style", 7),
            ("injection", 8),
            ("memory", 8),
            ("walk", 9),
            ("engine", 10),
        ],
    ),
    (
        "crates/impasto-film",
        &[
            ("choices", 1),
            ("frames", 1),
            ("listing", 1),
            ("shots", 2),
            ("following", 2),
            ("event", 3),
            ("record", 3),
            ("painting", 4),
            ("film", 5),
        ],
    ),
    (
        "crates/impasto-flow",
        &[
            ("error", 1),
            ("method", 1),
            ("scalar", 1),
            ("sampling", 2),
            ("plane", 3),
            ("field", 4),
            ("median", 4),
            ("solver", 4),
            ("agreement", 5),
            ("warp", 5),
            ("level", 5),
            ("pyramid", 6),
        ],
    ),
    (
        "crates/impasto-job",
        &[
            ("failure", 1),
            ("machine", 1),
            ("pace", 1),
            ("shell", 1),
            ("engine", 2),
            ("order", 3),
            ("job", 4),
            ("runs", 4),
        ],
    ),
    (
        "crates/impasto-batch",
        &[
            ("csv", 1),
            ("digests", 1),
            ("folder", 1),
            ("names", 1),
            ("paths", 1),
            ("pattern", 1),
            ("receipt", 1),
            ("gather", 2),
            ("shot", 2),
            ("task", 3),
            ("standing", 4),
            ("tasks", 4),
            ("films", 5),
            ("pairs", 5),
            ("doing", 6),
            ("plan", 6),
            ("status", 6),
            ("page", 7),
        ],
    ),
    (
        "crates/impasto-studio",
        &[
            ("problem", 1),
            ("secrets", 1),
            ("names", 2),
            ("shown", 2),
            ("guard", 3),
            ("wire", 3),
            ("shelf", 4),
            ("runs", 5),
            ("routes", 6),
            ("server", 7),
        ],
    ),
    (
        "crates/impasto-cli",
        &[("ffmpeg", 1), ("show", 1), ("args", 2), ("interrupt", 2), ("drivers", 3), ("commands", 4), ("ending", 4)],
    ),
];

/// Which crate may use which: those named, and nothing else of ours.
const CRATES: [(&str, &[&str]); 9] = [
    ("crates/impasto-vgg", &["impasto_weights_early", "impasto_weights_middle", "impasto_weights_late"]),
    ("crates/impasto-gpu", &["impasto_vgg"]),
    ("crates/impasto", &["impasto_vgg"]),
    ("crates/impasto-film", &["impasto", "impasto_job", "impasto_flow"]),
    ("crates/impasto-flow", &[]),
    ("crates/impasto-job", &["impasto", "impasto_vgg", "impasto_gpu"]),
    ("crates/impasto-batch", &["impasto", "impasto_vgg", "impasto_job", "impasto_film"]),
    ("crates/impasto-studio", &["impasto", "impasto_vgg", "impasto_job"]),
    (
        "crates/impasto-cli",
        &["impasto", "impasto_vgg", "impasto_job", "impasto_batch", "impasto_film", "impasto_studio"],
    ),
];

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

/// What a file of a crate uses of that crate: the first names behind `crate::`, each with its line. `super::` that leaves
/// the file's room counts too.
fn rooms_used<'source>(source: &'source Source, room: &str, depth: usize) -> Vec<(usize, &'source str)> {
    let mut used = Vec::new();
    for (number, line) in source.code() {
        for path in line.split("crate::").skip(1) {
            used.extend(first_names(path).into_iter().map(|name| (number, name)));
        }
        // Within a module of tests there is one step more.
        let steps = (1..).take_while(|&steps| line.contains(&"super::".repeat(steps))).count();
        if steps >= depth + usize::from(line.starts_with(' ')) && !line.contains("crate::") {
            let path = line.rsplit("super::").next().unwrap_or_default();
            used.extend(first_names(path).into_iter().filter(|name| *name != "*").map(|name| (number, name)));
        }
    }
    used.retain(|(_, name)| *name != room);
    used
}

/// The name that a path begins with; of `{a::b, c}` both.
fn first_names(path: &str) -> Vec<&str> {
    let name = |path: &'_ str| -> usize {
        path.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(path.len())
    };
    let list = path.strip_prefix('{').map_or(vec![path], |list| list.split(',').collect());
    list.into_iter().map(str::trim_start).map(|path| &path[..name(path)]).filter(|name| !name.is_empty()).collect()
}

/// What is wrong with the uses in one file of a crate with these rooms.
fn storey_complaints(source: &Source, inside: &str, rooms: &[(&str, u8)]) -> Vec<String> {
    let room = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    if ["lib", "main"].contains(&room) {
        return Vec::new();
    }
    let floor_of = |name: &str| rooms.iter().find(|(room, _)| *room == name).map(|(_, floor)| *floor);
    let Some(floor) = floor_of(room) else {
        return vec![format!("{}: the room {room} stands on no floor; give it one in ROOMS", source.path)];
    };
    // `picture/mod.rs` and `control.rs` are one step below the crate, `picture/colour.rs` two.
    let depth = inside.trim_end_matches("/mod.rs").split('/').count();
    let complaint = |(number, name): (usize, &str)| match floor_of(name) {
        Some(other) if other < floor => None,
        Some(other) => {
            Some(format!("{}:{number}: {room}, on floor {floor}, uses {name} on floor {other}", source.path))
        }
        None => Some(format!("{}:{number}: {name} is no room; name the room that it stands in", source.path)),
    };
    rooms_used(source, room, depth).into_iter().filter_map(complaint).collect()
}

#[test]
fn a_room_uses_only_what_stands_on_lower_floors() {
    let mut complaints = Vec::new();
    for source in sources() {
        for (root, rooms) in ROOMS {
            if let Some(inside) = source.path.strip_prefix(root).and_then(|path| path.strip_prefix("/src/")) {
                complaints.extend(storey_complaints(&source, inside, rooms));
            }
        }
    }
    report(complaints);
}

#[test]
fn a_use_of_an_upper_floor_is_seen() {
    let rooms = [("picture", 1), ("recipe", 1), ("run", 2)];
    let complaints = |inside: &str, line: &str| {
        let source = Source { path: inside.to_owned(), lines: vec![line.to_owned()] };
        storey_complaints(&source, inside, &rooms).len()
    };
    for (inside, line) in [
        ("picture/colour.rs", "use crate::run::Scale;"),
        ("picture/colour.rs", "pub use crate::recipe::Recipe;"),
        ("picture/colour.rs", "    let scale = crate::run::Scale::default();"),
        ("picture/colour.rs", "use crate::{picture::Picture, run::Scale};"),
        ("picture/colour.rs", "use super::super::run::Scale;"),
        ("picture/mod.rs", "use super::run::Scale;"),
        ("picture/colour.rs", "use crate::Scale;"),
        ("picture/colour.rs", "    use crate::{Scale, picture::Picture};"),
        ("attic/dust.rs", "use std::fmt;"),
    ] {
        assert_eq!(complaints(inside, line), 1, "{inside}: {line}");
    }
    for (inside, line) in [
        ("run/start.rs", "use crate::picture::Picture;"),
        ("run/start.rs", "use super::scales::Scale;"),
        ("picture/colour.rs", "use crate::picture::Picture; // as crate::run does"),
        ("picture/mod.rs", "    use super::*;"),
        ("lib.rs", "pub use crate::run::Scale;"),
    ] {
        assert_eq!(complaints(inside, line), 0, "{inside}: {line}");
    }
}

#[test]
fn a_crate_uses_only_the_crates_below_it() {
    const OURS: &str = "impasto";
    let mut complaints = Vec::new();
    for source in sources() {
        for (root, may) in CRATES {
            if !source.path.starts_with(&format!("{root}/src/")) {
                continue;
            }
            for (number, line) in source.code() {
                let words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
                let code = line.split('"').step_by(2).any(|part| part.contains("::"));
                let ours = words.filter(|word| word.starts_with(OURS) && line.contains(&format!("{word}::")));
                for word in ours.filter(|word| code && !may.contains(word)) {
                    complaints.push(format!("{}:{number}: uses {word}", source.path));
                }
            }
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
