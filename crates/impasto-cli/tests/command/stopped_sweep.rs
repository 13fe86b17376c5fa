//! A sweep that a signal stops is gone on with by the same command.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use crate::figures::{QUICK, SWEEP};
use crate::workshop::Workshop;

/// Starts a sweep, reads what it says until it begins its second picture, and sends a signal there; gives how it ended and
/// what it had said, by which it may have been too quick for the signal.
fn signalled_at_the_second(workshop: &Workshop, words: &[&str], signal: &str) -> (ExitStatus, String) {
    let mut command = workshop.command(words);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let begins_second = |line: &String| line.contains("2 of 3");
    let mut said: Vec<String> = Vec::new();
    while !said.last().is_some_and(begins_second) {
        said.push(lines.next().unwrap_or_else(|| panic!("it ended at once: {said:?}")));
    }
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    said.extend(lines);
    (child.wait().unwrap(), said.join("\n"))
}

#[test]
fn a_sweep_that_is_stopped_is_gone_on_with() {
    let workshop = Workshop::new();
    // Pictures of which each takes many times as long as a signal.
    let more = ["--vary", "init=content,style,noise:1", "--iterations", "400"];
    let quick: Vec<&str> = QUICK.into_iter().filter(|word| !["--iterations", "3"].contains(word)).collect();
    let words = [&SWEEP, quick.as_slice(), &more].concat();
    let places = ["content", "style", "noise_1"].map(|start| format!("sheet-pictures/init={start}.png"));
    let made = |workshop: &Workshop| places.each_ref().map(|place| workshop.path(place).exists());
    workshop.succeed(&[words.as_slice(), &["--quiet"]].concat());
    let of_sweep = ["sheet.png"].into_iter().chain(places.iter().map(String::as_str));
    let whole: Vec<Vec<u8>> = of_sweep.clone().map(|name| workshop.bytes(name)).collect();
    for signal in ["INT", "KILL"] {
        // A machine that is busy enough lets the sweep end before the signal comes; then once more.
        let stopped = (0..20).find_map(|_| {
            of_sweep.clone().for_each(|name| std::fs::remove_file(workshop.path(name)).unwrap());
            let (status, said) = signalled_at_the_second(&workshop, &words, signal);
            (!status.success()).then_some((status, said))
        });
        let (status, said) = stopped.expect("a sweep that a signal stops");
        assert_eq!((status.code(), status.signal()), if signal == "INT" { (Some(130), None) } else { (None, Some(9)) });
        assert!(signal != "INT" || said.contains("interrupted at picture 2 of 3; the same command goes on"), "{said}");
        assert!(!workshop.path("sheet.png").exists());
        assert_eq!(made(&workshop), [true, false, false], "a picture so far is not left for a whole one: {said}");
        let output = workshop.run(&words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(said.matches("is there already").count(), 1, "{said}");
        for (name, bytes) in of_sweep.clone().zip(&whole) {
            assert!(workshop.bytes(name) == *bytes, "{name}, after {signal}");
        }
    }
}
