//! What impasto is linked with, held to `deny.toml` by what cargo says of it, so that it is looked at wherever the tests run:
//! licences, sources, crates that would need a C compiler, and which crates stand behind which. `cargo deny check` reads the
//! same file, and more closely.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Where every crate that is not ours comes from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Crates of terminals and signals, which only the command line may stand on.
const COMMAND_LINE_ALONE: [&str; 5] = ["clap", "console", "ctrlc", "indicatif", "signal-hook"];

fn repository() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().ok()?;
    root.join("deny.toml").exists().then_some(root)
}

/// What cargo says of all packages; `None`, and a word about it, where it cannot be asked.
fn metadata() -> Option<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let root = repository()?;
    let options = ["metadata", "--locked", "--offline", "--format-version", "1", "--all-features"];
    let said = Command::new(cargo).args(options).current_dir(root).output().ok()?;
    let read = serde_json::from_slice(&said.stdout).ok();
    if read.is_none() {
        println!("skipped: cargo does not tell the packages: {}", String::from_utf8_lossy(&said.stderr));
    }
    read
}

/// The names in a list of `deny.toml`, from the line `KEY = [` to the line `]`.
fn listed(text: &str, key: &str) -> BTreeSet<String> {
    let start = format!("{key} = [");
    let lines = text.lines().skip_while(|line| **line != start).skip(1).take_while(|line| *line != "]");
    lines.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
}

fn text<'value>(value: &'value Value, key: &str) -> &'value str {
    value[key].as_str().unwrap_or_default()
}

/// Whether a licence expression (SPDX; `/` is an old OR) can be met with these licences.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").replace(" WITH ", "+WITH+");
    let mut words = spaced.split_whitespace().peekable();
    let met = any_of(&mut words, allowed);
    met && words.next().is_none()
}

type Words<'text> = std::iter::Peekable<std::str::SplitWhitespace<'text>>;

fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all_of(words, allowed);
    }
    met
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    match words.next() {
        Some("(") => {
            let met = any_of(words, allowed);
            words.next_if_eq(&")").is_some() && met
        }
        Some(licence) => allowed.contains(&licence.replace("+WITH+", " WITH ")),
        None => false,
    }
}

#[test]
fn licences_are_read_as_expressions() {
    let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned));
    for good in ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "(GPL-3.0 OR MIT) AND ISC", "Apache-2.0 WITH LLVM-exception"] {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR GPL-3.0) AND GPL-3.0", "Apache-2.0", "MIT ISC", "(MIT"] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}

#[test]
fn every_package_has_a_licence_and_a_source_that_is_allowed_and_needs_no_c_compiler() {
    let (Some(root), Some(metadata)) = (repository(), metadata()) else { return };
    let rules = std::fs::read_to_string(root.join("deny.toml")).unwrap();
    let (allowed, denied) = (listed(&rules, "allow"), listed(&rules, "deny"));
    assert!(allowed.len() > 8 && denied.contains("cc"), "deny.toml is read wrong: {allowed:?} {denied:?}");
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{} packages", packages.len());
    let mut complaints = Vec::new();
    for package in packages {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        if !is_allowed(licence, &allowed) {
            complaints.push(format!("{name}: the licence {licence:?} is not allowed"));
        }
        if denied.contains(name) {
            complaints.push(format!("{name} is denied"));
        }
        if !package["source"].is_null() && package["source"] != REGISTRY {
            complaints.push(format!("{name} comes from {}", package["source"]));
        }
        // A version of ours that may be any is no version.
        let wanted = package["dependencies"].as_array().unwrap().iter().filter(|_| package["source"].is_null());
        for any in wanted.filter(|dependency| dependency["req"] == "*") {
            complaints.push(format!("{name} takes any version of {}", any["name"]));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The names of all packages that one of ours is linked with.
fn linked_with(metadata: &Value, ours: &str) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let name_of = |id: &str| packages.iter().find(|package| text(package, "id") == id).map(|found| text(found, "name"));
    let is_ours = |package: &&Value| text(package, "name") == ours && package["source"].is_null();
    let mut open: Vec<&str> = packages.iter().filter(is_ours).map(|package| text(package, "id")).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = nodes.iter().find(|node| text(node, "id") == id).unwrap();
        let is_linked = |edge: &&Value| edge["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
        open.extend(node["deps"].as_array().unwrap().iter().filter(is_linked).map(|edge| text(edge, "pkg")));
    }
    seen.into_iter().filter_map(name_of).map(str::to_owned).collect()
}

#[test]
fn only_the_command_line_knows_terminals_and_signals() {
    let Some(metadata) = metadata() else { return };
    let command_line = linked_with(&metadata, "impasto-cli");
    assert!(command_line.contains("clap") && command_line.contains("impasto-job"), "{command_line:?}");
    for ours in ["impasto-job", "impasto", "impasto-gpu", "impasto-vgg"] {
        let linked = linked_with(&metadata, ours);
        assert!(linked.len() > 5, "{ours}: {linked:?}");
        let found: Vec<_> = COMMAND_LINE_ALONE.iter().filter(|name| linked.contains(**name)).collect();
        assert!(found.is_empty(), "{ours} is linked with {found:?}");
    }
}
