//! Help, completions and manual: one definition, and every name that users were promised.

use crate::workshop::Workshop;

/// The options of `paint`.
const OPTIONS: [&str; 24] = [
    "--size",
    "--iterations",
    "--optimizer",
    "--learning-rate",
    "--init",
    "--noise-ratio",
    "--seed",
    "--content-weight",
    "--style-weight",
    "--content-layers",
    "--style-layers",
    "--pool",
    "--precision",
    "--weights",
    "--preset",
    "--recipe",
    "--memory-limit",
    "--threads",
    "--json",
    "--quiet",
    "--preview",
    "--levels",
    "--history",
    "--output",
];

#[test]
fn help_completions_and_manual_know_every_option() {
    let workshop = Workshop::new();
    let mut documents = vec![("help".to_owned(), workshop.succeed(&["paint", "--help"]))];
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        documents.push((shell.to_owned(), workshop.succeed(&["completions", shell])));
    }
    // roff writes a minus sign as \-.
    documents.push(("manual".to_owned(), workshop.succeed(&["man"]).replace("\\-", "-")));
    for (name, text) in documents {
        for option in OPTIONS {
            let option = if name == "fish" { option.trim_start_matches('-') } else { option };
            assert!(text.contains(option), "{name} lacks {option}");
        }
    }
}

#[test]
fn the_manual_has_a_section_for_each_command() {
    let manual = Workshop::new().succeed(&["man"]);
    assert!(manual.contains(".TH impasto 1"), "{}", &manual[..200]);
    for command in [
        "PAINT",
        "TEXTURE",
        "RECONSTRUCT",
        "SWEEP",
        "RECIPE",
        "WEIGHTS",
        "WEIGHTS FETCH",
        "SELFTEST",
        "BENCH",
        "COMPLETIONS",
        "MAN",
    ] {
        assert!(manual.contains(&format!(".SH \"IMPASTO {command}\"")), "{command}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let workshop = Workshop::new();
    assert!(workshop.succeed(&["--help"]).contains("Exit status"));
    assert_eq!(workshop.succeed(&["--version"]), format!("impasto {}\n", env!("CARGO_PKG_VERSION")));
    let help = workshop.succeed(&["paint", "--help"]);
    for preset in ["default", "authors", "tutorial", "johnson", "paper"] {
        assert!(help.contains(&format!("- {preset}: ")), "{preset}");
    }
    // Alone, it says what there is; that it could not do anything is its exit status.
    let output = workshop.run(&[]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true));
    assert!(String::from_utf8(output.stderr).unwrap().contains("Usage: impasto <COMMAND>"));
}
