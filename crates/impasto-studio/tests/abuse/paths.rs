//! Paths: five hundred ways to write the way out of a folder, none of which leads anywhere.

use crate::support::{Client, TOKEN, Workshop, files};

const SECRET: &str = "what nobody may read";

/// Ways to write a dot, a slash, and the way up.
fn spellings() -> Vec<String> {
    let dots = [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "..%00",
        "%c0%ae%c0%ae",
        "%uff0e%uff0e",
        "....",
        "..;",
        ". .",
        "\u{ff0e}\u{ff0e}",
    ];
    let slashes = ["/", "%2f", "%2F", "\\", "%5c", "%252f", "%c0%af", "//", "/./", "%00/", "\u{2215}"];
    let ends = ["secret.txt", "etc/passwd", "run.json", ".studio/images", "secret.txt%00.jpg"];
    let mut all = Vec::new();
    for dot in dots {
        for slash in slashes {
            for end in ends {
                all.push(format!("{dot}{slash}{dot}{slash}{end}"));
            }
        }
    }
    all
}

#[test]
fn five_hundred_encodings_lead_nowhere() {
    let workshop = Workshop::new();
    let run = workshop.begin(2);
    workshop.wait(&run, &["finished"]);
    for place in [
        workshop.folder.path().join("secret.txt"),
        workshop.runs().join("secret.txt"),
        workshop.runs().join("photo-painting/secret.txt"),
    ] {
        std::fs::write(place, SECRET).unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(workshop.folder.path(), workshop.runs().join("link")).unwrap();
    let before = files(&workshop.runs());
    let (client, browser) = (workshop.client(), Client::browser(workshop.address(), TOKEN));
    let spellings = spellings();
    assert!(spellings.len() >= 500, "{}", spellings.len());
    let starts = ["/", "/api/images/", "/api/masks/", "/modules/", "/api/runs/"].map(str::to_owned);
    let starts = starts.into_iter().chain([format!("/api/runs/{run}/preview/"), format!("/api/runs/{run}/")]);
    let starts: Vec<String> = starts.collect();
    for (place, spelling) in spellings.iter().enumerate() {
        // Each begins somewhere else, and each beginning has had every kind.
        for start in [&starts[place % starts.len()], &starts[(place / 7) % starts.len()]] {
            let path = format!("{start}{spelling}");
            let said = if place % 2 == 0 { client.get(&path) } else { browser.get(&path) };
            assert!([400, 403, 404].contains(&said.status), "{path}: {}", said.status);
            assert!(!said.text().contains(SECRET) && !said.text().contains("root:"), "{path}");
        }
    }
    // Nor does a name of a file.
    for spelling in spellings.iter().step_by(7) {
        let name = spelling.replace(['\\', ' '], "%5c");
        let said = client.send("POST", &format!("/api/images?name={name}"), &[], &crate::support::picture(9, 9, 2));
        assert!([201, 400].contains(&said.status), "{name}: {} {}", said.status, said.text());
    }
    let after = files(&workshop.runs());
    let new: Vec<_> = after.iter().filter(|file| !before.contains(file)).map(|(path, _)| path.clone()).collect();
    assert!(new.iter().all(|path| path.starts_with(workshop.runs().join(".studio/images"))), "{new:?}");
    assert_eq!(std::fs::read_dir(workshop.folder.path()).unwrap().count(), 2, "something lies beside the runs");
}

/// A folder that somebody linked into the runs is not looked into.
#[cfg(unix)]
#[test]
fn a_link_among_the_runs_is_none_of_them() {
    let workshop = Workshop::new();
    let run = workshop.begin(2);
    workshop.wait(&run, &["finished"]);
    let elsewhere = workshop.folder.path().join("elsewhere");
    std::fs::rename(workshop.runs().join("photo-painting"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, workshop.runs().join("linked")).unwrap();
    let listed = workshop.client().get("/api/runs").json();
    let names: Vec<_> = listed["runs"].as_array().unwrap().iter().map(|run| run["name"].clone()).collect();
    assert!(!names.contains(&"linked".into()), "{names:?}");
}
