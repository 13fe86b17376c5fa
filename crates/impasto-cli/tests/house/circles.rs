//! Files of a crate do not use each other in a circle: read from what they bring in, across lines and lists.

use super::{Source, first_names, report, sources};

/// Files that use each other in a circle, and why they may. (What holds a folder together, `mod.rs` or the file of the folder's
/// name, and the files in it are one thing, and not looked at.)
const CIRCLES: [(&str, &str); 1] =
    [("crates/impasto-vgg/src/cpu/", "the dispatch names its instruction sets, the sets implement its trait")];

/// The statements of a file that bring names in, each on one line.
fn uses(source: &Source) -> Vec<String> {
    let code: Vec<&str> = source.code().map(|(_, line)| line.trim()).collect();
    let statements = code.join(" ");
    let begins = |part: &&str| part.starts_with("use ") || part.starts_with("pub use ") || part.contains(" use ");
    let uses = statements.split(';').filter(begins);
    uses.map(|part| part.rsplit("use ").next().unwrap_or_default().replace(' ', "")).collect()
}

/// The names that may be files behind `prefix` in a statement: `b` and `c` of `a::{b::D, c::E}`.
fn names_behind<'statement>(statement: &'statement str, prefix: &str) -> Vec<&'statement str> {
    let Some(rest) = statement.strip_prefix(prefix) else { return Vec::new() };
    let Some(list) = rest.strip_prefix('{') else { return first_names(rest) };
    let mut depth = 0;
    let parts = list.split(|letter: char| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        letter == ',' && depth == 0
    });
    parts.flat_map(first_names).collect()
}

/// The files beside a file, or in other folders of its crate, that it uses.
fn files_used(source: &Source, all: &[&str]) -> Vec<String> {
    let Some((root, _)) = source.path.split_once("/src/") else { return Vec::new() };
    let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_file = |path: &String| all.contains(&path.as_str());
    let mut used = Vec::new();
    for statement in uses(source) {
        used.extend(names_behind(&statement, "super::").iter().map(|name| format!("{folder}/{name}.rs")));
        for room in names_behind(&statement, "crate::") {
            used.push(format!("{root}/src/{room}.rs"));
            let behind = names_behind(&statement, &format!("crate::{room}::"));
            used.extend(behind.iter().map(|name| format!("{root}/src/{room}/{name}.rs")));
        }
    }
    used.retain(|path| is_file(path) && *path != source.path);
    used
}

/// What is left of a graph when whatever uses nothing, or is used by nothing, is taken away again and again: its circles.
fn circles(mut edges: Vec<(String, String)>) -> Vec<(String, String)> {
    loop {
        let before = edges.len();
        let snapshot = edges.clone();
        edges.retain(|(from, to)| {
            snapshot.iter().any(|(other, _)| other == to) && snapshot.iter().any(|(_, other)| other == from)
        });
        if edges.len() == before {
            return edges;
        }
    }
}

#[test]
fn files_do_not_use_each_other_in_a_circle() {
    let sources = sources();
    let all: Vec<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let is_looked_at = |source: &&Source| {
        let holds_together = ["/lib.rs", "/main.rs", "/mod.rs"].iter().any(|name| source.path.ends_with(name));
        !holds_together
            && source.path.contains("/src/")
            && !CIRCLES.iter().any(|(path, _)| source.path.starts_with(path))
    };
    let edges = sources.iter().filter(is_looked_at).flat_map(|source| {
        let of_its_own = source.path.trim_end_matches(".rs").to_owned() + "/";
        let used = files_used(source, &all).into_iter().filter(move |path| !path.starts_with(&of_its_own));
        used.map(|path| (source.path.clone(), path))
    });
    let edges: Vec<_> = edges.collect();
    assert!(sources.is_empty() || edges.len() > 200, "only {} uses were read", edges.len());
    report(circles(edges).into_iter().map(|(from, to)| format!("{from} uses {to} in a circle")).collect());
}

#[test]
fn a_circle_is_seen() {
    let source = |path: &str, text: &str| Source {
        path: format!("crates/a/src/{path}"),
        lines: text.lines().map(str::to_owned).collect(),
    };
    let sources = [
        source("run/run.rs", "use std::fmt;\nuse super::{\n    forecast::Forecast,\n    scales::Scale,\n};"),
        source("run/forecast.rs", "use crate::run::{run::Run, scales::Scale};"),
        source("run/scales.rs", "// use super::run::Run;\npub use crate::picture::Picture;"),
        source("picture.rs", "use std::path::Path;"),
    ];
    let all: Vec<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let used = |place: usize| files_used(&sources[place], &all).len();
    assert_eq!([used(0), used(1), used(2), used(3)], [2, 2, 1, 0]);
    let edges =
        sources.iter().flat_map(|source| files_used(source, &all).into_iter().map(|to| (source.path.clone(), to)));
    let found = circles(edges.collect());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|(from, to)| !from.contains("scales") && !to.contains("scales")), "{found:?}");
}
