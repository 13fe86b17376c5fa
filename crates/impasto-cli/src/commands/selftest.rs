//! `impasto selftest`: the engine of this build, on this processor, against golden files.

use std::path::Path;

use impasto::disk::read_file;
use impasto::selftest::{EMBEDDED_GOLDEN, FEATURES_BOUND, GoldenFile, GoldenReport, LOSSES_BOUND, SelftestError};
use impasto_job::Failure;
use impasto_job::engine::open_engine;
use impasto_vgg::{Engine, EngineDescription, Weights};
use serde::Serialize;

use crate::args::SelftestArguments;
use crate::show::{Output, Voice, say};

/// The largest golden file that is read.
const FILE_LIMIT_MIB: u64 = 1024;

/// What the file inside the program is called.
const EMBEDDED_NAME: &str = "embedded";

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'run> {
    file: &'run str,
    #[serde(flatten)]
    report: GoldenReport,
}

/// Compares each file and prints a line for it.
///
/// # Errors
/// A wrong instruction set; a file that cannot be compared or is not ok, after all files had their turn.
pub fn selftest(arguments: &SelftestArguments, output: &mut Output) -> Result<(), Failure> {
    let engine = open_engine(
        &Weights::embedded(),
        arguments.device.threads,
        arguments.device.device,
        &Voice::new(false).hearing(),
        false,
    )?;
    if !arguments.json {
        let description = engine.describe();
        output.line(&format!("engine {}, {}, {} threads", description.name, description.isa, description.threads));
    }
    let mut failures = Vec::new();
    let mut check = |name: &str, bytes: Result<Vec<u8>, Failure>| {
        let report = bytes.and_then(|bytes| compare(Path::new(name), &bytes, &*engine));
        match report {
            Ok(report) => {
                print(output, arguments.json, name, report);
                if !report.ok {
                    failures.push(wrong(name, &report, &engine.describe()));
                }
            }
            Err(failure) => failures.push(failure),
        }
    };
    if arguments.files.is_empty() {
        check(EMBEDDED_NAME, Ok(EMBEDDED_GOLDEN.to_vec()));
    }
    for file in &arguments.files {
        check(&file.to_string_lossy(), read_file(file, FILE_LIMIT_MIB).map_err(Failure::failed));
    }
    output.finish()?;
    // The last failure is the command's own; those before it are said here.
    let last = failures.pop();
    failures.iter().for_each(|failure| say(&failure.sentence));
    last.map_or(Ok(()), Err)
}

fn compare(name: &Path, bytes: &[u8], engine: &dyn Engine) -> Result<GoldenReport, Failure> {
    let report = GoldenFile::read(bytes).and_then(|golden| golden.compare(engine));
    report.map_err(|error| match error {
        SelftestError::Engine(error) => Failure::from(error),
        error => Failure::file(name, error),
    })
}

fn wrong(name: &str, report: &GoldenReport, engine: &EngineDescription) -> Failure {
    let (on, way_out) = match engine.name.as_str() {
        "cpu" => ("this processor", "set IMPASTO_ISA=portable"),
        _ => (engine.isa.as_str(), "paint with --device cpu"),
    };
    Failure::failed(format_args!(
        "{name}: this build computes wrong on {on} (features {:.1e} of {FEATURES_BOUND:.0e}, losses {:.1e} of {LOSSES_BOUND:.0e}, gradient {:.1e} and {:.1e}); {way_out}, and please report it",
        report.features, report.losses, report.gradient_max, report.gradient_l2
    ))
}

fn print(output: &mut Output, json: bool, file: &str, report: GoldenReport) {
    if json {
        output.json(&Line { file, report });
        return;
    }
    let verdict = if report.ok { "ok   " } else { "WRONG" };
    output.line(&format!(
        "{verdict}  features {:.1e}  losses {:.1e}  gradient max {:.1e}  gradient l2 {:.1e}  {file}",
        report.features, report.losses, report.gradient_max, report.gradient_l2
    ));
}
