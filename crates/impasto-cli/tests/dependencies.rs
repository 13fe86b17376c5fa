//! What impasto is linked with, held to `deny.toml` by what cargo says of it, so that it is looked at wherever the tests run:
//! licences, sources, crates that would need a C compiler, and which crates stand behind which. `cargo deny check` reads the
//! same file, and more closely.

use std::collections::{BTreeMap, BTreeSet};
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

/// What a command of cargo says; `None`, and a word about it, where it cannot be asked.
fn cargo(arguments: &[&str]) -> Option<String> {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let said = Command::new(program).args(arguments).args(["--locked"]).current_dir(repository()?).output();
    let said = said.ok().filter(|said| said.status.success());
    if said.is_none() {
        println!("skipped: `cargo {}` does not answer", arguments.join(" "));
    }
    said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned())
}

/// Names and licences of the packages that `selection` is built of, on every platform and with every feature.
fn packages(selection: &[&str]) -> Option<BTreeMap<String, String>> {
    let tree = ["tree", "--all-features", "--target", "all", "--prefix", "none", "--format", "{p}|{l}"];
    let lines = cargo(&[&tree, selection].concat())?;
    let fields = lines.lines().filter_map(|line| line.split_once('|'));
    // `name v1.2.3`, and `(*)` behind the licence of one that was listed before.
    let name = |package: &str| package.split(' ').next().unwrap_or_default().to_owned();
    Some(fields.map(|(package, licence)| (name(package), licence.trim_end_matches(" (*)").to_owned())).collect())
}

/// The names in a list of `deny.toml`, from the line `KEY = [` to the line `]`.
fn listed(text: &str, key: &str) -> BTreeSet<String> {
    let start = format!("{key} = [");
    let lines = text.lines().skip_while(|line| **line != start).skip(1).take_while(|line| *line != "]");
    lines.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
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
    let (Some(root), Some(packages)) = (repository(), packages(&["--workspace"])) else { return };
    let rules = std::fs::read_to_string(root.join("deny.toml")).unwrap();
    let (allowed, denied) = (listed(&rules, "allow"), listed(&rules, "deny"));
    assert!(allowed.len() > 8 && denied.contains("cc"), "deny.toml is read wrong: {allowed:?} {denied:?}");
    assert!(packages.len() > 100, "{packages:?}");
    let mut complaints = Vec::new();
    for (name, licence) in &packages {
        if !is_allowed(licence, &allowed) {
            complaints.push(format!("{name}: the licence {licence:?} is not allowed"));
        }
        if denied.contains(name) {
            complaints.push(format!("{name} is denied"));
        }
    }
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).unwrap();
    let sources = lock.lines().filter_map(|line| line.strip_prefix("source = "));
    complaints.extend(sources.filter(|source| source.trim_matches('"') != REGISTRY).map(|it| format!("from {it}")));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A version of a dependency that may be any is no version.
#[test]
fn dependencies_name_their_versions() {
    let Some(said) = cargo(&["metadata", "--no-deps", "--format-version", "1"]) else { return };
    let said: Value = serde_json::from_str(&said).unwrap();
    let ours = said["packages"].as_array().unwrap();
    let wanted = ours.iter().flat_map(|package| package["dependencies"].as_array().unwrap());
    let any: Vec<_> = wanted.filter(|dependency| dependency["req"] == "*").map(|it| it["name"].clone()).collect();
    assert!(ours.len() > 5 && any.is_empty(), "{any:?}");
}

#[test]
fn only_the_command_line_knows_terminals_and_signals() {
    let linked_with = |ours| packages(&["--package", ours, "--edges", "normal"]);
    let Some(command_line) = linked_with("impasto-cli") else { return };
    assert!(command_line.contains_key("clap") && command_line.contains_key("impasto-job"), "{command_line:?}");
    for ours in ["impasto-studio", "impasto-batch", "impasto-job", "impasto", "impasto-gpu", "impasto-vgg"] {
        let linked = linked_with(ours).unwrap();
        assert!(linked.len() > 5, "{ours}: {linked:?}");
        let found: Vec<_> = COMMAND_LINE_ALONE.iter().filter(|name| linked.contains_key(**name)).collect();
        assert!(found.is_empty(), "{ours} is linked with {found:?}");
    }
}

/// Crates that speak to other machines, which a server of one's own has no need of.
const CLIENTS: [&str; 4] = ["reqwest", "hyper-tls", "native-tls", "h2"];

#[test]
fn the_studio_adds_few_crates_and_none_that_asks_other_machines() {
    let linked_with = |ours| packages(&["--package", ours, "--edges", "normal"]);
    let (Some(studio), Some(job)) = (linked_with("impasto-studio"), linked_with("impasto-job")) else { return };
    let added: Vec<_> = studio.keys().filter(|name| !job.contains_key(*name)).collect();
    assert!(added.len() > 10 && added.len() < 40, "{}: {added:?}", added.len());
    assert!(CLIENTS.iter().all(|client| !studio.contains_key(*client)), "{added:?}");
}
