//! ffmpeg and ffprobe as subprocesses.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Output, Stdio};
use std::thread;

use impasto::disk::read_file;
use impasto_job::Failure;

/// The largest frame that is read, in MiB.
const FILE_LIMIT_MIB: u64 = 4096;

/// The longest of a program's own complaints that is passed on, in letters.
const COMPLAINT_LIMIT: usize = 300;

/// Runs one of ffmpeg's programs to its end; gives how it ended and what it wrote.
///
/// # Errors
/// Where it is not there, with the way to have it.
pub fn run<'word>(program: &str, arguments: impl IntoIterator<Item = &'word OsStr>) -> Result<Output, Failure> {
    run_in(Path::new("."), program, arguments)
}

/// As [`run`], in this folder.
///
/// # Errors
/// As [`run`].
pub fn run_in<'word>(
    folder: &Path,
    program: &str,
    arguments: impl IntoIterator<Item = &'word OsStr>,
) -> Result<Output, Failure> {
    let ended = Command::new(program).args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    ended.map_err(|error| not_run(program, &error))
}

/// As [`run`], with the bytes of these files on its standard input, one after the other.
///
/// # Errors
/// As [`run`], and a file that cannot be read.
pub fn run_with<'word>(
    program: &str,
    arguments: impl IntoIterator<Item = &'word OsStr>,
    files: &[PathBuf],
) -> Result<Output, Failure> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_run(program, &error))?;
    let mut input = child.stdin.take();
    // It may complain while it is fed, so both go on at once.
    let (ended, fed) = thread::scope(|scope| {
        let feeding = scope.spawn(move || feed(input.take(), files));
        let ended = child.wait_with_output();
        (ended, feeding.join())
    });
    let ended = ended.map_err(|error| not_run(program, &error))?;
    if ended.status.success() {
        fed.unwrap_or_else(|_| Err(Failure::failed(format_args!("{program} could not be fed; try again"))))?;
    }
    Ok(ended)
}

/// Writes files into a program; one that takes no more has ended, and says why itself.
fn feed(input: Option<ChildStdin>, files: &[PathBuf]) -> Result<(), Failure> {
    let Some(mut input) = input else { return Ok(()) };
    for file in files {
        let bytes = read_file(file, FILE_LIMIT_MIB).map_err(Failure::failed)?;
        if input.write_all(&bytes).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn not_run(program: &str, error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => Failure::failed(format_args!(
            "{program} is not there, and films are read and written by it; install ffmpeg (apt-get install ffmpeg, brew install ffmpeg), or give folders of frames"
        )),
        _ => Failure::failed(format_args!("{program} could not be run ({error}); see whether it runs by itself")),
    }
}

/// Whether ffmpeg is there, before there is work to be lost.
///
/// # Errors
/// As [`run`].
pub fn demand() -> Result<(), Failure> {
    ["ffmpeg", "ffprobe"].iter().try_for_each(|program| run(program, [OsStr::new("-version")]).map(drop))
}

/// A path as an argument: one that begins with a dash or looks like a protocol is a file all the same.
pub fn file_argument(path: &Path) -> OsString {
    let mut argument = OsString::from("file:");
    argument.push(path);
    argument
}

/// What a program complained of, on one line; empty where it did not.
pub fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    line.chars().filter(|letter| !letter.is_control()).take(COMPLAINT_LIMIT).collect()
}
