//! What comes through pipes: `-` for standard input, a named pipe, a shell's `<(...)`. Each is read once, before anything
//! else is done, and kept.

use std::fs::File;
use std::io::{IsTerminal, stdin};
use std::path::{Path, PathBuf};

use impasto::disk::{is_pipe, read_stream};
use impasto::read::ReadLimits;
use impasto_job::Failure;
use impasto_job::order::HeldFiles;

/// The names of standard input.
const STANDARD_INPUT: [&str; 4] = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

/// Reads those of the files that are pipes.
///
/// # Errors
/// A pipe that is given twice, a terminal, what cannot be read or is larger than image files may be.
pub fn read_piped(files: impl IntoIterator<Item = PathBuf>) -> Result<HeldFiles, Failure> {
    let (mut held, mut names) = (HeldFiles::default(), Vec::new());
    for path in files {
        let path = path.as_path();
        let is_input = STANDARD_INPUT.iter().any(|name| path == Path::new(name) && (*name == "-" || cfg!(unix)));
        if !is_input && !is_pipe(path) {
            continue;
        }
        let name = if is_input { "standard input".to_owned() } else { path.to_string_lossy().into_owned() };
        if names.contains(&name) {
            return Err(Failure::usage(format_args!(
                "{name} is given twice, and what comes through a pipe is read once; give a file"
            )));
        }
        if is_input && stdin().is_terminal() {
            return Err(Failure::usage(
                "standard input is a terminal; send a file into it (< photo.jpg), or give its name",
            ));
        }
        let limit_mib = ReadLimits::default().file_mib;
        let read = match is_input {
            true => read_stream(stdin().lock(), Path::new(&name), limit_mib),
            false => {
                let pipe = File::open(path);
                let pipe =
                    pipe.map_err(|error| Failure::file(path, format_args!("could not be read ({error}); check it")))?;
                read_stream(pipe, path, limit_mib)
            }
        };
        held.hold(path, &name, read.map_err(Failure::failed)?);
        names.push(name);
    }
    Ok(held)
}
