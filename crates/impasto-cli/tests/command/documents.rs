//! Help, completions and manual: one definition, and every name that users were promised.

use crate::workshop::Workshop;

/// The options of `paint`.
const OPTIONS: [&str; 28] = [
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
    "--style-loss",
    "--colours",
    "--pool",
    "--precision",
    "--weights",
    "--weights-input",
    "--format",
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
    for variable in ["IMPASTO_ISA", "IMPASTO_CACHE", "HTTPS_PROXY", "SSL_CERT_FILE"] {
        assert!(workshop.succeed(&["--help"]).contains(variable), "{variable}");
    }
    // Alone, it says what there is; that it could not do anything is its exit status.
    let output = workshop.run(&[]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true));
    assert!(String::from_utf8(output.stderr).unwrap().contains("Usage: impasto <COMMAND>"));
}

#[test]
fn help_names_the_preset_that_a_command_takes() {
    let workshop = Workshop::new();
    for (command, preset) in [
        ("paint", "default"),
        ("plan", "default"),
        ("texture", "texture"),
        ("reconstruct", "reconstruction"),
        ("sweep", "paper"),
    ] {
        for help in ["-h", "--help"] {
            let help = workshop.succeed(&[command, help]);
            let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(&format!("a recipe with a name [default: {preset}]")), "{command}: {help}");
        }
    }
}

#[test]
fn a_preset_s_recipe_is_printed_and_painted() {
    let workshop = Workshop::new();
    let text = workshop.succeed(&["recipe", "--preset", "johnson"]);
    let recipe: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&recipe["preset"], &recipe["iterations"]), (&"johnson".into(), &1000.into()));
    std::fs::write(workshop.path("johnson.json"), text).unwrap();
    workshop.paint("out.png", &["--recipe", "johnson.json"]);
    workshop.paint("same.png", &["--preset", "johnson"]);
    assert!(workshop.bytes("out.png") == workshop.bytes("same.png"));
    let cases = [(vec!["recipe", "--preset", "gatys"], "--preset takes"), (vec!["recipe"], "PICTURE")];
    for (arguments, needle) in cases {
        let complaints = workshop.complaints_about_refusal(workshop.command(&arguments), 2, needle);
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}
